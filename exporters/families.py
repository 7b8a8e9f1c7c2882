"""Which trees say nearly the same: families, found by one-permutation MinHash and bands.

A tree's text is the letters, digits and symbols of its thoughts, each text once, in the order of
the alphabet: case, spaces, punctuation and the order of thoughts do not count. Its shingles are all
runs of nine signs. Two trees are near-identical where the Jaccard likeness of their shingles is at
least 0.35: a copy in which every thought has a typo or another word is, two trees on one subject
are not. A family is a connected component of such trees.

A shingle may run over the border of two thoughts, so a sentence that is the same among others which
are not counts a little less than its letters.

The likeness is estimated, to 0.013 (standard deviation on EntailmentBank): a hash sends each
shingle to one of 512 bins, which keeps the least value (Li, Owen, Zhang 2012); the share of bins
that agree is the estimate. Trees whose bins agree
in one of 170 bands of three are compared (Leskovec, Rajaraman, Ullman, *Mining of Massive
Datasets*, 3.4); for this an empty bin borrows its value from the next (Shrivastava, Li 2014).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from unicodedata import category, normalize

import numpy as np
from numpy.typing import NDArray

from anchors.discovery.scratch import Sorter
from exporters.draw import RANGE, draw
from exporters.splits import TRAIN, VALIDATION
from forest.model import Tree

Signature = NDArray[np.uint32]
"""The least value of each bin, `EMPTY` where nothing fell into it. Shape: (512,)."""

RUN = 9
"""Signs of a shingle."""
LIKE = 0.35
"""Trees of this likeness are near-identical."""
BINS, ROWS = 512, 3
BANDS = BINS // ROWS
VALUE_BITS = 23
"""The first bits of a hash are its bin, these the value."""
VALUES = np.uint32((1 << VALUE_BITS) - 1)
NEIGHBOURS = 8
"""In a band that many trees share, each is compared with so many next to it only."""
EMPTY = np.uint32(0xFFFFFFFF)
BATCH = 256
"""Trees whose bands are put on the disk together; candidates that are compared together."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = (1 << 63) - 1
_BASE, _SQUARE, _FOURTH = (np.uint32(0x9E3779B1**n % 2**32) for n in (1, 2, 4))
_MIX = np.uint32(0x85EBCA6B)
_WIDE = np.uint64(0x9E3779B97F4A7C15)


# --- one tree -------------------------------------------------------------------------------------


def signature(tree: Tree) -> Signature:
    """What stands for a tree's words when trees are compared; a function of its texts alone."""
    hashes = _hashes(_signs([thought.text for thought in tree.thoughts]))
    found = np.full(BINS, EMPTY)
    limit = (16 * BINS << VALUE_BITS) // len(hashes)
    if limit < 1 << VALUE_BITS:  # a bin's least value is among the low ones, almost always
        _keep_least(found, hashes[hashes & VALUES < limit])
    if (found == EMPTY).any():
        _keep_least(found, hashes)
    return found


def _keep_least(found: Signature, hashes: NDArray[np.uint32]) -> None:
    np.minimum.at(found, hashes >> VALUE_BITS, hashes & VALUES)


def likeness(one: Signature, other: Signature) -> NDArray[np.float64]:
    """The estimated Jaccard likeness of signatures, along their last axis."""
    there = (one != EMPTY) | (other != EMPTY)
    same = ((one == other) & there).sum(-1)
    return np.asarray(same / there.sum(-1))


def _signs(texts: list[str]) -> NDArray[np.uint32]:
    """Letters, digits and symbols of some texts, as code points; at least as long as a shingle."""
    told = normalize("NFC", "\0".join(texts)).lower()
    text = "\0".join(sorted(set(told.split("\0"))))  # no text contains \0
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    table = _table()
    kept = table[np.minimum(points, len(table) - 1)]
    beyond = points >= len(table)
    if beyond.any():
        kept = np.where(beyond, points, kept)
    signs = kept[kept != 0]
    if not len(signs):  # punctuation alone
        signs = points
    return signs if len(signs) >= RUN else np.pad(signs, (0, RUN - len(signs)))


@cache
def _table() -> NDArray[np.uint32]:
    """What each code point of the basic plane counts as: 0 for what is left out, ё as е."""
    table = np.arange(1 << 16, dtype=np.uint32)
    table[[n for n in range(1 << 16) if category(chr(n))[0] in "CPZ"]] = 0
    table[ord("ё")] = ord("е")
    return table


