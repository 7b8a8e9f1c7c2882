"""Values of Neo4j as values of Python, and as values that JSON can say."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, time, timezone
from typing import Any

from neo4j.graph import Node, Path, Relationship
from neo4j.spatial import Point
from neo4j.time import Date, DateTime, Duration, Time


def moment(value: Any) -> Any:
    """A Neo4j date or date and time as a `datetime`; a date begins at midnight UTC.

    Anything else comes back as it is: an author may have typed an ISO string.
    """
    if isinstance(value, Date):
        value = datetime.combine(value.to_native(), time(), UTC)
    elif isinstance(value, DateTime):
        value = value.to_native()
    if isinstance(value, datetime) and (offset := value.utcoffset()) is not None:
        # The driver gives time zones of pytz, which other stores do not know.
        return value.replace(tzinfo=timezone(offset) if offset else UTC)
    return value


def no_text(value: Any) -> str:
    """How a message calls a value where text was expected."""
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    kind = kinds.get(type(value), f"of the type {type(value).__name__}")
    return f"is {kind} ({value}), expected text"


def jsonable(value: Any) -> Any:
    """A value that a query gave, as numbers, strings, lists and dicts.

    A node is ``{"element_id", "labels", "properties"}``, a relationship ``{"element_id", "type",
    "start", "end", "properties"}``, a path ``{"nodes", "relationships"}``; times are ISO 8601.
    """
    if isinstance(value, Node | Relationship | Path):
        return _graph(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, Point):
        return {"srid": value.srid, "coordinates": list(value)}
    if isinstance(value, Date | DateTime | Time | Duration):
        return value.iso_format()
    if hasattr(value, "to_native"):  # a vector; the type is not in every driver
        return list(value.to_native())
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    return [jsonable(item) for item in value] if isinstance(value, list | tuple) else value


def _graph(value: Node | Relationship | Path) -> dict[str, Any]:
    if isinstance(value, Path):
        return {
            "nodes": [jsonable(node) for node in value.nodes],
            "relationships": [jsonable(link) for link in value.relationships],
        }
    properties = jsonable(dict(value))
    if isinstance(value, Node):
        return {
            "element_id": value.element_id,
            "labels": sorted(value.labels),
            "properties": properties,
        }
    return {
        "element_id": value.element_id,
        "type": value.type,
        # Not `and`: a node without properties counts as false.
        "start": None if value.start_node is None else value.start_node.element_id,
        "end": None if value.end_node is None else value.end_node.element_id,
        "properties": properties,
    }
