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

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby, permutations, product
from typing import NamedTuple

import orjson

from exporters.destinations import destination, is_drawn
from exporters.draw import draw
from exporters.held import Held, Least, Pair, Stitch, directed, drawn, thoughts_of
from exporters.kinds import Plan
from exporters.kinds.rings import RingRecords, unpacked
from exporters.linearize import ANCHOR, MARKER, Outline, Piece, dropped, length, says, tell
from exporters.lines import Block, Finishing, Line
from exporters.manifest import JumpCoverage
from exporters.probes import new_by_words
from exporters.recipe import Recipe
from exporters.records import WALK, Record, axes_of, mean_axes
from exporters.scratch import (
    PLACE_BITS,
    Gathered,
    Jump,
    Leg,
    Link,
    Occurrence,
    Reading,
    Scratch,
    TreeNote,
)
from exporters.splits import TRAIN

HUB, ALONE = "hub cap", "no other tree of the split carries the anchor"
THINNED = "the recipe's weights"
"""Reasons for an occurrence to be in no jump."""
FEW = 6
"""Of so many trees it is quicker to look at all pairs than at all that is held apart of them."""


# --- while trees stream by ------------------------------------------------------------------------


class Gatherer:
    """Gathers the thoughts of trees that carry shared anchors."""

    def __init__(self, recipe: Recipe, shared: frozenset[str]) -> None:
        self._recipe, self._shared = recipe, shared

    def gather(self, outline: Outline) -> Gathered:
        """A tree's occurrences with the text before and after them."""
        seed, settings = self._recipe.seed, self._recipe.walks
        on_cards = self._recipe.cards.premises
        packer = _Packer(outline.pieces)
        carrying = dict.fromkeys(outline.carrying(self._shared))
        gathered = Gathered([], [], [])
        tree = outline.tree
        of = orjson.dumps((tree.id, tree.title, tree.lang, axes_of(tree.axes)))
        for place in carrying:
            id_ = outline.pieces[place].thought
            key, fate = draw(seed, id_), draw(id_)
            most = max(self._recipe.window - settings.prefix, 0)
            after = outline.after(place, settings.continuation, seed, most, settings.premises)
            before, ahead = packer.pack(outline.before(place, settings.prefix)), packer.pack(after)
            beside = packer.pack(outline.premises(place, on_cards)) if on_cards else b""
            said = hashed(of, before, ahead, beside)
            gathered.places.append((place, key, id_, said, beside.decode(), before, ahead))
            gathered.passing.extend(
                (place, n, p)
                for n, p in enumerate(after)
                if n and p in carrying and not outline.are_premises(place, p)
            )
            for anchor, phrase in outline.links(place, self._shared):
                ring = draw(seed, anchor, tree.id)
                gathered.carried.append((place, anchor, ring, phrase, key, fate, said))
        return gathered


def hashed(*told: bytes) -> int:
    """A number from 0 to `RANGE` - 1 that stands for these bytes."""
    digest = blake2b(digest_size=8)
    for some in told:
        digest.update(b"%d " % len(some))
        digest.update(some)
    return int.from_bytes(digest.digest(), "big") >> 1


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


def covered(ring: Sequence[Occurrence], recipe: Recipe) -> list[tuple[int, int]]:
    """The jumps of a ring; they avoid what is drawn to be held out where they can."""
    some = drawn(ring, recipe.probes.share if ring[0].split == TRAIN else 0)
    apart = {pair for one in some for pair in one.pairs}
    return ring_cover([o.tree for o in ring], recipe.walks.pairs, apart)


class Closed(NamedTuple):
    """What became of a ring."""

    jumps: list[tuple[int, int, int]]
    """(source, target, hash) of each that walks take, as places on the ring."""
    sources: tuple[int, int]
    """How many of its occurrences are the source of one jump, and of more."""
    targets: tuple[int, int]
    thinned: int
    """How many are in no jump."""


