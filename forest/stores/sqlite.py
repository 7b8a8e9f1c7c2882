"""The forest in one SQLite file.

A thought's row key is ``tree number * 2**32 + place in reading order``, so a tree is one run of
row keys, and reading it in order is one scan of the table without an index beside it. Commits
are full synchronous. The write-ahead log is used only where the linked SQLite has the fix for
its reset bug (3.51.3, 3.50.7, 3.44.6 and later); elsewhere a rollback journal.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from forest.errors import (
    Conflict,
    NotFound,
    SchemaTooNew,
    StoreError,
    StoreUnavailable,
)
from forest.language import guess_language
from forest.model import (
    Anchor,
    AnchorLink,
    Axis,
    Occurrence,
    Thought,
    Tree,
    TreeInfo,
    check_levels,
    trusted_thought,
)
from forest.phrases import phrase_key
from forest.stores.base import (
    Change,
    Finding,
    Merge,
    Skip,
    Store,
    Written,
    axis_in_use,
    best_spelling,
    id_taken,
    no_such_axis,
    no_such_thought,
    no_such_tree,
)

APPLICATION_ID = 0x464F5245  # "FORE": says that a file is a forest
SPAN = 1 << 32
"""Row keys a tree may take: its number times SPAN, plus the place in reading order."""
PAGE = 1000
"""How many trees or anchors one query lists."""
BUSY_SECONDS = 60.0
"""How long a write waits for another process that writes."""

Migration = Callable[[sqlite3.Connection], None]


def _create(db: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE tree (
            no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
            lang TEXT NOT NULL, meta TEXT, source TEXT, source_revision TEXT, created_at TEXT,
            updated_at TEXT, size INTEGER NOT NULL, depth INTEGER NOT NULL,
            revision TEXT NOT NULL)""",
        """CREATE TABLE thought (
            key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, level INTEGER NOT NULL,
            text TEXT NOT NULL, kind TEXT, lang TEXT)""",
        """CREATE TABLE phrase (
            no INTEGER PRIMARY KEY, anchor TEXT NOT NULL, kind TEXT NOT NULL, phrase TEXT NOT NULL,
            UNIQUE (anchor, kind, phrase))""",
        """CREATE TABLE anchored (
            thought INTEGER NOT NULL, position INTEGER NOT NULL, phrase INTEGER NOT NULL,
            origin TEXT, score REAL, PRIMARY KEY (thought, position)) WITHOUT ROWID""",
        "CREATE INDEX anchored_by_phrase ON anchored (phrase, thought)",
        """CREATE TABLE axis (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE aligned (
            tree INTEGER NOT NULL, position INTEGER NOT NULL, axis TEXT NOT NULL,
            weight REAL NOT NULL, PRIMARY KEY (tree, position)) WITHOUT ROWID""",
    ):
        db.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (_create,)
"""Step i brings a file from schema version i to i + 1; version 0 is an empty file."""


