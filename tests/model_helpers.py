"""Small trees and what is asked of them, for the tests of the model."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from forest.identity import finished
from forest.model import Thought, Tree, check_levels


def tree(*outline: tuple[int, str], **fields: Any) -> Tree:
    thoughts = [Thought(text=text, level=level) for level, text in outline]
    return finished(Tree("t", thoughts=thoughts, **fields))


def outline(tree: Tree) -> list[tuple[int, str]]:
    return [(t.level, t.text) for t in tree.thoughts]


def ids(tree: Tree) -> list[str]:
    return [t.id for t in tree.thoughts]


BRANCHES = ((0, "r"), (1, "a"), (2, "b"), (3, "c"), (2, "d"), (1, "e"), (2, "f"))


def places(data: st.DataObject, t: Tree, first: int = 0) -> Thought:
    return t.thoughts[data.draw(st.integers(first, len(t) - 1))]


def holds_together(t: Tree) -> None:
    check_levels(t.thoughts)
    assert len(set(ids(t))) == len(t)
    assert all(ids(t))


def raw(t: Tree) -> Tree:
    """The tree as in its author's file, where nobody writes ids."""
    thoughts = [
        Thought(text=x.text, level=x.level, kind=x.kind, lang=x.lang, anchors=x.anchors)
        for x in t.thoughts
    ]
    return t.model_copy(update={"thoughts": thoughts})
