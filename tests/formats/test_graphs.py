"""Graph files that others wrote, and bad ones: one clear error with the place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from forest import Forest
from forest.errors import ImportRefused, MissingExtra
from tests.formats.conftest import Reader

TTL = """
@prefix rf: <urn:reasoning-forest:term:> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix : <urn:reasoning-forest:tree:> .
@prefix t: <urn:reasoning-forest:thought:> .
@prefix a: <urn:reasoning-forest:anchor:> .
:вода dcterms:title "Вода" ; rf:root t:1 .
t:1 rf:text "Вода течёт." ; rf:leadsTo t:2, t:3 ; rf:anchoredBy a:вода .
t:2 rf:text "Вторая." ; rf:position 1 .
t:3 rf:text "Первая." ; rf:position 0 .
a:вода skos:prefLabel "Вода" ; skos:related <http://example.org/water> .
"""
NT = """<urn:reasoning-forest:tree:t> <http://purl.org/dc/terms/title> "T" .
# a comment
<urn:reasoning-forest:tree:t> <urn:reasoning-forest:term:root> <urn:reasoning-forest:thought:1> .
<urn:reasoning-forest:thought:1> <urn:reasoning-forest:term:text> "\\u0414\\u0430\\t\\"x\\"" . # c
_:b <urn:x> "y"@en .
"""
XML = """<?xml version="1.0"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="d0" for="node" attr.name="text" attr.type="string"><default>Да.</default></key>
<key id="d1" for="node" attr.name="title" attr.type="string"/>
<key id="d2" for="edge" attr.name="type" attr.type="string"/>
<key id="d3" for="node" attr.name="x" attr.type="double"/>
<key id="d4" for="edge" attr.name="position" attr.type="double"/>
<graph edgedefault="directed">
<node id="Tree:t"><data key="d1">T &amp; &#128512;</data></node>
<node id="Thought:t/1"><data key="d3">0.5</data></node>
<node id="Thought:t/2"><data key="d0">Нет.</data></node>
<edge source="Tree:t" target="Thought:t/1"><data key="d2">ROOT</data></edge>
<edge source="Thought:t/1" target="Thought:t/2">
<data key="d2">LEADS_TO</data><data key="d4">3.0</data></edge>
</graph></graphml>
"""
JSON = (
    '{"directed": true, "multigraph": true, "nodes": [{"id": "Tree:t", "title": "T"},'
    ' {"id": "Thought:1", "text": "Да."}],\n'
    '"edges": [{"source": "Tree:t", "target": "Thought:1", "type": "ROOT"}]}'
)


def test_turtle_written_by_hand_needs_only_the_triples(read: Reader) -> None:
    found = read(TTL, "a.ttl")
    assert [(t.level, t.text, t.id) for t in found.tree.thoughts] == [
        (0, "Вода течёт.", "1"),
        (1, "Первая.", "3"),
        (1, "Вторая.", "2"),
    ]
    assert [link.phrase for link in found.tree.root.anchors] == ["Вода"]
    (notice,) = found.notices
    assert notice.startswith("a.ttl: left out, for a forest has no such thing: http://www.w3.org")


def test_n_triples_have_escapes_comments_and_blank_nodes(read: Reader) -> None:
    assert read(NT, "a.nt").tree.root.text == 'Да\t"x"'


def test_graphml_of_another_program_has_defaults_and_columns_of_its_own(read: Reader) -> None:
    found = read(XML, "a.graphml")
    assert found.tree.title == "T & 😀"
    assert [t.text for t in found.tree.thoughts] == ["Да.", "Нет."]
    assert found.notices == ["a.graphml: left out, for a forest has no such thing: x (1)"]


def test_node_link_is_told_from_trees_by_how_the_file_begins(read: Reader) -> None:
    assert read(JSON, "a.json").tree.title == "T"


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n<graphml>&b;</graphml>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<graphml>&a;</graphml>'


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.graphml", LAUGHS, "a.graphml:1: a document type declaration"),
        ("a.graphml", OUTSIDE, "a.graphml:1: a document type declaration"),
        ("a.graphml", XML.replace("</node>", "", 1), "a.graphml:15: no valid XML: mismatched tag"),
        ("a.graphml", XML.replace('"d4">3', '"d5">3'), "a.graphml:14: data with the key 'd5'"),
        ("a.graphml", XML.replace("Tree:t", "n0"), "a.graphml:9: a node is called 'n0'"),
        ("a.graphml", XML.replace("ROOT", "ROOTS"), "a.graphml:12: a relationship 'ROOTS'"),
        ("a.graphml", "<graphml/>", "a.graphml: it holds no forest"),
        ("a.graphml", "", "a.graphml:1: no valid XML: no element found"),
        ("a.nt", NT.replace('"T" .', '"T"'), "a.nt:1: no triple of N-Triples"),
        ("a.nt", NT.replace("\\t", "\\x"), "a.nt:4: an escape that N-Triples does not have"),
        ("a.nt", NT.replace("\\t", "\\UFFFFFFFF"), "a.nt:4: an escape"),
        ("a.nt", NT + NT.splitlines()[0].replace('"T"', '"U"'), "Tree:t: two values for title"),
        ("a.ttl", TTL.replace("rf:root t:1 .", "rf:root t:1"), "a.ttl:9: no valid turtle"),
        ("a.ttl", TTL.replace("rf:root t:1", "rf:root <urn:x>"), "'urn:x' is no node of a forest"),
        ("a.jsonld", '{"@context":\n"http://example.org/c"}', "it names the context 'http://ex"),
        ("a.jsonld", '{"@context":\n[}', "a.jsonld:2: no valid JSON"),
        ("a.json", JSON.replace('"edges"', '"lines"'), "a.json:1: edges: expected a list, got"),
        ("a.json", JSON.replace(" [{", " [1, {"), "a.json: nodes: expected {…}, got 1"),
        ("a.json", JSON.replace('"Thought:1", "text"', '"Tree:t", "text"'), "Tree:t stands twice"),
        ("a.json", JSON[:-1], "a.json:2: no valid JSON"),
    ],
)
def test_a_file_that_is_no_graph_of_a_forest_is_refused(
    name: str, text: str, says: str, read: Reader
) -> None:
    with pytest.raises(ImportRefused) as error:
        read(text, name)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Нет.", " ", "a.graphml:11: tree 'T & 😀': Thought:t/2: text: the text is empty"),
        ("3.0", "first", "Thought:t/1, LEADS_TO: position: expected a whole number, got 'first'"),
        ("ROOT", "ALIGNS_WITH", "a relationship 'ALIGNS_WITH' from Tree:t to Thought:t/1"),
        ('source="Thought:t/1"', 'source="Thought:t/2"', "Thought:t/2: no tree leads to it"),
        ('target="Thought:t/2"', 'target="Thought:t/1"', "a.graphml:10: Thought:t/1: two steps"),
        ('target="Thought:t/2"', 'target="Thought:t/9"', "Thought:t/9 is not in the file"),
        ('target="Thought:t/1"', 'target="Thought:t/9"', "Thought:t/9 is not in the file"),
        (
            '<edge source="Tree:t"',
            '<edge source="Tree:u"',
            "a.graphml:9: Tree:t: expected one ROOT",
        ),
    ],
)
def test_a_bad_tree_is_named_with_its_line_and_nothing_is_imported(
    old: str, new: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert old in XML
    Path("a.graphml").write_text(XML.replace(old, new), encoding="utf-8")
    Path("b.json").write_text(JSON.replace("Tree:t", "Tree:good"), encoding="utf-8")
    with Forest.open("memory:") as forest:
        with pytest.raises(ImportRefused) as error:
            forest.import_files(["b.json", "a.graphml"])
        assert says in str(error.value)
        assert len(forest) == 0


def test_without_rdflib_an_error_says_what_to_install(
    read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rdflib", None)
    with pytest.raises(MissingExtra, match=r"reading turtle needs rdflib.*\n.*\[rdf\]"):
        read(TTL, "a.ttl")
    assert read(NT, "a.nt").tree.title == "T"
