"""The contract: what a store tells about its trees, thoughts, anchors and axes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from forest.errors import Conflict, InvalidInput, NotFound
from forest.forest import Forest
from forest.identity import finished
from forest.model import AnchorLink, Axis, Thought
from forest.nodes import Node
from forest.stores.base import Store, Written, tree_info
from forest.stores.testing.base import Contract, Reopen
from forest.stores.testing.samples import (
    put,
    rich_tree,
    thought,
    tree,
)


def decision(key: str, **said: str) -> Node:
    """A decision that says something."""
    return Node("Decision", key, {"action": "refuse", **said})


class ReadingContract(Contract):
    """Infos, revisions, occurrences; anchors and axes come and go with the trees."""

    # --- reading -------------------------------------------------------------------------------

    def test_infos_tell_what_the_trees_are(self, store: Store) -> None:
        put(store, rich_tree(), tree("b", (0, "a"), (1, "b"), (2, "c"), (1, "d")))
        trees = list(store.trees())
        assert list(store.infos()) == [tree_info(t) for t in trees]
        assert list(store.sources()) == [(t.id, t.source, t.source_revision) for t in trees]
        first, second = store.infos()
        assert (first.id, first.size, first.depth) == ("b", 4, 2)
        assert (second.id, second.size, second.depth) == ("justice", 6, 3)

    def test_revisions_are_those_of_the_trees(self, store: Store) -> None:
        put(store, rich_tree(), tree("b"), tree("a"))
        assert list(store.revisions()) == [(t.id, t.revision) for t in store.trees()]
        assert dict(store.revisions())["justice"] == rich_tree().revision

    def test_an_unknown_tree_is_not_found(self, store: Store) -> None:
        put(store, tree("known"))
        with pytest.raises(NotFound, match="there is no tree"):
            store.get("\udcff")
        with pytest.raises(NotFound, match="'unknown'"):
            store.get("unknown")

    @pytest.mark.parametrize("name", ["\ud800", "a\0b"])
    def test_what_no_name_can_hold_is_not_there(self, store: Store, name: str) -> None:
        forest = Forest(store)
        put(store, tree("a"))
        root = store.get("a").root
        for act in (
            lambda: store.get(name),
            lambda: store.tree_of(name),
            lambda: store.remove_axis(name),
            lambda: forest.edit_thought(name, text="x"),
            lambda: forest.prune(name),
            lambda: forest.move_thought(name, under=root),
            lambda: forest.move_thought(root, under=name),
            lambda: forest.add_thought(name, "x"),
            lambda: forest.remove(name),
            lambda: forest.find(name),
            lambda: forest.remove_axis(name),
        ):
            with pytest.raises(NotFound, match="no "):
                act()
        assert name not in forest
        assert forest.thoughts_at(name) == list(store.occurrences(name)) == []
        assert store.change([name], dict.fromkeys) == Written()

    @pytest.mark.parametrize("text", ["\ud800", "a\0b"])
    def test_what_is_no_text_is_not_written(self, store: Store, text: str) -> None:
        forest = Forest(store)
        put(store, tree("a"))
        for act in (
            lambda: forest.add_axis("q", text),
            lambda: forest.add_axis(text),
            lambda: forest.bind("a", {text: 1.0}),
            lambda: forest.add_thought("a", text),
            lambda: forest.add_thought("a", "x", anchors=[text]),
            lambda: store.change_nodes([], lambda _: {(n := decision(text)).at: n}),
            lambda: store.change_nodes([], lambda _: {(n := decision("1", why=text)).at: n}),
        ):
            with pytest.raises(InvalidInput, match=r"U\+(D800|0000)"):
                act()
        assert (store.axes(), list(store.all_nodes())) == ([], [])
        assert store.get("a") == tree("a")

    def test_tree_of_a_thought(self, store: Store) -> None:
        put(store, tree("a"), tree("b", "Корень.", Thought(text="Своя.", level=1, id="b/own")))
        assert store.tree_of("b/own") == "b"
        assert {store.tree_of(t.id) for t in store.get("a").thoughts} == {"a"}
        with pytest.raises(NotFound, match="'b/other'"):
            store.tree_of("b/other")
        for other in ("a", "\udcff"):
            with pytest.raises(NotFound):
                store.tree_of(other)

    def test_anchors_count_and_show_their_most_frequent_spelling(self, store: Store) -> None:
        def at(*phrases: str | AnchorLink) -> Thought:
            return thought("Мысль.", *phrases, level=1)

        link = AnchorLink(phrase="Вода", kind="link")
        put(
            store,
            tree("a", "Корень.", at("Вода"), at("вода"), at("ВОДА", "лёд"), at(link)),
            tree("b", "Корень.", at("вода", "Лед"), at("ice age")),
            tree("c", "Корень.", at("ясность")),
        )
        found = {a.id: (a.phrase, a.kind, a.lang, a.trees, a.thoughts) for a in store.anchors()}
        assert found == {
            "вода": ("вода", "phrase", "ru", 2, 4),
            "лед": ("Лед", "phrase", "ru", 2, 2),  # as often as the other: the first by code point
            "[[вода]]": ("Вода", "link", "ru", 1, 1),
            "ice age": ("ice age", "phrase", "en", 1, 1),
            "ясность": ("ясность", "phrase", "ru", 1, 1),
        }

    def test_authors_name_an_anchor_and_others_only_where_no_author_does(
        self, store: Store
    ) -> None:
        def found(text: str, phrase: str, anchor: str, origin: str = "discovered") -> Thought:
            link = AnchorLink(phrase=phrase, anchor=anchor, origin=origin, score=0.9)
            return thought(text, link, level=1)

        marked = [found(f"Причин {i}.", "причин", "причина") for i in range(3)]
        mist = [found(f"Туманом {i}.", "туманом", "туман") for i in range(2)]
        put(
            store,
            tree("a", thought("Причина.", "причина"), *marked, *mist),
            tree("b", "Корень.", found("У причины.", "причины", "причина", "Δ42_logic")),
            tree("c", "Корень.", found("Туман.", "туман", "туман", "Δ42_logic")),
        )
        names = {a.id: (a.phrase, a.trees, a.thoughts, a.authored) for a in store.anchors()}
        assert names == {"причина": ("причина", 2, 5, 1), "туман": ("туманом", 2, 3, 0)}
        put(store, tree("c", "Корень.", found("Туман.", "Туман", "туман", "authored")))
        assert [a.phrase for a in store.anchors() if a.id == "туман"] == ["Туман"]

    def test_a_thought_that_spells_an_anchor_twice_is_counted_once(self, store: Store) -> None:
        both = thought("Мысль.", "Вода", "вода")
        put(store, tree("a", both), tree("b", thought("Мысль.", "вода")))
        (anchor,) = store.anchors()
        assert (anchor.phrase, anchor.trees, anchor.thoughts) == ("вода", 2, 2)
        places = [(o.tree, o.phrase) for o in store.occurrences("вода")]
        assert places == [("a", "Вода"), ("a", "вода"), ("b", "вода")]

    def test_occurrences_say_where_an_anchor_stands(self, store: Store) -> None:
        put(
            store,
            tree(
                "b",
                "Корень.",
                thought("Позже.", "Вода", level=1),
                thought("Глубже.", "лёд", "вода", level=2, id="b/deep"),
                title="Вторая",
            ),
            tree("a", thought("Раньше.", "вода.", id="a/root"), title="Первая"),
            tree("c", "Без якоря."),
        )
        assert [o.model_dump() for o in store.occurrences("вода") if o.phrase != "Вода"] == [
            {
                "tree": "a",
                "title": "Первая",
                "thought": "a/root",
                "text": "Раньше.",
                "phrase": "вода.",
                "level": 0,
            },
            {
                "tree": "b",
                "title": "Вторая",
                "thought": "b/deep",
                "text": "Глубже.",
                "phrase": "вода",
                "level": 2,
            },
        ]
        assert [o.text for o in store.occurrences("вода")] == ["Раньше.", "Позже.", "Глубже."]
        assert list(store.occurrences("Вода")) == []

    # --- anchors and axes ----------------------------------------------------------------------

    def test_an_anchor_vanishes_with_its_last_thought(self, store: Store) -> None:
        def at(*phrases: str) -> Thought:
            return thought("Мысль.", *phrases, level=1)

        put(store, tree("a", "Корень.", at("вода", "лёд")), tree("b", "Корень.", at("вода")))
        put(store, finished(tree("a", "Корень.", at("Вода", "пар")), store.get("a")))
        assert {a.id: (a.phrase, a.trees) for a in store.anchors()} == {
            "вода": ("Вода", 2),
            "пар": ("пар", 1),
        }
        assert list(store.occurrences("лед")) == []
        store.change(["a"], lambda _: {"a": None})
        assert {a.id: (a.phrase, a.trees) for a in store.anchors()} == {"вода": ("вода", 1)}
        store.change(["b"], lambda _: {"b": tree("b", "Корень.", at())})
        assert list(store.anchors()) == []

    def test_trees_bring_their_axes(self, store: Store) -> None:
        put(store, tree("a", axes={"Причинность": 0.5, "Эмпатия": 0.5}))
        put(store, tree("b", axes={"причинность": 1}))
        assert store.axes() == [Axis(name="Причинность"), Axis(name="Эмпатия")]
        assert store.get("b").axes == {"Причинность": 1.0}
        assert dict(store.revisions())["b"] == tree("b", axes={"причинность": 1}).revision

    def test_axes_are_added_and_changed(self, store: Store, reopen: Reopen) -> None:
        store.put_axes([Axis(name="парадокс"), Axis(name="Время", description="ход времени")])
        put(store, tree("a", axes=["парадокс"]))
        revision = store.get("a").revision
        store.put_axes([Axis(name="Парадокс", description="🌀 «и да, и нет»")])
        again = reopen()
        assert again.axes() == [
            Axis(name="Время", description="ход времени"),
            Axis(name="Парадокс", description="🌀 «и да, и нет»"),
        ]
        assert again.get("a").axes == {"Парадокс": 1.0}
        assert again.get("a").revision == revision
        assert list(again.revisions()) == [("a", revision)]
        again.close()

    def test_a_free_axis_can_be_removed(self, store: Store) -> None:
        store.put_axes([Axis(name="a"), Axis(name="b")])
        store.remove_axis("a")
        assert store.axes() == [Axis(name="b")]
        with pytest.raises(NotFound, match="'a'"):
            store.remove_axis("a")

    def test_an_axis_in_use_stays(self, store: Store) -> None:
        put(store, tree("bound", axes=["ось"]))
        with pytest.raises(Conflict, match="bound"):
            store.remove_axis("ось")
        assert store.axes() == [Axis(name="ось")]
        put(store, *(tree(f"c{i}", axes=["другая"]) for i in range(5)))
        with pytest.raises(Conflict, match="c0, c1, c2 and 2 more"):
            store.remove_axis("другая")
        put(store, tree("bound", axes=["другая"]))
        store.remove_axis("ось")
        assert store.axes() == [Axis(name="другая")]

    def test_no_axes_are_put_if_one_cannot_be_had(self, store: Store) -> None:
        def axes() -> Iterator[Axis]:
            yield Axis(name="a")
            raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            store.put_axes(axes())
        assert store.axes() == []
