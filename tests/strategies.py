"""Hypothesis strategies: trees as authors write them, and as nobody should.

Names and phrases come from small pools, so that trees meet at anchors and axes; texts are Russian,
English, emoji, quotes and line breaks, and now and then anything that Unicode has.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from forest.fields import is_blank
from forest.identity import finished
from forest.model import AnchorLink, Axis, Thought, Tree

WORDS = (
    "справедливость",
    "Ёж",
    "вода → лёд",
    "because",
    "It's",
    "«да»",
    "“no”",
    'a "b"',
    "\\n",
    "100%",
    "$x {y: 1}",
    "'); DROP TABLE tree; --",
    "🌊",
    "👩\u200d🔬",
    "e\u0301",
    "\u202e",
    "\n",
    "\r\n\t",
    "…",
)
PHRASES = (
    "Причинность → следствие",
    "причинность -> следствие",
    "вода",
    "Вода",
    "ВОДА.",
    "лёд",
    "лед",
    "spring's “water”",
    "🌊",
    "\U00010400",
    "ﬀ",
)
AXES = ("причинность", "Причинность", "эмпатия", "paradox", "время ё", "🌀")
KINDS = ("premise", "question", "возражение", "it's")

MARKER = "⤳"
"""The jump marker is in no text that is drawn: an export refuses it, which has tests of its own."""
_visible = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=MARKER)
_anything = st.text(_visible, min_size=1, max_size=20).filter(lambda text: not is_blank(text))
texts = st.one_of(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)
    .map(" ".join)
    .filter(lambda text: not is_blank(text)),
    st.sampled_from(["Да.", "Почему?"]),  # what people say again and again
    _anything,
)
"""What a thought says; some are said often."""

tree_ids = st.sampled_from(["a", "b", "Ж", "ё", "ﬀ", "🌊", "it's", "a/b"])
languages = st.sampled_from(["", "ru", "en", "und", "de-CH"])
scores = st.none() | st.floats(0, 1)

anchor_links = st.builds(
    AnchorLink,
    phrase=st.sampled_from(PHRASES),
    kind=st.sampled_from(["phrase", "phrase", "link", "tag"]),
    anchor=st.sampled_from(["", "", "", "вода", "own id"]),
    origin=st.sampled_from(["authored", "discovered"]),
    score=scores,
)
anchors = st.lists(anchor_links, max_size=3, unique_by=lambda a: (a.anchor, a.kind, a.phrase)).map(
    tuple
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_anything, inner, max_size=3),
    max_leaves=6,
)
metas = st.dictionaries(_anything, json_values, max_size=3)

times = st.none() | st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001 - the zone is drawn
    datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)


@st.composite
def axis_weights(draw: st.DrawFn) -> dict[str, float]:
    """Weights that sum to 1."""
    names = draw(st.lists(st.sampled_from(AXES), max_size=4, unique_by=str.casefold))
    parts = [draw(st.integers(1, 100)) for _ in names]
    return {name: part / sum(parts) for name, part in zip(names, parts, strict=True)}


@st.composite
def outlines(draw: st.DrawFn, max_size: int = 12) -> list[int]:
    """Levels in reading order: one root, never deeper by more than one."""
    levels = [0]
    for step in draw(st.lists(st.integers(0, 4), max_size=max_size - 1)):
        levels.append(max(levels[-1] + 1 - step, 1))
    return levels


@st.composite
def raw_trees(draw: st.DrawFn, ids: st.SearchStrategy[str] = tree_ids, max_size: int = 12) -> Tree:
    """A tree as an author hands it in: its thoughts have no ids."""
    kinds = st.none() | st.sampled_from(KINDS)
    thoughts = [
        Thought(
            text=draw(texts),
            level=level,
            kind=draw(kinds),
            lang=draw(st.sampled_from([None, None, "en"])),
            anchors=draw(anchors),
        )
        for level in draw(outlines(max_size))
    ]
    return Tree(
        draw(st.sampled_from(["Справедливость", "It's “this”", "🌊"])),
        id=draw(ids),
        lang=draw(languages),
        axes=draw(axis_weights()),
        meta=draw(metas),
        source=draw(st.sampled_from([None, "заметки/а.md"])),
        created_at=draw(times),
        updated_at=draw(times),
        thoughts=thoughts,
    )


def trees(ids: st.SearchStrategy[str] = tree_ids, max_size: int = 12) -> st.SearchStrategy[Tree]:
    """A tree as stores keep it: finished."""
    return raw_trees(ids, max_size).map(finished)


axes = st.builds(Axis, name=st.sampled_from(AXES), description=st.sampled_from(["", "о чём", "🌀"]))
