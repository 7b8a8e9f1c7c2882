"""Whether a Russian word names something where it stands, or only looks like a noun.

«Настоящее золото» says nothing of the present, «пора спать» of a season, «правда, поздно» of truth.
What a spelling can be is known from the dictionary; which of that it is, the words beside it often
tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from anchors.lemmas import parses
from anchors.nominal import AS_NOUNS, agreeing

_CYRILLIC = re.compile("[а-я]+(?:-[а-я]+)*")
_PARENTHETIC = ("CONJ", "PRCL", "INTJ")


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
