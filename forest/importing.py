"""Import: files into the forest, again and again, without losing what was written in either.

A tree remembers the file it came from (``source``) and its revision at that moment
(``source_revision``). When the file is imported again there are three versions, and
`forest.merging` tells which of them is stored; where file and forest both changed, the import is
refused and says so, unless ``replace`` says that the file wins.

Graph files also hold axes and nodes beside the trees. These remember no file, so there are two
versions of them: what the forest does not have is added, and where the two differ, the import is
refused, unless ``replace``. They are stored after the trees, when all was found to be right.

If anything is wrong with the files, nothing of them is stored. With ``keep_going`` bad trees and
conflicts are reported and left out instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from forest import file_versions
from forest.addresses import address, is_in, whole_path
from forest.collector import fewer_collections
from forest.errors import (
    Conflict,
    ForestError,
    IdTaken,
    ImportRefused,
    InvalidTree,
    NotATree,
    UsageError,
)
from forest.fields import kind_of
from forest.file_versions import Whereabouts
from forest.formats import BadTree, SourceFile, find_files, read_file
from forest.formats.base import Item
from forest.formats.files import is_note, link_keys
from forest.identity import with_free_ids
from forest.known_notes import KnownNotes
from forest.merging import Merging, ReadFiles
from forest.model import Axis, Tree
from forest.namesakes import Namesakes
from forest.nodes import Key, Node
from forest.origins import IsGone, Origins
from forest.phrases import phrase_key
from forest.render import plural
from forest.shell import command_line
from forest.spelling import meant

if TYPE_CHECKING:
    from forest.forest import Forest

K = TypeVar("K")
T = TypeVar("T", Axis, Node)
AT_ONCE = 100
"""How many trees that left their files are told in one transaction."""
MOST_ERRORS = 20
"""How many errors one refusal names; the rest are counted."""


@dataclass
class ImportReport:
    """What an import did. Lists hold tree ids."""

    files: int = 0
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Trees edited in the forest since their import, whose file did not change: left alone."""
    skipped: list[str] = field(default_factory=list)
    """Messages about trees and files that were left out (with ``keep_going``)."""
    notices: list[str] = field(default_factory=list)
    thoughts: int = 0
    """Thoughts that were added or changed."""
    axes: int = 0
    """Axes that were added or described by the files."""
    nodes: int = 0
    """Nodes beside the trees (formulas, scenes, decisions) that were added or changed."""
    moved: dict[str, str] = field(default_factory=dict)
    """Notes that were other files when they were imported last, each with that one."""


@dataclass(frozen=True)
class Progress:
    """How far an import is: called after each tree and at each new file."""

    file: str
    files_done: int
    files: int
    thoughts: int


