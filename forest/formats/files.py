"""Which files are meant by the paths on a command line, and in which format each of them is."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from forest.errors import ImportRefused, NotFound
from forest.formats.base import Notice, SourceFile, linked, silent
from forest.phrases import tree_id_from
from forest.render import plural

SUFFIXES = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".md": "markdown",
    ".markdown": "markdown",
    ".ttl": "turtle",
    ".jsonld": "json-ld",
    ".nt": "n-triples",
    ".graphml": "graphml",
}
"""Format by suffix; what else a suffix may stand for is told by how the file begins."""
_SUFFIX_OF = {"entailment-bank": "jsonl", "node-link": "json"}
"""Formats that share the suffix of another one."""

_HEAD = 1 << 20
"""How much of a first record is looked at, in bytes."""
_HINT = (
    f"Files that are understood: {' '.join(SUFFIXES)}; for another name say which --format it is."
)


def find_files(
    paths: Iterable[str | Path], format: str = "auto", notice: Notice = silent
) -> Iterator[SourceFile]:
    """The files that the paths mean; folders are expanded, sorted by name.

    In a folder hidden files and folders (``.obsidian``, ``.git``, ``.trash``) and files of other
    kinds are left out, and ``notice`` is told which. A link that leads out of the folder, and a
    folder in it that cannot be read, become a `SourceFile` with a ``problem``.

    :raises NotFound: a path does not exist.
    :raises ImportRefused: a file that was named itself has an unknown suffix, and no format is
        given.
    """
    for given in paths:
        path = Path(given)
        name = _name_of(path)
        if path.is_dir():
            yield from _Vault(path, name, format, notice).files()
        elif not path.exists():
            raise NotFound(f"{name}: no such file or folder")
        elif format == "auto" and path.suffix.lower() not in SUFFIXES:
            raise ImportRefused(f"{name}: the format cannot be told from the name", hint=_HINT)
        else:
            yield SourceFile(path, name, problem=_no_text(name))


def _no_text(name: str) -> ImportRefused | None:
    """What is wrong with a name that is no text."""
    if any("\ud800" <= sign <= "\udfff" for sign in name):
        return ImportRefused(f"{name}: the name of the file is not UTF-8", hint="Rename it.")
    return None


def _name_of(path: Path) -> str:
    return unicodedata.normalize("NFC", posixpath.normpath(path.as_posix()))


@dataclass
class _Vault:
    """A folder with all its folders."""

    folder: Path
    name: str
    format: str
    notice: Notice
    unreadable: list[SourceFile] = field(default_factory=list)
    """Folders in it."""

    def files(self) -> Iterator[SourceFile]:
        found = [self._source(path) for path in self._paths()]
        yield from self.unreadable
        stems = Counter(s.path.stem.casefold() for s in found if is_note(s))
        for source in found:
            # By its path in the folder, so that no other note has a say in it.
            inside = source.path.relative_to(self.folder).with_suffix("")
            note = "/".join(map(tree_id_from, inside.parts))
            known_by_stem = stems[inside.name.casefold()] == 1
            names = {inside.as_posix(): None} | ({inside.name: None} if known_by_stem else {})
            yield replace(source, note=note, names=tuple(names))

    def _paths(self) -> list[Path]:
        paths: list[Path] = []
        skipped: Counter[str] = Counter()
        for folder, folders, files in os.walk(self.folder, onerror=self._note_unreadable):
            here = Path(folder)
            hidden = [f for f in folders if f.startswith(".")]
            for f in sorted(f for f in hidden if ".partial-" not in f):  # of a forest being made
                self.notice(f"{self._name(here / f)}: hidden folder, skipped")
            linked = [f for f in folders if f not in hidden and (here / f).is_symlink()]
            folders[:] = sorted(set(folders).difference(hidden, linked))
            for f in sorted(files):
                path, meant = here / f, not f.startswith(".") and self._is_meant(here / f)
                if meant and _is_pipe(path):
                    self.notice(f"{self._name(path)}: a pipe, socket or device, skipped")
                elif meant:
                    paths.append(path)
                else:
                    skipped[Path(f).suffix.lower() or f] += 1
            paths += [here / f for f in linked]
        self._tell(skipped)
        paths = [p for p in paths if not self._is_known_link(p)]
        return sorted(paths, key=lambda p: p.relative_to(self.folder).parts)

    def _note_unreadable(self, error: OSError) -> None:
        name = self._name(Path(error.filename))
        problem = ImportRefused(f"{name}: the folder cannot be read: {error.strerror}")
        self.unreadable.append(SourceFile(Path(error.filename), name, problem=problem))

    def _is_meant(self, path: Path) -> bool:
        format = SUFFIXES.get(path.suffix.lower())
        wanted = _SUFFIX_OF.get(self.format, self.format)
        return format is not None and wanted in ("auto", format)

    def _tell(self, skipped: Counter[str]) -> None:
        if skipped:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(skipped.items()))
            files = plural(skipped.total(), "file")
            self.notice(f"{self.name}: skipped {files} of other kinds: {kinds}")

    def _is_known_link(self, path: Path) -> bool:
        """Whether it is a link to something that is read at its own place, or to nothing."""
        if not path.is_symlink():
            return False
        target = _target(path)
        if target is None or not target.exists():
            self.notice(f"{self._name(path)}: a link that leads nowhere, skipped")
            return True
        if target.is_relative_to(self.folder.resolve()):
            self.notice(f"{self._name(path)}: a link to {target.name} in this folder, skipped")
            return True
        return False

    def _source(self, path: Path) -> SourceFile:
        name = self._name(path)
        if not path.is_symlink():
            return SourceFile(path, name, problem=_no_text(name))
        problem = ImportRefused(
            f"{name}: a path that escapes the vault: it is a link to {_target(path)}",
            hint="Name the file or folder it leads to, if that is to be imported too.",
        )
        return SourceFile(path, name, problem=problem)

    def _name(self, path: Path) -> str:
        return _name_of(Path(self.name) / path.relative_to(self.folder))


def _is_pipe(path: Path) -> bool:
    """Whether reading it might wait forever: a pipe, a socket, a device."""
    return path.exists() and not path.is_file()


def _target(path: Path) -> Path | None:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return None


def _note_of(path: Path) -> str:
    return tree_id_from(path.stem)


def is_note(source: SourceFile) -> bool:
    """Whether the name of the file is that of a note in Markdown."""
    return SUFFIXES.get(source.path.suffix.lower()) == "markdown"


def note_of(source: SourceFile) -> str:
    """What the ids of a note's trees begin with: the name of its file, as an id."""
    return source.note or _note_of(source.path)


