"""Words that are spelled alike and mean two things: in some places one of them is another anchor.

A thought keeps the phrase as its author wrote it; which anchor it means is what `AnchorLink.anchor`
says, and that is changed. So every store, and whatever counts anchors or jumps at them, sees two.
Beside it stand decisions: `PART` for each place, that the two are not one, and the new one's name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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
            self._in_other_forms[form_of(one.anchor), one.place].append(one.means)

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
        return said or self._in_other_forms.get((form_of(anchor), place), []) if place else []


def form_of(anchor: str) -> str:
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
    if name.startswith(("#", "[[")):
        raise InvalidInput(
            f"the name {written!r} begins as that of a tag or a link is shown",
            hint="Write it without # and [[ ]].",
        )
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


def unsaid(store: Store, meanings: Iterable[Meaning], trees: Iterable[str]) -> list[Meaning]:
    """Which meanings are not written at each thought of their place that carries the word.

    So is it at thoughts that were written after the word was parted.

    :param trees: only places in these are looked at.
    """
    in_force, found = _by_place(meanings), dict[Meaning, None]()
    for id_ in dict.fromkeys(trees) if in_force else ():
        for thought in store.get(id_).thoughts:
            here = _here(in_force, thought.id, id_) if thought.anchors else []
            for link in thought.anchors if here else ():
                followed = _followed(link.anchor, here)
                if followed and followed[-1].means != link.anchor:
                    found.update(dict.fromkeys(followed))
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


def put(store: Store, meanings: Iterable[Meaning]) -> None:
    """Let anchors mean others in their places, all in one `Store.write`."""
    say(store, (), meanings)


def say(
    store: Store,
    before: Collection[Meaning],
    after: Iterable[Meaning],
    but: Collection[tuple[str, str]] = (),
    *,
    write: Write | None = None,
) -> None:
    """Let anchors mean what some meanings say, where they meant what others said.

    What a thought says depends on nothing but the word that its author wrote and on what is in
    force; so what was decided may be taken back in any order, and that as well. All is changed in
    one `Store.write`, or one ``write``; a place that is gone is left.

    :param but: phrases that are left as they are, each behind the id of its thought.
    """
    after = list(after)
    was, now = _by_place(before), _by_place(after)
    places = {one.place for one in {*before} ^ {*after}}

    def merge(old: Tree | None, _: Tree) -> Tree | None:
        if old is None:
            return None
        new = old.model_copy(update={"thoughts": list(old.thoughts)})
        for thought in old.thoughts:
            if places.isdisjoint((thought.id, old.id)):
                continue
            here = (_here(was, thought.id, old.id), _here(now, thought.id, old.id))
            links = tuple(
                link if (thought.id, link.phrase) in but else _said_anew(link, *here)
                for link in thought.anchors
            )
            if links != thought.anchors:
                new.edit(thought.id, anchors=links)
        return None if new.thoughts == old.thoughts else stamped(finished(new, old), old)

    trees = trees_of(store, places)
    if trees:
        write = write or store.write
        write((Tree(id_, id=id_) for id_ in trees), merge)


_ByPlace = Mapping[str, list[Meaning]]


def _by_place(meanings: Iterable[Meaning]) -> _ByPlace:
    by_place = defaultdict[str, list[Meaning]](list)
    for one in meanings:
        by_place[one.place].append(one)
    return by_place


def _here(by_place: _ByPlace, thought: str, tree: str) -> list[Meaning]:
    """What is said of words at a thought; what is said of itself comes first."""
    return [*by_place.get(thought, ()), *by_place.get(tree, ())]


def _said_anew(link: AnchorLink, before: Sequence[Meaning], after: Sequence[Meaning]) -> AnchorLink:
    word = _word(link.anchor, anchor_id(link.phrase, link.kind), before)
    anchor = [word, *(one.means for one in _followed(word, after))][-1]
    return link if link.anchor == anchor else replace(link, anchor=anchor)


def _word(anchor: str, own: str, here: Sequence[Meaning]) -> str:
    """What came to mean an anchor: of several words that which the phrase is."""
    seen, first, ahead = set[str](), anchor, [anchor]
    while ahead:
        one = ahead.pop()
        if one not in seen:
            seen.add(one)
            ahead += [m.anchor for m in here if m.means == one]
            first = one
    return own if own in seen else first


def _followed(anchor: str, here: Sequence[Meaning]) -> list[Meaning]:
    """What leads to what an anchor means, for that may be parted, too; none if it means itself."""
    followed, seen = list[Meaning](), {anchor}
    while (step := next((m for m in here if m.anchor == anchor), None)) is not None:
        followed.append(step)
        anchor = step.means
        if anchor in seen:  # round in a circle
            break
        seen.add(anchor)
    return followed


def trees_of(store: Store, places: Iterable[str]) -> list[str]:
    """The trees of places, each once; a place that is gone has none."""
    if not (places := list(places)):
        return []
    known = {info.id for info in store.infos(lambda _: None)}
    found: dict[str, None] = {}
    for place in places:
        try:
            found[place if place in known else store.tree_of(place)] = None
        except NotFound:
            continue
    return list(found)
