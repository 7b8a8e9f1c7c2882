"""A forest as flat records: the property graph of docs/graph-schema.md, as files can hold it.

What graph formats share. A vertex is named by its label and key, ``Thought:justice/3f9a`` in one
piece; properties are texts, numbers and truth values: a time is a text in ISO 8601, ``meta`` is a
text in JSON, and what is empty is left out. Proposals are no part of the forest and left out too.
`forest.formats.flat_graph` makes trees of such records again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from forest.model import Tree
from forest.nodes import LINKS, Key, Link, Node, Value
from forest.phrases import phrase_key
from forest.schema import (
    ALIGNS_WITH,
    ANCHOR,
    ANCHORED_BY,
    AXIS,
    LEADS_TO,
    NODES,
    PROPOSAL,
    RELATIONSHIPS,
    ROOT,
    THOUGHT,
    TREE,
    NodeType,
    Property,
    RelationshipType,
)
from forest.stores.base import Store

LABELS: Mapping[str, NodeType] = {type_.label: type_ for type_ in NODES if type_ is not PROPOSAL}
TYPES: Mapping[str, RelationshipType] = {type_.name: type_ for type_ in RELATIONSHIPS}
DECLARED: Mapping[str, NodeType | RelationshipType] = {**LABELS, **TYPES}
"""All that a forest consists of, by label or type of relationship."""
LABEL = "labels"
"""What a file calls the label of a node, as Neo4j's own exports do; a formula has a `label` too."""
IN_TREE = Property("tree", "STRING", "derived", "id of the tree it is in")


@dataclass(frozen=True, slots=True)
class Vertex:
    """A node of the graph; its key is no property."""

    label: str
    key: str
    properties: Mapping[str, Value]

    @property
    def at(self) -> Key:
        """Its (label, key)."""
        return self.label, self.key


@dataclass(frozen=True, slots=True)
class Edge:
    """A relationship from one vertex to another."""

    type: str
    start: Key
    end: Key
    properties: Mapping[str, Value]


Record = Vertex | Edge


def declared(type_: NodeType | RelationshipType) -> tuple[Property, ...]:
    """The properties that a record of this type may have."""
    if isinstance(type_, RelationshipType):
        return type_.properties
    more = (IN_TREE,) if type_ is THOUGHT else ()
    return tuple(p for p in type_.properties if p.name not in (type_.key, "stamp")) + more


def name_of(at: Key) -> str:
    """A vertex's name in one piece: ``Thought:justice/3f9a``."""
    return ":".join(at)


def at_of(name: str) -> Key | None:
    """The (label, key) that a name says, or None where it is none."""
    label, _, key = name.partition(":")
    return (label, key) if label in LABELS and key else None


# --- out of a store -------------------------------------------------------------------------------


def records(store: Store, seen: Callable[[int], object] = lambda _: None) -> Iterator[Record]:
    """All records of a forest in one order, vertices before the edges that lead to them.

    One tree is in memory at a time, and all nodes beside the trees.

    :param seen: called after each tree with its number of thoughts.
    :raises NotATree, InvalidTree: the store holds what is no tree.
    """
    beside = [node for node in store.all_nodes() if node.label != PROPOSAL.label]
    for axis in store.axes():
        yield Vertex(AXIS.label, axis.id, _plain(axis, AXIS.label))
    yield from _anchors(store, beside)
    for tree in store.trees():
        yield from tree_records(tree)
        seen(len(tree))
    yield from _nodes(beside)


def _anchors(store: Store, beside: Iterable[Node]) -> Iterator[Vertex]:
    """Those that thoughts carry, then those that only formulas name."""
    links = (link for node in beside for link in node.links)
    named = {link.target: link for link in links if LINKS[link.type].end == ANCHOR.label}
    for anchor in store.anchors():
        named.pop(anchor.id, None)
        yield Vertex(ANCHOR.label, anchor.id, _plain(anchor, ANCHOR.label))
    for key, link in sorted(named.items()):
        phrase = link.properties.get("phrase", key)
        yield Vertex(ANCHOR.label, key, {"phrase": phrase, "kind": "phrase"})


def _nodes(beside: list[Node]) -> Iterator[Record]:
    """The nodes, bare ones where links lead to nothing, then the links."""
    for node in beside:
        yield Vertex(node.label, node.key, dict(sorted(node.properties.items())))
    there = {node.at for node in beside}
    ends = {_end(link) for node in beside for link in node.links}
    for label, key in sorted(ends - there):
        if label != ANCHOR.label:
            yield Vertex(label, key, {})
    for node in beside:
        for position, link in enumerate(node.links):
            properties = {**dict(sorted(link.properties.items())), "position": position}
            yield Edge(link.type, node.at, _end(link), properties)


def _end(link: Link) -> Key:
    return LINKS[link.type].end, link.target


def tree_records(tree: Tree) -> Iterator[Record]:
    """The records of one finished tree; not the axes and anchors that it leads to."""
    top: Key = (TREE.label, tree.id)
    yield Vertex(*top, _plain(tree, TREE.label))
    for position, (name, weight) in enumerate(tree.axes.items()):
        axis = (AXIS.label, phrase_key(name))
        yield Edge(ALIGNS_WITH.name, top, axis, {"weight": weight, "position": position})
    children: dict[str, int] = {}
    for thought, parent in tree.walk():
        here: Key = (THOUGHT.label, thought.id)
        yield Vertex(*here, {**_plain(thought, THOUGHT.label), IN_TREE.name: tree.id})
        if parent is None:
            yield Edge(ROOT.name, top, here, {})
        else:
            place = children.get(parent.id, 0)
            children[parent.id] = place + 1
            above = (THOUGHT.label, parent.id)
            yield Edge(LEADS_TO.name, above, here, {"position": place})
        for position, link in enumerate(thought.anchors):
            properties = {**_plain(link, ANCHORED_BY.name), "position": position}
            yield Edge(ANCHORED_BY.name, here, (ANCHOR.label, link.anchor), properties)


_NAMES = {
    name: tuple(p.name for p in declared(type_) if p.name not in (IN_TREE.name, "position"))
    for name, type_ in DECLARED.items()
}


def _plain(model: Any, owner: str) -> dict[str, Value]:
    """The fields of a model that say something."""
    values = [(name, getattr(model, name)) for name in _NAMES[owner]]
    return {name: _value(value) for name, value in values if value not in (None, "", {})}


def _value(value: Any) -> Value:
    if isinstance(value, dict):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    plain: Value = value
    return plain
