"""What the notes of an import say, and what the forest remembers that files said.

Two sides of the same question, whose trees are whose (`forest.known_notes`). A note is read only if
somebody asks what it says, and again if somebody asks for its words, which are not kept; all notes
are read for what tells nobody apart (`dull`). The forest's trees are sorted once by their files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from forest import file_versions
from forest.errors import ForestError, InvalidTree, NotATree
from forest.file_versions import FileVersion
from forest.formats import SourceFile, read_file
from forest.formats.files import ids_of_note, is_note, link_keys, note_of
from forest.likeness import shingles, uid_of, words
from forest.model import Tree
from forest.moved_notes import name_of, says_some, stays
from forest.origins import IsGone

if TYPE_CHECKING:
    from forest.stores.base import Store


Known = list[tuple[str, FileVersion]]
"""The trees that came from a file."""


class Said(NamedTuple):
    """A tree of a note: the id that it has by the note's own name, and what it says."""

    id: str
    hash: str
    in_block: bool
    """Whether it is a block of data, see `InFile.in_block`."""
    uid: object
    """The UID of a question."""
    is_question: bool


class NoteRecords:
    """The notes of an import beside what the forest knows of files.

    :param files: all files of the import, by what the forest calls them.
    :param format: what they are read as.
    :param is_gone: whether a file is surely not there any more.
    """

    def __init__(
        self, store: Store, files: Mapping[str, SourceFile], format: str, is_gone: IsGone
    ) -> None:
        self._store = store
        self._is_gone = is_gone
        self._files = files
        self._format = format
        self.notes = {file: source for file, source in files.items() if is_note(source)}
        self._read: dict[str, list[Said] | None] = {}
        self._writers: dict[str, set[str]] = {}
        self.bytes_of = cache(lambda file: file_versions.of_bytes(self.notes[file].path))
        """A hash of a note's bytes."""
        self.stays = cache(self._stays)
        """Whether a note has one of its questions, or most of its words still."""

    # --- what the forest remembers -------------------------------------------------------------

    @cached_property
    def known(self) -> dict[str, list[tuple[str, FileVersion]]]:
        """The trees that came from each note of the import."""
        return {file: trees for file, trees in self.trees.items() if file in self.notes}

    @cached_property
    def gone(self) -> dict[str, list[tuple[str, FileVersion]]]:
        """The trees of each file that is not there any more."""
        return {file: trees for file, trees in self.trees.items() if file not in self.notes}

    @property
    def trees(self) -> dict[str, list[tuple[str, FileVersion]]]:
        """The trees of notes that are imported, and of files that are gone."""
        return self._sorted[0]

    @property
    def left(self) -> dict[str, tuple[str, FileVersion]]:
        """The trees that left their files, each by its file's name, a NUL and its id."""
        return self._sorted[1]

    @cached_property
    def _sorted(
        self,
    ) -> tuple[dict[str, list[tuple[str, FileVersion]]], dict[str, tuple[str, FileVersion]]]:
        trees: dict[str, list[tuple[str, FileVersion]]] = {}
        left: dict[str, tuple[str, FileVersion]] = {}
        for id_, file, revision in self._store.sources():
            version = file_versions.read(revision)
            if version.left:
                left[f"{file}\0{id_}"] = id_, version
            elif file in self.notes or (file not in self._files and self._is_gone(file)):
                trees.setdefault(file or "", []).append((id_, version))
        return _own(trees), left

    @cached_property
    def elsewhere(self) -> dict[str, list[tuple[str, FileVersion]]]:
        """The trees of notes that are there and not imported, by their files."""
        trees: dict[str, list[tuple[str, FileVersion]]] = {}
        for id_, file, revision in self._store.sources():
            if file is None or file in self._files or file in self.gone:
                continue
            version = file_versions.read(revision)
            if is_note(SourceFile(Path(file), file)) and not version.left:
                trees.setdefault(file, []).append((id_, version))
        return _own(trees)

    def has_its_bytes(self, file: str) -> bool:
        """Whether a note of the import has the bytes with which each of its trees was read."""
        known = self.known.get(file, ())
        return bool(known) and {then.bytes for _, then in known} == {self.bytes_of(file)}

    def untouched(self, file: str) -> bool:
        """Whether a note that is not imported has the bytes that it had."""
        bytes_ = file_versions.of_bytes(self._path_of(file))
        return any(then.bytes == bytes_ != "" for _, then in self.elsewhere[file])

    def is_copied(self, file: str, then: set[str]) -> bool:
        """Whether a note that is not imported still says what it said, as far as can be seen."""
        source = SourceFile(self._path_of(file), file)
        try:
            there = shingles(texts(self.parsed(source))) if source.path.is_file() else set()
        except (ForestError, OSError):
            return False
        return stays(there, then, set())

    def _path_of(self, file: str) -> Path:
        return (self._store.folder or Path()) / file

    @cached_property
    def ids(self) -> list[str]:
        """All trees of the forest."""
        return [id_ for id_, _, _ in self._store.sources()]

    @cached_property
    def strange(self) -> set[str]:
        """Names in the forest that notes got where they were before, and not where they are.

        So are those of trees that left their files, of files that are gone, and of files of data.
        """
        strange = {id_ for id_, _ in self.left.values()}
        for id_, file, _ in self._store.sources():
            there = SourceFile(Path(file or ""), file or "")
            if file and not is_note(there):
                strange.add(id_)
            elif file and file not in self._files:
                names = {id_, id_.rpartition("/")[0]} - {""}
                if self._is_gone(file) or not names & set(ids_of_note(there)):
                    strange |= names
        return strange

    # --- what notes say ------------------------------------------------------------------------

    @cached_property
    def changed(self) -> set[str]:
        """Notes that say nothing of what they said."""
        return {
            file
            for file, trees in self.known.items()
            if all(self.bytes_of(file) != then.bytes for _, then in trees)
            and not self._says_some_of(file, trees)
        }

    @cached_property
    def said_still(self) -> set[str]:
        """What notes say that still say what they said."""
        still = (trees for file, trees in self.known.items() if file not in self.changed)
        return {version.file for trees in still for _, version in trees}

    def _says_some_of(self, file: str, trees: Iterable[tuple[str, FileVersion]]) -> bool:
        """Whether a note still says one of these trees; one that cannot be read may."""
        if not self.can_be_read(file):
            return True
        then = {version.file for _, version in trees}
        return any(one.hash in then for one in self.said(file))

    def _stays(self, file: str) -> bool:
        return self.asks_the_same(file) or stays(*self._now_and_then(file))

    def says_some(self, file: str) -> bool:
        """Whether a note has anything of what it said."""
        return says_some(*self._now_and_then(file))

    def _now_and_then(self, file: str) -> tuple[set[str], set[str], set[str]]:
        """What a note says, what it said, and what of that tells nobody apart."""
        now, then = self.texts_of(file), self.stored_texts(id_ for id_, _ in self.known[file])
        return now, then, self.dull(now | then, least=3)

    def asks_the_same(self, file: str) -> bool:
        """Whether a note asks one of the questions that its file asked."""
        old = filter(None, (self.stored(id_) for id_, _ in self.known.get(file, ())))
        if asked := _questions(old):
            return not asked.isdisjoint(_questions(self.parsed(self.notes[file])))
        return False

    def words_of(self, file: str, one: Said) -> set[str]:
        """What a tree of a note says."""
        return next(words(t) for t in self.parsed(self.notes[file]) if t.id == one.id)

    def said(self, file: str) -> list[Said]:
        """What a note says; of one that cannot be read nothing."""
        return self._read_note(file) or []

    def _read_note(self, file: str) -> list[Said] | None:
        if file not in self._read:
            source = self.notes[file]
            keys = link_keys(source)
            self._read[file] = None
            with suppress(ForestError):  # is told when the file is read to be imported
                if source.path.is_file():  # a pipe is read once
                    trees = self.parsed(source)
                    self._read[file] = [
                        Said(
                            t.id,
                            file_versions.of_file(t, keys),
                            t.in_file.in_block,
                            uid_of(t),
                            t.root.kind == "question",
                        )
                        for t in trees
                    ]
            for id_ in self.written_ids(file):
                self._writers.setdefault(id_, set()).add(file)
        return self._read[file]

    def can_be_read(self, file: str) -> bool:
        """Whether a note can be read; it is read to know."""
        return self._read_note(file) is not None

    def is_unreadable(self, file: str) -> bool:
        """Whether somebody asked what a note says, and it could not be read."""
        return self._read.get(file, []) is None

    def was_read(self, file: str) -> bool:
        """Whether a note was read by now, because somebody asked what it says."""
        return self._read.get(file) is not None

    def parsed(self, source: SourceFile) -> list[Tree]:
        """The trees of a note, without those that cannot be read."""
        items = read_file(source, self._format, lambda _: None)
        return [item for item in items if isinstance(item, Tree)]

    def stored(self, id_: str) -> Tree | None:
        """A tree of the forest; None where it is not there, or is none."""
        with suppress(NotATree, InvalidTree):
            return self._store.get(id_)
        return None

    def texts_of(self, file: str) -> set[str]:
        """All that a note says, without its blocks of data; of one that cannot be read nothing."""
        if not self.can_be_read(file):
            return set()
        own = [tree for tree in self.parsed(self.notes[file]) if not tree.in_file.in_block]
        named = [tree.in_file.named_by_file for tree in own]
        return shingles(
            t.text for tree, n in zip(own, named, strict=True) for t in tree.thoughts[n:]
        )

    def stored_texts(self, ids: Iterable[str]) -> set[str]:
        """All that some trees of the forest say, but for a root that is the name of its file."""
        trees = filter(None, map(self.stored, ids))
        return shingles(
            t.text for tree in trees for t in tree.thoughts[_is_called_as_its_file(tree) :]
        )

    def dull(self, some: Iterable[str], least: int) -> set[str]:
        """Which of some texts tell nobody apart, as those of a template.

        So many notes say them, or two of the files that are gone or say something else now.
        """
        return {t for t in some if self._times[hash(t)] >= least or self._times_then[hash(t)] > 1}

    @cached_property
    def _times(self) -> Counter[int]:
        """By the hash of a text, how many notes say it.

        All of the import are read to know, and what the forest has of the others.
        """
        times = Counter(hash(text) for file in self.notes for text in self.texts_of(file))
        for trees in self.elsewhere.values():
            times.update(hash(text) for text in self.stored_texts(id_ for id_, _ in trees))
        return times

    @cached_property
    def _times_then(self) -> Counter[int]:
        """By the hash of a text, how many files said it that are gone or say something else now."""
        places = [self.gone[file] for file in self.gone] + [self.known[f] for f in self.changed]
        said = (self.stored_texts(id_ for id_, _ in trees) for trees in places)
        return Counter(hash(text) for texts in said for text in texts)

    def is_of_a_note(self, id_: str) -> bool:
        """Whether a tree is that of a note itself, and not of a part of it."""
        tree = self.stored(id_)
        return tree is not None and tree.root.kind == "title"

    def unnamed(self, file: str) -> list[str]:
        """What the trees of a note say that are called as the note."""
        own = note_of(self.notes[file])
        return [o.hash for o in self.own(file) if begins_one_of(own, [o.id])]

    def own(self, file: str) -> list[Said]:
        """What a note says, without its blocks of data."""
        return [one for one in self.said(file) if not one.in_block]

    def written_ids(self, file: str) -> set[str]:
        """The ids that a note itself says."""
        own = note_of(self.notes[file])
        said = self.said(file)
        return {one.id for one in said if one.in_block or not begins_one_of(own, [one.id])}

    def is_of_another(self, id_: str, file: str) -> bool:
        """Whether a note that was read, and not this one, says that a tree's id is its own."""
        writers = self._writers.get(id_, ())
        return bool(writers) and file not in writers


def _own(trees: Mapping[str, Known]) -> dict[str, Known]:
    """The trees of each file; of a note without those of its blocks of data."""
    own: dict[str, Known] = {}
    for file, known in trees.items():
        noted = is_note(SourceFile(Path(file), file))
        own[file] = [one for one in known if one[1].bytes] if noted else known
    return {file: known for file, known in own.items() if known}


def begins_one_of(name: str, ids: Iterable[str]) -> bool:
    """Whether one of the trees is that of a note of this name, or of a part of the note."""
    return any(id_ == name or id_.startswith(f"{name}/") for id_ in ids)


def _is_called_as_its_file(tree: Tree) -> bool:
    name = name_of(tree.source or "")
    return tree.root.kind == "title" and tree.root.text == tree.title == name


def _questions(trees: Iterable[Tree]) -> set[str]:
    """By what the questions of dialogues are known."""
    return {tree.id.rpartition("/")[2] for tree in trees if tree.root.kind == "question"}


def texts(trees: Iterable[Tree]) -> set[str]:
    """All that trees say."""
    return {thought.text for tree in trees for thought in tree.thoughts}
