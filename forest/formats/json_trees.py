"""JSON and JSONL: trees in the owner's format.

A JSON file holds one tree or a list of trees and is read as one piece; JSONL holds one tree a line
and is read line by line, in the memory of one tree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from forest.errors import ImportRefused
from forest.formats.base import BadTree, Notice, Problem, SourceFile, no_json, refused, shown
from forest.formats.decoding import Line, NotText, decoded, read_lines, read_text
from forest.formats.owner import tree_from
from forest.model import Tree

_JSONL_HINT = "For one tree a line, name the file .jsonl or say --format jsonl."
_JSON_HINT = "For trees over several lines, name the file .json or say --format json."


def read_json(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    """The tree, or the trees of the list, in a JSON file.

    :raises ImportRefused: the file is no JSON, or holds what no parser keeps: a key that stands
        twice, a number beyond 64 bits.
    """
    text = read_text(source, notice, escapes=True)
    if not text.strip():
        raise refused(source, 1, "the file is empty: expected a tree in JSON")
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _no_json(source, text, error) from None
    check_doubles(text, data, source)
    check_numbers(text, data, source)
    listed, lines = isinstance(data, list), Lines(text)
    for i, item in enumerate(data if listed else [data]):
        try:
            yield tree_from(item, source.name)
        except Problem as problem:
            path = (i, *problem.path) if listed else problem.path
            yield BadTree(problem.at(source, lines.of(path)))


def _no_json(source: SourceFile, text: str, error: orjson.JSONDecodeError) -> ImportRefused:
    hint = None
    first = text.lstrip().split("\n", 1)[0]
    if error.lineno > 1 and _is_json(first):
        hint = _JSONL_HINT
    return refused(source, error.lineno, no_json(error), hint=hint)


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


# --- keys written twice ------------------------------------------------------------------------


def check_doubles(text: str, data: object, source: SourceFile, line: int = 0) -> None:
    """Refuse a key that stands twice in one object: JSON parsers silently keep one of the values.

    Counting ``":`` is enough for nearly all texts; only where the count differs (a colon after a
    quote within a text, a blank before a colon) they are parsed again, slowly.

    :raises ImportRefused: there is such a key.
    """
    if text.count('":') == _keys(data) and not _BLANK.search(text):
        return
    try:
        json.loads(text, object_pairs_hook=_unique)
    except Problem as problem:
        where = line or _line_of_double(text, problem.path[0])
        raise problem.at(source, where) from None
    except (ValueError, RecursionError):
        return


# Patterns, because they are found faster than the same strings are.
_BLANK = re.compile('" :')
_BLANK_RAW = re.compile(b'" :')


def _keys(data: object) -> int:
    """How many keys all objects in the data have together."""
    count = 0
    todo = [data]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            count += len(value)
            todo += [v for k, v in value.items() if k != "nodes" and isinstance(v, dict | list)]
            nodes = value.get("nodes")
            if isinstance(nodes, list):
                count += _keys_of_nodes(nodes)
        elif isinstance(value, list):
            todo += [v for v in value if isinstance(v, dict | list)]
    return count


def _keys_if_plain(data: dict[str, Any]) -> int:
    """The same of a tree that holds axes, texts and lists only, as most do, at once; else fewer."""
    axes = data.get("axes")
    return len(data) + (len(axes) if type(axes) is dict else 0) + sum(map(len, data["nodes"]))


def _keys_of_nodes(nodes: list[Any]) -> int:
    """The same for nodes, which are many and seldom hold more than text."""
    count = 0
    for node in nodes:
        if type(node) is dict:
            count += len(node)
            if "anchors" in node and type(node["anchors"]) is list:
                for anchor in node["anchors"]:
                    if type(anchor) is dict:
                        count += len(anchor)
    return count


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [key for key, _ in pairs]
        double = next(key for key in names if names.count(key) > 1)
        raise Problem((double,), f"the key {double!r} stands twice in one object")
    return data


def _line_of_double(text: str, key: str | int) -> int:
    """Line of the second key of that name in one object."""
    seen: list[set[str]] = []
    before = ""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "{[":
            seen.append(set())
        elif token in "}]":
            seen.pop()
        elif token == ":":
            name = json.loads(before, strict=False)
            if name == key and name in seen[-1]:
                return text.count("\n", 0, match.start()) + 1
            seen[-1].add(name)
        before = token
    return 1


# --- numbers that are too large ----------------------------------------------------------------


def check_numbers(text: str, data: object, source: SourceFile, line: int = 0) -> None:
    """Refuse a whole number beyond 64 bits: the parser silently rounds it.

    Only a float of that size in the data is a reason to look at the text.

    :raises ImportRefused: there is such a number.
    """
    if not _any_huge(data):
        return
    for match in _TOKEN.finditer(text):
        if _WHOLE.fullmatch(match[0]) and not -(2**63) <= int(match[0]) < 2**64:
            raise refused(
                source,
                line or text.count("\n", 0, match.start()) + 1,
                f"the number {shown(int(match[0]))} has more than 64 bits: it would be rounded",
                hint="Put it in quotes: as text it is kept digit by digit.",
            )


def _any_huge(data: object) -> bool:
    """Whether a float of 64 bits or more stands in trees, beside their nodes, which hold none."""
    trees = data if isinstance(data, list) else [data]
    todo = [v for t in trees if isinstance(t, dict) for key, v in t.items() if key != "nodes"]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list):
            todo += value
        elif isinstance(value, float) and abs(value) >= 2**63:
            return True
    return False


# --- JSONL -------------------------------------------------------------------------------------


def read_jsonl(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    """The trees of a JSONL file, one a line.

    :raises ImportRefused: the file is not UTF-8, or its first line is no JSON record.
    """
    first = True
    for line in read_lines(source, notice):
        try:
            yield _tree_of_line(line, source)
        except NotText:
            raise
        except ImportRefused as error:
            if first:
                _refuse_other_json(line, source)
            yield BadTree(error)
        first = False
    if first:
        raise refused(source, 1, "the file is empty: expected a tree in JSON on each line")


def _tree_of_line(line: Line, source: SourceFile) -> Tree:
    data = parsed_line(line, source)
    try:
        tree = tree_from(data, source.name, clean=line.as_it_is)
    except Problem as problem:
        raise problem.at(source, line.number) from None
    colons = line.raw.count(b'":')
    counted = colons == _keys_if_plain(data) or colons == _keys(data)
    if not counted or _BLANK_RAW.search(line.raw):
        check_doubles(line.raw.decode(), data, source, line.number)
    return tree


def parsed_line(line: Line, source: SourceFile) -> Any:
    """What the JSON on a line says.

    :raises NotText: it is not UTF-8.
    :raises ImportRefused: it is no JSON, or holds a number that is too large.
    """
    try:
        data = orjson.loads(line.raw)
    except orjson.JSONDecodeError as error:
        decoded(line.raw, source, line.number, line.offset)
        raise refused(source, line.number, no_json(error)) from None
    if _any_huge(data):
        check_numbers(line.raw.decode(), data, source, line.number)
    return data


def _refuse_other_json(line: Line, source: SourceFile) -> None:
    """Raise where the first line shows that this is JSON, but not JSONL."""
    if line.raw.lstrip()[:1] == b"[":
        message = "expected a tree on each line, got a list"
    elif line.raw.strip() == b"{" or not _ends_object(line.raw):
        message = "expected a whole tree on each line; this one goes on in the next"
    else:
        return
    raise refused(source, line.number, message, hint=_JSON_HINT)


def _ends_object(raw: bytes) -> bool:
    return raw.lstrip()[:1] != b"{" or raw.rstrip().endswith(b"}")


# --- where a value stands ----------------------------------------------------------------------

_WHOLE = re.compile(r"-?[0-9]+")
# Possessive: else the parser keeps a way back for each character of a long text.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]++', re.DOTALL)


class Lines:
    """Says in which lines of a JSON text values stand.

    Elements of a list that are asked for in their order are found in one pass over the text.

    :param text: valid JSON.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._first = len(text) - len(text.lstrip())
        self._known = (0, self._first)
        """The element of the outermost list that was found last, and where it begins."""
        self._counted = (0, 1)
        """An offset, and its line."""

    def of(self, path: tuple[str | int, ...]) -> int:
        """Line, from 1, of the value at a path; of the nearest around it if none is there.

        An element of ``path`` is a key or a place in a list.
        """
        best = self._place(path)
        start, line = self._counted if self._counted[0] <= best else (0, 1)
        self._counted = best, line + self._text.count("\n", start, best)
        return self._counted[1]

    def _place(self, path: tuple[str | int, ...]) -> int:
        index, start = self._known
        at: list[str | int] = [index]
        if not path or not isinstance(path[0], int) or not path[0] >= index > 0:
            at, start = [], self._first
        best, depth, key = self._first, 0, ""
        for match in _TOKEN.finditer(self._text, start):
            if depth == len(path):
                break
            token = match[0]
            if token in "}]":
                at.pop()
            elif token == ",":
                if at and isinstance(at[-1], int):
                    at[-1] += 1
            elif token == ":":
                at[-1] = json.loads(key, strict=False)
                if len(at) > depth and tuple(at) == path[: len(at)]:
                    best, depth = match.start(), len(at)
            else:
                element = at and isinstance(at[-1], int) and len(at) > depth
                if element and tuple(at) == path[: len(at)]:
                    best, depth = match.start(), len(at)
                    if depth == 1:
                        self._known = int(at[0]), best
                if token in "{[":
                    at.append("" if token == "{" else 0)
                key = token
        return best
