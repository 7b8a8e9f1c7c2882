"""`forest anchors`: which anchors are one, and what discovery proposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anchors.discovery.cli import command_discover
from forest.cli import new_file, opened_forest, print_json, say
from forest.cli.numbers import Number
from forest.shell import command_line

if TYPE_CHECKING:
    from anchors.decisions import Decision
    from anchors.registry import Carriers, Carrying, Group, Registry
    from anchors.review import Reviewed
    from forest import Forest

_why = click.option("--why", default="", metavar="TEXT", help="The reason, kept in the history.")
_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@click.group("anchors")
def command_anchors() -> None:
    """Say which anchors are one, and review what was proposed.

    An ANCHOR is named by its id, a spelling, or the name it was given: as the commands print it, a
    tag as "#tag", a link as "[[link]]".
    """


@command_anchors.command("list")
@click.option("--shared", is_flag=True, help="Only those that two trees or more carry.")
@_json
@click.pass_context
def list_(ctx: click.Context, shared: bool, as_json: bool) -> None:
    """List the anchors with their variants.

    Columns: anchor, trees, thoughts, the other spellings.
    """
    from anchors.registry import Registry
    from forest.cli.terminal import print_table

    with opened_forest(ctx) as forest:
        groups = [(g, g.carriers(forest.store)) for g in Registry.of(forest.store).groups()]
    shown = [(group, there) for group, there in groups if there.trees > 1 or not shared]
    if as_json:
        print_json([_group_json(group, there) for group, there in shown])
        return
    print_table(
        ("anchor", "trees", "thoughts", "variants"),
        [(group.phrase, *there, "; ".join(_others(group))) for group, there in shown],
        none=f"no {'shared ' if shared else ''}anchor yet: authors write them, "
        "`forest anchors discover` proposes some",
    )


def _others(group: Group) -> list[str]:
    return [one for one in dict.fromkeys(group.spellings) if one != group.phrase]


def _group_json(group: Group, there: Carriers) -> dict[str, Any]:
    return {
        "id": group.id,
        "phrase": group.phrase,
        **there._asdict(),
        "variants": list(group.anchors),
        "joins": [asdict(join) for join in group.joins],
    }


@command_anchors.command("show")
@click.argument("anchor")
@_json
@click.pass_context
def show(ctx: click.Context, anchor: str, as_json: bool) -> None:
    """Show the thoughts of all variants of ANCHOR side by side, and why they are one.

    Columns: as written, tree, thought. A thought with several spellings stands there once.
    """
    from anchors.registry import Carriers, Registry, thoughts_at
    from forest.cli.terminal import print_table
    from forest.render import plural, visible

    with opened_forest(ctx) as forest:
        registry = Registry.of(forest.store)
        group = registry.group(anchor)
        thoughts = thoughts_at(forest.store, group.id)
    there = Carriers(len({at.tree for at in thoughts}), len(thoughts))
    if as_json:
        apart = [asdict(d) for d in registry.apart(group.id)]
        said = [o.model_dump() for o in thoughts]
        print_json({**_group_json(group, there), "apart": apart, "said": said})
        return
    click.secho(visible(group.phrase), bold=True)
    click.echo(f"{plural(there.trees, 'tree')}, {plural(there.thoughts, 'thought')}")
    for line in _reasons(registry, group):
        say(line)
    click.echo()
    print_table(("as written", "tree", "thought"), map(_said, thoughts))


def _said(at: Carrying) -> tuple[str, str, str]:
    return "; ".join(at.phrases), at.tree, " ".join(at.text.split())


def _reasons(registry: Registry, group: Group) -> Iterable[str]:
    """Why the variants are one, and what is kept apart from them."""
    why = {d.no: d.why for d in registry.decisions}
    for join in group.joins:
        by = f"rule {join.rule}, score {join.score:.2f}"
        if join.decision is not None:
            by += f", decision {join.decision}" + _because(why[join.decision])
        yield f"«{registry.called(join.anchor)}» is «{registry.called(join.into)}»: {by}"
    for decision in registry.apart(group.id):
        one, other = map(registry.called, (decision.anchor, decision.into))
        yield f"«{one}» is not «{other}»: decision {decision.no}{_because(decision.why)}"


def _because(why: str) -> str:
    return f": {why}" if why else ""


# --- deciding -------------------------------------------------------------------------------------


@command_anchors.command("merge")
@click.argument("anchor")
@click.argument("into")
@_why
@click.pass_context
def merge(ctx: click.Context, anchor: str, into: str, why: str) -> None:
    """Decide that ANCHOR and INTO are one. Thoughts keep what is written there."""
    from anchors.registry import merge as decide

    with opened_forest(ctx) as forest:
        _tell(forest, [decide(forest.store, anchor, into, why=why)])


@command_anchors.command("split")
@click.argument("anchor")
@click.option("--as", "name", metavar="NAME", help="What it means in the places of --in.")
@click.option("--in", "places", multiple=True, metavar="PLACE", help="A tree, or a thought's id.")
@_why
@click.pass_context
def split(
    ctx: click.Context, anchor: str, name: str | None, places: tuple[str, ...], why: str
) -> None:
    """Decide that ANCHOR is none of its variants; the others stay one.

    With --as and --in: words that are spelled alike and mean two things. In these trees or thoughts
    ANCHOR is another anchor, shown as NAME, such as "коса (инструмент)". Thoughts keep what is
    written there.
    """
    from anchors.registry import part
    from anchors.registry import split as decide

    if (name is None) != (not places):
        raise click.UsageError("--as NAME and --in PLACE go together")
    with opened_forest(ctx) as forest:
        if name is None:
            made = decide(forest.store, anchor, why=why)
        else:
            there = [_place(forest, p) for p in places]
            made = part(forest.store, anchor, name, there, why=why)
            if not made:
                _tell_again(forest, name, there)
        _tell(forest, made)


def _tell_again(forest: Forest, name: str, places: list[str]) -> None:
    """What was decided before, and is written at the thoughts again."""
    from anchors.registry import Registry
    from anchors.telling import History

    registry = Registry.of(forest.store)
    means, told = registry.find(name), History(registry)
    for meaning, decision in registry.meanings.items():
        if meaning.means == means and meaning.place in places:
            say(f"{decision.no}: {told.sentence(decision)}: decided before, and so again now")


def _place(forest: Forest, named: str) -> str:
    """The id of a tree, named as trees are, or of a thought."""
    from forest.errors import NotFound

    try:
        return forest.find(named)
    except NotFound as error:
        try:
            forest.store.tree_of(named)
        except NotFound:
            raise error from None
    return named


@command_anchors.command("rename")
@click.argument("anchor")
@click.argument("name")
@_why
@click.pass_context
def rename(ctx: click.Context, anchor: str, name: str, why: str) -> None:
    """Show ANCHOR under NAME. Thoughts keep what is written there."""
    from anchors.registry import rename as decide

    with opened_forest(ctx) as forest:
        _tell(forest, [decide(forest.store, anchor, name, why=why)])


@command_anchors.command("undo")
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER...")
@_why
@click.pass_context
def undo(ctx: click.Context, numbers: tuple[str, ...], why: str) -> None:
    """Take decisions back, by their numbers in the history; 3-40 is a range. All or none.

    A thought that was marked loses the mark; what authors wrote stays. Interrupted after the
    history is changed, whatever decides next does the rest.
    """
    from anchors.registry import undo as decide

    asked = [_range(text) for text in numbers]
    with opened_forest(ctx) as forest:
        _tell(forest, decide(forest.store, *asked, why=why))


_DIGITS = 18
"""Longer numbers are no decision's, and Python reads them slowly or not at all."""


