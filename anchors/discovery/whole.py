"""Whole thoughts that recur in different trees, in the same words or in other forms of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anchors.discovery.scratch import Sorter, Thoughts, groups
from anchors.discovery.sureness import families, sureness
from anchors.discovery.words import read, says_something
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

    Texts without a word of content or a sign are left out: that «Почему?» recurs says nothing.
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
    by_spelling: dict[int, list[int]] = defaultdict(list)
    for number in members:
        by_spelling[int(thoughts.exact[number])].append(number)
    texts = {spelled: thoughts[some[0]].text for spelled, some in by_spelling.items()}
    if not says_something(read(thoughts[members[0]].text)[1]):
        return
    keys = {spelled: phrase_key(text) for spelled, text in texts.items()}
    often: Counter[str] = Counter()
    for spelled, some in by_spelling.items():
        often[keys[spelled]] += len(some)
    recurring = {
        keys[spelled]
        for spelled, some in by_spelling.items()
        if len(_of_two_trees(thoughts, some)) == 2
    }
    family = families(often, recurring)
    # By the spelling that leads a family, thoughts of two trees, those that are spelled so first.
    first: dict[str, list[int]] = defaultdict(list)
    for spelled in sorted(by_spelling, key=lambda one: family[keys[one]][0] != keys[one]):
        first[family[keys[spelled]][0]] += _of_two_trees(thoughts, by_spelling[spelled])
    for spelled, some in by_spelling.items():
        anchor, sure = family[keys[spelled]]
        same, others = _of_two_trees(thoughts, some), _of_two_trees(thoughts, first[anchor])
        for number in some:
            tree, text = thoughts.tree[number], thoughts[number].text
            if (other := _elsewhere(thoughts, same, tree)) is not None:
                yield Mark(number, anchor, text, other, "exact", sure)
            elif (other := _elsewhere(thoughts, others, tree)) is not None:
                score = min(sure, sureness(text, thoughts[other].text))
                if score:
                    yield Mark(number, anchor, text, other, "lemma", score)


def _of_two_trees(thoughts: Thoughts, numbers: Iterable[int]) -> list[int]:
    """The first thoughts of two trees."""
    found: list[int] = []
    for number in numbers:
        if not found or thoughts.tree[number] != thoughts.tree[found[0]]:
            found.append(number)
        if len(found) == 2:
            break
    return found


def _elsewhere(thoughts: Thoughts, numbers: Sequence[int], tree: int) -> int | None:
    """The first in another tree."""
    return next((n for n in numbers if thoughts.tree[n] != tree), None)
