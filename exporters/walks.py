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
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import orjson

from exporters.draw import draw
from exporters.held import Held, Least, Pair, Stitch, directed, drawn, thoughts_of
from exporters.kinds import Plan
from exporters.kinds.rings import RingRecords, unpacked
from exporters.linearize import ANCHOR, MARKER, Outline, Piece, dropped, length, says, tell
from exporters.manifest import JumpCoverage
from exporters.probes import new_by_words
from exporters.recipe import Recipe
from exporters.records import WALK, Record, mean_axes
from exporters.scratch import Jump, Leg, Occurrence, Scratch, TreeNote
from exporters.splits import TRAIN

PLACE_BITS = 32
"""A place in the scratch file is the number of its tree, and the thought's in so many bits."""
BATCH = 5000
"""Jumps that wait in memory before they are put into the scratch file."""
HUB, ALONE = "hub cap", "no other tree of the split carries the anchor"
THINNED = "the recipe's weights"
"""Reasons for an occurrence to be in no jump."""


# --- while trees stream by ------------------------------------------------------------------------


class Gatherer:
    """Puts the thoughts that carry shared anchors into the scratch file, tree by tree."""

    def __init__(self, scratch: Scratch, recipe: Recipe, shared: frozenset[str]) -> None:
        self._scratch, self._recipe, self._shared = scratch, recipe, shared

    def gather(self, outline: Outline, tree_no: int, split: str) -> None:
        """Keep a tree's occurrences with the text before and after them."""
        seed, settings = self._recipe.seed, self._recipe.walks
        first, packer = tree_no << PLACE_BITS, _Packer(outline.pieces)
        numbers = {place: first + place for place in outline.carrying(self._shared)}
        places: list[tuple[int, int, int, str, bytes, bytes]] = []
        passing: list[tuple[int, int, int]] = []
        occurrences: list[Occurrence] = []
        for place, no in numbers.items():
            id_ = outline.pieces[place].thought
            key, fate = draw(seed, id_), draw(id_)
            most = max(self._recipe.window - settings.prefix, 0)
            after = outline.after(place, settings.continuation, seed, most, settings.premises)
            before = packer.pack(outline.before(place, settings.prefix))
            places.append((no, tree_no, key, id_, before, packer.pack(after)))
            passing += [
                (no, n, numbers[p])
                for n, p in enumerate(after)
                if n and p in numbers and not outline.are_premises(place, p)
            ]
            for anchor, phrase in outline.links(place, self._shared):
                ring = draw(seed, anchor, outline.tree.id)
                occurrences.append(Occurrence(split, anchor, ring, tree_no, no, phrase, key, fate))
        self._scratch.add_places(places, passing, occurrences)


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
                piece = self._pieces[place]
                packed[place] = orjson.dumps((piece.text, piece.thought, piece.anchors))
        return b"[" + b",".join([packed[place] for place in places]) + b"]"


# --- rings ----------------------------------------------------------------------------------------


def ring_cover(
    trees: Sequence[int], rounds: int = 1, apart: Collection[Pair] = ()
) -> list[tuple[int, int]]:
    """Jumps (from, to) over occurrences, given the tree of each; those of a tree stand together.

    With m the most occurrences that one tree has, occurrence i jumps to i + m (modulo their
    number): always to another tree, as long as no tree has more than half of them. Where one has,
    its occurrences jump to those of the other trees in turn, and back: each is then a source and
    a target at least once, those of the other trees more often.

    A further round jumps one further on, i to i + m + 1, and so on while that is another tree: each
    occurrence is then a source and a target once more.

    Shape: (number of trees,) -> (jumps, 2); at least two different trees.
    """
    n = len(trees)
    most, m = max(Counter(trees).items(), key=lambda item: item[1])
    if 2 * m <= n:
        jumps = [(i, (i + k) % n) for k in range(m, min(m + rounds, n - m + 1)) for i in range(n)]
        return _exchanged(jumps, trees, apart)
    many = [i for i in range(n) if trees[i] == most]
    others = [i for i in range(n) if trees[i] != most]
    away = [(many[k], others[k % len(others)]) for k in range(m)]
    back = [(others[k % len(others)], many[(k + 1) % m]) for k in range(m)]
    return _exchanged(away + back, trees, apart)


def _exchanged(
    jumps: list[tuple[int, int]], trees: Sequence[int], apart: Collection[Pair]
) -> list[tuple[int, int]]:
    def suits(i: int, j: int) -> bool:
        return trees[i] != trees[j] and (i, j) not in taken and frozenset((i, j)) not in apart

    taken = set(jumps)
    for one, (i, j) in enumerate(jumps):
        if apart and frozenset((i, j)) in apart:
            for other, (k, to) in enumerate(jumps):
                if suits(i, to) and suits(k, j):
                    taken -= {(i, j), (k, to)}
                    jumps[one], jumps[other] = (i, to), (k, j)
                    taken |= {(i, to), (k, j)}
                    break
    return jumps


