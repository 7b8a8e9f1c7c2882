"""A corpus folder as training reads it: checked first, then streamed.

The folder with its manifest is the whole contract between export and training, so nothing here
knows the forest.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any, Self

import orjson

from training.errors import CorpusError
from training.files import json_hash, measure
from training.library import library

FORMAT = "reasoning-forest corpus"
FORMAT_VERSION = 1
"""The newest layout of a corpus folder that this library reads."""


ROWS = 100
"""Records of a Parquet file in memory at a time, beside the row group that they are in."""


class Corpus:
    """A corpus that was found whole. Make one with `Corpus.open`."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        """manifest.json as it stands: forest_revision, recipe, seed, splits, files, …"""

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open the corpus in a folder; size and SHA-256 of every file of it are checked.

        Raises CorpusError where there is no manifest, it is of a newer format, or a file is
        missing or not as it was exported.
        """
        path = Path(path)
        if path.is_symlink():
            # A night may move `latest` while it is read: what was checked is what is read.
            path = path.resolve()
        manifest = _read_manifest(path)
        beside = [manifest.get("tokens"), manifest.get("probes"), manifest.get("left_out")]
        for file in [*manifest["files"], *filter(None, beside)]:
            if file["path"]:
                _check(path, file)
        return cls(path, manifest)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the manifest: it names the bytes of every file of records."""
        return json_hash(self.manifest)

    @property
    def marker(self) -> str | None:
        """What stands where a walk jumps, or None where the recipe does not say."""
        marker = self.manifest.get("recipe", {}).get("walks", {}).get("marker")
        return marker if isinstance(marker, str) else None

    @property
    def splits(self) -> list[str]:
        """Names of the splits that hold records, training first."""
        return sorted({file["split"] for file in self.manifest["files"]})

    def has(self, split: str, config: str = "default") -> bool:
        """Whether a split holds records of a configuration."""
        return any(f["split"] == split and _config(f) == config for f in self.manifest["files"])

    @property
    def configs(self) -> list[str]:
        """Names of the configurations: records with the same columns."""
        return sorted({_config(file) for file in self.manifest["files"]})

    def __len__(self) -> int:
        """Number of records in all splits."""
        return sum(file["records"] for file in self.manifest["files"])

    def records(self, split: str = "train", config: str = "default") -> Iterator[dict[str, Any]]:
        """The records of a split, in their order, one in memory at a time.

        :param config: default (``{"text", "meta"}``, or as `training.formats` reads it), preference
            (``prompt, chosen, rejected``), or stepwise (``prompt, completions, labels``).
        :raises CorpusError: the corpus has no such split or configuration.
        :raises MissingExtra: its files are compressed or Parquet, and the package that reads them
            is not installed.
        """
        known = [file for file in self.manifest["files"] if _config(file) == config]
        files = [file for file in known if file["split"] == split]
        if not files:
            what, names = ("split", self.splits) if known else ("configuration", self.configs)
            raise CorpusError(
                f"the corpus {self.path} has no {what} {(split if known else config)!r}",
                hint=f"It has: {', '.join(names)}.",
            )
        return chain.from_iterable(_records(self.path / file["path"]) for file in files)

    def probes(self) -> Iterator[dict[str, Any]]:
        """The probes that the export wrote: stitches that it held out of training. May be none."""
        probes = self.manifest.get("probes") or {}
        if probes.get("path"):
            yield from _records(self.path / probes["path"])


def _records(file: Path) -> Iterator[dict[str, Any]]:
    """The records of a data file, by the form that its name ends in."""
    with file.open("rb") as raw:
        if file.suffix == ".parquet":
            rows = library("pyarrow.parquet", "parquet").ParquetFile(raw)
            for batch in rows.iter_batches(batch_size=ROWS):
                yield from batch.to_pylist()
        elif file.suffix == ".zst":
            frames = library("zstandard", "zstd").ZstdDecompressor()
            with frames.stream_reader(raw) as told:
                yield from map(orjson.loads, BufferedReader(told))
        else:
            yield from map(orjson.loads, raw)


def _config(file: dict[str, Any]) -> str:
    config: str = file.get("config", "default")
    return config


def _read_manifest(path: Path) -> dict[str, Any]:
    export_again = "Export it again: forest export OUT."
    try:
        manifest = orjson.loads((path / "manifest.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise CorpusError(
            f"{path} is not a corpus: it has no manifest.json", hint=export_again
        ) from None
    except OSError as error:
        raise CorpusError(f"the corpus {path} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise CorpusError(
            f"{path / 'manifest.json'} is not JSON: {error}", hint=export_again
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CorpusError(f"{path} is not a corpus of reasoning-forest", hint=export_again)
    version = manifest.get("format_version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise CorpusError(
            f"the corpus {path} has format version {version}; this library reads up to "
            f"{FORMAT_VERSION}",
            hint="It was exported by a newer reasoning-forest: upgrade this one.",
        )
    return manifest


def _check(path: Path, file: dict[str, Any]) -> None:
    """Raise CorpusError unless a data file is as the manifest says."""
    found = path / file["path"]
    export_again = "The corpus was changed since its export: export it again, or copy it again."
    try:
        size, sha256 = measure(found)
    except FileNotFoundError:
        raise CorpusError(f"{found} is missing", hint=export_again) from None
    except OSError as error:
        raise CorpusError(f"{found} cannot be read: {error.strerror}") from error
    if size != file["bytes"]:
        raise CorpusError(
            f"{found} has {size} bytes; its manifest says {file['bytes']}", hint=export_again
        )
    if sha256 != file["sha256"]:
        raise CorpusError(f"{found} does not match its checksum", hint=export_again)
