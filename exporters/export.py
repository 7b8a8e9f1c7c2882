"""From a forest to a corpus folder: read each tree once, then join what meets at anchors."""

from __future__ import annotations

import hashlib
import shutil
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack
from functools import partial
from itertools import chain, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson

from anchors.formulas.book import Book
from anchors.registry import Registry
from exporters.card import card
from exporters.families import Families
from exporters.files import SplitWriter, require
from exporters.folder import (
    LEFT_OUT,
    MANIFEST,
    PARTS,
    TOKENS,
    Listing,
    replaced_whole,
    write_synced,
)
from exporters.kinds import Plan
from exporters.kinds.formulas import FormulaRecords, tokens
from exporters.leaks import Leaks
from exporters.lines import Block, Finishing, Line
from exporters.manifest import (
    DataFile,
    JumpCoverage,
    LeftOut,
    Manifest,
    ProbeReport,
    SplitReport,
    TokenFile,
)
from exporters.parts import TreeBegun, TreeDone, packed, unpacked
from exporters.probes import Probes
from exporters.recipe import Recipe
from exporters.records import KINDS, axes_of
from exporters.reuse import Kept, Made, Parts, Spoiled, state_of
from exporters.scratch import Occurrence, Scratch
from exporters.splits import TRAIN, VALIDATION
from exporters.texts import Texts
from exporters.walks import THINNED, Chains, Closed, Rings, Walked
from exporters.work import CHAINS, Crew, batched, crew_of, plan_of, tell_held, tell_shared
from forest.collector import fewer_collections
from forest.errors import ExportError
from forest.model import TreeInfo
from forest.revision import forest_revision
from forest.stores.base import Store

_End = TypeVar("_End", TreeDone, Closed, Walked)
THOUGHTS, OCCURRENCES = 1000, 200
"""What a batch for a worker has at least of: trees by their thoughts, rings."""
Progress = Callable[[str, int, int], None]
"""progress(what is counted, how many are done, of how many): called after each tree and walk."""
BUDGET, SAME = "the budget", "the training split says the same"
"""Reasons to be in no record; the second of the validation split."""


