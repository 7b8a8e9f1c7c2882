"""Rows of tokens that begin alike, each beginning kept once.

The candidates of a probe share its prompt, which a forward pass would else read for each of them.
Here every beginning is one chain of nodes; a node sees the chain that leads to it and nothing else,
so what is computed for it is what a model computes for the row alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Branches:
    """A tree of tokens. Empty, until rows are added."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.parents: list[int] = []
        """The node before each; -1 for a first one."""
        self.positions: list[int] = []
        """How many nodes stand before each in its row."""
        self._known: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, row: Sequence[int]) -> list[int]:
        """The nodes of a row, in its order."""
        at, places = -1, []
        for position, token in enumerate(row):
            node = self._known.get((at, token))
            if node is None:
                node = self._known[at, token] = len(self.ids)
                self.ids.append(token)
                self.parents.append(at)
                self.positions.append(position)
            at = node
            places.append(at)
        return places

    def seen(self) -> NDArray[np.bool_]:
        """For each node which nodes it sees. Shape: (nodes, nodes)."""
        seen = np.zeros((len(self), len(self)), dtype=np.bool_)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] = seen[parent]
            seen[node, node] = True
        return seen
