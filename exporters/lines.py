"""Records, finished: the lines that go into files, and what is counted and checked of them.

Whoever makes records finishes them at once, in whatever process; whoever writes them needs no look
into a line. Lines that go into their files as they come are handed on in blocks, so that what costs
something for each of them is done where they are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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

MOST = 1 << 17
"""A block is handed on when its lines have so many bytes."""


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


class Block:
    """Lines of one split, and what is counted, compared and checked of them."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[int]] = {}
        """Records, characters, length and how many are long, by kind."""
        self.lengths: dict[str, list[int]] = {}
        """Bytes of each line, by configuration."""
        self.lines: dict[str, list[bytes]] = {}
        """Lines by configuration; in whatever pieces, joined they are these lines."""
        self.notes: dict[str, list[bytes]] = {}
        self.walks: list[int] = []
        """Jumps of each walk."""
        self.texts: list[int] = []
        self.bytes = 0

    def add(self, line: Line, *, long: bool) -> None:
        """Take a line."""
        kind, _, told, size, length, jumps, _, _, text, _, note = line
        config = KINDS[kind].config
        if config not in self.lines:
            self.lines[config], self.lengths[config], self.notes[config] = [], [], []
        self.lines[config].append(told)
        self.lengths[config].append(len(told))
        self.bytes += len(told)
        counts = self.kinds.setdefault(kind, [0, 0, 0, 0])
        counts[0] += 1
        counts[1] += size
        counts[2] += length
        counts[3] += long
        if kind == WALK:
            self.walks.append(jumps)
        if text:
            self.texts.append(text)
        if note:
            self.notes[config].append(note)

    def extend(self, other: Block) -> None:
        """Take over what is counted, compared and checked of the lines of another block."""
        for kind, more in other.kinds.items():
            counts = self.kinds.get(kind, (0, 0, 0, 0))
            self.kinds[kind] = [*map(int.__add__, counts, more)]
        for config, lengths in other.lengths.items():
            self.lengths.setdefault(config, []).extend(lengths)
            self.notes.setdefault(config, []).extend(other.notes[config])
        self.walks += other.walks
        self.texts += other.texts


class Finishing:
    """Makes lines of records: what of them is asked for depends on the recipe alone."""

    def __init__(self, plan: Plan) -> None:
        recipe = plan.recipe
        self._window = recipe.window
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

    def waits(self, split: str) -> bool:
        """Whether whoever writes lines of this split has to know more of each of them."""
        return self.sorts or self.loses(split)

    def all(self, records: Iterable[Record]) -> Iterator[Line | Block]:
        """Finish records: in blocks those that go into their files as they come."""
        block = Block()
        for record in records:
            line = self(record)
            if self.waits(record.split):
                yield line
                continue
            block.add(line, long=line.length > self._window)
            if block.bytes >= MOST:
                yield block
                block = Block()
        if block.bytes:
            yield block

    def one(self, line: Line) -> Block:
        """A block of one line."""
        block = Block()
        block.add(line, long=line.length > self._window)
        return block

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
