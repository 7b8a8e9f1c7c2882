"""The words of a text as discovery sees them: numbers of their dictionary forms, and flags."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import islice, product

from anchors.lemmas import lemma, readings, stem
from anchors.signs import SIGN
from forest.phrases import ARROW, phrase_key

BREAK, FUNCTION, COVERED, NEGATION, SIGNS = 1, 2, 4, 8, 16
"""Flags of a word: more than white space and quotes stands before it; it is no word of content; it
belongs to the phrase of an anchor; it denies; it is a sign (`anchors.signs`). A sign is no word of
content, and breaks the text."""

_WAYS = 16
"""In how many ways a phrase is read, where its words can be forms of several."""

_LETTERS = r"(?:\w[\u0300-\u036f]*)+"
_WORD = re.compile(
    rf"\d+(?:[.,:/]\d+)+|{_LETTERS}(?:[-‐‑'’]{_LETTERS})*|(?P<arrow>{ARROW})|(?P<sign>{SIGN})"
)
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?!few\b|little\b|lot\b|other\b)(?=\w)")
_BREAK = re.compile(r"[^\s\"'«»„“”‘’]")

# Words that begin or end no phrase. Those of Russian are mostly what pymorphy3 calls PREP, CONJ,
# PRCL and NPRO; both lists add the verbs and adverbs that stand in every text.
_FUNCTION = """
а без бы быть в ваш весь во вот всё все всегда вы где да даже для до другой его ее если есть еще
ещё же за здесь и из или им иметь иначе их к каждый как какой ко когда кто который куда ли лишь мой
мочь мы на над надо наш не него ней некоторый нет ни никто ничто но ну о об один однако он она они
оно от очень по под пока поэтому при про просто раз с сам самый свой себя сейчас со так такой там
твой тем теперь тогда то тоже только тот ты у уже хотя чего чем через что чтобы чуть эта эти это
этот я стать являться можно нужно должен сквозь между перед после ради вне из-за кто-то что-то
потому почему зачем сколько откуда отчего итак ведь именно также либо более менее больше меньше
a about above after again all also am an and any are as at be because been before being below
between both but by can could did do does doing down during each few for from further had has have
having he her here hers him his how i if in into is it its itself just kind may me might more most
must my no nor not now of off on once only or other our out over shall she should so some
such than that the their them then there these they this those through to too under until up upon
very was we were what when where which while who whom why will with without would you your one
"""
_NEGATIONS = """
не ни нет без нельзя никогда никто ничто нигде никакой нету никак
not no never nor without cannot none nothing neither nobody nowhere
don't doesn't didn't isn't aren't wasn't weren't can't won't couldn't shouldn't wouldn't hasn't
"""


_QUANTIFIERS = """
может мочь можно нужно должен надо нельзя can could may might must shall should will would
и или либо and or
только лишь все всё весь каждый всякий любой некоторый иной оба всегда иногда один два три
четыре пять шесть семь восемь девять десять двадцать сто тысяча первый второй последний
only all every each any some both always sometimes usually one two three four five six seven eight
nine ten hundred thousand first second last
"""
# Words without content that a text may have or not and mean the same. All others, such as
# prepositions and pronouns, turn a statement into another one.
_FREE = """
а но же вот даже ведь именно это этот тот такой то весь там так итак есть быть являться стать
который что как когда тогда себя сам самый свой еще уже тоже также просто очень раз мы наш
a an the is are be been being was were am do does did doing that this these those such its it itself
themselves which when then there also very just kind so has have had having as some other
"""


@cache
def _function_words() -> frozenset[str]:
    return frozenset(lemma(phrase_key(word)) for word in f"{_FUNCTION} {_NEGATIONS} →".split())


@cache
def negations() -> frozenset[int]:
    """The numbers of the words that deny."""
    return frozenset(number_of(lemma(phrase_key(word))) for word in _NEGATIONS.split())


@cache
def quantifiers() -> frozenset[int]:
    """The numbers of the words that say how many, how often, how surely, or join and part."""
    return frozenset(number_of(lemma(phrase_key(word))) for word in _QUANTIFIERS.split())


@cache
def free() -> frozenset[int]:
    """The numbers of the words that a text may have or not and mean the same."""
    return frozenset(number_of(lemma(phrase_key(word))) for word in _FREE.split())


def number_of(text: str | bytes) -> int:
    """64 bits that stand for a text, the same on every machine."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def _known(word: str) -> tuple[int, int]:
    """The number of a word's dictionary form, and what of FUNCTION and NEGATION it is."""
    # Numbers seldom recur: in the cache they would only drive words out.
    return (_seen.__wrapped__ if word[0].isdigit() else _seen)(word)


