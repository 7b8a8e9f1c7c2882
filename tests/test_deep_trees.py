"""A chain of 100,000 levels is a tree like any other."""

from __future__ import annotations

import copy

import pytest

from forest.errors import InvalidTree
from forest.identity import finished
from forest.model import Thought, Tree, check_levels
from forest.stores.memory import MemoryStore
from forest.stores.sqlite import SqliteStore
from tests.model_helpers import ids, raw

LEVELS = 100_000


@pytest.fixture(scope="module", params=["different", "same"])
def chain(request):
    t = Tree("deep")
    for i in range(LEVELS if request.param == "different" else LEVELS // 5):
        t.add(f"Шаг {i}." if request.param == "different" else "Да.")
    return finished(t)


def copied(t: Tree) -> Tree:
    return t.model_copy(update={"thoughts": list(t.thoughts)})


def test_a_deep_chain_can_be_read(chain):
    n = len(chain)
    assert (len(chain), chain.depth) == (n, n - 1)
    bottom = chain.thoughts[-1]
    assert len(chain.path(bottom)) == n
    assert chain.parents() == list(range(-1, n - 1))
    assert sum(1 for _ in chain.walk()) == n
    assert chain.children(chain.root) == [chain.thoughts[1]]
    assert chain.end(0) == n
    assert len(chain.revision) == 64
    assert repr(chain) == f"<Tree 'deep': {n} thoughts, depth {n - 1}>"


def test_a_deep_chain_can_be_changed(chain):
    n = len(chain)
    t = copied(chain)
    t.add("Сбоку.", under=t.root, at=0)
    t.edit(t.thoughts[n // 2], text="Иначе.")
    t.move(t.thoughts[n // 2], under=t.root)
    assert t.depth == n // 2 + 1
    branch = t.prune(t.thoughts[n // 2 + 1])
    t.graft(branch, under=t.thoughts[n // 2 - 1])
    assert sorted(ids(t)) == sorted([*ids(chain), t.thoughts[1].id])
    check_levels(t.thoughts)


def test_a_deep_chain_can_be_copied_and_validated(chain):
    assert copy.deepcopy(chain) == chain
    assert Tree.model_validate(chain.model_dump()) == chain
    assert Tree.model_validate_json(chain.model_dump_json()) == chain


def test_a_deep_chain_gets_its_ids(chain):
    n = len(chain)
    assert finished(raw(chain)) == chain
    edited = raw(chain)
    edited.thoughts[n // 2] = Thought(text="Иначе.", level=n // 2)
    edited.thoughts[n // 3] = Thought(text="И тут.", level=n // 3)
    again = finished(edited, chain)
    assert ids(again) == ids(chain)


def test_a_deep_chain_with_an_id_used_twice_is_refused(chain):
    n = len(chain)
    t = copied(chain)
    t.thoughts[-1] = Thought(text="x", level=n - 1, id=t.thoughts[-2].id)
    with pytest.raises(InvalidTree, match="two thoughts with the id"):
        finished(t)


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
@pytest.mark.parametrize("chain", ["different"], indirect=True)
def test_a_deep_chain_lives_in_a_store(chain, kind, tmp_path):
    t = copied(chain)
    for i in range(0, LEVELS, 2):
        t.thoughts[i] = Thought(text="Мысль.", level=i, id=t.thoughts[i].id, anchors=("якорь",))  # type: ignore[arg-type]

    def cut(trees: dict[str, Tree | None]) -> dict[str, Tree | None]:
        old = trees["deep"]
        assert old is not None
        old.prune(old.thoughts[LEVELS // 2])
        return {"deep": old}

    with MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "forest.db") as store:
        store.write([t], lambda _, new: new)
        assert list(store.trees()) == [t]
        assert store.tree_of(t.thoughts[-1].id) == "deep"
        (anchor,) = store.anchors()
        assert anchor.thoughts == LEVELS // 2
        assert sum(1 for _ in store.occurrences("якорь")) == LEVELS // 2
        store.change(["deep"], cut)
        (info,) = store.infos()
        assert (info.size, info.depth) == (LEVELS // 2, LEVELS // 2 - 1)
        assert list(store.check()) == []
