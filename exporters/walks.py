"""Walks that jump between trees at shared anchors, under the ring cover.

An *occurrence* is a thought that carries an anchor which at least two trees of its split share.
The occurrences of an anchor stand on a ring, and each jumps to one further on: so each is once
the source and once the target of a jump, and the number of jumps grows linearly with the forest
(all pairs would grow quadratically). What matters is that each anchor is jumped at from each of its
thoughts, not that each pair is shown: a jump between a pair that was never shown is then taken too.

Jumps are joined to walks: after a landing the text goes on in the new tree, and where it comes to
a thought that is a source itself, the walk may jump on from there. Each jump is in exactly one
walk. Where walks are cut depends on hashes of what is joined, so an edit changes only the walks
near it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from exporters.draw import draw
from exporters.linearize import ANCHOR, MARKER, Head, Outline, Piece, Told, length, tell
from exporters.manifest import JumpCoverage
from exporters.recipe import Recipe
from exporters.records import mean_axes
from exporters.scratch import Jump, Leg, Occurrence, Scratch
from forest.phrases import phrase_key

BATCH = 5000
"""Jumps that wait in memory before they are put into the scratch file."""
HUB, ALONE = "hub cap", "no other tree of the split carries the anchor"
"""Reasons for an occurrence to be in no jump."""


# --- while trees stream by ------------------------------------------------------------------------


class Gatherer:
    """Puts the thoughts that carry shared anchors into the scratch file, tree by tree."""

    def __init__(
        self, scratch: Scratch, recipe: Recipe, shared: frozenset[str], head: Head = str
    ) -> None:
        self._scratch, self._recipe, self._shared, self._head = scratch, recipe, shared, head

    def gather(self, outline: Outline, tree_no: int, split: str) -> None:
        """Keep a tree's occurrences with the text before and after them."""
        seed, settings = self._recipe.seed, self._recipe.walks
        numbers, packer = self._numbers(outline, tree_no), _Packer(outline.pieces)
        places: list[tuple[int, int, int, str, bytes, bytes]] = []
        passing: list[tuple[int, int, int]] = []
        occurrences: list[Occurrence] = []
        for place, no in numbers.items():
            id_ = outline.pieces[place].thought
            key = draw(seed, id_)
            after = outline.after(
                place, settings.continuation, seed, max(self._recipe.window - settings.prefix, 0)
            )
            before = packer.pack(outline.before(place, settings.prefix))
            places.append((no, tree_no, key, id_, before, packer.pack(after)))
            passing += [(no, n, numbers[p]) for n, p in enumerate(after) if n and p in numbers]
            for anchor, phrase in self._carried(outline, place):
                ring = draw(seed, anchor, outline.tree.id)
                occurrences.append(Occurrence(split, anchor, ring, tree_no, no, phrase, key))
        self._scratch.add_places(places, passing, occurrences)

    def _numbers(self, outline: Outline, tree_no: int) -> dict[int, int]:
        """Numbers in the scratch file for the thoughts that carry a shared anchor, by place."""
        first, unshared = tree_no << 32, self._shared.isdisjoint
        carrying = (
            n for n, p in enumerate(outline.pieces) if p.anchors and not unshared(p.anchors)
        )
        return {place: first + place for place in carrying}

    def _carried(self, outline: Outline, place: int) -> Iterator[tuple[str, str]]:
        """The shared anchors of a thought with their phrases, each once."""
        seen = set()
        for link in outline.tree.thoughts[place].anchors:
            anchor = self._head(link.anchor)
            if anchor in self._shared and anchor not in seen:
                seen.add(anchor)
                yield anchor, link.phrase


