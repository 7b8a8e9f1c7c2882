"""`check` names what is wrong or missing in a graph typed by hand, and fixes what can be."""

from __future__ import annotations

import re

import pytest

from forest.errors import Conflict, InvalidTree, NotFound
from forest.forest import Forest
from forest.model import Thought
from forest.revision import forest_revision
from forest.stores.testing import everything, put, thought, tree

pytestmark = pytest.mark.neo4j


def state(store):
    """All that a reader sees, without what is derived from it anyway."""
    return everything(store), forest_revision(store.revisions(), store.axes(), store.all_nodes())


@pytest.mark.usefixtures("justice")
def test_check_names_what_is_missing_and_fix_fills_it_in(store, typed):
    typed(
        """
        CREATE (t:Tree {title: 'Вода'})-[:ROOT]->(r:Thought {text: 'r', level: 7})
        CREATE (r)-[:LEADS_TO {position: 2}]->(:Thought {text: 'a', id: 'own'})
        CREATE (r)-[:LEADS_TO {position: 2}]->(:Thought {text: 'b'})
        CREATE (t)-[:ALIGNS_WITH {weight: 3}]->(:Axis {name: 'Эмпатия'})
        CREATE (t)-[:ALIGNS_WITH {weight: 1}]->(:Axis {id: 'free'})
        CREATE (r)-[:ANCHORED_BY]->(:Anchor {phrase: 'причинность -> следствие'})
        CREATE (r)-[:ANCHORED_BY]->(:Anchor {id: 'H2O'})
        """,
    )
    before = state(store)
    found = list(store.check())
    assert all(f.fixable and not f.fixed for f in found)
    axes = "2 axes without a position that tells the place"
    assert {(f.where, f.problem.partition(";")[0]) for f in found} == {
        ("tree 'justice'", "it has no lang"),
        ("tree 'justice'", "2 thoughts without id"),
        ("tree 'justice'", "2 thoughts without level"),
        ("tree 'justice'", "1 step without a position that tells the place"),
        ("tree 'justice'", "1 anchor without a position that tells the place"),
        ("tree 'justice'", axes),
        ("tree 'вода'", "it has no id"),
        ("tree 'вода'", "it has no lang"),
        ("tree 'вода'", "2 thoughts without id"),
        ("tree 'вода'", "2 thoughts without level"),
        ("tree 'вода'", "1 thought whose level is not as it is read"),
        ("tree 'вода'", "2 steps without a position that tells the place"),
        ("tree 'вода'", "2 anchors without a position that tells the place"),
        ("tree 'вода'", axes),
        ("tree 'вода'", "weights of its axes that do not sum to 1"),
        ("anchor 'причинность → следствие'", "it has no id"),
        ("anchor 'причинность → следствие'", "2 Anchor nodes are read as this one"),
        ("anchor 'H2O'", "it has no phrase"),
        ("axis 'причинность'", "it has no id"),
        ("axis 'эмпатия'", "it has no id"),
        ("axis 'эмпатия'", "2 Axis nodes are read as this one"),
        ("axis 'free'", "it has no name"),
    }
    assert {(f.where, f.problem) for f in store.check(fix=True) if f.fixed} == {
        (f.where, f.problem) for f in found
    }
    assert list(store.check()) == []
    assert state(store)[1] == before[1]
    assert typed("MATCH (n:Thought) WHERE n.id IS NULL RETURN n") == []
    assert typed("MATCH (a:Anchor) RETURN a.id AS id ORDER BY id") == [
        {"id": "H2O"},
        {"id": "причинность → следствие"},
    ]


def test_check_says_which_axes_lack_a_weight_and_which_are_bound_twice(store, typed):
    typed(
        """
        CREATE (t:Tree {id: 't', lang: 'en'})-[:ROOT]->(:Thought {id: 't/r', text: 'r', level: 0})
        CREATE (t)-[:ALIGNS_WITH {position: 0, weight: 0.5}]->(x:Axis {id: 'x', name: 'x'})
        CREATE (t)-[:ALIGNS_WITH {position: 1, weight: 0.25}]->(x)
        CREATE (t)-[:ALIGNS_WITH {position: 2}]->(:Axis {id: 'y', name: 'y'})
        """
    )
    assert "1 axis without a weight, and an axis that it is bound to more than once; read as " in [
        *(f.problem.removesuffix("x 0.75 · y 0.25") for f in store.check())
    ]


