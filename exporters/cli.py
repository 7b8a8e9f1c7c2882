"""``forest export``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from exporters.diff import Difference
    from exporters.manifest import Manifest
    from exporters.recipe import Recipe
    from exporters.work import Engine, Workers
    from forest import Forest


def _print_recipe(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    from exporters.recipe import default_recipe

    if asked:
        click.echo(default_recipe(), nl=False)
        ctx.exit()


def with_workers(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say who makes the records; the command gets them as ``workers``."""

    @click.option(
        "--workers",
        "number",
        type=click.IntRange(min=1),
        help="How many make records; the bytes are the same.  [default: 1; on Ray up to 4, as the "
        "cluster has CPUs]",
    )
    @click.option(
        "--engine",
        type=click.Choice(["processes", "ray"]),
        default="processes",
        show_default=True,
        help="What the workers are: processes of this machine, or on a Ray cluster.",
    )
    @click.option(
        "--address",
        metavar="HOST:PORT|auto",
        help="Of a running Ray cluster.  [default: one is started on this machine, and ended]",
    )
    @wraps(command)
    def with_them(
        *args: Any, number: int | None, engine: Engine, address: str | None, **options: Any
    ) -> Any:
        from exporters.work import Workers

        return command(*args, workers=Workers(number, engine, address), **options)

    return with_them


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
@with_workers
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
    workers: Workers,
    as_json: bool,
    graph: str | None,
) -> None:
    """Write the forest as a training corpus into the folder OUT.

    An earlier corpus in OUT is replaced when the new one is complete, and not before. What did not
    change is taken over from it; the bytes are those of a full export.

    With --as, OUT is a file that holds the forest as a graph; `forest import` reads all of these
    but canvas, a picture for Obsidian. An earlier export of the same kind in OUT is replaced.
    """
    if str(out) == "-":
        raise click.UsageError("OUT is a folder, with --as a file: standard output is neither")
    if graph is not None:
        if recipe_name or seed is not None or format or file or workers.asked or as_json:
            raise click.UsageError(
                "--recipe, --seed, --format, --file, --workers, --engine and --json are for a "
                "corpus: not with --as"
            )
        _export_graph(ctx, out, graph)
        return
    from forest.cli import say

    recipe = find_recipe(recipe_name).said_as(format, file)
    manifest = write_corpus(ctx, out, recipe, seed, workers)
    if as_json:
        click.echo(manifest.to_json(), nl=False)
    else:
        say(_summary(manifest, out))


@click.command("diff")
@click.argument("one", type=click.Path(path_type=Path), metavar="OUT1")
@click.argument("other", type=click.Path(path_type=Path), metavar="OUT2")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command_diff(one: Path, other: Path, as_json: bool) -> int:
    """Say what is other in the corpus OUT2 than in the corpus OUT1, and why.

    Both are read as they lie there; no forest is needed. Exit codes: 0 they are the same, 1 they
    differ, 2 one of them is no corpus.
    """
    from exporters.diff import compare
    from forest.cli import print_json, say

    found = compare(one, other)
    if as_json:
        print_json(found)
    else:
        say(_told(found))
    return int(not found.same)


MOST = 20
"""Trees of one sort that are named; --json names all."""


def _told(found: Difference) -> str:
    if found.same:
        return "The corpora are the same."
    lines = [f"recipe   {name}: {a!r} → {b!r}" for name, (a, b) in found.recipe.items()]
    if found.format_version:
        lines.append("format   {} → {}".format(*found.format_version))
    if found.forest:
        lines.append("forest   {} → {}".format(*(revision[:16] for revision in found.forest)))
    trees = found.trees
    sorts = {
        "added": trees.added,
        "removed": trees.removed,
        "edited": [f"{tree}: {edited.told()}" for tree, edited in trees.edited.items()],
        "on the other side": trees.other_split,
    }
    counts = ", ".join(f"{len(names)} {what}" for what, names in sorts.items() if names)
    lines.append(f"trees    {counts or 'the same'}")
    for what, names in sorts.items():
        lines += [f"         {what}: {name}" for name in names[:MOST]]
        if len(names) > MOST:
            lines.append(f"         {what}: {len(names) - MOST} more (--json names them)")
    return "\n".join([*lines, *_told_records(found), *_told_files(found)])


def _told_records(found: Difference) -> Iterator[str]:
    for kind, changes in found.records.items():
        counts = [
            f"{count} {what}"
            for what in ("added", "removed", "changed")
            if (count := getattr(changes, what))
        ]
        near = f"; {changes.near} of trees that say what they said" if changes.near else ""
        yield f"records  {kind}: {', '.join(counts)}{near}"


