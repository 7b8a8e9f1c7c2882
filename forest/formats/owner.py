"""The owner's format, once it is plain data: dicts, lists, strings and numbers.

``{"tree": title, "axes": [...] or {name: weight}, "nodes": [{"level", "text", "anchors"}]}``

The parent of a node is the last node before it with a smaller level, which must be the next
smaller one; or nodes name their parents (``id`` and ``parent``), in any order. JSON, JSONL, YAML
and notes all end here.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from forest.errors import InvalidTree
from forest.fields import first_of, surely_text
from forest.formats.base import Problem, shown
from forest.language import check_language
from forest.model import AnchorLink, Thought, Tree, trusted_thought, trusted_thoughts
from forest.phrases import tree_id_from
from forest.render import plural
from forest.weights import axis_weights

TREE_KEYS = ("tree", "title", "id", "axes", "nodes", "lang", "meta")
NODE_KEYS = ("level", "text", "anchors", "id", "parent", "kind", "lang")
SHOWN = 8
"""Nodes of a circle that a message names."""
ANCHOR_KEYS = ("phrase", "kind", "anchor", "origin", "score")

_THOUGHTS = TypeAdapter(list[Thought])


def looks_like_tree(data: object) -> bool:
    """Whether somebody meant this to be a tree in the owner's format."""
    return isinstance(data, dict) and "nodes" in data and ("tree" in data or "title" in data)


def misspelt_in(data: object) -> tuple[str, str] | None:
    """The key that keeps this from looking like a tree, and the one that was probably meant."""
    if not isinstance(data, dict) or looks_like_tree(data):
        return None
    for key, value in data.items():
        wanted = ["nodes"] if isinstance(value, list) else ["tree", "title"]
        for meant in difflib.get_close_matches(str(key), wanted, 1, 0.7):
            if looks_like_tree(data | {meant: value}):
                return str(key), meant
    return None


def tree_from(data: object, source: str, *, clean: bool = False) -> Tree:
    """The tree that the data describes.

    :param source: name of the file, for `Tree.source`.
    :param clean: no text in it holds a control character.
    :raises Problem: the data are no tree; its path leads to what is wrong.
    """
    if not isinstance(data, dict):
        raise Problem((), f"expected a tree, {{tree, nodes}}, got {shown(data)}")
    title = _title(data)
    try:
        _only(data, TREE_KEYS)
        return _tree(data, title, _thoughts(_nodes(data), clean=clean), source)
    except Problem as problem:
        where = f"tree {shown(title)}"
        raise Problem(problem.path, f"{where}: {problem.message}", hint=problem.hint) from None


def _title(data: dict[str, Any]) -> str:
    named = [data[key] for key in ("tree", "title") if key in data]
    if not named:
        raise Problem((), "the tree has no title: expected the key 'tree'")
    title = named[0]
    if not isinstance(title, str) or not title.strip():
        raise Problem(("tree",), f"tree: expected a title, got {shown(title)}")
    if named[-1] != title:
        raise Problem(
            ("title",),
            f"the tree is called {shown(title)} and {shown(named[-1])}",
            hint="`title` is another word for `tree`: write one of them. A short name is an `id`.",
        )
    return title


def _only(data: dict[str, Any], known: Sequence[str]) -> None:
    for key in data:
        if key not in known:
            raise _unknown(key, known, (key,), "")


def _nodes(data: dict[str, Any]) -> list[Any]:
    nodes = data.get("nodes")
    if not isinstance(nodes, list) or not nodes:
        got = "it is missing" if "nodes" not in data else f"got {shown(nodes)}"
        got = "and it is empty: a tree has a root" if nodes == [] else got
        raise Problem(("nodes",), f"nodes: expected a list of nodes, {got}")
    return nodes


def _unknown(key: object, known: Sequence[str], path: Sequence[Any], where: str) -> Problem:
    near = difflib.get_close_matches(str(key), known, 1, 0.6)
    hint = f"Did you mean {near[0]!r}?" if near else None
    if known is TREE_KEYS and not near:
        hint = "Anything else that belongs to a tree goes into `meta`."
    return Problem(
        path, f"{where}unknown key {shown(key)}, expected one of {', '.join(known)}", hint=hint
    )


