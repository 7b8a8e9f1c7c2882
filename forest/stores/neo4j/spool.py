"""Trees put aside in a temporary file, until it is known that all of them can be written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from operator import attrgetter
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

from forest.errors import InvalidTree
from forest.in_file import InFile
from forest.model import AnchorLink, Thought, Tree, trusted_thought

IN_MEMORY = 32 * 1024 * 1024
"""Bytes that are kept in memory before a file is made."""
BATCH = 5_000
"""Thoughts of a batch; a larger tree is a batch of its own."""
BATCH_TREES = 500
"""Trees of a batch at most."""

_thought_values = attrgetter(*(name for name in Thought.__slots__ if name != "anchors"))
_link_values = attrgetter(*AnchorLink.__slots__)


class Record(NamedTuple):
    """Where a tree stands in the spool."""

    tree_id: str
    thoughts: int
    start: int
    length: int
    in_file: InFile
    """What is no part of the tree, and needs no place in the file."""


class Spool:
    """Trees in the order in which they came. Also a context manager that deletes its file."""

    def __init__(self, trees: Iterable[Tree]) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - see close
        self.records: list[Record] = []
        try:
            for tree in trees:
                data = _encoded(tree)
                place = self._file.tell()
                self._file.write(data)
                self.records.append(Record(tree.id, len(tree), place, len(data), tree.in_file))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def batches(self) -> Iterator[list[Record]]:
        """Records in batches of BATCH thoughts."""
        batch: list[Record] = []
        size = 0
        for record in self.records:
            full = size + record.thoughts > BATCH or len(batch) == BATCH_TREES
            if batch and full:
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += record.thoughts
        if batch:
            yield batch

    def read(self, record: Record) -> Tree:
        """A tree as it came; a new object each time."""
        self._file.seek(record.start)
        tree = _decoded(self._file.read(record.length))
        tree.stands(**record.in_file._asdict())
        return tree


def _encoded(tree: Tree) -> bytes:
    head = {name: getattr(tree, name) for name in Tree.model_fields if name != "thoughts"}
    rows = [(_thought_values(t), [_link_values(a) for a in t.anchors]) for t in tree.thoughts]
    try:
        return orjson.dumps((head, rows))
    except TypeError as error:
        raise InvalidTree(f"tree {tree.id!r} cannot be written as JSON: {error}") from None


def _decoded(data: bytes) -> Tree:
    head, rows = orjson.loads(data)
    known: dict[tuple[Any, ...], AnchorLink] = {}
    thoughts = [
        trusted_thought(*(*values, tuple([_link(tuple(link), known) for link in links])))
        for values, links in rows
    ]
    lang = head.pop("lang")
    tree = Tree(**head, thoughts=thoughts)
    tree.keep_lang(lang)
    return tree


def _link(values: tuple[Any, ...], known: dict[tuple[Any, ...], AnchorLink]) -> AnchorLink:
    link = known.get(values)
    if link is None:
        link = known[values] = AnchorLink(*values)
    return link