class _Packer:
    """Pieces as bytes for the scratch file; each is packed once, however often it is said."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._packed: dict[int, bytes] = {}

    def pack(self, places: Sequence[int]) -> bytes:
        """Pieces by their places, in this order."""
        packed = self._packed
        for place in places:
            if place not in packed:
                text, _, thought, anchors, _ = self._pieces[place]
                packed[place] = orjson.dumps((text, thought, anchors))
        return b"[" + b",".join([packed[place] for place in places]) + b"]"


def _unpacked(packed: bytes, tree: str) -> list[Piece]:
    return [Piece(text, tree, thought, anchors) for text, thought, anchors in orjson.loads(packed)]


# --- rings ----------------------------------------------------------------------------------------


def ring_cover(trees: Sequence[int]) -> list[tuple[int, int]]:
    """Jumps (from, to) over occurrences, given the tree of each; those of a tree stand together.

    With m the most occurrences that one tree has, occurrence i jumps to i + m (modulo their
    number): always to another tree, as long as no tree has more than half of them. Where one has,
    its occurrences jump to those of the other trees in turn, and back: each is then a source and
    a target at least once, those of the other trees more often.

    Shape: (number of trees,) -> (jumps, 2); at least two different trees.
    """
    n = len(trees)
    most, m = max(Counter(trees).items(), key=lambda item: item[1])
    if 2 * m <= n:
        return [(i, (i + m) % n) for i in range(n)]
    many = [i for i in range(n) if trees[i] == most]
    others = [i for i in range(n) if trees[i] != most]
    away = [(many[k], others[k % len(others)]) for k in range(m)]
    back = [(others[k % len(others)], many[(k + 1) % m]) for k in range(m)]
    return away + back


class Rings:
    """Closes the rings of all anchors, and counts what they cover."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.coverage: dict[str, JumpCoverage] = {}
        self.anchors: Counter[str] = Counter()
        """By split, how many anchors came by."""
        self.shared: Counter[str] = Counter()
        """By split, how many of them are in two or more trees."""

    def close(self, scratch: Scratch) -> int:
        """Put the jumps of all anchors into the scratch file; returns how many there are."""
        waiting: list[Jump] = []
        made = 0
        for ring in scratch.rings():
            waiting += self._jumps(ring, made + 1)
            made = waiting[-1].no if waiting else made
            if len(waiting) >= BATCH:
                scratch.add_jumps(waiting)
                waiting.clear()
        scratch.add_jumps(waiting)
        return made

    def _jumps(self, ring: list[Occurrence], first: int) -> list[Jump]:
        split = ring[0].split
        coverage = self.coverage.setdefault(split, JumpCoverage())
        self.anchors[split] += 1
        if ring[0].tree == ring[-1].tree:
            _leave_out(coverage, ALONE, len(ring))
            return []
        self.shared[split] += 1
        coverage.occurrences += len(ring)
        kept = self._capped(ring)
        _leave_out(coverage, HUB, len(ring) - len(kept))
        pairs = ring_cover([o.tree for o in kept])
        _count(coverage, pairs)
        return [self._jump(no, kept[i], kept[j]) for no, (i, j) in enumerate(pairs, first)]

    def _jump(self, no: int, source: Occurrence, target: Occurrence) -> Jump:
        key = draw(self._recipe.seed, source.anchor, source.key, target.key)
        return Jump(no, source.split, source.anchor, source.place, target.place, target.phrase, key)

    def _capped(self, ring: list[Occurrence]) -> list[Occurrence]:
        """The occurrences of the first trees on the ring, as many as the hub cap says."""
        cap = self._recipe.walks.hub_cap
        if not cap:
            return ring
        by_tree = (list(same) for _, same in groupby(ring, key=lambda o: o.tree))
        return [o for _, same in zip(range(cap), by_tree, strict=False) for o in same]


def _leave_out(coverage: JumpCoverage, reason: str, count: int) -> None:
    if count:
        coverage.left_out[reason] = coverage.left_out.get(reason, 0) + count


def _count(coverage: JumpCoverage, pairs: list[tuple[int, int]]) -> None:
    sources = Counter(source for source, _ in pairs)
    targets = Counter(target for _, target in pairs)
    once = sum(count == 1 for count in sources.values())
    coverage.source_once += once
    coverage.source_more += len(sources) - once
    once = sum(count == 1 for count in targets.values())
    coverage.target_once += once
    coverage.target_more += len(targets) - once


# --- walks ----------------------------------------------------------------------------------------


class Walk(NamedTuple):
    """One walk, told."""

    split: str
    told: Told
    axes: list[dict[str, Any]]
    jumps: list[dict[str, str]]


class _Tree(NamedTuple):
    id: str
    axes: list[dict[str, Any]]


class _Road(NamedTuple):
    """The way from a landing to the next thought that is a source."""

    pieces: int
    """Pieces of the walk up to there."""
    size: int
    """Characters of the walk up to there, and one to separate what follows."""


