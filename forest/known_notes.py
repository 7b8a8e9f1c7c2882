"""Notes under the names under which the forest knows them.

The ids of a note's trees begin with its path in the folder that was imported: ``sub/время`` with
its vault, ``время`` alone. By either path it is the same file, and so the same trees. So it is
where it was moved or renamed, if it says what another file said (`forest.moved_notes`), and so is
a part of it that went to another note.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from functools import cache, cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from forest import file_versions
from forest.errors import ImportRefused
from forest.file_versions import FileVersion
from forest.formats import SourceFile
from forest.formats.files import ids_of_note, is_note, names_of_note, note_of
from forest.likeness import ALIKE, likeness, uid_of, words
from forest.marks import authored
from forest.model import Tree
from forest.moved_notes import moved, name_of, renamed, resembling, says_most
from forest.note_records import NoteRecords, Said, begins_one_of, texts
from forest.origins import IsGone

if TYPE_CHECKING:
    from forest.stores.base import Store


class KnownNotes:
    """The files of an import, each note as the forest knows it.

    :param files: by what the forest calls them.
    :param format: what they are read as.
    :param is_gone: whether a file is surely not there any more.
    :param replace: whether a note may write over another tree.
    """

    def __init__(
        self,
        store: Store,
        files: Mapping[str, SourceFile],
        format: str,
        is_gone: IsGone,
        *,
        replace: bool = False,
    ) -> None:
        self._records = NoteRecords(store, files, format, is_gone)
        self._files = files
        self._replace = replace
        self._open: dict[str, list[tuple[str, FileVersion]]] = {}
        """Files that no note says any more, and what left files, by their names and a NUL."""
        self._texts_at = cache(self._texts_then)
        """What was said in one of these places, or of `_then`."""

    def sources(self) -> list[SourceFile]:
        """All files of the import, in their order."""
        done: dict[str, SourceFile] = {}
        for file, source in self._records.notes.items():
            if file in self._found:
                done[file] = self._as_moved(file, source)
            elif other := self._half_swapped.get(file):
                problem = _half_of_a_swap(source, other, is_read=other in self._records.notes)
                done[file] = dataclasses.replace(source, problem=problem)
            elif ids := self._ids_of(file):
                done[file] = self._as_known(file, source, ids)
        taken = {note_of(source) for source in done.values()}
        for file, source in self._records.notes.items():
            if file not in done:
                done[file] = self._as_new(source, taken)
                taken.add(note_of(done[file]))
        self._follow_parts(done)
        self._tell_apart(done)
        return [done.get(file, source) for file, source in self._files.items()]

    @property
    def homes(self) -> dict[str, str]:
        """The notes that were other files when they were imported, each with that file."""
        return {file: home.partition("\0")[0] for file, home in self._found.items()}

    @cached_property
    def _found(self) -> dict[str, str]:
        """The notes that were other files: each with one of `_then`, or of `_open`."""
        if not self._then:
            return {}
        records = self._records
        others = [file for file in records.notes if file not in records.known]
        # a tree that says its id is known by that, wherever it stands
        now = {file: set(records.unnamed(file)) for file in (*records.changed, *others)}
        then = {at: {version.file for _, version in trees} for at, trees in self._then.items()}
        for file in records.changed:  # what a note says that did not move, others copied from it
            then[file] -= records.said_still
        homes = moved(now, then, records.stays, self._keeps_its_place)
        unknown = [file for file, said in now.items() if said and file not in homes]
        homes |= self._resembling(unknown, homes)
        return {file: home for file, home in homes.items() if home != file}

    def _keeps_its_place(self, file: str) -> bool:
        """Whether a note says anything of what it said, and not most of what another file said."""
        records = self._records
        if records.stays(file):
            return True
        if not records.says_some(file):
            return False
        now = records.texts_of(file)
        others = (self._texts_at(at) for at in self._then if at != file)
        near = (then for then in others if not now.isdisjoint(then))
        return not any(says_most(now, then, records.dull(then, 2)) for then in near)

    @cached_property
    def _homes(self) -> set[str]:
        """The places of which a note was found."""
        return set(self._found.values())

    def _resembling(self, notes: list[str], homes: Mapping[str, str]) -> dict[str, str]:
        """Those of some notes that were moved and edited at once.

        :param homes: the notes that are known, each with the file that it was.
        """
        records = self._records
        if not notes:
            return {}
        names, at_home = {name_of(file) for file in notes}, set(homes.values())
        left: dict[str, list[tuple[str, FileVersion]]] = {}
        for at, tree in records.left.items():
            file = at.partition("\0")[0]
            if at not in at_home and name_of(file) in names:  # it may have come back
                left.setdefault(f"{file}\0", []).append(tree)
        gone = {f: trees for f, trees in records.gone.items() if is_note(SourceFile(Path(f), f))}
        changed = {file: records.known[file] for file in records.changed}
        places = gone | changed | left
        self._open = {at: places[at] for at in places.keys() - at_home}
        then = {at: self._texts_at(at) for at in self._open}
        return resembling(notes, then, records.texts_of, records.dull, records.asks_the_same)

    def _texts_then(self, place: str) -> set[str]:
        return self._records.stored_texts(id_ for id_, _ in self._trees_at(place))

    def _trees_at(self, place: str) -> list[tuple[str, FileVersion]]:
        return self._open.get(place) or self._then[place]

    @cached_property
    def _then(self) -> dict[str, list[tuple[str, FileVersion]]]:
        """Where notes may have come from.

        Files that are gone or say something else now; and single trees that left a file, by its
        name, a NUL and their id.
        """
        records = self._records
        changed = {file: records.known[file] for file in records.changed}
        return records.gone | changed | {at: [tree] for at, tree in records.left.items()}

    # --- whose trees they are ------------------------------------------------------------------

    def _ids_of(self, file: str) -> list[str]:
        """The trees that came from a note, but for those that another note has now."""
        if file in self._homes:
            return []
        records, known = self._records, self._records.known.get(file, [])
        if not records.was_read(file):
            return [id_ for id_, _ in known]
        ids = [pair for pair in known if not records.is_of_another(pair[0], file)]
        unsaid = {i for i, then in ids if then.says_id} - records.written_ids(file)
        if unsaid and file in records.changed and not records.stays(file):
            return [id_ for id_, _ in ids if id_ not in unsaid]  # nothing is left of that note
        return [id_ for id_, _ in ids]

    def _as_moved(self, file: str, source: SourceFile) -> SourceFile:
        """A note that is another file, under the name by which the forest knows that."""
        place = self._found[file]
        was, said = dict(self._trees_at(place)), self._records.own(file)
        ids = self._naming(was)
        pairs = [(one.id, id_) for one in said for id_ in ids if was[id_].file == one.hash]
        if not pairs:
            pairs = self._alike(file, ids)
        names = self._names_of(source, [id_ for _, id_ in pairs])
        return dataclasses.replace(source, note=renamed(pairs, note_of(source)), names=names)

    def _as_known(self, file: str, source: SourceFile, ids: list[str]) -> SourceFile:
        ids = self._current(file, ids)
        source = dataclasses.replace(source, names=self._names_of(source, ids))
        if begins_one_of(note_of(source), ids):
            return source
        for name in ids_of_note(source):
            if begins_one_of(name, ids):
                return dataclasses.replace(source, note=name)
        # It lies elsewhere than when it got its name: its parts tell which that was.
        name = renamed(self._alike(file, ids), note_of(source))
        if self._is_of_another(name, file) and self._says_itself(file):
            return source  # they came from that note, which has its name still
        return dataclasses.replace(source, note=name)

    def _is_of_another(self, name: str, file: str) -> bool:
        """Whether a tree of this name came from another file."""
        trees = self._records.trees
        return any(id_ == name for other in trees if other != file for id_, _ in trees[other])

    def _says_itself(self, file: str) -> bool:
        """Whether a note has a tree of its own, beside its questions."""
        own = note_of(self._records.notes[file])
        return any(one.id == own for one in self._records.own(file))

    def _alike(self, file: str, ids: Iterable[str]) -> list[tuple[str, str]]:
        """Each part of a note with each of the trees that may be that part."""
        own = note_of(self._records.notes[file])
        said = [one.id for one in self._records.own(file)]
        return [
            (i, old) for old in ids for i in said if i != own or self._records.is_of_a_note(old)
        ]

    def _as_new(self, source: SourceFile, taken: set[str]) -> SourceFile:
        """A new note; where a note of another file has its name, with a number behind it.

        :param taken: what other notes of the import are called.
        """
        own = note_of(source)
        if own not in taken and own not in self._records.strange:
            return source
        return self._numbered(source, taken)

    def _numbered(self, source: SourceFile, taken: set[str]) -> SourceFile:
        """A note under its name with a number behind it, which nobody has."""
        numbered = (f"{note_of(source)}.{n}" for n in count(2))
        free = (n for n in numbered if n not in taken and not begins_one_of(n, self._records.ids))
        return dataclasses.replace(source, note=next(free))

    def _naming(self, ids: Iterable[str]) -> list[str]:
        """Which trees of a note tell its name: its own; of one that has none its questions.

        Those may have come from another note.
        """
        ids = list(ids)
        return [id_ for id_ in ids if self._records.is_of_a_note(id_)] or ids

    def _current(self, file: str, ids: list[str]) -> list[str]:
        """Those of a note's trees that it still says, where they have several names.

        For trees that left it stay with it. Where it says none of them, the one that is most like
        it; of several, the one that was changed last.
        """
        source = self._records.notes[file]
        ids = self._naming(ids)
        if any(
            all(begins_one_of(name, [id_]) for id_ in ids)
            for name in (note_of(source), *ids_of_note(source))
        ):
            return ids
        hashes = {one.hash for one in self._records.said(file)}
        said = [
            id_ for id_, then in self._records.known[file] if id_ in ids and then.file in hashes
        ]
        if said or not self._records.can_be_read(file):
            return said or ids
        now = texts(self._records.parsed(source))

        def rank(id_: str) -> tuple[float, str]:
            tree = self._records.stored(id_)
            return (likeness(now, texts([tree])), _changed_at(tree)) if tree else (0.0, "")

        return [max(ids, key=rank)]

    @cached_property
    def _half_swapped(self) -> dict[str, str]:
        """Notes that say what others said that are not imported, each with that file.

        Unless that one still says it: then the note is rewritten after a copy of it. So it is with
        notes that cannot be read.
        """
        records = self._records
        changed = [file for file in records.changed if file not in self._found]
        if not changed or self._replace:
            return {}
        others = {f: trees for f, trees in records.elsewhere.items() if not records.untouched(f)}
        others |= {f: trees for f, trees in records.known.items() if not self._is_sound(f)}
        if not others:  # else much is read
            return {}
        changed = [file for file in changed if not records.stays(file)]
        now = {file: said for file in changed if (said := records.texts_of(file))}
        wanted, near = set().union(*now.values()), dict[str, set[str]]()
        for other in others if wanted else ():
            then = records.stored_texts(id_ for id_, _ in others[other])
            if then and says_most(wanted, then, set()):
                near[other] = then
        found: dict[str, str] = {}
        for file, said in now.items():
            dull = records.dull(said, 3)  # two say what was swapped: the note, and once the other
            for other, then in near.items():
                if says_most(said, then, dull) and not records.is_copied(other, then):
                    found[file] = other
        return found

    def _is_sound(self, file: str) -> bool:
        """Whether a note can be read; one that has its bytes still need not be, to know."""
        return self._records.has_its_bytes(file) or self._records.can_be_read(file)

    # --- parts that went to another note -------------------------------------------------------

    def _follow_parts(self, done: dict[str, SourceFile]) -> None:
        """Trees of notes that are split or put together keep their ids, if they say the same.

        :param done: all notes, each by its name; they are replaced.
        """
        recorded = {
            id_: version for trees in self._records.trees.values() for id_, version in trees
        }
        recorded |= dict(self._records.left.values())
        if recorded.keys() <= self._named(done):
            return
        for file in done:
            if not self._records.has_its_bytes(file):
                self._records.said(file)
        free: dict[str, list[str]] = {}
        for id_ in sorted(recorded.keys() - self._named(done)):
            for key in (recorded[id_].file, _part(id_)):
                free.setdefault(key, []).append(id_)
        taken: set[str] = set()
        for file, source in done.items():
            if not self._records.was_read(file):
                continue
            known = {id_ for id_, _ in self._records.known.get(file, ())}
            parts = {one.id for one in self._records.said(file) if one.is_question}
            own = known | (self._records.written_ids(file) - parts)
            ids: dict[str, str] = {}
            said = zip(self._records.said(file), self._ids_in(file, source), strict=True)
            for one, id_ in said:
                if id_ in own or _says(recorded.get(id_)) == one.hash:
                    continue
                if went := self._went(file, one, id_, free, taken):
                    ids[id_] = went
                    taken.add(went)
            if ids:
                done[file] = dataclasses.replace(source, ids=ids)

    def _went(
        self,
        file: str,
        one: Said,
        id_: str,
        free: Mapping[str, list[str]],
        taken: Collection[str],
    ) -> str | None:
        """The tree that is a part of a note now.

        It says the same, or its question has its UID; or it asks the same, without a UID, and came
        from this note, or has most of its words.
        """
        for went in free.get(one.hash, ()):
            if went not in taken:
                return went
        own = {known for known, _ in self._records.known.get(file, ())}
        for went in sorted(free.get(_part(id_), ()), key=lambda went: went not in own):
            old = None if went in taken else self._records.stored(went)
            if old is None or old.root.kind != "question" or uid_of(old) != one.uid:
                continue
            if one.uid or went in own:
                return went
            if likeness(self._records.words_of(file, one), words(old)) > ALIKE:
                return went
        return None

    def _tell_apart(self, done: dict[str, SourceFile]) -> None:
        """Let no two notes have trees of one id: who says least of what it said is a new note.

        Nor is a note the tree that left another place.
        """
        given: set[str] = set()
        left = {id_ for id_, _ in self._records.left.values()}
        for file in sorted(
            done, key=lambda f: (f not in self._records.known, f in self._records.changed)
        ):
            ids = self._said_ids(file, done[file])
            over = ids & left & {note_of(done[file])} if file not in self._found else set()
            if ((ids & given) | over) - self._records.written_ids(file):
                names = {note_of(source) for source in done.values()}
                done[file] = self._numbered(self._records.notes[file], names)
                ids = self._said_ids(file, done[file])
            given |= ids

    def _named(self, done: Mapping[str, SourceFile]) -> set[str]:
        """The ids that the trees of all notes get."""
        return set().union(*(self._said_ids(file, source) for file, source in done.items()))

    def _said_ids(self, file: str, source: SourceFile) -> set[str]:
        """The ids that a note's trees get; those that it had, of one that cannot be read."""
        if not self._records.was_read(file):
            known, own = self._records.known.get(file, ()), self._records.bytes_of(file)
            bad = self._records.is_unreadable(file)
            return {id_ for id_, version in known if bad or version.bytes == own}
        return {source.ids.get(id_, id_) for id_ in self._ids_in(file, source)}

    def _ids_in(self, file: str, source: SourceFile) -> list[str]:
        """The ids of a note's trees by the name that it got."""
        own, name = note_of(self._records.notes[file]), note_of(source)
        return [
            name + one.id.removeprefix(own)
            if not one.in_block and begins_one_of(own, [one.id])
            else one.id
            for one in self._records.said(file)
        ]

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
            if (tree := self._records.stored(id_)) is not None:
                links = {a.phrase for a in tree.root.anchors if a.kind == "link"}
                names = tuple(name for name in names_of_note(source) if name in links)
                then = file_versions.read(tree.source_revision)
                as_in_file = authored(tree).revision == then.tree
                found.append(((_depth(names), as_in_file, _changed_at(tree)), names))
        return max(found)[1]


def _half_of_a_swap(source: SourceFile, other: str, *, is_read: bool) -> ImportRefused:
    """That a note says what another one said, which is not imported, or cannot be read."""
    then = f"mend {other}, which cannot be read" if is_read else f"import {other} with it"
    return ImportRefused(
        f"{source.name}: the note says nothing of what it said, but what {other} said",
        hint=f"Did they change places? Then {then}; or let it take the place of what it was with "
        "--replace.",
    )


def _part(id_: str) -> str:
    """What tells a part of a note from the others."""
    return id_.rpartition("/")[2]


def _says(version: FileVersion | None) -> str:
    return version.file if version else ""


def _depth(names: Iterable[str]) -> int:
    """How many folders the longest of some names tells."""
    return max((name.count("/") for name in names), default=0)


def _changed_at(tree: Tree) -> str:
    return tree.updated_at.isoformat() if tree.updated_at else ""
