"""What SQLite says, as errors of the forest."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from forest.errors import StoreError, StoreUnavailable

_NONSENSE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What Python says where a row does not hold what was stored."""


class Damaged(sqlite3.DatabaseError):
    """SQLite can read the rows, but the forest did not write them so."""


@contextmanager
def sound(what: str) -> Iterator[None]:
    """Raise Damaged, naming ``what`` is read, where its rows make no sense."""
    try:
        yield
    except _NONSENSE as error:
        raise Damaged(f"{what} is not as it was written") from error


_WRITING_FAILED = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR_WRITE: errno.EIO}


@contextmanager
def no_room_is_os_error(folder: Path) -> Iterator[None]:
    """Where a copy of a forest is written into a folder: raise OSError if that cannot be done.

    Of SQLite's error or of the forest's that came of it; others pass.
    """
    try:
        yield
    except (sqlite3.OperationalError, StoreError) as error:
        cause = error.__cause__ if isinstance(error, StoreError) else error
        number = _WRITING_FAILED.get(getattr(cause, "sqlite_errorcode", 0))
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(folder)) from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection is in the way, so that waiting may help."""
    name: str = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


@contextmanager
def forest_errors(url: str) -> Iterator[None]:
    """Turn what SQLite says into the forest's errors."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if is_busy(error):
            raise StoreUnavailable(
                f"{url} is being written by another process",
                hint="Nothing of this change was stored. Try again when the other one is done.",
            ) from error
        if name.startswith("SQLITE_FULL"):
            raise StoreUnavailable(
                f"the disk is full: {url} could not be written",
                hint="Nothing of this change was stored. Make room and try again.",
            ) from error
        if name == "SQLITE_READONLY_DBMOVED":
            raise StoreError(
                f"{url} was removed or renamed while it was open",
                hint="Nothing of this change was stored. Open the forest again.",
            ) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise StoreError(
                f"{url} cannot be written: {error}", hint="Check the permissions of its folder."
            ) from error
        if name.startswith("SQLITE_NOTADB"):
            raise StoreError(
                f"{url} is not a forest: it is not a SQLite file",
                hint="Name another file with --store sqlite:///PATH.",
            ) from error
        if name.startswith("SQLITE_IOERR"):
            raise StoreUnavailable(
                f"reading or writing {url} failed: {error}",
                hint="Nothing of this change was stored. Is the disk full or broken?",
            ) from error
        if _is_damage(error, name):
            said = "a text is not UTF-8" if str(error).startswith(_NO_UTF8) else error
            raise StoreError(
                f"{url} is damaged: {said}",
                hint=f"Put your last copy of it in its place.{_without_copy(url)}",
            ) from error
        if isinstance(error, sqlite3.ProgrammingError):
            if "closed database" in str(error):
                raise StoreError(f"the forest {url} is closed", hint="Open it again.") from error
            if "same thread" in str(error):
                raise StoreError(
                    f"{url} was opened in another thread",
                    hint="Open the forest once in each thread: they may use one file at once.",
                ) from None
        raise StoreError(f"{url}: {error}") from error


def _without_copy(url: str) -> str:
    """What a damaged file still gives, if it gives any: looks for a tree that can be read."""
    from forest.stores.sqlite.reading import read_tree

    file = f"{Path(url.removeprefix('sqlite:///')).absolute().as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(file, uri=True)) as db:
        ids = db.execute(f"SELECT id FROM tree ORDER BY id LIMIT {_TRIED}").fetchall()  # noqa: S608
        for (tree_id,) in ids:
            with suppress(sqlite3.Error):
                if read_tree(db, tree_id, {}):
                    return (
                        " Without one, `forest show TREE --yaml` still prints each tree that can "
                        f"be read, such as {tree_id!r}."
                    )
    return ""


_TRIED = 100  # trees: what a message is worth
_NO_UTF8 = "Could not decode to UTF-8"  # goes on with the bytes, which are no text to show


def _is_damage(error: sqlite3.Error, name: str) -> bool:
    said = str(error)
    return (
        isinstance(error, Damaged)
        or name.startswith("SQLITE_CORRUPT")
        or said.startswith((_NO_UTF8, "no such table", "no such column", "malformed"))
    )
