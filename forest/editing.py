"""Edit a tree as YAML in an editor; what was typed is never lost."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from forest.errors import Conflict, ForestError, InvalidInput, NotFound, UsageError
from forest.formats import SourceFile, read_tree_text, tree_to_yaml
from forest.identity import finished
from forest.marks import is_mark
from forest.model import Tree
from forest.render import plural
from forest.shell import command_line

if TYPE_CHECKING:
    from forest.forest import Forest

_UNCHANGED = "nothing changed"
_PREFIX = "forest-edit-"
HEADER = """\
The parent of a node is the last node before it with a smaller level.
A node keeps its id when you change its text; leave `id` out of a new one.
Save and close to store the tree; close without a change to leave it as it is.
"""


def edit_tree(forest: Forest, tree_id: str, *, ask: Callable[[ForestError], bool]) -> str:
    """Let the author edit a tree; returns what came of it, as a sentence.

    ``ask(error)`` is called when the edited text cannot be stored: True opens the editor again.

    An edit that changes nothing stores nothing. Where the text cannot be stored, the error names
    the file that keeps it; a text that nobody changed is not kept.

    :raises NotFound: there is no such tree.
    :raises InvalidInput: the text is invalid and ``ask`` said no; or the editor failed.
    :raises Conflict: somebody else changed the tree meanwhile.
    :raises UsageError: there is no editor.
    """
    tree = forest.get(tree_id)
    text = tree_to_yaml(tree, header=HEADER)
    path = _draft(forest, tree_id, text)
    try:
        outcome = _edited(forest, tree, text, path, ask)
    except ForestError as error:
        if _holds_work(path, text):
            raise _kept(error, tree_id, path) from error
        _discard(path)
        raise
    except KeyboardInterrupt:
        if _holds_work(path, text):
            raise _kept(InvalidInput("the edit was interrupted"), tree_id, path) from None
        _discard(path)
        raise
    _discard(path)
    return f"{tree_id}: {outcome}"


def _edited(
    forest: Forest, tree: Tree, text: str, path: Path, ask: Callable[[ForestError], bool]
) -> str:
    while True:
        _run_editor(path)
        try:
            return _store(forest, tree, text, path)
        except ForestError as error:
            if not ask(error):
                raise


def _holds_work(path: Path, text: str) -> bool:
    """Whether the draft is worth keeping: the author typed something."""
    try:
        return path.read_bytes() != text.encode()
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _discard(path: Path) -> None:
    shutil.rmtree(path.parent, ignore_errors=True)


def drafts(forest: Forest, tree_id: str) -> list[Path]:
    """The texts that earlier edits of a tree left, those of edits that go on now included."""
    folders = f"{_PREFIX}{_mark(forest)}-*"
    found = Path(tempfile.gettempdir()).glob(f"{folders}/{_file_name(tree_id)}")
    with suppress(OSError):
        return sorted(path for path in found if path.stat().st_uid == os.geteuid())
    return []


def _draft(forest: Forest, tree_id: str, text: str) -> Path:
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{_mark(forest)}-")
    path = Path(folder) / _file_name(tree_id)
    path.write_text(text, encoding="utf-8")
    return path


def _mark(forest: Forest) -> str:
    """Tells the drafts of one forest from those of others."""
    where = (str(forest.store.folder or ""), forest.url.rpartition("/")[2])
    return hashlib.sha256("\n".join(where).encode()).hexdigest()[:8]


def _file_name(tree_id: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in tree_id)[:60] + ".yaml"


def _run_editor(path: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or shutil.which("nano") or "vi"
    try:
        done = subprocess.run([*shlex.split(command), str(path)], check=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the editor {command!r} cannot be run: {error}", hint="Set EDITOR to your editor."
        ) from None
    if done.returncode:
        raise InvalidInput(f"the editor {command!r} ended with exit code {done.returncode}")


def _store(forest: Forest, tree: Tree, text: str, path: Path) -> str:
    typed = _typed(path)
    if typed == text:
        return _UNCHANGED
    edited = read_tree_text(typed, SourceFile(path, path.name))
    if edited.id != tree.id:
        raise InvalidInput(
            f"the id was changed from {tree.id!r} to {edited.id!r}",
            hint="A tree keeps its id; to have a second tree, import the text as a file.",
        )
    if finished(edited.model_copy(), tree).revision == tree.revision:
        return _UNCHANGED
    with forest.editing(tree.id) as now:
        if now.revision != tree.revision:
            raise Conflict(f"tree {tree.id!r} was changed by somebody else meanwhile")
        _take(now, edited)
    stored = forest.get(tree.id)
    return f"stored, {plural(len(stored), 'thought')}, revision {stored.revision[:12]}" + _lost(
        tree, stored
    )


def _lost(before: Tree, after: Tree) -> str:
    """Which marks went with their phrase."""
    there = {t.id: {link.anchor for link in t.anchors} for t in after.thoughts}
    lost = [
        f"«{link.phrase}» at {t.id}"
        for t in before.thoughts
        for link in filter(is_mark, t.anchors)
        if t.id in there and link.anchor not in there[t.id]
    ]
    return f"; discovered marks that are gone: {', '.join(lost)}" if lost else ""


def _typed(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("the edited text is not UTF-8", hint="Save it as UTF-8.") from None
    except OSError as error:
        raise InvalidInput(f"the edited text cannot be read: {error.strerror}") from None


def _take(tree: Tree, edited: Tree) -> None:
    tree.title, tree.lang, tree.axes = edited.title, edited.lang, edited.axes
    tree.meta, tree.thoughts = edited.meta, edited.thoughts


def _kept(error: ForestError, tree_id: str, path: Path) -> ForestError:
    """The same error, saying where the author's text is and how to go on."""
    again = command_line("edit", tree_id)
    on = f"To go on, run `{again}` again and paste your text, kept in {path}"
    if isinstance(error, NotFound):  # it was removed meanwhile
        on = f"To have the tree again as you left it, run `{command_line('import', path)}`"
    hint = f"Nothing was stored. {on}"
    return type(error)(error.message, hint=f"{error.hint}\n{hint}" if error.hint else hint)
