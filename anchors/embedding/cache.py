"""Vectors kept by content: the same text is embedded once by each embedder, in any forest.

This module and the scratch of the exporter are the only ones outside the stores that know SQLite.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np

from anchors.embedding.base import Embedder, Rows
from anchors.embedding.errors import EmbedderError

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vector "
    "(embedder TEXT, text BLOB, vector BLOB, PRIMARY KEY (embedder, text)) WITHOUT ROWID"
)
BATCH = 512
"""Texts that are embedded and then kept, at once: an interruption loses no more than these."""


def default_cache() -> Path:
    """The file in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "reasoning-forest" / "vectors.db"


class CachedEmbedder:
    """An embedder that looks into a file first. Two processes may share the file.

    :param path: the file; it and its folder are made when they are first needed.
    """

    def __init__(self, embedder: Embedder, path: Path | None = None) -> None:
        self._embedder = embedder
        self._path = path or default_cache()

    @property
    def fingerprint(self) -> str:
        """That of the embedder behind it."""
        return self._embedder.fingerprint

    @property
    def knows_any(self) -> bool:
        """Whether a vector of this embedder is kept. Raises EmbedderError for a damaged file."""
        with self._opened() as db:
            asked = "SELECT 1 FROM vector WHERE embedder = ? LIMIT 1"
            return db.execute(asked, (self.fingerprint,)).fetchone() is not None

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text; see `Embedder.embed`. Raises EmbedderError for a damaged file."""
        parts = [self._batch(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)

    def _batch(self, texts: Sequence[str]) -> Rows:
        keys = [sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        with self._opened() as db:
            marks = ",".join("?" * len(keys))
            found = dict(
                db.execute(
                    f"SELECT text, vector FROM vector WHERE embedder = ? AND text IN ({marks})",  # noqa: S608  (question marks)
                    (self.fingerprint, *keys),
                )
            )
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            rows = self._embedder.embed(list(missing.values()))
            new = {key: row.astype("<f4").tobytes() for key, row in zip(missing, rows, strict=True)}
            with self._opened() as db, db:
                db.executemany(
                    "INSERT OR IGNORE INTO vector VALUES (?, ?, ?)",
                    ((self.fingerprint, key, vector) for key, vector in new.items()),
                )
            found |= new
        try:
            return np.stack([np.frombuffer(found[key], "<f4") for key in keys]).astype(np.float32)
        except ValueError:
            raise self._damaged("its vectors are not of one length") from None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=60)) as db:
                db.execute(SCHEMA)
                yield db
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _damaged(self, why: object) -> EmbedderError:
        return EmbedderError(
            f"the cache of vectors {self._path} cannot be used: {why}",
            hint="It holds nothing that cannot be made again: remove the file, or name another.",
        )