def ids_of_note(source: SourceFile) -> list[str]:
    """What they may begin with, from whichever folder around it the note is read as of a vault."""
    return ["/".join(map(tree_id_from, parts)) for parts in _inside(source)]


def names_of_note(source: SourceFile) -> list[str]:
    """What links may call it there, the longest first."""
    return ["/".join(parts) for parts in _inside(source)][::-1]


def link_keys(source: SourceFile) -> frozenset[str]:
    """The keys of the anchors under which links find a note."""
    return frozenset(link.anchor for link in linked(source.names or [source.path.stem]))


def all_link_keys(file: str) -> frozenset[str]:
    """The keys of all anchors under which links may find a note, whatever else its vault holds."""
    note = SourceFile(Path(file), file)
    return link_keys(replace(note, names=tuple(names_of_note(note))))


def _inside(source: SourceFile) -> Iterator[tuple[str, ...]]:
    """The path of a file without suffix inside each folder around it, the nearest first."""
    name = unicodedata.normalize("NFC", source.path.absolute().with_suffix("").as_posix())
    parts = tuple(name.strip("/").split("/"))
    return (parts[-count:] for count in range(1, len(parts) + 1))


def detect(source: SourceFile) -> str:
    """The format of a file, by its suffix and, for JSON and JSONL, by how it begins.

    :raises ImportRefused: the suffix is unknown.
    """
    format = SUFFIXES.get(source.path.suffix.lower())
    if format is None:
        raise ImportRefused(f"{source.name}: the format cannot be told from the name", hint=_HINT)
    if format == "jsonl" and _is_proof(source.path):
        return "entailment-bank"
    if format == "json" and _is_node_link(source.path):
        return "node-link"
    return format


_NODE_LINK = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:directed|multigraph)"\s*:')


def _is_node_link(path: Path) -> bool:
    if _is_pipe(path):
        return False
    try:
        with path.open("rb") as file:
            return _NODE_LINK.match(file.read(1024)) is not None
    except OSError:
        return False


_PROOF = {"proof", "hypothesis", "facts"}
"""Keys of EntailmentBank; one may have been forgotten."""


def _is_proof(path: Path) -> bool:
    if _is_pipe(path):  # its first record would be gone
        return False
    try:
        with path.open("rb") as file:
            line = next(
                (line for line in iter(lambda: file.readline(_HEAD), b"") if line.strip()), b""
            )
        record = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except (OSError, orjson.JSONDecodeError):
        return False
    return isinstance(record, dict) and len(_PROOF & record.keys()) > 1
