"""SQLite on bad days: killed, locked, full, too new, half migrated, not a forest at all.

Processes are real, and killed with SIGKILL where the files say that they are in the middle of it.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from forest.errors import (
    Conflict,
    ForestError,
    NotFound,
    SchemaTooNew,
    StoreError,
    StoreUnavailable,
)
from forest.identity import finished
from forest.model import Thought, Tree
from forest.stores import open_store, sqlite
from forest.stores.sqlite import APPLICATION_ID, SqliteStore, wal_is_safe

MODES = ["DELETE", "WAL"]


def tree(tree_id: str, *texts: str) -> Tree:
    thoughts = [Thought(text=x, level=min(i, 1)) for i, x in enumerate(texts or ("Корень.", "Шаг"))]
    return finished(Tree(tree_id, id=tree_id, thoughts=thoughts))


def put(store: SqliteStore, *trees: Tree) -> None:
    store.write(trees, lambda _, new: new)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "forest.db"


@pytest.fixture
def planted(path: Path) -> Path:
    """A file with two trees in it."""
    with SqliteStore(path) as store:
        put(store, tree("a"), tree("b"))
    return path


def intact(path: Path) -> SqliteStore:
    """Open the forest again; whatever happened to it, it is whole."""
    store = SqliteStore(path, create=False)
    assert list(store.check()) == []
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    lost = "SELECT * FROM anchored WHERE thought NOT IN (SELECT key FROM thought)"
    assert db.execute(lost).fetchall() == []
    db.close()
    return store


# --- other processes -----------------------------------------------------------------------------

PREAMBLE = """
import sys
from pathlib import Path
from forest.errors import ForestError
from forest.identity import finished
from forest.model import Thought, Tree
from forest.stores import sqlite
path, mode = Path(sys.argv[1]), sys.argv[2]
sqlite.wal_is_safe = lambda: mode == "WAL"
def opened():
    store = sqlite.SqliteStore(path)
    store._db.execute("PRAGMA cache_size = 20")  # write pages early, as a big change does
    return store
def big(tree_id, text, size=2000):
    thoughts = [Thought(text=f"{text} {i} " + "x" * 200, level=min(i, 1)) for i in range(size)]
    return finished(Tree(tree_id, id=tree_id, thoughts=thoughts))
def say(*words):
    print(*words, flush=True)
"""


class Other:
    """Another process that runs some lines of Python."""

    def __init__(self, code: str, path: Path, mode: str) -> None:
        self.path = path
        program = PREAMBLE + textwrap.dedent(code)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(path), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def hears(self, line: str) -> None:
        """Wait until it says a line."""
        said = self.out.readline().strip()
        assert said == line, said + self.complaint()

    def tell(self) -> None:
        """Let it go on; it waits on its input."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            assert self.process.poll() is None, f"it ended: {self.complaint()}"
            time.sleep(0.001)

    def complaint(self) -> str:
        self.process.kill()
        return self.process.communicate()[1]

    def kill(self) -> list[str]:
        """SIGKILL; returns what it had said and nobody has read."""
        self.process.send_signal(signal.SIGKILL)
        rest = self.out.read().splitlines()
        assert self.process.wait() == -signal.SIGKILL
        return rest

    def ends(self) -> list[str]:
        """Wait for its end, which is a good one; returns what it said."""
        out, complaint = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, complaint
        return out.splitlines()


@pytest.fixture
def other(path: Path):
    """Start other processes; none outlives the test."""
    started: list[Other] = []

    def start(code: str, mode: str = "DELETE") -> Other:
        started.append(Other(code, path, mode))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def log(path: Path, mode: str) -> Path:
    return path.with_name(path.name + ("-wal" if mode == "WAL" else "-journal"))


