"""``forest masks``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from training.cli.terminal import (
    Group,
    base_option,
    folder_type,
    json_option,
    masks_option,
    plural,
    print_json,
    print_table,
    say,
    tell_spelling,
)

if TYPE_CHECKING:
    from training.errors import MaskError
    from training.masks import Mask

# --- masks ----------------------------------------------------------------------------------------


@click.group("masks", cls=Group)
def command_masks() -> None:
    """Keep a library of masks."""


@command_masks.command("list")
@masks_option
@json_option
def _list(folder: Path, as_json: bool) -> int:
    """List the masks: name, base, steps, loss, and which one is worn.

    A file that is no mask, or has a name that no command takes, is named, with exit code 1.
    """
    from training.errors import MaskError
    from training.masks import Library

    library = Library(folder)
    masks, wrong = library.readable()
    if as_json:
        print_json([mask.about for mask in masks])
        return _tell(wrong)
    worn = None
    try:
        worn = library.worn
    except MaskError as error:
        wrong.append(error)
    rows = []
    for mask in masks:
        results, base = mask.about["results"], mask.about["base"]
        loss = results.get("validation_loss") or results.get("loss")
        said = f"{loss:.4g}" if loss is not None else "merged"
        mark = "worn" if mask.path.stem == worn else ""
        rows.append((mask.name, base["source"], base["hash"][:12], results["steps"], said, mark))
    if rows:
        print_table(("mask", "base", "its hash", "steps", "loss", "worn"), rows, named=True)
    if not masks:
        say(f"no masks in {folder}", err=True)
    return _tell(wrong)


def _tell(wrong: Sequence[MaskError]) -> int:
    """Name the files that are no masks; the exit code."""
    for error in wrong:
        say(f"forest: {error}", err=True)
    return int(bool(wrong))


@command_masks.command("show")
@click.argument("name")
@masks_option
@json_option
def _show(name: str, folder: Path, as_json: bool) -> None:
    """Tell what a mask is and how it was trained; with --json, all about it."""
    from training.masks import Library

    library = Library(folder)
    mask = library.open(name)
    if as_json:
        print_json(mask.about)
        return
    click.secho(mask.name, bold=True)
    for what, said in _told(mask).items():
        say(f"  {what:9} {said}")


def _told(mask: Mask) -> dict[str, str]:
    """What `forest masks show` says of a mask, by heading."""
    about = mask.about
    base, lora, results = about["base"], about["lora"], about["results"]
    rows = sum(map(len, (lora.get("trainable_token_indices") or {}).values()))
    told = {"file": str(mask.path)}
    if mask.slug != mask.name:
        told["slug"] = f"{mask.slug}, where only ASCII will do"
    if about["name"] != mask.name:
        told["trained as"] = about["name"]
    told["base"] = f"{base['source']}, {base['hash'][:12]}"
    if "quantized" in base:
        told["base"] += f"; trained on it in {base['quantized']}"
    parts = ("hash", "forest_revision", "recipe_hash")
    corpora = [[str(corpus[key])[:12] for key in parts] for corpus in mask.corpora]
    told["corpus"] = "; ".join(
        dict.fromkeys("{}, of the forest {}, by the recipe {}".format(*one) for one in corpora)
    )
    told["trained"] = f"{_read_kinds(about)}: {results['steps']} steps, {results['tokens']} tokens"
    if "merged" in about:
        summands = [f"{part['weight']:g} × {part['name']}" for part in about["merged"]["of"]]
        told["merged"] = f"{about['merged']['how']} of {' + '.join(summands)}"
    else:
        told["loss"] = f"{results['loss']:.4g}"
        if results["validation_loss"] is not None:
            told["loss"] += f"; validation {results['validation_loss']:.4g}"
    kind = "DoRA" if lora["use_dora"] else "rsLoRA" if lora["use_rslora"] else "LoRA"
    modules = ", ".join(lora["target_modules"])
    told["mask"] = f"{kind}, r {lora['r']}, α {lora['lora_alpha']:g}, on {modules}"
    if rows:
        told["mask"] += f"; {rows} rows of embeddings"
    told["libraries"] = ", ".join(f"{name} {v}" for name, v in about["libraries"].items())
    told["tensors"] = f"sha256 {about['sha256']}, of the tensors alone: the file has another"
    return told


def _read_kinds(about: dict[str, Any]) -> str:
    """The kinds of record that a mask was trained on, of a merged one by part."""
    parts = about.get("merged", {}).get("of", ())
    if parts and all("kinds" in part for part in parts):
        return "; ".join(f"{part['name']} on {_kinds(part['kinds'])}" for part in parts)
    data = about["config"]["data"]
    scenes = f" (scenes: {', '.join(data['registers'])})" if data.get("registers") else ""
    return _kinds(data["kinds"]) + scenes


def _kinds(kinds: Sequence[str]) -> str:
    return ", ".join(kinds) or "all kinds of record"


@command_masks.command("verify")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--base", "base_folder", type=folder_type(), help="Check that they belong to it, too."
)
@masks_option
def _verify(names: Sequence[str], base_folder: Path | None, folder: Path) -> int:
    """Check masks (all, without names) against their checksums. Exit code 1 if one is damaged."""
    from training.base import Base
    from training.errors import MaskError
    from training.masks import Library, Mask

    library = Library(folder)
    base = Base.open(base_folder) if base_folder else None
    paths = [library.open(name).path for name in names] or library.paths
    damaged = 0
    for path in paths:
        try:
            Mask.open(path).verify(base)
            say(f"{path}: whole")
        except MaskError as error:
            damaged += 1
            say(f"forest: {error}", err=True)
    if not paths:
        say(f"no masks in {folder}", err=True)
    return int(damaged > 0)


@command_masks.command("switch")
@click.argument("name")
@masks_option
def _switch(name: str, folder: Path) -> None:
    """Wear the mask NAME in `forest ask` where none is named; `base` takes it off."""
    from training.masks import BASE, Library

    Library(folder).switch(name)
    say("the base speaks without a mask" if name == BASE else f"{name} is worn")


@command_masks.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@masks_option
def _remove(names: Sequence[str], yes: bool, folder: Path) -> None:
    """Remove masks, each with its log and checkpoint, and nothing else."""
    from training.errors import MaskError
    from training.masks import Library

    library = Library(folder)
    masks = [library.open(name) for name in names]
    if not yes:
        if not sys.stdin.isatty():
            raise MaskError("nothing was removed", hint="Without a terminal, say --yes.")
        for mask in masks:
            results = mask.about["results"]
            say(f"  {mask.path}: {results['steps']} steps, {results['tokens']} tokens", err=True)
        click.confirm(f"Remove {plural(len(masks), 'mask')}?", abort=True, err=True)
    before = library.says_worn
    for path in library.remove(*names):
        say(f"removed: {path}")
    if before is not None and library.says_worn is None:
        say(f"{before} was worn: the base speaks without a mask now")


@command_masks.command("stale")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--corpus", "corpus_folder", type=folder_type(), required=True, help="The corpus as it is now."
)
@masks_option
@json_option
def _stale(names: Sequence[str], corpus_folder: Path, folder: Path, as_json: bool) -> int:
    """Name the masks that were not trained on the corpus as it is now.

    And what has changed since: the forest, the recipe, or the export alone. Looks at all masks
    without NAMEs. Exit code 1 if one is stale, or a file of the folder is no mask.
    """
    from training.corpus import Corpus
    from training.masks import Library

    library, corpus = Library(folder), Corpus.open(corpus_folder)
    masks, wrong = library.readable() if not names else ([*map(library.open, names)], [])
    moved = {mask.name: mask.moved(corpus) for mask in masks}
    stale = {name: changes for name, changes in moved.items() if changes}
    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "stale": bool(changes),
                    "moved": {
                        part: {"then": then, "now": now} for part, (then, now) in changes.items()
                    },
                }
                for name, changes in moved.items()
            ]
        )
    else:
        for name, changes in stale.items():
            say(f"{name}\t{_how_moved(changes)}")
        if not stale:
            say(f"{plural(len(masks), 'mask')}, none of them stale", err=True)
    return _tell(wrong) or int(bool(stale))


def _how_moved(changes: dict[str, tuple[str | None, str]]) -> str:
    def was(part: str) -> str:
        then, now = changes[part]
        return f"({(then or 'none')[:12]} → {now[:12]})"

    if "forest_revision" not in changes and "recipe_hash" not in changes:
        return f"the same forest and recipe, exported otherwise {was('hash')}"
    if "forest_revision" not in changes:
        return f"the same forest by another recipe {was('recipe_hash')}"
    said = f"the forest has changed {was('forest_revision')}"
    if "recipe_hash" in changes:
        said += f", and so has the recipe {was('recipe_hash')}"
    return said


@command_masks.command("merge")
@click.argument("names", metavar="NAME NAME...", nargs=-1, required=True)
@base_option
@click.option("--into", "new", required=True, metavar="NAME", help="The new mask.")
@click.option(
    "--how", required=True, type=click.Choice(["cat", "svd"]),
    help="cat: exact, of the rank of all together; svd: nearly so, of a smaller rank.",
)  # fmt: skip
@click.option("--weights", metavar="W,W...", help="One for each.  [default: equal shares of 1]")
@click.option(
    "--rank", type=click.IntRange(min=1), help="Of svd.  [default: the largest of theirs]"
)
@masks_option
def _merge(
    names: Sequence[str],
    base_folder: Path,
    new: str,
    how: Literal["cat", "svd"],
    weights: str | None,
    rank: int | None,
    folder: Path,
) -> None:
    """Merge masks of one base into a new one. Masks that are switched remember far better."""
    from training.base import Base
    from training.masks import Library
    from training.merging import WARNING, merge

    library = Library(folder)
    masks = [library.open(name) for name in names]
    shares = _numbers(weights) if weights is not None else None
    base = Base.open(base_folder)
    tell_spelling(new)
    mask = merge(masks, base, new, how=how, weights=shares, rank=rank, folder=folder)
    say(f"{mask.path}: {_told(mask)['merged']}, r {mask.about['lora']['r']}")
    say(f"note: {WARNING}", err=True)


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r}: expected numbers such as 0.7,0.3") from None


@command_masks.command("export")
@click.argument("name")
@click.argument("out", type=folder_type(exists=False))
@click.option("--base", "base_folder", type=folder_type(), help="The base that it was trained on.")
@click.option("--merged", is_flag=True, help="A whole model that wears the mask for good.")
@masks_option
def _export(name: str, out: Path, base_folder: Path | None, merged: bool, folder: Path) -> None:
    """Write a mask into the folder OUT: peft's files, or a whole model.

    With --base also the tokenizer, which reads a text as `forest ask` does, so that what is served
    answers as it. Says how vLLM serves it. vLLM refuses masks with DoRA or rows of embeddings:
    --merged is for it.
    """
    from training.base import Base
    from training.examples import begins_as_trained
    from training.masks import Library

    base = Base.open(base_folder) if base_folder else None
    mask = Library(folder).open(name)
    mask.export(out, base, merged=merged)
    say(f"{out}: {name}{' merged into its base' if merged else ''}")
    if base is None:
        say("note: it names no base, and holds no tokenizer: --base B writes both", err=True)
    elif not merged and not begins_as_trained(base.tokenizer()):
        say(
            f"note: the tokenizer in {base_folder} does not put the sign for a beginning before a "
            f"text, as training and `forest ask` do: serve it with the one in {out}",
            err=True,
        )
    say(f"for vLLM: vllm serve {out}" if merged else mask.serving(out), err=True)
