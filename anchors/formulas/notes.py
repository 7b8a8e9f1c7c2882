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
from functools import cached_property

from anchors.arguments import check_texts
from anchors.formulas.codes import (
    GLYPHS,
    LETTERS,
    LOOKALIKES,
    REFERENCE,
    is_right,
    look_alikes,
    misspelled,
)
from anchors.formulas.errors import Contradiction, InvalidFormula
from anchors.formulas.model import (
    REGISTERS,
    ROLES,
    Formula,
    Scene,
    Term,
    nearest_role,
    register_name,
    standard,
)
from anchors.formulas.syntax import (
    LIKE_EQUALS,
    SIGNED_ARROW,
    ending,
    is_quoted,
    parse,
    prose_before,
    unquoted,
)
from anchors.formulas.union import united
from forest.formats.base import Notice, shortened, silent
from forest.formats.markdown_inline import read_line
from forest.language import guess_language
from forest.phrases import ARROWS, phrase_key

_CODE = rf"(?<!\w)(?:[Δ{''.join(LOOKALIKES)}ΛΩ]\d\w*|{'|'.join(GLYPHS)})"
_CODED = re.compile(f"[ΔΛΩ&{''.join((*LOOKALIKES, *GLYPHS))}]")
"""A line without any of these names no code; & begins one that is written as &Delta;."""
_LETTERS = re.compile(r"[^\W\d_]{2}")
_JOINS = tuple("=+·⋅∙*")
"""What stands before a term or a part of a formula, and before none that begins."""
_ARROWS = (*ARROWS, "->", "=>")
_OTHER_ARROW = r"[~>]+|[\u2190-\u21ff\u27f0-\u27ff\u2900-\u297f\u2b00-\u2bff\U0001f800-\U0001f8ff]"
"""Other arrows, which join nothing: between codes they are named."""
_HEAD = re.compile(rf"{_CODE}(?:\s*(?:[+·⋅∙*,]|{SIGNED_ARROW}|{_OTHER_ARROW})\s*{_CODE})*")
_DEFINES = re.compile(rf"\s*(?:=(?!=*>|=)|{SIGNED_ARROW}\s*(?:сцепка|terms)\s*:)")
_BODY_WITHOUT_CODE = re.compile(
    rf"[^=()\[\]]*[(\[](?=[^()\[\]]*?(?:[+·⋅∙*,]|{SIGNED_ARROW}))[^()\[\]]*[)\]][^=()\[\]]*="
)
_NEARLY = re.compile(
    rf"({_CODE})\s*(?::=\s*[\w(\[]"
    rf"|(?:=[=>]+|[{LIKE_EQUALS}:—–-])\s*\w*[(\[]"
    rf"(?=[^()\[\]]*?(?:[+·⋅∙*]|{SIGNED_ARROW}))[^()\[\]]*[)\]])"
)
_CODE_ALONE = re.compile(rf"\s*{_CODE}\s*")
_PHRASE = re.compile(rf"\s*{SIGNED_ARROW}\s*(?:[«\"“„]|(?i:фраза|phrase)\s*:)")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_FENCE = re.compile(r"\s*(?:[-*+]\s+)?(`{3,}|~{3,})([^`]*)$")
_QUOTE = re.compile(r"\s{0,3}> ?")
_COMMENT = re.compile("<!--|%%")
_ITEM = re.compile(r"\s*(?:[-*+•–—]|[0-9]+[.)])\s+(.*)")
_VOICE = re.compile(r"([^:—–«\"“„]+?)\s*(?::|\s([—–-]+)\s)\s*(.+)")
_ROLE_BEFORE = re.compile(r"([^:]+?)\s*:\s*(.+?)(?:\s*\(.*)?")
_ROLE = re.compile(r"(.+?)\s[—–-]+\s(.+?)(?:\s*\(.*)?")


_BARE = re.compile(
    r"[^=]*=(?:[^=()\[\]]*[(\[][^()\[\]]*[)\]]\s*_)?[^=()\[\]«»\"“„]*?(?=[.;!?…](?:\s|$))"
)
"""A formula that ends with words, not with a bracket or a scene: its sentence ends it."""
_SENTENCE = re.compile(r".*[.;!?…](?=\s)")
_LONE = re.compile(rf"\s*{_CODE}\s*=[^=()\[\]«»\"“”„+·⋅∙*→,]+")
_ROW = re.compile(r"\s*\|.*\|")
_STOP = re.compile(r"\s*[.!?…]")
_WORD = re.compile(r"\w")
_PAIRS = {"(": ")", "[": "]", "«": "»", "“": "”", "„": "“", '"': '"', "$": "$"}
_NEAR = 80
"""How many characters before a formula tell whether it is a part of another one."""
_GAP = "\ue000"
"""What stands in a line for a code span that is read by itself."""


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


