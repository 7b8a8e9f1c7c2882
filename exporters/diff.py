"""What is other in one corpus than in another, and why.

Why: the recipe, the seed, the format, the forest's trees. What: records by kind, and files. A tree
is edited where a thought of it says other words, hangs elsewhere, came or went, or where its title
or its axes are other ones; all of that is read out of the records, so nothing but the two folders
is needed. Which anchors a thought carries they do not tell: a jump that is gone may have lost its
anchor at either end. A tree that no record of a corpus says is not in it.

Records are hashed to rows of numbers in a temporary folder and compared a part of all keys at a
time, so memory grows with the number of trees alone. The hashes are Python's own: they live as long
as the comparison.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from exporters.files import records_of
from exporters.folder import MANIFEST, is_corpus
from exporters.linearize import BREADCRUMB, THOUGHT
from exporters.records import KINDS, PATH
from forest.errors import UsageError

PARTS = 64
"""Rows are compared in so many parts; a power of two."""
WAITING = 1 << 16
"""Rows that are in memory before they are written."""
WORDS, PLACE, AXES, TITLE = range(4)
"""What a row is about: a thought's words, the thought it follows, a tree's axes, its title."""
_SAID = np.dtype([("key", "i8"), ("said", "i8"), ("tree", "u4"), ("about", "u1"), ("side", "u1")])
_RECORD = np.dtype([("key", "i8"), ("said", "i8"), ("trees", "u8"), ("kind", "u1"), ("side", "u1")])
_KINDS = list(KINDS)
_MASK = (1 << 63) - 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Edited(_Part):
    """What is other in a tree that both corpora say."""

    words: int = Field(0, description="thoughts that say other words")
    added: int = Field(0, description="thoughts that are only in the second corpus")
    removed: int = Field(0, description="thoughts that are only in the first")
    moved: int = Field(0, description="thoughts that follow another one")
    title: bool = False
    axes: bool = False

    def told(self) -> str:
        """It in words."""
        counts = (
            (self.words, "edited"),
            (self.added, "added"),
            (self.removed, "removed"),
            (self.moved, "moved"),
        )
        said = [f"{count} {what}" for count, what in counts if count]
        return ", ".join([*said, *(n for n in ("title", "axes") if getattr(self, n))])


class Trees(_Part):
    """Trees by what happened to them, those that a record of either corpus says."""

    added: list[str] = []
    removed: list[str] = []
    edited: dict[str, Edited] = {}
    other_split: list[str] = Field([], description="on the other side: training or validation")


class Changes(_Part):
    """How many records of a kind came, went, or say what they are made of otherwise."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    near: int = Field(0, description="of all these, those of trees that say what they said")


class Files(_Part):
    """Files of the corpora by their paths."""

    added: list[str] = []
    removed: list[str] = []
    changed: list[str] = []
    same: list[str] = []


class Difference(_Part):
    """What is other in a second corpus than in a first one."""

    same: bool = Field(description="every file that a manifest names is the same")
    recipe: dict[str, tuple[Any, Any]] = Field({}, description="settings, before and after")
    format_version: tuple[int, int] | None = None
    forest: tuple[str, str] | None = Field(None, description="revisions, before and after")
    trees: Trees = Trees()
    records: dict[str, Changes] = {}
    files: Files = Files()


def compare(one: Path | str, other: Path | str) -> Difference:
    """What is other in the corpus ``other`` than in ``one``.

    :raises UsageError: one of them is no corpus, or is not whole.
    :raises MissingExtra: its files are compressed or Parquet, and the package is not installed.
    """
    one, other = Path(one), Path(other)
    manifests = _manifest(one), _manifest(other)
    if manifests[0] == manifests[1]:
        return Difference(same=True)
    files = _files(*map(_hashes, manifests))
    difference = Difference(same=False, files=files, **_causes(*manifests))
    titles = "window" not in difference.recipe
    with tempfile.TemporaryDirectory() as name, _Reading(Path(name), titles=titles) as reading:
        for side, (folder, manifest) in enumerate(zip((one, other), manifests, strict=True)):
            for file in manifest["files"]:
                if file["path"] not in files.same:
                    reading.read(folder / file["path"], (side,))
                elif not side:
                    reading.read(folder / file["path"], (0, 1))
        difference.trees = reading.trees()
        difference.records = reading.records()
    return difference


# --- manifests ------------------------------------------------------------------------------------


def _manifest(corpus: Path) -> dict[str, Any]:
    if not is_corpus(corpus):
        raise UsageError(f"{corpus} is no corpus", hint="Name two folders that exports have made.")
    manifest: dict[str, Any] = orjson.loads((corpus / MANIFEST).read_bytes())
    return manifest


