"""Tables, drawings and progress bars for a terminal; plain text for a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import click

from forest.cli import say
from forest.errors import InvalidInput
from forest.model import Tree
from forest.render import anchor_label, heading, outline, visible, wrapped


def show_tree(tree: Tree, *, ids: bool = False) -> None:
    """Print a tree: wrapped to the terminal, or one line per thought into a pipe."""
    title, *about = heading(tree)
    click.secho(title, bold=True)
    for text in about:
        click.secho(text, dim=True)
    click.echo()
    width = shutil.get_terminal_size().columns - 6 if sys.stdout.isatty() else 10**9
    for line in outline(tree):
        thought = line.thought
        margin = click.style(f"{thought.level:>4}  ", dim=True)
        for text in wrapped(line, width):
            click.echo(margin + text)
            margin = " " * 6
        tail = [visible(thought.id)] if ids else []
        if thought.kind:
            tail.append(visible(thought.kind))
        tail += [anchor_label(link) for link in thought.anchors]
        if tail:
            click.echo(" " * 6 + line.rest + click.style("  ".join(tail), fg="green"))


def confirm_removal(what: str, lines: Iterable[str]) -> None:
    """Show what would be removed and ask.

    :raises InvalidInput: there is no terminal to answer at.
    :raises click.Abort: the answer is no.
    """
    if not sys.stdin.isatty():
        raise InvalidInput("nothing was removed", hint="Without a terminal, say --yes.")
    for line in lines:
        click.echo(f"  {visible(line)}", err=True)
    click.confirm(f"Remove {what}?", abort=True, err=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, names: bool = False, none: str = ""
) -> None:
    """Print rows as a table as wide as the terminal; tab-separated, a line each, into a pipe.

    :param names: into a pipe too, the names of the columns first.
    :param none: what is said on stderr instead where there is no row.
    """
    rows = list(rows)
    if none and not rows:
        say(none, err=True)
        return
    if not sys.stdout.isatty():
        for row in chain([columns] if names else [], rows):
            click.echo("\t".join(_on_one_line(str(cell)) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(visible(str(cell))) for cell in row))
    Console().print(table)


def _on_one_line(cell: str) -> str:
    return visible(cell).replace("\t", "\\t").replace("\n", "\\n")


class Bar:
    """A progress bar on a terminal; nothing elsewhere."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def update(self, done: int, total: int | None = None, text: str | None = None) -> None:
        """Show how much is done, of how much, and with what."""
        if self._bar is not None:
            changes: dict[str, Any] = {"completed": done}
            if total is not None:
                changes["total"] = total
            if text is not None:
                changes["description"] = text
            self._bar.update(self._task, **changes)

    def wait(self, text: str) -> None:
        """Show that something goes on of which nobody knows how long."""
        if self._bar is not None:
            self._bar.remove_task(self._task)  # a total that was told cannot be taken back
            self._task = self._bar.add_task(text, total=None)


@contextmanager
def progress_bar(text: str, total: int | None = None, unit: str = "") -> Iterator[Bar]:
    """A progress bar on standard error with rate and time left, while the block runs."""
    if not sys.stderr.isatty():
        yield Bar(None, None)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many are done a second, once that is known."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            if not speed:
                return Text("")
            return Text(f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s")

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        yield Bar(bar, bar.add_task(text, total=total))
