"""Node-link JSON, as networkx writes a graph: ``{"nodes": [{"id"}], "edges": [{"source"}]}``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from forest.flat import LABEL
from forest.formats.base import Item, Notice, SourceFile, no_json, refused, shown
from forest.formats.decoding import decoded, read_bytes
from forest.formats.flat_graph import FlatGraph

_HINT = "Expected what networkx.node_link_data() gives, or `forest export --as node-link`."


def read_node_link(source: SourceFile, notice: Notice) -> Iterator[Item]:
    """What a node-link file holds.

    :raises ImportRefused: it cannot be read, or is no graph of a forest.
    """
    text = decoded(read_bytes(source), source)
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise refused(source, error.lineno, no_json(error)) from None
    graph = FlatGraph(source, notice)
    for row in _rows(data, "nodes", source):
        name = row.pop("id", None)
        row.pop(LABEL, None)
        graph.add_vertex(graph.place(name), row)
    for row in _rows(data, "links" if "links" in data else "edges", source):
        start, end = graph.place(row.pop("source", None)), graph.place(row.pop("target", None))
        row.pop("key", None)
        graph.add_edge(row.pop("type", None), start, end, row)
    yield from graph.items()


def _rows(data: Any, name: str, source: SourceFile) -> list[dict[str, Any]]:
    rows = data.get(name) if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise refused(source, 1, f"{name}: expected a list, got {shown(rows)}", hint=_HINT)
    for row in rows:
        if not isinstance(row, dict):
            raise refused(source, None, f"{name}: expected {{…}}, got {shown(row)}", hint=_HINT)
    return rows
