"""One forest made equal to another, in whatever stores the two are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from errno import EDQUOT, EFBIG, EIO, ENOSPC
from pathlib import Path

from forest.addresses import readdressed
from forest.errors import Conflict, NotFound, StoreError, StoreUnavailable
from forest.model import Tree
from forest.nodes import TYPES, Node
from forest.schema import NAMING_FILES
from forest.scratch import put_in_place, scratch_folder
from forest.stores.base import Store, Written

Progress = Callable[[int], None]
"""Is told of each tree how many thoughts it has."""
Called = Callable[[str], str]
"""What the target calls a file of the source: by its path from the target's own, or whole."""


def copy(source: Store, target: Store, progress: Progress | None = None) -> Written:
    """Make an empty store equal to another one, or finish what an earlier copy began.

    It is one state of the source, whatever authors write meanwhile. Files that are there are called
    as the target calls them, so that they can be imported there again. Axes that only the target
    has are removed. In what comes back, ``unchanged`` are the trees that an earlier copy had
    brought.

    :raises Conflict: the target holds something that no copy brought.
    :raises NotATree: the source holds what is no tree, or stands in none.
    :raises StoreUnavailable: the folder for temporary files has no room for one more copy.
    """
    with target.filling(source.url), ExitStack() as stack:
        room = stack.enter_context(scratch_folder("forest-copy-"))
        try:
            state = stack.enter_context(source.snapshot(room))
        except OSError as error:
            if error.errno not in (ENOSPC, EDQUOT, EFBIG, EIO):
                raise
            raise StoreUnavailable(
                f"a copy reads from a snapshot of the forest, for which there is no room in the "
                f"folder for temporary files, {room.parent}: {error.strerror}",
                hint="Nothing was copied. Make room there, or set TMPDIR to a folder with room for "
                "the whole forest.",
            ) from error
        for stray in source.outside(sum(info.size for info in state.infos())):
            raise stray
        called = readdressed(source, target)
        return _filled(state, target, called, progress or (lambda _: None))


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A path beside a file that is not there, whose file is put in its place when it is whole.

    If the block raises, or the process is killed, nothing is at ``path``; what a killed one left
    beside it goes at the next try.

    :raises Conflict: a file came there meanwhile; it stays as it is.
    :raises StoreError: nothing can be written there.
    """
    with ExitStack() as stack:
        try:
            room = stack.enter_context(scratch_folder(f".{path.name}.partial-", path.parent))
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written: {error.strerror}",
                hint="Check its folder: that it exists, and its permissions.",
            ) from error
        part = room / path.name
        yield part
        try:
            put_in_place(part, path)
        except FileExistsError:
            raise Conflict(
                f"{path} came into being meanwhile; it was left as it is",
                hint="Nothing was copied. Name another file.",
            ) from None


def _filled(source: Store, target: Store, called: Called, progress: Progress) -> Written:
    there = _brought(source, target, called)
    _copy_axes(source, target)
    written = target.write(_others(source, there, called, progress), lambda _, new: new)
    written.unchanged += sorted(there)
    nodes = {node.at: _with_files(node, called) for node in source.all_nodes()}
    target.change_nodes(list(TYPES), lambda old: {**dict.fromkeys(old), **nodes})
    return written


def _with_files(node: Node, called: Called) -> Node:
    """A node under whose files the target knows them: each ends a line, behind a tab or alone."""
    changed = {}
    for name in NAMING_FILES.get(node.label, ()):
        lines = [line.rpartition("\t") for line in str(node.properties.get(name, "")).splitlines()]
        changed[name] = "\n".join(f"{id_}{tab}{called(file)}" for id_, tab, file in lines)
    properties = {**node.properties, **{name: said for name, said in changed.items() if said}}
    return replace(node, properties=properties)


def _copy_axes(source: Store, target: Store) -> None:
    axes = list(source.axes())
    for id_ in {axis.id for axis in target.axes()} - {axis.id for axis in axes}:
        target.remove_axis(id_)
    target.put_axes(axes)


def _brought(source: Store, target: Store, called: Called) -> set[str]:
    """The trees that are there already as they should be; all others that are there go."""
    there, others = set[str](), list[str]()
    for tree in target.trees():
        if tree == _get(source, tree.id, called):
            there.add(tree.id)
        else:
            others.append(tree.id)
    for tree_id in others:
        target.change([tree_id], dict.fromkeys)
    return there


def _get(store: Store, tree_id: str, called: Called) -> Tree | None:
    with suppress(NotFound):
        return _from_file(store.get(tree_id), called)
    return None


def _from_file(tree: Tree, called: Called) -> Tree:
    """The tree with its file as the target calls it."""
    if tree.source is None or (source := called(tree.source)) == tree.source:
        return tree
    return tree.model_copy(update={"source": source})


def _others(source: Store, there: set[str], called: Called, progress: Progress) -> Iterator[Tree]:
    for tree in source.trees():
        if tree.id not in there:
            yield _from_file(tree, called)
        progress(len(tree))
