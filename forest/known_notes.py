"""Notes under the names under which the forest knows them.

The ids of a note's trees begin with its path in the folder that was imported: ``sub/время`` with
its vault, ``время`` alone. By either path it is the same file, and so the same trees. So it is
where it was moved or renamed, if it says what a file said that is gone.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache, cached_property, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from forest import file_versions
from forest.errors import ForestError, InvalidTree, NotATree
from forest.formats import SourceFile, read_file
from forest.formats.files import ids_of_note, is_note, link_keys, names_of_note, note_of
from forest.marks import authored
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
        self._found: set[str] = set()
        """Files that are gone, and were found again under another name."""

    def sources(self) -> list[SourceFile]:
        """All files of the import, in their order."""
        done: dict[str, SourceFile] = {}
        for file, source in self._files.items():
            if is_note(source) and (ids := self._known.get(file)):
                done[file] = self._as_known(source, ids)
        taken = {note_of(source) for source in done.values()}
        rest = [file for file in self._files if file not in done]
        for file in sorted(rest, key=lambda f: _name(f) not in self._gone_names):
            source = self._files[file]
            done[file] = self._as_new(source, taken) if is_note(source) else source
        return [done[file] for file in self._files]

    @cached_property
    def _known(self) -> dict[str, list[str]]:
        """The trees that came from each note of the import."""
        known: dict[str, list[str]] = {}
        for id_, file, _ in self._store.sources():
            if file is not None and file in self._files:
                known.setdefault(file, []).append(id_)
        return known

    @cached_property
    def _gone(self) -> dict[str, list[tuple[str, str]]]:
        """(file, tree) by what a file said that is not there any more."""
        gone: dict[str, list[tuple[str, str]]] = {}
        is_gone = cache(partial(file_versions.is_gone, self._store))
        for id_, file, revision in self._store.sources():
            if file is not None and file not in self._files and is_gone(file):
                gone.setdefault(file_versions.read(revision)[1], []).append((file, id_))
        return gone

    @cached_property
    def _gone_names(self) -> set[str]:
        """The names of files that are gone: of notes alike, the one of such a name is that file."""
        return {_name(file) for found in self._gone.values() for file, _ in found}

    def _as_known(self, source: SourceFile, ids: list[str]) -> SourceFile:
        source = dataclasses.replace(source, names=self._names_of(source, ids))
        if _begins_one_of(note_of(source), ids):
            return source
        for name in ids_of_note(source):
            if _begins_one_of(name, ids):
                return dataclasses.replace(source, note=name)
        before = self._as_before(source, ids)
        return self._found_again(source) if before is source and self._gone else before

    def _as_new(self, source: SourceFile, taken: set[str]) -> SourceFile:
        """A note that was found again; or a new one, whose name no other note of the import has."""
        found = self._found_again(source) if self._gone else source
        if found is not source or note_of(source) not in taken:
            return found
        free = (name for name in ids_of_note(source) if name not in taken)
        return dataclasses.replace(source, note=next(free, source.note))

    # --- what was moved ------------------------------------------------------------------------

    def _found_again(self, source: SourceFile) -> SourceFile:
        """The note as it was called when it was another file, if it says what that said."""
        keys = link_keys(source)
        said = [
            (file, tree.id, id_)
            for tree in self._trees(source)
            for file, id_ in self._gone.get(file_versions.of_file(tree, keys), ())
            if file not in self._found
        ]
        if not said:
            return source
        trees = Counter(file for file, _, _ in said)
        own = unicodedata.normalize("NFC", source.path.stem)
        file = max(trees, key=lambda f: (trees[f], _name(f) == own))
        self._found.add(file)
        pairs = [(id_, old) for other, id_, old in said if other == file]
        names = self._names_of(source, [old for _, old in pairs])
        return dataclasses.replace(_renamed(source, pairs), names=names)

    def _as_before(self, source: SourceFile, ids: Iterable[str]) -> SourceFile:
        """A note that lies elsewhere than when it got its name: its parts tell which that was."""
        own = note_of(source)
        pairs = [
            (tree.id, old)
            for tree in self._trees(source)
            for old in ids
            if tree.id != own or self._is_of_a_note(old)
        ]
        return _renamed(source, pairs)

    def _is_of_a_note(self, id_: str) -> bool:
        """Whether a tree is that of a note itself, and not of a part of it."""
        with suppress(NotATree, InvalidTree):
            return self._store.get(id_).root.kind == "title"
        return False

    def _trees(self, source: SourceFile) -> list[Tree]:
        try:
            items = list(read_file(source, self._format, lambda _: None))
        except ForestError:  # is told when the file is read to be imported
            return []
        return [item for item in items if isinstance(item, Tree)]

    # --- how links find it ---------------------------------------------------------------------

    def _names_of(self, source: SourceFile, ids: Iterable[str]) -> tuple[str, ...]:
        """What links call a note that the forest knows.

        Read alone, or as of a folder in its vault, it keeps what it is called in there: who sees a
        part only cannot know whether a short name is that of one note.
        """
        known = self._linked_as(source, ids)
        return known if _depth(known) > _depth(source.names) else source.names

    def _linked_as(self, source: SourceFile, ids: Iterable[str]) -> tuple[str, ...]:
        """What links call a note, by the roots of the trees that came from it.

        The longest names of all; of several, those that were told last. A tree that was edited in
        the forest keeps those that it had, and so does one that left the note.
        """
        found: list[tuple[tuple[int, bool, str], tuple[str, ...]]] = [((0, False, ""), ())]
        for id_ in ids:
            with suppress(NotATree, InvalidTree):
                tree = self._store.get(id_)
                links = {a.phrase for a in tree.root.anchors if a.kind == "link"}
                names = tuple(name for name in names_of_note(source) if name in links)
                as_in_file = authored(tree).revision == file_versions.read(tree.source_revision)[0]
                told = tree.updated_at.isoformat() if tree.updated_at else ""
                found.append(((_depth(names), as_in_file, told), names))
        return max(found)[1]


def _renamed(source: SourceFile, pairs: Iterable[tuple[str, str]]) -> SourceFile:
    """The note under the name that leads from most ids of its trees to those of the forest.

    :param pairs: (id that a tree has by the note's own name, one that the forest has).
    """
    names, own = Counter[str](), note_of(source)
    for id_, old in pairs:
        part = id_.removeprefix(own)
        is_part = id_ == own or (part != id_ and part.startswith("/"))
        if is_part and old.endswith(part):
            names[old.removesuffix(part)] += 1
    if not names:
        return source
    return dataclasses.replace(source, note=min(names, key=lambda n: (-names[n], len(n), n)))


def _begins_one_of(name: str, ids: Iterable[str]) -> bool:
    """Whether one of the trees is that of a note of this name, or of a part of the note."""
    return any(id_ == name or id_.startswith(f"{name}/") for id_ in ids)


def _name(file: str) -> str:
    return PurePosixPath(file).stem


def _depth(names: Iterable[str]) -> int:
    """How many folders the longest of some names tells."""
    return max((name.count("/") for name in names), default=0)
