"""`forest anchors discover`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from forest.cli import opened_forest, print_json, tell_left_out
from forest.cli.numbers import Number

if TYPE_CHECKING:
    from forest.errors import ForestError

_share = Number(0, 1, min_open=True)


@click.command("discover")
@click.option(
    "--rule",
    "rules",
    multiple=True,
    type=click.Choice(["exact", "lemma", "near", "meaning", "stem", "phrase"]),
    help="What to look for; may be repeated. stem: anchors with the same stems; phrase: new "
    "phrases.  [default: exact, lemma, near]",
)
@click.option(
    "--embedder",
    metavar="NAME",
    help="For meaning: hashed (the default), a model's name or folder, or http(s)://HOST/v1#MODEL.",
)
@click.option(
    "--words",
    type=_share,
    metavar="SCORE",
    help="For anchors of one word: least share of readings as a noun.",
)
@click.option("--near", type=_share, metavar="SCORE", help="For near: least likeness.")
@click.option("--meaning", type=_share, metavar="SCORE", help="For meaning: least cosine.")
@click.option("--phrases", type=_share, metavar="SCORE", help="For phrase: least NPMI.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the hash functions.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    help="How many proposals the list holds: the surest.  [default: 25000]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the proposals as JSON.")
@click.pass_context
def command_discover(
    ctx: click.Context,
    rules: tuple[str, ...],
    embedder: str | None,
    words: float | None,
    near: float | None,
    meaning: float | None,
    phrases: float | None,
    seed: int,
    most: int | None,
    as_json: bool,
) -> int:
    """Propose anchors that authors did not mark, for review.

    Nothing is changed but the list of proposals: what the same rules had proposed before and nobody
    decided is replaced.
    """
    from anchors.discovery import DEFAULT_RULES, MOST, discover
    from anchors.embedding import cached_embedder
    from anchors.embedding.opening import DEFAULT
    from forest.render import plural

    named = DEFAULT if embedder is None and "meaning" in rules else embedder
    given = {"words": words, "near": near, "meaning": meaning, "phrases": phrases}
    broken: list[ForestError] = []
    with opened_forest(ctx) as forest:
        report = discover(
            forest.store,
            rules=rules or DEFAULT_RULES,
            embedder=None if named is None else cached_embedder(named),
            thresholds={name: value for name, value in given.items() if value is not None},
            seed=seed,
            most=most or MOST,
            skip=broken.append,
        )
    if as_json:
        print_json([{"id": p.id, **p.node.properties} for p in report.proposals])
        return tell_left_out(broken)
    for (what, rule), number in report.counts.items():
        click.echo(f"{what:6} {rule:8} {number:,}")
    click.echo(
        f"{plural(len(report.proposals), 'proposal')} from {plural(report.thoughts, 'thought')} "
        f"in {plural(report.trees, 'tree')}, {report.new:,} not on the list before; "
        f"{report.known:,} known or refused already"
    )
    if report.beyond:
        click.echo(f"{report.beyond:,} more, less sure, were left out: the list is full")
    if report.unnameable:
        click.echo(
            f"{plural(report.unnameable, 'text')} left out: an anchor's phrase has one line and at "
            "most 512 characters"
        )
    return tell_left_out(broken)
