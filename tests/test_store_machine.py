"""A state machine does the same to two stores and finds them equal after every step.

One of the two is in memory: the reference. The other is SQLite, or a real Neo4j.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from forest.errors import Conflict, ForestError, NotFound
from forest.identity import finished
from forest.model import Tree
from forest.nodes import TYPES, Link, Node
from forest.stores import open_store
from forest.stores.base import Store, Written
from forest.stores.memory import MemoryStore

pytest.register_assert_rewrite("forest.stores.testing")

from forest.stores.testing import everything, put  # noqa: E402 - its asserts are rewritten first
from tests import strategies  # noqa: E402

Trees = dict[str, Tree | None]
CODES = st.sampled_from(["Δ01", "Δ12", "Λ1"])
ID = attrgetter("id")


def replace(old: Tree | None, new: Tree) -> Tree:
    return finished(new, old)


def skip_equal(old: Tree | None, new: Tree) -> Tree | None:
    tree = finished(new, old)
    return None if old is not None and old.revision == tree.revision else tree


def only_new(old: Tree | None, new: Tree) -> Tree | None:
    return finished(new) if old is None else None


def append(old: Tree | None, new: Tree) -> Tree:
    """Edit the old tree in place and return it."""
    if old is None:
        return finished(new)
    old.title = new.title
    old.edit(old.thoughts[-1], text=new.root.text)
    old.add(new.thoughts[-1].text, under=old.root, at=0)
    return old


MERGES = (replace, skip_equal, only_new, append)


_TAKEN = re.compile(r"tree (.*) has a thought .*, but that id is already used in tree (.*)")


def _told(error: Exception) -> str:
    """The message; which of the ids that two trees share it names is the store's to choose.

    So is which of the two trees it names first.
    """
    return _TAKEN.sub(lambda m: f"an id is in {sorted(m.groups())}", str(error))


class StoreMachine(RuleBasedStateMachine):
    """Compares the store that `opened` gives with one in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = MemoryStore()
        self.store = self.opened()
        self.turn = 0

    def opened(self) -> Store:
        raise NotImplementedError

    # --- the two do the same -------------------------------------------------------------------

    def both(self, act: Callable[[Store], Any]) -> None:
        """Do the same to both; the results, or the errors, are equal."""
        results = []
        for store in (self.memory, self.store):
            try:
                results.append(_counted(act(store)))
            except (ForestError, RuntimeError) as error:
                results.append((type(error), _told(error)))
        note(str(results[0]))
        assert results[1] == results[0]

    places = 1000
    """At how many anchors, by turns, each step looks for their thoughts."""

    @invariant()
    def equal(self) -> None:
        anchors = [anchor.id for anchor in self.memory.anchors()]
        self.turn += 1
        turns = range(self.turn, self.turn + min(self.places, len(anchors)))
        looked_at = [anchors[turn % len(anchors)] for turn in turns]
        expected = everything(self.memory, looked_at)
        found = everything(self.store, looked_at)
        for part, value in expected.items():
            assert found[part] == value, part

    @property
    def ids(self) -> list[str]:
        return [info.id for info in self.memory.infos()]

    def some_tree(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.ids))

    def some_thought(self, data: st.DataObject, tree_id: str, first: int = 0) -> str:
        thoughts = self.memory.get(tree_id).thoughts[first:]
        return data.draw(st.sampled_from([t.id for t in thoughts]))

    # --- trees ---------------------------------------------------------------------------------

    @initialize(trees=st.lists(strategies.raw_trees(max_size=6), max_size=4, unique_by=ID))
    def start(self, trees: list[Tree]) -> None:
        self.write(trees, replace)

    @rule(
        trees=st.lists(strategies.raw_trees(), min_size=1, max_size=4, unique_by=ID),
        merge=st.sampled_from(MERGES),
    )
    def write(self, trees: list[Tree], merge: Callable[[Tree | None, Tree], Tree | None]) -> None:
        self.both(lambda store: store.write(_copies(trees), merge))

    @rule(
        trees=st.lists(strategies.raw_trees(max_size=4), min_size=1, max_size=4),
        merge=st.sampled_from(MERGES),
    )
    def write_that_fails(
        self, trees: list[Tree], merge: Callable[[Tree | None, Tree], Tree | None]
    ) -> None:
        def until_it_breaks() -> Iterator[Tree]:
            yield from _copies(trees)
            raise RuntimeError("the source broke")

        for store in (self.memory, self.store):  # one may see a conflict before the source breaks
            with pytest.raises((Conflict, RuntimeError)):
                store.write(until_it_breaks(), merge)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def write_back_what_is_there(self, data: st.DataObject) -> None:
        tree_id = self.some_tree(data)
        self.both(lambda store: put(store, store.get(tree_id)))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.lists(strategies.tree_ids, min_size=1, max_size=2, unique=True))
        self.both(lambda store: store.change(gone, lambda _: dict.fromkeys(gone)))

    # --- thoughts ------------------------------------------------------------------------------

    def in_tree(self, tree_id: str, act: Callable[[Tree], Any]) -> None:
        def change(trees: Trees) -> Trees:
            tree = trees[tree_id]
            assert tree is not None
            act(tree)
            return {tree_id: finished(tree)}

        self.both(lambda store: store.change([tree_id], change))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), text=strategies.texts, anchors=strategies.anchors)
    def add(self, data: st.DataObject, text: str, anchors: tuple) -> None:
        tree_id = self.some_tree(data)
        under = self.some_thought(data, tree_id)
        at = data.draw(st.sampled_from([None, 0, 1]))  # 1 may be refused
        self.in_tree(tree_id, lambda tree: tree.add(text, under=under, at=at, anchors=anchors))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), text=strategies.texts, anchors=strategies.anchors)
    def edit(self, data: st.DataObject, text: str, anchors: tuple) -> None:
        tree_id = self.some_tree(data)
        thought = self.some_thought(data, tree_id)
        self.in_tree(tree_id, lambda tree: tree.edit(thought, text=text, anchors=anchors))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        tree_id = self.some_tree(data)
        thought, under = self.some_thought(data, tree_id), self.some_thought(data, tree_id)
        at = data.draw(st.sampled_from([None, 0]))
        self.in_tree(tree_id, lambda tree: tree.move(thought, under=under, at=at))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def prune(self, data: st.DataObject) -> None:
        tree_id = self.some_tree(data)
        thought = self.some_thought(data, tree_id)  # the root is refused
        self.in_tree(tree_id, lambda tree: tree.prune(thought))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), branch=strategies.raw_trees(max_size=4))
    def graft(self, data: st.DataObject, branch: Tree) -> None:
        tree_id = self.some_tree(data)
        under = self.some_thought(data, tree_id)
        self.in_tree(tree_id, lambda tree: tree.graft(branch, under=under))

    @precondition(lambda self: any(info.size > 1 for info in self.memory.infos()))
    @rule(data=st.data())
    def move_a_branch_to_another_tree(self, data: st.DataObject) -> None:
        sources = [info.id for info in self.memory.infos() if info.size > 1]
        source, target = data.draw(st.sampled_from(sources)), self.some_tree(data)
        thought = self.some_thought(data, source, first=1)
        under = self.some_thought(data, target)

        def change(trees: Trees) -> Trees:
            a, b = trees[source], trees[target]
            assert a is not None
            assert b is not None
            b.graft(a.prune(thought), under=under)
            return trees

        if source != target:
            ids = data.draw(st.permutations([source, target]))
            self.both(lambda store: store.change(ids, change))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), axes=strategies.axis_weights(), meta=strategies.metas)
    def describe(self, data: st.DataObject, axes: dict[str, float], meta: dict[str, Any]) -> None:
        def act(tree: Tree) -> None:
            tree.axes, tree.meta, tree.title = axes, meta, f"{tree.title[:50]}!"

        self.in_tree(self.some_tree(data), act)

    # --- axes ----------------------------------------------------------------------------------

    @rule(axes=st.lists(strategies.axes, max_size=3))
    def put_axes(self, axes: list) -> None:
        self.both(lambda store: store.put_axes(axes))

    @rule(data=st.data())
    def remove_axis(self, data: st.DataObject) -> None:
        known = [axis.id for axis in self.memory.axes()]
        axis = data.draw(st.sampled_from([*known, "no such axis"]))
        self.both(lambda store: store.remove_axis(axis))

    # --- nodes beside the trees ----------------------------------------------------------------

    @rule(
        codes=st.lists(CODES, min_size=1, max_size=3, unique=True),
        anchors=strategies.anchors,
        parts=st.lists(CODES, max_size=2),
        name=st.none() | strategies.texts,
    )
    def put_formulas(
        self, codes: list[str], anchors: tuple, parts: list[str], name: str | None
    ) -> None:
        links = [Link("TERM", link.anchor, {"phrase": link.phrase}) for link in anchors]
        links += [Link("COMPOSED_OF", part) for part in parts]
        said = {"name": name} if name else {}
        new = {
            ("Formula", code): Node("Formula", code, said, tuple(links)) if said or links else None
            for code in codes
        }
        self.both(lambda store: store.change_nodes(["Formula"], lambda _: new))

    # --- the store itself ----------------------------------------------------------------------

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self.opened()

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def look_up(self, data: st.DataObject) -> None:
        thought = self.some_thought(data, self.some_tree(data))
        self.both(lambda store: store.tree_of(thought))
        self.both(lambda store: store.tree_of(f"{thought}?"))
        self.both(lambda store: store.get("no such tree"))

    def teardown(self) -> None:
        wrong = list(self.store.check())
        self.store.close()
        assert wrong == []


