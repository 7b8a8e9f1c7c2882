"""Vectors without a model: lemmas and character n-grams, hashed into a fixed number of places.

Feature hashing with signs (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
Learning"), with two hashes of each feature (Kane and Nelson 2014, "Sparser Johnson-Lindenstrauss
Transforms"); the n-grams of a word stand between < and > as in fastText (Bojanowski et al. 2017).
Signs that mean something, such as emoji, are words too. Any language; the same vectors on every
machine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from unicodedata import category, name
from zlib import crc32

import numpy as np

from anchors.embedding.base import Rows, unit_rows
from anchors.lemmas import lemma
from forest.phrases import phrase_key

_WORD = re.compile(r"\w+(?:[-']\w+)*|[^\w\s]")
_SYMBOLS = frozenset(["So", "Cn"])
"""Categories of the signs that are words: symbols, and what this Python's Unicode is too old for,
as the newest emoji are."""
_TRIANGLE = "\N{WHITE TRIANGLE CONTAINING SMALL WHITE TRIANGLE}"
"""A code of formulas by itself, which Unicode counts among the signs of mathematics."""
_SHORTEST, _LONGEST = 3, 5
HASHES = 2
"""Places of a word or n-gram. Words that meet in one of them share a part of it only."""
_SALTS = np.arange(1, HASHES + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


class HashedEmbedder:
    """A text's words and the n-grams in them, each at two places that its checksum says.

    A word weighs as much as all its n-grams together, so inflected and misspelt words stay close.
    """

    def __init__(self, dimensions: int = 2048) -> None:
        self.dimensions = dimensions

    @property
    def fingerprint(self) -> str:
        """Names the recipe and its number of dimensions."""
        return f"hashed-4/{self.dimensions}"

    def features(self, text: str) -> frozenset[str]:
        """All that the vector of a text is made of; see `Featured.features`."""
        return frozenset(one for word in _words(text) for one in _grams(word))

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text; see `Embedder.embed`."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word, times in Counter(_words(text)).items():
                places, weights = _features(word, self.dimensions)
                np.add.at(row, places, weights * np.float32(sqrt(times)))
        return unit_rows(rows, len(texts), "hashed vectors")


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(phrase_key(text)) if len(word) > 1 or _is_word(word)]


@lru_cache(maxsize=4096)
def _is_word(sign: str) -> bool:
    """Whether a character is a word: a letter or digit, or a symbol that is no arrow."""
    if sign.isalnum() or sign in ("_", _TRIANGLE):
        return True
    return category(sign) in _SYMBOLS and "ARROW" not in name(sign, "")


def _grams(word: str) -> list[str]:
    """The lemma of a word, and the n-grams of it."""
    root = lemma(word)
    framed = f"<{root}>"
    return [root] + [
        framed[i : i + n]
        for n in range(_SHORTEST, _LONGEST + 1)
        for i in range(len(framed) - n + 1)
    ]


@lru_cache(maxsize=65536)
def _features(word: str, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights of a word: its lemma, and the n-grams of the lemma."""
    grams = _grams(word)
    sums = np.array([crc32(f"{len(f)}:{f}".encode()) for f in grams], dtype=np.uint64)
    weights = np.full(len(sums), 1 / sqrt(len(grams) - 1 or 1), dtype=np.float32)
    weights[0] = 1
    salted = _scrambled(sums[:, None] + _SALTS)
    # The lowest bit is the sign; the place comes from the others.
    shares = np.where(salted & np.uint64(1), weights[:, None], -weights[:, None]) / sqrt(HASHES)
    places = (salted >> np.uint64(1)) % np.uint64(dimensions)
    return places.astype(np.int64).ravel(), shares.astype(np.float32).ravel()


def _scrambled(sums: np.ndarray) -> np.ndarray:
    """Sums with all bits mixed, so that what meets in one hash does not meet in the next.

    The finalizer of SplitMix64 (Steele, Lea and Flood 2014), modulo 2**64.
    """
    sums = (sums ^ (sums >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    sums = (sums ^ (sums >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(sums ^ (sums >> np.uint64(31)))
