"""Writing trees: what differs from the graph is sent, all else is left as its author typed it.

Trees are compared with the graph thought by thought, by id. A thought that stays keeps its node,
also when it moves to another tree of the same change, and with the node all that an author put on
it: other properties, other relationships.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from forest.errors import Conflict, InvalidTree
from forest.language import guess_language
from forest.model import AnchorLink, Thought, Tree
from forest.phrases import phrase_key
from forest.schema import ANCHOR, THOUGHT, TREE
from forest.stores.neo4j import building, reading
from forest.stores.neo4j.axes import axis_id
from forest.stores.neo4j.connection import Overtaken, ask, run
from forest.stores.neo4j.reading import Found, Row
from forest.stores.neo4j.values import moment

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

ROWS = 5_000
"""Rows of one statement."""

LOCK_TREES = """
UNWIND $ids AS id
MERGE (t:Tree {id: id})
ON CREATE SET t.stamp = $stamp
WITH t, coalesce(t.stamp = $stamp, false) AS created
SET t.stamp = $stamp
RETURN collect([t.id, id(t), created])
"""
SET_IDS = "UNWIND $rows AS row MATCH (n) WHERE id(n) = row[0] SET n.id = row[1]"
SET_NODES = "UNWIND $rows AS row MATCH (n) WHERE id(n) = row[0] SET n += row[1]"
SET_LINKS = "UNWIND $rows AS row MATCH ()-[e]->() WHERE id(e) = row[0] SET e += row[1]"
DELETE_NODES = "UNWIND $rows AS row MATCH (n) WHERE id(n) = row DETACH DELETE n"
DELETE_LINKS = "UNWIND $rows AS row MATCH ()-[e]->() WHERE id(e) = row DELETE e"
CREATE_THOUGHTS = """
UNWIND $rows AS row
CREATE (n:Thought) SET n = row
RETURN collect([n.id, id(n)])
"""
LINK = """
UNWIND $rows AS row
MATCH (a) WHERE id(a) = row[0]
MATCH (b) WHERE id(b) = row[1]
CREATE (a)-[e:%s]->(b) SET e = row[2]
"""
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

_HEAD = tuple(name for name in TREE.names if name != "stamp")
_LINK_NAMES = ("position", "phrase", "kind", "origin", "score")  # as reading.Row has them
_values = attrgetter(*THOUGHT.names)


class Strays:
    """Hand-typed nodes that have their id on reading only. Looked for once in a call that writes."""

    def __init__(self) -> None:
        self._trees: dict[str, int] | None = None
        self._anchors: dict[str, int] | None = None
        self._axes: dict[str, int] | None = None

    def forget(self) -> None:
        """Look anew: another writer was in the way."""
        self._trees = self._anchors = self._axes = None

    def trees(self, tx: ManagedTransaction) -> dict[str, int]:
        """Tree nodes by the id they are read under."""
        if self._trees is None:
            self._trees = reading.stray_trees(tx)
        return self._trees

    def anchors(self, tx: ManagedTransaction) -> dict[str, int]:
        """Anchor nodes without an id, by the id they are read under; of several the oldest."""
        if self._anchors is None:
            self._anchors = {}
            for node, *values in sorted(ask(tx, STRAY_ANCHORS)[0][0], key=itemgetter(0)):
                if id_ := building.anchor_id_or_none(*values):
                    self._anchors.setdefault(id_, node)
        return self._anchors

    def axes(self, tx: ManagedTransaction) -> dict[str, int]:
        """All Axis nodes by the key of their name; of several the oldest."""
        if self._axes is None:
            self._axes = {}
            for node, id_, name in sorted(ask(tx, ALL_AXES)[0][0], key=itemgetter(0)):
                self._axes.setdefault(axis_id(id_, name), node)
        return self._axes


@dataclass(slots=True)
class Difference:
    """What has to be sent, in the order in which it is sent."""

    unlink: list[int] = field(default_factory=list)
    delete: list[int] = field(default_factory=list)
    create: list[dict[str, Any]] = field(default_factory=list)
    set_nodes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    set_steps: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    set_anchored: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    set_aligned: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    roots: list[tuple[int, str]] = field(default_factory=list)
    """(tree node, thought id)"""
    steps: list[tuple[str, str, int]] = field(default_factory=list)
    """(thought id, thought id, position)"""
    anchored: list[tuple[str, int, AnchorLink]] = field(default_factory=list)
    """(thought id, position, anchor)"""
    aligned: list[tuple[int, str, int, float]] = field(default_factory=list)
    """(tree node, name of the axis, position, weight)"""
    left: set[int] = field(default_factory=set)
    """Anchor nodes that a thought no longer carries."""

    def carry(self, thought_id: str, anchors: Iterable[tuple[int, AnchorLink]]) -> None:
        """A thought has to be linked to anchors at these places."""
        self.anchored += [(thought_id, at, link) for at, link in anchors]


class Step(NamedTuple):
    """The one link that leads to a thought, from its parent or from its Tree."""

    link: int
    node: int
    position: Any


class Kept(NamedTuple):
    """A thought that stands in the graph."""

    row: Row
    up: Step


class Writing:
    """One transaction that locks trees, reads them, and stores others in their place."""

    def __init__(self, tx: ManagedTransaction, strays: Strays) -> None:
        self._tx = tx
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

        Raises NotATree, InvalidTree.
        """
        # Sorted: two writers that lock the same trees in the same order wait, and do not deadlock.
        new = sorted(set(ids) - self._nodes.keys())
        self._adopt_trees(new)
        rows = ask(self._tx, LOCK_TREES, ids=new, stamp=self._stamp)[0][0]
        self._nodes.update({id_: node for id_, node, _ in rows})
        self._created.update(id_ for id_, _, created in rows if created)
        there = {node: id_ for id_, node, created in rows if not created}
        trees: dict[str, Tree | None] = dict.fromkeys(new)
        for node, found in reading.read_all(self._tx, list(there)).items():
            if found.problems:
                raise reading.no_tree(self._tx, found)
            tree = building.tree_of(found)
            self._found[there[node]] = (found, [t.id for t in tree.thoughts])
            trees[there[node]] = tree
        return trees

    def _adopt_trees(self, ids: Sequence[str]) -> None:
        """Give the hand-typed trees among these the id that they are read under."""
        nodes = reading.tree_nodes(self._tx, ids, self._strays.trees)
        self._send(SET_IDS, [(node, id_) for id_, node in nodes.items()])

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
        staying = {id_ for ids in self.wanted.values() for id_ in ids}
        for id_, old in kept.items():
            if id_ not in staying:
                todo.delete.append(old.row.node)
                todo.left.update(link[1] for link in old.row.links)
        # A Tree node that was made only to be locked goes as well.
        unused = self._created - {id_ for id_, tree in trees.items() if tree is not None}
        removed = {id_ for id_, tree in trees.items() if tree is None}
        todo.delete += [self._nodes[id_] for id_ in unused | removed]
        self._apply(todo, {id_: old.row.node for id_, old in kept.items()})

    def _kept(self, trees: Iterable[str]) -> dict[str, Kept]:
        kept: dict[str, Kept] = {}
        for tree_id in trees:
            if tree_id in self._found:
                kept |= kept_thoughts(*self._found[tree_id])
        return kept

    def arriving(self) -> dict[str, str]:
        """The ids of the thoughts that were to be stored, with their trees."""
        return {id_: tree_id for tree_id, ids in self.wanted.items() for id_ in ids}

    # --- sending -------------------------------------------------------------------------------

    def _apply(self, todo: Difference, nodes: dict[str, int]) -> None:
        self._send(DELETE_LINKS, todo.unlink)
        self._send(DELETE_NODES, todo.delete)
        nodes.update(self._send(CREATE_THOUGHTS, todo.create))
        self._send(SET_NODES, todo.set_nodes)
        self._send(SET_LINKS, todo.set_steps + todo.set_anchored + todo.set_aligned)
        self._link("ROOT", [(tree, nodes[thought], {}) for tree, thought in todo.roots])
        self._link(
            "LEADS_TO",
            [(nodes[above], nodes[below], {"position": at}) for above, below, at in todo.steps],
        )
        self._link("ANCHORED_BY", self._anchored(todo, nodes))
        self._link("ALIGNS_WITH", self._aligned(todo))
        self._send(DROP_ANCHORS, sorted(todo.left), ours=ANCHOR.names)

    def _anchored(
        self, todo: Difference, nodes: Mapping[str, int]
    ) -> list[tuple[int, int, dict[str, Any]]]:
        anchors = self._anchor_nodes({link.anchor: link for _, _, link in todo.anchored})
        rows = []
        for thought, at, link in todo.anchored:
            node, phrase, kind = anchors[link.anchor]
            rows.append((nodes[thought], node, {"position": at, **_said(link, phrase, kind)}))
        return rows

    def _anchor_nodes(self, links: Mapping[str, AnchorLink]) -> dict[str, tuple[int, Any, Any]]:
        """(node, phrase, kind) of the anchors of these ids; those that miss are made."""
        rows = self._send(ANCHORS_BY_ID, sorted(links))
        missing = sorted(links.keys() - {row[1] for row in rows})
        if missing:
            strays = self._strays.anchors(self._tx)
            self._send(SET_IDS, [(strays[id_], id_) for id_ in missing if id_ in strays])
            rows += self._send(MERGE_ANCHORS, [_anchor(links[id_]) for id_ in missing])
        return {
            id_: (node, id_ if phrase is None else phrase, kind or "phrase")
            for node, id_, phrase, kind in rows
        }

    def _aligned(self, todo: Difference) -> list[tuple[int, int, dict[str, Any]]]:
        names = {phrase_key(name): name for _, name, _, _ in reversed(todo.aligned)}
        nodes = self._strays.axes(self._tx) if names else {}
        new = [(key, name) for key, name in sorted(names.items()) if key not in nodes]
        for key, node, name in self._send(MERGE_AXES, new):
            if axis_id(key, name) != key:
                raise Conflict(
                    f"the Axis node with the id {key!r} is called {name!r}",
                    hint="Remove its id with Cypher: an axis is known by its name.",
                )
            nodes = {**nodes, key: node}
        return [
            (tree, nodes[phrase_key(name)], {"weight": weight, "position": at})
            for tree, name, at, weight in todo.aligned
        ]

    def _link(self, type_: str, rows: Sequence[tuple[int, int, dict[str, Any]]]) -> None:
        """Create relationships. Raises Overtaken where another writer deleted an end meanwhile."""
        for at in range(0, len(rows), ROWS):
            part = rows[at : at + ROWS]
            made = run(self._tx, LINK % type_, {"rows": part}).consume()
            if made.counters.relationships_created < len(part):
                raise Overtaken

    def _send(self, query: str, rows: Sequence[Any], **parameters: Any) -> list[Any]:
        """Run a statement for all rows, and give what it collected."""
        collected = []
        for at in range(0, len(rows), ROWS):
            for row in ask(self._tx, query, rows=rows[at : at + ROWS], **parameters):
                collected.extend(row[0])
        return collected