def wal_is_safe(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite has the fix for the write-ahead log's reset bug."""
    return (
        version >= (3, 51, 3)
        or (3, 50, 7) <= version < (3, 51)
        or ((3, 44, 6) <= version < (3, 45))
    )


class SqliteStore(Store):
    """A forest in one SQLite file.

    :param path: the file.
    :param create: make the file if it is not there.
    :param read_only: never write to it.
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
    ) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        if not path.exists() and (not create or read_only):
            raise NotFound(
                f"there is no forest at {path}",
                hint="`forest init` makes one there; --store or FOREST_STORE names another.",
            )
        if not path.parent.is_dir():
            raise StoreError(f"the folder {path.parent} does not exist", hint="Make it first.")
        with _errors(self.url):
            self._db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
            try:
                self._prepare(read_only)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, read_only: bool) -> None:
        db = self._db
        db.execute("PRAGMA cache_size = -65536")
        db.execute("PRAGMA temp_store = FILE")
        if read_only:
            db.execute("PRAGMA query_only = ON")
            if self._version() < len(MIGRATIONS):
                raise StoreError(
                    f"{self.path} was written by an older version",
                    hint="Open it once for writing: that brings it up to date.",
                )
            return
        self._migrate()
        db.execute(f"PRAGMA journal_mode = {'WAL' if wal_is_safe() else 'DELETE'}")
        db.execute("PRAGMA synchronous = FULL")

    def _version(self) -> int:
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and application != APPLICATION_ID:
            raise StoreError(
                f"{self.path} is a SQLite file, but not a forest",
                hint="Name another file with --store sqlite:///PATH.",
            )
        if version > len(MIGRATIONS):
            raise SchemaTooNew(
                f"{self.path} has schema version {version}; this library knows up to "
                f"{len(MIGRATIONS)}",
                hint="It was written by a newer reasoning-forest: upgrade this one.",
            )
        return version

    def _migrate(self) -> None:
        if self._version() == len(MIGRATIONS):
            return
        with self._transaction() as db:  # another process may have done it meanwhile
            for version in range(self._version(), len(MIGRATIONS)):
                MIGRATIONS[version](db)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._db
        with _errors(self.url):
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the forest, however many queries are asked."""
        with _errors(self.url):
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN")
            try:
                yield self._db
            finally:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")

    def close(self) -> None:
        self._db.close()

    # --- reading -------------------------------------------------------------------------------

    # No query stays open between two results: an open one would keep other processes from
    # committing, and would fail the caller's own writes where another process wrote meanwhile.

    def _pages(self, columns: str) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of the trees that are there now, in the order of their ids; the id comes first."""
        with _errors(self.url):
            last, newest = "", self._db.execute("SELECT max(no) FROM tree").fetchone()[0]
            while rows := self._db.execute(
                f"SELECT id, {columns} FROM tree"  # noqa: S608 - columns are constants below
                " WHERE id > ? AND no <= ? ORDER BY id LIMIT ?",
                (last, newest, PAGE),
            ).fetchall():
                yield rows
                last = rows[-1][0]

    def infos(self, skip: Skip | None = None) -> Iterator[TreeInfo]:
        columns = "no, title, lang, source, created_at, updated_at, size, depth, revision"
        for page in self._pages(columns):
            for id_, no, title, lang, source, created, updated, size, depth, revision in page:
                with _errors(self.url):
                    axes = _axes_of(self._db, no)
                yield TreeInfo(
                    id=id_,
                    title=title,
                    lang=lang,
                    axes=axes,
                    source=source,
                    created_at=_time(created),
                    updated_at=_time(updated),
                    size=size,
                    depth=depth,
                    revision=revision,
                )

    def get(self, tree_id: str) -> Tree:
        with self._reading() as db:
            tree = _read(db, tree_id, {})
        if tree is None:
            raise no_such_tree(tree_id)
        return tree

    def trees(self, skip: Skip | None = None) -> Iterator[Tree]:
        for page in self._pages("no"):
            links: dict[int, AnchorLink] = {}
            for tree_id, _ in page:
                with self._reading() as db:
                    tree = _read(db, tree_id, links)
                if tree is not None:  # else it was removed meanwhile
                    yield tree

    def tree_of(self, thought_id: str) -> str:
        with _errors(self.url):
            row = self._db.execute(
                "SELECT tree.id FROM thought JOIN tree ON tree.no = thought.key / ?"
                " WHERE thought.id = ?",
                (SPAN, thought_id),
            ).fetchone()
        if row is None:
            raise no_such_thought(thought_id)
        return str(row[0])

    def anchors(self) -> Iterator[Anchor]:
        with _errors(self.url):
            last, newest = "", self._db.execute("SELECT max(no) FROM phrase").fetchone()[0]
            while page := self._anchors_after(last, newest):
                yield from page
                last = page[-1].id

    def _anchors_after(self, last: str, newest: int) -> list[Anchor]:
        source = (
            "FROM phrase JOIN anchored ON anchored.phrase = phrase.no WHERE anchor IN"
            " (SELECT DISTINCT anchor FROM phrase WHERE anchor > ? AND no <= ?"
            " ORDER BY anchor LIMIT ?)"
        )
        with self._reading() as db:
            spellings = db.execute(
                f"SELECT anchor, kind, phrase.phrase, count(*) {source}"
                " GROUP BY anchor, kind, phrase.no ORDER BY anchor",
                (last, newest, PAGE),
            ).fetchall()
            counts = db.execute(
                "SELECT anchor, count(DISTINCT thought / ?), count(DISTINCT thought)"
                f" {source} GROUP BY anchor ORDER BY anchor",
                (SPAN, last, newest, PAGE),
            ).fetchall()
        groups = groupby(spellings, key=lambda row: row[0])
        return [
            _anchor(list(rows), trees, thoughts)
            for (_, rows), (_, trees, thoughts) in zip(groups, counts, strict=True)
        ]

    def occurrences(self, anchor: str) -> Iterator[Occurrence]:
        with _errors(self.url):
            rows = self._db.execute(
                """SELECT tree.id, tree.title, thought.id, thought.text, phrase.phrase,
                          thought.level
                   FROM phrase JOIN anchored ON anchored.phrase = phrase.no
                   JOIN thought ON thought.key = anchored.thought
                   JOIN tree ON tree.no = thought.key / ?
                   WHERE phrase.anchor = ? ORDER BY tree.id, thought.key, anchored.position""",
                (SPAN, anchor),
            ).fetchall()
        for tree, title, thought, text, phrase, level in rows:
            yield Occurrence(
                tree=tree, title=title, thought=thought, text=text, phrase=phrase, level=level
            )

    def axes(self) -> list[Axis]:
        with _errors(self.url):
            rows = self._db.execute("SELECT id, name, description FROM axis ORDER BY id")
            return [Axis(id=i, name=name, description=text) for i, name, text in rows]

    def revisions(self) -> Iterator[tuple[str, str]]:
        for page in self._pages("revision"):
            yield from page

    # --- writing -------------------------------------------------------------------------------

    def write(self, trees: Iterable[Tree], merge: Merge) -> Written:
        written = Written()
        with self._transaction() as db:
            phrases: dict[tuple[str, str, str], int] = {}
            for tree in trees:
                old = _read(db, tree.id, {})
                stored = list(old.thoughts) if old else None  # merge may edit old and return it
                new = merge(old, tree)
                if new is None:
                    written.unchanged.append(tree.id)
                else:
                    _store(db, stored, new, phrases, written)
            if written.changed:
                _drop_unused_phrases(db)
        return written

    def change(self, tree_ids: Sequence[str], change: Change) -> Written:
        written = Written()
        with self._transaction() as db:
            old = {tree_id: _read(db, tree_id, {}) for tree_id in tree_ids}
            # change may edit the old trees and return them: remember what is stored
            stored = {tree_id: list(tree.thoughts) for tree_id, tree in old.items() if tree}
            new = change(old)
            for tree_id in new.keys() - set(tree_ids):
                if other := _read(db, tree_id, {}):
                    stored[tree_id] = other.thoughts
            # First take away, then put: a thought may move from one tree to another.
            for tree_id, tree in new.items():
                before = stored.get(tree_id)
                if before is not None:
                    keep = {t.id for t in tree.thoughts} if tree else set()
                    _free_ids(db, before, keep)
                    if tree is None:
                        _remove(db, tree_id)
                        written.removed.append(tree_id)
            phrases: dict[tuple[str, str, str], int] = {}
            for tree_id, tree in new.items():
                if tree is not None:
                    _store(db, stored.get(tree_id), tree, phrases, written)
            _drop_unused_phrases(db)
        return written

    def put_axes(self, axes: Iterable[Axis]) -> None:
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO axis VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
                " SET name = excluded.name, description = excluded.description",
                [(a.id, a.name, a.description) for a in axes],
            )

    def remove_axis(self, axis_id: str) -> None:
        with self._transaction() as db:
            bound = db.execute(
                "SELECT tree.id FROM aligned JOIN tree ON tree.no = aligned.tree"
                " WHERE axis = ? ORDER BY tree.id LIMIT 3",
                (axis_id,),
            ).fetchall()
            if bound:
                raise axis_in_use(axis_id, [row[0] for row in bound])
            if not db.execute("DELETE FROM axis WHERE id = ?", (axis_id,)).rowcount:
                raise no_such_axis(axis_id)

    # --- care ----------------------------------------------------------------------------------

    def check(self, *, fix: bool = False) -> Iterator[Finding]:
        for line in self._damage():
            yield Finding("the file", line, fixable=False)
        for page in self._pages("size, depth, revision"):
            for tree_id, size, depth, revision in page:
                for problem in self._wrong(tree_id, size, depth, revision):
                    yield Finding(f"tree {tree_id}", problem, fixable=False)

    def _damage(self) -> list[str]:
        with _errors(self.url):
            try:
                lines = self._db.execute("PRAGMA integrity_check").fetchall()
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                    raise
                return [str(error)]
        return [line for (line,) in lines if line != "ok"]

    def _wrong(self, tree_id: str, size: int, depth: int, revision: str) -> Iterator[str]:
        try:
            tree = self.get(tree_id)
        except NotFound:
            return  # it was removed meanwhile
        except StoreUnavailable:
            raise
        except StoreError as error:
            yield f"it cannot be read: {error.message}"
        else:
            yield from _wrong(tree, size, depth, revision)

    @contextmanager
    def snapshot(self, folder: Path) -> Iterator[Store]:
        path = folder / "snapshot.db"
        with _errors(self.url):
            copy = sqlite3.connect(path)
            try:
                self._db.backup(copy)
            finally:
                copy.close()
        try:
            with SqliteStore(path, read_only=True) as store:
                yield store
        finally:
            path.unlink(missing_ok=True)


# --- one tree ------------------------------------------------------------------------------------


def _axes_of(db: sqlite3.Connection, no: int) -> dict[str, float]:
    rows = db.execute(
        "SELECT axis.name, weight FROM aligned JOIN axis ON axis.id = aligned.axis"
        " WHERE tree = ? ORDER BY position",
        (no,),
    )
    return dict(rows)


def _read(db: sqlite3.Connection, tree_id: str, links: dict[int, AnchorLink]) -> Tree | None:
    """A tree as stored, or None. ``links`` caches what authors repeat, by number of the phrase."""
    head = db.execute(
        "SELECT no, title, lang, meta, source, source_revision, created_at, updated_at"
        " FROM tree WHERE id = ?",
        (tree_id,),
    ).fetchone()
    if head is None:
        return None
    no, title, lang, meta, source, source_revision, created, updated = head
    return Tree.model_construct(
        id=tree_id,
        title=title,
        lang=lang,
        axes=_axes_of(db, no),
        meta=orjson.loads(meta) if meta else {},
        source=source,
        source_revision=source_revision,
        created_at=_time(created),
        updated_at=_time(updated),
        thoughts=_thoughts(db, no, links),
    )


def _thoughts(db: sqlite3.Connection, no: int, links: dict[int, AnchorLink]) -> list[Thought]:
    span = (no * SPAN, (no + 1) * SPAN)
    anchors: dict[int, tuple[AnchorLink, ...]] = {}
    for key, phrase, origin, score in db.execute(
        "SELECT thought, phrase, origin, score FROM anchored"
        " WHERE thought >= ? AND thought < ? ORDER BY thought, position",
        span,
    ):
        link = links.get(phrase) if origin is None else None
        if link is None:
            link = _link(db, phrase, origin, score)
            if origin is None:
                links[phrase] = link
        anchors[key] = (*anchors.get(key, ()), link)
    rows = db.execute(
        "SELECT text, level, id, kind, lang, key FROM thought"
        " WHERE key >= ? AND key < ? ORDER BY key",
        span,
    )
    found, none = anchors.get, ()
    return [
        trusted_thought(text, level, id_, kind, lang, found(key, none))
        for text, level, id_, kind, lang, key in rows
    ]


def _link(
    db: sqlite3.Connection, phrase: int, origin: str | None, score: float | None
) -> AnchorLink:
    anchor, kind, text = db.execute(
        "SELECT anchor, kind, phrase FROM phrase WHERE no = ?", (phrase,)
    ).fetchone()
    return AnchorLink(
        phrase=text, kind=kind, anchor=anchor, origin=origin or "authored", score=score
    )


def _store(
    db: sqlite3.Connection,
    old: list[Thought] | None,
    new: Tree,
    phrases: dict[tuple[str, str, str], int],
    written: Written,
) -> None:
    no = _store_head(db, new)
    _store_axes(db, no, new)
    keep = _common_start(old, new.thoughts) if old is not None else 0
    if old is not None:
        db.execute(
            "DELETE FROM thought WHERE key >= ? AND key < ?", (no * SPAN + keep, (no + 1) * SPAN)
        )
        db.execute(
            "DELETE FROM anchored WHERE thought >= ? AND thought < ?",
            (no * SPAN + keep, (no + 1) * SPAN),
        )
    rows = [
        (key, t.id, t.level, t.text, t.kind, t.lang)
        for key, t in enumerate(new.thoughts[keep:], no * SPAN + keep)
    ]
    try:
        db.executemany("INSERT INTO thought VALUES (?, ?, ?, ?, ?, ?)", rows)
    except sqlite3.IntegrityError:
        raise _id_taken(db, new) from None
    _store_anchors(db, new.thoughts[keep:], no * SPAN + keep, phrases)
    (written.added if old is None else written.changed).append(new.id)
    written.thoughts += len(new.thoughts)


def _store_head(db: sqlite3.Connection, tree: Tree) -> int:
    fields = (
        tree.title,
        tree.lang,
        orjson.dumps(tree.meta, option=orjson.OPT_SORT_KEYS).decode() if tree.meta else None,
        tree.source,
        tree.source_revision,
        tree.created_at and tree.created_at.isoformat(),
        tree.updated_at and tree.updated_at.isoformat(),
        len(tree.thoughts),
        tree.depth,
        tree.revision,
    )
    db.execute(
        "INSERT INTO tree (title, lang, meta, source, source_revision, created_at, updated_at,"
        " size, depth, revision, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET title = excluded.title, lang = excluded.lang,"
        " meta = excluded.meta, source = excluded.source,"
        " source_revision = excluded.source_revision, created_at = excluded.created_at,"
        " updated_at = excluded.updated_at, size = excluded.size, depth = excluded.depth,"
        " revision = excluded.revision",
        (*fields, tree.id),
    )
    return int(db.execute("SELECT no FROM tree WHERE id = ?", (tree.id,)).fetchone()[0])


def _store_axes(db: sqlite3.Connection, no: int, tree: Tree) -> None:
    db.execute("DELETE FROM aligned WHERE tree = ?", (no,))
    for position, (name, weight) in enumerate(tree.axes.items()):
        key = phrase_key(name)
        db.execute("INSERT OR IGNORE INTO axis VALUES (?, ?, '')", (key, name))
        db.execute("INSERT INTO aligned VALUES (?, ?, ?, ?)", (no, position, key, weight))


def _store_anchors(
    db: sqlite3.Connection,
    thoughts: list[Thought],
    first_key: int,
    phrases: dict[tuple[str, str, str], int],
) -> None:
    rows = []
    for key, thought in enumerate(thoughts, first_key):
        for position, a in enumerate(thought.anchors):
            written = (a.anchor, a.kind, a.phrase)
            number = phrases.get(written)
            if number is None:
                number = phrases[written] = _phrase_number(db, written)
            origin = a.origin if a.origin != "authored" or a.score is not None else None
            rows.append((key, position, number, origin, a.score))
    if rows:
        db.executemany("INSERT INTO anchored VALUES (?, ?, ?, ?, ?)", rows)


def _phrase_number(db: sqlite3.Connection, written: tuple[str, str, str]) -> int:
    db.execute("INSERT OR IGNORE INTO phrase (anchor, kind, phrase) VALUES (?, ?, ?)", written)
    return int(
        db.execute(
            "SELECT no FROM phrase WHERE anchor = ? AND kind = ? AND phrase = ?", written
        ).fetchone()[0]
    )


def _common_start(old: list[Thought], new: list[Thought]) -> int:
    """How many thoughts at the start are the same in both."""
    same = 0
    for a, b in zip(old, new, strict=False):
        if a != b:
            break
        same += 1
    return same


def _free_ids(db: sqlite3.Connection, before: list[Thought], keep: set[str]) -> None:
    """Delete rows of thoughts that leave a tree, so that another tree can take their ids."""
    gone = [(t.id,) for t in before if t.id not in keep]
    db.executemany("DELETE FROM thought WHERE id = ?", gone)


def _remove(db: sqlite3.Connection, tree_id: str) -> None:
    no = db.execute("SELECT no FROM tree WHERE id = ?", (tree_id,)).fetchone()[0]
    span = (no * SPAN, (no + 1) * SPAN)
    db.execute("DELETE FROM thought WHERE key >= ? AND key < ?", span)
    db.execute("DELETE FROM anchored WHERE thought >= ? AND thought < ?", span)
    db.execute("DELETE FROM aligned WHERE tree = ?", (no,))
    db.execute("DELETE FROM tree WHERE no = ?", (no,))


def _drop_unused_phrases(db: sqlite3.Connection) -> None:
    db.execute(
        "DELETE FROM phrase WHERE NOT EXISTS"
        " (SELECT 1 FROM anchored WHERE anchored.phrase = phrase.no)"
    )


def _anchor(spellings: list[tuple[Any, ...]], trees: int, thoughts: int) -> Anchor:
    """An anchor from its spellings: rows of (anchor, kind, phrase, how often)."""
    count = Counter[str]()
    for _, _, phrase, times in spellings:
        count[phrase] += times
    phrase = best_spelling(count)
    return Anchor(
        id=spellings[0][0],
        phrase=phrase,
        kind=min(kind for _, kind, _, _ in spellings),
        lang=guess_language([phrase]),
        trees=trees,
        thoughts=thoughts,
    )


def _wrong(tree: Tree, size: int, depth: int, revision: str) -> Iterator[str]:
    try:
        check_levels(tree.thoughts)
    except ValueError as error:
        yield str(error)
    if len(tree) != size or tree.depth != depth:
        yield f"it says {size} thoughts, depth {depth}; it has {len(tree)}, depth {tree.depth}"
    if tree.revision != revision:
        yield "its content does not match its recorded revision"


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


# --- errors --------------------------------------------------------------------------------------


def _id_taken(db: sqlite3.Connection, tree: Tree) -> Conflict:
    for thought in tree.thoughts:
        row = db.execute(
            "SELECT tree.id FROM thought JOIN tree ON tree.no = thought.key / ?"
            " WHERE thought.id = ? AND tree.id <> ?",
            (SPAN, thought.id, tree.id),
        ).fetchone()
        if row:
            return id_taken(thought.id, tree.id, row[0])
    return Conflict(f"tree {tree.id!r} uses a thought id twice")


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """Turn what SQLite says into the forest's errors."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise StoreUnavailable(
                f"{url} is being written by another process",
                hint="Nothing of this change was stored. Try again when the other one is done.",
            ) from error
        if name.startswith("SQLITE_FULL"):
            raise StoreUnavailable(
                f"the disk is full: {url} could not be written",
                hint="Nothing of this change was stored. Make room and try again.",
            ) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise StoreError(
                f"{url} cannot be written: {error}", hint="Check the permissions of its folder."
            ) from error
        if name.startswith("SQLITE_NOTADB"):
            raise StoreError(
                f"{url} is not a forest: it is not a SQLite file",
                hint="Name another file with --store sqlite:///PATH.",
            ) from error
        if name.startswith("SQLITE_IOERR"):
            raise StoreUnavailable(
                f"reading or writing {url} failed: {error}",
                hint="Nothing of this change was stored. Is the disk full or broken?",
            ) from error
        raise StoreError(
            f"{url}: {error}", hint="`forest check` says whether the file is damaged."
        ) from error
