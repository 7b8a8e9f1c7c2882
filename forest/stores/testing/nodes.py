"""The contract: nodes beside the trees."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from forest.errors import Conflict, InvalidInput
from forest.nodes import Key, Link, Node
from forest.stores.base import Store
from forest.stores.testing.base import Contract, Reopen
from forest.stores.testing.samples import ORDERED, WEIRD, everything, put, thought, tree


def formula(code: str, *terms: str, parts: tuple[str, ...] = (), **said: str) -> Node:
    """A formula of these terms and parts."""
    links = [Link("TERM", term.casefold(), {"phrase": term}) for term in terms]
    links += [Link("COMPOSED_OF", part) for part in parts]
    return Node("Formula", code, said, tuple(links))


def put_nodes(store: Store, *new: Node) -> None:
    """Put nodes in place, whatever is there."""
    store.change_nodes([], lambda _: {node.at: node for node in new})


def remove_nodes(store: Store, *gone: Key) -> None:
    """Remove nodes."""
    store.change_nodes([], lambda _: dict.fromkeys(gone))


class NodeContract(Contract):
    """Nodes beside the trees."""

    def test_nodes_are_kept_as_they_were_put(self, store: Store, reopen: Reopen) -> None:
        spring = Node(
            "Formula",
            "Δ12",
            {"joined": "+", "scene": "расцвет,\n«влечение»"},
            (
                Link("TERM", "вода", {"phrase": "Вода", "role": "object"}),
                Link("TERM", "весна", {"phrase": "весна"}),
                Link("TERM", "вода", {"phrase": "вода"}),
            ),
        )
        scene = Node(
            "Scene", "Δ12/1", {"text": "🌊", "register": "emoji"}, (Link("VOICES", "Δ12"),)
        )
        found = Node("Proposal", "p", {"what": "merge", "rule": "near", "score": 0.1 + 0.2})
        put_nodes(store, scene, found, spring)
        assert list(store.nodes("Formula")) == [spring]
        assert list(store.nodes("Scene")) == [scene]
        again = reopen()
        assert list(again.all_nodes()) == [spring, scene, found]
        again.close()

    def test_where_nodes_came_from_and_when_is_no_part_of_the_revision(self, store: Store) -> None:
        def put_all(file: str, at: str, text: str) -> str:
            said = {"text": text, "origin": file}
            scene = Node("Scene", "Δ12/1", said, (Link("VOICES", "Δ12"),))
            decision = Node("Decision", "000001", {"at": at, "action": "merge", "anchor": "x"})
            put_nodes(store, formula("Δ12", "x", origin=file, imported="Δ12 = x"), scene, decision)
            return str(everything(store)["revision"])

        one = put_all("notes/a.md", "2026-01-01T00:00:00Z", "🌊")
        assert put_all("/elsewhere/notes/a.md", "2026-02-02T00:00:00Z", "🌊") == one
        assert put_all("notes/a.md", "2026-01-01T00:00:00Z", "🌊💧") != one

    def test_nodes_come_in_the_order_of_their_keys(self, store: Store) -> None:
        put_nodes(store, *(formula(key, "x") for key in reversed(ORDERED)))
        assert [node.key for node in store.nodes("Formula")] == list(ORDERED)

    def test_text_is_never_code(self, store: Store) -> None:
        new = [formula(weird, weird, scene=weird) for weird in WEIRD]
        put_nodes(store, *new)
        assert sorted(store.nodes("Formula"), key=lambda n: n.key) == sorted(
            new, key=lambda n: n.key
        )
        remove_nodes(store, *(node.at for node in new))
        assert list(store.all_nodes()) == []

    def test_change_sees_all_of_the_kinds_asked_for(self, store: Store) -> None:
        one, two = formula("Δ01", "вода"), formula("Δ02", "весна")
        scene = Node("Scene", "s", {"text": "t"}, (Link("VOICES", "Δ01"),))
        put_nodes(store, one, two, scene)
        seen: list[Mapping[Key, Node]] = []

        def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
            seen.append(dict(old))
            return {one.at: formula("Δ01", "лёд", name="зима"), two.at: None}

        store.change_nodes(["Formula"], change)
        assert seen[-1] == {one.at: one, two.at: two}
        assert list(store.all_nodes()) == [formula("Δ01", "лёд", name="зима"), scene]

    def test_what_is_left_out_is_gone(self, store: Store) -> None:
        put_nodes(store, formula("Δ01", "вода", "лёд", parts=("Δ02",), name="зима", scene="снег"))
        less = formula("Δ01", "лёд", name="зима")
        put_nodes(store, less)
        assert list(store.nodes("Formula")) == [less]
        assert list(store.check()) == []

    def test_a_link_may_lead_to_what_is_not_there(self, store: Store) -> None:
        rite = formula("Λ1", parts=("Δ12", "Δ41", "Δ12"))
        put_nodes(store, rite)
        assert list(store.nodes("Formula")) == [rite]
        put_nodes(store, formula("Δ12", "вода"))
        remove_nodes(store, ("Formula", "Δ12"))
        assert list(store.nodes("Formula")) == [rite]
        remove_nodes(store, rite.at, ("Formula", "Δ99"))
        assert list(store.nodes("Formula")) == []
        assert list(store.check()) == []

    def test_a_term_is_an_anchor_of_no_thought(self, store: Store) -> None:
        put(store, tree("t", thought("r", "Вода")))
        put_nodes(store, formula("Δ12", "Вода", "весна"))
        assert [(a.id, a.phrase, a.thoughts) for a in store.anchors()] == [("вода", "Вода", 1)]
        assert list(store.occurrences("весна")) == []
        assert [o.thought for o in store.occurrences("вода")] == [
            t.id for t in store.get("t").thoughts
        ]
        store.change(["t"], lambda _: {"t": None})
        assert list(store.anchors()) == []
        assert list(store.nodes("Formula")) == [formula("Δ12", "Вода", "весна")]

    def test_a_change_that_fails_stores_nothing(self, store: Store) -> None:
        put_nodes(store, formula("Δ01", "вода"))
        before = everything(store)

        def fail(_: Mapping[Key, Node]) -> Mapping[Key, Node | None]:
            raise Conflict("no")

        with pytest.raises(Conflict, match="no"):
            store.change_nodes(["Formula"], fail)
        for bad, problem in (
            (Node("Formula", "Δ02", {"colour": "red"}), "no property 'colour'"),
            (Node("Formula", "Δ02", {"name": 5}), "name is 5, expected STRING"),
            (Node("Formula", "Δ02"), "says nothing"),
            (Node("Formula", " ", {"name": "x"}), "key"),
            (Node("Formula", "Δ02", {}, (Link("VOICES", "Δ01"),)), "cannot begin"),
            (Node("Formula", "Δ02", {}, (Link("TERM", ""),)), "leads nowhere"),
            (Node("Tree", "t", {"title": "T"}), "'Tree' is no kind of node"),
        ):
            with pytest.raises(InvalidInput, match=problem):
                put_nodes(store, formula("Δ00", "a"), bad)
        with pytest.raises(InvalidInput, match="'Tree' is no kind of node"):
            list(store.nodes("Tree"))
        assert everything(store) == before

    def test_a_snapshot_has_them(
        self, store: Store, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        put_nodes(store, formula("Δ01", "вода"))
        with store.snapshot(tmp_path_factory.mktemp("snapshot")) as frozen:
            put_nodes(store, formula("Δ02", "лёд"))
            assert list(frozen.all_nodes()) == [formula("Δ01", "вода")]
