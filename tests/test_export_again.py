"""An export over an earlier corpus takes over what did not change, and gives the same bytes."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anchors import registry
from exporters import folder
from exporters.export import export_corpus
from exporters.parts import TreeWork
from exporters.recipe import Recipe
from forest.errors import ForestError
from forest.identity import finished
from forest.model import Axis, Tree
from forest.stores.memory import MemoryStore
from tests.export_helpers import content, only, planted, tree
from tests.test_export_leaks import KINDS, grown, recipe

SMALL = recipe(
    kinds=only(*KINDS, "preference", "stepwise"),
    window=160,
    corpus={"validation": 0.3, "shard": 3000},
    paths={"overlap": 40},
    walks={"hops": 3, "prefix": 60, "continuation": 60},
    cards={"ways": 2},
)
"""All kinds in small files."""


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The trees whose records are made, not taken over."""
    trees: list[str] = []
    of = TreeWork.of

    def spied(self: TreeWork, tree: Tree, split: str) -> Any:
        trees.append(tree.id)
        return of(self, tree, split)

    monkeypatch.setattr(TreeWork, "of", spied)
    return trees


# --- random changes -------------------------------------------------------------------------------

WORDS = ["вода", "весна", "свет", "тень", "мера", "сон"]
PHRASES = ["якорь", "якоря", "мост", "река", "Другой мост"]
Change = Callable[[MemoryStore, random.Random], None]


def said(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(2, 9)))


def some_tree(draw: random.Random, name: str) -> Tree:
    made = Tree(name, axes={"причинность": 1.0} if draw.random() < 0.5 else {})
    for _ in range(draw.randint(1, 7)):
        under = draw.choice(made.thoughts) if made.thoughts else None
        kind = draw.choice(["accepted", "refuted", None, None])
        made.add(said(draw), under=under, kind=kind, anchors=marks(draw))
    return finished(made)


def marks(draw: random.Random) -> list[str]:
    return draw.sample(PHRASES, draw.choice([0, 1, 1, 2]))


def changed(store: MemoryStore, draw: random.Random, act: Callable[[Tree], Any]) -> None:
    one = draw.choice([info.id for info in store.infos()])
    new = store.get(one)
    act(new)
    store.write([finished(new)], lambda _, new: new)


def plant(store: MemoryStore, draw: random.Random) -> None:
    name = f"Дерево {draw.randrange(100)}"
    if name not in {info.title for info in store.infos()}:
        store.write([some_tree(draw, name)], lambda _, new: new)


def copy(store: MemoryStore, draw: random.Random) -> None:
    one = store.get(draw.choice([info.id for info in store.infos()]))
    outline = "\n".join("  " * t.level + t.text for t in one.thoughts)
    name = f"Копия {draw.randrange(100)}"
    if name not in {info.title for info in store.infos()}:
        store.write([tree(name, outline)], lambda _, new: new)


def fell(store: MemoryStore, draw: random.Random) -> None:
    ids = [info.id for info in store.infos()]
    if len(ids) > 1:
        store.change([draw.choice(ids)], dict.fromkeys)


def edit(store: MemoryStore, draw: random.Random) -> None:
    changed(store, draw, lambda t: t.edit(draw.choice(t.thoughts), text=said(draw)))


def mark(store: MemoryStore, draw: random.Random) -> None:
    changed(store, draw, lambda t: t.edit(draw.choice(t.thoughts), anchors=marks(draw)))


def grow(store: MemoryStore, draw: random.Random) -> None:
    changed(store, draw, lambda t: t.add(said(draw), under=draw.choice(t.thoughts)))


def rename(store: MemoryStore, draw: random.Random) -> None:
    changed(store, draw, lambda t: setattr(t, "title", said(draw)))


def rebind(store: MemoryStore, draw: random.Random) -> None:
    axes = draw.choice([{}, {"эмпатия": 1.0}, {"причинность": 0.4, "эмпатия": 0.6}])
    changed(store, draw, lambda t: setattr(t, "axes", axes))


def respell(store: MemoryStore, draw: random.Random) -> None:
    store.put_axes([Axis(name=draw.choice(["причинность", "Причинность"]))])


def decide(store: MemoryStore, draw: random.Random) -> None:
    one, other = draw.sample(PHRASES, 2)
    try:
        if draw.random() < 0.5:
            registry.merge(store, one, other)
        else:
            registry.refuse(store, one, other)
    except ForestError:
        return  # one of them is nowhere, or that was decided before


