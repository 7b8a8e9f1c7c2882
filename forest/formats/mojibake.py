"""Text that was encoded twice: UTF-8 read as a one-byte encoding and saved as UTF-8 again.

``Справедливость`` then reads ``–°–ø—Ä–∞–≤–µ–¥…`` (Mac Roman), ``РЎРїСЂР°РІРµРґ…`` (Windows-1251) or
``Ð¡Ð¿Ñ€Ð°Ð²ÐµÐ´…`` (Windows-1252). In such a text nearly every character outside ASCII belongs to
a sequence that, written in that encoding, is one character of UTF-8. In a healthy text hardly any
does. That share is the evidence here; ftfy brings the encodings as programs really apply them
(holes filled) and its judgement on texts too short for a share. A broken part of a healthy text,
pasted from elsewhere, is known by itself: words of such sequences, one after the other, that become
eight letters or more.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

ENCODINGS = {
    "macroman": "Mac Roman",
    "sloppy-windows-1251": "Windows-1251",
    "sloppy-windows-1252": "Windows-1252",
    "latin-1": "Latin-1",
}
"""The encodings that are tried, and their names as people know them."""

_SHARE = 0.85
"""Least share of the characters outside ASCII that must belong to broken sequences."""
_CLEAR = 8
"""Letters that must come out, if other parts of the text are not broken."""
_BETWEEN = r"[ \t,.:;!?()0-9-]*"
"""What stands between the words of a broken part, being ASCII."""
_ROUNDS = 3
"""A text may have been broken more than once."""
SHORT = 4096
"""Texts up to this length, in bytes, may hold no telltale: they are looked at closely."""

# What no healthy Russian or English text holds, as bytes. The letter о, read as Windows-1251
# (looked for by its last byte, the rarest: as fast as memchr); a dash or quote, an emoji …
_BROKEN_O = re.compile(rb"\x95(?<=%s)" % "Рѕ".encode())
_HEALTHY_O = "о".encode()
_TELLTALES = ("вЂ".encode() + b"\xe2", "рџ".encode())
# … and, for texts with any U+00C0 to U+00FF at all, the same read as Windows-1252 or Mac Roman.
_TELLTALE_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rb"\xc3[\x82\x83\x8e\x8f\x90\x91\xa2\xb0][\xc2\xc5\xc6\xcb\xe2]",
        rb"\xe2\x80[\x93\x94][\xc2\xc3\xce\xcf\xe2]",
        rb"\xe2\x80\x9a\xc3\x84",
        rb"\xe2\x88\x9a[\xc2\xc3\xe2]",
        rb"\xef\xa3\xbf\xc3",
    )
)
_NO_TEXT = ("Cn", "Co", "Cs", "Cc")
_MIXED = re.compile(r"[A-Za-z][\u0400-\u04ff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ESCAPE = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u(?=00[89a-fA-F]|0[1-9a-fA-F]|[1-9a-cA-CeEfF])([0-9a-fA-F]{4})"
)


def may_be_broken(raw: bytes) -> bool:
    """Whether UTF-8 text holds what broken text of more than a few sentences always holds. Fast."""
    if raw.isascii():
        return False
    if _BROKEN_O.search(raw):
        return True
    if _HEALTHY_O not in raw and any(telltale in raw for telltale in _TELLTALES):
        return True
    return b"\xc3" in raw and any(pattern.search(raw) for pattern in _TELLTALE_PATTERNS)


def find_encoding(text: str) -> str | None:
    """The encoding through which the text was broken, or None if it is as it should be."""
    shares = {name: share for name in ENCODINGS if (share := _evidence(text, name))}
    return max(shares, key=lambda name: shares[name]) if shares else None


def _evidence(text: str, encoding: str) -> float:
    """The share of characters outside ASCII that are broken ones; 0 if that is not convincing."""
    import ftfy.bad_codecs.sloppy  # noqa: F401  registers the encodings
    from ftfy.badness import is_bad

    outside = len(_NOT_ASCII.findall(text))
    found = _sequences(encoding).findall(text)
    if not found or sum(map(len, found)) < _SHARE * outside:
        return 0.0
    strictly = _strictly(text, encoding) is not None
    convincing = _worth(_words(encoding).findall(text), encoding) >= (
        2 if strictly else _CLEAR
    ) or (strictly and (is_bad(text) or _MIXED.search(text)))
    return sum(map(len, found)) / outside if convincing else 0.0


def _worth(words: list[str], encoding: str) -> int:
    """How much of what broken words become is no accident, up to `_CLEAR`."""
    worth = 0
    for word in words:
        for char in _decoded(word, encoding) or "":
            if "\u0400" <= char <= "\u052f":
                worth += 1
            elif ord(char) > 0x7FF and unicodedata.category(char) not in _NO_TEXT:
                worth += 2
        if worth >= _CLEAR:
            break
    return worth


@cache
def _words(encoding: str) -> re.Pattern[str]:
    """Matches broken sequences in a row, with no letter of ASCII beside them."""
    return re.compile(f"(?<![A-Za-z])(?:{_sequences(encoding).pattern})+(?![A-Za-z])")


@cache
def _sequences(encoding: str) -> re.Pattern[str]:
    """Matches characters that are, written in the encoding, one character of UTF-8."""
    import ftfy.bad_codecs.sloppy  # noqa: F401  registers the encodings

    def chars(first: int, last: int) -> str:
        return re.escape(bytes(range(first, last + 1)).decode(encoding))

    more = f"[{chars(0x80, 0xBF)}]"
    return re.compile(
        f"[{chars(0xC2, 0xDF)}]{more}|[{chars(0xE0, 0xEF)}]{more}{{2}}"
        f"|[{chars(0xF0, 0xF4)}]{more}{{3}}"
    )


def _decoded(sequence: str, encoding: str) -> str | None:
    try:
        return sequence.encode(encoding).decode()
    except UnicodeError:
        return None


def _strictly(text: str, encoding: str) -> str | None:
    """The text as it was before, if every single character of it went through the encoding."""
    if "\ufffd" in text or "\x1a" in text:
        return None
    return _decoded(text, encoding)


@dataclass(frozen=True, slots=True)
class Repair:
    """A text as it was before it was encoded twice."""

    text: str
    encoding: str
    """What its UTF-8 had been read as, as people call it."""
    lost: int
    """Places where characters are missing for good and the broken rest was left."""
    steps: tuple[str, ...]
    """The encodings it went through, the last one first."""
    parts: tuple[str, ...] = ()
    """The parts that were broken, as they are now, where the rest was healthy."""


def repaired(text: str) -> Repair | None:
    """The text as it was before, or None if it is as it should be."""
    steps: list[str] = []
    lost = 0
    while len(steps) < _ROUNDS and (encoding := find_encoding(text)):
        text, lost = _mended(text, encoding)
        steps.append(encoding)
    if steps:
        return Repair(text, ENCODINGS[steps[0]], lost, tuple(steps))
    return _repaired_in_parts(text)


def _repaired_in_parts(text: str) -> Repair | None:
    """A healthy text with broken parts, mended; what stands between backticks is left alone."""
    encoding = max(ENCODINGS, key=lambda name: sum(map(len, _broken_parts(text, name))))
    parts: list[str] = []

    def mend(match: re.Match[str]) -> str:
        said = _clear(match[0], encoding)
        if said is None or "`" in text[max(match.start() - 1, 0)] + text[match.end() :][:1]:
            return match[0]
        parts.append(said)
        return said

    text = _part(encoding).sub(mend, text)
    return Repair(text, ENCODINGS[encoding], 0, (encoding,), tuple(parts)) if parts else None


def _broken_parts(text: str, encoding: str) -> list[str]:
    return [part for part in _part(encoding).findall(text) if _clear(part, encoding) is not None]


def _clear(part: str, encoding: str) -> str | None:
    """What a part of a text becomes, if that is no accident."""
    return _decoded(part, encoding) if _worth([part], encoding) >= _CLEAR else None


@cache
def _part(encoding: str) -> re.Pattern[str]:
    """Matches words of broken sequences, one after the other."""
    word = f"(?:{_sequences(encoding).pattern})+"
    return re.compile(f"{word}(?:{_BETWEEN}{word})*")


def repaired_alike(text: str, other: Repair) -> str | None:
    """The text as it was, if it was broken in all of it just like another one; else None."""
    for encoding in other.steps:
        after = _strictly(text, encoding)
        if after is None:
            return None
        text = after
    return text


def _mended(text: str, encoding: str) -> tuple[str, int]:
    """The text mended, and in how many places it could not be.

    Line by line, as healthy lines may have been added since.
    """
    whole = _strictly(text, encoding)
    if whole is not None:
        return whole, 0
    lines = [_mended_line(line, encoding) for line in text.split("\n")]
    return "\n".join(line for line, _ in lines), sum(lost for _, lost in lines)


def _mended_line(line: str, encoding: str) -> tuple[str, int]:
    whole = _strictly(line, encoding)
    if whole is not None:
        return whole, 0
    sequences = _sequences(encoding)
    after = sequences.sub(lambda m: _decoded(m[0], encoding) or m[0], line)
    if after == line:
        return line, 0
    return after, len(re.findall(r"[^\x00-\x7f]+", sequences.sub(" ", line)))


def unescaped(text: str) -> str:
    r"""JSON text with ``\u`` escapes outside ASCII as the characters they stand for.

    Programs that write JSON in ASCII hide broken text in escapes. Pairs of surrogates stay.
    """
    return _ESCAPE.sub(lambda m: m[1] + chr(int(m[2], 16)), text)
