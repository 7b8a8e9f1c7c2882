"""What a caller may give where a tree, a thought or a name is asked for: checked at the door.

Stores see ids and nothing else, so what is wrong reads the same on each of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from forest.errors import NotFound
from forest.fields import kind_of
from forest.model import Anchor, AnchorLink, Axis, Thought, Tree


def id_of_tree(tree: object) -> str:
    """The id of a tree, which is given itself or by its id. Raises TypeError for all else."""
    return name_of(tree, Tree, "a tree or its id")


def id_of_thought(thought: object) -> str:
    """The id of a thought, which is given itself or by its id.

    :raises TypeError: it is neither.
    :raises NotFound: the thought has no id, so it is in no tree yet.
    """
    id_ = name_of(thought, Thought, "a thought or its id")
    if isinstance(thought, Thought) and not id_:
        raise NotFound(
            f"the thought {thought.text[:40]!r} has no id: it is in no tree",
            hint="`Tree.add` and `Forest.add_thought` return thoughts that have one.",
        )
    return id_


def name_of(value: object, type_: type[Anchor | Axis | Thought | Tree], expected: str) -> str:
    """What a thing with an id is known by: its id, or the name that was given. Else TypeError."""
    if isinstance(value, type_):
        return value.id
    return check_text(value, expected)


def check_text(value: object, expected: str) -> str:
    """The text that it is. Raises TypeError, which says what was expected, for all else."""
    if not isinstance(value, str):
        raise TypeError(f"expected {expected}, got {kind_of(value)}")
    return value


def list_of_texts(value: object) -> list[Any]:
    """The texts of several thoughts, each checked by whoever uses it. Raises TypeError."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(
            f"expected a list of texts, got {kind_of(value)}; for one thought it is [text]"
        )
    return list(value)


def check_trees(values: Iterable[object]) -> None:
    """Raise TypeError unless all of them are trees."""
    for value in values:
        if not isinstance(value, Tree):
            raise TypeError(
                f"expected a Tree, got {kind_of(value)}; Tree(title) makes one, and "
                "forest.import_files([path]) reads files"
            )


def again_and_again(anchors: Any) -> Iterable[str | Anchor | AnchorLink]:
    """Anchors that can be gone through more than once; what is no list stays, to be refused."""
    if isinstance(anchors, str) or not isinstance(anchors, Iterable):
        return anchors
    return list(anchors)
