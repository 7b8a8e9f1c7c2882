"""Trees to try a store with, and all that can be read from it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from forest.identity import finished
from forest.model import AnchorLink, Thought, Tree
from forest.revision import forest_revision
from forest.stores.base import Store, Written

ORDERED = ("B", "Z", "a", "b", "Ж", "а", "я", "ё", "ﬀ", "Ａ", "𐀀", "🌊")
"""Ids by code point. UTF-16 would put the last two before ``ﬀ``; a dictionary, ``ё`` before ``я``.
"""

WEIRD = (
    "it's",
    'say "no"',
    "`back`tick",
    "back\\slash",
    "100%",
    "%s %d {0} {id} $id :id ?1 @x",
    "'); DROP TABLE tree; --",
    "}) DETACH DELETE n //",
    "/* open",
    "a/b/../c",
    "*",
    "null",
    "-0",
    "<b>&amp;</b>",
    "e\u0301",
    "🧊→💧→☁️",
    "\u202eright to left",
    "zero\u200bwidth",
)
"""Names that are code somewhere; in a store they are data."""


def tree(tree_id: str, *thoughts: str | tuple[int, str] | Thought, **fields: Any) -> Tree:
    """A finished tree: texts are a root with children, pairs are (level, text)."""
    written = thoughts or (f"Что такое {tree_id}?", "Шаг.")
    outline = [_thought(t, default_level=min(i, 1)) for i, t in enumerate(written)]
    return finished(Tree(fields.pop("title", tree_id), id=tree_id, thoughts=outline, **fields))


def _thought(written: str | tuple[int, str] | Thought, default_level: int) -> Thought:
    if isinstance(written, Thought):
        return written
    level, text = (default_level, written) if isinstance(written, str) else written
    return Thought(text=text, level=level)


def thought(text: str, *anchors: str | AnchorLink, level: int = 0, id: str = "") -> Thought:
    """A thought with the anchors of these spellings."""
    links = tuple(AnchorLink(phrase=a) if isinstance(a, str) else a for a in anchors)
    return Thought(text=text, level=level, id=id, anchors=links)


def rich_tree() -> Tree:
    """A tree with something in every field."""
    twice = (
        AnchorLink(phrase="Причинность → следствие"),
        AnchorLink(phrase="причинность -> следствие", origin="discovered", score=0.1 + 0.2),
        AnchorLink(phrase="Spring's “water”", kind="link"),
        AnchorLink(phrase="вода", kind="tag"),
        AnchorLink(phrase="H₂O", anchor="вода"),
    )
    return finished(
        Tree(
            "Справедливость: «что это?»",
            id="justice",
            lang="ru",
            axes={"причинность": 0.7, "Эмпатия": 0.2, "paradox": 0.1},
            meta={
                "uid": "Δ12",
                "n": 12,
                "float": 0.1,
                "yes": True,
                "none": None,
                "deep": [{"ключ": ["значение", {"🌊": [1, 2.5, ""]}]}, []],
            },
            source="заметки/justice.md",
            source_revision="e3b0c44298fc",
            created_at=datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
            updated_at=datetime(2025, 1, 1, 3, 0, 0, tzinfo=timezone(timedelta(hours=3))),
            thoughts=[
                Thought(text="Что есть справедливость?", kind="question", lang="ru"),
                Thought(text="A fit of deeds\nand norms.", level=1, kind="premise", lang="en"),
                Thought(text="Норма → поступок\t«и»\r\n…", level=2, anchors=twice),
                Thought(text="Норма → поступок\t«и»\r\n…", level=2, anchors=twice[:1]),
                Thought(text="  пробелы по краям  ", level=3, id="own"),
                Thought(text="🌊💧 e\u0301 é ﬁ \u00a0\u200b\U0001f469\u200d\U0001f52c", level=1),
            ],
        )
    )


def put(store: Store, *trees: Tree) -> Written:
    """Write trees as they are, whatever is there."""
    return store.write(iter(trees), lambda _, new: new)


def everything(store: Store, places: Iterable[str] | None = None) -> dict[str, Any]:
    """All that can be read from a store, for comparing two of them.

    :param places: the anchors whose thoughts are looked up; all of them by default.
    """
    anchors = list(store.anchors())
    looked_at = [a.id for a in anchors] if places is None else places
    return {
        "trees": [shown(t) for t in store.trees()],
        "infos": [dict(info) for info in store.infos()],
        "revisions": list(store.revisions()),
        "anchors": anchors,
        "occurrences": {anchor: list(store.occurrences(anchor)) for anchor in looked_at},
        "axes": store.axes(),
        "nodes": list(store.all_nodes()),
        "revision": forest_revision(store.revisions(), store.axes(), store.all_nodes()),
    }


def shown(tree: Tree) -> dict[str, Any]:
    """All fields of a tree, with what ``==`` on dicts and times does not see made visible."""
    fields = {name: getattr(tree, name) for name in Tree.model_fields}
    fields["axes"] = list(tree.axes.items())
    for name in ("created_at", "updated_at"):
        fields[name] = fields[name] and fields[name].isoformat()
    return fields
