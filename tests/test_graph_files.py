"""A forest as one file: what `forest export --as` writes, and what `forest import` makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from pprint import pformat
from typing import Any

import networkx as nx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.graph import FORMATS, export_graph
from forest import Forest
from forest.errors import ExportError, ImportRefused, UsageError
from forest.flat import LABELS, Edge, Vertex, declared, name_of, records
from forest.formats import SourceFile, read_file
from forest.identity import finished
from forest.model import AnchorLink, Axis, Thought, Tree
from forest.nodes import Link, Node
from forest.stores.base import open_store
from forest.stores.memory import MemoryStore
from forest.stores.testing.samples import put, rich_tree, shown
from tests import strategies
from tests.conftest import Neo4jServer
from tests.export_helpers import content as files
from tests.export_helpers import planted, tree

SUFFIXES = {
    "turtle": "ttl",
    "json-ld": "jsonld",
    "n-triples": "nt",
    "graphml": "graphml",
    "node-link": "json",
}
"""The formats that can be imported."""
FORMULA = Node(
    "Formula",
    "Δ12",
    {"joined": "+", "scene": "расцвет,\n«влечение»", "source": "Δ12 = (Вода)", "origin": "a.md"},
    (Link("TERM", "вода", {"phrase": "Вода", "role": "object"}), Link("COMPOSED_OF", "Δ99")),
)
SCENE = Node("Scene", "Δ12/1", {"text": "🌊", "register": "emoji"}, (Link("VOICES", "Δ12"),))
DECISION = Node(
    "Decision",
    "000001",
    {"at": "2026-01-02T03:04:05Z", "action": "merge", "anchor": "вода", "score": 0.5, "why": ""},
)
PROPOSAL = Node("Proposal", "p", {"what": "merge", "rule": "near"})
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(rdflib|pyshacl).*")
lossless = pytest.mark.parametrize("format", SUFFIXES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


def full_forest() -> MemoryStore:
    """A forest with something in every field of everything."""
    two = tree("Two", "Third. {вода}\n  Fourth. {вода; Вода}")
    store = planted(rich_tree(), two)
    store.put_axes([Axis(name="причинность", description="что из чего"), Axis(name="ничья")])
    nodes = [FORMULA, SCENE, DECISION, PROPOSAL]
    store.change_nodes([], lambda _: {node.at: node for node in nodes})
    return store


def exported(store: MemoryStore, folder: Path, format: str) -> Path:
    path = folder / f"forest.{SUFFIXES.get(format, format)}"
    path.unlink(missing_ok=True)
    export_graph(store, path, format)
    return path


def read(path: Path, format: str = "auto") -> dict[str, Any]:
    """All that a file says, in the order of stores."""
    found: dict[str, list[Any]] = {"Axis": [], "Tree": [], "Node": []}
    for item in read_file(SourceFile(path, path.name), format):
        found[type(item).__name__].append(item)
    assert [t.id for t in found["Tree"]] == sorted(t.id for t in found["Tree"])
    return found | {"Tree": [shown(finished(t)) for t in found["Tree"]]}


def content(store: MemoryStore) -> dict[str, Any]:
    return {
        "Axis": store.axes(),
        "Tree": [shown(t) for t in store.trees()],
        "Node": [node for node in store.all_nodes() if node.label != "Proposal"],
    }


def revision_of_import(path: Path) -> str:
    with Forest.open("memory:") as forest:
        forest.import_files([path])
        return forest.revision


# --- round trips ----------------------------------------------------------------------------------


@lossless
def test_all_fields_come_back(format: str, folder: Path) -> None:
    store = full_forest()
    path = exported(store, folder, format)
    assert read(path) == content(store)
    assert revision_of_import(path) == Forest(store).revision


@st.composite
def forests(draw: st.DrawFn) -> MemoryStore:
    store = MemoryStore()
    trees = draw(st.lists(strategies.trees(max_size=6), max_size=3, unique_by=lambda t: t.id))
    for one in trees:
        put(store, one)
    known = {axis.id for axis in store.axes()}
    store.put_axes(axis for axis in draw(st.lists(strategies.axes)) if axis.id not in known)
    said = [p.name for p in declared(LABELS["Formula"])]
    words = draw(st.dictionaries(st.sampled_from(said), strategies.texts))
    links = st.builds(Link, st.just("TERM"), st.sampled_from(strategies.PHRASES).map(str.casefold))
    node = Node("Formula", "Δ1", words, tuple(draw(st.lists(links, max_size=3))))
    if words or node.links:
        store.change_nodes([], lambda _: {node.at: node})
    return store


@lossless
@settings(max_examples=50)
@given(store=forests())
def test_any_forest_comes_back(store: MemoryStore, format: str, folder: Path) -> None:
    try:
        path = exported(store, folder, format)
    except ExportError:  # the one that XML cannot hold
        assert format == "graphml"
        assert {"\ufffe", "\uffff"} & set(str(content(store)))
        return
    found = content(store)
    if any(found.values()):
        assert read(path) == found
        assert revision_of_import(path) == Forest(store).revision
    else:
        with pytest.raises(ImportRefused, match="it holds no forest"):
            read(path)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["n-triples", "graphml", "node-link"])
def test_a_chain_of_100_000_levels_comes_back(format: str, folder: Path) -> None:
    thoughts = [Thought(text=f"Шаг {i}.", level=i) for i in range(100_000)]
    store = planted(finished(Tree("deep", thoughts=thoughts)))
    path = exported(store, folder, format)
    (found,) = (item for item in read_file(SourceFile(path, "x")) if isinstance(item, Tree))
    assert found.revision == store.get("deep").revision


@pytest.mark.parametrize("format", ["turtle", "json-ld", "canvas"])
def test_a_deep_chain_is_no_recursion(format: str, folder: Path) -> None:
    thoughts = [Thought(text=f"Шаг {i}.", level=i) for i in range(2_000)]
    store = planted(finished(Tree("deep", thoughts=thoughts)))
    path = exported(store, folder, format)
    assert format == "canvas" or revision_of_import(path) == Forest(store).revision


# --- what other programs make of it ---------------------------------------------------------------


@lossless
def test_rdflib_and_networkx_write_the_same_forest(format: str, folder: Path) -> None:
    store = full_forest()
    path = exported(store, folder, format)
    again = folder / f"again.{SUFFIXES[format]}"
    if format == "graphml":
        nx.write_graphml(nx.read_graphml(path, force_multigraph=True), again)
    elif format == "node-link":
        graph = nx.node_link_graph(orjson.loads(path.read_bytes()), edges="edges")
        again.write_bytes(orjson.dumps(nx.node_link_data(graph, edges="links")))
    else:
        rdflib = pytest.importorskip("rdflib", reason="rdflib is an extra: rdf")
        name = format.removeprefix("n-").replace("triples", "nt")
        graph = rdflib.Graph().parse(path, format=name)
        graph.serialize(again, format=name, encoding="utf-8")
    assert as_they_round(read(again)) == as_they_round(content(store))


def as_they_round(found: dict[str, Any]) -> str:
    """Without what their writers lose: digits in rdflib's Turtle, CR in networkx's GraphML."""
    sorted_too = found | {"Node": list(map(asdict, found["Node"]))}
    return pformat(sorted_too, width=10**9).replace(r"\r", "").replace("0.30000000000000004", "0.3")


def graph_of(store: MemoryStore) -> Any:
    graph: Any = nx.MultiDiGraph()
    for record in records(store):
        if isinstance(record, Vertex):
            graph.add_node(name_of(record.at), labels=record.label, **record.properties)
        elif isinstance(record, Edge):
            ends = name_of(record.start), name_of(record.end)
            key = record.properties.get("position", 0)
            graph.add_edge(*ends, key=key, type=record.type, **record.properties)
    return graph


@pytest.mark.parametrize("format", ["graphml", "node-link"])
def test_networkx_reads_the_graph_with_its_values(format: str, folder: Path) -> None:
    store = full_forest()
    path = exported(store, folder, format)
    if format == "graphml":
        found = nx.read_graphml(path, force_multigraph=True)
    else:
        found = nx.node_link_graph(orjson.loads(path.read_bytes()), edges="edges")
    expected = graph_of(store)
    assert dict(found.nodes(data=True)) == dict(expected.nodes(data=True))
    assert sorted(map(str, found.edges(data=True))) == sorted(map(str, expected.edges(data=True)))


def test_rdf_can_be_queried(folder: Path) -> None:
    rdflib = pytest.importorskip("rdflib", reason="rdflib is an extra: rdf")
    found = (
        rdflib.Graph()
        .parse(exported(full_forest(), folder, "turtle"))
        .query(
            "PREFIX rf: <urn:reasoning-forest:term:> SELECT ?text WHERE {"
            "?tree dcterms:title 'Two' ; rf:root/rf:leadsTo* ?t . ?t rf:text ?text ;"
            "rf:anchoredBy/skos:prefLabel 'вода' } ORDER BY ?text"
        )
    )
    assert [str(text) for (text,) in found] == ["Fourth.", "Third."]


SHAPES = Path(__file__).parents[1] / "exporters" / "shapes.ttl"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (("", ""), ""),
        (("rf:text", "rf:said"), "A thought says one text."),
        (("rf:leadsTo <urn:reasoning-forest:thought:two", "rf:leadsTo <urn:x:"), "One step leads"),
        (('"0.7"^^xsd:double', '"7"^^xsd:double'), "A weight is above 0, at most 1."),
        (("skos:prefLabel", "skos:hiddenLabel"), "An anchor or axis has one name."),
    ],
)
def test_the_shapes_pass_and_find_planted_faults(
    fault: tuple[str, str], says: str, folder: Path
) -> None:
    pyshacl = pytest.importorskip("pyshacl", reason="pyshacl is not installed")
    text = exported(full_forest(), folder, "turtle").read_text(encoding="utf-8")
    assert fault[0] in text
    conforms, _, report = pyshacl.validate(
        text.replace(*fault), data_graph_format="turtle", shacl_graph=str(SHAPES)
    )
    assert conforms == (not says), report
    assert says in report


def test_the_sample_conforms_to_the_shapes(folder: Path) -> None:
    pyshacl = pytest.importorskip("pyshacl", reason="pyshacl is not installed")
    with Forest.open("memory:") as forest:
        forest.plant_sample()
        assert isinstance(forest.store, MemoryStore)
        path = exported(forest.store, folder, "turtle")
    conforms, _, report = pyshacl.validate(str(path), shacl_graph=str(SHAPES))
    assert conforms, report


# --- the canvas -----------------------------------------------------------------------------------


def boxes(canvas: dict[str, Any]) -> Iterator[tuple[str, int, int, int, int]]:
    for n in canvas["nodes"]:
        if n["type"] != "group":
            yield n["id"], n["x"], n["y"], n["x"] + n["width"], n["y"] + n["height"]


@settings(max_examples=50)
@given(store=forests())
def test_a_canvas_has_no_overlap_and_no_loose_end(store: MemoryStore, folder: Path) -> None:
    canvas = orjson.loads(exported(store, folder, "canvas").read_bytes())
    ids = [n["id"] for n in canvas["nodes"]]
    assert len(set(ids)) == len(ids) == 1 + sum(1 + len(t) for t in store.trees())
    for one, other in combinations(boxes(canvas), 2):
        assert one[3] < other[1] or other[3] < one[1] or one[4] < other[2] or other[4] < one[2]
    assert {e[end] for e in canvas["edges"] for end in ("fromNode", "toNode")} <= set(ids)
    assert len({e["id"] for e in canvas["edges"]}) == len(canvas["edges"])


def test_a_canvas_shows_trees_side_by_side_joined_at_their_anchors(folder: Path) -> None:
    one = tree("One", "First. {вода}\n  Second.\n    Third.\n  Fourth. {вода}")
    store = planted(one, tree("Two", "Fifth. {Вода}"))
    canvas = orjson.loads(exported(store, folder, "canvas").read_bytes())
    at = {n["text"]: (n["x"], n["y"]) for n in canvas["nodes"][1:] if n["type"] == "text"}
    assert at["First."][1] == at["Second."][1] == at["Third."][1] < at["Fourth."][1]
    assert at["First."][0] < at["Second."][0] == at["Fourth."][0] < at["Third."][0]
    left, right = (n for n in canvas["nodes"] if n["type"] == "group")
    assert (left["label"], right["label"]) == ("One", "Two")
    assert left["x"] + left["width"] < right["x"] < at["Fifth."][0]
    (joined,) = (e for e in canvas["edges"] if "color" in e)
    text = {n["id"]: n.get("text") for n in canvas["nodes"]}
    assert (text[joined["fromNode"]], text[joined["toNode"]]) == ("First.", "Fifth.")
    assert joined["label"] == "вода"


# --- the file -------------------------------------------------------------------------------------

WRITE = """
import sys
from pathlib import Path
from exporters.graph import FORMATS
from tests.test_graph_files import exported, full_forest
for format in FORMATS:
    exported(full_forest(), Path(sys.argv[1]), format)
