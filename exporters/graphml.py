"""GraphML, as networkx, Gephi and yEd read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from exporters.graph import Seen
from forest.errors import ExportError
from forest.flat import LABEL, LABELS, TYPES, Edge, Record, Vertex, declared, name_of, records
from forest.nodes import Value
from forest.schema import Property
from forest.stores.base import Store

GRAPHML_BEGINS = """<?xml version="1.0" encoding="UTF-8"?>
<!-- made by reasoning-forest -->
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
"""
_TYPES = {"INTEGER": "long", "FLOAT": "double", "BOOLEAN": "boolean"}
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})
_IN_NAMES = str.maketrans({"\n": "&#10;", "\t": "&#9;"})


def graphml(forest: Store, seen: Seen) -> Iterator[str]:
    """The graph, a node or an edge on each line.

    :raises ExportError: a text holds a character that XML cannot.
    """
    label = Property(LABEL, "STRING", "derived", "")
    type_ = Property("type", "STRING", "derived", "")
    yield from _keys("node", [label, *(p for t in LABELS.values() for p in declared(t))])
    yield from _keys("edge", [type_, *(p for t in TYPES.values() for p in declared(t))])
    yield '<graph edgedefault="directed">\n'
    for record in records(forest, seen):
        yield _element(record)
    yield "</graph>\n</graphml>\n"


def _keys(of: str, properties: Iterable[Property]) -> Iterator[str]:
    types = {p.name: _TYPES.get(p.type, "string") for p in properties}
    for name, type_ in types.items():
        yield f'<key id="{of}.{name}" for="{of}" attr.name="{name}" attr.type="{type_}"/>\n'


def _element(record: Record) -> str:
    if isinstance(record, Vertex):
        name = name_of(record.at)
        data = _data("node", {LABEL: record.label, **record.properties}, name)
        return f'<node id="{_name(name)}">{data}</node>\n'
    return _edge(record)


def _edge(edge: Edge) -> str:
    start, end = name_of(edge.start), name_of(edge.end)
    data = _data("edge", {"type": edge.type, **edge.properties}, start)
    return f'<edge source="{_name(start)}" target="{_name(end)}">{data}</edge>\n'


def _data(of: str, properties: Mapping[str, Value], where: str) -> str:
    return "".join(
        f'<data key="{of}.{name}">{_text(str(value), where)}</data>'
        for name, value in properties.items()
    )


def _name(text: str) -> str:
    return _text(text, text).translate(_IN_NAMES)


def _text(text: str, where: str) -> str:
    if bad := _NO_XML.search(text):
        raise ExportError(
            f"{where} holds the character U+{ord(bad[0]):04X}, which XML cannot hold",
            hint="Remove it from the text, or export to another format: node-link, turtle.",
        )
    return text.translate(_ESCAPES)
