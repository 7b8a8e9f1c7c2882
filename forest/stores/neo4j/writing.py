"""Writing trees: what differs from the graph is sent, all else is left as its author typed it.

Trees are compared with the graph thought by thought, by id. A thought that stays keeps its node,
also when it moves to another tree of the same change, and with the node all that an author put on
it: other properties, other relationships.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from forest.errors import Conflict
from forest.fields import is_text
from forest.language import guess_language
from forest.model import AnchorLink, Tree
from forest.phrases import phrase_key
from forest.schema import (
    ALIGNS_WITH,
    ANCHOR,
    ANCHORED_BY,
    LEADS_TO,
    RELATIONSHIPS,
    ROOT,
    THOUGHT,
    RelationshipType,
)
from forest.stores.base import id_taken
from forest.stores.neo4j import building, reading
from forest.stores.neo4j.axes import axis_id
from forest.stores.neo4j.connection import Overtaken, ask
from forest.stores.neo4j.difference import (
    Difference,
    Kept,
    compare,
    kept_thoughts,
    said,
    thought_values,
)
from forest.stores.neo4j.reading import Found

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

ROWS = 5_000
"""Rows of one statement."""


def _from_columns(names: Sequence[str]) -> str:
    return ", ".join(f"{name}: ${name}[i]" for name in names)


LOCK_TREES = """
UNWIND $ids AS id
MERGE (t:Tree {id: id})
ON CREATE SET t.stamp = $stamp
WITH t, coalesce(t.stamp = $stamp, false) AS created
SET t.stamp = $stamp
RETURN collect([t.id, id(t), created])
"""
# A node that was seen in an earlier transaction may be gone, and its number another node's: so it
# is asked again what it is.
ADOPT_TREES = f"""
UNWIND $rows AS row
MATCH (n:Tree) WHERE id(n) = row[0] AND {reading.STRAY}
SET n.id = row[1]
"""
ADOPT_ANCHORS = """
UNWIND $rows AS row
MATCH (n:Anchor) WHERE id(n) = row[0] AND (n.id IS NULL OR n.id = '') AND n.phrase = row[2]
SET n.id = row[1]
"""
SET_NODES = "UNWIND $rows AS row MATCH (n) WHERE id(n) = row[0] SET n += row[1]"
SET_LINKS = "UNWIND $rows AS row MATCH ()-[e]->() WHERE id(e) = row[0] SET e += row[1]"
DELETE_NODES = "UNWIND $rows AS row MATCH (n) WHERE id(n) = row DETACH DELETE n"
DELETE_LINKS = "UNWIND $rows AS row MATCH ()-[e]->() WHERE id(e) = row DELETE e"
# Values come in columns, one list for each property: packing them is what a client spends most of
# its time with, and a list of maps has three times as many of them. An empty list is all nulls.
CREATE_THOUGHTS = f"""
UNWIND range(0, size($id) - 1) AS i
CREATE (n:Thought {{{_from_columns(THOUGHT.names)}}})
WITH n, i ORDER BY i
RETURN collect(id(n))
"""
LINK = {
    link.name: f"""
