"""Lists below formulas: where their items begin and end, and what each says.

That is a scene in a register (``- поэтически: «…»``), or the role of a term (``- вода — среда``).
An item goes on over the lines below it as in Markdown: over those that stand further to the right,
and as far as its quotes reach.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

from anchors.forms import form_key
from anchors.formulas.model import (
    REGISTERS,
    ROLES,
    Scene,
    Term,
    nearest_role,
    register_name,
    standard,
)
from anchors.formulas.note_lines import Line
from anchors.formulas.spans import defines
from anchors.formulas.syntax import leading_quote, unquoted
from forest.language import guess_language, is_language

_ITEM = re.compile(r"\s*(?:[-*+•–—]|[0-9]+[.)])\s+(?:\[.\]\s+)?(.*)")
"""An item, also one to be ticked off."""
_VOICE = re.compile(r"([^:—–«\"“„]+?)\s*(?::|\s([—–-]+)\s)\s*(.+)")
_REGISTER = re.compile(r"(.+?)\s*\((.*)\)")
"""A register and a remark, which may be the language of the scene: ``поэтически (en)``."""
_REGISTER_ALONE = re.compile(r"([^:]+?)\s*:")
_ROLE_BEFORE = re.compile(r"([^:]+?)\s*:\s*(.+?)(?:\s*\(.*)?")
_ROLE = re.compile(r"(.+?)\s[—–-]+\s(.+?)(?:\s*\(.*)?")
_REMARK = re.compile(r"\([^()]*\)")
_BEHIND = " ,;.!?…"
_ENDS = {"«": "»", '"': '"', "“": "”", "„": "“”"}
"""What ends quotes, by how they begin."""
_CLOSING = set().union(*_ENDS.values())


@dataclass(frozen=True, slots=True)
class Item:
    """What a list says in one place."""

    text: str
    """Of all its lines, without its bullet."""
    depth: int
    """How far to the right it stands, in characters."""
    lines: int
    """How many of the lines it takes."""


def item_at(lines: Sequence[Line], i: int) -> Item | None:
    """The item that begins in line i, or the quoted scene that stands there without a bullet."""
    match, below = _ITEM.fullmatch(lines[i].plain.text), partial(_below, lines, i)
    if match:
        depth = _depth(lines[i])
        taken, text = _whole(match[1].strip(), below, depth)
        return Item(text, depth, taken)
    if lines[i].fenced:
        return None
    taken, text = _whole(lines[i].plain.text.strip(), below, None)
    return Item(text, _depth(lines[i]), taken) if _is_voice_alone(text) else None


def _below(lines: Sequence[Line], i: int) -> Iterator[Line]:
    """The lines of the same paragraph below an item, up to the next item, scene or formula."""
    for number, line in enumerate(islice(lines, i + 1, None), lines[i].number + 1):
        text = line.plain.text
        if (
            line.number != number
            or line.fenced != lines[i].fenced
            or not text.strip()
            or _ITEM.fullmatch(text)
            or _is_voice_alone(text.strip())
            or defines(line.text)
        ):
            return
        yield line


def _whole(text: str, below: Callable[[], Iterator[Line]], depth: int | None) -> tuple[int, str]:
    """How many lines an item takes, and all that it says in them; None: only within its quotes."""
    if opens(text):
        said = [text]
        for line in below():
            said.append(line.plain.text.strip())
            whole = " ".join(said) if any(end in said[-1] for end in _CLOSING) else ""
            if whole and not opens(whole):
                return len(said), whole
    said = [text]
    for line in below() if depth is not None else ():
        if _depth(line) <= (depth or 0):
            break
        said.append(line.plain.text.strip())
    return len(said), " ".join(said)


def opens(text: str) -> bool:
    """Whether a scene begins in quotes that do not end in the text."""
    voice = voice_of(text)
    if not voice or not voice.is_in_quotes:
        return False
    sign, written = voice.written[0], voice.written
    ends = sum(map(written.count, _ENDS[sign]))
    return ends % 2 == 1 if sign in _ENDS[sign] else written.count(sign) > ends


def _depth(line: Line) -> int:
    text = line.text.expandtabs(4)
    return len(text) - len(text.lstrip())


class Voice(NamedTuple):
    """An item that may say a scene, parted at its colon or dash."""

    before: str
    word: str
    """The register of that, without what stands in brackets behind it."""
    lang: str
    """Which may be a language."""
    dash: str
    written: str

    @property
    def is_in_quotes(self) -> bool:
        """Whether its text begins with quotes, wherever they end."""
        return self.written[0] in _ENDS

    @property
    def quoted(self) -> str:
        """Its text, if it stands in quotes with nothing but a sign or a remark behind; else ""."""
        quotes = leading_quote(self.written)
        behind = self.written[len(quotes) :].strip(_BEHIND)
        return unquoted(quotes) if quotes and (not behind or _REMARK.fullmatch(behind)) else ""

    @property
    def is_named(self) -> bool:
        """Whether the register is one of the four, under one of its names."""
        return standard(self.word, REGISTERS) in REGISTERS


def voice_of(item: str) -> Voice | None:
    """What stands before and behind the first colon or dash of an item."""
    match = _VOICE.fullmatch(item)
    if match is None:
        return None
    word, lang = _register(match[1])
    return Voice(match[1], word, lang, match[2] or "", match[3])


def voice_in(item: str) -> Scene | None:
    """The scene that an item says: ``register: text``; in a register of its own, in quotes."""
    voice = voice_of(item)
    if voice is None:
        return None
    register, quoted = register_name(voice.word), voice.quoted
    text = quoted or unquoted(voice.written.strip(" ,;"))
    if register == "emoji" and not any(map(str.isalpha, text)):
        text = text.strip(_BEHIND)
    is_word = register in REGISTERS or (register.isalpha() and register == register.lower())
    by_quotes = is_word and quoted and not voice.dash
    if not text or not (by_quotes or (voice.is_named and (quoted or not voice.dash))):
        return None
    return Scene(text=text, register=register, lang=voice.lang or guess_language([text]))


def is_scene(item: str) -> bool:
    """Whether an item can be nothing but a scene: in quotes, in one of the four registers."""
    scene, voice = voice_in(item), voice_of(item)
    return bool(scene and voice and scene.register in REGISTERS and voice.quoted)


def is_unquoted_scene(line: Line) -> bool:
    """Whether a line says a scene in one of the four registers, without a bullet and quotes."""
    voice = None if line.fenced else voice_of(line.plain.text.strip())
    return bool(voice and not voice.dash and voice.is_named)


def _is_voice_alone(text: str) -> bool:
    scene, voice = voice_in(text), voice_of(text)
    if not scene or not voice or scene.register not in REGISTERS:
        return False
    is_signs = scene.register == "emoji" and not any(map(str.isalpha, scene.text))
    return voice.is_in_quotes or is_signs


def register_alone(item: str) -> str:
    """The register of the items below an item that says nothing else; else ""."""
    match = _REGISTER_ALONE.fullmatch(item)
    name = register_name(_register(match[1])[0]) if match else ""
    return name if name in REGISTERS else ""


def _register(written: str) -> tuple[str, str]:
    """The word for a register, and the language in brackets behind it, "" where none is."""
    remark = _REGISTER.fullmatch(written)
    if not remark or register_name(remark[1]) not in REGISTERS:
        return written, ""
    return remark[1], remark[2] if len(remark[2]) > 1 and is_language(remark[2]) else ""


def role_in(item: str, terms: Sequence[Term]) -> tuple[str, str] | None:
    """The term and the role that an item gives it: ``вода — среда``, ``среда: вода``."""
    item = item.rstrip(" ,;.")
    behind, before = _ROLE.fullmatch(item), _ROLE_BEFORE.fullmatch(item)
    if behind and is_term(behind[1], terms):
        return behind[1], behind[2]
    if before and standard(before[1], ROLES) in ROLES and is_term(before[2], terms):
        return before[2], before[1]
    return None


def slip_in(item: str, terms: Sequence[Term]) -> tuple[str, str] | None:
    """The slip for a role before a term, and the role that is meant."""
    before = _ROLE_BEFORE.fullmatch(item.rstrip(" ,;."))
    near = nearest_role(before[1]) if before and is_term(before[2], terms) else ""
    return (before[1], near) if before and near else None


def is_term(phrase: str, terms: Sequence[Term]) -> bool:
    """Whether a phrase is one of the terms, in whichever form."""
    return any(form_key(term.phrase) == form_key(phrase) for term in terms)
