"""Which version of a tree an import stores: the file's, the forest's, or none.

There are three: what the file says, what the forest has, and what both came from, which
`Tree.source_revision` tells (`forest.file_versions`). If only the file changed, the forest takes it
over; if only the forest changed, the forest's stays; if both did, that is a conflict. To bind a
tree to axes, or to say which anchor a word of it means, is no change of what it says: both stay
beside what the file says now, unless it changed its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from forest import file_versions
from forest.errors import Conflict
from forest.file_versions import FileVersion
from forest.formats.files import all_link_keys
from forest.identity import finished, guessed_language
from forest.likeness import ALIKE, likeness, uid_of, words
from forest.marks import authored, keep_marks, with_anchors
from forest.model import AnchorLink, Tree, anchor_id
from forest.shell import command_line
from forest.titled import is_called


@dataclass
class ReadFiles:
    """What an import knows of its files, as the forest calls them."""

    files: Collection[str]
    is_gone: Callable[[str | None], bool]
    """Whether another file is surely not there any more."""
    homes: Mapping[str, str]
    """Notes that were other files when they were imported, each with that file."""
    of: Mapping[str, str]
    """The file of each tree, as it is called in messages; grows while files are read."""
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    """Under which anchors links find a note, of those that were read."""
    bytes: dict[str, str] = field(default_factory=dict)
    """Hashes of the notes that were read."""

    def is_data(self, tree: Tree, file: str | None) -> bool:
        """Whether a tree of a file is data: it is from no note, or a block in one."""
        return tree.in_file.in_block or file not in self.bytes


class Merging:
    """Decides for one tree after the other, and remembers how.

    :param taken: ids that no new thought may get.
    :param keep_going: remember conflicts instead of raising them.
    :param replace: take the file's version where both changed.
    """

    def __init__(
        self, files: ReadFiles, *, taken: frozenset[str], keep_going: bool, replace: bool
    ) -> None:
        self._files = files
        self._taken = taken
        self._keep_going = keep_going
        self._replace = replace
        self.conflicts: dict[str, str] = {}
        """What to say of the trees that were left out."""
        self.kept: set[str] = set()
        """Trees edited in the forest, whose file did not change."""
        self._moved: set[str] = set()
        """Those of them that are notes which were moved, and edited there and in the forest."""
        self.settled: set[str] = set()
        """Trees that file and forest came to say alike: that is what both come from now."""
        self.differing: dict[str, int] = {}
        """By tree, how many of its thoughts are new, or other than they were."""
        self.lost: dict[str, list[str]] = {}
        """By tree, notices about what the forest decided that its new version has not."""

    def merge(self, old: Tree | None, new: Tree) -> Tree | None:
        """What to store for a tree of a file; may be called twice for one tree."""
        from forest.forest import stamped

        tree = new.model_copy()
        tree.avoid(self._taken)
        if old is not None and tree.lang in ("", "und"):  # what its file said before is no matter
            tree.keep_lang(guessed_language(tree))
        names = self._files.names.get(new.source or "", ())
        is_named = new.in_file.says_id or is_called(new)  # else what it says tells which it is
        by_itself = old is None and not names and not self._taken and is_named
        tree = finished(tree, old, own=by_itself)
        revision = tree.revision
        if old is not None and (kept := self._compare(old, tree, new, revision)) is not None:
            return self._keep(old, tree) if kept else self._settle(old, tree, new, revision)
        tree.source_revision = revision if by_itself else self._noted(new, revision)
        kept = False
        if old is not None:
            decided = _is_only_decided(old, tree)
            kept, lost = keep_marks(old, tree)
            file = self._files.of[tree.id]
            self.lost[tree.id] = [_lost_mark(file, tree.id, id_, link) for id_, link in lost]
            if decided:
                tree, kept = _as_in(old, tree), True
            elif old.axes != tree.axes and not _says_its_file(old):
                self.lost[tree.id].append(_lost_axes(file, old))
        self.differing[tree.id] = _differing(old, tree)
        if not kept:
            tree._sealed = revision  # the store need not hash it again
        return stamped(tree, old)

    def _noted(self, new: Tree, revision: str) -> str:
        """What `Tree.source_revision` is to say of a tree of a file."""
        file = new.source or ""
        said = file_versions.of_file(new, self._files.names.get(file, ()))
        if self._files.is_data(new, file):
            return str(FileVersion(revision, said))
        says_id = new.in_file.says_id
        return str(FileVersion(revision, said, self._files.bytes[file], says_id=says_id))

    def _keep(self, old: Tree, tree: Tree) -> Tree | None:
        """The forest's own version, which remembers where its file is now. None if it does."""
        self.kept.add(tree.id)
        then = file_versions.read(old.source_revision)
        is_there = old.source == tree.source
        if not then.left and not is_there and self._may_hold(old.source):
            return None
        renamed = self._renamed(old, tree)
        if is_there and not then.left and renamed is old:
            return None
        self.settled.add(tree.id)
        noted = str(then._replace(left=False))
        return renamed.model_copy(update={"source": tree.source, "source_revision": noted})

    def _renamed(self, old: Tree, tree: Tree) -> Tree:
        """A tree that was edited, found by links as its note is called now.

        So it is where it still has a name that the note had: an author may have taken them away.
        """
        now = self._files.names.get(tree.source or "", frozenset())
        names = [a for a in tree.root.anchors if a.kind == "link" and a.anchor in now]
        before = all_link_keys(old.source or "") | now
        had = [a for a in old.root.anchors if a.kind == "link" and a.anchor in before]
        if not had or {a.anchor for a in had} == {a.anchor for a in names}:
            return old
        anchors = [a for a in old.root.anchors if a not in had]
        at = old.root.anchors.index(had[0])
        anchors[at:at] = names
        thoughts = [with_anchors(old.root, tuple(anchors)), *old.thoughts[1:]]
        return old.model_copy(update={"thoughts": thoughts})

    def _settle(self, old: Tree, tree: Tree, new: Tree, revision: str) -> Tree | None:
        """The forest's tree with what file and forest both say now as the version they come from.

        None where it is that already, where the tree came from another file that is still there, or
        where it is left out; a note that was moved remembers where it is all the same.
        """
        self.settled.discard(tree.id)
        moved = old.source not in (None, tree.source)
        then = file_versions.read(old.source_revision)
        is_known = self._may_hold(old.source) if moved else then.tree == revision
        if tree.id in self._moved and not then.left:  # else another note may take its old place
            self.settled.add(tree.id)
            return old.model_copy(update={"source": tree.source})
        if (is_known and not then.left) or tree.id in self.conflicts:
            return None
        self.settled.add(tree.id)
        noted = self._noted(new, revision)
        return old.model_copy(update={"source": tree.source, "source_revision": noted})

    def _is_its_file(self, new: Tree, old: Tree) -> bool:
        """Whether the forest's tree came from this file, be it from another place."""
        then = file_versions.read(old.source_revision)
        is_read = not then.left and old.source in self._files.files
        if not then.left:  # else it is any other's, of which nothing is known but what it says
            if old.source in (new.source, self._files.homes.get(new.source or "")):
                return True
            by_title = is_called(new) and not new.in_file.says_id
            by_title = by_title and self._files.is_data(new, new.source)
            if is_read and not (self._keep_going or by_title or new.in_file.namesakes):
                return True  # and holds it no more: else it would be refused
            if self._may_hold(old.source):
                return False
        elif self._files.homes.get(new.source or "") == old.source:
            return True  # it came back, and was known by what it says
        by_name = then.bytes and not then.says_id
        if new.in_file.says_id and not by_name and not (is_read and self._keep_going):
            return True  # a title may be that of several trees
        if uid_of(new) and uid_of(new) == uid_of(old):
            return True
        return self._says_the_same(new, old) or likeness(words(new), words(old)) > ALIKE

    def _says_the_same(self, new: Tree, old: Tree) -> bool:
        """Whether a file says what it said when the forest took it over."""
        names = self._files.names.get(new.source or "", ())
        return file_versions.says(new, old.source_revision, names)

    def _may_hold(self, source: str | None) -> bool:
        """Whether another file may still hold a tree that was read: on another machine, say.

        A file that is read, too, does not: it would be refused, for the tree stands there twice.
        With `replace` the file that is read has it.
        """
        if self._replace:
            return False
        return source not in self._files.files and not self._files.is_gone(source)

    def _compare(self, old: Tree, tree: Tree, new: Tree, revision: str) -> bool | None:
        """None: take the file's version. Else leave the forest's; True if it has own changes."""
        by_author = authored(old)
        ours = by_author.revision
        if ours == revision or (by_author is not old and old.revision == revision):
            return False
        then = file_versions.read(old.source_revision).tree
        if ours != then and revision == then:
            return True
        is_another = not self._is_its_file(new, old)
        decided = not is_another and _is_only_decided(old, tree)
        if ours != then and not decided and self._says_the_same(new, old):
            return True
        if self._replace or decided or (ours == then and not is_another):
            return None
        error = _conflict(old, tree, is_another=is_another, changed_here=ours != then)
        way = self._way_on(old, new, is_another=is_another)
        error.hint = " ".join(filter(None, (way, error.hint)))
        if not is_another and self._home(old, new) != new.source:
            self._moved.add(tree.id)
        if not self._keep_going:
            raise error
        self.conflicts[tree.id] = str(error)
        return False

    def _home(self, old: Tree, new: Tree) -> str | None:
        """The file that a tree's file was when it was imported."""
        return self._files.homes.get(new.source or "", old.source)

    def _way_on(self, old: Tree, new: Tree, *, is_another: bool) -> str:
        """What an author may do of a conflict, beside what is told of all."""
        if not is_another:
            home = self._home(old, new)
            return f"It is taken for {home}, of which it says most." if home != new.source else ""
        if new.in_file.says_id and old.source in self._files.files:
            return f"Was it moved? Then import {old.source} first."
        if old.source in (None, new.source) or self._files.is_data(new, new.source):
            return ""
        return f"Imported with {old.source} it gets a number behind its id."


