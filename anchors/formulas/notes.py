"""The formulas of a Markdown note, wherever they stand in it: in code, in callouts, in plain text.

A formula begins at its code and ends with its code span, else with its line. The code may follow
on the line below, and so may phrases behind an arrow. A list below a formula, or below a line that
names one code and ends with a colon, may give its terms roles (``- вода — среда``) and its scenes
in registers (``- поэтически: «…»``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from anchors.formulas.codes import GLYPHS, LETTERS, LOOKALIKES, REFERENCE
from anchors.formulas.errors import Contradiction, InvalidFormula
from anchors.formulas.model import REGISTERS, Formula, Scene, standard
from anchors.formulas.syntax import parse, unquoted
from anchors.formulas.union import united
from forest.formats.base import Notice, silent
from forest.language import guess_language
from forest.phrases import phrase_key

_CODE = rf"(?<!\w)(?:[Δ{''.join(LOOKALIKES)}ΛΩ]\d\w*|{'|'.join(GLYPHS)})"
_ARROW = "(?:→|->)"
_DEFINITION = re.compile(
    rf"{_CODE}(?:\s*(?:[+·⋅∙*,]|{_ARROW})\s*{_CODE})*\s*(?:=(?!=)|{_ARROW}\s*(?:сцепка|terms)\s*:)"
)
_BODY_WITHOUT_CODE = re.compile(r"[^=()\[\]]*[(\[][^()\[\]]*[+·⋅∙*→,][^()\[\]]*[)\]][^=()\[\]]*=")
_CODE_ALONE = re.compile(rf"\s*{_CODE}\s*")
_PHRASE = re.compile(rf"\s*{_ARROW}\s*(?:[«\"“„]|(?:фраза|phrase)\s*:)")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_EMPHASIS = re.compile(r"[*_]+(?=[«\"“„])|(?<=[»\"”“])[*_]+|\*\*+|__+")
_FENCE = re.compile(r"\s*(?:[-*+]\s+)?(`{3,}|~{3,})([^`]*)$")
_QUOTE = re.compile(r"\s{0,3}> ?")
_ITEM = re.compile(r"\s*(?:[-*+•–—]|[0-9]+[.)])\s+(.*)")
_VOICE = re.compile(r"([^:]+?)\s*:\s*(.+)")
_ROLE = re.compile(r"(.+?)\s[—–-]+\s(.+?)(?:\s*\(.*)?")


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
    problems: list[InvalidFormula] = field(default_factory=list)
    """What looks like a formula and is none, or contradicts another; with its line."""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    column: int
    """Of the first character of the text, from 1."""
    text: str
    """Without the marks of callouts."""
    fenced: bool

    @property
    def plain(self) -> str:
        """The text with blanks for the marks of emphasis."""
        return self.text if self.fenced else _EMPHASIS.sub(_blank, self.text)

    def from_(self, start: int, end: int | None = None) -> _Line:
        return replace(self, column=self.column + start, text=self.text[start:end])


def formulas_in(text: str, notice: Notice = silent) -> NoteFormulas:
    """The formulas of a note. Definitions of one code are united.

    Raises nothing: what is wrong with a formula is among the ``problems``, and the rest is read.
    ``notice`` is told, with the line, where a look-alike letter is read as a Greek one.
    """
    reader = _Reader(list(_lines(text)), notice)
    return reader.read()


class _Reader:
    def __init__(self, lines: list[_Line], notice: Notice) -> None:
        self.lines = lines
        self.notice = notice
        self.found = NoteFormulas()
        self.named: dict[str, list[int]] = {}
        self.subject = ""
        """The code that the items of a list speak of."""

    def read(self) -> NoteFormulas:
        for i, line in enumerate(self.lines):
            before = self.subject
            self._follow(line)
            for code in _codes_in(line):
                self.named.setdefault(code, []).append(line.number)
            for pieces in self._definitions(i):
                self._define(pieces)
            if before and (item := _item(line)):
                self._item(before, line, item)
        found = self.found
        found.undefined = {
            code: tuple(lines) for code, lines in self.named.items() if code not in found.defined
        }
        return found

    def _definitions(self, i: int) -> Iterator[list[_Line]]:
        """The formulas that end in this line or begin in it, each with the lines it takes."""
        line = self.lines[i]
        for piece in _pieces(line):
            if start := _DEFINITION.search(piece.text):
                first = piece.from_(start.start())
                yield [first, *self._phrases_below(i)] if _is_last(line, piece) else [first]
        code = _pieces(line)[-1]
        if i and _CODE_ALONE.fullmatch(code.text) and _is_last(line, code):
            body = _pieces(self.lines[i - 1])[-1]
            if body.number == line.number - 1 and _is_body_alone(body.text):
                yield [body, code]

    def _phrases_below(self, i: int) -> Iterator[_Line]:
        for below, line in enumerate(self.lines[i + 1 :], self.lines[i].number + 1):
            if line.number != below or not _PHRASE.match(line.plain):
                return
            yield replace(line, text=line.plain)

    def _define(self, pieces: list[_Line]) -> None:
        line, column = pieces[0].number, pieces[0].column
        text = "\n".join(piece.text for piece in pieces)
        try:
            formula = parse(text, self.notice, at=[(p.number, p.column) for p in pieces])
        except InvalidFormula as error:
            self.found.problems.append(error)
            return
        self._unite(formula, line, column)
        self.subject = formula.code
        for part in formula.parts:
            if part in GLYPHS:
                self.named.setdefault(part, []).append(line)

    def _unite(self, formula: Formula, line: int, column: int) -> None:
        defined = self.found.defined
        known = defined.get(formula.code)
        if known is None:
            defined[formula.code] = Defined(formula, (line,))
            return
        try:
            both = united(known.formula, formula)
        except Contradiction as error:
            first = f"{error.message} (line {known.lines[0]})"
            self.found.problems.append(InvalidFormula(first, line, column, hint=error.hint))
            return
        defined[formula.code] = Defined(both, (*known.lines, line))

    def _follow(self, line: _Line) -> None:
        """Keep in mind which formula the next list speaks of."""
        text = line.plain.strip(" \t*_")
        if line.fenced or not text or _item(line):
            return
        codes = set(_codes_in(line))
        if not text.endswith(":") or len(codes) > 1:
            self.subject = ""
        elif codes:
            (self.subject,) = codes

    def _item(self, code: str, line: _Line, item: str) -> None:
        if voice := _VOICE.fullmatch(item):
            register = standard(voice[1], REGISTERS)
            text = unquoted(voice[2].strip(" ,;").strip("*_`"))
            if register in REGISTERS and text:
                scene = Scene(text=text, register=register, lang=guess_language([text]))
                others = self.found.scenes.get(code, ())
                if scene not in others:
                    self.found.scenes[code] = (*others, scene)
        known = self.found.defined.get(code)
        if known and (role := _ROLE.fullmatch(item.rstrip(" ,;."))):
            key = phrase_key(role[1].strip("*_`"))
            terms = known.formula.terms
            if any(phrase_key(term.phrase) == key for term in terms):
                named = tuple(
                    replace(t, role=role[2] if phrase_key(t.phrase) == key else "") for t in terms
                )
                self._unite(replace(known.formula, terms=named), line.number, line.column)


# --- lines and what stands in them -------------------------------------------------------------


def _lines(text: str) -> Iterator[_Line]:
    """The lines of a note that hold text of its author: no fences, no marks of callouts."""
    fence, depth = "", 0
    for number, written in enumerate(text.split("\n"), 1):
        quotes, start = 0, 0
        while (not fence or quotes < depth) and (quote := _QUOTE.match(written, start)):
            quotes, start = quotes + 1, quote.end()
        if quotes < depth:
            fence = ""
        body = written[start:].rstrip("\r")
        mark = _FENCE.fullmatch(body)
        if mark and (not fence or (mark[1].startswith(fence) and not mark[2].strip())):
            fence, depth = ("" if fence else mark[1]), quotes
            continue
        depth = depth if fence else 0
        yield _Line(number, start + 1, body, bool(fence))


def _pieces(line: _Line) -> list[_Line]:
    """The code spans of a line, and behind them the line without; a fenced line is one piece."""
    if line.fenced:
        return [line]
    spans = list(_SPAN.finditer(line.text))
    plain = _EMPHASIS.sub(_blank, _SPAN.sub(_blank, line.text))
    pieces = [line.from_(*span.span(2)) for span in spans]
    return pieces if spans and not plain.strip(" \t-–—*•") else [*pieces, replace(line, text=plain)]


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _is_body_alone(text: str) -> bool:
    return bool(_BODY_WITHOUT_CODE.match(text)) and not _DEFINITION.search(text)


def _is_last(line: _Line, piece: _Line) -> bool:
    """Whether nothing follows the piece in its line."""
    end = piece.column - line.column + len(piece.text)
    return not line.text[end:].strip(" \t`*_")


def _codes_in(line: _Line) -> list[str]:
    """The codes that a line names: Δ, Λ, Ω anywhere, a glyph where it is a code span."""
    text = line.text.translate(LETTERS)
    glyphs = [span[2] for span in _SPAN.finditer(text) if span[2] in GLYPHS]
    return list(dict.fromkeys([*REFERENCE.findall(text), *glyphs]))


def _item(line: _Line) -> str:
    """What an item of a list says, "" where the line is none."""
    match = None if line.fenced else _ITEM.fullmatch(line.plain)
    return match[1].strip() if match else ""
