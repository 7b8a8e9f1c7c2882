"""Which trees train a model and which validate it.

Trees that say the same are a family, and a family is on one side as a whole: else a model would
be tested on what it was trained on. The side is a hash of the family alone, not of the seed or of
the other trees, so it stays the same while the forest grows.
"""

from __future__ import annotations

from hashlib import blake2b
from unicodedata import normalize

from exporters.draw import RANGE, draw
from forest.model import Tree

TRAIN, VALIDATION = "train", "validation"


def family_of(tree: Tree) -> str:
    """The family of a tree: a hash of what its thoughts say, in any order and any case."""
    told = normalize("NFC", "\0".join([t.text for t in tree.thoughts])).lower()
    texts = sorted(set(told.split("\0")))  # no text contains \0
    return blake2b("\0".join(texts).encode(), digest_size=16).hexdigest()


def split_of(family: str, validation: float) -> str:
    """``train`` or ``validation``, where ``validation`` is the share of families kept out."""
    return VALIDATION if draw("split", family) < validation * RANGE else TRAIN