def test_a_language_that_is_none_is_read_and_named(store, typed, tmp_path):
    typed(
        """
        CREATE (:Tree {id: 't', lang: 'русский'})-[:ROOT]->(r:Thought {id: 't/r', text: 'r'})
        CREATE (r)-[:LEADS_TO]->(:Thought {id: 't/a', text: 'a', lang: 'по-русски'})
        """
    )
    read = store.get("t")
    assert (read.lang, read["a"].lang) == ("русский", "по-русски")
    said = "expected a language such as ru, en or pt-BR (BCP 47)"
    named = {f"its lang is 'русский': {said}", f"thought 't/a': its lang is 'по-русски': {said}"}
    assert named < {f.problem for f in store.check(fix=True)}
    assert {f.problem for f in store.check()} == named
    assert store.get("t").revision == read.revision
    with Forest.open_for_copy(f"sqlite:///{tmp_path / 'copy.db'}") as copied:
        Forest(store).copy_to(copied)
        assert {f.problem for f in copied.check()} == named
        store.remove(["t"])
        copied.copy_to(Forest(store))
    assert store.get("t").revision == read.revision
    with pytest.raises(InvalidTree, match="tree 't': lang: expected a language"):
        Forest(store).add_thought("t", "b")


def test_a_fix_leaves_the_links_of_what_is_broken(store, typed):
    put(store, tree("whole", thought("вода", "вода"), axes=["x"]))
    typed(
        """
        CREATE (t:Tree {id: 'torn'})-[:ROOT]->(:Thought {text: 'a'})
        CREATE (t)-[:ROOT]->(b:Thought {text: 'b'})-[:ANCHORED_BY]->(:Anchor {phrase: 'Вода'})
        CREATE (t)-[:ALIGNS_WITH]->(:Axis {name: 'X'})
        CREATE (:Thought {text: 'lone'})-[:ANCHORED_BY]->(:Anchor {phrase: 'ВОДА'})
        """
    )
    links = """
        MATCH (n)-[e]->(m) WHERE n.id = 'torn' OR n.text IN ['b', 'lone']
        RETURN [id(n), id(e), id(m)] AS link ORDER BY id(e)
        """
    before = typed(links)
    found = list(store.check(fix=True))
    assert typed(links) == before
    left = [f for f in found if f.problem.endswith("they become one when that is put right")]
    assert "anchor 'вода'" in {f.where for f in left}
    typed("MATCH (n) WHERE n.text IN ['b', 'lone'] DETACH DELETE n")
    list(store.check(fix=True))
    assert typed("MATCH (n:Anchor|Axis) RETURN labels(n)[0] AS label ORDER BY label") == [
        {"label": "Anchor"},
        {"label": "Axis"},
    ]


@pytest.mark.usefixtures("justice")
def test_a_fix_keeps_what_authors_put_on_their_nodes(store, typed):
    typed(
        """
        MATCH (s:Thought)-[e:ANCHORED_BY]->(a) SET s.color = 'red', e.sure = true
        SET e.position = 0
        CREATE (s)-[:SEE]->(:Book)
        CREATE (s)-[:ANCHORED_BY {sure: false}]->(:Anchor {phrase: 'Причинность ⇒ следствие'})
        """,
    )
    before = store.get("justice")
    assert all(f.fixed for f in store.check(fix=True))
    assert store.get("justice") == before
    assert typed(
        "MATCH (:Book)<-[:SEE]-(s)-[e:ANCHORED_BY]->(a:Anchor)"
        " RETURN s.color AS c, e.sure AS s ORDER BY e.position",
    ) == [{"c": "red", "s": True}, {"c": "red", "s": False}]


@pytest.mark.usefixtures("justice")
def test_a_double_node_with_something_of_its_own_is_left_to_the_author(store, typed):
    typed(
        """
        MATCH (s:Thought)-[:ANCHORED_BY]->(a), (t:Tree)-[:ALIGNS_WITH]->(x:Axis {name: 'эмпатия'})
        SET a.note = 'ours', x.description = 'своё'
        CREATE (s)-[:ANCHORED_BY]->(:Anchor {phrase: 'причинность → следствие', note: 'mine'})
        CREATE (t)-[:ALIGNS_WITH]->(:Axis {name: 'Эмпатия', description: 'чужая боль'})
        """,
    )
    before = state(store)
    left = {f.where for f in store.check(fix=True) if not f.fixed}
    assert left == {"anchor 'причинность → следствие'", "axis 'эмпатия'"}
    assert {f.where for f in store.check()} == left
    assert state(store) == before


@pytest.mark.parametrize(
    "node",
    [
        "Axis {name: 5}",
        "Axis {name: 'x', description: 5}",
        "Axis {id: 5, name: 'x'}",
        "Anchor {phrase: 5}",
        "Anchor {id: 5, phrase: 'x'}",
    ],
)
def test_what_is_no_text_is_named_and_left_to_the_author(store, typed, node):
    typed(f"CREATE (:{node})")
    (finding,) = store.check(fix=True)
    assert (finding.fixable, finding.fixed) == (False, False)
    assert re.search(
        r"its (id|name|phrase|description) is a number \(5\), expected text", finding.problem
    )


