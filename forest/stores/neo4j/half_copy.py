"""A copy that is being made: one transaction cannot hold it, so a mark says that it is not whole.

The mark stands at the node of the schema's version. It is the first thing that a copy writes and
the last that it takes away. While it stands nobody opens the database unawares, and only the copy
that set it last may write (`Connection.write`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from forest.errors import Conflict, ForestError, StoreUnavailable
from forest.nodes import TYPES
from forest.schema import META_LABEL, SCHEMA_VERSION
from forest.shell import command_line
from forest.stores.base import holds_something
from forest.stores.neo4j.connection import Connection, ask, half_copy, run
from forest.stores.neo4j.nodes import read_nodes

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

ANY_TREE = "OPTIONAL MATCH (n:Tree|Thought) WITH n LIMIT 1 RETURN n IS NOT NULL"
LOCK = f"MERGE (m:{META_LABEL}) SET m.version = {SCHEMA_VERSION}"
SET_MARK = f"MATCH (m:{META_LABEL}) SET m.copy = $copy, m.copy_of = $origin"
EMPTY = "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS"
REMOVE_MARK = f"MATCH (m:{META_LABEL}) REMOVE m.copy, m.copy_of"


@contextmanager
def made(connection: Connection, origin: str) -> Iterator[None]:
    """Mark a database as half a copy of the forest at the URL ``origin`` until the block ends.

    After an error the mark stays, unless nothing was written.

    Raises Conflict where the database holds something and is not marked, or as half a copy of
    another forest.
    """
    copy = secrets.token_hex(8)
    connection.write_anyway(_begin, connection.url, copy, origin)
    connection.copy = copy
    try:
        yield
        connection.write(_end)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note("The copy is not whole. The same again goes on where it stopped.")
        raise
    except Exception as error:
        if not isinstance(error, StoreUnavailable):  # else it would be waited for once more
            with suppress(ForestError):
                connection.write(_give_up)
        raise
    finally:
        connection.copy = None


def _begin(tx: ManagedTransaction, url: str, copy: str, origin: str) -> None:
    run(tx, LOCK, {}).consume()  # another copy's transaction ends first
    mark = half_copy(tx)
    if mark is None and _holds_something(tx):
        raise holds_something(url)
    if mark is not None and mark.origin != origin:
        raise Conflict(
            f"{url} is half a copy of {mark.origin}, and not of {origin}",
            hint=f"Finish that one first: `{command_line('copy', mark.origin, url)}`. "
            f"To give it up, empty the database: `forest --store {url} cypher '{EMPTY}'`; then "
            "copy again.",
        )
    run(tx, SET_MARK, {"copy": copy, "origin": origin}).consume()


def _end(tx: ManagedTransaction) -> None:
    run(tx, REMOVE_MARK, {}).consume()


def _give_up(tx: ManagedTransaction) -> None:
    if not _holds_something(tx):
        _end(tx)


def _holds_something(tx: ManagedTransaction) -> bool:
    return bool(ask(tx, ANY_TREE)[0][0]) or any(read_nodes(tx, label) for label in TYPES)
