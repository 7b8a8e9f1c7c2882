"""Data files of a corpus: a new one when one is full, a checksum on the way.

Each form of file has its way to write some records at once (`_Lines`, `_Compressed`, `_Columns`);
what is said, and which records share a file, is the same in each. Nothing depends on the time, the
machine or a hash seed; compressed bytes are those of one version of zstandard or pyarrow.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from io import BufferedReader, FileIO, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from exporters.folder import make_folders
from exporters.manifest import DataFile
from exporters.recipe import CorpusSettings
from exporters.records import DEFAULT, features
from forest.errors import MissingExtra

LEVEL = 3
"""Of zstd, in lines and in columns: its own default."""
PACKAGES = {"jsonl.zst": ("zstandard", "zstd"), "parquet": ("pyarrow", "parquet")}
"""The package that a form of files needs, and the extra that brings it."""


def require(form: str) -> None:
    """Raise MissingExtra where the package that a form of files needs is not installed."""
    if form not in PACKAGES:
        return
    package, extra = PACKAGES[form]
    try:
        import_module(package)
    except ModuleNotFoundError:
        raise MissingExtra(
            f"files of the form {form} need the package {package}, which is not installed", extra
        ) from None


def folder_of(config: str) -> str:
    """Where the files of a configuration lie, relative to the corpus folder."""
    return "data" if config == DEFAULT else f"data/{config}"


def records_of(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a data file, by the form that its name ends in; few in memory at a time.

    :raises MissingExtra: the package that reads this form is not installed.
    """
    require(path.name.partition(".")[2])
    with path.open("rb") as raw:
        if path.suffix == ".parquet":
            from pyarrow.parquet import ParquetFile

            for batch in ParquetFile(raw).iter_batches(batch_size=100):
                yield from batch.to_pylist()
        elif path.suffix == ".zst":
            import zstandard

            with zstandard.ZstdDecompressor().stream_reader(raw) as told:
                yield from map(orjson.loads, BufferedReader(told))
        else:
            yield from map(orjson.loads, raw)


class SplitWriter:
    """The files of one split, ``data/SPLIT-00000.jsonl`` and on; none is made before a record.

    Those of another configuration than the default lie in a folder of its name: ``data/CONFIG/``.
    A file is closed when its records have reached ``settings.shard`` bytes of JSON, put on the
    disk, and listed in ``files``.
    """

    def __init__(self, corpus: Path, config: str, split: str, settings: CorpusSettings) -> None:
        self.files: list[DataFile] = []
        self._corpus, self._config, self._split, self._settings = corpus, config, split, settings
        self._form = _FORMS[settings.file]
        self._file: _File | None = None
        self._sink: _Lines | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = self._records = self._bytes = 0

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
        elif self._file and self._sink:
            self._sink.abandon()
            self._file.close()

    @property
    def place(self) -> tuple[int, int]:
        """The number of the file, and the byte in it, at which the next line of JSON begins."""
        return len(self.files), self._bytes + self._waiting_bytes

    def write(self, line: bytes) -> None:
        """Write a record, a line of JSON."""
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        self._records += 1
        full = self._bytes + self._waiting_bytes >= self._settings.shard
        if full or self._waiting_bytes >= self._form.buffer:
            self._flush()
        if full:
            self._finish()

    def write_all(self, told: bytes, lengths: Sequence[int]) -> None:
        """Write records, lines of JSON that stand one after the other, given their lengths."""
        fits = self._bytes + self._waiting_bytes + len(told) < self._settings.shard
        if self._form is _Lines and fits:
            self._records += len(lengths) - 1
            self.write(told)
            return
        at = 0
        for length in lengths:
            self.write(told[at : at + length])
            at += length

    def _flush(self) -> None:
        sink = self._sink or self._open()
        self._bytes += self._waiting_bytes
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        sink.write(waiting)

    def _open(self) -> _Lines:
        name = f"{self._split}-{len(self.files):05d}.{self._settings.file}"
        self._file = _File(self._corpus, f"{folder_of(self._config)}/{name}")
        self._sink = self._form(self._file, features(self._config, self._settings.format))
        return self._sink

    def _finish(self) -> None:
        if not self._records:
            return
        if self._waiting:
            self._flush()
        assert self._file is not None
        assert self._sink is not None
        self._sink.finish()
        self._file.sync()
        self._file.close()
        self.files.append(
            DataFile(
                path=self._file.path,
                config=self._config,
                split=self._split,
                records=self._records,
                bytes=self._file.bytes,
                sha256=self._file.sha256.hexdigest(),
            )
        )
        self._file = self._sink = None
        self._records = self._bytes = 0


