"""Nodes beside the trees: read, and put in place as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from forest.model import AnchorLink
from forest.nodes import LINKS, TYPES, Link, Node, checked, derived_key
from forest.schema import RelationshipType
from forest.stores.base import ChangeNodes, Finding
from forest.stores.neo4j import building
from forest.stores.neo4j.connection import LOCK, Connection, ask, run
from forest.stores.neo4j.writing import SET_NODES, Writing

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

NODES = """
MATCH (n:{label})
RETURN collect([id(n), n.{key}, properties(n), [
  (n)-[e]->(m) WHERE type(e) IN $types
  | [type(e), id(e), properties(e), m[$keys[type(e)]], m.phrase, m.kind]
], NOT EXISTS {{ (n)--() }} AND keys(n) = ['{key}']])
"""
# A node may have relationships and properties that are its author's own: these stay.
PUT = """
UNWIND $rows AS row
MERGE (n:{label} {{{key}: row[0]}})
SET n += row[1]
WITH n
MATCH (n)-[e]->(m) WHERE type(e) IN $types
WITH e, id(m) AS end
DELETE e
RETURN collect(end)
"""
# Where others lead to it, or an author keeps something of his own on it, the node stays, bare.
DROP = """
UNWIND $rows AS row
MATCH (n:{label} {{{key}: row[0]}})
WHERE NOT EXISTS {{ (n)--() }} AND all(name IN keys(n) WHERE name = '{key}')
DELETE n
RETURN collect(null)
"""
# What only a link led to that is gone now.
DROP_BARE = """
UNWIND $rows AS row
MATCH (n:{label}) WHERE id(n) = row
  AND NOT EXISTS {{ (n)--() }} AND all(name IN keys(n) WHERE name = '{key}')
