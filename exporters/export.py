"""From a forest to a corpus folder: read each tree once, then walk."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import orjson

from anchors.registry import Registry
from exporters.card import card
from exporters.files import SplitWriter
from exporters.folder import MANIFEST, replaced_whole, write_synced
from exporters.linearize import BREADCRUMB, Outline, Told, tell
from exporters.manifest import DataFile, Manifest, SplitReport
from exporters.recipe import Recipe
from exporters.records import PATH, WALK, Axes, axes_of, record_line
from exporters.scratch import Scratch
from exporters.splits import TRAIN, VALIDATION, family_of, split_of
from exporters.walks import Gatherer, Rings, Walk, Walks
from forest.errors import ExportError
from forest.model import Tree
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
    :raises UsageError: the seed is wrong.
    :raises ExportError: the forest is empty, a thought contains the jump marker, ``out`` is
        something else than a corpus, another export is writing it, or there is no room.
    """
    recipe = (recipe or Recipe.default()).with_seed(seed)
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
    with Scratch(room) as scratch, Writing(corpus, recipe, scratch) as writing:
        writing.paths(forest, validation, progress)
        writing.walks(progress)
        revision = forest_revision(scratch.revisions(), forest.axes(), forest.all_nodes())
    return Manifest(
        forest_revision=revision,
        recipe=recipe,
        recipe_hash=recipe.hash,
        seed=recipe.seed,
        united_anchors=writing.united,
        splits=writing.reports(),
        files=writing.files(),
    )


class Writing(ExitStack):
    """The records of one export on their way into files, counted."""

    def __init__(self, corpus: Path, recipe: Recipe, scratch: Scratch) -> None:
        super().__init__()
        self._corpus, self._recipe, self._scratch = corpus, recipe, scratch
        self._reports: dict[str, SplitReport] = {}
        self._writers: dict[str, SplitWriter] = {}
        self._records: Counter[tuple[str, str]] = Counter()
        self._characters: Counter[tuple[str, str]] = Counter()
        self.united = 0
        """Anchors that count under another one."""

    # --- paths ---------------------------------------------------------------------------------

    def paths(self, forest: Store, validation: float, progress: Progress | None) -> None:
        """Read each tree once: write its paths, put its shared anchors aside for the walks."""
        registry = Registry.of(forest)
        self.united, shared = registry.united, registry.shared(forest)
        gatherer = Gatherer(self._scratch, self._recipe, shared, registry.head)
        everything = sum(info.size for info in forest.infos()) if progress else 0
        done = 0
        for no, tree in enumerate(forest.trees(), 1):
            split = split_of(family_of(tree), validation)
            outline = Outline(tree, registry.head)
            axes = axes_of(tree.axes)
            self._scratch.add_tree(no, tree.id, tree.revision, orjson.dumps(axes))
            self._count_tree(outline, split, shared)
            self._write_paths(outline, split, axes)
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
        report.long_thoughts += sum(size > self._recipe.window for size in sizes)

    def _write_paths(self, outline: Outline, split: str, axes: Axes) -> None:
        marker, tree = self._recipe.walks.marker, outline.tree
        refuse_marker(tree, marker)
        covered: set[str] = set()
        for pieces in outline.windows(self._recipe.window, self._recipe.paths.overlap):
            if pieces[0].role == BREADCRUMB and marker in pieces[0].text:
                raise _marker_met(marker, f"the breadcrumb of tree {tree.id!r} ({tree.title!r})")
            told = tell(pieces)
            covered.update(told.thoughts)
            self._write(PATH, split, told, axes)
        self._reports[split].thoughts_covered += len(covered)

    # --- walks ---------------------------------------------------------------------------------

    def walks(self, progress: Progress | None) -> None:
        """Close the rings of all anchors and write the walks over them."""
        rings = Rings(self._recipe)
        jumps = rings.close(self._scratch)
        self._scratch.link()
        done = 0
        for walk in Walks(self._scratch, self._recipe, jumps):
            self._write(WALK, walk.split, walk.told, walk.axes, walk.jumps)
            self._count_walk(walk)
            done += len(walk.jumps)
            if progress:
                progress("jumps", done, jumps)
        for split, report in self._reports.items():
            report.anchors += rings.anchors[split]
            report.shared_anchors = rings.shared[split]
            report.jumps = rings.coverage.get(split, report.jumps)

    def _count_walk(self, walk: Walk) -> None:
        report = self._reports[walk.split]
        jumps = len(walk.jumps)
        report.walks_by_jumps[jumps] = report.walks_by_jumps.get(jumps, 0) + 1
        report.long_walks += len(walk.told.text) > self._recipe.window

    # --- writing -------------------------------------------------------------------------------

    def _write(
        self, kind: str, split: str, told: Told, axes: Axes, jumps: Sequence[dict[str, str]] = ()
    ) -> None:
        self._records[split, kind] += 1
        self._characters[split, kind] += len(told.text)
        self._writer(split).write(record_line(kind, split, told, axes, jumps))

    def _writer(self, split: str) -> SplitWriter:
        if split not in self._writers:
            writer = SplitWriter(self._corpus, split, self._recipe.corpus.shard)
            self._writers[split] = self.enter_context(writer)
        return self._writers[split]

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
        return [file for split in sorted(self._writers) for file in self._writers[split].files]


def _of(split: str, counts: Counter[tuple[str, str]]) -> dict[str, int]:
    return {kind: count for (at, kind), count in counts.items() if at == split}


def refuse_marker(tree: Tree, marker: str) -> None:
    """Raise ExportError where a thought or an anchor's phrase contains the jump marker."""
    for thought in tree.thoughts:
        if marker in thought.text:
            raise _marker_met(marker, f"thought {thought.id!r}")
        for link in thought.anchors:
            if marker in link.phrase:
                raise _marker_met(marker, f"the anchor {link.phrase!r} at thought {thought.id!r}")


def _marker_met(marker: str, where: str) -> ExportError:
    return ExportError(
        f"{where} contains {marker!r}, which marks a jump in a walk",
        hint='Choose another sign in the recipe, under [walks]: marker = "…".',
    )