class _File(RawIOBase):
    """A new file that counts and hashes what is written."""

    def __init__(self, corpus: Path, path: str) -> None:
        super().__init__()
        self.path = path
        self.bytes = 0
        self.sha256 = hashlib.sha256()
        make_folders(corpus, path)
        self._file = FileIO(corpus / path, "xb")

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.bytes

    def write(self, told: Any) -> int:
        """All of it: a disk that is nearly full takes a part at a time."""
        left = memoryview(told)
        while left:
            left = left[self._file.write(left) :]
        self.sha256.update(told)
        self.bytes += len(told)
        return len(told)

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
        super().close()


# --- forms of files -------------------------------------------------------------------------------


class _Lines:
    """Lines of JSON."""

    buffer = 1 << 18
    """Bytes of JSON that wait in memory before they are written."""

    def __init__(self, file: _File, fields: Sequence[Mapping[str, Any]]) -> None:
        self._file = file

    def write(self, lines: list[bytes]) -> None:
        """Write some records, each a line of JSON."""
        self._file.write(b"".join(lines))

    def finish(self) -> None:
        """Write what is left to write."""

    def abandon(self) -> None:
        """Let go of a file that is thrown away."""


class _Compressed(_Lines):
    """Lines of JSON as one frame of zstd, with a checksum."""

    def __init__(self, file: _File, fields: Sequence[Mapping[str, Any]]) -> None:
        import zstandard

        super().__init__(file, fields)
        self._frame = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()

    def write(self, lines: list[bytes]) -> None:
        self._file.write(self._frame.compress(b"".join(lines)))

    def finish(self) -> None:
        self._file.write(self._frame.flush())


class _Columns(_Lines):
    """Parquet; what is written at once is a row group."""

    buffer = 1 << 22

    def __init__(self, file: _File, fields: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow
        from pyarrow.parquet import ParquetWriter

        super().__init__(file, fields)
        self._table = pyarrow.Table
        self._schema = pyarrow.schema(_arrow(fields))
        self._writer = ParquetWriter(
            file, self._schema, compression="zstd", compression_level=LEVEL, version="2.6"
        )

    def write(self, lines: list[bytes]) -> None:
        rows = [orjson.loads(line) for line in lines]
        self._writer.write_table(self._table.from_pylist(rows, self._schema), len(rows))

    def finish(self) -> None:
        self._writer.close()

    def abandon(self) -> None:
        with suppress(OSError):
            self.finish()


def _arrow(fields: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Fields of Arrow, from those of a dataset card."""
    import pyarrow

    types = {"string": "string", "int64": "int64", "float64": "float64", "bool": "bool_"}

    def of(name: str) -> Any:
        return getattr(pyarrow, types[name])()

    def field(one: Mapping[str, Any]) -> Any:
        if "struct" in one:
            return pyarrow.field(one["name"], pyarrow.struct(_arrow(one["struct"])))
        if "list" in one:
            deep = isinstance(one["list"], list)
            inner = pyarrow.struct(_arrow(one["list"])) if deep else of(one["list"])
            return pyarrow.field(one["name"], pyarrow.list_(inner))
        return pyarrow.field(one["name"], of(one["dtype"]))

    return [field(one) for one in fields]


_FORMS: dict[str, type[_Lines]] = {
    "jsonl": _Lines,
    "jsonl.zst": _Compressed,
    "parquet": _Columns,
}
