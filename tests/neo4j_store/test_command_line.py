"""The command line on a graph in which something is no tree."""

from __future__ import annotations

import json

import pytest

from forest.stores.testing import put, tree


@pytest.fixture
def run(run, clean_neo4j, monkeypatch):
    """The same, on the server."""
    monkeypatch.setenv("FOREST_STORE", clean_neo4j.url)
    monkeypatch.setenv("FOREST_NEO4J_USERNAME", clean_neo4j.username or "")
    monkeypatch.setenv("FOREST_NEO4J_PASSWORD", clean_neo4j.password or "")
    return run


@pytest.fixture
def half_broken(store, typed, run):
    """Two trees, one that has two roots, one without a name, and two of one id."""
    put(store, tree("good"), tree("whole"))
    typed("CREATE (t:Tree {id: 'torn'}) CREATE (t)-[:ROOT]->(:Thought {text: 'a'})")
    typed("MATCH (t:Tree {id: 'torn'}) CREATE (t)-[:ROOT]->(:Thought {text: 'b'})")
    typed("CREATE (:Tree {title: ''})-[:ROOT]->(:Thought {text: 'c'})")
    typed("CREATE (:Tree {title: 'Good'})-[:ROOT]->(:Thought {text: 'd'})")
    typed("CREATE (:Tree {title: 'twin'})-[:ROOT]->(:Thought {text: 'e'})")
    typed("CREATE (:Tree {title: 'Twin'})-[:ROOT]->(:Thought {text: 'f'})")
    return run


LEFT_OUT = ["a Tree node", "two Tree nodes are both 'good'", "'twin'", "tree 'torn' is no tree"]


@pytest.mark.parametrize("command", [("list",), ("stats",), ("axes",)])
def test_what_is_no_tree_is_named_and_hides_no_other(half_broken, command):
    code, out, err = half_broken(*command, "--json")
    assert code == 1
    told = [line for line in err.splitlines() if "left out" in line]
    assert len(told) == len(LEFT_OUT)
    for part, line in zip(LEFT_OUT, told, strict=True):
        assert part in line
    said = json.loads(out)
    if command == ("list",):
        assert [row["id"] for row in said] == ["whole"]
    if command == ("stats",):
        assert (said["trees"], said["revision"]) == (1, None)


def test_a_thought_that_stands_in_no_tree_is_named_and_never_lost(store, typed, run, tmp_path):
    put(store, tree("good"))
    assert run("list")[0] == 0
    typed("CREATE (:Thought {text: 'stray'})-[:LEADS_TO]->(:Thought {text: 'more'})")
    code, _, err = run("list")
    assert code == 1
    assert "«stray»" in err
    assert "it stands in no tree, and 1 thought with it" in err
    code, _, err = run("copy", store.url, f"sqlite:///{tmp_path / 'copy.db'}")
    assert code == 1
    assert "«stray»" in err
    assert not (tmp_path / "copy.db").exists()
    for args in (["export", "corpus"], ["export", "graph.ttl", "--as", "turtle"]):
        code, _, err = run(*args)
        assert code == 0
        assert "«stray»" in err


def test_a_tree_is_found_by_a_prefix_beside_what_is_no_tree(half_broken):
    code, out, _ = half_broken("show", "who")
    assert code == 0
    assert "whole" in out
    assert half_broken("show", "torn")[0] == 1


def test_what_is_no_tree_is_removed_by_its_whole_id(half_broken):
    code, out, _ = half_broken("remove", "torn", "--yes")
    assert code == 0
    assert out.startswith("removed torn: no whole tree (tree 'torn' is no tree: it has 2 ROOTs")
    assert "torn" not in half_broken("list")[2]


def test_what_a_constraint_forbids_is_no_wrong_usage(store, run):
    put(store, tree("a"))
    code, _, err = run("cypher", "CREATE (:Tree {id: 'a'})")
    assert code == 1
    assert "Neo4j refuses what the query writes" in err
    assert run("cypher", "CREAT")[0] == 2


def test_what_is_no_tree_stops_an_export(half_broken, tmp_path):
    code, _, err = half_broken("export", "corpus")
    assert code == 1
    assert "is no tree" in err or "Tree node" in err
    assert not (tmp_path / "corpus").exists()
