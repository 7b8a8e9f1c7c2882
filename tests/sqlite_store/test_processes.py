"""Several processes at one file, some of them killed.

Processes are real, and killed with SIGKILL where the files say that they are in the middle of it.
"""

from __future__ import annotations

import sqlite3
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from forest.errors import (
    Conflict,
    StoreUnavailable,
)
from forest.forest import Forest
from forest.model import Axis, Thought, Tree
from forest.nodes import Node
from forest.stores.sqlite import SqliteStore, connection, schema
from tests.sqlite_helpers import (
    MODES,
    add_note,
    columns,
    header_mode,
    intact,
    log,
    put,
    size,
    tree,
)

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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stage", ["put_axes", "write", "change_nodes"])
def test_killed_in_the_middle_of_a_copy(path, other, mode, stage):
    """The copy is as empty as before, and is made whole when it is made again."""
    with SqliteStore(path.with_name("source.db")) as source:
        Forest(source).plant_axes()
        put(source, *(tree(f"t{i:03}", *map(str, range(50))) for i in range(200)))
        formula = Node("Formula", "Δ12", {"name": "весна"})
        source.change_nodes([], lambda _: {formula.at: formula})
    copier = other(
        f"""
        from forest.forest import Forest
        target, source = opened(), Forest(SqliteStore(path.with_name("source.db")))
        act = target.{stage}
        def act_and_wait(*a):
            act(*a)
            say("done")
            sys.stdin.readline()
        target.{stage} = act_and_wait
        source.copy_to(Forest(target))
        """,
        mode,
    )
    copier.hears("done")
    copier.kill()
    with Forest(intact(path)) as copy:
        assert (copy.axes(), list(copy), list(copy.store.all_nodes())) == ([], [], [])
        with Forest.open(f"sqlite:///{path.with_name('source.db')}") as source:
            source.copy_to(copy)
            assert copy.revision == source.revision


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
        schema.MIGRATIONS = (*schema.MIGRATIONS, step)
        opened()
        """
    )
    writer.wait_until(lambda: size(log(planted, "DELETE")) > written)
    writer.kill()
    with intact(planted) as store:
        assert list(store.trees()) == before
    assert columns(planted, "thought") == ["key", "id", "level", "text", "kind", "lang"]
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_note))
    with intact(planted) as store:
        assert list(store.trees()) == before
    assert columns(planted, "thought")[-1] == "note"


def test_killed_while_the_file_is_made(path, other):
    maker = other(
        """
        def slow(db):
            create(db)
            say("in the middle")
            sys.stdin.readline()
        create, *later = schema.MIGRATIONS
        schema.MIGRATIONS = (slow, *later)
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


def test_many_open_a_file_of_the_other_journal_mode_at_once(path, monkeypatch):
    def opened_once(_: int) -> None:
        together.wait()
        SqliteStore(path).close()

    together = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        for wanted in MODES * 20:
            monkeypatch.setattr(connection, "wal_is_safe", lambda wanted=wanted: wanted == "WAL")
            list(pool.map(opened_once, range(4)))
    intact(path).close()


@pytest.mark.parametrize("mode", MODES)
def test_reading_while_another_process_writes_sees_whole_trees(planted, other, mode, monkeypatch):
    monkeypatch.setattr(connection, "wal_is_safe", lambda: mode == "WAL")
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
            store = SqliteStore(path, busy_seconds=0.1)
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


def test_a_long_wait_for_another_process_is_told(planted, monkeypatch, caplog):
    monkeypatch.setattr(connection, "PATIENCE", 1)
    other = sqlite3.connect(planted, isolation_level=None)
    with SqliteStore(planted, busy_seconds=0.1) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            store.put_axes([Axis(name="x")])
        assert "waiting for another process that writes to sqlite:///" in caplog.text
        other.execute("ROLLBACK")
        store.put_axes([Axis(name="x")])
    other.close()
