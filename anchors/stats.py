"""Is it one forest? How the trees are joined by the anchors they share (owner's seed 1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from anchors.proposals import MARK, Proposal, proposals
from anchors.registry import Registry
from anchors.review import naming
from forest.model import Tree
from forest.stores.base import Skip, Store

MOST_HUBS = 10


@dataclass
class Bridge:
    """An anchor that joins islands if what is proposed for it is accepted."""

    anchor: str
    phrase: str
    islands: list[str]
    """Each by the id of its first tree."""
    proposals: list[str]
    """Ids of the proposals."""


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
    """The anchors that most trees share, as they are shown, with the number of trees."""
    united: int = 0
    """Anchors that count as one with another."""
    bridges: list[Bridge] = field(default_factory=list)
    """Proposed anchors that would join islands."""
    islands_then: int = 0
    """Islands there would be with all proposals accepted."""


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

    Anchors that are one (`anchors.registry`) count as one. What is no tree raises NotATree or
    InvalidTree, or is left out and told to ``skip``.
    """
    # What is no tree is told once, by the trees.
    registry = Registry.of(store, skip and (lambda _: None))
    proposed = proposals(store)
    counting = _Counting(registry.head, {p.thought for p in proposed if p.what == MARK})
    for tree in store.trees(skip):
        counting.add(tree)
    stats = counting.stats()
    stats.hubs = [(registry.name(anchor), trees) for anchor, trees in stats.hubs]
    stats.united = registry.united
    stats.bridges, stats.islands_then = counting.bridges(proposed, naming(registry, proposed))
    return stats


class _Counting:
    """What is known after some trees."""

    def __init__(self, head: Callable[[str], str], wanted: set[str]) -> None:
        self._head, self._wanted = head, wanted
        self._stats = ForestStats()
        self._union = _Union()
        self._ids: list[str] = []
        self._first_tree: dict[str, int] = {}
        self._tree_of: dict[str, int] = {}
        self._in_trees = Counter[str]()
        self._in_thoughts = Counter[str]()
        self._languages = Counter[str]()
        self._steps = self._parents = 0

    def add(self, tree: Tree) -> None:
        """Count one tree more."""
        number = self._union.new()
        self._ids.append(tree.id)
        self._languages[tree.lang] += 1
        self._stats.thoughts += len(tree)
        self._stats.depth = max(self._stats.depth, tree.depth)
        above = tree.parents()
        self._steps += len(above) - 1
        self._parents += len(set(above)) - 1
        head = self._head
        links = Counter(a for t in tree.thoughts for a in {head(k.anchor) for k in t.anchors})
        self._in_thoughts.update(links)
        self._in_trees.update(links.keys())
        for anchor in links:
            self._union.join(number, self._first_tree.setdefault(anchor, number))
        if self._wanted:
            here = (t.id for t in tree.thoughts if t.id in self._wanted)
            self._tree_of.update(dict.fromkeys(here, number))

    def stats(self) -> ForestStats:
        """All counts but those of proposals."""
        stats, union, ids, in_trees = self._stats, self._union, self._ids, self._in_trees
        sizes = Counter(union.find(i) for i in range(len(ids)))
        stats.trees = len(ids)
        stats.branching = self._steps / self._parents if self._parents else 0.0
        stats.languages = dict(sorted(self._languages.items()))
        stats.anchors = len(in_trees)
        stats.shared_anchors = sum(n > 1 for n in in_trees.values())
        stats.anchors_by_trees = dict(sorted(Counter(in_trees.values()).items()))
        stats.occurrences = sum(self._in_thoughts[a] for a, n in in_trees.items() if n > 1)
        stats.islands = len(sizes)
        stats.largest_island = max(sizes.values(), default=0)
        stats.lone_trees = [ids[i] for i in range(len(ids)) if sizes[union.find(i)] == 1]
        hubs = sorted(in_trees.items(), key=lambda pair: (-pair[1], pair[0]))
        stats.hubs = [(anchor, n) for anchor, n in hubs[:MOST_HUBS] if n > 1]
        return stats

    def bridges(
        self, proposed: Iterable[Proposal], name: Callable[[str], str]
    ) -> tuple[list[Bridge], int]:
        """The proposed anchors that join islands, and how many islands there are with all."""
        found: dict[str, _Found] = {}
        for proposal in proposed:
            anchor = self._head(proposal.into or proposal.anchor)
            one = found.setdefault(anchor, _Found(self._carriers(anchor)))
            one.proposals.append(proposal.id)
            if proposal.what == MARK and proposal.thought in self._tree_of:
                one.trees.add(self._tree_of[proposal.thought])
            elif proposal.what != MARK:
                one.trees |= self._carriers(self._head(proposal.anchor))
        first: dict[int, str] = {}
        for number, id_ in enumerate(self._ids):
            first.setdefault(self._union.find(number), id_)
        bridges = []
        for anchor, one in sorted(found.items()):
            islands = sorted({first[self._union.find(tree)] for tree in one.trees})
            if len(islands) > 1:
                bridges.append(Bridge(anchor, name(anchor), islands, one.proposals))
        for one in found.values():
            for tree in one.trees:
                self._union.join(tree, min(one.trees))
        return bridges, len({self._union.find(number) for number in range(len(self._ids))})

    def _carriers(self, anchor: str) -> set[int]:
        """A tree that carries an anchor, if there is one: all that do are of one island."""
        return {self._first_tree[anchor]} if anchor in self._first_tree else set()


@dataclass
class _Found:
    trees: set[int]
    proposals: list[str] = field(default_factory=list)