class RingWork:
    """Closes rings, each by itself.

    :param held: what no record of the training split says together.
    """

    def __init__(self, plan: Plan, reading: Reading, held: Held) -> None:
        self._recipe, self._mix = plan.recipe, plan.mix
        self._records = RingRecords(plan, reading, held)
        self._finish = Finishing(plan)
        self._whole = plan.mix.wants_all(WALK)

    def of(self, ring: list[Occurrence]) -> Iterator[Line | Block | Closed]:
        """The records of a ring, then its jumps."""
        pairs = covered(ring, self._recipe)
        yield from self._finish.all(self._records.of(ring, pairs))
        walked = [pair for pair in pairs if self._whole or self._is_walked(ring, *pair)]
        yield Closed(
            [(i, j, self._draw(ring[i], ring[j])) for i, j in walked],
            _once_and_more(source for source, _ in walked),
            _once_and_more(target for _, target in walked),
            len(ring) - len({i for pair in walked for i in pair}),
        )

    def _is_walked(self, ring: list[Occurrence], i: int, j: int) -> bool:
        source, target = ring[i], ring[j]
        axes = mean_axes([self._records.tree(no).axes for no in (source.tree, target.tree)])
        return self._mix.keeps(WALK, axes, source.anchor, source.key, target.key)

    def _draw(self, source: Occurrence, target: Occurrence) -> int:
        return draw(self._recipe.seed, source.anchor, source.key, target.key)


def _once_and_more(places: Iterator[int]) -> tuple[int, int]:
    counts = Counter(places).values()
    once = sum(count == 1 for count in counts)
    return once, len(counts) - once


class Rings:
    """The rings of all anchors: what is held out of them, and what their jumps cover."""

    def __init__(self, recipe: Recipe, scratch: Scratch) -> None:
        self._recipe, self._scratch = recipe, scratch
        self._held_by: dict[int, set[tuple[int, int]]] = {}
        self._apart: dict[tuple[int, int], list[tuple[str, str]]] = {}
        self.stitches: list[Stitch] = []
        """The held-out stitches, those that drew least first."""
        self.coverage: dict[str, JumpCoverage] = {}
        self.anchors: Counter[str] = Counter()
        """By split, how many anchors came by."""
        self.shared: Counter[str] = Counter()
        """By split, how many of them are in two or more trees."""
        self.jumps = 0
        """How many jumps for walks were put into the scratch file."""

    def hold(self) -> list[tuple[str, str]]:
        """Choose what is held out, before any ring is closed: pairs of thoughts.

        Of each stitch all thoughts of its two trees that carry the anchor; and those of the first
        and the answer, which another jump could bring together.
        """
        settings = self._recipe.probes
        least = Least(settings.count)
        for ring in self._scratch.rings() if settings.share and settings.count else ():
            if ring[0].split != TRAIN:
                break
            if ring[0].tree == ring[-1].tree:
                continue
            kept = self._capped(ring)
            apart = drawn(kept, settings.share)
            if not any(least.would_take(one.draw) for one in apart):
                continue
            used = set(map(frozenset, covered(kept, self._recipe)))
            stitches = [
                directed(kept, one)
                for one in sorted(apart)
                if least.would_take(one.draw)
                and used.isdisjoint(one.pairs)
                and all(self._share_one(*(kept[i] for i in pair)) for pair in one.pairs)
            ]
            for stitch in new_by_words(self._scratch, ring, stitches):
                if least.would_take(stitch.draw):
                    least.add(stitch)
        self.stitches = list(least)
        return [pair for stitch in self.stitches for pair in self._apart_from(stitch)]

    def _apart_from(self, stitch: Stitch) -> list[tuple[str, str]]:
        """What is held apart for a stitch, noted by the trees."""
        ends = dict.fromkeys([*map(self._thought, stitch.targets), stitch.answer])
        trees = stitch.source.tree, stitch.target.tree
        pairs = [*product(map(self._thought, stitch.sources), ends)]
        self._apart.setdefault(trees, []).extend(pairs)
        for tree in trees:
            self._held_by.setdefault(tree, set()).add(trees)
        return pairs

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

    def to_close(self) -> Iterator[list[Occurrence]]:
        """The rings of anchors that two trees share, as they are closed."""
        for ring in self._scratch.rings():
            if ring[0].tree != ring[-1].tree:
                yield self._capped(ring)

    def counted(self, hear: Callable[[list[Occurrence]], None]) -> Iterator[list[Occurrence]]:
        """The same; all rings are counted.

        :param hear: is told of each ring.
        """
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
            yield kept

    def closed(self, ring: list[Occurrence], into: Closed) -> None:
        """Count what became of a ring, and put its jumps into the scratch file."""
        coverage = self.coverage[ring[0].split]
        coverage.source_once += into.sources[0]
        coverage.source_more += into.sources[1]
        coverage.target_once += into.targets[0]
        coverage.target_more += into.targets[1]
        _leave_out(coverage, THINNED, into.thinned)
        numbered = enumerate(into.jumps, self.jumps + 1)
        self._scratch.add_jumps(
            self._jump(no, ring[i], ring[j], key) for no, (i, j, key) in numbered
        )
        self.jumps += len(into.jumps)

    def _jump(self, no: int, source: Occurrence, target: Occurrence, key: int) -> Jump:
        return Jump(no, source.split, source.anchor, source.place, target.place, target.phrase, key)

    def made_of(self, ring: Sequence[Occurrence]) -> str:
        """A hash of all that the records and jumps of a ring are made of."""
        told = [(at.said, at.phrase) for at in ring], self.held_among({at.tree for at in ring})
        return blake2b(orjson.dumps(told), digest_size=16).hexdigest()

    def held_among(self, trees: Set[int]) -> list[tuple[str, str]]:
        """Pairs of thoughts of these trees that are held apart."""
        if len(trees) > FEW:
            near = {pair for tree in trees for pair in self._held_by.get(tree, ())}
            inside = [pair for pair in near if pair[0] in trees and pair[1] in trees]
        else:
            inside = [pair for pair in permutations(trees, 2) if pair in self._apart]
        return sorted(held for pair in inside for held in self._apart[pair])

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


