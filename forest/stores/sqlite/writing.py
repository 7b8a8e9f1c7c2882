"""Trees into the tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import orjson

from forest.errors import Conflict
from forest.model import Thought, Tree
from forest.nodes import Key, Node
from forest.phrases import phrase_key
from forest.stores.base import Written, id_taken
from forest.stores.sqlite.schema import SPAN


def store_tree(
    db: sqlite3.Connection,
    old: list[Thought] | None,
    new: Tree,
    phrases: dict[tuple[str, str, str], int],
    written: Written,
) -> None:
    """Put a tree in the place of the ``old`` thoughts and say so in ``written``.

    ``phrases`` caches numbers of phrases. Raises Conflict where another tree has one of its ids.
    """
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
    for key, anchors in enumerate([t.anchors for t in thoughts], first_key):
        if not anchors:
            continue  # most
        for position, a in enumerate(anchors):
            written = (a.anchor, a.kind, a.phrase)
            number = phrases.get(written)
            if number is None:
                number = phrases[written] = _phrase_number(db, written)
            origin = a.origin if a.origin != "authored" or a.score is not None else None
            rows.append((key, position, number, origin, a.score))
    if rows:
        db.executemany("INSERT INTO anchored VALUES (?, ?, ?, ?, ?)", rows)


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


def free_ids(db: sqlite3.Connection, before: list[Thought], keep: set[str]) -> None:
    """Delete rows of thoughts that leave a tree, so that another tree can take their ids."""
    gone = [(t.id,) for t in before if t.id not in keep]
    db.executemany("DELETE FROM thought WHERE id = ?", gone)


def remove_tree(db: sqlite3.Connection, tree_id: str) -> None:
    """Remove a tree with its thoughts."""
    no = db.execute("SELECT no FROM tree WHERE id = ?", (tree_id,)).fetchone()[0]
    span = (no * SPAN, (no + 1) * SPAN)
    db.execute("DELETE FROM thought WHERE key >= ? AND key < ?", span)
    db.execute("DELETE FROM anchored WHERE thought >= ? AND thought < ?", span)
    db.execute("DELETE FROM aligned WHERE tree = ?", (no,))
    db.execute("DELETE FROM tree WHERE no = ?", (no,))


def drop_unused_phrases(db: sqlite3.Connection) -> None:
    """Remove the spellings, and so the anchors, that no thought carries any more."""
    db.execute(
        "DELETE FROM phrase WHERE NOT EXISTS"
        " (SELECT 1 FROM anchored WHERE anchored.phrase = phrase.no)"
    )


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