def _range(text: str) -> range:
    first, dash, last = text.partition("-")
    if any(not n.isdecimal() or len(n) > _DIGITS for n in ([first, last] if dash else [first])):
        raise click.BadParameter(f"{text!r}: expected a number, or a range such as 3-40")
    if dash and int(last) < int(first):
        raise click.BadParameter(f"{text!r} holds no number: expected {last}-{first}")
    return range(int(first), int(last or first) + 1)


@command_anchors.command("history")
@_json
@click.pass_context
def history(ctx: click.Context, as_json: bool) -> None:
    """List all decisions about anchors, the first one first.

    Columns: number, when, decision, rule and score, why.
    """
    from anchors.deciding import finish
    from anchors.registry import Registry
    from anchors.telling import History
    from forest.cli.terminal import print_table

    with opened_forest(ctx) as forest:
        finish(forest.store)
        registry = Registry.of(forest.store)
    undone, ended = registry.undone, registry.ended
    if as_json:
        said = [
            {**asdict(d), "undone": d.no in undone, "ended_by": ended.get(d.no)}
            for d in registry.decisions
        ]
        print_json(said)
        return
    told = History(registry)
    print_table(
        ("number", "when", "decision", "rule", "why"),
        [
            (
                d.no,
                d.at,
                told.sentence(d) + (f" ({state})" if (state := told.state(d)) else ""),
                d.rule if d.score is None else f"{d.rule} {d.score:.2f}",
                d.why,
            )
            for d in registry.decisions
        ],
    )


_TOLD = 20
"""Decisions that a command says one by one."""


def _tell(forest: Forest, made: list[Decision]) -> None:
    from anchors.decisions import UNDO
    from anchors.registry import Registry
    from anchors.telling import History

    history = History(Registry.of(forest.store, skip=lambda _: None))
    told = made if len(made) == _TOLD + 1 else made[:_TOLD]  # the rest is no shorter
    for decision in told:
        say(f"{decision.no}: {history.sentence(decision)}")
    if more := len(made) - len(told):
        say(f"and {more:,} more: `forest anchors history` lists them")
    if len(made) > 1 and made[0].action != UNDO:
        _tell_undo([d.no for d in made])


def _tell_undo(numbers: list[int]) -> None:
    span = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"
    click.echo(f"`forest anchors undo {span}` takes that back")


# --- proposals ------------------------------------------------------------------------------------


