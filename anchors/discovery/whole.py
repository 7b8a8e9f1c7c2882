"""Whole thoughts that recur in different trees, in the same words or in other forms of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anchors.discovery.scratch import Sorter, Thoughts, groups
from anchors.discovery.words import FUNCTION, read
from forest.phrases import phrase_key


class Mark(NamedTuple):
    """That a thought says what an anchor says; numbers are those of `Thoughts`."""

    thought: int
    anchor: str
    """The phrase whose anchor it is."""
    phrase: str
    other: int
    rule: str
    score: float


def recurring(thoughts: Thoughts, folder: Path) -> Iterator[Mark]:
    """A mark for each thought whose whole text recurs in another tree: exact, else lemma.

    Texts without a word of content are left out: that «Почему?» recurs says nothing.
    """
    sorter = Sorter(folder, "whole")
    step = 1 << 16
    for first in range(0, len(thoughts), step):
        keys = np.asarray(thoughts.lemma[first : first + step])
        numbers = np.arange(first, first + len(keys), dtype=np.uint32)
        there = keys != 0
        sorter.add(keys[there], numbers[there])
    for records in sorter.parts():
        found = groups(records, thoughts.tree)
        for group in np.flatnonzero(found.trees > 1):
            members = records["thought"][found.begin[group] : found.end[group]]
            yield from _marks(thoughts, [int(number) for number in members])


def _marks(thoughts: Thoughts, members: Sequence[int]) -> Iterator[Mark]:
    texts = [thoughts[number].text for number in members]
    if all(flag & FUNCTION for flag in read(texts[0])[1]):
        return
    spellings = Counter(phrase_key(text) for text in texts)
    anchor = min(spellings, key=lambda spelling: (-spellings[spelling], spelling))
    for number, text in zip(members, texts, strict=True):
        same = _elsewhere(thoughts, number, [n for n in members if _equal(thoughts, n, number)])
        other = same if same is not None else _elsewhere(thoughts, number, members)
        if other is not None:
            yield Mark(number, anchor, text, other, "lemma" if same is None else "exact", 1.0)


def _equal(thoughts: Thoughts, one: int, other: int) -> bool:
    return bool(thoughts.exact[one] == thoughts.exact[other])


def _elsewhere(thoughts: Thoughts, number: int, members: Sequence[int]) -> int | None:
    """The first member in another tree."""
    tree = thoughts.tree[number]
    return next((n for n in members if thoughts.tree[n] != tree), None)
