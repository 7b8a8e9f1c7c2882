"""Proposals: what was found and waits for an author's word.

A *mark* says that a thought carries a phrase; a *merge* that two anchors are one. An author who
refuses a merge refuses the pair of anchors, one who refuses a mark the pair of anchor and thought:
both are a decision ``refuse`` with ``anchor`` and ``into`` (`anchors.registry`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from anchors.decisions import Decision, read
from forest.errors import InvalidInput
from forest.nodes import Key, Node, Value
from forest.schema import DECISION, PROPOSAL
from forest.stores.base import Store

MARK, MERGE = "mark", "merge"
RULES = ("exact", "lemma", "near", "meaning", "stem", "phrase")
"""From the surest on."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One finding."""

    what: str
    """mark or merge."""
    rule: str
    """One of `RULES`."""
    score: float
    anchor: str
    """Id of the anchor; of a mark it need not be there yet."""
    into: str = ""
    """Id of the anchor to merge it with."""
    phrase: str = ""
    """The phrase to mark, as it stands in the thought."""
    thought: str = ""
    """Id of the thought to mark; of a merge, one that carries the anchor."""
    other: str = ""
    """Id of a thought in another tree that says it too; of a merge, one that carries ``into``."""
    carried: bool = False
    """Whether thoughts carried the anchor of a mark when it was found; else the marks make it."""
    key: str = field(default="", compare=False)
    """Its id, where it was typed by hand."""

    @property
    def id(self) -> str:
        """Made of what it proposes, not of what found it."""
        said = "\0".join((self.what, *self.against)).encode()
        return self.key or blake2b(said, digest_size=8).hexdigest()

    @property
    def against(self) -> tuple[str, str]:
        """The pair that a refusal is about: two anchors, or an anchor and a thought."""
        return self.anchor, self.thought if self.what == MARK else self.into

    @property
    def node(self) -> Node:
        """The proposal as the store keeps it."""
        values: dict[str, Value] = {
            "what": self.what,
            "rule": self.rule,
            "score": self.score,
            "anchor": self.anchor,
            "into": self.into,
            "phrase": self.phrase,
            "thought": self.thought,
            "other": self.other,
        }
        if self.carried:
            values["carried"] = True
        return Node(PROPOSAL.label, self.id, {k: v for k, v in values.items() if v != ""})


def proposals(store: Store) -> list[Proposal]:
    """The review list, the surest first. Raises InvalidInput."""
    found = [proposal_of(node) for node in store.nodes(PROPOSAL.label)]
    return sorted(found, key=surest_first)


def surest_first(proposal: Proposal) -> tuple[float, int, str]:
    """The key of the order in which proposals are shown."""
    return -proposal.score, RULES.index(proposal.rule), proposal.id


def proposal_of(node: Node) -> Proposal:
    """The proposal that a node says. Raises InvalidInput where it says none."""
    try:
        found = Proposal(**{"score": 1.0, "anchor": "", **node.properties}, key=node.key)  # type: ignore[arg-type]
        RULES.index(found.rule)
    except (TypeError, ValueError):
        raise _unreadable(node) from None
    if found.what not in (MARK, MERGE) or not all(found.against):
        raise _unreadable(node)
    return found


def _unreadable(node: Node) -> InvalidInput:
    return InvalidInput(
        f"Proposal {node.key!r} is not as the library writes it",
        hint="`forest anchors discover` writes the list anew; remove this node with Cypher.",
    )


def replace(
    store: Store,
    found: Iterable[Proposal],
    rules: Iterable[str],
    still_open: Callable[[Sequence[Decision]], Callable[[Proposal], bool]] = lambda _: (
        lambda _: True
    ),
) -> tuple[list[Proposal], int]:
    """Put what was found in the place of all that these rules found before.

    What another rule proposes already stays as it is.

    :param still_open: gets all decisions there are in the moment of writing, also those that were
        made while the search went on, and says of a proposal whether they leave it open.
    :returns: the proposals that are open, and how many were not on the list.
    """
    several, asked = list(found), set(rules)
    left: list[Proposal] = []
    fresh = 0

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        nonlocal fresh
        known = read(node for node in old.values() if node.label == DECISION.label)
        left[:] = filter(still_open(known), several)
        listed = {at: node for at, node in old.items() if node.label == PROPOSAL.label}
        new = {proposal.node.at: proposal.node for proposal in left}
        fresh = len(new.keys() - listed.keys())
        kept = {at for at, node in listed.items() if node.properties.get("rule") not in asked}
        return {
            **{at: None for at in listed if at not in kept},
            **{at: node for at, node in new.items() if at not in kept},
        }

    store.change_nodes([PROPOSAL.label, DECISION.label], change)
    return left, fresh
