"""Signs that say something: «вода ≠ лёд» is not «вода = лёд», nor "Yes ✅" "Yes ❌".

Unicode tells symbols (S*: of mathematics, of money, emoji, ⟁) from punctuation (P*). A symbol
counts like a word; punctuation says how a text is read, and does not count. All exceptions:

- no sign are symbols that `phrase_key` takes for a quote or a dash (`` ` ``, ´, −), marks of
  ownership (©, ®, ™), and how an emoji is coloured;
- signs are %, ‰, &, §, a # behind a letter ("C#"), !=, and a dash right before a number, which is a
  minus (-5) unless a word stands right before it (3-5);
- what is not assigned where emoji stand is a symbol of a newer Unicode than Python's.
"""

from __future__ import annotations

import re
from unicodedata import category

from forest.phrases import phrase_key

_EMOJI = range(0x1F000, 0x1FB00)
_COLOURS = range(0x1F3FB, 0x1F400)
_OWNED = frozenset("©®™")
_MORE = "%‰&§"
_DASHES = r"\-‐‑‒–—―−"


def _is_symbol(code: int) -> bool:
    char = chr(code)
    kind = category(char)
    symbol = kind[0] == "S" or (kind == "Cn" and code in _EMOJI)
    if not symbol or code in _COLOURS or char in _OWNED:
        return False
    return phrase_key.__wrapped__(char) not in ("'", '"', "-")


def _ranges(codes: list[int]) -> str:
    """A class of a regular expression, without its brackets, for codes in ascending order."""
    found: list[list[int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in found)


_SYMBOLS = _ranges([code for code in range(0x20000) if _is_symbol(code)])
SIGN = (
    rf"!=|(?<=\w)\#(?!\w)|(?<![\w{_DASHES}])[{_DASHES}](?=\d)|[{_SYMBOLS}{_MORE}][\u0300-\u036f]*"
)
"""A regular expression for one sign; where a longer token may begin it comes last."""

_MONEY = _ranges([code for code in range(0x20000) if category(chr(code)) == "Sc"])
_BEHIND = re.compile(rf"(?:[%‰{_MONEY}]|\#|\++)(?!\w)")
_BEFORE = re.compile(rf"(?<![\w{_DASHES}])[{_DASHES}+±¬√§{_MONEY}]+\Z")


def are_changed(text: str, begin: int, end: int) -> bool:
    """Whether a sign is written to words that makes something else of them.

    >>> are_changed("5% людей", 0, 1), are_changed("C++ is old", 0, 1), are_changed("¬вода", 1, 5)
    (True, True, True)
    >>> are_changed("вода+лёд", 0, 4), are_changed("Вода🌊 течёт", 0, 4)
    (False, False)
    """
    return bool(_BEHIND.match(text, end) or _BEFORE.search(text[max(begin - 4, 0) : begin]))
