"""``forest nightly``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporters.cli import find_recipe, with_workers, write_corpus
from forest.cli import print_json, say

if TYPE_CHECKING:
    from exporters.manifest import Manifest
    from exporters.nightly.status import Status
    from exporters.work import Workers


@click.command("nightly")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--at", default="03:00", show_default=True, metavar="HH:MM", help="When they begin.")
@click.option("--timezone", metavar="NAME", help="Such as Europe/Moscow.  [default: the system's]")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=7,
    show_default=True,
    help="Of how many nights the corpora stay.",
)
@click.option(
    "--recipe",
    "recipe_name",
    metavar="FILE|NAME",
    help="A recipe (TOML), read anew each night, or the name of a shipped one.",
)
@click.option("--seed", type=click.IntRange(min=0), help="In place of the recipe's seed.")
@with_workers
@click.option("--now", "at_once", is_flag=True, help="Begin with a night, then wait.")
@click.option("--once", is_flag=True, help="One night, now: for cron and systemd timers.")
@click.option(
    "--status", "asked", is_flag=True, help="Only say how it goes. Exit code 1 if not well."
)
@click.option("--json", "as_json", is_flag=True, help="With --status: print it as JSON.")
@click.pass_context
def command_nightly(
    ctx: click.Context,
    out: Path,
    at: str,
    timezone: str | None,
    keep: int,
    recipe_name: str | None,
    seed: int | None,
    workers: Workers,
    at_once: bool,
    once: bool,
    asked: bool,
    as_json: bool,
) -> int:
    """Write the forest as a corpus into OUT/2026-11-22, another one every night.

    OUT/latest leads to the newest good corpus, OUT/status.json says how the last night went. A
    night that fails leaves both corpus and link as they were. Exit codes: of --once 0 or, where
    the night failed, 1; of the service 0 where it is told to end between nights (SIGTERM), 143 in
    the middle of one, which is undone.
    """
    if asked and (once or at_once):
        raise click.UsageError("--status writes no night: not with --once or --now")
    if once and at_once:
        raise click.UsageError("--once is a night now, without a service: not with --now")
    if asked:
        return _tell_status(out, as_json)
    if as_json:
        raise click.UsageError("--json goes with --status")
    from exporters.files import require
    from exporters.nightly import Nights, Schedule
    from exporters.nightly.nights import LATEST

    if not once:  # a service says at its start what would fail every night
        require(find_recipe(recipe_name).corpus.file)
        workers.require()

    def export(folder: Path) -> Manifest:
        latest = out / LATEST
        earlier = latest if latest.exists() else None
        return write_corpus(ctx, folder, find_recipe(recipe_name), seed, workers, earlier)

    nights = Nights(out, export, schedule=Schedule.read(at, timezone), keep=keep, tell=say)
    if once:
        nights.once()
    else:
        nights.serve(at_once=at_once)
    return 0


def _tell_status(out: Path, as_json: bool) -> int:
    from datetime import UTC, datetime

    from exporters.nightly import Nights, Status

    status = Status.read(out)
    if status is None:
        trouble: str | None = f"no night was written to {out} yet"
    else:
        trouble = status.trouble(datetime.now(UTC), Nights.held(out))
    if as_json:
        told = status.model_dump(mode="json") if status else {}
        print_json({"trouble": trouble, **told})
    elif status:
        say(_summary(status, out))
    if trouble and not as_json:
        say(f"forest: {trouble}", err=True)
        if status and status.error and status.error.hint:
            say(status.error.hint, err=True)
    return int(trouble is not None)


def _summary(status: Status, out: Path) -> str:
    last: str = status.state
    if status.started:
        last += f", {status.started:%Y-%m-%d %H:%M}"
        last += f" to {status.ended:%H:%M}" if status.ended else ""
    lines = [f"last night  {last}"]
    if good := status.last_good:
        same = "" if good.changed else ", the same as the night before"
        lines.append(f"corpus      {out / good.corpus}: {good.records} records{same}")
    if status.next_run:
        when = "next      " if status.service else "expected  "
        lines.append(f"{when}  {status.next_run:%Y-%m-%d %H:%M}")
    return "\n".join([*lines, *(f"notice      {notice}" for notice in status.notices)])
