"""The model: what it refuses, what its operations keep, what its ids and revisions promise."""

from __future__ import annotations

import copy
import math
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from forest.errors import InvalidTree, NotFound
from forest.language import guess_language
from forest.model import (
    MAX_ID,
    MAX_TEXT,
    AnchorLink,
    Axis,
    Thought,
    Tree,
    anchor_id,
    axis_weights,
    check_levels,
    finished,
)
from forest.phrases import phrase_key, tree_id_from
from forest.revision import forest_revision
from forest.stores.memory import MemoryStore
from forest.stores.sqlite import SqliteStore
from tests import strategies

LEVELS = 100_000


def tree(*outline: tuple[int, str], **fields: Any) -> Tree:
    thoughts = [Thought(text=text, level=level) for level, text in outline]
    return finished(Tree("t", thoughts=thoughts, **fields))


def outline(tree: Tree) -> list[tuple[int, str]]:
    return [(t.level, t.text) for t in tree.thoughts]


def ids(tree: Tree) -> list[str]:
    return [t.id for t in tree.thoughts]


BRANCHES = ((0, "r"), (1, "a"), (2, "b"), (3, "c"), (2, "d"), (1, "e"), (2, "f"))


# --- what is refused, and how it is said ---------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": ""}, "the text is empty"),
        ({"text": " \n\t\u00a0"}, "the text is empty"),
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
        ({"text": "a", "anchors": [5]}, "anchors.0"),
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
    with pytest.raises(ValidationError, match=message):
        Thought(**fields)
    with pytest.raises(ValidationError, match=message):
        Tree("t", thoughts=[fields])


def test_a_text_is_kept_verbatim():
    for text in (" a ", "a\r\nb\tc", "\u200b", "x" * MAX_TEXT, "e\u0301", "\u0085x"):
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
    with pytest.raises(ValidationError, match=message):
        Tree("t", thoughts=thoughts)
    with pytest.raises(ValidationError, match=message):
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
    with pytest.raises(ValidationError, match=message):
        Tree(**fields)


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
    with pytest.raises(ValidationError, match="it is empty"):
        Axis(name=" ")
    with pytest.raises(ValidationError, match="no letter"):
        Axis(name="...")


# --- anchors, phrases, languages -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Причинность → следствие", "причинность -> следствие"),
        ("Причинность → следствие", "ПРИЧИННОСТЬ=>следствие"),
        ("Причинность → следствие", "причинность   ⟶\u00a0следствие."),
        ("причинность --> следствие", "причинность ⇒ следствие"),
        ("ёж", "Еж"),
        ("елка", "е\u0308лка"),
        ("«вода»", "“Вода”"),
        ("„вода“", '"вода"'),
        ("it’s", "It's"),
        ("кто–то", "кто-то"),
        ("кто—то", "кто‑то"),
        ("x − y", "X - y"),
        ("вода  и\u00a0лёд", "вода и лед"),
        ("вода...", "вода"),
        ("é", "e\u0301"),
        ("STRASSE", "straße"),
    ],
)
def test_spellings_of_one_phrase(one, other):
    assert phrase_key(one) == phrase_key(other)
    assert AnchorLink(phrase=one).anchor == AnchorLink(phrase=other).anchor


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Причинность → следствие", "причинность"),
        ("Причинность → следствие", "следствие → причинность"),
        ("Причинность → следствие", "причинность следствие"),
        ("вода", "воды"),
        ("вода", "вода?"),
        ("вода", '"вода"'),
        ("a", "а"),  # Latin and Cyrillic
        ("й", "и"),
        ("x-y", "x y"),
    ],
)
def test_phrases_that_are_not_the_same(one, other):
    assert phrase_key(one) != phrase_key(other)


@given(st.text(max_size=20))
def test_a_key_is_trimmed_and_lower_case(phrase):
    key = phrase_key(phrase)
    assert key == key.strip()
    assert phrase_key(phrase.upper()) == phrase_key(phrase.upper().lower().upper())
    assert phrase_key(f"  {phrase}\n") == key


