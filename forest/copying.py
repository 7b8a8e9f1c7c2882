"""One forest made equal to another, in whatever stores the two are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from forest.errors import NotFound
from forest.model import Tree
from forest.stores.base import Store, Written, copy_nodes

Progress = Callable[[int], None]
"""Is told of each tree how many thoughts it has."""


def copy(source: Store, target: Store, progress: Progress | None = None) -> Written:
    """Make an empty store equal to another one, or finish what an earlier copy began.

    It is one state of the source, whatever authors write meanwhile. Axes that only the target has
    are removed. In what comes back, ``unchanged`` are the trees that an earlier copy had brought.

    :raises Conflict: the target holds something that no copy brought.
    """
    with (
        target.filling(source.url),
        TemporaryDirectory(prefix="forest-copy-") as room,
        source.snapshot(Path(room)) as state,
    ):
        return _filled(state, target, progress or (lambda _: None))


def _filled(source: Store, target: Store, progress: Progress) -> Written:
    there = _brought(source, target)
    _copy_axes(source, target)
    written = target.write(_others(source, there, progress), lambda _, new: new)
    written.unchanged += sorted(there)
    copy_nodes(source, target)
    return written


def _copy_axes(source: Store, target: Store) -> None:
    axes = list(source.axes())
    for id_ in {axis.id for axis in target.axes()} - {axis.id for axis in axes}:
        target.remove_axis(id_)
    target.put_axes(axes)


def _brought(source: Store, target: Store) -> set[str]:
    """The trees that are there already as they should be; all others that are there go."""
    there, others = set[str](), list[str]()
    for tree in target.trees():
        if tree == _get(source, tree.id):
            there.add(tree.id)
        else:
            others.append(tree.id)
    for tree_id in others:
        target.change([tree_id], dict.fromkeys)
    return there


def _get(store: Store, tree_id: str) -> Tree | None:
    with suppress(NotFound):
        return store.get(tree_id)
    return None


def _others(source: Store, there: set[str], progress: Progress) -> Iterator[Tree]:
    for tree in source.trees():
        if tree.id not in there:
            yield tree
        progress(len(tree))
