"""Is it one forest? How the trees are joined by the anchors they share (owner's seed 1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from forest.model import Tree
from forest.stores.base import Skip, Store

MOST_HUBS = 10


@dataclass
class ForestStats:
    """Counts of a forest. An *island* is a connected component of trees over shared anchors."""

    trees: int = 0
    thoughts: int = 0
    depth: int = 0
    """Deepest level of any tree; the root's is 0."""
    branching: float = 0.0
    """Children of a thought that has any, on average."""
    languages: dict[str, int] = field(default_factory=dict)
    """Trees by language."""
    anchors: int = 0
    shared_anchors: int = 0
    """Anchors that stand in two trees or more."""
    anchors_by_trees: dict[int, int] = field(default_factory=dict)
    """How many anchors stand in 1, 2, 3, … trees."""
    occurrences: int = 0
    """(thought, anchor) pairs of shared anchors: places where a walk can jump."""
    islands: int = 0
    largest_island: int = 0
    """Trees in the largest island."""
    lone_trees: list[str] = field(default_factory=list)
    """Trees that share no anchor with any other."""
    hubs: list[tuple[str, int]] = field(default_factory=list)
    """The anchors that most trees share, with the number of trees."""


class _Union:
    """Disjoint sets of trees, by number."""

    def __init__(self) -> None:
        self.parent: list[int] = []

    def new(self) -> int:
        self.parent.append(len(self.parent))
        return len(self.parent) - 1

    def find(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        self.parent[self.find(i)] = self.find(j)


def forest_stats(store: Store, skip: Skip | None = None) -> ForestStats:
    """Count a forest in one pass over its trees; memory grows with trees and anchors only.

    What is no tree raises NotATree or InvalidTree, or is left out and told to ``skip``.
    """
    return _count(store.trees(skip))


def _count(trees: Iterable[Tree]) -> ForestStats:
    stats = ForestStats()
    union = _Union()
    first_tree: dict[str, int] = {}
    in_trees = Counter[str]()
    in_thoughts = Counter[str]()
    languages = Counter[str]()
    ids: list[str] = []
    steps = parents = 0
    for tree in trees:
        number = union.new()
        ids.append(tree.id)
        languages[tree.lang] += 1
        stats.thoughts += len(tree)
        stats.depth = max(stats.depth, tree.depth)
        above = tree.parents()
        steps += len(above) - 1
        parents += len(set(above)) - 1
        links = Counter(link.anchor for t in tree.thoughts for link in t.anchors)
        in_thoughts.update(links)
        in_trees.update(links.keys())
        for anchor in links:
            union.join(number, first_tree.setdefault(anchor, number))
    sizes = Counter(union.find(i) for i in range(len(ids)))
    stats.trees = len(ids)
    stats.branching = steps / parents if parents else 0.0
    stats.languages = dict(sorted(languages.items()))
    stats.anchors = len(in_trees)
    stats.shared_anchors = sum(n > 1 for n in in_trees.values())
    stats.anchors_by_trees = dict(sorted(Counter(in_trees.values()).items()))
    stats.occurrences = sum(in_thoughts[a] for a, n in in_trees.items() if n > 1)
    stats.islands = len(sizes)
    stats.largest_island = max(sizes.values(), default=0)
    stats.lone_trees = [ids[i] for i in range(len(ids)) if sizes[union.find(i)] == 1]
    hubs = sorted(in_trees.items(), key=lambda pair: (-pair[1], pair[0]))
    stats.hubs = [(anchor, n) for anchor, n in hubs[:MOST_HUBS] if n > 1]
    return stats
