"""A write of many trees tried without writing, so that an error in it stores nothing.

A big write is many transactions. Here ``merge`` is called for every tree with what it will find,
and the ids of all thoughts that come are looked up, before the first of them begins.
"""

from __future__ import annotations

from collections.abc import Sequence

from forest.errors import Conflict
from forest.model import Tree
from forest.stores.base import Merge, id_taken
from forest.stores.neo4j import building, reading
from forest.stores.neo4j.connection import Connection, ask
from forest.stores.neo4j.spool import Record, Spool
from forest.stores.neo4j.writing import Strays

ANY_THOUGHT = "MATCH (n:Thought) RETURN count(n) > 0"
THOUGHTS_BY_ID = """
UNWIND $ids AS id
MATCH (n:Thought {id: id})
RETURN collect([id, id(n)])
"""


def rehearse(connection: Connection, spool: Spool, merge: Merge, strays: Strays) -> None:
    """Raise what the write would raise in the middle: from ``merge``, or Conflict."""
    _Rehearsal(connection, spool, merge, strays).run()


class _Rehearsal:
    def __init__(self, connection: Connection, spool: Spool, merge: Merge, strays: Strays) -> None:
        self._connection = connection
        self._spool = spool
        self._merge = merge
        self._strays = strays
        self._earlier: dict[str, Record] = {}
        self._freed: set[str] = set()
        """Ids of thoughts that trees lose in this write."""
        self._foreign: dict[str, str] = {}
        """Ids that do not begin with the id of their tree, and their tree. All others can be in
        one tree only, so that these few are all that has to be remembered."""

    def run(self) -> None:
        there = self._connection.read(lambda tx: bool(ask(tx, ANY_THOUGHT)[0][0]))
        for batch in self._spool.batches():
            olds = trees_there(self._connection, [r.tree_id for r in batch], self._strays)
            arriving: dict[str, str] = {}
            for record in batch:
                old = olds.get(record.tree_id)
                before = {t.id for t in old.thoughts} if old else set()
                new = self._merge(old, self._spool.read(record))
                if new is not None:
                    arriving |= self._arriving(record.tree_id, new, before)
                self._earlier[record.tree_id] = record
            if there and arriving:
                refuse_taken(self._connection, arriving)

    def _replayed(self, tree_id: str) -> Tree | None:
        """The tree as this write, which came to it earlier, will have left it."""
        old = trees_there(self._connection, [tree_id], self._strays).get(tree_id)
        return self._merge(old, self._spool.read(self._earlier[tree_id])) or old

    def _arriving(self, tree_id: str, new: Tree, before: set[str]) -> dict[str, str]:
        """The ids that come into a tree, with the tree. Raises Conflict for one of this write."""
        ids = {t.id for t in new.thoughts}
        arriving = {}
        for id_ in ids - before:
            if other := self._other(id_, tree_id):
                raise id_taken(id_, tree_id, other)
            if id_ not in self._freed:
                arriving[id_] = tree_id
        self._freed -= ids
        self._freed |= before - ids
        return arriving

    def _other(self, id_: str, tree_id: str) -> str | None:
        """The other tree of this write that has a thought of this id."""
        home, other = id_.rpartition("/")[0], self._foreign.get(id_)
        if home != tree_id:
            self._foreign[id_] = tree_id
            if other is None and home in self._earlier and self._has(home, id_):
                other = home
        return other if other != tree_id and id_ not in self._freed else None

    def _has(self, tree_id: str, thought_id: str) -> bool:
        tree = self._replayed(tree_id)
        return tree is not None and any(t.id == thought_id for t in tree.thoughts)


def trees_there(connection: Connection, ids: Sequence[str], strays: Strays) -> dict[str, Tree]:
    """The trees of some ids, as far as they exist. Raises NotATree, InvalidTree."""
    nodes = connection.read(reading.tree_nodes, ids, strays.trees)
    return {
        found.id: building.tree_or_error(connection, found)
        for found in reading.stream(connection, list(nodes.items()))
    }


def refuse_taken(connection: Connection, ids: dict[str, str]) -> None:
    """Raise Conflict if another tree than the one given has a thought of one of these ids."""
    rows = connection.read(lambda tx: ask(tx, THOUGHTS_BY_ID, ids=list(ids)))[0][0]
    for thought_id, node in rows:
        trees = connection.read(reading.trees_above, [node])[node]
        if not trees:
            raise _in_no_tree(thought_id, ids[thought_id])
        for owner in trees:
            if owner != ids[thought_id]:
                raise id_taken(thought_id, ids[thought_id], owner)


def _in_no_tree(thought_id: str, tree_id: str) -> Conflict:
    return Conflict(
        f"tree {tree_id!r} has a thought {thought_id!r}, but the graph has one of that id "
        "which stands in no tree",
        hint="`forest check` lists such thoughts; delete it, or link it to its tree.",
    )
