"""The text of the files that a start reads: Neo4j's settings, Java's arguments, the password."""

from __future__ import annotations

import os
import re
import secrets
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from forest.errors import UsageError
from forest.local_neo4j.ports import HOST

_ENTRY_POINT = "META-INF/services/org.neo4j.server.startup.EntryPoint"
# What Neo4j reaches into beyond Java's public interfaces.
_OPENED = (
    "java.base/java.nio",
    "java.base/java.io",
    "java.base/sun.nio.ch",
    "java.base/java.util.concurrent",
)
# Set where the version knows them; Neo4j does not start with a setting that it does not know.
_WHERE_KNOWN = {
    # Announces the server to the local network.
    "server.fleet_discovery.enabled": "false",
    # Believes what any client says about a proxy before it; here is none.
    "server.http.x_forward.enabled": "false",
    # A stop would wait 10 s for the threads of connections that are closed already.
    "internal.server.bolt.thread_pool_shutdown_wait_time": "0s",
}
# Compiling for speed and a parallel collector do not pay in one second of work.
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")


def check_form(name: str, value: str, pattern: str, example: str) -> None:
    """Check one setting, which a message calls ``name``, against a regular expression.

    :raises UsageError: it has another form.
    """
    if not re.fullmatch(pattern, value):
        raise UsageError(f"{name} {value!r} is not of the form {example}")


def neo4j_conf(config: Mapping[str, str], extra: Mapping[str, str], jars: tuple[Path, ...]) -> str:
    """Return the text of ``neo4j.conf``; ``extra`` wins over ``config``."""
    merged = {**config, **_known(jars), **extra}
    note = "# Written anew at each start: changes here are lost. Use extra_config.\n"
    return note + "".join(f"{name}={value}\n" for name, value in merged.items())


def basic_config(bolt_port: int, http_port: int | None, page_cache: str) -> dict[str, str]:
    """Return our settings: loopback only, with a password, no calls home."""
    return {
        "server.default_listen_address": HOST,
        "server.bolt.listen_address": f"{HOST}:{bolt_port}",
        # What a neo4j:// driver is sent to; "localhost" may mean ::1, where nobody listens.
        "server.bolt.advertised_address": f"{HOST}:{bolt_port}",
        "server.https.enabled": "false",
        **_http(http_port),
        "server.memory.pagecache.size": page_cache,
        "dbms.security.auth_enabled": "true",
        "dbms.usage_report.enabled": "false",
        "client.allow_telemetry": "false",
        # 2 MB of data folder for an empty graph instead of 516 MB.
        "db.tx_log.preallocate": "false",
    }


def _known(jars: Iterable[Path]) -> dict[str, str]:
    """Return those of ``_WHERE_KNOWN`` whose name stands in the code that declares settings."""
    code = b""
    for jar in jars:
        if jar.name.startswith(("neo4j-configuration-", "neo4j-server-")):
            with zipfile.ZipFile(jar) as archive:
                classes = [name for name in archive.namelist() if name.endswith(".class")]
                code += b"".join(map(archive.read, classes))
    return {name: value for name, value in _WHERE_KNOWN.items() if name.encode() in code}


def _http(port: int | None) -> dict[str, str]:
    if port is None:
        return {"server.http.enabled": "false"}
    return {
        "server.http.enabled": "true",
        "server.http.listen_address": f"{HOST}:{port}",
        "server.http.advertised_address": f"{HOST}:{port}",
        # The default lets a script of any web page read what the server answers.
        "dbms.security.http_access_control_allow_origin": f"http://{HOST}:{port}",
    }


def server_arguments(home: Path, jars: tuple[Path, ...], heap: str) -> str:
    """Return the argument file of the server's Java process."""
    return _argument_file(
        [
            f"-Xmx{heap}",
            "-XX:+ExitOnOutOfMemoryError",
            f"-XX:ErrorFile={home / 'logs' / 'java-crash.log'}",
            *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED),
            "-cp",
            _class_path(jars),
            _entry_point(jars[0]),
            f"--home-dir={home}",
            f"--config-dir={home / 'conf'}",
            "--console-mode",  # its messages to the console too, which is our log file
        ]
    )


def first_password_arguments(jars: tuple[Path, ...], password: str) -> str:
    """Return the argument file of the admin command that sets the first password."""
    # After "--", because a generated password may begin with a dash.
    command = ["org.neo4j.cli.AdminTool", "dbms", "set-initial-password", "--", password]
    return _argument_file([*_QUICK, "-cp", _class_path(jars), *command])


def _argument_file(arguments: Iterable[str]) -> str:
    """Return the text of a Java argument file: one quoted argument a line."""
    escaped = (one.replace("\\", "\\\\").replace('"', '\\"') for one in arguments)
    return "".join(f'"{one}"\n' for one in escaped)


def _class_path(jars: tuple[Path, ...]) -> str:
    return os.pathsep.join(map(str, jars))


def _entry_point(jar: Path) -> str:
    """Return the main class of the server: it has another name in each line of versions."""
    with zipfile.ZipFile(jar) as archive:
        return archive.read(_ENTRY_POINT).decode().split()[0]


def write_new_password(path: Path) -> str:
    """Generate a password and write it to ``path``, readable by this user only; return it.

    The file is whole or absent: made with its mode, filled, and only then given its name.
    """
    password = secrets.token_urlsafe(24)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return password
