"""Every store keeps the contract."""

from __future__ import annotations

import pytest

from forest.stores.memory import MemoryStore
from forest.stores.sqlite import SqliteStore, connection

pytest.register_assert_rewrite("forest.stores.testing")

from forest.stores.testing import (  # noqa: E402 - its asserts are rewritten first
    StoreContract,
    put,
    rich_tree,
    thought,
    tree,
)


class Remembered(MemoryStore):
    """One whose graph can be used again when it is closed."""

    last = None

    def close(self):
        self.last = self._graph or self.last
        super().close()


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self):
        return Remembered()

    @pytest.fixture
    def reopen(self, store):
        def again():
            store.close()
            other = Remembered()
            other._graph = store.last
            return other

        return again

    def test_the_graph_keeps_no_node_of_a_tree_that_is_gone(self, store):
        put(store, rich_tree(), tree("b", thought("Мысль.", "вода")))
        store.change(["justice"], lambda _: {"justice": None})
        assert {node for node in store.graph if node[0] != "Axis"} == {
            ("Tree", "b"),
            ("Thought", store.get("b").root.id),
            ("Anchor", "вода"),
        }


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