# --- nodes -------------------------------------------------------------------------------------


def _thoughts(nodes: list[Any], *, clean: bool = False) -> list[Thought]:
    plain = _plain_thoughts(nodes, clean=clean)
    if plain is not None:
        return plain
    try:
        thoughts = _THOUGHTS.validate_python(nodes)
    except ValidationError as error:
        return _other_thoughts(nodes, error)
    _check_ids(thoughts)
    return thoughts


def _plain_thoughts(nodes: list[Any], *, clean: bool) -> list[Thought] | None:
    """The thoughts of nodes that have a level, a text and anchors only, as most do; else None.

    They are checked column by column, which takes a third of the time.
    """
    try:
        levels, texts = ([node[key] for node in nodes] for key in ("level", "text"))
        if {*map(type, levels)} != {int} or min(levels) < 0:
            return None
        if {*map(type, texts)} != {str} or not surely_text(texts, clean=clean):
            return None
        anchors: list[tuple[AnchorLink, ...]] = [()] * len(nodes)
        for i in [i for i, node in enumerate(nodes) if len(node) > 2]:
            written = nodes[i]["anchors"]
            if len(nodes[i]) > 3 or type(written) is not list or {*map(type, written)} - {str}:
                return None
            anchors[i] = tuple(map(_link, written))
    except (KeyError, TypeError, ValidationError):
        return None
    return trusted_thoughts(texts, levels, repeat(""), anchors)


@lru_cache(maxsize=65536)
def _link(phrase: str) -> AnchorLink:
    return AnchorLink(phrase=phrase)


def _check_ids(thoughts: list[Thought]) -> None:
    written = [t.id for t in thoughts if t.id]
    if len(set(written)) == len(written):
        return
    first: dict[str, int] = {}
    for i, thought in enumerate(thoughts):
        if thought.id and first.setdefault(thought.id, i) != i:
            raise Problem(
                ("nodes", i, "id"),
                f"node {i + 1}: the id {thought.id!r} is already that of "
                f"node {first[thought.id] + 1}",
                hint="Leave ids out where nothing refers to them: they are made for you.",
            )


def _other_thoughts(nodes: list[Any], error: ValidationError) -> list[Thought]:
    """Nodes that are not plain outline: ids are numbers, parents are named, or an error."""
    changed = [_with_text_ids(i, node) for i, node in enumerate(nodes)]
    if any(isinstance(node, dict) and "parent" in node for node in changed):
        return _by_parents(changed)
    if changed != nodes:
        return _thoughts(changed)
    raise _node_problem(error)


def _with_text_ids(i: int, node: Any) -> Any:
    """The node with numbers as ids turned into text."""
    if not isinstance(node, dict):
        return node
    new = dict(node)
    for key in ("id", "parent"):
        value = node.get(key)
        if isinstance(value, bool | float | list | dict):
            raise Problem(
                ("nodes", i, key), f"node {i + 1}: {key}: expected a text, got {shown(value)}"
            )
        if isinstance(value, int):
            new[key] = str(value)
        elif key == "id" and value is None:
            new.pop("id", None)
    return new


def _by_parents(nodes: list[Any]) -> list[Thought]:
    """The thoughts of nodes that name their parents, in reading order."""
    for i, node in enumerate(nodes):
        if isinstance(node, dict) and "level" in node:
            raise Problem(
                ("nodes", i, "level"),
                f"node {i + 1}: level: this tree names parents, so its nodes have no level",
                hint="Say the structure by `level` or by `parent`, not by both in one tree.",
            )
    plain = [
        {k: v for k, v in node.items() if k != "parent"} if isinstance(node, dict) else node
        for node in nodes
    ]
    try:
        thoughts = _THOUGHTS.validate_python(plain)
    except ValidationError as error:
        raise _node_problem(error) from None
    _check_ids(thoughts)
    return _ordered(thoughts, _children(thoughts, [node.get("parent") for node in nodes]))


