"""``forest export``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from exporters.manifest import Manifest


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--recipe",
    "recipe_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A recipe (TOML). Without one: the default, exporters/recipes/default.toml.",
)
@click.option("--seed", type=click.IntRange(min=0), help="In place of the recipe's seed.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@click.pass_context
def export(
    ctx: click.Context, out: Path, recipe_file: Path | None, seed: int | None, as_json: bool
) -> None:
    """Write the forest as a training corpus into the folder OUT.

    An earlier corpus in OUT is replaced when the new one is complete, and not before.
    """
    from exporters.export import export_corpus
    from exporters.recipe import Recipe
    from forest.cli import opened_forest

    recipe = Recipe.load(recipe_file) if recipe_file else None
    with opened_forest(ctx) as forest, _progress_bar() as progress:
        manifest = export_corpus(forest.store, out, recipe, seed=seed, progress=progress)
    if as_json:
        click.echo(manifest.to_json(), nl=False)
    else:
        click.echo(_summary(manifest, out))


def _summary(manifest: Manifest, out: Path) -> str:
    lines = [f"{out}: {manifest.records} records, seed {manifest.seed}"]
    for split, report in manifest.splits.items():
        records = ", ".join(f"{count} {kind}s" for kind, count in report.records.items())
        jumps = report.jumps
        lines.append(
            f"{split}: {records} from {report.trees} trees with {report.thoughts} thoughts; "
            f"{report.shared_anchors} of {report.anchors} anchors shared, "
            f"{jumps.source_once + jumps.source_more} of {jumps.occurrences} of their thoughts "
            f"jumped from; redundancy {report.redundancy:.2f}"
        )
    return "\n".join(lines)


@contextmanager
def _progress_bar() -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar with rate and time left on a terminal; None elsewhere."""
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (bars.BarColumn(), bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
    text = bars.TextColumn("{task.description}")
    with bars.Progress(text, *columns, console=console, transient=True) as bar:
        tasks: dict[str, bars.TaskID] = {}

        def update(what: str, done: int, everything: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=everything)
            bar.update(tasks[what], completed=done)

        yield update