# --- walks ----------------------------------------------------------------------------------------


class _Road(NamedTuple):
    """The way from a landing to the next thought that is a source."""

    pieces: int
    """Pieces of the walk up to there."""
    size: int
    """Characters of the walk up to there, and one to separate what follows."""


class Chains:
    """Which jumps follow each other: each jump is in exactly one chain.

    Memory is some bytes for each jump.

    :param jumps: all of them, in the order of their numbers from 1.
    :param hops: where the hash of a jump is divisible by this, a chain begins.
    """

    def __init__(self, jumps: Iterable[Link], hops: int) -> None:
        self._next, self._keys = array("q", [0]), array("q", [0])
        self._hashes = array("Q", [0])
        self._trees = array("I", [0, 0])
        self._names, self._places = [""], array("I", [0])
        self._hops = hops
        for one in jumps:
            self._next.append(one.next or 0)
            self._keys.append(one.key)
            # any of its jumps may begin a walk, with what is said before the place it leaves
            told = one.anchor, one.phrase, one.left, one.landed, one.step
            self._hashes.append(hashed(orjson.dumps(told)))
            self._trees.extend((one.source >> PLACE_BITS, one.target >> PLACE_BITS))
            name = f"{one.split}\0{one.anchor}"
            again = self._names[-1] == name
            self._places.append(self._places[-1] + 1 if again else 0)
            self._names.append(self._names[-1] if again else name)
        self._kinds = self._marked()

    def _marked(self) -> bytearray:
        """Of each jump: 1 where a chain begins, 2 in a circle, 0 elsewhere."""
        marks = bytearray(len(self._next))
        led_to = bytearray(len(self._next))
        for no in self._next:
            led_to[no] = 1
        for no in range(1, len(marks)):
            marks[no] = not led_to[no] or self._keys[no] % self._hops == 0
        taken = bytearray(len(marks))
        for head in range(1, len(marks)):
            if marks[head]:
                for no in self._from(head, marks):
                    taken[no] = 1
        for no in range(1, len(marks)):
            if not taken[no]:
                marks[no] = 2
        return marks

    def _from(self, head: int, marks: bytearray) -> Iterator[int]:
        no = head
        while True:
            yield no
            no = self._next[no]
            if not no or no == head or marks[no] == 1:
                return

    def heads(self) -> Iterator[int]:
        """Where a chain begins: nothing leads there, or a hash says so."""
        return (no for no, kind in enumerate(self._kinds) if kind == 1)

    def circles(self) -> Iterator[int]:
        """Of jumps that follow each other in a circle, the one with the least hash."""
        seen: set[int] = set()
        for no, kind in enumerate(self._kinds):
            if kind == 2 and no not in seen:
                circle = list(self.chain(no))
                seen.update(circle)
                yield min(circle, key=lambda one: (self._keys[one], one))

    def chain(self, head: int) -> Iterator[int]:
        """The jumps of a chain."""
        return self._from(head, self._kinds)

    def name(self, head: int) -> str:
        """What a chain is called in every export; they are in the order of their heads."""
        return f"{self._names[head]}\0{self._places[head]:09}"

    def is_of(self, head: int, split: str) -> bool:
        """Whether a chain is of a split."""
        return self._names[head].startswith(f"{split}\0")

    def made_of(self, head: int, held: Callable[[Set[int]], object]) -> str:
        """A hash of all that the walks of a chain are made of.

        :param held: which thoughts of some trees are held apart.
        """
        jumps = list(self.chain(head))
        trees = {tree for no in jumps for tree in self._trees[2 * no : 2 * no + 2]}
        told = [self._hashes[no] for no in jumps], held(trees)
        return blake2b(orjson.dumps(told), digest_size=16).hexdigest()


