"""Trees of a file whose names do not tell which they are: what they say does.

Namesakes are trees that their file calls the same. Two records with one id, one question asked
twice: only their order tells them apart, and the order changes when one of them leaves the file.
So a tree of such a name is not the one that had its place in the last import, but the one that
says what it says. A question under another name is another one, but for the texts that it shares
with the one that its note has no more, or for its UID.

Data that is called by its title is told in `forest.titled`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, count
from typing import TypeVar

from forest import file_versions
from forest.errors import ImportRefused
from forest.likeness import ALIKE, likeness, shingles, sign_likeness, signs
from forest.model import Tree
from forest.origins import Origins
from forest.titled import Titled, is_called

K = TypeVar("K")
T = TypeVar("T")
MISSES = 3
"""After so many ids that no tree has, none is looked for any more."""


class Namesakes:
    """Gives the trees of files the ids by which the forest knows them.

    What it gives has its file as `Tree.source`.
    """

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._titled = Titled(origins)
        self._may_be_copies: list[Tree] = []

    def told_apart(
        self, file: str, items: Iterable[T], names: Collection[str] = ()
    ) -> Iterator[T | Tree]:
        """The items of a file, each tree under its id; those that say something new come last.

        Those of which other files may say more are left for others, or for `rest`.

        :param names: keys of the anchors under which links find the file.

        :raises ImportRefused: as the items do, when all before it have come.
        """
        for item in self._told_apart(file, items, names):
            if not isinstance(item, Tree):
                yield item
            elif self._may_be_copied(file, item, names):
                self._may_be_copies.append(item)
            else:
                self._origins.take(item.id)
                yield item

    def rest(self) -> Iterator[Tree]:
        """The trees that are told when all files were read."""
        for tree in self._may_be_copies:
            self._origins.take(tree.id)
            yield tree
        yield from self._titled.rest()

    def _told_apart(
        self, file: str, items: Iterable[T], names: Collection[str]
    ) -> Iterator[T | Tree]:
        given: set[str] = set()
        new: dict[tuple[str, ...], list[Tree]] = {}
        renamed: list[Tree] = []
        refused = None
        try:
            for item in items:
                if not isinstance(item, Tree):
                    yield item
                    continue
                item.source = file
                if item.in_file.namesakes is None:
                    if _is_by_title(item, names):
                        yield from self._titled.told(file, item, names)
                    elif self._may_be_renamed(file, item):
                        renamed.append(item)
                    else:
                        yield _named(item, item.id, given)
                    continue
                known, others = self._known(file, item)
                same = [
                    i
                    for i, then in (known | others).items()
                    if i not in given and _came(i, item, names, then)
                ]
                if known and not same:
                    new.setdefault(tuple(known), []).append(item)
                elif not (known or others) and self._may_be_renamed(file, item):
                    renamed.append(item)
                else:
                    yield _named(item, same[0] if same else item.id, given)
        except ImportRefused as error:
            refused = error
        for ids, trees in new.items():
            yield from self._most_alike(ids, trees, given)
        yield from self._renamed(file, renamed, given)
        yield from self._titled.end(file)
        if refused is not None:
            raise refused

    def _may_be_copied(self, file: str, tree: Tree, names: Collection[str]) -> bool:
        """Whether a tree of data came from another file that is read, too, and may have it still.

        It waits until all files were read, so that a copy is not taken for what it was copied from.
        """
        if tree.in_file.namesakes is not None or not _is_data(tree, names):
            return False
        if tree.id in self._origins.taken:
            return False
        return self._origins.file_of(tree.id) not in (None, file)

    def _may_be_renamed(self, file: str, tree: Tree) -> bool:
        """Whether a tree is called by its title or question, and new where its file is known."""
        called = tree.root.kind == "question" or is_called(tree)
        own = self._origins.of(file)
        return called and bool(own) and tree.id not in own

    def _renamed(self, file: str, trees: list[Tree], given: set[str]) -> Iterator[Tree]:
        """Each under the id of the tree that left the file, with its UID or most of its texts.

        Else under its own, if none of the others is that one now.
        """
        free = (i for i in self._origins.of(file) if i not in given | self._origins.taken)
        left = list(free) if trees else []
        old = {i: signs(tree) for i in left if (tree := self._origins.stored(i)) is not None}
        by_sign: dict[str, list[str]] = {}
        for id_, said in old.items():
            for sign in said:
                by_sign.setdefault(sign, []).append(id_)
        new = [signs(tree) for tree in trees]
        near = {(n, i) for n, said in enumerate(new) for s in said for i in by_sign.get(s, ())}
        alike = [(-sign_likeness(new[n], old[i]), i != trees[n].id, n, i) for n, i in near]
        waiting = dict(enumerate(trees))
        for unlike, _, n, id_ in sorted(alike):
            if -unlike > ALIKE and n in waiting and id_ not in given:
                yield _named(waiting.pop(n), id_, given)
        for tree in waiting.values():
            yield _named(tree, self._free(tree.id, given), given)

    def _free(self, id_: str, given: set[str]) -> str:
        """The id; where another tree of the file has it now, with a number that nobody has."""
        if id_ not in given:
            return id_
        return next(i for n in count(2) if (i := f"{id_}.{n}") not in given | self._origins.ids)

    def _known(self, file: str, tree: Tree) -> tuple[dict[str, str], dict[str, str]]:
        """Which of the ids that the tree may have are those of trees from its file.

        Or from one that is gone, and may have been this one; then those from other files that are
        imported. With the revision that each had there.
        """
        assert tree.in_file.namesakes is not None
        known, others, missed = dict[str, str](), dict[str, str](), 0
        own, gone, read = self._origins.of(file), self._origins.gone, self._origins.read
        for id_ in tree.in_file.namesakes() if read or gone else ():
            then = own.get(id_, gone.get(id_))
            if then is not None:
                known[id_] = then
            elif id_ in read:
                others[id_] = read[id_]
            missed = 0 if id_ in known or id_ in others else missed + 1
            if missed == MISSES:
                break
        return known, others

    def _most_alike(
        self, known: tuple[str, ...], trees: list[Tree], given: set[str]
    ) -> Iterator[Tree]:
        """Each under the id of the tree with which it shares most.

        What several of the known or of the new trees say tells nobody apart, unless it is most of
        what they say. Of what one says alone a word may be edited (`shingles`). One that shares
        nothing else is a new tree: who was left may be gone from the file for long. Where one is
        known and one came, it is that one, as for any tree that is written anew under its id.
        """
        left, free = dict(enumerate(trees)), [id_ for id_ in known if id_ not in given]
        if len(known) > 1 or len(trees) > 1:
            old = {id_: self._texts(id_) for id_ in known}
            new = {n: {t.text for t in tree} for n, tree in left.items()}
            own, news = _told_by_one(old), _told_by_one(new)
            rows = _told_by_one({id_: shingles(texts) for id_, texts in old.items()})
            now = _told_by_one({n: shingles(texts) for n, texts in new.items()})
            alike = {
                (n, id_): max(likeness(texts, old[id_]), likeness(now[n], rows[id_]))
                for n, texts in new.items()
                for id_ in free
            }
            shared = [
                (-len(news[n] & own[id_]), -much, id_ != trees[n].id, n, id_)
                for (n, id_), much in alike.items()
            ]
            for much, less, _, place, id_ in sorted(shared):
                if (much or -less > ALIKE) and place in left and id_ in free:
                    free.remove(id_)
                    yield _named(left.pop(place), id_, given)
            free = []
        for tree in left.values():
            yield _named(tree, free.pop(0) if free else _new_id(tree, {*known, *given}), given)

    def _texts(self, id_: str) -> set[str]:
        tree = self._origins.stored(id_)
        return {t.text for t in tree} if tree else set()


def _is_data(tree: Tree, names: Collection[str]) -> bool:
    """Whether it is no note: only those are found by links."""
    return not names or tree.in_file.in_block


def _is_by_title(tree: Tree, names: Collection[str]) -> bool:
    return _is_data(tree, names) and is_called(tree) and not tree.in_file.says_id


def _told_by_one(texts: Mapping[K, set[str]]) -> dict[K, set[str]]:
    """The texts of each that no other of them has."""
    times = Counter(chain.from_iterable(texts.values()))
    return {key: {t for t in some if times[t] == 1} for key, some in texts.items()}


def _came(id_: str, tree: Tree, names: Collection[str], then: str) -> bool:
    """Whether the tree of this id came from what this one says."""
    return file_versions.says(tree.model_copy(update={"id": id_}), then, names)


def _new_id(tree: Tree, taken: set[str]) -> str:
    assert tree.in_file.namesakes is not None
    return next(id_ for id_ in tree.in_file.namesakes() if id_ not in taken)


def _named(tree: Tree, id_: str, given: set[str]) -> Tree:
    given.add(id_)
    tree.id = id_
    return tree
