"""Files that are too new, too old, read only, or no forest at all."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from forest.errors import (
    ForestError,
    NotFound,
    SchemaTooNew,
    StoreError,
    UsageError,
)
from forest.forest import Forest
from forest.nodes import Node
from forest.stores import open_store
from forest.stores.sqlite import SqliteStore, connection, schema
from forest.stores.sqlite.schema import APPLICATION_ID
from tests.sqlite_helpers import (
    MODES,
    add_note,
    intact,
    put,
    tree,
)

# --- versions of the schema ----------------------------------------------------------------------


def user_version(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    finally:
        db.close()


def fill_note(db: sqlite3.Connection) -> None:
    db.execute("UPDATE thought SET note = 'noted'")


def fail_in_sql(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM thought")
    db.execute("UPDATE no_such_table SET x = 1")


def fail_in_python(db: sqlite3.Connection) -> None:
    db.execute("DROP TABLE thought")
    raise RuntimeError("a step failed")


def test_a_newer_file_is_refused_and_not_touched(planted):
    newer = len(schema.MIGRATIONS) + 1
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
    known = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (*known, add_note, fill_note))
    with intact(planted) as store:
        assert list(store.trees()) == [tree("a"), tree("b")]
    assert user_version(planted) == len(known) + 2
    db = sqlite3.connect(planted)
    assert db.execute("SELECT DISTINCT note FROM thought").fetchall() == [("noted",)]
    db.close()
    monkeypatch.setattr(schema, "MIGRATIONS", known)
    with pytest.raises(SchemaTooNew):
        SqliteStore(planted)


@pytest.mark.parametrize("version", range(1, len(schema.MIGRATIONS)))
def test_a_file_of_each_older_version_opens(tmp_path, monkeypatch, version):
    path = tmp_path / "old.db"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
        with SqliteStore(path) as store:
            put(store, tree("a"))
    formula = Node("Formula", "Δ12", {"name": "весна"})
    with intact(path) as store:
        store.change_nodes([], lambda _: {formula.at: formula})
        assert list(store.trees()) == [tree("a")]
        assert list(store.all_nodes()) == [formula]


@pytest.mark.parametrize(
    ("step", "error"), [(fail_in_sql, StoreError), (fail_in_python, RuntimeError)]
)
def test_a_migration_that_fails_leaves_the_file_as_it_was(planted, monkeypatch, step, error):
    before = planted.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_note, step))
        with pytest.raises(error):
            SqliteStore(planted)
    assert planted.read_bytes() == before
    with intact(planted) as store:
        assert list(store.trees()) == [tree("a"), tree("b")]


def test_an_older_file_is_not_changed_by_a_reader(planted, monkeypatch):
    before = planted.read_bytes()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_note))
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
    for create, read_only in ((False, False), (True, True)):
        with pytest.raises(NotFound, match=r"there is no forest at .*forest\.db\n.*forest init"):
            SqliteStore(path, create=create, read_only=read_only)
    with pytest.raises(NotFound):
        open_store(f"sqlite:///{path}", create=False)
    assert not path.exists()


# --- files that change under an opened forest ---------------------------------------------------


def test_an_opened_forest_stays_where_it_is_when_the_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with Forest.open("sqlite:///forest.db") as forest:
        forest.add(tree("a"))
        monkeypatch.chdir("elsewhere")
        assert forest.url == f"sqlite:///{tmp_path / 'forest.db'}"
        with pytest.raises(UsageError, match="into itself"):
            forest.copy_to(f"sqlite:///{tmp_path / 'forest.db'}")
        forest.copy_to("sqlite:///forest.db")
    assert (tmp_path / "elsewhere" / "forest.db").exists()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("act", ["replaced by another file", "removed or renamed"])
def test_a_file_that_goes_while_it_is_open_is_told(tmp_path, monkeypatch, mode, act):
    monkeypatch.setattr(connection, "wal_is_safe", lambda: mode == "WAL")
    path, other = tmp_path / "forest.db", tmp_path / "other.db"
    for each in (path, other):
        with SqliteStore(each) as store:
            put(store, tree("a"))
    with SqliteStore(path) as store:
        (other if act.startswith("replaced") else path).rename(
            path if act.startswith("replaced") else other
        )
        for ask in (
            lambda: store.get("a"),
            lambda: list(store.trees()),
            lambda: list(store.infos()),
            store.axes,
            lambda: list(store.anchors()),
            lambda: store.tree_of("a/x"),
        ):
            with pytest.raises(StoreError, match=f"was {act} while it was open"):
                ask()
        with pytest.raises(StoreError, match=f"was {act}"):
            put(store, tree("b"))


def test_a_file_that_goes_in_the_middle_of_a_write_is_told(planted):
    def removed(_, new):
        planted.rename(planted.with_name("away.db"))
        return new

    said = r"was removed or renamed.*\n.*Nothing of this change"
    with SqliteStore(planted) as store, pytest.raises(StoreError, match=said):
        store.write([tree("c")], removed)
    with SqliteStore(planted.with_name("away.db")) as store:
        assert [info.id for info in store.infos()] == ["a", "b"]


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
