"""``forest ask``.

Training knows no forest. What is kept of an answer is handed to the commands that an author would
type, `forest formulas scene`, `forest add` and `forest formulas add`, by their names.
"""

from __future__ import annotations

import io
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import orjson

from training.cli.terminal import (
    Command,
    base_option,
    folder_type,
    json_option,
    masks_option,
    print_json,
    say,
    visible,
)
from training.errors import TrainingError

if TYPE_CHECKING:
    from training.ask import Answer

_NARROWEST = 32
"""Characters of a column beside others."""


@click.command("ask", cls=Command)
@click.argument("text")
@base_option
@click.option(
    "--mask", "name", metavar="NAME",
    help="Who speaks; base: nobody's mask.  [default: the one that is worn]",
)  # fmt: skip
@click.option("--compare", metavar="NAME,NAME...", help="Several, side by side; base is one too.")
@click.option(
    "--register", help="TEXT is a formula, to be voiced so: logical, poetic, bodily, emoji, ..."
)
@click.option(
    "--corpus", "corpus_folder", type=folder_type(),
    help="How it unfolds the formula is what is asked: then TEXT is a code.",
)  # fmt: skip
@click.option(
    "--keep", type=click.Choice(["scene", "thought"]),
    help="Put the answer into the forest, with its origin.",
)  # fmt: skip
@click.option("--formula", metavar="CODE", help="What a kept scene voices.  [default: as in TEXT]")
@click.option("--lang", help="Of a kept scene (BCP 47).  [default: guessed]")
@click.option("--tree", help="Where a kept thought goes.")
@click.option("--under", metavar="ID", help="The thought above it.  [default: the tree's last]")
@masks_option
@click.option("--length", type=click.IntRange(min=1), default=120, show_default=True)
@click.option(
    "--temperature", type=click.FloatRange(min=0), default=0.8, show_default=True,
    help="0: always the likeliest token.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--guidance", type=click.FloatRange(min=0), default=0, show_default=True,
    help="How much more the last line of TEXT counts, which asks for something; 0.5: half more.",
)  # fmt: skip
@json_option
@click.pass_context
def command_ask(
    ctx: click.Context,
    text: str,
    base_folder: Path,
    name: str | None,
    compare: str | None,
    register: str | None,
    corpus_folder: Path | None,
    keep: str | None,
    formula: str | None,
    lang: str | None,
    tree: str | None,
    under: str | None,
    folder: Path,
    length: int,
    temperature: float,
    seed: int,
    guidance: float,
    as_json: bool,
) -> None:
    """Let the base, or masks, go on with TEXT.

    A formula in an answer is shown with the command that adds it; on a terminal you are asked.
    """
    from training.ask import ask, unfolding
    from training.base import Base
    from training.corpus import Corpus
    from training.masks import BASE, Library

    if name is not None and compare is not None:
        raise click.UsageError("--mask names who speaks, --compare several: give one of them")
    if corpus_folder is not None and register is None:
        raise click.UsageError("--corpus says how a formula unfolds in a --register: give it too")
    library = Library(folder)
    several = [one.strip() for one in compare.split(",")] if compare is not None else []
    names = several or [name or library.worn]
    names = list(dict.fromkeys(names))
    named = {one: library.open(one) for one in names if one != BASE}
    order = [named[one].name if one in named else BASE for one in names]
    place = None
    if keep is not None:
        if len(names) > 1:
            raise click.UsageError("--keep keeps one answer: name who speaks with --mask")
        if keep == "scene":
            place = _scene_of(formula or _only_code(text), register, lang)
        else:
            place = _thought_in(tree, under)
        place.require(_forest(ctx, *place.look, silent=True))
    if register is not None:
        text = unfolding(text, register, Corpus.open(corpus_folder) if corpus_folder else None)
    base = Base.open(base_folder)
    masks, bare = list(named.values()), BASE in names
    answers = ask(
        text, base, masks, bare=bare, length=length, temperature=temperature, seed=seed,
        guidance=guidance,
    )  # fmt: skip
    answers.sort(key=lambda answer: order.index(answer.voice))
    found = [_formulas(ctx, answer) for answer in answers]
    if as_json:
        print_json([asdict(a) | {"formulas": [*f]} for a, f in zip(answers, found, strict=True)])
    else:
        _print_answers(answers)
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        if place is not None:
            _keep(ctx, place, answers[0])
        for one, code in {one: code for some in found for one, code in some.items()}.items():
            _offer(ctx, one, code)


# --- what is kept in the forest -------------------------------------------------------------------


class _Place(NamedTuple):
    """Where an answer is kept."""

    look: list[str]
    """The command that fails where there is no such place."""
    command: list[str]
    """The command that keeps it; the origin and the text are still to be given."""
    at: str
    under: str | None = None
    """The id of the thought above a kept one, if one is named."""

    def require(self, told: str) -> None:
        """Raise TrainingError where there is no such thought in what was told of the tree."""
        if self.under is None:
            return
        ids = [node["id"] for node in orjson.loads(told)["nodes"]]
        if self.under not in [*ids, *(f"{self.at}/{own}" for own in ids)]:
            raise TrainingError(
                f"tree {self.at!r} has no thought {self.under!r}: nothing was asked",
                hint=f"`forest show {shlex.quote(self.at)} --ids` lists its thoughts with their "
                "ids.",
            )


