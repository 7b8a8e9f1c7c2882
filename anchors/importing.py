"""Import of all that files hold: trees, and the formulas of Markdown notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from anchors.decisions import decisions, meanings_of
from anchors.formulas.importing import ImportedFormulas, import_formulas
from anchors.homonyms import lost
from forest.forest import Forest
from forest.importing import ImportReport, Progress


@dataclass
class Imported:
    """What an import did."""

    trees: ImportReport
    formulas: ImportedFormulas


def import_files(
    forest: Forest,
    paths: Iterable[str | Path],
    *,
    format: str = "auto",
    keep_going: bool = False,
    replace: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Imported:
    """Import files and folders into a forest, as `forest import` does.

    Trees come first, as `forest.importing.import_files` has it, with its options and errors: where
    that raises, no formula is written either. Then the formulas of the Markdown notes come, in one
    transaction; what cannot be read as one is a notice. So is a word of two meanings that was
    split in a tree, where the file says it without its meaning now.

    :raises ImportRefused: something is wrong with the input; nothing at all was written.
    :raises NotFound: a path does not exist.
    """
    paths = list(paths)
    trees = forest.import_files(
        paths, format=format, keep_going=keep_going, replace=replace, progress=progress
    )
    formulas = import_formulas(
        forest.store, paths, format=format, keep_going=keep_going, replace=replace
    )
    trees.notices += _lost_splits(forest, trees)
    return Imported(trees, formulas)


def _lost_splits(forest: Forest, report: ImportReport) -> list[str]:
    """Where a file took the place of what said which meaning of a word is meant."""
    meanings = meanings_of(decisions(forest.store)) if report.changed else {}
    return [
        f"in {one.place} «{one.anchor}» is no more «{one.means}», as decision "
        f"{meanings[one].no} has it: split it there again, or write `anchor: {one.means}` "
        "beside the phrase in the file"
        for one in lost(forest.store, meanings, report.changed)
    ]
