"""From the flat records of a graph file to trees, axes and nodes beside the trees.

See `forest.flat` for what the records are. Records may come in any order, so all are in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson

from forest.errors import InvalidInput
from forest.flat import DECLARED, TYPES, Edge, at_of, declared, name_of
from forest.formats.base import BadTree, Item, Notice, Problem, SourceFile, no_json, refused, shown
from forest.formats.owner import tree_from
from forest.model import Axis, Tree
from forest.nodes import LINKS, Key, Link, Node, checked
from forest.nodes import TYPES as BESIDE
from forest.schema import ALIGNS_WITH, ANCHORED_BY, LEADS_TO, ROOT, RelationshipType

_HINT = "Expected a file that `forest export --as` wrote, or one like it."


class FlatGraph:
    """What a graph file says, and the place of each vertex in it."""

    def __init__(self, source: SourceFile, notice: Notice) -> None:
        self._source, self._notice = source, notice
        self._vertices: dict[Key, Mapping[str, Any]] = {}
        self._lines: dict[Key, int] = {}
        self._edges: dict[Key, list[Edge]] = {}
        self._trees: dict[str, str] = {}
        """The tree that each thought was found in."""
        self._foreign: Counter[str] = Counter()

    def place(self, name: object, line: int | None = None) -> Key:
        """The (label, key) of a vertex by its name. Raises ImportRefused."""
        at = at_of(name) if isinstance(name, str) else None
        if at is None:
            message = f"a node is called {shown(name)}: expected a name such as 'Thought:tree/1'"
            raise refused(self._source, line, message, hint=_HINT)
        return at

    def add_vertex(self, at: Key, properties: Mapping[str, Any], line: int | None = None) -> None:
        """Add a vertex with properties as they stand in the file. Raises ImportRefused."""
        if at in self._vertices:
            raise refused(self._source, line, f"{name_of(at)} stands twice in the file")
        self._vertices[at] = self._known(at[0], properties)
        if line is not None:
            self._lines[at] = line

    def add_edge(
        self,
        name: object,
        start: Key,
        end: Key,
        properties: Mapping[str, Any],
        line: int | None = None,
    ) -> None:
        """Add a relationship of the type ``name``.

        :raises ImportRefused: no such one joins these two.
        """
        known = TYPES.get(name) if isinstance(name, str) else None
        if known is None or (known.start, known.end) != (start[0], end[0]):
            there = ", ".join(f"{one.start} {one.name} {one.end}" for one in TYPES.values())
            raise refused(
                self._source,
                line,
                f"a relationship {shown(name)} from {name_of(start)} to {name_of(end)}: "
                "there is no such one",
                hint=f"There are: {there}.",
            )
        kept = self._known(known.name, properties)
        self._edges.setdefault(start, []).append(Edge(known.name, start, end, kept))

    def ignore(self, name: str) -> None:
        """Count something that is no part of a forest; the author is told."""
        self._foreign[name] += 1

    def _known(self, owner: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        names = _CASTS[owner]
        for name in properties.keys() - names:
            self.ignore(name)
        return {name: value for name, value in properties.items() if name in names}

    # --- what it says --------------------------------------------------------------------------

    def items(self) -> Iterator[Item]:
        """The axes, the trees in the order of their ids, then the nodes beside them.

        :raises ImportRefused: there is no tree, axis or node in it.
        """
        if self._foreign:
            what = ", ".join(f"{name} ({n})" for name, n in sorted(self._foreign.items())[:8])
            self._notice(f"{self._source.name}: left out, for a forest has no such thing: {what}")
        if not self._vertices:
            raise refused(self._source, None, "it holds no forest", hint=_HINT)
        readers: list[tuple[str, Callable[[Key], Axis | Tree | Node | None]]]
        readers = [("Axis", self._axis), ("Tree", self._tree)]
        readers += [(label, self._node) for label in BESIDE]
        for label, read in readers:
            for at in sorted(at for at in self._vertices if at[0] == label):
                try:
                    item = read(at)
                except Problem as problem:
                    yield self._bad(at, problem)
                else:
                    if item is not None:
                        yield item
        yield from self._strays()

    def _bad(self, at: Key, problem: Problem) -> BadTree:
        line = self._line(at, problem)
        return BadTree(refused(self._source, line, problem.message, hint=problem.hint))

    def _line(self, at: Key, problem: Problem) -> int | None:
        """The line of the vertex that the problem's path ends with, or of the whole."""
        last = problem.path[-1] if problem.path else None
        return self._lines.get(at_of(last) or at if isinstance(last, str) else at)

    def _strays(self) -> Iterator[BadTree]:
        thoughts = (at for at in self._vertices if at[0] == "Thought" and at[1] not in self._trees)
        for at in sorted(thoughts)[:1]:
            message = f"{name_of(at)}: no tree leads to it"
            yield self._bad(at, Problem((), message, hint="A tree has a ROOT, and that LEADS_TO."))

    def _values(self, at: Key) -> dict[str, Any]:
        return _typed(at[0], self._vertices.get(at, {}), name_of(at))

    def _below(self, start: Key, type_: RelationshipType) -> list[tuple[Key, dict[str, Any]]]:
        """The ends of its relationships of one type, with their properties, in order."""
        links = self._links(start)
        return [(edge.end, values) for edge, values in links if edge.type == type_.name]

    def _links(self, start: Key) -> list[tuple[Edge, dict[str, Any]]]:
        typed = [
            (edge, _typed(edge.type, edge.properties, f"{name_of(start)}, {edge.type}"))
            for edge in self._edges.get(start, ())
        ]
        return sorted(typed, key=lambda pair: pair[1].get("position", len(typed)))

    # --- axes and nodes ------------------------------------------------------------------------

    def _axis(self, at: Key) -> Axis:
        values = {"name": at[1]} | self._values(at)
        try:
            return Axis(id=at[1], **values)
        except InvalidInput as error:
            raise Problem((), f"{name_of(at)}: {error.message}") from None

    def _node(self, at: Key) -> Node | None:
        links = tuple(
            Link(edge.type, edge.end[1], {k: v for k, v in values.items() if k != "position"})
            for edge, values in self._links(at)
            if edge.type in LINKS
        )
        node = Node(*at, self._values(at), links)
        if not node.properties and not links:
            return None
        try:
            checked({at: node})
        except InvalidInput as error:
            raise Problem((), error.message, hint=error.hint) from None
        return node

    # --- trees ---------------------------------------------------------------------------------

    def _tree(self, at: Key) -> Tree:
        head = self._values(at)
        rows = list(self._outline(at))
        data: dict[str, Any] = {
            "tree": head.get("title"),
            "id": at[1],
            "lang": head.get("lang"),
            "meta": _json(head["meta"], name_of(at)) if "meta" in head else None,
            "axes": {
                self._values(axis).get("name", axis[1]): values.get("weight")
                for axis, values in self._below(at, ALIGNS_WITH)
            },
            "nodes": [self._thought(thought, level) for thought, level in rows],
        }
        if all(weight is None for weight in data["axes"].values()):
            data["axes"] = list(data["axes"])
        try:
            tree = tree_from(data, self._source.name)
        except Problem as problem:
            raise self._placed(problem, rows) from None
        tree.source = head.get("source")
        tree.source_revision = head.get("source_revision")
        tree.created_at = _time(head, "created_at", name_of(at))
        tree.updated_at = _time(head, "updated_at", name_of(at))
        return tree

    @staticmethod
    def _placed(problem: Problem, rows: list[tuple[Key, int]]) -> Problem:
        """The problem with the name of the thought in the place of its number."""
        where = problem.path
        if len(where) > 1 and where[0] == "nodes" and isinstance(where[1], int):
            name = name_of(rows[where[1]][0])
            message = problem.message.replace(f"node {where[1] + 1}", name, 1)
            return Problem((name,), message, hint=problem.hint)
        return problem

    def _outline(self, top: Key) -> Iterator[tuple[Key, int]]:
        """The thoughts below a tree with their levels, in reading order."""
        roots = self._below(top, ROOT)
        if len(roots) != 1:
            found = "none" if not roots else ", ".join(name_of(at) for at, _ in roots[:3])
            raise Problem((), f"{name_of(top)}: expected one ROOT, found {found}")
        waiting = [(roots[0][0], 0)]
        self._claim(roots[0][0], top)
        while waiting:
            at, level = waiting.pop()
            yield at, level
            children = [end for end, _ in self._below(at, LEADS_TO)]
            for child in children:
                self._claim(child, top)
            waiting.extend((child, level + 1) for child in reversed(children))

    def _claim(self, at: Key, top: Key) -> None:
        """Note that a thought is in a tree. Raises Problem if it is in one already."""
        if at not in self._vertices:
            raise Problem((), f"{name_of(top)}: {name_of(at)} is not in the file")
        if at[1] in self._trees:
            trees = sorted({self._trees[at[1]], top[1]})
            raise Problem(
                (name_of(at),),
                f"{name_of(at)}: two steps lead to it (tree {', '.join(map(repr, trees))})",
                hint="A thought has one before it at most; to say it twice, make it two thoughts.",
            )
        self._trees[at[1]] = top[1]

    def _thought(self, at: Key, level: int) -> dict[str, Any]:
        values = self._values(at)
        node = {"level": level, "id": at[1], "text": values.get("text")}
        node |= {name: values[name] for name in ("kind", "lang") if name in values}
        if at in self._edges:
            node["anchors"] = [
                self._anchor(end, values) for end, values in self._below(at, ANCHORED_BY)
            ]
        return node

    def _anchor(self, at: Key, link: dict[str, Any]) -> dict[str, Any]:
        told = self._values(at)
        anchor = {"phrase": told.get("phrase", at[1]), "kind": told.get("kind", "phrase")} | link
        anchor.pop("position", None)
        return anchor | {"anchor": at[1]}


