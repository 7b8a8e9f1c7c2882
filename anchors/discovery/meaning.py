"""Pairs of texts that mean nearly the same: nearest neighbours among vectors, exactly, by blocks.

The work grows with the square of the number of texts: 100,000 take some minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BufferedWriter
from pathlib import Path

import numpy as np

from anchors.discovery.near import Pair, compatible
from anchors.discovery.scratch import Column, Thoughts
from anchors.discovery.words import FUNCTION, read
from anchors.embedding import Embedder
from forest.errors import UsageError

MOST = 200_000
"""More texts are not compared by meaning."""
NEIGHBOURS = 3
"""Of each text so many nearest ones at most are proposed."""
_BLOCK = 1024


def meaning_pairs(
    thoughts: Thoughts, folder: Path, embedder: Embedder, threshold: float
) -> Iterator[Pair]:
    """Pairs of thoughts of different trees whose cosine is at least ``threshold``.

    Raises UsageError for more than 200,000 thoughts with words of content; EmbedderError.
    """
    numbers = _first_of_each(thoughts)
    _check_number(len(numbers), "thoughts")
    texts = (thoughts[int(number)].text for number in numbers)
    rows = _rows(folder, texts, len(numbers), embedder)
    trees = np.asarray(thoughts.tree[numbers]) if len(numbers) else np.zeros(0, np.uint32)
    for i, j, score in neighbours(rows, trees, threshold):
        pair = Pair(int(numbers[i]), int(numbers[j]), score)
        if compatible(thoughts[pair.one].text, thoughts[pair.other].text):
            yield pair


def meaning_phrases(
    phrases: Sequence[tuple[str, str]], embedder: Embedder, threshold: float
) -> Iterator[tuple[str, str, float]]:
    """(id, id, cosine) of phrases that mean nearly the same: (id, phrase) each.

    Raises UsageError for more than 200,000 phrases; EmbedderError.
    """
    _check_number(len(phrases), "anchors")
    rows = embedder.embed([phrase for _, phrase in phrases])
    for i, j, score in neighbours(rows, np.arange(len(phrases)), threshold):
        if compatible(phrases[i][1], phrases[j][1]):
            yield phrases[i][0], phrases[j][0], score


def _check_number(number: int, what: str) -> None:
    if number > MOST:
        raise UsageError(
            f"{number:,} different {what} are too many to compare by meaning: at most {MOST:,}",
            hint="Leave the rule meaning out.",
        )


def neighbours(rows: Column, of: Column, threshold: float) -> Iterator[tuple[int, int, float]]:
    """(i, j, cosine) with i < j of rows in different trees, each among the nearest of i or j.

    :param of: the number of the tree of each row; of what is in one tree nothing is compared.
    """
    found: set[tuple[int, int]] = set()
    for begin in range(0, len(rows), _BLOCK):
        block = np.asarray(rows[begin : begin + _BLOCK])
        best = np.full((len(block), NEIGHBOURS), -1.0, np.float32)
        at = np.full((len(block), NEIGHBOURS), -1, np.int64)
        for other in range(0, len(rows), _BLOCK):
            cosine = block @ np.asarray(rows[other : other + _BLOCK]).T
            cosine[of[begin : begin + _BLOCK, None] == of[None, other : other + _BLOCK]] = -1
            if cosine.max(initial=-1) >= threshold:
                best, at = _better(best, at, cosine, other)
        for row, column in zip(*np.nonzero(best >= threshold), strict=True):
            i, j = sorted((begin + int(row), int(at[row, column])))
            if (i, j) not in found:
                found.add((i, j))
                yield i, j, min(float(best[row, column]), 1.0)


def _better(best: Column, at: Column, cosine: Column, begin: int) -> tuple[Column, Column]:
    """The nearest of those known and those of a new block; of equal ones the first."""
    values = np.concatenate([best, cosine], axis=1)
    places = np.concatenate(
        [at, np.broadcast_to(np.arange(begin, begin + cosine.shape[1]), cosine.shape)], axis=1
    )
    order = np.argsort(-values, axis=1, kind="stable")[:, :NEIGHBOURS]
    return np.take_along_axis(values, order, 1), np.take_along_axis(places, order, 1)


def _first_of_each(thoughts: Thoughts) -> Column:
    """The first thought of each set of equal ones, if it has a word of content."""
    first: dict[int, int] = {}
    for number, key in enumerate(thoughts.lemma):
        if key:
            first.setdefault(int(key), number)
    kept = [n for n in first.values() if _says_something(thoughts[n].text)]
    return np.array(kept, np.int64)


def _says_something(text: str) -> bool:
    return not all(flag & FUNCTION for flag in read(text)[1])


def _rows(folder: Path, texts: Iterator[str], count: int, embedder: Embedder) -> Column:
    """The vectors of the texts, mapped from a file."""
    path, width = folder / "vectors.col", 0
    with path.open("wb") as file:
        batch: list[str] = []
        for text in texts:
            batch.append(text)
            if len(batch) == _BLOCK:
                width = _append(file, embedder, batch)
        if batch:
            width = _append(file, embedder, batch)
    if not width:
        return np.zeros((count, 0), np.float32)
    return np.memmap(path, np.float32, mode="r", shape=(count, width))


def _append(file: BufferedWriter, embedder: Embedder, batch: list[str]) -> int:
    rows = np.ascontiguousarray(embedder.embed(batch), np.float32)
    rows.tofile(file)
    batch.clear()
    return int(rows.shape[1])
