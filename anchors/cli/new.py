"""`forest new`."""

from __future__ import annotations

from pathlib import Path

import click

from forest.cli import new_file, opened_forest, say
from forest.shell import command_line

_folder = click.Path(file_okay=False, path_type=Path)


@click.command("new")
@click.argument("title", required=False)
@click.option(
    "--template", metavar="NAME", help="Its form.  [default: premise-transition-consequence]"
)
@click.option("--lang", help="ru, en, …  [default: guessed from the title]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write a file.")
@click.option("--templates", "folder", type=_folder, help="A folder with templates of your own.")
@click.option("--list", "as_list", is_flag=True, help="List the templates.")
@click.pass_context
def command_new(
    ctx: click.Context,
    title: str | None,
    template: str | None,
    lang: str | None,
    out: Path | None,
    folder: Path | None,
    as_list: bool,
) -> None:
    """Write the skeleton of a tree as YAML, to fill in and to import.

    Anchors of the forest are offered in it as comments: first those with words of TITLE, then the
    most shared, of its language before the others. A file that exists is never overwritten.
    """
    from anchors.skeletons import DEFAULT, skeleton, templates
    from forest.cli.terminal import print_table
    from forest.settings import Settings

    if folder is None and (setting := Settings.load().templates):
        folder = Path(setting)
    if as_list:
        rows = [(t.name, ", ".join(t.langs), t.about) for t in templates(folder)]
        print_table(("template", "languages", "what it is"), rows)
        return
    if title is None:
        raise click.UsageError("name the tree: forest new TITLE; or --list the templates")
    with opened_forest(ctx) as forest:
        text = skeleton(
            forest.store,
            title,
            template or DEFAULT,
            lang=lang,
            folder=folder,
            notice=lambda said: say(f"note: {said}", err=True),
        )
    if out is None:
        click.echo(text, nl=False)
        return
    with new_file(out) as file:
        file.write(text)
    say(f"written to {out}; next: fill it in, {command_line('import', out)}")
