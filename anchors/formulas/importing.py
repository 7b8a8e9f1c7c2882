"""Formulas of Markdown notes, into a forest, again and again: as `forest.importing` does trees.

A formula remembers the files it came from (``origin``) and what they said of it (``imported``); a
scene remembers its file, and its id is made of what the file said; which scenes the files said is
remembered by their formula (``imported_scenes``). When the files are imported again there are three
versions: theirs, the forest's, and the one both began from. What only the files changed is taken
over, and scenes go that they have no more; what only the forest changed stays; what both changed
stays and is named, unless ``replace`` says that the files win.

A note is prose, and what looks like a formula in it may be none. So nothing here refuses a note:
what cannot be read, or says something else than the forest does, is a notice with file and line.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from anchors.formulas.book import LABELS, Book, formula_node, scene_node, taken
from anchors.formulas.codes import GLYPHS
from anchors.formulas.criteria import Check, Judge
from anchors.formulas.errors import Contradiction, Cycle, InvalidFormula
from anchors.formulas.model import Formula, Scene
from anchors.formulas.notes import Defined, NoteFormulas, formulas_in
from anchors.formulas.syntax import parse, text_of
from anchors.formulas.union import united
from anchors.formulas.where import registry_between
from anchors.registry import Registry
from forest.addresses import address
from forest.errors import Conflict, ForestError
from forest.file_versions import Whereabouts
from forest.formats.base import SourceFile, silent
from forest.formats.decoding import read_text
from forest.formats.files import SUFFIXES, find_files
from forest.nodes import Key, Node
from forest.render import plural
from forest.stores.base import Store


@dataclass
class ImportedFormulas:
    """What an import of formulas did. Lists hold codes."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Formulas edited in the forest since their import, which the files did not change."""
    changes: list[str] = field(default_factory=list)
    """For each of ``changed`` what it was and what it is."""
    scenes: int = 0
    """Scenes that were added, with the phrases of formulas: as `forest formulas list` counts."""
    removed: int = 0
    """Scenes that came from these files, and are not in them any more."""
    stay_removed: int = 0
    """Scenes that the files say as before, and that were removed in the forest."""
    unvoiced: int = 0
    """Scenes that were left out with the definition that they voice."""
    left_out: list[str] = field(default_factory=list)
    """Formulas that say something else than the forest or another note, or make a circle."""
    checks: list[Check] = field(default_factory=list)
    """The four criteria for each formula that was added."""
    notices: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """The counts in words, and the criteria; "" where there were no formulas."""
        formulas = (self.added, self.changed, self.unchanged, self.kept, self.left_out)
        scenes = (self.scenes, self.removed, self.stay_removed, self.unvoiced)
        if not (any(formulas) or any(scenes)):
            return ""
        counts = (
            f"formulas: {len(self.added):,} added, {len(self.changed):,} changed, "
            f"{len(self.unchanged):,} unchanged"
            + (f", {len(self.kept):,} kept as edited in the forest" if self.kept else "")
            + (f", {len(self.left_out):,} left out" if self.left_out else "")
            + f"; scenes: {self.scenes:,} added"
            + (f", {self.removed:,} removed" if self.removed else "")
            + (
                f", {self.stay_removed:,} kept as removed in the forest"
                if self.stay_removed
                else ""
            )
            + (f", {self.unvoiced:,} left out with their formula" if self.unvoiced else "")
        )
        changes = [f"  changed: {change}" for change in self.changes]
        return "\n".join([counts, *changes, *map(_criteria, self.checks)])


def _criteria(check: Check) -> str:
    said = ", ".join(f"{c.name} {'yes' if c.met else 'no'}" for c in check.criteria)
    return f"  {check.code}: {said}"


