"""Which anchors are one? What authors decided, and the forms of a word.

Thoughts keep the anchors that their authors wrote. That two anchors are one is said beside them: by
a decision of an author, which the forest keeps for ever, or by the rule ``lemma``, which holds for
all phrases with the same words in other forms (`anchors.forms`) and needs no decision. The
registry (`anchors.groups`) is worked out of both; nothing is rewritten for what joins, so all of it
can be taken back. Only what parts a word of two meanings is written at thoughts
(`anchors.homonyms`), and read back.

Here the decisions of authors are made (`anchors.deciding` keeps them). A refusal ends an earlier
merge of the pair; to merge a refused pair the refusal must be undone first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from anchors import homonyms
from anchors.arguments import check_texts, listed
from anchors.deciding import check_reason, decide, finish, numbered, rehearse
from anchors.decisions import MERGE, PART, REFUSE, RENAME, UNDO, Decision, meanings_of
from anchors.forms import form_key
from anchors.groups import Carriers, Carrying, Group, Join, Registry, thoughts_at
from forest.errors import Conflict, NotFound
from forest.fields import kind_of
from forest.shell import command_line
from forest.stores.base import Store

__all__ = [
    "Carriers",
    "Carrying",
    "Group",
    "Join",
    "Registry",
    "decide",
    "merge",
    "merging",
    "part",
    "refusal",
    "refuse",
    "rename",
    "split",
    "thoughts_at",
    "undo",
]


def merging(
    registry: Registry, one: str, other: str, rule: str = "author", score: float | None = None
) -> Decision:
    """The decision that two anchors, named by their ids, are one. Raises Conflict as `merge`."""
    if registry.head(one) == registry.head(other):
        raise Conflict(f"{one!r} and {other!r} are one anchor already")
    if refusals := registry.refusals(one, other):
        raise refusal(refusals)
    return Decision(0, "", MERGE, one, other, rule=rule, score=score)


def refusal(refusals: Sequence[Decision]) -> Conflict:
    """The error for a merge that these decisions are against."""
    first, numbers = refusals[0], " ".join(str(d.no) for d in refusals)
    return Conflict(
        f"{first.anchor!r} and {first.into!r} were refused as one anchor (decision {first.no})",
        hint=f"`forest anchors undo {numbers}` takes that back.",
    )


def merge(
    store: Store,
    anchor: str,
    into: str,
    *,
    rule: str = "author",
    score: float | None = None,
    why: str = "",
) -> Decision:
    """Decide that two anchors are one. Raises NotFound; Conflict if they are one, or were refused.

    A pair that was refused is merged only when the refusal is undone: nothing is redone by chance.
    """

    def say(registry: Registry) -> list[Decision]:
        one, other = registry.find(anchor), registry.find(into)
        return [replace(merging(registry, one, other, rule, score), why=why)]

    return decide(store, say)[0]


def refuse(store: Store, anchor: str, other: str, *, why: str = "") -> Decision:
    """Decide that two anchors are not one, and never shall be.

    Raises NotFound; Conflict if that was decided before, or both are the same.
    """

    def say(registry: Registry) -> list[Decision]:
        one, two = registry.find(anchor), registry.find(other)
        if one == two:
            raise Conflict(f"{anchor!r} and {other!r} are spellings of the same anchor {one!r}")
        if registry.refused(one, two):
            raise Conflict(f"{one!r} and {two!r} were refused as one anchor already")
        return [Decision(0, "", REFUSE, one, two, why=why)]

    return decide(store, say)[0]


def split(store: Store, anchor: str, *, why: str = "") -> list[Decision]:
    """Take an anchor out of its group: refuse each pair with another one of it.

    The others stay one: where they were joined through this one only, they are merged.

    Raises NotFound; Conflict if it stands alone.
    """

    def say(registry: Registry) -> list[Decision]:
        one = registry.find(anchor)
        others = [a.id for a in registry.group(one).anchors if a.id != one]
        if not others:
            raise Conflict(f"the anchor {one!r} stands alone: there is nothing to split")
        last = max((d.no for d in registry.decisions), default=0)
        out = [Decision(0, "", REFUSE, one, other, why=why) for other in others]
        without = Registry(
            registry.anchors.values(),
            [*registry.decisions, *(replace(d, no=last + n) for n, d in enumerate(out, 1))],
        )
        parts = {without.head(other): other for other in reversed(others)}
        first = parts.pop(without.head(others[0]))
        return out + [Decision(0, "", MERGE, part, first, why=why) for part in parts.values()]

    return decide(store, say)


def part(
    store: Store, anchor: str, name: str, places: Sequence[str], *, why: str = ""
) -> list[Decision]:
    """Decide that in some trees or thoughts, named by their ids, an anchor means another one.

    For words that are spelled alike: «коса», a scythe, is «коса (инструмент)» in these trees. The
    thoughts keep the phrase as it is written. In thoughts that were added since, the same call puts
    it. Interrupted, it is done wholly or not at all, see `decide`.

    Raises NotFound where there is no such anchor or place, or it does not stand there; InvalidInput
    for what is no name; Conflict where the name is one of the anchor's own, or where the anchor
    means something else in a place already.
    """
    check_texts(name=name)
    registry = Registry.of(store)
    one, places = registry.find(anchor), listed(places, str, "ids of trees or thoughts")
    clean, other = homonyms.name_and_id(name, one)
    variants = [one, *(a.id for a in registry.group(one).anchors if a.id != one)]
    if other in variants or homonyms.form_of(other) in map(homonyms.form_of, variants):
        raise Conflict(
            f"{name!r} is a name of the anchor {one!r} itself",
            hint="Name what else it means there, such as «коса (инструмент)».",
        )
    meanings = homonyms.said(store, variants, places, other, registry.meanings)

    def say(registry: Registry) -> list[Decision]:
        new = [m for m in meanings if m not in registry.meanings]
        _refuse_second(registry.meanings, new)
        made = [Decision(0, "", PART, m.anchor, m.place, m.means, why=why) for m in new]
        if not registry.refused(one, other):
            made.append(Decision(0, "", REFUSE, one, other, why=why))
        if other not in registry.anchors and registry.titles.get(other) != clean:
            made.append(Decision(0, "", RENAME, other, phrase=clean, why=why))
        return made

    made = decide(store, say)
    homonyms.put(store, [m for m in meanings if m in registry.meanings])
    return made


def _refuse_second(
    known: Mapping[homonyms.Meaning, Decision], new: Iterable[homonyms.Meaning]
) -> None:
    """Refuse that an anchor means two others in one place: which of them, nobody could tell."""
    there = {(m.anchor, m.place): (m, decision) for m, decision in known.items()}
    for one in new:
        if (found := there.get((one.anchor, one.place))) is not None:
            meaning, decision = found
            raise Conflict(
                f"in {one.place!r} {one.anchor!r} means {meaning.means!r} already "
                f"(decision {decision.no})",
                hint="Name the thought where it means something else, or take that back: "
                f"`{command_line('anchors', 'undo', str(decision.no))}`.",
            )


def rename(store: Store, anchor: str, phrase: str, *, why: str = "") -> Decision:
    """Give an anchor the name that it is shown by. Thoughts keep what is written there.

    Raises NotFound; InvalidInput for what is no name; Conflict if another's, or its id.
    """
    check_texts(phrase=phrase)
    name = homonyms.new_name(phrase)

    def say(registry: Registry) -> list[Decision]:
        head = registry.head(registry.find(anchor))
        for group in registry.groups():
            names = {group.phrase, *group.spellings}
            names.update(said for a in group.anchors for said in (a.id, a.phrase))
            if group.id != head and form_key(name) in map(form_key, names):
                raise Conflict(
                    f"{name!r} is the name of another anchor, {group.id!r}",
                    hint=_way_to_one(registry, head, group.id),
                )
        return [Decision(0, "", RENAME, head, phrase=name, why=why)]

    return decide(store, say)[0]


def _way_to_one(registry: Registry, one: str, other: str) -> str:
    """How two anchors become one, after what was decided about them."""
    merge_them = f"`{command_line('anchors', 'merge', one, other)}`"
    refusals = registry.refusals(one, other)
    if not refusals:
        return f"To make both one: {merge_them}."
    apart = f"They were refused as one anchor (decision {refusals[0].no}): choose another name"
    parted = {meaning.means for meaning in registry.meanings}
    if any(parted & refusal.pair for refusal in refusals):
        return f"{apart}, for they are two meanings of a word."
    numbers = " ".join(str(refusal.no) for refusal in refusals)
    return f"{apart}. To make both one: `forest anchors undo {numbers}`, then {merge_them}."


def undo(store: Store, *numbers: int | range, why: str = "") -> list[Decision]:
    """Take decisions back, all or none, by numbers or ranges; also one that took another back.

    Then their marks are taken from thoughts, and put back where their undoing is undone; so are the
    meanings of words that were parted. Interrupted, it is done wholly or not at all, see `decide`.

    Raises NotFound; Conflict if that was done before, if a thought that is to be marked again no
    longer says so, or if a word means another anchor there since; InvalidInput for a reason that is
    not one line of text.
    """
    check_texts(why=why)
    check_reason(why)
    for number in numbers:
        if type(number) not in (int, range):  # True is an int too
            raise TypeError(f"expected the number of a decision, or a range, got {kind_of(number)}")

    def say(registry: Registry) -> list[Decision]:
        unique = dict.fromkeys(_known(registry, numbers))
        if again := registry.undone & unique.keys():
            raise Conflict(f"decision {min(again)} was taken back already")
        made = [Decision(0, "", UNDO, phrase=str(number), why=why) for number in unique]
        after = meanings_of([*registry.decisions, *numbered(registry.decisions, made)])
        stay = {m: d for m, d in registry.meanings.items() if m in after}
        _refuse_second(stay, after.keys() - stay.keys())
        return made

    finish(store)
    rehearse(store, say)
    return decide(store, say)


def _known(registry: Registry, numbers: Iterable[int | range]) -> Iterator[int]:
    """The numbers of decisions. Raises NotFound at the first that there is not."""
    known = {d.no for d in registry.decisions}
    for some in numbers:
        for number in some if isinstance(some, range) else (some,):
            if number not in known:
                raise NotFound(
                    f"there is no decision {number}", hint="`forest anchors history` lists them."
                )
            yield number
