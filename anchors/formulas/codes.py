"""Codes of formulas: Δ00 to Δ99, four glyphs, and Λ1, Ω3 … for formulas of formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count
from typing import Annotated, Literal

from pydantic import AfterValidator

from anchors.formulas.errors import NoFreeCode

GLYPHS = ("⟁", "🜂", "🫁", "🫧")
"""Signs that are codes by themselves. No code is ever made of them; authors give them by hand."""
LOOKALIKES = {"\u2206": "Δ", "\u2126": "Ω"}
"""The increment and the ohm sign: what keyboards type for the Greek letters."""
LETTERS = {ord(sign): letter for sign, letter in LOOKALIKES.items()}
"""The same for `str.translate`."""

_CODE = re.compile(f"Δ[0-9]{{2}}|[ΛΩ](?:0|[1-9][0-9]*)|{'|'.join(GLYPHS)}")
_NUMBERED = re.compile("([ΔΛΩ])([0-9]+)")


def checked_code(text: str) -> str:
    """The code in its one spelling. Raises ValueError, which says what to write instead.

    >>> checked_code("\u220612")
    'Δ12'
    """
    code = text.translate(LETTERS)
    if _CODE.fullmatch(code):
        return code
    match = _NUMBERED.fullmatch(code)
    if match is None:
        raise ValueError(
            f"{text!r} is no code: expected Δ and two digits (Δ12), Λ or Ω and a number (Λ1), "
            f"or one of {' '.join(GLYPHS)}"
        )
    letter, digits = match.groups()
    if letter != "Δ":
        raise ValueError(f"{text} begins its number with 0: write {letter}{int(digits)}")
    if len(digits) == 1:
        raise ValueError(f"{text} has one digit, a Δ code has two: write Δ0{digits}")
    raise ValueError(
        f"{text} has {len(digits)} digits, a Δ code has two: each of Δ00 to Δ99 is one token kept "
        "free for it; write one of these, or a number behind Λ or Ω for a formula of formulas"
    )


def is_right(text: str) -> bool:
    """Whether a text is a code in its one spelling."""
    return bool(_CODE.fullmatch(text))


def is_code(text: str) -> bool:
    """Whether a text is meant as a code and nothing else, be it a wrong one."""
    code = text.strip().translate(LETTERS)
    return bool(_NUMBERED.fullmatch(code)) or code in GLYPHS


Code = Annotated[str, AfterValidator(checked_code)]
"""The code of a formula, in its one spelling."""


def free_code(used: Iterable[str], letter: Literal["Δ", "Λ", "Ω"] = "Δ") -> str:
    """The first code with that letter that is not in use: Δ00 … Δ99, Λ1 …, Ω1 ….

    :raises NoFreeCode: all of Δ00 to Δ99 are in use; Λ and Ω never run out.

    >>> free_code(["Δ00", "Δ02"]), free_code(["Λ1"], "Λ")
    ('Δ01', 'Λ2')
    """
    taken = set(used)
    codes = (
        (f"Δ{n:02}" for n in range(100)) if letter == "Δ" else (f"{letter}{n}" for n in count(1))
    )
    for code in codes:
        if code not in taken:
            return code
    raise NoFreeCode(
        "all 100 codes Δ00 to Δ99 are in use",
        hint="Remove a formula, or give one of the glyphs by hand: " + " ".join(GLYPHS),
    )
