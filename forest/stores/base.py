"""The contract of a store, and the one function that opens one.

A store keeps whole trees, axes, and nothing else that is not derived from them: an anchor exists
because a thought carries it. Everything that authors do becomes one of two writes, each one
transaction: `Store.write` for many trees, `Store.change` for a few that change together. What is
stored for a tree is decided by a function that the caller passes in; it sees the tree that is
there, inside the transaction, so no update is lost.

Trees come out in the order of their ids (by code point), thoughts in reading order. The shipped
test class `forest.stores.testing.StoreContract` says the same in code; a new store passes it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Self

from forest.errors import Conflict, IdTaken, InvalidTree, NoCypher, NotATree, NotFound, UsageError
from forest.model import Anchor, Axis, Occurrence, Tree, TreeInfo
from forest.nodes import TYPES, Key, Node
from forest.shell import command_line

Merge = Callable[[Tree | None, Tree], Tree | None]
"""merge(old, new): what to store for a tree; None leaves what is there as it is.

It may be called more than once for a tree (a transaction that is tried again), so it must not
have effects of its own.
"""

Change = Callable[[dict[str, Tree | None]], Mapping[str, Tree | None]]
"""change(old trees by id): the trees to store in their place; None removes one.

Trees under other ids than those asked for may be returned too. May be called more than once.
"""

ChangeNodes = Callable[[dict[Key, Node]], Mapping[Key, Node | None]]
"""change(old nodes): the nodes to store; None removes one. May be called more than once."""

Skip = Callable[[NotATree | InvalidTree], object]
"""Gets the error of a structure that an author wrote with Cypher and that is no tree."""


@dataclass
class Written:
    """What a write did, as ids of trees."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    thoughts: int = 0
    """Thoughts in the trees that were added or changed."""

    @property
    def stored(self) -> bool:
        """Whether it did anything."""
        return bool(self.added or self.changed or self.removed)


