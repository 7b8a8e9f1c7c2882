"""From a forest to one file: RDF, GraphML, node-link JSON, JSON Canvas.

Every format is a function from a forest that nobody writes to, to pieces of the file, one tree in
memory at a time. All but the canvas say all that `forest import` needs to make the same forest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from exporters.folder import replaced_file
from forest.errors import UsageError
from forest.stores.base import Store

BUFFER = 1 << 20
"""Bytes that wait in memory before they are written."""

Seen = Callable[[int], object]
"""Called after each tree with its number of thoughts."""
Pieces = Callable[[Store, Seen], Iterator[str]]


class Format(NamedTuple):
    """Where a format is written, and how often that reads the forest."""

    module: str
    name: str
    passes: int = 1

    def load(self) -> tuple[str, Pieces]:
        """How each file of this format begins, and the function that gives the rest of it."""
        module: Any = import_module(self.module)
        return getattr(module, f"{self.name.upper()}_BEGINS"), getattr(module, self.name)


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "turtle": Format("exporters.rdf", "turtle"),
        "json-ld": Format("exporters.rdf", "json_ld"),
        "n-triples": Format("exporters.rdf", "n_triples"),
        "graphml": Format("exporters.graphml", "graphml"),
        "node-link": Format("exporters.node_link", "node_link", passes=2),
        "canvas": Format("exporters.canvas", "canvas", passes=2),
    }
)
"""The formats by name."""


def export_graph(
    store: Store,
    out: Path | str,
    format: str,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Write a forest as one file, in the place of an earlier export of the same format.

    The same forest gives the same bytes, on any store. The file is replaced whole or not at all.

    :param format: one of `FORMATS`.
    :param progress: called with ("thoughts", done, all) after each tree.
    :returns: the size of the file in bytes.
    :raises UsageError: there is no such format.
    :raises ExportError: ``out`` is something else than an earlier export of this format, another
        export is writing it, there is no room, or the format cannot hold a character.
    """
    if format not in FORMATS:
        raise UsageError(f"there is no format {format!r}", hint=f"Formats: {', '.join(FORMATS)}.")
    begins, pieces = FORMATS[format].load()
    with replaced_file(Path(out), begins.encode()) as (path, room), store.snapshot(room) as forest:
        seen = _counting(forest, FORMATS[format].passes, progress)
        with path.open("xb", buffering=BUFFER) as file:
            file.write(begins.encode())
            for piece in pieces(forest, seen):
                file.write(piece.encode())
        return path.stat().st_size


def _counting(forest: Store, passes: int, progress: Callable[[str, int, int], None] | None) -> Seen:
    if progress is None:
        return lambda _: None
    everything = passes * sum(info.size for info in forest.infos())
    done = 0

    def seen(thoughts: int) -> None:
        nonlocal done
        done += thoughts
        progress("thoughts", done, everything)

    return seen
