"""Deciding and reviewing work alike on every store, also killed in the middle and at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from anchors import review as door
from anchors.decisions import decisions
from anchors.formulas.book import Book
from anchors.formulas.registry import add, compose
from anchors.proposals import proposals
from anchors.registry import Registry, merge, part, split, thoughts_at, undo
from anchors.stats import forest_stats
from forest import Forest
from forest.errors import Conflict
from forest.stores.base import Store, open_store
from tests.anchors.conftest import propose, trees
from tests.conftest import Neo4jServer
from tests.export_helpers import tree

Open = Callable[[], Store]


def reviewed(store: Store) -> list[object]:
    """What comes of some decisions, in words that every store shares."""
    Forest(store).add(*trees())
    propose(store)
    one = merge(store, "граница", "воля")
    split(store, "причинности → следствия")
    undo(store, one.no)
    undo(store, *(d.no for d in part(store, "порог", "порог (дома)", ["вера"])[:1]))
    part(store, "воля", "воля (указ)", ["закон"])
    before = forest_stats(store)
    told = door.accept(store, proposals(store))
    registry = Registry.of(store)
    shared = sorted(registry.shared(store))
    after = forest_stats(store)
    undo(store, *told.numbers)
    kept = [thought.anchors for tree in store.trees() for thought in tree.thoughts]
    return [before, told, registry.groups(), registry.decisions[0].pair, shared, after, kept]


def killed(store: Store, act: Callable[[], object]) -> None:
    """Do what a process does that is killed while it changes its first tree."""
    write = store.write

    def kill(some: Any, _: Any) -> None:
        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        write(some, die)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "write", kill)
        with pytest.raises(KeyboardInterrupt):
            act()


def carried(store: Store) -> list[str]:
    """The anchors that a review or a split put onto thoughts."""
    links = [a for tree in store.trees() for t in tree.thoughts for a in t.anchors]
    return [a.anchor for a in links if a.origin == "discovered" or "(" in a.anchor]


def counted(store: Store) -> dict[str, tuple[str, ...]]:
    """By text the spellings of an anchor, where all that counts thoughts agrees on them."""
    Forest(store).add(
        tree("В", "Память хранит. {память; память; Память}\n  Помнит. {памятью; память}"),
        tree("Г", "Без памяти. {памяти; память}"),
    )
    (group,) = Registry.of(store).groups()
    said = thoughts_at(store, "памяти")
    assert group.carriers(store) == (2, 3)
    assert forest_stats(store).occurrences == len(said) == 3
    assert {at.text: set(at.phrases) for at in said} == {
        "Память хранит.": {"память", "Память"},
        "Помнит.": {"память", "памятью"},
        "Без памяти.": {"память", "памяти"},
    }
    return {at.text: at.phrases for at in said}


class Deciding:
    """What every store has to keep; ``opened`` opens the same empty one again, as processes do."""

    def test_decisions_come_to_the_same_as_in_memory(self, opened: Open) -> None:
        with opened() as store:
            assert reviewed(store) == reviewed(open_store("memory:"))

    def test_a_thought_with_several_spellings_of_an_anchor_counts_once(self, opened: Open) -> None:
        with opened() as store:
            assert counted(store) == counted(open_store("memory:"))

    def test_what_is_killed_in_a_tree_is_done_by_whoever_comes_next(self, opened: Open) -> None:
        with opened() as store, opened() as other:
            Forest(store).add(*trees())
            propose(store)
            killed(store, lambda: door.accept(store, door.chosen(store, ["m1"])))
            assert (carried(store), decisions(store)[0].begun) == ([], True)
            door.chosen(other, [])
            assert (carried(other), decisions(store)[0].begun) == (["порог"], False)
            killed(store, lambda: part(store, "порог", "порог (дома)", ["вера"]))
            merge(other, "граница", "воля")
            assert sorted(carried(store)) == ["порог", "порог (дома)"]
            killed(store, lambda: undo(store, 1))
            split(other, "причинности → следствия")
            assert carried(store) == ["порог (дома)"]
            assert not any(d.begun for d in decisions(store))

    def test_a_core_has_one_code_though_several_compose_it_at_once(self, opened: Open) -> None:
        ready = Barrier(3)

        def act(_: int) -> bool:
            with opened() as store:
                ready.wait(60)
                try:
                    compose(store, ["Δ00", "Δ01"])
                except Conflict:
                    return False
                return True

        with opened() as store, ThreadPoolExecutor(3) as several:
            for text in ("Δ00 = (лёд + дом)", "Δ01 = (снег + сад)"):
                add(store, text)
            assert sum(several.map(act, range(3))) == 1
            assert list(Book.of(store).formulas) == ["Δ00", "Δ01", "Λ1"]


class TestSqlite(Deciding):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Open:
        return lambda: open_store(f"sqlite:///{tmp_path}/forest.db")


@pytest.mark.neo4j
class TestNeo4j(Deciding):
    @pytest.fixture
    def opened(self, clean_neo4j: Neo4jServer) -> Open:
        server = clean_neo4j
        return lambda: open_store(server.url, username=server.username, password=server.password)
