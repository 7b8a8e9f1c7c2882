"""The forest in one SQLite file."""

from forest.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
