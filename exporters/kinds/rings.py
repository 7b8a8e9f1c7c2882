"""Kinds of record that join trees at an anchor: cards over its ring, and what a jump becomes."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from exporters.draw import draw
from exporters.held import CROWD, Held, thoughts_of
from exporters.kinds import Plan
from exporters.linearize import ANCHOR, MARKER, Piece, fitted, length, says, shortened, tell
from exporters.records import Record, mean_axes
from exporters.scratch import Occurrence, Reading, TreeNote

NAME = 60
"""Longest title in the words of a record, in characters."""
MANY = 256
"""Of an anchor's occurrences so many are read at once."""


class Stop(NamedTuple):
    """An occurrence with its tree and the text around it."""

    tree: TreeNote
    before: list[Piece]
    """Up to the thought that carries the anchor, which stands last; empty where only cards are
    made."""
    after: list[Piece]
    """From the thought that carries the anchor on."""
    anchor: Piece
    """The anchor's phrase as written here."""
    premises: Sequence[Piece] = ()
    """On a card, the other premises of what a leaf supports."""

    @property
    def way(self) -> list[Piece]:
        """What the anchor leads to here."""
        return [*self.premises, *self.after]

    @property
    def thought(self) -> str:
        """Id of the thought that carries the anchor."""
        return self.after[0].thought


class RingRecords:
    """The records of the rings in a scratch file, one ring at a time.

    :param held: what no record says together.
    """

    def __init__(self, plan: Plan, reading: Reading, held: Held) -> None:
        self._plan, self._reading, self.held = plan, reading, held
        self._stitches = [kind for kind in STITCHES if plan.mix.wants(kind)]
        self.tree = lru_cache(maxsize=4096)(reading.tree)
        """A tree by its number in the scratch file."""
        self._stop = lru_cache(maxsize=CROWD)(self._read_stop)
        self._places: dict[int, tuple[bytes, bytes]] = {}

    def of(self, ring: Sequence[Occurrence], pairs: Sequence[tuple[int, int]]) -> Iterator[Record]:
        """All records of an anchor, given its jumps as places on the ring."""
        self._places = self._reading.places([at.place for at in ring[:MANY]])
        if self._plan.mix.wants("card"):
            for stops in self._cards(ring):
                said = {"anchor": stops[0].anchor, "ways": _ways(stops)}
                yield from self._record("card", ring[0], stops, said)
        if self._stitches:
            known = set(pairs)
            for i, j in pairs:
                again = (j, i) in known and j < i
                yield from self._stitched(ring[i], ring[j], again)

    def _stitched(self, source: Occurrence, target: Occurrence, again: bool) -> Iterator[Record]:
        """What becomes of a jump; ``again`` if there is the jump back too, and it comes first."""
        leaving, landing = self._stop(source), self._stop(target)
        jumped, compared = self._parted(leaving, landing)
        for kind in self._stitches:
            stops = compared if kind == "comparison" else jumped
            said = STITCHES[kind](*stops, self._plan)
            if said and not (again and kind == "comparison"):
                yield from self._record(kind, source, list(stops), said)

    def _parted(self, leaving: Stop, landing: Stop) -> tuple[tuple[Stop, Stop], tuple[Stop, Stop]]:
        """Two stops as a jump says them, and as a comparison: without what is held apart."""
        held = self.held
        if not held:
            return (leaving, landing), (leaving, landing)
        before = held.begun(leaving.before, landing.thought)
        jumped = (
            leaving._replace(before=before),
            landing._replace(after=held.cut(landing.after, thoughts_of(before))),
        )
        after = held.cut(leaving.after, {landing.thought})
        compared = (
            leaving._replace(after=after),
            landing._replace(after=held.cut(landing.after, thoughts_of(after))),
        )
        return jumped, compared

    def _record(
        self, kind: str, at: Occurrence, stops: list[Stop], said: dict[str, Any]
    ) -> Iterator[Record]:
        recipe, tree = self._plan.recipe, stops[0].tree
        axes = mean_axes([of.axes for of in {stop.tree.id: stop.tree for stop in stops}.values()])
        ids = [stop.thought for stop in stops]
        if not self._plan.mix.keeps(kind, axes, at.anchor, *ids):
            return
        jumps = [jump(at.anchor, *stops)] if "before" in said else []
        said["marker"] = Piece(
            recipe.walks.marker, stops[-1].tree.id, role=MARKER, loss=kind != "bridge"
        )
        least = 2 if kind != "chain" else sys.maxsize  # it asks for its last thought
        laid = self._plan.templates.lay(kind, tree.lang, recipe.window, least, **said)
        yield Record(kind, at.split, tell(laid), axes, jumps, at.anchor)

    def _cards(self, ring: Sequence[Occurrence]) -> Iterator[list[Stop]]:
        """Each occurrence is on one card.

        One that would be alone has another beside it that is on a card already; where it is held
        apart from all of them, it is on no card.
        """
        recipe = self._plan.recipe
        done: list[Occurrence] = []
        left = deque(_by_turns(ring))
        while left:
            card: list[Occurrence] = []
            stops: list[Stop] = []
            said: set[str] = set()
            size = 0
            while found := self._next(left, said):
                at, stop = found
                more = length(stop.way, self._plan.measure) + 2
                begins = draw(recipe.seed, at.anchor, at.key) % recipe.cards.ways == 0
                if len(card) > 1 and (begins or size + more > recipe.window):
                    left.appendleft(at)
                    break
                card.append(at)
                stops.append(stop)
                size += more
                said |= thoughts_of(stop.way)
            if len(card) == 1:
                stops = [*self._beside(done, said), *stops]
            if len(stops) > 1:
                yield stops
            done = [*done[-CROWD:], *card]

    def _next(self, left: deque[Occurrence], said: set[str]) -> tuple[Occurrence, Stop] | None:
        """Take the first occurrence that is held apart from nothing said, as a card says it."""
        for n, at in enumerate(left):
            if stop := self._way(at, said):
                del left[n]
                return at, stop
        return None

    def _beside(self, done: Sequence[Occurrence], said: set[str]) -> list[Stop]:
        """The last of some occurrences that is held apart from nothing said, if there is one."""
        return next(([stop] for at in reversed(done) if (stop := self._way(at, said))), [])

    def _way(self, at: Occurrence, said: set[str]) -> Stop | None:
        """A stop as a card says it beside what it says already; None where it is held apart."""
        stop, most = self._stop(at), self._plan.recipe.cards.continuation
        if self.held.meets(stop.thought, said):
            return None
        beside = [one for one in self._premises(at) if not self.held.meets(one.thought, said)]
        known = thoughts_of(beside)
        after = [one for one in stop.after if one.thought not in known]
        after = self.held.cut(fitted(after, most, 2, self._plan.measure), said)
        return stop._replace(after=after, premises=beside)

    def _premises(self, at: Occurrence) -> list[Piece]:
        if not self._plan.recipe.cards.premises:
            return []
        told = self._reading.beside(at.place)
        return unpacked(told, self.tree(at.tree).id) if told else []

    def _read_stop(self, at: Occurrence) -> Stop:
        before, after = self._places.get(at.place) or self._reading.place(at.place)
        tree = self.tree(at.tree)
        anchor = Piece(at.phrase, tree.id, role=ANCHOR)
        led = unpacked(before, tree.id) if self._stitches else []
        return Stop(tree, led, unpacked(after, tree.id), anchor)


