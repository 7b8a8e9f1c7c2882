"""Which records a corpus keeps: by kind, by meaning axes, by chance that repeats itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from exporters.draw import RANGE, draw
from exporters.recipe import Recipe
from exporters.records import Axes
from forest.errors import UsageError
from forest.phrases import phrase_key


class Mix:
    """The shares of a recipe, for a forest with these axes.

    A record is kept with the probability that is its kind's weight times its axes' preference: the
    mean of the preferences of its axes, by their weights in the record. Whether it is kept is a
    hash of the seed and of what it is made of, so it depends on no other record.

    :raises UsageError: the recipe prefers an axis that the forest has not.
    """

    def __init__(self, recipe: Recipe, axes: Iterable[str]) -> None:
        self._seed = recipe.seed
        self._kinds: Mapping[str, float] = recipe.kinds.model_dump()
        self._others = recipe.axes.others
        self._alike = not recipe.axes.prefer and self._others == 1
        self._prefer = {phrase_key(axis): share for axis, share in recipe.axes.prefer.items()}
        known = {phrase_key(axis): axis for axis in axes}
        for axis in recipe.axes.prefer:
            if phrase_key(axis) not in known:
                raise UsageError(
                    f"the recipe prefers the axis {axis!r}, which the forest has not: expected "
                    f"one of {', '.join(known.values()) or 'none, as it has no axes'}",
                    hint="Correct it in the recipe, under [axes].",
                )

    def wants(self, *kinds: str) -> bool:
        """Whether any of these kinds has a weight."""
        return any(self._kinds[kind] for kind in kinds)

    def wants_all(self, kind: str) -> bool:
        """Whether every record of a kind is kept."""
        return self._alike and self._kinds[kind] == 1

    def keeps(self, kind: str, axes: Axes, *ids: str | int) -> bool:
        """Whether the record of a kind that is made of what these ids name is kept."""
        share = self._kinds[kind]
        if share and not self._alike:
            share *= self._preference(axes)
        if share >= 1:
            return True
        return share > 0 and draw(self._seed, "kept", kind, *ids) < share * RANGE

    def _preference(self, axes: Iterable[Mapping[str, Any]]) -> float:
        told = [(float(a["weight"]), self._prefer.get(phrase_key(a["axis"]))) for a in axes]
        rest = max(1 - sum(weight for weight, _ in told), 0)
        shares = (weight * (self._others if p is None else p) for weight, p in told)
        return sum(shares) + rest * self._others
