"""From a forest to a corpus folder: read each tree once, then join what meets at anchors."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import Any

import orjson

from anchors.formulas.book import Book
from anchors.registry import Registry
from exporters.card import card
from exporters.draw import draw
from exporters.families import Families, signature
from exporters.files import SplitWriter, require
from exporters.folder import LEFT_OUT, MANIFEST, TOKENS, Listing, replaced_whole, write_synced
from exporters.kinds import Plan
from exporters.kinds.formulas import FormulaRecords, tokens
from exporters.kinds.trees import TreeRecords, refuse_marker
from exporters.leaks import Leaks
from exporters.linearize import Outline, said, size
from exporters.manifest import (
    DataFile,
    JumpCoverage,
    LeftOut,
    Manifest,
    ProbeReport,
    SplitReport,
    TokenFile,
)
from exporters.mix import Mix
from exporters.probes import Probes
from exporters.recipe import Recipe
from exporters.records import KINDS, PATH, WALK, Record, axes_of
from exporters.scratch import Scratch
from exporters.splits import TRAIN, VALIDATION
from exporters.templates import Templates
from exporters.texts import Texts, text_key
from exporters.walks import THINNED, Gatherer, Rings, Walks
from forest.errors import ExportError
from forest.revision import forest_revision
from forest.stores.base import Store

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
    progress: Progress | None = None,
) -> Manifest:
    """Write a forest as a training corpus into the folder ``out``, in the place of an earlier one.

    The same forest, recipe and seed give the same bytes, on any store. Memory does not grow with
    the forest: one tree is held at a time. The folder is replaced whole or not at all.

    :param recipe: the shipped default where none is given.
    :param seed: in place of the recipe's own.
    :param progress: called with ("thoughts" or "jumps", done, all).
    :returns: what was written; also in ``out/manifest.json``.
    :raises UsageError: the seed is wrong, or the recipe prefers an axis that the forest has not.
    :raises MissingExtra: the recipe asks for files or a measure whose package is not installed.
    :raises InvalidInput: a formula or a scene, typed with Cypher, is none.
    :raises ExportError: the forest is empty or the recipe leaves nothing of it, a text contains the
        jump marker, ``out`` is something else than a corpus, another export is writing it, or there
        is no room.
    """
    recipe = (recipe or Recipe.default()).with_seed(seed)
    require(recipe.corpus.file)
    with replaced_whole(out) as (corpus, room), store.snapshot(room) as forest:
        manifest = _write_records(forest, corpus, room, recipe, progress)
        write_synced(corpus / "README.md", card(manifest).encode())
        write_synced(corpus / MANIFEST, manifest.to_json())
    return manifest


def _write_records(
    forest: Store,
    corpus: Path,
    room: Path,
    recipe: Recipe,
    progress: Progress | None,
) -> Manifest:
    sides, near = _sides(forest, room, recipe.corpus.validation, progress)
    book = Book.of(forest)
    measure = recipe.measure()
    plan = Plan(
        recipe,
        Mix(recipe, (axis.name for axis in forest.axes())),
        Templates(recipe.templates, recipe.walks.marker, measure),
        measure,
    )
    with Scratch(room) as scratch, Writing(corpus, room, plan, scratch) as writing:
        writing.trees(forest, sides, progress)
        writing.all(FormulaRecords(plan, book))
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
    forest: Store, room: Path, validation: float, progress: Progress | None
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
    for tree in forest.trees():
        families.add(signature(tree), tree.id, tree.created_at)
        done += len(tree)
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

    def __init__(self, corpus: Path, room: Path, plan: Plan, scratch: Scratch) -> None:
        super().__init__()
        self._corpus, self._plan, self._scratch = corpus, plan, scratch
        self._recipe = plan.recipe
        self._reports: dict[str, SplitReport] = {}
        self._writers: dict[tuple[str, str], SplitWriter] = {}
        self._records: Counter[tuple[str, str]] = Counter()
        self._characters: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._sorts = self._recipe.order == "shuffled" or bool(self._recipe.budget)
        self._thins = bool(self._recipe.budget) or not plan.mix.wants_all(PATH)
        self._splits = bool(self._recipe.corpus.validation)
        self._holds_out = bool(self._recipe.probes.share)
        self._texts = Texts(room)
        self.leaks = Leaks(room)
        self.united = 0
        """Anchors that count under another one."""

    # --- records of one tree -------------------------------------------------------------------

    def trees(self, forest: Store, sides: Iterator[str], progress: Progress | None) -> None:
        """Read each tree: write its records, put its shared anchors aside."""
        registry = Registry.of(forest)
        self.united, shared, head = registry.united, registry.shared(forest), registry.heads
        del registry  # it grows with the forest's anchors
        gatherer = Gatherer(self._scratch, self._recipe, shared)
        records = TreeRecords(self._plan, shared)
        everything = sum(info.size for info in forest.infos()) if progress else 0
        done = 0
        for no, tree in enumerate(forest.trees(), 1):
            refuse_marker(tree, self._recipe.walks.marker)
            split = next(sides)
            marks = self._recipe.marks
            outline = Outline(tree, head, self._plan.measure, marks.conclusions, marks.refuted)
            axes = axes_of(tree.axes)
            self._scratch.add_tree(no, tree, orjson.dumps(axes), split)
            self._count_tree(outline, no, split, shared)
            self._tell(records.of(outline, split, axes), split)
            gatherer.gather(outline, no, split)
            done += len(tree)
            if progress:
                progress("thoughts", done, everything)
        if not self._reports:
            raise ExportError(
                "the forest has no trees, so there is nothing to export",
                hint="`forest import` or `forest init --sample` plants some.",
            )

    def _count_tree(self, outline: Outline, no: int, split: str, shared: frozenset[str]) -> None:
        report = self._reports.setdefault(split, SplitReport())
        sizes = [len(piece.text) for piece in outline.pieces]
        lang = outline.tree.lang
        own = {a for piece in outline.pieces if piece.anchors for a in piece.anchors} - shared
        report.trees += 1
        report.thoughts += len(sizes)
        report.steps += len(sizes) - 1
        report.characters += sum(sizes)
        report.languages[lang] = report.languages.get(lang, 0) + 1
        report.anchors += len(own)
        report.long_thoughts += sum(long > self._recipe.window for long in outline.sizes)
        if self._plan.measure is not len:
            report.tokens += sum(outline.sizes)
        if self._loses(split):
            ids = [piece.thought for piece in outline.pieces]
            above = [ids[place] if place >= 0 else None for place in outline.tree.parents()]
            self._scratch.add_silent(no, zip(ids, above, strict=True))

    def _tell(self, records: Iterable[Record], split: str) -> None:
        """Write the records of a tree; where none can be lost, count the steps of its paths."""
        if self._loses(split):
            self.all(records)
            return
        stepped: set[str] = set()
        for record in records:
            if record.kind == PATH:
                stepped.update(record.told.thoughts[1:])
            self._take(record)
        self._reports[split].steps_covered += len(stepped)

    def _loses(self, split: str) -> bool:
        """Whether a thought of this split may be in no record."""
        return self._thins or split == VALIDATION

    # --- records that join trees ---------------------------------------------------------------

    def joined(self, progress: Progress | None) -> ProbeReport:
        """Close the rings of all anchors, write their records, walks and probes."""
        rings = Rings(self._plan, self._scratch)
        rings.hold()
        probes = Probes(self._plan, self._scratch, rings.stitches)
        self.all(rings.close(probes.hear))
        self._scratch.link()
        done = 0
        for walk in Walks(self._scratch, self._plan, rings.jumps, rings.held):
            self._take(walk)
            done += len(walk.jumps)
            if progress:
                progress("jumps", done, rings.jumps)
        for split, report in self._reports.items():
            report.anchors += rings.anchors[split]
            report.shared_anchors = rings.shared[split]
            report.jumps = rings.coverage.get(split, report.jumps)
        return probes.write(self._corpus)

    # --- writing -------------------------------------------------------------------------------

    def all(self, records: Iterable[Record]) -> None:
        """Write some records, or keep them to be sorted."""
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        told, line = record.told, record.line()
        if self._sorts or record.split == VALIDATION:  # validation is written when training is
            key = draw(self._recipe.seed, "order", line.decode()) if self._sorts else 0
            length = self._length(told.columns, size(told.columns))
            self._scratch.keep(record.split, key, length, line)
            if self._recipe.budget:
                self._scratch.cut_silent(told.thoughts)
        else:
            self._count(record.kind, record.split, told.columns, told.said, len(record.jumps))
            said = told.columns, told.trees, told.thoughts, record.jumps
            self._put(record.kind, record.split, line, *said)

    def _count(
        self,
        kind: str,
        split: str,
        columns: Mapping[str, Any],
        thoughts: Sequence[str],
        jumps: int,
    ) -> None:
        characters, report = size(columns), self._reports[split]
        self._records[split, kind] += 1
        self._characters[split, kind] += characters
        length = self._length(columns, characters)
        if self._plan.measure is not len:
            self._tokens[split, kind] += length
        if length > self._recipe.window:
            report.long_records[kind] = report.long_records.get(kind, 0) + 1
        if kind == WALK:
            report.walks_by_jumps[jumps] = report.walks_by_jumps.get(jumps, 0) + 1
        if self._loses(split):
            self._scratch.remove_silent(thoughts)

    def _length(self, columns: Mapping[str, Any], characters: int) -> int:
        measure = self._plan.measure
        return characters if measure is len else size(columns, measure)

    def _put(
        self,
        kind: str,
        split: str,
        line: bytes,
        columns: Mapping[str, Any],
        trees: Sequence[str],
        thoughts: Sequence[str],
        jumps: Sequence[Mapping[str, str]],
    ) -> None:
        text = text_key(columns) if self._splits else 0
        if self._splits and split == TRAIN:
            self._texts.add(text)
        if self._splits or self._holds_out:
            self.leaks.note(kind, split, trees, thoughts, jumps, text)
        of = KINDS[kind].config, split
        if of not in self._writers:
            writer = SplitWriter(self._corpus, *of, self._recipe.corpus)
            self._writers[of] = self.enter_context(writer)
        self._writers[of].write(line)

    def finish(self) -> None:
        """Write the records that were kept, training first, and count what is in no record.

        A validation record that says what a training record says is left out: it would test what
        was learnt by heart.
        """
        if self._sorts:
            for columns, meta, line in self._kept(TRAIN):
                self._write(columns, meta, line)
        if VALIDATION in self._reports:
            said = self._texts.among(text_key(columns) for columns, _, _ in self._kept(VALIDATION))
            left_out = self._reports[VALIDATION].records_left_out
            for columns, meta, line in self._kept(VALIDATION):
                if said and text_key(columns) in said:
                    left_out[SAME] = left_out.get(SAME, 0) + 1
                    self._scratch.cut_silent(meta["thoughts"])
                else:
                    self._write(columns, meta, line)
        for split, report in self._reports.items():
            report.thoughts_covered = report.thoughts
            if self._loses(split):
                report.thoughts_covered, report.steps_covered = self._scratch.said(split)
            if self._cuts(split):
                self._count_jumps(report.jumps, split)

    def _cuts(self, split: str) -> bool:
        """Whether a walk of this split may have been left out when it was made."""
        return split == VALIDATION or bool(self._recipe.budget)

    def _count_jumps(self, coverage: JumpCoverage, split: str) -> None:
        """Count what the walks that were written cover, not those that were made."""
        jumped = coverage.occurrences - sum(coverage.left_out.values())
        sources, targets, left = self._scratch.walked(split)
        coverage.source_once, coverage.source_more = sources
        coverage.target_once, coverage.target_more = targets
        if jumped > left:
            coverage.left_out[BUDGET if split == TRAIN else SAME] = jumped - left

    def _kept(self, split: str) -> Iterator[tuple[dict[str, Any], dict[str, Any], bytes]]:
        """(columns, meta, line) of the records of a split that were kept."""
        budget = self._recipe.budget if split == TRAIN else 0
        for line in self._scratch.kept(split, budget, self._recipe.order == "shuffled"):
            columns = orjson.loads(line)
            yield columns, columns.pop("meta"), line

    def _write(self, columns: dict[str, Any], meta: dict[str, Any], line: bytes) -> None:
        kind, split, thoughts, jumps = (meta[n] for n in ("kind", "split", "thoughts", "jumps"))
        self._count(kind, split, columns, said(thoughts, meta["spans"]), len(jumps))
        if kind == WALK and self._cuts(split):
            self._scratch.add_walked(split, jumps)
        self._put(kind, split, line, columns, meta["trees"], thoughts, jumps)

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


def _of(split: str, counts: Counter[tuple[str, str]]) -> dict[str, int]:
    return {kind: counts[split, kind] for kind in KINDS if (split, kind) in counts}
