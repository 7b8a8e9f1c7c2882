"""Trees as they stand in the graph.

Everything is read by structure: from a Tree along ROOT and LEADS_TO, children in the order of
`position`, those without one after the others in the order in which their links were made. What
the library could have derived (ids, level, language) may be missing or wrong.

Nodes and links are named by ``id()`` and not by ``elementId()``: half the bytes on the wire, and
numbers that grow with creation. They never outlive the call that read them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import groupby, islice, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from forest.errors import NotATree, StoreUnavailable
from forest.fields import Name
from forest.phrases import tree_id_from
from forest.schema import THOUGHT, TREE
from forest.stores.neo4j.connection import Connection, ask, run
from forest.stores.neo4j.faults import TRY_AGAIN

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

CHUNK = 1_000
"""Thoughts per record. A record costs the driver 25 µs whatever it holds, so it holds many."""
ENOUGH = 10_000
"""Thoughts that one transaction reads; a tree that has more is read by itself."""
MOST = 1_000
"""Trees that one transaction reads at most."""
MOST_PROBLEMS = 20
"""Problems of one tree that are told."""
ATTEMPTS = 20
"""How often a tree is read again that somebody writes while it is read."""


def _properties(variable: str, names: Sequence[str]) -> str:
    return ", ".join(f"{variable}.{name}" for name in names)


def _column(name: str) -> str:
    """The values of a property of all nodes of ``part``."""
    empty = f"all(n IN part WHERE n.{name} IS NULL)"
    return f"CASE WHEN {empty} THEN [] ELSE [n IN part | n.{name}] END"


HEADS = f"""
UNWIND $nodes AS node
MATCH (t:Tree) WHERE id(t) = node
RETURN collect([
  id(t),
  [{_properties("t", TREE.names)}],
  [(t)-[e:ROOT]->(n) | [id(e), id(n)]],
  [(t)-[e:ALIGNS_WITH]->(x:Axis) | [id(e), id(x), e.position, e.weight, x.id, x.name]]
])
"""

# DISTINCT right after the variable length makes Neo4j plan VarLengthExpand(Pruning,BFS), which
# visits each node once; without it every path is kept, and a chain costs the square of its length.
# Values come in columns: unpacking them is what a client spends most of its time with, and rows
# would have half as many again. A column of nulls is sent empty; false stands for no position.
THOUGHTS = f"""
UNWIND $nodes AS node
MATCH (t:Tree) WHERE id(t) = node
CALL (t) {{
  MATCH (t)-[:ROOT]->(root) MATCH (root)-[:LEADS_TO*0..]->(n)
  WITH DISTINCT n
  RETURN collect(n) AS ns
}}
UNWIND range(0, size(ns) - sign(size(ns)), {CHUNK}) AS i
WITH node, size(ns) AS size, ns[i..i + {CHUNK}] AS part
CALL (part) {{
  UNWIND part AS n
  MATCH (p)-[e:LEADS_TO]->(n)
  RETURN [collect(id(n)), collect(id(e)), collect(id(p)), collect(coalesce(e.position, false))]
    AS steps
}}
CALL (part) {{
  UNWIND part AS n
  MATCH (n)-[e:ANCHORED_BY]->(a:Anchor)
  RETURN collect([
    id(n), id(e), id(a), e.position, a.id, a.phrase, a.kind,
    CASE WHEN coalesce(e.phrase, e.kind, e.origin, e.score) IS NOT NULL
      THEN [e.phrase, e.kind, e.origin, e.score] END
  ]) AS links
}}
CALL (part) {{
  UNWIND part AS n
  MATCH (n)<-[:ROOT]-()
  RETURN collect(id(n)) AS roots
}}
RETURN node, size, [n IN part | id(n)], [n IN part WHERE NOT n:Thought | id(n)], roots,
  [{", ".join(map(_column, THOUGHT.names))}], steps, links