# --- comparing -------------------------------------------------------------------------------------


def kept_thoughts(found: Found, ids: Sequence[str]) -> dict[str, Kept]:
    """The thoughts of a tree that stands in the graph, by the ids they are read under."""
    root = Step(found.head.roots[0][0], found.head.node, None)
    return {
        id_: Kept(row, Step._make(row.steps[0]) if row.steps else root)
        for row, id_ in zip(found.rows, ids, strict=True)
    }


def compare(
    tree: Tree, node: int, found: Found | None, kept: Mapping[str, Kept], todo: Difference
) -> None:
    """Add to ``todo`` what makes the graph say what a tree says.

    :param node: the Tree node; ``found`` is what stands there, unless it is new.
    :param kept: the thoughts that stand in the graph, of all trees that change together.
    :raises InvalidTree: there are no thoughts, or one has no id.
    """
    thoughts = tree.thoughts
    if not thoughts or not all(t.id for t in thoughts):
        what = "a thought without an id" if thoughts else "no thoughts"
        raise InvalidTree(f"tree {tree.id!r} has {what}")
    _compare_head(node, tree, found, todo)
    _compare_axes(node, tree, found, todo)
    count: dict[int, int] = {}
    for thought, parent in zip(thoughts, tree.parents(), strict=True):
        place = count.get(parent, 0)
        count[parent] = place + 1
        old = kept.get(thought.id)
        if old is not None:
            _compare_thought(thought, old, todo)
        else:
            todo.create.append(_properties(thought))
            if thought.anchors:
                todo.carry(thought.id, enumerate(thought.anchors))
        if parent >= 0:
            _compare_step(thoughts[parent].id, thought.id, place, kept, todo)
        elif old is None or old.up.node != node:
            todo.roots.append((node, thought.id))
            if old is not None:
                todo.unlink.append(old.up.link)


