"""What an export takes from one tree: a function of it, its split, and the anchors it shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import orjson

from exporters.kinds import Plan
from exporters.kinds.trees import TreeRecords, refuse_marker
from exporters.linearize import Outline
from exporters.lines import Block, Finishing, Line
from exporters.records import PATH, Record, axes_of
from exporters.scratch import Gathered
from exporters.splits import TRAIN
from exporters.texts import tree_keys
from exporters.walks import Gatherer
from forest.model import Tree


class TreeBegun(NamedTuple):
    """A tree, and what is counted of it; its records follow, then `TreeDone`."""

    id: str
    revision: str
    title: str
    lang: str
    axes: bytes
    """As records keep them, as JSON."""
    split: str
    thoughts: int
    characters: int
    tokens: int
    own_anchors: int
    """Those that no other tree carries."""
    long_thoughts: int
    silent: list[tuple[str, str | None]]
    """(thought, parent) of all its thoughts, where one may be in no record."""
    anchors: list[tuple[str, str, bool]]
    """(id, the one under which it counts, whether that is shared) of each that it carries."""
    keys: bytes
    """`tree_keys`, with its steps where it is of the training split; nothing where there is one."""


class TreeDone(NamedTuple):
    """What is known of a tree when its records are told."""

    gathered: Gathered
    stepped: int
    """Steps that its paths say, where no record can be lost."""


def packed(tree: TreeBegun, done: TreeDone, lines: Sequence[Line]) -> bytes:
    """A tree as bytes, with those of its records that wait."""
    gathered = done.gathered
    texts = [text for *_, before, after in gathered.places for text in (before, after)]
    places = [(*of, len(before), len(after)) for *of, before, after in gathered.places]
    begun, others = tree[:4], (*tree[5:-1], len(tree.keys))
    about = [((*line[:2], *line[3:-1]), len(line.line), len(line.note)) for line in lines]
    said = begun, tree.axes.decode(), others, done.stepped, places, *gathered[1:], about
    told = (text for line in lines for text in (line.line, line.note))
    head = orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)
    return b"".join([head, tree.keys, *texts, *told])


def unpacked(told: bytes) -> tuple[TreeBegun, TreeDone, list[Line]]:
    """What `packed` made bytes of."""
    head, _, texts = told.partition(b"\n")
    begun, axes, others, stepped, places, passing, carried, about = orjson.loads(head)
    *others, at = others
    tree = TreeBegun._make((*begun, axes.encode(), *others, texts[:at]))
    gathered = Gathered([], passing, carried)
    for *of, before, after in places:
        middle, end = at + before, at + before + after
        gathered.places.append((*of, texts[at:middle], texts[middle:end]))
        at = end
    lines = []
    for (kind, split, *of), size, noted in about:
        middle, end = at + size, at + size + noted
        lines.append(Line._make((kind, split, texts[at:middle], *of, texts[middle:end])))
        at = end
    return tree, TreeDone(gathered, stepped), lines


class TreeWork:
    """Takes from trees what an export needs, one tree at a time.

    :param shared: the anchors that two or more trees carry.
    :param head: the id under which an anchor counts.
    """

    def __init__(self, plan: Plan, shared: frozenset[str], head: Callable[[str], str]) -> None:
        self._plan, self._shared, self._head = plan, shared, head
        self._records = TreeRecords(plan, shared)
        self._gatherer = Gatherer(plan.recipe, shared)
        self._finish = Finishing(plan)

    def of(self, tree: Tree, split: str) -> Iterator[TreeBegun | Line | Block | TreeDone]:
        """A tree, its records, and what joins it to others.

        :raises ExportError: a text of it contains the jump marker.
        """
        refuse_marker(tree, self._plan.recipe.walks.marker)
        marks, measure = self._plan.recipe.marks, self._plan.measure
        outline = Outline(tree, self._head, measure, marks.conclusions, marks.refuted)
        axes = axes_of(tree.axes)
        yield self._begun(outline, orjson.dumps(axes), split)
        stepped: set[str] = set()
        records = self._records.of(outline, split, axes)
        if not self._finish.loses(split):
            records = _noting(records, outline, stepped)
        yield from self._finish.all(records)
        yield TreeDone(self._gatherer.gather(outline), len(stepped))

    def _begun(self, outline: Outline, axes: bytes, split: str) -> TreeBegun:
        tree, pieces, recipe = outline.tree, outline.pieces, self._plan.recipe
        own = {a for piece in pieces if piece.anchors for a in piece.anchors} - self._shared
        return TreeBegun(
            tree.id,
            tree.revision,
            tree.title,
            tree.lang,
            axes,
            split,
            len(pieces),
            sum([len(piece.text) for piece in pieces]),
            0 if self._plan.measure is len else sum(outline.sizes),
            len(own),
            sum([long > recipe.window for long in outline.sizes]),
            self._silent(outline) if self._finish.loses(split) else [],
            self._anchors(tree),
            self._keys(outline, split),
        )

    def _keys(self, outline: Outline, split: str) -> bytes:
        if not self._finish.splits:
            return b""
        texts = [piece.text for piece in outline.pieces]
        return tree_keys(texts, outline.tree.parents(), steps=split == TRAIN)

    def _anchors(self, tree: Tree) -> list[tuple[str, str, bool]]:
        carried = {link.anchor for thought in tree.thoughts for link in thought.anchors}
        heads = ((anchor, self._head(anchor)) for anchor in sorted(carried))
        return [(anchor, head, head in self._shared) for anchor, head in heads]

    def _silent(self, outline: Outline) -> list[tuple[str, str | None]]:
        ids = [piece.thought for piece in outline.pieces]
        above = [ids[place] if place >= 0 else None for place in outline.tree.parents()]
        return list(zip(ids, above, strict=True))


def _noting(records: Iterator[Record], outline: Outline, stepped: set[str]) -> Iterator[Record]:
    """The same records; the thoughts are noted that paths say with their parents."""
    for record in records:
        if record.kind == PATH:
            stepped.update(outline.steps(record.told.thoughts))
        yield record
