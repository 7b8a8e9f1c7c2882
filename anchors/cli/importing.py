"""The command import."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from forest.cli import in_forest, print_json, say

if TYPE_CHECKING:
    from anchors.importing import Imported
    from forest.forest import Forest

FORMATS = (
    *("auto", "json", "jsonl", "yaml", "markdown", "entailment-bank"),
    *("turtle", "json-ld", "n-triples", "graphml", "node-link"),
)


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format",
    "form",
    default="auto",
    show_default=True,
    type=click.Choice(FORMATS),
    help="How to read the files; auto tells by name and content.",
)
@click.option("--keep-going", is_flag=True, help="Leave out what is wrong, and say so at the end.")
@click.option(
    "--replace", is_flag=True, help="Where forest and file both changed, take the file's."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_context
def command_import(
    ctx: click.Context,
    paths: tuple[str, ...],
    form: str,
    keep_going: bool,
    replace: bool,
    as_json: bool,
) -> int:
    """Import trees from files and folders.

    If anything is wrong with them, nothing is imported, and no forest made. An interrupted import
    leaves nothing in SQLite; on Neo4j it may leave whole trees, and the same command goes on where
    it stopped.

    Formulas in Markdown notes are added too: see `forest formulas`. Exit code 1 if one of them
    contradicts the forest or another note and was left out, as with what --keep-going leaves out.
    """
    from anchors.importing import import_files
    from forest.cli.terminal import progress_bar
    from forest.importing import Progress
    from forest.render import plural

    with progress_bar("importing", unit="files") as bar:

        def tell(p: Progress) -> None:
            bar.update(p.files_done, p.files, f"{p.file}  {p.thoughts:,} thoughts")

        def take(forest: Forest) -> Imported:
            return import_files(
                forest, paths, format=form, keep_going=keep_going, replace=replace, progress=tell
            )

        done = in_forest(ctx, take)
    report, formulas = done.trees, done.formulas
    if as_json:
        print_json(asdict(report) | {"formulas": asdict(formulas)})
        return int(bool(report.skipped or formulas.left_out))
    for notice in [*report.notices, *formulas.notices]:
        say(f"note: {notice}", err=True)
    for message in report.skipped:
        say(f"left out: {message}", err=True)
    click.echo(
        f"{plural(report.files, 'file')}: {plural(len(report.added), 'tree')} added, "
        f"{len(report.changed):,} changed, {len(report.unchanged):,} unchanged"
        + (f", {len(report.kept):,} kept as edited in the forest" if report.kept else "")
        + (f", {len(report.skipped):,} left out" if report.skipped else "")
        + f" ({plural(report.thoughts, 'thought')} added or changed)"
    )
    if formulas.summary:
        say(formulas.summary)
    if report.axes or report.nodes:
        click.echo(
            f"beside the trees: axes: {report.axes:,}, other nodes: {report.nodes:,} written"
        )
    return int(bool(report.skipped or formulas.left_out))
