"""JSON Canvas (jsoncanvas.org), which Obsidian opens: trees side by side, joined at shared anchors.

A tree is a group; a level is a column, and a thought stands right of the one before it: the first
child in the same row, each other child in a row of its own. So nothing overlaps. It is a picture:
what it leaves out (axes, formulas, kinds, marks) is why it cannot be imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from zlib import crc32

import orjson

from anchors.registry import Registry
from exporters.graph import Seen
from forest.flat import name_of
from forest.model import Tree
from forest.stores.base import Store

CANVAS_BEGINS = (
    '{"nodes":[\n{"id":"reasoning-forest","type":"text","x":0,"y":-240,"width":400,"height":160,'
    '"text":"A forest of reasoning trees, made by reasoning-forest. Coloured lines join thoughts '
    'of different trees that carry the same anchor."}'
)
WIDTH, GAP, MARGIN, BETWEEN = 400, 60, 40, 200
"""Of a thought; between thoughts; around the thoughts of a tree; between trees. In pixels."""
_LINE, _LETTERS, _LEAST, _MOST = 26, 38, 60, 640
_COLORS = 6
"""Obsidian has six colours, which a theme may change."""


def canvas(forest: Store, seen: Seen) -> Iterator[str]:
    """The nodes, then the edges, each on a line."""
    x = 0
    for tree in forest.trees():
        for row in _boxes(tree, x):
            yield ",\n" + orjson.dumps(row).decode()
        x += _width(tree) + BETWEEN
        seen(len(tree))
    yield '\n],"edges":['
    between = "\n"
    for edge in _edges(forest, seen):
        yield between + orjson.dumps(edge).decode()
        between = ",\n"
    yield "\n]}\n"


def _boxes(tree: Tree, left: int) -> Iterator[dict[str, object]]:
    """The group of a tree whose left side is at ``left``, then its thoughts."""
    heights = [_height(t.text) for t in tree.thoughts]
    rows: list[int] = []
    tallest: list[int] = []
    before = 0
    for thought, height in zip(tree.thoughts, heights, strict=True):
        if thought.level <= before:
            tallest.append(0)
        before = thought.level
        tallest[-1] = max(tallest[-1], height)
        rows.append(len(tallest) - 1)
    tops = [MARGIN]
    for height in tallest:
        tops.append(tops[-1] + height + GAP)
    yield {
        "id": name_of(("Tree", tree.id)),
        "type": "group",
        "x": left,
        "y": 0,
        "width": _width(tree),
        "height": tops[-1] - GAP + MARGIN,
        "label": tree.title,
    }
    for thought, row, height in zip(tree.thoughts, rows, heights, strict=True):
        yield {
            "id": name_of(("Thought", thought.id)),
            "type": "text",
            "x": left + MARGIN + thought.level * (WIDTH + GAP),
            "y": tops[row],
            "width": WIDTH,
            "height": height,
            "text": thought.text,
        }


def _width(tree: Tree) -> int:
    return (tree.depth + 1) * (WIDTH + GAP) - GAP + 2 * MARGIN


def _height(text: str) -> int:
    """High enough for the text; a long one is scrolled."""
    lines = sum(max(1, ceil(len(line) / _LETTERS)) for line in text.splitlines())
    return min(_MOST, max(_LEAST, lines * _LINE + 34))


def _edges(forest: Store, seen: Seen) -> Iterator[dict[str, str]]:
    """Steps; and for each shared anchor lines that join its first thoughts from tree to tree."""
    registry = Registry.of(forest)
    shared = registry.shared(forest)
    last: dict[str, str] = {}
    for tree in forest.trees():
        here: set[str] = set()
        for thought, parent in tree.walk():
            end = name_of(("Thought", thought.id))
            if parent is not None:
                start = name_of(("Thought", parent.id))
                sides = {"fromSide": "right", "toSide": "left"}
                yield {"id": f"step:{end}", "fromNode": start, "toNode": end, **sides}
            for link in thought.anchors:
                anchor = registry.head(link.anchor)
                if anchor not in shared or anchor in here:
                    continue
                here.add(anchor)
                if anchor in last:
                    yield {
                        "id": f"anchor:{anchor}:{end}",
                        "fromNode": last[anchor],
                        "toNode": end,
                        "toEnd": "none",
                        "color": str(1 + crc32(anchor.encode()) % _COLORS),
                        "label": registry.name(anchor),
                    }
                last[anchor] = end
        seen(len(tree))