def _is_only_decided(old: Tree, tree: Tree) -> bool:
    """Whether all that the forest changed are axes and what its words mean.

    And the file says of them what it said: with it the forest's tree is what came from the file.
    """
    then = file_versions.read(old.source_revision).tree
    return not _says_its_file(old) and _as_in(tree, authored(old), plain=True).revision == then


def _says_its_file(old: Tree) -> bool:
    """Whether the forest's tree is as it came from its file, but for marks."""
    return authored(old).revision == file_versions.read(old.source_revision).tree


def _as_in(one: Tree, other: Tree, *, plain: bool = False) -> Tree:
    """The other tree with the axes of one, its words meaning the anchors that they mean in one.

    :param plain: words in thoughts that one has not mean themselves, and not what they did.
    """
    means = {(t.id, a.phrase, a.kind): a.anchor for t in one.thoughts for a in t.anchors}

    def meaning(thought: str, link: AnchorLink) -> AnchorLink:
        itself = plain and link.kind == "phrase"
        own = anchor_id(link.phrase, link.kind) if itself else link.anchor
        anchor = means.get((thought, link.phrase, link.kind), own)
        return link if link.anchor == anchor else replace(link, anchor=anchor)

    thoughts = list(other.thoughts)
    for i, t in enumerate(thoughts):
        anchors = tuple(meaning(t.id, link) for link in t.anchors)
        if anchors != t.anchors:
            thoughts[i] = with_anchors(t, anchors)
    copy = other.model_copy(update={"axes": dict(one.axes), "thoughts": thoughts})
    copy._sealed = None
    return copy


