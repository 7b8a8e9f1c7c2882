"""Vectors of texts: a plug with several makers behind it.

An `Embedder` turns texts into rows of unit length, so that the product of two rows is the cosine of
their angle. `open_embedder` makes one from what a user writes; nothing has to be installed for the
default, `HashedEmbedder`. `cached_embedder` makes one that keeps its vectors by content
(`CachedEmbedder`), so no text is embedded twice.

EmbedderError                   an embedder cannot be used as asked, or answered nonsense
└── EmbedderUnavailable         transient: busy or unreachable; trying again may help
"""

from anchors.embedding.base import Embedder, Featured, Rows, unit_rows
from anchors.embedding.cache import CachedEmbedder, default_cache
from anchors.embedding.errors import EmbedderError, EmbedderUnavailable
from anchors.embedding.hashed import HashedEmbedder
from anchors.embedding.opening import cached_embedder, open_embedder

__all__ = [
    "CachedEmbedder",
    "Embedder",
    "EmbedderError",
    "EmbedderUnavailable",
    "Featured",
    "HashedEmbedder",
    "Rows",
    "cached_embedder",
    "default_cache",
    "open_embedder",
    "unit_rows",
]
