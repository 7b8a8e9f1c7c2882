"""Where the trees of a forest came from, and which of them an import has found again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from forest import file_versions
from forest.errors import InvalidTree, NotATree
from forest.model import Tree

if TYPE_CHECKING:
    from forest.stores.base import Store

IsGone = Callable[[str | None], bool]


class Origins:
    """The trees of a forest by the files that they came from, at the beginning of an import.

    What is told of a tree of a file is its `Tree.source_revision`.

    :param files: those that are imported, as the forest calls them.
    :param is_gone: whether a file is surely not there any more.
    :param homes: files that were others when they were imported, each with that one.
    """

    def __init__(
        self, store: Store, files: Collection[str], is_gone: IsGone, homes: Mapping[str, str]
    ) -> None:
        self.files = files
        self._homes = homes
        self._store = store
        self._is_gone = is_gone
        self.ids: set[str] = set()
        """All trees of the forest."""
        self.gone: dict[str, str] = {}
        """Trees that left their files, or whose files are gone: they may have been moved."""
        self.read: dict[str, str] = {}
        """Trees of all files that are imported: one may say now what another said."""
        self.open: dict[str, str] = {}
        """Trees of the imported files, of their homes and `gone` ones that were not found yet."""
        self.taken: set[str] = set()
        """Trees that the files have: the store may have what these say now."""
        self._file: dict[str, str] = {}
        self._by_file = self._sorted()

    def _sorted(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {n: {} for n in (*self.files, *self._homes.values())}
        for id_, source, revision in self._store.sources():
            self.ids.add(id_)
            left, said = file_versions.read(revision).left, revision or ""
            if source in found:
                found[source][id_] = self.open[id_] = said
            if source in self.files:
                self.read[id_] = said
                if not left:
                    self._file[id_] = source or ""
            if left or (source not in self.files and self._is_gone(source)):
                self.gone[id_] = self.open[id_] = said
        return found

    def of(self, file: str) -> Mapping[str, str]:
        """The trees that came from a file."""
        return self._by_file.get(self._homes.get(file, file), {})

    def file_of(self, id_: str) -> str | None:
        """The file that is read, too, from which a tree came that did not leave it."""
        return self._file.get(id_)

    def take(self, id_: str) -> None:
        """Let a tree be one that the files have."""
        self.taken.add(id_)
        self.open.pop(id_, None)

    @cached_property
    def by_said(self) -> Mapping[str, list[str]]:
        """The trees that were not found when it was asked first, by what their files said."""
        found: dict[str, list[str]] = {}
        for id_, said in self.open.items():
            found.setdefault(file_versions.read(said).file, []).append(id_)
        return found

    def stored(self, id_: str) -> Tree | None:
        """The forest's tree; None for what an author left as no tree."""
        with suppress(NotATree, InvalidTree):
            return self._store.get(id_)
        return None