# --- kill -9 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("written", [1, 300_000, 3_000_000])
def test_killed_in_the_middle_of_a_big_write(planted, other, mode, written):
    """With nothing yet in the file, with a little, with a lot of it."""
    writer = other(
        """
        def endless():
            yield big("a", "Половина.")
            for i in range(10**9):
                yield big(f"new {i}", f"Новое {i}.", 500)
        opened().write(endless(), lambda old, new: new)
        """,
        mode,
    )
    start, grows = size(planted), log(planted, mode) if mode == "WAL" else planted
    writer.wait_until(lambda: size(log(planted, mode)) > 0)
    if written > 1:
        writer.wait_until(lambda: size(grows) > start + written)
    writer.kill()
    assert size(log(planted, mode)) > 0  # it was in the middle
    with intact(planted) as store:
        assert list(store.trees()) == [tree("a"), tree("b")]
        put(store, tree("c"))


@pytest.mark.parametrize("mode", MODES)
def test_killed_in_the_middle_of_a_change(planted, other, mode):
    writer = other(
        """
        store = opened()
        store.write([big("a", "Раз.")], lambda old, new: new)
        say("ready")
        for text in ["Два.", "Раз."] * 10**6:
            store.change(["a"], lambda trees: {"a": big("a", text)})
        """,
        mode,
    )
    writer.hears("ready")
    grows = log(planted, mode)
    writer.wait_until(lambda: size(grows) > 200_000)
    writer.kill()
    with intact(planted) as store:
        assert [info.id for info in store.infos()] == ["a", "b"]
        texts = {t.text.split()[0] for t in store.get("a").thoughts}
        assert texts in ({"Раз."}, {"Два."})
        assert len(store.get("a")) == 2000


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("said", [1, 7, 20])
def test_what_was_said_to_be_stored_is_stored(planted, other, mode, said):
    """Killed somewhere in the next commit, whose end nobody has heard of."""
    writer = other(
        """
        store = opened()
        def longer(trees):
            trees["a"].add(f"Шаг {i}.", under=trees["a"].root)
            return trees
        for i in range(10**6):
            store.change(["a"], longer)
            say(i)
        """,
        mode,
    )
    for i in range(said):
        writer.hears(str(i))
    stored = said + len(writer.kill())
    with intact(planted) as store:
        steps = [t.text for t in store.get("a").thoughts[2:]]
        assert steps == [f"Шаг {i}." for i in range(len(steps))]
        assert stored <= len(steps) <= stored + 1


@pytest.mark.parametrize("written", [1, 100_000])
def test_killed_in_the_middle_of_a_migration(planted, other, written, monkeypatch):
    with SqliteStore(planted) as store:
        put(store, *(tree(f"t{i}", *("x" * 300 for _ in range(100))) for i in range(20)))
        before = list(store.trees())
    writer = other(
        """
        def step(db):
            db.execute("PRAGMA cache_size = 20")
            db.execute("ALTER TABLE thought ADD COLUMN note TEXT")
            db.execute("UPDATE thought SET note = text, text = 'half'")
            while True:
                db.execute("UPDATE thought SET note = note || 'x'")
        sqlite.MIGRATIONS = (*sqlite.MIGRATIONS, step)
        opened()
        """
    )
    writer.wait_until(lambda: size(log(planted, "DELETE")) > written)
    writer.kill()
    with intact(planted) as store:
        assert list(store.trees()) == before
    assert columns(planted, "thought") == ["key", "id", "level", "text", "kind", "lang"]
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*sqlite.MIGRATIONS, add_note))
    with intact(planted) as store:
        assert list(store.trees()) == before
    assert columns(planted, "thought")[-1] == "note"


def test_killed_while_the_file_is_made(path, other):
    maker = other(
        """
        def slow(db):
            sqlite_create(db)
            say("in the middle")
            sys.stdin.readline()
        sqlite_create, = sqlite.MIGRATIONS
        sqlite.MIGRATIONS = (slow,)
        opened()
        """
    )
    maker.hears("in the middle")
    maker.kill()
    with intact(path) as store:
        assert list(store.trees()) == []
        put(store, tree("a"))


