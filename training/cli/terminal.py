"""What the commands of training share: options, errors, tables, and what is printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from training.errors import TrainingError

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def say(text: str, *, err: bool = False) -> None:
    """Print a line for people: what a terminal would obey is spelled out."""
    click.echo(visible(text), err=err)


def visible(text: str) -> str:
    """The text with what a terminal would obey spelled out."""
    return _UNSEEN.sub(lambda m: m[0].encode("unicode_escape").decode(), text)


class _Refused(click.ClickException):
    """An error of training as the command line says it."""

    def __init__(self, error: TrainingError) -> None:
        super().__init__(str(error))
        self.notes = getattr(error, "__notes__", [])

    def show(self, file: Any = None) -> None:
        for line in (f"forest: {self.message}", *self.notes):
            say(line, err=True)


class Command(click.Command):
    """A command whose errors of training are shown as those of `forest` are."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TrainingError as error:
            raise _Refused(error) from error


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


def folder_type(*, exists: bool = True) -> click.Path:
    """The type of an argument that names a folder."""
    return click.Path(exists=exists, file_okay=False, path_type=Path)


base_option = click.option(
    "--base", "base_folder", type=folder_type(), required=True, help="A prepared base."
)
masks_option = click.option(
    "--masks", "folder", type=folder_type(exists=False), default=Path("masks"), show_default=True,
    help="The folder of masks.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


def tell_spelling(name: str) -> None:
    """Say how a new mask is called where that is not what was typed, though it looks alike."""
    if "\u2206" in name:
        said = name.replace("\u2206", "Δ")
        say(f"note: ∆, the increment sign (U+2206), is read as the letter Δ: {said}", err=True)


def print_json(value: Any) -> None:
    """Print a value as indented JSON, for scripts."""
    from training.files import to_json

    click.echo(to_json(value).decode(), nl=False)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, named: bool = False
) -> None:
    """Rows as a table on a terminal; tab-separated, a line each, into a pipe.

    :param named: whether a line with the names of the columns comes first also into a pipe.
    """
    if not sys.stdout.isatty():
        for row in [columns, *rows] if named else rows:
            say("\t".join(map(str, row)).rstrip("\t"))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(visible(str(cell))) for cell in row))
    Console().print(table)


def plural(number: int, what: str) -> str:
    """So many of something: ``1 mask``, ``2 masks``."""
    return f"{number} {what}" + ("" if number == 1 else "s")
