"""The lines of a note, and the pieces of a line that are read for formulas each by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from anchors.formulas.codes import GLYPHS, LETTERS, REFERENCE
from anchors.formulas.spans import GAP, defines
from forest.formats.markdown_inline import read_line

_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_FENCE = re.compile(r"\s*(?:[-*+]\s+)?(`{3,}|~{3,})([^`]*)$")
_QUOTE = re.compile(r"\s{0,3}> ?")
_COMMENT = re.compile("<!--|%%")
_ROW = re.compile(r"\s*\|.*\|")


@dataclass(frozen=True)
class Line:
    """A line of a note, or a part of one."""

    number: int
    columns: Sequence[int]
    """Of each character of the text and of its end, from 1."""
    text: str
    """Without the marks of callouts, with blanks for comments."""
    fenced: bool
    prose: bool = False
    """Whether this is a formula in a sentence."""

    def from_(self, start: int, end: int | None = None) -> Line:
        """The part of the line between two places in its text."""
        end = len(self.text) if end is None else end
        return replace(self, columns=self.columns[start : end + 1], text=self.text[start:end])

    @cached_property
    def plain(self) -> Line:
        """The line as the text of a thought says it."""
        return self if self.fenced else _shown(self, self.text)


def lines_of(text: str) -> Iterator[Line]:
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
        yield Line(number, range(start + 1, start + len(body) + 2), body, bool(fence))


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


def pieces_of(line: Line) -> list[Line]:
    """The code spans with a formula of a line, and behind them the line without these.

    A fenced line is one piece, and so is a line that is a code span.
    """
    if line.fenced:
        return [line]
    spans = list(_SPAN.finditer(line.text))
    if len(spans) == 1 and not _SPAN.sub("", line.text).strip(" \t-–—*•_"):
        return [line.from_(*spans[0].span(2))]
    formulas = [line.from_(*span.span(2)) for span in spans if defines(span[2])]
    rest = _SPAN.sub(lambda m: GAP * len(m[0]) if defines(m[2]) else m[0], line.text)
    plain = _shown(line, rest)
    only = formulas and not plain.text.strip(" \t-–—*•" + GAP)
    return formulas if only else [*formulas, *_cells(plain)]


def _cells(line: Line) -> list[Line]:
    """The cells of a row of a table, so that no formula runs over its cell; else the line."""
    if not _ROW.match(line.text):
        return [line]
    bars = [bar.start() for bar in re.finditer(r"\|", line.text)]
    return [line.from_(at + 1, end) for at, end in zip(bars, [*bars[1:], None], strict=True)]


def _shown(line: Line, text: str) -> Line:
    """The line with this text, of the same length, as the text of a thought says it."""
    shown = read_line(text).replace("\n", " ")
    columns, at = [], 0
    for sign in shown:
        found = text.find(sign, at)
        at = at if found < 0 else found
        columns.append(line.columns[at])
        at += found >= 0
    return replace(line, text=shown, columns=[*columns, line.columns[at]])


def codes_in(line: Line) -> list[str]:
    """The codes that a line names: Δ, Λ, Ω anywhere, a glyph where it is a code span."""
    text, plain = (said.translate(LETTERS) for said in (line.text, line.plain.text))
    glyphs = [span[2] for span in _SPAN.finditer(text) if span[2] in GLYPHS]
    return list(dict.fromkeys([*REFERENCE.findall(text), *REFERENCE.findall(plain), *glyphs]))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
