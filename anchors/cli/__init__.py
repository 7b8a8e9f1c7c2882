"""Commands about meaning: stats, axes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from forest.cli import opened_forest, print_json, say, tell_left_out
from forest.errors import ForestError
from forest.shell import command_line

if TYPE_CHECKING:
    from anchors.stats import ForestStats


@click.command("stats")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw the islands into this file: .png or .svg.",
)
@click.pass_context
def command_stats(ctx: click.Context, as_json: bool, plot: Path | None) -> int:
    """Say how the trees are joined: is it one forest?"""
    from anchors.plot import check_picture, plot_islands
    from anchors.stats import forest_stats
    from forest.render import plural

    if plot:
        check_picture(plot)
    broken: list[ForestError] = []
    with opened_forest(ctx) as forest:
        stats = forest_stats(forest.store, broken.append)
        revision = None if broken else forest.revision
        if plot:
            plot_islands(forest.store, plot, skip=lambda _: None)
    if as_json:
        print_json({**asdict(stats), "revision": revision})
        return tell_left_out(broken)
    languages = ", ".join(f"{n} {lang}" for lang, n in stats.languages.items())
    rows = [
        ("trees", f"{stats.trees:,} ({languages})" if languages else "0"),
        ("thoughts", f"{stats.thoughts:,}"),
        ("deepest level", f"{stats.depth:,}"),
        ("branching", f"{stats.branching:.2f} children per thought that has any"),
        ("anchors", f"{stats.anchors:,}, of them {stats.shared_anchors:,} shared by trees"),
        ("counted as one", f"{stats.united:,} with another"),
        ("by number of trees", _histogram(stats.anchors_by_trees)),
        ("places to jump", f"{stats.occurrences:,}"),
        ("islands", f"{stats.islands:,}; the largest has {plural(stats.largest_island, 'tree')}"),
        ("proposals join", _bridges(stats)),
        ("trees alone", _some(stats.lone_trees)),
        ("hubs", "; ".join(f"{anchor} ({n})" for anchor, n in stats.hubs[:5]) or "none"),
        ("revision", revision[:12] if revision else "none: something is no tree"),
    ]
    for name, value in rows:
        say(f"{name:20} {value}")
    return tell_left_out(broken)


def _some(names: list[str], most: int = 8, between: str = ", ") -> str:
    more = len(names) - most
    return (between.join(names[:most]) or "none") + (f" and {more:,} more" if more > 0 else "")


def _bridges(stats: ForestStats) -> str:
    if not stats.bridges:
        return "no islands"
    named = [f"{b.phrase} ({', '.join(b.islands[:4])})" for b in stats.bridges]
    told = _some(named, 5, "; ")
    return f"{stats.islands:,} islands to {stats.islands_then:,}, by {len(named):,}: {told}"


def _histogram(counts: dict[int, int]) -> str:
    return ", ".join(f"{n}: {anchors:,}" for n, anchors in counts.items()) or "none"


@click.group("axes", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def command_axes(ctx: click.Context, as_json: bool) -> int:
    """Show the meaning axes with the trees bound to them; add axes, bind trees.

    Columns: axis, trees, sum of their weights, the strongest three, description.
    """
    from forest.cli.terminal import print_table

    if ctx.invoked_subcommand is not None:
        return 0
    from anchors.axes import trees_by_axis
    from forest.render import percent

    broken: list[ForestError] = []
    with opened_forest(ctx) as forest:
        table = trees_by_axis(forest.store, broken.append)
    if as_json:
        print_json([{**axis.model_dump(), "trees": dict(trees)} for axis, trees in table])
        return tell_left_out(broken)
    print_table(
        ("axis", "trees", "weight", "strongest", "description"),
        [
            (
                axis.name,
                len(trees),
                f"{sum(weight for _, weight in trees):.2f}",
                ", ".join(f"{tree} {percent(weight)}" for tree, weight in trees[:3]),
                axis.description,
            )
            for axis, trees in table
        ],
    )
    return tell_left_out(broken)


@command_axes.command("add")
@click.argument("name")
@click.option("--description", help="What the axis means.  [default: as it is, or nothing]")
@click.pass_context
def add(ctx: click.Context, name: str, description: str | None) -> None:
    """Add the axis NAME, or describe it anew; one that is there keeps its name."""
    with opened_forest(ctx) as forest:
        click.echo(forest.add_axis(name, description).id)


@command_axes.command("remove")
@click.argument("name")
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Remove the axis NAME, if no tree is bound to it."""
    with opened_forest(ctx) as forest:
        forest.remove_axis(name)


@command_axes.command("bind")
@click.argument("tree")
@click.argument("axes", nargs=-1, required=True, metavar="NAME=WEIGHT...")
@click.pass_context
def bind(ctx: click.Context, tree: str, axes: tuple[str, ...]) -> None:
    """Bind TREE to axes: `forest axes bind justice причинность=80% эмпатия=20%`.

    Names without weights mean equal weights. An axis that is not there yet is added, and said; what
    is nearly the name of one that is there is refused: `forest axes add` adds it.
    """
    from forest.cli.authoring import telling_new_axes, weights
    from forest.phrases import phrase_key
    from forest.render import percent

    named = weights(axes)
    with opened_forest(ctx) as forest, telling_new_axes(forest, named):
        bound = forest.bind(forest.find(tree), named)
        called = {axis.id: axis.name for axis in forest.axes()}
    said = ((called.get(phrase_key(name), name), weight) for name, weight in bound.items())
    say(", ".join(f"{name} {percent(weight)}" for name, weight in said))


@command_axes.command("suggest")
@click.argument("tree")
@click.option(
    "--embedder",
    metavar="NAME",
    help="Compare by a model instead of words, as for `forest anchors discover`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def suggest(ctx: click.Context, tree: str, embedder: str | None, as_json: bool) -> None:
    """Propose axes for TREE from its words, and print the command that would bind it.

    Nothing is bound. A tree is compared with the descriptions of the axes and with the trees that
    are bound to them. Columns: axis, weight, likeness to its description, likeness to its trees.
    How far that can be trusted is said last: what it would have said of trees that are bound.
    """
    from anchors.axes import suggest_axes, trust
    from anchors.embedding import cached_embedder
    from forest.cli.terminal import print_table
    from forest.render import plural

    with opened_forest(ctx) as forest:
        tree_id = forest.find(tree)
        model = None if embedder is None else cached_embedder(embedder)
        found = suggest_axes(forest.store, tree_id, model)
        sure = None if as_json else trust(forest.store, model)
    if as_json:
        print_json([asdict(suggestion) for suggestion in found])
        return
    if not found:
        click.echo("nothing speaks for an axis: describe the axes, or bind some trees by hand")
        return
    print_table(
        ("axis", "weight", "like its description", "like its trees"),
        [(s.axis, f"{s.weight:.0%}", f"{s.description:.2f}", f"{s.trees:.2f}") for s in found],
    )
    weights = [f"{s.axis}={s.weight:.0%}" for s in found]
    say(command_line("axes", "bind", tree_id, *weights))
    if sure and sure.of:
        say(
            f"how sure: of {plural(sure.of, 'bound tree')} the first axis was the strongest of "
            f"{sure.right}; naming the most common axis each time is right for {sure.constant}",
            err=True,
        )
    elif sure:
        say("how sure: unknown, for no tree is bound to an axis yet", err=True)
