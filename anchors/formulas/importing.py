"""Formulas of Markdown notes, into a forest.

A note is prose, and what looks like a formula in it may be none. So nothing here refuses a note:
what cannot be read, or says something else than the forest does, is a notice with file and line.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from anchors.formulas.book import LABELS, Book, formula_node, scene_node
from anchors.formulas.codes import GLYPHS
from anchors.formulas.errors import Cycle
from anchors.formulas.model import Formula
from anchors.formulas.notes import NoteFormulas, formulas_in
from forest.errors import Conflict, ForestError
from forest.formats.base import SourceFile, silent
from forest.formats.decoding import read_text
from forest.formats.files import SUFFIXES, find_files
from forest.nodes import Key, Node
from forest.stores.base import Store


@dataclass
class ImportedFormulas:
    """What an import of formulas did. Lists hold codes."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    scenes: int = 0
    """Scenes that were added."""
    notices: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """The counts in words; "" where there were no formulas."""
        if not (self.added or self.changed or self.unchanged or self.scenes):
            return ""
        return (
            f"formulas: {len(self.added):,} added, {len(self.changed):,} changed, "
            f"{len(self.unchanged):,} unchanged; scenes: {self.scenes:,} added"
        )


def import_formulas(
    store: Store,
    paths: Iterable[str | Path],
    *,
    format: str = "auto",
    keep_going: bool = False,
    replace: bool = False,
) -> ImportedFormulas:
    """Add the formulas of the Markdown notes among files and folders, in one transaction.

    A formula that is in the forest gets what a note adds to it. Where they differ, the forest's
    stays and a notice says so.

    :param format: as in `forest.importing.import_files`; another than auto or markdown has none.
    :param keep_going: leave out paths and notes that cannot be read, without a word: importing
        their trees has told.
    :param replace: where they differ, take the note's.
    :raises NotFound: a path does not exist.
    :raises ImportRefused: a note cannot be read.
    """
    if format not in ("auto", "markdown"):
        return ImportedFormulas()
    notices: list[str] = []
    notes: list[tuple[str, NoteFormulas]] = []
    unread = (ForestError,) if keep_going else ()
    for path in paths:
        with suppress(*unread):
            for source in find_files([path], format):
                if format == "markdown" or SUFFIXES.get(source.path.suffix.lower()) == "markdown":
                    with suppress(*unread):
                        notes.append((source.name, _formulas_of(source, notices)))
    done = ImportedFormulas(notices=notices)
    if not any(note.defined or note.scenes for _, note in notes):
        return done

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        nonlocal done
        writing = _Writing(old, replace, ImportedFormulas(notices=list(notices)))
        for name, note in notes:
            writing.add(name, note)
        for name, note in notes:
            writing.tell_undefined(name, note)
        done = writing.report
        return writing.new

    store.change_nodes(LABELS, change)
    return done


def _formulas_of(source: SourceFile, notices: list[str]) -> NoteFormulas:
    if source.problem is not None:
        raise source.problem
    text = read_text(source, silent)
    note = formulas_in(text, lambda said: notices.append(f"{source.name}: {said}"))
    notices += [f"{source.name}: no formula: {problem.message}" for problem in note.problems]
    return note


class _Writing:
    def __init__(self, old: dict[Key, Node], replace: bool, report: ImportedFormulas) -> None:
        self.old = old
        self.replace = replace
        self.report = report
        self.book = Book.from_nodes(old.values(), skip=lambda _: None)
        self.before = dict(self.book.formulas)
        self.new: dict[Key, Node | None] = {}

    def add(self, name: str, note: NoteFormulas) -> None:
        for code, defined in note.defined.items():
            try:
                formula = self._joined(replace(defined.formula, origin=name))
            except (Conflict, Cycle) as error:
                self.report.notices.append(f"{name}:{defined.lines[0]}: left out: {error.message}")
                continue
            self.book.formulas[code] = formula
            node = formula_node(formula)
            if node != self.old.get(node.at):
                self.new[node.at] = node
            self._count(code)
        for code, scenes in note.scenes.items():
            for scene in scenes:
                node = scene_node(code, replace(scene, origin=name))
                if node.at not in self.old and node.at not in self.new:
                    self.report.scenes += 1
                    self.new[node.at] = node

    def _joined(self, formula: Formula) -> Formula:
        """The formula with what is there under its code, or in place of it. Raises Conflict."""
        there = self.book.formulas.get(formula.code)
        try:
            return self.book.joined(formula)
        except Conflict:
            # Of two notes that differ, the first one stays.
            if not self.replace or there is None or there != self.before.get(formula.code):
                raise
        without = {code: f for code, f in self.book.formulas.items() if code != formula.code}
        return Book(without).joined(formula)

    def _count(self, code: str) -> None:
        report = self.report
        at = ("Formula", code)
        kind = (
            report.unchanged if at not in self.new
            else report.changed if at in self.old
            else report.added
        )  # fmt: skip
        for others in (report.added, report.changed, report.unchanged):
            if code in others:
                others.remove(code)
        kind.append(code)

    def tell_undefined(self, name: str, note: NoteFormulas) -> None:
        """Say which codes a note with formulas names, and nobody defined."""
        places = [
            f"{code} (line {lines[0]})"
            for code, lines in note.undefined.items()
            if code not in self.book.formulas and code not in GLYPHS
        ]
        if places and (note.defined or note.scenes):
            said = f"{name}: named, and defined nowhere: {', '.join(places)}"
            self.report.notices.append(said)
