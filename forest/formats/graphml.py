"""GraphML: one pass of expat over the file, which knows the line of each element.

A document type declaration is refused: all that it can bring are entities, which have no place in
a graph and can make a small file a huge one, or read other files.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from forest.errors import ImportRefused
from forest.flat import DECLARED, LABEL, declared
from forest.formats.base import Item, Notice, SourceFile, refused
from forest.formats.decoding import unreadable
from forest.formats.flat_graph import FlatGraph

NAMESPACE = "http://graphml.graphdrawing.org/xmlns"


def read_graphml(source: SourceFile, notice: Notice) -> Iterator[Item]:
    """What a GraphML file holds.

    :raises ImportRefused: it cannot be read, is no XML or no graph of a forest, or declares a
        document type.
    """
    reading = _Reading(source, FlatGraph(source, notice))
    try:
        with source.path.open("rb") as file:
            reading.parser.ParseFile(file)
    except OSError as error:
        raise unreadable(source, error) from None
    except expat.ExpatError as error:
        message = f"no valid XML: {expat.ErrorString(error.code)} (column {error.offset + 1})"
        raise refused(source, error.lineno, message) from None
    yield from reading.graph.items()


class _Reading:
    """The elements of a file, as they come."""

    def __init__(self, source: SourceFile, graph: FlatGraph) -> None:
        self.source, self.graph = source, graph
        self.keys: dict[str, tuple[str, str]] = {}
        """(what it is for, name) of a property by the id that data call it by."""
        self.defaults: dict[tuple[str, str], str] = {}
        self.element: tuple[str, dict[str, str], int] | None = None
        self.data: dict[str, str] = {}
        self.key: str | None = None
        self.text: list[str] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text.append
        self.parser.StartDoctypeDeclHandler = self.doctype

    def bad(self, message: str, *, hint: str | None = None) -> ImportRefused:
        return refused(self.source, self.parser.CurrentLineNumber, message, hint=hint)

    def doctype(self, *_: object) -> None:
        raise self.bad(
            "a document type declaration (<!DOCTYPE …>), which may hold entities: it is not read",
            hint="GraphML needs none: remove it.",
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.removeprefix(f"{NAMESPACE} ")
        self.text.clear()
        if name == "key":
            self.key = attributes.get("id", "")
            of = attributes.get("for", "all"), attributes.get("attr.name", self.key)
            self.keys[self.key] = of
        elif name in ("node", "edge"):
            self.element = name, attributes, self.parser.CurrentLineNumber
            self.data = {}
        elif name == "data":
            self.key = attributes.get("key", "")
            if self.key not in self.keys:
                raise self.bad(f"data with the key {self.key!r}, which no <key> declares")
        elif name == "hyperedge":
            raise self.bad("a hyperedge: a relationship joins two nodes")

    def end(self, name: str) -> None:
        name = name.removeprefix(f"{NAMESPACE} ")
        if name == "default" and self.key is not None:
            self.defaults[self.keys[self.key]] = "".join(self.text)
        elif name == "data" and self.element is not None and self.key is not None:
            self.data[self.keys[self.key][1]] = "".join(self.text)
        elif name in ("node", "edge") and self.element is not None:
            self.add(*self.element)
            self.element = None
        self.text.clear()

    def add(self, name: str, attributes: dict[str, str], line: int) -> None:
        graph, data = self.graph, self.data
        if name == "node":
            at = graph.place(attributes.get("id"), line)
            data.pop(LABEL, None)
            graph.add_vertex(at, self.with_defaults(name, at[0]), line)
            return
        start, end = (graph.place(attributes.get(to), line) for to in ("source", "target"))
        type_ = data.pop("type", None)
        graph.add_edge(type_, start, end, self.with_defaults(name, type_), line)

    def with_defaults(self, of: str, owner: str | None) -> dict[str, str]:
        """The data of an element, with the defaults of what it can have and does not say."""
        type_ = DECLARED.get(owner or "")
        names = {p.name for p in declared(type_)} if type_ and self.defaults else set()
        defaults = {
            name: text
            for (for_, name), text in self.defaults.items()
            if for_ in (of, "all") and name in names
        }
        return defaults | self.data