"""

STAMPS = """
UNWIND $nodes AS node
MATCH (t:Tree) WHERE id(t) = node
RETURN collect([node, t.stamp])
"""

NAMES = """
UNWIND $nodes AS node
MATCH (n) WHERE id(n) = node
CALL (n) {
  MATCH (n)<-[:LEADS_TO*0..]-(r)
  WITH DISTINCT r
  MATCH (r)<-[:ROOT]-(t:Tree)
  RETURN collect(DISTINCT [id(t), t.id, t.title]) AS trees
}
RETURN collect([node, n.id, n.text, trees])
"""

TREES = f"""
MATCH (t:Tree)
WITH collect(t) AS ts
UNWIND range(0, size(ts), {CHUNK * 10}) AS i
RETURN [t IN ts[i..i + {CHUNK * 10}] | [id(t), t.id, t.title, t.stamp]]
"""

SOURCES = f"""
MATCH (t:Tree)
WITH collect(t) AS ts
UNWIND range(0, size(ts), {CHUNK * 10}) AS i
RETURN [t IN ts[i..i + {CHUNK * 10}] | [t.id, t.title, t.source, t.source_revision]]
"""

TREES_BY_ID = """
UNWIND $ids AS id
MATCH (t:Tree {id: id})
RETURN collect([id(t), t.id])
"""

# Ids that hand-typed trees have only on reading: missing, or written otherwise than they are read.
STRAY = r"""
(n.id IS NULL OR NOT n.id IS :: STRING OR n.id =~ '(?sU)(\s.*|.*\s|)'
  OR normalize(toStringOrNull(n.id)) <> n.id)
