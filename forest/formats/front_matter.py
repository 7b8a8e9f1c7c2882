"""The front matter of a note: YAML between two lines of ``---`` at its beginning."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from forest.errors import ImportRefused
from forest.fields import MAX_ID
from forest.formats.base import SourceFile, linked, refused, shown
from forest.formats.yaml_trees import Typed, YamlError, line_in_yaml, load_yaml
from forest.language import check_language
from forest.model import AnchorLink
from forest.weights import axis_weights

_TYPED = Typed(
    texts=frozenset(),
    names=frozenset({"title", "id", "lang", "language", "tags", "tag", "aliases", "alias"}),
    lists=frozenset({"tags", "tag", "aliases", "alias", "axes", "anchors"}),
    free=frozenset(),
)
_WIKILINK = re.compile(r"\[\[([^\[\]|#]+)[^\[\]]*\]\]")


@dataclass
class FrontMatter:
    """What the front matter of a note says of its trees."""

    title: str | None = None
    id: str | None = None
    lang: str | None = None
    axes: dict[str, float] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)
    anchors: list[AnchorLink] = field(default_factory=list)
    """For the root: tags, links in other values, and phrases under ``anchors``."""
    meta: dict[str, Any] = field(default_factory=dict)


def read_front_matter(text: str, source: SourceFile) -> FrontMatter | None:
    """What a front matter says; None if the text between the two rules is none.

    :raises ImportRefused: it is not valid YAML, or a value is not what its key wants.
    """
    if not text.split("\n", 1)[0].strip() and text.strip():
        return None
    try:
        documents = load_yaml(text, _TYPED)
    except YamlError as error:
        if not re.search(r"^\s*[\w-]+\s*:", text, re.MULTILINE):
            return None
        message = f"front matter: {error.message}"
        raise refused(source, error.line + 1, message, hint=error.hint) from None
    data = documents[0] if documents else None
    if data is not None and not isinstance(data, dict):
        return None
    return _Reader(text, source).read(dict(data or {}))


class _Reader:
    def __init__(self, text: str, source: SourceFile) -> None:
        self.text = text
        self.source = source

    def read(self, data: dict[str, Any]) -> FrontMatter:
        front = FrontMatter()
        front.title = self._name(data, "title")
        front.id = self._name(data, "id")
        front.lang = self._lang(data, "lang") or self._lang(data, "language")
        front.axes = self._axes(data)
        front.aliases = self._words(data, "aliases") + self._words(data, "alias")
        tags = self._words(data, "tags", " ") + self._words(data, "tag", " ")
        front.anchors = linked((t.removeprefix("#").strip("/") for t in tags), "tag")
        front.anchors += linked(self._words(data, "anchors", None), "phrase")
        front.meta = data
        front.anchors += linked(_names_in(data))
        return front

    def _wrong(self, key: str, message: str) -> ImportRefused:
        line = line_in_yaml(self.text, (0, key)) + 1
        return refused(self.source, line, f"front matter: {key}: {message}")

    def _name(self, data: dict[str, Any], key: str) -> str | None:
        value = data.pop(key, None)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if not isinstance(value, str):
            raise self._wrong(key, f"expected text, got {shown(value)}")
        if len(value) > MAX_ID:
            raise self._wrong(key, f"it has {len(value)} characters, more than {MAX_ID}")
        return " ".join(value.split())

    def _lang(self, data: dict[str, Any], key: str) -> str | None:
        tag = self._name(data, key)
        if tag is not None:
            try:
                check_language(tag)
            except ValueError as error:
                raise self._wrong(key, str(error)) from None
        return tag

    def _words(self, data: dict[str, Any], key: str, between: str | None = ",") -> list[str]:
        """A list of words, or one text with commas (or blanks) between them."""
        value = data.pop(key, None)
        if value is None:
            return []
        if isinstance(value, str):
            parts = re.split("[, ]" if between == " " else ",", value) if between else [value]
            value = parts
        if not isinstance(value, list) or not all(isinstance(v, str | None) for v in value):
            raise self._wrong(key, f"expected a list of words, got {shown(value)}")
        return [v.strip() for v in value if v and v.strip()]

    def _axes(self, data: dict[str, Any]) -> dict[str, float]:
        try:
            return axis_weights(data.pop("axes", None) or [])
        except ValueError as error:
            raise self._wrong("axes", str(error)) from None


def _names_in(value: Any) -> list[str]:
    """The names of notes that values link to, as ``[[name]]``."""
    found: list[str] = []
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            found += [m.strip().rsplit("/", 1)[-1] for m in _WIKILINK.findall(value)]
        elif isinstance(value, dict):
            todo += reversed(value.values())
        elif isinstance(value, list):
            todo += reversed(value)
    return found
