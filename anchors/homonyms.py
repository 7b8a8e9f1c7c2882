"""Words that are spelled alike and mean two things: in some places one of them is another anchor.

A thought keeps the phrase as its author wrote it; which anchor it means is what `AnchorLink.anchor`
says, and that is changed. So every store, and whatever counts anchors or jumps at them, sees two.
Beside it stand decisions: `PART` for each place, that the two are not one, and the new one's name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from anchors.forms import form_key
from anchors.writing import Write
from forest.errors import InvalidInput, NotFound
from forest.fields import clean_name
from forest.forest import stamped
from forest.identity import finished
from forest.model import AnchorLink, Thought, Tree, anchor_id
from forest.phrases import phrase_key
from forest.shell import command_line
from forest.stores.base import Store


@dataclass(frozen=True, slots=True)
class Meaning:
    """That an anchor means another one in a place."""

    anchor: str
    place: str
    """Id of a tree or of a thought."""
    means: str


class Meant:
    """Which anchor a thought carries where another one was put: where a word means another one."""

    def __init__(self, meanings: Iterable[Meaning] = ()) -> None:
        self._means: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._in_other_forms: dict[tuple[str, str], list[str]] = defaultdict(list)
        for one in meanings:
            self._means[one.anchor, one.place].append(one.means)
            self._in_other_forms[_form(one.anchor), one.place].append(one.means)

    def ways(self, anchor: str, tree: str, thought: str) -> list[str]:
        """What it may be there: what the thought says of it, then its tree, then itself.

        What it means may be parted again, so each is followed. What is said of a word holds for its
        other forms in that place, of which nothing is said («замок» where «замки» was parted).
        """
        found: dict[str, None] = {}
        ahead = [anchor]
        while ahead:
            one = ahead.pop()
            if one not in found:
                found[one] = None
                ahead += self._said(one, thought) + self._said(one, tree)
        return [*reversed(found)]

    def _said(self, anchor: str, place: str) -> list[str]:
        said = self._means.get((anchor, place), [])
        return said or self._in_other_forms.get((_form(anchor), place), []) if place else []


def _form(anchor: str) -> str:
    """What the forms of a word have in common; links and tags have none."""
    return anchor if anchor.startswith(("[[", "#")) else form_key(anchor)


_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What turns the direction of writing, and so may show a name as another one."""


def new_name(written: str) -> str:
    """The name that an author gives to an anchor. Raises InvalidInput for what is none."""
    try:
        name = clean_name(written)
    except ValueError as error:
        raise InvalidInput(f"the name {written!r}: {error}") from None
    if bad := _TURNING.search(name):
        raise InvalidInput(
            f"the name {written!r}: the character U+{ord(bad[0]):04X} may not stand in it"
        )
    if not phrase_key(name):
        raise InvalidInput(f"the name {written!r} has no letter to be matched by")
    return name


def name_and_id(written: str, like: str) -> tuple[str, str]:
    """The name of a new anchor, and its id, of the kind that ``like`` is the id of.

    Raises InvalidInput for what is no name.
    """
    name = new_name(written)
    kind = "link" if like.startswith("[[") else "tag" if like.startswith("#") else "phrase"
    return name, anchor_id(name, kind)


def said(
    store: Store,
    anchors: Sequence[str],
    places: Sequence[str],
    means: str,
    known: Collection[Meaning] = (),
) -> list[Meaning]:
    """Which of some anchors stand in which places, where they shall mean another one.

    Where its author wrote that other one in a tree, too, it is said of single thoughts: so what was
    written stays when it is taken back.

    :param known: what is in force.

    Raises NotFound where a place is none, or has none of the anchors.
    """
    found: list[Meaning] = []
    by_decision = {(one.means, one.place) for one in known}
    for place in dict.fromkeys(places):
        thoughts = _thoughts(store, place)
        here = {link.anchor for thought in thoughts for link in thought.anchors}
        if not here.intersection(anchors):
            raise NotFound(
                f"no thought of {place!r} carries the anchor {anchors[0]!r}",
                hint=f"`{command_line('anchors', 'show', anchors[0])}` shows where it stands.",
            )
        if means in here and (means, place) not in by_decision:
            within = [(t.id, {link.anchor for link in t.anchors}) for t in thoughts]
        else:
            within = [(place, here)]
        found += [Meaning(a, at, means) for at, those in within for a in anchors if a in those]
    return found


