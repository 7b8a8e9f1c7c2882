"""How authors write the weights of axes, as fractions that sum to 1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from forest.fields import clean_name
from forest.phrases import phrase_key


def axis_weights(value: Any) -> dict[str, float]:
    """Weights of axes as fractions that sum to 1, in the order of `by_weight`.

    A mapping holds fractions (sum 1), percents (sum 100) or strings such as ``"80%"``; a plain
    list of names means equal weights.

    Raises ValueError where a weight is no number above 0 or they do not sum to 1 within 0.001.
    """
    named = _named_weights(value)
    percents = _any_percent(named)
    weights = {
        axis_name(name): _weight(name, weight, percents=percents) for name, weight in named.items()
    }
    if len({phrase_key(name) for name in weights}) < len(value):
        raise ValueError("an axis is named twice")
    total = sum(weights.values())
    if round(abs(total - 100), 9) <= 0.1 and not percents:
        weights, total = {n: _hundredth(str(w)) for n, w in weights.items()}, total / 100
    if weights and round(abs(total - 1), 9) > 0.001:
        raise ValueError(
            f"the weights of the axes sum to {total:g}: they must sum to 1 (or to 100%)"
        )
    if abs(total - 1) > 1e-9:
        weights = {name: weight / total for name, weight in weights.items()}
    return by_weight(weights)


def by_weight(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights of axes in the one order that they have everywhere: the greatest first, then by name.

    So the order says nothing that the weights do not, and no store can lose it.
    """
    return dict(sorted(weights.items(), key=lambda axis: (-axis[1], phrase_key(axis[0]))))


def _named_weights(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, list | tuple):
        raise ValueError("axes are a list of names, or names with weights")
    if not all(isinstance(name, str) for name in value):
        raise ValueError("axes in a list are names: write weights as {name: weight}")
    return dict.fromkeys(value, 1 / max(len(value), 1))


def _any_percent(value: Mapping[str, Any]) -> bool:
    return any(isinstance(weight, str) and "%" in weight for weight in value.values())


def axis_name(name: Any) -> str:
    """The name of an axis, cleaned. Raises ValueError where it is none."""
    if not isinstance(name, str):
        raise ValueError(f"an axis is called {name!r}: a name must be text")
    try:
        clean = clean_name(name)
    except ValueError as error:
        raise ValueError(f"the axis name {name!r}: {error}") from None
    if not phrase_key(clean):
        raise ValueError(f"the axis name {name!r} has no letter to be matched by")
    return clean


def _point(number: str) -> str:
    return number.replace(",", ".")


def _hundredth(percent: str) -> float:
    """The fraction nearest to what was written: 33.3 gives 0.333, and not 0.33299999999999996."""
    return float(Decimal(_point(percent)) / 100)


def _weight(name: str, weight: Any, *, percents: bool) -> float:
    """The weight as written; beside percents, a plain number above 1 is one, too."""
    number = weight
    if isinstance(weight, str):
        match = re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*(%?)\s*", weight)
        number = _hundredth(match[1]) if match and match[2] else match and float(_point(match[1]))
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number <= 100:
        raise ValueError(
            f"the weight of axis {name!r} is {weight!r}: expected a number above 0, at most 1 (or "
            "100%)"
        )
    is_percent = isinstance(weight, str) and "%" in weight
    return _hundredth(str(number)) if percents and number > 1 and not is_percent else float(number)