@dataclass(frozen=True)
class _Line:
    number: int
    columns: Sequence[int]
    """Of each character of the text and of its end, from 1."""
    text: str
    """Without the marks of callouts, with blanks for comments."""
    fenced: bool
    prose: bool = False
    """Whether this is a formula in a sentence."""

    def from_(self, start: int, end: int | None = None) -> _Line:
        end = len(self.text) if end is None else end
        return replace(self, columns=self.columns[start : end + 1], text=self.text[start:end])

    @cached_property
    def plain(self) -> _Line:
        """The line as the text of a thought says it."""
        return self if self.fenced else _shown(self, self.text)


def formulas_in(text: str, notice: Notice = silent) -> NoteFormulas:
    """The formulas of a note. Definitions of one code are united.

    Raises nothing: what is wrong with a formula is among the ``problems``, and the rest is read.
    ``notice`` is told, with the line, where a look-alike letter is read as a Greek one, and what is
    no scene in a list of scenes.
    """
    check_texts(text=text)
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
        self.in_fence = False
        """Whether that stands in a block of code, as its list may."""
        self.announced = False
        """Whether a line of its own names the code, and ends with a colon."""
        self.refused = False
        """Whether the items speak of a definition that contradicts one before it."""

    def read(self) -> NoteFormulas:
        for i, line in enumerate(self.lines):
            if alike := list(look_alikes(line.text)):
                self._tell_look_alikes(i, alike)
            if not self.subject and not _CODED.search(line.text):
                continue
            before = self.subject
            self._follow(line)
            for code in _codes_in(line):
                self.named.setdefault(code, []).append(line.number)
            for pieces in self._definitions(i, line):
                self._define(pieces)
            listed = self.in_fence or not line.fenced
            if before and listed and (item := _item(line) or _voice_alone(line)):
                self._item(before, line, item)
        found = self.found
        found.undefined = {
            code: tuple(lines) for code, lines in self.named.items() if code not in found.defined
        }
        for code, lines in self.named.items():
            own = found.defined[code].lines if code in found.defined else ()
            if elsewhere := tuple(line for line in lines if line not in own):
                found.named[code] = elsewhere
        return found

    def _definitions(self, i: int, line: _Line) -> Iterator[list[_Line]]:
        """The formulas that end in line i or begin in it, each with the lines it takes."""
        pieces = _pieces(line)
        for piece in pieces:
            self._tell_near_ones(piece)
            for start, stop in _stretches(piece.text):
                found = piece.from_(start, stop)
                end = ending(found.text)
                rest = found.text[end:] + piece.text[stop:]
                if piece is not pieces[-1]:
                    rest += line.text[piece.columns[-1] - line.columns[0] :]
                below = not _WORD.search(rest)
                first = replace(found.from_(0, end), prose=_in_prose(piece.text[:start], rest))
                yield [first, *(self._phrases_below(i) if below else ())]
        if _CODE_ALONE.fullmatch(pieces[-1].text):
            yield from self._with_body_above(i, pieces[-1])

    def _with_body_above(self, i: int, code: _Line) -> Iterator[list[_Line]]:
        above = i - 1
        while above > 0 and not self.lines[above].text.strip():
            above -= 1
        if above < 0 or self.lines[above].fenced != code.fenced:
            return
        body = _pieces(self.lines[above])[-1]
        if not _is_body_alone(body.text):
            return
        if body.number == code.number - 1:
            yield [self._without_prose(body), code, *self._phrases_below(i)]
        elif all(not line.text.strip() for line in self.lines[above + 1 : i]):
            self._problem(
                code,
                f"{code.text.strip()} looks like the code of the formula in line {body.number}, "
                "but does not stand on the line right below it",
            )

    def _without_prose(self, body: _Line) -> _Line:
        """A formula without a code in front, from where it begins; say what is left out."""
        prose = prose_before(body.text)
        if _joins(prose):
            return body
        if _WORD.search(prose):
            said = prose.strip(" \t-–—*•→")
            self._notice(
                body,
                f"«{shortened(said, 40)}» is prose before the formula and no part of it: an "
                "operator is one word right before its bracket, or a phrase in quotes",
            )
        return body.from_(len(prose))

    def _phrases_below(self, i: int) -> Iterator[_Line]:
        for below, line in enumerate(self.lines[i + 1 :], self.lines[i].number + 1):
            plain = line.plain
            if line.number != below or not _PHRASE.match(plain.text):
                return
            yield plain

    def _tell_near_ones(self, piece: _Line) -> None:
        for near in _NEARLY.finditer(piece.text):
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
            strict = re.compile(_CODE).match(line.text, start)
            if not strict and (_right(code) in codes or unread):
                self._problem(line.from_(start), misspelled(line.text[start:end], code))
                unread = False

    def _problem(self, line: _Line, problem: str, hint: str | None = None) -> None:
        self.found.problems.append(InvalidFormula(problem, line.number, line.columns[0], hint=hint))

    def _define(self, pieces: list[_Line]) -> None:
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
        if pieces[0].prose and _LONE.fullmatch(text):
            (lone,) = (*formula.parts, *(term.phrase for term in formula.terms))
            said = f"{lone} is one term in a sentence"
            self._problem(pieces[0], f"{said}: no formula, unless it stands in brackets")
            return
        self.refused = not self._unite(formula, pieces[0])
        self.subject, self.in_fence = formula.code, pieces[0].fenced
        for part in formula.parts:
            if part in GLYPHS:
                self.named.setdefault(part, []).append(pieces[0].number)

    def _unite(self, formula: Formula, line: _Line) -> bool:
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

    def _follow(self, line: _Line) -> None:
        """Keep in mind which formula the next list speaks of."""
        text = line.plain.text.strip()
        if line.fenced or not text or _item(line) or _voice_alone(line):
            return
        codes = set(_codes_in(line))
        if not text.endswith(":") or len(codes) > 1:
            self.subject = ""
        elif codes:
            (self.subject,) = codes
            self.refused = False
        self.announced = bool(self.subject and codes)

    def _item(self, code: str, line: _Line, item: str) -> None:
        if self.refused:
            self.found.unvoiced += _voice(item) is not None
            return
        known = self.found.defined.get(code)
        terms = known.formula.terms if known else ()
        if (voice := _voice(item)) and not _is_term(_VOICE.sub(r"\1", item), terms):
            others = self.found.scenes.get(code, ())
            if voice not in others:
                self.found.scenes[code] = (*others, voice)
        elif known and (given := _role(item, terms)):
            phrase, role = given
            named = tuple(replace(t, role=role if _is_term(phrase, (t,)) else "") for t in terms)
            self._unite(replace(known.formula, terms=named), line)
            if near := nearest_role(role):
                self._notice(line, f"`{role}` is a role of its own: was `{near}` meant?")
        elif slip := _slip(item, terms):
            self._problem(line, f"`{slip[0]}:` is no role: write `{slip[1]}: …`")
        elif self.announced and (other := _VOICE.fullmatch(item)) and is_quoted(other[3]):
            self._notice(
                line,
                f"{other[3]} is no scene of {code}: a register of your own is one word in small "
                "letters with a colon behind it",
            )

    def _notice(self, line: _Line, said: str) -> None:
        self.notice(f"line {line.number}, column {line.columns[0]}: {said}")


