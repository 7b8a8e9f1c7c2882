"""Which forms of words are surely one: the second key of a phrase, by which anchors meet.

What meets here is one anchor without anybody's review, so a form joins its word only where nothing
else can be meant:

- Of several Russian words only a noun phrase has forms, and they are those of its head
  (`anchors.nominal`): «чужой боли» is «чужая боль», «матери дочь» is not «мать дочери». Joined by a
  comma, a dash or «и», all must be in one case; the sides of an arrow or a plus go their own ways.
- A single Russian form stands for the one lexeme of pymorphy3's dictionary whose form it can be:
  «следствия» for «следствие». A form that is a word of its own, such as a nominative or an
  infinitive, always stands for that: «вина» never for «вино», «духи» (a perfume) never for «дух»;
  where it seldom is that (`OWN`), for itself alone: «мести» neither for «месть» nor with «метёт».
  What can be a form of two words and is neither, such as «банки», stands for itself, unless nearly
  all of its occurrences in the dictionary's corpus are of one, and that is no verb (`SURE`), and
  hardly any of another noun (`RARE`: «века» of «веко»; «суда» is of «судно» too often). So do
  comparatives and superlatives; participles stand for a voice of their verb. Some adverbs that are
  the instrumental of a noun («утром», «шагом») are forms of it.
- An English plural, a third person or a possessive in -s stands for its word (`anchors.plurals`):
  "causes" and "cause's" for "cause", "crises" for "crisis". What can be of two words ("lives",
  "leaves") stands for itself. Nothing else does: "meaning" is not
  "mean", "moral" not "morale", and "related" is as much an adjective as a form of "relate".

Guesses that are coarser (`anchors.lemmas`) serve discovery, which only proposes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache

from anchors.lemmas import OWN, RARE, parses
from anchors.nominal import AS_NOUNS, SURE, VERB, cases, reading, word_of
from anchors.plurals import singular
from forest.phrases import PICTURED_ARROWS, phrase_key

_WORD = re.compile(r"\b(?:[а-я]+(?:-[а-я]+)*|[a-z]+(?:'[a-z]+)?)\b")
_LATIN = re.compile(r"\b[a-z]+(?:'[a-z]+)?\b")
_CYRILLIC = re.compile("[а-я]")
# What stands between phrases that are each in a case of their own, and in one case.
_APART = re.compile(r"(\s*[^\w\s',.:;()\[\]{}!…-]+\s*)")
_JOINING = re.compile(r"(,\s*|\s+-\s+|\s+(?:и|или|либо)\s+)")
_HYPHEN = re.compile(r"(?<![\w-])[а-я]+[ое]-([а-я]+)(?![\w-])")
_WITHIN = "\N{NON-BREAKING HYPHEN}"
_NAME = 0.02
"""A first name is a word of its own where it has this share: «Марк», but not «Света» in «света»."""

# Format characters (soft hyphen, zero width) and the selectors of an emoji's looks.
_UNSEEN = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe0e\ufe0f\ufeff]"
)
_ARROWS = re.compile(f"[{PICTURED_ARROWS}]")
_QUOTES = re.compile(r"\"|(?<!\w)'|'(?!\w)")
_ENDS = " !.…,;:"
_OPTIONAL = re.compile(r"(?<=[а-я]) - (?=(?:не|это|вот|значит) )")
"""A dash that authors write or leave out before these words, as they like."""


@lru_cache(maxsize=65536)
def form_key(phrase: str) -> str:
    """The key of a phrase with each word in the form it stands for.

    Beyond `phrase_key`, quotes, what is not seen, spaces around a dash, a dash before «не» or
    «это», and an exclamation mark, ellipsis or comma at the end make no difference; a question mark
    does.

    >>> form_key("причинности -> следствия") == form_key("«Причинность» → «следствие»!")
    True
    >>> form_key("вина") == form_key("вино")
    False
    """
    seen = _ARROWS.sub("→", _UNSEEN.sub("", phrase))
    key = _QUOTES.sub("", phrase_key(seen))
    key = _HYPHEN.sub(_hyphen, key).replace("-", " - ").replace(_WITHIN, "-")
    key = " ".join(key.split()).strip(_ENDS) or phrase_key(phrase)
    parts = _APART.split(_OPTIONAL.sub(" ", key))
    return "".join(part if at % 2 else _part(part) for at, part in enumerate(parts))


def declined(phrase: str) -> int:
    """How many of its words, adjectives aside, are no dictionary form: «любви» is one, «любовь» 0.

    >>> declined("чужой боли"), declined("чужая боль"), declined("causes")
    (1, 0, 1)
    """
    said, forms = phrase_key(phrase).split(), form_key(phrase).split()
    if len(said) != len(forms):
        return 1
    changed = [word for word, form in zip(said, forms, strict=True) if word != form]
    return sum(all(p.tag.POS not in ("ADJF", "PRTF") for p in parses(w)) for w in changed)


@lru_cache(maxsize=65536)
def form(word: str) -> str:
    """What a word, in lower case and with е for ё, stands for. Two that are one give the same."""
    return _russian_form(word, RARE) if _CYRILLIC.match(word) else singular(word)


@lru_cache(maxsize=65536)
def likely_form(word: str) -> str:
    """`form`, where other nouns may be as likely as anything else: a guess, of 95% at least.

    >>> form("суда"), likely_form("суда"), likely_form("банки")
    ('суда', 'суд', 'банки')
    """
    return _russian_form(word, 1 - SURE) if _CYRILLIC.match(word) else singular(word)


def _hyphen(word: re.Match[str]) -> str:
    """A compound adjective («причинно-следственный») is one word, whose last part has forms."""
    compound = parses(word[1])[0].tag.POS in ("ADJF", "ADJS")
    return word[0].replace("-", _WITHIN) if compound else word[0]


def _part(part: str) -> str:
    """What stands between arrows, with the heads of its phrases in the form they stand for."""
    if _CYRILLIC.search(part):
        pieces = _JOINING.split(part)
        if heads := _heads(pieces[::2]):
            pieces[::2] = heads
            part = "".join(pieces)
        elif whole := _heads([part]):  # «и» stands in what the head governs
            part = whole[0]
    return _LATIN.sub(lambda word: singular(word[0]), part)


# --- Russian --------------------------------------------------------------------------------------


def _heads(phrases: list[str]) -> list[str] | None:
    """Phrases in one case, each with its head in the form it stands for; None if they are none.

    What is governed ends a list: in «надежда отца и матери» the heads are not hope and mother.
    """
    read = [_declined(phrase.split()) for phrase in phrases]
    found = [(form, cases) for form, cases, _ in filter(None, read)]
    if len(found) < len(phrases) or any(one and one[2] for one in read[:-1]):
        return None
    shared = frozenset.intersection(*(cases for _, cases in found))
    return [form for form, _ in found] if shared or len(found) == 1 else None


def _declined(words: list[str]) -> tuple[str, frozenset[str], bool] | None:
    """(the form it stands for, its cases, whether its head governs something) of a phrase."""
    if len(words) == 1:
        return _WORD.sub(lambda word: form(word[0]), words[0]), cases(words[0]), False
    found = reading(words) if words else None
    return found and (" ".join(found.head + found.tail), found.cases, bool(found.tail))


def _russian_form(word: str, most: float) -> str:
    """:param most: the share of its occurrences that may be of another noun."""
    words: dict[str, float] = defaultdict(float)
    named: dict[str, float] = defaultdict(float)
    own: set[str] = set()
    there = parses(word)
    nouns = [p for p in there if p.tag.POS == "NOUN"]
    # An adjective alone names nothing where the same is a noun: «прошлого» is of «прошлое».
    made = nouns and any(str(p.normal_form).endswith(("ое", "ее")) for p in nouns)
    for parsed in [p for p in there if p.tag.POS not in ("ADJF", "PRTF")] if made else there:
        if word in AS_NOUNS and parsed.tag.POS != "NOUN":
            continue
        one = word_of(word, parsed)
        words[one] += parsed.score
        if parsed.tag.POS == "NOUN" and "Name" not in parsed.tag:
            named[one] += parsed.score
        if one.partition("~")[0] == word and not ("Name" in parsed.tag and parsed.score < _NAME):
            own.add(one)
    if own:
        # Of a noun and a verb that look alike neither is meant for sure.
        one = own.pop() if len(own) == 1 else f"{word}~"
        return word if words.get(one, 1.0) < OWN else one
    best = max(words, key=lambda one: (words[one], one), default=word)
    others = sum(share for one, share in named.items() if one != best)
    sure = words[best] >= SURE * sum(words.values()) and others <= most
    return best if len(words) == 1 or (sure and not best.endswith(VERB)) else word
