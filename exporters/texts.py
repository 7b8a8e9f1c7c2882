"""Which texts the training split says, so that the validation split does not say them too.

A text is that of a whole record, or that of a thought or a step of a tree: a record of validation
may stand, word for word, within a larger one of training, and then tests nothing either.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

CHUNK = 1 << 16
"""Hashes that are in memory at a time."""
_SPACES = b" \t\r\n"
_ODD = np.uint64(0x9E3779B97F4A7C15)
_fresh = blake2b(digest_size=8).copy  # takes half the time of a new one


def text_key(columns: Mapping[str, Any]) -> int:
    """A hash of all columns of a record.

    Spaces and line breaks do not count: a chat does not say what stands between request and answer.
    """
    parts = (c.encode() if isinstance(c, str) else orjson.dumps(c) for c in columns.values())
    said = b"\0".join(parts).translate(None, _SPACES)
    return int.from_bytes(sha256(said).digest()[:8], "little")


def tree_keys(texts: Sequence[str], parents: Sequence[int], *, steps: bool) -> bytes:
    """Keys of the words of a tree's thoughts in their order, then of its steps if asked for.

    As of a record's text, spaces and line breaks do not count.

    :param parents: the place of the thought above each, -1 for none.
    :returns: numbers of 64 bits.
    """
    said = "\0".join(texts).encode().translate(None, _SPACES).split(b"\0")  # no text contains \0
    keys = np.frombuffer(b"".join(map(_digest, said)), np.uint64) >> np.uint64(1)  # as SQLite's
    if steps:
        above = np.array(parents)
        below = np.flatnonzero(above >= 0)
        keys = np.concatenate([keys, step_keys(keys[above[below]], keys[below])])
    return keys.tobytes()


def step_keys(above: NDArray[np.uint64], below: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The keys of steps, of those of the words of their two thoughts."""
    return above * _ODD + below


def _digest(said: bytes) -> bytes:
    digest = _fresh()
    digest.update(said)
    return digest.digest()


class Texts:
    """Hashes of texts, in a file of ``folder``."""

    def __init__(self, folder: Path, name: str = "texts") -> None:
        self._path = folder / name
        self._path.write_bytes(b"")
        self._waiting = array("Q")

    def add(self, keys: Iterable[int]) -> None:
        """Note records by their `text_key`."""
        self._waiting.extend(keys)
        if len(self._waiting) >= CHUNK:
            self._put()

    def add_packed(self, keys: bytes) -> None:
        """Note what `tree_keys` says of a tree."""
        self._waiting.frombytes(keys)
        if len(self._waiting) >= CHUNK:
            self._put()

    def among(self, keys: Iterable[int]) -> set[int]:
        """Those of these keys that were noted."""
        self._put()
        asked = np.unique(np.fromiter(keys, np.uint64))
        found: set[int] = set()
        with self._path.open("rb") as file:
            while len(some := np.fromfile(file, np.uint64, CHUNK)):
                found.update(asked[np.isin(asked, some)].tolist())
        return found

    def _put(self) -> None:
        with self._path.open("ab") as file:
            self._waiting.tofile(file)
        del self._waiting[:]
