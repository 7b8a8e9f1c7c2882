"""The kinds of record, each a small function from an outline, a ring or a formula to records.

`trees` makes those of one tree while trees stream by, `rings` those that join trees at an anchor
from the scratch file, `formulas` those of formulas. Walks, which join jumps, stand in
`exporters.walks`.
"""

from __future__ import annotations

from typing import NamedTuple

from exporters.measure import Measure
from exporters.mix import Mix
from exporters.recipe import Recipe
from exporters.templates import Templates


class Plan(NamedTuple):
    """What every kind needs to know."""

    recipe: Recipe
    mix: Mix
    templates: Templates
    measure: Measure
