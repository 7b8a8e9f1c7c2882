"""Formats: from files to trees, and back.

`find_files` expands folders, `read_file` turns one file into trees; nothing here opens a store.
A tree that cannot be read comes as a `BadTree` with the error, so that a caller may refuse the
file or go on with the next tree; what is wrong with the file as a whole is raised.

>>> for source in find_files([Path("notes")]):            # doctest: +SKIP
...     for tree in read_file(source):
...         ...

Each format is a module of its own, imported when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from forest.errors import UsageError
from forest.formats.base import BadTree, Notice, SourceFile, silent
from forest.formats.files import detect, find_files
from forest.formats.writing import tree_to_dict, tree_to_jsonl_line, tree_to_yaml
from forest.model import Tree

__all__ = [
    "FORMATS",
    "BadTree",
    "Notice",
    "Reader",
    "SourceFile",
    "find_files",
    "read_file",
    "read_tree_text",
    "tree_to_dict",
    "tree_to_jsonl_line",
    "tree_to_yaml",
]

Reader = Callable[[SourceFile, Notice], Iterator[Tree | BadTree]]
"""Reads the trees of one file; says through the notice what an author should know."""


def _json(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    from forest.formats.json_trees import read_json

    return read_json(source, notice)


def _jsonl(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    from forest.formats.json_trees import read_jsonl

    return read_jsonl(source, notice)


def _yaml(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    from forest.formats.yaml_trees import read_yaml

    return read_yaml(source, notice)


def _markdown(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    from forest.formats.markdown_notes import read_markdown

    return read_markdown(source, notice)


def _entailment_bank(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    from forest.formats.entailment_bank import read_entailment_bank

    return read_entailment_bank(source, notice)


FORMATS: Mapping[str, Reader] = MappingProxyType(
    {
        "json": _json,
        "jsonl": _jsonl,
        "yaml": _yaml,
        "markdown": _markdown,
        "entailment-bank": _entailment_bank,
    }
)
"""The formats by name."""


def read_file(
    source: SourceFile, format: str = "auto", notice: Notice = silent
) -> Iterator[Tree | BadTree]:
    """The trees of a file, one after the other; a bad one comes as `BadTree`.

    The trees are as written: `forest.identity.finished` fills in ids and the language.

    :param format: one of `FORMATS`, or "auto" to tell by the file's name and content.
    :param notice: is told what was repaired, repeated or left out.
    :raises ImportRefused: the file as a whole cannot be read.
    :raises UsageError: there is no such format.
    """
    if source.problem is not None:
        raise source.problem
    reader = FORMATS.get(detect(source) if format == "auto" else format)
    if reader is None:
        raise UsageError(
            f"there is no format {format!r}", hint=f"Formats: auto, {', '.join(FORMATS)}."
        )
    yield from reader(source, notice)


def read_tree_text(text: str, source: SourceFile) -> Tree:
    """The one tree written in a YAML text.

    :param source: names the text in errors.
    :raises ImportRefused: the text is not exactly one good tree.
    """
    from forest.formats.yaml_trees import read_one

    return read_one(text, source)