def _causes(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    causes: dict[str, Any] = {"recipe": _settings(one.get("recipe", {}), other.get("recipe", {}))}
    for name, key in (("format_version", "format_version"), ("forest", "forest_revision")):
        if one.get(key) != other.get(key):
            causes[name] = one.get(key), other.get(key)
    return causes


def _settings(one: Any, other: Any, name: str = "") -> dict[str, tuple[Any, Any]]:
    """The settings that differ, by their dotted names."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return {} if one == other else {name: (one, other)}
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted(one.keys() | other.keys()):
        found |= _settings(one.get(key), other.get(key), f"{name}.{key}" if name else key)
    return found


def _hashes(manifest: Mapping[str, Any]) -> dict[str, str]:
    beside = (manifest.get(name) for name in ("tokens", "probes", "left_out"))
    listed = [*manifest["files"], *(part for part in beside if part)]
    return {part["path"]: part["sha256"] for part in listed if part.get("path")}


def _files(one: Mapping[str, str], other: Mapping[str, str]) -> Files:
    both = sorted(one.keys() & other.keys())
    return Files(
        added=sorted(other.keys() - one.keys()),
        removed=sorted(one.keys() - other.keys()),
        changed=[path for path in both if one[path] != other[path]],
        same=[path for path in both if one[path] == other[path]],
    )


# --- records --------------------------------------------------------------------------------------


class _Rows:
    """Rows on the disk, spread by their keys, that come back sorted, a part at a time."""

    def __init__(self, folder: Path, kind: np.dtype[Any]) -> None:
        self._folder, self._kind = folder, kind
        self._waiting: list[tuple[int, ...]] = []
        folder.mkdir()

    def add(self, row: tuple[int, ...]) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= WAITING:
            self._put()

    def _put(self) -> None:
        rows = np.array(self._waiting, self._kind)
        self._waiting.clear()
        part = rows["key"] % PARTS
        for number in np.unique(part):
            with (self._folder / str(number)).open("ab") as file:
                file.write(rows[part == number].data)

    def parts(self, *order: str) -> Iterator[NDArray[Any]]:
        self._put()
        for path in sorted(self._folder.iterdir()):
            rows = np.fromfile(path, self._kind)
            yield rows[np.lexsort([rows[name] for name in reversed(order)])]


class _Reading:
    """The records of two corpora, as rows."""

    def __init__(self, folder: Path, *, titles: bool) -> None:
        self._said = _Rows(folder / "said", _SAID)
        self._told = _Rows(folder / "told", _RECORD)
        self._joined = (folder / "trees").open("w+b")  # of each record, the numbers of its trees
        self._end = 0
        self._titles = titles  # they are cut by the window
        self._numbers: dict[str, int] = {}
        self._sides: list[list[str]] = []  # of each tree, its split in either corpus
        self._touched: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._joined.close()

    def read(self, path: Path, sides: tuple[int, ...]) -> None:
        """Read a data file that stands in these corpora."""
        for record in _whole(path):
            meta = record["meta"]
            trees = [self._tree(tree, meta["split"], sides) for tree in meta["trees"]]
            facts = set(self._facts(record, trees))
            for side in sides:
                for fact in facts:
                    self._said.add((*fact, side))
            if len(sides) == 1:
                self._told.add((*_identity(record), self._place(trees), *_kind(meta), *sides))

    def _tree(self, tree: str, split: str, sides: tuple[int, ...]) -> int:
        number = self._numbers.setdefault(tree, len(self._numbers))
        if number == len(self._sides):
            self._sides.append(["", ""])
        for side in sides:
            self._sides[number][side] = split
        return number

    def _place(self, trees: list[int]) -> int:
        at = self._end
        self._end += self._joined.write(orjson.dumps(trees, option=orjson.OPT_APPEND_NEWLINE))
        return at

    def _facts(self, record: Mapping[str, Any], trees: list[int]) -> Iterator[tuple[int, ...]]:
        """(key, what is said, tree, what it is about) of all that a record says of its trees."""
        meta = record["meta"]
        ids, of = meta["thoughts"], meta["trees"]
        for span in meta["spans"]:
            if span["role"] == THOUGHT and span["tree"] >= 0:
                tree, thought = trees[span["tree"]], ids[span["thought"]]
                yield _hash(tree, thought), _hash(_words(record, span)), tree, WORDS
            elif span["role"] == BREADCRUMB and self._titles:
                names = _words(record, span).partition(" › … ")[0]
                yield _hash(trees[0], TITLE), _hash(names), trees[0], TITLE
        if meta["kind"] == PATH:
            for above, thought in pairwise(ids):
                yield _hash(trees[0], thought, PLACE), _hash(above), trees[0], PLACE
        if len(of) == 1:
            axes = tuple((a["axis"], a["weight"]) for a in meta["axes"])
            yield _hash(trees[0], AXES), _hash(axes), trees[0], AXES

    def trees(self) -> Trees:
        """What happened to the trees; when all is read."""
        found, names = Trees(added=[], removed=[], edited={}, other_split=[]), list(self._numbers)
        for number, (before, after) in enumerate(self._sides):
            if before != after:
                self._touched.add(number)
                kept = found.other_split if before and after else found.added
                (kept if after else found.removed).append(names[number])
        edits: dict[int, Edited] = {}
        for rows in self._said.parts("key", "side", "said"):
            for tree, field in _edits(rows):
                if all(self._sides[tree]):
                    _count(edits.setdefault(tree, Edited()), field)
        self._touched |= edits.keys()
        found.edited = {names[number]: edits[number] for number in edits}
        found.edited = dict(sorted(found.edited.items()))
        return found.model_copy(
            update={n: sorted(getattr(found, n)) for n in ("added", "removed", "other_split")}
        )

    def records(self) -> dict[str, Changes]:
        """What happened to the records, by kind; after `trees`."""
        counts: dict[str, Changes] = {}
        for rows in self._told.parts("key", "said", "side"):
            for kind, what, near in self._changes(rows):
                changes = counts.setdefault(_KINDS[kind], Changes())
                setattr(changes, what, getattr(changes, what) + 1)
                changes.near += near
        return {kind: counts[kind] for kind in KINDS if kind in counts}

    def _changes(self, rows: NDArray[Any]) -> Iterator[tuple[int, str, bool]]:
        """(kind, added, removed or changed, whether its trees say what they said) of records."""
        for same in _runs(rows, "key"):
            left: tuple[list[Any], list[Any]] = ([], [])
            for equal in _runs(same, "said"):
                sides = [equal[equal["side"] == side] for side in (0, 1)]
                both = min(map(len, sides))
                for side in (0, 1):
                    left[side].extend(sides[side][both:])
            changed = min(map(len, left))
            for row in left[1][:changed]:
                yield int(row["kind"]), "changed", self._is_near(row)
            for side, what in enumerate(("removed", "added")):
                for row in left[side][changed:]:
                    yield int(row["kind"]), what, self._is_near(row)

    def _is_near(self, row: Any) -> bool:
        self._joined.seek(int(row["trees"]))
        return self._touched.isdisjoint(orjson.loads(self._joined.readline()))


def _whole(path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from records_of(path)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", hint="The corpus is not whole: export it again."
        ) from error


def _kind(meta: Mapping[str, Any]) -> tuple[int]:
    return (_KINDS.index(meta["kind"]),)


def _identity(record: Mapping[str, Any]) -> tuple[int, int]:
    """Hashes of what a record is made of, and of all that it says."""
    meta = record["meta"]
    jumps = tuple(tuple(jump.values()) for jump in meta["jumps"])
    of = tuple(tuple(meta[name]) for name in ("trees", "thoughts", "formulas"))
    told = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    return _hash(meta["kind"], meta["anchor"], jumps, of), _hash(told)


def _hash(*names: Any) -> int:
    return hash(names) & _MASK


def _words(record: Mapping[str, Any], span: Mapping[str, Any]) -> str:
    """The words of a part of a record, in any format."""
    text = record[span["column"]] if "column" in span else record["text"]
    if not isinstance(text, str):
        text = text[span["item"]]
    if not isinstance(text, str):
        text = text.get("content", text.get("value", ""))
    words: str = text[span["start"] : span["end"]]
    return words


def _runs(rows: NDArray[Any], name: str) -> Iterable[NDArray[Any]]:
    """Rows that stand together with one value, from rows in that order."""
    values = rows[name]
    return np.split(rows, np.flatnonzero(values[1:] != values[:-1]) + 1) if len(rows) else []


def _edits(rows: NDArray[Any]) -> Iterator[tuple[int, str]]:
    """(tree, field of `Edited`) of what one side says and the other does not."""
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (rows[["key", "said", "side"]])[1:] != (rows[["key", "said", "side"]])[:-1]
    rows = rows[fresh]
    for same in _runs(rows, "key"):
        before, after = (same["said"][same["side"] == side] for side in (0, 1))
        about, tree = int(same["about"][0]), int(same["tree"][0])
        if about == WORDS and not (len(before) and len(after)):
            yield tree, "removed" if len(before) else "added"
        elif len(before) and len(after) and not np.array_equal(before, after):
            yield tree, ("words", "moved", "axes", "title")[about]


def _count(edited: Edited, field: str) -> None:
    old = getattr(edited, field)
    setattr(edited, field, True if isinstance(old, bool) else old + 1)