@lru_cache(maxsize=65536)
def _seen(word: str) -> tuple[int, int]:
    # Without the cache of phrase_key, which would hold the same words once more.
    key = phrase_key.__wrapped__(word)
    form = key if not key or key[0].isdigit() else lemma(key)
    is_function = form in _function_words() or (len(form) == 1 and not form.isdigit())
    number = number_of(form)
    return number, FUNCTION * is_function | NEGATION * (number in negations())


def read(text: str) -> tuple[list[int], list[int]]:
    """(numbers, flags) of a text's words, in order."""
    numbers, flags = [], []
    end = 0
    for match in _WORD.finditer(text):
        number, flag = _known(_said(match))
        if match.lastgroup == "sign":
            flag |= FUNCTION | BREAK | SIGNS
        else:
            if _BREAK.search(text, end, match.start()):
                flag |= BREAK
            end = match.end()
        numbers.append(number)
        flags.append(flag)
    return numbers, flags


def says_something(flags: Iterable[int]) -> bool:
    """Whether among words that have these flags is one of content, or a sign: «🜂», "C++"."""
    return any(flag & SIGNS or not flag & FUNCTION for flag in flags)


def _said(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup != "arrow" else "→"


def whole(text: str) -> int:
    """A number for all words of a text in their order, and whether it asks; 0 without words."""
    return whole_of(read(text)[0], text)


def whole_of(numbers: list[int], text: str) -> int:
    """`whole` of a text whose words were read."""
    if not numbers:
        return 0
    return number_of(array("Q", numbers).tobytes() + (b"?" if "?" in text else b""))


def readings_of(text: str) -> list[int]:
    """`whole` of a text for each way to read the forms of its words, the likeliest first.

    An article at its beginning makes no difference. Of very many ways the first are given.
    """
    found = [phrase_key(word) for word in words(without_article(text))]
    ways = product(*(_readings(key) for key in found))
    return [whole_of([number_of(form) for form in way], text) for way in islice(ways, _WAYS)]


def without_article(phrase: str) -> str:
    """The key of a phrase without an article at its beginning, which names the same.

    >>> without_article("The water cycle"), without_article("a few words")
    ('water cycle', 'a few words')
    """
    return _ARTICLE.sub("", phrase_key(phrase))


def stems_of(text: str) -> list[int]:
    """One number for the stems of a text's words of content, and its signs, in order.

    None without such words.
    """
    found = [phrase_key(match[0]) for match in _WORD.finditer(text) if match.lastgroup != "sign"]
    content = [stem(key) for key in found if key and not _known(key)[1] & FUNCTION]
    signs = [phrase_key(match[0]) for match in _WORD.finditer(text) if match.lastgroup == "sign"]
    return [number_of("\0".join([*content, *signs]))] if content else []


def _readings(key: str) -> Sequence[str]:
    return (key,) if not key or key[0].isdigit() else readings(key)


def clause(text: str, place: int) -> tuple[list[str], int]:
    """The keys of the words around one, between punctuation, and its place among them."""
    flags = read(text)[1]
    begin = next((at for at in range(place, 0, -1) if flags[at] & BREAK), 0)
    end = next((at for at in range(place + 1, len(flags)) if flags[at] & BREAK), len(flags))
    return [phrase_key(word) for word in islice(words(text), begin, end)], place - begin


def spans(text: str) -> list[tuple[int, int]]:
    """Where the words of `read` stand in a text."""
    return [match.span() for match in _WORD.finditer(text)]


def words(text: str) -> Iterator[str]:
    """The words of `read` as they are written; arrows are all the same."""
    return map(_said, _WORD.finditer(text))
