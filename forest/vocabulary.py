"""The words of a forest in RDF, made from the declaration in `forest.schema`.

A vertex is ``urn:reasoning-forest:LABEL:KEY``, its properties and relationships are
``urn:reasoning-forest:term:…``, except where SKOS, Dublin Core or PROV has the word. A relationship
with properties is said twice: as a triple, for queries, and as an ``rdf:Statement`` that carries
the properties. A thought has one before it at most, so its position stands at the thought.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote

from forest.flat import DECLARED, IN_TREE, LABELS, TYPES, declared
from forest.nodes import Key
from forest.schema import (
    ANCHOR,
    AXIS,
    FORMULA,
    LEADS_TO,
    ROOT,
    SCENE,
    THOUGHT,
    TREE,
    NodeType,
    RelationshipType,
)

OURS = "urn:reasoning-forest:"
PREFIXES: Mapping[str, str] = {
    "rf": f"{OURS}term:",
    "dcterms": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
CONCEPTS: Mapping[str, str] = {
    ANCHOR.label: f"{OURS}scheme:anchors",
    AXIS.label: f"{OURS}scheme:axes",
}
"""The labels whose vertices are concepts of SKOS, and the scheme they are in."""
OWNED = (ROOT.name, LEADS_TO.name)
"""Relationships that a vertex is the end of once: they need no statement."""
DATATYPES: Mapping[str, str] = {
    "INTEGER": "xsd:integer",
    "FLOAT": "xsd:double",
    "BOOLEAN": "xsd:boolean",
    "ZONED DATETIME": "xsd:dateTime",
}
"""By type of Cypher; all others are plain text."""


def full(name: str) -> str:
    """The IRI of a name such as ``skos:prefLabel``."""
    prefix, _, rest = name.partition(":")
    return PREFIXES[prefix] + rest


_LANGUAGE = {(type_.label, "lang"): "dcterms:language" for type_ in (TREE, THOUGHT, ANCHOR, SCENE)}
_KNOWN = _LANGUAGE | {
    (TREE.label, "title"): "dcterms:title",
    (TREE.label, "created_at"): "prov:generatedAtTime",
    (TREE.label, "updated_at"): "dcterms:modified",
    (TREE.label, "source"): "prov:hadPrimarySource",
    (THOUGHT.label, IN_TREE.name): "dcterms:isPartOf",
    (FORMULA.label, "origin"): "prov:wasGeneratedBy",
    (SCENE.label, "origin"): "prov:wasGeneratedBy",
    ("ANCHORED_BY", "origin"): "prov:wasGeneratedBy",
    (AXIS.label, "name"): "skos:prefLabel",
    (AXIS.label, "description"): "skos:definition",
    (ANCHOR.label, "phrase"): "skos:prefLabel",
}
NAMED: Mapping[str, tuple[str, str]] = {
    "prov:hadPrimarySource": ("file", "prov:Entity"),
    "prov:wasGeneratedBy": ("origin", "prov:Activity"),
    "dcterms:isPartOf": ("tree", "rf:Tree"),
}
"""Properties whose values RDF wants to be things: the kind of their IRI, and what they are."""


def _camel(name: str) -> str:
    first, *rest = name.lower().split("_")
    return "rf:" + first + "".join(map(str.capitalize, rest))


def _terms(type_: NodeType | RelationshipType) -> dict[str, str]:
    owner = type_.label if isinstance(type_, NodeType) else type_.name
    return {p.name: _KNOWN.get((owner, p.name), _camel(p.name)) for p in declared(type_)}


TERMS: Mapping[str, Mapping[str, str]] = {name: _terms(type_) for name, type_ in DECLARED.items()}
"""By label or type of relationship: the name in RDF of each property."""
POSITION = "rf:position"
LINKS: Mapping[str, str] = {name: _camel(name) for name in TYPES}
"""The name in RDF of each type of relationship."""


def local(key: str) -> str:
    """A key as the last part of an IRI: letters and digits of any script stay readable."""
    return "".join(c if c.isalnum() or c in "-_." else quote(c, safe="") for c in key)


def iri(kind: str, key: str) -> str:
    """The IRI of a vertex by its label, or of another named thing by its kind."""
    return f"{OURS}{kind.lower()}:{local(key)}"


_BY_KIND = {label.lower(): label for label in LABELS}


def place(text: str) -> Key | None:
    """The (label, key) that an IRI names, or None."""
    kind, _, key = text.removeprefix(OURS).partition(":")
    if not text.startswith(OURS) or kind not in _BY_KIND or not key:
        return None
    return _BY_KIND[kind], unquote(key)


def key_of(text: str) -> str:
    """The key in an IRI that `iri` made; the whole IRI where it is somebody else's."""
    return unquote(text.removeprefix(OURS).partition(":")[2]) if text.startswith(OURS) else text
