"""What SQLite says, as errors of the forest."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from forest.errors import StoreError, StoreUnavailable


@contextmanager
def forest_errors(url: str) -> Iterator[None]:
    """Turn what SQLite says into the forest's errors."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise StoreUnavailable(
                f"{url} is being written by another process",
                hint="Nothing of this change was stored. Try again when the other one is done.",
            ) from error
        if name.startswith("SQLITE_FULL"):
            raise StoreUnavailable(
                f"the disk is full: {url} could not be written",
                hint="Nothing of this change was stored. Make room and try again.",
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
        raise StoreError(
            f"{url}: {error}", hint="`forest check` says whether the file is damaged."
        ) from error