def import_formulas(
    store: Store,
    paths: Iterable[str | Path],
    *,
    format: str = "auto",
    keep_going: bool = False,
    replace: bool = False,
    moved: Mapping[str, str] | None = None,
) -> ImportedFormulas:
    """Take over the formulas of the Markdown notes among files and folders, in one transaction.

    A formula that was typed here, or came from other files, gets what a note adds to it, but no
    terms and no parts; where they differ, it stays and a notice says so.

    :param format: as in `forest.importing.import_files`; another than auto or markdown has none.
    :param keep_going: leave out paths and notes that cannot be read, without a word: importing
        their trees has told.
    :param replace: where they differ, take the note's.
    :param moved: notes that were other files when they were imported last, each with that one
        (`forest.importing.ImportReport.moved`): what came from these came from those.
    :raises NotFound: a path does not exist.
    :raises ImportRefused: a note cannot be read.
    """
    if format not in ("auto", "markdown"):
        return ImportedFormulas()
    notices: list[str] = []
    read: dict[str, _Note] = {}
    found_in = _Found()
    unread = (ForestError,) if keep_going else ()
    for path in paths:
        with suppress(*unread):
            if Path(path).is_dir():
                found_in.folders.append(address(store, Path(path)))
            for source in find_files([path], format):
                if source.problem is not None:  # a folder, maybe, or a link to one
                    found_in.closed.append(address(store, source.path))
                found_in.files.add(address(store, source.path))
                if format == "markdown" or SUFFIXES.get(source.path.suffix.lower()) == "markdown":
                    with suppress(*unread):
                        found = _formulas_of(source, notices)
                        place = address(store, source.path)
                        read.setdefault(place, _Note(source.name, place, found))
    notes = list(read.values())
    done = ImportedFormulas(notices=notices)
    there = Book.of(store, skip=lambda _: None).formulas.values()
    where = Whereabouts(store, found_in.folders)
    gone = {file for one in there for file in _files(one) | _voicers(one) if where.is_gone(file)}
    gone -= found_in.files
    lacking = set(filter(found_in.lacks, gone))
    if not (notes or lacking):
        return done

    places = {was: is_ for is_, was in (moved or {}).items()}
    defined = [one.formula for note in notes for one in note.found.defined.values()]
    registry = registry_between(store, [*there, *defined])

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        nonlocal done
        report = ImportedFormulas(notices=list(notices))
        now = {at: _in_new_place(node, places) for at, node in old.items()}
        writing = _Writing(now, notes, gone, lacking, replace, report, registry)
        done = writing.report
        told = {at: node for at, node in now.items() if node != old[at]}
        return {**told, **writing.run()}

    store.change_nodes(LABELS, change)
    _judge(store, done)
    return done


def _judge(store: Store, done: ImportedFormulas) -> None:
    """Work out the criteria for what was added, and name what is there under another code."""
    if not done.added:
        return
    judge = Judge(store, Book.of(store, lambda _: None), skip=lambda _: None)
    for code in done.added:
        done.checks.append(judge.check(code))
        if same := judge.same_terms(code):
            done.notices.append(f"{code} has one anchor several times: {', '.join(same)}")
        if twins := judge.twins(code):
            done.notices.append(f"{code} has the same core as {', '.join(twins)}")


@dataclass
class _Found:
    """The files that were found, and the folders that were looked through, by their addresses."""

    folders: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    """What cannot be looked through."""
    files: set[str] = field(default_factory=set)

    def lacks(self, file: str) -> bool:
        """Whether a file is there no more: its folder was looked through."""
        return (
            file not in self.files
            and any(_lies_in(file, folder) for folder in self.folders)
            and not any(_lies_in(file, folder) for folder in self.closed)
        )


def _lies_in(file: str, folder: str) -> bool:
    path = PurePosixPath(file)
    return path.is_relative_to(folder) and ".." not in path.relative_to(folder).parts


class _Note(NamedTuple):
    name: str
    """In messages."""
    address: str
    found: NoteFormulas


def _formulas_of(source: SourceFile, notices: list[str]) -> NoteFormulas:
    if source.problem is not None:
        raise source.problem
    text = read_text(source, silent)
    note = formulas_in(text, lambda said: notices.append(f"{source.name}: {said}"))
    notices += [f"{source.name}: no formula: {problem.message}" for problem in note.problems]
    return note


@dataclass
class _Said:
    """What the notes say under one code, together."""

    formula: Formula
    place: str
    """File and line where it is first said."""
    files: list[str]

    @property
    def imported(self) -> Formula:
        return replace(self.formula, origin="\n".join(self.files), imported=text_of(self.formula))


