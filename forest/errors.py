"""Every error that the forest raises on purpose.

ForestError                     the one root; catch this
├── InvalidInput                what the author gave cannot be kept as it stands
│   ├── InvalidTree             a tree breaks a rule of the model
│   └── ImportRefused           a file is refused as a whole, nothing of it was written
├── NotFound                    no tree, thought, anchor or axis of that id
├── Conflict                    the forest already holds something else under that id
│   └── IdTaken                 a thought's id is that of a thought in another tree
├── NotATree                    a structure in the graph that is no tree (typed by hand in Neo4j)
├── StoreError                  the store cannot be used as asked
│   ├── SchemaTooNew            the file was written by a newer version
│   └── StoreUnavailable        transient: busy, unreachable, out of space; trying again may help
├── NoCypher                    the store has no query language
├── ExportError                 a corpus cannot be written or is not a corpus
│   └── ClusterUnavailable      transient: no Ray cluster answers, or it has no room for the work
├── ServerError                 a local Neo4j server cannot be started or stopped
├── MissingExtra                an optional dependency is not installed
└── UsageError                  wrong settings: a URL, an option, a recipe

Beside them there are Python's own TypeError, for what is of the wrong type, and pydantic's
ValidationError (a ValueError), which `AnchorLink(...)` raises.

Each error is one message: what is wrong and where, then, as ``hint``, what to do.
"""

from __future__ import annotations


class ForestError(Exception):
    """Root of all errors of the forest.

    ``str(error)`` is the message, then the hint. ``error.hint`` is the hint alone, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """It comes whole out of another process, whatever it was made from."""
        return _again, (type(self), self.message, vars(self))

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


def _again(kind: type[ForestError], message: str, fields: dict[str, object]) -> ForestError:
    error = kind.__new__(kind, message)
    vars(error).update(fields)
    return error


class InvalidInput(ForestError):
    """What the author gave cannot be kept as it stands."""


class InvalidTree(InvalidInput):
    """A tree breaks a rule of the model."""

    named: tuple[str, str] | None = None
    """Id and title of the tree in the graph that it is about."""


class ImportRefused(InvalidInput):
    """A file is refused as a whole: nothing of it was written."""


class NotFound(ForestError):
    """No tree, thought, anchor or axis has that id."""


class Conflict(ForestError):
    """The forest already holds something else under that id."""


class IdTaken(Conflict):
    """A thought's id is that of a thought in another tree.

    :param thought: the id.
    :param trees: ids of the two trees.
    """

    def __init__(
        self, message: str, thought: str, trees: tuple[str, str], *, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.thought = thought
        self.trees = trees


class NotATree(ForestError):
    """A structure in the graph is no tree: two parents, a cycle, two roots, no root."""

    named: tuple[str, str] | None = None
    """Its id and title."""


class StoreError(ForestError):
    """The store cannot be used as asked."""


class SchemaTooNew(StoreError):
    """The store was written by a newer version of this library."""


class StoreUnavailable(StoreError):
    """The store is busy, unreachable or out of space. Transient: trying again may help."""


class NoCypher(ForestError):
    """The store has no query language."""


class ExportError(ForestError):
    """A corpus cannot be written, or a folder is not a corpus."""


class ClusterUnavailable(ExportError):
    """No Ray cluster answers, or it has no room for the work. Transient: trying again may help."""


class ServerError(ForestError):
    """A local Neo4j server cannot be installed, started or stopped."""


class MissingExtra(ForestError):
    """An optional dependency is not installed.

    :param extra: the extra of this package that brings it.
    """

    def __init__(self, message: str, extra: str) -> None:
        where = "Install it, in the folder of the project's clone"
        super().__init__(message, hint=f"{where}: pip install -e '.[{extra}]'")


class UsageError(ForestError):
    """A setting is wrong: a store URL, an option, a recipe."""