def unsaid(store: Store, meanings: Iterable[Meaning], trees: Collection[str]) -> list[Meaning]:
    """Which meanings are not written at each thought of their place that carries the word.

    So is it at thoughts that were written after the word was parted.

    :param trees: only places in these are looked at.
    """
    by_place = defaultdict[str, list[Meaning]](list)
    for one in meanings:
        by_place[one.place].append(one)
    found: dict[Meaning, None] = {}
    for id_ in dict.fromkeys(trees) if by_place else ():
        for thought in store.get(id_).thoughts:
            carried = {link.anchor for link in thought.anchors}
            for place in (thought.id, id_) if carried else ():
                for one in by_place.get(place, ()):
                    if one.anchor in carried:
                        found[one] = None
    return list(found)


def thoughts_in(store: Store, place: str) -> list[Thought]:
    """The thoughts of a tree, or the thought of that id; none where it is gone."""
    with suppress(NotFound):
        return _thoughts(store, place)
    return []


def _thoughts(store: Store, place: str) -> list[Thought]:
    try:
        return list(store.get(place).thoughts)
    except NotFound:
        return [store.get(store.tree_of(place))[place]]


def put(store: Store, meanings: Iterable[Meaning], *, write: Write | None = None) -> None:
    """Let anchors mean others in their places, all in one `Store.write` or ``write``."""

    def change(link: AnchorLink, here: Sequence[Meaning], _: Sequence[str]) -> AnchorLink:
        seen = set[str]()
        while link.anchor not in seen:  # what it means may be parted, too
            seen.add(link.anchor)
            means = next((one.means for one in here if one.anchor == link.anchor), link.anchor)
            link = replace(link, anchor=means) if means != link.anchor else link
        return link

    _change(store, meanings, change, write or store.write)


def take(
    store: Store,
    meanings: Iterable[Meaning],
    staying: Iterable[Meaning] = (),
    *,
    write: Write | None = None,
) -> None:
    """Let anchors mean themselves again, all in one `Store.write` or ``write``.

    A place that is gone is left; so is an anchor that means what it does by what is ``staying``.
    """
    meanings, others = list(meanings), defaultdict[str, list[Meaning]](list)
    for one in staying:
        others[one.means].append(one)

    def change(link: AnchorLink, here: Sequence[Meaning], places: Sequence[str]) -> AnchorLink:
        own, seen = anchor_id(link.phrase, link.kind), set[str]()
        while link.anchor not in seen:  # what it meant may have been parted, too
            seen.add(link.anchor)
            back = [one for one in here if link.anchor == one.means]
            still = [one for one in others[link.anchor] if one.place in places]
            first = min([*still, *back], key=lambda one: one.anchor != own, default=None)
            if first is not None and first not in still:
                link = replace(link, anchor=first.anchor)
        return link

    _change(store, meanings, change, write or store.write)


def _change(
    store: Store,
    meanings: Iterable[Meaning],
    change: Callable[[AnchorLink, Sequence[Meaning], Sequence[str]], AnchorLink],
    write: Write,
) -> None:
    by_place: dict[str, list[Meaning]] = defaultdict(list)
    for one in meanings:
        by_place[one.place].append(one)

    def merge(old: Tree | None, _: Tree) -> Tree | None:
        if old is None:
            return None
        new = old.model_copy(update={"thoughts": list(old.thoughts)})
        for thought in old.thoughts:
            here = [*by_place.get(thought.id, ()), *by_place.get(old.id, ())]
            places = (thought.id, old.id)
            links = tuple(change(link, here, places) for link in thought.anchors) if here else ()
            if here and links != thought.anchors:
                new.edit(thought.id, anchors=links)
        return None if new.thoughts == old.thoughts else stamped(finished(new, old), old)

    trees = trees_of(store, by_place)
    if trees:
        write((Tree(id_, id=id_) for id_ in trees), merge)


def trees_of(store: Store, places: Iterable[str]) -> list[str]:
    """The trees of places, each once; a place that is gone has none."""
    known = {info.id for info in store.infos(lambda _: None)}
    found: dict[str, None] = {}
    for place in places:
        try:
            found[place if place in known else store.tree_of(place)] = None
        except NotFound:
            continue
    return list(found)
