"""What stands in the graph as the model's trees: validated, with what the author left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from forest.errors import InvalidInput, InvalidTree
from forest.fields import clean_name, first_of
from forest.identity import finished
from forest.language import guess_language, is_language
from forest.model import (
    AUTHORED,
    AnchorKind,
    AnchorLink,
    Thought,
    Tree,
    anchor_id,
    trusted_thought,
)
from forest.phrases import phrase_key
from forest.schema import THOUGHT
from forest.stores.neo4j.connection import Connection
from forest.stores.neo4j.reading import Found, Head, Link, Row, no_tree, order
from forest.stores.neo4j.values import moment, no_text
from forest.weights import by_weight

_THOUGHTS = TypeAdapter(list[Thought])
_NAMES = THOUGHT.names
_ID, _TEXT = THOUGHT.names.index("id"), THOUGHT.names.index("text")
HINT = "`forest check` lists all such places; put them right with Cypher."


def tree_of(found: Found) -> Tree:
    """The tree, with derived ids and language where the graph has none.

    Raises InvalidTree where the graph holds what the model forbids.
    """
    try:
        rows = [_thought(row, level) for row, level in _leveled(found)]
        thoughts = _validated(rows)
        head = _head(found)
        head["lang"] = head["lang"] or guess_language(t.text for t in thoughts)
        tree = _made(head, thoughts)
    except (InvalidTree, ValueError, TypeError):
        what = next(violations(found), f"tree {found.id!r} is not as the model wants it")
        raise InvalidTree(what, hint=HINT) from None
    ids = {t.id for t in tree.thoughts}
    if "" in ids:
        # The tree is its own forerunner: ids that an author typed stay as typed.
        tree = finished(tree, tree)
    elif len(ids) < len(tree.thoughts):
        raise InvalidTree(next(violations(found)), hint=HINT)
    return tree


def tree_or_error(connection: Connection, found: Found) -> Tree:
    """As `tree_of`. Raises NotATree, with the names of the thoughts, where it is none."""
    if found.problems:
        raise connection.read(no_tree, found)
    return tree_of(found)


def violations(found: Found) -> Iterator[str]:
    """What the model forbids in a tree, naming the tree and the thought."""
    try:
        _made(_head(found), [])
    except (InvalidTree, ValueError, TypeError) as error:
        yield f"tree {found.id!r}: {said(error)}"
    seen = set()
    for row, level in _leveled(found):
        try:
            thought = _validated([_thought(row, level)])[0]
        except (ValueError, TypeError) as error:
            yield f"tree {found.id!r}, {name_of(row)}: {said(error)}"
            continue
        if thought.id and thought.id in seen:
            yield f"tree {found.id!r}: two thoughts have the id {thought.id!r}"
        seen.add(thought.id)


def name_of(row: Row) -> str:
    """How a message calls a thought of a tree."""
    id_, text = row.values[_ID], row.values[_TEXT]
    return f"thought {id_!r}" if id_ else f"thought «{str(text or '')[:40]}» (id {row.node})"


def said(error: Exception) -> str:
    """What the model says first against a value, with the name of the field."""
    if not isinstance(error, InvalidInput | ValidationError):
        return str(error)
    first = first_of(error)
    where = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_type":
        what = f"it {no_text(first['input'])}"
    elif first["type"] == "missing":
        what = "it is missing"
    return f"{where}: {what}" if where else what


def _made(head: dict[str, Any], thoughts: list[Thought]) -> Tree:
    odd = _odd_languages([head])
    tree = Tree(**head, thoughts=thoughts)
    for lang in odd.values():
        tree.keep_lang(lang)
    return tree


def _validated(rows: list[dict[str, Any]]) -> list[Thought]:
    odd = _odd_languages(rows)
    thoughts = _THOUGHTS.validate_python(rows)
    for i, lang in odd.items():
        t = thoughts[i]
        thoughts[i] = trusted_thought(t.text, t.level, t.id, t.kind, lang, t.anchors)
    return thoughts


def _odd_languages(rows: list[dict[str, Any]]) -> dict[int, str]:
    """Take out the languages that are none, by their place: what they stand at is read with them.

    Raises ValueError where one is no name either.
    """
    return {
        i: clean_name(row.pop("lang"))
        for i, row in enumerate(rows)
        if isinstance(lang := row.get("lang"), str) and lang and not is_language(lang)
    }


def _leveled(found: Found) -> Iterator[tuple[Row, int]]:
    return zip(found.rows, found.levels, strict=True)


# --- the Tree node --------------------------------------------------------------------------------


def _head(found: Found) -> dict[str, Any]:
    """The fields of the tree, without its thoughts; lang is "" where it is to be guessed."""
    values = {name: moment(v) for name, v in found.head.values.items() if name != "stamp"}
    return values | {
        "id": found.id,
        "title": found.id if values["title"] is None else values["title"],
        "lang": values["lang"] or "",
        "axes": by_weight(dict(axes_of(found.head).values())),
        "meta": _meta(values["meta"]),
    }


def _meta(value: Any) -> Any:
    if value is None:
        return {}
    try:
        return orjson.loads(value)
    except (ValueError, TypeError):
        raise ValueError("meta: expected a JSON object as text") from None


def axes_of(head: Head) -> dict[str, tuple[str, float]]:
    """Key of each axis: (its name, its weight). The weights sum to 1.

    Weights that are missing share what the others leave of 1; where these leave nothing, each
    counts as the mean of the others. Raises ValueError for a weight that is no number above 0, and
    for an axis without a name, or with one that is no text.
    """
    rows = sorted(head.axes, key=lambda axis: order(axis[2], axis[0]))
    given = [weight for _, _, _, weight, _, _ in rows if weight is not None]
    if wrong := [
        f"the weight {weight!r} of {id_ if name is None else name!r} is no number above 0"
        for _, _, _, weight, id_, name in rows
        if weight is not None and not _is_weight(weight)
    ]:
        raise ValueError(f"axes: {'; '.join(wrong)}")
    default = sum(given) / len(given) if given else 1
    if given and sum(given) < 1 and len(given) < len(rows):
        # Rounded, so that 0.8 leaves 0.2 and not 0.19999999999999996.
        default = round((1 - sum(given)) / (len(rows) - len(given)), 12) or default
    axes: dict[str, tuple[str, float]] = {}
    for _, _, _, weight, id_, name in rows:
        called = next((n for n in (name, id_) if n is not None), "")
        if not isinstance(called, str):
            raise ValueError(f"axes: the name of an axis {no_text(called)}")
        key = phrase_key(called)
        if not key:
            raise ValueError("axes: an axis has no name")
        before = axes.get(key, (called, 0.0))
        axes[key] = (before[0], before[1] + (default if weight is None else weight))
    total = sum(weight for _, weight in axes.values())
    if abs(total - 1) <= 1e-9:
        return {key: (name, float(weight)) for key, (name, weight) in axes.items()}
    return {key: (name, weight / total) for key, (name, weight) in axes.items()}


def _is_weight(weight: Any) -> bool:
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    return number and 0 < weight < math.inf


# --- thoughts -------------------------------------------------------------------------------------


def _thought(row: Row, level: int) -> dict[str, Any]:
    pairs = zip(_NAMES, row.values, strict=True)
    fields = {name: value for name, value in pairs if value is not None}
    fields["level"] = level
    if row.links:
        fields["anchors"] = links_of(row)
    return fields


def links_of(row: Row) -> tuple[AnchorLink, ...]:
    """The anchors of a thought, in their order. Raises ValueError or TypeError for a bad one."""
    return tuple([link(*its.says, *its.its) for its in sorted_links(row)])


def sorted_links(row: Row) -> Sequence[Link]:
    """The links of a thought to its anchors, in their order."""
    if len(row.links) < 2:
        return row.links
    return sorted(row.links, key=lambda link: order(link.position, link.link))


@lru_cache(maxsize=65_536)
def link(
    phrase: Any, kind: Any, origin: Any, score: Any, anchor: Any, its_phrase: Any, its_kind: Any
) -> AnchorLink:
    """An anchor as a thought carries it, from what stands on ANCHORED_BY and on the Anchor.

    Raises ValueError or TypeError for what the model forbids.
    """
    id_, default_phrase, default_kind = anchor_of(anchor, its_phrase, its_kind)
    return AnchorLink(
        phrase=default_phrase if phrase is None else phrase,
        kind=default_kind if kind is None else kind,
        anchor=id_,
        origin=AUTHORED if origin is None else origin,
        score=score,
    )


def anchor_of(id_: Any, phrase: Any, kind: Any) -> tuple[str, str, AnchorKind]:
    """(id, phrase, kind) that an Anchor node has on reading.

    Raises ValueError where it has neither an id nor a phrase, or one that is no text.
    """
    kind = kind or "phrase"
    phrase = next((p for p in (phrase, id_) if p is not None), "")
    if not isinstance(phrase, str):
        raise ValueError(f"anchors: the phrase of an anchor {no_text(phrase)}")
    if not phrase_key(phrase):
        raise ValueError("anchors: an anchor has no phrase")
    return (id_ if isinstance(id_, str) and id_ else anchor_id(phrase, kind)), phrase, kind


def anchor_id_or_none(id_: Any, phrase: Any, kind: Any) -> str | None:
    """The id that an Anchor node has on reading, or None where it has no name at all."""
    try:
        return anchor_of(id_, phrase, kind)[0]
    except ValueError:
        return None