# --- lines and what stands in them -------------------------------------------------------------


def _as_meant(line: _Line, alike: Sequence[tuple[int, int, str]]) -> _Line:
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


def _lines(text: str) -> Iterator[_Line]:
    """The lines of a note that hold text of its author: no fences, no marks of callouts."""
    fence, depth = "", 0
    comments = _Comments(text.split("\n"))
    for number, written in enumerate(comments.lines, 1):
        quotes, start = 0, 0
        while (not fence or quotes < depth) and (quote := _QUOTE.match(written, start)):
            quotes, start = quotes + 1, quote.end()
        if quotes < depth:
            fence = ""
        body = written[start:].rstrip("\r")
        if not fence:
            body = comments.blanked(body, number)
        mark = None if comments.end else _FENCE.fullmatch(body)
        if mark and (not fence or (mark[1].startswith(fence) and not mark[2].strip())):
            fence, depth = ("" if fence else mark[1]), quotes
            continue
        depth = depth if fence else 0
        yield _Line(number, range(start + 1, start + len(body) + 2), body, bool(fence))


class _Comments:
    """Blanks for ``<!-- … -->`` and ``%% … %%``, which may go over several lines."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.end = ""
        """What ends the comment that is open."""

    def _closes(self, end: str, is_block: bool, number: int) -> bool:
        """Whether a comment ends behind a line; one that began within it, in its paragraph."""
        for line in self.lines[number:]:
            if end in line:
                return True
            if not is_block and not line.strip("> \t\r"):
                return False
        return False

    def blanked(self, body: str, number: int) -> str:
        """The text of a line without comments, as long as before."""
        at, spanless = 0, None
        while True:
            if not self.end:
                if spanless is None:
                    spanless = _SPAN.sub(_blank, body)
                opening = _COMMENT.search(spanless, at)
                if opening is None:
                    return body
                at, end = opening.start(), "-->" if opening[0] == "<!--" else "%%"
                after = opening.end()
                if end not in body[after:] and not self._closes(end, not body[:at].strip(), number):
                    return body
                self.end = end
            else:
                after = at
            close = body.find(self.end, after)
            stop = len(body) if close < 0 else close + len(self.end)
            if spanless is not None:  # a backtick that goes may have been the end of a span
                same = "`" not in body[at:stop]
                spanless = spanless[:at] + " " * (stop - at) + spanless[stop:] if same else None
            body = body[:at] + " " * (stop - at) + body[stop:]
            if close < 0:
                return body
            at, self.end = stop, ""


def _pieces(line: _Line) -> list[_Line]:
    """The code spans with a formula of a line, and behind them the line without these.

    A fenced line is one piece, and so is a line that is a code span.
    """
    if line.fenced:
        return [line]
    spans = list(_SPAN.finditer(line.text))
    if len(spans) == 1 and not _SPAN.sub("", line.text).strip(" \t-–—*•_"):
        return [line.from_(*spans[0].span(2))]
    formulas = [line.from_(*span.span(2)) for span in spans if _defines(span[2])]
    rest = _SPAN.sub(lambda m: _GAP * len(m[0]) if _defines(m[2]) else m[0], line.text)
    plain = _shown(line, rest)
    only = formulas and not plain.text.strip(" \t-–—*•" + _GAP)
    return formulas if only else [*formulas, *_cells(plain)]


def _cells(line: _Line) -> list[_Line]:
    """The cells of a row of a table, so that no formula runs over its cell; else the line."""
    if not _ROW.match(line.text):
        return [line]
    bars = [bar.start() for bar in re.finditer(r"\|", line.text)]
    return [line.from_(at + 1, end) for at, end in zip(bars, [*bars[1:], None], strict=True)]


def _shown(line: _Line, text: str) -> _Line:
    """The line with this text, of the same length, as the text of a thought says it."""
    shown = read_line(text).replace("\n", " ")
    columns, at = [], 0
    for sign in shown:
        found = text.find(sign, at)
        at = at if found < 0 else found
        columns.append(line.columns[at])
        at += found >= 0
    return replace(line, text=shown, columns=[*columns, line.columns[at]])


def _definitions(text: str) -> Iterator[int]:
    """Where formulas begin. A run of codes is looked at once, as a whole, however long it is."""
    return (m.start() for m in _HEAD.finditer(text) if _DEFINES.match(text, m.end()))


def _defines(text: str) -> bool:
    return any(True for _ in _definitions(text))


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Where in a text a formula begins, and where what belongs to it ends at the latest."""
    starts: list[int] = []
    for start in _definitions(text):
        if not _joins(text[max(start - _NEAR, 0) : start], begun=bool(starts)):
            starts.append(start)
    past = 0
    for i, start in enumerate(starts):
        if start < past:
            continue
        stop = starts[i + 1] if i + 1 < len(starts) else len(text)
        while stop < len(text) and text.count("«", start, stop) > text.count("»", start, stop):
            stop = next((other for other in starts if other > stop), len(text))
        past = stop
        gap = text.find(_GAP, start, stop)
        stop = stop if gap < 0 else gap
        stop = min(stop, _closing(text, start))
        if stop < len(text) and (sentence := _SENTENCE.match(text, start, stop)):
            stop = sentence.end()
        if bare := _BARE.match(text, start, stop):
            stop = bare.end()
        yield start, start + len(text[start:stop].rstrip(" \t;"))


