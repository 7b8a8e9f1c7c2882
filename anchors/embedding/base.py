"""The plug: what every embedder is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from anchors.embedding.errors import EmbedderError

Rows = NDArray[np.float32]
"""Vectors of texts; shape: (number of texts, dimensions)."""


class Embedder(Protocol):
    """Turns texts into vectors; the product of two is the cosine between them."""

    @property
    def fingerprint(self) -> str:
        """Says which vectors it makes: equal fingerprint, equal vectors."""

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text, float32, of unit length; all zero where a text says nothing.

        Shape: (len(texts), dimensions); (0, 0) may come for no texts. Raises EmbedderError.
        """


@runtime_checkable
class Featured(Protocol):
    """An embedder that can say what its vectors are made of.

    Vectors of a bounded number of places are alike by chance where features meet in a place; who
    wants to know whether two texts have anything in common asks for their features.
    """

    def features(self, text: str) -> frozenset[str]:
        """All that the vector of a text is made of; empty where it says nothing."""


def unit_rows(values: Any, texts: int, maker: str) -> Rows:
    """The rows at unit length, if there is one of finite numbers for each text.

    Raises EmbedderError.
    """
    try:
        rows: Rows = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise EmbedderError(f"{maker}: the vectors are no table of numbers") from None
    if rows.ndim != 2 or len(rows) != texts or not np.isfinite(rows).all():
        raise EmbedderError(
            f"{maker}: expected {texts} vectors of finite numbers and one length, "
            f"got an array of shape {rows.shape}"
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, np.where(lengths > 0, lengths, 1), dtype=np.float32)
