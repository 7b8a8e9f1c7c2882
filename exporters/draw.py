"""Chance that repeats itself: every random choice of an export is a hash of names.

A choice depends on the seed and on the ids of what it is about, and on nothing else: not on the
order of reading, the process, the machine or Python's own hash. So the same forest gives the same
bytes, and an edit changes only the choices that name what was edited.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

RANGE = 1 << 63
"""Draws are whole numbers from 0 to RANGE - 1; they fit SQLite's signed integers."""


_fresh = blake2b(digest_size=8).copy
_number = Struct(">Q").unpack


def draw(*names: str | int) -> int:
    """A number from 0 to RANGE - 1 that belongs to these names, evenly spread (BLAKE2b)."""
    digest = _fresh()  # a copy takes half the time of a new one, and records need many
    digest.update("\0".join([*map(str, names)]).encode())
    found: int = _number(digest.digest())[0]
    return found >> 1
