"""The command `forest`: one table of commands, each loaded when it is called.

A command parses its arguments, makes one call of the Python API, and prints what came back.
Exit codes: see EXIT_CODES.
"""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from forest.errors import ForestError, UsageError

if TYPE_CHECKING:
    from forest.forest import Forest

T = TypeVar("T")

EXIT_CODES = (
    "Exit codes: 0 done, 1 findings or refused input, 2 wrong usage; 130 interrupted, 143 "
    "terminated, 141 whoever reads the output has closed it, as `head` does."
)
COMMANDS = {
    "init": ("forest.cli.authoring", "Make a forest here; with --sample, one to look at."),
    "new": ("anchors.cli.new", "Write the skeleton of a tree from a template."),
    "add": ("forest.cli.authoring", "Start a tree, or add thoughts to one."),
    "import": ("anchors.cli.importing", "Import trees from files and folders."),
    "list": ("forest.cli.reading", "List the trees."),
    "show": ("forest.cli.reading", "Draw a tree with its anchors."),
    "edit": ("forest.cli.authoring", "Edit a tree as YAML in your editor."),
    "remove": ("forest.cli.authoring", "Remove trees."),
    "check": ("anchors.cli.check", "Say what is wrong or missing, and mend it with --fix."),
    "stats": ("anchors.cli", "Say how the trees are joined: is it one forest?"),
    "axes": ("anchors.cli", "Show the meaning axes; bind trees to them."),
    "formulas": ("anchors.formulas.cli", "Compress scenes into codes: Δ12 = (вода + весна)."),
    "anchors": ("anchors.cli.registry", "Say which anchors are one; review proposals."),
    "copy": ("forest.cli.care", "Copy a forest from one store to another."),
    "cypher": ("forest.cli.care", "Ask Neo4j in Cypher."),
    "export": ("exporters.cli", "Write the training corpus."),
    "diff": ("exporters.cli", "Say what is other in one corpus than in another, and why."),
    "nightly": ("exporters.nightly.cli", "Write a corpus every night; say how the last one went."),
    "base": ("training.cli", "Prepare the model that masks stand on."),
    "train": ("training.cli", "Train a mask on a corpus."),
    "masks": ("training.cli.masks", "Keep a library of masks."),
    "evaluate": ("training.cli", "Say whether masks make the base jump between trees."),
    "ask": ("training.cli.ask", "Speak with the base and its masks."),
    "experiment": ("experiments.cli", "Measure which layout of a corpus makes a model jump."),
    "neo4j": ("forest.cli.neo4j", "Run a local Neo4j: start, stop, status."),
}
"""Name of a command: the module that holds it, under the name ``command_NAME``, and its help."""


class _OutputClosed(Exception):
    """Whoever read what a command prints reads no more."""


@contextmanager
def _output_told() -> Iterator[None]:
    """A closed output is told apart, as click itself would exit with 1."""
    try:
        yield
    except BrokenPipeError:
        raise _OutputClosed from None


class Commands(click.Group):
    """A group whose commands are imported when they are called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name, or None."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[name][0]), f"command_{name}")
        return command

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Read the arguments, and print the help where they ask for it."""
        with _output_told():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _output_told():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name what was probably meant where a command is unknown."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            if close := get_close_matches(args[0], COMMANDS, n=1):
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES
)
@click.option(
    "--store",
    metavar="URL",
    help="sqlite:///PATH, neo4j://HOST:7687 or memory:  [default: FOREST_STORE, forest.toml, "
    "sqlite:///forest.db]",
)
@click.version_option(package_name="reasoning-forest", prog_name="forest")
@click.pass_context
def root(ctx: click.Context, store: str | None) -> None:
    """A forest of reasoning trees: author them, stitch them, export a training corpus."""
    ctx.obj = store


@contextmanager
def opened_forest(ctx: click.Context, *, half_copy: bool = False) -> Iterator[Forest]:
    """The forest that the command is about, which is there; for ``half_copy`` see `Forest.open`."""
    from forest.forest import Forest

    with Forest.open(ctx.find_root().obj, create=False, half_copy=half_copy) as forest:
        yield forest


def in_forest(ctx: click.Context, act: Callable[[Forest], T]) -> T:
    """What the command does in its forest, which it makes if need be: see `Forest.act_in`."""
    from forest.forest import Forest

    return Forest.act_in(ctx.find_root().obj, act)


def say(text: str, *, err: bool = False) -> None:
    """Print a line for people: what a terminal would obey is spelled out."""
    from forest.render import visible

    click.echo(visible(text), err=err)


def tell_left_out(errors: Sequence[ForestError]) -> int:
    """Say what was left out because it is no tree. Returns the exit code."""
    for error in errors:
        say(f"forest: left out: {error}", err=True)
    return int(bool(errors))


def print_json(value: Any) -> None:
    """Print a value as indented JSON, for scripts."""
    import orjson

    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=_plain)
    click.echo(text.decode())


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """A file to write that is not there yet: it is there when the block ends, whole, or never.

    Raises Conflict: what is there is never overwritten; UsageError for a path without a name. An
    OSError names the file.
    """
    from forest.errors import Conflict
    from forest.scratch import put_in_place

    if not path.name:
        raise UsageError("the name of the file to write is empty", hint="Name one.")
    taken = Conflict(f"{path} exists already", hint="Name another file.")
    if path.exists():
        raise taken
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        try:
            put_in_place(part, path)
        except FileExistsError:
            raise taken from None
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        with suppress(OSError):  # such as of a disk that is only read: it was never there
            part.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _print_warnings() -> None:
    """Print what the library logs, such as that it waits for a server, as `forest` says things."""
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(f"forest: {record.getMessage()}", err=True)

    logging.getLogger("forest").handlers = [Handler(logging.WARNING)]


def _print_what_can_be_printed() -> None:
    """A terminal of another encoding gets escapes; a closed one gets nothing."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Terminated(KeyboardInterrupt):
    """What SIGTERM raises, so that work ends as it does at Ctrl-C: cleanly."""


def _terminate(*_: object) -> None:
    raise _Terminated


def _heed_nothing() -> Mapping[signal.Signals, Any]:
    """Let another interrupt raise nothing: this one is being told, or the process is ending."""
    both = (signal.SIGINT, signal.SIGTERM)
    return {number: signal.signal(number, signal.SIG_IGN) for number in both}


@contextmanager
def _heeding_nothing() -> Iterator[None]:
    handlers = _heed_nothing()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    _print_warnings()
    _print_what_can_be_printed()
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        code = root(args=arguments, prog_name="forest", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt) as abort:
        interrupt = abort.__cause__ or abort
        terminated = isinstance(interrupt, _Terminated)
        with _heeding_nothing():
            click.echo(f"forest: {'terminated' if terminated else 'interrupted'}", err=True)
            for note in getattr(interrupt, "__notes__", ()):
                say(note, err=True)
            atexit.register(_heed_nothing)
        sys.exit(143 if terminated else 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ForestError as error:
        say(f"forest: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except _OutputClosed:
        with suppress(OSError, ValueError):  # for the flush at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # as of a program that SIGPIPE ends
    except OSError as error:
        say(f"forest: {error.filename or 'the output'}: {error.strerror or error}", err=True)
        sys.exit(1)
    except ValueError as error:
        if type(error).__name__ != "ValidationError":
            raise
        from forest.fields import plain_words

        say(f"forest: {plain_words(error)}", err=True)  # type: ignore[arg-type]
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
