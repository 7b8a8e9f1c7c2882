"""The one place where a tree becomes text.

A tree is laid out as pieces, one for each thought, its words verbatim. `Outline` knows the ways
through a tree (down a path, up to the root, along the siblings) and answers with places in
reading order; `tell` joins pieces to the columns of a record and says where each of them stands.
Every kind of record is made from these two, so no other module walks from parent to child.

Everything is a loop over lists: no recursion, and time linear in what is written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from typing import Any, NamedTuple, cast

from exporters.draw import draw
from exporters.measure import Measure
from forest.model import Thought, Tree
from forest.phrases import phrase_key

Head = Callable[[str], str]
"""The id under which an anchor counts, given its own: `anchors.registry.Registry.head`."""

THOUGHT, BREADCRUMB, MARKER, ANCHOR = "thought", "breadcrumb", "marker", "anchor"
DESTINATION, WORDS, FORMULA, SCENE = "destination", "words", "formula", "scene"
"""Roles of a piece: a thought, a formula and a scene are said in their own words; an anchor is its
phrase as written; breadcrumb, marker, destination and words stand around them."""


class Piece(NamedTuple):
    """Words that stand together in a record."""

    text: str
    tree: str = ""
    """Id of the tree that it belongs to; "" where it belongs to none."""
    thought: str = ""
    """Id of the thought whose words these are; "" for all other roles."""
    anchors: tuple[str, ...] = ()
    """Ids of the anchors that the thought carries, in its order, each once."""
    role: str = THOUGHT
    gap: str = "\n"
    """What stands between it and the piece before it."""
    loss: bool = True
    """False for what a model reads and does not learn to say."""
    formula: str = ""
    """Code of the formula that it writes or voices."""


class Told(NamedTuple):
    """The columns of a record and what they are made of."""

    columns: dict[str, Any]
    """``text``, or what `tell_columns` was given."""
    spans: list[dict[str, Any]]
    """``{start, end, role, tree, thought, formula}`` of each piece: offsets in characters; the
    others as places in the lists below, -1 for none."""
    trees: list[str]
    """Ids of the trees, in the order in which they first speak."""
    thoughts: list[str]
    """Ids of the thoughts said, in that order, each once."""
    anchors: list[str]
    """Ids of the anchors that these thoughts carry, each once."""
    formulas: list[str]
    """Codes of the formulas written or voiced, each once."""
    no_loss: list[dict[str, int]]
    """``{start, end}`` of what carries no loss: pieces that do not, up to the next that does."""

    @property
    def said(self) -> list[str]:
        """Ids of the thoughts in the order in which they are said, again and again if they are."""
        return [self.thoughts[span["thought"]] for span in self.spans if span["thought"] >= 0]

    @property
    def text(self) -> str:
        """The column of a record that has one."""
        text: str = self.columns["text"]
        return text


def size(columns: Mapping[str, Any], measure: Measure = len) -> int:
    """How much all columns of a record say."""
    texts = (text for c in columns.values() for text in ([c] if isinstance(c, str) else c))
    return sum(measure(text) for text in texts if isinstance(text, str))


def tell(pieces: Iterable[Piece]) -> Told:
    """Join pieces to one text, each behind its gap."""
    telling = _Telling()
    text, spans, no_loss = telling.say(pieces)
    return telling.told({"text": text}, spans, no_loss)


def tell_columns(columns: Mapping[str, Sequence[Piece] | Sequence[Sequence[Piece]]]) -> Told:
    """Join pieces to the columns of one record; a column of several texts takes a list for each.

    Each span says its ``column``, and its ``item``: which text of the column, from 0.
    """
    telling = _Telling()
    said: dict[str, Any] = {}
    everything: list[dict[str, Any]] = []
    for name, column in columns.items():
        one = not column or isinstance(column[0], Piece)
        texts = []
        for item, pieces in enumerate([column] if one else column):
            text, spans, _ = telling.say(cast("Sequence[Piece]", pieces))
            texts.append(text)
            everything += ({"column": name, "item": item, **span} for span in spans)
        said[name] = texts[0] if one else texts
    return telling.told(said, everything, [])


class _Telling:
    """A record that is being told: what its texts name, each once."""

    def __init__(self) -> None:
        self._trees: dict[str, int] = {}
        self._thoughts: dict[str, int] = {}
        self._formulas: dict[str, int] = {}
        self._anchors: dict[str, None] = {}

    def say(
        self, pieces: Iterable[Piece]
    ) -> tuple[str, list[dict[str, Any]], list[dict[str, int]]]:
        """A text, the spans of its pieces, and those without loss."""
        trees, thoughts, formulas = self._trees, self._thoughts, self._formulas
        texts: list[str] = []
        spans: list[dict[str, Any]] = []
        no_loss: list[dict[str, int]] = []
        end, lossy = 0, True
        speaks, at = "", -1  # the tree that speaks, and its place
        for text, tree, thought, carried, role, gap, loss, formula in pieces:
            start = end
            if texts:
                texts.append(gap)
                start += len(gap)
            texts.append(text)
            end = start + len(text)
            if carried:
                self._anchors.update(dict.fromkeys(carried))
            if tree != speaks:
                speaks, at = tree, trees.setdefault(tree, len(trees)) if tree else -1
            place = {
                "start": start,
                "end": end,
                "role": role,
                "tree": at,
                "thought": thoughts.setdefault(thought, len(thoughts)) if thought else -1,
                "formula": formulas.setdefault(formula, len(formulas)) if formula else -1,
            }
            spans.append(place)
            if not lossy:
                no_loss[-1]["end"] = start if loss else end
            elif not loss:
                no_loss.append({"start": start, "end": end})
            lossy = loss
        return "".join(texts), spans, no_loss

    def told(
        self,
        columns: dict[str, Any],
        spans: list[dict[str, Any]],
        no_loss: list[dict[str, int]],
    ) -> Told:
        """The record, when everything is said."""
        named = list(self._trees), list(self._thoughts), list(self._anchors), list(self._formulas)
        return Told(columns, spans, *named, no_loss)


def length(pieces: Iterable[Piece], measure: Measure = len) -> int:
    """How much pieces take in a text, what separates each from the next included."""
    return sum(measure(piece.text) + 1 for piece in pieces)


def fitted(pieces: Sequence[Piece], room: int, least: int, measure: Measure = len) -> list[Piece]:
    """The first pieces, as many as have room, but at least so many."""
    for count, piece in enumerate(pieces):
        room -= measure(piece.text) + 1
        if room < 0 and count >= least:
            return list(pieces[:count])
    return list(pieces)


class Outline:
    """A tree in reading order, and the ways through it.

    A tree in which every thought that something hangs under is a conclusion is a proof, and is said
    from its premises to its conclusion.

    :param head: the id under which an anchor counts.
    :param measure: what lengths are counted in.
    :param concluded: kinds of thought that are conclusions from what hangs under them.
    :param refuted: kinds of thought that do not hold.
    """

    def __init__(
        self,
        tree: Tree,
        head: Head = str,
        measure: Measure = len,
        concluded: Container[str] = (),
        refuted: Collection[str] = (),
    ) -> None:
        self.tree, self._measure = tree, measure
        self._head = head
        of, none = tree.id, ()
        self.pieces = [
            Piece(t.text, of, t.id, _carried(t, head) if t.anchors else none) for t in tree.thoughts
        ]
        self._levels = [thought.level for thought in tree.thoughts]
        self.sizes = [measure(thought.text) for thought in tree.thoughts]
        """The length of each thought."""
        self._leaves: dict[int, list[int]] = {}
        self._failing = {n for n, t in enumerate(tree.thoughts) if t.kind and t.kind in refuted}
        self._proof = tree.thoughts[0].kind in concluded and all(
            above.kind in concluded
            for above, thought in pairwise(tree.thoughts)
            if thought.level > above.level
        )

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

    def carrying(self, shared: frozenset[str]) -> list[int]:
        """The thoughts that carry one of these anchors."""
        alone = shared.isdisjoint
        return [n for n, p in enumerate(self.pieces) if p.anchors and not alone(p.anchors)]

    def links(self, place: int, shared: frozenset[str]) -> list[tuple[str, str]]:
        """Those of these anchors that a thought carries, each once, with their phrases."""
        found: dict[str, str] = {}
        for link in self.tree.thoughts[place].anchors:
            anchor = self._head(link.anchor)
            if anchor in shared:
                found.setdefault(anchor, link.phrase)
        return list(found.items())

    # --- proofs --------------------------------------------------------------------------------

    def steps(self, thoughts: Sequence[str]) -> Iterable[str]:
        """Of a path's thoughts, by their ids, those that are said together with their parents."""
        if not self._proof:
            return thoughts[1:]
        said = set(thoughts)
        return (one for one in thoughts if self._above.get(one) in said)

    @cached_property
    def _above(self) -> dict[str, str]:
        ids = [piece.thought for piece in self.pieces]
        return {ids[place]: ids[above] for place, above in enumerate(self._parents) if above >= 0}

    @cached_property
    def _argued(self) -> list[int]:
        """A proof's thoughts as they are said: what was concluded, facts, what both lead to."""
        said: list[int] = []
        todo = [0]
        while todo:  # backwards: each conclusion, then what it rests on
            place = todo.pop()
            said.append(place)
            below = self._children.get(place, ())
            said += (p for p in reversed(below) if p not in self._children)
            todo += (p for p in below if p in self._children)
        return said[::-1]

    @cached_property
    def _said_at(self) -> dict[int, int]:
        return {place: n for n, place in enumerate(self._argued)}

    def _argued_before(self, place: int) -> Iterator[int]:
        """What is said before a thought of a proof, the nearest first: its step's facts first."""
        facts = [place]
        if self._is_premise(place):
            facts = self._leaves_beside(place)
            yield from self._premises(place)
        yield from (self._argued[n] for n in range(self._said_at[facts[0]] - 1, -1, -1))

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

        A proof is one path, through all of it up to its conclusion, and has no breadcrumb: the
        root that it names is the answer.
        """
        if self._proof:
            yield from self._proof_windows(window, overlap)
            return
        levels, sizes = self._levels, self.sizes
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
            if self._measure(crumb) + 1 + self._measure(said[0].text) <= window:
                said.insert(0, Piece(crumb, self.tree.id, role=BREADCRUMB))
        return said

    def _reopened(
        self, trail: list[_Open], level: int, place: int, window: int, overlap: int
    ) -> tuple[int, int]:
        """The level at which a thought's new window begins, and the window's size up to it."""
        start, size, again = level, self.sizes[place], 0
        _, above, _ = trail[level - 1]
        while start > above + 1:  # it begins later than the window before
            more = self.sizes[trail[start - 1][0]] + 1
            crumb = self._measure(self.breadcrumb(start - 1, window)) + 1
            if (again and again + more > overlap) or crumb + more + size > window:
                break
            start, size, again = start - 1, size + more, again + more
        crumb = self._measure(self.breadcrumb(start, window)) + 1
        return start, size + crumb if size + crumb <= window else size

    def _proof_windows(self, window: int, overlap: int) -> Iterator[list[Piece]]:
        said: list[int] = []
        used = 0
        for place in self._argued:
            size = self.sizes[place]
            if said and used + 1 + size > window:
                yield [self.pieces[p] for p in said]
                room = min(overlap, window - size - 1)
                said = [*self._fitting(reversed(said), max(room, 0))][::-1]
                used = max(0, sum(self.sizes[p] + 1 for p in said) - 1)
            said.append(place)
            used += size + 1 if len(said) > 1 else size
        yield [self.pieces[p] for p in said]

    def breadcrumb(self, level: int, window: int) -> str:
        """How a window that begins at ``level`` (1 or more) is reached."""
        tree = self.tree
        most = min(60, window // 8)
        return breadcrumb(tree.title, tree.thoughts[0].text, level - 1, tree.lang, most)

    # --- around a thought ----------------------------------------------------------------------

    def before(self, place: int, room: int) -> list[int]:
        """What is said before a jump from a thought, and the thought itself last.

        A leaf with leaves beside it is a premise (as a proof's facts are), unless it is refuted:
        the other premises come first. Any other thought comes after the path from the root. In a
        proof all comes first that is said before the conclusion that the thought serves. Whole
        thoughts, the nearest ones, while all together have at most ``room`` characters.
        """
        if self._proof:
            near = self._fitting(self._argued_before(place), room - self.sizes[place])
            return [*sorted(near, key=self._said_at.__getitem__), place]
        nearby = self._premises(place) if self._is_premise(place) else self._up(place)
        return [*sorted(self._fitting(nearby, room - self.sizes[place])), place]

    def after(
        self, place: int, room: int, seed: int, most: int | None = None, premises: int = 0
    ) -> list[int]:
        """What is said after a jump to a thought, and the thought itself first.

        The walk goes down, choosing one child by hash at each branching, a refuted one only where
        no other is; from a leaf it climbs to the thoughts that the leaf supports, up to the root
        (a refuted leaf supports none), behind its other premises up to ``premises`` characters.
        In a proof it climbs from any thought. Whole thoughts while all together have at most
        ``room`` characters; at least one after the landing, if there is one and both have at most
        ``most``.
        """
        onward = self._onward(place, seed, premises)
        room -= self.sizes[place] + 1
        first = next(onward, None)
        if first is None or (most and self.sizes[place] + 1 + self.sizes[first] > most):
            return [place]
        return [place, first, *self._fitting(onward, room - self.sizes[first])]

    def premises(self, place: int, room: int) -> list[int]:
        """The other premises of what a leaf supports, in reading order; for others nothing.

        Whole thoughts, the nearest ones, while all together have at most ``room`` characters.
        """
        return sorted(self._fitting(self._premises(place), room)) if self._is_premise(place) else []

    def are_premises(self, one: int, other: int) -> bool:
        """Whether two thoughts, of which one follows the other, support the same.

        A walk that jumped on from there would say none of that.
        """
        return one not in self._children and other not in self._children

    def pairs(self, chosen: Container[str], others: Container[str]) -> Iterator[tuple[int, int]]:
        """Siblings of which one is of a chosen kind and one of the others: each in one pair.

        Where there are more of one sort, those of the other are used again in turn.
        """
        kinds = [thought.kind for thought in self.tree.thoughts]
        for children in self._children.values():
            ours = [place for place in children if kinds[place] in chosen]
            theirs = [place for place in children if kinds[place] in others]
            if ours and theirs:
                for n in range(max(len(ours), len(theirs))):
                    yield ours[n % len(ours)], theirs[n % len(theirs)]

    def above(self, place: int, room: int) -> list[Piece]:
        """The path from the root down to a thought, without it: the nearest that have room."""
        parent = self._parents[place]
        up = self._fitting(self._up(parent), room - self.sizes[parent] - 1)
        return [self.pieces[p] for p in [*sorted(up), parent]]

    def _onward(self, place: int, seed: int, premises: int) -> Iterator[int]:
        if place in self._children and not self._proof:
            return self._down(place, seed)
        if self._fails(place):
            return iter(())
        return chain(self.premises(place, premises) if premises else (), self._up(place))

    def _fails(self, place: int) -> bool:
        return place in self._failing

    def _fitting(self, places: Iterable[int], room: int) -> Iterator[int]:
        for place in places:
            room -= self.sizes[place] + 1
            if room < 0:
                return
            yield place

    def _up(self, place: int) -> Iterator[int]:
        while (place := self._parents[place]) >= 0:
            yield place

    def _down(self, place: int, seed: int) -> Iterator[int]:
        landing = self.pieces[place].thought
        while children := self._children.get(place):
            if self._failing:
                children = [n for n in children if not self._fails(n)] or children
            choice = 0
            if len(children) > 1:
                choice = draw(seed, landing, self.pieces[place].thought) % len(children)
            place = children[choice]
            yield place

    def _is_premise(self, place: int) -> bool:
        if place in self._children or self._fails(place):
            return False
        return len(self._leaves_beside(place)) > 1

    def _leaves_beside(self, place: int) -> list[int]:
        """The leaves among a thought and its siblings, without those that are refuted."""
        parent = self._parents[place]
        leaves = self._leaves.get(parent)
        if leaves is None:
            leaves = [
                i for i in self._children[parent] if i not in self._children and not self._fails(i)
            ]
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


def dropped(before: Sequence[Piece], dropout: str, seed: int) -> list[Piece]:
    """What is left of the pieces before a jump: a random tail or part of them, or all.

    The last one, which is jumped from, stays.
    """
    *prefix, source = before
    if dropout == "tail":
        start = draw(seed, "tail", source.thought) % (len(prefix) + 1)
        prefix = prefix[start:]
    elif dropout == "part":
        prefix = [p for p in prefix if draw(seed, "part", source.thought, p.thought) % 2]
    return [*prefix, source]


def says(thought: Piece, phrase: str) -> bool:
    """Whether a thought says no more than an anchor's phrase."""
    close = abs(len(thought.text) - len(phrase)) < 9
    return close and _key(thought.text) == phrase_key(phrase)


def mentions(thought: Piece, phrase: str) -> bool:
    """Whether a thought says an anchor's phrase among its words."""
    key, text = phrase_key(phrase), _key(thought.text)
    at = text.find(key)
    while at >= 0:
        before, after = text[max(at - 1, 0) : at], text[at + len(key) : at + len(key) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        at = text.find(key, at + 1)
    return False


_key = phrase_key.__wrapped__  # without its cache: thoughts are many and long


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
