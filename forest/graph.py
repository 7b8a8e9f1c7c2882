"""A forest as a networkx graph: the property graph of docs/graph-schema.md, node for node.

Nodes are pairs (label, id), such as ``("Thought", "justice/3f9a")``, with their properties as
attributes. Edges carry ``type`` and their properties; their key is the place among their kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import networkx as nx

from forest.model import AnchorLink, Axis, Thought, Tree, trusted_thought
from forest.nodes import LINKS, Link, Node
from forest.phrases import phrase_key
from forest.weights import by_weight

if TYPE_CHECKING:
    Graph = nx.MultiDiGraph[Any]
else:
    Graph = nx.MultiDiGraph
Place = tuple[str, str]
"""(label, id) of a node in the graph."""


def to_networkx(trees: Iterable[Tree], axes: Iterable[Axis], nodes: Iterable[Node] = ()) -> Graph:
    """All trees, axes and nodes beside them as one graph."""
    graph = Graph()
    for axis in axes:
        add_axis(graph, axis)
    for tree in trees:
        add_tree(graph, tree)
    for node in nodes:
        add_node(graph, node)
    return graph


def add_axis(graph: Graph, axis: Axis) -> None:
    """Add an axis, or change the one of that id."""
    graph.add_node(("Axis", axis.id), name=axis.name, description=axis.description)


def add_tree(graph: Graph, tree: Tree) -> None:
    """Add a finished tree with its anchors, and those of its axes that are not there yet."""
    top: Place = ("Tree", tree.id)
    graph.add_node(
        top,
        title=tree.title,
        lang=tree.lang,
        meta=deepcopy(tree.meta),
        source=tree.source,
        source_revision=tree.source_revision,
        created_at=tree.created_at,
        updated_at=tree.updated_at,
    )
    for position, (name, weight) in enumerate(tree.axes.items()):
        axis: Place = ("Axis", phrase_key(name))
        if axis not in graph:
            graph.add_node(axis, name=name, description="")
        graph.add_edge(top, axis, position, type="ALIGNS_WITH", weight=weight, position=position)
    count: dict[Place, int] = {}
    for thought, parent in tree.walk():
        node: Place = ("Thought", thought.id)
        graph.add_node(
            node,
            tree=tree.id,
            level=thought.level,
            text=thought.text,
            kind=thought.kind,
            lang=thought.lang,
        )
        above: Place = ("Thought", parent.id) if parent else top
        position = count.get(above, 0)
        count[above] = position + 1
        kind = "LEADS_TO" if parent else "ROOT"
        graph.add_edge(above, node, position, type=kind, position=position)
        _add_anchors(graph, node, thought)


def _add_anchors(graph: Graph, node: Place, thought: Thought) -> None:
    for position, link in enumerate(thought.anchors):
        anchor: Place = ("Anchor", link.anchor)
        if anchor not in graph:
            graph.add_node(anchor, phrase=link.phrase, kind=link.kind)
        graph.add_edge(
            node,
            anchor,
            position,
            type="ANCHORED_BY",
            phrase=link.phrase,
            kind=link.kind,
            origin=link.origin,
            score=link.score,
            position=position,
        )


def add_node(graph: Graph, node: Node) -> None:
    """Add a node beside the trees; what its links lead to is made, bare, where it is not there."""
    graph.add_node(node.at, **node.properties)
    for position, link in enumerate(node.links):
        to = (LINKS[link.type].end, link.target)
        if to[0] == "Anchor" and to not in graph:
            phrase = link.properties.get("phrase", link.target)
            graph.add_node(to, phrase=phrase, kind="phrase")
        graph.add_edge(node.at, to, position, type=link.type, position=position, **link.properties)


def read_node(graph: Graph, at: Place) -> Node | None:
    """The node beside the trees, or None: also where others only lead to it."""
    if at not in graph:
        return None
    edges = sorted(graph.out_edges(at, data=True), key=lambda edge: edge[2]["position"])
    links = tuple(
        Link(edge["type"], to[1], {k: v for k, v in edge.items() if k not in ("type", "position")})
        for _, to, edge in edges
    )
    properties = dict(graph.nodes[at])
    return Node(*at, properties, links) if properties or links else None


def remove_node(graph: Graph, at: Place) -> None:
    """Remove a node beside the trees; where others lead to it, it stays, bare."""
    if at not in graph:
        return
    ends = set(graph.successors(at))
    graph.remove_edges_from(list(graph.out_edges(at, keys=True)))
    graph.nodes[at].clear()
    bare = [end for end in {at, *ends} if not graph.degree(end) and not _said(graph, end)]
    graph.remove_nodes_from(bare)


def _said(graph: Graph, place: Place) -> bool:
    return place[0] != "Anchor" and bool(graph.nodes[place])


def read_tree(graph: Graph, tree_id: str) -> Tree | None:
    """The tree of that id, or None."""
    top: Place = ("Tree", tree_id)
    if top not in graph:
        return None
    axes = {
        graph.nodes[axis]["name"]: edge["weight"]
        for axis, edge in _below(graph, top, "ALIGNS_WITH")
    }
    thoughts = [_thought(graph, node, level) for node, level in _reading_order(graph, top)]
    head = graph.nodes[top] | {"meta": deepcopy(graph.nodes[top]["meta"])}
    return Tree.model_construct(id=tree_id, axes=by_weight(axes), thoughts=thoughts, **head)


def _reading_order(graph: Graph, top: Place) -> Iterator[tuple[Place, int]]:
    waiting = [(node, 0) for node, _ in _below(graph, top, "ROOT")]
    while waiting:
        node, level = waiting.pop()
        yield node, level
        children = [child for child, _ in _below(graph, node, "LEADS_TO")]
        waiting.extend((child, level + 1) for child in reversed(children))


def _below(graph: Graph, node: Place, kind: str) -> list[tuple[Place, dict[str, Any]]]:
    edges = [(to, edge) for _, to, edge in graph.out_edges(node, data=True) if edge["type"] == kind]
    return sorted(edges, key=lambda pair: pair[1]["position"])


def _thought(graph: Graph, node: Place, level: int) -> Thought:
    links = tuple(
        AnchorLink(
            phrase=edge["phrase"],
            kind=edge["kind"],
            anchor=anchor[1],
            origin=edge["origin"],
            score=edge["score"],
        )
        for anchor, edge in _below(graph, node, "ANCHORED_BY")
    )
    at = graph.nodes[node]
    return trusted_thought(at["text"], level, node[1], at["kind"], at["lang"], links)


def tree_above(graph: Graph, thought_id: str) -> str | None:
    """The id of the tree that a thought is in, or None."""
    node: Place = ("Thought", thought_id)
    if node not in graph:
        return None
    tree_id: str = graph.nodes[node]["tree"]
    return tree_id


def remove_tree(graph: Graph, tree_id: str) -> None:
    """Remove a tree, its thoughts, and the anchors that no other thought carries."""
    top: Place = ("Tree", tree_id)
    gone = [top, *(node for node, _ in _reading_order(graph, top))]
    anchors = {to for node in gone for to in graph.successors(node) if to[0] == "Anchor"}
    graph.remove_nodes_from(gone)
    graph.remove_nodes_from([a for a in anchors if graph.in_degree(a) == 0])