def test_kinds_of_anchors_do_not_meet():
    assert anchor_id("Вода") == "вода"
    assert anchor_id("Вода", "link") == "[[вода]]"
    assert anchor_id("Вода", "tag") == "#вода"
    thought = Thought(text="a", anchors=("Вода", AnchorLink(phrase="x", anchor="вода")))  # type: ignore[arg-type]
    assert [a.anchor for a in thought.anchors] == ["вода", "вода"]
    assert [a.phrase for a in thought.anchors] == ["Вода", "x"]


def test_tree_ids_are_short_and_plain():
    assert tree_id_from("It's 100%, да!") == "it-s-100-да"
    assert tree_id_from("a/b\\c") == "a-b-c"
    assert len(tree_id_from("слово " * 100)) <= 120
    assert not tree_id_from("слово " * 100).endswith("-")


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["Что такое справедливость?"], "ru"),
        (["What is justice?"], "en"),
        (["Слово justice в русском тексте"], "ru"),
        (["A mostly English text with слово"], "en"),
        (["🌊 → 🧊", "12 + 7"], "und"),
        ([], "und"),
        (["🌊", "…", "вода"], "ru"),
        (["Да. " * 200, "English " * 500], "ru"),  # the beginning decides
    ],
)
def test_languages(texts, language):
    assert guess_language(texts) == language


# --- axes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "weights"),
    [
        ({}, {}),
        ([], {}),
        (["a"], {"a": 1.0}),
        (["a", "b"], {"a": 0.5, "b": 0.5}),
        (("a", "b", "c"), {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 100}, {"a": 1.0}),
        ({"a": 0.8, "b": 0.2}, {"a": 0.8, "b": 0.2}),
        ({"a": 80, "b": 20}, {"a": 0.8, "b": 0.2}),
        ({"a": "80%", "b": "20 %"}, {"a": 0.8, "b": 0.2}),
        ({"a": "0.8", "b": "0,2"}, {"a": 0.8, "b": 0.2}),
        ({"a": "80", "b": "20"}, {"a": 0.8, "b": 0.2}),
        ({"a": "80%", "b": 0.2}, {"a": 0.8, "b": 0.2}),
        ({"a": 33.3, "b": 33.3, "c": 33.4}, {"a": 0.333, "b": 0.333, "c": 0.334}),
        ({"a": 33.3, "b": 33.3, "c": 33.3}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ({"a": 0.333, "b": 0.333, "c": 0.333}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ({"a": 0.1, "b": 0.2, "c": 0.7}, {"a": 0.1, "b": 0.2, "c": 0.7}),
        ({" b ": 0.5, "а": 0.5}, {"b": 0.5, "а": 0.5}),
    ],
)
def test_ways_of_writing_weights(written, weights):
    found = axis_weights(written)
    assert found == pytest.approx(weights)
    assert list(found) == list(weights)
    assert not found or sum(found.values()) == pytest.approx(1, abs=1e-9)
    assert Tree("t", axes=written).axes == found
    assert axis_weights(found) == found  # a tree that is read and written back stays as it is


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"a": 0.5}, "sum to 0.5"),
        ({"a": 0.6, "b": 0.6}, "sum to 1.2: they must sum to 1"),
        ({"a": 60, "b": 60}, "'b'|sum to 120"),
        ({"a": 0, "b": 1}, "the weight of axis 'a' is 0: expected a number above 0"),
        ({"a": -0.5, "b": 1.5}, "the weight of axis 'a' is -0.5"),
        ({"a": math.nan}, "the weight of axis 'a' is nan"),
        ({"a": math.inf}, "the weight of axis 'a' is inf"),
        ({"a": True}, "the weight of axis 'a' is True"),
        ({"a": None}, "the weight of axis 'a' is None"),
        ({"a": "much"}, "the weight of axis 'a' is 'much'"),
        ({"a": "-50%"}, "the weight of axis 'a' is '-50%'"),
        ({"a": 250}, "the weight of axis 'a' is 250: .* at most 1 "),
        ({"a": 0.5, "A": 0.5}, "an axis is named twice"),
        (["ёж", "еж"], "an axis is named twice"),
        (["a", "a"], "an axis is named twice"),
        ([0.5, 0.5], "write weights as {name: weight}"),
        ([{"a": 1}], "write weights as {name: weight}"),
        ("a", "axes are a list of names, or names with weights"),
        ({5: 1}, "an axis is called 5: a name must be text"),
        ({"": 1}, "the axis name ''"),
        ({"a\nb": 1}, r"U\+000A may not stand in it"),
        ({"...": 1}, "no letter"),
    ],
)
def test_weights_that_are_refused(written, message):
    with pytest.raises(ValueError, match=message):
        axis_weights(written)
    with pytest.raises(ValidationError, match=message):
        Tree("t", axes=written)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40))
