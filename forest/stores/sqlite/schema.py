"""The tables of a forest's file, and the steps that bring an older file up to date.

A thought's row key is ``tree number * SPAN + place in reading order``, so a tree is one run of
row keys, and reading it in order is one scan of the table without an index beside it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

APPLICATION_ID = 0x464F5245  # "FORE": says that a file is a forest
SPAN = 1 << 32
"""Row keys a tree may take: its number times SPAN, plus the place in reading order."""

Migration = Callable[[sqlite3.Connection], None]


def _create(db: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE tree (
            no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
            lang TEXT NOT NULL, meta TEXT, source TEXT, source_revision TEXT, created_at TEXT,
            updated_at TEXT, size INTEGER NOT NULL, depth INTEGER NOT NULL,
            revision TEXT NOT NULL)""",
        """CREATE TABLE thought (
            key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, level INTEGER NOT NULL,
            text TEXT NOT NULL, kind TEXT, lang TEXT)""",
        """CREATE TABLE phrase (
            no INTEGER PRIMARY KEY, anchor TEXT NOT NULL, kind TEXT NOT NULL, phrase TEXT NOT NULL,
            UNIQUE (anchor, kind, phrase))""",
        """CREATE TABLE anchored (
            thought INTEGER NOT NULL, position INTEGER NOT NULL, phrase INTEGER NOT NULL,
            origin TEXT, score REAL, PRIMARY KEY (thought, position)) WITHOUT ROWID""",
        "CREATE INDEX anchored_by_phrase ON anchored (phrase, thought)",
        """CREATE TABLE axis (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE aligned (
            tree INTEGER NOT NULL, position INTEGER NOT NULL, axis TEXT NOT NULL,
            weight REAL NOT NULL, PRIMARY KEY (tree, position)) WITHOUT ROWID""",
    ):
        db.execute(statement)


def _add_nodes(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE node (
            label TEXT NOT NULL, key TEXT NOT NULL, properties TEXT NOT NULL, links TEXT NOT NULL,
            PRIMARY KEY (label, key)) WITHOUT ROWID"""
    )


def _index_origins(db: sqlite3.Connection) -> None:
    """Who wrote an anchor is counted in the index alone: a million look-ups would take seconds."""
    db.execute("DROP INDEX anchored_by_phrase")
    db.execute("CREATE INDEX anchored_by_phrase ON anchored (phrase, thought, origin)")


MIGRATIONS: tuple[Migration, ...] = (_create, _add_nodes, _index_origins)
"""Step i brings a file from schema version i to i + 1; version 0 is an empty file."""
