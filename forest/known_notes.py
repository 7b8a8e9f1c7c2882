"""Notes under the names under which the forest knows them.

The ids of a note's trees begin with its path in the folder that was imported: ``sub/время`` with
its vault, ``время`` alone. By either path it is the same file, and so the same trees.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from forest import file_versions
from forest.errors import ForestError, InvalidTree, NotATree
from forest.formats import SourceFile, read_file
from forest.formats.files import ids_of_note, is_note, link_keys, names_of_note, note_of
from forest.model import Tree

if TYPE_CHECKING:
    from forest.stores.base import Store


class KnownNotes:
    """The files of an import, each note as the forest knows it.

    :param files: by what the forest calls them.
    :param format: what they are read as.
    """

    def __init__(self, store: Store, files: Mapping[str, SourceFile], format: str) -> None:
        self._store = store
        self._files = files
        self._format = format
        self._known: dict[str, dict[str, str]] = {}
        """The trees of each note that was imported, with what `Tree.source_revision` says."""
        self._others: dict[str, dict[str, dict[str, str]]] = {}
        """The same of files that are not imported now, by the name of the file without folders."""

    def sources(self) -> list[SourceFile]:
        """All files of the import, in their order."""
        notes = {file for file, source in self._files.items() if is_note(source)}
        if not notes:
            return list(self._files.values())
        self._look(notes)
        return [
            self._as_known(file, source) if file in notes else source
            for file, source in self._files.items()
        ]

    def _look(self, notes: set[str]) -> None:
        stems = {PurePosixPath(file).name for file in notes}
        for id_, file, revision in self._store.sources():
            if file in notes:
                self._known.setdefault(file, {})[id_] = revision or ""
            elif file and file not in self._files and (name := PurePosixPath(file).name) in stems:
                there = self._others.setdefault(name, {}).setdefault(file, {})
                there[id_] = revision or ""

    def _as_known(self, file: str, source: SourceFile) -> SourceFile:
        if file not in self._known:
            return next(self._moved(file, source), source)
        ids = self._known[file]
        source = dataclasses.replace(source, names=self._names_of(source, ids))
        return source if _begins_one_of(note_of(source), ids) else _named(source, ids)

    def _moved(self, file: str, source: SourceFile) -> Iterator[SourceFile]:
        """The note as it was called in a folder that is gone, if it says what it said there."""
        for other, ids in self._others.get(PurePosixPath(file).name, {}).items():
            named = _named(source, ids)
            if named.note != source.note and is_gone(self._store, other) and self._says(named, ids):
                yield named

    def _says(self, source: SourceFile, ids: Mapping[str, str]) -> bool:
        """Whether a file says just what these trees came from."""
        names, said = link_keys(source), False
        try:
            for item in read_file(source, self._format, lambda _: None):
                if not isinstance(item, Tree) or item.id not in ids:
                    return False
                said = file_versions.says(item, ids[item.id], names)
                if not said:
                    return False
        except ForestError:  # is told when the file is read for its trees
            return False
        return said

    def _names_of(self, source: SourceFile, ids: Iterable[str]) -> tuple[str, ...]:
        """What links call a note that the forest knows.

        Read alone, or as of a folder in its vault, it keeps what it is called in there: who sees a
        part only cannot know whether a short name is that of one note.
        """
        known = self._linked_as(source, ids)
        if _depth(known) <= _depth(source.names) and source.names:
            return source.names
        return tuple(dict.fromkeys((*known, *(n for n in source.names if "/" in n))))

    def _linked_as(self, source: SourceFile, ids: Iterable[str]) -> tuple[str, ...]:
        """What links call a note, by the root of the tree that came from it."""
        for id_ in ids:
            with suppress(NotATree, InvalidTree):
                links = {a.phrase for a in self._store.get(id_).root.anchors if a.kind == "link"}
                if names := tuple(name for name in names_of_note(source) if name in links):
                    return names
        return ()


def is_gone(store: Store, source: str | None) -> bool:
    """Whether a tree's file is surely not there any more; it may be on another machine."""
    home = store.folder
    return home is not None and source is not None and not (home / source).exists()


def _named(source: SourceFile, ids: Iterable[str]) -> SourceFile:
    """The note under the name with which these ids begin, if it may be called so."""
    ids = list(ids)
    name = next((name for name in ids_of_note(source) if _begins_one_of(name, ids)), source.note)
    return dataclasses.replace(source, note=name)


def _begins_one_of(name: str, ids: Iterable[str]) -> bool:
    """Whether one of the trees is that of a note of this name, or of a part of the note."""
    return any(id_ == name or id_.startswith(f"{name}/") for id_ in ids)


def _depth(names: Iterable[str]) -> int:
    """How many folders the longest of some names tells."""
    return max((name.count("/") for name in names), default=0)
