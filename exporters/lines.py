"""A record, finished: the line that goes into a file, and what is counted and checked of it.

Whoever makes records finishes them at once, in whatever process; whoever writes them needs no look
into the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from exporters.draw import draw
from exporters.formats import say
from exporters.kinds import Plan
from exporters.leaks import note
from exporters.linearize import size
from exporters.records import KINDS, PATH, TEXT, WALK, Record
from exporters.splits import VALIDATION
from exporters.texts import text_key


class Line(NamedTuple):
    """A record as it is written."""

    kind: str
    split: str
    line: bytes
    """The record in the recipe's format, as one line of JSON."""
    size: int
    """Characters of all its columns, told as a text."""
    length: int
    """The same in what the recipe counts in."""
    jumps: int
    thoughts: Sequence[str]
    """Ids of those it says, in the order in which they are said; none where nobody asks."""
    order: int
    """Its place in the shuffled order, 0 where nothing is sorted."""
    text: int
    """Hash of what it says, 0 where there is one split."""
    stitched: Sequence[tuple[str, str, str]]
    """(anchor, source, target) of a walk's jumps, where walks may be left out again."""
    note: bytes
    """What the leak check hears of it, nothing where it need not hear."""


class Finishing:
    """Makes lines of records: what of them is asked for depends on the recipe alone."""

    def __init__(self, plan: Plan) -> None:
        recipe = plan.recipe
        self._measure, self._seed, self._format = plan.measure, recipe.seed, recipe.corpus.format
        self.sorts = recipe.order == "shuffled" or bool(recipe.budget)
        """Whether records wait until all are made."""
        self.splits = bool(recipe.corpus.validation)
        """Whether there may be two splits."""
        self.checks = self.splits or bool(recipe.probes.share)
        """Whether there is anything that may leak."""
        self._budget = bool(recipe.budget)
        self._thins = self._budget or not plan.mix.wants_all(PATH)

    def loses(self, split: str) -> bool:
        """Whether a thought of this split may be in no record."""
        return self._thins or split == VALIDATION

    def cuts(self, split: str) -> bool:
        """Whether a walk of this split may be left out when it was made."""
        return split == VALIDATION or self._budget

    def __call__(self, record: Record) -> Line:
        """Finish a record."""
        kind, split, told, jumps = record.kind, record.split, record.told, record.jumps
        said = record.said()
        line = orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)
        order = draw(self._seed, "order", line.decode()) if self.sorts else 0
        if self._format != TEXT:
            formed = say(said, KINDS[kind].config, self._format)
            line = orjson.dumps(formed, option=orjson.OPT_APPEND_NEWLINE)
        characters = size(told.columns)
        length = characters if self._measure is len else size(told.columns, self._measure)
        text = text_key(told.columns) if self.splits else 0
        heard = note(kind, told.trees, told.thoughts, jumps, text) if self.checks else b""
        thoughts = told.said if self.loses(split) else ()
        stitched = [(j["anchor"], j["from"], j["to"]) for j in jumps if self._stitches(record)]
        about = len(jumps), thoughts, order, text, stitched, heard
        return Line(kind, split, line, characters, length, *about)

    def _stitches(self, record: Record) -> bool:
        return record.kind == WALK and self.cuts(record.split)
