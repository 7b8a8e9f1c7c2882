"""What an earlier export made and this one need not make again.

Beside a corpus ``NAME`` lies a hidden folder ``.NAME.parts``. It says of each unit of work (a tree,
a ring of anchors) what it was made of, where in the data files its lines lie, and all that was
counted, compared and checked of them. The next export takes a unit over where it would be made of
the same. What it takes is checked by a hash of all of its bytes; where one is not as it was
written, the export begins again and makes all units itself. So the folder may be deleted, damaged
or of another corpus at any time.

Units are kept in the order of their names, and asked for in that order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from platform import python_version
from typing import Any
from unicodedata import unidata_version

import orjson

from exporters.files import folder_of
from exporters.folder import MANIFEST, link, make_folders, parts_of
from exporters.lines import Block, Line
from exporters.recipe import Recipe
from exporters.splits import TRAIN
from forest.revision import forest_revision
from forest.stores.base import Store

ABOUT = "about.json"
NEAR = 1 << 17
"""Bytes that are rather read than jumped over."""
LIBRARIES = (
    "orjson",
    "lark",
    "jinja2",
    "markupsafe",
    "numpy",
    "tokenizers",
    "pymorphy3",
    "pymorphy3-dicts-ru",
    "snowballstemmer",
)
"""Other packages that have a say in the bytes of a record."""


class Spoiled(Exception):
    """Something to be taken over is not what was written: all units must be made."""


def can_reuse(recipe: Recipe) -> bool:
    """Whether units can be taken over: where lines are written as they come, in plain files.

    What is sorted, cut to a budget or compressed lies nowhere as it was made; of thoughts that no
    record says, more would have to be known.
    """
    settings = recipe.corpus
    sorts = recipe.order == "shuffled" or bool(recipe.budget)
    prefers = bool(recipe.axes.prefer) or recipe.axes.others != 1
    return settings.file == "jsonl" and not sorts and recipe.kinds.path == 1 and not prefers


def made_of(recipe: Recipe) -> str:
    """A hash of what all units depend on: the recipe, and the code that makes them."""
    return hashlib.sha256(f"{recipe.hash} {_code()}".encode()).hexdigest()


@cache
def _code() -> str:
    digest = hashlib.sha256(f"{python_version()} {unidata_version}\0".encode())
    for package in ("forest", "anchors", "exporters"):
        for name, text in sorted(_sources(package)):
            digest.update(f"{name}\0".encode())
            digest.update(text)
    for library in LIBRARIES:
        try:
            digest.update(f"{library} {version(library)}\0".encode())
        except PackageNotFoundError:
            continue
    return digest.hexdigest()


def _sources(package: str) -> Iterator[tuple[str, bytes]]:
    left = [(package, files(package))]
    while left:
        name, folder = left.pop()
        for entry in folder.iterdir():
            path = f"{name}/{entry.name}"
            if entry.is_dir() and entry.name != "__pycache__":
                left.append((path, entry))
            elif entry.name.endswith((".py", ".toml", ".lark")):
                yield path, entry.read_bytes()


# --- a unit ---------------------------------------------------------------------------------------


Place = tuple[int, int]
"""The number of a data file, and the byte in it at which a unit's lines begin."""


class Made:
    """A unit: its lines, and what was counted, compared and checked of them."""

    def __init__(self, block: Block | None = None) -> None:
        self.block = block or Block()
        """With its lines, where it is taken over; one that is made has written them."""
        self.waiting: list[Line] = []
        """Lines of the validation split, which wait until those of training are written."""
        self.places: dict[str, Place] = {}
        """Where its lines begin, by configuration."""
        self.checked = ""
        """Its digest, where it was taken over."""
        self.key: Any = None
        """What it was made of, where it was taken over."""
        self._hashes: dict[str, Any] = {}

    def add(self, config: str, told: bytes, place: Place) -> None:
        """Take lines that are about to be written at a place."""
        self.places.setdefault(config, place)
        if not self.checked:
            self._hashes.setdefault(config, hashlib.sha256()).update(told)

    def packed(self, rest: bytes) -> bytes:
        """All but its places and lines, as bytes."""
        of = self.block
        notes = {config: b"".join(notes) for config, notes in of.notes.items()}
        sizes = {config: len(notes) for config, notes in notes.items()}
        head = of.kinds, of.lengths, of.walks, of.texts, sizes
        told = orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE)
        return b"".join([told, *notes.values(), rest])

    @classmethod
    def unpacked(cls, packed: bytes) -> tuple[Made, bytes]:
        """The unit without places and lines, and the rest."""
        head, _, body = packed.partition(b"\n")
        block = Block()
        block.kinds, block.lengths, block.walks, block.texts, sizes = orjson.loads(head)
        at = 0
        for config, size in sizes.items():
            block.notes[config] = [body[at : at + size]]
            at += size
        return cls(block), body[at:]

    def digest(self, packed: bytes) -> str:
        """SHA-256 (hex) of all of it."""
        digest = hashlib.sha256(packed)
        for config in self.block.lengths:
            if config in self._hashes:
                digest.update(self._hashes[config].digest())
            else:
                digest.update(hashlib.sha256(b"".join(self.block.lines[config])).digest())
        return digest.hexdigest()