def _copies(trees: Iterable[Tree]) -> Iterator[Tree]:
    """Trees of its own for each store: `finished` fills in ids."""
    for tree in trees:
        yield tree.model_copy(deep=True)


def _counted(result: Any) -> Any:
    """A tree written twice in one call may be listed as added and changed, or as added only."""
    if isinstance(result, Written):
        return set(result.added), set(result.changed) - set(result.added), set(result.removed)
    return result


def run(machine: type[StoreMachine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=bool(os.environ.get("CI")),
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


class SqliteMachine(StoreMachine):
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="forest-"))
        super().__init__()

    def opened(self) -> Store:
        return open_store(f"sqlite:///{self.folder / 'forest.db'}")

    @invariant()
    def nothing_is_left_behind(self) -> None:
        db = sqlite3.connect(self.folder / "forest.db")
        for left in (
            "anchored WHERE thought NOT IN (SELECT key FROM thought)",
            "phrase WHERE no NOT IN (SELECT phrase FROM anchored)",
            "aligned WHERE tree NOT IN (SELECT no FROM tree)",
            "thought WHERE key >> 32 NOT IN (SELECT no FROM tree)",
        ):
            assert db.execute(f"SELECT * FROM {left}").fetchall() == [], left
        db.close()

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


@pytest.mark.timeout(600)  # of a failure that hypothesis makes small; else it takes seconds
def test_sqlite_is_like_memory():
    run(SqliteMachine, examples=40, steps=25)


@pytest.mark.neo4j
@pytest.mark.timeout(600)
def test_neo4j_is_like_memory(clean_neo4j):
    class Neo4jMachine(StoreMachine):
        places = 2

        def __init__(self) -> None:
            super().__init__()
            self.store.change([info.id for info in self.store.infos()], dict.fromkeys)
            self.store.change_nodes(list(TYPES), dict.fromkeys)
            for axis in self.store.axes():
                with suppress(NotFound):
                    self.store.remove_axis(axis.id)

        def opened(self) -> Store:
            return open_store(
                clean_neo4j.url, username=clean_neo4j.username, password=clean_neo4j.password
            )

    run(Neo4jMachine, examples=5, steps=14)
