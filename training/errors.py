"""Every error that training raises on purpose.

TrainingError            the one root, a ValueError: what was given cannot be used
└── CorpusError          a folder is no corpus, was changed since its export, or is too new
"""

from __future__ import annotations


class TrainingError(ValueError):
    """Root of all errors of training. ``hint`` says what to do, or is None."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class CorpusError(TrainingError):
    """A folder is no corpus, was changed since its export, or is newer than this library."""
