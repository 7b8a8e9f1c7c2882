"""The forest seen by its meaning axes, and which axes a tree's words speak for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import log, sqrt
from typing import Any, Protocol

from anchors.arguments import check_store
from anchors.lemmas import lemmas
from forest.arguments import name_of
from forest.errors import Conflict
from forest.model import Axis, Tree
from forest.phrases import phrase_key
from forest.stores.base import Skip, Store

MOST_AXES = 3
"""How many axes are suggested for a tree."""
STEP = 5
"""Suggested weights are multiples of so many per cent."""
SEEN = 20_000
"""Characters of a tree that are compared."""
EXAMPLES = 200
"""Trees of an axis that are compared with."""
LEAST = 0.08
"""What is less like an axis than this, a cosine, says nothing about it: of five axes, sentences
about a ball and a fox reach 0.05 and 0.08 by letters that they share."""
TRIED = 50
"""Trees of which is tried whether suggestions are right."""


def trees_by_axis(
    store: Store, skip: Skip | None = None
) -> list[tuple[Axis, list[tuple[str, float]]]]:
    """Each axis with the trees bound to it as (tree id, weight), the strongest first.

    What is no tree raises NotATree or InvalidTree, or is left out and told to ``skip``.
    """
    bound: dict[str, list[tuple[str, float]]] = {}
    for info in store.infos(skip):
        for name, weight in info.axes.items():
            bound.setdefault(phrase_key(name), []).append((info.id, weight))
    return [
        (axis, sorted(bound.get(axis.id, []), key=lambda pair: (-pair[1], pair[0])))
        for axis in store.axes()
    ]


# --- suggesting -----------------------------------------------------------------------------------


class Embedder(Protocol):
    """Turns texts into vectors."""

    def embed(self, texts: Sequence[str], /) -> Any:
        """One row of length 1 for each text: shape (texts, dimensions)."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An axis for a tree, and how near the tree's words are to it."""

    axis: str
    weight: float
    """A fraction; those of all suggestions sum to 1."""
    description: float
    """Similarity to the axis's name and description, 0 to 1."""
    trees: float
    """Mean similarity to the trees bound to it, weighted as they are; 0 where there are none."""


def suggest_axes(
    store: Store, tree: Tree | str, embedder: Embedder | None = None
) -> list[Suggestion]:
    """Axes for a tree from its words, the nearest first; nothing is bound.

    Weights grow with the lead over the mean of all axes; empty where no axis stands out, or where
    nothing speaks for one: the tree is like no description and no trees, not by `LEAST`.

    :param tree: one of the forest, or its id.
    :param embedder: `WordVectors` where none is given.
    :raises NotFound: there is no such tree.
    :raises Conflict: the forest has no axes.
    """
    check_store(store)
    there = store.get(name_of(tree, Tree, "a tree or its id"))
    table = _described(store)
    bound = _examples(table, {there.id})
    others = list(dict.fromkeys(other for trees in bound for other, _ in trees))
    texts = [said(there), *_axis_texts(table), *(said(store.get(other)) for other in others)]
    near = _near((embedder or WordVectors()).embed(texts))[0][1:]
    return _weighted(_compared(table, bound, near, others))


@dataclass(frozen=True, slots=True)
class Trust:
    """How far suggestions can be trusted: they were made for trees that are bound already."""

    right: int
    """Trees whose strongest axis (one of them) was suggested first, the tree itself left out."""
    constant: int
    """Trees whose strongest axis it is, if always the most common one is named."""
    of: int


