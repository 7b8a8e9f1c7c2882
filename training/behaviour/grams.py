"""Texts as vectors of their runs of letters: near where they share words, whatever their endings.

TF-IDF over runs of three to five signs, hashed into a fixed number of places with a sign each
(Weinberger and others, "Feature Hashing", 2009). It needs no model, no language and no list of
words, and a voice cannot have learnt to please it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

PLACES = 1 << 12
Vectors = NDArray[np.float64]


class Grams:
    """The weights of runs, learnt from some texts.

    :param style: runs of two to four signs as they are written, capitals, marks and spaces
        included, which carry the manner of a text (Stamatatos, "A Survey of Modern Authorship
        Attribution Methods", 2009); else within words, in small letters, which carry its topic.
    """

    def __init__(self, texts: Sequence[str], *, style: bool = False) -> None:
        self._style = style
        seen = Counter(place for text in texts for place in self._runs(text))
        self._weights = np.full(PLACES, np.log(1 + len(texts)) + 1)
        for place, count in seen.items():
            self._weights[place] = np.log((1 + len(texts)) / (1 + count)) + 1

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Shape: (texts, places). Of length 1, or 0 for a text without a run."""
        found = np.zeros((len(texts), PLACES))
        for row, text in zip(found, texts, strict=True):
            for place, count in self._runs(text).items():
                row[place] = (1 + np.log(abs(count))) * np.sign(count) if count else 0.0
        return _unit(found * self._weights)

    def _runs(self, text: str) -> Counter[int]:
        """Hashed runs with how often they stand there, less where the hash's sign says so."""
        found = Counter[int]()
        for run in _manner(text) if self._style else _letters(text):
            told = crc32(run.encode())
            found[told % PLACES] += 1 if told & (1 << 31) else -1
        return found


def centroids(vectors: Vectors, owners: NDArray[np.intp], count: int) -> Vectors:
    """The mean direction of each owner's vectors. Shape: (owners, places)."""
    sums = np.zeros((count, vectors.shape[1]))
    np.add.at(sums, owners, vectors)
    return _unit(sums)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths, lengths, 1.0)


def _letters(text: str) -> list[str]:
    words = (f" {word} " for word in re.findall(r"\w+", text.casefold()))
    return [w[n : n + k] for w in words for k in (3, 4, 5) for n in range(len(w) - k + 1)]


def _manner(text: str) -> list[str]:
    told = f" {' '.join(text.split())} "
    return [told[n : n + k] for k in (2, 3, 4) for n in range(len(told) - k + 1)]
