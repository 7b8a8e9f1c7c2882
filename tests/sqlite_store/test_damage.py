"""A full disk, and a damaged file."""

from __future__ import annotations

import os
import sqlite3

import pytest

from forest.errors import (
    StoreError,
    StoreUnavailable,
)
from forest.identity import finished
from forest.model import AnchorLink, Thought, Tree
from forest.stores.sqlite import SqliteStore
from tests.sqlite_helpers import (
    MODES,
    intact,
    put,
    tree,
)

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
        with pytest.raises(StoreError, match=r"is damaged: .*\n.*your last copy"):
            list(store.trees())


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM thought WHERE level = 1",
        "UPDATE thought SET level = 7 WHERE level = 1",
        "UPDATE thought SET text = x'ff' WHERE level = 1",
        "UPDATE thought SET text = CAST(x'ff' AS TEXT) WHERE level = 1",
        "UPDATE tree SET meta = '{'",
        "UPDATE tree SET created_at = 'yesterday'",
        "INSERT INTO anchored VALUES ((SELECT max(key) + 9 FROM thought), 0, 1, NULL, NULL)",
        "INSERT INTO anchored VALUES ((SELECT max(key) FROM thought), 5, 99, NULL, NULL)",
    ],
)
def test_a_tree_that_is_not_as_it_was_written_is_one_error(planted, sql):
    with SqliteStore(planted) as store:
        put(
            store, finished(Tree("c", thoughts=[Thought(text="c", anchors=(AnchorLink("связь"),))]))
        )
    db = sqlite3.connect(planted)
    db.execute(sql)
    db.commit()
    db.close()
    with SqliteStore(planted) as store:
        with pytest.raises(StoreError, match="is damaged") as caught:
            list(store.trees())
        assert "forest check" not in str(caught.value)
        assert any("is damaged" in f.problem for f in store.check())


def test_what_still_can_be_read_of_a_damaged_file_is_said_only_where_there_is_any(planted):
    with SqliteStore(planted) as store:
        put(store, *(tree(f"t{i}", *("x" * 300 for _ in range(50))) for i in range(30)))
    db = sqlite3.connect(planted)
    db.execute("UPDATE tree SET meta = '{' WHERE id < 't3'")
    db.commit()
    db.close()
    with (
        SqliteStore(planted) as store,
        pytest.raises(StoreError, match=r"TREE --yaml` .* such as 't3'"),
    ):
        list(store.trees())
    os.truncate(planted, planted.stat().st_size // 2)
    with pytest.raises(StoreError, match="is damaged") as caught, SqliteStore(planted) as store:
        list(store.trees())
    assert caught.value.hint == "Put your last copy of it in its place."


def test_a_snapshot_without_room_is_an_error_of_its_folder(planted, other):
    said = other(
        """
        import resource
        with opened() as store:
            store.write([big("big", "x")], lambda old, new: new)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            (path.parent / "room").mkdir()
            try:
                with store.snapshot(path.parent / "room"):
                    pass
            except OSError as error:
                say(error.filename)
        """
    ).ends()
    assert said == [str(planted.parent / "room")]


def test_errors_of_a_snapshot_name_the_forest(planted, tmp_path):
    with SqliteStore(planted) as store, store.snapshot(tmp_path) as frozen:
        assert frozen.url == store.url


def test_a_closed_store_says_so(planted):
    store = SqliteStore(planted)
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.get("a")
