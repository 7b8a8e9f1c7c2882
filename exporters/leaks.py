"""The leak check: all that was written is looked over, and the export fails where a split leaks.

Nothing of the other split may be in a record: no tree, no thought, no text. Near-identical trees
are on one side, and no training record says both thoughts of a held-out stitch. What a record says
is noted as it goes into its file, whatever the format and the form of that. Validation is read
first, in parts that fit memory; the notes of training are then read once for each part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, product
from pathlib import Path
from typing import NamedTuple, NoReturn

import orjson

from exporters.folder import PROBES
from exporters.manifest import DataFile
from exporters.splits import TRAIN, VALIDATION
from forest.errors import ExportError

MOST = 200_000
"""Names and texts of the validation split that are in memory at a time."""
CHUNK = 1 << 20
"""Bytes of notes that wait in memory before they are written."""


class Written(NamedTuple):
    """What a record says, and where it stands."""

    path: str
    number: int
    """Which record of its file, from 1."""
    split: str
    kind: str
    trees: list[str]
    thoughts: list[str]
    """Ids of those it says, and of those that it jumps between."""
    text: int
    """Hash of its texts."""

    @property
    def where(self) -> str:
        """It, for an error."""
        return f"{self.path}:{self.number} ({self.kind}, {self.split})"


_Record = tuple[str, int, str, str, list[str], list[str], int]
"""What `Written` is made of; most records are never looked at more closely."""


@dataclass
class _Outside:
    """Where the trees, thoughts and texts of some validation records are first said."""

    trees: dict[str, str] = field(default_factory=dict)
    thoughts: dict[str, str] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.trees) + len(self.thoughts) + len(self.texts)

    def is_clear_of(self, records: Sequence[_Record], beside: Mapping[str, object]) -> bool:
        """Whether none of some records says anything of it, or of a tree beside it."""
        _, _, _, _, trees, thoughts, texts = zip(*records, strict=True)
        named = {*chain.from_iterable(trees)}
        return (
            self.trees.keys().isdisjoint(named)
            and beside.keys().isdisjoint(named)
            and self.thoughts.keys().isdisjoint(chain.from_iterable(thoughts))
            and self.texts.keys().isdisjoint(texts)
        )

    def add(self, record: Written) -> None:
        for tree in record.trees:
            self.trees.setdefault(tree, record.where)
        for thought in record.thoughts:
            self.thoughts.setdefault(thought, record.where)
        self.texts.setdefault(record.text, record.where)


def note(
    kind: str,
    trees: Sequence[str],
    thoughts: Sequence[str],
    jumps: Sequence[Mapping[str, str]],
    text: int,
) -> bytes:
    """What the check has to know of a record.

    :param text: the hash of what it says.
    """
    if jumps:
        trees = [*trees, *(jump[at] for jump in jumps for at in ("from_tree", "to_tree"))]
        thoughts = [*thoughts, *(jump[at] for jump in jumps for at in ("from", "to"))]
    return orjson.dumps((kind, trees, thoughts, text), option=orjson.OPT_APPEND_NEWLINE)


class Leaks:
    """Hears of every record that is written, and looks for leaks when all are.

    Where there is one split and nothing is held out it need hear of none. The notes wait in files
    of ``folder``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[tuple[str, str], list[bytes]] = {}
        self._bytes = 0

    def note(self, config: str, split: str, said: bytes) -> None:
        """Keep the `note` of records; those of a split and configuration in their files' order."""
        self._waiting.setdefault((config, split), []).append(said)
        self._bytes += len(said)
        if self._bytes >= CHUNK:
            for of in self._waiting:
                self._put(of)
            self._bytes = 0

    def check(
        self,
        corpus: Path,
        files: Sequence[DataFile],
        near: Iterable[tuple[str, str]] = (),
        outside: Iterable[str] = (),
    ) -> None:
        """Raise ExportError at the first leak; it names both records.

        :param near: pairs of trees that say nearly the same.
        :param outside: the trees of the validation split.
        """
        pairs, held = list(near), _held_out(corpus)
        apart = any(file.split == VALIDATION for file in files)
        for part in self._parts(files, outside) if apart else [_Outside()] if held else []:
            beside = _beside(pairs, part.trees)
            for records in self._read(files, TRAIN):
                if not part.is_clear_of(records, beside):
                    for record in map(Written._make, records):
                        _check_sides(record, part)
                        _check_near(record, beside)
                for said in records if held else ():
                    if len(said[4]) > 1 and not held.keys().isdisjoint(said[5]):
                        _check_held(Written._make(said), held)

    def _put(self, of: tuple[str, str]) -> None:
        with self._path(of).open("ab") as notes:
            notes.writelines(self._waiting[of])
        self._waiting[of].clear()

    def _path(self, of: tuple[str, str]) -> Path:
        return self._folder / f"said-{'-'.join(of)}"

    def _read(self, files: Sequence[DataFile], split: str) -> Iterator[list[_Record]]:
        """All records of a split, many at once."""
        for of in [of for of in self._waiting if of[1] == split]:
            self._put(of)
            its = (file for file in files if (file.config, file.split) == of)
            places = ((file.path, n) for file in its for n in range(1, file.records + 1))
            with self._path(of).open("rb") as notes:
                while some := notes.readlines(CHUNK):
                    said = orjson.loads(b"[" + b",".join(some) + b"]")
                    yield [(*next(places), split, *record) for record in said]

    def _parts(self, files: Sequence[DataFile], outside: Iterable[str]) -> Iterator[_Outside]:
        part = _Outside()
        for record in chain.from_iterable(self._read(files, VALIDATION)):
            part.add(Written._make(record))
            if len(part) >= MOST:
                yield part
                part = _Outside()
        for tree in outside:
            part.trees.setdefault(tree, f"the tree {tree!r} (validation)")
        yield part


