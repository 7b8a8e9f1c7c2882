"""Formulas in the space of meanings: expansion into vectors, compression of a text into codes.

A formula has several vectors of length 1: that of its core, the mean of its terms; the mean of
these with its operator and name; and one for each text it is set equal to or voiced by. It is as
near to a text as the nearest of them, so what it says itself counts in full, however much else it
says. A formula of formulas has the terms of its parts. Any embedder will do; without one, word
forms and letters are compared. What nearly all of the texts have, such as «он» and «но», counts
little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING

from anchors.arguments import check_texts
from anchors.embedding import Embedder, Featured, HashedEmbedder
from anchors.formulas.book import Book
from anchors.formulas.codes import codes_in
from anchors.formulas.model import Formula, Scene, text_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


PRIOR = 20
"""Formulas that count as having as much in each place of a vector, beside those that there are."""
NOTHING = 1e-6
"""A cosine up to this says that nothing is shared."""


@dataclass(frozen=True, slots=True)
class Near:
    """A formula near a text."""

    code: str
    score: float
    """Cosine, -1 to 1; 1 where the text names it by its code."""


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
        places = {code: i for i, code in enumerate(self.codes)}
        formulas = list(enumerate(book.formulas.values()))
        cores = [core for i, formula in formulas for core in _cores(book, i, formula)]
        said = [(i, scene) for i, formula in formulas for scene in formula.scenes]
        said += [(places[code], scene.text) for code, scene in self.voices]
        self._said = [(owner, text_key(text)) for owner, text in said]
        self._texts: dict[int, list[tuple[str, str]]] = defaultdict(list)
        """By the place of a formula in ``codes``, all that it says; of scenes with their keys."""
        for owner, texts in cores:
            self._texts[owner] += [(text, "") for text in texts]
        for (owner, key), (_, text) in zip(self._said, said, strict=True):
            self._texts[owner].append((text, key))
        parts = [(at, text) for at, (_, texts) in enumerate(cores) for text in texts]
        rows = self._embedded([text for _, text in [*parts, *said]])
        sums = np.zeros((len(cores), rows.shape[1]), dtype=np.float32)
        np.add.at(sums, np.array([at for at, _ in parts], dtype=np.intp), rows[: len(parts)])
        self._rows: Vectors = np.concatenate([_unit(sums), rows[len(parts) :]])
        self._first = len(cores)
        """Which row is the first of a text."""
        self._owner = np.array([owner for owner, _ in [*cores, *said]], dtype=np.intp)
        self._peaks = np.zeros((len(self.codes), rows.shape[1]), dtype=np.float32)
        np.maximum.at(self._peaks, self._owner, np.abs(self._rows))
        self._weights = _weights(self._peaks.sum(axis=0), len(self.codes))
        self.vectors: Vectors = _unit(self._rows * self._weights)
        """The cores of all formulas, then a row for each text; shape (n, d)."""
        self._own = [bool(formula.terms) for _, formula in formulas]

    def _embedded(self, texts: list[str]) -> Vectors:
        import numpy as np

        distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        rows = self.embedder.embed(list(distinct)) if distinct else np.zeros((0, 1), np.float32)
        return rows[[distinct[text] for text in texts]]

    @cached_property
    def _squares(self) -> Vectors:
        return self._rows**2

    def near(self, text: str, most: int = 5) -> list[Near]:
        """The formulas nearest to a text, the nearest first; none that has nothing of it.

        Those whose codes stand in it come before all others, with 1.
        """
        check_texts(text=text)
        import numpy as np

        named = [Near(code, 1.0) for code in codes_in(text) if code in self.codes]
        if not self.vectors.any():
            return named[:most]
        row = _unit(self.embedder.embed([text]) * self._weights)[0]
        scores = self._scores(self.vectors @ row)
        # Behind equal ones come those that have no terms but those of their parts.
        order = np.lexsort((~np.array(self._own, dtype=bool), -scores.round(5)))
        likely = (int(i) for i in order if scores[i] > NOTHING)
        shares = self._sharing(text)
        others = (Near(self.codes[i], float(scores[i])) for i in likely if shares(i))
        known = {near.code for near in named}
        return list(islice(chain(named, (n for n in others if n.code not in known)), most))

    def _sharing(self, text: str, but: tuple[int, str] | None = None) -> Callable[[int], bool]:
        """Whether a formula says anything of a text, and is not alike by chance alone.

        Of an embedder that cannot say what its vectors are made of, all are trusted.

        :param but: the place of a formula and the key of a scene of it that does not count.
        """
        embedder = self.embedder
        if not isinstance(embedder, Featured):
            return lambda _: True
        asked, features = embedder.features(text), embedder.features
        return lambda i: any(
            (i, key) != but and not asked.isdisjoint(features(said)) for said, key in self._texts[i]
        )

    def held_out(self, code: str | None = None) -> list[HeldOut]:
        """For each scene, of one formula or of all: the nearest formula when it does not know it.

        A formula finds its scene where no other is nearer. Scenes of a formula that say the same
        (`model.text_key`) are one.
        """
        first = len(self._said) - len(self.voices)
        texts: dict[tuple[int, str], int] = {}
        for i, (owner, _) in enumerate(self.voices, first):
            if code in (None, owner):
                texts.setdefault(self._said[i], i)
        return [HeldOut(*self.voices[i - first], self._nearest_without(i)) for i in texts.values()]

    def _nearest_without(self, i: int) -> str:
        """The formula nearest to a text when its own formula does not say it anywhere.

        It has no part in what the places count then, either.
        """
        import numpy as np

        owner, row = self._said[i][0], self._first + i
        own = np.flatnonzero(self._owner == owner)
        same = [j for j in own if j >= self._first and self._said[j - self._first] == self._said[i]]
        left = np.abs(self._rows[np.setdiff1d(own, same)]).max(axis=0, initial=0)
        peaks = self._peaks.sum(axis=0) - self._peaks[owner] + left
        squares = _weights(peaks, len(self.codes)) ** 2
        lengths = np.sqrt(self._squares @ squares)
        near = self._rows @ (self._rows[row] * squares) / np.maximum(lengths * lengths[row], 1e-6)
        near[same] = -1
        scores = self._scores(near)
        likely = map(int, np.flatnonzero(scores > NOTHING))
        order = sorted(likely, key=lambda at: (-scores[at].round(5), at != owner))
        said = self.voices[i - len(self._said) + len(self.voices)][1].text
        shares = self._sharing(said, but=self._said[i])
        return next((self.codes[at] for at in order if shares(at)), "")

    def _scores(self, near: Vectors) -> Vectors:
        """For each formula the largest of the cosines of its vectors."""
        import numpy as np

        scores = np.full(len(self.codes), -1, dtype=np.float32)
        np.maximum.at(scores, self._owner, near)
        return scores


def recall(held_out: Sequence[HeldOut]) -> float | None:
    """Recall at 1: the part of the scenes that find their formula; None without any scene."""
    return sum(h.found for h in held_out) / len(held_out) if held_out else None


def _cores(book: Book, place: int, formula: Formula) -> list[tuple[int, list[str]]]:
    """(place, texts) of what a formula is made of, and of that with what it is called.

    Two, for its name and operator would draw its terms away from a text that says just these.
    """
    terms = [term.phrase for term in book.terms(formula)]
    called = list(filter(None, (formula.operator, formula.name)))
    return [(place, texts) for texts in (terms, [*terms, *called] if called else []) if texts]


def _weights(peaks: Vectors, formulas: int) -> Vectors:
    """What each place of a vector counts: the less, the more formulas have something in it.

    For places of words it is what the inverse document frequency is (Spärck Jones 1972), with
    formulas for documents, so that nothing counts less for being in all scenes of one formula. Any
    embedder has places of more and of less use. What no formula has counts as others usually do.

    :param peaks: the largest absolute value of each formula, summed over all of them; shape (d,).
    """
    import numpy as np

    weights = (formulas + PRIOR) / (peaks + PRIOR / np.sqrt(len(peaks)))
    if peaks.any():
        weights[peaks <= 0] = np.median(weights[peaks > 0])
    return np.asarray(weights, dtype=np.float32)


def _unit(rows: Vectors) -> Vectors:
    """The rows scaled to length 1; those of next to nothing become zeros."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 1e-6, rows / np.maximum(lengths, 1e-6), 0).astype(np.float32)
