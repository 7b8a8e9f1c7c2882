"""The contract: reading and writing at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forest.errors import StoreError
from forest.model import Axis, Tree
from forest.stores.base import Store
from forest.stores.testing.base import Contract, Reopen
from forest.stores.testing.samples import (
    everything,
    put,
    rich_tree,
    thought,
    tree,
)


class StreamContract(Contract):
    """Streams, snapshots, and how a store is closed."""

    def test_a_stream_of_trees_goes_on_while_the_store_is_used(self, store: Store) -> None:
        put(store, *(tree(name, axes=["ось"]) for name in "abcdef"))
        seen = []
        for read in store.trees():
            seen.append(read.id)
            assert store.get("f").id == "f"
            assert len(list(store.infos())) == 6
            assert store.tree_of(read.root.id) == read.id
            read.edit(read.root, text=f"Правка {read.id}.")
            put(store, read)
            store.put_axes([Axis(name="ось", description=read.id)])
        assert seen == list("abcdef")
        assert [t.root.text for t in store.trees()] == [f"Правка {name}." for name in "abcdef"]

    def test_lists_go_on_while_the_store_is_written(self, store: Store) -> None:
        def anchored(name: str) -> Tree:
            return tree(name, thought("Мысль.", "общий", name))

        put(store, *(anchored(name) for name in "abc"))
        for info in store.infos():
            put(store, tree(info.id, thought("Другая.", "общий", info.id)))
        for anchor in store.anchors():
            for place in store.occurrences(anchor.id):
                assert store.get(place.tree).root.text == "Другая."
        for tree_id, revision in store.revisions():
            assert store.get(tree_id).revision == revision
            put(store, tree(tree_id, thought("Третья.", "общий")))
        assert {t.root.text for t in store.trees()} == {"Третья."}
        assert list(store.check()) == []

    def test_a_loop_that_writes_more_comes_to_its_end(self, store: Store) -> None:
        put(store, *(tree(name, thought("Мысль.", name)) for name in "abc"))
        seen: dict[str, list[str]] = {"trees": [], "infos": [], "revisions": [], "anchors": []}
        for kind, ids in (
            ("trees", (t.id for t in store.trees())),
            ("infos", (i.id for i in store.infos())),
            ("revisions", (tree_id for tree_id, _ in store.revisions())),
            ("anchors", (a.id for a in store.anchors())),
        ):
            for name in ids:
                seen[kind].append(name)
                assert len(seen[kind]) < 100, f"{kind} never end: {seen[kind][-3:]}"
                put(store, tree(f"{name}+{kind}", thought("Ещё мысль.", f"{name}+{kind}")))
        assert all(set("abc") <= set(ids) for ids in seen.values())
        assert all(ids == sorted(set(ids)) for ids in seen.values())

    def test_a_stream_of_trees_passes_over_a_tree_removed_meanwhile(self, store: Store) -> None:
        put(store, *(tree(name, thought("Мысль.", name)) for name in "abc"))
        streams = [(t.id for t in store.trees()), (a.id for a in store.anchors())]
        assert [next(ids) for ids in streams] == ["a", "a"]
        store.change(["b"], lambda _: {"b": None})
        for ids in streams:
            assert list(ids) in (["c"], ["b", "c"])

    def test_a_stream_that_is_left_early_holds_nothing(self, store: Store) -> None:
        put(store, *(tree(name) for name in "abc"))
        stream = store.trees()
        assert next(stream).id == "a"
        stream.close()  # type: ignore[attr-defined]
        assert next(store.trees()).id == "a"
        store.change(["a"], lambda _: {"a": None})
        assert next(store.trees()).id == "b"

    def test_trees_to_write_may_come_from_the_same_store(self, store: Store) -> None:
        put(store, *(tree(name) for name in "abc"))

        def longer() -> Iterator[Tree]:
            for name in "abc":
                read = store.get(name)
                read.add(f"Продолжение {name}.")
                yield read

        store.write(longer(), lambda _, new: new)
        assert [i.size for i in store.infos()] == [3, 3, 3]

    def test_a_snapshot_stays_as_it_was(self, store: Store, tmp_path: Path) -> None:
        put(store, rich_tree(), tree("b"), tree("c"))
        store.put_axes([Axis(name="ещё одна", description="без деревьев")])
        before = everything(store)
        with store.snapshot(tmp_path) as frozen:
            stream = frozen.trees()
            first = next(stream)
            put(store, tree("justice", "Другое."), tree("d"))
            store.change(["b"], lambda _: {"b": None})
            store.put_axes([Axis(name="новая")])
            assert everything(frozen) == before
            assert [first.id, *(t.id for t in stream)] == ["b", "c", "justice"]
            after = everything(store)
            assert [t["id"] for t in after["trees"]] == ["c", "d", "justice"]
        assert everything(store) == after

    def test_closing_twice_is_fine(self, store: Store) -> None:
        put(store, tree("a"))
        store.close()
        store.close()

    def test_a_closed_store_refuses(self, store: Store) -> None:
        put(store, tree("a"))
        store.close()
        for act in (
            lambda: store.get("a"),
            lambda: list(store.trees()),
            lambda: list(store.infos()),
            store.axes,
            lambda: put(store, tree("b")),
            lambda: list(store.all_nodes()),
        ):
            with pytest.raises(StoreError, match="closed"):
                act()

    def test_a_store_closes_itself_as_a_context(self, store: Store, reopen: Reopen) -> None:
        with store as same:
            assert same is store
            put(store, tree("a"))
        with reopen() as again:
            assert [i.id for i in again.infos()] == ["a"]
