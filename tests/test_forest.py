"""The forest as an author uses it from Python."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import networkx as nx
import orjson
import pytest

from forest import AnchorLink, Forest, Thought, Tree
from forest.errors import (
    Conflict,
    InvalidInput,
    InvalidTree,
    NoCypher,
    NotFound,
    StoreError,
    UsageError,
)
from forest.model import Anchor
from forest.nodes import Link, Node


@pytest.fixture(params=["sqlite", "memory"])
def forest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Forest]:
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'forest.db'}"
    with Forest.open(url) as opened:
        yield opened


def justice() -> Tree:
    tree = Tree("Справедливость", id="justice", axes={"причинность": "80%", "эмпатия": "20%"})
    root = tree.add("Справедливость — соответствие.", anchors=["Причинность → следствие"])
    tree.add("Нормы бывают разные.", under=root, kind="premise")
    tree.add("Нормы меняются.", under=root)
    return tree


def suffering() -> Tree:
    tree = Tree("Страдание", id="suffering")
    root = tree.add("Страдание сужает мир.")
    tree.add("У боли есть причина.", under=root, anchors=["причинность -> следствие"])
    return tree


def texts(tree: Tree) -> list[tuple[int, str]]:
    return [(t.level, t.text) for t in tree.thoughts]


def test_what_is_added_comes_back(forest: Forest) -> None:
    forest.add(justice())
    tree = forest.get("justice")
    assert texts(tree) == texts(justice())
    assert tree.axes == {"причинность": 0.8, "эмпатия": 0.2}
    assert tree.lang == "ru"
    assert tree.created_at is not None


def test_adding_twice_is_refused_and_changes_nothing(forest: Forest) -> None:
    forest.add(justice())
    before = forest.revision
    with pytest.raises(Conflict, match="already has a tree 'justice'"):
        forest.add(suffering(), justice())
    assert forest.revision == before
    assert [info.id for info in forest.infos()] == ["justice"]


def test_replacing_keeps_the_ids_of_thoughts_that_stayed(forest: Forest) -> None:
    forest.add(justice())
    before = {t.text: t.id for t in forest.get("justice").thoughts}
    new = Tree("Справедливость", id="justice", axes={"причинность": "80%", "эмпатия": "20%"})
    root = new.add("Справедливость — соответствие.", anchors=["Причинность → следствие"])
    new.add("Нормы бывают очень разные.", under=root, kind="premise")
    new.add("Нормы меняются.", under=root)
    plain = [
        {"level": t.level, "text": t.text, "kind": t.kind, "anchors": t.anchors}
        for t in new.thoughts
    ]
    forest.replace(Tree("Справедливость", id="justice", axes=new.axes, thoughts=plain))
    after = {t.text: t.id for t in forest.get("justice").thoughts}
    assert after["Нормы меняются."] == before["Нормы меняются."]
    assert after["Нормы бывают очень разные."] == before["Нормы бывают разные."]


def test_replacing_with_the_same_changes_nothing(forest: Forest) -> None:
    forest.add(justice())
    written = forest.replace(justice())
    assert written.unchanged == ["justice"]
    assert not written.changed


def test_removing(forest: Forest) -> None:
    empty = forest.revision
    forest.add(justice(), suffering())
    forest.remove("justice", "suffering")
    assert list(forest) == []
    assert list(forest.anchors()) == []
    forest.store.remove_axis("причинность")
    forest.store.remove_axis("эмпатия")
    assert forest.revision == empty


def test_removing_what_is_not_there_removes_nothing(forest: Forest) -> None:
    forest.add(justice())
    with pytest.raises(NotFound, match="no tree 'nowhere'"):
        forest.remove("justice", "nowhere")
    assert forest.get("justice")


def test_an_anchor_joins_trees_whatever_its_spelling(forest: Forest) -> None:
    forest.add(justice(), suffering())
    found = forest.thoughts_at("ПРИЧИННОСТЬ => следствие")
    assert [(o.tree, o.text, o.phrase) for o in found] == [
        ("justice", "Справедливость — соответствие.", "Причинность → следствие"),
        ("suffering", "У боли есть причина.", "причинность -> следствие"),
    ]
    assert [(a.trees, a.thoughts) for a in forest.anchors()] == [(2, 2)]


def test_adding_thoughts(forest: Forest) -> None:
    forest.add(justice())
    first = forest.add_thought("justice", "Последняя.", anchors=["порог"])
    root = forest.get("justice").root
    second = forest.add_thought("justice", "Первая среди детей.", under=root.id, at=0)
    tree = forest.get("justice")
    assert tree.children(root)[0].text == "Первая среди детей."
    assert tree.thoughts[-1].id == first.id
    assert tree[second.id].level == 1
    assert [link.phrase for link in tree[first.id].anchors] == ["порог"]


def test_editing_one_thought_changes_one_thought(forest: Forest) -> None:
    forest.add(justice())
    before = forest.get("justice")
    forest.edit_thought(before.thoughts[1].id, text="Нормы бывают двух родов.")
    after = forest.get("justice")
    assert after.revision != before.revision
    assert [i for i in range(3) if before.thoughts[i] != after.thoughts[i]] == [1]
    assert after.thoughts[1].kind == "premise"


def test_a_mark_goes_with_its_phrase_when_the_thought_is_edited(forest: Forest) -> None:
    forest.add(Tree("Рынок", thoughts=[Thought("Такая цена.")], id="market"))
    (root,) = forest.get("market").thoughts
    link = AnchorLink(phrase="цена", origin="discovered")
    forest.edit_thought(root.id, anchors=["рынок", link])
    assert link in forest.edit_thought(root.id, text="Такая ЦЕНА, да.").anchors
    with forest.editing("market") as tree:
        tree.edit(root.id, text="Такая стоимость.")
    assert [a.anchor for a in forest.get("market").root.anchors] == ["рынок"]


def test_moving_within_a_tree(forest: Forest) -> None:
    forest.add(justice())
    _, first, second = forest.get("justice").thoughts
    forest.move_thought(second.id, under=first.id)
    assert texts(forest.get("justice"))[2] == (2, "Нормы меняются.")
    with pytest.raises(InvalidTree, match="cycle"):
        forest.move_thought(first.id, under=second.id)


def test_moving_to_another_tree_keeps_the_ids(forest: Forest) -> None:
    forest.add(justice(), suffering())
    branch = forest.get("justice").thoughts[1]
    moved = forest.move_thought(branch.id, under=forest.get("suffering").root.id)
    assert moved.id == branch.id
    assert forest.store.tree_of(branch.id) == "suffering"
    assert branch.text not in [t.text for t in forest.get("justice").thoughts]


def test_grafting_a_copy_and_pruning_it_again(forest: Forest) -> None:
    forest.add(justice(), suffering())
    before = forest.get("suffering")
    first = forest.graft(forest.get("justice"), under=before.root.id)
    assert len(forest.get("suffering")) == 5
    assert len(forest.get("justice")) == 3
    branch = forest.prune(first.id)
    assert texts(branch) == texts(justice())
    assert forest.get("suffering").revision == before.revision


def test_the_root_cannot_be_pruned(forest: Forest) -> None:
    forest.add(justice())
    with pytest.raises(InvalidTree, match="is the root"):
        forest.prune(forest.get("justice").root.id)


def test_editing_a_tree_in_a_block(forest: Forest) -> None:
    forest.add(justice())
    with forest.editing("justice") as tree:
        tree.title = "О справедливости"
        for step in range(100):
            tree.add(f"Шаг {step}")
    assert forest.get("justice").title == "О справедливости"
    assert forest.get("justice").depth == 101


def test_a_block_that_fails_stores_nothing(forest: Forest) -> None:
    forest.add(justice())
    before = forest.revision

    def fail() -> None:
        with forest.editing("justice") as tree:
            tree.add("Потеряется.")
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError):
        fail()
    assert forest.revision == before


def test_a_block_sees_that_somebody_else_wrote(forest: Forest) -> None:
    forest.add(justice())

    def both() -> None:
        with forest.editing("justice") as tree:
            forest.add_thought("justice", "Другой автор.")
            tree.add("Этот автор.")

    with pytest.raises(Conflict, match="somebody else"):
        both()
    assert [t.text for t in forest.get("justice").thoughts][-1] == "Другой автор."


def test_binding_axes(forest: Forest) -> None:
    forest.plant_axes()
    forest.add(suffering())
    assert forest.bind("suffering", ["эмпатия", "парадоксальность"]) == {
        "эмпатия": 0.5,
        "парадоксальность": 0.5,
    }
    forest.bind("suffering", {"эмпатия": 50, "мораль": 30, "онтология": 20})
    assert forest.get("suffering").axes == {"эмпатия": 0.5, "мораль": 0.3, "онтология": 0.2}
    with pytest.raises(InvalidTree, match=r"sum to 0\.9"):
        forest.bind("suffering", {"эмпатия": 0.5, "мораль": 0.4})
    assert {"мораль", "онтология"} <= {axis.name for axis in forest.axes()}


def test_an_axis_in_use_stays(forest: Forest) -> None:
    forest.add(justice())
    with pytest.raises(Conflict, match="justice"):
        forest.remove_axis("Эмпатия")
    forest.add_axis("мораль", "Что должно.")
    forest.remove_axis("мораль")
    assert "мораль" not in {axis.name for axis in forest.axes()}


def test_copying_keeps_the_revision(forest: Forest, tmp_path: Path) -> None:
    forest.plant_axes()
    forest.add(justice(), suffering())
    formula = Node("Formula", "Δ12", {}, (Link("TERM", "вода", {"phrase": "вода"}),))
    without = forest.revision
    forest.store.change_nodes([], lambda _: {formula.at: formula})
    assert forest.revision != without
    with Forest.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        forest.copy_to(other)
        assert other.revision == forest.revision
        assert list(other.store.all_nodes()) == [formula]
        assert other.get("justice").created_at == forest.get("justice").created_at
        with pytest.raises(Conflict, match="already holds trees"):
            forest.copy_to(other)


def test_a_copy_is_one_state_whatever_moves_meanwhile(forest: Forest, tmp_path: Path) -> None:
    a, z = Tree("A", id="a"), Tree("Z", id="z")
    root, precious = a.add("Root."), (z.add("Other root."), z.add("Precious."))[1]
    forest.add(a, z)
    before = forest.revision

    def meanwhile(done: int) -> None:
        if done == 1:
            forest.move_thought(precious.id, under=root.id)

    with Forest.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        forest.copy_to(other, progress=meanwhile)
        assert other.revision == before != forest.revision


def test_where_a_text_comes_from_goes_with_its_thought(forest: Forest) -> None:
    forest.add(justice(), suffering())
    said, more = forest.add_steps("justice", ["Раз.", "Два."], under=root_of(forest), origin="mask")
    (kept,) = forest.add_steps("justice", ["Три."], under=root_of(forest), origin="model")
    there = forest.get("suffering").root
    forest.move_thought(said, under=there)
    assert forest.get("justice").meta == {"origins": {kept.id: "model"}}
    assert forest.get("suffering").meta == {"origins": {said.id: "mask", more.id: "mask"}}
    branch = forest.prune(said)
    assert forest.get("suffering").meta == {}
    assert branch.meta == {"origins": {said.id: "mask", more.id: "mask"}}
    grafted = forest.graft(branch, under=kept)
    below = forest.get("justice").children(grafted)[0]
    assert forest.get("justice").origins == {
        kept.id: "model",
        grafted.id: "mask",
        below.id: "mask",
    }
    forest.move_thought(grafted, under=root_of(forest))
    assert set(forest.get("justice").origins) == {kept.id, grafted.id, below.id}


def test_what_an_author_calls_origins_is_not_overwritten(forest: Forest) -> None:
    tree = justice()
    tree.meta = {"origins": "сон"}
    forest.add(tree)
    with pytest.raises(InvalidTree, match="'origins' of its own"):
        forest.add_steps("justice", ["Раз."], origin="mask")
    forest.prune(forest.get("justice").thoughts[-1])
    assert forest.get("justice").meta == {"origins": "сон"}


def test_the_graph_has_every_thought_and_every_link(forest: Forest) -> None:
    forest.add(justice(), suffering())
    graph = forest.to_networkx()
    labels = nx.get_node_attributes(graph, "text")
    assert len(labels) == 5
    kinds: list[str] = [edge["type"] for _, _, edge in graph.edges(data=True)]
    assert sorted(set(kinds)) == ["ALIGNS_WITH", "ANCHORED_BY", "LEADS_TO", "ROOT"]
    shared = ("Anchor", "причинность → следствие")
    assert graph.in_degree(shared) == 2


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_notebook_shows_the_tree_and_escapes_what_authors_write() -> None:
    tree = Tree("<script>alert(1)</script>", id="x")
    tree.add("a <b>bold</b> claim & more", anchors=[AnchorLink('"><img src=x>')])
    page = _Text()
    page.feed(tree._repr_html_())
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "a <b>bold</b> claim & more" in page.words
    assert '⚓ "><img src=x>' in page.words


def test_a_notebook_shows_the_beginning_of_a_deep_tree() -> None:
    tree = Tree("deep")
    for step in range(20_000):
        tree.add(f"step {step}")
    html = tree._repr_html_()
    assert "19,700 more thoughts" in html
    assert len(html) < 200_000


def test_a_store_without_cypher_says_how_to_get_it(forest: Forest) -> None:
    with pytest.raises(NoCypher, match="forest neo4j start") as told:
        forest.cypher("RETURN 1")
    way = "forest.copy_to('neo4j:" if forest.url == "memory:" else f"`forest copy {forest.url} "
    assert way in str(told.value)


def test_finding_a_tree_by_the_beginning_of_its_id_or_title(forest: Forest) -> None:
    forest.add(justice(), suffering())
    assert forest.find("just") == "justice"
    assert forest.find("страд") == "suffering"
    assert forest.find("JUST") == "justice"
    with pytest.raises(NotFound, match="no tree 'x'"):
        forest.find("x")
    with pytest.raises(NotFound, match="several trees"):
        forest.find("с")


@pytest.mark.parametrize(
    "url", ["forest.db", "sqlite://", "sqlite:///", "postgres://host", ":", "sqlite:forest.db"]
)
def test_a_url_that_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        Forest.open(url)


def test_two_threads_with_a_forest_each_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'forest.db'}"
    with Forest.open(url) as forest:
        forest.add(justice())

    def write(name: str) -> None:
        with Forest.open(url) as mine:
            for step in range(20):
                mine.add_thought("justice", f"{name} {step}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Forest.open(url) as forest:
        assert len(forest.get("justice")) == 3 + 40


def test_ids_can_hold_anything_that_is_one_line(forest: Forest) -> None:
    ids = ["'}) DETACH DELETE n //", 'a"b', "a;b--", "%d%s{}", "имя / путь", "a\\b"]
    for number, tree_id in enumerate(ids):
        tree = Tree(f"title {number}", id=tree_id)
        tree.add("Мысль")
        forest.add(tree)
    assert sorted(tree.id for tree in forest) == sorted(ids)
    assert all(forest.get(tree_id).root.id.startswith(tree_id) for tree_id in ids)


def test_copying_into_a_forest_with_other_axes_makes_it_the_same(
    forest: Forest, tmp_path: Path
) -> None:
    forest.add(justice())
    with Forest.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.plant_axes()
        forest.copy_to(other)
        assert other.revision == forest.revision


def test_a_bad_thought_is_an_error_of_the_forest() -> None:
    tree = Tree("x")
    with pytest.raises(InvalidTree, match="the text is empty"):
        tree.add("  ")
    with pytest.raises(NotFound, match="empty"):
        tree.add("a", under="nope")
    root = tree.add("a")
    with pytest.raises(InvalidTree, match="anchor"):
        tree.edit(root, anchors=[""])


def test_one_word_is_not_taken_for_a_list_of_letters(forest: Forest) -> None:
    forest.add(justice())
    with pytest.raises(InvalidTree, match=r"put it into \[ \]"):
        forest.add_thought("justice", "x", anchors="Причина")
    with pytest.raises(InvalidTree, match=r"put it into \[ \]"):
        forest.add_steps("justice", ["x"], anchors="Причина")
    with pytest.raises(TypeError, match="expected a list of texts"):
        forest.add_steps("justice", "Причина")
    assert len(forest.get("justice")) == len(justice())


def test_an_exact_title_is_found_among_longer_ones(forest: Forest) -> None:
    for number in (1, 10, 11):
        forest.add_steps(f"t{number}", ["x"], title=f"A{number}")
    assert forest.find("a1") == "t1"
    with pytest.raises(NotFound, match="several"):
        forest.find("A")
    forest.add_steps("a1x", ["x"], title="T1")
    with pytest.raises(NotFound, match="several trees begin with 'T1': a1x, t1"):
        forest.find("T1")


def test_a_forest_is_not_copied_into_itself(forest: Forest) -> None:
    with pytest.raises(UsageError, match="into itself"):
        forest.copy_to(forest)


@pytest.mark.parametrize("text", ["a\ud800b", b"x", 5, None])
def test_what_is_no_text_is_an_error_of_the_forest(text: Any) -> None:
    with pytest.raises(InvalidTree, match="tree 'x': text: "):
        Tree("x").add(text)
    with pytest.raises(InvalidTree, match=r"tree 'x': .*put it into \[ \]"):
        Tree("x").add("a", anchors="phrase")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda tree: tree.axes.update(b=0.2), "axes: .*sum to 1.2"),
        (lambda tree: tree.axes.update({"": 0.0}), "axes: the axis name ''"),
        (lambda tree: tree.meta.update(x=float("nan")), "meta: .*NaN"),
        (lambda tree: tree.thoughts.append(5), "thought 4"),
        (lambda tree: tree.__dict__.update(title=5), "title"),
    ],
)
def test_what_was_changed_within_a_tree_is_checked_before_it_is_stored(
    forest: Forest, spoil: Callable[[Tree], None], message: str
) -> None:
    tree = justice()
    tree.axes = {"a": 1}
    forest.add(tree)
    before = forest.revision
    spoil(tree)
    with pytest.raises(InvalidTree, match=f"tree 'justice': {message}"):
        forest.replace(tree)
    tree.__dict__["id"] = "new"
    with pytest.raises(InvalidTree, match=f"tree 'new': {message}"):
        forest.add(tree)
    with pytest.raises(InvalidTree, match=message), forest.editing("justice") as edited:
        spoil(edited)
    assert forest.revision == before


def test_weights_written_within_a_tree_are_read_as_weights(forest: Forest) -> None:
    tree = justice()
    tree.axes.update({"причинность": "70%", "эмпатия": "30%"})  # type: ignore[dict-item]
    forest.add(tree)
    assert forest.get("justice").axes == {"причинность": 0.7, "эмпатия": 0.3}


def test_a_forest_of_another_thread_says_what_to_do(tmp_path: Path) -> None:
    here, hint = "opened in another thread", "Open the forest once in each thread"
    with (
        Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest,
        ThreadPoolExecutor() as pool,
        pytest.raises(StoreError, match=f"{here}\n{hint}"),
    ):
        pool.submit(forest.add, justice()).result()


def test_thoughts_can_be_used_in_two_trees(forest: Forest) -> None:
    steps = [Thought("one"), Thought("two", level=1)]
    forest.add(Tree("A", thoughts=steps))
    forest.add(Tree("B", thoughts=steps))
    assert forest.get("a").root.id != forest.get("b").root.id
    assert steps[0].id == ""


def test_what_is_no_tree_is_told_what_was_expected(forest: Forest) -> None:
    with pytest.raises(TypeError, match=r"expected a Tree, got a dict; .*forest.import_files"):
        forest.add({"tree": "x"})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected a URL such as .*, got an int"):
        Forest.open(5)  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="empty id"):
        forest.find("")


def test_a_forest_knows_how_many_trees_it_has_and_which() -> None:
    with Forest.open("memory:") as forest:
        assert (len(forest), bool(forest)) == (0, True)
        forest.add(Tree("Justice", thoughts=[Thought(text="Justice is a fit.")]))
        assert len(forest) == 1
        assert "justice" in forest
        assert "mercy" not in forest


def test_the_package_lists_what_it_offers() -> None:
    assert {"Forest", "Tree"} <= set(dir(importlib.import_module("forest")))


# --- a moved thought keeps its id; its first tree says the same words again ---------------------


@pytest.fixture
def moved(forest: Forest) -> Forest:
    """A thought of `justice` is in `suffering` now."""
    forest.add(justice(), suffering())
    (norms,) = (t for t in forest.get("justice").thoughts if t.text == "Нормы меняются.")
    forest.move_thought(norms.id, under=forest.get("suffering").root.id)
    return forest


def test_words_that_moved_away_can_be_said_again(moved: Forest) -> None:
    again = moved.add_thought("justice", "Нормы меняются.")
    assert moved.store.tree_of(again.id) == "justice"
    with moved.editing("justice") as tree:
        tree.add("Нормы меняются.", under=tree.root)
    root = moved.get("justice").root
    grafted = moved.graft(moved.get("suffering"), under=root.id)
    assert moved.get("justice")[grafted.id].text == "Страдание сужает мир."
    assert [t.text for t in moved.get("justice").thoughts].count("Нормы меняются.") == 3
    assert moved.check() == []


def test_a_tree_whose_words_moved_away_can_be_stored_as_it_was(moved: Forest) -> None:
    moved.replace(justice())
    assert texts(moved.get("justice")) == texts(justice())
    moved.remove("justice")
    moved.add(justice())
    assert texts(moved.get("justice")) == texts(justice())
    assert "Нормы меняются." in [t.text for t in moved.get("suffering").thoughts]


def test_a_file_whose_words_moved_away_can_win(moved: Forest, tmp_path: Path) -> None:
    file = tmp_path / "justice.json"
    nodes = [{"level": t.level, "text": t.text} for t in justice().thoughts]
    file.write_bytes(orjson.dumps({"id": "justice", "tree": "Справедливость", "nodes": nodes}))
    assert moved.import_files(file, replace=True).changed == ["justice"]
    assert texts(moved.get("justice")) == texts(justice())
    assert moved.import_files(file).unchanged == ["justice"]


def test_a_written_id_of_another_tree_is_refused(moved: Forest) -> None:
    taken = moved.get("suffering").root.id
    tree = Tree("Третье", thoughts=[Thought(text="x", id=taken)])
    with pytest.raises(Conflict, match="already used in tree 'suffering'"):
        moved.add(tree)


def test_a_thought_and_a_tree_name_themselves(forest: Forest) -> None:
    tree = justice()
    root, first, second = tree.thoughts
    forest.replace(tree)
    added = forest.add_thought(tree, "Ещё.", under=root)
    assert forest.edit_thought(first, text="Нормы спорны.").id == first.id
    assert forest.move_thought(second, under=first).level == 2
    assert forest.graft(suffering(), under=added).level == 2
    assert len(forest.prune(added)) == 3
    assert forest.add_steps(tree, ["Конец."], under=first)[0].level == 2
    assert forest.bind(tree, ["этика"]) == {"этика": 1.0}
    with forest.editing(tree) as edited:
        edited.title = "Право"
    assert forest.get(tree).title == "Право"
    assert tree in forest
    anchor, axis = next(forest.anchors()), forest.add_axis("мораль")
    assert [o.thought for o in forest.thoughts_at(anchor)] == [root.id]
    forest.remove_axis(axis)
    assert forest.remove(tree).removed == ["justice"]


def test_a_thought_that_is_in_no_tree_is_not_found(forest: Forest) -> None:
    with pytest.raises(NotFound, match=r"the thought 'Ничья\.' has no id"):
        forest.prune(Thought(text="Ничья."))
    with pytest.raises(NotFound, match="no thought 'justice/nowhere'"):
        forest.prune(Thought(text="Чужая.", id="justice/nowhere"))


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda f: f.add_thought("justice", "x", under=3), "expected a thought or its id, got an"),
        (lambda f: f.add_thought("justice", "x", at="0"), "at: expected a whole number"),
        (lambda f: f.add_thought("justice", "x", at=0.0), "at: expected a whole number"),
        (lambda f: f.add_thought(3, "x"), "expected a tree or its id, got an int"),
        (lambda f: f.graft(suffering(), under=root_of(f), at="x"), "at: expected a whole number"),
        (lambda f: f.edit_thought(None, text="x"), "expected a thought or its id, got a NoneType"),
        (lambda f: f.add_steps("z", None, title="Z"), "expected a list of texts, got a NoneType"),
        (lambda f: f.find(3), "expected the beginning of an id or a title, got an int"),
        (lambda f: f.thoughts_at(3), "expected an anchor or its phrase, got an int"),
        (lambda f: f.add_axis(3), "expected the name of an axis, got an int"),
        (lambda f: f.remove_axis(None), "expected the name of an axis, got a NoneType"),
        (lambda f: f.copy_to(3), "expected a Forest or the URL of one, got an int"),
        (lambda f: f.import_files(3), "expected the path of a file or folder, got an int"),
        (lambda f: f.import_files([3]), "expected the path of a file or folder, got an int"),
    ],
)
def test_what_is_of_the_wrong_type_is_named(
    forest: Forest, act: Callable[[Forest], object], said: str
) -> None:
    forest.add(justice())
    before = forest.revision
    with pytest.raises(TypeError, match=said):
        act(forest)
    assert forest.revision == before


def test_anchors_of_the_forest_are_given_as_they_are(forest: Forest) -> None:
    forest.add(justice())
    anchor = next(a for a in forest.anchors() if a.trees)
    link = Anchor(id="[[вода]]", phrase="Вода", kind="link")
    added = forest.add_thought("justice", "Ещё.", anchors=[anchor, link, "вода"])
    assert [(a.anchor, a.kind) for a in added.anchors] == [
        (anchor.id, "phrase"),
        ("[[вода]]", "link"),
        ("вода", "phrase"),
    ]


def root_of(forest: Forest) -> Thought:
    return forest.get("justice").root


def test_no_anchors_are_none_or_an_empty_list(forest: Forest) -> None:
    forest.add(justice())
    assert forest.add_thought("justice", "Без якорей.", anchors=None).anchors == ()  # type: ignore[arg-type]
    with pytest.raises(InvalidTree, match="anchors"):
        forest.add_thought("justice", "Число.", anchors=3)  # type: ignore[arg-type]


def test_an_axis_without_a_name_is_refused(forest: Forest) -> None:
    with pytest.raises(InvalidInput, match="axis ' ': name: it is empty"):
        forest.add_axis(" ")


def test_a_branch_without_thoughts_is_grafted_nowhere(forest: Forest) -> None:
    forest.add(justice())
    empty, full = Tree("Пустое"), justice()
    for act in (
        lambda: forest.graft(empty, under=root_of(forest)),
        lambda: full.graft(empty),
        lambda: empty.graft(full),
    ):
        with pytest.raises(InvalidTree, match="has no thoughts"):
            act()
    assert texts(full) == texts(forest.get("justice")) == texts(justice())


def test_a_forest_is_copied_to_an_address(forest: Forest, tmp_path: Path) -> None:
    forest.add(justice())
    url = f"sqlite:///{tmp_path / 'copy.db'}"
    assert forest.copy_to(url).added == ["justice"]
    with Forest.open(url, create=False) as copy:
        assert copy.revision == forest.revision


@pytest.mark.parametrize("name", ["\0", "a\0b.db", "\ud800.db"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="names no file"):
        Forest.open(f"sqlite:///{name}")
