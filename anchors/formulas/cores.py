"""Recurring cores: anchors that stand together in trees more often than chance would have it.

A set of 2 to 4 anchors is a core if each way of splitting it in two gives parts that meet in more
trees than they would if they were independent: Fisher's exact test, one-sided, and the least
significant split counts. So a pair with an unrelated third is no core, nor is a set of anchors
that stand in nearly every tree. (G. I. Webb, "Self-sufficient itemsets", ACM TKDD 4(1), 2010.)

The p-value is corrected for the sets that could have been tried: ``by_chance`` is how many sets of
that size with such a p-value one expects in a forest whose anchors are independent, times the
number of sizes (Bonferroni, in layers). In a small forest little is beyond chance, and then
nothing is found.

A set is tried if it is in at least ``trees`` trees, and if every smaller set in it is more often
together than chance at the plain level of `PLAIN`. Where such sets of one size are more than
`MOST_SETS`, the bound on trees is raised until they fit. So memory is bounded; time is the sum over
trees of the square of their anchors, and what the sets that remain take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import combinations
from math import comb, exp, lgamma

from anchors.arguments import check_numbers
from anchors.formulas.book import Book
from anchors.formulas.model import Term
from anchors.formulas.syntax import joined, words_of
from anchors.formulas.where import registry_with
from anchors.registry import Registry
from forest.stores.base import Skip, Store

MOST_SETS = 500_000
"""How many sets of one size are kept in memory."""
SIZES = (2, 3, 4)
PLAIN = 0.05
"""Uncorrected p-value, above which a set is no part of a larger one."""

Set = tuple[int, ...]
Found = dict[Set, tuple[int, float]]
"""For each set of anchors the number of trees, and the p-value."""


@dataclass(frozen=True, slots=True)
class Core:
    """Anchors that stand together."""

    anchors: tuple[str, ...]
    """Their ids."""
    phrases: tuple[str, ...]
    trees: int
    """How many trees carry them all."""
    p: float
    """Of the least significant split, by Fisher's exact test."""
    by_chance: float
    """How many such sets one expects by chance."""
    code: str = ""
    """Of the formula that has these terms, if there is one."""

    @property
    def text(self) -> str:
        """A candidate formula, without a code."""
        return f"({joined([words_of(phrase) for phrase in self.phrases], '+')})"


@dataclass
class Mined:
    """The cores of a forest, those least likely by chance first."""

    cores: list[Core] = field(default_factory=list)
    trees: int = 0
    """Trees in the forest."""
    anchors: int = 0
    """Anchors that stand in enough trees to be part of a core."""
    support: int = 0
    """Trees that a set had to be in: as asked, or more where there were too many sets."""

    def maximal(self) -> list[Core]:
        """Without the cores that a larger one holds, standing in the same number of trees."""
        larger: dict[frozenset[str], int] = {}
        for core in self.cores:
            for size in range(2, len(core.anchors)):
                for some in combinations(core.anchors, size):
                    key = frozenset(some)
                    larger[key] = max(larger.get(key, 0), core.trees)
        return [c for c in self.cores if larger.get(frozenset(c.anchors), 0) < c.trees]


def propose(
    store: Store,
    *,
    trees: int = 2,
    by_chance: float = 0.05,
    terms: Iterable[Term] = (),
    skip: Skip | None = None,
) -> Mined:
    """The recurring cores of a forest, as candidate formulas. Nothing is stored.

    Only anchors that are phrases take part; those that are one (`anchors.registry`) count as one.

    :param trees: in how many trees a core stands at least.
    :param by_chance: how many such sets chance may have made at most.
    :param terms: terms of a formula that is not in the forest, which name anchors too.
    """
    check_numbers(trees=trees, by_chance=by_chance)
    book = Book.of(store, skip=lambda _: None)
    written = [t for formula in book.formulas.values() for t in formula.terms]
    registry = registry_with(store, [*terms, *written], skip)
    return found_in(carried(store, registry, skip), registry, book, trees, by_chance)


def carried(store: Store, registry: Registry, skip: Skip | None = None) -> dict[str, set[str]]:
    """The anchors that each tree carries, under the names they count under: one pass."""
    return {
        tree.id: {registry.head(x.anchor) for t in tree.thoughts for x in t.anchors}
        for tree in store.trees(skip)
    }


def found_in(
    carried: Mapping[str, set[str]],
    registry: Registry,
    book: Book,
    trees: int = 2,
    by_chance: float = 0.05,
) -> Mined:
    """The same as `propose`, from the anchors that each tree carries."""
    phrases = {registry.head(a.id) for a in registry.anchors.values() if a.kind == "phrase"}
    found = mine(
        (anchors & phrases for anchors in carried.values()), trees=trees, by_chance=by_chance
    )
    codes = {
        frozenset(registry.head(term.anchor) for term in formula.terms): formula.code
        for formula in reversed(book.formulas.values())
    }
    found.cores = [
        replace(
            core,
            phrases=tuple(registry.group(anchor).phrase for anchor in core.anchors),
            code=codes.get(frozenset(core.anchors), ""),
        )
        for core in found.cores
    ]
    return found


