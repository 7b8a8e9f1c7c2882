"""RDF: Turtle and JSON-LD through rdflib, N-Triples line by line without it.

`forest.vocabulary` says what the triples of a forest are. What else a file says is left out, with
a notice. Nothing is fetched: a JSON-LD file brings its own context.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from forest.errors import MissingExtra
from forest.flat import name_of
from forest.formats.base import Item, Notice, SourceFile, no_json, refused, shown
from forest.formats.decoding import decoded, read_bytes, read_lines
from forest.formats.flat_graph import FlatGraph
from forest.nodes import Key
from forest.schema import LEADS_TO
from forest.vocabulary import (
    LINKS,
    NAMED,
    OURS,
    OWNED,
    POSITION,
    TERMS,
    full,
    key_of,
    place,
)


class Value(NamedTuple):
    """The object of a triple."""

    text: str
    """The IRI, or the literal as it is written."""
    is_iri: bool
    line: int | None = None


Triple = tuple[str, str, Value]
_WHY = re.compile(r"Bad syntax \((.*)\) at \^ in:")


# --- three ways to write triples ------------------------------------------------------------------


def read_n_triples(source: SourceFile, notice: Notice) -> Iterator[Item]:
    """What an N-Triples file holds. Raises ImportRefused at a line that is no triple."""
    yield from _Graph(source, notice, _lines(source)).items()


def read_turtle(source: SourceFile, notice: Notice) -> Iterator[Item]:
    """What a Turtle file holds. Raises ImportRefused if it is no Turtle, MissingExtra."""
    yield from _Graph(source, notice, _parsed(source, "turtle")).items()


def read_json_ld(source: SourceFile, notice: Notice) -> Iterator[Item]:
    """What a JSON-LD file holds.

    :raises ImportRefused: it is no JSON-LD, or names a context elsewhere.
    :raises MissingExtra: rdflib is not installed.
    """
    yield from _Graph(source, notice, _parsed(source, "json-ld")).items()


def _parsed(source: SourceFile, format: str) -> Iterator[Triple]:
    try:
        import rdflib
    except ImportError:
        message = f"{source.name}: reading {format} needs rdflib, which is not installed"
        raise MissingExtra(message, "rdf") from None
    text = decoded(read_bytes(source), source)
    if format == "json-ld":
        _refuse_far_contexts(text, source)
    graph = rdflib.Graph()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it warns of its own ways
            graph.parse(data=text, format=format)
    except (Exception, RecursionError) as error:  # noqa: BLE001 - its parsers raise anything
        before = getattr(error, "lines", None)  # of Turtle's BadSyntax
        said = " ".join(str(error).split()) or type(error).__name__
        why = _WHY.search(said)
        raise refused(
            source,
            None if before is None else before + 1,
            f"no valid {format}: {why[1] if why else said[:200]}",
        ) from None
    for s, p, o in graph:
        yield str(s), str(p), Value(str(o), isinstance(o, rdflib.URIRef))


def _refuse_far_contexts(text: str, source: SourceFile) -> None:
    """Refuse a document for which a parser would read others."""
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise refused(source, error.lineno, no_json(error)) from None
    todo = [data]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            given = value.get("@context", [])
            contexts = given if isinstance(given, list) else [given]
            far = next((c for c in contexts if isinstance(c, str)), value.get("@import"))
            if far is not None:
                raise refused(
                    source,
                    None,
                    f"it names the context {shown(far)}, which would have to be fetched",
                    hint="Write the context into the file.",
                )
            todo += value.values()
        elif isinstance(value, list):
            todo += value


_IRI = r'<([^\x00-\x20<>"{}|^`]*)>'
_TRIPLE = re.compile(
    rf"\s*(?:{_IRI}|_:\S+)\s*{_IRI}\s*"
    rf'(?:{_IRI}|_:\S+?|"([^"\\\n\r]*(?:\\.[^"\\\n\r]*)*)"(?:\^\^{_IRI}|@[a-zA-Z0-9-]+)?)'
    r"\s*\.\s*(?:#.*)?"
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


def _lines(source: SourceFile) -> Iterator[Triple]:
    for line in read_lines(source, lambda _: None, mend=False):
        text = decoded(line.raw, source, line.number, line.offset).strip()
        if text.startswith("#"):
            continue
        found = _TRIPLE.fullmatch(text)
        if found is None:
            raise refused(source, line.number, f"no triple of N-Triples: {shown(text)}")
        subject, predicate, iri, literal = found.group(1, 2, 3, 4)
        if subject is None or iri is literal:
            continue  # blank nodes: no part of a forest
        try:
            value = Value(_unescaped(iri or literal or ""), iri is not None, line.number)
            yield _unescaped(subject), _unescaped(predicate), value
        except (KeyError, ValueError, OverflowError):
            message = f"an escape that N-Triples does not have: {shown(text)}"
            raise refused(source, line.number, message) from None


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(
        lambda found: chr(int(found[1] or found[2], 16)) if not found[3] else _ESCAPED[found[3]],
        text,
    )


# --- what they say --------------------------------------------------------------------------------

_A = full("rdf:type")
_SUBJECT, _PREDICATE, _OBJECT = (full(f"rdf:{name}") for name in ("subject", "predicate", "object"))
_LINK_OF = {full(term): name for name, term in LINKS.items()}
_NAME_OF = {
    owner: {full(term): name for name, term in terms.items()} for owner, terms in TERMS.items()
}
_NAMED = frozenset(map(full, NAMED))
_POSITION = full(POSITION)
_SAID = frozenset({_A, full("skos:inScheme"), _SUBJECT, _PREDICATE, _OBJECT})
"""What says nothing that is not said elsewhere."""

Said = dict[str, list[Value]]
"""The objects by predicate of one subject."""


class _Graph:
    """The triples of a file, by their subjects."""

    def __init__(self, source: SourceFile, notice: Notice, triples: Iterable[Triple]) -> None:
        self.source = source
        self.graph = FlatGraph(source, notice)
        subjects: dict[str, Said] = {}
        for subject, predicate, value in triples:
            subjects.setdefault(subject, {}).setdefault(predicate, []).append(value)
        self.places = {
            end: said[_POSITION][0].text for end, said in subjects.items() if _POSITION in said
        }
        joined = {
            self._statement(said) for subject, said in sorted(subjects.items()) if _SUBJECT in said
        }
        for subject, said in sorted(subjects.items()):
            at = place(subject)
            if at is not None:
                self._vertex(at, said, joined)
            elif _SUBJECT not in said and not subject.startswith(OURS):
                self.graph.ignore(subject)

    def items(self) -> Iterator[Item]:
        return self.graph.items()

    def _vertex(self, at: Key, said: Said, joined: set[tuple[Key, str, Key]]) -> None:
        known = _NAME_OF[at[0]]
        direct = {p: values for p, values in said.items() if p in _LINK_OF}
        place_ = {_POSITION} if at[0] == LEADS_TO.end else set()
        for predicate in said.keys() - known.keys() - direct.keys() - _SAID - place_:
            self.graph.ignore(predicate)
        line = min((v.line for values in said.values() for v in values if v.line), default=None)
        self.graph.add_vertex(at, self._properties(name_of(at), said, known), line)
        for predicate, values in direct.items():
            for value in sorted(values):
                self._direct(at, _LINK_OF[predicate], value, joined)

    def _direct(
        self, start: Key, type_: str, value: Value, joined: set[tuple[Key, str, Key]]
    ) -> None:
        """A relationship that is said as a triple, unless a statement said it with more."""
        end = self._end(value)
        if (start, type_, end) in joined:
            return
        there = self.places.get(value.text) if type_ in OWNED else None
        position = {"position": there} if there and type_ == LEADS_TO.name else {}
        self.graph.add_edge(type_, start, end, position, value.line)

    def _statement(self, said: Said) -> tuple[Key, str, Key]:
        """Add the relationship that an rdf:Statement describes; gives (start, type, end)."""
        parts = []
        for predicate in (_SUBJECT, _PREDICATE, _OBJECT):
            values = said.get(predicate, [])
            if len(values) != 1:
                line = said[_SUBJECT][0].line
                what = predicate.rpartition("#")[2]
                message = f"an rdf:Statement with {len(values)} values for {what}: expected one"
                raise refused(self.source, line, message)
            parts.append(values[0])
        start, type_, end = self._end(parts[0]), _LINK_OF.get(parts[1].text), self._end(parts[2])
        known = _NAME_OF.get(type_ or "", {})
        for predicate in said.keys() - known.keys() - _SAID:
            self.graph.ignore(predicate)
        properties = self._properties(f"{name_of(start)}, {type_}", said, known)
        self.graph.add_edge(type_ or parts[1].text, start, end, properties, parts[0].line)
        return start, type_ or "", end

    def _end(self, value: Value) -> Key:
        at = place(value.text) if value.is_iri else None
        if at is None:
            message = f"{shown(value.text)} is no node of a forest: expected such as <{OURS}tree:…>"
            raise refused(self.source, value.line, message)
        return at

    def _properties(self, where: str, said: Said, known: dict[str, str]) -> dict[str, Any]:
        found = {}
        for predicate, name in known.items():
            values = said.get(predicate)
            if not values:
                continue
            if len({value.text for value in values}) > 1:
                both = ", ".join(sorted(shown(value.text) for value in values))
                message = f"{where}: two values for {name}: {both}"
                raise refused(self.source, values[1].line, message)
            text = values[0].text
            found[name] = key_of(text) if predicate in _NAMED and values[0].is_iri else text
        return found