def import_files(
    forest: Forest,
    paths: str | Path | Iterable[str | Path | SourceFile],
    *,
    format: str = "auto",
    keep_going: bool = False,
    replace: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> ImportReport:
    """Import files and folders into a forest.

    :param paths: one, or several; what is named twice is read once.
    :param format: one of `forest.formats.FORMATS`, or "auto" to tell by name and content.
    :param keep_going: report bad trees, conflicts and paths that are no files to read in the
        result and leave them out.
    :param replace: where file and forest both changed, take the file's version.
    :raises ImportRefused: something is wrong with the input; nothing at all was written.
    :raises Conflict: so it was, where the forest has something else under an id: it was edited
        there too, or came from another file.
    :raises NotFound: a path does not exist.
    :raises TypeError: a path is none.
    """
    given = [paths] if isinstance(paths, str | Path) else _listed(paths)
    found = _Found()

    def run(taken: frozenset[str]) -> ImportReport:
        found.seen, found.taken = {}, taken
        return _Import(forest, format, keep_going, replace, progress, found).run(given)

    while True:
        try:
            return with_free_ids(forest.store, run)
        except IdTaken as error:
            tree, conflict = _taken_id(error, found.seen)
            if not keep_going or tree in found.left_out:
                raise conflict from None
            found.left_out[tree] = conflict


@dataclass
class _Found:
    """What one try of an import tells the next."""

    taken: frozenset[str] = frozenset()
    """Ids that no new thought may get."""
    left_out: dict[str, ForestError] = field(default_factory=dict)
    """Trees that cannot be stored, and why."""
    seen: dict[str, str] = field(default_factory=dict)
    """The file of each tree that was read."""


def _taken_id(error: IdTaken, seen: Mapping[str, str]) -> tuple[str, Conflict]:
    """Which tree of the import uses a thought's id that is another tree's, and what to say."""
    read = [tree for tree in error.trees if tree in seen] or list(error.trees)
    tree = next((t for t in read if not error.thought.startswith(f"{t}/")), read[0])
    other = next(t for t in error.trees if t != tree)
    whose = f"which {seen[other]} has" if other in seen else "which is in the forest"
    return tree, Conflict(
        f"{seen.get(tree, tree)}: the tree {tree!r} has a thought {error.thought!r}, but that is "
        f"the id of a thought of the tree {other!r}, {whose}",
        hint="Thought ids are unique in the forest: write another `id` in one of them, or leave it "
        "out. A thought that was moved to another tree keeps its id there.",
    )


def _listed(paths: Any) -> list[str | Path | SourceFile]:
    listed = list(paths) if isinstance(paths, Iterable) else [paths]
    for path in listed:
        if not isinstance(path, str | os.PathLike | SourceFile):
            raise TypeError(f"expected the path of a file or folder, got {kind_of(path)}")
    return listed


class _Import:
    def __init__(
        self,
        forest: Forest,
        format: str,
        keep_going: bool,
        replace: bool,
        progress: Callable[[Progress], None] | None,
        found: _Found,
    ) -> None:
        self.taken, self.left_out, self.seen = found.taken, found.left_out, found.seen
        self.forest = forest
        self.format = format
        self.keep_going = keep_going
        self.replace = replace
        self.progress = progress
        self.report = ImportReport()
        self.errors: list[ForestError] = []
        self.axes: dict[str, tuple[Axis, str]] = {}
        self.nodes: dict[Key, tuple[Node, str]] = {}
        """Axes and nodes of the files, each with the name of its file."""
        self.known_axes: dict[str, str] = {}
        """Names of the axes of the forest and of the files read so far, by id."""
        self.addresses: dict[str, str] = {}
        """What a file found under a path is called in the forest, by its name in messages."""
        self.namesakes: Namesakes
        self.files: ReadFiles
        """Both are made when it is known which files are read."""
        self.bad: set[str] = set()
        """Files of which something cannot be read."""

    def run(self, paths: Iterable[str | Path | SourceFile]) -> ImportReport:
        report = self.report
        paths = list(paths)
        store, folders = self.forest.store, self._folders(paths)
        is_gone = Whereabouts(store, folders).is_gone
        sources, homes = self._sources(paths, is_gone)
        report.files, report.moved = len(sources), dict(homes)
        files = {self._called(source) for source in sources}
        origins = Origins(store, files, is_gone, homes)
        self.namesakes = Namesakes(origins)
        self.files = ReadFiles(files, is_gone, homes, self.seen)
        merging = Merging(
            self.files, taken=self.taken, keep_going=self.keep_going, replace=self.replace
        )
        with fewer_collections():
            written = self.forest.store.write(self._trees(sources, origins), merging.merge)
            self._store_rest()
        report.added = written.added
        report.changed = [i for i in written.changed if i not in merging.settled]
        report.kept = sorted(merging.kept)
        left = merging.kept | merging.conflicts.keys()
        same = {*written.unchanged, *merging.settled} - left
        report.unchanged = [i for i in self.seen if i in same]
        report.skipped += merging.conflicts.values()
        report.thoughts = sum(merging.differing[i] for i in (*report.added, *report.changed))
        for id_ in report.changed:
            report.notices += merging.lost.get(id_, ())
        self._tell_orphans(folders, sources)
        return report

    def _called(self, source: SourceFile) -> str:
        return self.addresses.get(source.name, source.name)

    def _folders(self, paths: list[str | Path | SourceFile]) -> list[str]:
        """The folders among the paths, as the forest calls them."""
        folders = [path for path in paths if not isinstance(path, SourceFile) and path != ""]
        return [address(self.forest.store, p) for p in map(Path, folders) if p.is_dir()]

    def _tell_orphans(self, folders: list[str], sources: list[SourceFile]) -> None:
        """Name the trees that came from these files or folders and are not in them any more.

        In a file of which something was left out as bad, or a folder, a tree may still be. Each
        is named once, and remembers it (`forest.file_versions`).
        """
        files = {self._called(source) for source in sources}
        left: list[str] = []
        for id_, source, revision in self.forest.store.sources():
            came = source or ""
            inside = came in files or (
                any(is_in(came, folder) for folder in folders) and not self._is_there(came)
            )
            may_be = came in self.bad or any(is_in(came, bad) for bad in self.bad)
            if id_ in self.seen or not inside or may_be or file_versions.read(revision).left:
                continue
            left.append(id_)
            self.report.notices.append(
                f"{came}: the tree {id_!r} was imported from it and is not in it any "
                f"more; it stays in the forest (`{command_line('remove', id_)}` removes it)"
            )
        for at in range(0, len(left), AT_ONCE):
            self._mark_left(left[at : at + AT_ONCE])

    def _mark_left(self, ids: list[str]) -> None:
        """Let trees know that they left their files, but for what an author left as no tree."""
        try:
            self.forest.store.change(ids, _as_left)
        except (NotATree, InvalidTree):
            for id_ in ids if len(ids) > 1 else []:
                self._mark_left([id_])

    def _is_there(self, file: str) -> bool:
        """Whether a file of a folder that was looked through is there, in another format maybe."""
        try:
            return ((self.forest.store.folder or Path()) / file).exists()
        except OSError:  # in a folder that cannot be read
            return True

    def _sources(
        self, given: list[str | Path | SourceFile], is_gone: IsGone
    ) -> tuple[list[SourceFile], Mapping[str, str]]:
        """The files that are meant, as the forest knows them; and which were others, and which."""
        if "" in given:  # as of a variable that is not set; it would be the working folder
            raise UsageError(
                "the path of what is to be imported is empty",
                hint="Name files or folders; `.` is the working folder.",
            )
        named = [path for path in given if isinstance(path, SourceFile)]
        rest = [Path(path) for path in given if not isinstance(path, SourceFile)]
        for path in rest:
            try:
                found = list(find_files([path], self.format, self.report.notices.append))
            except ForestError as error:
                if not self.keep_going:
                    raise
                self._refuse(error)
            else:
                if not found:
                    self.report.notices.append(f"{path}: there is no file to import in it")
                self.addresses |= {
                    source.name: address(self.forest.store, source.path) for source in found
                }
                named += found
        once = list({whole_path(source.path): source for source in reversed(named)}.values())[::-1]
        called = {self._called(source): source for source in once}
        notes = KnownNotes(self.forest.store, called, self.format, is_gone, replace=self.replace)
        return notes.sources(), notes.homes

    # --- reading files -------------------------------------------------------------------------

    def _trees(self, sources: list[SourceFile], origins: Origins) -> Iterator[Tree]:
        """The good trees; after the first error nothing more is yielded, only checked.

        New files of data are read last: when all others were, it is known what is new in them.
        """
        thoughts = 0
        self.axes, self.nodes = {}, {}
        self.known_axes = {axis.id: axis.name for axis in self.forest.axes()}
        by_name = {self._called(source): source for source in sources}
        new = {s for s in sources if not is_note(s) and not origins.of(self._called(s))}
        for number, source in enumerate(sorted(sources, key=new.__contains__)):
            for tree in self._good(self._of_file(source), by_name):
                if not self.errors:
                    yield tree
                thoughts += len(tree)
                self._tell(source.name, number, len(sources), thoughts)
            self._tell(source.name, number + 1, len(sources), thoughts)
        for tree in self._good(self.namesakes.rest(), by_name):
            if not self.errors:
                yield tree
            thoughts += len(tree)
        self._check_rest()
        if self.errors:
            raise _all_of(self.errors, more_is_right=thoughts > 0)

    def _tell(self, name: str, done: int, files: int, thoughts: int) -> None:
        if self.progress:
            self.progress(Progress(name, done, files, thoughts))

    def _of_file(self, source: SourceFile) -> Iterator[Tree]:
        """The trees that are told when one file is read; some may be those of others."""
        called, told = self._called(source), len(self.report.notices)
        read = _Items()
        try:
            if is_note(source):
                self.files.names[called] = link_keys(source)
                self.files.bytes[called] = file_versions.of_bytes(source.path)
            items = read.seen(read_file(source, self.format, self.report.notices.append))
            for item in self.namesakes.told_apart(called, items, self.files.names.get(called, ())):
                if isinstance(item, BadTree):
                    self.bad.add(called)
                    self._refuse(item.error)
                elif isinstance(item, Axis):
                    self.known_axes.setdefault(item.id, item.name)
                    self._note(self.axes, item.id, item, source)
                elif isinstance(item, Node):
                    self._note(self.nodes, item.at, item, source)
                else:
                    yield item
            if not read.any and len(self.report.notices) == told:
                self.report.notices.append(f"{source.name}: there is no tree in it")
        except ImportRefused as error:
            self.bad.add(called)
            self._refuse(error)
        if read.lost:
            self.report.notices.append(
                f"{source.name}: {plural(read.lost, 'character')} lost in a conversion before this "
                "import: U+FFFD (\ufffd) stands instead; mend the text from its original"
            )

    def _good(self, trees: Iterable[Tree], files: Mapping[str, SourceFile]) -> Iterator[Tree]:
        """Those that are to be stored."""
        return (tree for tree in trees if self._takes(tree, files[tree.source or ""]))

    def _takes(self, tree: Tree, source: SourceFile) -> bool:
        """Whether a tree is to be stored: it is the first of its id, and was not left out."""
        if not self._is_new(tree, source):
            return False
        if tree.id in self.left_out:
            self._refuse(self.left_out[tree.id])
            return False
        self._tell_axes(tree, source)
        return True

    def _tell_axes(self, tree: Tree, source: SourceFile) -> None:
        """Name an axis that is new, and nearly called like another: it may be a slip."""
        for name in tree.axes:
            key = phrase_key(name)
            if near := meant(key, self.known_axes):
                self.report.notices.append(
                    f"{source.name}: the axis {name!r} of the tree {tree.id!r} is new; was "
                    f"{self.known_axes[near]!r} meant?"
                )
            self.known_axes.setdefault(key, name)

    def _is_new(self, tree: Tree, source: SourceFile) -> bool:
        other = self.seen.get(tree.id)
        if other is None:
            self.seen[tree.id] = source.name
            return True
        self._refuse(
            ImportRefused(
                f"{source.name}: the tree {tree.id!r} was already read from {other}",
                hint="Two trees need two ids: write `id` in one of them.",
            )
        )
        return False

    def _refuse(self, error: ForestError) -> None:
        if self.keep_going:
            self.report.skipped.append(str(error))
        else:
            self.errors.append(error)

    # --- axes and nodes beside the trees -------------------------------------------------------

    def _note(self, noted: dict[K, tuple[T, str]], key: K, item: T, source: SourceFile) -> None:
        other, file = noted.setdefault(key, (item, source.name))
        if other != item:
            self._refuse(_twice(item, source.name, f"was read from {file}"))

    def _check_rest(self) -> None:
        """Refuse what contradicts the forest; what is refused is stored by nobody."""
        if not self.axes and not self.nodes:
            return
        labels = sorted({label for label, _ in self.nodes})
        store = self.forest.store
        there: dict[object, Axis | Node] = {axis.id: axis for axis in store.axes()}
        there |= {node.at: node for label in labels for node in store.nodes(label)}
        self._leave_out(self.axes, there)
        self._leave_out(self.nodes, there)

    def _leave_out(
        self, noted: dict[K, tuple[T, str]], there: Mapping[object, Axis | Node]
    ) -> None:
        """Refuse those that differ from what is there."""
        for key, (item, file) in list(noted.items()):
            if not self.replace and _contradicts(there.get(key), item):
                del noted[key]
                self._refuse(_twice(item, file, "is in the forest"))

    def _store_rest(self) -> None:
        there = {axis.id: axis.description for axis in self.forest.axes()}
        axes = [axis for axis, _ in self.axes.values()]
        new = [
            axis
            for axis in axes
            if axis.id not in there or axis.description not in ("", there[axis.id])
        ]
        if new:
            self.forest.store.put_axes(new)
        self.report.axes = len(new)
        if not self.nodes:
            return

        def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
            changed = {at: n for at, (n, _) in self.nodes.items() if old.get(at) != n}
            self.report.nodes = len(changed)
            return dict(changed)

        self.forest.store.change_nodes(sorted({label for label, _ in self.nodes}), change)


def _as_left(old: Mapping[str, Tree | None]) -> dict[str, Tree | None]:
    """Trees that left their file, and know it."""
    marked: dict[str, Tree | None] = {}
    for id_, tree in old.items():
        if tree is not None:
            version = file_versions.read(tree.source_revision)._replace(left=True)
            marked[id_] = tree.model_copy(update={"source_revision": str(version)})
    return marked


def _contradicts(there: Axis | Node | None, item: Axis | Node) -> bool:
    if isinstance(there, Axis) and isinstance(item, Axis):
        return "" != item.description != there.description != ""
    return there is not None and there != item


def _twice(item: Axis | Node, file: str, other: str) -> Conflict:
    what = f"axis {item.id!r}" if isinstance(item, Axis) else f"{item.label} {item.key!r}"
    return Conflict(
        f"{file}: the {what} says something else than the one that {other}",
        hint="Make the two equal, or let the file win with --replace.",
    )


class _Items:
    """What is noticed of the items of a file while they are read."""

    def __init__(self) -> None:
        self.any = False
        self.lost = 0
        """How many characters are lost in its trees."""

    def seen(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items."""
        for item in items:
            self.any = True
            if isinstance(item, Tree):
                self.lost += _lost(item)
            yield item


def _lost(tree: Tree) -> int:
    """How many characters another program could not read and replaced, before the import."""
    written = "".join([t.text for t in tree.thoughts])
    phrases = [link.phrase for t in tree.thoughts if t.anchors for link in t.anchors]
    # Looking for one is faster than counting none.
    return next(
        (text.count("\ufffd") for text in (written, tree.title, *phrases) if "\ufffd" in text), 0
    )


def _all_of(errors: list[ForestError], *, more_is_right: bool) -> ImportRefused:
    rest = "With --keep-going this is left out, and all else is imported." if more_is_right else ""
    if len(errors) == 1:
        hints = filter(None, (errors[0].hint, rest))
        return ImportRefused(errors[0].message, hint="\n".join(hints) or None)
    lines, told = [], set[str]()
    for error in errors[:MOST_ERRORS]:
        lines.append(error.message)
        if error.hint and error.hint not in told:
            told.add(error.hint)
            lines.append(f"  {error.hint}")
    if (more := len(errors) - MOST_ERRORS) > 0:
        lines.append(f"… and {more} more")
    return ImportRefused("\n".join(lines), hint=rest or None)
