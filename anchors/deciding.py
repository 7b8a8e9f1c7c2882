"""How a decision about anchors gets into the forest, and how one that was killed is finished.

Some decisions are about what thoughts carry: a mark, a word that means another anchor in a place,
and what takes such a one back. A store cannot change thoughts and the history in one transaction.
So the history comes first, and says of such decisions that they have begun; then the thoughts are
changed to what the history says; then they have begun no more. Whoever decides next, lists or
replaces proposals, first lets the thoughts say what has begun (`finish`): what a killed process
decided is done, wholly, and no mark is without its decision.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from anchors import homonyms, marks
from anchors.arguments import check_store
from anchors.decisions import (
    MARK,
    PART,
    UNDO,
    Decision,
    decisions,
    marks_of,
    meanings_of,
    node_of,
    read,
)
from anchors.groups import Registry
from anchors.proposals import Proposal
from anchors.writing import Write, rehearsed
from forest.arguments import check_text
from forest.errors import InvalidInput
from forest.fields import clean_line
from forest.nodes import Key, Node
from forest.schema import DECISION
from forest.stores.base import Store


def decide(store: Store, say: Callable[[Registry], Iterable[Decision]]) -> list[Decision]:
    """Add what ``say(registry)`` decides, all in one transaction; returns it with its numbers.

    ``say`` sees all decisions made before, also those of others in this moment; their numbers and
    times are given here. It may be called more than once. Then thoughts are changed to what was
    decided; interrupted before that, whoever decides next does it. Raises what ``say`` raises;
    InvalidInput where a reason is not one line of text.
    """
    return decide_on(store, "", lambda registry, _: (say(registry), ()))


def decide_on(
    store: Store,
    label: str,
    say: Callable[[Registry, Mapping[Key, Node]], tuple[Iterable[Decision], Iterable[Key]]],
) -> list[Decision]:
    """`decide`, where ``say(registry, nodes)`` also sees the nodes of a label as they are then.

    The second that it gives are the keys of those to remove in the same transaction.
    """
    check_store(store)
    finish(store)
    labels = [DECISION.label, label] if label else [DECISION.label]
    anchors = list(store.anchors())
    made: list[Decision] = []

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        known = read(node for node in old.values() if node.label == DECISION.label)
        said, done = say(Registry(anchors, known), old)
        made[:] = numbered(known, said)
        for why in dict.fromkeys(check_text(d.why, "text as `why`") for d in made):
            check_reason(why)
        begun = _begun(known, made)
        return {**dict.fromkeys(done), **{node.at: node for node in map(node_of, begun)}}

    store.change_nodes(labels, change)
    if any(d.action in _ABOUT_THOUGHTS for d in made):
        finish(store)
    return made


_ABOUT_THOUGHTS = frozenset([MARK, PART, UNDO])


def numbered(known: Sequence[Decision], said: Iterable[Decision]) -> list[Decision]:
    """Decisions with the numbers and the time that they get behind those that are known."""
    first = max((d.no for d in known), default=0) + 1
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return [replace(d, no=n, at=now) for n, d in enumerate(said, first)]


def _begun(known: Sequence[Decision], made: Sequence[Decision]) -> list[Decision]:
    """The decisions that are new, begun if they change what thoughts carry."""
    after = [*known, *made]
    same = (
        marks_of(known).keys() == marks_of(after).keys()
        and meanings_of(known).keys() == meanings_of(after).keys()
    )
    return [replace(d, begun=not same and d.action in _ABOUT_THOUGHTS) for d in made]


def check_reason(why: str) -> None:
    """Raise InvalidInput for a reason that is not one line of text."""
    try:
        clean_line(why)
    except ValueError as error:
        raise InvalidInput(f"the reason {why!r}: {error}") from None


# --- what thoughts carry --------------------------------------------------------------------------


def finish(store: Store) -> list[Decision]:
    """Let thoughts say what was decided and may not have reached them. Returns those decisions.

    What can be said of a thought no more, because it was edited or removed meanwhile, is left: so
    would the edit have left it. Raises NotATree and InvalidTree as `Store.trees`.
    """
    known = decisions(store)
    before = [d for d in known if not d.begun]
    begun = [d for d in known if d.begun]
    if not begun:
        return []
    _say(store, before, known, store.write)
    while (now := decisions(store))[len(known) :]:
        # What others decided meanwhile may have been done before this: then this undid it.
        _say(store, known, now, store.write)
        known = now
    done = {node_of(d).at for d in begun}

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        return {
            at: Node(*at, {k: v for k, v in old[at].properties.items() if k != "begun"})
            for at in done & old.keys()
        }

    store.change_nodes([DECISION.label], change)
    return begun


def say_in(store: Store, added: Collection[str], changed: Collection[str]) -> None:
    """Let trees of a file say what was decided of their words; those that came again of marks, too.

    Reads the history once.
    """
    known = decisions(store)
    meanings = meanings_of(known)
    homonyms.put(store, homonyms.unsaid(store, meanings, [*added, *changed]))
    there = {*added}
    again = [_mark(d) for d in marks_of(known).values() if d.into.rpartition("/")[0] in there]
    marks.put(store, again, meanings)


def say_meanings(store: Store) -> list[homonyms.Meaning]:
    """Let words mean what was decided of them wherever they do not; gives what was not said."""
    found = unsaid_meanings(store)
    homonyms.put(store, found)
    return found


def unsaid_meanings(store: Store) -> list[homonyms.Meaning]:
    """What was decided of words, and is not said in its place."""
    meanings = meanings_of(decisions(store))
    places = {one.place for one in meanings}
    return homonyms.unsaid(store, meanings, homonyms.trees_of(store, places))


def rehearse(store: Store, say: Callable[[Registry], Iterable[Decision]]) -> None:
    """Do what deciding so would do to thoughts, and store nothing.

    Raises what ``say`` raises; Conflict where a thought cannot be marked again; NotATree and
    InvalidTree.
    """
    known = decisions(store)
    made = numbered(known, say(Registry([], known)))
    _say(store, known, [*known, *made], rehearsed(store), all_or_none=True)


def _say(
    store: Store,
    before: Sequence[Decision],
    after: Sequence[Decision],
    write: Write,
    *,
    all_or_none: bool = False,
) -> None:
    """Change thoughts from what some decisions say to what others say; again it changes nothing."""
    marked, meant = (marks_of(before), marks_of(after)), (meanings_of(before), meanings_of(after))
    over = [_mark(d) for at, d in marked[0].items() if at not in marked[1]]
    again = [_mark(d) for at, d in marked[1].items() if at not in marked[0]]
    # A mark is what its anchor means there, whatever its phrase means: it is put anew.
    places = {one.place for one in meant[0].keys() ^ meant[1].keys()}
    within = {thought.id for place in places for thought in homonyms.thoughts_in(store, place)}
    stay = [_mark(d) for at, d in marked[1].items() if at in marked[0] and d.into in within]
    put = {(mark.thought, mark.phrase) for mark in (*stay, *over, *again)}
    marks.take(store, [*over, *stay], [*meant[0], *meant[1]], write=write)
    homonyms.say(store, meant[0], meant[1], put, write=write)
    marks.put(store, again, meant[1], all_or_none=all_or_none, write=write)
    marks.put(store, stay, meant[1], write=write)


def _mark(decision: Decision) -> marks.Mark:
    return marks.Mark(decision.into, decision.anchor, decision.phrase, decision.score)


def mark_of(proposal: Proposal) -> marks.Mark:
    """The mark that is proposed."""
    return marks.Mark(proposal.thought, proposal.anchor, proposal.phrase, proposal.score)


def decision_about(action: str, p: Proposal, why: str = "") -> Decision:
    """The decision that answers a proposal; it gets its number from `decide_on`."""
    return Decision(0, "", action, *p.against, phrase=p.phrase, rule=p.rule, score=p.score, why=why)
