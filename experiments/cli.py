"""``forest experiment``."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.terminal import Group, print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from experiments.run import Progress
    from forest.stores.base import Store


@click.group("experiment", cls=Group)
def command_experiment() -> None:
    """Measure which layout of a corpus makes a model jump."""


def _print_config(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    from experiments.settings import shipped

    if asked:
        click.echo(shipped("modes", "full"), nl=False)
        ctx.exit()


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
@click.option(
    "--print-config", is_flag=True, is_eager=True, expose_value=False, callback=_print_config,
    help="Print the settings of the mode full, which explain themselves, and exit.",
)  # fmt: skip
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

    over: dict[str, Any] = {"seeds": seeds} if seeds else {}
    if arms is not None:
        over["only"] = [name.strip() for name in arms.split(",") if name.strip()]
        if not over["only"]:
            raise click.BadParameter("expected names of arms, separated by commas")
    settings = Settings.load(mode, file, **over)
    with _store(ctx, url, mode) as store, _progress() as tell:
        report = stitching(
            store, out, settings, base=base, jobs=jobs,
            command=shlex.join(["forest", *sys.argv[1:]]),
            progress=tell,
        )  # fmt: skip
    if as_json:
        print_json(report)
    else:
        _tell(report, out)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal, else lines."""
    from forest.cli.terminal import progress_bar

    if not sys.stderr.isatty():
        yield Lines()
        return
    with progress_bar("corpora") as bar:
        yield lambda what, done, of: bar.update(done, of, what)


class Lines:
    """Progress without a terminal: a line for each corpus, each tenth of an arm, and each arm."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None

    def __call__(self, what: str, done: int, of: int) -> None:
        """Tell that so many of something are done."""
        from experiments.run import ARMS

        if what == ARMS or what.startswith(f"{ARMS} ("):
            say(f"{what}: {done} of {of}{self._left(done, of)}", err=True)
        elif what == "corpora":
            say(f"{what}: {done} of {of}", err=True)
        elif what != "answers" and done > 0 and done * 10 // of > (done - 1) * 10 // of:
            say(f"{what}: step {done} of {of}", err=True)

    def _left(self, done: int, of: int) -> str:
        """The time that the arms which are left will take, by those of this run."""
        now = self._clock()
        if self._first is None:
            self._first = now, done
        began, before = self._first
        if done in (before, of):
            return ""
        left = (now - began) * (of - done) / (done - before)
        return f", {timedelta(seconds=round(left))} left"


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
        print_table(head, rows, named=True)
    for one in report["thresholds"]:
        say(verdict(one))
    say(f"{out}: report.html, report.md, report.json, report.svg")
