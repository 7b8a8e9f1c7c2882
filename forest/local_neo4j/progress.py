"""What a caller can watch while a server is downloaded and started."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["resolve", "download", "start"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of an installation or a start.

    ``resolve`` reads the descriptions (POMs) that say which jars are needed: how many files that
    takes is not known before, so ``total`` is None. ``download`` fetches the missing jars.
    ``start`` is the wait for the server's first answer and counts nothing.
    """

    phase: Phase
    files: int = 0
    """Files finished in this phase."""
    total: int | None = None
    """Files in this phase, or None where that is not known."""
    size: int = 0
    """Bytes received in this phase."""


OnProgress = Callable[[Progress], None]
"""Called often, from several threads, but never from two at once."""


class Meter:
    """Counts files and bytes that arrive on several threads, and tells them to one callback."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._now = Progress("resolve")

    def phase(self, phase: Phase, total: int | None = None) -> None:
        """Begin a phase, with its number of files where that is known."""
        with self._lock:
            self._tell(Progress(phase, 0, total, 0))

    def add(self, *, files: int = 0, size: int = 0) -> None:
        """Count ``files`` finished files and ``size`` received bytes."""
        with self._lock:
            now = self._now
            self._tell(Progress(now.phase, now.files + files, now.total, now.size + size))

    def _tell(self, now: Progress) -> None:
        self._now = now
        if self._on_progress is not None:
            self._on_progress(now)