class Rings:
    """Closes the rings of all anchors, and counts what their jumps cover."""

    def __init__(self, plan: Plan, scratch: Scratch) -> None:
        self._recipe, self._mix, self._scratch = plan.recipe, plan.mix, scratch
        self._records = RingRecords(plan, scratch)
        self.stitches: list[Stitch] = []
        """The held-out stitches, those that drew least first."""
        self.coverage: dict[str, JumpCoverage] = {}
        self.anchors: Counter[str] = Counter()
        """By split, how many anchors came by."""
        self.shared: Counter[str] = Counter()
        """By split, how many of them are in two or more trees."""
        self.jumps = 0
        """How many jumps for walks were put into the scratch file."""

    @property
    def held(self) -> Held:
        """What no record of the training split says together."""
        return self._records.held

    def hold(self) -> None:
        """Choose what is held out, before any ring is closed."""
        settings = self._recipe.probes
        least = Least(settings.count)
        for ring in self._scratch.rings() if settings.share and settings.count else ():
            if ring[0].split != TRAIN:
                break
            if ring[0].tree == ring[-1].tree:
                continue
            kept = self._capped(ring)
            pairs, apart = self._cover(kept)
            free = apart.keys() - {frozenset(pair) for pair in pairs}
            stitches = [
                directed(kept, pair, apart[pair])
                for pair in sorted(free, key=apart.__getitem__)
                if least.would_take(apart[pair]) and self._share_one(*(kept[i] for i in pair))
            ]
            for stitch in new_by_words(self._scratch, ring, stitches):
                if least.would_take(stitch.draw):
                    least.add(stitch)
        self.stitches = list(least)
        self._records.held = Held(
            (self._thought(stitch.source), self._thought(stitch.target)) for stitch in self.stitches
        )

    def _cover(self, ring: list[Occurrence]) -> tuple[list[tuple[int, int]], dict[Pair, int]]:
        """The jumps of a ring, and the pairs that they avoid where they can."""
        share = self._recipe.probes.share if ring[0].split == TRAIN else 0
        apart = drawn(ring, share)
        return ring_cover([o.tree for o in ring], self._recipe.walks.pairs, apart), apart

    def _share_one(self, one: Occurrence, other: Occurrence) -> bool:
        """Whether one anchor alone joins two thoughts: no other ring needs their pair."""
        first, second = (set(self._landing(o)[2]) for o in (one, other))
        return len(first & second) == 1

    def _thought(self, occurrence: Occurrence) -> str:
        return self._landing(occurrence)[1]

    def _landing(self, occurrence: Occurrence) -> tuple[str, str, list[str]]:
        """(text, id, anchors) of the thought of an occurrence."""
        landing: tuple[str, str, list[str]] = orjson.loads(
            self._scratch.place(occurrence.place)[1]
        )[0]
        return landing

    def close(self, hear: Callable[[list[Occurrence]], None]) -> Iterator[Record]:
        """The records made of each ring; its jumps for walks are put into the scratch file.

        :param hear: is told of each ring.
        """
        waiting: list[Jump] = []
        whole = self._mix.wants_all(WALK)
        for ring in self._scratch.rings():
            hear(ring)
            coverage = self.coverage.setdefault(ring[0].split, JumpCoverage())
            self.anchors[ring[0].split] += 1
            if ring[0].tree == ring[-1].tree:
                _leave_out(coverage, ALONE, len(ring))
                continue
            self.shared[ring[0].split] += 1
            coverage.occurrences += len(ring)
            kept = self._capped(ring)
            _leave_out(coverage, HUB, len(ring) - len(kept))
            pairs, _ = self._cover(kept)
            yield from self._records.of(kept, pairs)
            walked = [pair for pair in pairs if whole or self._is_walked(kept, *pair)]
            _count(coverage, walked)
            _leave_out(coverage, THINNED, len(kept) - len({i for pair in walked for i in pair}))
            waiting += (
                self._jump(no, kept[i], kept[j]) for no, (i, j) in enumerate(walked, self.jumps + 1)
            )
            self.jumps += len(walked)
            if len(waiting) >= BATCH:
                self._scratch.add_jumps(waiting)
                waiting.clear()
        self._scratch.add_jumps(waiting)

    def _is_walked(self, ring: list[Occurrence], i: int, j: int) -> bool:
        source, target = ring[i], ring[j]
        axes = mean_axes([self._records.tree(no).axes for no in (source.tree, target.tree)])
        return self._mix.keeps(WALK, axes, source.anchor, source.key, target.key)

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


