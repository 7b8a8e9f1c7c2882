"""The formulas of a Markdown note, wherever they stand in it: in code, in callouts, in plain text.

A line is read as the text of a thought is: without its marks of emphasis, links, comments. A
formula begins at its code and ends where its grammar does: what follows is prose. Several may stand
in one line. The code may follow on the line below, and so may phrases behind an arrow. A list below
a formula, or below a line that names one code and ends with a colon, may give its terms roles
(``- вода — среда``) and its scenes in registers (``- поэтически: «…»``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from anchors.arguments import check_texts
from anchors.formulas.codes import (
    GLYPHS,
    LOOKALIKES,
    is_right,
    look_alikes,
    misspelled,
)
from anchors.formulas.errors import Contradiction, InvalidFormula
from anchors.formulas.model import Formula, Scene, nearest_role
from anchors.formulas.note_lines import Line, codes_in, lines_of, pieces_of
from anchors.formulas.scene_lists import (
    Item,
    is_term,
    is_unquoted_scene,
    item_at,
    opens,
    register_alone,
    role_in,
    slip_in,
    voice_in,
    voice_of,
)
from anchors.formulas.spans import (
    CODE,
    CODE_ALONE,
    LONE,
    NEARLY,
    WORD,
    in_prose,
    is_body_alone,
    joins,
    stretches,
)
from anchors.formulas.subjects import Subject
from anchors.formulas.syntax import SIGNED_ARROW, ending, is_quoted, parse, prose_before
from anchors.formulas.union import united
from forest.formats.base import Notice, shortened, silent

_CODED = re.compile(f"[ΔΛΩ&{''.join((*LOOKALIKES, *GLYPHS))}]")
"""A line without any of these names no code; & begins one that is written as &Delta;."""
_LETTERS = re.compile(r"[^\W\d_]{2}")
_SET_EQUAL = re.compile(r"\s*=\s*[^=\s]")
_PHRASE = re.compile(rf"\s*{SIGNED_ARROW}\s*(?:[«\"“„]|(?i:фраза|phrase)\s*:)")


@dataclass(frozen=True, slots=True)
class Defined:
    """A formula, and the lines of the note that define it, from 1."""

    formula: Formula
    lines: tuple[int, ...]


@dataclass(slots=True)
class NoteFormulas:
    """What a note says of formulas; each mapping is by code, in the order of the note."""

    defined: dict[str, Defined] = field(default_factory=dict)
    scenes: dict[str, tuple[Scene, ...]] = field(default_factory=dict)
    """Scenes in registers, also of formulas that are defined elsewhere."""
    undefined: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Codes that are named and not defined, with the lines that name them."""
    named: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """All codes that are named elsewhere than where they are defined, with these lines."""
    problems: list[InvalidFormula] = field(default_factory=list)
    """What looks like a formula and is none, or contradicts another; with its line."""
    contradicted: list[str] = field(default_factory=list)
    """Codes of which a definition was left out, as it contradicts one before it."""
    unvoiced: int = 0
    """Scenes in the lists below such definitions: they voice nothing."""


def formulas_in(text: str, notice: Notice = silent) -> NoteFormulas:
    """The formulas of a note. Definitions of one code are united.

    Raises nothing: what is wrong with a formula is among the ``problems``, and the rest is read.
    ``notice`` is told, with the line, where a look-alike letter is read as a Greek one, and what is
    no scene in a list of scenes.
    """
    check_texts(text=text)
    reader = _Reader(list(lines_of(text)), notice)
    return reader.read()