def _joins(before: str, begun: bool = False) -> bool:
    """Whether what stands before a formula makes it a part of another one.

    An arrow does where one has begun, or a code before it is not written as one.
    """
    before = before.rstrip().rstrip("\ufe0e\ufe0f")
    if not before.endswith(_ARROWS):
        return before.endswith(_JOINS)
    part = before.rstrip("=->" + ARROWS).rstrip()
    return begun or any(end == len(part) for _, end, _ in look_alikes(part))


def _closing(text: str, start: int) -> int:
    """Where the bracket or quote closes that opens right before a formula; else the end."""
    opening = text[start - 1 : start]
    closing = _PAIRS.get(opening)
    depth = 1
    for at in range(start, len(text) if closing else start):
        if text[at] == closing:
            depth -= 1
        elif text[at] == opening:
            depth += 1
        if not depth:
            return at
    return len(text)


def _in_prose(before: str, after: str) -> bool:
    """Whether what stands around a formula in its line says anything, or ends a sentence."""
    return bool(_WORD.search(before) or _WORD.search(after) or _STOP.match(after))


def _bare_numbers(text: str, formula: Formula) -> str:
    """The first term of a formula that is a number, where no bracket says that it is a term."""
    if any(sign in text.partition("=")[2] for sign in "(["):
        return ""
    return next((t.phrase for t in formula.terms if t.phrase[0].isdigit()), "")


