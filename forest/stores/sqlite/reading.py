"""Trees and anchors out of the tables."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import datetime
from itertools import groupby
from operator import sub
from typing import Any

import orjson

from forest.collector import collector_paused
from forest.fields import is_text
from forest.language import guess_language
from forest.model import (
    AUTHORED,
    Anchor,
    AnchorLink,
    Thought,
    Tree,
    check_levels,
    trusted_link,
    trusted_thoughts,
)
from forest.nodes import Link, Node
from forest.stores.base import best_spelling
from forest.stores.sqlite.faults import Damaged, sound
from forest.stores.sqlite.schema import SPAN
from forest.weights import by_weight


def axes_of(db: sqlite3.Connection, no: int) -> dict[str, float]:
    """The weights of a tree, by the names of its axes."""
    rows = db.execute(
        "SELECT axis.name, weight FROM aligned JOIN axis ON axis.id = aligned.axis"
        " WHERE tree = ? ORDER BY position",
        (no,),
    )
    return by_weight(dict(rows))


def read_tree(db: sqlite3.Connection, tree_id: str, links: dict[int, AnchorLink]) -> Tree | None:
    """A tree as stored, or None. ``links`` caches what authors repeat, by number of the phrase.

    Raises Damaged where it is not what was written.
    """
    if not is_text(tree_id):
        return None  # nothing was ever written under such an id
    with sound(f"tree {tree_id!r}"):
        return _read_tree(db, tree_id, links)


def _read_tree(db: sqlite3.Connection, tree_id: str, links: dict[int, AnchorLink]) -> Tree | None:
    head = db.execute(
        "SELECT no, title, lang, meta, source, source_revision, created_at, updated_at, size"
        " FROM tree WHERE id = ?",
        (tree_id,),
    ).fetchone()
    if head is None:
        return None
    no, title, lang, meta, source, source_revision, created, updated, size = head
    with collector_paused():
        thoughts = _thoughts(db, no, links)
    if len(thoughts) != size:
        raise Damaged(f"tree {tree_id!r}: it says {size} thoughts, and has {len(thoughts)}")
    return Tree.model_construct(
        id=tree_id,
        title=title,
        lang=lang,
        axes=axes_of(db, no),
        meta=orjson.loads(meta) if meta else {},
        source=source,
        source_revision=source_revision,
        created_at=read_time(created),
        updated_at=read_time(updated),
        thoughts=thoughts,
    )


def _thoughts(db: sqlite3.Connection, no: int, links: dict[int, AnchorLink]) -> list[Thought]:
    span = (no * SPAN, (no + 1) * SPAN)
    rows = db.execute(
        "SELECT text, level, id, kind, lang FROM thought WHERE key >= ? AND key < ? ORDER BY key",
        span,
    ).fetchall()
    if not rows:
        return []
    texts, levels, ids, kinds, langs = zip(*rows, strict=True)
    anchors: list[tuple[AnchorLink, ...]] = [()] * len(rows)
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
        anchors[key % SPAN] = (*anchors[key % SPAN], link)
    thoughts = trusted_thoughts(texts, levels, ids, anchors, kinds, langs)
    "".join(texts)  # a TypeError where one is no text
    if levels[0] != 0 or max(map(sub, levels[1:], levels), default=1) > 1:
        _refuse_levels(thoughts)
    return thoughts


def _refuse_levels(thoughts: list[Thought]) -> None:
    try:
        check_levels(thoughts)
    except ValueError as error:
        raise Damaged(str(error)) from None


def _link(
    db: sqlite3.Connection, phrase: int, origin: str | None, score: float | None
) -> AnchorLink:
    anchor, kind, text = db.execute(
        "SELECT anchor, kind, phrase FROM phrase WHERE no = ?", (phrase,)
    ).fetchone()
    return trusted_link(text, kind, anchor, origin or AUTHORED, score)


def anchors_after(
    db: sqlite3.Connection, last: str, newest: int | None, limit: int
) -> list[Anchor]:
    """The anchors that follow ``last``, but none with a spelling of a number above ``newest``.

    Raises Damaged where they are not what was written.
    """
    with sound("the list of anchors"):
        return _anchors_after(db, last, newest, limit)


_AUTHORED = f"coalesce(origin, '{AUTHORED}') = '{AUTHORED}'"


def _anchors_after(
    db: sqlite3.Connection, last: str, newest: int | None, limit: int
) -> list[Anchor]:
    source = (
        "FROM phrase JOIN anchored ON anchored.phrase = phrase.no WHERE anchor IN"
        " (SELECT DISTINCT anchor FROM phrase WHERE anchor > ? AND no <= ?"
        " ORDER BY anchor LIMIT ?)"
    )
    spellings = db.execute(
        f"SELECT anchor, kind, phrase.phrase, count(*), sum({_AUTHORED}) {source}"
        " GROUP BY anchor, kind, phrase.no ORDER BY anchor",
        (last, newest, limit),
    ).fetchall()
    counts = db.execute(
        "SELECT anchor, count(DISTINCT thought / ?), count(DISTINCT thought)"
        f" {source} GROUP BY anchor ORDER BY anchor",
        (SPAN, last, newest, limit),
    ).fetchall()
    groups = groupby(spellings, key=lambda row: row[0])
    return [
        _anchor(db, list(rows), *counted)
        for (_, rows), (_, *counted) in zip(groups, counts, strict=True)
    ]


def _authored_in(db: sqlite3.Connection, anchor: str) -> int:
    """In how many trees an author wrote an anchor."""
    found = db.execute(
        "SELECT count(DISTINCT thought / ?) FROM phrase JOIN anchored"
        " ON anchored.phrase = phrase.no WHERE anchor = ? AND coalesce(origin, ?) = ?",
        (SPAN, anchor, AUTHORED, AUTHORED),
    )
    return int(found.fetchone()[0])


def _anchor(
    db: sqlite3.Connection, spellings: list[tuple[Any, ...]], trees: int, thoughts: int
) -> Anchor:
    """An anchor from its spellings: rows of (anchor, kind, phrase, how often, by authors)."""
    count = Counter[tuple[str, bool]]()
    for _, _, phrase, times, by_authors in spellings:
        count[phrase, True] += by_authors
        count[phrase, False] += times - by_authors
    phrase = best_spelling(count)
    others = sum(times for (_, authored), times in count.items() if not authored)
    return Anchor(
        id=spellings[0][0],
        phrase=phrase,
        kind=min(kind for _, kind, *_ in spellings),
        lang=guess_language([phrase]),
        trees=trees,
        thoughts=thoughts,
        authored=trees if not others else _authored_in(db, spellings[0][0]),
    )


def read_time(value: str | None) -> datetime | None:
    """A time as stored, or None."""
    return datetime.fromisoformat(value) if value else None


def read_nodes(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> list[Node]:
    """The nodes beside the trees that a condition holds for."""
    rows = db.execute(
        f"SELECT label, key, properties, links FROM node WHERE {where}",  # noqa: S608 - constants
        values,
    ).fetchall()
    return [
        Node(label, key, orjson.loads(properties), tuple(Link(*x) for x in orjson.loads(links)))
        for label, key, properties, links in rows
    ]
