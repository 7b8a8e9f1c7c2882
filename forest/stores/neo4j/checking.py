"""What is wrong or missing in a graph that authors write by hand, and putting right what can be.

A finding that can be fixed is a value that reading works out anyway. Fixing writes it down, so it
changes no tree, and no revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import networkx as nx

from forest.errors import Conflict, ForestError, InvalidTree
from forest.model import Tree
from forest.stores.base import Finding
from forest.stores.neo4j import building, reading
from forest.stores.neo4j.axes import AXES, axis_id
from forest.stores.neo4j.connection import Connection, ask, run
from forest.stores.neo4j.reading import Found
from forest.stores.neo4j.writing import Difference, Strays, Writing, compare, kept_thoughts

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

THOUGHT_NODES = f"""
MATCH (n:Thought)
WITH collect(n) AS ns
UNWIND range(0, size(ns), {reading.CHUNK * 10}) AS i
RETURN [n IN ns[i..i + {reading.CHUNK * 10}] | id(n)]
"""
OUTSIDE = """
UNWIND $nodes AS node
MATCH (n:Thought) WHERE id(n) = node
RETURN collect([node, elementId(n), n.id, n.text, [(p:Thought)-[:LEADS_TO]->(n) | id(p)]])
"""
"""


def check(connection: Connection, *, fix: bool) -> Iterator[Finding]:
    """All findings: of every tree, of thoughts outside of trees, of anchors and axes."""
    trees = connection.read(reading.all_trees)
    count = Counter(id_ for id_, _, _ in trees)
    yield from _names(trees, count)
    inside: set[int] = set()
    for found in reading.stream(connection, [node for _, node, _ in trees]):
        inside.update(row.node for row in found.rows)
        yield from _tree(connection, found, fix=fix and count[found.id] == 1)
    yield from _outside(connection, inside)
    yield from _anchors(connection, fix=fix)
    yield from _axes(connection, fix=fix)
"""
