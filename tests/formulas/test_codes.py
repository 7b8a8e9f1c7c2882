"""Codes: which there are, how they are written, which is free."""

from __future__ import annotations

import pytest

from anchors.formulas.codes import checked_code, free_code
from anchors.formulas.errors import NoFreeCode

ALL = [f"Δ{n:02}" for n in range(100)]


@pytest.mark.parametrize("code", ["Δ00", "Δ99", "Λ1", "Λ120", "Ω0", "⟁", "🜂", "🫁", "🫧"])
def test_codes_that_there_are(code: str) -> None:
    assert checked_code(code) == code


def test_signs_that_look_like_the_letters_are_read_as_them() -> None:
    assert (checked_code("\u220612"), checked_code("\u21263")) == ("Δ12", "Ω3")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("Δ7", "one digit.*write Δ07"),
        ("Δ123", "3 digits.*one token.*Λ or Ω"),
        ("Λ01", "write Λ1"),
        ("Δ", "expected Δ and two digits"),
        ("Δxx", "expected Δ and two digits"),
        ("Δ１２", "^Δ１２ is not how a code is written: write Δ12"),
        ("Δ9૪", "write Δ94"),
        ("δ12", "write Δ12"),
        ("△7", "Δ7 has one digit, .*write Δ07"),
        ("Дельта12", "write Δ12"),
        ("omega3", "write Ω3"),
        ("Л1", "^Л1 is no code: expected Δ and two digits"),
        ("", "^nothing is no code: expected Δ and two digits"),
    ],
)
def test_other_codes_are_refused_with_what_to_write(code: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        checked_code(code)


def test_the_next_code_is_the_first_free_one() -> None:
    assert free_code([]) == "Δ00"
    assert free_code(ALL[:42] + ALL[43:]) == "Δ42"
    assert (free_code(["Λ1", "Ω2"], "Λ"), free_code(["Ω1", "Ω2"], "Ω")) == ("Λ2", "Ω3")


def test_running_out_of_codes_says_what_remains() -> None:
    with pytest.raises(
        NoFreeCode, match=r"all 100 codes Δ00 to Δ99 are in use\nRemove .* ⟁ 🜂 🫁 🫧"
    ):
        free_code(ALL)
    with pytest.raises(NoFreeCode, match=r"by hand: 🜂 🫁 🫧$"):
        free_code([*ALL, "⟁"])
    assert free_code(ALL, "Λ") == "Λ1"
