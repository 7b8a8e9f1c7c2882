"""Which anchors are one? What authors decided, and the forms of a word.

Thoughts keep the anchors that their authors wrote. That two anchors are one is said beside them: by
a decision of an author, which the forest keeps for ever, or by the rule ``lemma``, which holds for
all phrases with the same words in other forms (`anchors.forms`) and needs no decision. The
registry is worked out of both; nothing is rewritten for what joins, so all of it can be taken back.
Only what parts a word of two meanings is written at thoughts (`anchors.homonyms`), and read back.

A pair that was refused never stands in one group again, whichever way leads from one to the other:
what would join them is left out, and `Registry.blocked` says so. A refusal ends an earlier merge of
the pair; to merge a refused pair the refusal must be undone first. The groups depend on nothing but
the anchors and the decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from anchors import homonyms, marks
from anchors.arguments import check_store, check_texts, listed
from anchors.decisions import (
    MARK,
    MERGE,
    PART,
    REFUSE,
    RENAME,
    UNDO,
    Decision,
    decisions,
    marks_of,
    meanings_of,
    node_of,
    read,
    taken_back,
)
from anchors.forms import declined, form_key
from forest.arguments import check_text
from forest.errors import Conflict, InvalidInput, NotFound
from forest.fields import clean_line, kind_of
from forest.model import Anchor, Occurrence, anchor_id
from forest.nodes import Key, Node
from forest.phrases import phrase_key
from forest.schema import DECISION
from forest.stores.base import Skip, Store


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

    def trees(self, store: Store) -> int:
        """How many trees carry one of them."""
        if len(self.anchors) == 1:
            return self.anchors[0].trees
        return len({o.tree for anchor in self.anchors for o in store.occurrences(anchor.id)})


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
        """What an anchor is shown as: the name of its group, else the most frequent spelling."""
        head = self.head(anchor)
        if head in self.titles:
            return self.titles[head]
        return self.anchors[head].phrase if head in self.anchors else head

    def group(self, anchor: str) -> Group:
        """The group of an anchor, by its id or by a spelling. Raises NotFound."""
        return self._groups([self.head(self.find(anchor))])[0]

    def groups(self) -> list[Group]:
        """All groups, also those of one anchor, in the order of their ids."""
        return self._groups(sorted({self.head(id_) for id_ in self.anchors}))

    def _groups(self, heads: list[str]) -> list[Group]:
        members = (self._members.get(self._group.get(head, head), [head]) for head in heads)
        return [
            Group(
                head,
                self.name(head),
                tuple(self.anchors[i] for i in (sorted(ids, key=self._rank) if ids[1:] else ids)),
                tuple(self._joins_of.get(head, ())),
            )
            for head, ids in zip(heads, members, strict=True)
        ]

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
        same = [id_ for id_ in self.anchors if form_key(id_) == forms]
        if key and same:
            return min(same, key=self._rank)
        return self._spelled(named, key)

    def _spelled(self, named: str, key: str) -> str:
        """An anchor of another id that thoughts say so. Raises NotFound, also where it is several.

        All that is spelled so was parted then, or its authors gave it other ids.
        """
        spelled = [id_ for id_, a in self.anchors.items() if phrase_key(a.phrase) == key]
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
        """What authors wrote comes first: marks that were discovered name no group.

        Of what stands in as many places a dictionary form comes before others.
        """
        anchor = self.anchors[id_]
        often = -anchor.authored, -anchor.trees, -anchor.thoughts
        return *often, declined(id_), len(id_), id_

    def called(self, anchor: str) -> str:
        """What tells an anchor from the others of its group: its given name, else its spelling."""
        there = self.anchors.get(anchor)
        return self.titles.get(anchor) or (there.phrase if there else anchor)

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


def thoughts_at(store: Store, anchor: str) -> list[Occurrence]:
    """The thoughts that carry an anchor or a variant of it, by the variants from the widest on.

    It is named by its id, a spelling, the name of its group, or other forms. Raises NotFound.
    """
    variants = Registry.of(store).group(anchor).anchors
    return [found for variant in variants for found in store.occurrences(variant.id)]


# --- decisions in the forest ----------------------------------------------------------------------


def decide(store: Store, say: Callable[[Registry], Iterable[Decision]]) -> list[Decision]:
    """Add what ``say(registry)`` decides, all in one transaction; returns it with its numbers.

    ``say`` sees all decisions made before, also those of others in this moment; their numbers and
    times are given here. It may be called more than once. Raises what ``say`` raises; InvalidInput
    where a reason is not one line of text.
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
            _text(clean_line, f"the reason {why!r}", why)
        return {**dict.fromkeys(done), **{node.at: node for node in map(node_of, made)}}

    store.change_nodes(labels, change)
    return made


