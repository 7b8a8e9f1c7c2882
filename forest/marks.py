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


def authored(tree: Tree) -> Tree:
    """The tree as its author wrote it: without anchors that were discovered."""
    if not any(is_mark(link) for t in tree.thoughts for link in t.anchors):
        return tree
    thoughts = [
        with_anchors(t, tuple(a for a in t.anchors if not is_mark(a))) for t in tree.thoughts
    ]
    return tree.model_copy(update={"thoughts": thoughts})


def keep_marks(old: Tree, tree: Tree) -> tuple[bool, list[tuple[str, AnchorLink]]]:
    """Carry the marks of ``old`` over to the thoughts of ``tree`` that still say them.

    Returns whether there were any, and those that no thought carries now, by the thought's id.
    """
    kept = False
    found = {
        t.id: (t.text, links) for t in old.thoughts if (links := tuple(filter(is_mark, t.anchors)))
    }
    lost: list[tuple[str, AnchorLink]] = []
    for i, t in enumerate(tree.thoughts) if found else ():
        text, links = found.pop(t.id, ("", ()))
        here = {a.anchor for a in t.anchors}
        more = [a for a in links if a.anchor not in here]
        extra = tuple(a for a in more if text == t.text or stands_in(a.phrase, t.text))
        lost += [(t.id, a) for a in more if a not in extra]
        if extra:
            tree.thoughts[i] = with_anchors(t, t.anchors + extra)
            kept = True
    return kept, lost + [(id_, a) for id_, (_, links) in found.items() for a in links]