"""


def test_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        subprocess.run(
            [sys.executable, "-c", WRITE, str(tmp_path / seed)],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
        )
    assert len(files(tmp_path / "1")) == len(FORMATS)
    assert files(tmp_path / "1") == files(tmp_path / "2")


def same_bytes(other: Forest, folder: Path) -> None:
    store = full_forest()
    Forest(store).copy_to(other)
    for format in FORMATS:
        export_graph(store, folder / f"a.{format}", format)
        export_graph(other.store, folder / f"b.{format}", format)
        assert (folder / f"a.{format}").read_bytes() == (folder / f"b.{format}").read_bytes()


def test_the_same_bytes_from_sqlite(tmp_path: Path) -> None:
    with Forest.open(f"sqlite:///{tmp_path}/forest.db") as other:
        same_bytes(other, tmp_path)


@pytest.mark.neo4j
def test_the_same_bytes_from_neo4j(clean_neo4j: Neo4jServer, tmp_path: Path) -> None:
    server = clean_neo4j
    store = open_store(server.url, username=server.username, password=server.password)
    with Forest(store) as other:
        same_bytes(other, tmp_path)
        path = tmp_path / "f.nt"
        export_graph(full_forest(), path, "n-triples")
        assert other.import_files([path], replace=True).files == 1
        assert other.revision == Forest(full_forest()).revision


@pytest.mark.parametrize("format", FORMATS)
def test_an_earlier_export_is_replaced_and_nothing_else(format: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_graph(planted(tree("Earlier", "Earlier.")), out, format)
    export_graph(planted(tree("Later", "Later.")), out, format)
    assert b"Later." in out.read_bytes()
    out.write_bytes(b"my own text")
    with pytest.raises(ExportError, match="is no earlier export"):
        export_graph(full_forest(), out, format)
    assert out.read_bytes() == b"my own text"
    assert list(tmp_path.iterdir()) == [out]


def test_a_character_that_xml_cannot_hold_leaves_the_earlier_file(tmp_path: Path) -> None:
    out = tmp_path / "f.graphml"
    export_graph(planted(tree("One", "First.")), out, "graphml")
    before = out.read_bytes()
    with pytest.raises(ExportError, match=r"Thought:two/\w+ holds the character U\+FFFF"):
        export_graph(planted(tree("Two", "\uffff")), out, "graphml")
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


def test_an_unknown_format_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="turtle"):
        export_graph(full_forest(), tmp_path / "x", "gexf")


# --- importing again ------------------------------------------------------------------------------


@lossless
def test_importing_twice_changes_nothing(format: str, folder: Path) -> None:
    path = exported(full_forest(), folder, format)
    with Forest.open("memory:") as forest:
        first = forest.import_files([path])
        assert (len(first.added), first.axes, first.nodes) == (2, 2, 3)
        again = forest.import_files([path])
    assert again.unchanged == ["justice", "two"]
    assert [again.added, again.changed, again.kept, again.axes, again.nodes] == [[], [], [], 0, 0]


def test_what_differs_in_forest_and_file_is_refused_as_a_whole(folder: Path) -> None:
    path = exported(full_forest(), folder, "node-link")
    mine = Node("Formula", "Δ12", {"scene": "моя"})
    with Forest.open("memory:") as forest:
        forest.store.change_nodes([], lambda _: {mine.at: mine})
        forest.add_axis("причинность", "моё")
        before = forest.revision
        with pytest.raises(ImportRefused) as error:
            forest.import_files([path])
        assert "axis 'причинность' says something else" in str(error.value)
        assert "Formula 'Δ12' says something else" in str(error.value)
        assert forest.revision == before
        report = forest.import_files([path], keep_going=True)
        assert len(report.skipped) == 2
        assert mine in list(forest.store.nodes("Formula"))
        forest.import_files([path], replace=True)
        assert forest.revision == Forest(full_forest()).revision


def test_an_edited_tree_is_kept_when_the_file_did_not_change(folder: Path) -> None:
    path = exported(planted(tree("One", "First.")), folder, "n-triples")
    with Forest.open("memory:") as forest:
        forest.import_files([path])
        forest.add_thought("one", "Mine.")
        assert forest.import_files([path]).kept == ["one"]


# --- the command line -----------------------------------------------------------------------------


def test_a_forest_goes_out_and_in_again_on_the_command_line(run: Any, tmp_path: Path) -> None:
    with Forest.open() as forest:
        forest.add(finished(Tree("T", thoughts=[Thought(text="x", anchors=(AnchorLink("a"),))])))
        revision = forest.revision
    for format, suffix in SUFFIXES.items():
        code, out, _ = run("export", f"f.{suffix}", "--as", format)
        assert (code, out.split(",")[0]) == (0, f"f.{suffix}: {format}")
        code, _, err = run("--store", f"sqlite:///{suffix}.db", "import", f"f.{suffix}")
        assert (code, err) == (0, "")
        with Forest.open(f"sqlite:///{suffix}.db") as forest:
            assert forest.revision == revision
    assert run("export", "f.ttl", "--as", "turtle", "--seed", "1")[0] == 2
    assert run("export", str(tmp_path), "--as", "turtle")[0] == 1
