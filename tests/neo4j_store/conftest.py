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
