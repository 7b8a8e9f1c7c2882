"""What is written can be read back, whatever the text."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import yaml
from hypothesis import given
from hypothesis import strategies as st

from forest.fields import is_blank
from forest.formats import (
    SourceFile,
    find_files,
    read_file,
    read_tree_text,
    tree_to_dict,
    tree_to_jsonl_line,
    tree_to_yaml,
)
from forest.formats.mojibake import repaired
from forest.formats.owner import tree_from
from forest.formats.writing import _yaml, _yaml_of_node
from forest.identity import finished
from forest.model import Thought, Tree
from forest.sample import sample_folder
from tests import strategies

SOURCE = SourceFile(Path("t.yaml"), "t.yaml")

awkward = st.lists(
    st.sampled_from(
        ["a", "Ж", " ", "\n", "\t", "\r", ": ", "- ", "#", " #", "'", '"', "\\", "🧠", "\x85",
         "\u2028", "\u2029", "\ufeff", "\x80", "\xa0", "no", "1e3", "0o7", "null", "~", "---",
         "...", "%", "@", "`", "|", ">", "&", "*", "!", "?", "[", "]", "{", "}", ",", "<<", "=",
         "\ufffe", "\ue000"]
    ),
    min_size=1,
    max_size=8,
).map("".join).filter(lambda text: not is_blank(text))  # fmt: skip


def same(one: Tree, two: Tree) -> bool:
    return finished(one).revision == two.revision


@given(strategies.trees())
def test_any_tree_comes_back_from_every_way_of_writing_it(tree: Tree) -> None:
    assert same(tree_from(orjson.loads(orjson.dumps(tree_to_dict(tree))), "x"), tree)
    assert same(tree_from(json.loads(tree_to_jsonl_line(tree)), "x"), tree)
    assert same(read_tree_text(tree_to_yaml(tree), SOURCE), tree)


@given(awkward, awkward.filter(lambda s: s.split()), st.booleans())
def test_any_text_survives_yaml(text: str, name: str, folded: bool) -> None:
    meta = {name: name, "x": [text, {"y": text}]}
    tree = finished(Tree("t", meta=meta, thoughts=[Thought(text=text * (40 if folded else 1))]))
    written = tree_to_yaml(tree, header="a\nb")
    assert same(read_tree_text(written, SOURCE), tree)
    assert yaml.safe_load(written)["nodes"][0]["text"] == tree.root.text


word = st.sampled_from(
    ["Мысль", "no", "12e3", "0b1", "1a", "№", "x:", ":y", "#", "a#b", "🌳", " ", ", "]
)


@given(
    st.lists(word, min_size=1).map("".join).filter(str.strip)
    | st.lists(word, min_size=2).map(" ".join).filter(str.strip)
    | awkward
)
def test_a_node_looks_as_if_the_whole_tree_were_written_by_pyyaml(text: str) -> None:
    data = tree_to_dict(finished(Tree("t", thoughts=[Thought(text=text, kind="no")])))
    data["nodes"].append({"level": 1, "id": "1a", "text": "Мысль", "anchors": [text, "a → b"]})
    whole = _yaml(data).partition("nodes:\n")[2]
    assert "".join(map(_yaml_of_node, data["nodes"])) == whole


@given(strategies.trees())
def test_a_line_of_jsonl_is_a_line(tree: Tree) -> None:
    assert "\n" not in tree_to_jsonl_line(tree)


@given(tree=strategies.trees())
def test_a_written_file_comes_back(tmp_path_factory: object, tree: Tree) -> None:
    folder: Path = tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    writers = {"t.jsonl": tree_to_jsonl_line(tree) + "\n", "t.yaml": tree_to_yaml(tree)}
    for name, text in writers.items():
        if repaired(text):
            continue  # a text that looks broken is taken for broken
        path = folder / name
        path.write_text(text, encoding="utf-8", newline="")
        (item,) = read_file(SourceFile(path, name))
        assert isinstance(item, Tree)
        assert same(item, tree)


def test_yaml_reads_well() -> None:
    tree = Tree("Вода: начало", lang="ru", axes=["время", "жизнь"])
    root = tree.add("Вода — это: " + "длинная строка " * 20 + "🧠", id="r", anchors=["вода → лёд"])
    tree.add("раз\nдва", under=root, id="two", kind="item")
    tree.add("12:30", under=root, id="3")
    assert tree_to_yaml(finished(tree), header="Первая строка\n\nвторая") == (
        "# Первая строка\n#\n# вторая\n"
        "id: вода-начало\ntree: 'Вода: начало'\nlang: ru\naxes:\n  - время\n  - жизнь\nnodes:\n"
        "  - level: 0\n    id: r\n    text: 'Вода — это: " + "длинная строка " * 20 + "🧠'\n"
        "    anchors:\n      - вода → лёд\n"
        "  - level: 1\n    id: two\n    kind: item\n    text: |-\n      раз\n      два\n"
        "  - level: 1\n    id: '3'\n    text: '12:30'\n"
    )


def test_ids_are_written_without_the_trees_own() -> None:
    tree = Tree("t", id="a", thoughts=[
        Thought(text="x", id="a/n1"), Thought(text="y", level=1, id="b/n1"),
        Thought(text="z", level=1, id="a/b/c"), Thought(text="u", level=1, id="a"),
    ])  # fmt: skip
    data = tree_to_dict(finished(tree))
    assert [n["id"] for n in data["nodes"]] == ["n1", "b/n1", "a/b/c", "a"]
    assert same(tree_from(data, "x"), tree)


def test_the_sample_forest_is_read_and_written_back() -> None:
    with sample_folder() as folder:
        items = [item for s in find_files([folder]) for item in read_file(s)]
    assert items
    for item in items:
        assert isinstance(item, Tree), item
        tree = finished(item)
        assert same(read_tree_text(tree_to_yaml(tree), SOURCE), tree)
