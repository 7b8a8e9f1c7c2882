"""Chance that repeats itself: every random choice of an export is a hash of names.

A choice depends on the seed and on the ids of what it is about, and on nothing else: not on the
order of reading, the process, the machine or Python's own hash. So the same forest gives the same
bytes, and an edit changes only the choices that name what was edited.
"""

from __future__ import annotations

from hashlib import blake2b

RANGE = 1 << 63
"""Draws are whole numbers from 0 to RANGE - 1; they fit SQLite's signed integers."""


def draw(*names: str | int) -> int:
    """A number from 0 to RANGE - 1 that belongs to these names, evenly spread (BLAKE2b)."""
    told = "\0".join(map(str, names)).encode()
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "big") >> 1
