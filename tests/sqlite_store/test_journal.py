"""The journal that the linked SQLite allows."""

from __future__ import annotations

import pytest

from forest.stores.sqlite import SqliteStore, connection
from forest.stores.sqlite.connection import wal_is_safe
from tests.sqlite_helpers import (
    MODES,
    header_mode,
    intact,
    put,
    tree,
)


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
        monkeypatch.setattr(connection, "wal_is_safe", lambda now=now: now == "WAL")
        with SqliteStore(planted) as store:
            put(store, tree("c", now))
            assert store._db.execute("PRAGMA journal_mode").fetchone()[0].upper() == now
            assert store._db.execute("PRAGMA synchronous").fetchone()[0] >= 2  # FULL
        assert header_mode(planted) == now
        assert sorted(planted.parent.iterdir()) == [planted]
    with intact(planted) as store:
        assert [t.id for t in store.trees()] == ["a", "b", "c"]
