"""What is wrong or missing in a graph that authors write by hand, and putting right what can be.

A finding that can be fixed is a value that reading works out anyway. Fixing writes it down, so it
changes no tree, and no revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sized
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx

from forest.errors import Conflict, InvalidTree, NotATree
from forest.language import is_language, no_language
from forest.model import Tree
from forest.schema import ANCHOR, AXIS, RELATIONSHIPS, THOUGHT, NodeType
from forest.stores.base import Finding
from forest.stores.neo4j import building, reading
from forest.stores.neo4j.axes import axis_id
from forest.stores.neo4j.connection import Connection, ask, run
from forest.stores.neo4j.difference import Difference, compare, kept_thoughts
from forest.stores.neo4j.nodes import check as check_nodes
from forest.stores.neo4j.reading import Found, Row, called
from forest.stores.neo4j.values import no_text
from forest.stores.neo4j.writing import SET_NODES, Strays, Writing

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

    Graph = nx.DiGraph[int]

THOUGHT_NODES = f"""
MATCH (n:Thought)
WITH collect(n) AS ns
UNWIND range(0, size(ns), {reading.CHUNK * 10}) AS i
RETURN [n IN ns[i..i + {reading.CHUNK * 10}] | id(n)]
"""
OUTSIDE = """
UNWIND $nodes AS node
MATCH (n:Thought) WHERE id(n) = node
RETURN collect([node, n.id, n.text, [(p:Thought)-[:LEADS_TO]->(n) | id(p)]])
"""
# Foreign: it has more than the library's own properties, or relationships of other kinds.
NAMED = """
MATCH (n:{label}) {where}
RETURN collect([
  id(n), n.id, n.{name}, n.{other},
  any(key IN keys(n) WHERE NOT key IN $ours)
    OR COUNT {{ (n)--() }} > COUNT {{ (n)<-[:{links}]-() }}
])
"""
# The links of the second node go to the first, and say what the second said for them.
MOVE_ANCHORED = """
MATCH (keep) WHERE id(keep) = $keep
MATCH (n)-[e:ANCHORED_BY]->(other) WHERE id(other) = $other
WITH keep, n, e, coalesce(e.phrase, $phrase) AS phrase, coalesce(e.kind, $kind) AS kind
CREATE (n)-[f:ANCHORED_BY]->(keep)
SET f = properties(e),
    f.phrase = CASE WHEN phrase = coalesce(keep.phrase, keep.id) THEN null ELSE phrase END,
    f.kind = CASE WHEN kind = coalesce(keep.kind, 'phrase') THEN null ELSE kind END