def test_fractions_are_kept_exactly(parts):
    written = {f"axis {i}": part / sum(parts) for i, part in enumerate(parts)}
    assert axis_weights(written) == written


# --- building ------------------------------------------------------------------------------------


def test_a_chain_is_a_loop_of_add():
    t = Tree("t")
    for text in "abc":
        t.add(text)
    assert outline(t) == [(0, "a"), (1, "b"), (2, "c")]
    assert (t.depth, len(t), t.root.text) == (2, 3, "a")


def test_add_finds_its_place():
    t = tree(*BRANCHES)
    _, a, b, _, _, e, _ = t.thoughts
    assert t.add("last", under=a).level == 2
    t.add("first", under=a.id, at=0)
    t.add("middle", under=a, at=1)
    t.add("below b", under=b, at=1)
    t.add("end", under=e.id.removeprefix("t/"))
    assert outline(t) == [
        (0, "r"),
        (1, "a"),
        (2, "first"),
        (2, "middle"),
        (2, "b"),
        (3, "c"),
        (3, "below b"),
        (2, "d"),
        (2, "last"),
        (1, "e"),
        (2, "f"),
        (2, "end"),
    ]


def test_add_refuses():
    t = tree(*BRANCHES)
    before = list(t.thoughts)
    with pytest.raises(NotFound, match="tree 't' has no thought 'nowhere'"):
        t.add("x", under="nowhere")
    with pytest.raises(InvalidTree, match="has 2 children: a new one can be number 0 to 2, not 3"):
        t.add("x", under=t.root, at=3)
    with pytest.raises(InvalidTree, match="not -1"):
        t.add("x", under=t.root, at=-1)
    with pytest.raises(InvalidTree, match="already has a thought"):
        t.add("x", id=t.root.id)
    with pytest.raises(InvalidTree, match="tree 't': text: the text is empty"):
        t.add(" ")
    assert t.thoughts == before


def test_ids_of_added_thoughts():
    t = Tree("t")
    assert t.add("a", id="own").id == "t/own"
    assert t.add("a", id="other/own").id == "other/own"
    same = [t.add("Да.").id for _ in range(5)]
    assert len(set(same)) == 5
    assert all(id_.startswith("t/") for id_ in same)


def test_a_thought_is_found_by_itself_by_its_id_and_by_the_end_of_its_id():
    t = tree(*BRANCHES)
    b = t.thoughts[2]
    assert t[b.id] is t[b.id.removeprefix("t/")] is b
    assert t.index(b) == 2
    with pytest.raises(NotFound):
        t.index("")


def test_thoughts_without_ids_can_be_used_to_say_where():
    t = Tree("t", thoughts=[Thought(text=x, level=level) for level, x in BRANCHES])
    a, b = t.thoughts[1:3]
    assert [x.text for x in t.children(a)] == ["b", "d"]
    assert [x.text for x in t.path(b)] == ["r", "a", "b"]
    t.add("new", under=a, at=0)
    t.move(b, under=t.root, at=0)
    assert outline(t)[:5] == [(0, "r"), (1, "b"), (2, "c"), (1, "a"), (2, "new")]
    with pytest.raises(NotFound):
        t.path(Thought(text="r"))


def test_edit_changes_one_thought_and_keeps_its_place_and_id():
    t = tree(*BRANCHES)
    before = list(t.thoughts)
    new = t.edit(before[2], text="B", kind="objection", lang="en", anchors=["вода"])
    assert (new.id, new.level) == (before[2].id, before[2].level)
    assert (new.text, new.kind, new.lang) == ("B", "objection", "en")
    assert [a.anchor for a in new.anchors] == ["вода"]
    assert t.thoughts == [*before[:2], new, *before[3:]]
    assert t.edit(new, text="again").anchors == new.anchors
    assert t.edit(new, kind=None).kind is None


