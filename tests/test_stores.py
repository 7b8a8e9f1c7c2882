"""Every store keeps the contract."""

from __future__ import annotations

import pytest

from forest.stores.memory import MemoryStore
from forest.stores.sqlite import SqliteStore, connection

pytest.register_assert_rewrite("forest.stores.testing")

from forest.stores.testing import StoreContract  # noqa: E402 - its asserts are rewritten first


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()

    @pytest.fixture
    def reopen(self, store):
        return lambda: store


class TestSqlite(StoreContract):
    """With the journal that the linked SQLite allows."""

    @pytest.fixture
    def store(self, tmp_path):
        with SqliteStore(tmp_path / "forest.db") as store:
            yield store

    @pytest.fixture
    def reopen(self, store):
        def again():
            store.close()
            return SqliteStore(store.path, create=False)

        return again


class TestSqliteWithWriteAheadLog(TestSqlite):
    """As on a SQLite whose write-ahead log is safe; one process at a time, it is on any."""

    levels = 2_000

    @pytest.fixture(autouse=True)
    def _wal(self, monkeypatch):
        monkeypatch.setattr(connection, "wal_is_safe", lambda: True)
