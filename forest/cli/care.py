"""Commands that look after a forest: copy, cypher."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from forest.cli import opened_forest, print_json

if TYPE_CHECKING:
    from forest.stores.base import Rows


@click.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def command_copy(source: str, target: str) -> None:
    """Copy the forest at the URL FROM into the empty one at the URL TO.

    A copy that was broken off leaves nothing. In Neo4j, where it is many transactions, it leaves
    half a copy, which is refused by all commands; the same copy again finishes it.
    """
    from forest.cli.terminal import progress_bar
    from forest.forest import Forest
    from forest.render import plural

    with (
        Forest.open(source, create=False) as here,
        Forest.open_for_copy(target) as there,
    ):
        total = sum(info.size for info in here.infos())
        with progress_bar("copying", total, "thoughts") as bar:
            done = 0

            def tell(thoughts: int) -> None:
                nonlocal done
                done += thoughts
                bar.update(done)

            written = here.copy_to(there, tell)
        revision = there.revision
    earlier = f", {len(written.unchanged):,} there already" if written.unchanged else ""
    click.echo(
        f"{plural(len(written.added), 'tree')}, {plural(written.thoughts, 'thought')} copied"
        f"{earlier}; revision {revision[:12]}"
    )


def _parameter(text: str) -> tuple[str, Any]:
    import orjson

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r}: expected NAME=VALUE", param_hint="--param")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def with_cypher(ctx: click.Context) -> None:
    """Say how to get Cypher where there is no forest yet, and none to copy. Raises NoCypher."""
    from forest.errors import NoCypher
    from forest.settings import Settings

    given = ctx.find_root().obj
    url = Settings.load().store if given is None else given
    absent = url.startswith("sqlite:") and not Path(url.removeprefix("sqlite:///")).exists()
    if absent or url.startswith("memory:"):  # what is in memory begins and ends with the command
        raise NoCypher(
            f"the store {url} does not speak Cypher",
            hint="For Cypher, run Neo4j: `forest neo4j start`, then give its address to --store.",
        )


@click.command("cypher")
@click.argument("query", required=False)
@click.option(
    "--file",
    "-f",
    "script",
    type=click.File("rb"),
    metavar="FILE",
    help="Read a script from a file; - is standard input.",
)
@click.option(
    "--param",
    "-p",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the query; VALUE is JSON, or else text.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all rows as one JSON list.")
@click.pass_context
def command_cypher(
    ctx: click.Context,
    query: str | None,
    script: BinaryIO | None,
    param: tuple[str, ...],
    as_json: bool,
) -> None:
    """Ask Neo4j in Cypher and print the rows.

    A script may hold several statements, each ended by a semicolon. Each is stored before the next
    one runs. What they changed is told on standard error.
    """
    if query is not None and script is None:
        text = query
    elif script is not None and query is None:
        text = _read(script)
    else:
        raise click.UsageError("give one query, or a file with --file")
    with_cypher(ctx)
    all_rows: list[dict[str, Any]] = []
    with opened_forest(ctx, half_copy=True) as forest:
        for rows in forest.cypher_script(text, **dict(map(_parameter, param))):
            all_rows += rows
            _tell(rows, as_json=as_json)
    if as_json:
        print_json(all_rows)


def _read(script: BinaryIO) -> str:
    try:
        return script.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.BadParameter(
            f"{script.name}: it is not UTF-8 (byte {error.start}); save it as UTF-8",
            param_hint="--file",
        ) from None


def _cell(value: Any) -> str:
    import orjson

    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _tell(rows: Rows, *, as_json: bool) -> None:
    """Print the rows of one statement, unless they are for JSON, and what it changed."""
    from forest.cli.terminal import print_table

    if rows and not as_json:
        print_table(list(rows[0]), [list(map(_cell, row.values())) for row in rows], names=True)
    changed = ", ".join(f"{name.replace('_', ' ')}: {n:,}" for name, n in rows.changed.items())
    if changed or not rows:
        click.echo(changed or "no rows", err=True)
