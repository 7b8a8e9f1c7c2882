"""From a forest to its review list."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from sys import intern
from tempfile import TemporaryDirectory

import numpy as np

from anchors.deciding import finish
from anchors.decisions import Decision, decisions, taken_back
from anchors.discovery import near, phrases, whole, words
from anchors.discovery.known import Known, name_of
from anchors.discovery.near import Pair
from anchors.discovery.scratch import Thoughts
from anchors.discovery.sureness import GUESSED, excluding, sure_score, sureness
from anchors.discovery.whole import Mark
from anchors.embedding import Embedder
from anchors.nominal import are_turned
from anchors.proposals import (
    MARK,
    MERGE,
    RULES,
    Proposal,
    replace,
    surest_first,
)
from anchors.registry import Registry
from forest.errors import UsageError
from forest.model import Anchor
from forest.phrases import phrase_key
from forest.stores.base import Skip, Store

DEFAULT_RULES = ("exact", "lemma", "near")
THRESHOLDS: Mapping[str, float] = {
    "words": 0.25,
    "near": 0.9,
    "meaning": 0.99,
    "phrases": phrases.NPMI,
}
"""From which score on something is proposed; see docs/discovery.md for what they let through."""

STEMMED = 0.25
"""The score of a merge of anchors that only have their stems in common ("cause of pain", "causing
pain")."""
_RULES_OF = {
    "words": ("exact", "lemma"),
    "near": ("near",),
    "meaning": ("meaning",),
    "phrases": ("phrase",),
}
"""The rules that a threshold is about."""

MOST = 25_000
"""Proposals that a list holds; a store keeps them in memory while it writes them, at 4 KB each."""


@dataclass
class Report:
    """What a search found and put on the review list."""

    trees: int = 0
    thoughts: int = 0
    proposals: list[Proposal] = field(default_factory=list)
    """The surest first."""
    new: int = 0
    """Proposals that were not on the list before."""
    known: int = 0
    """Findings that are marked, merged or refused already, or in which authors told anchors apart
    that are spelled alike."""
    unnameable: int = 0
    """Whole thoughts that recur but cannot be a phrase: more than 512 characters or one line."""
    beyond: int = 0
    """Findings left out because there are more than a list shall hold."""

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """How many proposals there are by (what, rule)."""
        return dict(sorted(Counter((p.what, p.rule) for p in self.proposals).items()))


def discover(
    store: Store,
    *,
    rules: Sequence[str] = DEFAULT_RULES,
    embedder: Embedder | None = None,
    thresholds: Mapping[str, float] | None = None,
    seed: int = 0,
    most: int = MOST,
    skip: Skip | None = None,
) -> Report:
    """Find anchors that authors did not mark, and put them on the review list.

    Nothing else is changed; what these rules had proposed before and nobody decided is replaced.
    The same forest, rules and seed give the same list on every store.

    :param rules: of exact, lemma, near, meaning (which needs an ``embedder``), stem, phrase.
    :param thresholds: least scores by rule, and of new ``phrases``; the others as in `THRESHOLDS`.
    :param seed: of the hash functions of ``near``.
    :param most: of more proposals only the surest are put on the list.

    :raises UsageError: no such rule or threshold, or one that is not about these rules; no embedder
        for ``meaning``, or one without it; a forest too large for ``meaning``.
    :raises NotATree: see `Store.trees`; so does InvalidTree. Both go to ``skip`` if it is given.
    :raises EmbedderError: see `anchors.embedding`.
    :raises OSError: the temporary folder (TMPDIR) has no room.
    """
    limits = _checked(rules, embedder, thresholds)
    before = {d.no for d in decisions(store)}
    finish(store)
    with _scratch() as name:
        thoughts = Thoughts(Path(name), store.trees(skip))
        try:
            registry = Registry.of(store)
            terms = _terms(store)
            search = _Search(thoughts, Path(name), registry, terms, limits, seed, most)
            report = search.run(rules, embedder)
        finally:
            thoughts.close()
    found = len(report.proposals)
    still_open = _open_in(registry, before)
    report.proposals, report.new = replace(store, report.proposals, rules, still_open)
    report.known += found - len(report.proposals)
    return report


def _terms(store: Store) -> list[Anchor]:
    """The terms of all formulas: anchors, whether or not a thought carries them."""
    from anchors.formulas.book import Book

    formulas = Book.of(store, skip=lambda _: None).formulas.values()
    return [Anchor(id=t.anchor, phrase=t.phrase) for f in formulas for t in f.terms]


def _open_in(
    registry: Registry, before: Collection[int]
) -> Callable[[Sequence[Decision]], Callable[[Proposal], bool]]:
    """What `replace` asks: a search may take minutes, and reviewers decide meanwhile."""

    def still_open(made: Sequence[Decision]) -> Callable[[Proposal], bool]:
        undone = taken_back(made)
        since = [d for d in made if d.no not in before]
        if not since:
            return lambda _: True
        known = Known(Registry(registry.anchors.values(), made))
        standing = [d for d in since if d.no not in undone]
        return lambda proposal: known.leaves_open(proposal, standing)

    return still_open


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder for what is sorted. An OSError, such as of a full disk, names it."""
    with TemporaryDirectory(prefix="forest-discovery-") as name:
        try:
            yield name
        except OSError as error:
            error.filename = error.filename or name
            raise


def _checked(
    rules: Sequence[str], embedder: Embedder | None, thresholds: Mapping[str, float] | None
) -> dict[str, float]:
    for rule in rules:
        if rule not in RULES:
            raise UsageError(f"there is no rule {rule!r}: expected some of {', '.join(RULES)}")
    if "meaning" in rules and embedder is None:
        raise UsageError(
            "the rule meaning needs an embedder", hint='In Python open_embedder("hashed").'
        )
    if embedder is not None and "meaning" not in rules:
        raise UsageError("an embedder is for the rule meaning, which was not asked for")
    for threshold, value in (thresholds or {}).items():
        if threshold not in THRESHOLDS:
            raise UsageError(
                f"there is no threshold {threshold!r}: expected some of {', '.join(THRESHOLDS)}"
            )
        if not set(_RULES_OF[threshold]) & set(rules):
            raise UsageError(
                f"the threshold {threshold} is for the rule {' or '.join(_RULES_OF[threshold])}, "
                "which was not asked for"
            )
        if not (math.isfinite(value) and 0 < value <= 1):
            raise UsageError(f"the threshold {threshold} is {value}: expected above 0, at most 1")
    return {**THRESHOLDS, **(thresholds or {})}


class _Search:
    """One search: its scratch folder, what is known, and what is found."""

    def __init__(
        self,
        thoughts: Thoughts,
        folder: Path,
        registry: Registry,
        terms: Iterable[Anchor],
        limits: Mapping[str, float],
        seed: int,
        most: int,
    ) -> None:
        self._thoughts, self._folder = thoughts, folder
        self._known = Known(registry)
        self._terms = self._known.not_there(terms)
        self._limits, self._seed, self._most = limits, seed, most
        self._report = Report(len(thoughts.trees), len(thoughts))
        self._found: dict[str, Proposal] = {}

    def run(self, rules: Sequence[str], embedder: Embedder | None) -> Report:
        if not {"exact", "lemma", "phrase"}.isdisjoint(rules):
            self._words(rules)
        if "lemma" in rules:
            self._merges(self._alike(words.readings_of, GUESSED), "lemma")
        if "stem" in rules:
            self._merges(self._alike(words.stems_of, STEMMED), "stem")
        if "near" in rules:
            limit = self._limits["near"]
            self._pairs(near.near_pairs(self._thoughts, self._folder, limit, self._seed), "near")
            self._merges(near.near_phrases(self._phrases(), limit), "near")
        if "meaning" in rules and embedder is not None:
            self._meaning(embedder)
        self._keep_surest()
        self._report.proposals = list(self._found.values())
        return self._report

    # --- marks ---------------------------------------------------------------------------------

    def _words(self, rules: Sequence[str]) -> None:
        thoughts, known = self._thoughts, self._known
        whole_marks = whole.recurring(thoughts, self._folder)
        anchors = [*known.registry.anchors.values(), *self._terms]
        # All of them first: they cover words, which no new phrase is made of.
        standing = phrases.standing(thoughts, anchors, known)
        least = self._limits["words"]
        hits = [hit for hit in standing if not hit.marked and hit.score >= least]
        new: Iterable[Mark] = ()
        if "phrase" in rules:
            new = phrases.new_phrases(thoughts, self._folder, self._limits["phrases"])
        for mark in chain(whole_marks, self._standing(hits), new):
            if mark.rule in rules:
                self._mark(mark)

    def _standing(self, hits: Iterable[phrases.Hit]) -> Iterator[Mark]:
        """Marks of hits, with a thought of another tree that carries it, or else says it too."""
        hits = list(hits)
        said: dict[str, list[int]] = defaultdict(list)
        for hit in hits:
            self._note(said[self._meant(hit.anchor, hit.thought)], hit.thought)
        for hit in hits:
            head = self._meant(hit.anchor, hit.thought)
            others = chain(self._carriers.get(head, ()), said[head])
            tree = self._thoughts.tree[hit.thought]
            other = next((n for n in others if self._thoughts.tree[n] != tree), None)
            if other is not None:
                rule = "exact" if hit.exact else "lemma"
                yield Mark(hit.thought, hit.anchor, hit.phrase, other, rule, hit.score)

    def _meant(self, anchor: str, number: int) -> str:
        """The head of the group of the anchor that is meant where this one stands in a thought."""
        tree = self._thoughts.trees[self._thoughts.tree[number]]
        thought = self._thoughts[number]
        meant = self._known.meant(anchor, tree, thought.id)
        meant = self._known.is_another(thought.anchors, meant) or meant
        return self._known.registry.head(meant)

    def _in_place(self, anchor: str, mark: Mark) -> str | None:
        """What an anchor means where it is marked; None if the evidence means another one."""
        tree = self._thoughts.trees[self._thoughts.tree[mark.thought]]
        meant = self._known.meant(anchor, tree, self._thoughts[mark.thought].id)
        head, carried = self._known.registry.head(meant), self._thoughts[mark.other].anchors
        same = self._known.is_marked(carried, head) or self._meant(anchor, mark.other) == head
        return meant if same else None

    def _note(self, there: list[int], number: int) -> None:
        """Keep the first thoughts of two trees."""
        trees = self._thoughts.tree
        if len(there) < 2 and all(trees[n] != trees[number] for n in there):
            there.append(number)

    @cached_property
    def _carriers(self) -> dict[str, list[int]]:
        """By anchor, the first thoughts of two trees that carry it."""
        carriers: dict[str, list[int]] = defaultdict(list)
        for number in range(len(self._thoughts)):
            for anchor in self._thoughts[number].anchors:
                self._note(carriers[self._known.registry.head(anchor)], number)
        return carriers

    def _mark(self, mark: Mark) -> None:
        phrase = name_of(mark.phrase)
        if phrase is None:
            self._report.unnameable += 1
            return
        thought = self._thoughts[mark.thought]
        anchor = self._known.anchor_of(mark.anchor)
        if anchor is not None and self._known.registry.meanings:
            anchor = self._in_place(anchor, mark)
        if (
            anchor is None
            or self._known.is_marked(thought.anchors, anchor)
            or self._known.is_said(thought.anchors, phrase)
            or self._known.refused_mark(thought.id, anchor)
        ):
            self._report.known += 1
            return
        other = self._thoughts[mark.other].id
        self._add(
            Proposal(
                MARK,
                mark.rule,
                mark.score,
                anchor,
                phrase=phrase,
                thought=thought.id,
                other=other,
                carried=anchor in self._known.registry.anchors,
            )
        )

    def _pairs(self, pairs: Iterable[Pair], rule: str) -> None:
        """Marks for whole thoughts that are like each other: both get the anchor of one of them."""
        for leader, member, score in _stars(self._sure(pairs), len(self._thoughts)):
            anchor = self._thoughts[leader].text
            for one, other in ((leader, member), (member, leader)):
                text = self._thoughts[one].text
                if name_of(anchor) is None:
                    self._report.unnameable += 1
                else:
                    self._mark(Mark(one, anchor, text, other, rule, score))

    def _sure(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """Pairs without those whose words only seem to be one; what is guessed is scored so."""
        for pair in pairs:
            one, other = (self._thoughts[number].text for number in pair[:2])
            if sure := sureness(one, other):
                yield pair._replace(score=min(pair.score, sure))

    # --- merges --------------------------------------------------------------------------------

    def _phrases(self) -> list[tuple[str, str]]:
        """(id, phrase) of one anchor of each group."""
        registry = self._known.registry
        heads = sorted({registry.head(id_) for id_ in registry.anchors})
        return [(id_, registry.anchors[id_].phrase) for id_ in heads]

    def _alike(
        self, keys: Callable[[str], Iterable[int]], score: float
    ) -> Iterator[tuple[str, str, float]]:
        """Anchors that share a key which is too coarse to join them."""
        same: dict[int, str] = {}
        for id_, phrase in self._phrases():
            for number in filter(None, keys(phrase)):
                first = same.setdefault(number, id_)
                if first != id_:
                    yield first, id_, score

    def _merges(self, pairs: Iterable[tuple[str, str, float]], rule: str) -> None:
        anchors = self._known.registry.anchors
        carriers = self._carriers
        for one, other, score in pairs:
            if anchors[one].kind != anchors[other].kind:
                continue
            if self._known.are_two(one, other) or self._known.refused_merge(one, other):
                self._report.known += 1
                continue
            both = anchors[one].phrase, anchors[other].phrase
            sure = sure_score(*both, score)
            if not sure or are_turned(*(phrase_key(phrase).split() for phrase in both)):
                continue
            if excluding(self._known.registry, one, other):
                self._report.known += 1
                continue
            # The rarer one goes into the one that more trees carry.
            into, anchor = sorted(
                (one, other), key=lambda i: (-anchors[i].trees, -anchors[i].thoughts, i)
            )
            first, second = (
                self._thoughts[carriers[i][0]].id if carriers.get(i) else "" for i in (anchor, into)
            )
            self._add(Proposal(MERGE, rule, sure, anchor, into=into, thought=first, other=second))

    def _meaning(self, embedder: Embedder) -> None:
        from anchors.discovery import meaning

        limit = self._limits["meaning"]
        self._pairs(meaning.meaning_pairs(self._thoughts, self._folder, embedder, limit), "meaning")
        self._merges(meaning.meaning_phrases(self._phrases(), embedder, limit), "meaning")

    def _add(self, proposal: Proposal) -> None:
        """Keep it, unless a surer rule found the same."""
        # The same phrases and thoughts stand in many proposals.
        proposal = dataclasses.replace(
            proposal,
            score=round(proposal.score, 4),
            anchor=intern(proposal.anchor),
            phrase=intern(proposal.phrase),
            thought=intern(proposal.thought),
            other=intern(proposal.other),
        )
        old = self._found.get(proposal.id)
        if old is None or (RULES.index(old.rule), -old.score) > (
            RULES.index(proposal.rule),
            -proposal.score,
        ):
            self._found[proposal.id] = proposal
        if len(self._found) > self._most + self._most // 4:
            self._keep_surest()

    def _keep_surest(self) -> None:
        order = sorted(self._found.values(), key=surest_first)
        self._report.beyond += max(len(order) - self._most, 0)
        self._found = {proposal.id: proposal for proposal in order[: self._most]}


_PAIR = np.dtype([("one", "<u4"), ("other", "<u4"), ("score", "<f8")])


def _stars(pairs: Iterable[Pair], thoughts: int) -> Iterator[tuple[int, int, float]]:
    """Pairs as stars (leader, member, score): what is like one thought gets one anchor.

    The best pairs come first; a member of one star becomes no leader unless nothing else joins the
    two. Each pair that is given is a pair that was found, so nothing drifts. All pairs are in
    memory, 16 bytes each, and two bytes for each thought.

    :param thoughts: how many there are.
    """
    found = np.fromiter(pairs, _PAIR)
    found = found[np.lexsort((found["other"], found["one"], -found["score"]))]
    leader, member = bytearray(thoughts), bytearray(thoughts)
    left = np.zeros(len(found), bool)
    for at, pair in enumerate(found):
        one, other, score = pair.item()
        if not member[one] and not member[other] and not leader[other]:
            leader[one] = member[other] = True
            yield one, other, score
        elif not member[other] and not member[one] and not leader[one]:
            leader[other] = member[one] = True
            yield other, one, score
        else:
            left[at] = True
    for pair in found[left]:
        one, other, score = pair.item()
        if not leader[one] and not member[one]:
            member[one] = True
            yield other, one, score
        elif not leader[other] and not member[other]:
            member[other] = True
            yield one, other, score