class Walked(NamedTuple):
    """The walks of a chain are told."""

    jumps: int


class WalkWork:
    """Tells chains of jumps as walks, each by itself.

    :param held: what no record of the training split says together.
    """

    def __init__(self, plan: Plan, reading: Reading, held: Held) -> None:
        self._reading, self._plan, self._held = reading, plan, held
        self._finish = Finishing(plan)
        self._tree = lru_cache(maxsize=4096)(reading.tree)
        self._places: dict[int, tuple[bytes, bytes]] = {}

    def of(self, chains: Sequence[Sequence[int]]) -> Iterator[Line | Block | Walked]:
        """The walks of each of some chains of jumps, then how many jumps it has."""
        legs = self._reading.legs(jump for jumps in chains for jump in jumps)
        self._places = self._reading.places({legs[jumps[0]].source for jumps in chains})
        for jumps in chains:
            yield from self._finish.all(self._walks(legs[jump] for jump in jumps))
            yield Walked(len(jumps))

    def _walks(self, chain: Iterable[Leg]) -> Iterator[Record]:
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
        packed, _ = self._places.get(leg.source) or self._reading.place(leg.source)
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
        """Take a further jump, if hops, window and what is held apart allow it.

        Nor does a walk come back to say what it said: the jump begins the next walk then.
        """
        road = self._road
        if road is None or len(self._jumps) == self._recipe.walks.hops:
            return False
        if self._held.meets(leg.target, self._said):
            return False
        landing, ahead = self._landing(leg, tree, self._pieces[road.pieces - 1])
        if tree.id in self._axes:
            before = thoughts_of(self._pieces[: road.pieces])
            if not before.isdisjoint(thoughts_of(landing)):
                return False
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
        if is_drawn(settings.named, self._recipe.seed, leg.anchor, source.thought, leg.target):
            said.append(destination(tree.id, tree.title, settings.marker))
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