def _compare_head(node: int, tree: Tree, found: Found | None, todo: Difference) -> None:
    wanted = {name: _stored(getattr(tree, name)) for name in _HEAD}
    there = {name: moment(v) for name, v in found.head.values.items()} if found else {}
    if changed := {k: v for k, v in wanted.items() if not _same(there.get(k), v)}:
        todo.set_nodes.append((node, changed))


def _compare_axes(node: int, tree: Tree, found: Found | None, todo: Difference) -> None:
    there: dict[str, list[list[Any]]] = {}
    for axis in found.head.axes if found else ():
        there.setdefault(axis_id(axis[4], axis[5]), []).append(axis)
    for at, (name, weight) in enumerate(tree.axes.items()):
        old = there.get(phrase_key(name))
        if not old:
            todo.aligned.append((node, name, at, weight))
            continue
        link, _, position, its_weight, *_ = old.pop(0)
        wanted = {"position": (position, at), "weight": (its_weight, weight)}
        if changed := {k: new for k, (old, new) in wanted.items() if not _same(old, new)}:
            todo.set_aligned.append((link, changed))
    todo.unlink += [axis[0] for left in there.values() for axis in left]


def _compare_thought(thought: Thought, old: Kept, todo: Difference) -> None:
    wanted = _properties(thought)
    there = zip(THOUGHT.names, old.row.values, strict=True)
    if changed := {name: wanted[name] for name, v in there if not _same(v, wanted[name])}:
        todo.set_nodes.append((old.row.node, changed))
    links = sorted(old.row.links, key=lambda link: reading.order(link[2], link[0]))
    places = [link[2] for link in links]
    if places != list(range(len(links))) or building.links_of(old.row) != thought.anchors:
        _compare_links(thought, links, todo)


