"""From a forest to a corpus folder: read each tree once, then join what meets at anchors."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from anchors.formulas.book import Book
from anchors.registry import Registry
from exporters.card import card
from exporters.draw import draw
from exporters.files import SplitWriter, require
from exporters.folder import MANIFEST, TOKENS, replaced_whole, write_synced
from exporters.kinds import Plan
from exporters.kinds.formulas import FormulaRecords, tokens
from exporters.kinds.trees import TreeRecords, refuse_marker
from exporters.linearize import Outline, size
from exporters.manifest import DataFile, Manifest, SplitReport, TokenFile
from exporters.mix import Mix
from exporters.recipe import Recipe
from exporters.records import KINDS, PATH, WALK, Record, axes_of
from exporters.scratch import Scratch
from exporters.splits import TRAIN, VALIDATION, family_of, split_of
from exporters.templates import Templates
from exporters.walks import THINNED, Gatherer, Rings, Walks
from forest.errors import ExportError
from forest.revision import forest_revision
from forest.stores.base import Store

Progress = Callable[[str, int, int], None]
"""progress(what is counted, how many are done, of how many): called after each tree and walk."""


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
        manifest = _write_records(forest, corpus, room, recipe, recipe.corpus.validation, progress)
        if TRAIN not in manifest.splits:  # a few trees, all of them drawn for validation
            shutil.rmtree(corpus / "data")
            manifest = _write_records(forest, corpus, room, recipe, 0.0, progress)
        write_synced(corpus / "README.md", card(manifest).encode())
        write_synced(corpus / MANIFEST, manifest.to_json())
    return manifest


def _write_records(
    forest: Store,
    corpus: Path,
    room: Path,
    recipe: Recipe,
    validation: float,
    progress: Progress | None,
) -> Manifest:
    book = Book.of(forest)
    measure = recipe.measure()
    plan = Plan(
        recipe,
        Mix(recipe, (axis.name for axis in forest.axes())),
        Templates(recipe.templates, recipe.walks.marker, measure),
        measure,
    )
    with Scratch(room) as scratch, Writing(corpus, plan, scratch) as writing:
        writing.trees(forest, validation, progress)
        writing.all(FormulaRecords(plan, book))
        writing.joined(progress)
        writing.finish()
        revision = forest_revision(scratch.revisions(), forest.axes(), forest.all_nodes())
    if not writing.files():
        raise ExportError(
            "the recipe leaves no record of this forest",
            hint="Give weight to other kinds, under [kinds], or to other axes, under [axes].",
        )
    return Manifest(
        forest_revision=revision,
        recipe=recipe,
        recipe_hash=recipe.hash,
        seed=recipe.seed,
        united_anchors=writing.united,
        splits=writing.reports(),
        tokens=_write_tokens(corpus, book),
        files=writing.files(),
    )


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

    def __init__(self, corpus: Path, plan: Plan, scratch: Scratch) -> None:
        super().__init__()
        self._corpus, self._plan, self._scratch = corpus, plan, scratch
        self._recipe = plan.recipe
        self._reports: dict[str, SplitReport] = {}
        self._writers: dict[tuple[str, str], SplitWriter] = {}
        self._records: Counter[tuple[str, str]] = Counter()
        self._characters: Counter[tuple[str, str]] = Counter()
        self._sorts = self._recipe.order == "shuffled" or bool(self._recipe.budget)
        self._may_lose = self._sorts or not plan.mix.wants_all(PATH)
        self.united = 0
        """Anchors that count under another one."""

    # --- records of one tree -------------------------------------------------------------------

    def trees(self, forest: Store, validation: float, progress: Progress | None) -> None:
        """Read each tree once: write its records, put its shared anchors aside."""
        registry = Registry.of(forest)
        self.united, shared, head = registry.united, registry.shared(forest), registry.heads
        del registry  # it grows with the forest's anchors
        gatherer = Gatherer(self._scratch, self._recipe, shared)
        records = TreeRecords(self._plan, shared)
        everything = sum(info.size for info in forest.infos()) if progress else 0
        done = 0
        for no, tree in enumerate(forest.trees(), 1):
            refuse_marker(tree, self._recipe.walks.marker)
            split = split_of(family_of(tree), validation)
            outline = Outline(tree, head, self._plan.measure)
            axes = axes_of(tree.axes)
            self._scratch.add_tree(no, tree, orjson.dumps(axes))
            self._count_tree(outline, split, shared)
            self.all(records.of(outline, split, axes))
            gatherer.gather(outline, no, split)
            done += len(tree)
            if progress:
                progress("thoughts", done, everything)
        if not self._reports:
            raise ExportError(
                "the forest has no trees, so there is nothing to export",
                hint="`forest import` or `forest init --sample` plants some.",
            )

    def _count_tree(self, outline: Outline, split: str, shared: frozenset[str]) -> None:
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
        if self._may_lose:
            self._scratch.add_silent(split, (piece.thought for piece in outline.pieces))

    # --- records that join trees ---------------------------------------------------------------

    def joined(self, progress: Progress | None) -> None:
        """Close the rings of all anchors, write their records and the walks over their jumps."""
        rings = Rings(self._plan, self._scratch)
        self.all(rings.close())
        self._scratch.link()
        done = 0
        for walk in Walks(self._scratch, self._plan, rings.jumps):
            self._take(walk)
            done += len(walk.jumps)
            if progress:
                progress("jumps", done, rings.jumps)
        for split, report in self._reports.items():
            report.anchors += rings.anchors[split]
            report.shared_anchors = rings.shared[split]
            report.jumps = rings.coverage.get(split, report.jumps)

    # --- writing -------------------------------------------------------------------------------

    def all(self, records: Iterable[Record]) -> None:
        """Write some records, or keep them to be sorted."""
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        told, line = record.told, record.line()
        if self._sorts:
            key = draw(self._recipe.seed, "order", line.decode())
            self._scratch.keep(record.split, key, size(told.columns), line)
        else:
            self._count(record.kind, record.split, told.columns, told.thoughts, len(record.jumps))
            self._put(record.kind, record.split, line)

    def _count(
        self,
        kind: str,
        split: str,
        columns: Mapping[str, Any],
        thoughts: Iterable[str],
        jumps: int,
    ) -> None:
        characters, report = size(columns), self._reports[split]
        self._records[split, kind] += 1
        self._characters[split, kind] += characters
        if self._length(columns, characters) > self._recipe.window:
            report.long_records[kind] = report.long_records.get(kind, 0) + 1
        if kind == WALK:
            report.walks_by_jumps[jumps] = report.walks_by_jumps.get(jumps, 0) + 1
        if self._may_lose:
            self._scratch.remove_silent(thoughts)

    def _length(self, columns: Mapping[str, Any], characters: int) -> int:
        measure = self._plan.measure
        return characters if measure is len else size(columns, measure)

    def _put(self, kind: str, split: str, line: bytes) -> None:
        of = KINDS[kind].config, split
        if of not in self._writers:
            writer = SplitWriter(self._corpus, *of, self._recipe.corpus)
            self._writers[of] = self.enter_context(writer)
        self._writers[of].write(line)

    def finish(self) -> None:
        """Write what was kept to be sorted, and see which thoughts are in no record."""
        budget = {TRAIN: self._recipe.budget} if self._recipe.budget else {}
        for line in self._scratch.kept(budget, self._recipe.order == "shuffled"):
            columns = orjson.loads(line)
            meta = columns.pop("meta")
            self._count(meta["kind"], meta["split"], columns, meta["thoughts"], len(meta["jumps"]))
            self._put(meta["kind"], meta["split"], line)
        silent = self._scratch.silent()
        for split, report in self._reports.items():
            report.thoughts_covered = report.thoughts - silent.get(split, 0)
            if silent.get(split):
                report.thoughts_left_out[THINNED] = silent[split]

    # --- what was written ----------------------------------------------------------------------

    def reports(self) -> dict[str, SplitReport]:
        """What was counted, by split, training first."""
        for split, report in self._reports.items():
            report.records = _of(split, self._records)
            report.characters_out = _of(split, self._characters)
            out = sum(report.characters_out.values())
            report.redundancy = round(out / report.characters, 4)
        return {s: self._reports[s] for s in (TRAIN, VALIDATION) if s in self._reports}

    def files(self) -> list[DataFile]:
        """The files that were written; complete when the block has ended."""
        return [file for at in sorted(self._writers) for file in self._writers[at].files]


def _of(split: str, counts: Counter[tuple[str, str]]) -> dict[str, int]:
    return {kind: counts[split, kind] for kind in KINDS if (split, kind) in counts}
