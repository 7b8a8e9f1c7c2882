"""Set phrases: where a word is part of a fixed expression, it does not mean what it names.

«Таким образом» is about no image, «в связи с» about no bond, "in case" about no case. Discovery
marks nothing that stands in a longer set phrase (`anchors.discovery.phrases`). What means what its
words say («в мире», "in the world") is none.

The lists beside this file are closed classes of the two grammars: compound prepositions,
conjunctions and particles, adverbs made of a preposition and a noun, and verbs that with a noun
mean something else than the noun. A word stands for its spelling (е for ё), ``_`` for any one
word, within a phrase also for two, and a word with ``*`` behind it for all its forms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from anchors.discovery.words import BREAK, number_of, read, words
from anchors.lemmas import lemma
from forest.phrases import phrase_key

_SHORT = {"во": "в", "со": "с", "ко": "к", "обо": "о", "об": "о", "изо": "из"}
"""Prepositions with a vowel before some words, and those without."""


@cache
def _by_fixed_word() -> dict[str, list[tuple[int, tuple[str, ...]]]]:
    """By a word that stands for its spelling: its place in a set phrase, and the phrase.

    It is the longest of them, so that little is looked at behind each «в» and "of".
    """
    found: dict[str, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
    for said in _lists():
        phrase = tuple(_SHORT.get(word, word) for word in said.split())
        for wide in _widened(phrase):
            word = max((w for w in wide if w != "_" and w[-1] != "*"), key=len)
            found[word].append((wide.index(word), wide))
    return found


def _lists() -> Iterator[str]:
    for lang in ("ru", "en"):
        text = files("anchors.discovery").joinpath(f"set_phrases.{lang}.txt").read_text("utf-8")
        for line in text.splitlines():
            if not line.startswith("#"):
                yield from line.split(",")


def _widened(phrase: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The phrase, and the same with two words in the place of any one within it."""
    yield phrase
    if "_" in phrase[1:]:
        at = phrase.index("_", 1)
        yield (*phrase[:at], "_", *phrase[at:])


class SetPhrase(NamedTuple):
    """A set phrase as it stands in a text."""

    length: int
    """How many words it has."""
    fixed: frozenset[int]
    """The places of those that are not ``_``."""


def set_phrases(text: str) -> set[SetPhrase]:
    """The set phrases in a text.

    >>> sorted(max(found.fixed) for found in set_phrases("Таким образом, он имел в виду образ"))
    [1, 5]
    """
    keys = map(phrase_key, words(text))
    said = [_SHORT.get(key, key) for key in keys]
    numbers, flags = read(text)
    return {
        SetPhrase(len(phrase), frozenset(i for i, w in enumerate(phrase, place - at) if w != "_"))
        for place, word in enumerate(said)
        for at, phrase in _by_fixed_word().get(word, ())
        if _stands(phrase, place - at, said, numbers, flags)
    }


def _stands(
    phrase: tuple[str, ...], begin: int, said: Sequence[str], numbers: list[int], flags: list[int]
) -> bool:
    end = begin + len(phrase)
    if begin < 0 or end > len(said) or any(flag & BREAK for flag in flags[begin + 1 : end]):
        return False
    return all(
        word in ("_", said[at]) or (word[-1] == "*" and number_of(lemma(word[:-1])) == numbers[at])
        for at, word in enumerate(phrase, begin)
    )
