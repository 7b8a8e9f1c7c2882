"""What discovery keeps on disk: the thoughts it read, and records that it sorts by their keys.

So memory does not grow with the forest: columns of numbers are mapped from files, records are
spread over files by the first bits of their keys, and one such file is sorted at a time. All of it
lies in a folder that lives as long as the search.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from anchors.discovery.words import COVERED, number_of, read, whole_of
from forest.model import Tree
from forest.phrases import phrase_key

RECORD = np.dtype([("key", "<u8"), ("thought", "<u4"), ("place", "<u4")])
Records = NDArray[Any]
"""Records of the type RECORD."""
Column = NDArray[Any]

_COLUMNS = {
    "word": "Q",
    "flag": "B",
    "start": "Q",
    "tree": "I",
    "line": "Q",
    "exact": "Q",
    "lemma": "Q",
}
_CHUNK = 1 << 17
"""Words that are looked at together."""


class Kept(NamedTuple):
    """A thought as it is needed again to propose something about it."""

    id: str
    text: str
    anchors: list[str]
    """Ids of the anchors it carries."""


class Chunk(NamedTuple):
    """The words of some thoughts, one after the other."""

    thought: Column
    """Of each word, the number of its thought."""
    place: Column
    """Of each word, its place in its thought."""
    left: Column
    """Of each word, how many words its thought has from it on."""
    word: Column
    flag: Column


class Thoughts:
    """All thoughts of a forest, by numbers in the order in which they were read.

    ``tree[i]`` is the number of a thought's tree; ``exact[i]`` and ``lemma[i]`` stand for its
    whole text, as spelled and in dictionary forms, 0 where there is nothing to compare.
    """

    def __init__(self, folder: Path, trees: Iterable[Tree]) -> None:
        self._folder = folder
        key = phrase_key.__wrapped__  # without its cache: thoughts are many and long
        columns = {name: array(code) for name, code in _COLUMNS.items()}
        self.trees: list[str] = []
        files = {name: (folder / f"{name}.col").open("wb") for name in columns}
        with (folder / "thoughts.jsonl").open("wb") as lines:
            begin = 0
            for tree in trees:
                for thought in tree.thoughts:
                    carried = [link.anchor for link in thought.anchors]
                    line = orjson.dumps([thought.id, thought.text, carried]) + b"\n"
                    numbers, flags = read(thought.text)
                    columns["start"].append(begin)
                    columns["line"].append(lines.tell())
                    columns["tree"].append(len(self.trees))
                    columns["exact"].append(number_of(key(thought.text)))
                    columns["lemma"].append(whole_of(numbers, thought.text))
                    columns["word"].extend(numbers)
                    columns["flag"].extend(flags)
                    begin += len(numbers)
                    lines.write(line)
                self.trees.append(tree.id)
                if len(columns["word"]) > _CHUNK:
                    _flush(columns, files)
            columns["start"].append(begin)
            _flush(columns, files)
        for file in files.values():
            file.close()
        self._lines = (folder / "thoughts.jsonl").open("rb")
        self.start = self._column("start")
        self.tree = self._column("tree")
        self.exact = self._column("exact")
        self.lemma = self._column("lemma")
        self._line = self._column("line")
        self.words = begin
        """How many words all of them have."""
        # Read piece by piece, not mapped: what is mapped counts as this process's memory.
        self._word = (folder / "word.col").open("rb")
        self._flag = (folder / "flag.col").open("r+b")

    def __len__(self) -> int:
        """How many there are."""
        return len(self.tree)

    def __getitem__(self, number: int) -> Kept:
        """The thought of that number."""
        self._lines.seek(int(self._line[number]))
        return Kept(*orjson.loads(self._lines.readline()))

    def cover(self, number: int, place: int, length: int) -> None:
        """Say that words of a thought belong to the phrase of an anchor."""
        begin = int(self.start[number]) + place
        flags = self._read("flag", begin, begin + length) | COVERED
        self._flag.seek(begin)
        self._flag.write(flags.tobytes())
        self._flag.flush()

    def close(self) -> None:
        """Let go of the files."""
        for file in (self._lines, self._word, self._flag):
            file.close()

    def chunks(self, most: int = _CHUNK) -> Iterator[Chunk]:
        """The words of all thoughts, in pieces of whole thoughts."""
        first, count = 0, len(self)
        while first < count:
            begin = int(self.start[first])
            last = int(np.searchsorted(self.start, begin + most, side="right")) - 1
            last = min(max(last, first + 1), count)
            yield self._chunk(first, last)
            first = last

    def _chunk(self, first: int, last: int) -> Chunk:
        start = np.asarray(self.start[first : last + 1]).astype(np.int64)
        begin, end = int(start[0]), int(start[-1])
        lengths = np.diff(start)
        at = np.arange(begin, end)
        return Chunk(
            np.repeat(np.arange(first, last, dtype=np.uint32), lengths),
            (at - np.repeat(start[:-1], lengths)).astype(np.uint32),
            (np.repeat(start[1:], lengths) - at).astype(np.uint32),
            self._read("word", begin, end),
            self._read("flag", begin, end),
        )

    def _read(self, name: Literal["word", "flag"], begin: int, end: int) -> Column:
        kind = np.dtype(_COLUMNS[name])
        file = self._word if name == "word" else self._flag
        file.seek(begin * kind.itemsize)
        return np.frombuffer(file.read((end - begin) * kind.itemsize), kind)

    def _column(self, name: str) -> Column:
        path = self._folder / f"{name}.col"
        kind = np.dtype(_COLUMNS[name])
        if not path.stat().st_size:
            return np.zeros(0, kind)
        return np.memmap(path, kind, mode="r")


def _flush(columns: dict[str, Any], files: dict[str, Any]) -> None:
    for name, column in columns.items():
        column.tofile(files[name])
        del column[:]


class Sorter:
    """Records that come back in the order of their keys, one part of all keys at a time.

    :param parts: a power of two; memory is that of one part's records.
    """

    def __init__(self, folder: Path, name: str, parts: int = 64) -> None:
        self._paths = [folder / f"{name}-{i:03}.part" for i in range(parts)]
        self._shift = np.uint64(64 - (parts.bit_length() - 1))
        self._parts = parts

    def add(self, keys: Column, thoughts: Column, places: Column | int = 0) -> None:
        """Add records, column by column."""
        records = np.empty(len(keys), RECORD)
        records["key"], records["thought"], records["place"] = keys, thoughts, places
        part = (records["key"] >> self._shift).astype(np.int64) % self._parts
        records = records[np.argsort(part, kind="stable")]
        ends = np.cumsum(np.bincount(part, minlength=self._parts))
        for path, some in zip(self._paths, np.split(records, ends[:-1]), strict=True):
            if len(some):
                with path.open("ab") as file:
                    file.write(some.data)

    def parts(self) -> Iterator[Records]:
        """Each part, sorted by key, thought and place; its file is removed behind it."""
        for path in self._paths:
            if path.exists():
                records = np.fromfile(path, RECORD)
                path.unlink()
                records = records[
                    np.lexsort((records["place"], records["thought"], records["key"]))
                ]
                yield records


class Groups(NamedTuple):
    """Runs of records with one key in a sorted part."""

    begin: Column
    end: Column
    trees: Column
    """In how many trees the records of the run are."""


def groups(records: Records, tree: Column) -> Groups:
    """The runs of one key; ``tree`` is the tree's number of each thought."""
    keys, trees = records["key"], np.asarray(tree[records["thought"]])
    if not len(keys):
        return Groups(*(np.zeros(0, np.int64) for _ in range(3)))
    fresh = np.ones(len(keys), bool)
    fresh[1:] = keys[1:] != keys[:-1]
    begin = np.flatnonzero(fresh)
    # Thoughts of a tree are read one after the other, so equal trees stand together.
    other = fresh.copy()
    other[1:] |= trees[1:] != trees[:-1]
    return Groups(
        begin, np.append(begin[1:], len(keys)), np.add.reduceat(other.astype(np.int64), begin)
    )
