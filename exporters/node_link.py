"""Node-link JSON, as networkx.node_link_graph() reads it."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from exporters.graph import Seen
from forest.flat import LABEL, Edge, Vertex, name_of, records
from forest.stores.base import Store

NODE_LINK_BEGINS = (
    '{"directed":true,"multigraph":true,"graph":{"made_by":"reasoning-forest"},"nodes":[\n'
)


def node_link(forest: Store, seen: Seen) -> Iterator[str]:
    """The graph, a node or an edge on each line. An edge's key is its place among its kind."""
    between = ""
    for record in records(forest, seen):
        if isinstance(record, Vertex):
            yield between + _row(
                {"id": name_of(record.at), LABEL: record.label, **record.properties}
            )
            between = ",\n"
    yield '\n],"edges":[\n'
    between = ""
    for record in records(forest, seen):
        if isinstance(record, Edge):
            ends = {"source": name_of(record.start), "target": name_of(record.end)}
            key = record.properties.get("position", 0)
            yield between + _row({**ends, "key": key, "type": record.type, **record.properties})
            between = ",\n"
    yield "\n]}\n"


def _row(values: dict[str, object]) -> str:
    return orjson.dumps(values).decode()
