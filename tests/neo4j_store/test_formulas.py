"""Formulas on Neo4j, also those that authors type in Neo4j Browser."""

from __future__ import annotations

import pytest

from anchors.formulas.book import Book, scene_node
from anchors.formulas.criteria import check
from anchors.formulas.registry import add, add_scene, compose, remove
from anchors.formulas.syntax import parse, text_of
from forest.errors import Conflict, InvalidInput

pytestmark = pytest.mark.neo4j


def test_formulas_are_kept(store):
    texts = ["Δ12 = (вода — среда + весна) = «Зов» = раз → «Два.»", "Ω3 = [Δ12, Δ01]_гармония"]
    for text in texts:
        assert add(store, text).new
        assert not add(store, text).changed
    add_scene(store, "Δ12", "Пульс", register="телесно")
    assert [text_of(f) for f in Book.of(store).formulas.values()] == texts
    assert [s.text for s in Book.of(store).voices("Δ12")] == ["Пульс", "Два."]
    with pytest.raises(Conflict, match="a part of Ω3"):
        remove(store, "Δ12")
    remove(store, "Ω3")
    remove(store, "Δ12")
    assert list(store.all_nodes()) == []


@pytest.mark.usefixtures("justice")
def test_formulas_are_typed_with_nothing_but_code_and_terms(store, typed):
    typed(
        """
        CREATE (f:Formula {code: 'Δ12'}),
               (f)-[:TERM {role: 'object', position: 0}]->(:Anchor {phrase: 'Вода'}),
               (f)-[:TERM {position: 1}]->(:Anchor {phrase: 'весна'}),
               (:Scene {id: 's', text: 'Зов'})-[:VOICES]->(f),
               (:Formula {code: 'Δ7'})-[:TERM]->(:Anchor {phrase: 'лёд'}),
               (:Formula {code: 'Δ08', joined: '?'})-[:TERM]->(:Anchor {phrase: 'лёд'}),
               (:Formula {code: 'Δ09', scene: 5})-[:TERM]->(:Anchor {phrase: 'лёд'})
        """
    )
    broken: list[InvalidInput] = []
    book = Book.of(store, broken.append)
    assert list(book.formulas.values()) == [
        parse("Δ09 = лёд = 5"), parse("Δ12 = (Вода — object + весна)"),
    ]  # fmt: skip
    assert [(s.text, s.lang) for s in book.voices("Δ12")] == [("Зов", "ru")]
    assert [error.message.split(":")[0] for error in broken] == [
        "the node Formula 'Δ08' is none", "the node Formula 'Δ7' is none",
    ]  # fmt: skip
    with pytest.raises(Conflict, match="cannot be read"):
        add(store, "Δ08 = лёд")
    typed(
        """
        MATCH (t:Thought)-[:ANCHORED_BY]->() MATCH (a:Anchor) WHERE a.phrase IN ['Вода', 'весна']
        MERGE (t)-[:ANCHORED_BY]->(a)
        """
    )
    assert check(store, "Δ12").trees == ("justice",)
    assert compose(store, ["Δ12", "Δ09"]).formula.code == "Λ1"
    add(store, "Δ12 = (Вода + весна) = «Имя»")
    assert text_of(Book.of(store, lambda _: None).formulas["Δ12"]) == (
        "Δ12 = (Вода — object + весна) = «Имя»"
    )


def test_a_scene_typed_without_an_id_is_complete(store, typed):
    add(store, "Δ12 = (вода + весна)")
    voice = "MATCH (f:Formula) CREATE (:Scene {text: 'Зов'})-[:VOICES]->(f)"
    typed(voice)
    (scene,) = Book.of(store).voices("Δ12")
    nodes = list(store.nodes("Scene"))
    key = nodes[0].key
    assert (scene.text, key) == ("Зов", scene_node("Δ12", scene).key)
    assert [(f.where, f.problem) for f in store.check()] == [(f"Scene {key!r}", "it has no `id`")]
    assert [f.fixed for f in store.check(fix=True)] == [True]
    assert list(store.check()) == []
    assert list(store.nodes("Scene")) == nodes
    assert typed("MATCH (s:Scene) RETURN s.id AS id") == [{"id": key}]
    typed(voice)
    assert list(store.nodes("Scene")) == nodes
    typed("MATCH (f:Formula) CREATE (:Scene {text: 'Ещё'})-[:VOICES]->(f), (:Scene {text: 'Чей?'})")
    typed("CREATE (:Formula {name: 'Зов'})")
    assert not add_scene(store, "Δ12", "Ещё").new
    assert add_scene(store, "Δ12", "Ещё", register="телесно").new
    assert sorted(s.text for s in Book.of(store).voices("Δ12")) == ["Ещё", "Ещё", "Зов"]
    assert {f.problem.split(" (")[0].split(":")[0] for f in store.check()} == {
        "another Scene node", "it has no `code`", "it has no `id`, and what it would be made of",
    }  # fmt: skip


@pytest.mark.usefixtures("justice")
def test_a_term_typed_beside_the_anchor_that_it_means_is_put_right(store, typed):
    typed(
        """
        MATCH (t:Thought)<-[:ROOT]-() CREATE (t)-[:ANCHORED_BY]->(:Anchor {phrase: 'вода'})
        CREATE (f:Formula {code: 'Δ12'})-[:TERM {role: 'object'}]->(:Anchor {phrase: 'Вода'}),
               (f)-[:TERM]->(:Anchor {phrase: 'весна'}),
               (g:Formula {code: 'Δ13'})-[:TERM]->(:Anchor {phrase: 'ВОДА'}),
               (g)-[:TERM]->(:Anchor {phrase: 'лёд'})
        """
    )
    before = list(store.nodes("Formula"))
    assert any("3 Anchor nodes are read as this one" in f.problem for f in store.check())
    assert all(f.fixed for f in store.check(fix=True))
    assert list(store.check()) == []
    assert list(store.nodes("Formula")) == before
    shared = (
        "MATCH (:Thought)-->(:Anchor)<-[e:TERM]-(f:Formula) RETURN f.code AS c, e.position AS at"
    )
    rows = typed(shared)
    assert {row["c"] for row in rows} == {"Δ12", "Δ13"}
    # The terms that were moved would be the last ones without a place.
    assert {row["at"] for row in rows} & {0, 1}


def test_a_formula_of_nothing_but_its_code_is_named(store, typed):
    typed("CREATE (:Formula {code: 'Δ7'})")
    assert [(f.where, f.problem.split(":")[0]) for f in store.check()] == [
        ("Formula 'Δ7'", "it has nothing but its `code`"),
    ]
    assert list(store.nodes("Formula")) == []


def test_a_decision_without_its_number_is_named_by_that(store, typed):
    typed("CREATE (:Decision {action: 'merge', at: 'now'})")
    assert ["it has no `no`" in f.problem for f in store.check()] == [True]