def _differing(old: Tree | None, new: Tree) -> int:
    """How many thoughts of a tree are new, or other than they were."""
    if old is None:
        return len(new)
    before = {t.id: t for t in old.thoughts}
    return sum(before.get(t.id) != t for t in new.thoughts)


def _lost_mark(file: str, tree: str, thought: str, link: AnchorLink) -> str:
    return (
        f"{file}: thought {thought!r} of the tree {tree!r} loses the discovered anchor "
        f"{link.phrase!r}: the phrase stands there no more"
    )


def _lost_axes(file: str, old: Tree) -> str:
    weights = ", ".join(f"{name} {weight:.0%}" for name, weight in old.axes.items())
    was = weights or "to no axis"
    return f"{file}: the tree {old.id!r} is no more bound as it was in the forest: {was}"


def _conflict(old: Tree, new: Tree, *, is_another: bool, changed_here: bool) -> Conflict:
    if old.source_revision is None:
        why = "which was not imported from a file"
    elif is_another:
        left = file_versions.read(old.source_revision).left
        why = f"which was imported from {old.source}" + ", and stayed when that lost it" * left
    elif changed_here:
        why = "which was edited there, while the file was changed too"
    else:
        why = "which differs"
    return Conflict(
        f"{new.source}: the forest already has a tree {new.id!r}, {why}",
        hint="Give the tree another id, leave it out with --keep-going, or let the file win with "
        f"--replace (`{command_line('show', old.id)}` shows the forest's version).",
    )
