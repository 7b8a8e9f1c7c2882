"""Trees into the tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import Any

import orjson

from forest.errors import Conflict
from forest.model import AUTHORED, Thought, Tree
from forest.nodes import Key, Node
from forest.phrases import phrase_key
from forest.stores.base import Written, id_taken
from forest.stores.sqlite.reading import read_tree
from forest.stores.sqlite.schema import SPAN


class Writing:
    """One transaction that stores trees in a connection's file.

    Of two trees that have a thought of the same id the one stored last has it; the other one's is
    set aside, under an id that no thought can have, until it is known whether it stays: `finish`.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._phrases: dict[tuple[str, str, str], int] = {}
        self._aside = False
        self.written = Written()

    def read(self, tree_id: str) -> Tree | None:
        """A tree as it is there, or None."""
        tree = read_tree(self._db, tree_id, {})
        if tree is not None and self._aside:
            tree.set_ids([t.id.rpartition("\n")[2] for t in tree.thoughts])
        return tree

    def store(self, old: list[Thought] | None, new: Tree) -> None:
        """Put a tree in the place of the ``old`` thoughts. Raises Conflict for an id used twice."""
        no = _store_head(self._db, new)
        _store_axes(self._db, no, new)
        keep = _common_start(old, new.thoughts) if old is not None else 0
        first, end = no * SPAN + keep, (no + 1) * SPAN
        if old is not None:
            self._delete(first, end)
        self._insert(new, no, first, new.thoughts[keep:])
        _store_anchors(self._db, new.thoughts[keep:], first, self._phrases)
        (self.written.added if old is None else self.written.changed).append(new.id)
        self.written.thoughts += len(new.thoughts)

    def remove(self, tree_id: str) -> None:
        """Remove a tree that is there."""
        (no,) = self._db.execute("SELECT no FROM tree WHERE id = ?", (tree_id,)).fetchone()
        self._delete(no * SPAN, (no + 1) * SPAN)
        self._db.execute("DELETE FROM aligned WHERE tree = ?", (no,))
        self._db.execute("DELETE FROM tree WHERE no = ?", (no,))
        self.written.removed.append(tree_id)

    def _delete(self, first: int, end: int) -> None:
        span = (first, end)
        self._db.execute("DELETE FROM thought WHERE key >= ? AND key < ?", span)
        self._db.execute("DELETE FROM anchored WHERE thought >= ? AND thought < ?", span)

    def _insert(self, tree: Tree, no: int, first: int, thoughts: list[Thought]) -> None:
        with suppress(sqlite3.IntegrityError):
            _insert_thoughts(self._db, thoughts, first)
            return
        self._delete(first, first + len(thoughts))
        self._db.executemany(
            "UPDATE thought SET id = key || char(10) || id WHERE id = ? AND key / ? <> ?",
            [(t.id, SPAN, no) for t in thoughts],
        )
        self._aside = True
        try:
            _insert_thoughts(self._db, thoughts, first)
        except sqlite3.IntegrityError:
            raise Conflict(f"tree {tree.id!r} uses a thought id twice") from None

    def finish(self) -> None:
        """Drop what nothing needs any more. Raises Conflict where two trees have a thought's id."""
        if self._aside:
            self._db.execute(
                "UPDATE OR IGNORE thought SET id = substr(id, instr(id, char(10)) + 1)"
                " WHERE instr(id, char(10))"
            )
            self._refuse_taken()
        if self.written.changed or self.written.removed:
            _drop_unused_phrases(self._db)

    def _refuse_taken(self) -> None:
        owner = "SELECT tree.id, thought.id FROM thought JOIN tree ON tree.no = thought.key / ?"
        aside = self._db.execute(
            f"{owner} WHERE instr(thought.id, char(10)) ORDER BY key LIMIT 1",
            (SPAN,),
        ).fetchone()
        if aside is None:
            return
        here, thought_id = aside[0], aside[1].rpartition("\n")[2]
        there = self._db.execute(f"{owner} WHERE thought.id = ?", (SPAN, thought_id)).fetchone()[0]
        if here in self.written.changed or here in self.written.added:
            raise id_taken(thought_id, here, there)
        raise id_taken(thought_id, there, here)


PHRASES = 20_000
"""Phrases whose numbers are remembered, so that a forest of many does not take more memory."""
ROWS = 100
"""Rows in one INSERT: a quarter faster than one by one. SQLite allows 999 values at least."""


def _insert_thoughts(db: sqlite3.Connection, thoughts: list[Thought], first: int) -> None:
    rows = [(key, t.id, t.level, t.text, t.kind, t.lang) for key, t in enumerate(thoughts, first)]
    _insert_rows(db, "INSERT INTO thought VALUES ", "(?, ?, ?, ?, ?, ?)", rows)


def _insert_rows(
    db: sqlite3.Connection, insert: str, marks: str, rows: list[tuple[Any, ...]]
) -> None:
    whole = len(rows) - len(rows) % ROWS
    many = insert + ",".join([marks] * ROWS)
    for start in range(0, whole, ROWS):
        db.execute(many, list(chain.from_iterable(rows[start : start + ROWS])))
    db.executemany(insert + marks, rows[whole:])


def _store_head(db: sqlite3.Connection, tree: Tree) -> int:
    fields = (
        tree.title,
        tree.lang,
        _json(tree.meta) if tree.meta else None,
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
    for key in [key for key, t in enumerate(thoughts, first_key) if t.anchors]:
        for position, a in enumerate(thoughts[key - first_key].anchors):
            written = (a.anchor, a.kind, a.phrase)
            number = phrases.get(written)
            if number is None:
                if len(phrases) == PHRASES:
                    phrases.clear()
                number = phrases[written] = _phrase_number(db, written)
            origin = a.origin if a.origin != AUTHORED or a.score is not None else None
            rows.append((key, position, number, origin, a.score))
    _insert_rows(db, "INSERT INTO anchored VALUES ", "(?, ?, ?, ?, ?)", rows)


def _phrase_number(db: sqlite3.Connection, written: tuple[str, str, str]) -> int:
    added = db.execute(
        "INSERT OR IGNORE INTO phrase (anchor, kind, phrase) VALUES (?, ?, ?)", written
    )
    if added.rowcount:
        return int(added.lastrowid or 0)
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


def _drop_unused_phrases(db: sqlite3.Connection) -> None:
    db.execute(
        "DELETE FROM phrase WHERE NOT EXISTS"
        " (SELECT 1 FROM anchored WHERE anchored.phrase = phrase.no)"
    )


def store_nodes(db: sqlite3.Connection, new: Iterable[tuple[Key, Node | None]]) -> None:
    """Put nodes beside the trees in place; None removes one."""
    for at, node in new:
        db.execute("DELETE FROM node WHERE label = ? AND key = ?", at)
        if node:
            links = [(link.type, link.target, dict(link.properties)) for link in node.links]
            texts = (_json(dict(node.properties)), _json(links))
            db.execute("INSERT INTO node VALUES (?, ?, ?, ?)", (*at, *texts))


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