DELETE e
"""
# A term says its own phrase; the places are written down, or the moved one would be the last.
MOVE_TERMS = """
MATCH (keep) WHERE id(keep) = $keep
MATCH (f)-[:TERM]->(other) WHERE id(other) = $other
WITH DISTINCT keep, other, f
CALL (f) {
  MATCH (f)-[e:TERM|COMPOSED_OF]->()
  WITH e ORDER BY e.position, id(e)
  WITH collect(e) AS es
  UNWIND range(0, size(es) - 1) AS i
  WITH es[i] AS e, i
  SET e.position = i
}
MATCH (f)-[e:TERM]->(other)
CREATE (f)-[g:TERM]->(keep)
SET g = properties(e), g.phrase = coalesce(e.phrase, $phrase)
DELETE e
"""
MOVE_ALIGNED = """
MATCH (keep) WHERE id(keep) = $keep
MATCH (t)-[e:ALIGNS_WITH]->(other) WHERE id(other) = $other
CREATE (t)-[f:ALIGNS_WITH]->(keep) SET f = properties(e)
DELETE e
"""
# Relationships that are almost those of the forest: nothing of them is read.
ASTRAY = """
CALL () {
  MATCH (n)-[r:ANCHORED_BY]->(m) WHERE NOT (n:Thought AND m:Anchor) RETURN n, r, m
  UNION
  MATCH (n)-[r:ALIGNS_WITH]->(m) WHERE NOT (n:Tree AND m:Axis) RETURN n, r, m
  UNION
  MATCH (m:Anchor)<-[r]-(n:Tree|Thought) WHERE NOT type(r) IN $types RETURN n, r, m
  UNION
  MATCH (m:Axis)<-[r]-(n:Tree|Thought) WHERE NOT type(r) IN $types RETURN n, r, m
}
RETURN labels(n), id(n), n.id, n.text, type(r), labels(m)
ORDER BY id(n), id(r)
"""
LINKED = """
UNWIND $nodes AS node
MATCH (n)<-[:ANCHORED_BY|ALIGNS_WITH]-(m) WHERE id(n) = node
RETURN node, collect(DISTINCT id(m))
"""
DELETE = "MATCH (n) WHERE id(n) = $other DELETE n"


def check(connection: Connection, *, fix: bool) -> Iterator[Finding]:
    """All findings: of trees, of thoughts outside of trees, of anchors, axes and nodes beside."""
    trees = connection.read(reading.all_trees)
    twins = {id_ for id_, count in Counter(map(itemgetter(0), trees)).items() if count > 1}
    for id_ in sorted(twins - {""}):
        yield Finding(f"tree {id_!r}", "several Tree nodes are read under this id", fixable=False)
    inside, broken = set[int](), set[int]()
    for found in reading.stream(connection, [(id_, node) for id_, node, _ in trees]):
        nodes = [found.head.node, *(row.node for row in found.rows)]
        inside.update(nodes[1:])
        if not found.id:
            findings = [
                Finding(f"the Tree node (id {found.head.node})", _unnamed(found), fixable=False)
            ]
        else:
            findings = [] if found.id in twins else list(_tree(connection, found, fix=fix))
            yield from _languages(found)
        yield from findings
        if found.id in twins or not all(finding.fixable for finding in findings):
            broken.update(nodes)
    yield from _outside(connection, inside)
    yield from _astray(connection)
    inside.update(node for _, node, _ in trees)

    def is_sound(node: int) -> bool:
        return node in inside and node not in broken

    yield from _same_nodes(connection, _ANCHORS, is_sound, fix=fix)
    yield from _same_nodes(connection, _AXES, is_sound, fix=fix)
    yield from check_nodes(connection, fix=fix)


def _unnamed(found: Found) -> str:
    """Why a Tree node has no id on reading."""
    for name in ("id", "title"):
        value = found.head.values[name]
        if value not in (None, ""):
            return (
                f"its {name} cannot be read: it is blank or holds what no {name} may"
                if isinstance(value, str)
                else f"its {name} {no_text(value)}"
            )
    return "it has neither an id nor a title"


# --- one tree -------------------------------------------------------------------------------------


def _tree(connection: Connection, found: Found, *, fix: bool) -> Iterator[Finding]:
    where = f"tree {found.id!r}"
    if found.problems:
        for problem in connection.read(lambda tx: list(reading.described(tx, found))):
            yield Finding(where, problem, fixable=False)
        return
    try:
        tree = building.tree_of(found)
    except InvalidTree:
        for violation in building.violations(found):
            yield Finding(where, _without(where, violation), fixable=False)
        return
    wrong = list(_no_places(found))
    for problem in wrong:
        yield Finding(where, problem, fixable=False)
    missing = list(_missing(tree, found, places=not wrong))
    if wrong:  # to fill in the rest would write a position over what only its author knows
        for problem in missing:
            yield Finding(where, f"{problem}: filled in when the positions are", fixable=False)
        return
    if not missing:
        return
    try:
        if fix:
            connection.write(_fill, found.id)
    except (Conflict, NotATree, InvalidTree) as error:
        yield Finding(where, f"what is missing cannot be filled in: {error}", fixable=False)
        return
    for problem in missing:
        yield Finding(where, problem, fixable=True, fixed=fix)


def _languages(found: Found) -> Iterator[Finding]:
    """What somebody wrote as a language and is none. It is read as it stands."""
    at, where = THOUGHT.names.index("lang"), f"tree {found.id!r}"
    if _is_odd(lang := found.head.values["lang"]):
        yield Finding(where, f"its {no_language(lang)}", fixable=False)
    for row in found.rows:
        if _is_odd(lang := row.values[at]):
            problem = f"{building.name_of(row)}: its {no_language(lang)}"
            yield Finding(where, problem, fixable=False)


def _is_odd(lang: Any) -> bool:
    return isinstance(lang, str) and lang != "" and not is_language(lang)


def _no_places(found: Found) -> Iterator[str]:
    """Positions that are no numbers. Reading passes over them; only their author knows them."""
    for link, _, position, *_ in found.head.axes:
        if not _may_be_a_place(position):
            yield f"an ALIGNS_WITH (id {link}) has the position {position!r}, which is no number"
    for row in found.rows:
        links = [(step.position, "LEADS_TO that leads to it") for step in row.steps]
        links += [(link.position, "ANCHORED_BY of it") for link in row.links]
        for position, which in links:
            if not _may_be_a_place(position):
                who = building.name_of(row)
                yield f"{who}: the {which} has the position {position!r}, which is no number"


def _may_be_a_place(position: Any) -> bool:
    return position is None or position is False or reading.is_place(position)


def _without(where: str, violation: str) -> str:
    return violation.removeprefix(where).lstrip(":, ")


def _fill(tx: ManagedTransaction, tree_id: str) -> None:
    """Write a tree as it is read: what differs is what is missing."""
    writing = Writing(tx, Strays())
    writing.store(writing.lock([tree_id]))


def _missing(tree: Tree, found: Found, *, places: bool) -> Iterator[str]:
    """What a write of the tree as it is read would add; its ``places`` among siblings or not."""
    todo = Difference()
    kept = kept_thoughts(found, [t.id for t in tree.thoughts])
    compare(tree, found.head.node, found, kept, todo)
    for node, new in todo.set_nodes:
        if node == found.head.node:
            for name in new:
                yield _said(name, found.head.values[name])
    yield from _missing_in_thoughts(todo, found)
    if places and todo.set_steps:
        yield f"{_count(todo.set_steps, 'step')} without a position that tells the place"
    if places and todo.set_anchored:
        yield f"{_count(todo.set_anchored, 'anchor')} without a position that tells the place"
    yield from _missing_at_axes(tree, found, todo)


def _missing_at_axes(tree: Tree, found: Found, todo: Difference) -> Iterator[str]:
    without = [axis for axis in found.head.axes if axis[3] is None]
    wrong = [
        _count(without, "axis", "axes") + " without a weight" if without else "",
        "an axis that it is bound to more than once" if todo.unlink else "",
    ]
    if not any(wrong) and any("weight" in new for _, new in todo.set_aligned):
        wrong = ["weights of its axes that do not sum to 1"]
    if any(wrong):
        read = " · ".join(f"{name} {weight:.3g}" for name, weight in tree.axes.items())
        yield f"{', and '.join(filter(None, wrong))}; read as {read}"
    if unplaced := [new for _, new in todo.set_aligned if "position" in new]:
        yield f"{_count(unplaced, 'axis', 'axes')} without a position that tells the place"


def _missing_in_thoughts(todo: Difference, found: Found) -> Iterator[str]:
    rows = {row.node: row for row in found.rows}
    wrong: dict[tuple[str, bool], list[Row]] = {}
    for node, new in todo.set_nodes:
        for name in new if node in rows else ():
            there = rows[node].values[THOUGHT.names.index(name)]
            wrong.setdefault((name, there is None), []).append(rows[node])
    for (name, missing), which in sorted(wrong.items()):
        what = f"without {name}" if missing else f"whose {name} is not as it is read"
        yield f"{_count(which, 'thought')} {what}; the first is {building.name_of(which[0])}"


def _said(name: str, there: Any) -> str:
    return f"it has no {name}" if there in (None, "") else f"its {name} is not as it is read"


def _count(things: Sized, name: str, names: str | None = None) -> str:
    return f"{len(things)} {name if len(things) == 1 else names or name + 's'}"


# --- thoughts outside of trees --------------------------------------------------------------------


def outside(connection: Connection) -> Iterator[Finding]:
    """The findings about thoughts that stand in no tree."""
    trees = connection.read(reading.all_trees)
    found = reading.stream(connection, [(id_, node) for id_, node, _ in trees])
    yield from _outside(connection, {row.node for tree in found for row in tree.rows})


def _outside(connection: Connection, inside: set[int]) -> Iterator[Finding]:
    chunks = connection.read(lambda tx: ask(tx, THOUGHT_NODES))
    outside = [node for (nodes,) in chunks for node in nodes if node not in inside]
    graph: Graph = nx.DiGraph()
    names: dict[int, str] = {}
    for at in range(0, len(outside), reading.CHUNK):
        some = outside[at : at + reading.CHUNK]
        for node, id_, text, parents in connection.read(_loose_rows, some):
            names[node] = called(id_, text, node)
            graph.add_node(node)
            graph.add_edges_from((parent, node) for parent in parents)
    for part in nx.weakly_connected_components(graph):
        yield from _loose(connection, graph.subgraph(part), names)


def _loose(connection: Connection, part: Graph, names: dict[int, str]) -> Iterator[Finding]:
    """What hangs together and stands in no tree; nothing, if somebody put it into one meanwhile."""
    tops = sorted(node for node, parents in part.in_degree if not parents)
    if not tops:
        tops = [link[0] for link in nx.find_cycle(part)]
        ring = " → ".join(names.get(node, "?") for node in [*tops, tops[0]])
        problem = f"a cycle that stands in no tree: {ring}"
    else:
        more = f", and {_count(range(len(part) - 1), 'thought')} with it" if len(part) > 1 else ""
        problem = f"it stands in no tree{more}"
    above = connection.read(reading.trees_above, tops[:1])
    if tops[0] in names and not any(above.values()):
        yield Finding(names[tops[0]], problem, fixable=False)


def _loose_rows(tx: ManagedTransaction, nodes: list[int]) -> list[list[Any]]:
    rows: list[list[Any]] = ask(tx, OUTSIDE, nodes=nodes)[0][0]
    return rows


def _astray(connection: Connection) -> Iterator[Finding]:
    """Anchors and axes that hang by a wrong relationship, or at a label almost like theirs."""
    types = [type_.name for type_ in RELATIONSHIPS]
    rows = connection.read(lambda tx: ask(tx, ASTRAY, types=types))
    for labels, node, id_, text, type_, ends in rows:
        where = called(id_, text, node)
        if THOUGHT.label not in labels:
            where = f"{':'.join(labels) or 'a node'} {repr(id_) if id_ else f'(id {node})'}"
        yield Finding(
            where,
            f"what hangs by {type_} at a node {':'.join(['', *ends]) or 'without a label'} is not "
            "read: expected (:Thought)-[:ANCHORED_BY]->(:Anchor), (:Tree)-[:ALIGNS_WITH]->(:Axis)",
            fixable=False,
        )


# --- anchors and axes -----------------------------------------------------------------------------


class _Node(NamedTuple):
    """An Anchor or an Axis, as it stands."""

    node: int
    id: Any
    name: Any
    """The phrase of an anchor, the name of an axis."""
    other: Any
    """The kind of an anchor, the description of an axis."""
    foreign: bool
    """Whether an author put something on it that the library does not know."""


class _Sort(NamedTuple):
    """What differs between anchors and axes."""

    type: NodeType
    name: str
    other: str
    links: str
    """The types of the relationships that lead to it."""
    moves: tuple[str, ...]
    read_id: Callable[[_Node], str]
    may_go: Callable[[_Node, _Node], bool]
    """may_go(keep, other): whether nothing is lost when the second is merged into the first."""

    def nodes(self, tx: ManagedTransaction, only: list[int] | None = None) -> list[_Node]:
        """All nodes of this sort, or some, the oldest first."""
        query = NAMED.format(
            label=self.type.label,
            where="" if only is None else "WHERE id(n) IN $only",
            name=self.name,
            other=self.other,
            links=self.links,
        )
        rows = ask(tx, query, ours=list(self.type.names), only=only)[0][0]
        return sorted(map(_Node._make, rows), key=itemgetter(0))


_ANCHORS = _Sort(
    ANCHOR,
    "phrase",
    "kind",
    "ANCHORED_BY|TERM",
    (MOVE_ANCHORED, MOVE_TERMS),
    lambda n: building.anchor_id_or_none(n.id, n.name, n.other) or "",
    lambda _, other: not other.foreign,
)
_AXES = _Sort(
    AXIS,
    "name",
    "description",
    "ALIGNS_WITH",
    (MOVE_ALIGNED,),
    lambda n: axis_id(n.id, n.name),
    lambda keep, other: (
        not other.foreign
        and other.id in (None, "", axis_id(other.id, other.name))
        and other.other in (None, "", keep.other)
    ),
)


def _same_nodes(
    connection: Connection, sort: _Sort, is_sound: Callable[[int], bool], *, fix: bool
) -> Iterator[Finding]:
    """Nodes that are read as one; nodes without an id or a name, or with one that is no text.

    :param is_sound: of a Tree or Thought node, whether it is of a tree that may be mended.
    """
    label = sort.type.label
    groups: dict[str, list[_Node]] = {}
    for node in connection.read(sort.nodes):
        if wrong := [*_no_texts(sort, node)]:
            yield Finding(f"the {label} node (id {node.node})", "; ".join(wrong), fixable=False)
        else:
            groups.setdefault(sort.read_id(node), []).append(node)
    for node in groups.pop("", ()):
        where = f"the {label} node (id {node.node})"
        yield Finding(where, f"it has neither an id nor a {sort.name}", fixable=False)
    for id_, nodes in sorted(groups.items()):
        held = _held(connection, nodes[1:], is_sound) if len(nodes) > 1 else set()
        yield from _one_node(connection, sort, id_, nodes, held, fix=fix)


def _held(connection: Connection, nodes: list[_Node], is_sound: Callable[[int], bool]) -> set[int]:
    """Those that something is linked to which is no whole tree: its links stay as they are."""
    ids = [node.node for node in nodes]
    rows = connection.read(lambda tx: ask(tx, LINKED, nodes=ids))
    return {node for node, linked in rows if not all(map(is_sound, linked))}


def _no_texts(sort: _Sort, node: _Node) -> Iterator[str]:
    names = {"id": node.id, sort.name: node.name, sort.other: node.other}
    for name, value in names.items():
        if value is not None and not isinstance(value, str):
            yield f"its {name} {no_text(value)}"


def _one_node(
    connection: Connection,
    sort: _Sort,
    id_: str,
    nodes: list[_Node],
    held: set[int],
    *,
    fix: bool,
) -> Iterator[Finding]:
    """What keeps some nodes from being one, with an id and a name."""
    keep, *others = nodes
    label, where = sort.type.label, f"{sort.type.label.lower()} {id_!r}"
    merged = [o for o in others if sort.may_go(keep, o) and o.node not in held]
    for other in others:
        if other not in merged:
            why = (
                "has an id, properties or relationships of its own"
                if not sort.may_go(keep, other)
                else "something broken is linked to it: they become one when that is put right"
            )
            problem = f"another {label} node (id {other.node}) is read as this one, and {why}"
            yield Finding(where, problem, fixable=False)
    fill = {name: new for name, old, new in _names(sort, id_, keep) if old in (None, "")}
    problems = [f"it has no {name}" for name in fill]
    if merged:
        problems.append(f"{len(merged) + 1} {label} nodes are read as this one")
    fixable, fixed = True, False
    if fix and problems:
        try:
            fixed = connection.write(_unite, sort, keep, merged, fill)
        except Conflict:
            fixable = False  # another node has that id, and another name
    for problem in problems:
        yield Finding(where, problem, fixable=fixable, fixed=fixed)


def _names(sort: _Sort, id_: str, node: _Node) -> tuple[tuple[str, Any, Any], ...]:
    """The properties that name a node: (name, value, value on reading)."""
    return ("id", node.id, id_), (sort.name, node.name, node.id)


def _unite(
    tx: ManagedTransaction, sort: _Sort, keep: _Node, merged: list[_Node], fill: dict[str, Any]
) -> bool:
    """Move the links of some nodes to another, delete them, and fill in what that one misses.

    Nothing is done, and the answer is False, if one of them was changed meanwhile.
    """
    nodes = [keep, *merged]
    if sort.nodes(tx, [node.node for node in nodes]) != sorted(nodes, key=itemgetter(0)):
        return False
    for node in merged:
        names = {"keep": keep.node, "other": node.node}
        said = {
            "phrase": node.name if node.name is not None else node.id,
            "kind": node.other or "phrase",
        }
        for move in sort.moves:
            run(tx, move, names | said).consume()
        run(tx, DELETE, names).consume()
    if fill:
        run(tx, SET_NODES, {"rows": [[keep.node, fill]]}).consume()
    return True
