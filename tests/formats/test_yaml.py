"""YAML: the author's text stays as typed, and nothing in it can do harm."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

from forest.errors import ImportRefused
from forest.formats import SourceFile, read_tree_text, yaml_trees
from forest.formats.yaml_trees import plain_value

from .conftest import Reader


@pytest.fixture(autouse=True, params=["libyaml", "pure"])
def _both_loaders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "libyaml" and not hasattr(yaml, "CSafeLoader"):
        pytest.skip("this PyYAML has no libyaml")
    loader = yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader
    monkeypatch.setattr(yaml_trees, "_LOADER", loader)


def tree(text: str) -> str:
    return f"tree: T\nnodes:\n- level: 0\n  text: {text}\n"


@pytest.mark.parametrize(
    "typed",
    [
        "no",
        "да",
        "12:30",
        "1e3",
        "0x10",
        "007",
        "null",
        "~",
        "true",
        "2024-01-01",
        "1_000",
        "=",
        "<<",
    ],
)
def test_a_text_is_what_was_typed(read: Reader, typed: str) -> None:
    text = (
        f"tree: {typed}\nid: {typed}x\nnodes:\n- level: 0\n  text: {typed}\n  anchors: [{typed}x]\n"
    )
    got = read(text, "t.yaml").tree if typed not in "~=<<" else read(tree(typed), "t.yaml").tree
    assert got.thoughts[0].text == typed
    if typed not in "~=<<":
        assert got.title == typed
        assert got.thoughts[0].anchors[0].phrase == f"{typed}x"


def test_numbers_are_numbers_where_they_are_wanted(read: Reader) -> None:
    text = (
        "tree: T\nid: 007\nlang: ~\naxes: {причинность: 80%, 2: 0.2}\n"
        "meta: {text: 1, b: yes, c: 0x10, d: 1e3, e: 007, g: .inf, "
        "f: 123456789012345678901234567890}\n"
        "nodes:\n- {level: 0, text: x, kind: null, id: 12}\n"
    )
    got = read(text, "t.yaml").tree
    assert got.id == "007"
    assert got.axes == {"причинность": 0.8, "2": 0.2}
    assert got.meta == {
        "text": 1, "b": "yes", "c": 16, "d": 1000.0, "e": "007",
        "f": "123456789012345678901234567890", "g": ".inf",
    }  # fmt: skip
    assert (got.thoughts[0].kind, got.thoughts[0].id) == (None, "12")


def test_blocks_keep_their_lines(read: Reader) -> None:
    got = read(tree("|-\n    раз\n    два\n\n    три"), "t.yaml").tree
    assert got.thoughts[0].text == "раз\nдва\n\nтри"


REFUSED = {
    "t.yaml:3: the key 'text' stands already in line 2": "- level: 0\n  text: x\n  text: y\n",
    "the reference *x is not accepted": "tree: *x\n",
    "the reference &a is not accepted": "tree: &a x\n",
    "the tag !important is not accepted": "tree: !important x\n",
    "the tag tag:yaml.org,2002:python/object/apply:os.system": (
        "tree: !!python/object/apply:os.system ['true']\n"
    ),
    "t.yaml:1: a key must be a plain text": "? [a, b]\n: c\n",
    "t.yaml:2: no valid YAML: mapping values are not allowed": "tree: x\nid: a: b\n",
    "t.yaml:2: no valid YAML": "tree: x\n\tid: a\n",
    "nested deeper than 64": "[" * 100 + "]" * 100,
    "t.yaml:2: the character U+0007 may not stand in YAML": "tree: x\nid: \a\n",
}


@pytest.mark.parametrize(("message", "text"), REFUSED.items())
def test_what_yaml_would_do_by_surprise_is_refused(read: Reader, message: str, text: str) -> None:
    with pytest.raises(ImportRefused) as error:
        read(text, "t.yaml")
    assert message in str(error.value).replace("in this context", "")


def test_a_text_that_yaml_takes_for_a_sign_is_said_to_need_quotes(read: Reader) -> None:
    with pytest.raises(ImportRefused, match="needs quotes"):
        read(tree("*важно* это"), "t.yaml")
    with pytest.raises(ImportRefused, match="needs quotes"):
        read(tree("смысл: раз"), "t.yaml")


def test_bombs_are_refused_at_once(read: Reader) -> None:
    bomb = "a: &a [x, x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
    )
    started = time.perf_counter()
    for text in (bomb, "[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 10_000):
        with pytest.raises(ImportRefused):
            read(text, "t.yaml")
    assert time.perf_counter() - started < 10


def test_documents_and_lists(read: Reader) -> None:
    one = tree("a")
    assert len(read(f"---\n{one}---\n{one}---\n", "t.yaml").trees) == 2


def test_one_tree_in_a_text() -> None:
    source = SourceFile(None, "draft.yaml")  # type: ignore[arg-type]
    assert read_tree_text(tree("раз"), source).root.text == "раз"
    assert (
        read_tree_text('{"tree": "T", "nodes": [{"level": 0, "text": "раз"}]}', source).title == "T"
    )
    for text, message in {
        tree("''"): "draft.yaml:4: ",
        "": "draft.yaml:1: the file is empty",
        f"{tree('a')}---\n{tree('b')}": "expected one tree, got 2",
    }.items():
        with pytest.raises(ImportRefused) as error:
            read_tree_text(text, source)
        assert message in str(error.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [("", None), ("~", None), ("TRUE", True), ("-0", 0), ("+5", 5), ("0o17", 15), ("1.", 1.0),
     (".5", 0.5), ("-1.5e-3", -0.0015), ("00", "00"), ("1e999", "1e999"), ("yes", "yes"),
     ("9" * 5000, "9" * 5000), ("1__0", "1__0"), ("0b1", "0b1"), (".", ".")],
)  # fmt: skip
def test_yaml_1_2_values(written: str, value: Any) -> None:
    assert plain_value(written) == value
    assert type(plain_value(written)) is type(value)
