"""Vectors without a model: lemmas and character n-grams, hashed into a fixed number of places.

Feature hashing with signs (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
Learning"); the n-grams of a word stand between < and > as in fastText (Bojanowski et al. 2017).
Any language; the same vectors on every machine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from zlib import crc32

import numpy as np

from anchors.embedding.base import Rows, unit_rows
from anchors.lemmas import lemma
from forest.phrases import phrase_key

_WORD = re.compile(r"\w+(?:[-']\w+)*")
_SHORTEST, _LONGEST = 3, 5


class HashedEmbedder:
    """A text's words and the n-grams in them, each at a place that its checksum says.

    A word weighs as much as all its n-grams together, so inflected and misspelt words stay close.
    """

    def __init__(self, dimensions: int = 1024) -> None:
        self.dimensions = dimensions

    @property
    def fingerprint(self) -> str:
        """Names the recipe and its number of dimensions."""
        return f"hashed-2/{self.dimensions}"

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text; see `Embedder.embed`."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word, times in Counter(_WORD.findall(phrase_key(text))).items():
                places, weights = _features(word, self.dimensions)
                np.add.at(row, places, weights * np.float32(sqrt(times)))
        return unit_rows(rows, len(texts), "hashed vectors")


@lru_cache(maxsize=65536)
def _features(word: str, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights of a word: its lemma, and the n-grams of the lemma."""
    root = lemma(word)
    framed = f"<{root}>"
    grams = [
        framed[i : i + n]
        for n in range(_SHORTEST, _LONGEST + 1)
        for i in range(len(framed) - n + 1)
    ]
    sums = np.array([crc32(f"{len(f)}:{f}".encode()) for f in [root, *grams]], dtype=np.int64)
    weights = np.full(len(sums), 1 / sqrt(len(grams) or 1), dtype=np.float32)
    weights[0] = 1
    # The lowest bit is the sign; the place comes from the others.
    return (sums >> 1) % dimensions, np.where(sums & 1, weights, -weights)
