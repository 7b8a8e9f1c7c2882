"""Data files of a corpus: lines of JSON, a new file when one is full, a checksum on the way."""

from __future__ import annotations

import hashlib
import os
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from exporters.manifest import DataFile
from exporters.records import DEFAULT

BUFFER = 1 << 20
"""Bytes that wait in memory before they are written."""


def folder_of(config: str) -> str:
    """Where the files of a configuration lie, relative to the corpus folder."""
    return "data" if config == DEFAULT else f"data/{config}"


class SplitWriter:
    """The files of one split, ``data/SPLIT-00000.jsonl`` and on; none is made before a record.

    Those of another configuration than the default lie in a folder of its name: ``data/CONFIG/``.
    A file is closed when it has reached ``shard`` bytes, put on the disk, and listed in ``files``.
    """

    def __init__(self, corpus: Path, config: str, split: str, shard: int) -> None:
        self.files: list[DataFile] = []
        self._corpus, self._config, self._split, self._shard = corpus, config, split, shard
        self._file: FileIO | None = None
        self._path = ""
        self._waiting: list[bytes] = []
        self._waiting_bytes = self._records = self._bytes = 0
        self._sha256 = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()
        elif self._file:
            self._file.close()

    def write(self, line: bytes) -> None:
        """Write a record."""
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        self._records += 1
        full = self._bytes + self._waiting_bytes >= self._shard
        if full or self._waiting_bytes >= BUFFER:
            self._flush()
        if full:
            self._finish()

    def _flush(self) -> None:
        file = self._file or self._open()
        told = b"".join(self._waiting)
        self._sha256.update(told)
        self._bytes += len(told)
        self._waiting, self._waiting_bytes = [], 0
        left = memoryview(told)
        while left:  # a disk that is nearly full takes a part
            left = left[file.write(left) :]

    def _open(self) -> FileIO:
        self._path = f"{folder_of(self._config)}/{self._split}-{len(self.files):05d}.jsonl"
        path = self._corpus / self._path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = FileIO(path, "xb")
        return self._file

    def _finish(self) -> None:
        if not self._records:
            return
        self._flush()
        assert self._file is not None
        os.fsync(self._file.fileno())
        self._file.close()
        self.files.append(
            DataFile(
                path=self._path,
                config=self._config,
                split=self._split,
                records=self._records,
                bytes=self._bytes,
                sha256=self._sha256.hexdigest(),
            )
        )
        self._file = None
        self._records = self._bytes = 0
        self._sha256 = hashlib.sha256()
