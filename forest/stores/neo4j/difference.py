"""What makes the graph say what a tree says: the difference, property by property.

A thought that stays keeps its node, and a link that stays keeps its relationship, with all that an
author put on them: other properties, other relationships.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from forest.errors import InvalidTree
from forest.model import AUTHORED, AnchorLink, Thought, Tree
from forest.phrases import phrase_key
from forest.schema import THOUGHT, TREE
from forest.stores.neo4j import building, reading
from forest.stores.neo4j.axes import axis_id
from forest.stores.neo4j.reading import Found, Link, Row, Step
from forest.stores.neo4j.values import moment

Properties = dict[str, Any]

_HEAD = tuple(name for name in TREE.names if name != "stamp")
_LINK_NAMES = ("position", "phrase", "kind", "origin", "score")  # as reading.Link has them
thought_values = attrgetter(*THOUGHT.names)


@dataclass(slots=True)
class Difference:
    """What has to be sent, in the order in which it is sent."""

    unlink: list[int] = field(default_factory=list)
    delete: list[int] = field(default_factory=list)
    create: list[Thought] = field(default_factory=list)
    set_nodes: list[tuple[int, Properties]] = field(default_factory=list)
    set_steps: list[tuple[int, Properties]] = field(default_factory=list)
    set_anchored: list[tuple[int, Properties]] = field(default_factory=list)
    set_aligned: list[tuple[int, Properties]] = field(default_factory=list)
    roots: list[tuple[int, str]] = field(default_factory=list)
    """(tree node, thought id)"""
    steps: list[tuple[str, str, int]] = field(default_factory=list)
    """(thought id, thought id, position)"""
    anchored: list[tuple[str, int, AnchorLink]] = field(default_factory=list)
    """(thought id, position, anchor)"""
    aligned: list[tuple[int, str, int, float]] = field(default_factory=list)
    """(tree node, name of the axis, position, weight)"""
    left: set[int] = field(default_factory=set)
    """Anchor nodes that a thought no longer carries."""

    def carry(self, thought_id: str, anchors: Iterable[tuple[int, AnchorLink]]) -> None:
        """A thought has to be linked to anchors at these places."""
        self.anchored += [(thought_id, at, link) for at, link in anchors]


class Kept(NamedTuple):
    """A thought that stands in the graph."""

    row: Row
    up: Step


def kept_thoughts(found: Found, ids: Sequence[str]) -> dict[str, Kept]:
    """The thoughts of a tree that stands in the graph, by the ids they are read under."""
    root = Step(found.head.roots[0][0], found.head.node, None)
    return {
        id_: Kept(row, row.steps[0] if row.steps else root)
        for row, id_ in zip(found.rows, ids, strict=True)
    }


def compare(
    tree: Tree, node: int, found: Found | None, kept: Mapping[str, Kept], todo: Difference
) -> None:
    """Add to ``todo`` what makes the graph say what a tree says.

    :param node: the Tree node; ``found`` is what stands there, unless it is new.
    :param kept: the thoughts that stand in the graph, of all trees that change together.
    :raises InvalidTree: there are no thoughts, or one has no id.
    """
    thoughts = tree.thoughts
    if not thoughts or not all(t.id for t in thoughts):
        what = "a thought without an id" if thoughts else "no thoughts"
        raise InvalidTree(f"tree {tree.id!r} has {what}")
    _compare_head(node, tree, found, todo)
    _compare_axes(node, tree, found, todo)
    count: dict[int, int] = {}
    for thought, parent in zip(thoughts, tree.parents(), strict=True):
        place = count.get(parent, 0)
        count[parent] = place + 1
        old = kept.get(thought.id)
        if old is not None:
            _compare_thought(thought, old, todo)
        else:
            todo.create.append(thought)
            if thought.anchors:
                todo.carry(thought.id, enumerate(thought.anchors))
        if parent >= 0:
            _compare_step(thoughts[parent].id, thought.id, place, kept, todo)
        elif old is None or old.up.node != node:
            todo.roots.append((node, thought.id))
            if old is not None:
                todo.unlink.append(old.up.link)


def _compare_head(node: int, tree: Tree, found: Found | None, todo: Difference) -> None:
    wanted = {name: _stored(getattr(tree, name)) for name in _HEAD}
    there = {name: moment(v) for name, v in found.head.values.items()} if found else {}
    if changed := {k: v for k, v in wanted.items() if not _same(there.get(k), v)}:
        todo.set_nodes.append((node, changed))


def _compare_axes(node: int, tree: Tree, found: Found | None, todo: Difference) -> None:
    there: dict[str, list[list[Any]]] = {}
    axes = found.head.axes if found else []
    for axis in sorted(axes, key=lambda axis: reading.order(axis[2], axis[0])):
        there.setdefault(axis_id(axis[4], axis[5]), []).append(axis)
    for at, (name, weight) in enumerate(tree.axes.items()):
        old = there.get(phrase_key(name))
        if not old:
            todo.aligned.append((node, name, at, weight))
            continue
        link, _, position, its_weight, *_ = old.pop(0)
        wanted = {"position": (position, at), "weight": (its_weight, weight)}
        if changed := {k: new for k, (old, new) in wanted.items() if not _same(old, new)}:
            todo.set_aligned.append((link, changed))
    todo.unlink += [axis[0] for left in there.values() for axis in left]


def _compare_thought(thought: Thought, old: Kept, todo: Difference) -> None:
    there = zip(THOUGHT.names, old.row.values, thought_values(thought), strict=True)
    if changed := {name: wanted for name, v, wanted in there if not _same(v, wanted)}:
        todo.set_nodes.append((old.row.node, changed))
    links = building.sorted_links(old.row)
    places = [link.position for link in links]
    if places != list(range(len(links))) or building.links_of(old.row) != thought.anchors:
        _compare_links(thought, links, todo)


def _compare_links(thought: Thought, links: Sequence[Link], todo: Difference) -> None:
    there: dict[str, list[Link]] = {}
    for link in links:
        there.setdefault(building.anchor_of(*link.its)[0], []).append(link)
    for at, wanted in enumerate(thought.anchors):
        if not there.get(wanted.anchor):
            todo.carry(thought.id, [(at, wanted)])
            continue
        link = there[wanted.anchor].pop(0)
        _, phrase, kind = building.anchor_of(*link.its)
        old = dict(zip(_LINK_NAMES, (link.position, *link.says), strict=True))
        new = said(wanted, at, phrase, kind)
        if changed := {k: v for k, v in new.items() if not _same(old[k], v)}:
            todo.set_anchored.append((link.link, changed))
    for link in (link for left in there.values() for link in left):
        todo.unlink.append(link.link)
        todo.left.add(link.anchor)


def _compare_step(
    above: str, below: str, place: int, kept: Mapping[str, Kept], todo: Difference
) -> None:
    """Whether the link from a parent to its child stands, at its place."""
    parent, child = kept.get(above), kept.get(below)
    if child is not None:
        if parent is not None and child.up.node == parent.row.node:
            if not _same(child.up.position, place):
                todo.set_steps.append((child.up.link, {"position": place}))
            return
        todo.unlink.append(child.up.link)
    todo.steps.append((above, below, place))


# --- values ---------------------------------------------------------------------------------------


def _stored(value: Any) -> Any:
    """A field of a tree as a property: what is no value of Neo4j becomes JSON, nothing is null."""
    if isinstance(value, dict):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if value else None
    return value


def _same(there: Any, wanted: Any) -> bool:
    """Whether a property stands as wanted. True is not 1, and another time zone is another."""
    if isinstance(there, datetime) and isinstance(wanted, datetime):
        return there.isoformat() == wanted.isoformat()
    return isinstance(there, bool) == isinstance(wanted, bool) and bool(there == wanted)


def said(link: AnchorLink, position: int, phrase: Any, kind: Any) -> Properties:
    """What stands on ANCHORED_BY: of phrase and kind only what the anchor does not say itself."""
    return {
        "position": position,
        "phrase": None if link.phrase == phrase else link.phrase,
        "kind": None if link.kind == kind else link.kind,
        "origin": None if link.origin == AUTHORED else link.origin,
        "score": link.score,
    }
