"""How a decision about anchors gets into the forest, and how an `accept` that was killed is told.

An ``accept`` writes to thoughts and to the history, and a store cannot do both in one transaction.
So it says on its proposals that it has begun, marks the thoughts, and then decides. Whoever decides
next, lists or replaces proposals, first lets the history say what such a killed one has marked
(`finish`): no mark is without its decision, and each can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from anchors import marks
from anchors.arguments import check_store
from anchors.decisions import MARK, Decision, decisions, meanings_of, node_of, read
from anchors.groups import Registry
from anchors.proposals import Proposal, begun
from forest.arguments import check_text
from forest.errors import InvalidInput
from forest.fields import clean_line
from forest.nodes import Key, Node
from forest.schema import DECISION, PROPOSAL
from forest.stores.base import Store


def decide(store: Store, say: Callable[[Registry], Iterable[Decision]]) -> list[Decision]:
    """Add what ``say(registry)`` decides, all in one transaction; returns it with its numbers.

    ``say`` sees all decisions made before, also those of others in this moment; their numbers and
    times are given here. It may be called more than once. Raises what ``say`` raises; InvalidInput
    where a reason is not one line of text.
    """
    check_store(store)
    finish(store)
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
    labels = [DECISION.label, label] if label else [DECISION.label]
    anchors = list(store.anchors())
    made: list[Decision] = []

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        known = read(node for node in old.values() if node.label == DECISION.label)
        first = max((d.no for d in known), default=0) + 1
        now = datetime.now(UTC).isoformat(timespec="seconds")
        said, done = say(Registry(anchors, known), old)
        made[:] = [replace(d, no=n, at=now) for n, d in enumerate(said, first)]
        for why in dict.fromkeys(check_text(d.why, "text as `why`") for d in made):
            check_reason(why)
        return {**dict.fromkeys(done), **{node.at: node for node in map(node_of, made)}}

    store.change_nodes(labels, change)
    return made


def check_reason(why: str) -> None:
    """Raise InvalidInput for a reason that is not one line of text."""
    try:
        clean_line(why)
    except ValueError as error:
        raise InvalidInput(f"the reason {why!r}: {error}") from None


def finish(store: Store, but: Collection[str] = ()) -> list[Decision]:
    """Decide what an ``accept`` marked that was killed before it could decide.

    What it has not marked stays proposed. Returns the decisions made.

    :param but: ids of proposals that are left as they are.
    """
    waiting = {mark_of(p): p for p in begun(store) if p.id not in but}
    there = marks.standing(store, waiting, meanings_of(decisions(store))) if waiting else []

    def say(registry: Registry, nodes: Mapping[Key, Node]) -> tuple[list[Decision], list[Key]]:
        some = [waiting[mark] for mark in there if waiting[mark].node.at in nodes]
        made = [decision_about(MARK, p) for p in some if p.against not in registry.marks]
        return made, [p.node.at for p in some]

    return decide_on(store, PROPOSAL.label, say) if there else []


def mark_of(proposal: Proposal) -> marks.Mark:
    """The mark that is proposed."""
    return marks.Mark(proposal.thought, proposal.anchor, proposal.phrase, proposal.score)


def decision_about(action: str, p: Proposal, why: str = "") -> Decision:
    """The decision that answers a proposal; it gets its number from `decide_on`."""
    return Decision(0, "", action, *p.against, phrase=p.phrase, rule=p.rule, score=p.score, why=why)
