"""Which forms of words are surely one: the second key of a phrase, by which anchors meet.

What meets here is one anchor without anybody's review, so a form joins its word only where nothing
else can be meant:

- A Russian form stands for the one lexeme of pymorphy3's dictionary that it can be a form of:
  «следствия» for «следствие». A form that is a word of its own, such as a nominative or an
  infinitive, always stands for that: «вина» never for «вино», «духи» (a perfume) never for «дух».
  What can be a form of two words and is neither, such as «банки», stands for itself, unless nearly
  all of its occurrences in the dictionary's corpus are of one, and that is no verb (`_SURE`). So do
  comparatives and superlatives; participles stand for a voice of their verb. The times of day and
  year said as adverbs («утром», «весною») are forms of their nouns.
- An English plural, a third person or a possessive in -s stands for its word (`anchors.plurals`):
  "causes" and "cause's" for "cause", "crises" for "crisis". Nothing else does: "meaning" is not
  "mean", "moral" not "morale", and "related" is as much an adjective as a form of "relate".

Guesses that are coarser (`anchors.lemmas`) serve discovery, which only proposes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import Any

from anchors.lemmas import russian
from anchors.plurals import singular
from forest.phrases import phrase_key

_WORD = re.compile(r"\b(?:[а-я]+|[a-z]+(?:'[a-z]+)?)\b")
_CYRILLIC = re.compile("[а-я]")
_SURE = 0.95
"""The share of a form's occurrences that must be of one word, where it can be of several."""
_RARE = 0.02
"""A first name is a word of its own where it has this share: «Марк», but not «Света» in «света»."""

# Format characters (soft hyphen, zero width) and the selectors of an emoji's looks.
_UNSEEN = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe0e\ufe0f\ufeff]"
)
_ARROWS = re.compile("➡|⮕|🡒|🠖")
_QUOTES = re.compile(r"\"|(?<!\w)'|'(?!\w)")
_ENDS = " !.…,;:"


@lru_cache(maxsize=65536)
def form_key(phrase: str) -> str:
    """The key of a phrase with each word in the form it stands for.

    Beyond `phrase_key`, quotes, what is not seen, spaces around a dash, and an exclamation mark,
    ellipsis or comma at the end make no difference; a question mark does.

    >>> form_key("причинности -> следствия") == form_key("«Причинность» → «следствие»!")
    True
    >>> form_key("вина") == form_key("вино")
    False
    """
    seen = _ARROWS.sub("→", _UNSEEN.sub("", phrase))
    key = _QUOTES.sub("", phrase_key(seen)).replace("-", " - ")
    key = " ".join(key.split()).strip(_ENDS) or phrase_key(phrase)
    return _WORD.sub(lambda word: form(word[0]), key)


@lru_cache(maxsize=65536)
def form(word: str) -> str:
    """What a word, in lower case and with е for ё, stands for. Two that are one give the same."""
    return _russian_form(word) if _CYRILLIC.match(word) else singular(word)


# --- Russian --------------------------------------------------------------------------------------

_TIMES = frozenset(
    ["утром", "вечером", "ночью", "днем", "весной", "весною", "летом", "осенью", "зимой", "зимою"]
)
_VERB = "~v"


def _russian_form(word: str) -> str:
    words: dict[str, float] = defaultdict(float)
    own: set[str] = set()
    for parsed in russian().parse(word):
        if word in _TIMES and parsed.tag.POS != "NOUN":
            continue
        one = _word_of(word, parsed)
        words[one] += parsed.score
        if one.partition("~")[0] == word and not ("Name" in parsed.tag and parsed.score < _RARE):
            own.add(one)
    if own:
        # Of a noun and a verb that look alike neither is meant for sure.
        return own.pop() if len(own) == 1 else f"{word}~"
    best = max(words, key=lambda one: (words[one], one), default=word)
    sure = words[best] >= _SURE * sum(words.values()) and not best.endswith(_VERB)
    return best if len(words) == 1 or sure else word


def _word_of(word: str, parsed: Any) -> str:
    """The lexeme of a parse: its dictionary form, and what tells it from others that share it."""
    tag = parsed.tag
    if tag.POS == "COMP" or "Supr" in tag:
        return word
    # The key has е for ё, and the dictionary knows both.
    normal = str(parsed.normal_form).replace("ё", "е")
    if tag.POS == "NOUN" and tag.number == "sing" and tag.gender != parsed.normalized.tag.gender:
        return word  # «супруга» is counted among the forms of «супруг»
    if tag.POS in ("PRTF", "PRTS"):
        return f"{normal}~{tag.voice}"
    return normal + _VERB if tag.POS in ("INFN", "VERB", "GRND") else normal
