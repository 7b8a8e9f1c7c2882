"""The contract of a store as a pytest class: subclass it, give two fixtures, and it is tested.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            with MyStore(tmp_path / "forest") as store:
                yield store

        @pytest.fixture
        def reopen(self, store, tmp_path):
            def again():
                store.close()
                return MyStore(tmp_path / "forest")
            return again

Needs pytest, and nothing else beyond the forest itself. For failures that show the values, call
``pytest.register_assert_rewrite("forest.stores.testing")`` before the first import.
"""

from __future__ import annotations

from forest.stores.testing.changing import ChangeContract
from forest.stores.testing.copying import CopyContract
from forest.stores.testing.nodes import NodeContract
from forest.stores.testing.reading import ReadingContract
from forest.stores.testing.samples import everything, put, rich_tree, shown, thought, tree
from forest.stores.testing.streams import StreamContract
from forest.stores.testing.trees import TreeContract
from forest.stores.testing.writing import WriteContract

__all__ = ["StoreContract", "everything", "put", "rich_tree", "shown", "thought", "tree"]


class StoreContract(
    TreeContract,
    ReadingContract,
    WriteContract,
    ChangeContract,
    StreamContract,
    NodeContract,
    CopyContract,
):
    """What every store promises. A subclass gives the fixtures ``store`` and ``reopen``."""