def _text(clean: Callable[[str], str], what: str, value: str) -> str:
    try:
        return clean(value)
    except ValueError as error:
        raise InvalidInput(f"{what}: {error}") from None


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
    thoughts keep the phrase as it is written. It is two transactions, the decisions and then the
    trees; interrupted between them, the same call goes on.

    Raises NotFound where there is no such anchor or place, or it does not stand there; InvalidInput
    for what is no name; Conflict where the name is one of the anchor's own.
    """
    check_texts(name=name)
    registry = Registry.of(store)
    one, places = registry.find(anchor), listed(places, str, "ids of trees or thoughts")
    clean, other = homonyms.name_and_id(name, one)
    if registry.head(other) == registry.head(one):
        raise Conflict(
            f"{name!r} is a name of the anchor {one!r} itself",
            hint="Name what else it means there, such as «коса (инструмент)».",
        )
    variants = [one, *(a.id for a in registry.group(one).anchors if a.id != one)]
    meanings = homonyms.said(store, variants, places, other)

    def say(registry: Registry) -> list[Decision]:
        new = [m for m in meanings if m not in registry.meanings]
        made = [Decision(0, "", PART, m.anchor, m.place, m.means, why=why) for m in new]
        if not registry.refused(one, other):
            made.append(Decision(0, "", REFUSE, one, other, why=why))
        if other not in registry.anchors and registry.titles.get(other) != clean:
            made.append(Decision(0, "", RENAME, other, phrase=clean, why=why))
        return made

    made = decide(store, say)
    homonyms.put(store, meanings)
    return made


def rename(store: Store, anchor: str, phrase: str, *, why: str = "") -> Decision:
    """Give an anchor the name that it is shown by. Thoughts keep what is written there.

    Raises NotFound; InvalidInput for what is no name; Conflict if it is another anchor's.
    """
    check_texts(phrase=phrase)
    name = homonyms.new_name(phrase)

    def say(registry: Registry) -> list[Decision]:
        head = registry.head(registry.find(anchor))
        for group in registry.groups():
            spellings = {group.phrase, *(a.phrase for a in group.anchors)}
            if group.id != head and phrase_key(name) in map(phrase_key, spellings):
                raise Conflict(
                    f"{name!r} is the name of another anchor, {group.id!r}",
                    hint=f"To make both one: `forest anchors merge {head!r} {group.id!r}`.",
                )
        return [Decision(0, "", RENAME, head, phrase=name, why=why)]

    return decide(store, say)[0]


def undo(store: Store, *numbers: int | range, why: str = "") -> list[Decision]:
    """Take decisions back, all or none, by numbers or ranges; also one that took another back.

    Marks are taken from their thoughts in one write before that, and put back where their undoing
    is undone; so are the meanings of words that were parted. Interrupted between the two, the same
    call goes on.

    Raises NotFound; Conflict if that was done before, or if a thought that is to be marked again no
    longer says so; InvalidInput for a reason that is not one line of text.
    """
    check_texts(why=why)
    _text(clean_line, f"the reason {why!r}", why)
    for number in numbers:
        if type(number) not in (int, range):  # True is an int too
            raise TypeError(f"expected the number of a decision, or a range, got {kind_of(number)}")

    def say(registry: Registry) -> list[Decision]:
        unique = dict.fromkeys(_known(registry, numbers))
        if again := registry.undone & unique.keys():
            raise Conflict(f"decision {min(again)} was taken back already")
        return [Decision(0, "", UNDO, phrase=str(number), why=why) for number in unique]

    before = Registry([], decisions(store))
    last = max((d.no for d in before.decisions), default=0)
    said = [replace(d, no=last + n) for n, d in enumerate(say(before), 1)]
    after = Registry([], [*before.decisions, *said])
    over = [_mark(d) for at, d in before.marks.items() if at not in after.marks]
    marks.take(store, over, [*before.meanings, *after.meanings])
    again = [_mark(d) for at, d in after.marks.items() if at not in before.marks]
    marks.put(store, again, before.meanings, all_or_none=True)
    homonyms.take(store, before.meanings.keys() - after.meanings.keys())
    homonyms.put(store, after.meanings.keys() - before.meanings.keys())
    return decide(store, say)


def _known(registry: Registry, numbers: Iterable[int | range]) -> Iterator[int]:
    """The numbers of decisions. Raises NotFound at the first that there is not."""
    known = {d.no for d in registry.decisions}
    for numbered in numbers:
        for number in numbered if isinstance(numbered, range) else (numbered,):
            if number not in known:
                raise NotFound(
                    f"there is no decision {number}", hint="`forest anchors history` lists them."
                )
            yield number


def _mark(decision: Decision) -> marks.Mark:
    return marks.Mark(decision.into, decision.anchor, decision.phrase, decision.score)