# --- several at once -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_two_processes_write_at_once_and_lose_nothing(planted, other, mode):
    code = """
        store = opened()
        say("ready")
        sys.stdin.readline()
        def longer(trees):
            trees["a"].add(f"{name} {i}", under=trees["a"].root)
            return trees
        for i in range(50):
            store.change(["a"], longer)
        store.write([big(f"{name} own", "x", 100)], lambda old, new: new)
        """
    writers = [other(f"name = {name!r}\n" + textwrap.dedent(code), mode) for name in "xy"]
    for writer in writers:
        writer.hears("ready")
    for writer in writers:
        writer.tell()
    for writer in writers:
        writer.ends()
    with intact(planted) as store:
        steps = [t.text for t in store.get("a").thoughts[2:]]
        for name in "xy":
            assert [s for s in steps if s[0] == name] == [f"{name} {i}" for i in range(50)]
        assert [info.id for info in store.infos()] == ["a", "b", "x own", "y own"]


def test_two_processes_make_the_file_at_once(path, other):
    code = """
        say("ready")
        sys.stdin.readline()
        with opened() as store:
            store.write([big(sys.stdin.readline().strip(), "x", 5)], lambda old, new: new)
        """
    makers = [other(code) for _ in range(3)]
    for maker in makers:
        maker.hears("ready")
    for i, maker in enumerate(makers):
        assert maker.process.stdin is not None
        maker.process.stdin.write(f"\ntree {i}\n")
        maker.process.stdin.flush()
    for maker in makers:
        maker.ends()
    with intact(path) as store:
        assert [info.id for info in store.infos()] == ["tree 0", "tree 1", "tree 2"]


@pytest.mark.parametrize("mode", MODES)
def test_reading_while_another_process_writes_sees_whole_trees(planted, other, mode, monkeypatch):
    monkeypatch.setattr(sqlite, "wal_is_safe", lambda: mode == "WAL")
    writer = other(
        """
        store = opened()
        store.write([big("a", "Раз.", 300)], lambda old, new: new)
        say("ready")
        for text in ["Два.", "Раз."] * 10**6:
            store.change(["a"], lambda trees: {"a": big("a", text, 300)})
            say(text)
        """,
        mode,
    )
    writer.hears("ready")
    with SqliteStore(planted) as store:
        for _ in range(10):
            writer.out.readline()
            for read in store.trees():
                assert len({t.text.split()[0] for t in read.thoughts if read.id == "a"}) <= 1
                assert len(read) == (300 if read.id == "a" else 2)


def test_a_stream_left_open_does_not_keep_others_from_writing(planted, other):
    with SqliteStore(planted) as store:
        streams = [store.trees(), store.infos(), store.revisions(), store.anchors()]
        for stream in streams[:3]:
            next(stream)
        other(
            """
            store = sqlite.SqliteStore(path, busy_seconds=0.1)
            store.write([big("c", "x", 5)], lambda old, new: new)
            """
        ).ends()
        put(store, tree("d"))
        assert [t.id for t in store.trees()] == ["a", "b", "c", "d"]


def test_a_locked_file_is_a_clear_error_and_nothing_is_stored(planted):
    db = sqlite3.connect(planted, isolation_level=None)
    with SqliteStore(planted, busy_seconds=0.1) as store:
        db.execute("BEGIN IMMEDIATE")
        for write in (
            lambda: put(store, tree("c")),
            lambda: store.change(["a"], lambda _: {"a": None}),
            lambda: store.put_axes([]),
        ):
            with pytest.raises(StoreUnavailable, match=r"written by another process\n.*Try again"):
                write()
        assert [t.id for t in store.trees()] == ["a", "b"]  # reading goes on
        db.execute("ROLLBACK")
        put(store, tree("c"))
        assert [t.id for t in store.trees()] == ["a", "b", "c"]
    db.close()


