"""Formulas in the space of meanings: expansion into a vector, compression of a text into codes.

The vector of a formula is the mean of the vectors of what it says, scaled to length 1: its terms,
its name, the scenes it is set equal to, and the texts that voice it. A formula of formulas has the
terms of its parts. Any embedder will do; without one, word forms and letters are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anchors.embedding import Embedder, HashedEmbedder
from anchors.formulas.book import Book
from anchors.formulas.model import Formula, Scene

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Near:
    """A formula near a text."""

    code: str
    score: float
    """Cosine, -1 to 1."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A scene that was left out of its formula, and the formula nearest to it then."""

    code: str
    scene: Scene
    nearest: str
    """"" where no formula is near at all."""

    @property
    def found(self) -> bool:
        """Whether it is its own."""
        return self.nearest == self.code


class Space:
    """The vectors of all formulas of a book that say anything."""

    def __init__(self, book: Book, embedder: Embedder | None = None) -> None:
        import numpy as np

        self.embedder = embedder or HashedEmbedder()
        self.codes = list(book.formulas)
        self.voices = [(code, scene) for code in self.codes for scene in book.voices(code)]
        own = [(code, said) for code in self.codes for said in _own(book, book.formulas[code])]
        owners = [code for code, _ in own] + [code for code, _ in self.voices]
        texts = [said for _, said in own] + [scene.text for _, scene in self.voices]
        distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        rows = self.embedder.embed(list(distinct)) if distinct else np.zeros((0, 1), np.float32)
        self._rows = rows[[distinct[text] for text in texts]]
        places = {code: i for i, code in enumerate(self.codes)}
        self._owner = np.array([places[code] for code in owners], dtype=np.intp)
        self._sums = np.zeros((len(self.codes), rows.shape[1]), dtype=np.float32)
        np.add.at(self._sums, self._owner, self._rows)
        self.vectors: Vectors = _unit(self._sums)
        """One row of length 1 for each of ``codes``; shape (n, d)."""

    def near(self, text: str, most: int = 5) -> list[Near]:
        """The formulas nearest to a text, the nearest first."""
        import numpy as np

        scores = self.vectors @ self.embedder.embed([text])[0] if self.codes else np.zeros(0)
        best = np.argsort(-scores, kind="stable")[:most]
        return [Near(self.codes[i], float(scores[i])) for i in best]

    def held_out(self, code: str | None = None) -> list[HeldOut]:
        """For each scene, of one formula or of all: the nearest formula when it does not know it.

        A formula finds its scene where no other is nearer.
        """
        first = len(self._rows) - len(self.voices)
        found = []
        for i, (owner, scene) in enumerate(self.voices, first):
            if code in (None, owner):
                found.append(HeldOut(owner, scene, self._nearest_without(i)))
        return found

    def _nearest_without(self, i: int) -> str:
        row, owner = self._rows[i], self._owner[i]
        scores = self.vectors @ row
        rest = _unit((self._sums[owner] - row)[None])[0]
        scores[owner] = rest @ row
        best = scores.max()
        if best <= 0:
            return ""
        return self.codes[owner if scores[owner] >= best else int(scores.argmax())]


def recall(held_out: Sequence[HeldOut]) -> float | None:
    """Recall at 1: the part of the scenes that find their formula; None without any scene."""
    return sum(h.found for h in held_out) / len(held_out) if held_out else None


def _own(book: Book, formula: Formula) -> list[str]:
    """What a formula says without the texts that voice it."""
    terms = [term.phrase for term in book.terms(formula)]
    return [*terms, *filter(None, (formula.operator, formula.name)), *formula.scenes]


def _unit(rows: Vectors) -> Vectors:
    """The rows scaled to length 1; those of next to nothing become zeros."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 1e-6, rows / np.maximum(lengths, 1e-6), 0).astype(np.float32)
