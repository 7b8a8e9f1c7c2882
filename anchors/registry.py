"""Which anchors are one? What authors decided, and the forms of a word.

Thoughts keep the anchors that their authors wrote. That two anchors are one is said beside them: by
a decision of an author, which the forest keeps for ever, or by the rule ``lemma``, which holds for
all phrases with the same words in other forms (`anchors.lemmas`) and needs no decision. The
registry is worked out of both; nothing is ever rewritten, so all that joins can be taken back.

A pair that was refused never stands in one group again, whichever way leads from one to the other:
what would join them is left out, and `Registry.blocked` says so. A later decision on the same pair
replaces an earlier one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from anchors.lemmas import lemma_key
from forest.errors import Conflict, InvalidInput, NotFound
from forest.model import Anchor, anchor_id
from forest.nodes import Key, Node
from forest.schema import DECISION
from forest.stores.base import Store

MERGE, REFUSE, RENAME, UNDO = "merge", "refuse", "rename", "undo"


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about anchors; ``no`` counts from 1."""

    no: int
    at: str
    """When: ISO 8601 in UTC."""
    action: str
    """merge, refuse, rename, undo."""
    anchor: str = ""
    into: str = ""
    """The other anchor of a pair."""
    phrase: str = ""
    """The new name; of an undo, the number that is taken back."""
    rule: str = "author"
    """What proposed it: author, exact, near, meaning."""
    score: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """Why two anchors are one."""

    anchor: str
    into: str
    rule: str
    score: float
    decision: int | None = None
    """Number of the decision; None for what a rule says by itself."""


@dataclass(frozen=True, slots=True)
class Group:
    """Anchors that are one: under ``id`` they count as a single anchor."""

    id: str
    phrase: str
    anchors: tuple[Anchor, ...]
    joins: tuple[Join, ...] = ()

    @property
    def thoughts(self) -> int:
        """How many thoughts carry one of them; a thought that carries two counts twice."""
        return sum(a.thoughts for a in self.anchors)


class Registry:
    """The anchors of a forest as groups of which each is one anchor.

    :param anchors: all anchors that thoughts carry.
    :param decisions: in the order of their numbers.
    """

    def __init__(self, anchors: Iterable[Anchor], decisions: Iterable[Decision] = ()) -> None:
        self.anchors = {anchor.id: anchor for anchor in anchors}
        self.decisions = list(decisions)
        self._refused: set[frozenset[str]] = set()
        self._names: dict[str, str] = {}
        self._group: dict[str, str] = {}
        self._members: dict[str, list[str]] = {}
        self.joins: list[Join] = []
        self.blocked: list[Join] = []
        """Joins left out because they would put a refused pair into one group."""
        merged = self._decide()
        for join in [*merged, *self._by_lemma()]:
            self._join(join)
        self._heads = {root: self._head(ids) for root, ids in self._members.items()}

    @classmethod
    def of(cls, store: Store) -> Registry:
        """The registry of a forest."""
        return cls(store.anchors(), decisions(store))

    # --- asking --------------------------------------------------------------------------------

    def head(self, anchor: str) -> str:
        """The id under which an anchor counts: its group's, or its own."""
        root = self._group.get(anchor)
        return anchor if root is None else self._heads[root]

    def group(self, anchor: str) -> Group:
        """The group of an anchor, by its id or by a spelling. Raises NotFound."""
        id_ = self.find(anchor)
        root = self._group.get(id_, id_)
        ids = self._members.get(root, [id_])
        head = self.head(id_)
        return Group(
            head,
            self._names.get(head, self.anchors[head].phrase),
            tuple(self.anchors[i] for i in sorted(ids, key=self._rank)),
            tuple(j for j in self.joins if self._group[j.anchor] == root),
        )

    def groups(self) -> Iterator[Group]:
        """All groups, also those of one anchor, in the order of their ids."""
        joins = defaultdict(list)
        for join in self.joins:
            joins[self.head(join.anchor)].append(join)
        members = defaultdict(list)
        for id_ in self.anchors:
            members[self.head(id_)].append(id_)
        for head in sorted(members):
            yield Group(
                head,
                self._names.get(head, self.anchors[head].phrase),
                tuple(self.anchors[i] for i in sorted(members[head], key=self._rank)),
                tuple(joins[head]),
            )

    def find(self, named: str) -> str:
        """The id of an anchor that is named by its id or by a spelling. Raises NotFound."""
        for id_ in (named, anchor_id(named)):
            if id_ in self.anchors:
                return id_
        raise NotFound(
            f"there is no anchor {named!r}", hint="`forest anchors list` shows all anchors."
        )

    def refused(self, one: str, other: str) -> bool:
        """Whether somebody decided that two anchors are not one."""
        return frozenset((one, other)) in self._refused

    def _rank(self, id_: str) -> tuple[int, int, int, str]:
        anchor = self.anchors[id_]
        return -anchor.trees, -anchor.thoughts, len(id_), id_

    # --- working it out ------------------------------------------------------------------------

    def _decide(self) -> list[Join]:
        """Read the decisions; gives the joins that hold."""
        undone = {int(d.phrase) for d in self.decisions if d.action == UNDO}
        pairs: dict[frozenset[str], Decision] = {}
        for decision in self.decisions:
            if decision.no in undone:
                continue
            if decision.action == RENAME:
                self._names[decision.anchor] = decision.phrase
            elif decision.action in (MERGE, REFUSE):
                pair = frozenset((decision.anchor, decision.into))
                pairs.pop(pair, None)
                pairs[pair] = decision
        self._refused = {pair for pair, last in pairs.items() if last.action == REFUSE}
        return [
            Join(d.anchor, d.into, d.rule, 1.0 if d.score is None else d.score, d.no)
            for d in pairs.values()
            if d.action == MERGE
        ]

    def _by_lemma(self) -> Iterator[Join]:
        same: dict[tuple[str, str], list[str]] = defaultdict(list)
        for anchor in self.anchors.values():
            same[anchor.kind, lemma_key(anchor.phrase)].append(anchor.id)
        for ids in same.values():
            head, *others = sorted(ids, key=self._rank)
            for other in others:
                yield Join(other, head, "lemma", 1.0)

    def _join(self, join: Join) -> None:
        if join.anchor not in self.anchors or join.into not in self.anchors:
            return  # no thought carries it any more
        one, other = (self._group.get(i, i) for i in (join.anchor, join.into))
        if one == other:
            return
        left, right = (self._members.get(i, [i]) for i in (one, other))
        if any(self.refused(a, b) for a in left for b in right):
            self.blocked.append(join)
            return
        self.joins.append(join)
        self._members.pop(other, None)
        self._members[one] = left + right
        self._group.update(dict.fromkeys(self._members[one], one))

    def _head(self, ids: list[str]) -> str:
        """A renamed one before others, then the one that most trees carry."""
        return min(ids, key=lambda id_: (id_ not in self._names, *self._rank(id_)))