UNWIND range(0, size($a) - 1) AS i
MATCH (a:{link.start}) WHERE id(a) = $a[i]
MATCH (b:{link.end}) WHERE id(b) = $b[i]
CREATE (a)-[:{link.name} {{{_from_columns(link.names)}}}]->(b)
RETURN [count(*)]
"""
    for link in RELATIONSHIPS
}
ANCHORS_BY_ID = """
UNWIND $rows AS id
MATCH (a:Anchor {id: id})
RETURN collect([id(a), a.id, a.phrase, a.kind])
"""
MERGE_ANCHORS = """
UNWIND $rows AS row
MERGE (a:Anchor {id: row.id})
ON CREATE SET a = row
RETURN collect([id(a), a.id, a.phrase, a.kind])
"""
MERGE_AXES = """
UNWIND $rows AS row
MERGE (x:Axis {id: row[0]})
ON CREATE SET x.name = row[1]
RETURN collect([x.id, id(x), x.name])
"""
# The lock comes first: another writer may be linking the anchor just now.
DROP_ANCHORS = """
UNWIND $rows AS row
MATCH (a:Anchor) WHERE id(a) = row
SET a.id = a.id
WITH a
WHERE NOT EXISTS { (a)--() } AND all(key IN keys(a) WHERE key IN $ours)
DELETE a
"""
STRAY_ANCHORS = """
MATCH (a:Anchor) WHERE a.id IS NULL OR a.id = ''
RETURN collect([id(a), a.id, a.phrase, a.kind])
"""
ALL_AXES = "MATCH (x:Axis) RETURN collect([id(x), x.id, x.name])"


class Strays:
    """Hand-typed nodes that have their id on reading only; looked for once in a call."""

    def __init__(self) -> None:
        self._trees: dict[str, list[int]] | None = None
        self._anchors: dict[str, tuple[int, str]] | None = None
        self._axes: dict[str, int] | None = None

    def forget(self) -> None:
        """Look anew: another writer was in the way."""
        self._trees = self._anchors = self._axes = None

    def trees(self, tx: ManagedTransaction) -> dict[str, list[int]]:
        """Tree nodes by the id they are read under."""
        if self._trees is None:
            self._trees = reading.stray_trees(tx)
        return self._trees

    def anchors(self, tx: ManagedTransaction) -> dict[str, tuple[int, str]]:
        """Anchor nodes without an id, with their phrase, by the id they are read under."""
        if self._anchors is None:
            self._anchors = {}
            for node, *values in sorted(ask(tx, STRAY_ANCHORS)[0][0], key=itemgetter(0)):
                if id_ := building.anchor_id_or_none(*values):
                    self._anchors.setdefault(id_, (node, values[1]))
        return self._anchors

    def axes(self, tx: ManagedTransaction) -> dict[str, int]:
        """All Axis nodes by the key of their name; of several the oldest."""
        if self._axes is None:
            self._axes = {}
            for node, id_, name in sorted(ask(tx, ALL_AXES)[0][0], key=itemgetter(0)):
                self._axes.setdefault(axis_id(id_, name), node)
        return self._axes


class Writing:
    """One transaction that locks trees, reads them, and stores others in their place."""

    def __init__(self, tx: ManagedTransaction, strays: Strays) -> None:
        self.tx = tx
        self._strays = strays
        self._stamp = secrets.randbits(62)
        self._nodes: dict[str, int] = {}
        self._created: set[str] = set()
        self._found: dict[str, tuple[Found, list[str]]] = {}
        self.wanted: dict[str, list[str]] = {}
        """Ids of the thoughts to store, by tree: for the message if one of them is taken."""

    # --- reading -------------------------------------------------------------------------------

    def lock(self, ids: Iterable[str]) -> dict[str, Tree | None]:
        """The trees of some ids; nobody else of this library writes them until the end.

        An id that is no text, which no tree can have, is left out.

        Raises NotATree, InvalidTree.
        """
        # Sorted: two writers that lock the same trees in the same order wait, and do not deadlock.
        new = sorted(filter(is_text, set(ids) - self._nodes.keys()))
        if not new:
            return {}
        self._adopt_trees(new)
        rows = ask(self.tx, LOCK_TREES, ids=new, stamp=self._stamp)[0][0]
        self._nodes.update({id_: node for id_, node, _ in rows})
        self._created.update(id_ for id_, _, created in rows if created)
        there = {node: id_ for id_, node, created in rows if not created}
        trees: dict[str, Tree | None] = dict.fromkeys(new)
        for node, found in reading.read_all(self.tx, list(there)).items():
            if found.problems:
                raise reading.no_tree(self.tx, found)
            tree = building.tree_of(found)
            self._found[there[node]] = (found, [t.id for t in tree.thoughts])
            trees[there[node]] = tree
        return trees

    def _adopt_trees(self, ids: Sequence[str]) -> None:
        """Give the hand-typed trees among these the id that they are read under."""
        nodes = reading.tree_nodes(self.tx, ids, self._strays.trees)
        self.send(ADOPT_TREES, [(node, id_) for id_, node in nodes.items()])

    # --- comparing -----------------------------------------------------------------------------

    def store(self, trees: Mapping[str, Tree | None]) -> None:
        """Put trees in the place of those that are there; None removes one.

        Raises InvalidTree for a tree without thoughts. A thought id that another tree has makes
        the transaction fail.
        """
        self.lock(trees.keys() - self._nodes.keys())
        kept, todo = self._kept(trees), Difference()
        for id_, tree in trees.items():
            if tree is not None:
                self.wanted[id_] = [t.id for t in tree.thoughts]
                found, _ = self._found.get(id_, (None, []))
                compare(tree, self._nodes[id_], found, kept, todo)
        staying = self._owners()
        for id_, old in kept.items():
            if id_ not in staying:
                todo.delete.append(old.row.node)
                todo.left.update(link.anchor for link in old.row.links)
        # A Tree node that was made only to be locked goes as well.
        unused = self._created - {id_ for id_, tree in trees.items() if tree is not None}
        removed = {id_ for id_, tree in trees.items() if tree is None} & self._nodes.keys()
        todo.delete += [self._nodes[id_] for id_ in unused | removed]
        self._apply(todo, {id_: old.row.node for id_, old in kept.items()})

    def _kept(self, trees: Iterable[str]) -> dict[str, Kept]:
        kept: dict[str, Kept] = {}
        for tree_id in trees:
            if tree_id in self._found:
                kept |= kept_thoughts(*self._found[tree_id])
        return kept

    def _owners(self) -> dict[str, str]:
        """The tree of each thought to store. Raises Conflict for a thought in two of them."""
        owners: dict[str, str] = {}
        for tree_id, ids in self.wanted.items():
            for id_ in ids:
                if (other := owners.setdefault(id_, tree_id)) != tree_id:
                    raise id_taken(id_, tree_id, other)
        return owners

    def arriving(self) -> dict[str, str]:
        """The ids of the thoughts that were to be stored, with their trees."""
        return {id_: tree_id for tree_id, ids in self.wanted.items() for id_ in ids}

    # --- sending -------------------------------------------------------------------------------

    def _apply(self, todo: Difference, nodes: dict[str, int]) -> None:
        self.send(DELETE_LINKS, todo.unlink)
        self.send(DELETE_NODES, todo.delete)
        created = self._columns(CREATE_THOUGHTS, THOUGHT.names, map(thought_values, todo.create))
        nodes.update(zip((t.id for t in todo.create), created, strict=True))
        self.send(SET_NODES, todo.set_nodes)
        self.send(SET_LINKS, todo.set_steps + todo.set_anchored + todo.set_aligned)
        self._link(ROOT, [(tree, nodes[thought]) for tree, thought in todo.roots])
        steps = [(nodes[above], nodes[below], place) for above, below, place in todo.steps]
        self._link(LEADS_TO, steps)
        self._link(ANCHORED_BY, self._anchored(todo, nodes))
        self._link(ALIGNS_WITH, self._aligned(todo))
        self.drop_anchors(todo.left)

    def drop_anchors(self, nodes: Iterable[int]) -> None:
        """Delete those of some Anchor nodes that nothing leads to any more."""
        self.send(DROP_ANCHORS, sorted(nodes), ours=ANCHOR.names)

    def _anchored(self, todo: Difference, nodes: Mapping[str, int]) -> list[tuple[Any, ...]]:
        anchors = self.anchor_nodes({link.anchor: link for _, _, link in todo.anchored})
        values = itemgetter(*ANCHORED_BY.names)
        rows = []
        for thought, at, link in todo.anchored:
            node, phrase, kind = anchors[link.anchor]
            rows.append((nodes[thought], node, *values(said(link, at, phrase, kind))))
        return rows

    def anchor_nodes(self, links: Mapping[str, AnchorLink]) -> dict[str, tuple[int, Any, Any]]:
        """(node, phrase, kind) of the anchors of these ids; those that miss are made."""
        rows = self.send(ANCHORS_BY_ID, sorted(links))
        missing = sorted(links.keys() - {row[1] for row in rows})
        if missing:
            strays = self._strays.anchors(self.tx)
            adopted = [(strays[id_][0], id_, strays[id_][1]) for id_ in missing if id_ in strays]
            self.send(ADOPT_ANCHORS, adopted)
            rows += self.send(MERGE_ANCHORS, [_anchor(links[id_]) for id_ in missing])
        return {
            id_: (node, id_ if phrase is None else phrase, kind or "phrase")
            for node, id_, phrase, kind in rows
        }

    def _aligned(self, todo: Difference) -> list[tuple[Any, ...]]:
        names = {phrase_key(name): name for _, name, _, _ in reversed(todo.aligned)}
        nodes = self._strays.axes(self.tx) if names else {}
        new = [(key, name) for key, name in sorted(names.items()) if key not in nodes]
        for key, node, name in self.send(MERGE_AXES, new):
            if axis_id(key, name) != key:
                raise Conflict(
                    f"the Axis node with the id {key!r} is called {name!r}",
                    hint="Remove its id with Cypher: an axis is known by its name.",
                )
            nodes = {**nodes, key: node}
        return [
            (tree, nodes[phrase_key(name)], weight, at) for tree, name, at, weight in todo.aligned
        ]

    def _link(self, type_: RelationshipType, rows: Sequence[tuple[Any, ...]]) -> None:
        """Create relationships from rows of the two nodes and the properties of the type.

        Raises Overtaken where another writer deleted one of the nodes meanwhile.
        """
        made = self._columns(LINK[type_.name], ("a", "b", *type_.names), rows)
        if sum(made) < len(rows):
            raise Overtaken

    def _columns(
        self, query: str, names: Sequence[str], rows: Iterable[tuple[Any, ...]]
    ) -> list[int]:
        """Run a statement that takes its rows as columns, and give what it collected."""
        collected: list[int] = []
        waiting = iter(rows)
        while part := list(islice(waiting, ROWS)):
            columns = {
                name: [] if all(value is None for value in column) else column
                for name, column in zip(names, zip(*part, strict=True), strict=True)
            }
            collected.extend(ask(self.tx, query, **columns)[0][0])
        return collected

    def send(self, query: str, rows: Sequence[Any], **parameters: Any) -> list[Any]:
        """Run a statement for all rows, and give what it collected."""
        collected = []
        for at in range(0, len(rows), ROWS):
            for row in ask(self.tx, query, rows=rows[at : at + ROWS], **parameters):
                collected.extend(row[0])
        return collected


def _anchor(link: AnchorLink) -> dict[str, Any]:
    """An Anchor node as the library makes it."""
    lang = guess_language([link.phrase])
    return {"id": link.anchor, "phrase": link.phrase, "kind": link.kind, "lang": lang}
