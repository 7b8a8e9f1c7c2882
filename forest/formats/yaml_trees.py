"""YAML: trees in the owner's format, safe and without YAML's surprises.

The text of an author stays as typed: ``text: no``, ``title: 12:30`` and ``id: 007`` are strings
here. Outside of texts the only types are those of YAML 1.2: null, true and false, numbers. Keys
written twice, references (``&``, ``*``), tags (``!``) and deep nesting are refused, so that no
small file can become a large one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import yaml

from forest.formats.base import BadTree, Notice, Problem, SourceFile, refused, shown
from forest.formats.decoding import read_text
from forest.formats.owner import tree_from
from forest.model import Tree

MAX_DEPTH = 64
"""Deepest nesting of lists and mappings."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_LONGEST_NUMBER = 40
_TAB_HINT = "YAML is indented with blanks: put them where the tab is."
_QUOTE_HINT = "A text that begins with & * ! % @ ` or holds ': ' or ' #' needs quotes around it."


@dataclass(frozen=True)
class Typed:
    """At which keys a scalar is the author's own words, whatever it looks like."""

    texts: frozenset[str]
    names: frozenset[str]
    """As texts, but an empty one or null means that there is none."""
    lists: frozenset[str]
    """Keys of lists of texts."""
    free: frozenset[str] = frozenset({"meta"})
    """Keys below which YAML's types hold again."""


_TREES = Typed(
    texts=frozenset({"text", "phrase", "tree", "title"}),
    names=frozenset({"id", "parent", "kind", "lang", "anchor", "origin"}),
    lists=frozenset({"anchors", "axes"}),
)