# --- decisions in the forest ----------------------------------------------------------------------


def decisions(store: Store) -> list[Decision]:
    """All decisions in their order."""
    return [_decision(node) for node in store.nodes(DECISION.label)]


def _decision(node: Node) -> Decision:
    try:
        return Decision(int(node.key), **{"at": "", "action": "", **node.properties})  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InvalidInput(
            f"Decision {node.key!r} is not as the library writes it",
            hint="Decisions are made with `forest anchors`; remove this node with Cypher.",
        ) from None


def decide(store: Store, action: str, **said: str | float | None) -> Decision:
    """Add a decision. Raises Conflict where somebody decided the very same already."""
    made: list[Decision] = []

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        number = max((int(node.key) for node in old.values()), default=0) + 1
        values = {k: v for k, v in said.items() if v not in (None, "")}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        node = Node(DECISION.label, f"{number:06d}", {"at": now, "action": action, **values})
        made[:] = [_decision(node)]
        return {node.at: node}

    store.change_nodes([DECISION.label], change)
    return made[0]


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
    registry = Registry.of(store)
    one, other = registry.find(anchor), registry.find(into)
    if registry.head(one) == registry.head(other):
        raise Conflict(f"{one!r} and {other!r} are one anchor already")
    refusals = [
        d.no
        for d in registry.decisions
        if d.action == REFUSE and frozenset((d.anchor, d.into)) == frozenset((one, other))
    ]
    if registry.refused(one, other):
        raise Conflict(
            f"{one!r} and {other!r} were refused as one anchor (decision {refusals[-1]})",
            hint=f"`forest anchors undo {refusals[-1]}` takes that back.",
        )
    return decide(store, MERGE, anchor=one, into=other, rule=rule, score=score, why=why)


def refuse(store: Store, anchor: str, other: str, *, why: str = "") -> Decision:
    """Decide that two anchors are not one, and never shall be. Raises NotFound."""
    registry = Registry.of(store)
    return decide(store, REFUSE, anchor=registry.find(anchor), into=registry.find(other), why=why)


def split(store: Store, anchor: str, *, why: str = "") -> list[Decision]:
    """Take an anchor out of its group: refuse each pair with another one of it.

    Raises NotFound; Conflict if it stands alone.
    """
    registry = Registry.of(store)
    one = registry.find(anchor)
    others = [a.id for a in registry.group(one).anchors if a.id != one]
    if not others:
        raise Conflict(f"the anchor {one!r} stands alone: there is nothing to split")
    return [decide(store, REFUSE, anchor=one, into=other, why=why) for other in others]


def rename(store: Store, anchor: str, phrase: str, *, why: str = "") -> Decision:
    """Give an anchor the name that it is shown by. Thoughts keep what is written there."""
    registry = Registry.of(store)
    if not phrase.strip():
        raise InvalidInput("the new name is empty")
    head = registry.head(registry.find(anchor))
    return decide(store, RENAME, anchor=head, phrase=phrase.strip(), why=why)


def undo(store: Store, number: int, *, why: str = "") -> Decision:
    """Take a decision back. Raises NotFound; Conflict if that was done before."""
    there = decisions(store)
    if number not in {d.no for d in there}:
        raise NotFound(
            f"there is no decision {number}", hint="`forest anchors history` lists them."
        )
    if any(d.action == UNDO and d.phrase == str(number) for d in there):
        raise Conflict(f"decision {number} was taken back already")
    return decide(store, UNDO, phrase=str(number), why=why)
