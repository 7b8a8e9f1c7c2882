"""Axes: listed, described, removed."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from forest.errors import InvalidInput
from forest.model import Axis
from forest.phrases import phrase_key
from forest.stores.base import axis_in_use, no_such_axis
from forest.stores.neo4j.building import said
from forest.stores.neo4j.connection import ask, run
from forest.stores.neo4j.reading import tree_id

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

AXES = "MATCH (x:Axis) RETURN collect([id(x), x.id, x.name, x.description])"
CREATE = "UNWIND $rows AS row CREATE (x:Axis) SET x = row"
DESCRIBE = "UNWIND $rows AS row MATCH (x) WHERE id(x) = row[0] SET x += row[1]"
# The lock comes first: another writer may be binding a tree to it just now.
BOUND = """
UNWIND $nodes AS node
MATCH (x:Axis) WHERE id(x) = node
SET x.name = x.name
WITH x
OPTIONAL MATCH (t:Tree)-[:ALIGNS_WITH]->(x)
RETURN t.id, t.title, t IS NOT NULL
"""
REMOVE = "UNWIND $nodes AS node MATCH (x) WHERE id(x) = node DETACH DELETE x"


def axis_id(id_: Any, name: Any) -> str:
    """The id that an Axis node has on reading: the key of its name, where it has none its id.

    Trees know an axis by its name, in every store; another id that an author typed is his own.
    """
    return phrase_key(str(name)) if name else str(id_ or "")


def all_axes(tx: ManagedTransaction) -> list[Axis]:
    """All axes, in the order of their ids; of several nodes with one id the oldest."""
    axes: dict[str, Axis] = {}
    for node, id_, name, description in _rows(tx):
        try:
            axis = Axis(
                id=axis_id(id_, name), name=name or id_ or "", description=description or ""
            )
        except InvalidInput as error:
            raise InvalidInput(
                f"the Axis node (id {node}) is not as the model wants it: {said(error)}",
                hint="Put it right with Cypher: `forest check` lists all such places.",
            ) from None
        axes.setdefault(axis.id, axis)
    return [axes[key] for key in sorted(axes)]


def put_axes(tx: ManagedTransaction, axes: Sequence[Axis]) -> None:
    """Add axes, or change those of the same id, or else of the same name."""
    nodes = {axis_id(id_, name): node for node, id_, name, _ in reversed(_rows(tx))}
    new: dict[str, dict[str, str]] = {}
    described: list[tuple[int, dict[str, str]]] = []
    for axis in axes:
        values = {"name": axis.name, "description": axis.description}
        node = nodes.get(axis.id, nodes.get(phrase_key(axis.name)))
        if node is None:
            new[axis.id] = {"id": axis.id, **values}
        else:
            described.append((node, values))
    run(tx, DESCRIBE, {"rows": described}).consume()
    run(tx, CREATE, {"rows": list(new.values())}).consume()


def remove_axis(tx: ManagedTransaction, wanted: str) -> None:
    """Remove an axis that no tree is bound to. Raises NotFound; Conflict if one is."""
    nodes = [node for node, id_, name, _ in _rows(tx) if axis_id(id_, name) == wanted]
    if not nodes:
        raise no_such_axis(wanted)
    rows = ask(tx, BOUND, nodes=nodes)
    if bound := sorted(tree_id(id_, title) for id_, title, there in rows if there):
        raise axis_in_use(wanted, bound)
    run(tx, REMOVE, {"nodes": nodes}).consume()


def _rows(tx: ManagedTransaction) -> list[list[Any]]:
    return sorted(ask(tx, AXES)[0][0], key=itemgetter(0))
