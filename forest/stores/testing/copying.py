"""The contract: a store becomes the same forest as another one, or stays empty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forest.copying import copy
from forest.errors import Conflict
from forest.model import Axis, Tree
from forest.nodes import Node
from forest.stores.base import Skip, Store
from forest.stores.memory import MemoryStore
from forest.stores.testing.base import Contract, Reopen
from forest.stores.testing.samples import everything, put, rich_tree, tree

SCENE = Node("Proposal", "p", {"what": "merge", "rule": "near"})
STAGES = ("axes", "trees", "more trees", "nodes")


class Failing(MemoryStore):
    """A forest that fails while it is copied."""

    stage = ""

    @contextmanager
    def snapshot(self, folder: Path) -> Iterator[Store]:
        """Itself: nobody else writes to it."""
        yield self

    def axes(self) -> list[Axis]:
        """Fails at the stage `axes`."""
        self._reach("axes")
        return super().axes()

    def trees(self, skip: Skip | None = None) -> Iterator[Tree]:
        """Fails before or after the first of the trees."""
        self._reach("trees")
        for found in super().trees(skip):
            yield found
            self._reach("more trees")

    def all_nodes(self) -> Iterator[Node]:
        """Fails at the stage `nodes`."""
        self._reach("nodes")
        return super().all_nodes()

    def _reach(self, stage: str) -> None:
        if stage == self.stage:
            raise RuntimeError(stage)


def source() -> Failing:
    """A forest with something of each kind."""
    store = Failing()
    store.put_axes([Axis(name="Эмпатия", description="Чужое, понятое изнутри.")])
    put(store, rich_tree(), tree("a"), tree("b"))
    store.change_nodes([], lambda _: {SCENE.at: SCENE})
    return store


class CopyContract(Contract):
    """All of another forest, or nothing of it."""

    def test_a_copy_is_the_same_forest(self, store: Store, reopen: Reopen) -> None:
        store.put_axes([Axis(name="лишняя")])
        written = copy(source(), store)
        assert (written.added, written.unchanged) == (["a", "b", "justice"], [])
        assert everything(store) == everything(source())
        with reopen() as again:
            assert everything(again) == everything(source())

    def test_nothing_is_copied_into_what_holds_something(self, store: Store) -> None:
        store.change_nodes([], lambda _: {SCENE.at: SCENE})
        with pytest.raises(Conflict, match="already holds"):
            copy(source(), store)
        store.change_nodes([], lambda _: {SCENE.at: None})
        put(store, tree("mine"))
        before = everything(store)
        with pytest.raises(Conflict, match="already holds"):
            copy(source(), store)
        assert everything(store) == before
        put(store, tree("yours"))  # it is a forest as any other

    @pytest.mark.parametrize("stage", STAGES)
    def test_a_copy_that_failed_is_made_again(
        self, store: Store, reopen: Reopen, stage: str
    ) -> None:
        broken = source()
        broken.stage = stage
        with pytest.raises(RuntimeError, match=stage):
            copy(broken, store)
        copy(source(), store)
        with reopen() as again:
            assert everything(again) == everything(source())
            put(again, tree("mine"))