class Rows(list[dict[str, Any]]):
    """The rows of a query; ``changed`` counts what it wrote: ``{"nodes_created": 3}``."""

    def __init__(
        self, rows: Iterable[dict[str, Any]] = (), changed: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(rows)
        self.changed = dict(changed or {})


@dataclass(frozen=True)
class Finding:
    """Something that `Store.check` found."""

    where: str
    """The tree, thought, anchor or table it is about, by name."""
    problem: str
    fixable: bool
    """True where `check(fix=True)` can put it right without guessing."""
    fixed: bool = False


class Store(ABC):
    """Keeps a forest. Also a context manager that closes itself."""

    url: str
    """The address it was opened under, without any password."""
    folder: Path | None = None
    """Where the forest's file lies, if it is one: names of imported files count from there."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Give back files and connections. Closing twice is fine."""

    # --- reading -------------------------------------------------------------------------------

    @abstractmethod
    def infos(self, skip: Skip | None = None) -> Iterator[TreeInfo]:
        """All trees without their thoughts, in the order of their ids; ``skip`` as in `trees`."""

    def outside(self, inside: int) -> Iterator[NotATree]:
        """What an author wrote that stands in no tree: a thought, with all that hangs on it.

        :param inside: how many thoughts stand in trees, as far as these can be read.
        """
        return iter(())

    def sources(self) -> Iterator[tuple[str, str | None, str | None]]:
        """(tree id, the file it was imported from, its revision then) of every tree, by id.

        For an import, which asks it for the whole forest. What an author wrote and is no tree may
        be among them.
        """
        trees = self.trees(skip=lambda _: None)
        return ((tree.id, tree.source, tree.source_revision) for tree in trees)

    @abstractmethod
    def get(self, tree_id: str) -> Tree:
        """One tree. Raises NotFound; NotATree where the graph holds no tree under that id."""

    def some(self, tree_ids: Iterable[str]) -> Iterator[Tree]:
        """Trees by their ids, in the order in which they are asked for. Raises as `get` does."""
        return map(self.get, tree_ids)

    @abstractmethod
    def trees(self, skip: Skip | None = None) -> Iterator[Tree]:
        """All trees in the order of their ids, in memory bounded by the largest tree.

        The store can be used and written to while the stream is open: a tree that is written
        meanwhile comes as it was or as it is, always whole. `snapshot` gives one state of all.

        Raises NotATree or InvalidTree at what an author wrote and is no tree. With ``skip`` that is
        left out, and ``skip`` gets the error.
        """

    @abstractmethod
    def tree_of(self, thought_id: str) -> str:
        """The id of the tree that a thought is in. Raises NotFound."""

    @abstractmethod
    def anchors(self, skip: Skip | None = None) -> Iterator[Anchor]:
        """All anchors with their counts, in the order of their ids; ``skip`` as in `trees`."""

    @abstractmethod
    def occurrences(self, anchor: str) -> Iterator[Occurrence]:
        """The thoughts that carry an anchor, by tree id, then in reading order; none: empty.

        One that spells it twice comes twice.
        """

    @abstractmethod
    def axes(self) -> list[Axis]:
        """All axes, in the order of their ids."""

    @abstractmethod
    def revisions(self) -> Iterator[tuple[str, str]]:
        """(tree id, revision) of every tree, in the order of the ids."""

    # --- writing -------------------------------------------------------------------------------

    @abstractmethod
    def write(self, trees: Iterable[Tree], merge: Merge) -> Written:
        """Store many trees, each as ``merge(the tree that is there, the new one)`` says.

        If ``trees`` or ``merge`` raises, nothing of this call is stored. Memory is bounded
        whatever the number of trees. Axes named by a tree and not known yet are added.

        Ids count as they are when all is stored: a thought may pass from one tree to another,
        whichever of the two comes first.

        Raises Conflict where two of the trees have one id (`each_once`), or two trees would have
        a thought of the same id; StoreUnavailable where the store is busy, gone or full: what is
        stored then are whole trees only.
        """

    @abstractmethod
    def change(self, tree_ids: Sequence[str], change: Change) -> Written:
        """Read some trees and store what ``change`` makes of them, in one transaction.

        Raises as `write` does, and whatever ``change`` raises; then nothing is stored.
        """

    def remove(self, tree_ids: Sequence[str]) -> Written:
        """Remove trees, all or none, also those that an author wrote and that are none.

        Raises NotFound for an id that is not there.
        """

        def change(old: dict[str, Tree | None]) -> dict[str, Tree | None]:
            for tree_id, tree in old.items():
                if tree is None:
                    raise no_such_tree(tree_id)
            return dict.fromkeys(old)

        return self.change(tree_ids, change)

    @abstractmethod
    def put_axes(self, axes: Iterable[Axis]) -> None:
        """Add axes, or change those of the same id."""

    @abstractmethod
    def remove_axis(self, axis_id: str) -> None:
        """Remove an axis that no tree is bound to. Raises NotFound; Conflict if one is."""

    # --- nodes beside the trees ----------------------------------------------------------------

    @abstractmethod
    def nodes(self, label: str) -> Iterator[Node]:
        """All nodes of a kind that `forest.nodes` keeps, in the order of their keys.

        Raises InvalidInput for another kind.
        """

    def all_nodes(self) -> Iterator[Node]:
        """The nodes of all these kinds."""
        for label in TYPES:
            yield from self.nodes(label)

    @abstractmethod
    def change_nodes(self, labels: Sequence[str], change: ChangeNodes) -> None:
        """Read all nodes of some kinds and store what ``change`` makes of them, in one transaction.

        Two changes never overlap: the second one sees what the first one stored. Raises
        InvalidInput for what is not declared, and whatever ``change`` raises; then nothing is
        stored.
        """

    # --- care ----------------------------------------------------------------------------------

    @abstractmethod
    def check(self, *, fix: bool = False) -> Iterator[Finding]:
        """What is wrong or missing; with ``fix``, put right what can be without guessing."""

    @abstractmethod
    def filling(self, origin: str) -> AbstractContextManager[None]:
        """What is written within makes this empty forest a copy of the one at the URL ``origin``.

        After an error, or where the process is killed, the forest is as empty as it was. Where no
        transaction can hold a whole forest it is marked as half a copy instead: whoever opens it
        is told, and `filling` it again may finish it, from what is there then.

        Raises Conflict where it holds something, other than half a copy of the same forest.
        """

    def is_same(self, other: Store) -> bool:
        """Whether both keep one and the same forest."""
        return self is other

    @abstractmethod
    def snapshot(self, folder: Path) -> AbstractContextManager[Store]:
        """The forest as it is now, as a store in ``folder`` that nobody writes to.

        For long reads: authors go on writing meanwhile, and the reader sees one state. Raises
        OSError where the folder has no room for it.
        """

    def cypher(self, query: str, parameters: Mapping[str, Any]) -> Rows:
        """The rows that a Cypher query gives. Raises NoCypher on a store without Cypher."""
        raise NoCypher(
            f"the store {self.url} does not speak Cypher",
            hint="For Cypher, move the forest to Neo4j: `forest neo4j start`, then "
            f"{self._copied_by('neo4j://127.0.0.1:7687')}.",
        )

    def _copied_by(self, url: str) -> str:
        """How an author copies this forest to another store."""
        return f"`{command_line('copy', self.url, url)}`"

    def cypher_script(self, script: str, parameters: Mapping[str, Any]) -> Iterator[Rows]:
        """The rows of each statement of a script in turn. Raises NoCypher as `cypher` does."""
        yield self.cypher(script, parameters)


def open_store(
    url: str,
    *,
    create: bool = True,
    half_copy: bool = False,
    username: str | None = None,
    password: str | None = None,
) -> Store:
    """Open the store at ``sqlite:///PATH``, ``neo4j://HOST:PORT`` (or ``bolt://``) or ``memory:``.

    With ``create`` false a SQLite file that does not exist is an error; with ``half_copy`` also
    half a copy is opened (`Store.filling`). Username and password are for Neo4j.

    Raises UsageError for any other URL, and what the store raises.
    """
    if not url:
        raise UsageError(
            "the store URL is empty",
            hint="Is it that of a variable that is not set? Or leave it out.",
        )
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        from forest.stores.sqlite import SqliteStore

        return SqliteStore(_file_of(url), create=create)
    if url in ("memory:", "memory://"):
        from forest.stores.memory import MemoryStore

        return MemoryStore()
    if scheme.split("+")[0] in ("neo4j", "bolt"):
        from forest.stores.neo4j import Neo4jStore

        return Neo4jStore(url, username=username, password=password, half_copy=half_copy)
    shown = "what was given" if "@" in url else repr(url)  # it may hold a password
    raise UsageError(
        f"{shown} is not the URL of a store",
        hint="Expected sqlite:///PATH, neo4j://HOST:7687, bolt://HOST:7687 or memory:",
    )


def _file_of(url: str) -> Path:
    rest = url.partition(":")[2]
    path = rest.removeprefix("///")
    if path in (rest, "", ":memory:") or path.endswith("/") or not _may_be_a_file(path):
        raise UsageError(
            f"the store URL {url!r} names no file",
            hint="Write sqlite:///forest.db for a file in this folder, "
            "sqlite:////data/forest.db for a full path, memory: to keep nothing.",
        )
    return Path(path)


def open_part(part: Path, place: Path) -> Store:
    """Make a SQLite file that is to lie at ``place`` when it is whole, and speaks as if it did."""
    from forest.stores.sqlite import SqliteStore

    return SqliteStore(part, url=f"sqlite:///{place}", folder=place.parent)


def missing_file(url: str) -> Path | None:
    """The file that a store's URL names, if there is none yet; its folder is there.

    Not where a removed file has left its journal: SQLite would play that into a whole file put
    there, while it throws it away where it makes the file itself.

    Raises UsageError as `open_store` does.
    """
    if url.partition(":")[0] != "sqlite":
        return None
    path = _file_of(url).absolute()
    there = any(os.path.lexists(f"{path}{tail}") for tail in ("", "-journal", "-wal"))
    return path if path.parent.is_dir() and not there else None


def _may_be_a_file(path: str) -> bool:
    try:
        return not Path(path).is_dir() and b"\0" not in os.fsencode(path)
    except ValueError:  # NUL, or what no file system can encode
        return False


# --- what all stores share -----------------------------------------------------------------------


def each_once(trees: Iterable[Tree]) -> Iterator[Tree]:
    """The trees of one write. Raises Conflict at one whose id an earlier one of them has."""
    ids = set[str]()
    for tree in trees:
        if tree.id in ids:
            raise Conflict(
                f"two of the trees to be written have the id {tree.id!r} (one is {tree.title!r})",
                hint="Nothing was stored. Give one of them another id.",
            )
        ids.add(tree.id)
        yield tree


def tree_info(tree: Tree) -> TreeInfo:
    """A tree without its thoughts."""
    return TreeInfo(
        id=tree.id,
        title=tree.title,
        lang=tree.lang,
        axes=tree.axes,
        source=tree.source,
        created_at=tree.created_at,
        updated_at=tree.updated_at,
        size=len(tree),
        depth=tree.depth,
        revision=tree.revision,
    )


def copy_nodes(source: Store, target: Store) -> None:
    """Make the nodes beside the trees those of the source."""
    new = {node.at: node for node in source.all_nodes()}
    target.change_nodes(list(TYPES), lambda old: {**dict.fromkeys(old), **new})


def refuse_held(store: Store) -> None:
    """Raise Conflict unless a forest is empty: a copy would mix with what it holds."""
    if next(chain(store.infos(), store.all_nodes()), None) is not None:
        raise holds_something(store.url)


def holds_something(url: str) -> Conflict:
    """The error for a copy into a forest that is not empty."""
    return Conflict(
        f"{url} already holds trees, formulas or decisions",
        hint="A forest is copied into an empty one; empty it, or name another.",
    )


def no_such_tree(tree_id: str) -> NotFound:
    """The error for a tree id that is not in the forest."""
    return NotFound(f"there is no tree {tree_id!r}", hint="`forest list` shows all trees.")


def no_such_thought(thought_id: str) -> NotFound:
    """The error for a thought id that is not in the forest."""
    return NotFound(
        f"there is no thought {thought_id!r}",
        hint="`forest show TREE --ids` lists the thoughts of a tree with their ids.",
    )


def no_such_axis(axis_id: str) -> NotFound:
    """The error for an axis that is not in the forest."""
    return NotFound(f"there is no axis {axis_id!r}", hint="`forest axes` lists them.")


def axis_in_use(axis_id: str, trees: list[str]) -> Conflict:
    """The error for removing an axis that these trees are bound to."""
    more = f" and {len(trees) - 3:,} more" if len(trees) > 3 else ""
    return Conflict(
        f"trees are bound to the axis {axis_id!r}: {', '.join(trees[:3])}{more}",
        hint="Bind them to other axes first: `forest axes bind TREE …`.",
    )


def id_taken(thought_id: str, tree_id: str, other: str) -> IdTaken:
    """The error for a thought id that another tree already uses."""
    return IdTaken(
        f"tree {tree_id!r} has a thought {thought_id!r}, but that id is already used in tree "
        f"{other!r}",
        thought_id,
        (tree_id, other),
        hint="Thought ids are unique in the forest: change one, or leave it out.",
    )


def best_spelling(count: Counter[tuple[str, bool]]) -> str:
    """The spelling that authors use most often; of several the first by code point.

    :param count: how often an anchor is written, by the spelling and by whether its origin is
        "authored". How other origins spell it counts only where no author wrote it.
    """
    by_authors = any(authored and times for (_, authored), times in count.items())
    voting = Counter[str]()
    for (phrase, authored), times in count.items():
        if authored == by_authors:
            voting[phrase] += times
    return min(voting, key=lambda phrase: (-voting[phrase], phrase))
