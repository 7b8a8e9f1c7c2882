"""Unfolding formulas of formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from anchors.formulas.errors import Cycle
from anchors.formulas.model import Formula
from forest.errors import NotFound


class Step(NamedTuple):
    """A formula met on the way, ``level`` parts below the one that is expanded."""

    level: int
    code: str
    formula: Formula | None
    """None where nobody defined the code."""


def expand(formulas: Mapping[str, Formula], code: str) -> list[Step]:
    """The formula, then its parts, each followed by its own parts: an outline in reading order.

    A formula that stands in several places is unfolded at the first only, so the outline is no
    longer than all the lists of parts together.

    :raises NotFound: there is no such formula.
    :raises Cycle: a formula is a part of itself.
    """
    if code not in formulas:
        raise NotFound(f"there is no formula {code}")
    steps = [Step(0, code, formulas[code])]
    unfolded = {code}
    path: dict[str, Iterator[str]] = {code: iter(formulas[code].parts)}
    while path:
        part = next(path[next(reversed(path))], None)
        if part is None:
            path.popitem()
            continue
        if part in path:
            raise _cycle([*path], part)
        formula = formulas.get(part)
        steps.append(Step(len(path), part, formula))
        if formula is not None and part not in unfolded:
            unfolded.add(part)
            path[part] = iter(formula.parts)
    return steps


def _cycle(path: list[str], again: str) -> Cycle:
    circle = [*path[path.index(again) :], again]
    said = circle if len(circle) < 10 else [*circle[:4], "…", *circle[-2:]]
    return Cycle(
        f"{again} is a part of itself: {' has the part '.join(said)}",
        hint=f"Take {again} out of the parts of {circle[-2]}.",
    )
