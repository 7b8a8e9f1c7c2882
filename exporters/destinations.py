"""Where a jump goes, in words: behind the anchor a walk may name the tree that it lands in.

With the name a model can be asked for one tree of those that carry the anchor, and not only to
leave the one it is in. The name is the tree's title: it asks, and is not learnt to be said. A jump
that is named in one export is, by another seed, not in another, so both requests are learnt.
Fragments may be said again as they are asked for in the same words: from nowhere, or from their own
tree, to stay there.
"""

from __future__ import annotations

from exporters.draw import RANGE, draw
from exporters.linearize import ANCHOR, DESTINATION, MARKER, Piece, shortened
from exporters.templates import marker_met
from forest.phrases import phrase_key

SIGN = "›"
"""Stands before the name."""
MOST = 200
"""Characters of a name at most; where trees share the beginning of their titles, the end counts."""


def is_drawn(share: float, seed: int, *of: str) -> bool:
    """Whether something is among the share that is named."""
    return share > 0 and draw(seed, "named", *of) < share * RANGE


def destination(tree: str, title: str, marker: str) -> Piece:
    """The piece that names a tree. Raises ExportError where the jump marker stands in its title."""
    if marker in title:
        raise marker_met(marker, f"the title of tree {tree!r} ({title!r})")
    return Piece(name_of(title), tree, role=DESTINATION, gap=" ", loss=False)


def request(tree: str, title: str, phrase: str, marker: str) -> list[Piece]:
    """Marker, phrase and name, all without loss. Raises ExportError as `destination`."""
    return [
        Piece(marker, tree, role=MARKER, loss=False),
        Piece(phrase, tree, role=ANCHOR, gap=" ", loss=False),
        destination(tree, title, marker),
    ]


def name_of(title: str) -> str:
    """A title as a jump names it.

    >>> name_of("On justice")
    '› On justice'
    """
    return f"{SIGN} {shortened(title, MOST)}"


def gives_away(title: str, answer: str) -> bool:
    """Whether who reads a title has read the answer: a tree may be called as it begins."""
    name, told = phrase_key(title), phrase_key(answer)
    return told in name or (name.endswith("…") and told.startswith(name[:-1]))
