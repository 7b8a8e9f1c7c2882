"""Trees of data that are called by their titles: which of the forest's trees they are.

Titles are edited, numbered anew and given to others, and trees go from file to file. So which tree
is which is told for all files of an import at once, by what they say:

1. A tree that its file says as it did, title and all, is itself.
2. One that says what a tree of its file said, or most of that under the same title, stays it.
3. One that says what a tree said that no file has as itself is that one: of another file that is
   read, of one that is gone, or one that left its file.
4. One that says most of what such a tree said is that one, of a tree that left its file earlier
   only under its title; the trees of its own file come first, and there one of its title of which
   anything is left.
5. One that is called as a tree of its file was is that one, rewritten.
6. Any other is new, under its title's id, or a numbered one where a tree of another title has that.

What is at home is told while the files are read; those that the forest knows come first. Others
wait until that is known, and only while there is a tree that they may be.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING

from forest import file_versions
from forest.identity import finished
from forest.likeness import ALIKE, BY_CHANCE, sign_likeness, sign_of_uid, signs
from forest.marks import authored
from forest.phrases import tree_id_from

if TYPE_CHECKING:
    from forest.model import Tree
    from forest.origins import Origins

STAYS = 1
"""Up to this rank a tree is one of its own file, whatever other files say."""
PATIENCE = 100_000
"""After so many thoughts that wait, those are let go that no tree of the forest is like."""
MOST_LEFT = 1000
"""Where more trees left their files, only those are compared that have their title's id or file."""


def is_called(tree: Tree) -> bool:
    """Whether data has its id from its title; a block may have that of its note before it."""
    own = tree_id_from(tree.title)
    return tree.id == own or (tree.in_file.in_block and tree.id.endswith(f"/{own}"))


@dataclass
class _Read:
    """A tree of a file, under its title's id."""

    file: str
    tree: Tree
    names: Collection[str]
    is_given: bool = False

    @cached_property
    def said(self) -> str:
        """The revision of what the file says, title and all."""
        return file_versions.of_file(self.tree, self.names)

    def is_as_in(self, source_revision: str) -> bool:
        """Whether it has the revision that a tree had that was new."""
        then = file_versions.read(source_revision).tree
        return finished(self.tree.model_copy()).revision == then

    @cached_property
    def signs(self) -> set[str]:
        return signs(self.tree)

    @cached_property
    def title(self) -> str:
        return tree_id_from(self.tree.title)


