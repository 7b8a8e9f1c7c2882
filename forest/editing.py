"""Edit a tree as YAML in an editor; what was typed is never lost."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from forest.errors import Conflict, ForestError, InvalidInput, UsageError
from forest.formats import SourceFile, read_tree_text, tree_to_yaml
from forest.model import Tree

if TYPE_CHECKING:
    from forest.forest import Forest

_UNCHANGED = "nothing changed"
_NOT_UTF8 = InvalidInput("the edited text is not UTF-8", hint="Save it as UTF-8.")
HEADER = """\
The parent of a node is the last node before it with a smaller level.
A node keeps its id when you change its text; leave `id` out of a new one.
Save and close to store the tree; close without a change to leave it as it is.
"""


def edit_tree(forest: Forest, tree_id: str, *, ask: Callable[[ForestError], bool]) -> str:
    """Let the author edit a tree; returns what came of it, as a sentence.

    ``ask(error)`` is called when the edited text cannot be stored: True opens the editor again.

    :raises InvalidInput: the text is invalid and ``ask`` said no; it names the file that keeps it.
    :raises Conflict: somebody else changed the tree meanwhile; the text is kept likewise.
    :raises UsageError: there is no editor.
    """
    tree = forest.get(tree_id)
    before = tree.revision
    text = tree_to_yaml(tree, header=HEADER)
    path = _draft(tree_id, text)
    outcome = None
    while outcome is None:
        _run_editor(path)
        try:
            unchanged = path.read_text(encoding="utf-8") == text
            outcome = _UNCHANGED if unchanged else _store(forest, tree_id, before, path)
        except OSError as error:
            raise InvalidInput(
                f"the edited text cannot be read: {error.strerror}", hint="Nothing was stored."
            ) from None
        except (ForestError, UnicodeDecodeError) as error:
            wrong = error if isinstance(error, ForestError) else _NOT_UTF8
            if not ask(wrong):
                raise _kept(wrong, path) from error
    shutil.rmtree(path.parent, ignore_errors=True)
    return f"{tree_id}: {outcome}"


def _draft(tree_id: str, text: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="forest-edit-"))
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in tree_id)[:60]
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _run_editor(path: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or shutil.which("nano") or "vi"
    try:
        done = subprocess.run([*shlex.split(command), str(path)], check=False)
    except (OSError, ValueError) as error:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise UsageError(
            f"the editor {command!r} cannot be run: {error}", hint="Set EDITOR to your editor."
        ) from None
    if done.returncode:
        raise _kept(
            InvalidInput(f"the editor {command!r} ended with exit code {done.returncode}"), path
        )


def _store(forest: Forest, tree_id: str, before: str, path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    edited = read_tree_text(text, SourceFile(path, path.name))
    if edited.id != tree_id:
        raise InvalidInput(
            f"the id was changed from {tree_id!r} to {edited.id!r}",
            hint="A tree keeps its id; to have a second tree, import the text as a file.",
        )
    with forest.editing(tree_id) as tree:
        if tree.revision != before:
            raise Conflict(f"tree {tree_id!r} was changed by somebody else meanwhile")
        _take(tree, edited)
    now = forest.get(tree_id)
    if now.revision == before:
        return _UNCHANGED
    return f"stored, {len(now)} thoughts, revision {now.revision[:12]}"


def _take(tree: Tree, edited: Tree) -> None:
    tree.title, tree.lang, tree.axes = edited.title, edited.lang, edited.axes
    tree.meta, tree.thoughts = edited.meta, edited.thoughts


def _kept(error: ForestError, path: Path) -> ForestError:
    """The same error, saying where the author's text is."""
    hint = f"Nothing was stored. Your text is kept in {path}"
    return type(error)(error.message, hint=f"{error.hint}\n{hint}" if error.hint else hint)
