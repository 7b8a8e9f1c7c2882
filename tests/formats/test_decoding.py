"""Files that are not UTF-8, or are too large."""

from __future__ import annotations

import codecs

import pytest

from forest.errors import ImportRefused
from forest.formats import decoding

from .conftest import Reader

TREE = '{"tree": "Вода", "nodes": [{"level": 0, "text": "Вода течёт."}]}'
FILES = {
    "a.json": TREE,
    "a.jsonl": TREE,
    "a.yaml": "tree: Вода\nnodes:\n- level: 0\n  text: Вода течёт.\n",
    "a.md": "Вода течёт.\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_byte_order_mark_is_no_part_of_the_text(read: Reader, name: str) -> None:
    tree = read(codecs.BOM_UTF8 + FILES[name].encode(), name).tree
    assert tree.thoughts[-1].text == "Вода течёт."


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_utf16_is_named_as_such(read: Reader, name: str, encoding: str) -> None:
    raw = FILES[name].encode(encoding)
    if encoding == "utf-16-be":
        raw = codecs.BOM_UTF16_BE + raw
    with pytest.raises(ImportRefused, match=f"{name}:1: the file is UTF-(16|32)") as error:
        read(raw, name)
    assert "iconv" in str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_a_byte_that_is_not_utf8_is_named_with_its_place(read: Reader, name: str) -> None:
    raw = b"\n\n" + FILES[name].encode() + b"\n\xd0"
    line = raw.count(b"\n") + 1
    with pytest.raises(ImportRefused) as error:
        read(raw, name)
    assert f"{name}:{line}: the file is not UTF-8: byte 0xD0 at offset {len(raw) - 1}" in str(
        error.value
    )


@pytest.mark.parametrize("name", FILES)
def test_nul_is_named(read: Reader, name: str) -> None:
    with pytest.raises(ImportRefused, match=r"NUL at offset 1: this is not a text file"):
        read(b"\n\0" + FILES[name].encode(), name)


@pytest.mark.parametrize("name", FILES)
def test_windows_line_ends_are_no_part_of_texts(read: Reader, name: str) -> None:
    tree = read(FILES[name].replace("\n", "\r\n"), name).tree
    assert tree.thoughts[-1].text == "Вода течёт."


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_too_large_is_refused_before_it_is_parsed(
    read: Reader, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MAX_BYTES", 20)
    with pytest.raises(ImportRefused, match=r"is larger than .*\n.*JSONL"):
        read(FILES[name], name)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.yaml"])
def test_an_empty_file_is_an_error(read: Reader, name: str) -> None:
    with pytest.raises(ImportRefused, match=f"{name}:1: the file is empty"):
        read("\n\n", name)


@pytest.mark.parametrize("encoding", ["windows-1251", "koi8-r", "cp866"])
def test_the_command_that_converts_names_the_likely_encoding(read: Reader, encoding: str) -> None:
    with pytest.raises(ImportRefused) as error:
        read("Справедливость — соответствие.".replace("—", "-").encode(encoding), "note.md")
    assert f"iconv -f {encoding} -t utf-8" in (error.value.hint or "")