def _hashes(signs: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """A hash of each run of nine signs."""
    signs = signs * _MIX
    two = signs[:-1] * _BASE
    two += signs[1:]
    four = two[:-2] * _SQUARE
    four += two[2:]
    nine = four[:-5] * _FOURTH
    nine += four[4:-1]
    nine *= _BASE
    nine += signs[8:]
    for shift in (16, 15):
        nine ^= nine >> shift
        nine *= _MIX
    nine ^= nine >> 16
    return nine


# --- all trees ------------------------------------------------------------------------------------


class Families:
    """The families of a forest, for trees that are added in the order of their ids.

    Memory is some bytes for each tree; signatures and bands wait in files of ``folder``.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "signatures"
        self._bands = Sorter(folder, "bands")
        self._waiting: list[Signature] = []
        self._created, self._draws = array("q"), array("Q")
        self._above = array("q")
        self.near: list[tuple[int, int]] = []
        """Near-identical trees by their numbers from 0: enough pairs to join each family."""

    def add(self, found: Signature, tree_id: str, created_at: datetime | None) -> None:
        """Take over a tree by its signature, its id and when it was made."""
        self._above.append(len(self._above))
        self._draws.append(draw("split", tree_id))
        self._created.append(_moment(created_at))
        self._waiting.append(found)
        if len(self._waiting) == BATCH:
            self._put()

    def sides(self, validation: float) -> Iterator[str]:
        """The split of each tree in turn, where ``validation`` is the share of families kept out.

        A family's side is drawn from the id of its leader: its earliest member, of those made at
        the same time the first by id; one without a time comes last.
        """
        self._join()
        for number in range(len(self._above)):
            held = self._draws[self._leader(number)] < validation * RANGE
            yield VALIDATION if held else TRAIN

    def _put(self) -> None:
        if not self._waiting:
            return
        some = np.stack(self._waiting)
        self._waiting.clear()
        with self._path.open("ab") as file:
            file.write(some.data)
        last = len(self._above)
        numbers = np.arange(last - len(some), last, dtype=np.uint32)
        full = np.stack([_filled(one) for one in some]).astype(np.uint64)
        keys = np.concatenate([_band(full, band) for band in range(BANDS)])
        self._bands.add(keys, np.tile(numbers, BANDS))

    def _join(self) -> None:
        self._put()
        if not self._above:
            return
        shape = len(self._above), BINS
        signatures = np.memmap(self._path, np.uint32, "r", shape=shape)
        for records in self._bands.parts():
            pairs = _met(records["key"], records["thought"])
            for begin in range(0, len(pairs), BATCH):
                some = [pair for pair in pairs[begin : begin + BATCH].tolist() if self._apart(pair)]
                if some:
                    one, other = np.array(some).T
                    like = likeness(signatures[one], signatures[other]) >= LIKE
                    for pair, near in zip(some, like, strict=True):
                        if near:
                            self._unite(pair)
        del signatures
        self._path.unlink()

    def _apart(self, pair: list[int]) -> bool:
        return self._leader(pair[0]) != self._leader(pair[1])

    def _unite(self, pair: list[int]) -> None:
        one, other = sorted(map(self._leader, pair), key=lambda no: (self._created[no], no))
        if one != other:
            self._above[other] = one
            self.near.append((pair[0], pair[1]))

    def _leader(self, number: int) -> int:
        above = self._above
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number


def _moment(time: datetime | None) -> int:
    """Microseconds since 1970; a time without a zone counts as UTC."""
    if time is None:
        return _NEVER
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _band(signatures: NDArray[np.uint64], band: int) -> NDArray[np.uint64]:
    """The keys of one band: those of bins far apart, so that borrowed values rarely meet."""
    keys = np.full(len(signatures), np.uint64((band + 1) * int(_WIDE) % 2**64))
    for row in signatures[:, band::BANDS].T:
        keys = (keys ^ row) * _WIDE
        keys ^= keys >> np.uint64(29)
    return keys


def _filled(found: Signature) -> Signature:
    """A signature in which each empty bin has borrowed the value of the next one that is not."""
    there = np.flatnonzero(found != EMPTY)
    if len(there) == BINS:
        return found
    at = np.searchsorted(there, np.arange(BINS)) % len(there)
    far = (there[at] - np.arange(BINS)) % BINS
    return found[there[at]] ^ (far.astype(np.uint32) * _BASE)


def _met(keys: NDArray[np.uint64], trees: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Pairs of trees with one key, each once; the keys are sorted. Shape: (pairs, 2)."""
    numbers = trees.astype(np.int64)
    found = [np.zeros(0, np.int64)]
    for step in range(1, min(NEIGHBOURS + 1, len(keys))):
        same = keys[:-step] == keys[step:]
        if not same.any():
            break
        found.append(numbers[:-step][same] << 32 | numbers[step:][same])
    return np.stack(np.divmod(np.unique(np.concatenate(found)), 1 << 32), axis=1)
