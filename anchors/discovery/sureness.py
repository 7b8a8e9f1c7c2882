"""How sure it is that two words are one: the one place that says it, for all rules of discovery.

Rules compare texts by a guess at their words (`anchors.lemmas.lemma`), and a guess takes «банка»
for the genitive of «банк». So what they find is asked here, word by word:

- forms of one word that can be of no other are one: 1;
- what can also be a form of another word, be it seldom («суда» of «судно»), is a guess: `GUESSED`;
- two words of which each is a dictionary form («банка», «банк»), or that can be forms of nothing in
  common, are never one: 0.

Where an adjective tells which word a form is of, it is that one: «чужого вина» is never «чужой
вины».
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import lru_cache

from anchors.discovery.words import (
    readings_of,
    without_article,
    words,
)
from anchors.forms import form, form_key
from anchors.groups import Registry
from anchors.lemmas import RARE, is_russian, lemma, lemmas_of, readings
from anchors.nominal import reading
from forest.phrases import phrase_key

GUESSED = 0.5
"""The score of what is one if its words are forms of the same words («банки», «банк»), and they may
be of others."""
_LEADERS = 32
"""With so many families at most a spelling is compared."""


@lru_cache(maxsize=65536)
def oneness(word: str, other: str) -> float:
    """How sure it is that two words are forms of one: 1, `GUESSED` or 0; both as keys of phrases.

    >>> oneness("банка", "банк"), oneness("банки", "банк"), oneness("рекой", "реки")
    (0.0, 0.5, 1.0)
    """
    if word == other:
        return 1.0
    mine, theirs = set(readings(word, RARE)), set(readings(other, RARE))
    if mine.isdisjoint(theirs):
        return GUESSED if form(word) == form(other) else 0.0
    return 1.0 if len(mine | theirs) == 1 else GUESSED


def sureness(one: str, other: str) -> float:
    """How sure it is that what two texts seem to have in common they have: 1, `GUESSED`, or 0.

    Words that only one of them says are not looked at: how like the two are says another measure.
    """
    mine, theirs = _keys(one), _keys(other)
    least = 0.0 if _name_two(one, other) else 1.0
    for here, there in ((mine - theirs, theirs), (theirs - mine, mine)):
        alike: dict[str, list[str]] = defaultdict(list)
        for word in there if here else ():
            for taken in _taken_for(word):
                alike[taken].append(word)
        for word in here:
            if others := [one for taken in _taken_for(word) for one in alike.get(taken, ())]:
                least = min(least, max(oneness(word, one) for one in others))
    return least


def excluding(registry: Registry, one: str, other: str) -> tuple[str, str] | None:
    """Two anchors that are never one word, and would be one if a guess joined these two.

    «Банки» that was joined with «банк» is no form of «банка», and «суд» and «судно» are not one
    because «судов» may be of either.

    :returns: their ids, or None.
    """
    for guessed, word in ((one, other), (other, one)):
        phrase, said = registry.anchors[guessed].phrase, registry.anchors[word].phrase
        if _alike(phrase, said) == GUESSED:
            for joined in registry.members(guessed):
                third = registry.anchors[joined].phrase
                if _alike(phrase, third) == GUESSED and not _alike(third, said):
                    return joined, word
    return None


def _alike(one: str, other: str) -> float:
    mine, theirs = phrase_key(one), phrase_key(other)
    return sureness(one, other) if " " in mine and " " in theirs else oneness(mine, theirs)


def _name_two(one: str, other: str) -> bool:
    """Whether two phrases name different nouns that look alike, as their adjectives tell."""
    said = [phrase_key(phrase).split() for phrase in (one, other)]
    if not all(words and is_russian(words[0]) for words in said):
        return False
    mine, theirs = map(reading, said)
    if mine is None or theirs is None or not len(mine.head) == len(theirs.head) > 1:
        return False
    nouns = [set(_taken_for(words[len(mine.head) - 1])) for words in said]
    return mine.head[-1] != theirs.head[-1] and not nouns[0].isdisjoint(nouns[1])


@lru_cache(maxsize=256)
def _keys(text: str) -> frozenset[str]:
    return frozenset(map(phrase_key, words(text)))


def _taken_for(word: str) -> Collection[str]:
    """What a word may be taken for, by a rule or an embedder, be it seldom or never that."""
    if not word or word[0].isdigit():
        return (word,)
    return lemmas_of(word) if is_russian(word) else (lemma(word).removesuffix("~e"),)


def sure_score(one: str, other: str, score: float) -> float:
    """The score of a merge of two phrases that a rule found with ``score``; 0 where they never are.

    An article is no guess before several words ("the water cycle"); before one it may turn an
    adjective into a noun ("the good").
    """
    first, second = without_article(one), without_article(other)
    if form_key(first) == form_key(second):
        return max(score, 1.0 if " " in first else GUESSED)
    alike = not set(readings_of(one)).isdisjoint(readings_of(other))
    sure = sureness(one, other)
    return min(score, GUESSED if alike and not _name_two(one, other) else sure)


def families(
    spellings: Mapping[str, int], recurring: Collection[str] = ()
) -> dict[str, tuple[str, float]]:
    """By each spelling of what seems to be one text, the one whose anchor it gets, and how sure.

    :param spellings: how often each is written. The most frequent come first; one that is never one
        with those before it begins a family of its own.
    :param recurring: those that also do so where they are only guessed to be one.
    """
    found: dict[str, tuple[str, float]] = {}
    leaders: list[str] = []
    for spelling in sorted(spellings, key=lambda s: (-spellings[s], s)):
        sure = {leader: sureness(leader, spelling) for leader in leaders[:_LEADERS]}
        best = max(sure, key=lambda leader: sure[leader], default=None)
        least = 1.0 if spelling in recurring else GUESSED
        if best is None or sure[best] < least:
            leaders.append(best := spelling)
            sure[best] = 1.0
        found[spelling] = (best, sure[best])
    return found
