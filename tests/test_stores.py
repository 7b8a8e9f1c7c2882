"""Every store keeps the contract."""

from __future__ import annotations

import pytest

from forest.stores.memory import MemoryStore
from forest.stores.sqlite import SqliteStore

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
