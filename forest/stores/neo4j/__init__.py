"""The forest in Neo4j (5.26 and later): the graph is the truth, whoever wrote it."""

from forest.stores.neo4j.store import Neo4jStore

__all__ = ["Neo4jStore"]
