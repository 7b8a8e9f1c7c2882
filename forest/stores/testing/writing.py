"""The contract: `write`."""

from __future__ import annotations

from collections.abc import Iterator

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


class WriteContract(Contract):
    """Many trees, all of them or none."""

    def test_write_says_what_it_did(self, store: Store) -> None:
        put(store, tree("a"), tree("b"))

        def merge(old: Tree | None, new: Tree) -> Tree | None:
            return None if old is not None and old.revision == new.revision else new

        changed = tree("b", "Другой корень.", "Два.", "Три.")
        written = store.write([tree("a"), changed, tree("c", "Один.")], merge)
        assert written == Written(added=["c"], changed=["b"], unchanged=["a"], thoughts=4)
        assert shown(store.get("b")) == shown(changed)

    def test_merge_sees_the_tree_that_is_there(self, store: Store) -> None:
        put(store, rich_tree())
        seen: list[Tree | None] = []

        def merge(old: Tree | None, new: Tree) -> Tree:
            seen.append(old)
            return new

        store.write([tree("justice"), tree("new")], merge)
        assert shown(seen[0]) == shown(rich_tree())  # type: ignore[arg-type]
        assert seen[-1] is None

    def test_merge_may_keep_nothing_of_the_new_tree(self, store: Store) -> None:
        put(store, rich_tree())
        store.write([tree("justice"), tree("new")], lambda _old, _new: None)
        assert shown(store.get("justice")) == shown(rich_tree())
        assert [i.id for i in store.infos()] == ["justice"]

    def test_merge_may_change_the_old_tree_and_return_it(self, store: Store) -> None:
        put(store, tree("a", "Корень.", "Один."))

        def append(old: Tree | None, new: Tree) -> Tree:
            assert old is not None
            old.edit(old.thoughts[1], text="Исправлено.", anchors=["якорь"])
            old.add(new.root.text, under=old.root)
            return old

        store.write([tree("a", "Добавлено.")], append)
        assert [t.text for t in store.get("a").thoughts] == ["Корень.", "Исправлено.", "Добавлено."]
        assert [a.id for a in store.anchors()] == ["якорь"]
        assert next(store.revisions())[1] == store.get("a").revision

    @pytest.mark.parametrize("there", [True, False])
    def test_two_trees_of_one_id_in_one_write_are_a_conflict(
        self, store: Store, there: bool
    ) -> None:
        put(store, tree("a" if there else "z"))
        before = everything(store)
        with pytest.raises(Conflict, match="two of the trees to be written have the id 'a'"):
            put(store, tree("a", "1", "2", "3"), tree("b"), tree("a", "1", "2"))
        assert everything(store) == before

    def test_a_write_replaces_the_whole_tree(self, store: Store) -> None:
        put(store, rich_tree())
        put(store, tree("justice", "Новое."))
        assert shown(store.get("justice")) == shown(tree("justice", "Новое."))
        assert list(store.anchors()) == []
        with pytest.raises(NotFound):
            store.tree_of("justice/own")

    def test_nothing_is_stored_if_the_trees_raise(self, store: Store, reopen: Reopen) -> None:
        put(store, rich_tree())
        before = everything(store)

        def trees() -> Iterator[Tree]:
            yield tree("justice", "Замена.", axes=["новая ось"])
            for i in range(self.many):
                yield tree(f"new{i}", thought("Мысль.", "новый якорь"))
            raise RuntimeError("the source ended early")

        with pytest.raises(RuntimeError, match="ended early"):
            store.write(trees(), lambda _, new: new)
        assert everything(store) == before
        again = reopen()
        assert everything(again) == before
        again.close()

    def test_nothing_is_stored_if_merge_raises(self, store: Store) -> None:
        put(store, tree("z"))
        before = everything(store)

        def merge(old: Tree | None, new: Tree) -> Tree:
            if old is not None:
                raise RuntimeError("no")
            return new

        with pytest.raises(RuntimeError, match="no"):
            store.write([tree("a", axes=["новая"]), tree("b"), tree("z"), tree("c")], merge)
        assert everything(store) == before

    def test_a_thought_id_of_another_tree_is_a_conflict(self, store: Store) -> None:
        put(store, tree("a", Thought(text="Мысль.", id="a/one")))
        before = everything(store)
        taken = tree("c", "Корень.", Thought(text="Чужая.", level=1, id="a/one"))
        with pytest.raises(Conflict, match=r"'c'.*'a/one'.*'a'"):
            put(store, tree("b"), taken)
        assert everything(store) == before

    def test_a_thought_id_used_twice_in_one_write_is_a_conflict(self, store: Store) -> None:
        first = tree("a", Thought(text="Мысль.", id="x/one"))
        with pytest.raises(Conflict, match="'x/one'"):
            put(store, first, tree("b", Thought(text="Чужая.", id="x/one")))
        assert list(store.trees()) == []

    @pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
    def test_a_thought_passes_to_another_tree_whatever_the_order(
        self, store: Store, order: tuple[str, str]
    ) -> None:
        passed = thought("Мысль.", "якорь", level=1, id="a/passed")
        put(store, tree("a", "Корень.", passed, "Конец."), tree("b"))
        after = {"a": tree("a", "Корень.", "Конец."), "b": tree("b", "Другой.", passed)}
        put(store, *(after[tree_id] for tree_id in order))
        assert {t.id: t for t in store.trees()} == after
        assert store.tree_of("a/passed") == "b"
        assert [o.tree for o in store.occurrences("якорь")] == ["b"]
        assert list(store.check()) == []

    @pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
    def test_a_thought_that_its_tree_keeps_is_not_passed_on(
        self, store: Store, order: tuple[str, str]
    ) -> None:
        kept = thought("Мысль.", level=1, id="a/kept")
        put(store, tree("a", "Корень.", kept), tree("b"))
        before = everything(store)
        new = {"a": tree("a", "Иной корень.", kept), "b": tree("b", "Другой.", kept)}
        with pytest.raises(Conflict, match="'a/kept'"):
            put(store, *(new[tree_id] for tree_id in order))
        assert everything(store) == before

    def test_a_thought_of_a_tree_that_merge_leaves_alone_is_not_passed_on(
        self, store: Store
    ) -> None:
        kept = thought("Мысль.", level=1, id="a/kept")
        put(store, tree("a", "Корень.", kept), tree("b"))
        before = everything(store)
        new = [tree("b", "Другой.", kept), tree("a", "Корень.")]
        with pytest.raises(Conflict, match=r"'b'.*'a/kept'.*'a'"):
            store.write(new, lambda _, new: new if new.id == "b" else None)
        assert everything(store) == before

    def test_a_store_is_as_good_as_new_after_a_failed_write(self, store: Store) -> None:
        put(store, tree("a"))
        with pytest.raises(ZeroDivisionError):
            store.write([tree("b")], lambda _, new: new if 1 / 0 else None)
        put(store, tree("b"))
        assert [i.id for i in store.infos()] == ["a", "b"]
        assert list(store.check()) == []