# --- many units -----------------------------------------------------------------------------------


class Keeping:
    """Writes the units of one sort, in the order of their names."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def close(self) -> None:
        """All units are there."""
        self._file.close()

    def add(self, name: str, key: Any, made: Made, packed: bytes) -> None:
        """Keep a unit."""
        head = name, key, made.places, len(packed), made.checked or made.digest(packed)
        self._file.write(orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE))
        self._file.write(packed)


class _Forward:
    """A file that is read from its beginning on, mostly: units are taken over in their order.

    To ask the system where it is, or to go elsewhere, for each of many small units takes longer
    than to read them.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=NEAR)
        self.at = 0

    def close(self) -> None:
        self._file.close()

    def go(self, at: int) -> None:
        """Go on at a byte."""
        if 0 <= at - self.at <= NEAR:
            self._file.read(at - self.at)
        else:
            self._file.seek(at)
        self.at = at

    def line(self) -> bytes:
        line = self._file.readline()
        self.at += len(line)
        return line

    def read(self, size: int) -> bytes:
        read = self._file.read(size)
        self.at += size
        return read


class Earlier:
    """Reads the units of one sort that an earlier export kept.

    :param corpus: the corpus that it made.
    """

    def __init__(self, path: Path, corpus: Path, shard: int) -> None:
        self._corpus, self._shard = corpus, shard
        self._heads, self._bodies = _Forward(path), _Forward(path)
        self._next: tuple[str, Any, int] | None = None
        self._data: dict[str, _Forward] = {}
        self._advance()

    def close(self) -> None:
        """Let go of the files."""
        for file in (self._heads, self._bodies, *self._data.values()):
            file.close()

    def find(self, name: str, fits: Callable[[Any], bool]) -> int:
        """Where a unit is kept that fits; -1 for none. Names are asked for in their order."""
        while self._next and self._next[0] < name:
            self._advance()
        found = self._next
        try:
            return found[2] if found and found[0] == name and fits(found[1]) else -1
        except (ValueError, TypeError):  # it is no key of this sort
            return -1

    def _advance(self) -> None:
        self._next = None
        at = self._heads.at
        try:
            name, key, _, size, _ = orjson.loads(self._heads.line())
            self._heads.go(self._heads.at + size)
        except (ValueError, TypeError, OSError):  # the end, or damage: what follows is made anew
            return
        self._next = str(name), key, at

    def take(self, at: int) -> tuple[Made, bytes, bytes]:
        """(the unit with its lines, all of it but these as bytes, the rest).

        :raises Spoiled: it is not as it was kept, or its lines are not where they were.
        """
        try:
            self._bodies.go(at)
            _, key, places, size, digest = orjson.loads(self._bodies.line())
            packed = self._bodies.read(size)
            made, rest = Made.unpacked(packed)
            for config, lengths in made.block.lengths.items():
                made.block.lines[config] = list(self._lines(config, places[config], lengths))
            spoiled = made.digest(packed) != digest
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise Spoiled from error
        if spoiled:
            raise Spoiled
        made.checked, made.key = digest, key
        return made, packed, rest

    def _lines(self, config: str, place: Sequence[int], lengths: Sequence[int]) -> Iterator[bytes]:
        number, begin = place
        for (file, at), some in _by_files(number, begin, lengths, self._shard):
            name = f"{folder_of(config)}/{TRAIN}-{file:05d}.jsonl"
            if name not in self._data:
                self._data[name] = _Forward(self._corpus / name)
            self._data[name].go(at)
            yield self._data[name].read(sum(some))


