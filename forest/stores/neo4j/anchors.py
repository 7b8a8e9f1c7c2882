"""Anchors: counted over all trees, and the places where one stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from forest.errors import InvalidTree
from forest.language import guess_language
from forest.model import AUTHORED, Anchor, AnchorLink, Occurrence
from forest.stores.base import Skip, best_spelling
from forest.stores.neo4j import building, reading
from forest.stores.neo4j.connection import Connection, ask

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

# Thoughts that carry the same anchors in the same words are one number, so little is sent.
CARRIED = """
UNWIND $nodes AS node
MATCH (t:Tree) WHERE id(t) = node
CALL (t) {
  MATCH (t)-[:ROOT]->(root) MATCH (root)-[:LEADS_TO*0..]->(n)
  WITH DISTINCT n
  MATCH (n)-[e:ANCHORED_BY]->(a:Anchor)
  WITH n, collect([e.phrase, e.kind, e.origin, a.id, a.phrase, a.kind]) AS said
  WITH said, count(*) AS thoughts
  RETURN collect([said, thoughts]) AS carried
}
RETURN carried
"""
ANCHORS = """
MATCH (a:Anchor) WHERE a.id = $id
RETURN collect([id(a), a.id, a.phrase, a.kind])
"""
STRAY_ANCHORS = """
MATCH (a:Anchor) WHERE a.id IS NULL OR a.id = ''
RETURN collect([id(a), a.id, a.phrase, a.kind])
"""
CARRIERS = """
UNWIND $anchors AS anchor
MATCH (a:Anchor) WHERE id(a) = anchor
MATCH (n)-[:ANCHORED_BY]->(a)
RETURN collect(DISTINCT id(n))
"""
TREES_ABOVE = """
UNWIND $nodes AS node
MATCH (n) WHERE id(n) = node
CALL (n) {
  MATCH (n)<-[:LEADS_TO*0..]-(r)
  WITH DISTINCT r
  MATCH (r)<-[:ROOT]-(t:Tree)
  RETURN t
}
RETURN collect(DISTINCT [id(t), t.id, t.title])
"""
CARRIERS_BELOW = """
UNWIND $trees AS tree
MATCH (t:Tree) WHERE id(t) = tree
CALL (t) {
  MATCH (t)-[:ROOT]->(root) MATCH (root)-[:LEADS_TO*0..]->(n)
  WITH DISTINCT n
  WHERE EXISTS { (n)-[:ANCHORED_BY]->(a) WHERE id(a) IN $anchors }
  RETURN collect(id(n)) AS carriers
}
UNWIND carriers AS carrier
RETURN collect(carrier)
"""


@dataclass(slots=True)
class _Count:
    spellings: Counter[tuple[str, bool]] = field(default_factory=Counter)
    kinds: set[Any] = field(default_factory=set)
    trees: int = 0
    thoughts: int = 0
    authored: int = 0


def all_anchors(
    connection: Connection, trees: Sequence[int], skip: Skip | None = None
) -> Iterator[Anchor]:
    """The anchors that the thoughts of some Tree nodes carry, in the order of their ids.

    Raises InvalidTree for an anchor that the model forbids; with ``skip`` it is left out.
    """
    counts: dict[str, _Count] = {}
    for at in range(0, len(trees), reading.MOST):
        some = trees[at : at + reading.MOST]
        for (carried,) in connection.read(lambda tx, nodes: ask(tx, CARRIED, nodes=nodes), some):
            try:
                _count(carried, counts)
            except InvalidTree as error:
                if skip is None:
                    raise
                skip(error)
    for id_ in sorted(counts):
        count = counts[id_]
        phrase = best_spelling(count.spellings)
        yield Anchor(
            id=id_,
            phrase=phrase,
            kind=min(count.kinds),
            lang=guess_language([phrase]),
            trees=count.trees,
            thoughts=count.thoughts,
            authored=count.authored,
        )


def _count(carried: list[list[Any]], counts: dict[str, _Count]) -> None:
    """Add what one tree carries."""
    in_tree, authored = set(), set()
    for said, thoughts in carried:
        links = [_link(*values) for values in said]
        for link in links:
            count = counts.setdefault(link.anchor, _Count())
            count.spellings[link.phrase, link.origin == AUTHORED] += thoughts
            count.kinds.add(link.kind)
        authored |= {link.anchor for link in links if link.origin == AUTHORED}
        for anchor in {link.anchor for link in links}:
            counts[anchor].thoughts += thoughts
            in_tree.add(anchor)
    for anchor in in_tree:
        counts[anchor].trees += 1
        counts[anchor].authored += anchor in authored


def _link(
    own_phrase: Any, own_kind: Any, origin: Any, id_: Any, phrase: Any, kind: Any
) -> AnchorLink:
    try:
        return building.link(own_phrase, own_kind, origin, None, id_, phrase, kind)
    except (ValueError, TypeError):
        raise InvalidTree(
            f"an anchor of the phrase {phrase!r} is not as the model wants it", hint=building.HINT
        ) from None


def occurrences(connection: Connection, anchor: str) -> Iterator[Occurrence]:
    """The thoughts that carry an anchor, by tree id, then in reading order."""
    nodes = connection.read(_nodes_of, anchor)
    trees = _trees_of(connection, nodes) if nodes else []
    for found in reading.stream(connection, trees):
        tree = building.tree_or_error(connection, found)
        for thought in tree.thoughts:
            for link in thought.anchors:
                if link.anchor == anchor:
                    yield Occurrence(
                        tree=tree.id,
                        title=tree.title,
                        thought=thought.id,
                        text=thought.text,
                        phrase=link.phrase,
                        level=thought.level,
                    )


def _nodes_of(tx: ManagedTransaction, anchor: str) -> list[int]:
    """The Anchor nodes that are read under an id: several, where they were typed by hand."""
    rows = ask(tx, ANCHORS, id=anchor)[0][0] + ask(tx, STRAY_ANCHORS)[0][0]
    return [node for node, *values in rows if building.anchor_id_or_none(*values) == anchor]


def _trees_of(connection: Connection, anchors: list[int]) -> list[tuple[str, int]]:
    """(id, node) of the trees that carry one of some Anchor nodes, in the order of their ids.

    Going up from every carrier would cost the square of a deep tree's size. So few go up at a
    time, and all that stand below the trees they reach are taken off the list.
    """
    trees: dict[int, str] = {}
    waiting = set(connection.read(lambda tx: ask(tx, CARRIERS, anchors=anchors))[0][0])
    at_once = 1
    while waiting:
        some = list(islice(waiting, at_once))
        rows = connection.read(lambda tx, nodes: ask(tx, TREES_ABOVE, nodes=nodes), some)[0][0]
        new = [node for node, _, _ in rows]
        trees.update({node: reading.tree_id(id_, title) for node, id_, title in rows})
        below = connection.read(
            lambda tx, nodes: ask(tx, CARRIERS_BELOW, trees=nodes, anchors=anchors), new
        )
        waiting -= {*some, *below[0][0]}
        at_once = min(256, 2 * len(some)) if len(new) == len(some) else max(1, len(new))
    return sorted((id_, node) for node, id_ in trees.items())
