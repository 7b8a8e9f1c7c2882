"""What the tests of the registry share: anchors without a forest, and a small forest."""

from __future__ import annotations

from collections.abc import Iterable

from anchors.decisions import Decision
from anchors.registry import Registry
from forest.model import Anchor, AnchorKind, anchor_id
from forest.nodes import Node
from forest.stores.base import Store


def anchor(phrase: str, trees: int = 1, kind: AnchorKind = "phrase") -> Anchor:
    return Anchor(id=anchor_id(phrase, kind), phrase=phrase, trees=trees, thoughts=trees, kind=kind)


def merged(no: int, one: str, other: str) -> Decision:
    return Decision(no, "", "merge", one, other)


def refused(no: int, one: str, other: str) -> Decision:
    return Decision(no, "", "refuse", one, other)


def undone(no: int, number: int) -> Decision:
    return Decision(no, "", "undo", phrase=str(number))


def groups(registry: Registry) -> set[frozenset[str]]:
    """The groups, as sets of ids."""
    return {frozenset(a.id for a in group.anchors) for group in registry.groups()}


def one_group(*ids: str) -> set[frozenset[str]]:
    return {frozenset(ids)}


def registry(phrases: Iterable[str], *decisions: Decision) -> Registry:
    return Registry([anchor(p) for p in phrases], decisions)


def put(store: Store, *new: Node) -> None:
    store.change_nodes([], lambda _: {node.at: node for node in new})