def _voice(item: str) -> Scene | None:
    """The scene that an item says: ``register: text``; in a register of its own, in quotes."""
    match = _VOICE.fullmatch(item)
    if match is None:
        return None
    register, dash, written = register_name(match[1]), match[2], match[3].strip(" ,;")
    text = unquoted(written)
    quoted = is_quoted(written)
    is_name = standard(match[1], REGISTERS) in REGISTERS
    is_word = register in REGISTERS or (register.isalpha() and register == register.lower())
    if not text or not ((is_word and quoted and not dash) or (is_name and (quoted or not dash))):
        return None
    return Scene(text=text, register=register, lang=guess_language([text]))


def _role(item: str, terms: Sequence[Term]) -> tuple[str, str] | None:
    """The term and the role that an item gives it: ``вода — среда``, ``среда: вода``."""
    item = item.rstrip(" ,;.")
    behind, before = _ROLE.fullmatch(item), _ROLE_BEFORE.fullmatch(item)
    if behind and _is_term(behind[1], terms):
        return behind[1], behind[2]
    if before and standard(before[1], ROLES) in ROLES and _is_term(before[2], terms):
        return before[2], before[1]
    return None


def _slip(item: str, terms: Sequence[Term]) -> tuple[str, str] | None:
    """The slip for a role before a term, and the role that is meant."""
    before = _ROLE_BEFORE.fullmatch(item.rstrip(" ,;."))
    near = nearest_role(before[1]) if before and _is_term(before[2], terms) else ""
    return (before[1], near) if before and near else None


def _is_term(phrase: str, terms: Sequence[Term]) -> bool:
    return any(phrase_key(term.phrase) == phrase_key(phrase) for term in terms)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _is_body_alone(text: str) -> bool:
    return bool(_BODY_WITHOUT_CODE.match(text)) and not _defines(text)


def _codes_in(line: _Line) -> list[str]:
    """The codes that a line names: Δ, Λ, Ω anywhere, a glyph where it is a code span."""
    text, plain = (said.translate(LETTERS) for said in (line.text, line.plain.text))
    glyphs = [span[2] for span in _SPAN.finditer(text) if span[2] in GLYPHS]
    return list(dict.fromkeys([*REFERENCE.findall(text), *REFERENCE.findall(plain), *glyphs]))


def _item(line: _Line) -> str:
    """What an item of a list says, "" where the line is none."""
    match = _ITEM.fullmatch(line.plain.text)
    return match[1].strip() if match else ""


def _voice_alone(line: _Line) -> str:
    """A line that gives a quoted scene without the mark of a list, "" where it gives none."""
    text = "" if line.fenced else line.plain.text.strip()
    voice = _voice(text)
    is_one = (
        voice and voice.register in REGISTERS and is_quoted(text.partition(":")[2].strip(" ,;"))
    )
    return text if is_one else ""
