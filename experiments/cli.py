"""``forest experiment``."""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.terminal import Group, print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forest.stores.base import Store


@click.group("experiment", cls=Group)
def command_experiment() -> None:
    """Measure which layout of a corpus makes a model jump."""


@command_experiment.command("stitching")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--forest", "url", metavar="STORE",
    help="The forest to export, as for `forest --store`. Without one the sample in the mode "
    "quick, else the store of `forest`.",
)  # fmt: skip
@click.option(
    "--mode", type=click.Choice(["quick", "full", "lora"]), default="quick", show_default=True,
    help="From scratch on a small forest; from scratch on all of it; masks on a base.",
)  # fmt: skip
@click.option("--base", help="For lora: a prepared base, or what `forest base prepare` takes.")
@click.option("--seeds", type=click.IntRange(min=1), help="In place of the mode's.")
@click.option("--arms", help="Only these, separated by commas.")
@click.option(
    "--config", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Settings (TOML) over the mode's.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True,
    help="Arms side by side, each on one core.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def _stitching(
    ctx: click.Context,
    out: Path,
    url: str | None,
    mode: str,
    base: str | None,
    seeds: int | None,
    arms: str | None,
    file: Path | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Train arms of equal tokens on layouts of one forest, and ask which of them jump.

    The same command goes on with a run that was stopped, and --arms and --seeds add to it. The
    folder OUT holds the corpora, a file for each arm and seed, and report.html, .md, .json, .svg.
    """
    from experiments.run import stitching
    from experiments.settings import Settings
    from forest.cli.terminal import progress_bar

    over: dict[str, Any] = {"seeds": seeds} if seeds else {}
    if arms:
        over["only"] = [name.strip() for name in arms.split(",") if name.strip()]
    settings = Settings.load(mode, file, **over)
    with _store(ctx, url, mode) as store, progress_bar("corpora") as bar:
        report = stitching(
            store, out, settings, base=base, jobs=jobs,
            command=shlex.join(["forest", *sys.argv[1:]]),
            progress=lambda what, done, of: bar.update(done, of, what),
        )  # fmt: skip
    if as_json:
        print_json(report)
    else:
        _tell(report, out)


@contextmanager
def _store(ctx: click.Context, url: str | None, mode: str) -> Iterator[Store]:
    """The forest that is exported."""
    from forest.cli import opened_forest
    from forest.forest import Forest
    from forest.stores.memory import MemoryStore

    if url is None and mode == "quick" and ctx.find_root().obj is None:
        sample = Forest(MemoryStore())
        sample.plant_sample()
        yield sample.store
    elif url is None:
        with opened_forest(ctx) as forest:
            yield forest.store
    else:
        with Forest.open(url, create=False) as forest:
            yield forest.store


def _tell(report: dict[str, Any], out: Path) -> None:
    from experiments.pages import table, verdict

    for group in report["groups"]:
        say(f"Pairs {group}, %:")
        head, rows = table(report, group)
        print_table(head, rows)
    for one in report["thresholds"]:
        say(verdict(one))
    say(f"{out}: report.html, report.md, report.json, report.svg")
