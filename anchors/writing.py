"""Ways to write trees: as the store does it, or only to see whether it can be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from forest.errors import NotFound
from forest.model import Tree
from forest.stores.base import Merge, Store

Write = Callable[[Iterable[Tree], Merge], object]
"""`Store.write`, or what takes its place."""


def rehearsed(store: Store) -> Write:
    """Do all that `Store.write` would do with each tree that is there, and store nothing.

    Raises what it would raise for a tree: NotATree, InvalidTree, and what its function raises.
    """

    def write(trees: Iterable[Tree], merge: Merge) -> None:
        for tree in trees:
            try:
                old = store.get(tree.id)
            except NotFound:
                old = None
            merge(old, tree)

    return write
