"""The forest at one moment, in a SQLite file: Neo4j itself has no snapshot to read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from forest.errors import Conflict, NotFound, StoreUnavailable
from forest.model import Tree
from forest.stores.base import Store, copy_nodes
from forest.stores.neo4j import reading
from forest.stores.neo4j.connection import Connection
from forest.stores.neo4j.faults import TRY_AGAIN
from forest.stores.sqlite import SqliteStore
from forest.stores.sqlite.faults import no_room_is_os_error

ROUNDS = 10
"""How often the trees are copied again that were written while others were copied."""

Stamps = dict[str, tuple[int, object]]


@contextmanager
def snapshot(store: Store, connection: Connection, folder: Path) -> Iterator[Store]:
    """Copy all trees; then those that changed meanwhile, until none did.

    What the library writes is seen by the stamps of the trees. A tree that somebody edits by hand
    while it is copied may be read in the middle of the edit.

    Raises StoreUnavailable where the forest is written faster than it can be copied.
    """
    path = folder / "snapshot.db"
    try:
        with no_room_is_os_error(folder):
            _copy(store, connection, path)
        with SqliteStore(path, read_only=True, url=store.url) as frozen:
            yield frozen
    finally:
        path.unlink(missing_ok=True)


def _copy(store: Store, connection: Connection, path: Path) -> None:
    for _ in range(ROUNDS):
        path.unlink(missing_ok=True)
        with SqliteStore(path) as copy:
            try:
                copied = _stamps(connection)
                copy.write(store.trees(), lambda _, new: new)
                _catch_up(store, connection, copy, copied)
            except Conflict:
                continue  # a thought moved from one tree to another while they were copied
            copy.put_axes(store.axes())
            copy_nodes(store, copy)
            return
    raise _too_busy(connection)


def _catch_up(store: Store, connection: Connection, copy: Store, copied: Stamps) -> None:
    for _ in range(ROUNDS):
        now = _stamps(connection)
        changed = [id_ for id_ in copied.keys() | now.keys() if copied.get(id_) != now.get(id_)]
        if not changed:
            return
        trees = {id_: _get(store, id_) for id_ in changed}
        copy.change(sorted(trees), partial(_replaced, trees))
        copied = now
    raise _too_busy(connection)


def _replaced(new: dict[str, Tree | None], _old: dict[str, Tree | None]) -> dict[str, Tree | None]:
    return new


def _get(store: Store, tree_id: str) -> Tree | None:
    try:
        return store.get(tree_id)
    except NotFound:
        return None


def _stamps(connection: Connection) -> Stamps:
    return {id_: (node, stamp) for id_, node, stamp in connection.read(reading.all_trees)}


def _too_busy(connection: Connection) -> StoreUnavailable:
    return StoreUnavailable(
        f"{connection.url} is written faster than it can be copied", hint=TRY_AGAIN
    )