def by_chance(carried: Mapping[str, set[str]], anchors: Iterable[str]) -> tuple[int, float]:
    """(trees, p) of one set of 2 to 4 anchors that was not searched for, so nothing is corrected.

    :returns: how many trees carry all of them, and the p-value of the least significant split.
    """
    wanted = frozenset(anchors)
    miner = _Miner([there & wanted for there in carried.values()], 1, 1.0)
    if len(miner.names) < len(wanted):
        return 0, 1.0
    return miner.judged(tuple(range(len(wanted))))


def mine(carried: Iterable[set[str]], *, trees: int = 2, by_chance: float = 0.05) -> Mined:
    """The cores among the anchors that each tree carries."""
    return _Miner(list(carried), max(trees, 2), by_chance).mined


class _Miner:
    """``trees_of[i]`` has a bit for each tree that carries anchor number i."""

    def __init__(self, carried: list[set[str]], support: int, by_chance: float) -> None:
        self.total = len(carried)
        self.support = support
        counts = Counter(anchor for anchors in carried for anchor in anchors)
        # The rare ones first: what a set begins with has few others beside it.
        often = ((n, anchor) for anchor, n in counts.items() if n >= support)
        self.names = [anchor for _, anchor in sorted(often)]
        self.numbers = {anchor: i for i, anchor in enumerate(self.names)}
        self.rows = [
            sorted(self.numbers[a] for a in anchors if a in self.numbers) for anchors in carried
        ]
        self.trees_of = [0] * len(self.names)
        for place, row in enumerate(self.rows):
            for i in row:
                self.trees_of[i] |= 1 << place
        self.by_chance = by_chance

    def judged(self, some: Set) -> tuple[int, float]:
        """(trees, p) of a set."""
        together = self._common(some).bit_count()
        return together, self._p(some, together, enough=1.0)

    @cached_property
    def mined(self) -> Mined:
        found: list[Core] = []
        sets = self._pairs()
        for size in SIZES:
            found += self._cores(size, sets)
            if size < SIZES[-1]:
                sets = self._bounded(self._grown(sets))
        found.sort(key=lambda core: (core.by_chance, -core.trees, core.anchors))
        return Mined(found, self.total, len(self.names), self.support)

    def _cores(self, size: int, sets: Found) -> Iterator[Core]:
        tried = comb(len(self.names), size) * len(SIZES)
        for some, (trees, p) in sets.items():
            if trees >= self.support and p * tried <= self.by_chance:
                names = tuple(self.names[i] for i in reversed(some))
                yield Core(names, names, trees, p, p * tried)

    def _pairs(self) -> Found:
        return self._bounded(
            ((i, j), n)
            for i in range(len(self.names))
            for j, n in self._beside(i).items()
            if j > i and n >= self.support
        )

    def _beside(self, i: int) -> Counter[int]:
        """How often other anchors stand in the trees of one."""
        beside: Counter[int] = Counter()
        for place in _bits(self.trees_of[i]):
            beside.update(self.rows[place])
        return beside

    def _grown(self, sets: Found) -> Iterator[tuple[Set, int]]:
        """Sets of one more anchor, of which all smaller sets are among those given."""
        by_start: dict[Set, list[int]] = {}
        for some in sets:
            by_start.setdefault(some[:-1], []).append(some[-1])
        for start, ends in by_start.items():
            ends.sort()
            common = self._common(start)
            for i, j in combinations(ends, 2):
                some = (*start, i, j)
                if all(some[:k] + some[k + 1 :] in sets for k in range(len(start))):
                    n = (common & self.trees_of[i] & self.trees_of[j]).bit_count()
                    if n >= self.support:
                        yield some, n

    def _bounded(self, sets: Iterable[tuple[Set, int]]) -> Found:
        """The sets that pass; where they are too many, that takes more trees."""
        kept: Found = {}
        for some, n in sets:
            if n >= self.support and (p := self._p(some, n)) <= PLAIN:
                kept[some] = n, p
            while len(kept) > MOST_SETS:
                self.support += 1
                kept = {some: x for some, x in kept.items() if x[0] >= self.support}
        return kept

    def _common(self, some: Set) -> int:
        trees = (1 << self.total) - 1
        for i in some:
            trees &= self.trees_of[i]
        return trees

    def _p(self, some: Set, together: int, enough: float = PLAIN) -> float:
        """The p-value of the least significant split in two, or the first above ``enough``."""
        first, *rest = some
        worst = 0.0
        for size in range(len(rest)):
            for more in combinations(rest, size):
                one = (first, *more)
                other = tuple(i for i in rest if i not in more)
                counts = sorted(self._common(part).bit_count() for part in (one, other))
                if enough < 0.5 and together * self.total <= counts[0] * counts[1]:
                    return 1.0  # no more than is expected: that is more likely than not
                worst = max(worst, fisher(self.total, counts[0], counts[1], together))
                if worst > enough:
                    return worst
        return worst


def _bits(number: int) -> Iterator[int]:
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low


@lru_cache(maxsize=1 << 16)
def fisher(total: int, one: int, other: int, together: int) -> float:
    """The chance that sets of ``one`` and ``other`` trees share ``together`` of them or more.

    Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution.

    >>> round(fisher(16, 2, 2, 2) * 120, 6)
    1.0
    """
    log = _log_comb(one, together) + _log_comb(total - one, other - together)
    term = tail = exp(log - _log_comb(total, other))
    for n in range(together, min(one, other)):
        term *= (one - n) * (other - n) / ((n + 1) * (total - one - other + n + 1))
        tail += term
        if term < tail * 1e-12:
            break
    return min(1.0, tail)


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
