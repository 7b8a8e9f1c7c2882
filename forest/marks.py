"""Anchors that nobody wrote: they stay at a thought while their phrase stands in it."""

from __future__ import annotations

from forest.model import AUTHORED, AnchorLink, Thought, Tree, trusted_thought
from forest.phrases import stands_in


def is_mark(link: AnchorLink) -> bool:
    """Whether discovery put it there, and no author."""
    return link.origin != AUTHORED


def with_anchors(t: Thought, anchors: tuple[AnchorLink, ...]) -> Thought:
    """The thought with other anchors."""
    return trusted_thought(t.text, t.level, t.id, t.kind, t.lang, anchors)


def without_lost_marks(tree: Tree, old: Tree) -> Tree:
    """The tree, its edited thoughts without the marks whose phrase they say no more.

    The tree is changed and returned. Thoughts are edited that ``old`` has with another text.
    """
    before = {t.id: t.text for t in old.thoughts if any(map(is_mark, t.anchors))}
    for i, t in enumerate(tree.thoughts) if before else ():
        if before.get(t.id, t.text) != t.text:
            kept = tuple(a for a in t.anchors if not is_mark(a) or stands_in(a.phrase, t.text))
            if kept != t.anchors:
                tree.thoughts[i] = with_anchors(t, kept)
    return tree
