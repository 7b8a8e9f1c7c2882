"""What all formats share: the file they read, a tree that failed, an error at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from json import JSONDecodeError
from pathlib import Path

from forest.errors import ForestError, ImportRefused
from forest.fields import MAX_ID
from forest.model import AnchorKind, AnchorLink, Axis, Tree
from forest.nodes import Node
from forest.phrases import phrase_key

Notice = Callable[[str], None]
"""Is told, in one line, what an author should know although it is no error."""

Place = Sequence[str | int]
"""Where a value stands in a document: keys and places, from the outside in."""


def silent(_: str) -> None:
    """The notice of a caller who does not want to know."""


@dataclass(frozen=True)
class SourceFile:
    """A file to read trees from."""

    path: Path
    name: str
    """As given on the command line, with forward slashes: becomes `Tree.source`."""
    note: str = ""
    """What the ids of its trees begin with, where it is a note; from the file's name if empty."""
    names: tuple[str, ...] = ()
    """What links call it, where it is a note; the file's name without suffix if empty."""
    ids: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Trees that have another id than by its name, where it is a note."""
    problem: ForestError | None = None
    """Why it must not be read; `read_file` raises it."""


@dataclass(frozen=True)
class BadTree:
    """A tree that cannot be read, in a file whose other trees can."""

    error: ImportRefused


Item = Tree | BadTree | Axis | Node
"""What a file holds: trees, and in a graph file axes and the nodes beside the trees."""


class Problem(ValueError):
    """What is wrong with a tree, and where in its document.

    Formats turn it into an `ImportRefused` with the line.
    """

    def __init__(self, path: Place, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.path = tuple(path)
        self.message = message
        self.hint = hint

    def at(self, source: SourceFile, line: int) -> ImportRefused:
        """The error to show: ``FILE:LINE: message``."""
        return refused(source, line, self.message, hint=self.hint)


def refused(
    source: SourceFile, line: int | None, message: str, *, hint: str | None = None
) -> ImportRefused:
    """The error ``FILE:LINE: message``, or ``FILE: message`` where no line is to blame."""
    where = source.name if line is None else f"{source.name}:{line}"
    return ImportRefused(f"{where}: {message}", hint=hint)


_HALF = "half of a character: \\ud800 to \\udfff count in pairs only, such as \\ud83d\\ude00"
_IN_PLAIN_WORDS = {
    "no low surrogate in string": _HALF,
    "invalid high surrogate in string": _HALF,
    "invalid low surrogate in string": _HALF,
    "number is infinity when parsed as double": "a number beyond 1e308",
}


def no_json(error: JSONDecodeError, *, column: bool = True) -> str:
    """Why a text is no JSON, in words for an author."""
    where = f" (column {error.colno})" if column else ""
    return f"no valid JSON: {_IN_PLAIN_WORDS.get(error.msg, error.msg)}{where}"


_NO_NAME = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def linked(phrases: Iterable[str], kind: AnchorKind = "link") -> list[AnchorLink]:
    """Links to the anchors of phrases, without those that can be none: empty, or far too long."""
    plain = (" ".join(_NO_NAME.sub(" ", phrase).split()) for phrase in phrases)
    return [
        AnchorLink(phrase=phrase, kind=kind)
        for phrase in plain
        if phrase_key(phrase) and len(phrase) <= MAX_ID
    ]


def shown(value: object, most: int = 60) -> str:
    """A value as it looks in a message."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def shortened(text: str, most: int = 80) -> str:
    """The text, cut after a word and ended with "…" where it is longer than ``most``."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    head = text[: most - 1]
    cut = head.rsplit(" ", 1)[0] if " " in head[most // 2 :] else head
    return cut.rstrip(" ,;:—–-") + "…"
