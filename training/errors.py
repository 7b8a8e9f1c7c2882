"""Every error that training raises on purpose.

TrainingError            the one root, a ValueError: what was given cannot be used
├── CorpusError          a folder is no corpus, was changed since its export, or is too new
├── BaseError            a folder is no prepared base, was changed, or does not fit the corpus
├── MaskError            a file is no mask, was changed, or belongs to another base
├── ConfigError          a setting of a training is wrong
├── TrainingFailed       a training cannot go on: loss that is no number, out of memory
├── NoRoom               the disk is full: what was saved before is kept
└── MissingExtra         an optional dependency is not installed
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


class BaseError(TrainingError):
    """A folder is no prepared base, was changed since, or does not fit what it is used for."""


class MaskError(TrainingError):
    """A file is no mask, was changed since it was trained, or was trained on another base."""


class ConfigError(TrainingError):
    """A setting of a training is wrong."""


class TrainingFailed(TrainingError):
    """A training cannot go on: its loss is no number, or there is no memory left."""


class NoRoom(TrainingError):
    """A file cannot be written, as the disk is full. What was there before is kept."""


class MissingExtra(TrainingError):
    """The libraries of an extra are not installed."""
