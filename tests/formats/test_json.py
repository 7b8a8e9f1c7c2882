"""JSON and JSONL: files, lines, keys written twice, streaming."""

from __future__ import annotations

import json
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forest.errors import ImportRefused
from forest.formats import BadTree, SourceFile, read_file
from forest.formats.json_trees import Lines

from .conftest import Reader

GOOD = '{"tree": "Вода", "nodes": [{"level": 0, "text": "Вода течёт."}]}'


def test_a_list_and_a_single_tree(read: Reader) -> None:
    assert len(read(f"[{GOOD},\n{GOOD}]", "t.json").trees) == 2
    assert len(read(f"\n{GOOD}\n\n", "t.json").trees) == 1
    assert read("[]", "t.json").trees == []


def test_lines_of_jsonl_are_counted_with_blank_ones(read: Reader) -> None:
    bad = GOOD.replace("течёт", "\\u0007")
    result = read(f"\n{GOOD}\r\n\n{bad}\n{GOOD[:-1]}\n{GOOD}", "t.jsonl")
    assert len(result.trees) == 2
    assert [e.split(": ")[0] for e in result.errors] == ["t.jsonl:4", "t.jsonl:5"]
    assert "no valid JSON" in result.errors[1]


def test_a_lone_surrogate_is_an_error_of_its_tree(read: Reader) -> None:
    bad = GOOD.replace("течёт", "\\ud800")
    result = read(f"{GOOD}\n{bad}\n{GOOD}\n", "t.jsonl")
    assert len(result.trees) == 2
    assert result.error.startswith("t.jsonl:2: no valid JSON: half of a character")
    with pytest.raises(ImportRefused, match=r"t\.json:1: no valid JSON: half of a character"):
        read(bad, "t.json")


def test_jsonl_that_is_json_is_said_to_be(read: Reader) -> None:
    pretty = json.dumps(json.loads(GOOD), indent=1)
    with pytest.raises(ImportRefused, match=r"t\.jsonl:1: .*goes on in the next\n.*\.json"):
        read(pretty, "t.jsonl")
    with pytest.raises(ImportRefused, match=r"t\.jsonl:1: .*got a list\n.*\.json"):
        read(f"[{GOOD}]", "t.jsonl")
    with pytest.raises(ImportRefused, match=r"t\.json:2: .*\n.*\.jsonl"):
        read(f"{GOOD}\n{GOOD}", "t.json")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (GOOD.replace('"nodes"', '"tree": "x", "nodes"'), "tree"),
        (GOOD.replace('"text"', '"text" : "x", "text"'), "text"),
        (GOOD.replace('"tree"', '"meta": {"a": {"b": 1, "b": 2}}, "tree"'), "b"),
        (GOOD.replace('"text"', '"anchors": [{"phrase": "a", "phrase": "b"}], "text"'), "phrase"),
    ],
)
def test_a_key_written_twice_loses_no_text_silently(read: Reader, text: str, key: str) -> None:
    with pytest.raises(ImportRefused, match=f"t.json:3: the key '{key}' stands twice"):
        read("\n\n" + text, "t.json")
    result = read(f"{GOOD}\n{text}\n{GOOD}", "t.jsonl")
    assert len(result.trees) == 2
    assert result.error.startswith(f"t.jsonl:2: the key '{key}' stands twice")


@pytest.mark.parametrize("number", ["18446744073709551616", "-9223372036854775809"])
@pytest.mark.parametrize(
    ("name", "line", "form"),
    [("t.json", 3, "{}"), ("t.jsonl", 3, "{}"), ("t.md", 1, "```json\n{}\n```")],
)
def test_a_number_beyond_64_bits_is_never_rounded(
    read: Reader, number: str, name: str, line: int, form: str
) -> None:
    tree = GOOD[:-1] + ', "meta": {"nodes": ["' + "9" * 30 + '", 1e19, NUMBER]}}'
    text = form.format("\n\n" + tree)
    kept = read(text.replace("NUMBER", f'18446744073709551615, "{number}"'), name).trees[-1]
    assert kept.meta["nodes"] == ["9" * 30, 1e19, 2**64 - 1, number]
    try:
        error = read(text.replace("NUMBER", number), name).error
    except ImportRefused as refused:
        error = str(refused)
    assert error.startswith(f"{name}:{line}: the number {number} has more than 64 bits")


def test_colons_after_quotes_in_a_text_are_no_keys(read: Reader) -> None:
    tree = {
        "tree": 'a": "b',
        "axes": {'":': 0.5, "x": 0.5},
        "meta": {"a": [{"b": '":"'}]},
        "nodes": [{"level": 0, "text": 'he said: "yes": ok', "anchors": [{"phrase": '":'}, "x"]}],
    }
    for text in (json.dumps(tree), json.dumps(tree, separators=(" , ", " : "))):
        assert read(text, "t.json").tree.thoughts[0].text == 'he said: "yes": ok'
        assert read(text, "t.jsonl").tree.thoughts[0].text == 'he said: "yes": ok'


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=15,
)


@given(values, st.sampled_from([None, 1]), st.booleans(), st.data())
def test_the_line_of_any_value_is_found(
    value: object, indent: int | None, ascii_: bool, data: st.DataObject
) -> None:
    path: list[str | int] = []
    at = value
    while isinstance(at, dict | list) and at and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
        at = at[key]
        path.append(key)
    marked = json.dumps(_marked(value, path), indent=indent, ensure_ascii=ascii_)
    expected = marked[: marked.index('"MARK!"')].count("\n") + 1
    assert Lines(marked).of(tuple(path)) == expected


def _marked(value: object, path: list[str | int]) -> object:
    if not path:
        return "MARK!"
    if isinstance(value, dict):
        return value | {path[0]: _marked(value[path[0]], path[1:])}
    assert isinstance(value, list)
    return [_marked(v, path[1:]) if i == path[0] else v for i, v in enumerate(value)]


def test_jsonl_is_read_in_the_memory_of_one_tree(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    node = json.dumps({"level": 1, "text": "Но нормы бывают разные: культурные, универсальные."})
    line = GOOD[:-2] + f", {node}" * 50 + "]}\n"
    path.write_text(line * 1000, encoding="utf-8")
    trees = read_file(SourceFile(path, "t.jsonl"))
    assert sum(len(t) for t in islice(trees, 10)) == 510  # type: ignore[arg-type,misc]
    tracemalloc.start()
    for _ in trees:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000 < path.stat().st_size


@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_each_bad_tree_of_a_list_is_told_with_its_line(order: str) -> None:
    text = json.dumps([{"tree": f"«{i}»,]", "nodes": [i, {"a": []}]} for i in range(9)], indent=1)
    paths = [(i, "nodes", 1, "a") for i in range(9)] + [(9, "nodes")]
    wanted = [line for line, said in enumerate(text.split("\n"), 1) if '"a"' in said] + [1]
    if order == "backwards":
        paths, wanted = paths[::-1], wanted[::-1]
    lines = Lines(text)
    assert [lines.of(path) for path in paths] == wanted


@pytest.mark.parametrize("text", ["я" * 1_500_000, "\n" * 1_500_000], ids=["plain", "escaped"])
def test_refusing_a_large_text_takes_little_more_memory_than_its_file(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "large.json"
    path.write_text(json.dumps({"tree": "a", "nodes": [{"text": f"x{text}"}]}, ensure_ascii=False))
    tracemalloc.start()
    try:
        (bad,) = read_file(SourceFile(path, path.name))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(bad, BadTree)
    assert "more than 1,000,000" in str(bad.error)
    assert peak < 20 * path.stat().st_size  # most of it the parser's, which never touches it
