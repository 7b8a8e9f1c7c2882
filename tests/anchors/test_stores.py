"""Deciding and reviewing work alike on every store."""

from __future__ import annotations

from pathlib import Path

import pytest

from anchors import review as door
from anchors.proposals import proposals
from anchors.registry import Registry, merge, part, split, undo
from anchors.stats import forest_stats
from forest import Forest
from forest.stores.base import Store, open_store
from tests.anchors.conftest import propose, trees
from tests.conftest import Neo4jServer


def reviewed(store: Store) -> list[object]:
    """What comes of some decisions, in words that every store shares."""
    Forest(store).add(*trees())
    propose(store)
    one = merge(store, "граница", "воля")
    split(store, "причинности → следствия")
    undo(store, one.no)
    undo(store, *(d.no for d in part(store, "порог", "порог (дома)", ["вера"])[:1]))
    part(store, "воля", "воля (указ)", ["закон"])
    before = forest_stats(store)
    told = door.accept(store, proposals(store))
    registry = Registry.of(store)
    shared = sorted(registry.shared(store))
    after = forest_stats(store)
    undo(store, *told.numbers)
    kept = [thought.anchors for tree in store.trees() for thought in tree.thoughts]
    return [before, told, registry.groups(), registry.decisions[0].pair, shared, after, kept]


@pytest.fixture
def expected() -> list[object]:
    return reviewed(open_store("memory:"))


def test_sqlite(expected: list[object], tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/forest.db") as store:
        assert reviewed(store) == expected


@pytest.mark.neo4j
def test_neo4j(expected: list[object], clean_neo4j: Neo4jServer) -> None:
    server = clean_neo4j
    with open_store(server.url, username=server.username, password=server.password) as store:
        assert reviewed(store) == expected
