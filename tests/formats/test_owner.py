"""The owner's format: what is understood, and how errors name what is wrong.

Every case is read as JSON, as JSONL, as YAML and from a block of JSON in a note.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from forest.errors import ImportRefused

from .conftest import Read, Reader
from .outlines import texts

ReadData = Callable[[Any], Read]


def tree(*nodes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"tree": "Вода", "nodes": list(nodes), **fields}


ROOT = {"level": 0, "text": "Вода течёт."}


@pytest.fixture(params=["json", "jsonl", "yaml", "note"])
def read_data(request: pytest.FixtureRequest, read: Reader) -> ReadData:
    def read_as(data: Any) -> Read:
        if request.param == "yaml":
            import yaml

            return read(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "t.yaml")
        if request.param == "jsonl":
            return read(json.dumps(data), "t.jsonl")
        text = json.dumps(data, ensure_ascii=False, indent=1)
        return read(
            f"```json\n{text}\n```\n" if request.param == "note" else text, f"t.{_end(request)}"
        )

    return read_as


def _end(request: pytest.FixtureRequest) -> str:
    return "md" if request.param == "note" else "json"


def test_the_owners_own_example(read_data: ReadData) -> None:
    result = read_data(
        {
            "tree": "справедливость",
            "axes": ["причинность", "мораль"],
            "nodes": [
                {
                    "level": 0,
                    "text": "Справедливость — это соответствие между поступками и нормами.",
                    "anchors": ["Соответствие → моральная структура", "Причинность → следствие"],
                },
                {
                    "level": 1,
                    "text": "Но нормы бывают разные: культурные, универсальные.",
                    "anchors": ["Контекст зависит от культурного пространства"],
                },
            ],
        }
    ).tree
    assert (result.id, result.title) == ("справедливость", "справедливость")
    assert result.axes == {"причинность": 0.5, "мораль": 0.5}
    assert [a.phrase for a in result.thoughts[0].anchors] == [
        "Соответствие → моральная структура",
        "Причинность → следствие",
    ]
    assert [t.level for t in result.thoughts] == [0, 1]


def test_everything_that_may_be_written(read_data: ReadData) -> None:
    result = read_data(
        {
            "title": "Вода",
            "id": "water",
            "lang": "ru",
            "axes": {"время": "80%", "жизнь": "20%"},
            "meta": {"author": "N", "n": [1, 2.5, None, True]},
            "nodes": [
                {"level": 0, "text": "Вода", "id": 1, "kind": "premise", "lang": "en"},
                {
                    "level": 1,
                    "text": "Лёд",
                    "anchors": [
                        {"phrase": "вода", "origin": "discovered", "score": 0.5},
                        {"phrase": "Лёд", "kind": "link"},
                        {"phrase": "лёд", "kind": "tag", "anchor": "#ice"},
                    ],
                },
            ],
        }
    ).tree
    assert (result.id, result.title, result.lang) == ("water", "Вода", "ru")
    assert result.axes == {"время": 0.8, "жизнь": 0.2}
    assert result.meta == {"author": "N", "n": [1, 2.5, None, True]}
    assert (result.thoughts[0].id, result.thoughts[0].kind) == ("1", "premise")
    one, two, three = result.thoughts[1].anchors
    assert (one.origin, one.score) == ("discovered", 0.5)
    assert (two.kind, two.anchor) == ("link", "[[лед]]")
    assert three.anchor == "#ice"


def test_named_parents_in_any_order(read_data: ReadData) -> None:
    result = read_data(
        tree(
            {"id": "b", "parent": 1, "text": "B"},
            {"id": "c", "parent": "b", "text": "C"},
            {"text": "A2", "parent": "1"},
            {"id": 1, "parent": None, "text": "A"},
            {"id": "d", "parent": "b", "text": "D"},
        )
    ).tree
    assert texts(result) == ["A", "  B", "    C", "    D", "  A2"]
    assert [t.id for t in result.thoughts] == ["1", "b", "c", "d", ""]


BAD = {
    "tree 'Вода': unknown key 'nods', expected one of tree, title, id": tree(ROOT, nods=[]),
    "node 1: unknown key 'txt', expected one of level, text": tree({"level": 0, "txt": "x"}),
    "node 1: anchor 1: unknown key 'phras', expected one of phrase": tree(
        ROOT | {"anchors": [{"phras": "x"}]}
    ),
    "node 2: the key 'text' is missing": tree(ROOT, {"level": 1}),
    "node 2: level: expected a whole number from 0, got 'x'": tree(
        ROOT, {"level": "x", "text": "y"}
    ),
    "node 1: level: expected a whole number from 0, got -1": tree({"level": -1, "text": "y"}),
    "node 1: level: expected a whole number from 0, got true": tree({"level": True, "text": "y"}),
    "node 1: level: expected a whole number from 0, got null": tree({"level": None, "text": "y"}),
    "node 2: it jumps from level 0 to 2 ('y'): expected at most 1": tree(
        ROOT, {"level": 2, "text": "y"}
    ),
    "node 2: level 0 makes it a second root ('y')": tree(ROOT, {"level": 0, "text": "y"}),
    "node 1: level 1: the first node is the root": tree({"level": 1, "text": "y"}),
    "node 2: it has neither level nor parent ('y')": tree(ROOT, {"text": "y"}),
    "node 2: text: the text is empty": tree(ROOT, {"level": 1, "text": "  "}),
    "node 2: text: the text has 1,000,001 characters": tree(
        ROOT, {"level": 1, "text": "x" * 1_000_001}
    ),
    "node 1: text: the character U+0007 at offset 1": tree({"level": 0, "text": "x\a"}),
    "node 1: text: expected text, got ['x']": tree({"level": 0, "text": ["x"]}),
    "node 1: expected {level, text, anchors, id, parent, kind, lang}, got 'x'": tree("x"),  # type: ignore[arg-type]
    "node 1: anchors: anchors are a list of phrases": tree(ROOT | {"anchors": "x"}),
    "node 1: anchors: expected a list of phrases, got 5": tree(ROOT | {"anchors": 5}),
    "node 1: anchor 2: phrase: it is empty": tree(ROOT | {"anchors": ["x", " "]}),
    "node 1: anchor 1: kind: expected 'phrase', 'link' or 'tag', got 'x'": tree(
        ROOT | {"anchors": [{"phrase": "x", "kind": "x"}]}
    ),
    "node 1: anchor 1: score: expected a number from 0 to 1, got 2": tree(
        ROOT | {"anchors": [{"phrase": "x", "score": 2}]}
    ),
    "node 2: the id 'a' is already that of node 1": tree(
        ROOT | {"id": "a"}, {"level": 1, "text": "y", "id": "a"}
    ),
    "node 2: id: expected a text, got [1]": tree(ROOT, {"level": 1, "text": "y", "id": [1]}),
    "tree 'Вода': axes: the weights of the axes sum to 0.9": tree(ROOT, axes={"a": 0.5, "b": 0.4}),
    "tree 'Вода': axes: axes are a list of names": tree(ROOT, axes="x"),
    "tree 'Вода': meta: expected {key: value}, got 5": tree(ROOT, meta=5),
    "tree 'Вода': lang: expected text, got [1]": tree(ROOT, lang=[1]),
    "tree 'Вода': id: expected text, got ['x']": tree(ROOT, id=["x"]),
    "tree 'Вода': nodes: expected a list of nodes, and it is empty: a tree has a root": tree(),
    "tree: expected a title, got ''": tree(ROOT, tree=""),
    "the tree is called 'Вода' and 'Лёд'": tree(ROOT, title="Лёд"),
    "node 2: parent: there is no node with the id 'x'": tree(
        {"id": "a", "text": "A"}, {"parent": "x", "text": "B"}
    ),
    "node 3 ('c'): it has no parent, and neither has node 1 ('a')": tree(
        {"id": "a", "text": "A"}, {"parent": "a", "text": "B"}, {"id": "c", "text": "C"}
    ),
    "lead round in a circle: 'c', 'b'": tree(
        {"id": "a", "text": "A"},
        {"id": "d", "text": "D", "parent": "c"},
        {"id": "b", "text": "B", "parent": "c"},
        {"id": "c", "text": "C", "parent": "b"},
    ),
    "'n6', 'n7' and 92 more": tree(
        {"id": "r", "text": "r"},
        *({"id": f"n{i}", "parent": f"n{(i + 1) % 100}", "text": "x"} for i in range(100)),
    ),
    "lead round in a circle: 'b'": tree(
        {"id": "a", "text": "A"}, {"id": "b", "text": "B", "parent": "b"}
    ),
    "node 2: the id 'a' is already that of": tree(
        {"id": "a", "text": "A"}, {"id": "a", "text": "B", "parent": "a"}
    ),
    "node 1: level: this tree names parents": tree(
        ROOT | {"id": "a"}, {"parent": "a", "text": "B"}
    ),
    "(and 1 more node is wrong)": tree(ROOT, {"level": "x", "text": "x"}, {"level": 1}),
    "(and 2 more nodes are wrong)": tree(
        ROOT, {"level": "x", "text": "x"}, {"level": "x", "text": "x"}, {"level": 1}
    ),
}


@pytest.mark.parametrize(("message", "data"), BAD.items(), ids=[m[:40] for m in BAD])
def test_what_is_wrong_is_named(read_data: ReadData, message: str, data: Any) -> None:
    assert message in read_data(data).error


@pytest.mark.parametrize("data", [5, "text", [1], {"nodes": []}, {"x": 1}])
def test_other_data_are_no_tree(read: Reader, data: Any) -> None:
    for name in ("t.json", "t.yaml"):
        assert f"{name}:1: " in read(json.dumps(data), name).error


def test_what_to_do_is_said(read: Reader) -> None:
    assert "Did you mean 'nodes'?" in read(json.dumps(tree(nods=[])), "t.json").error
    assert "goes into `meta`" in read(json.dumps(tree(ROOT, author="N")), "t.json").error


LINES = {
    "t.json": """{
 "tree": "Вода",
 "nodes": [
  {"level": 0, "text": "a [ { , \\" } ]"},
  {
   "level": 1,
   "text": "b",
   "anchors": ["x",
     {"phrase": "y", "kind": "z"}]
  }
 ]
}""",
    "t.yaml": """tree: Вода
