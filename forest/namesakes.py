"""Trees of a file whose names do not tell which they are: what they say does.

Namesakes are trees that their file calls the same. Two records with one id, one question asked
twice: only their order tells them apart, and the order changes when one of them leaves the file.
So a tree of such a name is not the one that had its place in the last import, but the one that
says what it says.

A tree that is called by its title, or by its question, is another one under another one, but for
the texts that it shares with the one that its file has no more, or for the UID of its question; or
if it says all that a file said which is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, count
from typing import TYPE_CHECKING, TypeVar

from forest import file_versions
from forest.errors import ImportRefused, InvalidTree, NotATree
from forest.model import Tree
from forest.phrases import tree_id_from

if TYPE_CHECKING:
    from forest.stores.base import Store

IsGone = Callable[[str | None], bool]
K = TypeVar("K")
T = TypeVar("T")
ALIKE = 0.5
"""Two trees that share more of their texts may be one, whoever else says so."""
MISSES = 3
"""After so many ids that no tree has, none is looked for any more."""


class Namesakes:
    """Gives trees with `InFile.namesakes` the ids by which the forest knows them.

    :param files: those that are imported, as the forest calls them.
    :param is_gone: whether a file is surely not there any more.
    :param homes: files that were others when they were imported, each with that one.
    """

    def __init__(
        self,
        store: Store,
        files: Collection[str],
        is_gone: IsGone,
        homes: Mapping[str, str],
    ) -> None:
        self.files = files
        self._homes = homes
        self._store = store
        self._is_gone = is_gone
        self._imported: dict[str, dict[str, str]] | None = None
        self._ids: set[str] = set()
        """All trees of the forest."""
        self._gone: dict[str, str] = {}
        """Trees that left their files, or whose files are gone: they may have been moved."""
        self._gone_by_file: dict[str, str] | None = None
        """The same, by what their files said."""
        self._taken: set[str] = set()
        """Trees of the files that were read: the store may have what these say now."""
        self._file: dict[str, str] = {}
        """The files of trees that did not leave them, of those that are imported."""
        self._read: dict[str, str] = {}
        """Trees of all files that are imported: one may say now what another said."""

    def told_apart(
        self, file: str, items: Iterable[T], names: Collection[str] = ()
    ) -> Iterator[T | Tree]:
        """The items of a file, each tree under its id; those that say something new come last.

        :param names: keys of the anchors under which links find the file.

        :raises ImportRefused: as the items do, when all before it have come.
        """
        for item in self._told_apart(file, items, names):
            if isinstance(item, Tree):
                self._taken.add(item.id)
            yield item

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
                if item.in_file.namesakes is None:
                    if self._may_be_renamed(file, item) or self._says_another(file, item, names):
                        renamed.append(item)
                    else:
                        is_data = not names or item.in_file.in_block
                        moved = self._moved(file, item, given) if is_data else None
                        yield _named(item, moved or item.id, given)
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
        if refused is not None:
            raise refused

    def file_of(self, id_: str) -> str | None:
        """The file that is read, too, from which a tree came that did not leave it."""
        self._sort()
        return self._file.get(id_)

    def _may_be_renamed(self, file: str, tree: Tree) -> bool:
        """Whether a tree is called by its title or question, and new where its file is known."""
        called = tree.root.kind == "question" or is_called(tree)
        own = self._from(file)
        return called and bool(own) and tree.id not in own

    def _says_another(self, file: str, tree: Tree, names: Collection[str]) -> bool:
        """Whether data is called by a title as a tree of its file, and says something else.

        Chapters that are numbered anew say what their neighbours said.
        """
        if not is_called(tree) or tree.in_file.says_id or (names and not tree.in_file.in_block):
            return False
        then = self._from(file).get(tree.id)
        return then is not None and not _came(tree.id, tree, names, then)

    def _moved(self, file: str, tree: Tree, given: set[str]) -> str | None:
        """The tree that left its file, or whose file is gone, and said what this one says.

        Its title may be a new one, or that of another tree by now.
        """
        if not self._gone or tree.in_file.says_id or not is_called(tree):
            return None
        if tree.id in self._from(file) and tree.id not in given:
            return None
        if self._gone_by_file is None:
            self._gone_by_file = {file_versions.read(r).file: i for i, r in self._gone.items()}
        found = self._gone_by_file.get(file_versions.of_file(tree))
        return found if found not in given else None

    def _renamed(self, file: str, trees: list[Tree], given: set[str]) -> Iterator[Tree]:
        """Each under the id of the tree that left the file, with its UID or most of its texts.

        Else under its own, if none of the others is that one now.
        """
        free = (i for i in self._from(file) if i not in given | self._taken)
        left = list(free) if trees else []
        old = {id_: tree for id_ in left if (tree := self._stored(id_)) is not None}
        by_sign: dict[str, list[str]] = {}
        for id_, tree in old.items():
            for sign in _signs(tree):
                by_sign.setdefault(sign, []).append(id_)
        near = {(n, i) for n, t in enumerate(trees) for s in _signs(t) for i in by_sign.get(s, ())}
        alike = [(-_is_like(trees[n], old[i]), i != trees[n].id, n, i) for n, i in near]
        waiting = dict(enumerate(trees))
        for unlike, _, n, id_ in sorted(alike):
            if -unlike > ALIKE and n in waiting and id_ not in given:
                yield _named(waiting.pop(n), id_, given)
        for tree in waiting.values():
            yield _named(tree, self._moved(file, tree, given) or self._free(tree.id, given), given)

    def _free(self, id_: str, given: set[str]) -> str:
        """The id; where another tree of the file has it now, with a number that nobody has."""
        if id_ not in given:
            return id_
        return next(i for n in count(2) if (i := f"{id_}.{n}") not in given | self._ids)

    def _known(self, file: str, tree: Tree) -> tuple[dict[str, str], dict[str, str]]:
        """Which of the ids that the tree may have are those of trees from its file.

        Or from one that is gone, and may have been this one; then those from other files that are
        imported. With the revision that each had there.
        """
        assert tree.in_file.namesakes is not None
        own, known, others, missed = self._from(file), dict[str, str](), dict[str, str](), 0
        for id_ in tree.in_file.namesakes() if self._read or self._gone else ():
            then = own.get(id_, self._gone.get(id_))
            if then is not None:
                known[id_] = then
            elif id_ in self._read:
                others[id_] = self._read[id_]
            missed = 0 if id_ in known or id_ in others else missed + 1
            if missed == MISSES:
                break
        return known, others

    def _from(self, file: str) -> dict[str, str]:
        """The trees that came from a file."""
        return self._sort().get(self._homes.get(file, file), {})

    def _sort(self) -> dict[str, dict[str, str]]:
        """The trees of the forest by their files; they are sorted once."""
        if self._imported is None:
            self._imported = {name: {} for name in (*self.files, *self._homes.values())}
            for id_, source, revision in self._store.sources():
                self._ids.add(id_)
                left, said = file_versions.read(revision).left, revision or ""
                if source in self._imported:
                    self._imported[source][id_] = said
                if source in self.files:
                    self._read[id_] = said
                    if not left:
                        self._file[id_] = source or ""
                if left or (source not in self.files and self._is_gone(source)):
                    self._gone[id_] = said
        return self._imported

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
        tree = self._stored(id_)
        return {t.text for t in tree} if tree else set()

    def _stored(self, id_: str) -> Tree | None:
        with suppress(NotATree, InvalidTree):
            return self._store.get(id_)
        return None


def is_called(tree: Tree) -> bool:
    """Whether data has its id from its title; a block may have that of its note before it."""
    own = tree_id_from(tree.title)
    return tree.id == own or (tree.in_file.in_block and tree.id.endswith(f"/{own}"))


def _told_by_one(texts: Mapping[K, set[str]]) -> dict[K, set[str]]:
    """The texts of each that no other of them has."""
    times = Counter(chain.from_iterable(texts.values()))
    return {key: {t for t in some if times[t] == 1} for key, some in texts.items()}


def shingles(texts: Iterable[str]) -> set[str]:
    """All three words of texts that stand in a row; of a shorter text all its words.

    What two trees have in common of them is not lost where a word is edited (Broder 1997).
    """
    found: set[str] = set()
    for text in texts:
        words = text.casefold().split()
        found.update(" ".join(words[i : i + 3]) for i in range(max(len(words) - 2, 1)))
    return found


def words(tree: Tree) -> set[str]:
    """`shingles` of all that a tree says."""
    return shingles(thought.text for thought in tree)


def likeness(one: set[str], other: set[str]) -> float:
    """The share of the texts of the larger that both have."""
    return len(one & other) / max(len(one), len(other), 1)


def _came(id_: str, tree: Tree, names: Collection[str], then: str) -> bool:
    """Whether the tree of this id came from what this one says."""
    return file_versions.says(tree.model_copy(update={"id": id_}), then, names)


def _signs(tree: Tree) -> set[str]:
    """What two trees that may be one have in common: some words, or the UID of their question."""
    return words(tree) | ({f"UID {uid_of(tree)}"} if uid_of(tree) else set())


def _is_like(one: Tree, other: Tree) -> float:
    """The share of `shingles` that both have; 1 for two of one UID."""
    if (uid := uid_of(one)) and uid == uid_of(other):
        return 1.0
    return likeness(words(one), words(other))


def uid_of(tree: Tree) -> object:
    """The UID of a question."""
    asked = tree.meta.get("question")
    return asked.get("uid") if isinstance(asked, dict) else None


def _new_id(tree: Tree, taken: set[str]) -> str:
    assert tree.in_file.namesakes is not None
    return next(id_ for id_ in tree.in_file.namesakes() if id_ not in taken)


def _named(tree: Tree, id_: str, given: set[str]) -> Tree:
    given.add(id_)
    tree.id = id_
    return tree
