"""From a forest to a corpus folder: read each tree once, then join what meets at anchors."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import repeat
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from anchors.formulas.book import Book
from anchors.registry import Registry
from exporters.card import card
from exporters.families import Families
from exporters.files import SplitWriter, require
from exporters.folder import LEFT_OUT, MANIFEST, TOKENS, Listing, replaced_whole, write_synced
from exporters.kinds import Plan
from exporters.kinds.formulas import FormulaRecords, tokens
from exporters.leaks import Leaks
from exporters.lines import Finishing, Line
from exporters.manifest import DataFile, LeftOut, Manifest, ProbeReport, SplitReport, TokenFile
from exporters.parts import TreeBegun, TreeDone
from exporters.probes import Probes
from exporters.recipe import Recipe
from exporters.records import KINDS, WALK
from exporters.scratch import Scratch
from exporters.splits import TRAIN, VALIDATION
from exporters.texts import Texts
from exporters.walks import THINNED, Chains, Closed, Rings, Taken
from exporters.work import Crew, batched, crew_of, plan_of, tell_held, tell_shared
from forest.collector import fewer_collections
from forest.errors import ExportError
from forest.revision import forest_revision
from forest.stores.base import Store

THOUGHTS, OCCURRENCES, CHAINS = 1000, 200, 100
"""What a batch for a worker has at least of: trees by their thoughts, rings, chains of jumps."""
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
    progress: Progress | None = None,
) -> Manifest:
    """Write a forest as a training corpus into the folder ``out``, in the place of an earlier one.

    The same forest, recipe and seed give the same bytes, on any store. Memory does not grow with
    the forest: one tree is held at a time. The folder is replaced whole or not at all.

    :param recipe: the shipped default where none is given.
    :param seed: in place of the recipe's own.
    :param workers: how many processes make records: 1 is this one; with more, start Python from a
        module that may be imported again (`if __name__ == "__main__"`).
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
    with (
        replaced_whole(out) as (corpus, room),
        store.snapshot(room) as forest,
        fewer_collections(),
        crew_of(forest, room, recipe, workers) as crew,
    ):
        manifest = _write_records(forest, crew, corpus, room, recipe, progress)
        write_synced(corpus / "README.md", card(manifest).encode())
        write_synced(corpus / MANIFEST, manifest.to_json())
    return manifest