class _Road(NamedTuple):
    """The way from a landing to the next thought that is a source."""

    pieces: int
    """Pieces of the walk up to there."""
    size: int
    """Characters of the walk up to there, and one to separate what follows."""


class Walks:
    """All walks over the jumps in the scratch file, each jump in exactly one of them."""

    def __init__(self, scratch: Scratch, plan: Plan, jumps: int, held: Held) -> None:
        self._scratch, self._plan, self._jumps, self._held = scratch, plan, jumps, held
        self._taken = bytearray(jumps // 8 + 1)
        self._tree = lru_cache(maxsize=4096)(scratch.tree)

    def __iter__(self) -> Iterator[Record]:
        for head in self._scratch.heads(self._plan.recipe.walks.hops):
            yield from self._walks(self._chain(head))
        for no in range(1, self._jumps + 1):
            if not self._is_taken(no):
                yield from self._walks(self._chain(self._head_of_cycle(no)))

    # --- which jumps follow each other ---------------------------------------------------------

    def _chain(self, head: int) -> Iterator[Leg]:
        """The jumps that follow a head, itself first, up to the next head."""
        hops = self._plan.recipe.walks.hops
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

    def _walks(self, chain: Iterator[Leg]) -> Iterator[Record]:
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
        tree = self._tree(leg.source >> PLACE_BITS)
        recipe = self._plan.recipe
        packed, _ = self._scratch.place(leg.source)
        before = unpacked(packed, tree.id)
        before = dropped(before, recipe.walks.prefix_dropout, recipe.seed)
        before = self._held.begun(before, leg.target)
        return _Walking(self._plan, leg.split, before, tree, self._held)


class _Walking:
    """A walk that is being told."""

    def __init__(
        self, plan: Plan, split: str, before: list[Piece], tree: TreeNote, held: Held
    ) -> None:
        self._recipe, self._measure, self._split = plan.recipe, plan.measure, split
        self._held, self._said = held, thoughts_of(before)
        self._pieces = before
        self._size = length(before, self._measure)
        self._road: _Road | None = None
        self._axes = {tree.id: tree.axes}
        self._jumps: list[dict[str, str]] = []

    def goes_on(self, leg: Leg, tree: TreeNote) -> bool:
        """Take a further jump, if hops, window and what is held apart allow it."""
        road = self._road
        if road is None or len(self._jumps) == self._recipe.walks.hops:
            return False
        if self._held.meets(leg.target, self._said):
            return False
        landing, ahead = self._landing(leg, tree, self._pieces[road.pieces - 1])
        if road.size + length(landing, self._measure) - 1 > self._recipe.window:
            return False
        del self._pieces[road.pieces :]
        self._size = road.size
        self._take(leg, tree, landing, ahead)
        return True

    def begin(self, leg: Leg, tree: TreeNote) -> None:
        """Take the first jump."""
        self._take(leg, tree, *self._landing(leg, tree, self._pieces[-1]))

    def _landing(self, leg: Leg, tree: TreeNote, source: Piece) -> tuple[list[Piece], int]:
        """What is said from the marker on, and how many pieces lead to a next source (0: to none).

        The target is not said where the same words were just said, by the thought that is jumped
        from or by the anchor, and something follows.
        """
        settings = self._recipe.walks
        after = self._held.cut(unpacked(leg.after, tree.id), self._said)
        said = [Piece(settings.marker, tree.id, role=MARKER)]
        if settings.restate:
            said.append(Piece(leg.phrase, tree.id, role=ANCHOR, gap=" "))
        just_said = after[0].text == source.text or (
            says(after[0], leg.phrase) and (settings.restate or says(source, leg.phrase))
        )
        first = 1 if just_said and len(after) > 1 else 0
        ahead = len(said) + leg.step + 1 - first if leg.step and leg.step < len(after) else 0
        return said + after[first:], ahead

    def _take(self, leg: Leg, tree: TreeNote, landing: list[Piece], ahead: int) -> None:
        source, size = self._pieces[-1], self._size
        self._road = None
        if ahead:
            self._road = _Road(
                len(self._pieces) + ahead, size + length(landing[:ahead], self._measure)
            )
        self._pieces += landing
        self._size = size + length(landing, self._measure)
        self._said |= {leg.target, *thoughts_of(landing)}
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

    def done(self) -> Record:
        """The walk, to the end of its last continuation."""
        told = tell(self._pieces)
        axes = mean_axes([self._axes[tree] for tree in told.trees])
        return Record(WALK, self._split, told, axes, self._jumps)
