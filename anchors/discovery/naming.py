"""Whether a phrase says in its place what it says alone.

A Russian word that only looks like a noun does not: «настоящее золото» says nothing of the present,
«пора спать» of a season, «правда, поздно» of truth. What a spelling can be is known from the
dictionary; which of that it is, the words beside it often tell. Nor does a statement whose subject
is cut off: "a glass of water is heavy" does not say that water is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from anchors.lemmas import parses
from anchors.nominal import AS_NOUNS, agreeing, reading

_CYRILLIC = re.compile("[а-я]+(?:-[а-я]+)*")
_PARENTHETIC = ("CONJ", "PRCL", "INTJ")
_VERBS = frozenset(
    "is are was were has have had can could may might must shall should will would do does".split()  # noqa: SIM905
)
_BEFORE_CLAUSES = frozenset(
    """
    and or but nor that because if when while where since as so then than whether although though
    until unless which who
    """.split()  # noqa: SIM905 - prose reads better than a list
)


def stands(clause: Sequence[str], place: int, length: int) -> float:
    """How surely so many words say in a clause what they say alone, from 0 to 1.

    :param clause: the words between punctuation, in lower case, with е for ё.
    """
    if length == 1:
        return named(clause, place)
    begins = place == 0 or _leads(clause[place - 1])
    return float(begins or not _states(clause[place : place + length]))


def _states(words: Sequence[str]) -> bool:
    """Whether words hold a verb, as far as it is known, and are not one noun phrase."""
    if not any(map(_CYRILLIC.fullmatch, words)):
        return not _VERBS.isdisjoint(words)
    known = [parses(word)[0].tag.POS for word in words if _CYRILLIC.fullmatch(word)]
    return "VERB" in known and reading(words) is None


def _leads(word: str) -> bool:
    """Whether a clause may begin behind a word."""
    if _CYRILLIC.fullmatch(word):
        return parses(word)[0].tag.POS in ("CONJ", "PRCL", "PRED", "ADVB")
    return word in _BEFORE_CLAUSES


def named(clause: Sequence[str], place: int) -> float:
    """The share of a word's readings by which it is a noun, of those that its place allows.

    What is never a noun, such as «жить», has 1; so have words in other letters. Shares are those
    of the dictionary's corpus, or equal ones of what is too seldom in it.

    :param clause: the words between punctuation, in lower case, with е for ё.

    >>> named(["это", "прошлое"], 1), named(["прошлое", "лето"], 0)
    (1.0, 0.0)
    >>> named(["пора", "жатвы"], 0), named(["пора", "жать"], 0)
    (1.0, 0.0)
    """
    word = clause[place]
    there = parses(word) if _CYRILLIC.fullmatch(word) else ()
    nouns = sum(p.score for p in there if _is_noun(word, p))
    if not nouns:
        return 1.0
    behind = clause[place + 1] if place + 1 < len(clause) else ""
    others = [p for p in there if not _is_noun(word, p)]
    if any(_describes(word, p, behind) or _judges(p, clause) for p in others):
        return 0.0
    if (len(clause) == 1 or behind == "ли") and any(p.tag.POS in _PARENTHETIC for p in others):
        return 0.0
    left = sum(p.score for p in others if p.tag.POS not in ("ADJF", "PRTF", "PRED", *_PARENTHETIC))
    return round(float(nouns / (nouns + left)), 4)


def _is_noun(word: str, parsed: Any) -> bool:
    return parsed.tag.POS == "NOUN" or (word in AS_NOUNS and parsed.tag.POS == "ADVB")


def _describes(word: str, parsed: Any, behind: str) -> bool:
    """Whether it is an adjective of the noun behind it."""
    return parsed.tag.POS in ("ADJF", "PRTF") and any(
        p.tag.POS == "NOUN" and agreeing(word, p.tag)
        for p in (parses(behind) if _CYRILLIC.fullmatch(behind) else ())
    )


def _judges(parsed: Any, clause: Sequence[str]) -> bool:
    """Whether it says of an action that it is time, a sin, or a pity."""
    return parsed.tag.POS == "PRED" and any(
        parses(word)[0].tag.POS == "INFN" for word in clause if _CYRILLIC.fullmatch(word)
    )