class Titled:
    """Gives trees of data that are called by their titles the ids by which the forest knows them.

    What it gives has its file as `Tree.source`.
    """

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._unread = {file for file in origins.files if origins.of(file)}
        """Files of which the forest has trees."""
        self._waiting: list[_Read] = []
        self._near: list[_Read] = []
        """Those that wait because trees of the forest are like them."""
        self._thoughts = 0
        """How many of them `_waiting` has."""
        self._called: dict[str, str] = {}
        """The ids of the trees that were given, by their titles' ids."""

    def told(self, file: str, tree: Tree, names: Collection[str]) -> Iterator[Tree]:
        """The trees that are told now that a file has this one.

        :param names: keys of the anchors under which links find the file.
        """
        one = _Read(file, tree, names)
        if not self._origins.open:
            if self._waiting or self._near:
                yield from self.rest()
            yield self._new(one)
        elif id_ := self._same(one, self._origins.of(file)) or self._moved(one):
            yield self._given(one, id_)
        else:
            self._waiting.append(one)
            self._thoughts += len(tree)
            if self._thoughts > PATIENCE and not self._unread:
                yield from self._sifted()

    def end(self, file: str) -> Iterator[Tree]:
        """The trees that are told when a file was read to its end."""
        of_file = [one for one in self._waiting if one.file == file]
        yield from self._matched(of_file, self._origins.of(file), STAYS)
        if file in self._unread:
            self._unread.discard(file)
            for one in self._waiting:
                if not one.is_given and (id_ := self._moved(one)):
                    yield self._given(one, id_)
        self._keep_waiting()

    def rest(self) -> Iterator[Tree]:
        """All that wait still; to be asked when all files were read."""
        waiting, self._waiting, self._near = [*self._near, *self._waiting], [], []
        yield from self._matched(waiting, self._candidates(waiting))
        for one in waiting:
            if not one.is_given:
                yield self._new(one)

    def _same(self, one: _Read, among: Mapping[str, str]) -> str | None:
        """That of some trees that said what this one says, title and all, and was not found yet."""
        id_, still = one.tree.id, self._origins.open
        if not among:
            return None
        same = [i for i in self._origins.by_said.get(one.said, ()) if i in still and i in among]
        if id_ in same or (id_ in still and id_ in among and one.is_as_in(among[id_])):
            return id_
        return next(iter(same), None)

    def _moved(self, one: _Read) -> str | None:
        """The same among all trees, when it is known which of them are at home."""
        return None if self._unread else self._same(one, self._origins.open)

    def _sifted(self) -> Iterator[Tree]:
        """Those of the waiting that no tree of the forest is like, and whose id none has."""
        near = {n for _, n, _ in self._ranked(self._waiting, self._candidates(self._waiting))}
        for n, one in enumerate(self._waiting):
            if n in near or one.tree.id in self._origins.open:
                self._near.append(one)
            else:
                yield self._new(one)
        self._waiting, self._thoughts = [], 0

    def _matched(
        self, waiting: list[_Read], ids: Iterable[str], most: int | None = None
    ) -> Iterator[Tree]:
        """Each that is one of some trees, the surest first.

        :param most: the rank up to which it is sure enough.
        """
        still = self._origins.open
        for rank, n, id_ in sorted(self._ranked(waiting, ids)) if waiting else ():
            if most is not None and rank[0] > most:
                break
            if id_ in still and not waiting[n].is_given:
                yield self._given(waiting[n], id_)

    def _candidates(self, waiting: list[_Read]) -> list[str]:
        """The trees that some that wait may be, by their texts."""
        still = self._origins.open
        left = [i for i, said in still.items() if file_versions.read(said).left]
        if len(left) > MOST_LEFT:
            own = {i for file in {one.file for one in waiting} for i in self._origins.of(file)}
            own |= {one.tree.id for one in waiting}
            return [i for i in still if i in own or not file_versions.read(still[i]).left]
        return list(still)

    def _ranked(
        self, waiting: list[_Read], ids: Iterable[str]
    ) -> Iterator[tuple[tuple[float, ...], int, str]]:
        """(rank, place in the list, id) of all that may be one; the lowest rank is the surest.

        The forest's trees are read one by one.
        """
        by_sign: dict[str, list[int]] = defaultdict(list)
        by_title: dict[str, list[int]] = defaultdict(list)
        for n, one in enumerate(waiting):
            by_title[one.title].append(n)
            for sign in one.signs:
                by_sign[sign].append(n)
        for id_ in [i for i in ids if i in self._origins.open]:
            if file_versions.read(self._origins.open[id_]).bytes:
                continue  # that of a note
            if (old := self._origins.stored(id_)) is None:
                continue
            said, called = signs(old), _titles(old)
            shared = Counter(chain.from_iterable(by_sign.get(sign, ()) for sign in said))
            sizes = {n: max(len(said), len(waiting[n].signs)) for n in shared}
            near = {n for n, times in shared.items() if times > ALIKE * sizes[n]}
            near.update(n for title in called for n in by_title.get(title, ()))
            near.update(by_sign.get(sign_of_uid(old), ()))
            for n in near:
                if rank := self._rank(waiting[n], old, said, called):
                    yield rank, n, id_

    def _rank(
        self, one: _Read, old: Tree, said: set[str], called: Collection[str]
    ) -> tuple[float, ...] | None:
        """How sure it is that a tree is one of the forest's; None if it is not that one.

        :param said: the `signs` of the forest's tree.
        :param called: what it may be called.
        """
        alike = sign_likeness(one.signs, said)
        own, same = old.id in self._origins.of(one.file), one.title in called
        left = file_versions.read(old.source_revision).left
        ranks = (
            own and alike == 1,
            own and same and alike > ALIKE,
            alike == 1,
            own and alike > ALIKE and (not left or same),
            own and same and not left and (alike > BY_CHANCE or _is_edited(old)),
            alike > ALIKE and (not left or same or one.tree.id == old.id),
            own and same and not left,
        )
        if not any(ranks):
            return None
        return ranks.index(True), -alike, not own, not same, old.id != one.tree.id

    def _new(self, one: _Read) -> Tree:
        """A tree that the forest does not know.

        Where it is called as one that was read, it has that one's id, and is refused with it.
        Where the forest has another one of its title, it has its id, and `forest.merging` tells.
        """
        id_, known = one.tree.id, self._origins
        if id_ in self._called:
            return self._given(one, self._called[id_])
        free = id_ not in known.taken
        if id_ in known.open:
            old = known.stored(id_)
            free = old is None or one.title in _titles(old)
        if not free:
            numbered = (f"{id_}.{n}" for n in count(2))
            id_ = next(i for i in numbered if i not in known.ids and i not in known.taken)
        return self._given(one, id_)

    def _given(self, one: _Read, id_: str) -> Tree:
        tree = one.tree
        self._called.setdefault(tree.id, id_)
        self._origins.take(id_)
        one.is_given, tree.id, tree.source = True, id_, one.file
        return tree

    def _keep_waiting(self) -> None:
        self._waiting = [one for one in self._waiting if not one.is_given]
        self._thoughts = sum(len(one.tree) for one in self._waiting)


def _titles(tree: Tree) -> set[str]:
    """What a tree of the forest is called by its file, as ids of titles.

    One that was edited in the forest may have got its title there.
    """
    called = {tree_id_from(tree.title)}
    return called | {tree.id.rpartition("/")[2]} if _is_edited(tree) else called


def _is_edited(tree: Tree) -> bool:
    """Whether the forest changed what came from the file, but for marks."""
    return authored(tree).revision != file_versions.read(tree.source_revision).tree
