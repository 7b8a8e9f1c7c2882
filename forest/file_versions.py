"""What a tree's file said when it was imported, in `Tree.source_revision`.

That is the revision that the tree had then: it tells whether the forest changed it since. Its ids
may come from the forest, though, which kept those of thoughts that were edited, and a note's root
carries the names under which links find it, which other notes have a say in. So where that makes
a difference, the revision of what the file alone says stands behind it, after a slash: that tells
whether the file changed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from forest.identity import finished
from forest.marks import with_anchors
from forest.model import Tree, trusted_thought

if TYPE_CHECKING:
    from forest.stores.base import Store


def of_file(tree: Tree, names: Collection[str] = ()) -> str:
    """The revision of what a file says of a tree, whatever the forest has, and other files.

    The tree's id is no part of it: that of a note tells where the note lies. Nor is a title that
    is only the name of the file.

    :param names: keys of the anchors under which links find the file.
    """
    root, title = tree.root, tree.title
    if tree.named_by_file:
        title = ""
        root = trusted_thought("", root.level, root.id, root.kind, root.lang, root.anchors)
    if names:
        kept = [a for a in root.anchors if a.kind != "link" or a.anchor not in names]
        root = with_anchors(root, tuple(kept))
    thoughts = [root, *tree.thoughts[1:]]
    return finished(
        tree.model_copy(update={"id": "", "title": title, "thoughts": thoughts})
    ).revision


def noted(revision: str, file: str) -> str:
    """Both, as `Tree.source_revision` keeps them."""
    return revision if revision == file else f"{revision}/{file}"


def read(source_revision: str | None) -> tuple[str, str]:
    """(revision of the tree, of what its file alone said) from `Tree.source_revision`."""
    revision, _, file = (source_revision or "").partition("/")
    return revision, file or revision


def says(tree: Tree, source_revision: str | None, names: Collection[str] = ()) -> bool:
    """Whether the tree of a file says what `Tree.source_revision` tells of.

    :param names: keys of the anchors under which links find the file.
    """
    revision, file = read(source_revision)
    return of_file(tree, names) == file or finished(tree.model_copy()).revision == revision


def is_gone(store: Store, source: str | None) -> bool:
    """Whether a tree's file is surely not there any more; it may be on another machine."""
    home = store.folder
    return home is not None and source is not None and not (home / source).exists()