def _by_turns(ring: Sequence[Occurrence]) -> list[Occurrence]:
    """The occurrences in the order of their hashes, the first of each tree before any second."""
    turns: Counter[int] = Counter()
    ordered = []
    for at in sorted(ring, key=lambda o: (o.key, o.place)):
        ordered.append((turns[at.tree], at))
        turns[at.tree] += 1
    return [at for _, at in sorted(ordered, key=lambda turn: turn[0])]


def jump(anchor: str, source: Stop, target: Stop) -> dict[str, str]:
    """A jump, as ``meta`` says it."""
    return {
        "anchor": anchor,
        "from_tree": source.tree.id,
        "from": source.thought,
        "to_tree": target.tree.id,
        "to": target.thought,
    }


def unpacked(packed: bytes | str, tree: str) -> list[Piece]:
    """Pieces that the scratch file kept as bytes."""
    return [Piece(text, tree, thought, anchors) for text, thought, anchors in orjson.loads(packed)]


# --- what a jump becomes --------------------------------------------------------------------------


def _bridge(source: Stop, target: Stop, _: Plan) -> dict[str, Any] | None:
    """What follows the anchor is learnt; the way to it and what carries it is only read."""
    if len(target.after) < 2:
        return None
    return _titles(source, target) | {
        "before": _read(source.before),
        "anchor": target.anchor._replace(loss=False),
        "target": _read([] if says(target.after[0], target.anchor.text) else target.after[:1]),
        "after": target.after[1:],
    }


def _composite(source: Stop, target: Stop, _: Plan) -> dict[str, Any] | None:
    """From what comes before the anchor to what follows it, without any thought that says it."""
    jumped, landed = source.before[-1], target.after[0]
    anchors = set(jumped.anchors) & set(landed.anchors)
    words = jumped.text, landed.text, source.anchor.text, target.anchor.text

    def is_bridge(piece: Piece) -> bool:
        return not anchors.isdisjoint(piece.anchors) or any(says(piece, one) for one in words)

    before = [piece for piece in source.before[:-1] if not is_bridge(piece)]
    after = [piece for piece in target.after[1:] if not is_bridge(piece)]
    if not before or not after:
        return None
    return _titles(source, target) | {"before": before, "anchor": target.anchor, "after": after}


def _chain(source: Stop, target: Stop, plan: Plan) -> dict[str, Any] | None:
    """The question how a first thought leads to a last one, and every step between them."""
    landed = target.after
    if len(landed) < 2:
        return None
    first = _read(source.before[:1])
    room = plan.recipe.window - length([*first, *source.before], plan.measure) - 2 * NAME
    while len(landed) > 2 and length([*landed, landed[-1]], plan.measure) > room:
        landed = landed[:-1]
    return _titles(source, target) | {
        "first": first,
        "last": _read(landed[-1:]),
        "before": source.before,
        "anchor": target.anchor,
        "after": landed[1:] if says(landed[0], target.anchor.text) else landed,
    }


def _comparison(source: Stop, target: Stop, _: Plan) -> dict[str, Any]:
    return {"anchor": source.anchor, "ways": _ways([source, target])}


def _titles(source: Stop, target: Stop) -> dict[str, Any]:
    return {
        "title": shortened(source.tree.title, NAME),
        "target_title": shortened(target.tree.title, NAME),
    }


def _ways(stops: Sequence[Stop]) -> list[dict[str, Any]]:
    return [{"title": shortened(stop.tree.title, NAME), "thoughts": stop.way} for stop in stops]


def _read(pieces: Sequence[Piece]) -> list[Piece]:
    """The same pieces, to be read without loss."""
    return [piece._replace(loss=False) for piece in pieces]


STITCHES: dict[str, Callable[[Stop, Stop, Plan], dict[str, Any] | None]] = {
    "bridge": _bridge,
    "composite": _composite,
    "chain": _chain,
    "comparison": _comparison,
}
"""Kinds that are made of one jump: what their template is given; None where it says too little."""
