"""Graphs that authors typed with Cypher: read as they mean, kept as they are, checked and fixed."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

import pytest

from forest.errors import InvalidTree, NotATree, NotFound
from forest.forest import Forest
from forest.identity import finished
from forest.model import AnchorLink, Axis, Thought, Tree
from forest.stores.sqlite import SqliteStore
from forest.stores.testing import everything, put, thought, tree

pytestmark = pytest.mark.neo4j


def outline(tree):
    return [(t.level, t.text) for t in tree.thoughts]


# --- typed by hand: reading -----------------------------------------------------------------------


@pytest.mark.usefixtures("justice")
def test_a_tree_typed_with_nothing_but_text_is_complete(store):
    read = store.get("justice")
    assert (read.title, read.lang, read.axes) == (
        "справедливость",
        "ru",
        {"причинность": 0.8, "эмпатия": 0.2},
    )
    assert outline(read) == [(0, "Справедливость — это соответствие."), (1, "Но нормы различны.")]
    assert read.thoughts[1].anchors == (AnchorLink(phrase="Причинность → следствие"),)
    same = Tree("справедливость", id="justice", axes=read.axes)
    root = same.add("Справедливость — это соответствие.")
    same.add("Но нормы различны.", under=root, anchors=["Причинность → следствие"])
    assert read.revision == finished(same).revision
    assert list(store.trees()) == [read]
    assert [a.id for a in store.anchors()] == ["причинность → следствие"]
    assert [o.thought for o in store.occurrences("причинность → следствие")] == [
        read.thoughts[1].id
    ]
    assert store.axes() == [Axis(name="причинность"), Axis(name="эмпатия")]


@pytest.mark.usefixtures("justice")
def test_a_typed_tree_is_the_same_in_every_store(store, typed, tmp_path):
    typed("CREATE (:Axis {id: 'x', name: 'без деревьев', description: 'лишняя'})")
    typed("CREATE (:Tree {title: 'Вода'})-[:ROOT]->(:Thought {text: 'Вода течёт.'})")
    with SqliteStore(tmp_path / "copy.db") as copy:
        Forest(store).copy_to(Forest(copy))
        assert everything(copy) == everything(store)


@pytest.mark.usefixtures("justice")
def test_what_is_no_tree_is_found_by_its_title_and_its_cause_is_said(store, typed):
    typed("MATCH (t:Tree) SET t.meta = 'not json'")
    forest = Forest(store)
    for name in ("СПРАВЕДЛИВОСТЬ", "справ", "jus"):
        assert forest.find(name) == "justice"
    with pytest.raises(InvalidTree, match="meta: expected a JSON object"):
        forest.get(forest.find("справ"))
    with pytest.raises(NotFound):
        forest.find("другая")


def test_ids_and_titles_that_were_left_out(store, typed):
    typed("CREATE (:Tree {title: 'Что такое вода?'})-[:ROOT]->(:Thought {text: 'Вода.'})")
    typed("CREATE (:Tree {id: 'ice'})-[:ROOT]->(:Thought {text: 'Ice.', id: 'own'})")
    assert [(t.id, t.title, t.lang) for t in store.trees()] == [
        ("ice", "ice", "en"),
        ("что-такое-вода", "Что такое вода?", "ru"),
    ]
    assert store.get("что-такое-вода").root.id.startswith("что-такое-вода/")
    assert store.tree_of(store.get("что-такое-вода").root.id) == "что-такое-вода"
    assert (store.get("ice").root.id, store.tree_of("own")) == ("own", "ice")
    with pytest.raises(NotFound):
        store.tree_of("что-такое-вода/0123456789ab")


def test_an_id_typed_in_another_unicode_form_is_found(store, typed):
    written, name = (unicodedata.normalize(form, "й") for form in ("NFD", "NFC"))
    typed(
        "CREATE (:Tree {id: $id})-[:ROOT]->(:Thought {text: 'Мысль.', id: $id + '/1'})",
        id=written,
    )
    assert [t.id for t in store.trees()] == [name]
    assert store.get(name).root.id == f"{name}/1"
    assert store.tree_of(f"{name}/1") == name
    store.change([name], lambda old: old)
    assert typed("MATCH (t:Tree) RETURN t.id AS id") == [{"id": name}]


def test_siblings_come_by_position_then_in_the_order_they_were_linked(store, typed):
    typed(
        """
        CREATE (t:Tree {id: 't'})-[:ROOT]->(r:Thought {text: 'r'})
        CREATE (a:Thought {text: 'a'}), (b:Thought {text: 'b'}), (c:Thought {text: 'c'}),
               (d:Thought {text: 'd'}), (e:Thought {text: 'e'}), (f:Thought {text: 'f'})
        CREATE (r)-[:LEADS_TO]->(a)
        CREATE (r)-[:LEADS_TO {position: 7}]->(b)
        CREATE (r)-[:LEADS_TO]->(c)
        CREATE (r)-[:LEADS_TO {position: -1.5}]->(d)
        CREATE (r)-[:LEADS_TO {position: 'no number'}]->(e)
        CREATE (r)-[:LEADS_TO {position: 7}]->(f)
        """,
    )
    # Neo4j gives ids in the order of creation, unless it uses those of deleted links again.
    made = "MATCH ()-[e:LEADS_TO]->(n) WHERE n.text IN $texts RETURN n.text AS text ORDER BY id(e)"
    same, none = (
        [row["text"] for row in typed(made, texts=list(texts))] for texts in ("bf", "ace")
    )
    assert [t.text for t in store.get("t").thoughts] == ["r", "d", *same, *none]


def test_anchors_typed_several_times_are_one(store, typed):
    typed(
        """
        CREATE (t:Tree {id: 't'})-[:ROOT]->(r:Thought {text: 'r'})
        CREATE (r)-[:LEADS_TO]->(s:Thought {text: 's'})
        CREATE (r)-[:ANCHORED_BY {position: 1}]->(:Anchor {phrase: 'Вода'})
        CREATE (r)-[:ANCHORED_BY {position: 0, phrase: 'ВОДА', origin: 'discovered', score: 1}]
                 ->(:Anchor {phrase: 'вода.'})
        CREATE (s)-[:ANCHORED_BY {position: 0}]->(:Anchor {id: 'вода', phrase: 'Вода'})
        CREATE (s)-[:ANCHORED_BY {position: 1}]->(:Anchor {id: 'H2O'})
        CREATE (s)-[:ANCHORED_BY {position: 2}]->(:Anchor {phrase: 'Вода', kind: 'link'})
        """,
    )
    first, second = store.get("t").thoughts
    assert first.anchors == (
        AnchorLink(phrase="ВОДА", origin="discovered", score=1.0),
        AnchorLink(phrase="Вода"),
    )
    assert second.anchors == (
        AnchorLink(phrase="Вода"),
        AnchorLink(phrase="H2O", anchor="H2O"),
        AnchorLink(phrase="Вода", kind="link"),
    )
    assert [(a.id, a.phrase, a.thoughts) for a in store.anchors()] == [
        ("H2O", "H2O", 1),
        ("[[вода]]", "Вода", 1),
        ("вода", "Вода", 2),
    ]
    assert [o.phrase for o in store.occurrences("вода")] == ["ВОДА", "Вода", "Вода"]


@pytest.mark.parametrize(
    ("weights", "read"),
    [
        ("{weight: 3}, {weight: 1}", [0.75, 0.25]),
        ("{weight: 80}, {weight: 20}", [0.8, 0.2]),
        (", ", [0.5, 0.5]),
        ("{weight: 0.5}, ", [0.5, 0.5]),
        ("{weight: 0.8}, ", [0.8, 0.2]),
        ("{weight: 0.8}, {weight: 0.2}", [0.8, 0.2]),
    ],
)
def test_weights_are_read_scaled_to_one(store, typed, weights, read):
    first, second = weights.split(", ")
    typed(
        f"""
        CREATE (t:Tree {{id: 't'}})-[:ROOT]->(:Thought {{text: 'r'}})
        CREATE (t)-[:ALIGNS_WITH {first}]->(:Axis {{name: 'Я'}})
        CREATE (t)-[:ALIGNS_WITH {second}]->(:Axis {{id: 'custom', name: 'а'}})
        """,
    )
    assert store.get("t").axes == {"Я": read[0], "а": read[1]}
    assert [a.id for a in store.axes()] == ["а", "я"]


def test_axes_typed_twice_are_one(store, typed):
    typed(
        """
        CREATE (t:Tree {id: 't'})-[:ROOT]->(:Thought {text: 'r'})
        CREATE (t)-[:ALIGNS_WITH {weight: 1, position: 0}]->(:Axis {name: 'Эмпатия'})
        CREATE (t)-[:ALIGNS_WITH {weight: 1, position: 1}]->(:Axis {name: 'эмпатия'})
        CREATE (t)-[:ALIGNS_WITH {weight: 2}]->(:Axis {name: 'другая'})
        """,
    )
    assert store.get("t").axes == {"Эмпатия": 0.5, "другая": 0.5}
    assert [a.id for a in store.axes()] == ["другая", "эмпатия"]


def test_times_and_meta_may_be_typed_in_several_ways(store, typed):
    typed(
        """
        CREATE (:Tree {id: 't', created_at: date('2024-02-29'), meta: '{"uid": "Δ12"}',
                       updated_at: datetime('2025-01-01T03:00[Europe/Berlin]')})
          -[:ROOT]->(:Thought {text: 'r'})
        CREATE (:Tree {id: 'u', created_at: '2024-02-29T10:00:00Z'})-[:ROOT]->(:Thought {text: 'r'})
        """,
    )
    first, second = store.trees()
    assert first.meta == {"uid": "Δ12"}
    assert first.created_at == datetime(2024, 2, 29, tzinfo=UTC)
    assert first.updated_at is not None
    assert first.updated_at.isoformat() == "2025-01-01T03:00:00+01:00"
    assert second.created_at == datetime(2024, 2, 29, 10, tzinfo=UTC)


# --- typed by hand: writing -----------------------------------------------------------------------


@pytest.mark.usefixtures("justice")
def test_an_edit_keeps_the_nodes_and_what_authors_put_on_them(store, typed):
    typed(
        """
        MATCH (t:Tree)-[:ROOT]->(r)-[e:LEADS_TO]->(s)-[f:ANCHORED_BY]->(a)
        SET t.color = 'red', r.color = 'green', s.color = 'blue', e.why = 'because', f.sure = true,
            a.note = 'mine'
        CREATE (s)-[:SEE {page: 3}]->(r), (a)-[:LIKE]->(:Book {name: 'Книга'})
        """,
    )
    nodes = "MATCH (n) RETURN elementId(n) AS e, labels(n)[0] AS label ORDER BY e"
    links = "MATCH (a)-[r]->(b) RETURN elementId(r) AS e, type(r) AS type ORDER BY e"
    before = typed(nodes), typed(links)

    def edit(old):
        old["justice"].edit(old["justice"].root, text="Иначе.", kind="question")
        old["justice"].add("И ещё.")
        return old

    ids = [t.id for t in store.get("justice").thoughts]
    store.change(["justice"], edit)
    read = store.get("justice")
    assert outline(read) == [(0, "Иначе."), (1, "Но нормы различны."), (2, "И ещё.")]
    assert [t.id for t in read.thoughts[:2]] == ids
    assert [n for n in typed(nodes) if n in before[0]] == before[0]
    assert [r for r in typed(links) if r in before[1]] == before[1]
    assert typed(
        """
        MATCH (t:Tree)-[:ROOT]->(r)-[e:LEADS_TO]->(s)-[f:ANCHORED_BY]->(a), (s)-[x:SEE]->(r)
        RETURN t.color, r.color, s.color, e.why, f.sure, a.note, x.page, r.id, s.id, s.level,
               e.position
        """,
    ) == [
        {
            "t.color": "red",
            "r.color": "green",
            "s.color": "blue",
            "e.why": "because",
            "f.sure": True,
            "a.note": "mine",
            "x.page": 3,
            "r.id": ids[0],
            "s.id": ids[1],
            "s.level": 1,
            "e.position": 0,
        }
    ]


def test_a_thought_that_moves_to_another_tree_keeps_its_node(store, typed):
    put(store, tree("a", "Корень.", Thought(text="Ветка.", level=1, id="a/1")), tree("b"))
    typed("MATCH (n:Thought {id: 'a/1'}) SET n.color = 'red'")
    Forest(store).move_thought("a/1", under=store.get("b").root.id, at=0)
    assert [t.text for t in store.get("b").thoughts] == ["Что такое b?", "Ветка.", "Шаг."]
    assert typed("MATCH (n:Thought {id: 'a/1'}) RETURN n.color AS c") == [{"c": "red"}]


def test_an_unused_anchor_goes_unless_an_author_made_more_of_it(store, typed):
    put(store, tree("t", thought("r", "вода", "лёд", "пар")))
    typed("MATCH (a:Anchor {id: 'лед'}) CREATE (a)-[:SEE]->(:Book)")
    typed("MATCH (a:Anchor {id: 'пар'}) SET a.note = 'mine'")
    store.change(["t"], lambda _: {"t": None})
    assert typed("MATCH (a:Anchor) RETURN a.id AS id ORDER BY id") == [
        {"id": "лед"},
        {"id": "пар"},
    ]
    assert list(store.anchors()) == []


@pytest.mark.usefixtures("justice")
def test_what_is_written_joins_what_was_typed(store, typed):
    written = tree("new", thought("r", "причинность -> следствие"), axes=["Причинность"])
    put(store, written)
    assert typed(
        """
        MATCH (:Tree {id: 'justice'})-[:ALIGNS_WITH]->(x)<-[:ALIGNS_WITH]-(:Tree {id: 'new'}),
              (:Thought {text: 'Но нормы различны.'})-[:ANCHORED_BY]->(a)<-[:ANCHORED_BY]-(:Thought)
        RETURN x.name, a.id, a.phrase
        """,
    ) == [
        {
            "x.name": "причинность",
            "a.id": "причинность → следствие",
            "a.phrase": "Причинность → следствие",
        }
    ]
    assert store.get("new").root.anchors == written.root.anchors


def test_a_typed_tree_without_an_id_is_replaced_in_place(store, typed):
    typed("CREATE (:Tree {title: 'Вода', color: 'blue'})-[:ROOT]->(:Thought {text: 'r'})")
    put(store, tree("вода", "Другое.", title="Вода"))
    assert typed("MATCH (t:Tree) RETURN t.id, t.color") == [{"t.id": "вода", "t.color": "blue"}]
    assert outline(store.get("вода")) == [(0, "Другое.")]


# --- what is no tree ------------------------------------------------------------------------------

GRAPH = "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN n, collect(r) AS links ORDER BY id(n)"
NO_TREES = {
    "two parents": (
        "MATCH (r {id: 't/r'}), (b {id: 't/b'}) CREATE (r)-[:LEADS_TO]->(b)",
        r"'t/b' has 2 parents",
    ),
    "a parent in another tree": (
        "MATCH (r {id: 'u/r'}), (b {id: 't/b'}) CREATE (r)-[:LEADS_TO]->(b)",
        r"'t/b'.* has 2 parents: .*'u/r' \(also in tree 'u'\)",
    ),
    "a cycle": (
        "MATCH (a {id: 't/a'}), (b {id: 't/b'}) CREATE (b)-[:LEADS_TO]->(a)",
        r"'t/a' has 2 parents: .*'t/[br]' and .*'t/[br]', a cycle",
    ),
    "a thought below itself": (
        "MATCH (b {id: 't/b'}) CREATE (b)-[:LEADS_TO]->(b)",
        r"'t/b' has 2 parents: .*, a cycle",
    ),
    "a root below its tree": (
        "MATCH (b {id: 't/b'}), (r {id: 't/r'}) CREATE (b)-[:LEADS_TO]->(r)",
        r"'t/r' is its root and stands below .*'t/b', a cycle",
    ),
    "two roots": (
        "MATCH (t:Tree {id: 't'}) CREATE (t)-[:ROOT]->(:Thought {id: 't/x', text: 'x'})",
        r"2 ROOTs, to .*'t/[rx]' and .*'t/[rx]'",
    ),
    "one root linked twice": (
        "MATCH (t:Tree {id: 't'}), (r {id: 't/r'}) CREATE (t)-[:ROOT]->(r)",
        r"2 ROOTs, to .*'t/r'",
    ),
    "no root": ("MATCH (:Tree {id: 't'})-[r:ROOT]->() DELETE r", r"has no ROOT"),
    "the root of two trees": (
        "MATCH (r {id: 't/r'}) CREATE (:Tree {id: 'zz'})-[:ROOT]->(r)",
        r"'t/r' \(also in tree 'zz'\) is a root more than once",
    ),
    "a root and a child": (
        "MATCH (a {id: 't/a'}) CREATE (:Tree {id: 'zz'})-[:ROOT]->(a)",
        r"'t/a'.* stands below .*'t/r' and is a root as well",
    ),
    "linked twice": (
        "MATCH (a {id: 't/a'})-[:LEADS_TO]->(b) CREATE (a)-[:LEADS_TO]->(b)",
        r"'t/b' is linked 2 times below .*'t/a'",
    ),
    "no thought": (
        "MATCH (b {id: 't/b'}) CREATE (b)-[:LEADS_TO]->(:Idea {text: 'Идея без метки.'})",
        r"«Идея без метки.» .* no label Thought",
    ),
}


@pytest.mark.parametrize("name", NO_TREES)
def test_what_is_no_tree_is_named_and_left_alone(store, typed, name):
    spoil, message = NO_TREES[name]
    put(
        store,
        tree("t", *(Thought(text=i, level=n, id=f"t/{i}") for n, i in enumerate("rab"))),
        tree("u", Thought(text="r", id="u/r")),
    )
    typed(spoil)
    graph = typed(GRAPH)
    with pytest.raises(NotATree, match=f"'t'.*{message}"):
        store.get("t")
    with pytest.raises(NotATree):
        list(store.trees())
    with pytest.raises(NotATree):
        list(store.infos())
    with pytest.raises(NotATree, match=message):
        store.change(["t"], lambda old: old)
    with pytest.raises(NotATree, match=message):
        put(store, tree("t"))
    (finding,) = (f for f in store.check(fix=True) if f.where == "tree 't'")
    assert not finding.fixable
    assert re.search(message, finding.problem)
    assert typed(GRAPH) == graph


def test_two_trees_of_one_id_are_no_trees(store, typed):
    put(store, tree("a"))
    typed("CREATE (:Tree {title: 'A'})-[:ROOT]->(:Thought {text: 'x'})")
    with pytest.raises(NotATree, match="'a'"):
        list(store.trees())
    assert [(f.where, f.fixable) for f in store.check(fix=True)] == [("tree 'a'", False)]


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("{}", "it has neither an id nor a title"),
        ("{title: ''}", "it has neither an id nor a title"),
        ("{id: 5, title: 'x'}", "its id is a number (5), expected text"),
        ("{id: ['x']}", "its id is a list (['x']), expected text"),
        ("{title: 5}", "its title is a number (5), expected text"),
        ("{id: '  '}", "its id cannot be read"),
    ],
)
def test_a_tree_without_any_name_is_no_tree(store, typed, named, problem):
    typed(f"CREATE (:Tree {named})-[:ROOT]->(:Thought {{text: 'x'}})")
    with pytest.raises(NotATree, match="neither an id that is text nor a title alone"):
        list(store.trees())
    with pytest.raises(NotFound):
        store.get("x")
    (finding,) = store.check(fix=True)
    assert finding.problem.startswith(problem)


@pytest.mark.parametrize(
    "hung",
    [
        "(n)-[:ANCHORED_BY]->(:anchor {phrase: 'x'})",
        "(t)-[:ANCHORED_BY]->(:Anchor {id: 'x', phrase: 'x'})",
        "(n)-[:ANCHOR]->(:Anchor {id: 'x', phrase: 'x'})",
        "(t)-[:ALIGNS_WITH {weight: 0.8}]->(:axis {name: 'x'})",
        "(n)-[:ALIGNS_WITH {weight: 0.8}]->(:Axis {id: 'x', name: 'x'})",
        "(t)-[:aligns_with]->(:Axis {id: 'x', name: 'x'})",
    ],
)
def test_what_hangs_by_a_wrong_relationship_is_named(store, typed, hung):
    put(store, tree("t", "Корень."))
    typed(f"MATCH (t:Tree)-[:ROOT]->(n) CREATE {hung}")
    (finding,) = store.check(fix=True)
    assert finding.where.endswith("'t'") if hung.startswith("(t)") else "'t/" in finding.where
    assert "is not read" in finding.problem


# --- what the model forbids -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("SET n.text = ''", "'t/1': text: the text is empty"),
        ("SET n.text = null", "'t/1': text: it is missing"),
        ("SET n.text = 5", r"'t/1': text: it is a number \(5\), expected text"),
        ("SET n.text = 'a' + $control", r"'t/1': text: the character U\+0001"),
        ("SET n.kind = ''", "'t/1': kind: it is empty"),
        ("SET n.id = ['x']", r"thought \['x'\]: id: it is a list .*, expected text"),
        ("CREATE (n)-[:ANCHORED_BY]->(:Anchor)", "'t/1': anchors: an anchor has no phrase"),
        ("CREATE (n)-[:ANCHORED_BY]->(:Anchor {phrase: 'a', kind: 'x'})", "'t/1': kind: Input"),
        ("SET t.title = 5", r"tree 't': title: it is a number \(5\), expected"),
        ("SET t.meta = 'no json'", "tree 't': meta: expected a JSON object"),
        ("SET t.created_at = 'soon'", "tree 't': created_at: Input should be a valid datetime"),
        (
            "CREATE (t)-[:ALIGNS_WITH {weight: -1}]->(:Axis {name: 'a'})",
            "the weight -1 of 'a' is no number above 0",
        ),
        (
            "UNWIND ['x', true] AS w CREATE (t)-[:ALIGNS_WITH {weight: w}]->(:Axis {name: 'a'})",
            "of 'a' is no number above 0; the weight .* of 'a' is no number",
        ),
        ("CREATE (t)-[:ALIGNS_WITH]->(:Axis {x: 1})", "an axis has no name"),
        ("CREATE (t)-[:ALIGNS_WITH]->(:Axis {name: 1})", r"an axis is a number \(1\), expected"),
        ("CREATE (n)-[:ANCHORED_BY]->(:Anchor {phrase: 1})", r"anchor is a number \(1\), expected"),
    ],
)
def test_what_the_model_forbids_is_named_and_left_alone(store, typed, spoil, message):
    put(store, tree("t", "r", Thought(text="a", level=1, id="t/1")), tree("u"))
    typed(f"MATCH (t:Tree {{id: 't'}}), (n:Thought {{id: 't/1'}}) {spoil}", control="\x01")
    with pytest.raises(InvalidTree, match=message):
        store.get("t")
    with pytest.raises(InvalidTree, match=message):
        list(store.trees())
    with pytest.raises(InvalidTree, match=message):
        put(store, tree("t"))
    findings = [f for f in store.check(fix=True) if "t" in f.where.split("'")]
    assert [f.fixable for f in findings] == [False]
    assert re.search(message, f"{findings[0].where}: {findings[0].problem}") or re.search(
        message, findings[0].problem
    )
    assert store.get("u").id == "u"