def _compare_links(thought: Thought, links: list[list[Any]], todo: Difference) -> None:
    there: dict[str, list[list[Any]]] = {}
    for link in links:
        there.setdefault(building.anchor_of(*link[7:])[0], []).append(link)
    for at, wanted in enumerate(thought.anchors):
        if not there.get(wanted.anchor):
            todo.carry(thought.id, [(at, wanted)])
            continue
        link, _, *values = there[wanted.anchor].pop(0)
        _, phrase, kind = building.anchor_of(*values[5:])
        new = dict.fromkeys(_LINK_NAMES) | {"position": at, **_said(wanted, phrase, kind)}
        old = dict(zip(_LINK_NAMES, values[:5], strict=True))
        if changed := {k: v for k, v in new.items() if not _same(old[k], v)}:
            todo.set_anchored.append((link, changed))
    for link in (link for left in there.values() for link in left):
        todo.unlink.append(link[0])
        todo.left.add(link[1])


def _compare_step(
    above: str, below: str, place: int, kept: Mapping[str, Kept], todo: Difference
) -> None:
    """Whether the link from a parent to its child stands, at its place."""
    parent, child = kept.get(above), kept.get(below)
    if child is not None:
        if parent is not None and child.up.node == parent.row.node:
            if not _same(child.up.position, place):
                todo.set_steps.append((child.up.link, {"position": place}))
            return
        todo.unlink.append(child.up.link)
    todo.steps.append((above, below, place))


# --- values ----------------------------------------------------------------------------------------


def _properties(thought: Thought) -> dict[str, Any]:
    return dict(zip(THOUGHT.names, _values(thought), strict=True))


def _stored(value: Any) -> Any:
    """A field of a tree as a property: what is no value of Neo4j becomes JSON, nothing is null."""
    if isinstance(value, dict):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if value else None
    return value


def _same(there: Any, wanted: Any) -> bool:
    """Whether a property stands as wanted. True is not 1, and another time zone is another."""
    if isinstance(there, datetime) and isinstance(wanted, datetime):
        return there.isoformat() == wanted.isoformat()
    return isinstance(there, bool) == isinstance(wanted, bool) and bool(there == wanted)


def _anchor(link: AnchorLink) -> dict[str, Any]:
    """An Anchor node as the library makes it."""
    lang = guess_language([link.phrase])
    return {"id": link.anchor, "phrase": link.phrase, "kind": link.kind, "lang": lang}


def _said(link: AnchorLink, phrase: Any, kind: Any) -> dict[str, Any]:
    """What stands on ANCHORED_BY: only what the anchor does not say itself."""
    values = {}
    if link.phrase != phrase:
        values["phrase"] = link.phrase
    if link.kind != kind:
        values["kind"] = link.kind
    if link.origin != "authored":
        values["origin"] = link.origin
    if link.score is not None:
        values["score"] = link.score
    return values