class Walks:
    """All walks over the jumps in the scratch file, each jump in exactly one of them."""

    def __init__(self, scratch: Scratch, recipe: Recipe, jumps: int) -> None:
        self._scratch, self._recipe, self._jumps = scratch, recipe, jumps
        self._taken = bytearray(jumps // 8 + 1)
        self._tree = lru_cache(maxsize=4096)(self._read_tree)

    def __iter__(self) -> Iterator[Walk]:
        for head in self._scratch.heads(self._recipe.walks.hops):
            yield from self._walks(self._chain(head))
        for no in range(1, self._jumps + 1):
            if not self._is_taken(no):
                yield from self._walks(self._chain(self._head_of_cycle(no)))

    def _read_tree(self, no: int) -> _Tree:
        id_, axes = self._scratch.tree(no)
        return _Tree(id_, orjson.loads(axes))

    # --- which jumps follow each other ---------------------------------------------------------

    def _chain(self, head: int) -> Iterator[Leg]:
        """The jumps that follow a head, itself first, up to the next head."""
        hops = self._recipe.walks.hops
        leg = self._scratch.leg(head)
        while True:
            self._take(leg.no)
            yield leg
            if leg.next is None or leg.next == head:
                return
            leg = self._scratch.leg(leg.next)
            if leg.key % hops == 0:
                return

    def _head_of_cycle(self, no: int) -> int:
        """Of jumps that follow each other in a circle, the one with the least hash."""
        leg = self._scratch.leg(no)
        least = (leg.key, leg.no)
        while leg.next is not None and leg.next != no:
            leg = self._scratch.leg(leg.next)
            least = min(least, (leg.key, leg.no))
        return least[1]

    def _take(self, no: int) -> None:
        self._taken[no >> 3] |= 1 << (no & 7)

    def _is_taken(self, no: int) -> bool:
        return bool(self._taken[no >> 3] & 1 << (no & 7))

    # --- how they are told ---------------------------------------------------------------------

    def _walks(self, chain: Iterator[Leg]) -> Iterator[Walk]:
        """A chain of jumps, cut to walks that keep to the recipe's hops and window."""
        walking: _Walking | None = None
        for leg in chain:
            target = self._tree(leg.tree)
            if walking and walking.goes_on(leg, target):
                continue
            if walking:
                yield walking.done()
            walking = self._begun(leg)
            walking.begin(leg, target)
        if walking:
            yield walking.done()

    def _begun(self, leg: Leg) -> _Walking:
        no, before = self._scratch.before(leg.source)
        tree = self._tree(no)
        return _Walking(self._recipe, leg.split, _unpacked(before, tree.id), tree)


class _Walking:
    """A walk that is being told."""

    def __init__(self, recipe: Recipe, split: str, before: list[Piece], tree: _Tree) -> None:
        self._recipe, self._split = recipe, split
        self._pieces = before
        self._size = length(before)
        self._road: _Road | None = None
        self._axes = {tree.id: tree.axes}
        self._jumps: list[dict[str, str]] = []

    def goes_on(self, leg: Leg, tree: _Tree) -> bool:
        """Take a further jump, unless the walk would make too many or outgrow the window."""
        road = self._road
        if road is None or len(self._jumps) == self._recipe.walks.hops:
            return False
        landing, ahead = self._landing(leg, tree, self._pieces[road.pieces - 1])
        if road.size + length(landing) - 1 > self._recipe.window:
            return False
        del self._pieces[road.pieces :]
        self._size = road.size
        self._take(leg, tree, landing, ahead)
        return True

    def begin(self, leg: Leg, tree: _Tree) -> None:
        """Take the first jump."""
        self._take(leg, tree, *self._landing(leg, tree, self._pieces[-1]))

    def _landing(self, leg: Leg, tree: _Tree, source: Piece) -> tuple[list[Piece], int]:
        """What is said from the marker on, and how many pieces lead to a next source (0: to none).

        The target is not said where the same words were just said, by the thought that is jumped
        from or by the anchor, and something follows.
        """
        settings = self._recipe.walks
        after = _unpacked(leg.after, tree.id)
        said = [Piece(settings.marker, tree.id, role=MARKER)]
        if settings.restate:
            said.append(Piece(leg.phrase, tree.id, role=ANCHOR))
        just_said = after[0].text == source.text or (
            _says(after[0], leg.phrase) and (settings.restate or _says(source, leg.phrase))
        )
        first = 1 if just_said and len(after) > 1 else 0
        ahead = len(said) + leg.step + 1 - first if leg.step else 0
        return said + after[first:], ahead

    def _take(self, leg: Leg, tree: _Tree, landing: list[Piece], ahead: int) -> None:
        source, size = self._pieces[-1], self._size
        self._road = None
        if ahead:
            self._road = _Road(len(self._pieces) + ahead, size + length(landing[:ahead]))
        self._pieces += landing
        self._size = size + length(landing)
        self._axes[tree.id] = tree.axes
        self._jumps.append(
            {
                "anchor": leg.anchor,
                "from_tree": source.tree,
                "from": source.thought,
                "to_tree": tree.id,
                "to": leg.target,
            }
        )

    def done(self) -> Walk:
        """The walk, to the end of its last continuation."""
        told = tell(self._pieces)
        axes = mean_axes([self._axes[tree] for tree in told.trees])
        return Walk(self._split, told, axes, self._jumps)


def _says(thought: Piece, phrase: str) -> bool:
    """Whether a thought says no more than an anchor's phrase."""
    key = phrase_key.__wrapped__  # without its cache: thoughts are many and long
    close = abs(len(thought.text) - len(phrase)) < 9
    return close and key(thought.text) == phrase_key(phrase)