@command_anchors.command("proposals")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write a file to review."
)
@_json
@click.pass_context
def proposals(ctx: click.Context, out: Path | None, as_json: bool) -> None:
    """List what discovery proposed and nobody decided yet, the most certain first.

    Columns: id, score, rule, proposal, the thought, the other one. --out writes a file with both
    thoughts of each, side by side: write yes or no behind `accept:`, then `forest anchors accept
    --from FILE`. A file that exists is never overwritten.
    """
    from anchors.deciding import finish
    from anchors.proposals import proposals
    from anchors.registry import Registry
    from anchors.review import evidence, naming, review_entry, review_text

    with opened_forest(ctx) as forest:
        finish(forest.store)
        store, there = forest.store, proposals(forest.store)
        name = naming(Registry.of(store), there)
        found = evidence(store, there)
        if out:
            with new_file(out) as file:
                file.writelines(review_text(found, name))
            then = command_line("anchors", "accept", "--from", out)
            say(f"written to {out}; next: edit it, {then}")
            return
        entries = [review_entry(one, name) for one in found]
    if as_json:
        print_json(entries)
    else:
        _print_proposals(entries)


def _print_proposals(entries: list[dict[str, Any]]) -> None:
    from anchors.telling import marked
    from forest.cli.terminal import print_table

    nowhere = {"text": ""}
    print_table(
        ("id", "score", "rule", "proposal", "here", "there"),
        [
            (
                e["id"],
                f"{e['score']:.2f}",
                e["rule"],
                f"«{e['anchor']}» is «{e['into']}»"
                if "into" in e
                else f"mark {marked(e.get('phrase', e['anchor']), e['anchor'])}",
                *(" ".join(e.get(side, nowhere)["text"].split()) for side in ("here", "there")),
            )
            for e in entries
        ],
    )


@command_anchors.command("accept")
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--above", type=Number(0, 1), metavar="SCORE", help="All of this score.")
@click.option(
    "--from",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What you answered in a file of `forest anchors proposals --out`.",
)
@click.pass_context
def accept(ctx: click.Context, ids: tuple[str, ...], above: float | None, file: Path | None) -> int:
    """Accept proposals by their ids, by their score, or as you answered in a file.

    A thought is marked with its anchor, and two anchors become one; nothing that an author wrote is
    changed. What cannot be accepted is named and kept, and the exit code is 1. What is about a
    thought or an anchor that is gone is dropped. `forest anchors undo` takes all of it back.

    The list and the history are changed, then the thoughts. Interrupted between the two, whatever
    decides next does the rest.
    """
    from anchors import review as door
    from anchors.proposals import proposals

    if sum((bool(ids), above is not None, file is not None)) != 1:
        raise click.UsageError("give one of these: ids of proposals, --above SCORE, --from FILE")
    with opened_forest(ctx) as forest, _going_on():
        store = forest.store
        if file:
            reviewed = door.answer(store, _text(file), str(file))
        elif ids:
            reviewed = door.accept(store, door.chosen(store, ids))
        else:
            there = proposals(store)
            reviewed = door.accept(store, [p for p in there if p.score >= (above or 0)])
    return _tell_reviewed(reviewed)


@contextmanager
def _going_on() -> Iterator[None]:
    """Say at an interruption what holds."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note("The same command goes on where it stopped; nothing is marked twice.")
        raise


def _text(file: Path) -> str:
    from forest.errors import InvalidInput

    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file}: it is not UTF-8 at byte {error.start}") from None


@command_anchors.command("refuse")
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--pair", nargs=2, metavar="ANCHOR ANCHOR", help="Two anchors that are not one.")
@_why
@click.pass_context
def refuse(
    ctx: click.Context, ids: tuple[str, ...], pair: tuple[str, str] | None, why: str
) -> None:
    """Refuse proposals by their ids, or a pair of anchors: never to be proposed or joined again."""
    from anchors import review as door
    from anchors.registry import refuse as decide

    if bool(ids) == bool(pair):
        raise click.UsageError("give one of these: ids of proposals, --pair ANCHOR ANCHOR")
    with opened_forest(ctx) as forest:
        if pair:
            _tell(forest, [decide(forest.store, *pair, why=why)])
        else:
            _tell_reviewed(door.refuse(forest.store, door.chosen(forest.store, ids), why=why))


def _tell_reviewed(reviewed: Reviewed) -> int:
    from forest.render import plural

    click.echo(
        f"{plural(reviewed.marked, 'thought')} marked, {plural(reviewed.merged, 'pair')} merged, "
        f"{reviewed.refused} refused" + (f", {reviewed.before} before" if reviewed.before else "")
    )
    if reviewed.numbers:
        _tell_undo(reviewed.numbers)
    for number in reviewed.held:
        say(f"decision {number} had said so: `forest anchors undo {number}` takes that back")
    for id_, reason in reviewed.gone.items():
        say(f"note: proposal {id_!r} is dropped: {reason}", err=True)
    for id_, reason in reviewed.left_out.items():
        say(f"forest: left out: proposal {id_!r}: {reason}", err=True)
    return int(bool(reviewed.left_out))


command_anchors.add_command(command_discover)
