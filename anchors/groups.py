"""Which anchors are one, worked out of the anchors and of what authors decided.

A pair that was refused never stands in one group again, whichever way leads from one to the other:
what would join them is left out, and `Registry.blocked` says so. The groups depend on nothing but
the anchors and the decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from anchors.arguments import check_store, check_texts
from anchors.decisions import (
    MARK,
    MERGE,
    REFUSE,
    RENAME,
    Decision,
    decisions,
    marks_of,
    meanings_of,
    taken_back,
)
from anchors.forms import declined, form_key
from forest.errors import NotFound
from forest.model import Anchor, Occurrence, anchor_id
from forest.phrases import phrase_key
from forest.stores.base import Skip, Store
from forest.thoughts import with_signs


@dataclass(frozen=True, slots=True)
class Join:
    """Why two anchors are one."""

    anchor: str
    into: str
    rule: str
    score: float
    decision: int | None = None
    """Number of the decision; None for what a rule says by itself."""


class Carriers(NamedTuple):
    """How much of a forest carries an anchor."""

    trees: int
    thoughts: int


class Carrying(Occurrence):
    """A thought that carries an anchor, in one spelling or in several."""

    phrases: tuple[str, ...]
    """As it is written there, a tag with ``#`` and a link in ``[[ ]]``: each spelling once, those
    of the widest variant first."""


@dataclass(frozen=True, slots=True)
class Group:
    """Anchors that are one: under ``id`` they count as a single anchor."""

    id: str
    phrase: str
    """What it is shown as (`Registry.name`)."""
    anchors: tuple[Anchor, ...]
    spellings: tuple[str, ...]
    """How each of them is spelled most often, with the signs of its kind."""
    joins: tuple[Join, ...] = ()

    def carriers(self, store: Store) -> Carriers:
        """How many trees and thoughts carry one of them; what carries several counts once."""
        if len(self.anchors) == 1:
            return Carriers(self.anchors[0].trees, self.anchors[0].thoughts)
        tree_of = {o.thought: o.tree for a in self.anchors for o in store.occurrences(a.id)}
        return Carriers(len(set(tree_of.values())), len(tree_of))


class Registry:
    """The anchors of a forest as groups of which each is one anchor.

    :param anchors: all anchors that thoughts carry, in any order.
    :param decisions: in the order of their numbers.
    """

    def __init__(self, anchors: Iterable[Anchor], decisions: Iterable[Decision] = ()) -> None:
        self.anchors = {a.id: a for a in sorted(anchors, key=lambda a: a.id)}
        self.decisions = list(decisions)
        self.undone = taken_back(self.decisions)
        """Numbers of the decisions that were taken back."""
        self.marks = marks_of(self.decisions)
        """By anchor and thought, the decisions that put a mark and were not taken back."""
        self.meanings = meanings_of(self.decisions)
        """Where anchors mean others, as was decided and not taken back."""
        self._refused: dict[frozenset[str], Decision] = {}
        self._merged: set[frozenset[str]] = set()
        self._ended: dict[int, int] = {}
        self.titles: dict[str, str] = {}
        """The names that authors gave, by anchor."""
        self._against: dict[str, set[str]] = defaultdict(set)
        self._group: dict[str, str] = {}
        self._members: dict[str, list[str]] = {}
        self.joins: list[Join] = []
        self.blocked: list[Join] = []
        """Joins left out because they would put a refused pair into one group."""
        for join in self._decided():
            self._join(join)
        for same in self._same_forms():
            self._join_all(same)
        self._into = {join.into for join in self.joins if join.rule == "author"}
        self._heads = {root: self._head(ids) for root, ids in self._members.items()}

    @classmethod
    def of(cls, store: Store, skip: Skip | None = None) -> Registry:
        """The registry of a forest. What is no tree raises, or is left out and told to ``skip``."""
        check_store(store)
        return cls(store.anchors(skip), decisions(store))

    # --- asking --------------------------------------------------------------------------------

    def head(self, anchor: str) -> str:
        """The id under which an anchor counts: its group's, or its own."""
        root = self._group.get(anchor)
        return anchor if root is None else self._heads[root]

    @property
    def joined(self) -> dict[str, str]:
        """`head` of each anchor that is joined with another; all others count by themselves."""
        return {id_: self._heads[root] for id_, root in self._group.items()}

    def name(self, anchor: str) -> str:
        """What an anchor is shown as, and found by: the name of its group, else its spelling.

        That is the most frequent one; a tag has its ``#``, a link stands in ``[[ ]]``. Where its
        author gave it an id of its own, and another anchor is spelled the same, it is the id.
        """
        head = self.head(anchor)
        if title := self._title(head):
            return title
        groups = set(map(self.head, self._alike(head)))
        return head if len(groups) > 1 else self._shown(head)

    def _title(self, head: str) -> str:
        """The name that a group was given; "" where thoughts carry another anchor of it since."""
        title = self.titles.get(head, "")
        named = [id_ for id_ in (title, anchor_id(title)) if id_ in self.anchors]
        return title if all(self.head(id_) == head for id_ in named) else ""

    def _shown(self, anchor: str) -> str:
        there = self.anchors.get(anchor)
        return with_signs(there.phrase, there.kind) if there else anchor

    def _alike(self, anchor: str) -> Sequence[str]:
        """Of an anchor whose author gave it an id of its own: all that are spelled as it is.

        Also those that its spelling names, as another form of their word.
        """
        there = self.anchors.get(anchor)
        if there is None or anchor_id(there.phrase, there.kind) == anchor:
            return [anchor]
        shown = self._shown(anchor)
        return [*self._spelled_so[phrase_key(shown)], *self._of_form.get(form_key(shown), ())]

    @cached_property
    def _of_form(self) -> Mapping[str, list[str]]:
        """By what their forms have in common, the ids of anchors."""
        found = defaultdict[str, list[str]](list)
        for id_ in self.anchors:
            found[form_key(id_)].append(id_)
        return found

    @cached_property
    def _spelled_so(self) -> Mapping[str, list[str]]:
        """By spelling, the anchors that are shown so."""
        found = defaultdict[str, list[str]](list)
        for id_ in self.anchors:
            found[phrase_key(self._shown(id_))].append(id_)
        return found

    def group(self, anchor: str) -> Group:
        """The group of an anchor, by its id or by a spelling. Raises NotFound."""
        return self._groups([self.head(self.find(anchor))])[0]

    def groups(self) -> list[Group]:
        """All groups, also those of one anchor, in the order of their ids."""
        return self._groups(sorted({self.head(id_) for id_ in self.anchors}))

    def members(self, anchor: str) -> Sequence[str]:
        """The ids of all anchors that are one with this one, and its own."""
        return self._members.get(self._group.get(anchor, anchor), [anchor])

    def _groups(self, heads: list[str]) -> list[Group]:
        return [self._group_of(head, self.members(head)) for head in heads]

    def _group_of(self, head: str, members: Sequence[str]) -> Group:
        ids = sorted(members, key=self._rank) if members[1:] else members
        anchors = tuple(self.anchors[id_] for id_ in ids)
        joins = tuple(self._joins_of.get(head, ()))
        return Group(head, self.name(head), anchors, tuple(map(self._shown, ids)), joins)

    @cached_property
    def _joins_of(self) -> Mapping[str, list[Join]]:
        joins = defaultdict(list)
        for join in self.joins:
            joins[self.head(join.anchor)].append(join)
        return joins

    def find(self, named: str) -> str:
        """The id of an anchor, named by its id, a spelling, the name of its group, or other forms.

        The first of these that there is. Raises NotFound.
        """
        check_texts(anchor=named)
        for id_ in (named, anchor_id(named)):
            if id_ in self.anchors:
                return id_
        key, forms = phrase_key(named), form_key(named)
        for id_, phrase in self.titles.items():
            if phrase_key(phrase) == key and self.head(id_) in self.anchors:
                return self.head(id_)
        if key and (same := self._of_form.get(forms)):
            return min(same, key=self._rank)
        return self._spelled(named, key)

    def _spelled(self, named: str, key: str) -> str:
        """An anchor of another id that thoughts say so. Raises NotFound, also where it is several.

        All that is spelled so was parted then, or its authors gave it other ids.
        """
        spelled = (
            self._spelled_so.get(key)
            or [id_ for id_, a in self.anchors.items() if phrase_key(a.phrase) == key]
            or [i for i, a in self.anchors.items() if key and form_key(a.phrase) == form_key(named)]
        )
        by_head = {self.head(id_): id_ for id_ in sorted(spelled, key=self._rank, reverse=True)}
        if len(by_head) == 1:
            return next(iter(by_head.values()))
        if not by_head:
            raise NotFound(
                f"there is no anchor {named!r}", hint="`forest anchors list` shows all anchors."
            )
        several = ", ".join(f"«{self.name(head)}»" for head in sorted(by_head))
        raise NotFound(f"{named!r} may be one of several anchors: {several}", hint="Name one.")

    def names(self, named: str, anchor: str) -> bool:
        """Whether an anchor can be named so: by its id, a spelling, or the name of its group."""
        if anchor in (named, anchor_id(named)) or named == self.name(anchor):
            return True
        try:
            return self.find(named) == anchor
        except NotFound:
            return False

    def add(self, decision: Decision) -> None:
        """Let a merge of two anchors hold from now on, after all others."""
        self.decisions.append(decision)
        self._merged.add(decision.pair)
        score = 1.0 if decision.score is None else decision.score
        self._join(Join(decision.anchor, decision.into, decision.rule, score, decision.no))
        root = self._group[decision.anchor]
        self._heads[root] = self._head(self._members[root])
        self.__dict__.pop("_joins_of", None)

    def refused(self, one: str, other: str) -> bool:
        """Whether somebody refused two anchors as one, or an anchor as a mark of a thought."""
        return frozenset((one, other)) in self._refused

    def merged(self, one: str, other: str) -> bool:
        """Whether somebody decided that just these two anchors are one."""
        return frozenset((one, other)) in self._merged

    def refusals(self, one: str, other: str) -> list[Decision]:
        """The refusals that keep the groups of two anchors apart."""
        ours, theirs = ({self._group.get(i, i)} for i in (one, other))
        return [
            decision
            for decision in self._refused.values()
            for a, b in [(decision.anchor, decision.into), (decision.into, decision.anchor)]
            if self._group.get(a, a) in ours and self._group.get(b, b) in theirs
        ]

    def apart(self, anchor: str) -> list[Decision]:
        """The refusals about an anchor or one of its variants."""
        head = self.head(anchor)
        return [
            decision
            for decision in self._refused.values()
            if head in map(self.head, (decision.anchor, decision.into))
        ]

    def shared(self, store: Store) -> frozenset[str]:
        """Ids (`head`) of the anchors that two trees or more carry."""
        found = {self.head(a.id) for a in self.anchors.values() if a.trees > 1}
        for root, ids in self._members.items():
            if self._heads[root] not in found:
                trees = (o.tree for id_ in ids for o in store.occurrences(id_))
                first = next(trees, None)
                if any(tree != first for tree in trees):
                    found.add(self._heads[root])
        return frozenset(found)

    @cached_property
    def ended(self) -> Mapping[int, int]:
        """By the number of a merge that holds no more, that of the refusal that is against it."""
        blocked = [join for join in self.blocked if join.decision is not None]
        against = {j.decision: self.refusals(j.anchor, j.into) for j in blocked}
        return self._ended | {no: found[0].no for no, found in against.items() if no and found}

    @property
    def united(self) -> int:
        """How many anchors count under another one."""
        return len(self.joins)

    def _rank(self, id_: str) -> tuple[int, int, int, int, int, str]:
        """What authors wrote in most trees comes first: marks that were discovered name no group.

        They count where no author wrote one. Of what stands in as many places a dictionary form
        comes before others.
        """
        anchor = self.anchors[id_]
        marked = (0, 0) if anchor.authored else (-anchor.trees, -anchor.thoughts)
        return -anchor.authored, *marked, declined(id_), len(id_), id_

    def called(self, anchor: str) -> str:
        """What tells an anchor from the others of its group: its given name, else its spelling.

        Where another one is spelled the same, its id.
        """
        if anchor in self.titles:
            return self.titles[anchor]
        return anchor if len(self._alike(anchor)) > 1 else self._shown(anchor)

    # --- working it out ------------------------------------------------------------------------

    def _decided(self) -> list[Join]:
        """Read the decisions; gives the joins that hold."""
        pairs: dict[frozenset[str], Decision] = {}
        for decision in self.decisions:
            if decision.no in self.undone:
                continue
            if decision.action == RENAME:
                self.titles[decision.anchor] = decision.phrase
            elif decision.action in (MERGE, REFUSE, MARK):
                last = pairs.pop(decision.pair, decision)
                if (last.action, decision.action) == (MERGE, REFUSE):
                    self._ended[last.no] = decision.no
                pairs[decision.pair] = decision
        self._refused = {pair: last for pair, last in pairs.items() if last.action == REFUSE}
        for last in self._refused.values():
            self._against[last.anchor].add(last.into)
            self._against[last.into].add(last.anchor)
        merges = [last for last in pairs.values() if last.action == MERGE]
        self._merged = {last.pair for last in merges}
        return [
            Join(d.anchor, d.into, d.rule, 1.0 if d.score is None else d.score, d.no)
            for d in merges
        ]

    def _same_forms(self) -> Iterator[list[str]]:
        """Anchors that the rule says are one, the most frequent first.

        It goes by their ids: where an author gave a phrase to an anchor of another name, that
        holds, and the ids of phrases, links and tags never meet.
        """
        first: dict[str, str] = {}
        same: dict[str, list[str]] = {}
        for id_ in self.anchors:
            lead = first.setdefault(form_key(id_), id_)
            if lead is not id_:  # most stand alone, and need no list of their own
                same.setdefault(lead, [lead]).append(id_)
        for lead in first.values():
            if lead in same:
                yield sorted(same[lead], key=self._rank)

    def _join_all(self, same: list[str]) -> None:
        """Join each to the first that it may stand with; refusals may leave several groups."""
        leads: list[str] = []
        for id_ in same:
            if not any(self._join(Join(id_, lead, "lemma", 1.0)) for lead in leads):
                leads.append(id_)

    def _join(self, join: Join) -> bool:
        """Whether the two are one now."""
        if join.anchor not in self.anchors or join.into not in self.anchors:
            return False  # no thought carries it any more
        large, small = (self._group.get(i, i) for i in (join.into, join.anchor))
        if large == small:
            return True
        members = self._members
        if len(members.get(large, ())) < len(members.get(small, ())):
            large, small = small, large
        moving = members.get(small, [small])
        if not self._against.get(large, set()).isdisjoint(moving):
            self.blocked.append(join)
            return False
        self.joins.append(join)
        members.setdefault(large, [large]).extend(moving)
        members.pop(small, None)
        if small in self._against:
            self._against[large] |= self._against.pop(small)
        self._group[large] = large
        self._group.update(dict.fromkeys(moving, large))
        return True

    def _head(self, ids: list[str]) -> str:
        """A renamed one before others, then the one that authors wrote in most trees.

        Of equally frequent ones that into which an author merged others.
        """

        def rank(id_: str) -> tuple[object, ...]:
            *often, form, length, last = self._rank(id_)
            return id_ not in self.titles, *often, id_ not in self._into, form, length, last

        return min(ids, key=rank)


def thoughts_at(store: Store, anchor: str) -> list[Carrying]:
    """The thoughts that carry an anchor or a variant of it, by the variants from the widest on.

    Each comes once, whatever it carries. The anchor is named by its id, a spelling, the name of its
    group, or other forms. Raises NotFound.
    """
    variants = Registry.of(store).group(anchor).anchors
    first: dict[str, Occurrence] = {}
    phrases: dict[str, dict[str, None]] = {}
    for kind, found in ((a.kind, found) for a in variants for found in store.occurrences(a.id)):
        first.setdefault(found.thought, found)
        phrases.setdefault(found.thought, {})[with_signs(found.phrase, kind)] = None
    return [Carrying(**dict(at), phrases=tuple(phrases[id_])) for id_, at in first.items()]