def test_a_position_that_is_no_number_is_named_and_left_to_the_author(store, typed):
    typed(
        """
        CREATE (t:Tree {id: 'x', title: 'X'})-[:ROOT]->(r:Thought {text: 'r', id: 'x/r'})
        CREATE (r)-[:LEADS_TO {position: 'x'}]->(:Thought {text: 'a', id: 'x/a'})
        CREATE (r)-[:LEADS_TO]->(:Thought {text: 'b'})
        CREATE (r)-[:ANCHORED_BY {position: [1]}]->(:Anchor {phrase: 'вода'})
        CREATE (t)-[:ALIGNS_WITH {position: true}]->(:Axis {name: 'эмпатия'})
        """,
    )
    found = [f for f in store.check(fix=True) if f.where == "tree 'x'"]
    assert not any(f.fixable for f in found)
    said = "\n".join(f.problem for f in found)
    assert "thought 'x/a': the LEADS_TO that leads to it has the position 'x'" in said
    assert "thought 'x/r': the ANCHORED_BY of it has the position [1]" in said
    assert "has the position True, which is no number" in said
    assert "1 thought without id; the first is thought «b»" in said
    places = "MATCH ()-[e]->() WHERE e.position IS NOT NULL RETURN count(e) AS n"
    assert store.cypher(places, {}) == [{"n": 3}]
    assert {t.text for t in store.get("x").thoughts} == {"r", "a", "b"}


def test_what_is_no_tree_can_be_removed_and_takes_nothing_of_others_along(store, typed):
    put(store, tree("other", thought("Корень.", "общий", id="other/r")))
    typed(
        """
        MATCH (other:Thought {id: 'other/r'})
        CREATE (t:Tree {id: 'x', title: 'X'})-[:ROOT]->(r:Thought {text: 'r'}),
          (t)-[:ROOT]->(:Thought {text: 'второй'}),
          (r)-[:LEADS_TO]->(a:Thought {text: 'a'})-[:LEADS_TO]->(r),
          (a)-[:LEADS_TO]->(c:Thought {text: 'c'})-[:ANCHORED_BY]->(:Anchor {phrase: 'вода'}),
          (other)-[:LEADS_TO]->(c)
        """
    )
    with pytest.raises(NotFound, match="'nowhere'"):
        store.remove(["x", "nowhere"])
    assert store.remove(["x"]).removed == ["x"]
    assert list(store.check(fix=True))[-1].fixed
    assert list(store.check()) == []
    assert [t.text for t in store.get("other").thoughts] == ["Корень.", "c"]
    assert typed("MATCH (n:Thought) RETURN count(n) AS n") == [{"n": 2}]


@pytest.mark.usefixtures("justice")
def test_an_id_that_is_taken_elsewhere_cannot_be_filled_in(store):
    taken = store.get("justice").root.id
    put(store, tree("other", Thought(text="x", id=taken)))
    findings = [f for f in store.check(fix=True) if not f.fixed]
    assert [(f.where, f.fixable) for f in findings] == [("tree 'justice'", False)]
    assert taken in findings[0].problem


def test_thoughts_outside_of_trees_are_named(store, typed):
    put(store, tree("t", Thought(text="r", id="t/r")))
    typed(
        """
        CREATE (:Thought {text: 'Одинокая мысль.'})
        CREATE (:Thought {id: 'x/1', text: 'x'})-[:LEADS_TO]->(:Thought {text: 'y'})
        CREATE (a:Thought {id: 'ring/a', text: 'a'}), (b:Thought {id: 'ring/b', text: 'b'})
        CREATE (a)-[:LEADS_TO]->(b)-[:LEADS_TO]->(a), (b)-[:LEADS_TO]->(:Thought {text: 'tail'})
        """,
    )
    findings = sorted((f.where, f.problem) for f in store.check(fix=True))
    assert len(findings) == 3
    (ring, loose, lonely) = findings
    assert re.search(r"«Одинокая мысль\.» \(id \d+\)", lonely[0])  # as Cypher's id() gives it
    assert "ring/" in ring[0]
    assert re.fullmatch(
        "a cycle that stands in no tree: thought 'ring/[ab]' → thought 'ring/[ab]' → .*", ring[1]
    )
    assert loose == ("thought 'x/1'", "it stands in no tree, and 1 thought with it")
    assert lonely[0].startswith("thought «Одинокая мысль.»")
    with pytest.raises(NotFound):
        store.tree_of("x/1")
    with pytest.raises(Conflict, match=r"'x/1'.* stands in no tree"):
        put(store, tree("x", Thought(text="x", id="x/1")))
    assert [t.id for t in store.trees()] == ["t"]


def test_a_healthy_forest_has_no_findings(store):
    Forest(store).plant_axes()
    put(
        store,
        *(tree(f"t{i}", thought("r", "общий", f"свой {i}"), axes=["эмпатия"]) for i in range(9)),
    )
    assert list(store.check()) == []
    assert list(store.check(fix=True)) == []
