"""Nodes of the graph beside the trees: formulas and their scenes, decisions about anchors.

What kinds there are, with their properties and relationships, is declared in `forest.schema`. A
store keeps such nodes as they are and knows nothing of what they mean; `anchors` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from forest.errors import InvalidInput
from forest.fields import clean_lines
from forest.language import guess_language
from forest.schema import BESIDE, RELATIONSHIPS, NodeType, Property, RelationshipType

Value = str | int | float | bool
Key = tuple[str, str]
"""(label, key) of a node."""


@dataclass(frozen=True, slots=True)
class Link:
    """A relationship that a node begins."""

    type: str
    target: str
    """Key of the node it leads to, which need not be there; its label is the type's."""
    properties: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Node:
    """A node with the relationships that it begins, in their order."""

    label: str
    key: str
    properties: Mapping[str, Value] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    @property
    def at(self) -> Key:
        """Its (label, key)."""
        return self.label, self.key


def derived_key(first: str, said: Mapping[str, Value]) -> str:
    """The key of a node that needs none of its own: of what it leads to first, and what it says.

    That is its text, register and language, which is guessed where it is missing.
    """
    text, register = str(said["text"]), str(said.get("register", ""))
    written = "\0".join((text, register, str(said.get("lang") or guess_language([text]))))
    return f"{first}/{sha256(written.encode()).hexdigest()[:16]}"


TYPES: Mapping[str, NodeType] = {type_.label: type_ for type_ in BESIDE}
LINKS: Mapping[str, RelationshipType] = {
    type_.name: type_ for type_ in RELATIONSHIPS if type_.start in TYPES
}
"""The relationships that such nodes begin."""


def known(labels: Iterable[str]) -> list[str]:
    """The labels, if all are declared. Raises InvalidInput."""
    labels = list(labels)
    for label in labels:
        if label not in TYPES:
            raise InvalidInput(f"{label!r} is no kind of node: expected one of {list(TYPES)}")
    return labels


def checked(new: Mapping[Key, Node | None]) -> list[tuple[Key, Node | None]]:
    """What is to be stored, if all of it is declared. Raises InvalidInput."""
    for at, node in new.items():
        known([at[0]])
        if node is not None:
            if node.at != at:
                raise InvalidInput(f"{at} was to become {node.at}: a node keeps its key")
            _check(node)
    return sorted(new.items())


def _check(node: Node) -> None:
    type_, where = TYPES[node.label], f"{node.label} {node.key!r}"
    if not node.key or node.key != node.key.strip():
        raise InvalidInput(f"{where}: expected a key without white space around it")
    _check_text(where, "its key", node.key)
    if not node.properties and not node.links:
        raise InvalidInput(f"{where}: it says nothing: expected a property or a relationship")
    _check_values(where, type_.properties, node.properties, but=type_.key)
    for link in node.links:
        declared = LINKS.get(link.type)
        if declared is None or declared.start != node.label:
            raise InvalidInput(f"{where}: it cannot begin a relationship {link.type!r}")
        if not link.target:
            raise InvalidInput(f"{where}: a relationship {link.type} leads nowhere")
        _check_text(where, f"the end of {link.type}", link.target)
        _check_values(f"{where}, {link.type}", declared.properties, link.properties)


_PYTHON: Mapping[str, Any] = {"STRING": str, "INTEGER": int, "FLOAT": float, "BOOLEAN": bool}


def _check_values(
    where: str, declared: Iterable[Property], given: Mapping[str, Value], but: str = ""
) -> None:
    types = {p.name: p.type for p in declared if p.name not in (but, "position")}
    for name, value in given.items():
        if name not in types:
            raise InvalidInput(f"{where}: there is no property {name!r}: expected {list(types)}")
        if type(value) is not _PYTHON[types[name]]:
            raise InvalidInput(f"{where}: {name} is {value!r}, expected {types[name]}")
        if isinstance(value, str):
            _check_text(where, name, value)


def _check_text(where: str, what: str, value: str) -> None:
    try:
        clean_lines(value)
    except ValueError as error:
        raise InvalidInput(f"{where}: {what}: {error}") from None