def test_edit_refuses():
    t = tree(*BRANCHES)
    before = list(t.thoughts)
    with pytest.raises(InvalidTree, match="a thought has no id, level to edit"):
        t.edit(t.root, level=1, id="x")
    with pytest.raises(InvalidTree, match=f"thought '{t.root.id}': text: the text is empty"):
        t.edit(t.root, text="")
    with pytest.raises(NotFound):
        t.edit("nowhere", text="x")
    assert t.thoughts == before


def test_move_takes_the_whole_branch():
    t = tree(*BRANCHES)
    _, a, b, c, _, e, f = t.thoughts
    moved = t.move(b, under=e, at=0)
    assert (moved.id, moved.level, t[c.id].level) == (b.id, 2, 3)
    assert outline(t) == [(0, "r"), (1, "a"), (2, "d"), (1, "e"), (2, "b"), (3, "c"), (2, "f")]
    t.move(e, under=a)
    t.move(f.id, under=a.id, at=0)
    assert outline(t) == [(0, "r"), (1, "a"), (2, "f"), (2, "d"), (2, "e"), (3, "b"), (4, "c")]
    t.move(f, under=a)  # among its own siblings
    assert [x.text for x in t.children(a)] == ["d", "e", "f"]


def test_move_refuses_and_leaves_all_as_it_was():
    t = tree(*BRANCHES)
    r, a, b, c, d, e, _ = before = list(t.thoughts)
    for thought, under, message in (
        (a, c, "cannot move below itself: that would be a cycle"),
        (a, a, "cycle"),
        (r, a, "cycle"),
        (r, r, "cycle"),
    ):
        with pytest.raises(InvalidTree, match=message):
            t.move(thought, under=under)
    with pytest.raises(InvalidTree, match="has 1 children: a new one can be number 0 to 1, not 2"):
        t.move(b, under=e, at=2)
    with pytest.raises(InvalidTree, match="has 1 children"):
        t.move(d, under=a, at=2)  # d itself does not count
    with pytest.raises(NotFound):
        t.move(b, under="nowhere")
    assert t.thoughts == before


def test_prune_gives_the_branch_as_a_tree():
    t = tree(*BRANCHES, lang="ru")
    _, a, b, c, d, _, _ = t.thoughts
    branch = t.prune(a)
    assert outline(t) == [(0, "r"), (1, "e"), (2, "f")]
    assert outline(branch) == [(0, "a"), (1, "b"), (2, "c"), (1, "d")]
    assert ids(branch) == [a.id, b.id, c.id, d.id]
    assert (branch.id, branch.title, branch.lang) == (a.id, "a", "ru")


@pytest.mark.parametrize(
    "text", ["tab\there", " \n first\nsecond", "x" * 600, "\u200b", "a\u0085b"]
)
def test_prune_names_the_branch_whatever_it_says(text):
    t = tree((0, "r"), (1, text))
    assert t.prune(t.thoughts[1]).title.split()[0] in text
    assert outline(t) == [(0, "r")]


def test_prune_refuses_the_root():
    t = tree(*BRANCHES)
    with pytest.raises(InvalidTree, match=r"is the root of tree 't'\n.*forest remove t"):
        t.prune(t.root)
    assert outline(t) == list(BRANCHES)


def test_graft_keeps_ids_that_are_free():
    t, branch = tree(*BRANCHES), tree((0, "x"), (1, "a"), id="other")
    first = t.graft(branch, under=t.thoughts[2], at=0)
    assert (first.id, first.level) == (branch.root.id, 3)
    assert outline(t)[2:6] == [(2, "b"), (3, "x"), (4, "a"), (3, "c")]
    t.graft(branch, under=t.root)
    assert len(set(ids(t))) == len(t) == 11
    t.graft(branch)
    assert outline(t)[-2:] == [(3, "x"), (4, "a")]


def test_graft_refuses_and_leaves_all_as_it_was():
    t, branch = tree(*BRANCHES), tree((0, "x"))
    before = list(t.thoughts)
    with pytest.raises(InvalidTree, match="children"):
        t.graft(branch, under=t.root, at=7)
    with pytest.raises(NotFound):
        t.graft(branch, under="nowhere")
    assert t.thoughts == before
    assert t.add("x", under=t.root).id == branch.root.id  # its id was not used up