class YamlError(Exception):
    """YAML that is refused: what is wrong, in which line (from 1)."""

    def __init__(self, line: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.hint = hint


def read_yaml(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    """The trees of a YAML file: of each document, which is a tree or a list of trees.

    :raises ImportRefused: the file is no YAML that is accepted here.
    """
    text = read_text(source, notice)
    return _trees(text, source)


def read_one(text: str, source: SourceFile) -> Tree:
    """The one tree in a YAML text.

    :raises ImportRefused: it is not one good tree.
    """
    items = list(_trees(text, source))
    for item in items:
        if isinstance(item, BadTree):
            raise item.error
    trees = [item for item in items if isinstance(item, Tree)]
    if len(trees) != 1:
        raise refused(source, 1, f"expected one tree, got {len(trees)}")
    return trees[0]


def _trees(text: str, source: SourceFile) -> Iterator[Tree | BadTree]:
    try:
        documents = load_yaml(text)
    except YamlError as error:
        raise refused(source, error.line, error.message, hint=error.hint) from None
    found = [(n, data) for n, data in enumerate(documents) if data is not None]
    if not found:
        raise refused(source, 1, "the file is empty: expected a tree in YAML")
    for n, data in found:
        listed = isinstance(data, list)
        for i, item in enumerate(data if listed else [data]):
            try:
                yield tree_from(item, source.name)
            except Problem as problem:
                path = (n, i, *problem.path) if listed else (n, *problem.path)
                yield BadTree(problem.at(source, line_in_yaml(text, path)))


# --- loading -----------------------------------------------------------------------------------


@dataclass
class _Open:
    """A list or mapping that is being read."""

    value: Any
    typed: Typed | None
    of: str | None = None
    """Key under which a list stands."""
    key: str | None = None
    """Key of a mapping whose value comes next."""
    lines: dict[str, int] = field(default_factory=dict)


def load_yaml(text: str, typed: Typed = _TREES) -> list[Any]:
    """The documents of a YAML text, as plain data; an empty document is None.

    :raises YamlError: the text is no YAML, or uses what is refused here.
    """
    return _Documents(typed).load(text)


def _is_tab(text: str, mark: Any) -> bool:
    lines = text.splitlines()
    return bool(lines[mark.line : mark.line + 1]) and lines[mark.line].startswith("\t", mark.column)


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        said = " ".join(part for part in (error.context, error.problem) if part)
        hint = _TAB_HINT if mark and _is_tab(text, mark) else _QUOTE_HINT
        raise YamlError(line, f"no valid YAML: {said}", hint) from None
    except yaml.reader.ReaderError as error:
        raise _bad_character(text, error) from None


def _bad_character(text: str, error: yaml.reader.ReaderError) -> YamlError:
    bad = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    if bad is None:
        return YamlError(1, f"no valid YAML: {error.reason}")
    line = len(_BREAKS.findall(text, 0, bad.start())) + 1
    return YamlError(
        line,
        f"the character U+{ord(bad[0]):04X} may not stand in YAML as such",
        f'Remove it, or write it within double quotes as "\\u{ord(bad[0]):04X}".',
    )


class _Documents:
    """Builds plain data from the events of a YAML parser, without recursion."""

    def __init__(self, typed: Typed, wanted: tuple[str | int, ...] = ()) -> None:
        self.typed = typed
        self.wanted = wanted
        self.nearest = (0, 1)
        """How much of the wanted path was found, and in which line."""
        self.done: list[Any] = []
        self.open: list[_Open] = []

    def load(self, text: str) -> list[Any]:
        for event in _events(text):
            _refuse_references(event)
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.MappingStartEvent):
                self._begin({}, event)
            elif isinstance(event, yaml.SequenceStartEvent):
                self._begin([], event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.open.pop()
        return self.done

    def _begin(self, value: Any, event: Any) -> None:
        line = _line(event)
        if len(self.open) >= MAX_DEPTH:
            raise YamlError(line, f"lists and mappings are nested deeper than {MAX_DEPTH}")
        above = self.open[-1] if self.open else None
        typed: Typed | None = self.typed
        of = None
        if above is not None:
            if isinstance(above.value, dict) and above.key is None:
                raise YamlError(line, "a key must be a plain text", _QUOTE_HINT)
            of = above.key
            typed = None if above.typed is None or of in above.typed.free else above.typed
        self._put(value, line)
        self.open.append(_Open(value, typed, of))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        top = self.open[-1] if self.open else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event)
        else:
            self._put(_value(event, top), _line(event))

    def _key(self, top: _Open, event: yaml.ScalarEvent) -> None:
        key, line = event.value, _line(event)
        if key in top.lines:
            raise YamlError(line, f"the key {shown(key)} stands already in line {top.lines[key]}")
        top.lines[key] = line
        top.key = key

    def _put(self, value: Any, line: int) -> None:
        if self.wanted:
            self._look(line)
        if not self.open:
            self.done.append(value)
        elif isinstance(self.open[-1].value, list):
            self.open[-1].value.append(value)
        else:
            top = self.open[-1]
            top.value[top.key] = value
            top.key = None

    def _look(self, line: int) -> None:
        """Remember the place of the value that comes, if it is nearer to the wanted one."""
        at = self._path()
        if len(at) > self.nearest[0] and at == self.wanted[: len(at)]:
            key = self.open[-1].key if self.open else None
            self.nearest = (len(at), line if key is None else self.open[-1].lines[key])

    def _path(self) -> tuple[str | int, ...]:
        """Where the value that comes stands."""
        if not self.open:
            return (len(self.done),)
        at: list[str | int] = [len(self.done) - 1]
        for above, below in pairwise(self.open):
            at.append(len(above.value) - 1 if below.of is None else below.of)
        top = self.open[-1]
        return (*at, len(top.value) if top.key is None else top.key)


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _refuse_references(event: Any) -> None:
    if isinstance(event, yaml.AliasEvent):
        sign, name = "*", event.anchor
    elif getattr(event, "anchor", None):
        sign, name = "&", event.anchor
    elif getattr(event, "tag", None):
        sign, name = "", event.tag
    else:
        return
    what = "the tag" if not sign else "the reference"
    raise YamlError(_line(event), f"{what} {sign}{name} is not accepted here", _QUOTE_HINT)


def _value(event: yaml.ScalarEvent, top: _Open | None) -> Any:
    """What a scalar means at its place."""
    written: str = event.value
    if not event.implicit[0] and event.style:  # in quotes, or a block
        return written
    if top is not None and top.typed is not None:
        key = top.key if isinstance(top.value, dict) else None
        if key in top.typed.texts or (key is None and top.of in top.typed.lists):
            return written
        if key in top.typed.names:
            return None if written in _NULL else written
    return plain_value(written)


def plain_value(written: str) -> Any:
    """What bare text means in YAML 1.2: null, true, false, a number, or itself."""
    if written in _NULL:
        return None
    if written in _BOOL:
        return _BOOL[written]
    if len(written) > _LONGEST_NUMBER:
        return written
    if _INT.fullmatch(written):
        number = int(written, 0)
        return number if -(2**63) <= number < 2**64 else written
    if _FLOAT.fullmatch(written) and not _LEADING_ZERO.match(written):
        value = float(written)
        return value if abs(value) != float("inf") else written
    return written


# --- where a value stands ----------------------------------------------------------------------


def line_in_yaml(text: str, path: tuple[str | int, ...]) -> int:
    """Line, from 1, of the value at a path in accepted YAML; of the nearest around it if none is.

    The first element of ``path`` is the number of the document, from 0.
    """
    documents = _Documents(_TREES, path)
    documents.load(text)
    return documents.nearest[1]