def test_a_file_locked_for_reading_too_is_a_clear_error(planted):
    db = sqlite3.connect(planted, isolation_level=None)
    with SqliteStore(planted, busy_seconds=0.1) as store:
        db.execute("BEGIN EXCLUSIVE")
        for read in (lambda: store.get("a"), lambda: list(store.trees()), store.axes):
            with pytest.raises(StoreUnavailable, match="another process"):
                read()
        with pytest.raises(StoreUnavailable, match="another process"):
            SqliteStore(planted, busy_seconds=0.1)
    db.close()


def test_a_reader_does_not_make_a_writer_lose_its_work(planted):
    """In a rollback journal a commit needs the file for itself: it waits, then says so."""
    reader = sqlite3.connect(planted, isolation_level=None)
    with SqliteStore(planted, busy_seconds=0.1) as store:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM tree").fetchone()
        if header_mode(planted) == "DELETE":
            with pytest.raises(StoreUnavailable, match="another process"):
                put(store, tree("c"))
            assert [t.id for t in store.trees()] == ["a", "b"]
        reader.execute("ROLLBACK")
        put(store, tree("c"))
        assert [t.id for t in store.trees()] == ["a", "b", "c"]
    reader.close()


# --- a full disk ---------------------------------------------------------------------------------


def test_a_full_disk_is_a_clear_error_and_the_store_goes_on(planted):
    with SqliteStore(planted) as store:
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 20}")
        big = tree("a", *(f"{i} " + "x" * 500 for i in range(500)))
        with pytest.raises(
            StoreUnavailable, match=r"the disk is full.*\n.*Make room and try again"
        ):
            put(store, tree("c"), big)
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            store.change(["a", "b"], lambda _: {"b": None, "a": big})
        assert list(store.trees()) == [tree("a"), tree("b")]
        store._db.execute("PRAGMA max_page_count = 1000000")
        put(store, big)
    with intact(planted) as store:
        assert list(store.trees()) == [big, tree("b")]


@pytest.mark.parametrize("mode", MODES)
def test_a_file_that_cannot_grow_is_a_clear_error(planted, other, mode):
    said = other(
        """
        import resource
        store = opened()
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        for i in range(100):
            try:
                store.write([big(f"new {i}", "x", 100)], lambda old, new: new)
            except ForestError as error:
                say(type(error).__name__, i, str(error).splitlines()[-1])
                break
        try:
            store.change(["a"], lambda trees: {"a": big("a", "x")})
        except ForestError as error:
            say(type(error).__name__)
        """,
        mode,
    ).ends()
    name, stored, *hint = said[0].split()
    assert name == said[1] == "StoreUnavailable"
    assert " ".join(hint).startswith("Nothing of this change was stored.")
    with intact(planted) as store:
        expected = ["a", "b", *(f"new {i}" for i in range(int(stored)))]
        assert [t.id for t in store.trees()] == sorted(expected)
        assert store.get("a") == tree("a")


