"""The contract of a store as a pytest class: subclass it, give two fixtures, and it is tested.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            with MyStore(tmp_path / "forest") as store:
                yield store

        @pytest.fixture
        def reopen(self, store, tmp_path):
            def again():
                store.close()
                return MyStore(tmp_path / "forest")
            return again

Needs pytest, and nothing else beyond the forest itself. For failures that show the values, call
``pytest.register_assert_rewrite("forest.stores.testing")`` before the first import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from forest.errors import Conflict, NotFound
from forest.identity import finished
from forest.model import AnchorLink, Axis, Thought, Tree, anchor_id
from forest.revision import forest_revision
from forest.stores.base import Store, Written, tree_info

Reopen = Callable[[], Store]

ORDERED = ("B", "Z", "a", "b", "Ж", "а", "я", "ё", "ﬀ", "Ａ", "𐀀", "🌊")
"""Ids by code point. UTF-16 would put the last two before ``ﬀ``; a dictionary, ``ё`` before ``я``.
"""

WEIRD = (
    "it's",
    'say "no"',
    "`back`tick",
    "back\\slash",
    "100%",
    "%s %d {0} {id} $id :id ?1 @x",
    "'); DROP TABLE tree; --",
    "}) DETACH DELETE n //",
    "/* open",
    "a/b/../c",
    "*",
    "null",
    "-0",
    "<b>&amp;</b>",
    "e\u0301",
    "🧊→💧→☁️",
    "\u202eright to left",
    "zero\u200bwidth",
)
"""Names that are code somewhere; in a store they are data."""


def tree(tree_id: str, *thoughts: str | tuple[int, str] | Thought, **fields: Any) -> Tree:
    """A finished tree: texts are a root with children, pairs are (level, text)."""
    written = thoughts or (f"Что такое {tree_id}?", "Шаг.")
    outline = [_thought(t, default_level=min(i, 1)) for i, t in enumerate(written)]
    return finished(Tree(fields.pop("title", tree_id), id=tree_id, thoughts=outline, **fields))


def _thought(written: str | tuple[int, str] | Thought, default_level: int) -> Thought:
    if isinstance(written, Thought):
        return written
    level, text = (default_level, written) if isinstance(written, str) else written
    return Thought(text=text, level=level)


def thought(text: str, *anchors: str | AnchorLink, level: int = 0, id: str = "") -> Thought:
    """A thought with the anchors of these spellings."""
    links = tuple(AnchorLink(phrase=a) if isinstance(a, str) else a for a in anchors)
    return Thought(text=text, level=level, id=id, anchors=links)


def rich_tree() -> Tree:
    """A tree with something in every field."""
    twice = (
        AnchorLink(phrase="Причинность → следствие"),
        AnchorLink(phrase="причинность -> следствие", origin="discovered", score=0.1 + 0.2),
        AnchorLink(phrase="Spring's “water”", kind="link"),
        AnchorLink(phrase="вода", kind="tag"),
        AnchorLink(phrase="H₂O", anchor="вода"),
    )
    return finished(
        Tree(
            "Справедливость: «что это?»",
            id="justice",
            lang="ru",
            axes={"причинность": 0.7, "Эмпатия": 0.2, "paradox": 0.1},
            meta={
                "uid": "Δ12",
                "n": 12,
                "float": 0.1,
                "yes": True,
                "none": None,
                "deep": [{"ключ": ["значение", {"🌊": [1, 2.5, ""]}]}, []],
            },
            source="заметки/justice.md",
            source_revision="e3b0c44298fc",
            created_at=datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
            updated_at=datetime(2025, 1, 1, 3, 0, 0, tzinfo=timezone(timedelta(hours=3))),
            thoughts=[
                Thought(text="Что есть справедливость?", kind="question", lang="ru"),
                Thought(text="A fit of deeds\nand norms.", level=1, kind="premise", lang="en"),
                Thought(text="Норма → поступок\t«и»\r\n…", level=2, anchors=twice),
                Thought(text="Норма → поступок\t«и»\r\n…", level=2, anchors=twice[:1]),
                Thought(text="  пробелы по краям  ", level=3, id="own"),
                Thought(text="🌊💧 e\u0301 é ﬁ \u00a0\u200b\U0001f469\u200d\U0001f52c", level=1),
            ],
        )
    )


def put(store: Store, *trees: Tree) -> Written:
    """Write trees as they are, whatever is there."""
    return store.write(iter(trees), lambda _, new: new)


def everything(store: Store, places: Iterable[str] | None = None) -> dict[str, Any]:
    """All that can be read from a store, for comparing two of them.

    :param places: the anchors whose thoughts are looked up; all of them by default.
    """
    anchors = list(store.anchors())
    looked_at = [a.id for a in anchors] if places is None else places
    return {
        "trees": [shown(t) for t in store.trees()],
        "infos": [dict(info) for info in store.infos()],
        "revisions": list(store.revisions()),
        "anchors": anchors,
        "occurrences": {anchor: list(store.occurrences(anchor)) for anchor in looked_at},
        "axes": store.axes(),
        "revision": forest_revision(store.revisions(), store.axes()),
    }


def shown(tree: Tree) -> dict[str, Any]:
    """All fields of a tree, with what ``==`` on dicts and times does not see made visible."""
    fields = dict(tree)
    fields["axes"] = list(tree.axes.items())
    for name in ("created_at", "updated_at"):
        fields[name] = fields[name] and fields[name].isoformat()
    return fields


class StoreContract:
    """What every store promises. A subclass gives the fixtures ``store`` and ``reopen``."""

    levels = 20_000
    """Length of the chain, and of the widest family, that a store is tried with."""
    many = 120
    """How many trees one write is tried with."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """An opened store with nothing in it."""
        raise NotImplementedError("the subclass gives a fixture `store`")

    @pytest.fixture
    def reopen(self, store: Store) -> Reopen:
        """Close ``store`` and open the same forest again (in memory: give it back)."""
        raise NotImplementedError("the subclass gives a fixture `reopen`")

    # --- what was written comes back -----------------------------------------------------------

    def test_an_empty_forest_reads_as_empty(self, store: Store) -> None:
        assert everything(store) == {
            "trees": [],
            "infos": [],
            "revisions": [],
            "anchors": [],
            "occurrences": {},
            "axes": [],
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

    def test_axes_of_a_tree_keep_the_order_written(self, store: Store) -> None:
        put(store, tree("t", axes={"я": 0.25, "b": 0.25, "а": 0.25, "A1": 0.25}))
        assert list(store.get("t").axes) == ["я", "b", "а", "A1"]

    @pytest.mark.parametrize("size", [1_000, 70_000, 1_000_000])
    def test_long_texts_come_back(self, store: Store, size: int) -> None:
        long = ("Длинная мысль, «в кавычках», 🌊\n" * (size // 30 + 1))[: size - 1] + "."
        put(store, tree("t", "Корень.", long))
        assert store.get("t").thoughts[1].text == long

    @pytest.mark.parametrize("name", WEIRD)
    def test_names_that_look_like_code_are_data(self, store: Store, name: str) -> None:
        key = anchor_id(name)
        link = AnchorLink(phrase=name, origin=name)
        root = Thought(text=name, id=f"{name}/{name}", kind=name, lang=name, anchors=(link,))
        put(store, tree("other", thought("Другая.", name)))
        weird = tree(name, root, title=name, lang=name, axes=[name], meta={name: name}, source=name)
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

    # --- reading -------------------------------------------------------------------------------

    def test_infos_tell_what_the_trees_are(self, store: Store) -> None:
        put(store, rich_tree(), tree("b", (0, "a"), (1, "b"), (2, "c"), (1, "d")))
        assert list(store.infos()) == [tree_info(t) for t in store.trees()]
        first, second = store.infos()
        assert (first.id, first.size, first.depth) == ("b", 4, 2)
        assert (second.id, second.size, second.depth) == ("justice", 6, 3)

    def test_revisions_are_those_of_the_trees(self, store: Store) -> None:
        put(store, rich_tree(), tree("b"), tree("a"))
        assert list(store.revisions()) == [(t.id, t.revision) for t in store.trees()]
        assert dict(store.revisions())["justice"] == rich_tree().revision

    def test_an_unknown_tree_is_not_found(self, store: Store) -> None:
        put(store, tree("known"))
        with pytest.raises(NotFound, match="'unknown'"):
            store.get("unknown")

    def test_tree_of_a_thought(self, store: Store) -> None:
        put(store, tree("a"), tree("b", "Корень.", Thought(text="Своя.", level=1, id="b/own")))
        assert store.tree_of("b/own") == "b"
        assert {store.tree_of(t.id) for t in store.get("a").thoughts} == {"a"}
        with pytest.raises(NotFound, match="'b/other'"):
            store.tree_of("b/other")
        with pytest.raises(NotFound):
            store.tree_of("a")

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

    # --- write ---------------------------------------------------------------------------------

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

    def test_a_tree_written_twice_in_one_write_is_merged_with_itself(self, store: Store) -> None:
        def longer(old: Tree | None, new: Tree) -> Tree:
            return new if old is None or len(new) > len(old) else old

        store.write([tree("a", "1", "2", "3"), tree("a", "1", "2"), tree("b")], longer)
        assert len(store.get("a")) == 3
        assert [i.id for i in store.infos()] == ["a", "b"]

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

    def test_a_store_is_as_good_as_new_after_a_failed_write(self, store: Store) -> None:
        put(store, tree("a"))
        with pytest.raises(ZeroDivisionError):
            store.write([tree("b")], lambda _, new: new if 1 / 0 else None)
        put(store, tree("b"))
        assert [i.id for i in store.infos()] == ["a", "b"]
        assert list(store.check()) == []

    # --- change --------------------------------------------------------------------------------

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

    # --- reading and writing at once -----------------------------------------------------------

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

    def test_a_store_closes_itself_as_a_context(self, store: Store, reopen: Reopen) -> None:
        with store as same:
            assert same is store
            put(store, tree("a"))
        with reopen() as again:
            assert [i.id for i in again.infos()] == ["a"]