DELETE n
RETURN collect(null)
"""


def _linking(link: RelationshipType) -> str:
    if link.end == "Anchor":
        end = "MATCH (m:Anchor) WHERE id(m) = row[1]"
    else:
        end = f"MERGE (m:{link.end} {{{TYPES[link.end].key}: row[1]}})"
    return f"""
    UNWIND $rows AS row
    MATCH (n:{link.start} {{{TYPES[link.start].key}: row[0]}})
    {end}
    CREATE (n)-[e:{link.name}]->(m)
    SET e = row[2]
    RETURN collect(null)
    """


DERIVED = frozenset(
    label
    for label, type_ in TYPES.items()
    if any(p.name == type_.key and p.written == "derived" for p in type_.properties)
)
"""Kinds whose keys an author may leave out."""
LINK = {link.name: _linking(link) for link in LINKS.values()}


class Found(NamedTuple):
    """A node as it stands in the graph."""

    number: int
    node: Node
    """Its key is "" where it has none, and none can be derived."""
    keyed: bool
    """Whether its key is written down."""
    bare: bool
    """Whether there is nothing else of it, and nothing leads to it."""

    @property
    def says(self) -> bool:
        """Whether it is read: what others only lead to is not."""
        return bool(self.node.properties or self.node.links or not self.keyed)


def found_nodes(tx: ManagedTransaction, label: str) -> list[Found]:
    """All nodes of a kind, those with keys first, then the oldest."""
    type_ = TYPES[label]
    ends = {name: "id" if x.end == "Anchor" else TYPES[x.end].key for name, x in LINKS.items()}
    query = NODES.format(label=label, key=type_.key)
    rows = ask(tx, query, types=_links_of(label), keys=ends)[0][0]
    found = [_found(label, *row) for row in rows]
    return sorted(found, key=lambda f: (not f.keyed, f.number))


def _found(
    label: str,
    number: int,
    key: Any,
    values: dict[str, Any],
    links: list[Any],
    bare: bool,
) -> Found:
    node = _node(label, "" if key is None else key, values, links)
    keyed = bool(node.key)
    says = isinstance(node.properties.get("text"), str)
    if not keyed and label in DERIVED and node.links and says:
        node = replace(node, key=derived_key(node.links[0].target, node.properties))
    return Found(number, node, keyed, bare)


def read_nodes(tx: ManagedTransaction, label: str) -> list[Node]:
    """All nodes of a kind that have a key or to which one is derived, in the order of the keys.

    Of several that are read under one key the first counts; see `check`.
    """
    nodes: dict[str, Node] = {}
    for found in found_nodes(tx, label):
        if found.node.key and found.says:
            nodes.setdefault(found.node.key, found.node)
    return [nodes[key] for key in sorted(nodes)]


def fill_keys(tx: ManagedTransaction, label: str) -> None:
    """Write down the keys that are derived."""
    rows, taken = [], set()
    for found in found_nodes(tx, label):
        if not found.keyed and found.node.key and found.node.key not in taken:
            rows.append([found.number, {TYPES[label].key: found.node.key}])
        taken.add(found.node.key)
    if rows:
        run(tx, SET_NODES, {"rows": rows}).consume()


def check(connection: Connection, *, fix: bool) -> Iterator[Finding]:
    """Nodes without keys, and nodes that are read as another one."""
    for label, type_ in TYPES.items():
        taken: set[str] = set()
        missing = []
        for found in connection.read(found_nodes, label):
            key = found.node.key
            if found.bare:
                problem = f"it has nothing but its `{type_.key}`: complete or remove it with Cypher"
                yield Finding(f"{label} {key!r}", problem, fixable=False)
            elif not found.says:
                continue
            elif not key:
                needed = f"`{type_.key}`"
                if label in DERIVED:
                    needed += ", and what it would be made of"
                problem = f"it has no {needed}: give it one or remove it with Cypher"
                yield Finding(f"the {label} node (id {found.number})", problem, fixable=False)
            elif key in taken:
                problem = (
                    f"another {label} node (id {found.number}) is read as this one: remove one"
                )
                yield Finding(f"{label} {key!r}", problem, fixable=False)
            elif not found.keyed:
                missing.append(key)
            taken.add(key)
        if missing and fix:
            connection.write(fill_keys, label)
        for key in missing:
            yield Finding(f"{label} {key!r}", f"it has no `{type_.key}`", fixable=True, fixed=fix)


def _links_of(label: str) -> list[str]:
    return [name for name, link in LINKS.items() if link.start == label]


def _node(label: str, key: Any, values: dict[str, Any], links: list[list[Any]]) -> Node:
    names = set(TYPES[label].names) - {TYPES[label].key}
    said = {name: value for name, value in values.items() if name in names}
    return Node(label, str(key), said, tuple(_links(links)))


def _links(rows: list[list[Any]]) -> Iterator[Link]:
    """Links in their order; those without a place after the others, as they were made."""

    def order(row: list[Any]) -> tuple[bool, Any, int]:
        place = row[2].get("position")
        return place is None, place or 0, row[1]

    for name, _, values, target, phrase, kind in sorted(rows, key=order):
        if LINKS[name].end == "Anchor":
            target = building.anchor_id_or_none(target, phrase, kind)  # noqa: PLW2901
            values = {"phrase": phrase} | values  # noqa: PLW2901
        if target is not None:
            names = set(LINKS[name].names) - {"position"}
            yield Link(name, target, {k: v for k, v in values.items() if k in names})


def change_nodes(writing: Writing, labels: Sequence[str], change: ChangeNodes) -> None:
    """Read all nodes of some kinds, and store what ``change`` makes of them."""
    tx = writing.tx
    run(tx, LOCK, {}).consume()
    for label in DERIVED.intersection(labels):
        fill_keys(tx, label)
    old = {node.at: node for label in labels for node in read_nodes(tx, label)}
    new = [
        (at, node) for at, node in checked(change(dict(old))) if node is None or node != old.get(at)
    ]
    left: set[int] = set()
    for label, some in groupby(new, key=lambda pair: pair[0][0]):
        names = dict.fromkeys(TYPES[label].names)
        del names[TYPES[label].key]
        rows = [(key, names | dict(node.properties if node else {})) for (_, key), node in some]
        put = PUT.format(label=label, key=TYPES[label].key)
        left.update(writing.send(put, rows, types=_links_of(label)))
    _link(writing, [node for _, node in new if node])
    for (label, key), node in new:
        if node is None:
            writing.send(DROP.format(label=label, key=TYPES[label].key), [(key,)])
    for label in {link.end for link in LINKS.values() if link.end in TYPES}:
        writing.send(DROP_BARE.format(label=label, key=TYPES[label].key), sorted(left))
    writing.drop_anchors(left)


def _link(writing: Writing, nodes: Iterable[Node]) -> None:
    links = [(node, place, link) for node in nodes for place, link in enumerate(node.links)]
    anchors = writing.anchor_nodes(
        {
            link.target: AnchorLink(
                phrase=str(link.properties.get("phrase", link.target)), anchor=link.target
            )
            for _, _, link in links
            if LINKS[link.type].end == "Anchor"
        }
    )
    for type_ in LINKS:
        rows = [
            (
                node.key,
                anchors[link.target][0] if LINKS[type_].end == "Anchor" else link.target,
                {**link.properties, "position": place},
            )
            for node, place, link in links
            if link.type == type_
        ]
        writing.send(LINK[type_], rows)