def _check_sides(record: Written, part: _Outside) -> None:
    if not part.trees.keys().isdisjoint(record.trees):
        tree = next(tree for tree in record.trees if tree in part.trees)
        if part.trees.keys() >= set(record.trees):
            _leak(f"the tree {tree!r} is on both sides", record.where, part.trees[tree])
        _leak(
            f"a record joins trees of both sides, {tree!r} among them",
            record.where,
            part.trees[tree],
        )
    if not part.thoughts.keys().isdisjoint(record.thoughts):
        thought = next(thought for thought in record.thoughts if thought in part.thoughts)
        _leak(f"the thought {thought!r} is on both sides", record.where, part.thoughts[thought])
    if record.text in part.texts:
        _leak("two records say the same", record.where, part.texts[record.text])


def _check_near(record: Written, beside: Mapping[str, tuple[str, str]]) -> None:
    for tree in record.trees:
        if tree in beside:
            other, where = beside[tree]
            _leak(
                f"the trees {tree!r} and {other!r} say nearly the same and are on two sides",
                record.where,
                where,
            )


def _check_held(record: Written, held: Mapping[str, Mapping[str, str]]) -> None:
    if not held or len(record.trees) < 2:  # its thoughts are in two trees
        return
    for thought in held.keys() & set(record.thoughts):
        for other, where in held[thought].items():
            if other in record.thoughts:
                _leak(
                    f"the thoughts {thought!r} and {other!r} are a held-out stitch, and a training"
                    " record says both",
                    record.where,
                    where,
                )


def _leak(what: str, one: str, other: str) -> NoReturn:
    raise ExportError(
        f"the corpus leaks: {what}: {one} and {other}",
        hint="What was there before is unchanged. This is a fault of the export: please report it.",
    )


def _beside(
    pairs: Iterable[tuple[str, str]], outside: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Trees that are not outside, beside one that is: (it, where it speaks)."""
    found = {}
    for one, other in pairs:
        if (one in outside) != (other in outside):
            inner, outer = (other, one) if one in outside else (one, other)
            found[inner] = outer, outside[outer]
    return found


def _held_out(corpus: Path) -> dict[str, dict[str, str]]:
    """The thoughts of held-out stitches, answers among them: for each the others, and the probe."""
    held: dict[str, dict[str, str]] = {}
    path = corpus / PROBES
    if path.exists():
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                probe = orjson.loads(line)
                where = f"{PROBES}:{number} (probe)"
                ends = [*probe["target"]["all"], probe["answer"]["thought"]]
                for source, end in product(probe["source"]["all"], ends):
                    held.setdefault(source, {})[end] = held.setdefault(end, {})[source] = where
    return held