def _told_files(found: Difference) -> Iterator[str]:
    files = found.files
    counts = {"added": files.added, "removed": files.removed, "changed": files.changed}
    said = [f"{len(paths)} {what}" for what, paths in counts.items() if paths]
    yield f"files    {', '.join([*said, f'{len(files.same)} the same'])}"


def find_recipe(name: str | None) -> Recipe:
    """The recipe that a command names; without a name the default."""
    from exporters.recipe import Recipe

    return Recipe.find(name) if name else Recipe.default()


def write_corpus(
    ctx: click.Context,
    out: Path,
    recipe: Recipe,
    seed: int | None,
    workers: Workers | int = 1,
    earlier: Path | None = None,
) -> Manifest:
    """Export the forest that a command is about, with a progress bar."""
    from exporters.export import export_corpus
    from forest.cli import opened_forest
    from forest.cli.terminal import progress_bar

    with opened_forest(ctx) as forest:
        with progress_bar("reading") as bar:
            manifest = export_corpus(
                forest.store,
                out,
                recipe,
                seed=seed,
                workers=workers,
                earlier=earlier,
                progress=lambda what, done, everything: bar.update(done, everything, what),
            )
        _tell_strays(forest, sum(split.thoughts for split in manifest.splits.values()))
    return manifest


def _tell_strays(forest: Forest, inside: int) -> None:
    """Name thoughts that somebody typed with Cypher and that stand in no tree: they are left out.

    :param inside: how many thoughts stand in trees.
    """
    from forest.cli import tell_left_out

    tell_left_out(list(forest.store.outside(inside)))


def _export_graph(ctx: click.Context, out: Path, graph: str) -> None:
    from exporters.graph import export_graph
    from forest.cli import opened_forest, say
    from forest.cli.terminal import progress_bar

    with opened_forest(ctx) as forest:
        with progress_bar("writing") as bar:
            size = export_graph(
                forest.store,
                out,
                graph,
                progress=lambda what, done, everything: bar.update(done, everything, what),
            )
        _tell_strays(forest, sum(info.size for info in forest.store.infos()))
    say(f"{out}: {graph}, {size:,} bytes")


def _summary(manifest: Manifest, out: Path) -> str:
    from exporters.records import KINDS
    from exporters.splits import VALIDATION

    corpus, size = manifest.recipe.corpus, sum(file.bytes for file in manifest.files)
    files = _count(len(manifest.files), f"{corpus.file} file")
    lines = [
        f"{out}: {_count(manifest.records, 'record')}, seed {manifest.seed}",
        f"format {corpus.format}; {files}, {size:,} bytes",
    ]
    if manifest.united_anchors:
        lines.append(f"{_count(manifest.united_anchors, 'anchor')} counted as one with another")
    for split, report in manifest.splits.items():
        records = ", ".join(  # in one order, whatever was written anew and what was taken over
            _count(report.records[kind], kind, KINDS[kind].many)
            for kind in KINDS
            if kind in report.records
        )
        jumps = report.jumps
        lines.append(
            f"{split}: {records} from {_count(report.trees, 'tree')} with "
            f"{_count(report.thoughts, 'thought')}; {report.shared_anchors} of {report.anchors} "
            f"anchors shared, {jumps.source_once + jumps.source_more} of {jumps.occurrences} of "
            f"their thoughts jumped from; redundancy {report.redundancy:.2f}"
        )
    if corpus.validation and VALIDATION not in manifest.splits:
        lines.append(
            "validation: no tree, as none was drawn; those that say nearly the same count as one"
        )
    return "\n".join([*lines, _held_out(manifest)])


def _held_out(manifest: Manifest) -> str:
    report, settings = manifest.probes, manifest.recipe.probes
    if not (settings.share and settings.count):
        return "no stitch held out: the recipe asks for none"
    if not report.held_out:
        return f"no stitch held out: {', '.join(report.left_out)}"
    asked = f"{_count(report.probes, 'probe')}{f' in {report.path}' if report.path else ''}"
    why = "".join(f"; {reason}: {count}" for reason, count in report.left_out.items())
    if report.unsaid:
        why += f"; {report.unsaid} of the probes ask about thoughts that no training record says"
    return f"{_count(report.held_out, 'stitch', 'stitches')} held out, {asked}{why}"


def _count(number: int, name: str, many: str = "") -> str:
    return f"{number} {name}" if number == 1 else f"{number} {many or name + 's'}"
