"""Decisions about anchors: what the history of a forest is made of, and how a store keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anchors.homonyms import Meaning
from forest.errors import InvalidInput
from forest.nodes import Node
from forest.schema import DECISION
from forest.stores.base import Store

ACTIONS = ("merge", "refuse", "rename", "mark", "part", "undo")
MERGE, REFUSE, RENAME, MARK, PART, UNDO = ACTIONS


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about anchors; ``no`` counts from 1."""

    no: int
    at: str
    """When: ISO 8601 in UTC."""
    action: str
    """merge, refuse, rename, mark, part, undo."""
    anchor: str = ""
    into: str = ""
    """The other anchor of a pair; or the thought that is marked with it, or shall not be; or the
    tree or thought in which it means another one."""
    phrase: str = ""
    """The new name; what stands in the thought; the anchor that is meant; of an undo, the number
    that is taken back."""
    rule: str = "author"
    """What proposed it: author, or a rule of discovery."""
    score: float | None = None
    why: str = ""
    begun: bool = False
    """Whether thoughts may not say yet what it says (`anchors.deciding`)."""

    @property
    def pair(self) -> frozenset[str]:
        """The two that it is about."""
        return frozenset((self.anchor, self.into))


def taken_back(decisions: Iterable[Decision]) -> frozenset[int]:
    """Numbers taken back; what takes back may be taken back itself."""
    undone: set[int] = set()
    for decision in sorted(decisions, key=lambda d: -d.no):
        if decision.action == UNDO and decision.no not in undone:
            undone.add(int(decision.phrase))
    return frozenset(undone)


def marks_of(some: Sequence[Decision]) -> dict[tuple[str, str], Decision]:
    """By anchor and thought, the decisions that put a mark and were not taken back."""
    undone = taken_back(some)
    return {(d.anchor, d.into): d for d in some if d.action == MARK and d.no not in undone}


def meanings_of(some: Sequence[Decision]) -> dict[Meaning, Decision]:
    """Where anchors mean others, as was decided and not taken back."""
    undone = taken_back(some)
    return {
        Meaning(d.anchor, d.into, d.phrase): d
        for d in some
        if d.action == PART and d.no not in undone
    }


def decisions(store: Store) -> list[Decision]:
    """All decisions in their order. Raises InvalidInput for one that somebody typed wrongly."""
    return read(store.nodes(DECISION.label))


def read(nodes: Iterable[Node]) -> list[Decision]:
    """The decisions of nodes in their order. Raises InvalidInput as `decision_of`."""
    return sorted((decision_of(node) for node in nodes), key=lambda d: d.no)


def decision_of(node: Node) -> Decision:
    """The decision that a node says. Raises InvalidInput where it says none."""
    try:
        read = Decision(int(node.key), **{"at": "", "action": "", **node.properties})  # type: ignore[arg-type]
        if read.action == UNDO:
            int(read.phrase)
    except (TypeError, ValueError):
        read = Decision(0, "", "")
    if read.action not in ACTIONS:
        raise InvalidInput(
            f"Decision {node.key!r} is not as the library writes it",
            hint="Decisions are made with `forest anchors`; remove this node with Cypher.",
        )
    return read


def node_of(decision: Decision) -> Node:
    """The node that the store keeps."""
    values = {
        name: value
        for name in ("at", "action", "anchor", "into", "phrase", "rule", "score", "why")
        if (value := getattr(decision, name)) not in (None, "")
    }
    if decision.begun:
        values["begun"] = True
    return Node(DECISION.label, f"{decision.no:06d}", values)
