"""An edited thought stays the same thought: what ids promise."""

from __future__ import annotations

import copy

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forest.errors import InvalidTree
from forest.identity import finished
from forest.model import Thought, Tree
from tests import strategies
from tests.model_helpers import BRANCHES, holds_together, ids, places, raw, tree


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


def test_an_edited_thought_keeps_its_id_behind_a_new_one():
    old = tree((0, "Корень."), (1, "Первый шаг про жизнь и долгую дорогу."), (1, "Второй шаг."))
    edited = (1, "Первый шаг про жизнь и короткую дорогу.")
    new = finished(raw(tree((0, "Корень."), (1, "Новый шаг."), edited, (1, "Второй шаг."))), old)
    assert [ids(new)[n] for n in (0, 2, 3)] == ids(old)
