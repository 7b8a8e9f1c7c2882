"""Pairs of texts that are nearly the same: MinHash and locality-sensitive hashing.

A text is the set of its words of content and of the runs of two and three that they form. Of 128
hash functions the least value over the set is taken (Broder 1997); texts whose values agree in one
of several bands are compared (Leskovec, Rajaraman, Ullman, *Mining of Massive Datasets*, 3.4), and
a pair counts only if the Jaccard likeness of the two sets, worked out exactly, is high enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anchors.discovery.scratch import Chunk, Column, Sorter, Thoughts
from anchors.discovery.words import (
    FUNCTION,
    free,
    negations,
    number_of,
    quantifiers,
    read,
    words,
)

FUNCTIONS = 128
DETECTED = 0.98
"""A pair at the threshold comes into one band at least with this probability."""
CROWD = 48
"""In a band that more texts share, each is compared with so many of its neighbours only."""

_FACTOR = 0x9E3779B97F4A7C15


class Pair(NamedTuple):
    """Two thoughts of different trees, by their numbers, the lower first."""

    one: int
    other: int
    score: float


def shingles(text: str) -> frozenset[int]:
    """The set that stands for a text."""
    numbers, flags = read(text)
    content = [n for n, flag in zip(numbers, flags, strict=True) if not flag & FUNCTION]
    pairs = [_next(a, b) for a, b in pairwise(content)]
    threes = [_next(pair, c) for pair, c in zip(pairs, content[2:], strict=False)]
    return frozenset([*content, *pairs, *threes])


def _next(run: int, word: int) -> int:
    """The number of a run that one more word is put behind."""
    return ((run * _FACTOR) ^ word) % 2**64


def compatible(one: str, other: str) -> bool:
    """Whether two texts deny, count and ask alike, and do not say the same words in another order.

    What vectors do not see, and what changes a meaning.
    """
    first, second = _seen(one), _seen(other)
    return first.stops == second.stops and (
        first.words != second.words or first.shingles == second.shingles
    )


def likeness(one: str, other: str) -> float:
    """The Jaccard likeness of two texts; 0 where they deny, count or ask differently.

    And where one has a single word of content: that two texts share it says little.
    """
    return _jaccard(_seen(one), _seen(other))


class Seen(NamedTuple):
    """What of a text is compared."""

    shingles: frozenset[int]
    words: frozenset[int]
    """Its words of content."""
    stops: tuple[tuple[int, ...], tuple[int, ...], frozenset[str], bool]
    """Its words that turn a statement into another one, in their order; what it denies; its
    numbers; whether it asks."""


@lru_cache(maxsize=4096)
def _seen(text: str) -> Seen:
    numbers, flags = read(text)
    content = frozenset(n for n, flag in zip(numbers, flags, strict=True) if not flag & FUNCTION)
    digits = frozenset(word for word in words(text) if any(map(str.isdigit, word)))
    turning = tuple(
        number
        for number, flag in zip(numbers, flags, strict=True)
        if number in quantifiers() or (flag & FUNCTION and number not in free())
    )
    stops = turning, _denied(numbers), digits, "?" in text
    return Seen(shingles(text), content, stops)


def _denied(numbers: Sequence[int]) -> tuple[int, ...]:
    """The word behind each negation, whatever their order; 0 where there is none."""
    return tuple(sorted(b for a, b in pairwise([*numbers, 0]) if a in negations()))


def _jaccard(one: Seen, other: Seen) -> float:
    if one.stops != other.stops or len(one.words) < 2 or len(other.words) < 2:
        return 0.0
    both = len(one.shingles & other.shingles)
    return both / (len(one.shingles) + len(other.shingles) - both)


def bands(threshold: float) -> tuple[int, int]:
    """(bands, rows): the longest bands in which a pair at the threshold still meets."""
    for rows in range(16, 1, -1):
        number = FUNCTIONS // rows
        if 1 - (1 - threshold**rows) ** number >= DETECTED:
            return number, rows
    return FUNCTIONS, 1


def near_pairs(thoughts: Thoughts, folder: Path, threshold: float, seed: int = 0) -> Iterator[Pair]:
    """Pairs of thoughts of different trees, at least as like as ``threshold``, by their numbers.

    Of thoughts with the same words only the first of each is compared: they are `recurring`.
    """
    for records in _candidates(thoughts, folder, threshold, seed).parts():
        for key in np.unique(records["key"]):
            one, other = divmod(int(key), 2**32)
            score = _jaccard(_seen(thoughts[one].text), _seen(thoughts[other].text))
            if score >= threshold:
                yield Pair(one, other, score)


def _candidates(thoughts: Thoughts, folder: Path, threshold: float, seed: int) -> Sorter:
    """Pairs of thoughts that meet in a band; the key is both numbers."""
    number, rows = bands(threshold)
    sorter = Sorter(folder, "bands", 256)
    for chunk in thoughts.chunks(1 << 16):
        owner, signatures = _signatures(chunk, number * rows, seed)
        for band in range(number):
            keys = np.full(len(owner), np.uint64((band + 1) * _FACTOR % 2**64))
            for row in signatures[band * rows : (band + 1) * rows]:
                keys = (keys ^ row) * np.uint64(_FACTOR)
                keys ^= keys >> np.uint64(29)
            sorter.add(keys, owner)
    met = Sorter(folder, "met", 256)
    for records in sorter.parts():
        pairs = np.fromiter(_meeting(records, thoughts), np.uint64)
        met.add(pairs, np.zeros(len(pairs), np.uint32))
    return met


def _meeting(records: Column, thoughts: Thoughts) -> Iterator[int]:
    """Pairs of thoughts in one band, as one number each: thoughts of two trees, of other words."""
    keys, owners = records["key"], records["thought"]
    edges = np.flatnonzero(np.diff(keys, prepend=~keys[:1], append=~keys[-1:]))
    for begin, end in pairwise(edges):
        if end - begin < 2:
            continue
        members = owners[begin:end]
        first = np.unique(thoughts.lemma[members], return_index=True)[1]
        numbers = [int(n) for n in members[np.sort(first)]]
        for one, other in _compared(numbers):
            if thoughts.tree[one] != thoughts.tree[other]:
                yield one << 32 | other


def _compared(numbers: list[int]) -> Iterator[tuple[int, int]]:
    if len(numbers) <= CROWD:
        yield from combinations(numbers, 2)
        return
    for i, one in enumerate(numbers):
        for other in numbers[i + 1 : i + 1 + CROWD // 2]:
            yield one, other


def _signatures(chunk: Chunk, functions: int, seed: int) -> tuple[Column, NDArray[np.uint64]]:
    """(thoughts, least hashes): shape (functions, thoughts); thoughts without content left out."""
    content = (chunk.flag & FUNCTION) == 0
    owner, word = chunk.thought[content], chunk.word[content]
    runs, parts = word, [(owner, word)]
    for more in (1, 2):
        runs = (runs[:-1] * np.uint64(_FACTOR)) ^ word[more:]
        whole = owner[more:] == owner[:-more]
        parts.append((owner[more:][whole], runs[whole]))
    owners = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts])
    order = np.argsort(owners, kind="stable")
    owners, values = owners[order], values[order]
    thoughts, begin = np.unique(owners, return_index=True)
    least = np.empty((functions, len(thoughts)), np.uint64)
    if len(thoughts):
        for i, (factor, shift) in enumerate(_functions(functions, seed)):
            least[i] = np.minimum.reduceat((values ^ shift) * factor >> np.uint64(16), begin)
    return thoughts, least


def _functions(number: int, seed: int) -> list[tuple[np.uint64, np.uint64]]:
    """(odd factor, mask) of each hash function."""
    return [
        (
            np.uint64(number_of(f"{seed}/factor/{i}") | 1),
            np.uint64(number_of(f"{seed}/mask/{i}")),
        )
        for i in range(number)
    ]


def near_phrases(
    phrases: Sequence[tuple[str, str]], threshold: float
) -> Iterator[tuple[str, str, float]]:
    """(id, id, score) of phrases that are nearly the same: (id, phrase) each."""
    sets = [(id_, _seen(phrase)) for id_, phrase in phrases]
    by_shingle: dict[int, list[int]] = defaultdict(list)
    for number, (_, seen) in enumerate(sets):
        for other in sorted({n for s in seen.shingles for n in by_shingle[s][-CROWD:]}):
            score = _jaccard(sets[other][1], seen)
            if score >= threshold:
                yield sets[other][0], sets[number][0], score
        for shingle in seen.shingles:
            by_shingle[shingle].append(number)