def export_corpus(
    store: Store,
    out: Path,
    recipe: Recipe | None = None,
    *,
    seed: int | None = None,
    workers: int = 1,
    earlier: Path | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write a forest as a training corpus into the folder ``out``, in the place of an earlier one.

    The same forest, recipe and seed give the same bytes, on any store. Memory does not grow with
    the forest: one tree is held at a time. The folder is replaced whole or not at all.

    :param recipe: the shipped default where none is given.
    :param seed: in place of the recipe's own.
    :param workers: how many processes make records: 1 is this one; with more, start Python from a
        module that may be imported again (`if __name__ == "__main__"`).
    :param earlier: the corpus from which what did not change is taken over, in place of that in
        ``out``.
    :param progress: called with ("thoughts" or "jumps", done, all).
    :returns: what was written; also in ``out/manifest.json``.
    :raises UsageError: the seed is wrong, or the recipe prefers an axis that the forest has not.
    :raises MissingExtra: the recipe asks for files or a measure whose package is not installed.
    :raises InvalidInput: a formula or a scene, typed with Cypher, is none.
    :raises ExportError: the forest is empty or the recipe leaves nothing of it, a text contains the
        jump marker, ``out`` is something else than a corpus, another export is writing it, there
        is no room, or a worker process died.
    """
    recipe = (recipe or Recipe.default()).with_seed(seed)
    require(recipe.corpus.file)
    job = _Job(store, out.resolve(), (earlier or out).resolve(), recipe, workers, progress)
    try:
        return _export(job, again=False)
    except Spoiled:
        return _export(job, again=True)


class _Job(NamedTuple):
    store: Store
    out: Path
    earlier: Path
    recipe: Recipe
    workers: int
    progress: Progress | None


def _export(job: _Job, *, again: bool) -> Manifest:
    """Write a corpus; ``again`` if nothing of an earlier one can be taken over."""
    recipe = job.recipe
    with (
        replaced_whole(job.out) as (corpus, room),
        job.store.snapshot(room) as forest,
        fewer_collections(),
        crew_of(forest, room, recipe, job.workers) as crew,
        Parts(room / PARTS, None if again else job.earlier, recipe) as parts,
    ):
        state = state_of(forest) if parts.keeps else ""
        if same := parts.whole(state, corpus):
            manifest, text = Manifest.model_validate(same[0] | {"recipe": recipe}), same[1]
        else:
            _empty(corpus)
            manifest = _write_records(forest, crew, corpus, room, parts, job)
            text = card(manifest)
        write_synced(corpus / "README.md", text.encode())
        write_synced(corpus / MANIFEST, manifest.to_json())
        parts.finish(state, manifest.to_json(), text)
    return manifest


def _empty(folder: Path) -> None:
    """Remove what was linked from a corpus that turned out not to be whole."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _write_records(
    forest: Store, crew: Crew, corpus: Path, room: Path, parts: Parts, job: _Job
) -> Manifest:
    recipe, progress = job.recipe, job.progress
    plan = plan_of(recipe, forest)
    sides, near = _sides(forest, crew, room, parts, job)
    book = Book.of(forest)
    with Scratch(room) as scratch, Writing(corpus, room, plan, scratch, crew, parts) as writing:
        writing.trees(forest, sides, progress)
        writing.all(writing.finishing.all(FormulaRecords(plan, book)))
        probes = writing.joined(progress)
        writing.finish()
        left_out = writing.left_out()
        alike = [(scratch.tree(a + 1).id, scratch.tree(b + 1).id) for a, b in near]
        outside = list(scratch.trees_of(VALIDATION))
        revision = forest_revision(scratch.revisions(), forest.axes(), forest.all_nodes())
    if not writing.files():
        raise ExportError(
            "the recipe leaves no record of this forest",
            hint="Give weight to other kinds, under [kinds], or to other axes, under [axes]; or a"
            " larger budget.",
        )
    writing.leaks.check(corpus, writing.files(), alike, outside)
    return Manifest(
        forest_revision=revision,
        recipe=recipe,
        recipe_hash=recipe.hash,
        seed=recipe.seed,
        united_anchors=writing.united,
        splits=writing.reports(),
        tokens=_write_tokens(corpus, book),
        probes=probes,
        left_out=left_out,
        files=writing.files(),
    )


def _sides(
    forest: Store, crew: Crew, room: Path, parts: Parts, job: _Job
) -> tuple[Iterator[str], list[tuple[int, int]]]:
    """The split of each tree in turn, and near-identical trees by their numbers from 0.

    All trees are read and compared, unless all are for training. A few trees that are all drawn
    for validation train all the same.
    """
    validation, progress = job.recipe.corpus.validation, job.progress
    if not validation:
        return repeat(TRAIN), []
    families = Families(room)
    everything = sum(info.size for info in forest.infos()) if progress else 0
    done = 0
    kept = parts.kept("signatures")
    known = array("q", (_signed(kept, info) for info in forest.infos()))
    missing = (i for i, at in zip(forest.infos(), known, strict=True) if at < 0)
    batches = batched(missing, THOUGHTS, lambda info: info.size)
    found = crew.do("signatures", ([info.id for info in batch] for batch in batches))
    for info, at in zip(forest.infos(), known, strict=True):
        signature = next(found) if at < 0 else np.frombuffer(kept.take(at)[2], np.uint32)
        kept.add(info.id, info.revision, Made(), Made().packed(signature.tobytes()))
        families.add(signature, info.id, info.created_at)
        done += info.size
        if progress:
            progress("thoughts compared", done, everything)
    sides = list(families.sides(validation))
    return (iter(sides), families.near) if TRAIN in sides else (repeat(TRAIN), [])


def _signed(kept: Kept, info: TreeInfo) -> int:
    return kept.find(info.id, lambda revision: bool(revision == info.revision))


def _write_tokens(corpus: Path, book: Book) -> TokenFile:
    listed = tokens(book)
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    told = orjson.dumps({"tokens": listed}, option=options)
    write_synced(corpus / TOKENS, told)
    return TokenFile(
        path=TOKENS,
        tokens=[entry["token"] for entry in listed],
        bytes=len(told),
        sha256=hashlib.sha256(told).hexdigest(),
    )


