"""The command formulas."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from forest.cli import opened_forest, print_json, say, tell_left_out
from forest.cli.numbers import Number
from forest.errors import ForestError, InvalidInput, UsageError

if TYPE_CHECKING:
    from anchors.formulas.criteria import Check
    from anchors.formulas.model import Formula, Scene
    from anchors.formulas.registry import Added

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
trees_option = click.option(
    "--trees",
    default=2,
    show_default=True,
    type=click.IntRange(min=1),
    help="In how many trees its terms stand together, at least.",
)


def _not_empty(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise UsageError(f"{option.opts[0]} is empty: name one, or leave it out")
    return value


again_option = click.option(
    "--force", is_flag=True, help="Grant a code though another formula has the same core."
)


@click.group("formulas")
def command_formulas() -> None:
    """Compress scenes into codes: Δ12 = (вода + весна + неясность) = сцена."""


@command_formulas.command("add")
@click.argument("text")
@click.option(
    "--scene", "scenes", multiple=True, metavar="REGISTER=TEXT", help="A text that voices it."
)
@click.option(
    "--force",
    is_flag=True,
    help="Grant a code though the criteria are not met, or another formula has the same core.",
)
@trees_option
@as_json_option
@click.pass_context
def add(
    ctx: click.Context, text: str, scenes: tuple[str, ...], force: bool, trees: int, as_json: bool
) -> None:
    """Add the formula TEXT: `forest formulas add "Δ12 = (вода + весна + неясность)"`.

    For a new one the four criteria of `check` are shown. Without a code it gets the next free one,
    if it meets them.
    """
    from anchors.formulas.registry import add as add_formula

    voices = [_scene(scene) for scene in scenes]
    with opened_forest(ctx) as forest:
        added = add_formula(
            forest.store, text, scenes=voices, force=force, trees=trees, notice=_note
        )
    _print_added(added, as_json)


@command_formulas.command("list")
@as_json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> int:
    """List the formulas. Exit code 1 if something in the graph is none."""
    from anchors.formulas.book import Book
    from anchors.formulas.syntax import text_of
    from forest.cli.terminal import print_table

    broken: list[InvalidInput] = []
    with opened_forest(ctx) as forest:
        book = Book.of(forest.store, broken.append)
    voices = {code: book.voices(code) for code in book.formulas}
    if as_json:
        print_json([_plain(f, voices[f.code]) for f in book.formulas.values()])
    else:
        rows = [
            (f.code, text_of(f), len(voices[f.code]), ", ".join(_registers(voices[f.code])))
            for f in book.formulas.values()
        ]
        print_table(
            ("code", "formula", "scenes", "registers"),
            rows,
            none="no formula yet: `forest formulas add` and notes define some",
        )
    return tell_left_out(broken)


@command_formulas.command("show")
@click.argument("code")
@as_json_option
@click.pass_context
def show(ctx: click.Context, code: str, as_json: bool) -> int:
    """Show the formula CODE: its terms, its scenes, where it stands in the forest."""
    from anchors.formulas.where import shown

    broken: list[ForestError] = []
    with opened_forest(ctx) as forest:
        found = shown(forest.store, code, broken.append)
    formula = found.formula
    if as_json:
        rest = {name: getattr(found, name) for name in ("trees", "users")}
        mentions = [asdict(mention) for mention in found.mentions]
        print_json({**_plain(formula, found.scenes), **rest, "mentions": mentions})
        return tell_left_out(broken)
    from anchors.formulas.model import roles
    from anchors.formulas.syntax import text_of
    from forest.formats.base import shortened

    click.secho(text_of(formula), bold=True)
    for term, role in zip(formula.terms, roles(formula), strict=True):
        trees = ", ".join(found.trees[term.phrase]) or "no tree"
        say(f"  term   {term.phrase}" + (f" — {role}" if role else "") + f": {trees}")
    for part in formula.parts:
        say(f"  part   {part}")
    for user in found.users:
        say(f"  part of {user}")
    _print_scenes(found.scenes)
    for mention in found.mentions:
        say(f"  named  {mention.thought}: {shortened(mention.text)}")
    return tell_left_out(broken)


@command_formulas.command("find")
@click.argument("text")
@as_json_option
def find(text: str, as_json: bool) -> int:
    """Find the formulas that TEXT writes, as in a note. Nothing is stored.

    Exit code 1 if something looks like a formula and is none.
    """
    from anchors.formulas.notes import formulas_in
    from anchors.formulas.syntax import text_of

    found = formulas_in(text, _note)
    if as_json:
        defined = [
            _plain(d.formula, list(found.scenes.get(code, ()))) for code, d in found.defined.items()
        ]
        print_json({"formulas": defined, "problems": [str(error) for error in found.problems]})
    else:
        for told in found.defined.values():
            say(text_of(told.formula))
        for error in found.problems:
            say(f"forest: left out: {error}", err=True)
        if not found.defined and not found.problems:
            _note("no formula is in this text")
    return int(bool(found.problems))


@command_formulas.command("remove")
@click.argument("code")
@click.option("--scene", "text", help="Remove only the scene with this text.")
@click.option(
    "--register", help="Of the scene, where several have this text; empty: of the one in none."
)
@click.option("--lang", help="The same.")
@click.option("--yes", is_flag=True, help="Do not ask; a single scene is never asked for.")
@click.pass_context
def remove(
    ctx: click.Context,
    code: str,
    text: str | None,
    register: str | None,
    lang: str | None,
    yes: bool,
) -> None:
    """Remove the formula CODE and its scenes, if no other is made of it; or one of its scenes."""
    from anchors.formulas.book import Book
    from anchors.formulas.registry import remove as remove_formula
    from anchors.formulas.registry import remove_scene
    from anchors.formulas.syntax import text_of
    from forest.cli.terminal import confirm_removal

    if text is None and (register, lang) != (None, None):
        raise UsageError("--register and --lang say which --scene is meant: give its text")
    with opened_forest(ctx) as forest:
        if text is None:
            if not yes:
                book = Book.of(forest.store, lambda _: None)
                formula = book.get(code)
                voices = book.scenes.get(formula.code, {}).values()
                lines = [text_of(formula), *(f"  {_scene_line(scene)}" for scene in voices)]
                confirm_removal("the formula and its scenes" if voices else "the formula", lines)
            removed = remove_formula(forest.store, code)
            say(f"removed: {text_of(removed)}")
            if removed.imported:
                files = ", ".join(removed.origin.splitlines())
                _note(f"an import of {files} brings it back while it is defined there")
        else:
            found = remove_scene(forest.store, code, text, register=register, lang=lang)
            say(f"removed: {_scene_line(found)}")


@command_formulas.command("scene")
@click.argument("code")
@click.argument("text")
@click.option(
    "--register", callback=_not_empty, help="logical, poetic, bodily, emoji, or any other."
)
@click.option("--lang", default="", help="BCP 47; guessed from the text by default.")
@click.option("--origin", default="", help="Who said it: authored by default, or a mask.")
@as_json_option
@click.pass_context
def scene(
    ctx: click.Context,
    code: str,
    text: str,
    register: str | None,
    lang: str,
    origin: str,
    as_json: bool,
) -> None:
    """Add TEXT as a scene that voices the formula CODE.

    The same text in another register or language is another scene. One that is there stays.
    """
    from anchors.formulas.registry import add_scene

    with opened_forest(ctx) as forest:
        added = add_scene(
            forest.store, code, text, register=register or "", lang=lang, origin=origin
        )
    state = "added" if added.new else "unchanged"
    if as_json:
        print_json({**asdict(added.scene), "state": state})
    else:
        say(f"{state}: {_scene_line(added.scene)}")


@command_formulas.command("check")
@click.argument("what", metavar="CODE|TEXT")
@trees_option
@as_json_option
@click.pass_context
def check(ctx: click.Context, what: str, trees: int, as_json: bool) -> int:
    """Does a formula deserve a code? Exit code 1 if one of the four criteria is not met."""
    from anchors.formulas.criteria import check as check_formula

    broken: list[ForestError] = []
    with opened_forest(ctx) as forest:
        report = check_formula(forest.store, what, trees=trees, skip=broken.append)
    if as_json:
        print_json({**asdict(report), "met": report.met})
    else:
        _print_check(report)
    return tell_left_out(broken) or int(not report.met)


@command_formulas.command("merge")
@click.argument("codes", nargs=-1, required=True, metavar="CODE CODE...")
@click.option("--terms", default="", help="Its terms, as in a formula; default: all of its parts.")
@click.option("--name", default="", help="Its title.")
@click.option("--scene", default="", help="The scene it is set equal to.")
@click.option("--code", default="", help="Its code; default: the next free Δ code.")
@again_option
@as_json_option
@click.pass_context
def merge(
    ctx: click.Context,
    codes: tuple[str, ...],
    terms: str,
    name: str,
    scene: str,
    code: str,
    force: bool,
    as_json: bool,
) -> None:
    """Merge formulas that are there into a new one: Δ12 + Δ41 → Δ91 = весна + жара + шаг."""
    from anchors.formulas.registry import merge as merge_formulas

    with opened_forest(ctx) as forest:
        added = merge_formulas(
            forest.store, codes, terms=terms, name=name, scene=scene, code=code, force=force
        )
    _print_added(added, as_json)


@command_formulas.command("compose")
@click.argument("codes", nargs=-1, required=True, metavar="CODE CODE...")
@click.option(
    "--list", "as_list", is_flag=True, help="Ω, a list: Ω3 = [Δ01, Δ02]; else Λ, a chain."
)
@click.option("--label", default="", help="What holds it together: [Δ01, Δ02]_гармония.")
@click.option("--name", default="", help="Its title.")
@click.option("--code", default="", help="Its code; default: the next free one.")
@again_option
@as_json_option
@click.pass_context
def compose(
    ctx: click.Context,
    codes: tuple[str, ...],
    as_list: bool,
    label: str,
    name: str,
    code: str,
    force: bool,
    as_json: bool,
) -> None:
    """Make a formula of formulas that are there: Λ1 = (Δ12 → Δ41 → Δ57).

    --code may give it a code of any letter. What is defined later is named with `add`.
    """
    from anchors.formulas.registry import compose as compose_formulas

    with opened_forest(ctx) as forest:
        added = compose_formulas(
            forest.store,
            codes,
            letter="Ω" if as_list else "Λ",
            label=label,
            name=name,
            code=code,
            force=force,
        )
    _print_added(added, as_json)


@command_formulas.command("expand")
@click.argument("code")
@click.option("--register", callback=_not_empty, help="Only scenes in this register.")
@as_json_option
@click.pass_context
def expand(ctx: click.Context, code: str, register: str | None, as_json: bool) -> None:
    """Unfold the formula CODE into its parts, their terms and scenes."""
    from anchors.formulas.registry import expand as expand_formula
    from anchors.formulas.syntax import text_of

    with opened_forest(ctx) as forest:
        steps = expand_formula(forest.store, code, register=register or "")
    if as_json:
        print_json(
            [
                {"level": step.level, "code": step.code}
                | (_plain(step.formula, scenes) if step.formula else {})
                for step, scenes in steps
            ]
        )
        return
    for step, scenes in steps:
        margin = "  " * step.level
        said = text_of(step.formula) if step.formula else f"{step.code}: nobody defined it"
        say(margin + said)
        _print_scenes(scenes, margin)
    if register and not any(scenes for _, scenes in steps):
        _note(f"no scene of it is in the register {register}; `forest formulas show` shows them")


@command_formulas.command("near")
@click.argument("text", required=False)
@click.option("--most", default=5, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--recall", is_flag=True, help="How many scenes find their own formula.")
@click.option(
    "--embedder",
    metavar="NAME",
    default="hashed",
    show_default=True,
    help="hashed, a model's name or folder, or http(s)://HOST/v1#MODEL.",
)
@as_json_option
@click.pass_context
def near(
    ctx: click.Context, text: str | None, most: int, recall: bool, embedder: str, as_json: bool
) -> None:
    """Compress TEXT: the formulas nearest to it, first those whose codes stand in it.

    With --recall: each scene is left out of its formula, and the nearest formula is found for it.
    """
    from anchors.embedding import cached_embedder
    from anchors.formulas.book import Book
    from anchors.formulas.syntax import text_of
    from anchors.formulas.vectors import Space
    from anchors.formulas.vectors import recall as recall_at_1
    from forest.cli.terminal import print_table
    from forest.render import plural

    if (text is None) != recall or not (text is None or text.strip()):
        raise click.UsageError("give a TEXT, or --recall")
    with opened_forest(ctx) as forest:
        book = Book.of(forest.store, lambda _: None)
    space = Space(book, cached_embedder(embedder))
    if text is not None:
        found = space.near(text, most)
        if as_json:
            print_json([asdict(n) for n in found])
        else:
            rows = [(f"{n.score:.3f}", text_of(book.formulas[n.code])) for n in found]
            print_table(("cosine", "formula"), rows)
        if not book.formulas:
            _note("there are no formulas yet")
        elif not found:
            _note("no formula is near" + _if_code(text))
        return
    held_out = space.held_out()
    part = recall_at_1(held_out)
    if as_json:
        about = {"recall": part, "formulas": len(space.codes)}
        print_json({**about, "scenes": [{**asdict(h), "found": h.found} for h in held_out]})
        return
    print_table(
        ("code", "nearest", "register", "scene"),
        [(h.code, h.nearest or "none", h.scene.register, h.scene.text) for h in held_out],
    )
    among = f"{plural(len(held_out), 'scene')}, among {plural(len(space.codes), 'formula')}"
    said = "there are no scenes" if part is None else f"{part:.0%} of {among}"
    click.echo(f"recall at 1: {said}", err=True)


@command_formulas.command("propose")
@trees_option
@click.option(
    "--by-chance",
    default=0.05,
    show_default=True,
    type=Number(0),
    help="How many such sets chance may have made, at most.",
)
@click.option("--most", default=50, show_default=True, type=click.IntRange(min=1), help="How many.")
@as_json_option
@click.pass_context
def propose(ctx: click.Context, trees: int, by_chance: float, most: int, as_json: bool) -> int:
    """Find terms that stand together in trees more often than by chance. Nothing is stored."""
    from anchors.formulas.cores import propose as propose_cores
    from forest.cli.terminal import print_table
    from forest.render import plural

    broken: list[ForestError] = []
    with opened_forest(ctx) as forest:
        mined = propose_cores(forest.store, trees=trees, by_chance=by_chance, skip=broken.append)
    cores = mined.maximal()
    if as_json:
        print_json([{**asdict(core), "text": core.text} for core in cores[:most]])
        return tell_left_out(broken)
    print_table(
        ("trees", "by chance", "formula", "text"),
        [(core.trees, f"{core.by_chance:.2g}", core.code, core.text) for core in cores[:most]],
    )
    if not mined.trees:
        _note("there are no trees in which terms could stand together")
        return tell_left_out(broken)
    _note(
        f"{plural(len(cores), 'core')}, among {plural(mined.anchors, 'anchor')} that stand in "
        f"{mined.support:,} or more of {plural(mined.trees, 'tree')}"
        + (f"; {len(cores) - most:,} more with --most" if len(cores) > most else "")
    )
    if not cores:
        _note("a larger --by-chance shows sets that chance may have made too")
    return tell_left_out(broken)


# --- printing ----------------------------------------------------------------------------------


def _note(said: str) -> None:
    say(f"note: {said}", err=True)


def _if_code(text: str) -> str:
    """What is wrong with a text that is meant as a code; "" for all else."""
    from anchors.formulas.codes import checked_code, is_code

    try:
        if is_code(text):
            checked_code(text.strip())
    except ValueError as error:
        return f": {error}"
    return ""


def _scene(written: str) -> Scene:
    from anchors.formulas.registry import scene_of_text

    register, sign, text = written.partition("=")
    if not sign:
        raise UsageError(f"--scene {written!r}: expected REGISTER=TEXT, as in poetic=Шаг в жаре")
    return scene_of_text(text, register=register)


def _plain(formula: Formula, scenes: list[Scene]) -> dict[str, Any]:
    from anchors.formulas.model import roles
    from anchors.formulas.syntax import text_of

    said = asdict(formula)
    for term, role in zip(said["terms"], roles(formula), strict=True):
        term["role"] = role
    said["equals"] = said.pop("scenes")
    return {**said, "text": text_of(formula), "scenes": [asdict(scene) for scene in scenes]}


def _print_added(added: Added, as_json: bool) -> None:
    from anchors.formulas.syntax import text_of

    state = "added" if added.new else "changed" if added.changed else "unchanged"
    if as_json:
        check = asdict(added.check) if added.check else None
        rest = {"state": state, "check": check, "undefined": added.undefined}
        print_json({**_plain(added.formula, []), **rest})
        return
    if added.check:
        _print_check(added.check, err=True)
    say(f"{state}: {text_of(added.formula)}")
    if added.undefined:
        _note(f"not defined yet: {', '.join(added.undefined)}")


def _print_check(check: Check, *, err: bool = False) -> None:
    for criterion in check.criteria:
        mark = "yes" if criterion.met else "no"
        say(f"{criterion.name:13} {mark:4} {criterion.said}", err=err)


def _print_scenes(scenes: list[Scene], margin: str = "") -> None:
    for scene in scenes:
        say(f"{margin}  scene  {_scene_line(scene)}")


def _scene_line(scene: Scene) -> str:
    about = ", ".join(filter(None, (scene.register, scene.lang, scene.origin)))
    return f"{scene.text} ({about})"


def _registers(scenes: list[Scene]) -> list[str]:
    from anchors.formulas.model import register_name

    return sorted({register_name(scene.register) for scene in scenes} - {""})