def _children(thoughts: list[Thought], parents: list[str | None]) -> dict[int, list[int]]:
    """Places of children by the place of their parent, the root's under -1."""
    places = {t.id: i for i, t in enumerate(thoughts) if t.id}
    children: dict[int, list[int]] = {}
    for i, parent in enumerate(parents):
        if parent is not None and parent not in places:
            raise Problem(
                ("nodes", i, "parent"),
                f"{_named(thoughts, i)}: parent: there is no node with the id {parent!r}",
            )
        children.setdefault(-1 if parent is None else places[parent], []).append(i)
    roots = children.get(-1, [])
    if len(roots) > 1:
        first, second = (_named(thoughts, i) for i in roots[:2])
        raise Problem(
            ("nodes", roots[1]),
            f"{second}: it has no parent, and neither has {first}: a tree has one root",
        )
    return children


def _ordered(thoughts: list[Thought], children: dict[int, list[int]]) -> list[Thought]:
    ordered: list[Thought] = []
    todo = [(i, 0) for i in children.get(-1, [])]
    seen = set()
    while todo:
        i, level = todo.pop()
        seen.add(i)
        t = thoughts[i]
        ordered.append(trusted_thought(t.text, level, t.id, t.kind, t.lang, t.anchors))
        todo += [(child, level + 1) for child in reversed(children.get(i, ()))]
    if len(ordered) < len(thoughts):
        left = [i for i in range(len(thoughts)) if i not in seen]
        circle = _cycle(left, children)
        names = ", ".join(shown(thoughts[i].id) for i in circle[:SHOWN])
        names += f" and {len(circle) - SHOWN:,} more" if len(circle) > SHOWN else ""
        raise Problem(
            ("nodes", left[0], "parent"),
            f"the parents of these nodes lead round in a circle: {names}",
            hint="One node of a tree, its root, has no parent.",
        )
    return ordered


def _cycle(left: list[int], children: dict[int, list[int]]) -> list[int]:
    """The places on the circle that the first of the nodes left over hangs on."""
    parent = {child: i for i, below in children.items() for child in below}
    path = {left[0]: None}
    i = left[0]
    while (i := parent[i]) not in path:
        path[i] = None
    places = list(path)
    return places[places.index(i) :]


def _named(thoughts: list[Thought], i: int) -> str:
    return f"node {i + 1} ({thoughts[i].id!r})" if thoughts[i].id else f"node {i + 1}"


def _node_problem(error: ValidationError) -> Problem:
    errors = error.errors(include_url=False)
    # A key that is unknown is the reason why another one is missing.
    errors.sort(key=lambda e: (e["loc"][0], e["type"] != "unexpected_keyword_argument"))
    problem = _explained(errors[0])
    if more := len({e["loc"][0] for e in errors}) - 1:
        problem.message += (
            f" (and {plural(more, 'more node')} {'is' if more == 1 else 'are'} wrong)"
        )
    return problem


def _explained(error: ErrorDetails) -> Problem:
    """What pydantic found, in the words of the format."""
    i, *rest = error["loc"]
    path = ("nodes", i, *rest)
    where = f"node {int(i) + 1}: "
    if len(rest) > 2 and rest[0] == "anchors":
        where += f"anchor {int(rest[1]) + 1}: "
    key = str(rest[-1]) if rest else ""
    type_ = error["type"]
    if type_ == "unexpected_keyword_argument":
        return _unknown(key, ANCHOR_KEYS if len(rest) > 1 else NODE_KEYS, path, where)
    if type_ == "missing":
        return Problem(path, f"{where}the key {key!r} is missing")
    if type_ == "value_error":
        return Problem(path, f"{where}{_key(rest)}{error['ctx']['error']}")
    return Problem(path, f"{where}{_key(rest)}{_expected(error)}, got {shown(error['input'])}")


