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
from forest.formats.base import BadTree, Item, Notice, SourceFile, silent
from forest.formats.files import detect, find_files
from forest.formats.writing import tree_to_dict, tree_to_jsonl_line, tree_to_yaml
from forest.model import Tree

__all__ = [
    "FORMATS",
    "BadTree",
    "Item",
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

Reader = Callable[[SourceFile, Notice], Iterator[Item]]
"""Reads what one file holds; says through the notice what an author should know."""


def _json(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.json_trees import read_json

    return read_json(source, notice)


def _jsonl(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.json_trees import read_jsonl

    return read_jsonl(source, notice)


def _yaml(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.yaml_trees import read_yaml

    return read_yaml(source, notice)


def _markdown(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.markdown_notes import read_markdown

    return read_markdown(source, notice)


def _entailment_bank(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.entailment_bank import read_entailment_bank

    return read_entailment_bank(source, notice)


def _node_link(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.node_link import read_node_link

    return read_node_link(source, notice)


def _graphml(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.graphml import read_graphml

    return read_graphml(source, notice)


def _n_triples(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.rdf import read_n_triples

    return read_n_triples(source, notice)


def _turtle(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.rdf import read_turtle

    return read_turtle(source, notice)


def _json_ld(source: SourceFile, notice: Notice) -> Iterator[Item]:
    from forest.formats.rdf import read_json_ld

    return read_json_ld(source, notice)


FORMATS: Mapping[str, Reader] = MappingProxyType(
    {
        "json": _json,
        "jsonl": _jsonl,
        "yaml": _yaml,
        "markdown": _markdown,
        "entailment-bank": _entailment_bank,
        "turtle": _turtle,
        "json-ld": _json_ld,
        "n-triples": _n_triples,
        "graphml": _graphml,
        "node-link": _node_link,
    }
)
"""The formats by name."""


def read_file(source: SourceFile, format: str = "auto", notice: Notice = silent) -> Iterator[Item]:
    """The trees of a file, one after the other; a bad one comes as `BadTree`.

    A graph file also gives the axes and the nodes beside the trees.

    The trees are as written: `forest.identity.finished` fills in ids and the language.

    :param format: one of `FORMATS`, or "auto" to tell by the file's name and content.
    :param notice: is told what was repaired, repeated or left out.
    :raises ImportRefused: the file as a whole cannot be read.
    :raises UsageError: there is no such format.
    :raises MissingExtra: reading it needs a package that is not installed.
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
