"""Which thought is which: the ids that an author need not write."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Container
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

from forest.errors import IdTaken, InvalidTree, NotFound
from forest.language import guess_language
from forest.likeness import ALIKE, likeness

if TYPE_CHECKING:
    from forest.model import Thought, Tree
    from forest.stores.base import Store

T = TypeVar("T")
COMMON = 50
"""A word in more thoughts than that tells none of them apart."""
_DERIVED = re.compile("[0-9a-f]{8}")


def finished(tree: Tree, old: Tree | None = None, *, own: bool = False) -> Tree:
    """The tree with what an author need not write: ids, and the language.

    Thoughts without an id take over the id of the thought of ``old`` that they correspond to: the
    one that says the same (of several, the one as far from the start or the end), else the one that
    says most of its words, else the one in the same place (same parent, same neighbour before it).
    So an edited thought stays the same thought. All others get a derived id. A written id without a
    slash belongs to its tree: ``n1`` becomes ``justice/n1``.

    The tree is changed and returned; thoughts that other trees may share are not: those that get
    an id are new ones. ``own`` says that nobody else holds the thoughts, which saves the copies.

    A language that is not written is that of ``old``, else guessed from the texts.

    Derived ids that other trees have (`Tree.avoid`) are neither made nor kept, unless ``old`` has
    them too.

    Raises InvalidTree for an empty tree and for an id used twice.
    """
    if not tree.thoughts:
        raise InvalidTree(
            f"tree {tree.id!r} has no thoughts", hint="A tree needs at least its root."
        )
    if old is None and not tree.avoided and not any(map(attrgetter("id"), tree.thoughts)):
        ids = _all_derived(tree)
    else:
        ids = _written_ids(tree, old)
        if old is not None:
            _take_over(tree, old, ids)
        _derive(tree, ids)
    tree.set_ids(ids, own=own)
    if tree.lang in ("", "und"):
        tree.keep_lang(old.lang if old else guessed_language(tree))
    return tree


def guessed_language(tree: Tree) -> str:
    """The language of a tree whose author wrote none."""
    return guess_language(t.text for t in tree.thoughts)


def _all_derived(tree: Tree) -> list[str]:
    """Ids for a tree that has none yet; the common case of a first import."""
    sums = map(crc32, map(str.encode, [t.text for t in tree.thoughts]))
    packed = struct.pack(f">{len(tree.thoughts)}I", *sums)
    ids = list(map((tree.id + "/").__add__, packed.hex(" ", 4).split()))
    if len(set(ids)) < len(ids):
        ids = [""] * len(ids)
        _derive(tree, ids)
    return ids


def _written_ids(tree: Tree, old: Tree | None) -> list[str]:
    kept = {t.id for t in old.thoughts} if old is not None else frozenset()
    prefix = tree.id + "/"
    ids = [
        t.id if not t.id or "/" in t.id or t.id in kept else prefix + t.id for t in tree.thoughts
    ]
    if tree.avoided:
        ids = [i if i in kept or i not in tree.avoided else "" for i in ids]
    written = [i for i in ids if i]
    if len(set(written)) < len(written):
        twice = Counter(written).most_common(1)[0][0]
        raise InvalidTree(
            f"tree {tree.id!r} has two thoughts with the id {twice!r}",
            hint="Ids are unique: change one of them, or leave ids out and they are made for you.",
        )
    return ids


def _take_over(tree: Tree, old: Tree, ids: list[str]) -> None:
    """Fill empty ``ids`` from the thoughts of ``old`` that say the same or stand in their place."""
    _take_over_ends(tree, old, ids)
    taken = set(ids)
    free: dict[str, list[str]] = {}
    for t in reversed(old.thoughts):
        if t.id not in taken:
            free.setdefault(t.text, []).append(t.id)
    for i, t in enumerate(tree.thoughts):
        if not ids[i] and free.get(t.text):
            ids[i] = free[t.text].pop()
    left = {id_ for same in free.values() for id_ in same}
    if not left:
        return
    _take_over_alike(tree, [t for t in old.thoughts if t.id in left], ids)
    left.difference_update(ids)
    old_places = _places(old, [t.id for t in old.thoughts])
    at_place = {place: id_ for place, id_ in old_places if id_ in left}
    _places(tree, ids, at_place)


def _take_over_ends(tree: Tree, old: Tree, ids: list[str]) -> None:
    """Fill ``ids`` of the thoughts before the first and after the last change.

    So a change to one of several thoughts that say the same leaves the others who they are. Where
    both trees have the same size, nothing was added or taken: all places are compared.
    """
    same_size = len(ids) == len(old)
    forward = zip(range(len(ids)), old.thoughts, strict=False)
    backward = zip(reversed(range(len(ids))), reversed(old.thoughts), strict=False)
    for pairs in (forward, backward):
        taken = set(ids)
        for i, before in pairs:
            now = tree.thoughts[i]
            free = ids[i] == before.id or (not ids[i] and before.id not in taken)
            if free and (now.level, now.text) == (before.level, before.text):
                ids[i] = before.id
            elif not same_size:
                break


def _take_over_alike(tree: Tree, left: list[Thought], ids: list[str]) -> None:
    """Fill empty ``ids`` from the thoughts of which most words are there still."""
    old = [set(t.text.casefold().split()) for t in left]
    with_word: dict[str, list[int]] = {}
    for n, words in enumerate(old):
        for word in words:
            with_word.setdefault(word, []).append(n)
    alike: list[tuple[float, int, int]] = []
    for i, t in enumerate(tree.thoughts):
        if not ids[i]:
            words = set(t.text.casefold().split())
            common = Counter(
                n for w in words for n in with_word.get(w, ()) if len(with_word[w]) <= COMMON
            )
            shares = ((likeness(words, old[n]), n) for n in common)
            alike.extend((-share, i, n) for share, n in shares if share > ALIKE)
    taken: set[int] = set()
    for _, i, n in sorted(alike):
        if not ids[i] and n not in taken:
            ids[i] = left[n].id
            taken.add(n)


def _places(
    tree: Tree, ids: list[str], fill: dict[tuple[str, str], str] | None = None
) -> list[tuple[tuple[str, str], str]]:
    """For each thought ((id of its parent, id of the sibling before it), its own id).

    With ``fill``, empty ids are taken from it on the way, so that later places can build on them.
    """
    places = []
    before: dict[int, str] = {}
    for i, parent in enumerate(tree.parents()):
        place = (ids[parent] if parent >= 0 else "", before.get(parent, ""))
        if fill is not None and not ids[i]:
            ids[i] = fill.pop(place, "")
        before[parent] = ids[i]
        places.append((place, ids[i]))
    return places


def _derive(tree: Tree, ids: list[str]) -> None:
    known = dict.fromkeys(ids)
    said: dict[str, int] = {}
    for i, t in enumerate(tree.thoughts):
        if not ids[i]:
            ids[i] = free_id(tree.id, t.text, known, said, tree.avoided)
            known[ids[i]] = None


def derived_id(tree_id: str, text: str, n: int = 0) -> str:
    """The id of the n-th thought (from 0) that says ``text`` in a tree.

    A checksum is enough: two texts that share one are told apart by ``n``.
    """
    salted = f"{text}\0{n}" if n else text
    return f"{tree_id}/{crc32(salted.encode()):08x}"


def is_derived(thought_id: str, tree_id: str) -> bool:
    """Whether it is an id that `derived_id` may have made for a thought of this tree."""
    made = thought_id.removeprefix(f"{tree_id}/")
    return made != thought_id and _DERIVED.fullmatch(made) is not None


def free_id(
    tree_id: str,
    text: str,
    known: dict[str, None],
    said: dict[str, int],
    avoided: Container[str] = (),
) -> str:
    """The first derived id that is neither ``known`` nor to be avoided.

    ``said`` keeps the count of a repeated text.
    """
    n = said.get(text, 0)
    while (id_ := derived_id(tree_id, text, n)) in known or id_ in avoided:
        n += 1
    if n:
        said[text] = n
    return id_


def with_free_ids(store: Store, act: Callable[[frozenset[str]], T]) -> T:
    """Do it; where a derived id turns out to be that of a thought in another tree, do it again.

    A thought that was moved to another tree keeps its id, which its first tree would derive anew
    for the same words.

    :param act: is given the ids that no new thought may get.
    """
    taken = frozenset[str]()
    while True:
        try:
            return act(taken)
        except IdTaken as error:
            more = taken | _derived_elsewhere(store, *error.trees)
            if more == taken:
                raise
            taken = more


def _derived_elsewhere(store: Store, one: str, other: str) -> set[str]:
    """The derived ids of one tree that thoughts of the other have, both ways."""
    found = set[str]()
    for owner, holder in ((one, other), (other, one)):
        with suppress(NotFound):
            found.update(t.id for t in store.get(holder).thoughts if is_derived(t.id, owner))
    return found
