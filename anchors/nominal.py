"""Russian noun phrases: what of a phrase a sentence around it can change.

A sentence that uses a phrase declines its head, and what agrees with the head: «чужая боль», «чужой
боли». What the head governs stays as it is, and says who does what to whom: «страха смерти» is
«страх смерти», but «матери дочь» is not «мать дочери». So the forms of a phrase are those of its
head; the rest is kept letter by letter. What is no noun phrase, such as a statement («человек
боится», «человека боятся»), has no other forms at all.

Words that agree are forms of one word where they could be of several: «красивого дома» is of
«дом», though «дома» is often an adverb. What can be read in two ways stands for itself (`SURE`); so
does a noun without an adjective that can, be it seldom, be a form of another noun (`RARE`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from anchors.lemmas import RARE, parses

SURE = 0.95
"""The share of a form's occurrences that must be of one word, where it can be of several."""

AS_NOUNS = frozenset(
    """
    утром вечером ночью днем весной весною летом осенью зимой зимою путем шагом силой чудом
    """.split()  # noqa: SIM905 - prose reads better than a list
)
"""Adverbs that mean what the instrumental of the noun means; «даром», «рядом» do not."""

_ADJECTIVES = frozenset(["ADJF", "PRTF"])
_DECLINED = _ADJECTIVES | {"NOUN", "NPRO", "NUMR"}
_CASES = {"gen1": "gent", "gen2": "gent", "acc2": "accs", "loc1": "loct", "loc2": "loct"}
_GOVERNED = frozenset(["gent", "datv", "ablt"])
_AFTER_A_PREPOSITION = _GOVERNED | {"accs", "loct"}
_JOINED = frozenset(["и", "или", "либо"])


class Reading(NamedTuple):
    """A phrase read as a noun phrase."""

    head: tuple[str, ...]
    """The adjectives of the head and itself, in dictionary form."""
    cases: frozenset[str]
    """In which cases the head can be."""
    tail: tuple[str, ...]
    """What the head governs, as it stands."""


def reading(words: Sequence[str]) -> Reading | None:
    """How two or more words are read as one noun phrase: adjectives, a noun, what it governs.

    :param words: in lower case, with е for ё.
    :returns: None where they are none, or not surely.
    """
    lead = 0
    while lead < len(words) - 1 and any(p.tag.POS in _ADJECTIVES for p in parses(words[lead])):
        lead += 1
    for at in range(lead, -1, -1):
        if heads := _heads(tuple(words[: at + 1])):
            tail = tuple(words[at + 1 :])
            head = _surest(heads, at) if _is_governed(tail) else None
            return Reading(head, cases(words[at]), tail) if head else None
    return None


def named(words: Sequence[str]) -> str | None:
    """The noun that a phrase names, in dictionary form: its head, also behind its own genitive.

    «Мать дочери» names a mother, «матери дочь» a daughter. None where that is not sure.
    """
    if found := reading(words):
        return found.head[-1]
    own = [word for word in words if _says(word, word)]
    return own[0] if len(own) == 1 else None