class Writing(ExitStack):
    """The records of one export on their way into files, counted."""

    def __init__(
        self,
        corpus: Path,
        room: Path,
        plan: Plan,
        scratch: Scratch,
        crew: Crew,
        parts: Parts,
    ) -> None:
        super().__init__()
        self._parts = parts
        self._corpus, self._plan, self._scratch, self._crew = corpus, plan, scratch, crew
        self._recipe, self._room = plan.recipe, room
        self._reports: dict[str, SplitReport] = {}
        self._writers: dict[tuple[str, str], SplitWriter] = {}
        self._records: Counter[tuple[str, str]] = Counter()
        self._characters: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self.finishing = Finishing(plan)
        self._texts = Texts(room)
        self._made: Made | None = None
        self.leaks = Leaks(room)
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
        if not self._reports:
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
            same = partial(_is_same_tree, info, shared, joined)
            splits.append(split)
            known.append(kept.find(info.id, same) if split == TRAIN else -1)
        return splits, known

    def _make_tree(self, no: int, made: Iterator[Any], kept: Kept) -> int:
        """Write a tree's records, put its shared anchors aside."""
        tree = next(made)
        assert isinstance(tree, TreeBegun)
        self._scratch.add_tree(no, tree[:6])
        self._count_tree(no, tree)
        unit = self._begin_unit(tree.split)
        done = self._until(made, TreeDone)
        self._join_tree(no, tree, done)
        if unit:
            kept.add(tree.id, _key_of(tree), unit, unit.packed(packed(tree, done)))
        self._made = None
        return tree.thoughts

    def _until(self, made: Iterator[Any], end: type[_End]) -> _End:
        """Write the records of a unit; gives what it ends with."""
        for one in made:
            if isinstance(one, end):
                return one
            self._take(one)
        raise AssertionError(f"a unit ends with {end.__name__}")

    def _take_tree(self, no: int, at: int, kept: Kept) -> int:
        """Take over a tree as an earlier export made it."""
        made, told, rest = kept.take(at)
        tree, done = unpacked(rest)
        self._scratch.add_tree(no, tree[:6])
        self._count_tree(no, tree)
        self._write(TRAIN, made.block, made)
        self._join_tree(no, tree, done)
        kept.add(tree.id, _key_of(tree), made, told)
        return tree.thoughts

    def _join_tree(self, no: int, tree: TreeBegun, done: TreeDone) -> None:
        self._scratch.add_places(no, tree.split, done.gathered)
        self._reports[tree.split].steps_covered += done.stepped

    def _count_tree(self, no: int, tree: TreeBegun) -> None:
        report = self._reports.setdefault(tree.split, SplitReport())
        report.trees += 1
        report.thoughts += tree.thoughts
        report.steps += tree.thoughts - 1
        report.characters += tree.characters
        report.languages[tree.lang] = report.languages.get(tree.lang, 0) + 1
        report.anchors += tree.own_anchors
        report.long_thoughts += tree.long_thoughts
        report.tokens += tree.tokens
        if tree.silent:
            self._scratch.add_silent(no, tree.silent)

    # --- records that join trees ---------------------------------------------------------------

    def joined(self, progress: Progress | None) -> ProbeReport:
        """Close the rings of all anchors, write their records, walks and probes."""
        rings = Rings(self._recipe, self._scratch)
        tell_held(self._room, rings.hold())
        probes = Probes(self._plan, self._scratch, rings.stitches)
        self._close(rings, probes)
        self._scratch.link()
        self._scratch.settle()
        self._walk(rings, progress)
        for split, report in self._reports.items():
            report.anchors += rings.anchors[split]
            report.shared_anchors = rings.shared[split]
            report.jumps = rings.coverage.get(split, report.jumps)
        return probes.write(self._corpus)

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
                told = unit.packed(orjson.dumps(tuple(closed))) if unit else b""
            else:
                unit, told, rest = kept.take(at)
                closed = Closed._make(orjson.loads(rest))
                self._write(TRAIN, unit.block, unit)
            rings.closed(ring, closed)
            if unit:
                kept.add(_name_of(ring), rings.made_of(ring), unit, told)
            self._made = None

    def _begin_unit(self, split: str) -> Made | None:
        """What is written from now on is kept together, if it can be taken over."""
        self._made = Made() if self._parts.keeps and split == TRAIN else None
        return self._made

    def _walk(self, rings: Rings, progress: Progress | None) -> None:
        """Take over or make the walks of all chains, in their order."""
        chains = Chains(self._scratch.links(), self._recipe.walks.hops)
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
                told = unit.packed(b"") if unit else b""
            else:
                unit, told, _ = kept.take(at)
                jumps = sum(unit.block.walks)
                self._write(TRAIN, unit.block, unit)
            if unit:
                kept.add(chains.name(head), chains.made_of(head, held), unit, told)
            self._made = None
            yield jumps

    def _walk_circles(self, chains: Chains) -> Iterator[int]:
        circles = (list(chains.chain(head)) for head in chains.circles())
        made = self._crew.do("walks", batched(circles, CHAINS, lambda _: 1))
        for one in made:
            if isinstance(one, Walked):
                yield one.jumps
            else:
                self._take(one)

    # --- writing -------------------------------------------------------------------------------

    def all(self, lines: Iterable[Line | Block]) -> None:
        """Write some records, or keep them to be sorted."""
        for line in lines:
            self._take(line)

    def _take(self, made: Line | Block) -> None:
        if isinstance(made, Block):
            self._write(TRAIN, made, self._made)
            if self._made:
                self._made.block.extend(made)
        elif self.finishing.sorts or made.split == VALIDATION:  # written when training is
            self._scratch.keep(made)
            if self._recipe.budget:
                self._scratch.cut_silent(made.thoughts)
        else:
            self._write_line(made)

    def _write_line(self, line: Line) -> None:
        if self.finishing.loses(line.split):
            self._scratch.remove_silent(line.thoughts)
        if line.stitched:
            self._scratch.add_walked(line.split, line.stitched)
        self._write(line.split, self.finishing.one(line))

    def _write(self, split: str, block: Block, made: Made | None = None) -> None:
        """Write lines and count them; ``made`` is the unit that they are of, if it is kept."""
        self._count(split, block)
        if self.finishing.splits and split == TRAIN:
            self._texts.add(block.texts)
        for config, lines in block.lines.items():
            told = b"".join(lines)
            writer = self._writer(config, split)
            if made:
                made.add(config, told, writer.place)
            writer.write_all(told, block.lengths[config])
            self.leaks.note(config, split, b"".join(block.notes[config]))

    def _count(self, split: str, block: Block) -> None:
        report = self._reports[split]
        for kind, (records, characters, length, long) in block.kinds.items():
            at = split, kind
            self._records[at] += records
            self._characters[at] += characters
            if self._plan.measure is not len:
                self._tokens[at] += length
            if long:
                report.long_records[kind] = report.long_records.get(kind, 0) + long
        for jumps in block.walks:
            report.walks_by_jumps[jumps] = report.walks_by_jumps.get(jumps, 0) + 1

    def _writer(self, config: str, split: str) -> SplitWriter:
        of = config, split
        if of not in self._writers:
            writer = SplitWriter(self._corpus, *of, self._recipe.corpus)
            self._writers[of] = self.enter_context(writer)
        return self._writers[of]

    def finish(self) -> None:
        """Write the records that were kept, training first, and count what is in no record.

        A validation record that says what a training record says is left out: it would test what
        was learnt by heart.
        """
        if self.finishing.sorts:
            for line in self._kept(TRAIN):
                self._write_line(line)
        if VALIDATION in self._reports:
            said = self._texts.among(line.text for line in self._kept(VALIDATION))
            left_out = self._reports[VALIDATION].records_left_out
            for line in self._kept(VALIDATION):
                if line.text in said:
                    left_out[SAME] = left_out.get(SAME, 0) + 1
                    self._scratch.cut_silent(line.thoughts)
                else:
                    self._write_line(line)
        for split, report in self._reports.items():
            report.thoughts_covered = report.thoughts
            if self.finishing.loses(split):
                report.thoughts_covered, report.steps_covered = self._scratch.said(split)
            if self.finishing.cuts(split):
                self._count_jumps(report.jumps, split)

    def _count_jumps(self, coverage: JumpCoverage, split: str) -> None:
        """Count what the walks that were written cover, not those that were made."""
        jumped = coverage.occurrences - sum(coverage.left_out.values())
        sources, targets, left = self._scratch.walked(split)
        coverage.source_once, coverage.source_more = sources
        coverage.target_once, coverage.target_more = targets
        if jumped > left:
            coverage.left_out[BUDGET if split == TRAIN else SAME] = jumped - left

    def _kept(self, split: str) -> Iterator[Line]:
        """The records of a split that were kept."""
        budget = self._recipe.budget if split == TRAIN else 0
        return self._scratch.kept(split, budget, self._recipe.order == "shuffled")

    def left_out(self) -> LeftOut:
        """List what is in no training record, and why: whole trees, or thoughts."""
        trees, thoughts = Counter[str](), Counter[str]()
        for split, report in self._reports.items():
            cut = BUDGET if split == TRAIN else SAME
            for _, _, was_cut in self._scratch.silent(split):
                reason = cut if was_cut else THINNED
                report.thoughts_left_out[reason] = report.thoughts_left_out.get(reason, 0) + 1
        if outside := self._reports.get(VALIDATION):
            trees[VALIDATION], thoughts[VALIDATION] = outside.trees, outside.thoughts
        thoughts.update(self._reports[TRAIN].thoughts_left_out)
        written = Listing(self._corpus / LEFT_OUT)
        with written:
            for tree in self._scratch.trees_of(VALIDATION):
                written.add({"tree": tree, "reason": VALIDATION})
            for tree, thought, was_cut in self._scratch.silent(TRAIN):
                reason = BUDGET if was_cut else THINNED
                written.add({"tree": tree, "thought": thought, "reason": reason})
        return LeftOut(
            path=LEFT_OUT,
            trees=dict(trees),
            thoughts=dict(thoughts),
            bytes=written.bytes,
            sha256=written.sha256,
        )

    # --- what was written ----------------------------------------------------------------------

    def reports(self) -> dict[str, SplitReport]:
        """What was counted, by split, training first."""
        for split, report in self._reports.items():
            report.records = _of(split, self._records)
            report.characters_out = _of(split, self._characters)
            report.tokens_out = _of(split, self._tokens)
            out = sum(report.characters_out.values())
            report.redundancy = round(out / report.characters, 4)
        return {s: self._reports[s] for s in (TRAIN, VALIDATION) if s in self._reports}

    def files(self) -> list[DataFile]:
        """The files that were written; complete when the block has ended."""
        return [file for at in sorted(self._writers) for file in self._writers[at].files]


def _name_of(ring: Sequence[Occurrence]) -> str:
    return f"{ring[0].split}\0{ring[0].anchor}"


def _same_ring(kept: Kept, rings: Rings, ring: Sequence[Occurrence]) -> int:
    if ring[0].split != TRAIN:
        return -1
    return kept.find(_name_of(ring), lambda made_of: bool(made_of == rings.made_of(ring)))


def _key_of(tree: TreeBegun) -> tuple[Any, ...]:
    """What a tree's records are made of."""
    return tree.revision, orjson.loads(tree.axes), tree.anchors


def _is_same_tree(
    info: TreeInfo, shared: Set[str], joined: Mapping[str, str], key: tuple[Any, ...]
) -> bool:
    """Whether the tree's records would be made of the same again."""
    revision, axes, anchors = key
    return (
        revision == info.revision
        and axes == axes_of(info.axes)
        and all(
            joined.get(own, own) == head and (head in shared) == is_shared
            for own, head, is_shared in anchors
        )
    )


def _of(split: str, counts: Counter[tuple[str, str]]) -> dict[str, int]:
    return {kind: counts[split, kind] for kind in KINDS if (split, kind) in counts}
