"""The forest in memory, as a networkx graph: for notebooks, and the reference for other stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from forest.errors import StoreError
from forest.graph import (
    Graph,
    add_axis,
    add_node,
    add_tree,
    read_node,
    read_tree,
    remove_node,
    remove_tree,
    tree_above,
)
from forest.language import guess_language
from forest.model import AUTHORED, Anchor, Axis, Occurrence, Tree, TreeInfo
from forest.nodes import Node, checked, known
from forest.stores.base import (
    Change,
    ChangeNodes,
    Finding,
    Merge,
    Skip,
    Store,
    Written,
    axis_in_use,
    best_spelling,
    each_once,
    id_taken,
    no_such_axis,
    no_such_thought,
    no_such_tree,
    refuse_held,
    tree_info,
)


class MemoryStore(Store):
    """A forest that is gone when the process ends."""

    url = "memory:"

    def __init__(self) -> None:
        self._graph: Graph | None = Graph()
        self.folder = Path.cwd()

    @property
    def graph(self) -> Graph:
        """All that it keeps. Raises StoreError when it is closed."""
        if self._graph is None:
            raise StoreError(f"the forest {self.url} is closed", hint="What it held is gone.")
        return self._graph

    def close(self) -> None:
        self._graph = None

    def _copied_by(self, url: str) -> str:
        """Not by a command: it would find another memory, with nothing in it."""
        return f"`forest.copy_to({url!r})` in Python"

    # --- reading -------------------------------------------------------------------------------

    def infos(self, skip: Skip | None = None) -> Iterator[TreeInfo]:
        for tree in self.trees():
            yield tree_info(tree)

    def get(self, tree_id: str) -> Tree:
        tree = read_tree(self.graph, tree_id)
        if tree is None:
            raise no_such_tree(tree_id)
        return tree

    def trees(self, skip: Skip | None = None) -> Iterator[Tree]:
        for tree_id in self._ids("Tree"):
            if tree := read_tree(self.graph, tree_id):
                yield tree

    def _ids(self, label: str) -> list[str]:
        return sorted(node[1] for node in self.graph if node[0] == label)

    def tree_of(self, thought_id: str) -> str:
        tree_id = tree_above(self.graph, thought_id)
        if tree_id is None:
            raise no_such_thought(thought_id)
        return tree_id

    def anchors(self, skip: Skip | None = None) -> Iterator[Anchor]:
        for anchor in self._ids("Anchor"):
            edges = [
                edge
                for edge in self.graph.in_edges([("Anchor", anchor)], data=True)
                if edge[2]["type"] == "ANCHORED_BY"
            ]
            if not edges:
                continue  # it went away while the caller used the others
            carriers = {thought[1] for thought, _, _ in edges}
            authored = {at[1] for at, _, edge in edges if edge["origin"] == AUTHORED}
            spellings = Counter(
                (edge["phrase"], edge["origin"] == AUTHORED) for _, _, edge in edges
            )
            phrase = best_spelling(spellings)
            yield Anchor(
                id=anchor,
                phrase=phrase,
                kind=min(edge["kind"] for _, _, edge in edges),
                lang=guess_language([phrase]),
                trees=len({tree_above(self.graph, thought_id) for thought_id in carriers}),
                thoughts=len(carriers),
                authored=len({tree_above(self.graph, thought_id) for thought_id in authored}),
            )

    def occurrences(self, anchor: str) -> Iterator[Occurrence]:
        node = ("Anchor", anchor)
        if node not in self.graph:
            return
        carriers = [at for at in self.graph.predecessors(node) if at[0] == "Thought"]
        ids = {tree_above(self.graph, thought[1]) for thought in carriers}
        for tree_id in sorted(filter(None, ids)):
            tree = read_tree(self.graph, tree_id)
            if tree is None:
                continue  # it went away while the caller used the others
            for thought in tree.thoughts:
                for link in thought.anchors:
                    if link.anchor == anchor:
                        yield Occurrence(
                            tree=tree_id,
                            title=tree.title,
                            thought=thought.id,
                            text=thought.text,
                            phrase=link.phrase,
                            level=thought.level,
                        )

    def axes(self) -> list[Axis]:
        return [Axis(id=axis, **self.graph.nodes[("Axis", axis)]) for axis in self._ids("Axis")]

    def revisions(self) -> Iterator[tuple[str, str]]:
        for tree in self.trees():
            yield tree.id, tree.revision

    # --- writing -------------------------------------------------------------------------------

    def write(self, trees: Iterable[Tree], merge: Merge) -> Written:
        written = Written()
        new: dict[str, Tree] = {}
        for tree in each_once(trees):
            merged = merge(read_tree(self.graph, tree.id), tree)
            if merged is None:
                written.unchanged.append(tree.id)
            else:
                new[tree.id] = merged
        self._store(new, written)
        return written

    def change(self, tree_ids: Sequence[str], change: Change) -> Written:
        written = Written()
        old = {tree_id: read_tree(self.graph, tree_id) for tree_id in tree_ids}
        self._store(dict(change(old)), written)
        return written

    def _store(self, new: Mapping[str, Tree | None], written: Written) -> None:
        """Put all trees in place, or raise before anything is touched."""
        self._check_ids(new)
        known = {tree_id for tree_id in new if ("Tree", tree_id) in self.graph}
        for tree_id in known:
            remove_tree(self.graph, tree_id)
        for tree_id, tree in new.items():
            if tree is None:
                if tree_id in known:
                    written.removed.append(tree_id)
                continue
            add_tree(self.graph, tree)
            (written.changed if tree_id in known else written.added).append(tree_id)
            written.thoughts += len(tree)

    def _check_ids(self, new: Mapping[str, Tree | None]) -> None:
        taken: dict[str, str] = {}
        for tree in filter(None, new.values()):
            for thought in tree.thoughts:
                there = tree_above(self.graph, thought.id)
                other = taken.setdefault(thought.id, tree.id)
                if other != tree.id or (there is not None and there not in new):
                    raise id_taken(thought.id, tree.id, other if other != tree.id else str(there))

    def put_axes(self, axes: Iterable[Axis]) -> None:
        for axis in list(axes):
            add_axis(self.graph, axis)

    def remove_axis(self, axis_id: str) -> None:
        node = ("Axis", axis_id)
        if node not in self.graph:
            raise no_such_axis(axis_id)
        if bound := sorted(tree[1] for tree in self.graph.predecessors(node)):
            raise axis_in_use(axis_id, bound)
        self.graph.remove_node(node)

    # --- nodes beside the trees ----------------------------------------------------------------

    def nodes(self, label: str) -> Iterator[Node]:
        known([label])
        for key in self._ids(label):
            if node := read_node(self.graph, (label, key)):
                yield node

    def change_nodes(self, labels: Sequence[str], change: ChangeNodes) -> None:
        old = {node.at: node for label in labels for node in self.nodes(label)}
        for at, node in checked(change(old)):
            remove_node(self.graph, at)
            if node:
                add_node(self.graph, node)

    # --- care ----------------------------------------------------------------------------------

    def check(self, *, fix: bool = False) -> Iterator[Finding]:
        yield from ()

    @contextmanager
    def filling(self, origin: str) -> Iterator[None]:
        refuse_held(self)
        before = self.graph
        self._graph = before.copy()
        try:
            yield
        except BaseException:
            self._graph = before
            raise

    @contextmanager
    def snapshot(self, folder: Path) -> Iterator[Store]:
        frozen = MemoryStore()
        frozen._graph = self.graph.copy()
        yield frozen