class _Writing:
    def __init__(
        self,
        old: dict[Key, Node],
        notes: list[_Note],
        gone: set[str],
        lacking: set[str],
        replace: bool,
        report: ImportedFormulas,
        registry: Registry | None,
    ) -> None:
        self.old = old
        self.notes = notes
        self.replace = replace
        self.report = report
        self.read = {note.address for note in notes}
        self.gone, self.lacking = gone, lacking
        """Files that define nothing any more, for they are there no more; their scenes stay.

        And those of them that are missing in a folder which is imported.
        """
        self.went: set[str] = set()
        """Formulas that other notes define now than those they came from: they were moved."""
        self.book = Book.from_nodes(old.values(), lambda _: None, registry)
        self.new: dict[Key, Node | None] = {}

    def run(self) -> dict[Key, Node | None]:
        before = dict(self.book.formulas)
        said = self._said()
        self.went = {code for code in said if code in before and self._has_moved(before[code])}
        for code, one in said.items():
            self._take(code, one)
        for code, formula in before.items():
            files = _files(formula)
            if code not in said and files and files <= self.read | self.lacking:
                self._tell(
                    ", ".join(files),
                    f"{code} came from it and is not defined in it any more; it stays "
                    f"(`forest formulas remove {code}` removes it)",
                )
        self._take_scenes()
        for note in self.notes:
            self._tell_undefined(note)
        self._count_scenes()
        return self.new

    def _has_moved(self, old: Formula) -> bool:
        """Whether none of the files that a formula came from defines it any more."""
        files = _files(old)
        if not files or not files <= self.read | self.gone:
            return False
        found = (note.found for note in self.notes if note.address in files)
        return not any(old.code in one.defined or old.code in one.contradicted for one in found)

    def _count_scenes(self) -> None:
        after = {at: node for at, node in (self.old | self.new).items() if node is not None}
        was, is_ = (
            {(code, scene) for code in book.codes for scene in book.voices(code)}
            for book in (
                Book.from_nodes(nodes.values(), skip=lambda _: None) for nodes in (self.old, after)
            )
        )
        self.report.scenes, self.report.removed = len(is_ - was), len(was - is_)

    def _tell(self, place: str, what: str) -> None:
        self.report.notices.append(f"{place}: {what}")

    def _said(self) -> dict[str, _Said]:
        """What the notes say together; of two that differ, the first one holds."""
        said: dict[str, _Said] = {}
        for note in self.notes:
            self.report.left_out += note.found.contradicted
        for note, code, defined in self._definitions():
            place = f"{note.name}:{defined.lines[0]}"
            first = said.get(code)
            if first is None:
                said[code] = _Said(defined.formula, place, [note.address])
                continue
            try:
                first.formula = self._together(first.formula, defined.formula, note)
                first.files.append(note.address)
            except (Conflict, Contradiction) as error:
                self.report.left_out.append(code)
                self._tell(place, f"left out: {error.message} ({first.place})")
        return said

    def _together(self, one: Formula, other: Formula, note: _Note) -> Formula:
        """What two notes say under a code: the second adds no terms and no parts, as in `_merged`.

        «Δ60=Δ61» in the prose of one note makes no merge of the Δ60 that another one defines. What
        the forest's formula came from may go on saying it together.

        :raises Contradiction: they differ in what both say.
        :raises Conflict: the second makes another formula of it.
        """
        both = united(one, other, self.book.registry)
        old = self.book.formulas.get(one.code)
        own = old is not None and note.address in _files(old)
        if _made_of(both) != _made_of(one) and not own:
            raise taken(one)
        return both

    def _definitions(self) -> list[tuple[_Note, str, Defined]]:
        """What the notes define: first what a formula of the forest came from, then what has terms.

        So does what says the same: its note was renamed, maybe. A mention in prose, such as
        «Δ60=Δ61», never comes before a definition.
        """
        all_ = [(note, *one) for note in self.notes for one in note.found.defined.items()]
        old = self.book.formulas

        def rank(one: tuple[_Note, str, Defined]) -> tuple[bool, bool]:
            note, code, defined = one
            known = code not in old or (
                note.address in _files(old[code]) or text_of(defined.formula) == old[code].imported
            )
            return not known, not defined.formula.terms

        return sorted(all_, key=rank)

    # --- formulas ------------------------------------------------------------------------------

    def _take(self, code: str, said: _Said) -> None:
        old = self.book.formulas.get(code)
        try:
            formula = self._merged(old, said.imported)
        except (Conflict, Cycle) as error:
            hint = "; --replace lets the file win" if old and isinstance(error, Conflict) else ""
            if old and code in self.went:
                hint = f", though {', '.join(sorted(_files(old)))} defines it no more{hint}"
            self.report.left_out.append(code)
            self._tell(said.place, f"left out: {error.message}{hint}")
            return
        self.book.formulas[code] = formula
        node = formula_node(formula)
        if node != self.old.get(node.at):
            self.new[node.at] = node
        report = self.report
        if old is None:
            report.added.append(code)
        elif formula != old:
            report.changed.append(code)
            report.changes.append(f"{text_of(formula)}; it was {text_of(old)}")
        elif _base(old) in (None, old):
            report.unchanged.append(code)
        else:
            report.kept.append(code)

    def _merged(self, old: Formula | None, new: Formula) -> Formula:
        """What to keep under a code, of the forest's version and the files'. Raises Conflict."""
        if old is None:
            return self.book.joined(new)
        base, files = _base(old), _files(old)
        all_read = bool(files) and files <= self.read | self.gone
        own = bool(files & _files(new)) or self._is_here_now(old, new)
        if old == new:
            return replace(old, origin=new.origin, imported=new.imported) if all_read else old
        if all_read and base == new:
            return old
        if self.replace or (all_read and own and base == old):
            taken_over = self.book.without(old.code).joined(new)
            return replace(taken_over, imported_scenes=old.imported_scenes)
        try:
            both = self.book.joined(new)
        except Conflict:
            if not own:
                raise
            raise Conflict(_why_left(old, files - self.read - self.gone)) from None
        if both == old:
            return old
        if own:
            raise Conflict(_why_left(old, files - self.read - self.gone))
        if _made_of(both) != _made_of(old):
            raise taken(old)  # to give it terms or parts is to make another formula of it
        return replace(
            both,
            origin="\n".join(filter(None, (old.origin, new.origin))),
            imported=text_of(both) if base == old else old.imported or new.imported,
        )

    def _is_here_now(self, old: Formula, new: Formula) -> bool:
        """Whether a formula that was moved is what these files say: they have something of it.

        So have files in the folder of those that are gone.
        """
        if old.code not in self.went:
            return False
        was, is_ = ({t.anchor for t in one.terms} | set(one.parts) for one in (old, new))
        return _files(old) <= self.lacking or not was.isdisjoint(is_)

    # --- scenes --------------------------------------------------------------------------------

    def _take_scenes(self) -> None:
        said: dict[str, tuple[str, Scene, Node]] = {}
        lines: dict[str, list[str]] = {}
        for note in self.notes:
            self.report.unvoiced += note.found.unvoiced
            for code, scenes in note.found.scenes.items():
                for scene in self._voicing(note, code, scenes):
                    node = scene_node(code, replace(scene, origin=note.address))
                    said.setdefault(node.key, (code, scene, node))
                    lines.setdefault(code, []).append(_imported_scene(node.key, note.address))
        for code, scene, node in said.values():
            there = self.book.scene(code, scene)
            if there is None:
                if node.key in self.book.ids:  # it was changed here
                    continue
                if self._sayers(code, node.key) and not self.replace:  # it was removed here
                    self.report.stay_removed += 1
                else:
                    self.new[node.at] = node
            elif there[1].origin in (self.read | self.gone) - {node.properties["origin"]}:
                self.new["Scene", there[0]] = replace(node, key=there[0])
        for code, voices in self.book.scenes.items():
            for key, scene in voices.items():
                if key not in said and not self._is_said(code, key, scene):
                    self._drop(code, self.old["Scene", key], scene, said)
        self._remember(lines)

    def _voicing(self, note: _Note, code: str, scenes: Sequence[Scene]) -> Sequence[Scene]:
        """The scenes of a note that are taken over: none that voice what was left out.

        Those stay that came from it, where the formula did too and was edited here.
        """
        if not self._is_left_out(note, code):
            return scenes
        old = self.book.formulas.get(code)
        own = old is not None and (note.address in _files(old) or code in self.went)
        stay = [scene for scene in scenes if own and self.book.scene(code, scene)]
        if lost := len(scenes) - len(stay):
            self.report.unvoiced += lost
            self._tell(note.name, f"{plural(lost, 'scene')} of {code} left out with its definition")
        return stay

    def _is_left_out(self, note: _Note, code: str) -> bool:
        """Whether a note defines a formula that is not in the forest, another is or none."""
        defined, there = note.found.defined.get(code), self.book.formulas.get(code)
        if defined is None or code not in self.report.left_out:
            return False
        if there is None:
            return True
        try:
            both = self.book.joined(defined.formula)
        except (Conflict, Cycle):
            return True
        return _made_of(both) != _made_of(there)

    def _sayers(self, code: str, key: str) -> list[str]:
        """The files that said a scene when they were last imported."""
        formula = self.book.formulas.get(code)
        lines = formula.imported_scenes.splitlines() if formula else []
        return [file for id_, file in map(_parted, lines) if id_ == key]

    def _is_said(self, code: str, key: str, scene: Scene) -> bool:
        """Whether a scene that the notes do not say stays: it is not theirs, or may be said still.

        So it is where a file that said it was not read; or where all that said it are gone, unless
        the formula is in other ones now. What one of them says no more is not theirs.
        """
        known, sayers = self.read | self.gone, {scene.origin, *self._sayers(code, key)}
        if scene.origin not in known:
            return True
        if not sayers <= known:
            return scene.origin not in self.read
        return sayers <= self.gone and code not in self.went

    def _remember(self, said: Mapping[str, list[str]]) -> None:
        """Let formulas know which scenes the files say now."""
        for code, formula in self.book.formulas.items():
            lines = formula.imported_scenes.splitlines()
            others = [line for line in lines if self._stays_said(code, *_parted(line))]
            now = "\n".join(dict.fromkeys([*others, *said.get(code, ())]))
            if now != formula.imported_scenes:
                node = formula_node(replace(formula, imported_scenes=now))
                self.new[node.at] = node

    def _stays_said(self, code: str, key: str, file: str) -> bool:
        """Whether a file counts as one that says what it said: it was not read.

        Of one that is gone its scenes stay, as long as no other file has the formula, and none said
        the scene no more.
        """
        if file not in self.gone:
            return file not in self.read
        is_dropped = ("Scene", key) in self.new and self.new["Scene", key] is None
        return code not in self.went and not is_dropped

    def _drop(self, code: str, node: Node, scene: Scene, said: Container[str]) -> None:
        """Remove a scene that its file has no more, unless another file said it too."""
        as_said = scene_node(code, scene)
        if as_said.key in said:
            return
        if others := [f for f in self._sayers(code, node.key) if f not in self.read | self.gone]:
            self.new[node.at] = replace(node, properties={**node.properties, "origin": others[0]})
        elif self.replace or as_said == node:
            self.new[node.at] = None
        else:
            what = f"the scene «{scene.text}» of {code} came from it and was edited here; it stays"
            self._tell(scene.origin, what)

    def _tell_undefined(self, note: _Note) -> None:
        """Say which codes a note with formulas names that no formula has: it may be left out."""
        places = [
            f"{code} (line {lines[0]})"
            for code, lines in note.found.named.items()
            if code not in self.book.formulas and code not in GLYPHS
        ]
        if places and (note.found.defined or note.found.scenes):
            self._tell(note.name, f"named, and defined nowhere: {', '.join(places)}")


