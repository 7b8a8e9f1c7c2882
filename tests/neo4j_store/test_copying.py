"""A copy into Neo4j is many transactions: broken off, it is known as half a copy."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from forest.copying import copy
from forest.errors import Conflict, StoreError
from forest.forest import Forest
from forest.nodes import Link, Node
from forest.stores.neo4j import half_copy
from forest.stores.testing import put, thought, tree
from forest.stores.testing.copying import Failing
from forest.stores.testing.copying import source as sample
from tests.test_copying import imported_on

pytestmark = pytest.mark.neo4j

KILLED = """
import os, signal, sys
from forest.forest import Forest
from forest.stores.neo4j import Neo4jStore, half_copy, spool, store
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def then_die(holder, name):
    act = getattr(holder, name)
    setattr(holder, name, lambda *a: (act(*a), die()))
spool.BATCH_TREES = 1
source, url, stage, password = sys.argv[1:]
if stage == "some trees":
    merged, merge = [], store._merge
    def count(writing, spool, batch, merge):
        merged.extend(batch)
        if len(merged) > 2:
            die()
        return real(writing, spool, batch, merge)
    real, store._merge = store._merge, count
elif stage == "the end":
    half_copy._end = die
else:
    then_die(Neo4jStore, stage)
target = Neo4jStore(url, password=password, username="neo4j")
Forest.open(source).copy_to(Forest(target))
"""


@pytest.fixture
def source(tmp_path):
    """The URL of a forest with something of each kind."""
    url = f"sqlite:///{tmp_path / 'source.db'}"
    with Forest.open(url) as forest:
        forest.plant_axes()
        steps = thought("Шаг.", "общий", level=1)
        put(forest.store, *(tree(f"t{i}", "Корень.", steps) for i in range(5)))
        term = Link("TERM", "вода", {"phrase": "вода"})
        formula = Node("Formula", "Δ12", {"name": "весна"}, (term,))
        forest.store.change_nodes([], lambda _: {formula.at: formula})
    return url


@pytest.mark.parametrize("stage", ["put_axes", "some trees", "the end"])
def test_killed_in_the_middle_of_a_copy(clean_neo4j, opened, source, stage):
    server = clean_neo4j
    command = [sys.executable, "-c", KILLED, source, server.url, stage, server.password]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with pytest.raises(StoreError, match=f"{server.url} is half a copy: `forest copy {source}"):
        opened()
    with Forest(opened(half_copy=True)) as target, Forest.open(source) as forest:
        there = [info.id for info in target.infos()]
        written = forest.copy_to(target)
        assert written.unchanged == there
        assert len(written.added) == 5 - len(there)
        assert target.revision == forest.revision
    with opened() as whole:
        assert list(whole.check()) == []


def half_a_copy(opened):
    """Half a copy of the sample, by one that failed."""
    broken = sample()
    broken.stage = "nodes"
    with opened() as target, pytest.raises(RuntimeError):
        copy(broken, target)


def test_half_a_copy_is_opened_and_written_by_nobody_unawares(opened):
    early = opened()
    half_a_copy(opened)
    with pytest.raises(StoreError, match="is half a copy"):
        opened()
    with pytest.raises(Conflict, match="is half a copy"):
        put(early, tree("mine"))
    copy(sample(), opened(half_copy=True))
    put(early, tree("mine"))


def test_what_the_source_no_longer_has_goes_when_the_copy_is_finished(opened):
    half_a_copy(opened)
    changed = sample()
    put(changed, tree("b", "Иначе."))
    changed.change(["a"], dict.fromkeys)
    target = opened(half_copy=True)
    written = copy(changed, target)
    assert (written.added, written.unchanged) == (["b"], ["justice"])
    assert Forest(target).revision == Forest(changed).revision


def test_half_a_copy_is_not_replaced_by_a_copy_of_another_forest(opened, source):
    half_a_copy(opened)
    with Forest.open(source) as other, Forest(opened(half_copy=True)) as target:
        there = [tree.id for tree in target]
        with pytest.raises(Conflict, match=r"half a copy of memory:, and not of sqlite:") as told:
            other.copy_to(target)
        assert there
        assert [tree.id for tree in target] == there
        assert "forest copy memory: " in str(told.value)
        target.cypher(half_copy.EMPTY)
    with Forest.open(source) as other, Forest(opened()) as target:
        other.copy_to(target)
        assert target.revision == other.revision


def test_of_two_copies_at_once_the_first_stops(opened):
    first, second = opened(), opened()

    class Overtaken(Failing):
        def all_nodes(self):
            if self.stage == "ready":
                copy(sample(), second)
            return super().all_nodes()

    slow = Overtaken()
    copy(sample(), slow)
    slow.stage = "ready"
    with pytest.raises(Conflict, match=r"another copy into .* began meanwhile"):
        copy(slow, first)
    with opened() as whole:
        assert Forest(whole).revision == Forest(sample()).revision


def test_files_of_a_forest_that_was_copied_to_a_server_and_back_are_known(store, tmp_path):
    with Forest.open(f"sqlite:///{tmp_path / 'here.db'}") as here:
        imported_on(here, Forest(store), tmp_path / "vault")
    (tmp_path / "else").mkdir()
    with Forest.open(f"sqlite:///{tmp_path / 'else' / 'back.db'}") as back:
        Forest(store).copy_to(back)
        (tmp_path / "vault" / "x.md").write_text("# x\n\nТретий текст.\n", encoding="utf-8")
        assert back.import_files(tmp_path / "vault").changed == ["x"]
