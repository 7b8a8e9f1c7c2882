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
CACHE = 8192
"""KiB of the file that are kept in memory: more made nothing faster, as reading is in order and an
import's trees are written one after the other (docs/decisions/2026-11-29-flat-memory.md)."""


def wal_is_safe(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite has the fix for the write-ahead log's reset bug."""
    return (
        version >= (3, 51, 3)
        or (3, 50, 7) <= version < (3, 51)
        or ((3, 44, 6) <= version < (3, 45))
    )


class Connection:
    """One forest's file, opened: asked, and written to in transactions.

    The path is made absolute at once, and the file is known by its device and number, so that a
    change of the working folder changes nothing, and a file that takes its place is noticed.

    :param url: what messages call it, if not by its path.
    :raises NotFound: the file is not there and ``create`` is false.
    :raises SchemaTooNew: a newer version of this library wrote it.
    :raises StoreError: it is no forest or cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool,
        read_only: bool,
        busy_seconds: float,
        url: str | None = None,
    ) -> None:
        self.path = path = path.absolute()
        self.url = url or f"sqlite:///{path}"
        if not path.exists() and (not create or read_only):
            raise NotFound(
                f"there is no forest at {path}",
                hint="`forest init` makes one there; --store or FOREST_STORE names another.",
            )
        if not path.parent.is_dir():
            raise StoreError(f"the folder {path.parent} does not exist", hint="Make it first.")
        with forest_errors(self.url):
            self.db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
            try:
                _prepare(self.db, path, self.url, read_only=read_only)
                self.file = _file_at(path)
            except BaseException:
                self.db.close()
                raise

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def asking(self) -> Iterator[sqlite3.Connection]:
        """The file, to be asked one thing. Raises StoreError where it is no longer at its place."""
        with forest_errors(self.url):
            self._refuse_another_file("Open the forest again.")
            yield self.db

    @contextmanager
    def one_state(self) -> Iterator[sqlite3.Connection]:
        """As `asking`, and one state of the forest, however many queries are asked within."""
        with self.asking() as db:
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN")
            try:
                yield db
            finally:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """As `asking`; all that is written within is stored together, or nothing of it."""
        with self.asking(), transaction(self.db, self.url):
            yield self.db
            self._refuse_another_file("Nothing of this change was stored. Open the forest again.")

    def _refuse_another_file(self, hint: str) -> None:
        """Raise StoreError where what is read and written is no longer what lies at the path."""
        now = _file_at(self.path)
        if now != self.file:
            raise StoreError(
                f"{self.url} was {'replaced by another file' if now else 'removed or renamed'} "
                "while it was open",
                hint=hint,
            )


def _file_at(path: Path) -> tuple[int, int] | None:
    """The device and number of the file at a path; None where there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _prepare(db: sqlite3.Connection, path: Path, url: str, *, read_only: bool) -> None:
    db.execute(f"PRAGMA cache_size = -{CACHE}")
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