CHANGES: list[Change] = [
    plant,
    copy,
    fell,
    edit,
    edit,
    mark,
    grow,
    rename,
    rebind,
    respell,
    decide,
]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 32), st.lists(st.lists(st.sampled_from(CHANGES)), max_size=4))
@example(  # a chain of jumps is cut into two walks, and what the second begins with is edited
    100507,
    [
        [plant, copy, decide, fell, grow, rename],
        [mark, rebind, decide, grow, grow, fell],
        [edit, mark, plant],
        [respell, plant, decide, edit],
    ],
)
def test_an_export_over_an_earlier_corpus_gives_the_bytes_of_a_full_one(
    tmp_path_factory: pytest.TempPathFactory, seed: int, nights: list[list[Change]]
) -> None:
    draw, folder = random.Random(seed), tmp_path_factory.mktemp("corpora")
    store = planted(*(some_tree(draw, f"Дерево {n}") for n in range(draw.randint(2, 9))))
    export_corpus(store, folder / "again", SMALL)
    for number, changes in enumerate(nights):
        for change in changes:
            change(store, draw)
        export_corpus(store, folder / "again", SMALL)
        export_corpus(store, folder / f"full-{number}", SMALL)
        assert content(folder / "again") == content(folder / f"full-{number}")


# --- what is taken over ---------------------------------------------------------------------------


def test_only_trees_that_changed_are_made(made: list[str], tmp_path: Path) -> None:
    export_corpus(planted(*grown()), tmp_path / "corpus")
    assert len(made) == 40
    made.clear()
    trees = [Tree(**one.model_dump()) for one in grown()]
    trees.append(finished(Tree("Ещё одно", thoughts=[{"text": "Слово."}])))
    export_corpus(planted(*trees), tmp_path / "corpus")
    assert made == [trees[-1].id]  # those of the validation split are taken over too
    trees[7].edit(trees[7].thoughts[2], text="Иначе.")
    made.clear()
    export_corpus(planted(*trees), tmp_path / "corpus")
    assert made == [trees[7].id]


def test_a_tree_of_the_validation_split_is_taken_over_where_it_comes_first(
    made: list[str], tmp_path: Path
) -> None:
    export_corpus(planted(*grown(20)), tmp_path / "all", SMALL)
    left_out = map(orjson.loads, (tmp_path / "all" / "left-out.jsonl").read_bytes().splitlines())
    first = min(entry["tree"] for entry in left_out)
    trees = [one for one in grown(20) if one.id >= first]
    export_corpus(planted(*trees), tmp_path / "again", SMALL)
    made.clear()
    export_corpus(planted(*trees[:-1]), tmp_path / "again", SMALL)
    assert first not in made
    export_corpus(planted(*trees[:-1]), tmp_path / "full", SMALL)
    assert content(tmp_path / "again") == content(tmp_path / "full")


def test_workers_make_what_is_left_to_make(tmp_path: Path) -> None:
    trees = [Tree(**one.model_dump()) for one in grown()]
    export_corpus(planted(*trees), tmp_path / "again", SMALL)
    for one in trees[3::9]:
        one.edit(one.thoughts[2], text="Иначе.")
    export_corpus(planted(*trees), tmp_path / "again", SMALL, workers=2)
    export_corpus(planted(*trees), tmp_path / "full", SMALL)
    assert content(tmp_path / "again") == content(tmp_path / "full")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "deleted": lambda out: shutil.rmtree(folder.parts_of(out)),
    "cut short": lambda out: os.truncate(folder.parts_of(out) / "trees", 5000),
    "another line": lambda out: _turn(folder.parts_of(out) / "trees", 3000),
    "another ring": lambda out: _turn(folder.parts_of(out) / "rings", 1500),
    "the end of a walk": lambda out: _turn(folder.parts_of(out) / "walks", -2),
    "a corpus that was edited": lambda out: _turn(out / "data" / "train-00000.jsonl", 700),
    "a corpus that lost a file": lambda out: (out / "data" / "train-00001.jsonl").unlink(),
    "no JSON": lambda out: (folder.parts_of(out) / "about.json").write_text("{"),
}


def _turn(path: Path, at: int) -> None:
    told = bytearray(path.read_bytes())
    told[at] = told[at] ^ 1 if told[at] ^ 1 != 10 else 65
    path.write_bytes(told)