def test_reading_the_structure():
    t = tree(*BRANCHES)
    assert t.parents() == [-1, 0, 1, 2, 1, 0, 5]
    assert [t.end(i) for i in range(7)] == [7, 5, 4, 4, 5, 7, 7]
    assert [x.text for x in t.children(t.root)] == ["a", "e"]
    assert [x.text for x in t.path(t.thoughts[3])] == ["r", "a", "b", "c"]
    assert [(x.text, p and p.text) for x, p in t.walk()] == [
        ("r", None),
        ("a", "r"),
        ("b", "a"),
        ("c", "b"),
        ("d", "a"),
        ("e", "r"),
        ("f", "e"),
    ]


def test_trees_are_equal_by_content():
    one, other = tree(*BRANCHES), tree(*BRANCHES)
    one.add("x")
    other.add("x")
    assert one == other
    assert Tree.model_validate(one.model_dump()) == one
    assert copy.deepcopy(one) == one
    other.add("y")
    assert one != other
    assert one != "t"


# --- building: properties ------------------------------------------------------------------------


def places(data: st.DataObject, t: Tree, first: int = 0) -> Thought:
    return t.thoughts[data.draw(st.integers(first, len(t) - 1))]


def holds_together(t: Tree) -> None:
    check_levels(t.thoughts)
    assert len(set(ids(t))) == len(t)
    assert all(ids(t))


@given(strategies.trees(), st.data())
@settings(max_examples=80)
def test_any_operations_leave_a_tree(t, data):
    for _ in range(4):
        operation = data.draw(st.sampled_from(["add", "edit", "move", "prune", "graft"]))
        try:
            if operation == "add":
                at = data.draw(st.none() | st.integers(-1, 3))
                t.add(data.draw(strategies.texts), under=places(data, t), at=at)
            elif operation == "edit":
                t.edit(places(data, t), text=data.draw(strategies.texts))
            elif operation == "move":
                at = data.draw(st.none() | st.integers(-1, 3))
                t.move(places(data, t), under=places(data, t), at=at)
            elif operation == "prune":
                holds_together(t.prune(places(data, t)))
            else:
                t.graft(data.draw(strategies.trees(max_size=4)), under=places(data, t))
        except InvalidTree:
            pass
        holds_together(t)


@given(strategies.trees(), st.data())
def test_a_pruned_branch_grafted_back_restores_the_tree(t, data):
    assume(len(t) > 1)
    before = list(t.thoughts)
    i = data.draw(st.integers(1, len(t) - 1))
    parent = t.thoughts[t.parents()[i]]
    at = t.children(parent).index(t.thoughts[i])
    branch = t.prune(t.thoughts[i])
    assert len(t) + len(branch) == len(before)
    t.graft(branch, under=parent, at=at)
    assert t.thoughts == before


@given(strategies.trees(), st.data())
def test_a_move_keeps_all_thoughts_and_the_order_of_the_rest(t, data):
    before = list(t.thoughts)
    thought, under = places(data, t), places(data, t)
    branch = before[t.index(thought) : t.end(t.index(thought))]
    try:
        t.move(thought, under=under)
    except InvalidTree:
        assert t.thoughts == before
        return
    said = Counter((x.id, x.text, x.anchors) for x in before)
    assert Counter((x.id, x.text, x.anchors) for x in t.thoughts) == said
    moved = {x.id for x in branch}
    assert [x for x in t.thoughts if x.id not in moved] == [x for x in before if x.id not in moved]
    assert [x.id for x in t.thoughts if x.id in moved] == [x.id for x in branch]
    assert t.children(under)[-1].id == thought.id


# --- ids -----------------------------------------------------------------------------------------


def raw(t: Tree) -> Tree:
    """The tree as in its author's file, where nobody writes ids."""
    thoughts = [
        Thought(text=x.text, level=x.level, kind=x.kind, lang=x.lang, anchors=x.anchors)
        for x in t.thoughts
    ]
    return t.model_copy(update={"thoughts": thoughts})


def unique(t: Tree) -> Tree:
    """The tree with no text said twice."""
    thoughts = [
        Thought(text=f"{x.text} {i}", level=x.level, anchors=x.anchors)
        for i, x in enumerate(t.thoughts)
    ]
    return finished(t.model_copy(update={"thoughts": thoughts}))


