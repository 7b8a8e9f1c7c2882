"""A forest in one SQLite file, as a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

from forest.errors import NotFound, StoreError, StoreUnavailable
from forest.fields import is_text
from forest.language import is_language, no_language
from forest.model import Anchor, AnchorLink, Axis, Occurrence, Tree, TreeInfo, check_levels
from forest.nodes import Node, checked, known
from forest.stores.base import (
    Change,
    ChangeNodes,
    Finding,
    Merge,
    Skip,
    Store,
    Written,
    axis_in_use,
    each_once,
    no_such_axis,
    no_such_thought,
    no_such_tree,
    refuse_held,
)
from forest.stores.sqlite.connection import Connection
from forest.stores.sqlite.faults import Damaged, forest_errors, no_room_is_os_error, sound
from forest.stores.sqlite.reading import anchors_after, axes_of, read_nodes, read_time, read_tree
from forest.stores.sqlite.schema import SPAN
from forest.stores.sqlite.writing import Writing, store_nodes

PAGE = 1000
"""How many trees or anchors one query lists."""
LINKS = 50_000
"""How many phrases that trees carry are kept in memory."""
BUSY_SECONDS = 60.0
"""How long a write waits for another process that writes."""


class SqliteStore(Store):
    """A forest in one SQLite file.

    :param path: the file.
    :param create: make the file if it is not there.
    :param read_only: never write to it.
    :param url: what errors call it, if not by its path.
    :param folder: from where it names the files of imports, if not from its own folder.
    :raises NotFound: the file is not there and ``create`` is false.
    :raises StoreError: the file is no forest, or cannot be opened.
    :raises SchemaTooNew: it was written by a newer version of this library.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = True,
        read_only: bool = False,
        busy_seconds: float = BUSY_SECONDS,
        url: str | None = None,
        folder: Path | None = None,
    ) -> None:
        self._file = Connection(
            path, create=create, read_only=read_only, busy_seconds=busy_seconds, url=url
        )
        self._db = self._file.db
        self.path = self._file.path
        self.url = self._file.url
        self.folder = folder or self.path.parent
        self._transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]
        self._transaction = self._file.transaction

    def close(self) -> None:
        self._file.close()

    # --- reading -------------------------------------------------------------------------------

    # No query stays open between two results: an open one would keep other processes from
    # committing, and would fail the caller's own writes where another process wrote meanwhile.

    def _pages(self, columns: str) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of the trees that are there now, in the order of their ids; the id comes first."""
        last, newest = "", self._newest("tree")
        while rows := self._page(columns, last, newest):
            yield rows
            last = rows[-1][0]

    def _newest(self, table: str) -> int | None:
        with self._file.asking() as db:
            found = db.execute(f"SELECT max(no) FROM {table}")  # noqa: S608 - constants below
            newest: int | None = found.fetchone()[0]
            return newest

    def _page(self, columns: str, last: str, newest: int | None) -> list[tuple[Any, ...]]:
        with self._file.asking() as db, sound("the list of trees"):
            rows = db.execute(
                f"SELECT id, {columns} FROM tree"  # noqa: S608 - columns are constants below
                " WHERE id > ? AND no <= ? ORDER BY id LIMIT ?",
                (last, newest, PAGE),
            ).fetchall()
            if not all(a < b for a, b in pairwise([last, *(row[0] for row in rows)])):
                raise Damaged("the list of trees is out of order")
        return rows

    def infos(self, skip: Skip | None = None) -> Iterator[TreeInfo]:
        columns = "no, title, lang, source, created_at, updated_at, size, depth, revision"
        for page in self._pages(columns):
            for id_, no, title, lang, source, created, updated, size, depth, revision in page:
                with forest_errors(self.url), sound(f"tree {id_!r}"):
                    info = TreeInfo(
                        id=id_,
                        title=title,
                        lang=lang,
                        axes=axes_of(self._db, no),
                        source=source,
                        created_at=read_time(created),
                        updated_at=read_time(updated),
                        size=size,
                        depth=depth,
                        revision=revision,
                    )
                yield info

    def sources(self) -> Iterator[tuple[str, str | None, str | None]]:
        for page in self._pages("source, source_revision"):
            yield from page

    def get(self, tree_id: str) -> Tree:
        with self._file.one_state() as db:
            tree = read_tree(db, tree_id, {})
        if tree is None:
            raise no_such_tree(tree_id)
        return tree

    def some(self, tree_ids: Iterable[str]) -> Iterator[Tree]:
        links: dict[int, AnchorLink] = {}
        for tree_id in tree_ids:
            if len(links) > LINKS:
                links.clear()
            with self._file.one_state() as db:
                tree = read_tree(db, tree_id, links)
            if tree is None:
                raise no_such_tree(tree_id)
            yield tree

    def trees(self, skip: Skip | None = None) -> Iterator[Tree]:
        for page in self._pages("no"):
            links: dict[int, AnchorLink] = {}
            for tree_id, _ in page:
                with self._file.one_state() as db:
                    tree = read_tree(db, tree_id, links)
                if tree is not None:  # else it was removed meanwhile
                    yield tree

    def tree_of(self, thought_id: str) -> str:
        if not is_text(thought_id):
            raise no_such_thought(thought_id)
        with self._file.asking() as db:
            row = db.execute(
                "SELECT tree.id FROM thought JOIN tree ON tree.no = thought.key / ?"
                " WHERE thought.id = ?",
                (SPAN, thought_id),
            ).fetchone()
        if row is None:
            raise no_such_thought(thought_id)
        return str(row[0])

    def anchors(self, skip: Skip | None = None) -> Iterator[Anchor]:
        last, newest = "", self._newest("phrase")
        while page := self._anchors_after(last, newest):
            yield from page
            last = page[-1].id

    def _anchors_after(self, last: str, newest: int | None) -> list[Anchor]:
        with self._file.one_state() as db:
            return anchors_after(db, last, newest, PAGE)

    def occurrences(self, anchor: str) -> Iterator[Occurrence]:
        if not is_text(anchor):
            return
        with self._file.asking() as db:
            rows = db.execute(
                """SELECT tree.id, tree.title, thought.id, thought.text, phrase.phrase,
                          thought.level
                   FROM phrase JOIN anchored ON anchored.phrase = phrase.no
                   JOIN thought ON thought.key = anchored.thought
                   JOIN tree ON tree.no = thought.key / ?
                   WHERE phrase.anchor = ? ORDER BY tree.id, thought.key, anchored.position""",
                (SPAN, anchor),
            ).fetchall()
        for tree, title, thought, text, phrase, level in rows:
            with forest_errors(self.url), sound(f"tree {tree!r}"):
                found = Occurrence(
                    tree=tree, title=title, thought=thought, text=text, phrase=phrase, level=level
                )
            yield found

    def axes(self) -> list[Axis]:
        with self._file.asking() as db, sound("the list of axes"):
            rows = db.execute("SELECT id, name, description FROM axis ORDER BY id")
            return [Axis(id=i, name=name, description=text) for i, name, text in rows]

    def revisions(self) -> Iterator[tuple[str, str]]:
        for page in self._pages("revision"):
            yield from page

    # --- writing -------------------------------------------------------------------------------

    def write(self, trees: Iterable[Tree], merge: Merge) -> Written:
        with self._transaction() as db:
            writing = Writing(db)
            for tree in each_once(trees):
                old = writing.read(tree.id)
                stored = list(old.thoughts) if old else None  # merge may edit old and return it
                new = merge(old, tree)
                if new is None:
                    writing.written.unchanged.append(tree.id)
                else:
                    writing.store(stored, new)
            writing.finish()
        return writing.written

    def change(self, tree_ids: Sequence[str], change: Change) -> Written:
        with self._transaction() as db:
            writing = Writing(db)
            old = {tree_id: writing.read(tree_id) for tree_id in tree_ids}
            # change may edit the old trees and return them: remember what is stored
            stored = {tree_id: list(tree.thoughts) for tree_id, tree in old.items() if tree}
            new = change(old)
            for tree_id in new.keys() - set(tree_ids):
                if other := writing.read(tree_id):
                    stored[tree_id] = other.thoughts
            for tree_id, tree in new.items():
                if tree is not None:
                    writing.store(stored.get(tree_id), tree)
                elif tree_id in stored:
                    writing.remove(tree_id)
            writing.finish()
        return writing.written

    def put_axes(self, axes: Iterable[Axis]) -> None:
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO axis VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
                " SET name = excluded.name, description = excluded.description",
                [(a.id, a.name, a.description) for a in axes],
            )

    def remove_axis(self, axis_id: str) -> None:
        if not is_text(axis_id):
            raise no_such_axis(axis_id)
        with self._transaction() as db:
            bound = db.execute(
                "SELECT tree.id FROM aligned JOIN tree ON tree.no = aligned.tree"
                " WHERE axis = ? ORDER BY tree.id",
                (axis_id,),
            ).fetchall()
            if bound:
                raise axis_in_use(axis_id, [row[0] for row in bound])
            if not db.execute("DELETE FROM axis WHERE id = ?", (axis_id,)).rowcount:
                raise no_such_axis(axis_id)

    # --- nodes beside the trees ----------------------------------------------------------------

    def nodes(self, label: str) -> Iterator[Node]:
        known([label])
        last = ""
        while page := self._nodes_after(label, last):
            yield from page
            last = page[-1].key

    def _nodes_after(self, label: str, last: str) -> list[Node]:
        with self._file.asking() as db:
            return read_nodes(db, "label = ? AND key > ? ORDER BY key LIMIT ?", (label, last, PAGE))

    def change_nodes(self, labels: Sequence[str], change: ChangeNodes) -> None:
        labels = known(labels)
        with self._transaction() as db:
            old = [node for label in labels for node in read_nodes(db, "label = ?", (label,))]
            store_nodes(db, checked(change({node.at: node for node in old})))

    # --- the whole -----------------------------------------------------------------------------

    def is_same(self, other: Store) -> bool:
        return isinstance(other, SqliteStore) and self._file.file == other._file.file

    @contextmanager
    def filling(self, origin: str) -> Iterator[None]:
        with self._file.transaction() as db:
            refuse_held(self)
            self._transaction = lambda: nullcontext(db)  # a write within is a part of this one
            try:
                yield
            finally:
                self._transaction = self._file.transaction

    # --- care ----------------------------------------------------------------------------------

    def check(self, *, fix: bool = False) -> Iterator[Finding]:
        for line in self._damage():
            yield Finding("the file", line, fixable=False)
        try:
            for page in self._pages("size, depth, revision"):
                for tree_id, size, depth, revision in page:
                    for problem in self._wrong(tree_id, size, depth, revision):
                        yield Finding(f"tree {tree_id}", problem, fixable=False)
        except StoreUnavailable:
            raise
        except StoreError as error:
            yield Finding("the file", f"its trees cannot be read: {error.message}", fixable=False)

    def _damage(self) -> list[str]:
        with self._file.asking() as db:
            try:
                lines = db.execute("PRAGMA integrity_check").fetchall()
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                    raise
                return [str(error)]
        return [line for (line,) in lines if line != "ok"]

    def _wrong(self, tree_id: str, size: int, depth: int, revision: str) -> Iterator[str]:
        try:
            tree = self.get(tree_id)
            with forest_errors(self.url), sound(f"tree {tree_id!r}"):
                problems = list(_wrong(tree, size, depth, revision))
        except NotFound:
            return  # it was removed meanwhile
        except StoreUnavailable:
            raise
        except StoreError as error:
            yield f"it cannot be read: {error.message}"
        else:
            yield from problems

    @contextmanager
    def snapshot(self, folder: Path) -> Iterator[Store]:
        path = folder / "snapshot.db"
        with self._file.asking() as db:
            copy = sqlite3.connect(path)
            try:
                with no_room_is_os_error(folder):  # only the copy is written
                    db.backup(copy)
            finally:
                copy.close()
        try:
            # Errors name the forest, not a copy that is gone by then.
            with SqliteStore(path, read_only=True, url=self.url) as store:
                yield store
        finally:
            path.unlink(missing_ok=True)


def _wrong(tree: Tree, size: int, depth: int, revision: str) -> Iterator[str]:
    try:
        check_levels(tree.thoughts)
    except ValueError as error:
        yield str(error)
    if len(tree) != size or tree.depth != depth:
        yield f"it says {size} thoughts, depth {depth}; it has {len(tree)}, depth {tree.depth}"
    if tree.revision != revision:
        yield "its content does not match its recorded revision"
    if not is_language(tree.lang):
        yield f"its {no_language(tree.lang)}"
    for thought in tree.thoughts:
        if thought.lang and not is_language(thought.lang):
            yield f"thought {thought.id!r}: its {no_language(thought.lang)}"
