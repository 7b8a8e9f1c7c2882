"""The contract: `change`."""

from __future__ import annotations

import pytest

from forest.errors import Conflict, NotFound
from forest.model import Thought, Tree
from forest.stores.base import Store, Written
from forest.stores.testing.base import Contract, Reopen
from forest.stores.testing.samples import (
    everything,
    put,
    rich_tree,
    shown,
    thought,
    tree,
)


class ChangeContract(Contract):
    """A few trees that change together."""

    def test_change_edits_a_tree(self, store: Store, reopen: Reopen) -> None:
        put(store, rich_tree(), tree("b"))

        def edit(trees: dict[str, Tree | None]) -> dict[str, Tree | None]:
            old = trees["justice"]
            assert old is not None
            old.edit("own", text="Иначе.", kind="objection")
            return {"justice": old}

        assert store.change(["justice"], edit) == Written(changed=["justice"], thoughts=6)
        expected = rich_tree()
        expected.edit("own", text="Иначе.", kind="objection")
        assert shown(store.get("justice")) == shown(expected)
        again = reopen()
        assert shown(again.get("justice")) == shown(expected)
        assert dict(again.revisions())["justice"] == expected.revision
        again.close()

    def test_change_may_add_move_prune_and_graft_in_place(self, store: Store) -> None:
        outline = ((0, "r"), (1, "a"), (2, "b"), (3, "c"), (1, "d"), (2, "e"))
        put(store, tree("t", *outline))
        ids = {t.text: t.id for t in store.get("t").thoughts}

        def work(trees: dict[str, Tree | None]) -> dict[str, Tree | None]:
            old = trees["t"]
            assert old is not None
            old.move(ids["b"], under=ids["d"], at=0)
            old.add("f", under=ids["a"])
            old.graft(old.prune(ids["e"]), under=ids["c"])
            return trees

        store.change(["t"], work)
        read = store.get("t")
        assert [(t.level, t.text) for t in read.thoughts] == [
            (0, "r"),
            (1, "a"),
            (2, "f"),
            (1, "d"),
            (2, "b"),
            (3, "c"),
            (4, "e"),
        ]
        assert {text: id_ for text, id_ in ids.items() if text != "f"}.items() <= {
            t.text: t.id for t in read.thoughts
        }.items()

    def test_change_removes_by_none(self, store: Store) -> None:
        put(store, rich_tree(), tree("b", thought("Мысль.", "вода")))
        assert store.change(["justice"], lambda _: {"justice": None}) == Written(
            removed=["justice"]
        )
        assert [i.id for i in store.infos()] == ["b"]
        assert [a.id for a in store.anchors()] == ["вода"]
        with pytest.raises(NotFound):
            store.get("justice")
        with pytest.raises(NotFound):
            store.tree_of("justice/own")
        assert [a.name for a in store.axes()] == ["paradox", "причинность", "Эмпатия"]

    def test_trees_are_removed_all_or_none(self, store: Store) -> None:
        put(store, tree("a"), tree("b"), tree("c"))
        with pytest.raises(NotFound, match="'nowhere'"):
            store.remove(["a", "nowhere"])
        assert store.remove(["a", "c"]) == Written(removed=["a", "c"])
        assert [info.id for info in store.infos()] == ["b"]

    def test_a_removed_tree_can_be_written_again(self, store: Store) -> None:
        put(store, rich_tree())
        store.change(["justice"], lambda _: {"justice": None})
        put(store, rich_tree())
        assert shown(store.get("justice")) == shown(rich_tree())

    def test_change_sees_none_for_a_tree_that_is_not_there(self, store: Store) -> None:
        seen: list[dict[str, Tree | None]] = []

        def look(trees: dict[str, Tree | None]) -> dict[str, Tree | None]:
            seen.append(trees)
            return {"ghost": None}

        assert store.change(["ghost"], look) == Written()
        assert seen[-1] == {"ghost": None}

    def test_change_may_return_trees_that_it_did_not_ask_for(self, store: Store) -> None:
        put(store, tree("a"), tree("b"), tree("c"))
        written = store.change(
            ["a"], lambda _: {"b": tree("b", "Иное."), "c": None, "d": tree("d")}
        )
        assert (written.added, written.changed, written.removed) == (["d"], ["b"], ["c"])
        assert [(i.id, i.size) for i in store.infos()] == [("a", 2), ("b", 1), ("d", 2)]

    @pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
    def test_a_branch_moves_between_trees_in_one_go(
        self, store: Store, order: tuple[str, str]
    ) -> None:
        branch = thought("Ветвь.", "якорь", level=1, id="a/branch")
        leaf = Thought(text="Лист.", level=2, id="a/leaf")
        put(store, tree("a", "Корень.", branch, leaf, "Конец."), tree("b", "Другой.", "Шаг."))

        def move(trees: dict[str, Tree | None]) -> dict[str, Tree | None]:
            a, b = trees["a"], trees["b"]
            assert a is not None
            assert b is not None
            b.graft(a.prune("a/branch"), under=b.root, at=0)
            return {tree_id: trees[tree_id] for tree_id in order}

        written = store.change(order, move)
        assert sorted(written.changed) == ["a", "b"]
        assert [t.text for t in store.get("a").thoughts] == ["Корень.", "Конец."]
        assert store.get("b").thoughts[1:3] == [branch, leaf]
        assert store.tree_of("a/leaf") == "b"
        assert [o.tree for o in store.occurrences("якорь")] == ["b"]
        assert list(store.check()) == []

    def test_two_trees_swap_thoughts_in_one_go(self, store: Store) -> None:
        a, b = tree("a", "Корень.", "Из а."), tree("b", "Корень.", "Из б.")
        put(store, a, b)
        swapped = {
            "a": Tree("a", thoughts=[a.thoughts[0], b.thoughts[1]]),
            "b": Tree("b", thoughts=[b.thoughts[0], a.thoughts[1]]),
        }
        store.change(["a", "b"], lambda _: swapped)
        assert store.get("a").thoughts == swapped["a"].thoughts
        assert store.get("b").thoughts == swapped["b"].thoughts
        assert store.tree_of(b.thoughts[1].id) == "a"

    def test_a_removed_trees_thoughts_can_go_to_another_in_one_go(self, store: Store) -> None:
        put(store, tree("a", "Корень.", "Из а."), tree("b"))
        moved = Tree("b", thoughts=store.get("a").thoughts)
        store.change(["a", "b"], lambda _: {"b": moved, "a": None})
        assert [t.id for t in store.trees()] == ["b"]
        assert store.get("b").thoughts == moved.thoughts

    def test_nothing_is_stored_if_change_raises(self, store: Store) -> None:
        put(store, rich_tree(), tree("b"))
        before = everything(store)

        def spoil(trees: dict[str, Tree | None]) -> dict[str, Tree | None]:
            old = trees["justice"]
            assert old is not None
            old.add("half")
            old.meta.clear()
            raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            store.change(["justice", "b"], spoil)
        assert everything(store) == before

    def test_nothing_is_stored_if_a_change_is_a_conflict(self, store: Store) -> None:
        put(store, tree("a", Thought(text="Мысль.", id="a/one")), tree("b"), tree("c"))
        before = everything(store)
        stolen = Tree("b", thoughts=[Thought(text="Чужая.", id="a/one")])
        with pytest.raises(Conflict, match=r"'a/one'.*'a'"):
            store.change(["b", "c"], lambda _: {"c": None, "b": stolen})
        assert everything(store) == before
