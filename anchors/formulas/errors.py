"""Errors of formulas; each is a `forest.errors.ForestError`.

InvalidInput
├── InvalidFormula      a text is no formula
├── Contradiction       two definitions under one code say different things
└── Cycle               a formula is a part of itself, by way of others
NoFreeCode              all one hundred Δ codes are in use
NotGranted              a formula does not meet the criteria for a code of its own
"""

from __future__ import annotations

from forest.errors import ForestError, InvalidInput


class InvalidFormula(InvalidInput):
    """A text is no formula.

    ``problem`` is the message without its place; ``line`` and ``column`` count from 1.
    """

    def __init__(self, problem: str, line: int, column: int, *, hint: str | None = None) -> None:
        super().__init__(f"line {line}, column {column}: {problem}", hint=hint)
        self.problem = problem
        self.line = line
        self.column = column


class Contradiction(InvalidInput):
    """Two definitions under one code say different things."""


class Cycle(InvalidInput):
    """A formula is a part of itself, by way of others."""


class NoFreeCode(ForestError):
    """All one hundred Δ codes are in use."""


class NotGranted(ForestError):
    """A formula does not meet the criteria for a code of its own."""
