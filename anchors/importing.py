"""Import of all that files hold: trees, and the formulas of Markdown notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from anchors.deciding import say_in
from anchors.formulas.importing import ImportedFormulas, import_formulas
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
    transaction; what cannot be read as one is a notice. Then words of two meanings mean in these
    trees what was decided of them (`anchors.registry.part`), also in thoughts that are new, and
    trees that come again have their marks.

    :raises ImportRefused: something is wrong with the input; nothing at all was written.
    :raises NotFound: a path does not exist.
    """
    paths = list(paths)
    trees = forest.import_files(
        paths, format=format, keep_going=keep_going, replace=replace, progress=progress
    )
    formulas = import_formulas(
        forest.store,
        paths,
        format=format,
        keep_going=keep_going,
        replace=replace,
        moved=trees.moved,
    )
    say_in(forest.store, trees.added, trees.changed)
    return Imported(trees, formulas)
