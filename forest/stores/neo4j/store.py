"""The store on Neo4j: the contract's methods, each a few calls of the modules beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from neo4j.exceptions import ConstraintError

from forest.errors import Conflict, ForestError, InvalidTree, NotATree, UsageError
from forest.fields import is_text
from forest.model import Anchor, Axis, Occurrence, Tree, TreeInfo
from forest.nodes import Node, known
from forest.stores.base import (
    Change,
    ChangeNodes,
    Finding,
    Merge,
    Rows,
    Skip,
    Store,
    Written,
    each_once,
    no_such_axis,
    no_such_thought,
    no_such_tree,
    tree_info,
)
from forest.stores.neo4j import (
    anchors,
    axes,
    building,
    checking,
    half_copy,
    nodes,
    reading,
    removing,
)
from forest.stores.neo4j.connection import Connection, ask
from forest.stores.neo4j.rehearsal import THOUGHTS_BY_ID, refuse_taken, rehearse
from forest.stores.neo4j.script import Statement, statements
from forest.stores.neo4j.snapshot import snapshot
from forest.stores.neo4j.spool import Record, Spool
from forest.stores.neo4j.writing import Strays, Writing

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

T = TypeVar("T")

RETRY_SECONDS = 120.0
"""How long a transaction is tried again before the server counts as gone: a restart takes less."""
INTERRUPTED = (
    "What is stored are whole trees, perhaps not all of them.\n"
    "The same again goes on where it stopped."
)


class Neo4jStore(Store):
    """A forest in a Neo4j database, 5.26 or later. See docs/graph-schema.md for the graph.

    Authors may write the graph with Cypher while this store is open. What it writes itself is
    whole trees; what it reads of one tree is never half of one of its own writes.

    :param url: ``neo4j://HOST:7687`` or ``bolt://…``, with ``+s`` for TLS; ``/NAME`` behind it
        names a database.
    :param username: ``neo4j`` where only a password is given.
    :param password: None for a server without authentication.
    :param database: the database, unless it is the user's own.
    :param retry_seconds: how long a transaction is tried again while the server is away or busy;
        after a few seconds the log of ``forest`` tells of it, which Python prints if nobody else
        does.
    :param half_copy: open it also where a copy into it has not come to its end.
    :raises UsageError: the URL is none, or holds a password.
    :raises StoreError: no access, no such database, not Neo4j, older than 5.26; half a copy.
    :raises StoreUnavailable: nothing answers there.
    :raises SchemaTooNew: a newer version of this library has written there.
    :raises Conflict: nodes share a key that must be unique; the message names them.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        database: str | None = None,
        retry_seconds: float = RETRY_SECONDS,
        half_copy: bool = False,
    ) -> None:
        self._connection = Connection(
            url,
            username=username,
            password=password,
            database=database,
            retry_seconds=retry_seconds,
            half_copy=half_copy,
        )
        self.url = url

    def __repr__(self) -> str:
        return f"Neo4jStore({self.url!r})"

    def close(self) -> None:
        self._connection.close()

    # --- reading -------------------------------------------------------------------------------

    def infos(self, skip: Skip | None = None) -> Iterator[TreeInfo]:
        inside = 0
        for tree in self.trees(skip):
            inside += len(tree)
            yield tree_info(tree)
        if skip is not None:
            for error in self.outside(inside):
                skip(error)

    def outside(self, inside: int) -> Iterator[NotATree]:
        if self._connection.read(reading.count_thoughts) == inside:
            return
        for finding in checking.outside(self._connection):
            yield NotATree(
                f"{finding.where}: {finding.problem}",
                hint="Link it below a thought of a tree, or delete it, with Cypher.",
            )

    def sources(self) -> Iterator[tuple[str, str | None, str | None]]:
        return iter(self._connection.read(reading.all_sources))

    def get(self, tree_id: str) -> Tree:
        asked = [tree_id] if is_text(tree_id) else []  # the driver cannot send what is no text
        nodes = self._connection.read(reading.tree_nodes, asked)
        for found in reading.stream(self._connection, list(nodes.items())):
            return building.tree_or_error(self._connection, found)
        raise no_such_tree(tree_id)

    def trees(self, skip: Skip | None = None) -> Iterator[Tree]:
        for found in reading.stream(self._connection, self._all(skip)):
            try:
                tree = building.tree_or_error(self._connection, found)
            except (NotATree, InvalidTree) as error:
                if skip is None:
                    raise
                title = found.head.values["title"]
                error.named = (found.id, title if isinstance(title, str) else "")
                skip(error)
            else:
                yield tree

    def _all(self, skip: Skip | None = None) -> list[tuple[str, int]]:
        """(id, Tree node) in the order of the ids. Raises NotATree for two of one id."""
        trees = self._connection.read(reading.all_trees)
        errors = reading.unnamed(trees)
        for error in dict.fromkeys(errors.values()):
            if skip is None:
                raise error
            skip(error)
        return [(id_, node) for id_, node, _ in trees if node not in errors]

    def tree_of(self, thought_id: str) -> str:
        if not is_text(thought_id):
            raise no_such_thought(thought_id)
        found = self._connection.read(_trees_with, thought_id)
        if found is None:
            return self._tree_of_derived(thought_id)
        if len(found) > 1:
            names = ", ".join(map(repr, found))
            raise NotATree(
                f"thought {thought_id!r} stands in several trees: {names}",
                hint="`forest check` lists all that is no tree.",
            )
        if not found:
            raise no_such_thought(thought_id)
        return found[0]

    def _tree_of_derived(self, thought_id: str) -> str:
        """The tree of a thought without an id, which is read as its tree's id, "/", a hash."""
        tree_id = thought_id.rpartition("/")[0]
        nodes = self._connection.read(reading.tree_nodes, [tree_id] if tree_id else [])
        for found in reading.stream(self._connection, list(nodes.items())):
            tree = building.tree_or_error(self._connection, found)
            if any(t.id == thought_id for t in tree.thoughts):
                return tree.id
        raise no_such_thought(thought_id)

    def anchors(self, skip: Skip | None = None) -> Iterator[Anchor]:
        nodes = [node for _, node in self._all(skip)]
        return anchors.all_anchors(self._connection, nodes, skip)

    def occurrences(self, anchor: str) -> Iterator[Occurrence]:
        return anchors.occurrences(self._connection, anchor) if is_text(anchor) else iter(())

    def axes(self) -> list[Axis]:
        return self._connection.read(axes.all_axes)

    def revisions(self) -> Iterator[tuple[str, str]]:
        return ((tree.id, tree.revision) for tree in self.trees())

    # --- writing -------------------------------------------------------------------------------

    def write(self, trees: Iterable[Tree], merge: Merge) -> Written:
        written, strays = Written(), Strays()
        with Spool(each_once(trees)) as spool:
            batches = list(spool.batches())
            if len(batches) > 1:
                rehearse(self._connection, spool, merge, strays)
            try:
                for batch in batches:
                    work = partial(_merge, spool=spool, batch=batch, merge=merge)
                    self._transact(strays, work, written)
            except KeyboardInterrupt as interrupt:
                if len(batches) > 1:
                    interrupt.add_note(INTERRUPTED)
                raise
        return written

    def change(self, tree_ids: Sequence[str], change: Change) -> Written:
        written = Written()
        work = partial(_change, tree_ids=tree_ids, change=change)
        self._transact(Strays(), work, written)
        return written

    def remove(self, tree_ids: Sequence[str]) -> Written:
        try:
            return super().remove(tree_ids)
        except (NotATree, InvalidTree):
            return self._connection.write(
                lambda tx: removing.remove(Writing(tx, Strays()), tree_ids)
            )

    def _transact(
        self, strays: Strays, work: Callable[[Writing], Written], written: Written
    ) -> None:
        """Run one transaction that stores trees, and add to ``written`` what it did.

        The answer to a commit may be lost with its server, and the driver tries again. Where that
        finds nothing to do any more, an earlier try has done it.

        Raises Conflict where a thought's id is already used in another tree.
        """
        attempts: list[Writing] = []
        done: list[Written] = []

        def attempt(tx: ManagedTransaction) -> Written:
            if attempts:
                strays.forget()
            attempts.append(Writing(tx, strays))
            done.append(work(attempts[-1]))
            return done[-1]

        try:
            last = self._connection.write(attempt)
            _add(written, next((did for did in reversed(done) if did.stored), last))
        except Conflict as error:
            if isinstance(error.__cause__, ConstraintError):
                refuse_taken(self._connection, attempts[-1].arriving())
            raise

    def put_axes(self, new: Iterable[Axis]) -> None:
        self._connection.write(axes.put_axes, list(new))

    def remove_axis(self, axis_id: str) -> None:
        if not is_text(axis_id):
            raise no_such_axis(axis_id)
        self._connection.write(axes.remove_axis, axis_id)

    # --- nodes beside the trees ----------------------------------------------------------------

    def nodes(self, label: str) -> Iterator[Node]:
        known([label])
        return iter(self._connection.read(nodes.read_nodes, label))

    def change_nodes(self, labels: Sequence[str], change: ChangeNodes) -> None:
        labels = known(labels)
        self._connection.write(lambda tx: nodes.change_nodes(Writing(tx, Strays()), labels, change))

    # --- the whole -----------------------------------------------------------------------------

    def is_same(self, other: Store) -> bool:
        return isinstance(other, Neo4jStore) and self.url == other.url

    def filling(self, origin: str) -> AbstractContextManager[None]:
        return half_copy.made(self._connection, origin)

    # --- care ----------------------------------------------------------------------------------

    def check(self, *, fix: bool = False) -> Iterator[Finding]:
        return checking.check(self._connection, fix=fix)

    def snapshot(self, folder: Path) -> AbstractContextManager[Store]:
        """A copy in a SQLite file in ``folder``: see `forest.stores.neo4j.snapshot`."""
        return snapshot(self, self._connection, folder)

    def cypher(self, query: str, parameters: Mapping[str, Any]) -> Rows:
        """The rows of a query as dicts of numbers, strings, lists and dicts (`values.jsonable`).

        It runs in a transaction of its own and is not tried again. Raises UsageError for what
        Neo4j says is wrong with the query.
        """
        if not query.strip():
            raise UsageError("the query is empty", hint="For example: MATCH (t:Tree) RETURN t.id")
        return self._connection.cypher(query, parameters)

    def cypher_script(self, script: str, parameters: Mapping[str, Any]) -> Iterator[Rows]:
        """The rows of each statement in turn, each in a transaction of its own as with `cypher`.

        Errors are those of `cypher`, and name the statement and its line. Raises UsageError where
        `statements` does; then nothing was run.
        """
        todo = statements(script) or [Statement(1, "")]
        for number, (line, text) in enumerate(todo, 1):
            try:
                rows = self.cypher(text, parameters)
            except ForestError as error:
                if len(todo) == line == 1:
                    raise
                done = (
                    "What stands before it in the script was carried out." if number > 1 else None
                )
                raise type(error)(
                    f"statement {number}, which begins in line {line} of the script: "
                    f"{error.message}",
                    hint="\n".join(filter(None, (error.hint, done))) or None,
                ) from error
            yield rows