class _Reader:
    def __init__(self, lines: list[Line], notice: Notice) -> None:
        self.lines = lines
        self.notice = notice
        self.found = NoteFormulas()
        self.named: dict[str, list[int]] = {}
        self.subject = Subject()

    def read(self) -> NoteFormulas:
        """Read all lines, and sort the codes that they name."""
        taken = 0
        for i, line in enumerate(self.lines):
            self.subject.enter(line)
            if alike := list(look_alikes(line.text)):
                self._tell_look_alikes(i, alike)
            if self.subject.may_follow(line) or _CODED.search(line.text):
                taken = max(taken, self._read_line(i, line, is_taken=i < taken))
        found = self.found
        found.undefined = {
            code: tuple(lines) for code, lines in self.named.items() if code not in found.defined
        }
        for code, lines in self.named.items():
            own = found.defined[code].lines if code in found.defined else ()
            if elsewhere := tuple(line for line in lines if line not in own):
                found.named[code] = elsewhere
        return found

    def _read_line(self, i: int, line: Line, *, is_taken: bool) -> int:
        """Read a line; where the next one is that was not read with it.

        :param is_taken: whether an item above goes on in it.
        """
        item = None if is_taken else item_at(self.lines, i)
        subject = self.subject
        if not is_taken:
            if not item and subject.code and is_unquoted_scene(line):
                self._notice(line, "a scene without a bullet stands in quotes: this is none")
            subject.follow(line, item)
        if item:
            subject.adopt(item, line, partial(self._notice, line))
        code, refused = subject.code, subject.refused
        for named in codes_in(line):
            self.named.setdefault(named, []).append(line.number)
        for pieces in self._definitions(i, line):
            self._define(pieces)
        if not item:
            return i + 1
        if code and item is not subject.above and (subject.in_fence or not line.fenced):
            self._item(code, line, item, refused=refused)
        return i + item.lines

    def _definitions(self, i: int, line: Line) -> Iterator[list[Line]]:
        """The formulas that end in line i or begin in it, each with the lines it takes."""
        pieces = pieces_of(line)
        for piece in pieces:
            self._tell_near_ones(piece)
            for start, stop in stretches(piece.text):
                found = piece.from_(start, stop)
                end = ending(found.text)
                rest = found.text[end:] + piece.text[stop:]
                if piece is not pieces[-1]:
                    rest += line.text[piece.columns[-1] - line.columns[0] :]
                below = not WORD.search(rest)
                first = replace(found.from_(0, end), prose=in_prose(piece.text[:start], rest))
                yield [first, *(self._phrases_below(i) if below else ())]
        if CODE_ALONE.fullmatch(pieces[-1].text):
            yield from self._with_body_above(i, pieces[-1])

    def _with_body_above(self, i: int, code: Line) -> Iterator[list[Line]]:
        above = i - 1
        while above > 0 and not self.lines[above].text.strip():
            above -= 1
        if above < 0 or self.lines[above].fenced != code.fenced:
            return
        body = pieces_of(self.lines[above])[-1]
        if not is_body_alone(body.text):
            return
        if body.number == code.number - 1:
            yield [self._without_prose(body), code, *self._phrases_below(i)]
        elif all(not line.text.strip() for line in self.lines[above + 1 : i]):
            self._problem(
                code,
                f"{code.text.strip()} looks like the code of the formula in line {body.number}, "
                "but does not stand on the line right below it",
            )

    def _without_prose(self, body: Line) -> Line:
        """A formula without a code in front, from where it begins; say what is left out."""
        prose = prose_before(body.text)
        if joins(prose):
            return body
        if WORD.search(prose):
            said = prose.strip(" \t-–—*•→")
            self._notice(
                body,
                f"«{shortened(said, 40)}» is prose before the formula and no part of it: an "
                "operator is one word right before its bracket, or a phrase in quotes",
            )
        return body.from_(len(prose))

    def _phrases_below(self, i: int) -> Iterator[Line]:
        for below, line in enumerate(self.lines[i + 1 :], self.lines[i].number + 1):
            plain = line.plain
            if line.number != below or not _PHRASE.match(plain.text):
                if line.number == below and _SET_EQUAL.match(plain.text):
                    said = "what a formula is set equal to stands behind it, on its line"
                    self._problem(plain, said)
                return
            yield plain

    def _tell_near_ones(self, piece: Line) -> None:
        for near in NEARLY.finditer(piece.text):
            self._problem(
                piece.from_(near.start()),
                f"this looks like a formula, but no `=` follows {near[1]}: write {near[1]} = (…)",
            )

    def _tell_look_alikes(self, i: int, alike: Sequence[tuple[int, int, str]]) -> None:
        """Name a code that is written otherwise, where the line would be a formula with it."""
        line = self.lines[i]
        meant = _Reader(self.lines, silent)
        codes: set[str] = set()
        for pieces in meant._definitions(i, _as_meant(line, alike)):
            codes |= _codes_of("\n".join(piece.text for piece in pieces))
        unread = bool(meant.found.problems)
        for start, end, code in alike:
            strict = re.compile(CODE).match(line.text, start)
            if not strict and (_right(code) in codes or unread):
                self._problem(line.from_(start), misspelled(line.text[start:end], code))
                unread = False

    def _problem(self, line: Line, problem: str, hint: str | None = None) -> None:
        self.found.problems.append(InvalidFormula(problem, line.number, line.columns[0], hint=hint))

    def _define(self, pieces: list[Line]) -> None:
        text = "\n".join(piece.text for piece in pieces)
        try:
            formula = parse(text, self.notice, at=[(p.number, p.columns) for p in pieces])
        except InvalidFormula as error:
            self.found.problems.append(error)
            return
        if numbers := _bare_numbers(text, formula):
            self._problem(
                pieces[0],
                f"{numbers} is a number: no formula, unless its terms stand in brackets",
            )
            return
        if pieces[0].prose and LONE.fullmatch(text):
            (lone,) = (*formula.parts, *(term.phrase for term in formula.terms))
            said = f"{lone} is one term in a sentence"
            self._problem(pieces[0], f"{said}: no formula, unless it stands in brackets")
            return
        refused = not self._unite(formula, pieces[0])
        self.subject.define(formula.code, in_fence=pieces[0].fenced, refused=refused)
        for part in formula.parts:
            if part in GLYPHS:
                self.named.setdefault(part, []).append(pieces[0].number)

    def _unite(self, formula: Formula, line: Line) -> bool:
        """Whether the formula says nothing else than the note did before."""
        defined = self.found.defined
        known = defined.get(formula.code)
        if known is None:
            defined[formula.code] = Defined(formula, (line.number,))
            return True
        try:
            both = united(known.formula, formula)
        except Contradiction as error:
            self.found.contradicted.append(formula.code)
            self._problem(line, f"{error.message} (line {known.lines[0]})", error.hint)
            return False
        defined[formula.code] = Defined(both, (*known.lines, line.number))
        return True

    def _item(self, code: str, line: Line, said: Item, *, refused: bool) -> None:
        item = said.text
        subject = self.subject
        if register_alone(item):
            subject.voice = said
        elif subject.voice:
            item = f"{register_alone(subject.voice.text)}: {item}"
        if refused:
            self.found.unvoiced += voice_in(item) is not None
            return
        known = self.found.defined.get(code)
        terms = known.formula.terms if known else ()
        voice = voice_of(item)
        if (scene := voice_in(item)) and voice and not is_term(voice.before, terms):
            others = self.found.scenes.get(code, ())
            if scene not in others:
                self.found.scenes[code] = (*others, scene)
            if opens(item):
                self._notice(line, f"the quote {scene.text[0]} of this scene does not end")
        elif known and (given := role_in(item, terms)):
            phrase, role = given
            named = tuple(replace(t, role=role if is_term(phrase, (t,)) else "") for t in terms)
            self._unite(replace(known.formula, terms=named), line)
            if near := nearest_role(role):
                self._notice(line, f"`{role}` is a role of its own: was `{near}` meant?")
        elif slip := slip_in(item, terms):
            self._problem(line, f"`{slip[0]}:` is no role: write `{slip[1]}: …`")
        elif subject.announced and voice and is_quoted(voice.written):
            self._notice(
                line,
                f"{voice.written} is no scene of {code}: a register of your own is one word in "
                "small letters with a colon behind it",
            )

    def _notice(self, line: Line, said: str) -> None:
        self.notice(f"line {line.number}, column {line.columns[0]}: {said}")


