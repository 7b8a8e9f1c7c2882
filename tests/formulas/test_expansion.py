"""Formulas of formulas: their parts in order, cycles, what nobody defined."""

from __future__ import annotations

import pytest

from anchors.formulas.errors import Cycle
from anchors.formulas.expansion import expand
from anchors.formulas.model import Formula
from anchors.formulas.syntax import parse
from forest.errors import NotFound


def forest_of(*texts: str) -> dict[str, Formula]:
    return {formula.code: formula for formula in map(parse, texts)}


def outline(formulas: dict[str, Formula], code: str) -> list[str]:
    return ["  " * step.level + step.code for step in expand(formulas, code)]


def test_parts_follow_their_formula_in_order() -> None:
    formulas = forest_of("Λ1 = (Δ91 → Δ41)", "Δ12 + Δ41 → Δ91 = жара", "Δ12 = вода", "Δ41 = жар")
    assert outline(formulas, "Λ1") == ["Λ1", "  Δ91", "    Δ12", "    Δ41", "  Δ41"]
    assert outline(formulas, "Δ12") == ["Δ12"]


def test_a_code_that_nobody_defined_is_a_leaf() -> None:
    _, defined, undefined = expand(forest_of("Λ1 = (Δ12 → Δ57)", "Δ12 = вода"), "Λ1")
    assert defined.formula == parse("Δ12 = вода")
    assert undefined.formula is None
    with pytest.raises(NotFound, match="there is no formula Δ57"):
        expand({}, "Δ57")


def test_what_stands_in_many_places_is_unfolded_once() -> None:
    doubling = [f"Λ{n} = (Λ{n + 1} → Λ{n + 1})" for n in range(12)]
    assert len(expand(forest_of(*doubling), "Λ0")) == 25


def test_a_deep_chain_of_formulas_is_no_problem() -> None:
    chain = [Formula(f"Λ{n}", parts=(f"Λ{n + 1}",)) for n in range(5000)]
    assert expand({formula.code: formula for formula in chain}, "Λ0")[-1].level == 5000


def test_a_cycle_is_refused_by_name() -> None:
    formulas = forest_of("Λ0 = (Λ1)", "Λ1 = (Δ12 → Λ2)", "Λ2 = (Ω3)", "Ω3 = [Δ12, Λ1]")
    with pytest.raises(Cycle) as error:
        expand(formulas, "Λ0")
    assert str(error.value) == (
        "Λ1 is a part of itself: Λ1 has the part Λ2 has the part Ω3 has the part Λ1\n"
        "Take Λ1 out of the parts of Ω3."
    )


def test_a_long_cycle_is_said_shortly() -> None:
    chain = [Formula(f"Λ{n}", parts=(f"Λ{(n + 1) % 5000}",)) for n in range(5000)]
    with pytest.raises(Cycle) as error:
        expand({formula.code: formula for formula in chain}, "Λ0")
    assert error.value.message == (
        "Λ0 is a part of itself: Λ0 has the part Λ1 has the part Λ2 has the part Λ3 has the part … "
        "has the part Λ4999 has the part Λ0"
    )
