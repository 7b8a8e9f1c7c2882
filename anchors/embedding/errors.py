"""What can go wrong with an embedder."""

from __future__ import annotations

from forest.errors import ForestError


class EmbedderError(ForestError):
    """An embedder cannot be used as asked, or answered something that is no vectors."""


class EmbedderUnavailable(EmbedderError):
    """An embedder is busy or unreachable. Transient: trying again may help."""