def _in_new_place(node: Node, places: Mapping[str, str]) -> Node:
    """A formula or scene that came from where its notes are now.

    :param places: where files that were moved are.
    """
    said = dict(node.properties)
    for name in ("origin", "imported_scenes") if places else ():
        if isinstance(text := said.get(name), str):
            lines = (line.rpartition("\t") for line in text.split("\n"))
            said[name] = "\n".join(key + tab + places.get(file, file) for key, tab, file in lines)
    return node if said == node.properties else replace(node, properties=said)


def _imported_scene(key: str, file: str) -> str:
    return f"{key}\t{file}"


def _parted(line: str) -> tuple[str, str]:
    """The id of a scene and the file that said it."""
    key, _, file = line.partition("\t")
    return key, file


def _made_of(formula: Formula) -> tuple[bool, bool]:
    """Whether it has terms, and parts."""
    return bool(formula.terms), bool(formula.parts)


def _files(formula: Formula) -> set[str]:
    return set(formula.origin.splitlines())


def _voicers(formula: Formula) -> set[str]:
    """The files that said its scenes when they were last imported."""
    return {_parted(line)[1] for line in formula.imported_scenes.splitlines()}


def _base(formula: Formula) -> Formula | None:
    """What the files said of a formula when they were last imported."""
    try:
        return parse(formula.imported) if formula.imported else None
    except InvalidFormula:
        return None


def _why_left(old: Formula, unread: set[str]) -> str:
    if unread:
        return f"{old.code} came from {', '.join(sorted(unread))} too: import them together"
    return f"{old.code} was edited in the forest, and here too: {text_of(old)}"