def _by_files(
    number: int, at: int, lengths: Sequence[int], shard: int
) -> Iterator[tuple[Place, list[int]]]:
    """Where in which file so many lines lie: a file is full when it has as many bytes."""
    some: list[int] = []
    begin = at
    for length in lengths:
        some.append(length)
        at += length
        if at >= shard:
            yield (number, begin), some
            number, begin, at, some = number + 1, 0, 0, []
    if some:
        yield (number, begin), some


class Kept:
    """The units of one sort: those that an earlier export kept, and those that this one keeps."""

    def __init__(self, new: Keeping | None, earlier: Earlier | None) -> None:
        self._new, self._earlier = new, earlier

    def find(self, name: str, fits: Callable[[Any], bool]) -> int:
        """As of `Earlier`."""
        return self._earlier.find(name, fits) if self._earlier else -1

    def take(self, at: int) -> tuple[Made, bytes, bytes]:
        """As of `Earlier`."""
        assert self._earlier is not None
        return self._earlier.take(at)

    def add(self, name: str, key: Any, made: Made, packed: bytes) -> None:
        """As of `Keeping`."""
        if self._new:
            self._new.add(name, key, made, packed)


class Parts(ExitStack):
    """All units that were kept for an export, and all that it keeps for the next one.

    :param new: the folder to keep them in.
    :param out: the corpus beside which those of an earlier export lie; None to make all anew.
    """

    def __init__(self, new: Path, out: Path | None, recipe: Recipe) -> None:
        super().__init__()
        self.keeps = can_reuse(recipe)
        """Whether anything is kept."""
        self._new, self._out, self._shard = new, out, recipe.corpus.shard
        self._about = {"made_of": made_of(recipe)} if self.keeps else {}
        self._old = parts_of(out) if out and self.keeps else None
        if self._old and not self._is_ours(self._old / ABOUT):
            self._old = None
        if self.keeps:
            new.mkdir()

    def _is_ours(self, about: Path) -> bool:
        try:
            return bool(orjson.loads(about.read_bytes())["made_of"] == self._about["made_of"])
        except (OSError, ValueError, TypeError, KeyError):
            return False

    def kept(self, sort: str) -> Kept:
        """The units of one sort."""
        if not self.keeps:
            return Kept(None, None)
        new = Keeping(self._new / sort)
        self.callback(new.close)
        earlier = None
        if self._old and self._out and (self._old / sort).is_file():
            earlier = Earlier(self._old / sort, self._out, self._shard)
            self.callback(earlier.close)
        return Kept(new, earlier)

    def whole(self, state: str, corpus: Path) -> tuple[dict[str, Any], str] | None:
        """Manifest and card of an earlier corpus that is what this export would make; else None.

        Its files are then in ``corpus``, as links where that can be done, and its parts are kept.

        :param state: a hash of all of the forest that an export depends on.
        """
        if not self._old or not self._out:
            return None
        try:
            about = orjson.loads((self._old / ABOUT).read_bytes())
            told = (self._out / MANIFEST).read_bytes()
            text = about.pop("card")
            if about != self._about | {"forest": state, "manifest": _sha256(told)}:
                return None
            manifest: dict[str, Any] = orjson.loads(told)
            if not _link_all(manifest, self._out, corpus):
                return None
            for path in self._old.iterdir():
                link(path, self._new / path.name)
        except (OSError, ValueError, KeyError):
            return None
        self.keeps = False
        return manifest, text

    def finish(self, state: str, manifest: bytes, card: str) -> None:
        """All are there: say what they were made of, and what was made.

        The card is kept as it was: people may edit the one in the corpus.
        """
        self.close()
        if self.keeps:
            made = {"forest": state, "manifest": _sha256(manifest), "card": card}
            (self._new / ABOUT).write_bytes(orjson.dumps(self._about | made))


def state_of(forest: Store) -> str:
    """A hash of all of a forest that an export depends on: its revision, and when trees were made.

    Of trees that say the same the earliest leads.
    """
    revision = forest_revision(forest.revisions(), forest.axes(), forest.all_nodes())
    digest = hashlib.sha256(revision.encode())
    for info in forest.infos():
        digest.update(f"{info.created_at}\0".encode())
    return digest.hexdigest()


def _link_all(manifest: Mapping[str, Any], old: Path, new: Path) -> bool:
    """Whether all files of a corpus are as they were written; they are in the new folder then."""
    listed = [manifest[name] for name in ("tokens", "probes", "left_out")] + manifest["files"]
    for file in listed:
        if file["path"]:
            path = new / file["path"]
            make_folders(new, file["path"])
            link(old / file["path"], path)
            with path.open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != file["sha256"]:
                    return False
    return True


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