@pytest.fixture(scope="module")
def fewer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A full export of all trees but one."""
    out = tmp_path_factory.mktemp("fewer") / "corpus"
    export_corpus(planted(*grown(19)), out, SMALL)
    return content(out)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_costs_nothing_but_time(
    damage: str, fewer: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "corpus"
    export_corpus(planted(*grown(20)), out, SMALL)
    before = content(out)
    DAMAGE[damage](out)
    export_corpus(planted(*grown(20)), out, SMALL)
    assert content(out) == before
    DAMAGE[damage](out)
    export_corpus(planted(*grown(19)), out, SMALL)
    assert content(out) == fewer


@pytest.mark.parametrize(
    "other",
    [
        SMALL.model_copy(update={"seed": 5}),
        recipe(order="shuffled"),
        recipe(corpus={"validation": 0.3, "file": "jsonl.zst"}),
        recipe(kinds=only("path") | {"path": 0.5}),
    ],
    ids=["seed", "shuffled", "compressed", "half of the paths"],
)
def test_nothing_is_taken_over_from_another_recipe_or_what_lies_nowhere(
    other: Recipe, made: list[str], tmp_path: Path
) -> None:
    export_corpus(planted(*grown(12)), tmp_path / "corpus", SMALL)
    for _ in range(2):
        made.clear()
        export_corpus(planted(*grown(12)), tmp_path / "corpus", other)
        if other.seed == 0:
            assert len(made) == 12


def test_nothing_is_taken_over_from_other_code(
    made: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    export_corpus(planted(*grown(12)), tmp_path / "corpus", SMALL)
    made.clear()
    monkeypatch.setattr("exporters.reuse._code", lambda: "another version")
    export_corpus(planted(*grown(12)), tmp_path / "corpus", SMALL)
    assert len(made) == 12


def test_a_killed_export_leaves_parts_that_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The new corpus is in its place, and what lies beside it is the old one's."""
    out = tmp_path / "corpus"
    export_corpus(planted(*grown(20)), out, SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(folder, "_put_beside", lambda *_: None)
        export_corpus(planted(*grown(19)), out, SMALL)
    export_corpus(planted(*grown(20)), out, SMALL)
    export_corpus(planted(*grown(20)), tmp_path / "full", SMALL)
    assert content(out) == content(tmp_path / "full")


def test_removing_a_corpus_removes_its_parts(tmp_path: Path) -> None:
    export_corpus(planted(*grown(6)), tmp_path / "corpus", SMALL)
    assert folder.parts_of(tmp_path / "corpus").is_dir()
    folder.remove_whole(tmp_path / "corpus")
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_corpus_may_lie_elsewhere(made: list[str], tmp_path: Path) -> None:
    export_corpus(planted(*grown(39)), tmp_path / "monday", SMALL)
    made.clear()
    tuesday, full = tmp_path / "tuesday", tmp_path / "full"
    export_corpus(planted(*grown()), tuesday, SMALL, earlier=tmp_path / "monday")
    assert len(made) < 20
    export_corpus(planted(*grown()), full, SMALL)
    assert content(tuesday) == content(full)


def test_of_a_forest_that_did_not_change_nothing_is_made(made: list[str], tmp_path: Path) -> None:
    monday, tuesday = tmp_path / "monday", tmp_path / "tuesday"
    first = export_corpus(planted(*grown()), monday, SMALL)
    made.clear()
    for _ in range(2):
        assert export_corpus(planted(*grown()), tuesday, SMALL, earlier=monday) == first
    assert not made
    assert content(tuesday) == content(monday)
    export_corpus(planted(*grown()[:-1]), tuesday, SMALL)
    assert len(made) < 20  # its parts were kept


def test_a_tree_that_is_older_now_may_change_sides(tmp_path: Path) -> None:
    """When a tree was made is no part of the forest's revision, and leads a family."""
    store = planted(*grown())
    export_corpus(store, tmp_path / "again", SMALL)
    old = [Tree(**one.model_dump()) for one in [*grown(), *copies()]]
    export_corpus(planted(*old), tmp_path / "again", SMALL)
    for n, one in enumerate(old):
        one.created_at = datetime(2020, 1, 1 + n % 20, tzinfo=UTC)
    export_corpus(planted(*old), tmp_path / "again", SMALL)
    export_corpus(planted(*old), tmp_path / "full", SMALL)
    assert content(tmp_path / "again") == content(tmp_path / "full")


def copies() -> list[Tree]:
    outlines = ("\n".join("  " * t.level + t.text for t in one.thoughts) for one in grown())
    return [tree(f"Копия {n}", outline) for n, outline in enumerate(outlines)]