@given(strategies.trees())
def test_the_same_file_twice_gives_the_same_ids(t):
    assert finished(raw(t)) == t
    assert finished(raw(t), t) == t
    assert finished(copy.deepcopy(t), t) == t
    assert finished(copy.deepcopy(t)) == t


@given(strategies.trees(), strategies.texts, st.data())
def test_an_edited_text_is_the_same_thought(t, text, data):
    i = data.draw(st.integers(0, len(t) - 1))
    edited = raw(t)
    edited.edit(edited.thoughts[i], text=text)
    again = finished(edited, t)
    assert ids(again) == ids(t)
    assert [x for j, x in enumerate(again.thoughts) if j != i] == [
        x for j, x in enumerate(t.thoughts) if j != i
    ]


@given(strategies.trees(), st.data())
def test_an_inserted_thought_leaves_the_others_who_they_are(t, data):
    grown = raw(t)
    under = places(data, grown)
    at = data.draw(st.integers(0, len(grown.children(under))))
    new = grown.add("вставлено", under=under, at=at)
    i = grown.index(new)
    grown.thoughts[i] = Thought(text=new.text, level=new.level)
    again = finished(grown, t)
    assert ids(again)[:i] + ids(again)[i + 1 :] == ids(t)
    assert ids(again)[i] not in ids(t)


@given(strategies.trees(), st.data())
def test_a_deleted_branch_leaves_the_others_who_they_are(t, data):
    t = unique(t)
    assume(len(t) > 1)
    i = data.draw(st.integers(1, len(t) - 1))
    shrunk = raw(t)
    end = shrunk.end(i)
    shrunk.prune(shrunk.thoughts[i])
    assert ids(finished(shrunk, t)) == ids(t)[:i] + ids(t)[end:]


@given(strategies.trees(), st.data())
def test_a_moved_branch_is_the_same_thoughts(t, data):
    t = unique(t)
    moved = raw(t)
    try:
        moved.move(places(data, moved), under=places(data, moved), at=data.draw(st.integers(0, 2)))
    except InvalidTree:
        return
    told = {x.text: x.id for x in t.thoughts}
    assert ids(finished(moved, t)) == [told[x.text] for x in moved.thoughts]


@given(strategies.raw_trees(), strategies.raw_trees())
def test_any_tree_in_the_place_of_any_other_gets_ids(old, new):
    new.id = old.id
    again = finished(new, finished(old))
    holds_together(again)


def test_an_edit_of_one_of_several_equal_thoughts_changes_that_one():
    t = tree((0, "r"), (1, "Почему?"), (2, "x"), (1, "Почему?"), (2, "y"), (1, "Почему?"))
    for i in (1, 3, 5):
        edited = raw(t)
        edited.edit(edited.thoughts[i], text="Зачем?")
        assert ids(finished(edited, t)) == ids(t)


def test_several_edits_at_once_keep_the_ids():
    for t in (tree(*BRANCHES), tree(*((level, "Да.") for level, _ in BRANCHES))):
        edited = raw(t)
        for i in (0, 2, 3, 6):
            edited.edit(edited.thoughts[i], text=f"new {i}")
        assert ids(finished(edited, t)) == ids(t)


def test_written_ids_are_kept_and_belong_to_the_tree():
    t = Tree("t", thoughts=[Thought(text="a", id="n1"), Thought(text="b", level=1, id="other/n2")])
    assert ids(finished(t)) == ["t/n1", "other/n2"]
    again = Tree("t", thoughts=[Thought(text="A", id="n1"), Thought(text="b", level=1)])
    assert ids(finished(again, t)) == ["t/n1", "other/n2"]


def test_a_tree_without_thoughts_is_not_finished():
    with pytest.raises(InvalidTree, match="tree 't' has no thoughts"):
        finished(Tree("t"))


def test_an_id_used_twice_is_refused():
    thoughts = [Thought(text=x, level=min(i, 1), id=x) for i, x in enumerate("abcb")]
    with pytest.raises(InvalidTree, match="tree 't' has two thoughts with the id 't/b'"):
        finished(Tree("t", thoughts=thoughts))


