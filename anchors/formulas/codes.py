"""Codes of formulas: Δ00 to Δ99, four glyphs, and Λ1, Ω3 … for formulas of formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Annotated, Literal
from unicodedata import name, normalize

from pydantic import AfterValidator

from anchors.arguments import check_texts
from anchors.formulas.errors import NoFreeCode

GLYPHS = ("⟁", "🜂", "🫁", "🫧")
"""Signs that are codes by themselves. No code is ever made of them; authors give them by hand."""
LOOKALIKES = {"\u2206": "Δ", "\u2126": "Ω"}
"""The increment and the ohm sign: what keyboards type for the Greek letters."""
LETTERS = {ord(sign): letter for sign, letter in LOOKALIKES.items()}
"""The same for `str.translate`."""

REFERENCE = re.compile(r"(?<!\w)(?:Δ[0-9]{2}|[ΛΩ][0-9]+)(?!\w)")
"""A code that a text names, other than a glyph."""

# A glyph beside other signs is a part of what they say.
_NAMED = re.compile(rf"{REFERENCE.pattern}|(?<!\S)(?:{'|'.join(GLYPHS)})(?![^\s.,;:!?])")
_CODE = re.compile(f"Δ[0-9]{{2}}|[ΛΩ](?:0|[1-9][0-9]*)|{'|'.join(GLYPHS)}")
_NUMBERED = re.compile("([ΔΛΩ])([0-9]+)")
_SPELLINGS = {
    **dict.fromkeys(("δ", "\u2206", "△", "▲", "▵", "дельта", "delta"), "Δ"),
    **dict.fromkeys(("λ", "лямбда", "lambda"), "Λ"),
    **dict.fromkeys(("ω", "омега", "omega"), "Ω"),
}
"""How else the letters are written, in NFKC and lower case."""
_ALIKE = {**dict.fromkeys("AaАаДдDd", "Δ"), **dict.fromkeys("Лл", "Λ")}
"""Letters that look or sound like one of the three: Latin, and Cyrillic."""
_WITH_ALIKE = re.compile(f"([{''.join(_ALIKE)}])([0-9]+)")
HIDDEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Characters that nobody sees; those that join emoji or letters are none of them."""
_LIKE_ONE = re.compile(
    rf"(?<!\w)(Δ|Λ|Ω|{'|'.join(_SPELLINGS)})([^\S\n]{{0,3}}|[-_])([\d₀-₉⁰¹²³⁴-⁹]+)(?!\w)",
    re.IGNORECASE,
)
"""What may be meant as a code: its letter, a gap, its number, each written in other ways too."""


def codes_in(text: str) -> list[str]:
    """The codes that a text names, in order, each once.

    >>> codes_in("после \u220612: Λ1 и снова Δ12; ⟁, 🫁🫧, Δ123")
    ['Δ12', 'Λ1', '⟁']
    """
    return list(dict.fromkeys(_NAMED.findall(text.translate(LETTERS))))


def checked_code(text: str) -> str:
    """The code in its one spelling. Raises ValueError, which says what to write instead.

    >>> checked_code("\u220612")
    'Δ12'
    """
    check_texts(code=text)
    code = text.translate(LETTERS)
    if _CODE.fullmatch(code):
        return code
    match = _NUMBERED.fullmatch(code)
    if match is None:
        if meant := meant_code(code):
            raise ValueError(misspelled(text, meant))
        raise ValueError(
            f"{text or 'nothing'} is no code: expected Δ and two digits (Δ12), Λ or Ω and a number "
            f"(Λ1), or one of {' '.join(GLYPHS)}" + _why_none(code)
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


def _why_none(code: str) -> str:
    """What an eye may not see in a text that is no code; "" for others."""
    if hidden := HIDDEN.search(code):
        return f"; {named(hidden[0])} stands in it, which is invisible: remove it"
    if alike := _WITH_ALIKE.fullmatch(code):
        meant = _ALIKE[alike[1]] + alike[2]
        advice = f": write {meant}" if is_right(meant) else ""
        return f"; its letter is {named(alike[1])}{advice}"
    return ""


def named(sign: str) -> str:
    """A character by its number and its name in Unicode: U+200B (ZERO WIDTH SPACE)."""
    return f"U+{ord(sign):04X} ({name(sign, 'no name')})"


def misspelled(text: str, meant: str) -> str:
    """What is wrong with a text that is no code and means one, as `meant_code` gives it."""
    try:
        return f"{text} is not how a code is written: write {checked_code(meant)}"
    except ValueError as error:
        return f"{text} is not how a code is written, and {error}"


def meant_code(text: str) -> str:
    """What a letter like one of the three, or its name, and a number seem to mean; "" for others.

    >>> meant_code("δ12"), meant_code("Дельта１２"), meant_code("Δ 30"), meant_code("дельта")
    ('Δ12', 'Δ12', 'Δ30', '')
    """
    match = _LIKE_ONE.fullmatch(text)
    return _meant(match) if match else ""


def _meant(match: re.Match[str]) -> str:
    letter = normalize("NFKC", match[1]).casefold()
    digits = normalize("NFKC", match[3])
    return _SPELLINGS[letter] + "".join(str(int(digit)) for digit in digits)


def look_alikes(text: str) -> Iterator[tuple[int, int, str]]:
    """What in a text is meant as a code and not written as one: (start, end, the code meant).

    >>> list(look_alikes("Δ 30 и △42, не Δ12"))
    [(0, 4, 'Δ30'), (7, 10, 'Δ42')]
    """
    for match in _LIKE_ONE.finditer(text):
        if not _NUMBERED.fullmatch(match[0].translate(LETTERS)):
            yield *match.span(), _meant(match)


def is_right(text: str) -> bool:
    """Whether a text is a code in its one spelling."""
    return bool(_CODE.fullmatch(text))


def is_code(text: str) -> bool:
    """Whether a text is meant as a code and nothing else, be it a wrong one."""
    return bool(meant_code(text.strip())) or text.strip() in GLYPHS


Code = Annotated[str, AfterValidator(checked_code)]
"""The code of a formula, in its one spelling."""


Letter = Literal["Δ", "Λ", "Ω"]


def order(code: str) -> tuple[str, int]:
    """By what right codes are sorted: letter, then number; glyphs behind."""
    return code[0], int(code[1:] or 0)


def free_code(used: Iterable[str], letter: Letter = "Δ") -> str:
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
    glyphs = [glyph for glyph in GLYPHS if glyph not in taken]
    raise NoFreeCode(
        "all 100 codes Δ00 to Δ99 are in use",
        hint="Remove a formula"
        + (f", or give one of the glyphs by hand: {' '.join(glyphs)}" if glyphs else "."),
    )