def trust(store: Store, embedder: Embedder | None = None) -> Trust:
    """How often the first suggestion is the strongest axis of a tree that is bound (leave-one-out).

    At most `TRIED` trees are tried. Raises Conflict as `suggest_axes`.
    """
    table = _described(store)
    strongest = _strongest(table)
    tried = sorted(strongest)[:: -(-len(strongest) // TRIED) or 1]
    kept = {other for trees in _examples(table, set()) for other, _ in trees}
    ids = list(dict.fromkeys([*tried, *sorted(kept)]))
    texts = [*_axis_texts(table), *(said(store.get(id_)) for id_ in ids)]
    near = _near((embedder or WordVectors()).embed(texts)) if tried else []
    right = 0
    for at, id_ in enumerate(tried, len(table)):
        found = _weighted(_compared(table, _examples(table, {id_}), near[at], ids))
        right += bool(found) and found[0].axis in strongest[id_]
    often = Counter(axis for id_ in tried for axis in strongest[id_])
    return Trust(right, max(often.values(), default=0), len(tried))


Table = list[tuple[Axis, list[tuple[str, float]]]]


def _described(store: Store) -> Table:
    table = trees_by_axis(store, lambda _: None)
    if not table:
        raise Conflict(
            "the forest has no axes to suggest",
            hint="`forest init` adds the five axes of thinking, `forest axes add NAME` another.",
        )
    return table


def _axis_texts(table: Table) -> list[str]:
    return [f"{axis.name}. {axis.description}" for axis, _ in table]


def _examples(table: Table, without: set[str]) -> list[list[tuple[str, float]]]:
    """By axis, the trees that are compared with, and their weights."""
    return [
        [(other, weight) for other, weight in trees if other not in without][:EXAMPLES]
        for _, trees in table
    ]


def _strongest(table: Table) -> dict[str, set[str]]:
    """By tree, its strongest axes."""
    found: dict[str, list[tuple[float, str]]] = {}
    for axis, trees in table:
        for id_, weight in trees:
            found.setdefault(id_, []).append((weight, axis.name))
    return {
        id_: {name for weight, name in axes if weight == max(axes)[0]}
        for id_, axes in found.items()
    }


def _near(rows: Any) -> Any:
    """The likeness of each text to each, 0 to 1."""
    import numpy as np

    matrix = np.asarray(rows, dtype=np.float64)
    return np.clip(matrix @ matrix.T, 0.0, None)


def _compared(
    table: Table, bound: list[list[tuple[str, float]]], near: Any, ids: Sequence[str]
) -> list[Suggestion]:
    """How near each axis is; ``near`` is the likeness to the axes, then to the trees ``ids``."""
    to_tree = dict(zip(ids, near[len(table) :], strict=True))
    found = []
    for (axis, _), description, trees in zip(table, near, bound, strict=False):
        total = sum(weight for _, weight in trees)
        mean = sum(to_tree[other] * weight for other, weight in trees) / total if total else 0.0
        found.append(
            Suggestion(
                axis.name, (float(description) + float(mean)) / 2, float(description), float(mean)
            )
        )
    return found


def said(tree: Tree) -> str:
    """What a tree says, from its beginning: its title and its thoughts."""
    parts, size = [tree.title], 0
    for thought in tree.thoughts:
        parts.append(thought.text)
        size += len(thought.text)
        if size > SEEN:
            break
    return "\n".join(parts)[:SEEN]


def _weighted(found: list[Suggestion]) -> list[Suggestion]:
    """The nearest axes with weights in steps of `STEP` per cent."""
    base = sum(s.weight for s in found) / len(found) if len(found) > 1 else 0.0
    ahead = sorted(found, key=lambda s: (-s.weight, s.axis))[:MOST_AXES]
    near = [s for s in ahead if max(s.description, s.trees) >= LEAST]
    leads = [(s, s.weight - base) for s in near if s.weight - base > 1e-9]
    total = sum(lead for _, lead in leads)
    leads = [(s, lead) for s, lead in leads if lead / total * 100 >= STEP]
    total = sum(lead for _, lead in leads)
    shares = [STEP * round(lead / total * 100 / STEP) for _, lead in leads]
    if shares:
        shares[0] += 100 - sum(shares)
    return [
        Suggestion(s.axis, share / 100, s.description, s.trees)
        for (s, _), share in zip(leads, shares, strict=True)
        if share
    ]


class WordVectors:
    """Vectors of lemmas and of three letters in a row, hashed; the rarer a word, the heavier.

    Works for any language and needs no model. How rare a word is, is counted over the texts of one
    call, so only vectors of the same call can be compared.
    """

    def __init__(self, dimensions: int = 4096) -> None:
        self._dimensions = dimensions

    def embed(self, texts: Sequence[str], /) -> list[list[float]]:
        """One row of length 1 for each text (or of zeros, where nothing is said)."""
        counts = [_features(text) for text in texts]
        spread: dict[str, int] = {}
        for count in counts:
            for feature in count:
                spread[feature] = spread.get(feature, 0) + 1
        return [self._row(count, spread, len(texts)) for count in counts]

    def _row(self, count: dict[str, float], spread: dict[str, int], texts: int) -> list[float]:
        row = [0.0] * self._dimensions
        for feature, weight in count.items():
            digest = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")
            sign = 1.0 if digest >> 63 else -1.0
            rare = log((1 + texts) / spread[feature])
            row[digest % self._dimensions] += sign * rare * sqrt(weight)
        length = sqrt(sum(x * x for x in row)) or 1.0
        return [x / length for x in row]


def _features(text: str) -> dict[str, float]:
    count: dict[str, float] = {}
    for lemma in lemmas(text):
        if len(lemma) > 2:
            count[lemma] = count.get(lemma, 0.0) + 1.0
            for i in range(len(lemma) - 2):
                letters = f"\0{lemma[i : i + 3]}"
                count[letters] = count.get(letters, 0.0) + 0.1
    return count
