"""``forest export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from exporters.manifest import Manifest
    from exporters.recipe import Recipe


def _print_recipe(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    from exporters.recipe import default_recipe

    if asked:
        click.echo(default_recipe(), nl=False)
        ctx.exit()


@click.command("export")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--recipe",
    "recipe_name",
    metavar="FILE|NAME",
    help="A recipe (TOML), the manifest.json of a corpus to repeat, or the name of a shipped "
    "recipe. Without one: the default.",
)
@click.option(
    "--print-recipe",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_recipe,
    help="Print the default recipe, which explains every setting, and exit.",
)
@click.option("--seed", type=click.IntRange(min=0), help="In place of the recipe's seed.")
@click.option(
    "--format",
    type=click.Choice(["text", "messages", "prompt-completion", "sharegpt", "alpaca"]),
    help="How records are said, in place of the recipe's: as a text, or as request and answer.",
)
@click.option(
    "--file",
    type=click.Choice(["jsonl", "jsonl.zst", "parquet"]),
    help="What data files are, in place of the recipe's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@click.option(
    "--as",
    "graph",
    type=click.Choice(["turtle", "json-ld", "n-triples", "graphml", "node-link", "canvas"]),
    help="No corpus: the forest as a graph in one file OUT.",
)
@click.pass_context
def command_export(
    ctx: click.Context,
    out: Path,
    recipe_name: str | None,
    seed: int | None,
    format: str | None,
    file: str | None,
    as_json: bool,
    graph: str | None,
) -> None:
    """Write the forest as a training corpus into the folder OUT.

    An earlier corpus in OUT is replaced when the new one is complete, and not before.

    With --as, OUT is a file that holds the forest as a graph; `forest import` reads all of these
    but canvas, a picture for Obsidian. An earlier export of the same kind in OUT is replaced.
    """
    if graph is not None:
        if recipe_name or seed is not None or format or file or as_json:
            raise click.UsageError(
                "--recipe, --seed, --format, --file and --json are for a corpus: not with --as"
            )
        _export_graph(ctx, out, graph)
        return
    from forest.cli import say

    recipe = find_recipe(recipe_name).said_as(format, file)
    manifest = write_corpus(ctx, out, recipe, seed)
    if as_json:
        click.echo(manifest.to_json(), nl=False)
    else:
        say(_summary(manifest, out))


def find_recipe(name: str | None) -> Recipe:
    """The recipe that a command names; without a name the default."""
    from exporters.recipe import Recipe

    return Recipe.find(name) if name else Recipe.default()


def write_corpus(ctx: click.Context, out: Path, recipe: Recipe, seed: int | None) -> Manifest:
    """Export the forest that a command is about, with a progress bar."""
    from exporters.export import export_corpus
    from forest.cli import opened_forest
    from forest.cli.terminal import progress_bar

    with opened_forest(ctx) as forest, progress_bar("reading") as bar:
        return export_corpus(
            forest.store,
            out,
            recipe,
            seed=seed,
            progress=lambda what, done, everything: bar.update(done, everything, what),
        )


def _export_graph(ctx: click.Context, out: Path, graph: str) -> None:
    from exporters.graph import export_graph
    from forest.cli import opened_forest, say
    from forest.cli.terminal import progress_bar

    with opened_forest(ctx) as forest, progress_bar("writing") as bar:
        size = export_graph(
            forest.store,
            out,
            graph,
            progress=lambda what, done, everything: bar.update(done, everything, what),
        )
    say(f"{out}: {graph}, {size:,} bytes")


def _summary(manifest: Manifest, out: Path) -> str:
    from exporters.records import KINDS

    corpus, size = manifest.recipe.corpus, sum(file.bytes for file in manifest.files)
    files = _count(len(manifest.files), f"{corpus.file} file")
    lines = [
        f"{out}: {_count(manifest.records, 'record')}, seed {manifest.seed}",
        f"format {corpus.format}; {files}, {size:,} bytes",
    ]
    if manifest.united_anchors:
        lines.append(f"{_count(manifest.united_anchors, 'anchor')} counted as one with another")
    for split, report in manifest.splits.items():
        records = ", ".join(
            _count(count, kind, KINDS[kind].many) for kind, count in report.records.items()
        )
        jumps = report.jumps
        lines.append(
            f"{split}: {records} from {_count(report.trees, 'tree')} with "
            f"{_count(report.thoughts, 'thought')}; {report.shared_anchors} of {report.anchors} "
            f"anchors shared, {jumps.source_once + jumps.source_more} of {jumps.occurrences} of "
            f"their thoughts jumped from; redundancy {report.redundancy:.2f}"
        )
    return "\n".join(lines)


def _count(number: int, name: str, many: str = "") -> str:
    return f"{number} {name}" if number == 1 else f"{number} {many or name + 's'}"
