"""How much two trees have in common of what they say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forest.model import Tree

ALIKE = 0.5
"""Two trees that share more of their texts may be one, whoever else says so."""
BY_CHANCE = 0.1
"""What two texts of one author have in common by chance is less, of three words in a row.

It is of the owner's documents (`test_documents_of_one_author_have_little_in_common_by_chance`).
"""


def shingles(texts: Iterable[str]) -> set[str]:
    """All three words of texts that stand in a row; of a shorter text all its words.

    What two trees have in common of them is not lost where a word is edited (Broder 1997).
    """
    found: set[str] = set()
    for text in texts:
        words = text.casefold().split()
        found.update(" ".join(words[i : i + 3]) for i in range(max(len(words) - 2, 1)))
    return found


def words(tree: Tree) -> set[str]:
    """`shingles` of all that a tree says."""
    return shingles(thought.text for thought in tree)


def likeness(one: set[str], other: set[str]) -> float:
    """The share of the texts of the larger that both have."""
    return len(one & other) / max(len(one), len(other), 1)


def signs(tree: Tree) -> set[str]:
    """What two trees that may be one have in common: some words, or the UID of their question."""
    uid = sign_of_uid(tree)
    return words(tree) | ({uid} if uid else set())


def sign_of_uid(tree: Tree) -> str:
    """What the UID of a question is among `signs`; empty where there is none."""
    uid = uid_of(tree)
    return f"{_UID}{uid}" if uid else ""


def sign_likeness(one: set[str], other: set[str]) -> float:
    """The share of `signs` that two trees have in common; 1 for two of one UID."""
    common = one & other
    if any(sign.startswith(_UID) for sign in common):
        return 1.0
    return len(common) / max(len(one), len(other), 1)


_UID = "UID "
"""Words are in lower case."""


def uid_of(tree: Tree) -> object:
    """The UID of a question."""
    asked = tree.meta.get("question")
    return asked.get("uid") if isinstance(asked, dict) else None
