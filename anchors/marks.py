"""Marks: anchors that a review put onto thoughts. Nothing that an author wrote is changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from anchors.homonyms import Meaning, Meant
from anchors.writing import Write
from forest.errors import Conflict, NotFound
from forest.forest import stamped
from forest.identity import finished
from forest.model import AnchorLink, Thought, Tree
from forest.phrases import stands_in
from forest.stores.base import Store

DISCOVERED = "discovered"


@dataclass(frozen=True, slots=True)
class Mark:
    """That a thought carries an anchor."""

    thought: str
    anchor: str
    phrase: str
    """The phrase as it stands in the thought."""
    score: float | None = None


Links = tuple[AnchorLink, ...]


def put(
    store: Store,
    marks: Iterable[Mark],
    meanings: Iterable[Meaning] = (),
    *,
    all_or_none: bool = False,
    write: Write | None = None,
) -> tuple[dict[Mark, str], dict[Mark, str]]:
    """Give thoughts their anchors. Returns what was left out and what has lost its thought: why.

    Left out is a mark whose phrase no longer stands in its thought. All trees are changed in one
    `Store.write`, or one ``write``, so all is stored or nothing, or, on Neo4j, whole trees. A mark
    that is there already stays as it is. Where an anchor means another one (``meanings``), that one
    is put.

    Raises Conflict, with ``all_or_none``, in place of leaving one out; then nothing is stored.
    """
    left_out: dict[Mark, str] = {}
    gone: dict[Mark, str] = {}

    def leave(reasons: dict[Mark, str], mark: Mark, reason: str) -> None:
        if all_or_none:
            raise Conflict(f"the thought cannot be marked again: {reason}")
        reasons[mark] = reason

    def add(thought: Thought, mark: Mark, ways: Sequence[str]) -> Links:
        left_out.pop(mark, None)  # a transaction may be tried again
        if ways[0] in {link.anchor for link in thought.anchors}:
            return thought.anchors
        try:
            return _in_order((*thought.anchors, _link(mark, ways[0], thought)))
        except ValueError as error:
            leave(left_out, mark, str(error))
        return thought.anchors

    _change(store, marks, meanings, add, partial(leave, gone), write or store.write)
    return left_out, {mark: reason for mark, reason in gone.items() if mark not in left_out}


def _in_order(links: Links) -> Links:
    """What authors wrote, as they did, then marks: in whatever order they came, they stand so."""
    marked = [link for link in links if link.origin == DISCOVERED]
    written = [link for link in links if link.origin != DISCOVERED]
    return (*written, *sorted(marked, key=lambda link: (link.anchor, link.phrase)))


def _link(mark: Mark, anchor: str, thought: Thought) -> AnchorLink:
    if not stands_in(mark.phrase, thought.text):
        raise ValueError(
            f"{mark.phrase!r} no longer stands in thought {thought.id!r}, which was edited"
        )
    return AnchorLink(phrase=mark.phrase, anchor=anchor, origin=DISCOVERED, score=mark.score)


def take(
    store: Store,
    marks: Iterable[Mark],
    meanings: Iterable[Meaning] = (),
    *,
    write: Write | None = None,
) -> None:
    """Take marks away, all in one `Store.write` or ``write``. Anchors that authors wrote stay.

    Also a mark whose anchor means another one there now, as ``meanings`` say, or meant one.
    """

    def remove(thought: Thought, mark: Mark, ways: Sequence[str]) -> Links:
        return tuple(
            link
            for link in thought.anchors
            if link.origin != DISCOVERED or (link.anchor not in ways and link.phrase != mark.phrase)
        )

    _change(store, marks, meanings, remove, lambda *_: None, write or store.write)


def _by_tree(
    store: Store, marks: Iterable[Mark], gone: Callable[[Mark, str], None]
) -> Mapping[str, list[Mark]]:
    """Marks by the trees of their thoughts; ``gone`` gets what has no thought, and why."""
    by_tree: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        try:
            by_tree[store.tree_of(mark.thought)].append(mark)
        except NotFound as error:
            gone(mark, error.message)
    return by_tree


def _change(
    store: Store,
    marks: Iterable[Mark],
    meanings: Iterable[Meaning],
    act: Callable[[Thought, Mark, Sequence[str]], Links],
    gone: Callable[[Mark, str], None],
    write: Write,
) -> None:
    """Give thoughts the anchors that ``act`` says; ``gone`` gets what has no thought, and why.

    ``act`` is also told what the anchor of the mark may be there, the likeliest first.
    """
    meant = Meant(meanings)
    by_tree = _by_tree(store, marks, gone)

    def merge(old: Tree | None, asked: Tree) -> Tree | None:
        there = asked if old is None else old
        new = there.model_copy(update={"thoughts": list(there.thoughts)})
        for mark in by_tree[asked.id]:
            try:
                thought = new[mark.thought]
            except NotFound as error:
                gone(mark, error.message)
                continue
            ways = meant.ways(mark.anchor, asked.id, thought.id)
            if (links := act(thought, mark, ways)) != thought.anchors:
                new.edit(thought.id, anchors=links)
        if old is None or new.thoughts == old.thoughts:
            return None
        return stamped(finished(new, old), old)

    if by_tree:
        write((Tree(id_, id=id_) for id_ in by_tree), merge)