def are_turned(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether each of two phrases names a noun that only stands beside the noun of the other.

    Their dictionary forms are the same then, and they say two things: «мать дочери», «матери дочь».
    """
    mine, theirs = named(one), named(other)
    if mine is None or theirs is None or mine == theirs:
        return False
    return any(_says(word, mine) for word in other) and any(_says(word, theirs) for word in one)


def _says(word: str, noun: str) -> bool:
    """Whether a word may be a form of a noun."""
    return any(p.tag.POS == "NOUN" and word_of(word, p) == noun for p in parses(word))


@lru_cache(maxsize=65536)
def cases(word: str) -> frozenset[str]:
    """In which cases a word can be."""
    return frozenset(_case(p.tag) for p in parses(word) if p.tag.POS in _DECLINED)


def word_of(word: str, parsed: Any) -> str:
    """The lexeme of a parse: its dictionary form, and what tells it from others that share it."""
    tag = parsed.tag
    if tag.POS == "COMP" or "Supr" in tag:
        return word
    # The key has е for ё, and the dictionary knows both.
    normal = str(parsed.normal_form).replace("ё", "е")
    if tag.POS == "NOUN" and tag.number == "sing" and tag.gender != parsed.normalized.tag.gender:
        return word  # «супруга» is counted among the forms of «супруг»
    if tag.POS in _PARTICIPLES:
        return f"{normal}~{tag.voice}"
    return normal + VERB if tag.POS in ("INFN", "VERB", "GRND") else normal


VERB = "~v"
_PARTICIPLES = ("PRTF", "PRTS")


def _case(tag: Any) -> str:
    return _CASES.get(str(tag.case), str(tag.case))


def _surest(heads: dict[tuple[str, ...], float], adjectives: int) -> tuple[str, ...] | None:
    best = max(heads, key=lambda head: (heads[head], head))
    least = SURE if adjectives else 1 - RARE
    return best if heads[best] >= least * sum(heads.values()) else None


@lru_cache(maxsize=65536)
def _heads(words: tuple[str, ...]) -> dict[tuple[str, ...], float]:
    """The ways to read words as adjectives that agree with the noun behind them, and their weights.

    Without an adjective, a noun that is surely one, and not also another word in that place.
    """
    *adjectives, noun = words
    there = parses(noun)
    found: dict[tuple[str, ...], float] = defaultdict(float)
    for parsed in there:
        if parsed.tag.POS != "NOUN":
            continue
        agree = [agreeing(word, parsed.tag) for word in adjectives]
        if all(agree):
            weight = parsed.score
            for one in agree:
                weight *= sum(one.values())
            head = (*(max(one, key=lambda f: (one[f], f)) for one in agree),)
            found[(*head, word_of(noun, parsed))] += weight
    if not adjectives and sum(found.values()) < SURE * sum(p.score for p in there):
        return {}
    return found if adjectives else _without_homonyms(noun, found)


def _without_homonyms(
    noun: str, found: dict[tuple[str, ...], float]
) -> dict[tuple[str, ...], float]:
    """A bare noun that is a dictionary form stands for that: «вина» never for «вино»."""
    return {(noun,): 1.0} if (noun,) in found else found


@lru_cache(maxsize=65536)
def agreeing(word: str, noun: Any) -> dict[str, float]:
    """The adjectives, in dictionary form, whose form a word is that agrees with a noun's form."""
    found: dict[str, float] = defaultdict(float)
    fits: set[str] = set()
    for parsed in parses(word):
        tag = parsed.tag
        if tag.POS not in _ADJECTIVES:
            continue
        if "Fixd" in tag:
            found[word] += parsed.score
            fits.add(word)
        elif _case(tag) == _case(noun) and tag.number == noun.number:
            named = parsed.inflect({"sing", "masc", "nomn"}) or parsed.normalized
            form = str(named.word).replace("ё", "е")
            # Of a form of two genders, as «этого» is, the dictionary counts mostly one.
            found[form] += parsed.score
            if _gender(tag, noun):
                fits.add(form)
    return {form: weight for form, weight in found.items() if form in fits}


def _gender(tag: Any, noun: Any) -> bool:
    return noun.number != "sing" or noun.gender is None or tag.gender == noun.gender


def _is_governed(words: Sequence[str]) -> bool:
    """Whether a noun can govern these words: they are in oblique cases, or behind a preposition.

    What can be a verb or an adverb as well is trusted only behind a preposition.
    """
    allowed, prepared = _GOVERNED, False
    if words and (words[0] in _JOINED or not all(map(str.isalpha, words))):
        return False
    for word in words:
        there = parses(word)
        prepared = there[0].tag.POS == "PREP"
        if prepared:
            allowed = _AFTER_A_PREPOSITION
        elif word not in _JOINED:
            named = [p for p in there if p.tag.POS in _DECLINED]
            if not any(_case(p.tag) in allowed for p in named):
                return False
            shares = sum(p.score for p in named), sum(p.score for p in there)
            if allowed is _GOVERNED and shares[0] < SURE * shares[1] - 1e-9:
                return False
    return not prepared and (not words or words[-1] not in _JOINED)
