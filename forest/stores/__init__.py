"""Where a forest lives: one SQLite file, a Neo4j graph, or memory. One contract for all three."""

from forest.stores.base import Finding, Merge, Store, Written, open_store

__all__ = ["Finding", "Merge", "Store", "Written", "open_store"]
