"""Fixtures of the tests that use the store on Neo4j."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("forest.stores.testing")

from forest.stores.neo4j import Neo4jStore  # noqa: E402 - after that line


@pytest.fixture
def opened(clean_neo4j):
    """Opens the store; all that a test opens is closed at its end."""
    stores = []

    def again(**settings):
        settings = {"username": clean_neo4j.username, "password": clean_neo4j.password} | settings
        stores.append(Neo4jStore(settings.pop("url", clean_neo4j.url), **settings))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


@pytest.fixture
def store(opened):
    """The store on an empty database."""
    return opened()


@pytest.fixture
def typed(store):
    """Runs what an author types in Neo4j Browser."""

    def run(query, **parameters):
        return store.cypher(query, parameters)

    return run


@pytest.fixture
def justice(typed):
    """A tree typed with nothing but text: no id of a thought, no level, no position."""
    typed(
        """
        CREATE (t:Tree {id: 'justice', title: 'справедливость'})
          -[:ROOT]->(:Thought {text: 'Справедливость — это соответствие.'})
          -[:LEADS_TO]->(s:Thought {text: 'Но нормы различны.'})
          -[:ANCHORED_BY]->(:Anchor {phrase: 'Причинность → следствие'}),
          (t)-[:ALIGNS_WITH {weight: 0.8}]->(:Axis {name: 'причинность'}),
          (t)-[:ALIGNS_WITH {weight: 0.2}]->(:Axis {name: 'эмпатия'})
        """
    )
