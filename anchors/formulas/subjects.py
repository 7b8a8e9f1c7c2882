"""Which formula a list in a note speaks of, while the note is read line by line.

That is the one right above it, or the one that a line, an item or a heading right above it names.
What stands farther above is meant only where nothing else can be: an item that says a scene in one
of the four registers, or names one, speaks of the only formula of its section, or of the section
around that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from anchors.formulas.note_lines import Line, codes_in
from anchors.formulas.scene_lists import Item, is_scene, register_alone
from anchors.formulas.spans import CODE_ALONE

_HEADING = re.compile(r"\s{0,3}(#{1,6})\s")
_MAY_VOICE = re.compile(r"[:—–-][\s*_]*(?:[«\"“„]|$)")


@dataclass
class _Section:
    """A heading and what stands below it."""

    level: int
    defined: dict[str, bool] = field(default_factory=dict)
    """Its formulas, and whether they were left out."""
    named: dict[str, bool] = field(default_factory=dict)

    @property
    def codes(self) -> dict[str, bool]:
        return self.defined or self.named


class Subject:
    """What the next item of a list speaks of."""

    def __init__(self) -> None:
        self.code = ""
        self.in_fence = False
        """Whether that stands in a block of code, as its list may."""
        self.announced = False
        """Whether a line of its own names the code, and ends with a colon."""
        self.refused = False
        """Whether that is a definition that contradicts one before it."""
        self.above: Item | None = None
        """The item that names the code, where one does: those below it speak of it."""
        self.voice: Item | None = None
        """The item that says nothing but a register: those below it are scenes in it."""
        self._sections = [_Section(0)]
        self._told = 0
        """The last line of a list that speaks of none of several formulas."""

    def enter(self, line: Line) -> None:
        """Begin the section of a heading, where the line is one."""
        heading = None if line.fenced else _HEADING.match(line.text)
        if heading:
            level = len(heading[1])
            self._sections = [one for one in self._sections if one.level < level]
            self._sections.append(_Section(level))

    def may_follow(self, line: Line) -> bool:
        """Whether a line that names no code may say anything of a formula."""
        above = any(section.codes for section in self._sections)
        return bool(self.code or (above and _MAY_VOICE.search(line.text)))

    def follow(self, line: Line, item: Item | None) -> None:
        """Keep in mind of which formula the next list speaks, and in which register."""
        text = item.text if item else line.plain.text.strip()
        if not text:
            return
        if self.voice and (item is None or item.depth <= self.voice.depth):
            self.voice = None
        if item and self.above and item.depth <= self.above.depth:
            self.code, self.above = "", None
        codes = codes_in(line)
        self._sections[-1].named.update(dict.fromkeys(codes, False))
        names = len(codes) == 1 and (text.endswith(":") or bool(CODE_ALONE.fullmatch(text)))
        if (item and not names) or line.fenced:
            return
        heads = len(codes) == 1 and bool(_HEADING.match(line.text))
        if names or heads:
            (self.code,) = codes
            self.above, self.refused = item, False
        elif not text.endswith(":") or codes:
            self.code, self.above = "", None
        self.announced = names

    def define(self, code: str, *, in_fence: bool, refused: bool) -> None:
        """Speak of a formula that stands here."""
        self.code, self.in_fence, self.refused = code, in_fence, refused
        self._sections[-1].defined[code] = refused

    def adopt(self, item: Item, line: Line, notice: Callable[[str], None]) -> None:
        """Let an item that can be nothing but a scene speak of the formula of its section."""
        voices = is_scene(item.text) or bool(register_alone(item.text))
        if self.code or line.fenced or not voices:
            return
        codes = next((one.codes for one in reversed(self._sections) if one.codes), {})
        if len(codes) == 1:
            ((self.code, self.refused),) = codes.items()
            self.in_fence = self.announced = False
        elif codes:
            if line.number > self._told + 1:
                them = ", ".join(codes)
                notice(
                    f"this may be a scene of one of {them}: write `{next(iter(codes))}:` above it"
                )
            self._told = line.number + item.lines - 1
