"""What a tree's file said when it was imported, in `Tree.source_revision`.

That is the revision that the tree had then: it tells whether the forest changed it since. Its ids
may come from the forest, though, which kept those of thoughts that were edited, and a note's root
carries the names under which links find it, which other notes have a say in. So where that makes
a difference, the revision of what the file alone says stands behind it, after a slash: that tells
whether the file changed. Behind that stands, for a note, a hash of the file's bytes: where it is
the same, nobody need read the note to know that it is the same. Trees that stand in a note as
blocks of data have none: their ids tell which they are, and not where the note lies. Last stands
whether the tree has left its file: it stays in the forest, and is what comes back where some file
says it again, but what its file says now is another tree; and whether a note said its id.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from forest.addresses import is_in
from forest.identity import finished
from forest.marks import with_anchors
from forest.model import Tree, trusted_thought

if TYPE_CHECKING:
    from forest.stores.base import Store


class FileVersion(NamedTuple):
    """What `Tree.source_revision` keeps."""

    tree: str
    """The revision of the tree."""
    file: str
    """The revision of what its file alone said of it."""
    bytes: str = ""
    """A hash of the file, if it was a note."""
    left: bool = False
    """Whether an import found that the tree is not in its file any more, or the file gone."""
    says_id: bool = False
    """Whether a note said the tree's id."""

    def __str__(self) -> str:
        file = "" if self.file == self.tree else self.file
        flags = "+".join(name for name, is_so in zip(_FLAGS, self[3:], strict=True) if is_so)
        return "/".join([self.tree, file, self.bytes, flags]).rstrip("/")


_FLAGS = ("left", "id")


def read(source_revision: str | None) -> FileVersion:
    """What `Tree.source_revision` keeps."""
    tree, file, bytes_, flags, *_ = [*(source_revision or "").split("/"), "", "", ""]
    return FileVersion(tree, file or tree, bytes_, *(name in flags.split("+") for name in _FLAGS))


def of_file(tree: Tree, names: Collection[str] = ()) -> str:
    """The revision of what a file says of a tree, whatever the forest has, and other files.

    The tree's id is no part of it: that of a note tells where the note lies. Nor is a title that
    is only the name of the file.

    :param names: keys of the anchors under which links find the file.
    """
    root, title = tree.root, tree.title
    if tree.in_file.named_by_file:
        title = ""
        root = trusted_thought("", root.level, root.id, root.kind, root.lang, root.anchors)
    if names:
        kept = [a for a in root.anchors if a.kind != "link" or a.anchor not in names]
        root = with_anchors(root, tuple(kept))
    thoughts = [root, *tree.thoughts[1:]]
    return finished(
        tree.model_copy(update={"id": "", "title": title, "thoughts": thoughts})
    ).revision


def of_bytes(path: Path) -> str:
    """A hash of a file; empty where it cannot be read, which is told when it is to be imported.

    Nor is a pipe read: its bytes would be gone.
    """
    try:
        return blake2b(path.read_bytes(), digest_size=8).hexdigest() if path.is_file() else ""
    except OSError:
        return ""


def says(tree: Tree, source_revision: str | None, names: Collection[str] = ()) -> bool:
    """Whether the tree of a file says what `Tree.source_revision` tells of.

    :param names: keys of the anchors under which links find the file.
    """
    then = read(source_revision)
    return of_file(tree, names) == then.file or finished(tree.model_copy()).revision == then.tree


class Whereabouts:
    """Which files that trees came from are surely not there any more.

    Beside its file, a forest's files are on this machine. Those of a server may be on another one;
    there the folders that are imported are all that is known.

    :param folders: as `forest.addresses.address` calls them.
    """

    def __init__(self, store: Store, folders: Collection[str]) -> None:
        self._home = store.folder
        self._folders = folders
        self.is_gone = cache(self._is_gone)

    def _is_gone(self, source: str | None) -> bool:
        if source is None:
            return False
        if self._home is None and not any(is_in(source, folder) for folder in self._folders):
            return False
        try:
            return not ((self._home or Path()) / source).exists()
        except OSError:  # in a folder that cannot be read
            return False
