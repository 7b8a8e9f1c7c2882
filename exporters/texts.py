"""Which texts the training split says, so that the validation split does not say them too."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import orjson

CHUNK = 1 << 16
"""Hashes that are in memory at a time."""
_SPACES = b" \t\r\n"


def text_key(columns: Mapping[str, Any]) -> int:
    """A hash of all columns of a record.

    Spaces and line breaks do not count: a chat does not say what stands between request and answer.
    """
    parts = (c.encode() if isinstance(c, str) else orjson.dumps(c) for c in columns.values())
    said = b"\0".join(parts).translate(None, _SPACES)
    return int.from_bytes(sha256(said).digest()[:8], "little")


class Texts:
    """Hashes of texts, in a file of ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "texts"
        self._path.write_bytes(b"")
        self._waiting = array("Q")

    def add(self, keys: Iterable[int]) -> None:
        """Note records by their `text_key`."""
        self._waiting.extend(keys)
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
