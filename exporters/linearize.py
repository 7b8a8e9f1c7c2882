"""The one place where a tree becomes text.

A tree is laid out as pieces, one for each thought, its words verbatim. `Outline` knows the ways
through a tree (down a path, up to the root, along the siblings) and answers with places in
reading order; `tell` joins pieces to the text of a record and says where each of them stands.
Every kind of record is made from these two, so no other module walks from parent to child.

Everything is a loop over lists: no recursion, and time linear in what is written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from exporters.draw import draw
from forest.model import Thought, Tree
from forest.phrases import phrase_key

Head = Callable[[str], str]
"""The id under which an anchor counts, given its own: `anchors.registry.Registry.head`."""

THOUGHT, BREADCRUMB, MARKER, ANCHOR = "thought", "breadcrumb", "marker", "anchor"
"""Roles of a piece. Only the first one's words are a thought's own."""


class Piece(NamedTuple):
    """Words that stand together in a record."""

    text: str
    tree: str
    """Id of the tree that it belongs to."""
    thought: str = ""
    """Id of the thought whose words these are; "" for all other roles."""
    anchors: tuple[str, ...] = ()
    """Ids of the anchors that the thought carries, in its order, each once."""
    role: str = THOUGHT


class Told(NamedTuple):
    """The text of a record and what it is made of."""

    text: str
    spans: list[dict[str, Any]]
    """``{start, end, role, tree, thought}`` of each piece: offsets in characters, ``tree`` and
    ``thought`` as places in the lists below, -1 for the thought of a piece that is none."""
    trees: list[str]
    """Ids of the trees, in the order in which they first speak."""
    thoughts: list[str]
    """Ids of the thoughts said, in that order."""
    anchors: list[str]
    """Ids of the anchors that these thoughts carry, each once."""


def tell(pieces: Iterable[Piece]) -> Told:
    """Join pieces to one text: a piece a line, an anchor's phrase on the line of its marker."""
    texts: list[str] = []
    spans: list[dict[str, Any]] = []
    trees: dict[str, int] = {}
    thoughts: list[str] = []
    anchors: dict[str, None] = {}
    start = 0
    for text, tree, thought, carried, role in pieces:
        end = start + len(text)
        if tree not in trees:
            trees[tree] = len(trees)
        said = -1
        if thought:
            said = len(thoughts)
            thoughts.append(thought)
            if carried:
                anchors.update(dict.fromkeys(carried))
        place = {"start": start, "end": end, "role": role, "tree": trees[tree], "thought": said}
        spans.append(place)
        if role == ANCHOR:
            texts[-1] = f"{texts[-1]} {text}"
        else:
            texts.append(text)
        start = end + 1
    return Told("\n".join(texts), spans, list(trees), thoughts, list(anchors))


def length(pieces: Iterable[Piece]) -> int:
    """Characters that pieces take in a text, the one that separates each from the next included."""
    return sum(len(piece.text) + 1 for piece in pieces)