nodes:
- level: 0
  text: "a"
- level: 1
  text: |
    b
  anchors:
  - {phrase: y, kind: z}
""",
}


@pytest.mark.parametrize(
    ("name", "old", "new", "line"),
    [
        ("t.json", "", "", 9),
        ("t.json", '"level": 1', '"level": "x"', 6),
        ("t.json", "Вода", " ", 2),
        ("t.yaml", "", "", 9),
        ("t.yaml", "level: 1", "level: x", 5),
        ("t.yaml", "Вода", "", 1),
    ],
)
def test_the_line_is_that_of_the_value(
    read: Reader, name: str, old: str, new: str, line: int
) -> None:
    text = LINES[name].replace(old, new) if old else LINES[name]
    assert f"{name}:{line}: " in read(text, name).error


def test_lines_in_lists_of_trees_and_documents(read: Reader) -> None:
    data = [tree(ROOT), tree({"level": 0, "text": ""}), tree(ROOT)]
    result = read(json.dumps(data, indent=1), "t.json")
    assert len(result.trees) == 2
    assert result.error.startswith("t.json:16: tree 'Вода': node 1: text: ")
    doc = "tree: A\nnodes:\n- {level: 0, text: a}\n"
    result = read(
        f"{doc}---\n- {doc.replace(chr(10), chr(10) + '  ')}\n- tree: B\n  nodes: 5\n---\n",
        "t.yaml",
    )
    assert [t.title for t in result.trees] == ["A", "A"]
    assert result.error.startswith("t.yaml:10: tree 'B': nodes: expected a list")


def test_a_chain_of_100_000_levels(read: Reader) -> None:
    nodes = [{"level": i, "text": f"шаг {i}"} for i in range(100_000)]
    assert read(json.dumps(tree(*nodes)), "t.json").tree.depth == 99_999
    named = [{"id": i, "parent": i - 1 if i else None, "text": "x"} for i in range(100_000)]
    assert read(json.dumps(tree(*reversed(named))), "t.json").tree.depth == 99_999


def test_an_error_of_the_whole_file_is_raised(read: Reader) -> None:
    with pytest.raises(ImportRefused, match=r"t\.json:2: no valid JSON: .*column 12"):
        read('{"tree": "x",\n "nodes": [}', "t.json")


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"tree": "T", "lang": "русский", "nodes": [{}]}, "lang: expected a language such as ru"),
        ({"tree": "T", "nodes": [{"lang": "en_US"}]}, "node 1: lang: expected a language"),
    ],
)
def test_a_language_that_is_none_is_refused(
    read_data: ReadData, tree: dict[str, Any], message: str
) -> None:
    tree["nodes"] = [{"level": 0, "text": "a"} | node for node in tree["nodes"]]
    assert message in read_data(tree).error
