"""Held-out stitches: pairs of thoughts that no record of the training split says together.

A pair is drawn by a hash of two thoughts, whatever the seed and the other trees, so it stays held
out while the forest grows. They share one anchor alone, in two trees of the training split, and so
do all other thoughts that carry it there: the trees are held apart at the anchor, as one thought
of a tree may say there what another says. Jumps are made around them: each thought is a source and
a target as often as without. Where an anchor's ring cannot spare the pairs, none is held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from heapq import heappush, heapreplace
from itertools import combinations, islice, product
from typing import NamedTuple

from exporters.draw import RANGE, draw
from exporters.linearize import Piece
from exporters.scratch import Occurrence

CROWD = 16
"""Of an anchor's trees so many can be in a held-out pair, those of the least hashes."""
AGAIN = 8
"""A tree that carries an anchor at more thoughts is held apart from none at it."""

Pair = frozenset[int]
"""Two places on a ring."""


class Stitch(NamedTuple):
    """A held-out pair: from a thought of one tree to one of another."""

    draw: int
    sources: tuple[Occurrence, ...]
    """All thoughts of the one tree with the anchor: from none of them is there a jump."""
    targets: tuple[Occurrence, ...]
    """The same of the other."""
    answer: str = ""
    """Id of the thought that answers the question: the target, or one that follows it."""

    @property
    def anchor(self) -> str:
        """The anchor that they share."""
        return self.source.anchor

    @property
    def source(self) -> Occurrence:
        """The thought that is jumped from."""
        return self.sources[0]

    @property
    def target(self) -> Occurrence:
        """The thought that is jumped to."""
        return self.targets[0]


class Drawn(NamedTuple):
    """Two trees that are drawn to be held apart at an anchor."""

    draw: int
    sides: tuple[list[int], list[int]]
    """The places of each on the ring; first that of the least hash, which is asked about."""

    @property
    def pairs(self) -> Iterator[Pair]:
        """All pairs of their thoughts."""
        return map(frozenset, product(*self.sides))


def drawn(ring: Sequence[Occurrence], share: float) -> list[Drawn]:
    """Pairs of trees on a ring that are drawn to be held out.

    None of a ring of fewer than four thoughts: it needs all its pairs for jumps.
    """
    if not share or len(ring) < 4:
        return []
    trees: dict[int, list[int]] = {}
    for i in sorted(range(len(ring)), key=lambda i: (ring[i].fate, ring[i].place)):
        trees.setdefault(ring[i].tree, []).append(i)
    some = list(islice((places for places in trees.values() if len(places) <= AGAIN), CROWD))
    most, found = share * RANGE, []
    for sides in combinations(some, 2):  # the lesser fate first
        at = draw("held out", *(ring[places[0]].fate for places in sides))
        if at < most:
            found.append(Drawn(at, sides))
    return found


def directed(ring: Sequence[Occurrence], one: Drawn) -> Stitch:
    """Two trees with the direction that their hash gives them."""
    first, other = (tuple(ring[i] for i in places) for places in one.sides)
    sources, targets = (first, other) if one.draw & 1 else (other, first)
    return Stitch(one.draw, sources, targets)


class Least:
    """The stitches that drew least, at most ``count``."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[int, int, int, Stitch]] = []

    def would_take(self, at: int) -> bool:
        """Whether a stitch that drew this is among the least so far."""
        full = len(self._heap) >= self._count
        return at < -self._heap[0][0] if full and self._heap else not full

    def add(self, stitch: Stitch) -> None:
        """Add a stitch that `would_take` takes."""
        entry = (-stitch.draw, stitch.source.place, stitch.target.place, stitch)
        if len(self._heap) < self._count:
            heappush(self._heap, entry)
        else:
            heapreplace(self._heap, entry)

    def __iter__(self) -> Iterator[Stitch]:
        return iter([stitch for *_, stitch in sorted(self._heap, reverse=True)])


class Held:
    """Which thoughts are held apart. Empty, it holds nothing apart and costs nothing."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._from: dict[str, set[str]] = {}
        for one, other in pairs:
            self._from.setdefault(one, set()).add(other)
            self._from.setdefault(other, set()).add(one)

    def __bool__(self) -> bool:
        return bool(self._from)

    def meets(self, thought: str, said: Set[str]) -> bool:
        """Whether a thought is held apart from something that is said."""
        return thought in self._from and not self._from[thought].isdisjoint(said)

    def cut(self, pieces: list[Piece], said: Set[str]) -> list[Piece]:
        """The first pieces, up to one that is held apart from what is said; at least the first."""
        if self._from:
            for n in range(1, len(pieces)):
                if self.meets(pieces[n].thought, said):
                    return pieces[:n]
        return pieces

    def begun(self, pieces: list[Piece], thought: str) -> list[Piece]:
        """The last pieces, from behind one that is held apart from a thought."""
        if thought in self._from:
            for n in range(len(pieces) - 1, -1, -1):
                if pieces[n].thought in self._from[thought]:
                    return pieces[n + 1 :]
        return pieces


def thoughts_of(pieces: Iterable[Piece]) -> set[str]:
    """Ids of the thoughts that pieces say."""
    return {piece.thought for piece in pieces if piece.thought}
