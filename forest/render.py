"""A tree drawn for reading: as lines for a terminal, as HTML for a notebook.

A thought that is the only one below its parent stands under it without indentation; only where a
tree branches do lines move to the right. So a branch of a thousand steps reads like a page.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from forest.model import AnchorLink, Thought, Tree
from forest.thoughts import with_signs

MOST_GUIDES = 16
"""Branchings drawn to the left of a thought; those further out are shown as ⋯."""
HTML_THOUGHTS = 300
"""Thoughts shown by the notebook view."""
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Controls, which a terminal obeys, and the signs that turn the order of what follows."""


def visible(text: str) -> str:
    r"""The text with ``\x9b`` and ``\u202e`` spelled out; a tab and a line break stay."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@dataclass(frozen=True)
class Line:
    """One thought, with what is drawn to its left on its first line and on those after it."""

    thought: Thought
    first: str
    rest: str


def outline(tree: Tree) -> Iterator[Line]:
    """The thoughts in reading order with their guides."""
    count = _children(tree)
    left = dict[int, int]()
    guides: list[tuple[int, bool]] = []  # (level of a branch, whether a sibling follows)
    parents = tree.parents()
    for i, thought in enumerate(tree.thoughts):
        parent = parents[i]
        while guides and guides[-1][0] >= thought.level:
            guides.pop()
        outer = "".join("│  " if more else "   " for _, more in guides[-MOST_GUIDES:])
        if len(guides) > MOST_GUIDES:
            outer = "⋯ " + outer
        if parent < 0 or count[parent] == 1:
            yield Line(thought, outer, outer)
            continue
        left[parent] = left.get(parent, count[parent]) - 1
        more = left[parent] > 0
        guides.append((thought.level, more))
        yield Line(thought, outer + ("├─ " if more else "└─ "), outer + ("│  " if more else "   "))


def _children(tree: Tree) -> list[int]:
    count = [0] * len(tree)
    for parent in tree.parents():
        if parent >= 0:
            count[parent] += 1
    return count


def anchor_label(link: AnchorLink) -> str:
    """How an anchor is shown: ⚓ phrase, [[link]] or #tag."""
    shown = with_signs(visible(link.phrase), link.kind)
    return f"⚓ {shown}" if link.kind == "phrase" else shown


def heading(tree: Tree) -> list[str]:
    """Title, id, size and axes of a tree, as lines."""
    lines = [
        f"{tree.title}",
        " · ".join(filter(None, (tree.id, "" if tree.lang == "und" else tree.lang, _size(tree)))),
    ]
    if tree.axes:
        lines.append(" · ".join(f"{name} {percent(weight)}" for name, weight in tree.axes.items()))
    return [visible(line) for line in lines]


def _size(tree: Tree) -> str:
    thoughts = plural(len(tree), "thought")
    return f"{thoughts}, depth {tree.depth}" if len(tree) else thoughts


def percent(part: float) -> str:
    """``80%``, ``33.3%``: to a tenth, where there is one."""
    return f"{part * 100:.1f}".removesuffix(".0") + "%"


def plural(number: int, word: str) -> str:
    """``1 tree``, ``12,000 trees``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def wrapped(line: Line, width: int) -> Iterator[str]:
    """The thought as lines of at most ``width`` characters, where there is room for words."""
    room = max(width - len(line.rest), 30)
    parts = [
        piece
        for paragraph in line.thought.text.splitlines() or [""]
        for piece in textwrap.wrap(paragraph, room) or [""]
    ]
    for number, part in enumerate(parts):
        yield (line.rest if number else line.first) + visible(part)


def tree_html(tree: Tree) -> str:
    """The tree as one HTML element; every word of an author is escaped."""
    title, *about = heading(tree)
    rows = [
        f"<b>{escape(title)}</b>",
        *(f'<div style="color:#777">{escape(line)}</div>' for line in about),
    ]
    for line, _ in zip(outline(tree), range(HTML_THOUGHTS), strict=False):
        rows.append(_html_row(line))
    if (hidden := len(tree) - HTML_THOUGHTS) > 0:
        rows.append(f'<div style="color:#777">… and {plural(hidden, "more thought")}</div>')
    return f'<div style="font-family:sans-serif;line-height:1.4">{"".join(rows)}</div>'


def _html_row(line: Line) -> str:
    thought = line.thought
    indent = len(line.rest) * 0.6
    anchors = "".join(
        ' <span style="background:#e8f0e8;border-radius:4px;padding:0 4px">'
        f"{escape(anchor_label(link))}</span>"
        for link in thought.anchors
    )
    kind = f'<i style="color:#777">{escape(visible(thought.kind))}</i> ' if thought.kind else ""
    return (
        f'<div style="padding-left:{indent:.1f}em;white-space:pre-wrap">'
        f'<span style="color:#aaa">{thought.level}</span> '
        f"{kind}{escape(visible(thought.text))}{anchors}</div>"
    )
