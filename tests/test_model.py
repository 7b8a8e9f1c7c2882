"""The model: what it refuses, and how it says so."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from forest.errors import InvalidInput, InvalidTree
from forest.fields import MAX_ID, MAX_TEXT
from forest.model import Anchor, AnchorLink, Axis, Thought, Tree, anchor_id
from forest.phrases import phrase_key


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": ""}, "the text is empty"),
        ({"text": " \n\t\u00a0"}, "the text is empty"),
        ({"text": "\u200b\u2060 \ufeff"}, "the text is empty"),
        ({"text": "a" * (MAX_TEXT + 1)}, "1,000,001 characters, more than 1,000,000"),
        ({"text": "ab\0"}, r"U\+0000 at offset 2 is not text"),
        ({"text": "\x1b[31m"}, r"U\+001B at offset 0"),
        ({"text": "a\ud800"}, r"U\+D800 at offset 1"),
        ({"text": "a", "level": -1}, "greater than or equal to 0"),
        ({"text": "a", "level": 1.5}, "level"),
        ({"text": "a", "id": "x" * (MAX_ID + 1)}, "513 characters, more than 512"),
        ({"text": "a", "id": "x\ny"}, r"U\+000A may not stand in it"),
        ({"text": "a", "kind": "x\u2028y"}, r"U\+2028 may not stand in it"),
        ({"text": "a", "kind": " "}, "it is empty"),
        ({"text": "a", "lang": ""}, "it is empty"),
        ({"text": "a", "anchors": "вода"}, r"put it into \[ \]"),
        ({"text": "a", "anchors": [5]}, "anchor 1: "),
        ({"text": "a", "anchors": ["..."]}, "'...' has no letter to be matched by"),
        ({"text": "a", "anchors": [{"phrase": "x", "kind": "verb"}]}, "'phrase', 'link' or 'tag'"),
        ({"text": "a", "anchors": [{"phrase": "x", "score": 1.01}]}, "less than or equal to 1"),
        ({"text": "a", "anchors": [{"phrase": "x", "score": math.nan}]}, "score"),
        ({"text": "a", "anchors": [{"phrase": "x", "anchor": "y\n"}]}, r"U\+000A may not stand"),
        ({"text": "a", "anchors": [{"phrase": "x", "weight": 1}]}, "weight"),
        ({"text": "a", "colour": "red"}, "colour"),
    ],
)
def test_a_thought_refuses(fields, message):
    with pytest.raises(InvalidTree, match=message):
        Thought(**fields)
    with pytest.raises(InvalidTree, match=message):
        Tree("t", thoughts=[fields])


def test_a_text_is_kept_verbatim():
    for text in (" a ", "a\r\nb\tc", "a\u200b", "x" * MAX_TEXT, "e\u0301", "\u0085x"):
        assert Thought(text=text).text == text


def test_names_are_trimmed_and_composed():
    thought = Thought(text="a", id=" e\u0301 ", kind=" premise ")
    assert (thought.id, thought.kind) == ("é", "premise")
    assert Tree(" Мир\u0438\u0306 ").title == "Мирй"


@pytest.mark.parametrize("field", ["text", "level", "id", "kind", "lang", "anchors"])
def test_a_thought_is_immutable(field):
    with pytest.raises(AttributeError):
        setattr(Thought(text="a"), field, "b")


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([1], "thought 1 has level 1: the first one is the root, level 0"),
        ([0, 0], r"thought 2 has level 0 \('1'\): a tree has one root"),
        ([0, 1, 0], r"thought 3 has level 0"),
        ([0, 2], r"thought 2 jumps from level 0 to 2 \('1'\): expected at most 1"),
        ([0, 1, 2, 1, 3], r"thought 5 jumps from level 1 to 3"),
    ],
)
def test_an_outline_that_is_no_tree_is_refused(levels, message):
    thoughts = [{"text": str(i), "level": level} for i, level in enumerate(levels)]
    with pytest.raises(InvalidTree, match=message):
        Tree("t", thoughts=thoughts)
    with pytest.raises(InvalidTree, match=message):
        Tree("t").thoughts = [Thought(**t) for t in thoughts]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"title": ""}, "it is empty"),
        ({"title": "a\nb"}, r"U\+000A may not stand in it"),
        ({"title": "t", "id": "a\0b"}, r"U\+0000 may not stand in it"),
        ({"title": "t", "thought": []}, "thought"),
        ({"title": "t", "axes": {"a": 0.5, "b": 0.4}}, "sum to 0.9: they must sum to 1"),
        ({"title": "t", "axes": ["a", "A"]}, "an axis is named twice"),
        ({"title": "t", "meta": {"n": 10**30}}, "cannot be kept as JSON: Integer exceeds 64-bit"),
        ({"title": "t", "meta": {"n": math.nan}}, "NaN and infinity are no JSON numbers"),
        ({"title": "t", "meta": {"n": [math.inf]}}, "NaN and infinity are no JSON numbers"),
        ({"title": "t", "meta": {"s": "\ud800"}}, "cannot be kept as JSON"),
        ({"title": "t", "meta": {"when": datetime.now(UTC)}}, "meta.when"),
    ],
)
def test_a_tree_refuses(fields, message):
    with pytest.raises(InvalidTree, match=message):
        Tree(**fields)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tree(""), r"^title: it is empty\n.*Tree\('Justice'\)"),
        (lambda: Tree(None), r"^title: Field required\n.*Tree\('Justice'\)"),
        (lambda: Tree(5), r"^title: .*string"),  # type: ignore[arg-type]
        (lambda: Thought(text=""), r"^text: the text is empty\n.*Thought\(text="),
        (
            lambda: Tree("t", thoughts=[{"text": "a"}, {"text": "", "level": 1}]),
            "^thought 2, text:",
        ),
        (lambda: setattr(Tree("t"), "title", ""), "^tree 't': title: it is empty"),
        (lambda: Tree("t").add(""), "^tree 't': text: the text is empty"),
    ],
)
def test_what_is_refused_is_said_in_one_line_and_in_full_by_its_cause(make, said):
    with pytest.raises(InvalidTree, match=said) as caught:
        make()
    assert isinstance(caught.value.__cause__, ValidationError)


def test_a_tree_gets_its_id_from_its_title():
    assert Tree("Что такое «Справедливость»?").id == "что-такое-справедливость"
    assert Tree("Justice", id="other").id == "other"
    assert Tree.model_validate({"title": "Justice"}).id == "justice"
    assert Tree.model_validate_json('{"title": "Justice"}').id == "justice"
    assert Tree("🌊").id == "🌊"
    assert Tree("Мирй").id == Tree("Мирй").id


def test_a_file_name_that_is_no_text_is_kept_readable():
    assert Tree("t", source="a\udcff.md").source == r"a\udcff.md"


def test_an_empty_tree_has_no_root():
    with pytest.raises(InvalidTree, match="'t' has no thoughts"):
        Tree("t").root  # noqa: B018 - a property
    assert Tree("t").depth == -1


def test_an_axis_is_keyed_by_its_name():
    assert Axis(name=" Время — Ё ").id == phrase_key("время - е")
    assert Axis("Время") == Axis(name="Время")
    with pytest.raises(InvalidInput, match="axis '': name: it is empty"):
        Axis(name="")
    with pytest.raises(InvalidInput, match="no letter"):
        Axis("...")
    assert Axis(id="Время - Е", name="время — ё").id == "время - е"
    with pytest.raises(InvalidInput, match="'x': expected 'время', the key of its name"):
        Axis(id="x", name="Время")


def test_an_anchor_is_made_of_its_phrase():
    assert Anchor(phrase="Вода").id == "вода"
    assert Anchor(phrase="Вода", kind="tag").id == "#вода"
    with pytest.raises(InvalidTree, match="no letter"):
        Anchor()


def test_kinds_of_anchors_do_not_meet():
    assert anchor_id("Вода") == "вода"
    assert anchor_id("Вода", "link") == "[[вода]]"
    assert anchor_id("Вода", "tag") == "#вода"
    assert anchor_id("#Вода", "link") == "[[#вода]]"
    thought = Thought(text="a", anchors=("Вода", AnchorLink(phrase="x", anchor="вода")))  # type: ignore[arg-type]
    assert [a.anchor for a in thought.anchors] == ["вода", "вода"]
    assert [a.phrase for a in thought.anchors] == ["Вода", "x"]


@pytest.mark.parametrize("lang", ["русский", "ru_RU", "English (UK)"])
def test_a_language_that_is_none_is_refused(lang: str) -> None:
    said = r"lang: expected a language such as ru, en or pt-BR \(BCP 47\)"
    with pytest.raises(InvalidTree, match=said):
        Tree("Tree", lang=lang)
    tree = Tree("Tree", lang="pt-BR")
    with pytest.raises(InvalidTree, match=f"tree 'tree': {said}"):
        tree.add("text", lang=lang)
    root = tree.add("text", lang="x-lojban")
    with pytest.raises(InvalidTree, match=said):
        tree.edit(root, lang=lang)
    with pytest.raises(InvalidTree, match=said):
        tree.lang = lang
