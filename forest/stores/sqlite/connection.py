"""A forest's file: opened, brought up to date, and its transactions.

Commits are full synchronous. The write-ahead log is used only where the linked SQLite has the fix
for its reset bug (3.51.3, 3.50.7, 3.44.6 and later); elsewhere a rollback journal.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from forest.errors import NotFound, SchemaTooNew, StoreError
from forest.stores.sqlite import schema
from forest.stores.sqlite.faults import forest_errors, is_busy

log = logging.getLogger(__name__)
PATIENCE = 2000
"""Milliseconds that a write waits for another one before it says so."""


def wal_is_safe(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite has the fix for the write-ahead log's reset bug."""
    return (
        version >= (3, 51, 3)
        or (3, 50, 7) <= version < (3, 51)
        or ((3, 44, 6) <= version < (3, 45))
    )


def opened(
    path: Path, url: str, *, create: bool, read_only: bool, busy_seconds: float
) -> sqlite3.Connection:
    """A connection to the forest in the file, which is made or brought up to date if need be.

    Raises NotFound where the file is not there and ``create`` is false; SchemaTooNew where a newer
    version of this library wrote it; StoreError where it is no forest or cannot be opened.
    """
    if not path.exists() and (not create or read_only):
        raise NotFound(
            f"there is no forest at {path}",
            hint="`forest init` makes one there; --store or FOREST_STORE names another.",
        )
    if not path.parent.is_dir():
        raise StoreError(f"the folder {path.parent} does not exist", hint="Make it first.")
    with forest_errors(url):
        db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        try:
            _prepare(db, path, url, read_only=read_only)
        except BaseException:
            db.close()
            raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, url: str, *, read_only: bool) -> None:
    db.execute("PRAGMA cache_size = -65536")
    db.execute("PRAGMA temp_store = FILE")
    if read_only:
        db.execute("PRAGMA query_only = ON")
        if _version(db, path) < len(schema.MIGRATIONS):
            raise StoreError(
                f"{path} was written by an older version",
                hint="Open it once for writing: that brings it up to date.",
            )
        return
    _migrate(db, path, url)
    _change_journal(db, "wal" if wal_is_safe() else "delete")
    db.execute("PRAGMA synchronous = FULL")


def _change_journal(db: sqlite3.Connection, mode: str) -> None:
    """Change the file's journal, unless others have it open: the next to open it does then."""
    if db.execute("PRAGMA journal_mode").fetchone()[0] != mode:
        waits = db.execute("PRAGMA busy_timeout").fetchone()[0]
        db.execute("PRAGMA busy_timeout = 0")  # two that wait for each other would wait in vain
        try:
            db.execute(f"PRAGMA journal_mode = {mode}")
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
        db.execute(f"PRAGMA busy_timeout = {waits}")


def _version(db: sqlite3.Connection, path: Path) -> int:
    application, version, tables = db.execute(  # one statement: one state of the file
        "SELECT * FROM pragma_application_id, pragma_user_version,"
        " (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if tables and application != schema.APPLICATION_ID:
        raise StoreError(
            f"{path} is a SQLite file, but not a forest",
            hint="Name another file with --store sqlite:///PATH.",
        )
    if version > len(schema.MIGRATIONS):
        raise SchemaTooNew(
            f"{path} has schema version {version}; this library knows up to "
            f"{len(schema.MIGRATIONS)}",
            hint="It was written by a newer reasoning-forest: upgrade this one.",
        )
    return int(version)


def _migrate(db: sqlite3.Connection, path: Path, url: str) -> None:
    if _version(db, path) == len(schema.MIGRATIONS):
        return
    with transaction(db, url):  # another process may have done it meanwhile
        for version in range(_version(db, path), len(schema.MIGRATIONS)):
            schema.MIGRATIONS[version](db)
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS)}")


@contextmanager
def transaction(db: sqlite3.Connection, url: str) -> Iterator[sqlite3.Connection]:
    """All that is written within is stored together, or nothing of it."""
    with forest_errors(url):
        _begin(db, url)
        try:
            yield db
            db.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                db.execute("ROLLBACK")
            if isinstance(error, KeyboardInterrupt):
                error.add_note("Nothing of this change was stored.")
            raise


def _begin(db: sqlite3.Connection, url: str) -> None:
    """Begin to write; where another process does, wait for it and say so."""
    waits = db.execute("PRAGMA busy_timeout").fetchone()[0]
    if waits > PATIENCE:
        db.execute(f"PRAGMA busy_timeout = {PATIENCE}")
        try:
            db.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
        finally:
            db.execute(f"PRAGMA busy_timeout = {waits}")
        log.warning("waiting for another process that writes to %s", url)
    db.execute("BEGIN IMMEDIATE")


@contextmanager
def one_state(db: sqlite3.Connection, url: str) -> Iterator[sqlite3.Connection]:
    """One state of the forest, however many queries are asked within."""
    with forest_errors(url):
        if db.in_transaction:
            yield db
            return
        db.execute("BEGIN")
        try:
            yield db
        finally:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
