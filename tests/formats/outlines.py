"""A tree as an indented outline, for tests that are read by eye."""

from __future__ import annotations

from forest.model import Tree

_SIGNS = {"link": "[[{}]]", "tag": "#{}", "phrase": "<{}>"}


def outline(tree: Tree) -> str:
    """One line a thought: its kind, its text, its anchors."""
    lines = [f"{tree.id} | {tree.title}"]
    for thought in tree.thoughts:
        anchors = " ".join(_SIGNS[a.kind].format(a.phrase) for a in thought.anchors)
        said = thought.text.replace("\n", " / ")
        kind = f"({thought.kind}) " if thought.kind else ""
        lines.append("  " * thought.level + f"- {kind}{said}" + (f"  {anchors}" if anchors else ""))
    return "\n".join(lines) + "\n"


def texts(tree: Tree) -> list[str]:
    """What the thoughts say, indented by two spaces a level."""
    return ["  " * t.level + t.text for t in tree.thoughts]
