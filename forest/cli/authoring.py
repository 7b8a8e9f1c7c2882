"""Commands that write trees: init, add, edit, remove."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from forest.cli import in_forest, opened_forest, say
from forest.errors import ForestError, InvalidInput

if TYPE_CHECKING:
    from forest.forest import Forest
    from forest.importing import ImportReport
    from forest.model import Thought


@click.command("init")
@click.option("--sample", is_flag=True, help="Plant the sample forest.")
@click.pass_context
def command_init(ctx: click.Context, sample: bool) -> None:
    """Make a forest with the five axes of thinking; what is there already stays."""
    from forest.render import plural

    def plant(forest: Forest) -> tuple[str, ImportReport | None]:
        forest.plant_axes()
        return forest.url, forest.plant_sample() if sample else None

    url, report = in_forest(ctx, plant)
    if report:
        there = len(report.unchanged) + len(report.kept)
        already = f", {there} {'is' if there == 1 else 'are'} there already" if there else ""
        click.echo(f"{plural(len(report.added), 'tree')} planted{already}")
    click.echo(f"the forest is at {url}")
    click.echo("next: forest list, forest import FILE, forest add TREE --new TITLE TEXT")


@click.command("add")
@click.argument("tree")
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@click.option("--new", "title", metavar="TITLE", help="Start the tree, under this title.")
@click.option("--under", metavar="ID", help="Thought to go below.  [default: the last one]")
@click.option("--at", type=int, metavar="N", help="Place among its children, from 0.")
@click.option("--kind", help="premise, transition, consequence, question, … free.")
@click.option(
    "--anchor", "anchors", multiple=True, metavar="PHRASE", help="Anchor of each thought."
)
@click.option("--axis", "axes", multiple=True, metavar="NAME=WEIGHT", help="Axis of a new tree.")
@click.option(
    "--origin", default="", help="Who said it, if not an author: kept in the tree's meta."
)
@click.pass_context
def command_add(
    ctx: click.Context,
    tree: str,
    texts: tuple[str, ...],
    title: str | None,
    under: str | None,
    at: int | None,
    kind: str | None,
    anchors: tuple[str, ...],
    axes: tuple[str, ...],
    origin: str,
) -> None:
    """Add thoughts to the tree of id TREE: each TEXT continues the one before it.

    `forest add justice --new Justice --axis causality=80% --axis empathy=20% "Justice is …"`
    starts a tree. TEXT `-` reads one thought per line from standard input.
    """
    if axes and title is None:
        raise click.UsageError("--axis is for a new tree: `forest axes bind` binds one")
    if not tree.strip():
        raise click.UsageError("TREE is the id of a tree: it may not be empty")
    steps = _lines_of_input() if texts == ("-",) else list(texts)
    bound = weights(axes)

    def grow(forest: Forest) -> list[Thought]:
        with telling_new_axes(forest, bound):
            return forest.add_steps(
                forest.find(tree) if title is None else tree,
                steps,
                title=title,
                axes=bound or None,
                under=under,
                at=at,
                kind=kind,
                anchors=anchors,
                origin=origin,
            )

    if title is None:
        with opened_forest(ctx) as forest:
            added = grow(forest)
    else:
        added = in_forest(ctx, grow)
    for thought in added:
        click.echo(thought.id)


def _lines_of_input() -> list[str]:
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"standard input is not UTF-8 at byte {error.start}") from None
    steps = [line for line in text.splitlines() if line.strip()]
    if not steps:
        raise InvalidInput("standard input holds no line with text: nothing was added")
    return steps


_TWO_WEIGHTS = re.compile(r"=\s*[\d.]+\s*%?\s*[,;]")


def weights(pairs: tuple[str, ...]) -> dict[str, str] | list[str]:
    """``("a=80%", "b=20%")`` as a mapping; ``("a", "b")`` as a list of equal weights."""
    if all("=" not in pair for pair in pairs):
        return list(pairs)
    split = [pair.rpartition("=") for pair in pairs]
    for pair, (name, _, weight) in zip(pairs, split, strict=True):
        if not name or not weight:
            raise click.BadParameter(f"{pair!r}: expected NAME=WEIGHT, such as эмпатия=20%")
        if _TWO_WEIGHTS.search(name):
            raise click.BadParameter(
                f"{pair!r}: expected one axis, NAME=WEIGHT; separate several by spaces, not commas"
            )
    named = {name: weight for name, _, weight in split}
    if len(named) < len(split):
        raise click.BadParameter("an axis is named twice")
    return named


@contextmanager
def telling_new_axes(forest: Forest, names: Iterable[str]) -> Iterator[None]:
    """Say afterwards which of these axes were not there before: a typing error makes a new one."""
    from difflib import get_close_matches

    from forest.phrases import phrase_key

    known = {axis.id: axis.name for axis in forest.axes()}
    yield
    for name in names:
        if (key := phrase_key(name)) not in known:
            near = "".join(known[id_] for id_ in get_close_matches(key, known, n=1))
            meant = f"; was {near!r} meant?" if near else ""
            say(f"note: the axis {name!r} is new{meant}", err=True)


@click.command("edit")
@click.argument("tree")
@click.pass_context
def command_edit(ctx: click.Context, tree: str) -> None:
    """Open the tree of id TREE as YAML in $EDITOR; it is stored only if it is valid."""
    from forest.editing import drafts, edit_tree

    with opened_forest(ctx) as forest:
        tree_id = forest.find(tree)
        for path in drafts(forest, tree_id):
            say(f"note: an earlier edit's text, yours to use or to delete, is in {path}", err=True)
        outcome = edit_tree(forest, tree_id, ask=_again)
    say(outcome)


def _again(error: ForestError) -> bool:
    if not sys.stdin.isatty():
        return False
    say(f"forest: {error}", err=True)
    try:
        return click.confirm("Edit again?", default=True, err=True)
    except click.Abort:  # what was typed must still be named
        return False


@click.command("remove")
@click.argument("trees", nargs=-1, required=True, metavar="TREE...")
@click.option("--yes", is_flag=True, help="Do not ask; each TREE is a whole id then.")
@click.pass_context
def command_remove(ctx: click.Context, trees: tuple[str, ...], yes: bool) -> None:
    """Remove trees with all their thoughts, and say which.

    The beginning of an id or a title is enough where a terminal can ask; with --yes it is not. Of
    what is no tree (`forest check` names it) goes all that nothing else leads to.
    """
    from forest.cli.terminal import confirm_removal
    from forest.render import plural

    with opened_forest(ctx) as forest:
        if yes:
            names = {tree: _told(forest, tree) for tree in trees}
        else:
            names = {id_: _told(forest, id_) for id_ in map(forest.find, trees)}
            confirm_removal(plural(len(names), "tree"), names.values())
        forest.remove(*names)
    for name in names.values():
        say(f"removed {name}")


def _told(forest: Forest, tree_id: str) -> str:
    """The tree of exactly this id, for people. Raises NotFound, which names what was meant."""
    from forest.errors import InvalidTree, NotATree, NotFound
    from forest.render import plural

    try:
        tree = forest.get(tree_id)
    except (InvalidTree, NotATree) as error:
        return f"{tree_id}: no whole tree ({error.message})"
    except NotFound:
        raise NotFound(
            f"there is no tree {tree_id!r}; with --yes a tree is named by its whole id",
            hint=f"It may be {forest.find(tree_id)!r}.",
        ) from None
    return f"{tree.id}: {tree.title} ({plural(len(tree), 'thought')})"
