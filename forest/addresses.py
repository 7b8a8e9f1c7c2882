"""What a forest calls the files that its trees came from."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forest.stores.base import Store


def address(store: Store, path: Path) -> str:
    """What tells a file from others of its name: its path from the forest's file, or whole.

    So it is the same from whichever folder it is imported, and two authors of one server who
    both have a ``notes/Index.md`` do not write over each other's tree.
    """
    whole, home = whole_path(path), store.folder
    with suppress(ValueError):  # on another drive
        if home is not None:
            whole = os.path.relpath(whole, os.path.realpath(home))
    return unicodedata.normalize("NFC", Path(whole).as_posix())


def is_in(file: str, folder: str) -> bool:
    """Whether a file lies in a folder, both called as `address` calls them."""
    if folder == ".":
        return bool(file) and not file.startswith(("/", "../"))
    return file.startswith(f"{folder}/")


def readdressed(old: Store, new: Store) -> Callable[[str], str]:
    """What one forest calls a file that another one calls so; the same where it is not there.

    For it may be on another machine, or be no file.
    """

    @cache
    def called(file: str) -> str:
        with suppress(OSError, ValueError):
            there = Path(file) if old.folder is None else old.folder / file
            if there.is_absolute() and there.is_file():
                return address(new, there)
        return file

    return called


def whole_path(path: Path) -> str:
    """The whole path; a file or folder that is a link keeps its own name."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow the last link
    return str(Path(os.path.realpath(whole.parent)) / whole.name)
