"""Trees removed by their structure: what cannot be read as a tree can still go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from forest.fields import is_text
from forest.stores.base import Written, no_such_tree
from forest.stores.neo4j import reading
from forest.stores.neo4j.connection import ask
from forest.stores.neo4j.writing import DELETE_NODES, Writing

BELOW = """
UNWIND $trees AS tree
MATCH (t:Tree) WHERE id(t) = tree
CALL (t) {
  MATCH (t)-[:ROOT]->(root) MATCH (root)-[:LEADS_TO*0..]->(n:Thought)
  WITH DISTINCT n
  RETURN collect(id(n)) AS below
}
UNWIND below AS node
RETURN collect(DISTINCT node)
"""
LEADING = """
UNWIND $rows AS row
MATCH (n) WHERE id(n) = row
MATCH (m)-[:ROOT|LEADS_TO]->(n)
RETURN collect([id(m), id(n)])
"""
CARRIED = """
UNWIND $rows AS row
MATCH (n) WHERE id(n) = row
MATCH (n)-[:ANCHORED_BY]->(a:Anchor)
RETURN collect(DISTINCT id(a))
"""


def remove(writing: Writing, tree_ids: Sequence[str]) -> Written:
    """Delete Tree nodes with all thoughts below them, but those that something else leads to.

    :raises NotFound: there is no Tree node of one of the ids.
    :raises NotATree: two Tree nodes have one of the ids.
    """
    nodes = reading.tree_nodes(writing.tx, list(filter(is_text, tree_ids)))
    for tree_id in tree_ids:
        if tree_id not in nodes:
            raise no_such_tree(tree_id)
    trees = sorted(nodes.values())
    below = set(ask(writing.tx, BELOW, trees=trees)[0][0])
    gone = sorted(below - _kept(writing.send(LEADING, sorted(below)), below.union(trees)))
    anchors = set(writing.send(CARRIED, gone))
    writing.send(DELETE_NODES, [*gone, *trees])
    writing.drop_anchors(anchors)
    return Written(removed=list(dict.fromkeys(tree_ids)))


def _kept(steps: Iterable[tuple[int, int]], own: set[int]) -> set[int]:
    """The thoughts that others lead to, with all below them."""
    children: dict[int, list[int]] = {}
    todo = []
    for above, below in steps:
        if above in own:
            children.setdefault(above, []).append(below)
        else:
            todo.append(below)
    kept = set[int]()
    while todo:
        node = todo.pop()
        if node not in kept:
            kept.add(node)
            todo += children.get(node, ())
    return kept