"""

STRAY_TREES = f"MATCH (n:Tree) WHERE {STRAY} RETURN collect([id(n), n.id, n.title])"


class Head(NamedTuple):
    """A Tree node. ``roots``: [link, thought].

    ``axes``: [link, axis node, position, weight, and the axis's id, name].
    """

    node: int
    values: dict[str, Any]
    roots: list[list[int]]
    axes: list[list[Any]]


class Link(NamedTuple):
    """That a thought carries an anchor: what stands on ANCHORED_BY, and on the Anchor."""

    link: int
    anchor: int
    position: Any
    its: tuple[Any, Any, Any]
    """The anchor's id, phrase, kind."""
    says: tuple[Any, Any, Any, Any] = (None, None, None, None)
    """phrase, kind, origin, score."""


class Step(NamedTuple):
    """A link that leads to a thought, from its parent or from its Tree."""

    link: int
    node: int
    position: Any


class Row(NamedTuple):
    """A thought's node, with all that leads to it."""

    node: int
    values: tuple[Any, ...]
    """In the order of ``forest.schema.THOUGHT.names``."""
    steps: Sequence[Step] = ()
    links: Sequence[Link] = ()
    roots: int = 0
    """How many ROOTs lead to it."""
    is_thought: bool = True


class Problem(NamedTuple):
    """Why a structure is no tree; ``{}`` in the text stands for the names of the nodes."""

    text: str
    nodes: tuple[int, ...] = ()


@dataclass(slots=True)
class Found:
    """A tree as it stands in the graph, in reading order unless it has problems."""

    id: str
    head: Head
    rows: list[Row]
    levels: list[int]
    parents: list[int]
    """Places in ``rows``; -1 for the root."""
    places: list[int]
    """Of each thought among its siblings."""
    problems: list[Problem]


# --- which trees there are ------------------------------------------------------------------------

_NAME = TypeAdapter(Name)


def tree_id(id_: Any, title: Any) -> str:
    """The id that a Tree node has on reading: its own, else made of its title, else ``""``."""
    try:
        return _NAME.validate_python(id_)
    except ValidationError:
        return tree_id_from(title) if id_ in (None, "") and isinstance(title, str) else ""


def all_trees(tx: ManagedTransaction) -> list[tuple[str, int, Any]]:
    """(id on reading, node, stamp) of every Tree, in the order of ids by code point.

    Sorted here: Neo4j sorts text by UTF-16 units.
    """
    rows = [row for chunk in ask(tx, TREES) for row in chunk[0]]
    return sorted((tree_id(id_, title), node, stamp) for node, id_, title, stamp in rows)


def count_thoughts(tx: ManagedTransaction) -> int:
    """How many Thought nodes there are, which Neo4j knows without looking."""
    return int(ask(tx, "MATCH (n:Thought) RETURN count(n)")[0][0])


def all_sources(tx: ManagedTransaction) -> list[tuple[str, str | None, str | None]]:
    """(id on reading, source, its revision) of every Tree that has a name, in the order of ids."""
    rows = [row for chunk in ask(tx, SOURCES) for row in chunk[0]]
    named = (
        (tree_id(id_, title), _text(source), _text(revision))
        for id_, title, source, revision in rows
    )
    return sorted((row for row in named if row[0]), key=itemgetter(0))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def unnamed(trees: Sequence[tuple[str, int, Any]]) -> dict[int, NotATree]:
    """The error of each Tree node that has no name, or the same as others."""
    errors: dict[int, NotATree] = {}
    for id_, group in groupby(trees, key=itemgetter(0)):
        nodes = [node for _, node, _ in group]
        if not id_:
            errors |= {node: nameless(node) for node in nodes}
        elif len(nodes) > 1:
            errors |= dict.fromkeys(nodes, twins(id_))
    return errors


def nameless(node: int) -> NotATree:
    """The error for a Tree node that is read under no id."""
    return NotATree(
        f"a Tree node (id {node}) has neither an id that is text nor a title alone",
        hint=f"Give it an id: MATCH (t:Tree) WHERE id(t) = {node} SET t.id = '…'",
    )


def twins(id_: str) -> NotATree:
    """The error for two Tree nodes that are read under one id."""
    return NotATree(
        f"two Tree nodes are both {id_!r}",
        hint="A tree without an id takes one from its title: give one of them an id of its own.",
    )


def stray_trees(tx: ManagedTransaction) -> dict[str, list[int]]:
    """The Tree nodes that cannot be found by the id they are read under, by that id."""
    nodes: dict[str, list[int]] = {}
    for node, id_, title in ask(tx, STRAY_TREES)[0][0]:
        nodes.setdefault(tree_id(id_, title), []).append(node)
    return nodes


def tree_nodes(
    tx: ManagedTransaction,
    ids: Sequence[str],
    strays: Callable[[ManagedTransaction], Mapping[str, Sequence[int]]] = stray_trees,
) -> dict[str, int]:
    """The Tree nodes of some ids, as far as they exist. Raises NotATree for two of one id."""
    nodes = {id_: node for node, id_ in ask(tx, TREES_BY_ID, ids=list(ids))[0][0]}
    if len(nodes) < len(set(ids)):
        by_title = strays(tx)
        for id_ in ids:
            for node in by_title.get(id_, ()):
                if nodes.setdefault(id_, node) != node:
                    raise twins(id_)
    return nodes


# --- reading them ---------------------------------------------------------------------------------


def stream(connection: Connection, trees: Sequence[tuple[str, int]]) -> Iterator[Found]:
    """Read some trees, given as (id on reading, Tree node), in memory bounded by the largest.

    They come in the order given. One that was deleted meanwhile is left out; one that was written
    meanwhile is read again.
    """
    nodes = [node for _, node in trees]
    names = {node: id_ for id_, node in trees}
    at, count, failures = 0, 32, 0
    while at < len(nodes):
        found, used = connection.read(read_some, nodes[at : at + count])
        failures = 0 if used else failures + 1
        if failures > ATTEMPTS:
            raise StoreUnavailable(
                f"a tree of {connection.url} is written all the time", hint=TRY_AGAIN
            )
        # The number of a node that was deleted meanwhile may be another tree's by now.
        yield from (f for f in found if f.id == names[f.head.node])
        at += used
        size = sum(len(f.rows) for f in found) / (len(found) or 1)
        count = int(min(MOST, max(1, ENOUGH / (size or 1))))


def read_some(tx: ManagedTransaction, nodes: Sequence[int]) -> tuple[list[Found], int]:
    """Trees of the first nodes, ENOUGH thoughts or one tree; and how many nodes these were.

    Each as it stands between two writes of the library: a write sets a new stamp on the Tree, and
    a tree whose stamp changed while it was read ends the list.
    """
    heads = read_heads(tx, nodes)
    rows: dict[int, list[Row]] = {}
    used = len(nodes)
    result = run(tx, THOUGHTS, {"nodes": list(nodes)})
    for node, whole in _whole(result):
        rows[node] = whole
        if sum(map(len, rows.values())) >= ENOUGH:
            used = nodes.index(node) + 1
            break
    result.consume()
    now = dict(ask(tx, STAMPS, nodes=list(rows))[0][0])
    found: list[Found] = []
    for i, node in enumerate(nodes[:used]):
        if node in heads and node in rows and node in now:
            if now[node] != heads[node].values["stamp"]:
                return found, i
            found.append(outline(heads[node], rows[node]))
    return found, used


def read_all(tx: ManagedTransaction, nodes: Sequence[int]) -> dict[int, Found]:
    """The trees of some Tree nodes, all at once; for a transaction that has locked them."""
    if not nodes:
        return {}
    heads = read_heads(tx, nodes)
    result = run(tx, THOUGHTS, {"nodes": list(nodes)})
    return {node: outline(heads[node], rows) for node, rows in _whole(result)}


def read_heads(tx: ManagedTransaction, nodes: Sequence[int]) -> dict[int, Head]:
    """The Tree nodes with their axes and roots."""
    return {
        node: Head(node, dict(zip(TREE.names, values, strict=True)), roots, axes)
        for node, values, roots, axes in ask(tx, HEADS, nodes=list(nodes))[0][0]
    }


def _whole(result: Any) -> Iterator[tuple[int, list[Row]]]:
    """(Tree node, its thoughts), tree by tree."""
    rows: list[Row] = []
    for node, size, *columns in result:
        rows.extend(_rows(*columns))
        if len(rows) == size:
            yield node, rows
            rows = []


def _rows(
    nodes: list[int],
    strangers: list[int],
    roots: list[int],
    columns: list[list[Any]],
    steps: list[list[Any]],
    links: list[list[Any]],
) -> Iterator[Row]:
    """The rows of a record."""
    above: dict[int, list[Step]] = {}
    for child, step in zip(steps[0], map(Step._make, zip(*steps[1:], strict=True)), strict=True):
        above.setdefault(child, []).append(step)
    carried: dict[int, list[Link]] = {}
    for node, link, anchor, position, *its, says in links:
        said = (None, None, None, None) if says is None else tuple(says)
        carried.setdefault(node, []).append(Link(link, anchor, position, tuple(its), said))
    values = zip(*(column or repeat(None, len(nodes)) for column in columns), strict=True)
    odd, others = Counter(roots), set(strangers)
    for node, row in zip(nodes, values, strict=True):
        yield Row(
            node,
            row,
            above.get(node, ()),
            carried.get(node, ()),
            odd.get(node, 0),
            node not in others,
        )


# --- what is a tree -------------------------------------------------------------------------------


def order(position: Any, link: int) -> tuple[bool, float, int]:
    """What children, anchors and axes are sorted by: their position, else when they were linked."""
    return (False, position, link) if is_place(position) else (True, 0, link)


def is_place(position: Any) -> bool:
    """Whether it is a number. NaN is none."""
    number = isinstance(position, int | float) and not isinstance(position, bool)
    return number and bool(position == position)  # noqa: PLR0124


def outline(head: Head, rows: list[Row]) -> Found:
    """The thoughts of a tree in reading order; as they came where they are no tree."""
    found = Found(tree_id(head.values["id"], head.values["title"]), head, rows, [], [], [], [])
    problems = _problems(head, rows)
    found.problems.extend(islice(problems, MOST_PROBLEMS))
    if found.problems:
        if next(problems, None):
            found.problems.append(Problem("and more"))
        return found
    children: dict[int, list[tuple[tuple[bool, float, int], Row]]] = {}
    for row in rows:
        for link, parent, position in row.steps:
            children.setdefault(parent, []).append((order(position, link), row))
    (root,) = (row for row in rows if not row.steps)
    waiting = [(root, 0, -1, 0)]
    found.rows = []
    while waiting:
        row, level, parent, place = waiting.pop()
        below = sorted(children.get(row.node, ()))
        at = len(found.rows)
        waiting.extend((below[i][1], level + 1, at, i) for i in range(len(below) - 1, -1, -1))
        found.rows.append(row)
        found.levels.append(level)
        found.parents.append(parent)
        found.places.append(place)
    return found


def _problems(head: Head, rows: list[Row]) -> Iterator[Problem]:
    roots = Counter(node for _, node in head.roots)
    if not roots:
        yield Problem("it has no ROOT")
    elif len(head.roots) > 1:
        yield Problem(f"it has {len(head.roots)} ROOTs, to {_list(roots)}", tuple(sorted(roots)))
    below: dict[int, list[int]] = {}
    for row in rows:
        for _, parent, _ in row.steps:
            below.setdefault(parent, []).append(row.node)
    for row in rows:
        is_root = roots[row.node] > 0
        if not row.is_thought:
            yield Problem("{} is linked as a thought, but has no label Thought", (row.node,))
        if len(row.steps) > (not is_root) or row.roots > roots[row.node]:
            yield _misplaced(row, is_root=is_root, below=below)


def _misplaced(row: Row, *, is_root: bool, below: Mapping[int, list[int]]) -> Problem:
    """What is wrong with a thought that more leads to than may."""
    parents = {parent for _, parent, _ in row.steps}
    nodes, names = (row.node, *sorted(parents)), _list(parents)
    cycle = ", a cycle" if parents & _reached(row.node, below) else ""
    if is_root and parents:
        return Problem(f"{{}} is its root and stands below {names}{cycle}", nodes)
    if is_root:
        return Problem("{} is a root more than once", nodes)
    if row.roots:
        return Problem(f"{{}} stands below {names} and is a root as well", nodes)
    if len(parents) == 1:
        return Problem(f"{{}} is linked {len(row.steps)} times below {names}", nodes)
    return Problem(f"{{}} has {len(parents)} parents: {names}{cycle}", nodes)


def _reached(node: int, below: Mapping[int, list[int]]) -> set[int]:
    """The nodes that a way leads to from a node, with itself."""
    reached, waiting = {node}, [node]
    while waiting:
        new = [child for child in below.get(waiting.pop(), ()) if child not in reached]
        reached.update(new)
        waiting.extend(new)
    return reached


def _list(nodes: Sized) -> str:
    return " and ".join(["{}"] * len(nodes))


def described(tx: ManagedTransaction, found: Found) -> Iterator[str]:
    """The problems of a tree with the names of the thoughts they are about."""
    nodes = sorted({node for problem in found.problems for node in problem.nodes})
    names = {row[0]: _name(row, home=found.head.node) for row in ask(tx, NAMES, nodes=nodes)[0][0]}
    for problem in found.problems:
        yield problem.text.format(*(names.get(node, "a deleted thought") for node in problem.nodes))


def _name(row: list[Any], home: int) -> str:
    node, id_, text, trees = row
    others = [repr(tree_id(i, title) or "?") for n, i, title in trees if n != home]
    return called(id_, text, node) + (f" (also in tree {', '.join(others)})" if others else "")


def trees_above(tx: ManagedTransaction, nodes: Sequence[int]) -> dict[int, list[str]]:
    """For thoughts the ids of the trees they stand in: one, unless something is wrong."""
    return {
        node: sorted({tree_id(id_, title) for _, id_, title in trees})
        for node, *_, trees in ask(tx, NAMES, nodes=list(nodes))[0][0]
    }


def called(id_: Any, text: Any, node: int) -> str:
    """How a message calls a thought: by its id, else by the beginning of its text."""
    if isinstance(id_, str) and id_:
        return f"thought {id_!r}"
    return f"thought «{str(text or '')[:40]}» (id {node})"


def no_tree(tx: ManagedTransaction, found: Found) -> NotATree:
    """The error for a structure that is no tree."""
    problems = list(described(tx, found))
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    return NotATree(
        f"tree {found.id!r} is no tree: {'; '.join(problems[:5])}{more}",
        hint="Put it right with Cypher; `forest check` lists all that is no tree.",
    )