# --- values ---------------------------------------------------------------------------------------


_CASTS: Mapping[str, Mapping[str, type[str] | type[int] | type[float]]] = {
    owner: {
        p.name: int if p.type == "INTEGER" else float if p.type == "FLOAT" else str
        for p in declared(type_)
    }
    for owner, type_ in DECLARED.items()
}


def _typed(owner: str, raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The properties with values of their declared types. Raises Problem."""
    casts = _CASTS[owner]
    return {
        name: value if type(value) is casts[name] else _value(casts[name], value, where, name)
        for name, value in raw.items()
    }


def _value(type_: type[str] | type[int] | type[float], value: Any, where: str, name: str) -> Any:
    """A value as its type; numbers may be written as text, and as a float that is whole."""
    if type_ is not str and isinstance(value, str | int | float) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            if type_ is float:
                return float(value)
            if "." not in str(value):
                return int(value)
            if float(value).is_integer():
                return int(float(value))
    expected = {str: "text", int: "a whole number", float: "a number"}[type_]
    raise Problem((), f"{where}: {name}: expected {expected}, got {shown(value)}")


def _json(text: str, where: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Problem((), f"{where}: meta: {no_json(error, column=False)}") from None


def _time(head: Mapping[str, Any], name: str, where: str) -> datetime | None:
    if name not in head:
        return None
    try:
        return datetime.fromisoformat(head[name])
    except ValueError:
        message = f"{where}: {name}: expected a time in ISO 8601, got {shown(head[name])}"
        raise Problem((), message) from None
