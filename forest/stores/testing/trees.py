"""The contract: what was written comes back."""

from __future__ import annotations

import pytest

from forest.errors import NotFound
from forest.identity import finished
from forest.model import AnchorLink, Axis, Thought, Tree, anchor_id
from forest.revision import forest_revision
from forest.stores.base import Store
from forest.stores.testing.base import Contract, Reopen
from forest.stores.testing.samples import (
    ORDERED,
    WEIRD,
    everything,
    put,
    rich_tree,
    shown,
    thought,
    tree,
)


class TreeContract(Contract):
    """Every field, every size, in order."""

    # --- what was written comes back -----------------------------------------------------------

    def test_an_empty_forest_reads_as_empty(self, store: Store) -> None:
        assert everything(store) == {
            "trees": [],
            "infos": [],
            "revisions": [],
            "anchors": [],
            "occurrences": {},
            "axes": [],
            "nodes": [],
            "revision": forest_revision([], []),
        }
        assert list(store.occurrences("nothing")) == []
        assert list(store.check()) == []

    def test_every_field_comes_back(self, store: Store, reopen: Reopen) -> None:
        written = rich_tree()
        put(store, written)
        assert shown(store.get("justice")) == shown(rich_tree())
        again = reopen()
        assert shown(again.get("justice")) == shown(rich_tree())
        assert again.get("justice").revision == written.revision
        assert list(again.check()) == []
        again.close()

    def test_a_read_tree_has_the_models_types(self, store: Store) -> None:
        put(store, rich_tree())
        read = store.get("justice")
        assert Tree.model_validate(read.model_dump()) == read
        assert [type(t) for t in read.thoughts] == [Thought] * 6
        assert all(type(a) is AnchorLink for t in read.thoughts for a in t.anchors)
        assert [type(t.anchors) for t in read.thoughts] == [tuple] * 6

    def test_a_bare_tree_comes_back_bare(self, store: Store) -> None:
        put(store, tree("bare", "Мысль."))
        read = store.get("bare")
        assert (read.axes, read.meta, read.source, read.source_revision) == ({}, {}, None, None)
        assert (read.created_at, read.updated_at) == (None, None)
        thought = read.root
        assert (thought.kind, thought.lang, thought.anchors) == (None, None, ())

    @pytest.mark.parametrize(
        "weights",
        [
            {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3},
            {"a": 0.1 + 0.2, "b": 0.7},
            {"a": 1e-9, "b": 1 - 1e-9},
            {"a": 1},
            {f"axis {i}": 1 / 49 for i in range(49)},
        ],
        ids=["thirds", "0.1+0.2", "tiny", "one", "many"],
    )
    def test_weights_come_back_exactly(self, store: Store, weights: dict[str, float]) -> None:
        bound = tree("t", axes=weights)
        put(store, bound)
        assert list(store.get("t").axes.items()) == list(bound.axes.items())
        assert list(next(store.infos()).axes.items()) == list(bound.axes.items())

    def test_axes_come_by_weight_then_by_name_in_whatever_order_they_were_written(
        self, store: Store
    ) -> None:
        unequal, equal = tree("t", axes={"b": 0.2, "a": 0.8}), tree("u", axes=["я", "b", "а", "A1"])
        put(store, unequal, equal)
        shown = [["a", "b"], ["A1", "b", "а", "я"]]
        assert [list(t.axes) for t in store.trees()] == shown
        assert [list(info.axes) for info in store.infos()] == shown
        unequal.axes.clear()
        unequal.axes.update({"c": 0.1, "b": 0.9})  # past the model's checks
        put(store, unequal)
        assert [list(store.get("t").axes), list(next(store.infos()).axes)] == [["b", "c"]] * 2

    @pytest.mark.parametrize("size", [1_000, 70_000, 1_000_000])
    def test_long_texts_come_back(self, store: Store, size: int) -> None:
        long = ("Длинная мысль, «в кавычках», 🌊\n" * (size // 30 + 1))[: size - 1] + "."
        put(store, tree("t", "Корень.", long))
        assert store.get("t").thoughts[1].text == long

    @pytest.mark.parametrize("name", WEIRD)
    def test_names_that_look_like_code_are_data(self, store: Store, name: str) -> None:
        key = anchor_id(name)
        link = AnchorLink(phrase=name, origin=name)
        root = Thought(text=name, id=f"{name}/{name}", kind=name, anchors=(link,))
        put(store, tree("other", thought("Другая.", name)))
        weird = tree(name, root, title=name, axes=[name], meta={name: name}, source=name)
        put(store, weird)
        read = store.get(weird.id)
        assert shown(read) == shown(weird)
        assert store.tree_of(weird.root.id) == weird.id
        assert [a.trees for a in store.anchors()] == [2]
        assert [o.text for o in store.occurrences(key) if o.tree == weird.id] == [name]
        assert [a.name for a in store.axes()] == list(weird.axes)
        store.change([weird.id], lambda _: {weird.id: None})
        assert [i.id for i in store.infos()] == ["other"]
        assert [a.trees for a in store.anchors()] == [1]
        store.remove_axis(store.axes()[0].id)
        assert store.axes() == []

    def test_a_name_is_no_pattern(self, store: Store) -> None:
        put(store, tree("a"), tree("ab"), tree("A"))
        for unknown in ("a%", "a_", "a*", ".*", "%", "Ab", "а"):
            with pytest.raises(NotFound):
                store.get(unknown)

    def test_what_was_read_is_the_readers_own(self, store: Store) -> None:
        put(store, rich_tree())
        read = store.get("justice")
        read.meta["deep"].append("scribble")  # type: ignore[union-attr]
        read.axes["scribble"] = 1.0
        read.add("scribble")
        read.edit(read.root, text="scribble")
        assert shown(store.get("justice")) == shown(rich_tree())

    def test_what_was_written_is_the_writers_own(self, store: Store) -> None:
        mine = rich_tree()
        put(store, mine)
        mine.meta["deep"].append("scribble")  # type: ignore[union-attr]
        mine.axes["scribble"] = 1.0
        mine.add("scribble")
        assert shown(store.get("justice")) == shown(rich_tree())

    # --- size ----------------------------------------------------------------------------------

    def test_a_long_chain(self, store: Store, reopen: Reopen) -> None:
        n = self.levels
        deep = [Thought(text=f"Шаг {i}.", level=i, id=f"deep/{i}") for i in range(n)]
        deep[-1] = thought("Дно.", "дно", level=n - 1, id=f"deep/{n - 1}")
        put(store, tree("deep", *deep))
        store = reopen()
        assert store.get("deep").thoughts == deep
        assert next(store.infos()).depth == n - 1
        assert store.tree_of(f"deep/{n - 1}") == "deep"
        assert [o.level for o in store.occurrences("дно")] == [n - 1]

        def cut(trees: dict[str, Tree | None]) -> dict[str, Tree | None]:
            old = trees["deep"]
            assert old is not None
            old.prune(f"deep/{n // 2}")
            return {"deep": old}

        store.change(["deep"], cut)
        assert store.get("deep").thoughts == deep[: n // 2]
        store.change(["deep"], lambda _: {"deep": None})
        assert list(store.trees()) == []
        store.close()

    def test_a_wide_family(self, store: Store) -> None:
        n = self.levels // 4
        wide = [Thought(text="Корень.", id="wide/root")]
        wide += [Thought(text=f"Ребёнок {i}.", level=1, id=f"wide/{i}") for i in range(n)]
        put(store, tree("wide", *wide))
        assert store.get("wide").thoughts == wide

        def last_first(trees: dict[str, Tree | None]) -> dict[str, Tree | None]:
            old = trees["wide"]
            assert old is not None
            old.move(f"wide/{n - 1}", under="wide/root", at=0)
            return {"wide": old}

        store.change(["wide"], last_first)
        assert store.get("wide").thoughts == [wide[0], wide[-1], *wide[1:-1]]

    def test_many_trees_in_one_write(self, store: Store) -> None:
        forest = [
            tree(f"t{i:05}", "Корень.", thought(f"Шаг {i}.", "общее", level=1))
            for i in range(self.many)
        ]
        written = put(store, *reversed(forest))
        assert written.added == [t.id for t in reversed(forest)]
        assert written.thoughts == 2 * self.many
        assert list(store.trees()) == forest
        assert next(store.anchors()).trees == self.many

    # --- order ---------------------------------------------------------------------------------

    def test_everything_comes_in_the_order_of_ids_by_code_point(self, store: Store) -> None:
        assert list(ORDERED) == sorted(ORDERED)
        same_length = [f"{name}#" for name in ORDERED]
        for name in reversed(same_length):
            own = AnchorLink(phrase=name, anchor=name)
            put(store, tree(name, thought("Мысль.", "общий", own)))
            store.put_axes([Axis(name=f"{name} axis")])
        assert [t.id for t in store.trees()] == same_length
        assert [i.id for i in store.infos()] == same_length
        assert [tree_id for tree_id, _ in store.revisions()] == same_length
        assert [o.tree for o in store.occurrences("общий")] == same_length
        anchors, axes = [a.id for a in store.anchors()], [a.id for a in store.axes()]
        assert anchors == sorted([*same_length, "общий"])
        assert axes == sorted(axes)
        assert len(axes) == len({name.casefold() for name in ORDERED})

    def test_thoughts_come_in_reading_order(self, store: Store) -> None:
        outline = ((0, "z"), (1, "y"), (2, "x"), (2, "w"), (1, "v"), (2, "u"), (3, "t"), (1, "s"))
        put(store, tree("t", *outline))
        assert [(t.level, t.text) for t in store.get("t").thoughts] == list(outline)
        reordered = ((0, "z"), (1, "s"), (1, "v"), (2, "u"), (3, "t"), (1, "y"), (2, "w"), (2, "x"))
        put(store, finished(tree("t", *reordered), store.get("t")))
        assert [(t.level, t.text) for t in store.get("t").thoughts] == list(reordered)
        assert [t.text for t in next(store.trees()).thoughts] == [text for _, text in reordered]