def _key(rest: Sequence[int | str]) -> str:
    return f"{rest[-1]}: " if rest and isinstance(rest[-1], str) else ""


def _expected(error: ErrorDetails) -> str:
    type_ = error["type"]
    if error["loc"][-1] == "score":
        return "expected a number from 0 to 1"
    if type_.startswith(("int_", "greater_than")):
        return "expected a whole number from 0"
    if type_ == "string_type":
        return "expected text"
    if type_ == "tuple_type":
        return "expected a list of phrases"
    if type_ == "dataclass_type":
        keys = ANCHOR_KEYS if len(error["loc"]) > 1 else NODE_KEYS
        return f"expected {{{', '.join(keys)}}}"
    if type_ == "literal_error":
        return f"expected {error['ctx']['expected']}"
    return error["msg"]


# --- the tree ----------------------------------------------------------------------------------


def _tree(data: dict[str, Any], title: str, thoughts: list[Thought], source: str) -> Tree:
    fields = {key: data[key] for key in ("axes", "lang", "meta") if data.get(key) is not None}
    fields |= {"title": title, "id": _tree_id(data, title), "source": source}
    try:
        fields["axes"] = axis_weights(fields.get("axes") or [])
    except ValueError as error:
        raise Problem(("axes",), f"axes: {error}") from None
    _check_languages(data, thoughts)
    try:
        tree = Tree(**fields, thoughts=thoughts)
    except InvalidTree as error:
        first = first_of(error)
    else:
        tree.stands(says_id=bool(data.get("id")))
        return tree
    if first["loc"][:1] == ("thoughts",):
        raise _level_problem(thoughts, data["nodes"])
    raise _field_problem(first)


def _check_languages(data: dict[str, Any], thoughts: list[Thought]) -> None:
    """Raise Problem for a language that is none; what is no text is found elsewhere."""
    written: list[tuple[tuple[str | int, ...], str, dict[str, Any]]] = [((), "", data)]
    if any(thought.lang for thought in thoughts):
        written += [(("nodes", i), f"node {i + 1}: ", n) for i, n in enumerate(data["nodes"])]
    for path, where, said in written:
        tag = said.get("lang")
        if isinstance(tag, str) and tag:
            try:
                check_language(tag)
            except ValueError as error:
                raise Problem((*path, "lang"), f"{where}lang: {error}") from None


def _field_problem(error: ErrorDetails) -> Problem:
    key = str(error["loc"][0])
    if error["type"] == "value_error":
        return Problem((key,), f"{key}: {error['ctx']['error']}")
    expected = {"meta": "{key: value}"}.get(key, "text")
    return Problem((key,), f"{key}: expected {expected}, got {shown(error['input'])}")


def _tree_id(data: dict[str, Any], title: str) -> str:
    given = data.get("id")
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    if given is not None and not isinstance(given, str):
        raise Problem(("id",), f"id: expected text, got {shown(given)}")
    return given or tree_id_from(title)


def _level_problem(thoughts: list[Thought], nodes: list[Any]) -> Problem:
    """Which level breaks the outline; `Tree` has found that one does."""
    before = -1
    for i, thought in enumerate(thoughts):
        level, where = thought.level, f"node {i + 1}"
        said = shown(thought.text, 40)
        path = ("nodes", i, "level")
        if i and "level" not in nodes[i]:
            return Problem(
                path[:2],
                f"{where}: it has neither level nor parent ({said})",
                hint="A tree has one root, the first node; all others say where they hang.",
            )
        if not i and level:
            return Problem(path, f"{where}: level {level}: the first node is the root, level 0")
        if i and not level:
            return Problem(
                path,
                f"{where}: level 0 makes it a second root ({said}): a tree has one",
                hint="Give it level 1 or more, or make it a tree of its own.",
            )
        if level > before + 1:
            return Problem(
                path,
                f"{where}: it jumps from level {before} to {level} ({said}): "
                f"expected at most {before + 1}",
                hint="A node one level deeper than the one before it is its child.",
            )
        before = level
    raise AssertionError("these levels are an outline")