def test_the_language_is_guessed_once():
    t = tree((0, "Мысль."))
    assert t.lang == "ru"
    assert finished(Tree("t", thoughts=[Thought(text="English now.")]), t).lang == "ru"
    assert tree((0, "Thought."), lang="de").lang == "de"


# --- revisions -----------------------------------------------------------------------------------


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
        Tree("t", thoughts=[{"text": "x", "kind": "a"}]),
        Tree("t", thoughts=[{"text": "x", "lang": "a"}]),
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


# --- 100,000 levels ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["different", "same"])
def chain(request):
    t = Tree("deep")
    for i in range(LEVELS if request.param == "different" else LEVELS // 5):
        t.add(f"Шаг {i}." if request.param == "different" else "Да.")
    return finished(t)


def copied(t: Tree) -> Tree:
    return t.model_copy(update={"thoughts": list(t.thoughts)})


def test_a_deep_chain_can_be_read(chain):
    n = len(chain)
    assert (len(chain), chain.depth) == (n, n - 1)
    bottom = chain.thoughts[-1]
    assert len(chain.path(bottom)) == n
    assert chain.parents() == list(range(-1, n - 1))
    assert sum(1 for _ in chain.walk()) == n
    assert chain.children(chain.root) == [chain.thoughts[1]]
    assert chain.end(0) == n
    assert len(chain.revision) == 64
    assert repr(chain) == f"<Tree 'deep': {n} thoughts, depth {n - 1}>"


def test_a_deep_chain_can_be_changed(chain):
    n = len(chain)
    t = copied(chain)
    t.add("Сбоку.", under=t.root, at=0)
    t.edit(t.thoughts[n // 2], text="Иначе.")
    t.move(t.thoughts[n // 2], under=t.root)
    assert t.depth == n // 2 + 1
    branch = t.prune(t.thoughts[n // 2 + 1])
    t.graft(branch, under=t.thoughts[n // 2 - 1])
    assert sorted(ids(t)) == sorted([*ids(chain), t.thoughts[1].id])
    check_levels(t.thoughts)


def test_a_deep_chain_can_be_copied_and_validated(chain):
    assert copy.deepcopy(chain) == chain
    assert Tree.model_validate(chain.model_dump()) == chain
    assert Tree.model_validate_json(chain.model_dump_json()) == chain


def test_a_deep_chain_gets_its_ids(chain):
    n = len(chain)
    assert finished(raw(chain)) == chain
    edited = raw(chain)
    edited.thoughts[n // 2] = Thought(text="Иначе.", level=n // 2)
    edited.thoughts[n // 3] = Thought(text="И тут.", level=n // 3)
    again = finished(edited, chain)
    assert ids(again) == ids(chain)


def test_a_deep_chain_with_an_id_used_twice_is_refused(chain):
    n = len(chain)
    t = copied(chain)
    t.thoughts[-1] = Thought(text="x", level=n - 1, id=t.thoughts[-2].id)
    with pytest.raises(InvalidTree, match="two thoughts with the id"):
        finished(t)


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
@pytest.mark.parametrize("chain", ["different"], indirect=True)
def test_a_deep_chain_lives_in_a_store(chain, kind, tmp_path):
    t = copied(chain)
    for i in range(0, LEVELS, 2):
        t.thoughts[i] = Thought(text="Мысль.", level=i, id=t.thoughts[i].id, anchors=("якорь",))  # type: ignore[arg-type]

    def cut(trees: dict[str, Tree | None]) -> dict[str, Tree | None]:
        old = trees["deep"]
        assert old is not None
        old.prune(old.thoughts[LEVELS // 2])
        return {"deep": old}

    with MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "forest.db") as store:
        store.write([t], lambda _, new: new)
        assert list(store.trees()) == [t]
        assert store.tree_of(t.thoughts[-1].id) == "deep"
        (anchor,) = store.anchors()
        assert anchor.thoughts == LEVELS // 2
        assert sum(1 for _ in store.occurrences("якорь")) == LEVELS // 2
        store.change(["deep"], cut)
        (info,) = store.infos()
        assert (info.size, info.depth) == (LEVELS // 2, LEVELS // 2 - 1)
        assert list(store.check()) == []