def _trees_with(tx: ManagedTransaction, thought_id: str) -> list[str] | None:
    """The trees that a thought stands in; None if no thought has that id."""
    nodes = [node for _, node in ask(tx, THOUGHTS_BY_ID, ids=[thought_id])[0][0]]
    above = reading.trees_above(tx, nodes).values()
    return sorted({tree_id for trees in above for tree_id in trees}) if nodes else None


def _merge(writing: Writing, spool: Spool, batch: Sequence[Record], merge: Merge) -> Written:
    """Store one batch of the trees of a write."""
    written = Written()
    olds = writing.lock(record.tree_id for record in batch)
    trees: dict[str, Tree | None] = {}
    for record in batch:
        old = olds[record.tree_id]
        is_new = old is None
        new = merge(old, spool.read(record))
        if new is None:
            written.unchanged.append(record.tree_id)
            continue
        trees[record.tree_id] = new
        (written.added if is_new else written.changed).append(record.tree_id)
        written.thoughts += len(new)
    writing.store(trees)
    return written


def _change(writing: Writing, tree_ids: Sequence[str], change: Change) -> Written:
    """Store what a function makes of some trees."""
    written = Written()
    olds = writing.lock(tree_ids)
    there = {tree_id: tree is not None for tree_id, tree in olds.items()}
    trees = change({tree_id: olds.get(tree_id) for tree_id in tree_ids})
    others = writing.lock(trees.keys() - there.keys())
    there |= {tree_id: tree is not None for tree_id, tree in others.items()}
    for tree_id, new in trees.items():
        if new is not None:
            (written.changed if there[tree_id] else written.added).append(tree_id)
            written.thoughts += len(new)
        elif there.get(tree_id):
            written.removed.append(tree_id)
    writing.store(trees)
    return written


def _add(written: Written, more: Written) -> None:
    written.added += more.added
    written.changed += more.changed
    written.removed += more.removed
    written.unchanged += more.unchanged
    written.thoughts += more.thoughts
