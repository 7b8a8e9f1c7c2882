"""Whether a phrase says in its place what an anchor says alone.

A Russian word that only looks like a noun does not: «настоящее золото» says nothing of the present,
«пора спать» of a season, «правда, поздно» of truth. What a spelling can be is known from the
dictionary; which of that it is, the words beside it often tell. Nor does a form of another noun:
«ограбление банка» says nothing of a jar. An adjective tells («старая банка»); without one it is a
guess; so is what is denied («не чужая боль»), where it is more than a word. Nor does a statement
whose subject is cut off: "a glass of water is heavy" does not say that water is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from anchors.discovery.sureness import GUESSED
from anchors.lemmas import RARE, parses
from anchors.nominal import AS_NOUNS, agreeing, reading, word_of

_CYRILLIC = re.compile("[а-я]+(?:-[а-я]+)*")
_PARENTHETIC = ("CONJ", "PRCL", "INTJ")
_VERBS = frozenset(
    "is are was were has have had can could may might must shall should will would do does".split()  # noqa: SIM905
)
_DENIALS = frozenset(("не", "ни", "not", "no", "never"))
_BEFORE_CLAUSES = frozenset(
    """
    and or but nor that because if when while where since as so then than whether although though
    until unless which who
    """.split()  # noqa: SIM905 - prose reads better than a list
)


def stands(clause: Sequence[str], place: int, length: int, anchor: str) -> float:
    """How surely so many words say in a clause what an anchor says alone, from 0 to 1.

    :param clause: the words between punctuation, in lower case, with е for ё.
    :param anchor: the phrase of the anchor, as they are.
    """
    if length == 1:
        same = same_noun(clause, place, anchor)
        return min(named(clause, place), same if same > 1 - RARE else min(same, GUESSED))
    if place and clause[place - 1] in _DENIALS:
        return GUESSED
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


def same_noun(clause: Sequence[str], place: int, anchor: str) -> float:
    """The probability that a word in its place is of the same noun as the one of an anchor.

    An adjective before it leaves the readings with which it agrees. What is no noun, or in other
    letters, has 1.

    :param clause: the words between punctuation, in lower case, with е for ё.
    :param anchor: a word, as they are.

    >>> same_noun(["старая", "банка"], 1, "банка"), same_noun(["старого", "банка"], 1, "банка")
    (1.0, 0.0)
    """
    word = clause[place]
    nouns = _nouns(word) if _CYRILLIC.fullmatch(word) else []
    if place and len({word_of(word, p) for p in nouns}) > 1:
        before = clause[place - 1] if _CYRILLIC.fullmatch(clause[place - 1]) else ""
        nouns = [p for p in nouns if before and agreeing(before, p.tag)] or nouns
    mine, theirs = _shares(word, nouns), _meant(anchor)
    if not mine or not theirs:
        return 1.0
    return round(sum(mine[one] * theirs.get(one, 0.0) for one in mine), 4)


def _nouns(word: str) -> list[Any]:
    """Its readings as a noun; as a first name, such as Света, only where there is no other."""
    nouns = [p for p in parses(word) if p.tag.POS == "NOUN"]
    return [p for p in nouns if "Name" not in p.tag] or nouns


def _shares(word: str, nouns: Iterable[Any]) -> Mapping[str, float]:
    """By noun, the share of the readings that are its forms."""
    found: dict[str, float] = defaultdict(float)
    for parsed in nouns:
        found[word_of(word, parsed)] += float(parsed.score)
    whole = sum(found.values())
    return {noun: share / whole for noun, share in found.items()}


@lru_cache(maxsize=65536)
def _meant(anchor: str) -> Mapping[str, float]:
    """By noun, the probability that the word of an anchor is of it.

    A nominative singular is, «духи» may be of «дух» as well.
    """
    nouns = _nouns(anchor) if _CYRILLIC.fullmatch(anchor) else []
    own = [p for p in nouns if p.tag.case == "nomn" and word_of(anchor, p) == anchor]
    return {anchor: 1.0} if any(p.tag.number == "sing" for p in own) else _shares(anchor, nouns)


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