def _as_meant(line: Line, alike: Sequence[tuple[int, int, str]]) -> Line:
    """The line with the codes that are meant in the place of those that are written."""
    text, columns, at = "", list[int](), 0
    for start, end, code in alike:
        read = _right(code)
        text += line.text[at:start] + read
        columns += [*line.columns[at:start], *[line.columns[start]] * len(read)]
        at = end
    return replace(line, text=text + line.text[at:], columns=[*columns, *line.columns[at:]])


def _right(code: str) -> str:
    """The code, or in the place of a wrong one, such as Δ7, another of its letter."""
    return code if is_right(code) else f"{code[0]}99"


def _codes_of(text: str) -> set[str]:
    """The codes of a formula, its own and those of its parts; none of what may be mathematics."""
    try:
        formula = parse(text)
    except InvalidFormula:
        return set()
    bare = not any(sign in text for sign in "([")
    words = all(_LETTERS.search(term.phrase) for term in formula.terms)
    if bare and not (words and len((*formula.terms, *formula.parts)) > 1):
        return set()
    return {formula.code, *formula.parts}


def _bare_numbers(text: str, formula: Formula) -> str:
    """The first term of a formula that is a number, where no bracket says that it is a term."""
    if any(sign in text.partition("=")[2] for sign in "(["):
        return ""
    return next((t.phrase for t in formula.terms if t.phrase[0].isdigit()), "")
