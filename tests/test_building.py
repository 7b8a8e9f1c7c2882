"""Trees are built, edited and read by hand."""

from __future__ import annotations

import copy
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from forest.errors import InvalidTree, NotFound
from forest.model import Thought, Tree
from tests import strategies
from tests.model_helpers import BRANCHES, holds_together, ids, outline, places, tree


def test_a_chain_is_a_loop_of_add():
    t = Tree("t")
    for text in "abc":
        t.add(text)
    assert outline(t) == [(0, "a"), (1, "b"), (2, "c")]
    assert (t.depth, len(t), t.root.text) == (2, 3, "a")


def test_a_tree_is_its_thoughts_in_reading_order():
    tree = Tree("t")
    root = tree.add("root")
    tree.add("second", under=root)
    tree.add("first", under=root, at=0)
    assert [t.text for t in tree] == ["root", "first", "second"]
    assert len(list(tree)) == len(tree) == 3


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
    "text", ["tab\there", " \n first\nsecond", "x" * 600, "a\u200b", "a\u0085b"]
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


# --- properties ------------------------------------------------------------------------


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


def test_a_branch_is_called_by_its_first_line_that_is_seen():
    tree = Tree("Дерево")
    tree.add("Корень.")
    assert tree.prune(tree.add("\u202e \n  Тень  слова.\nДва.")).title == "Тень слова."
    assert tree.prune(tree.add("\u200b" * 80 + "слово")).title == "Дерево"


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
