"""Python's collector of cycles, kept from looking through thoughts that are in none.

It looks through all objects that are alive whenever some thousands are made, and a tree is made of
thousands: without a pause that is a fifth of the time of an import or a stream.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Make objects by the thousand, of which none is in a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Let the collector run seldom while code runs that may make cycles too."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