class Outline:
    """A tree in reading order, and the ways through it.

    :param head: the id under which an anchor counts.
    """

    def __init__(self, tree: Tree, head: Head = str) -> None:
        self.tree = tree
        of, none = tree.id, ()
        self.pieces = [
            Piece(t.text, of, t.id, _carried(t, head) if t.anchors else none) for t in tree.thoughts
        ]
        self._levels = [thought.level for thought in tree.thoughts]
        self._sizes = [len(thought.text) for thought in tree.thoughts]
        self._leaves: dict[int, list[int]] = {}

    @cached_property
    def _parents(self) -> list[int]:
        return self.tree.parents()

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = {}
        for place, parent in enumerate(self._parents):
            if place == parent + 1:  # in reading order a first child follows its parent
                children[parent] = [place]
            else:
                children[parent].append(place)
        return children

    # --- paths ---------------------------------------------------------------------------------

    def windows(self, window: int, overlap: int) -> Iterator[list[Piece]]:
        """Every root-to-leaf path, in windows of at most ``window`` characters; each window once.

        A window is filled from the root on. The thought that does not fit opens the next one,
        which says again the thoughts before it up to ``overlap`` characters (at least the last
        one, if both fit) behind a breadcrumb. So where windows begin and end depends on the path
        from the root alone, paths with a common beginning share their windows, and what is
        written is at most one window for each leaf and for each thought that ends a window. A
        thought longer than the window has a window of its own; a breadcrumb without room is left
        out.
        """
        levels, sizes = self._levels, self._sizes
        trail: list[_Open] = []  # by level
        closed: set[int] = set()
        for place, (level, below) in enumerate(zip(levels, [*levels[1:], 0], strict=True)):
            start, size = 0, sizes[place]
            if level:
                parent, start, used = trail[level - 1]
                size += used + 1
                if size > window:
                    if parent not in closed:
                        closed.add(parent)
                        yield self._window(trail, start, level, window)
                    start, size = self._reopened(trail, level, place, window, overlap)
            del trail[level:]
            trail.append((place, start, size))
            if below <= level:
                yield self._window(trail, start, level + 1, window)

    def _window(self, trail: list[_Open], start: int, end: int, window: int) -> list[Piece]:
        """The pieces of a window over the levels from ``start`` up to ``end``."""
        pieces = self.pieces
        said = [pieces[place] for place, _, _ in trail[start:end]]
        if start:
            crumb = self.breadcrumb(start, window)
            if len(crumb) + 1 + len(said[0].text) <= window:
                said.insert(0, Piece(crumb, self.tree.id, role=BREADCRUMB))
        return said

    def _reopened(
        self, trail: list[_Open], level: int, place: int, window: int, overlap: int
    ) -> tuple[int, int]:
        """The level at which a thought's new window begins, and the window's size up to it."""
        start, size, again = level, self._sizes[place], 0
        _, above, _ = trail[level - 1]
        while start > above + 1:  # it begins later than the window before
            more = self._sizes[trail[start - 1][0]] + 1
            crumb = len(self.breadcrumb(start - 1, window)) + 1
            if (again and again + more > overlap) or crumb + more + size > window:
                break
            start, size, again = start - 1, size + more, again + more
        crumb = len(self.breadcrumb(start, window)) + 1
        return start, size + crumb if size + crumb <= window else size

    def breadcrumb(self, level: int, window: int) -> str:
        """How a window that begins at ``level`` (1 or more) is reached."""
        tree = self.tree
        most = min(60, window // 8)
        return breadcrumb(tree.title, tree.thoughts[0].text, level - 1, tree.lang, most)

    # --- around a thought ----------------------------------------------------------------------

    def before(self, place: int, room: int) -> list[int]:
        """What is said before a jump from a thought, and the thought itself last.

        A leaf with leaves beside it is a premise (as a proof's facts are): the other premises
        come first. Any other thought comes after the path from the root. Whole thoughts, the
        nearest ones, while all together have at most ``room`` characters.
        """
        nearby = self._premises(place) if self._is_premise(place) else self._up(place)
        return [*sorted(self._fitting(nearby, room - self._sizes[place])), place]

    def after(self, place: int, room: int, seed: int, most: int | None = None) -> list[int]:
        """What is said after a jump to a thought, and the thought itself first.

        The walk goes down, choosing one child by hash at each branching; from a leaf it climbs to
        the thoughts that the leaf supports, up to the root. Whole thoughts while all together
        have at most ``room`` characters; at least one after the landing, if there is one and both
        have at most ``most``.
        """
        onward = self._down(place, seed) if place in self._children else self._up(place)
        room -= self._sizes[place] + 1
        first = next(onward, None)
        if first is None or (most and self._sizes[place] + 1 + self._sizes[first] > most):
            return [place]
        return [place, first, *self._fitting(onward, room - self._sizes[first])]

    def _fitting(self, places: Iterable[int], room: int) -> Iterator[int]:
        for place in places:
            room -= self._sizes[place] + 1
            if room < 0:
                return
            yield place

    def _up(self, place: int) -> Iterator[int]:
        while (place := self._parents[place]) >= 0:
            yield place

    def _down(self, place: int, seed: int) -> Iterator[int]:
        landing = self.pieces[place].thought
        while children := self._children.get(place):
            choice = 0
            if len(children) > 1:
                choice = draw(seed, landing, self.pieces[place].thought) % len(children)
            place = children[choice]
            yield place

    def _is_premise(self, place: int) -> bool:
        return place not in self._children and len(self._leaves_beside(place)) > 1

    def _leaves_beside(self, place: int) -> list[int]:
        """The leaves among a thought and its siblings."""
        parent = self._parents[place]
        leaves = self._leaves.get(parent)
        if leaves is None:
            leaves = [i for i in self._children[parent] if i not in self._children]
            self._leaves[parent] = leaves
        return leaves

    def _premises(self, place: int) -> Iterator[int]:
        """The other leaves beside a leaf: those before it, nearest first, then those after it."""
        leaves = self._leaves_beside(place)
        at = bisect_left(leaves, place)
        yield from (leaves[i] for i in range(at - 1, -1, -1))
        yield from (leaves[i] for i in range(at + 1, len(leaves)))


_Open = tuple[int, int, int]
"""A thought on the current path: its place, the level at which the window that it stands in
begins, and the size of that window up to it."""


def _carried(thought: Thought, head: Head) -> tuple[str, ...]:
    """Ids of the anchors that a thought carries, each once."""
    return tuple(dict.fromkeys(head(link.anchor) for link in thought.anchors))


# --- breadcrumbs ----------------------------------------------------------------------------------


def breadcrumb(title: str, root: str, skipped: int, lang: str, most: int) -> str:
    """How a window is reached: the tree's title › its root › how many steps were left out.

    Title and root have at most ``most`` characters each, cut at a word; a root that says the same
    as the title is not said again. ``skipped`` counts the thoughts between the root and the first
    thought of the window; with none the last part is missing.

    >>> breadcrumb("Justice", "Justice is a fit between deeds and norms.", 34, "en", 24)
    'Justice › Justice is a fit… › … 34 steps …'
    """
    names = _title_and_root(title, root[:1024], most)
    return f"{names} › … {steps(skipped, lang)} …" if skipped else names


@lru_cache(maxsize=64)
def _title_and_root(title: str, root: str, most: int) -> str:
    same = len(root) <= len(title) + 2 and phrase_key(root) == phrase_key(title)
    same = same or (title.endswith("…") and root.startswith(title[:-1]))  # a title made from it
    return shortened(title, most) if same else f"{shortened(title, most)} › {shortened(root, most)}"


def shortened(text: str, most: int) -> str:
    """The beginning of a text on one line, at most ``most`` characters, cut at a word."""
    line = " ".join(text[: 4 * most].split())
    if len(line) <= most and len(text) <= 4 * most:
        return line
    cut = line[: most - 1]
    word = cut.rfind(" ")
    if word > most // 2 and line[most - 1 : most] not in ("", " "):
        cut = cut[:word]
    return cut.rstrip(" .,;:—–-") + "…"


def steps(count: int, lang: str) -> str:
    """``34 шага`` in Russian, ``34 steps`` in any other language."""
    if lang.partition("-")[0] != "ru":
        return f"{count} step" if count == 1 else f"{count} steps"
    if count % 10 == 1 and count % 100 != 11:
        return f"{count} шаг"
    if 2 <= count % 10 <= 4 and not 12 <= count % 100 <= 14:
        return f"{count} шага"
    return f"{count} шагов"