def _write_records(
    forest: Store,
    crew: Crew,
    corpus: Path,
    room: Path,
    recipe: Recipe,
    progress: Progress | None,
) -> Manifest:
    plan = plan_of(recipe, forest)
    sides, near = _sides(forest, crew, room, recipe.corpus.validation, progress)
    book = Book.of(forest)
    with Scratch(room) as scratch, Writing(corpus, room, plan, scratch, crew) as writing:
        writing.trees(forest, sides, progress)
        writing.all(map(writing.finishing, FormulaRecords(plan, book)))
        probes = writing.joined(progress)
        writing.finish()
        left_out = writing.left_out()
        alike = [(scratch.tree(a + 1).id, scratch.tree(b + 1).id) for a, b in near]
        outside = list(scratch.trees_of(VALIDATION))
        revision = forest_revision(scratch.revisions(), forest.axes(), forest.all_nodes())
    if not writing.files():
        raise ExportError(
            "the recipe leaves no record of this forest",
            hint="Give weight to other kinds, under [kinds], or to other axes, under [axes].",
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
    forest: Store, crew: Crew, room: Path, validation: float, progress: Progress | None
) -> tuple[Iterator[str], list[tuple[int, int]]]:
    """The split of each tree in turn, and near-identical trees by their numbers from 0.

    All trees are read and compared, unless all are for training. A few trees that are all drawn
    for validation train all the same.
    """
    if not validation:
        return repeat(TRAIN), []
    families = Families(room)
    everything = sum(info.size for info in forest.infos()) if progress else 0
    done = 0
    batches = batched(forest.infos(), THOUGHTS, lambda info: info.size)
    found = crew.do("signatures", ([info.id for info in batch] for batch in batches))
    for info, signature in zip(forest.infos(), found, strict=True):
        families.add(signature, info.id, info.created_at)
        done += info.size
        if progress:
            progress("thoughts compared", done, everything)
    sides = list(families.sides(validation))
    return (iter(sides), families.near) if TRAIN in sides else (repeat(TRAIN), [])


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

    def __init__(self, corpus: Path, room: Path, plan: Plan, scratch: Scratch, crew: Crew) -> None:
        super().__init__()
        self._corpus, self._plan, self._scratch, self._crew = corpus, plan, scratch, crew
        self._recipe, self._room = plan.recipe, room
        self._reports: dict[str, SplitReport] = {}
        self._writers: dict[tuple[str, str], SplitWriter] = {}
        self._records: Counter[tuple[str, str]] = Counter()
        self._characters: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self.finishing = Finishing(plan)
        self._texts = Texts(room)
        self.leaks = Leaks(room)
        self.united = 0
        """Anchors that count under another one."""

    # --- records of one tree -------------------------------------------------------------------

    def trees(self, forest: Store, sides: Iterator[str], progress: Progress | None) -> None:
        """Read each tree: write its records, put its shared anchors aside."""
        self._tell_shared(forest)
        everything = sum(info.size for info in forest.infos()) if progress else 0
        units = ((info.size, info.id, next(sides)) for info in forest.infos())
        batches = batched(units, THOUGHTS, itemgetter(0))
        given = ([(id_, split) for _, id_, split in batch] for batch in batches)
        done = 0
        for no, tree, records in _by_trees(self._crew.do("trees", given)):
            self._scratch.add_tree(no, tree[:6])
            self._count_tree(no, tree)
            for record in records:
                if isinstance(record, TreeDone):
                    self._scratch.add_places(no, tree.split, record.gathered)
                    self._reports[tree.split].steps_covered += record.stepped
                else:
                    self._take(record)
            done += tree.thoughts
            if progress:
                progress("thoughts", done, everything)
        self._scratch.settle()
        if not self._reports:
            raise ExportError(
                "the forest has no trees, so there is nothing to export",
                hint="`forest import` or `forest init --sample` plants some.",
            )

    def _tell_shared(self, forest: Store) -> None:
        registry = Registry.of(forest)
        self.united = registry.united
        tell_shared(self._room, registry.shared(forest), registry.joined)

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
        batches = batched(rings.shared_ones(probes.hear), OCCURRENCES, len)
        for made in self._crew.do("rings", batches):
            if isinstance(made, Closed):
                rings.closed(made)
            else:
                self._take(made)
        self._scratch.link()
        self._scratch.settle()
        self._walk(Chains(self._scratch, self._recipe.walks.hops, rings.jumps), rings, progress)
        for split, report in self._reports.items():
            report.anchors += rings.anchors[split]
            report.shared_anchors = rings.shared[split]
            report.jumps = rings.coverage.get(split, report.jumps)
        return probes.write(self._corpus)

    def _walk(self, chains: Chains, rings: Rings, progress: Progress | None) -> None:
        done = 0
        for heads in (chains.heads, chains.circles):
            for made in self._crew.do("walks", batched(heads(), CHAINS, lambda _: 1)):
                if isinstance(made, Taken):
                    chains.take(made.jumps)
                    continue
                self._take(made)
                done += made.jumps
                if progress:
                    progress("jumps", done, rings.jumps)

    # --- writing -------------------------------------------------------------------------------

    def all(self, lines: Iterable[Line]) -> None:
        """Write some records, or keep them to be sorted."""
        for line in lines:
            self._take(line)

    def _take(self, line: Line) -> None:
        if self.finishing.sorts or line.split == VALIDATION:  # written when training is
            self._scratch.keep(line)
            if self._recipe.budget:
                self._scratch.cut_silent(line.thoughts)
        else:
            self._write(line)

    def _write(self, line: Line) -> None:
        self._count(line)
        self._put(line)

    def _count(self, line: Line) -> None:
        kind, split, _, size, length, *_ = line
        at = split, kind
        report = self._reports[split]
        self._records[at] += 1
        self._characters[at] += size
        if self._plan.measure is not len:
            self._tokens[at] += length
        if length > self._recipe.window:
            report.long_records[kind] = report.long_records.get(kind, 0) + 1
        if kind == WALK:
            by_jumps = report.walks_by_jumps
            by_jumps[line.jumps] = by_jumps.get(line.jumps, 0) + 1
        if self.finishing.loses(split):
            self._scratch.remove_silent(line.thoughts)

    def _put(self, line: Line) -> None:
        if self.finishing.splits and line.split == TRAIN:
            self._texts.add(line.text)
        of = KINDS[line.kind].config, line.split
        if line.note:
            self.leaks.note(*of, line.note)
        if of not in self._writers:
            writer = SplitWriter(self._corpus, *of, self._recipe.corpus)
            self._writers[of] = self.enter_context(writer)
        self._writers[of].write(line.line)

    def finish(self) -> None:
        """Write the records that were kept, training first, and count what is in no record.

        A validation record that says what a training record says is left out: it would test what
        was learnt by heart.
        """
        if self.finishing.sorts:
            for line in self._kept(TRAIN):
                self._write(line)
        if VALIDATION in self._reports:
            said = self._texts.among(line.text for line in self._kept(VALIDATION))
            left_out = self._reports[VALIDATION].records_left_out
            for line in self._kept(VALIDATION):
                if line.text in said:
                    left_out[SAME] = left_out.get(SAME, 0) + 1
                    self._scratch.cut_silent(line.thoughts)
                else:
                    self._write(line)
        for split, report in self._reports.items():
            report.thoughts_covered = report.thoughts
            if self.finishing.loses(split):
                report.thoughts_covered, report.steps_covered = self._scratch.said(split)

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


def _by_trees(
    made: Iterator[TreeBegun | Line | TreeDone],
) -> Iterator[tuple[int, TreeBegun, Iterator[Line | TreeDone]]]:
    """(number from 1, tree, its records, then what joins it to others) of each tree."""
    for no, tree in enumerate(made, 1):
        assert isinstance(tree, TreeBegun)
        yield no, tree, _up_to_done(made)


def _up_to_done(made: Iterator[Any]) -> Iterator[Line | TreeDone]:
    for one in made:
        yield one
        if isinstance(one, TreeDone):
            return


def _of(split: str, counts: Counter[tuple[str, str]]) -> dict[str, int]:
    return {kind: counts[split, kind] for kind in KINDS if (split, kind) in counts}
