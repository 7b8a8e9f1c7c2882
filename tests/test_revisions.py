"""Equal content has equal revision, and nothing else has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from forest.model import Axis, Tree
from forest.revision import forest_revision
from tests import strategies
from tests.model_helpers import tree


def full(**changes: Any) -> Tree:
    link = {"phrase": "вода", "kind": "phrase", "anchor": "вода", "origin": "authored"}
    root = {"text": "Корень.", "id": "t/1"}
    step = {"text": "Шаг.", "id": "t/2", "level": 1, "kind": "premise", "lang": "ru"}
    fields: dict[str, Any] = {
        "title": "Дерево",
        "id": "t",
        "lang": "ru",
        "axes": {"a": 0.75, "b": 0.25},
        "meta": {"k": [1, {"x": "y"}]},
        "source": "a.md",
        "source_revision": "1",
        "created_at": datetime(2024, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2024, 1, 1, tzinfo=UTC),
    }
    for key, value in changes.items():
        place, _, name = key.rpartition("__")
        {"": fields, "link": link, "root": root, "step": step}[place][name] = value
    score = {"score": link.pop("score")} if "score" in link else {"score": 0.5}
    step["anchors"] = [link | score, *changes.get("more", [])]
    fields.pop("more", None)
    last = {"text": "Конец.", "id": "t/3", "level": changes.get("last", 1)}
    fields.pop("last", None)
    return Tree(**fields, thoughts=[root, step, last])


VISIBLE = {
    "id": "t2",
    "title": "дерево",
    "lang": "en",
    "axes": {"a": 0.25, "b": 0.75},
    "meta": {"k": [1, {"x": "z"}]},
    "root__text": "Корень",
    "root__id": "t/0",
    "step__text": "Шаг.\n",
    "step__id": "t/4",
    "step__kind": "premises",
    "step__lang": "en",
    "last": 2,
    "link__phrase": "Вода",
    "link__kind": "link",
    "link__anchor": "вода2",
    "link__origin": "discovered",
    "link__score": 0.6,
    "more": [{"phrase": "лёд"}],
}


@pytest.mark.parametrize("field", VISIBLE)
def test_a_visible_change_changes_the_revision(field):
    assert full(**{field: VISIBLE[field]}).revision != full().revision


@pytest.mark.parametrize("field", ["step__kind", "step__lang", "link__score"])
def test_taking_something_away_changes_the_revision(field):
    assert full(**{field: None}).revision != full().revision


def test_the_revision_is_that_of_the_content():
    assert full().revision == full().revision
    assert full(axes={"b": 0.25, "A": 0.75}).revision == full().revision
    assert full(meta={"k": [1, {"x": "y"}]}).revision == full().revision
    later = datetime(2025, 5, 5, tzinfo=UTC)
    for field, value in {
        "source": "b.md",
        "source_revision": None,
        "created_at": later,
        "updated_at": later,
    }.items():
        assert full(**{field: value}).revision == full().revision


def test_the_revision_tells_order_and_borders_apart():
    revisions = [
        tree((0, "r"), (1, "ab"), (1, "c")),
        tree((0, "r"), (1, "a"), (1, "bc")),
        tree((0, "r"), (1, "c"), (1, "ab")),
        tree((0, "r"), (1, "ab"), (2, "c")),
        tree((0, "r"), (1, "ab")),
        Tree("t", thoughts=[{"text": "x", "id": "y/z"}]),
        Tree("t", thoughts=[{"text": "xy", "id": "/z"}]),
        Tree("t", thoughts=[{"text": "x", "kind": "aa"}]),
        Tree("t", thoughts=[{"text": "x", "lang": "aa"}]),
    ]
    assert len({t.revision for t in revisions}) == len(revisions)


@given(strategies.trees(), strategies.trees())
def test_trees_of_equal_revision_are_equal(one, other):
    hidden = dict.fromkeys(("source", "source_revision", "created_at", "updated_at"))
    same = one.model_copy(update=hidden) == other.model_copy(update=hidden)
    assert (one.revision == other.revision) == same or one.axes != other.axes


def test_the_revision_of_a_forest():
    trees, axes = [("a", "1"), ("b", "2")], [Axis(name="x"), Axis(name="y")]
    revision = forest_revision(trees, axes)
    assert forest_revision(trees, reversed(axes)) == revision
    others = [
        forest_revision(trees[:1], axes),
        forest_revision([("a", "2"), ("b", "1")], axes),
        forest_revision(trees, axes[:1]),
        forest_revision(trees, [Axis(name="x", description="d"), axes[1]]),
        forest_revision(trees, [Axis(name="X"), axes[1]]),
        forest_revision([], []),
    ]
    assert len({revision, *others}) == 7
