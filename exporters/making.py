"""All units of an export in their order, taken over from an earlier one or made anew.

First the trees; then what joins them: rings of anchors, chains of jumps. The records of a unit go
to `exporters.writing`, what later stages need of it into the scratch files.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import orjson

from anchors.registry import Registry
from exporters.kinds import Plan
from exporters.manifest import SplitReport
from exporters.parts import TreeBegun, TreeDone, packed, unpacked
from exporters.probes import Probes
from exporters.records import axes_of
from exporters.reuse import Kept, Made, Parts
from exporters.scratch import Occurrence, Scratch
from exporters.splits import TRAIN, VALIDATION
from exporters.walks import Chains, Closed, Rings, Walked
from exporters.work import CHAINS, Crew, batched, tell_held, tell_shared
from exporters.writing import Writing
from forest.errors import ExportError
from forest.model import TreeInfo
from forest.stores.base import Store

_End = TypeVar("_End", TreeDone, Closed, Walked)
THOUGHTS, OCCURRENCES = 1000, 200
"""What a batch for a worker has at least of: trees by their thoughts, rings."""
Progress = Callable[[str, int, int], None]
"""progress(what is counted, how many are done, of how many): called after each tree and walk."""


class Making:
    """Takes over or makes all units of an export.

    :param room: the folder of the scratch files.
    """

    def __init__(
        self,
        room: Path,
        plan: Plan,
        scratch: Scratch,
        crew: Crew,
        parts: Parts,
        writing: Writing,
    ) -> None:
        self._room, self._plan, self._scratch = room, plan, scratch
        self._crew, self._parts, self._writing = crew, parts, writing
        self._unit: Made | None = None
        """What is made at the moment, if it is kept."""
        self.united = 0
        """Anchors that count under another one."""

    # --- records of one tree -------------------------------------------------------------------

    def trees(self, forest: Store, sides: Iterator[str], progress: Progress | None) -> None:
        """Read each tree: write its records, put its shared anchors aside."""
        everything = sum(info.size for info in forest.infos()) if progress else 0
        done = 0
        for thoughts in self._trees(forest, sides):
            done += thoughts
            if progress:
                progress("thoughts", done, everything)
        self._scratch.order()
        self._scratch.settle()
        if not self._writing.counted:
            raise ExportError(
                "the forest has no trees, so there is nothing to export",
                hint="`forest import` or `forest init --sample` plants some.",
            )

    def _trees(self, forest: Store, sides: Iterator[str]) -> Iterator[int]:
        """Take over or make all trees, in their order; gives the number of thoughts of each."""
        kept = self._parts.kept("trees")
        splits, known = self._known(kept, forest, sides)
        todo = (
            (info.size, info.id, split)
            for info, split, at in zip(forest.infos(), splits, known, strict=True)
            if at < 0
        )
        batches = batched(todo, THOUGHTS, itemgetter(0))
        made = self._crew.do("trees", ([unit[1:] for unit in batch] for batch in batches))
        for no, at in enumerate(known, 1):
            yield self._make_tree(no, made, kept) if at < 0 else self._take_tree(no, at, kept)

    def _known(
        self, kept: Kept, forest: Store, sides: Iterator[str]
    ) -> tuple[list[str], Sequence[int]]:
        """The split of each tree, and where what it gives is kept: -1 where it must be made."""
        registry = Registry.of(forest)
        self.united = registry.united
        shared, joined = registry.shared(forest), registry.joined
        tell_shared(self._room, shared, joined)
        del registry  # it grows with the forest's anchors
        splits, known = [], array("q")
        for info, split in zip(forest.infos(), sides, strict=False):
            same = partial(_is_same_tree, info, split, shared, joined)
            splits.append(split)
            known.append(kept.find(info.id, same))
        return splits, known

    def _make_tree(self, no: int, made: Iterator[Any], kept: Kept) -> int:
        """Write a tree's records, put its shared anchors aside."""
        tree = next(made)
        assert isinstance(tree, TreeBegun)
        self._scratch.add_tree(no, tree[:6])
        self._count_tree(no, tree)
        self._unit = unit = Made() if self._parts.keeps else None
        done = self._until(made, TreeDone)
        self._join_tree(no, tree, done)
        if unit:
            told = unit.packed(packed(tree, done, unit.waiting))
            kept.add(tree.id, _key_of(tree), unit, told)
        self._unit = None
        return tree.thoughts

    def _until(self, made: Iterator[Any], end: type[_End]) -> _End:
        """Write the records of a unit; gives what it ends with."""
        for one in made:
            if isinstance(one, end):
                return one
            self._writing.take(one, self._unit)
        raise AssertionError(f"a unit ends with {end.__name__}")

    def _take_tree(self, no: int, at: int, kept: Kept) -> int:
        """Take over a tree as an earlier export made it."""
        made, told, rest = kept.take(at)
        tree, done, waiting = unpacked(rest)
        self._scratch.add_tree(no, tree[:6])
        self._count_tree(no, tree)
        if made.block.lengths:
            self._writing.write(TRAIN, made.block, made)
        self._writing.all(waiting)
        self._join_tree(no, tree, done)
        kept.add(tree.id, made.key, made, told)
        return tree.thoughts

    def _join_tree(self, no: int, tree: TreeBegun, done: TreeDone) -> None:
        self._scratch.add_places(no, tree.split, done.gathered)
        self._writing.counted[tree.split].steps_covered += done.stepped

    def _count_tree(self, no: int, tree: TreeBegun) -> None:
        report = self._writing.counted.setdefault(tree.split, SplitReport())
        report.trees += 1
        report.thoughts += tree.thoughts
        report.steps += tree.thoughts - 1
        report.characters += tree.characters
        report.languages[tree.lang] = report.languages.get(tree.lang, 0) + 1
        report.anchors += tree.own_anchors
        report.long_thoughts += tree.long_thoughts
        report.tokens += tree.tokens
        if tree.silent:
            self._scratch.add_silent(no, tree.silent, array("Q", tree.keys))
        if tree.split == TRAIN:
            self._writing.hold(tree.keys)

    # --- records that join trees ---------------------------------------------------------------

    def joined(self, progress: Progress | None) -> Probes:
        """Close the rings of all anchors, write their records and walks; gives the probes."""
        rings = Rings(self._plan.recipe, self._scratch)
        tell_held(self._room, rings.hold())
        probes = Probes(self._plan, self._scratch, rings.stitches)
        self._close(rings, probes)
        self._scratch.link()
        self._scratch.settle()
        self._walk(rings, progress)
        for split, report in self._writing.counted.items():
            report.anchors += rings.anchors[split]
            report.shared_anchors = rings.shared[split]
            report.jumps = rings.coverage.get(split, report.jumps)
        return probes

    def _close(self, rings: Rings, probes: Probes) -> None:
        """Take over or make all rings, in their order."""
        kept = self._parts.kept("rings")
        known = array("q", (_same_ring(kept, rings, ring) for ring in rings.counted(probes.hear)))
        todo = (ring for ring, at in zip(rings.to_close(), known, strict=True) if at < 0)
        made = self._crew.do("rings", batched(todo, OCCURRENCES, len))
        for ring, at in zip(rings.to_close(), known, strict=True):
            if at < 0:
                unit = self._begin_unit(ring[0].split)
                closed = self._until(made, Closed)
                if unit:
                    told = unit.packed(orjson.dumps(tuple(closed)))
                    kept.add(_name_of(ring), rings.made_of(ring), unit, told)
            else:
                unit, told, rest = kept.take(at)
                closed = Closed._make(orjson.loads(rest))
                self._writing.write(TRAIN, unit.block, unit)
                kept.add(_name_of(ring), unit.key, unit, told)
            rings.closed(ring, closed)
            self._unit = None

    def _begin_unit(self, split: str) -> Made | None:
        """What is written from now on is kept together, if it can be taken over."""
        self._unit = Made() if self._parts.keeps and split == TRAIN else None
        return self._unit

    def _walk(self, rings: Rings, progress: Progress | None) -> None:
        """Take over or make the walks of all chains, in their order."""
        chains = Chains(self._scratch.links(), self._plan.recipe.walks.hops)
        done = 0
        for jumps in chain(self._walk_chains(chains, rings), self._walk_circles(chains)):
            done += jumps
            if progress:
                progress("jumps", done, rings.jumps)

    def _walk_chains(self, chains: Chains, rings: Rings) -> Iterator[int]:
        kept, held = self._parts.kept("walks"), rings.held_among

        def find(head: int) -> int:
            if not self._parts.keeps or not chains.is_of(head, TRAIN):
                return -1
            return kept.find(chains.name(head), lambda of: bool(of == chains.made_of(head, held)))

        known = array("q", map(find, chains.heads()))
        todo = (
            list(chains.chain(head))
            for head, at in zip(chains.heads(), known, strict=True)
            if at < 0
        )
        made = self._crew.do("walks", batched(todo, CHAINS, lambda _: 1))
        for head, at in zip(chains.heads(), known, strict=True):
            if at < 0:
                unit = self._begin_unit(TRAIN if chains.is_of(head, TRAIN) else VALIDATION)
                jumps = self._until(made, Walked).jumps
                if unit:
                    of = chains.made_of(head, held)
                    kept.add(chains.name(head), of, unit, unit.packed(b""))
            else:
                unit, told, _ = kept.take(at)
                jumps = sum(unit.block.walks)
                self._writing.write(TRAIN, unit.block, unit)
                kept.add(chains.name(head), unit.key, unit, told)
            self._unit = None
            yield jumps

    def _walk_circles(self, chains: Chains) -> Iterator[int]:
        circles = (list(chains.chain(head)) for head in chains.circles())
        made = self._crew.do("walks", batched(circles, CHAINS, lambda _: 1))
        for one in made:
            if isinstance(one, Walked):
                yield one.jumps
            else:
                self._writing.take(one, self._unit)


def _name_of(ring: Sequence[Occurrence]) -> str:
    return f"{ring[0].split}\0{ring[0].anchor}"


def _same_ring(kept: Kept, rings: Rings, ring: Sequence[Occurrence]) -> int:
    if ring[0].split != TRAIN:
        return -1
    return kept.find(_name_of(ring), lambda made_of: bool(made_of == rings.made_of(ring)))


def _key_of(tree: TreeBegun) -> tuple[Any, ...]:
    """What a tree's records are made of."""
    return tree.revision, tree.split, orjson.loads(tree.axes), tree.anchors


def _is_same_tree(
    info: TreeInfo, split: str, shared: Set[str], joined: Mapping[str, str], key: tuple[Any, ...]
) -> bool:
    """Whether the tree's records would be made of the same again."""
    revision, side, axes, anchors = key
    return (
        revision == info.revision
        and side == split
        and axes == axes_of(info.axes)
        and all(
            joined.get(own, own) == head and (head in shared) == is_shared
            for own, head, is_shared in anchors
        )
    )