def test_no_room_for_a_new_file_is_a_clear_error(path, other):
    said = other(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            opened()
        except ForestError as error:
            say(type(error).__name__)
        """
    ).ends()
    assert said == ["StoreUnavailable"]
    with intact(path) as store:
        assert list(store.trees()) == []


# --- versions of the schema ----------------------------------------------------------------------


def columns(path: Path, table: str) -> list[str]:
    db = sqlite3.connect(path)
    try:
        return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    finally:
        db.close()


def user_version(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    finally:
        db.close()


def add_note(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE thought ADD COLUMN note TEXT")


def fill_note(db: sqlite3.Connection) -> None:
    db.execute("UPDATE thought SET note = 'noted'")


def fail_in_sql(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM thought")
    db.execute("UPDATE no_such_table SET x = 1")


def fail_in_python(db: sqlite3.Connection) -> None:
    db.execute("DROP TABLE thought")
    raise RuntimeError("a step failed")


def test_a_newer_file_is_refused_and_not_touched(planted):
    newer = len(sqlite.MIGRATIONS) + 1
    db = sqlite3.connect(planted)
    db.execute(f"PRAGMA user_version = {newer}")
    db.close()
    before = planted.read_bytes()
    for read_only in (False, True):
        with pytest.raises(SchemaTooNew, match=rf"has schema version {newer}.*\n.*upgrade"):
            SqliteStore(planted, read_only=read_only)
    assert planted.read_bytes() == before
    assert sorted(planted.parent.iterdir()) == [planted]


def test_an_older_file_is_brought_up_to_date(planted, monkeypatch):
    known = sqlite.MIGRATIONS
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*known, add_note, fill_note))
    with intact(planted) as store:
        assert list(store.trees()) == [tree("a"), tree("b")]
    assert user_version(planted) == len(known) + 2
    db = sqlite3.connect(planted)
    assert db.execute("SELECT DISTINCT note FROM thought").fetchall() == [("noted",)]
    db.close()
    monkeypatch.setattr(sqlite, "MIGRATIONS", known)
    with pytest.raises(SchemaTooNew):
        SqliteStore(planted)


@pytest.mark.parametrize(
    ("step", "error"), [(fail_in_sql, StoreError), (fail_in_python, RuntimeError)]
)
def test_a_migration_that_fails_leaves_the_file_as_it_was(planted, monkeypatch, step, error):
    before = planted.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "MIGRATIONS", (*sqlite.MIGRATIONS, add_note, step))
        with pytest.raises(error):
            SqliteStore(planted)
    assert planted.read_bytes() == before
    with intact(planted) as store:
        assert list(store.trees()) == [tree("a"), tree("b")]


def test_an_older_file_is_not_changed_by_a_reader(planted, monkeypatch):
    before = planted.read_bytes()
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*sqlite.MIGRATIONS, add_note))
    with pytest.raises(StoreError, match="older version"):
        SqliteStore(planted, read_only=True)
    assert planted.read_bytes() == before


# --- files that are no forest --------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"hello", b"# Notes\n" * 2000, bytes(4096), b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_file_that_is_no_database_is_refused_and_not_touched(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"is not a forest: it is not a SQLite file\n.*--store"):
        SqliteStore(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("version", [0, 1, 7])
def test_another_programs_database_is_refused_and_not_touched(path, version):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE tree (id TEXT)")
    db.execute("PRAGMA application_id = 1196444487")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreError, match="is a SQLite file, but not a forest"):
            SqliteStore(path, read_only=read_only)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_forest(path):
    path.touch()
    with SqliteStore(path) as store:
        put(store, tree("a"))
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    db.close()


def test_a_folder_is_no_forest(tmp_path):
    with pytest.raises(StoreError, match="cannot be written"):
        SqliteStore(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"the folder .*nowhere does not exist"):
        open_store(f"sqlite:///{tmp_path / 'nowhere' / 'forest.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_must_be_there_is_not_made(path):
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(NotFound, match=r"there is no forest at .*forest\.db\n.*forest init"):
            SqliteStore(path, **options)
    with pytest.raises(NotFound):
        open_store(f"sqlite:///{path}", create=False)
    assert not path.exists()


def test_a_read_only_store_refuses_to_write(planted):
    before = planted.read_bytes()
    with SqliteStore(planted, read_only=True) as store:
        assert [t.id for t in store.trees()] == ["a", "b"]
        with pytest.raises(StoreError, match="cannot be written"):
            put(store, tree("c"))
    assert planted.read_bytes() == before


as_root = pytest.mark.skipif(
    os.geteuid() == 0, reason="permission bits do not bind the superuser, who runs these tests"
)


@as_root
def test_a_file_without_write_permission_can_be_read(planted):
    planted.chmod(0o400)
    with SqliteStore(planted) as store:
        assert [t.id for t in store.trees()] == ["a", "b"]
        with pytest.raises(StoreError, match="Check the permissions"):
            put(store, tree("c"))


@as_root
def test_a_folder_without_write_permission_is_a_clear_error(planted, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with (
            pytest.raises(StoreError, match="Check the permissions"),
            SqliteStore(planted) as store,
        ):
            put(store, tree("c"))
        with pytest.raises(StoreError, match="Check the permissions"):
            SqliteStore(tmp_path / "new.db")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_went_away_is_a_clear_error(planted, tmp_path):
    with SqliteStore(planted) as store:
        planted.rename(tmp_path / "moved.db")
        with pytest.raises(ForestError):
            put(store, tree("c"))
    with intact(tmp_path / "moved.db") as store:
        assert [t.id for t in store.trees()] == ["a", "b"]


# --- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE thought SET text = text || '!' WHERE level = 1", "does not match its recorded"),
        ("DELETE FROM thought WHERE level = 1", "it says 2 thoughts"),
        ("UPDATE thought SET level = 7 WHERE level = 1", "jumps from level 0 to 7"),
        ("UPDATE tree SET title = 'other'", "does not match its recorded"),
    ],
)
def test_check_finds_what_was_changed_behind_the_forests_back(planted, sql, problem):
    db = sqlite3.connect(planted)
    db.execute(sql)
    db.commit()
    db.close()
    with SqliteStore(planted) as store:
        found = list(store.check())
        assert {f.where for f in found} == {"tree a", "tree b"}
        assert any(problem in f.problem for f in found)


def test_check_finds_a_damaged_file(planted):
    with SqliteStore(planted) as store:
        put(store, *(tree(f"t{i}", *("x" * 300 for _ in range(50))) for i in range(30)))
    content = bytearray(planted.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8192] = b"\xff" * 8192
    planted.write_bytes(content)
    with SqliteStore(planted) as store:
        found = list(store.check())
        assert found[0].where == "the file"
        assert any("malformed" in f.problem for f in found)
        with pytest.raises(StoreError, match="forest check"):
            list(store.trees())


# --- the journal ---------------------------------------------------------------------------------


def header_mode(path: Path) -> str:
    """The mode that the file's own header tells: SQLite's file format, offset 18."""
    return {1: "DELETE", 2: "WAL"}[path.read_bytes()[18]]


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 7, 0), False),
        ((3, 37, 2), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 44, 99), True),
        ((3, 45, 0), False),
        ((3, 46, 1), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_versions_of_sqlite_whose_write_ahead_log_is_safe(version, safe):
    assert wal_is_safe(version) is safe


def test_the_file_is_in_the_mode_that_its_sqlite_allows(planted):
    assert header_mode(planted) == ("WAL" if wal_is_safe() else "DELETE")


@pytest.mark.parametrize("mode", MODES)
def test_the_mode_follows_the_sqlite_that_opens_the_file(planted, monkeypatch, mode):
    for now in (mode, "DELETE", "WAL", mode):
        monkeypatch.setattr(sqlite, "wal_is_safe", lambda now=now: now == "WAL")
        with SqliteStore(planted) as store:
            put(store, tree("c", now))
            assert store._db.execute("PRAGMA journal_mode").fetchone()[0].upper() == now
            assert store._db.execute("PRAGMA synchronous").fetchone()[0] >= 2  # FULL
        assert header_mode(planted) == now
        assert sorted(planted.parent.iterdir()) == [planted]
    with intact(planted) as store:
        assert [t.id for t in store.trees()] == ["a", "b", "c"]


def test_a_conflict_between_processes_is_a_conflict(planted, other):
    with SqliteStore(planted) as store:
        taken = tree("a").root.id
        other(
            """
            store = opened()
            thoughts = [Thought(text="x", id="shared/id")]
            store.write([Tree("c", thoughts=thoughts)], lambda old, new: new)
            """
        ).ends()
        for thought_id, owner in (("shared/id", "c"), (taken, "a")):
            stolen = Tree("d", thoughts=[Thought(text="y", id=thought_id)])
            with pytest.raises(Conflict, match=f"already used in tree {owner!r}"):
                put(store, stolen)
