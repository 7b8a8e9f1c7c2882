"""A good guess at the words of a text without their endings: for comparing, not for joining.

Russian words become lemmas (pymorphy3, OpenCorpora's dictionary, of several the likeliest), English
ones stems (Snowball); all else stays as `forest.phrases.phrase_key` left it. What makes another
word of a word is kept: "electricity" and "electrical" stay apart, so do «видящий» and «видимый».
What surely are forms of one word is said by `anchors.forms`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache, lru_cache
from typing import Any

from anchors.plurals import plural_of, singular
from forest.phrases import phrase_key

_WORD = re.compile(r"[а-я]+(?:-[а-я]+)*|[a-z]+(?:'[a-z]+)?")
_CYRILLIC = re.compile("[а-я]")
_CONTENT = frozenset(["NOUN", "ADJF", "INFN"])
_LIKELY = 0.1
"""The share of a form's occurrences from which on a reading counts where nothing else is said."""
OWN = 0.18
"""The share from which on a form that is also a word of its own stands for that alone."""
RARE = 0.02
"""The same for a noun in the nominative singular: «банка» is not «банк»."""
# A suffix that makes another word of a word, with any ending that only inflects it.
_DERIVED = re.compile(
    "(it|ic|al|ly|ion|iv|ment|ness|abl|ibl|ous|ful|less|ism|ist|anc|enc|er|or|iz|is)"
    "(?:e|ed|es|ing|y|ies|s)?(?:'s?)?$"
)

_OF_ANOTHER = re.compile("..a[ln]e$")
"""Humane is not human, nor morale moral; their stems are the same."""


def lemmas(text: str) -> list[str]:
    """The words of a text in their dictionary form, in order."""
    return [lemma(word) for word in _WORD.findall(phrase_key(text))]


@lru_cache(maxsize=262144)
def lemma(word: str) -> str:
    """The dictionary form of a Russian word, the stem of an English one, both in lower case.

    Behind ``~`` stands what makes another word of it.
    """
    if not _CYRILLIC.match(word):
        return _stem(word)
    return _russian_lemma(parses(word)[0])


@lru_cache(maxsize=65536)
def readings(word: str, least: float = _LIKELY) -> tuple[str, ...]:
    """What a word in lower case may be a form of, the likeliest first.

    What is a nominative or an infinitive, and not seldom so, is that alone.

    :param least: the share of a Russian form's occurrences from which on a reading counts.

    >>> readings("путем"), readings("axes"), readings("вина"), readings("банки")
    (('путем', 'путь'), ('axi~is', 'axe'), ('вина',), ('банк', 'банка'))
    """
    if not _CYRILLIC.match(word):
        return tuple(
            dict.fromkeys(one for w in plural_of(word) or (word,) for one in _english_readings(w))
        )
    if _is_own(word):
        return (word,)
    shares: dict[str, float] = defaultdict(float)
    for parsed in parses(word):
        shares[_russian_lemma(parsed)] += parsed.score
    return tuple(dict.fromkeys([lemma(word), *(one for one in shares if shares[one] >= least)]))


@lru_cache(maxsize=32768)
def lemmas_of(word: str) -> frozenset[str]:
    """All that a Russian word in lower case can be a form of, however seldom.

    >>> sorted(lemmas_of("часы"))
    ['час', 'часы']
    """
    return frozenset(map(_russian_lemma, parses(word)))


def is_russian(word: str) -> bool:
    """Whether a word in lower case begins with a Russian letter."""
    return _CYRILLIC.match(word) is not None


def _english_readings(word: str) -> tuple[str, ...]:
    """The stem; an -e at the end is the word's own, but before -ed and -ing it may be left out."""
    stem = lemma(word)
    if singular(word) in (f"{stem}e", stem):
        return (singular(word),)
    return (stem, f"{stem}e") if word.endswith(("ed", "ing")) else (stem,)


def _is_own(word: str) -> bool:
    """Whether a form is not seldom a dictionary form; of a noun in the singular also if it is."""
    own = [p for p in parses(word) if _spelled(p.normal_form) == word and "Name" not in p.tag]
    nouns = [p for p in own if p.tag.POS == "NOUN" and p.tag.number == "sing"]
    content = [p for p in own if p.tag.POS in _CONTENT]
    return _share(nouns) >= RARE or _share(content) >= OWN


def _share(some: list[Any]) -> float:
    return sum((float(p.score) for p in some), 0.0)


def stem(word: str) -> str:
    """The bare Snowball stem of an English word in lower case, the dictionary form of a Russian.

    >>> stem("causing") == stem("causes"), stem("moral") == stem("morale")
    (True, True)
    """
    return lemma(word) if _CYRILLIC.match(word) else str(_english().stemWord(singular(word)))


def _russian_lemma(parsed: Any) -> str:
    # The key has е for ё, and the dictionary knows both.
    form = _spelled(parsed.normal_form)
    return f"{form}~{parsed.tag.voice}" if parsed.tag.POS in ("PRTF", "PRTS") else form


def _spelled(word: str) -> str:
    return word.replace("ё", "е")


def _stem(word: str) -> str:
    """Snowball's stem; where it cuts off more than an inflection, that is put behind it.

    >>> _stem("reflections") == _stem("reflection") != _stem("reflected")
    True
    """
    word = singular(word)
    stem = str(_english().stemWord(word))
    if _OF_ANOTHER.search(word):
        return f"{stem}~e"
    made = _DERIVED.search(word)
    return stem if made is None or stem.endswith(made[1]) else f"{stem}~{made[1]}"


@lru_cache(maxsize=32768)
def parses(word: str) -> tuple[Any, ...]:
    """What a Russian word in lower case can be a form of, the likeliest first (pymorphy3).

    What only its ending hints at is left out where the dictionary knows what is behind a prefix:
    «нейросеть» is a «сеть», and no verb.
    """
    found = _russian().parse(word)
    known = [p for p in found if not type(p.methods_stack[0][0]).__name__.startswith("Fake")]
    return tuple(known or found)


@cache
def _russian() -> Any:
    """pymorphy3's analyzer, opened once."""
    import pymorphy3

    return pymorphy3.MorphAnalyzer(lang="ru")


@cache
def _english() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")