def _scene_of(code: str, register: str | None, lang: str | None) -> _Place:
    command = ["formulas", "scene", *_options(register=register, lang=lang)]
    return _Place(["formulas", "show", "--", code], command, code)


def _thought_in(tree: str | None, under: str | None) -> _Place:
    if tree is None:
        raise click.UsageError("--keep thought needs a --tree, and takes --under ID")
    return _Place(["show", "--json", "--", tree], ["add", *_options(under=under)], tree, under)


def _options(**values: str | None) -> list[str]:
    return [part for name, value in values.items() if value for part in (f"--{name}", value)]


def _only_code(text: str) -> str:
    from training.tokens import codes_in

    codes = sorted(codes_in(text))
    if len(codes) != 1:
        named = ", ".join(codes) or "none"
        raise click.UsageError(
            f"which formula does the scene voice? TEXT names {named}: give --formula CODE"
        )
    return codes[0]


def _keep(ctx: click.Context, place: _Place, answer: Answer) -> None:
    text = answer.text.strip()
    if not any(map(str.isalnum, text)):
        raise TrainingError(
            f"{answer.voice} answered without a word: nothing was kept",
            hint="Ask with another --seed, or more --length.",
        )
    _forest(ctx, *place.command, "--origin", answer.origin, "--", place.at, text)


def _formulas(ctx: click.Context, answer: Answer) -> dict[str, str | None]:
    """The formulas that an answer writes, as `forest formulas find` prints them, and their codes.

    The last line of the prompt belongs to it: it may end in ``Δ84 =``.
    """
    begun = answer.prompt.rpartition("\n")[2]
    found = _found(ctx, begun + answer.text)
    known = _found(ctx, answer.prompt) if found else {}
    return {formula: code for formula, code in found.items() if formula not in known}


def _found(ctx: click.Context, text: str) -> dict[str, str | None]:
    from training.ask import code_first

    told = _forest(ctx, "formulas", "find", "--json", "--", code_first(text), silent=True)
    return {formula["text"]: formula["code"] for formula in orjson.loads(told)["formulas"]}


def _taken(ctx: click.Context) -> dict[str, str]:
    """The formulas of the registry, by their codes."""
    told = _forest(ctx, "formulas", "list", "--json", silent=True)
    return {formula["code"]: formula["text"] for formula in orjson.loads(told)}


def _offer(ctx: click.Context, formula: str, code: str | None) -> None:
    """Show a formula of an answer; whether it is added is the author's to say."""
    say(f"a formula: {formula}")
    if code and (own := _taken(ctx).get(code)):
        say(f"the forest has {own} already: nothing to add")
        return
    if sys.stdin.isatty() and sys.stdout.isatty():
        criteria = _forest(ctx, "formulas", "check", "--", formula, silent=True)
        say(criteria.rstrip("\n"))
        if click.confirm("Add it?", default=False):
            _add(ctx, formula, said=criteria.splitlines())
    else:
        store = _options(store=ctx.find_root().params.get("store"))
        say(f"to add it: {shlex.join(['forest', *store, 'formulas', 'add', formula])}")


def _add(ctx: click.Context, formula: str, *, said: Sequence[str]) -> None:
    """Add a formula; what the command notes and has been said already is not said again."""
    notes = io.StringIO()
    try:
        with redirect_stderr(notes):
            _forest(ctx, "formulas", "add", "--", formula)
    finally:
        for line in notes.getvalue().splitlines():
            if line not in said:
                say(line, err=True)


def _forest(ctx: click.Context, *arguments: str, silent: bool = False) -> str:
    """Run another command of `forest` on the same store; returns what it printed, if silent."""
    root = ctx.find_root()
    store = _options(store=root.params.get("store"))
    printed = io.StringIO()
    with redirect_stdout(printed if silent else sys.stdout):
        root.command.main([*store, *arguments], prog_name="forest", standalone_mode=False)
    return printed.getvalue()


# --- printing -------------------------------------------------------------------------------------


def _print_answers(answers: Sequence[Answer]) -> None:
    """Side by side on a terminal with room for it, else one below the other."""
    room = shutil.get_terminal_size().columns // max(1, len(answers))
    if len(answers) == 1 or room < _NARROWEST or not sys.stdout.isatty():
        for answer in answers:
            click.secho(f"{answer.voice}:", bold=True)
            say(f"{answer.text.strip()}\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for answer in answers:
        table.add_column(visible(answer.voice), ratio=1, overflow="fold")
    table.add_row(*(Text(visible(answer.text.strip())) for answer in answers))
    Console().print(table)
