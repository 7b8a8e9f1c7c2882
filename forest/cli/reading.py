"""Commands that read: list, show."""

from __future__ import annotations

import click

from forest.cli import opened_forest, print_json, tell_left_out
from forest.errors import ForestError


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def command_list(ctx: click.Context, as_json: bool) -> int:
    """List the trees. Exit code 1 if something in the graph is no tree.

    Columns: id, title, language, thoughts, depth, axes.
    """
    from forest.cli.terminal import print_table
    from forest.render import percent

    broken: list[ForestError] = []
    with opened_forest(ctx) as forest:
        infos = list(forest.infos(broken.append))
    if as_json:
        print_json([info.model_dump() for info in infos])
    else:
        rows = [
            (
                info.id,
                info.title,
                info.lang,
                info.size,
                info.depth,
                ", ".join(f"{name} {percent(weight)}" for name, weight in info.axes.items()),
            )
            for info in infos
        ]
        print_table(
            ("id", "title", "lang", "thoughts", "depth", "axes"),
            rows,
            none="no tree yet: `forest init --sample` plants some, `forest import` reads files",
        )
    return tell_left_out(broken)


@click.command("show")
@click.argument("tree")
@click.option("--ids", is_flag=True, help="Show the ids of thoughts.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON that `import` reads.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print as YAML that `import` reads.")
@click.pass_context
def command_show(ctx: click.Context, tree: str, ids: bool, as_json: bool, as_yaml: bool) -> None:
    """Draw the tree of id TREE with its anchors."""
    from forest.cli.terminal import show_tree
    from forest.formats import tree_to_dict, tree_to_yaml

    if as_json and as_yaml:
        raise click.UsageError("--json and --yaml are two forms: choose one")
    with opened_forest(ctx) as forest:
        found = forest.get(forest.find(tree))
    if as_json:
        print_json(tree_to_dict(found))
    elif as_yaml:
        click.echo(tree_to_yaml(found), nl=False)
    else:
        show_tree(found, ids=ids)
