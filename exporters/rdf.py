"""RDF: Turtle, N-Triples and JSON-LD, written without an RDF library, one record at a time.

`forest.vocabulary` says which words are used. `shapes.ttl` beside this module says in SHACL what is
true of every forest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from exporters.graph import Seen
from forest.flat import DECLARED, Edge, Record, Vertex, declared, records
from forest.nodes import Value
from forest.schema import LEADS_TO
from forest.stores.base import Store
from forest.vocabulary import (
    CONCEPTS,
    DATATYPES,
    LINKS,
    NAMED,
    OURS,
    OWNED,
    POSITION,
    PREFIXES,
    TERMS,
    full,
    iri,
    local,
)


class Iri(NamedTuple):
    """A thing, by its whole IRI; or, with ``short``, a word, by a name such as ``rf:Tree``."""

    text: str
    short: bool = False


class Literal(NamedTuple):
    """A value, with its datatype as a name such as ``xsd:double``; without one it is text."""

    text: str
    datatype: str | None = None


Said = tuple[str, Iri | Literal]
"""(predicate as a name such as ``rf:text``, object)."""
Block = tuple[str, list[Said]]
"""(IRI of a subject, what is said of it)."""

_A = "rdf:type"
_DATATYPE = {
    (name, p.name): DATATYPES.get(p.type)
    for name, type_ in DECLARED.items()
    for p in declared(type_)
}


def blocks(forest: Store, seen: Seen) -> Iterator[Block]:
    """All that is said of a forest, subject by subject; a subject may come again."""
    for label, scheme in CONCEPTS.items():
        title = Literal("Anchors" if label == "Anchor" else "Axes")
        yield scheme, [(_A, Iri("skos:ConceptScheme", short=True)), ("dcterms:title", title)]
    named: set[str] = set()
    for record in records(forest, seen):
        for block in _vertex(record) if isinstance(record, Vertex) else _edge(record):
            yield block
            yield from _new_things(block, named)


def _new_things(block: Block, named: set[str]) -> Iterator[Block]:
    """What the files and origins that a block names are, once."""
    for predicate, value in block[1]:
        _, what = NAMED.get(predicate, ("", ""))
        if what.startswith("prov:") and value.text not in named:
            named.add(value.text)
            yield value.text, [(_A, Iri(what, short=True))]


def _vertex(vertex: Vertex) -> Iterator[Block]:
    said: list[Said] = [(_A, Iri(f"rf:{vertex.label}", short=True))]
    if scheme := CONCEPTS.get(vertex.label):
        said += [(_A, Iri("skos:Concept", short=True)), ("skos:inScheme", Iri(scheme))]
    yield iri(*vertex.at), said + _said(vertex.label, vertex)


def _edge(edge: Edge) -> Iterator[Block]:
    start, end = iri(*edge.start), iri(*edge.end)
    yield start, [(LINKS[edge.type], Iri(end))]
    if edge.type == LEADS_TO.name:
        yield end, [(POSITION, _literal(edge.type, "position", edge.properties["position"]))]
    if edge.type not in OWNED:
        ends: list[Said] = [
            (_A, Iri("rdf:Statement", short=True)),
            ("rdf:subject", Iri(start)),
            ("rdf:predicate", Iri(LINKS[edge.type], short=True)),
            ("rdf:object", Iri(end)),
        ]
        yield _link(edge), ends + _said(edge.type, edge)


def _link(edge: Edge) -> str:
    """The IRI of a relationship: its start, its type, its place."""
    label, key = edge.start
    place = edge.properties["position"]
    return f"{OURS}link:{label.lower()}:{local(key)}:{edge.type.lower()}:{place}"


def _said(owner: str, record: Record) -> list[Said]:
    terms = TERMS[owner]
    return [
        (terms[name], _object(owner, name, terms[name], value))
        for name, value in record.properties.items()
    ]


def _object(owner: str, name: str, term: str, value: Value) -> Iri | Literal:
    if term in NAMED:
        return Iri(iri(NAMED[term][0], str(value)))
    return _literal(owner, name, value)


def _literal(owner: str, name: str, value: Value) -> Literal:
    return Literal(str(value), _DATATYPE[owner, name])


# --- three ways to write it -----------------------------------------------------------------------

N_TRIPLES_BEGINS = "# N-Triples made by reasoning-forest\n"
TURTLE_BEGINS = "# Turtle made by reasoning-forest\n" + "".join(
    f"@prefix {name}: <{start}> .\n" for name, start in PREFIXES.items()
)
JSON_LD_BEGINS = f'{{"@context":{orjson.dumps(dict(PREFIXES)).decode()},"@graph":[\n'

_TO_ESCAPE = re.compile(r'[\x00-\x1f\x7f"\\]')
_ESCAPES = {"\t": r"\t", "\n": r"\n", "\r": r"\r", '"': r"\"", "\\": r"\\"}


def n_triples(forest: Store, seen: Seen) -> Iterator[str]:
    """A triple on each line."""
    for subject, said in blocks(forest, seen):
        for predicate, value in said:
            yield f"<{subject}> <{full(predicate)}> {_in_full(value)} .\n"


def _in_full(value: Iri | Literal) -> str:
    if isinstance(value, Iri):
        return f"<{full(value.text) if value.short else value.text}>"
    return _quoted(value.text) + (f"^^<{full(value.datatype)}>" if value.datatype else "")


def _quoted(text: str) -> str:
    return f'"{_TO_ESCAPE.sub(_escaped, text)}"'


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0], f"\\u{ord(found[0]):04X}")


def turtle(forest: Store, seen: Seen) -> Iterator[str]:
    """A block of lines for each subject."""
    for subject, said in blocks(forest, seen):
        told = " ;\n    ".join(f"{_turtle_name(p)} {_in_short(value)}" for p, value in said)
        yield f"\n<{subject}> {told} .\n"


def _turtle_name(predicate: str) -> str:
    return "a" if predicate == _A else predicate


def _in_short(value: Iri | Literal) -> str:
    if isinstance(value, Iri):
        return value.text if value.short else f"<{value.text}>"
    if value.datatype == "xsd:integer":
        return value.text
    return _quoted(value.text) + (f"^^{value.datatype}" if value.datatype else "")


def json_ld(forest: Store, seen: Seen) -> Iterator[str]:
    """An object on each line of one graph."""
    between = ""
    for subject, said in blocks(forest, seen):
        row: dict[str, object] = {"@id": subject}
        if types := [value.text for predicate, value in said if predicate == _A]:
            row["@type"] = types
        row |= {p: _in_json(value) for p, value in said if p != _A}
        yield between + orjson.dumps(row).decode()
        between = ",\n"
    yield "\n]}\n"


def _in_json(value: Iri | Literal) -> object:
    if isinstance(value, Iri):
        return {"@id": value.text}
    if value.datatype is None:
        return value.text
    return {"@value": value.text, "@type": value.datatype}
