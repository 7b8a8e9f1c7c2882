"""Phrases within thoughts: those of anchors that stand unmarked, and new ones that recur."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anchors.discovery.known import Known
from anchors.discovery.naming import stands
from anchors.discovery.scratch import Chunk, Column, Sorter, Thoughts, groups
from anchors.discovery.set_phrases import SetPhrase, set_phrases
from anchors.discovery.sureness import GUESSED, families
from anchors.discovery.whole import Mark
from anchors.discovery.words import (
    BREAK,
    COVERED,
    FUNCTION,
    NEGATION,
    SIGNS,
    clause,
    negations,
    read,
    says_something,
    spans,
)
from anchors.forms import form_key, likely_form
from anchors.nominal import reading
from anchors.signs import are_changed
from forest.model import Anchor
from forest.phrases import phrase_key

SHORTEST, LONGEST = 2, 6
NPMI = 0.5
"""A new phrase's words meet at least so much more often than by chance, from -1 to 1.

The normalised pointwise mutual information (Bouma 2009), for n words: ln(p / (p1 … pn)) divided by
-(n - 1) ln p, where p are shares of all words of the forest. Its score is that times `_discount`.
"""
MOST_TREES = 0.05
"""A new phrase that stands in a larger share of the trees, and in more than 20, is everyday."""
_FEW_TREES = 20

_RUSSIAN = re.compile("[а-я]+")
_WITHIN = frozenset("a an the of and or in on for from to between with".split())  # noqa: SIM905

_JOINERS = "\ufe0f\u200d"
"""What makes one emoji of several, or a picture of a sign."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Hit(NamedTuple):
    """The phrase of an anchor, as it stands in a thought."""

    thought: int
    anchor: str
    phrase: str
    exact: bool
    marked: bool
    score: float
    """How sure it is that it says what the anchor does; see `anchors.discovery.naming`."""


def _grams(chunk: Chunk, length: int) -> Column:
    """A number for each run of so many words; it means nothing where the thought ends before."""
    count = max(len(chunk.word) - length + 1, 0)
    found = np.zeros(count, np.uint64)
    for i in range(length):
        found = found * _FACTOR + chunk.word[i : count + i]
    return found


def _gram(numbers: Iterable[int]) -> int:
    found = 0
    for number in numbers:
        found = (found * int(_FACTOR) + number) % 2**64
    return found


# --- anchors' phrases -----------------------------------------------------------------------------


def standing(thoughts: Thoughts, anchors: Iterable[Anchor], known: Known) -> Iterator[Hit]:
    """Where the phrases of anchors stand, marked or not, on whole words in any of their forms.

    Of phrases that overlap the longest counts, of equal ones the first. What stands in a longer
    set phrase (`set_phrases`) does not mean what it says, and is left out.
    """
    wanted = _wanted(anchors)
    for chunk in thoughts.chunks():
        places: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for length, grams in wanted.items():
            found = _grams(chunk, length)
            keys = np.fromiter(grams, np.uint64, len(grams))
            fits = np.isin(found, keys) & (chunk.left[: len(found)] >= length)
            for i in np.flatnonzero(fits):
                place = int(chunk.place[i])
                places[int(chunk.thought[i])].append((-length, place, int(found[i])))
        for number in sorted(places):
            yield from _hits(thoughts, number, sorted(places[number]), wanted, known)


def _wanted(anchors: Iterable[Anchor]) -> dict[int, dict[int, list[Anchor]]]:
    """Anchors by the number of their words and the number that stands for these."""
    wanted: dict[int, dict[int, list[Anchor]]] = defaultdict(lambda: defaultdict(list))
    for anchor in anchors:
        if anchor.kind != "phrase":
            continue
        numbers, flags = read(anchor.phrase)
        if says_something(flags):
            wanted[len(numbers)][_gram(numbers)].append(anchor)
    return wanted


def _hits(
    thoughts: Thoughts,
    number: int,
    places: list[tuple[int, int, int]],
    wanted: Mapping[int, Mapping[int, list[Anchor]]],
    known: Known,
) -> Iterator[Hit]:
    thought = thoughts[number]
    where = spans(thought.text)
    fixed = set_phrases(thought.text)
    taken: set[int] = set()
    for minus, place, gram in places:
        words = range(place, place - minus)
        if not taken.isdisjoint(words) or _stands_in_longer(words, fixed):
            continue
        begin, end = where[words[0]][0], where[words[-1]][1]
        phrase = thought.text[begin:end]
        if are_changed(thought.text, begin, end) or _cuts_signs(thought.text, where, words):
            continue
        fits = _fitting(phrase, wanted[-minus][gram])
        if fits:
            taken.update(words)
            thoughts.cover(number, place, -minus)
            key = phrase_key(phrase)
            is_sure = form_key(fits[0].phrase) == form_key(phrase)
            meant = known.anchor_of(phrase if is_sure else fits[0].phrase)
            if meant is None:
                continue  # spelled alike, and meant are several
            head = known.registry.head(meant)
            fits = [a for a in fits if known.registry.head(a.id) == head] or fits
            best = min(fits, key=lambda a: (phrase_key(a.phrase) != key, -a.trees, a.id))
            if len(words) == len(where):
                score = 1.0 if is_sure else GUESSED
            else:
                score = stands(*clause(thought.text, place), -minus, phrase_key(best.phrase))
            yield Hit(
                number,
                best.id,
                phrase,
                phrase_key(best.phrase) == key,
                known.is_marked(thought.anchors, best.id),
                score,
            )


def _fitting(phrase: str, anchors: Sequence[Anchor]) -> list[Anchor]:
    """The anchors that say the same words; of a single word else those whose form it likely is."""
    form = form_key(phrase)
    if fits := [a for a in anchors if form_key(a.phrase) == form]:
        return fits
    if " " in form:
        return []
    likely = likely_form(phrase_key(phrase))
    return [a for a in anchors if likely_form(phrase_key(a.phrase)) == likely]


def _cuts_signs(text: str, where: Sequence[tuple[int, int]], words: range) -> bool:
    """Whether a sign at the edge of some words is written together with one beside them.

    Signs that are written together are one, as letters are: «🫁🜂⟁» is not «🜂», nor "C++" "+".
    """
    for one, other in ((words[0] - 1, words[0]), (words[-1], words[-1] + 1)):
        if one < 0 or other == len(where) or text[where[one][1] : where[other][0]].strip(_JOINERS):
            continue
        flags = read(text)[1]
        if flags[one] & flags[other] & SIGNS:
            return True
    return False


def _stands_in_longer(words: range, fixed: Iterable[SetPhrase]) -> bool:
    """Whether one of the set phrases has all these words, and more.

    A word in a place where any may stand means what it says.
    """
    return any(phrase.length > len(words) and phrase.fixed.issuperset(words) for phrase in fixed)


# --- new phrases ----------------------------------------------------------------------------------


def new_phrases(thoughts: Thoughts, folder: Path, npmi: float = NPMI) -> Iterator[Mark]:
    """Marks of runs of 2 to 6 words that recur in two trees or more.

    They begin and end with words of content, cross no punctuation, meet more often than by chance
    (``npmi``), name something (`names`), and stand in no more than a twentieth of the trees (or
    20). What is denied begins with the word that denies it («не чужая боль»), if two words of
    content follow. Of runs within longer ones only those are taken that stand elsewhere too; a
    passage of more than six words is no phrase, nor is what stands nowhere else. What the phrases
    of anchors cover, and whole thoughts that recur, is left to `standing` and `recurring`.
    """
    counts = _word_counts(thoughts, folder)
    within: dict[int, int] = defaultdict(int)
    for length in range(LONGEST + 1, SHORTEST - 1, -1):
        for gram, places in _recurring_grams(thoughts, folder, length, counts):
            if len(places) <= within[gram]:
                continue
            number, place = places[0]
            words = read(thoughts[number].text)[0][place : place + length]
            often = [counts[word] for word in words]
            together = _npmi(often, len(places), thoughts.words)
            if together < npmi and length <= LONGEST:
                continue
            for part in _parts(words):
                within[part] = max(within[part], len(places))
            named = [at for at in places if names(_phrase(thoughts[at[0]].text, at[1], length))]
            trees = len({int(thoughts.tree[number]) for number, _ in named})
            if length <= LONGEST and trees > 1:
                score = min(together, 1.0) * _discount(trees, min(often))
                yield from _marks(thoughts, named, length, score)


def names(phrase: str) -> bool:
    """Whether a run of words can name something: no verb, preposition or conjunction leads it on.

    In Russian it is a noun phrase, denied or not; of English only the words without content within
    it are looked at.
    """
    said = phrase_key(phrase).split()
    if not all(map(_RUSSIAN.fullmatch, said)):
        return all(word in _WITHIN for word in said[1:-1] if all(read(word)[1]))
    return reading(said[1:] if said[0] in ("не", "ни") else said) is not None


def _word_counts(thoughts: Thoughts, folder: Path) -> dict[int, int]:
    """How often each word stands in the forest that stands in two trees or more."""
    sorter = Sorter(folder, "words")
    for chunk in thoughts.chunks():
        sorter.add(chunk.word, chunk.thought)
    counts: dict[int, int] = {}
    for records in sorter.parts():
        found = groups(records, thoughts.tree)
        for group in np.flatnonzero(found.trees > 1):
            key = int(records["key"][found.begin[group]])
            counts[key] = int(found.end[group] - found.begin[group])
    return counts


def _recurring_grams(
    thoughts: Thoughts, folder: Path, length: int, counts: Mapping[int, int]
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """(number, [(thought, place)]) of the runs of so many words that may be phrases."""
    recurring = np.fromiter(counts, np.uint64, len(counts))
    sorter = Sorter(folder, f"runs-{length}")
    for chunk in thoughts.chunks():
        grams = _grams(chunk, length)
        fits = _may_be_phrase(chunk, length, np.isin(chunk.word, recurring))
        sorter.add(grams[fits], chunk.thought[: len(grams)][fits], chunk.place[: len(grams)][fits])
    most = max(_FEW_TREES, MOST_TREES * len(thoughts.trees))
    for records in sorter.parts():
        found = groups(records, thoughts.tree)
        for group in np.flatnonzero((found.trees > 1) & (found.trees <= most)):
            run = records[found.begin[group] : found.end[group]]
            first = np.unique(run["thought"], return_index=True)[1]
            if len(np.unique(thoughts.lemma[run["thought"]])) > 1:
                yield (
                    int(run["key"][0]),
                    [(int(one["thought"]), int(one["place"])) for one in run[first]],
                )


def _may_be_phrase(chunk: Chunk, length: int, recurs: Column) -> Column:
    """At which words a run begins that is in one thought and whose edges are words of content.

    One that is denied begins with what denies it, which is no word of content. The edges of a
    passage, which is no phrase, may be any words.
    """
    count = max(len(chunk.word) - length + 1, 0)
    fits: Column = chunk.left[:count] >= length
    free = np.zeros(count, bool)
    for i in range(length):
        flag = chunk.flag[i : count + i]
        fits &= recurs[i : count + i]
        free |= (flag & COVERED) == 0
        if i == length - 1 and length <= LONGEST:
            fits &= (flag & FUNCTION) == 0
        if i:
            fits &= (flag & BREAK) == 0
    return fits & free & _may_begin(chunk, length)[:count]


def _may_begin(chunk: Chunk, length: int) -> Column:
    """At which words a run of so many words may begin."""
    if length > LONGEST:
        return np.ones(len(chunk.word), bool)
    content, denies = (chunk.flag & FUNCTION) == 0, (chunk.flag & NEGATION) != 0
    denied = np.zeros(len(chunk.word), bool)
    denied[1:] = denies[:-1] & (chunk.place[1:] > 0) & ((chunk.flag[1:] & BREAK) == 0)
    begins: Column = content & ~denied
    if length <= SHORTEST:
        return begins
    # The next one is of content: there is no other reason for «не» at the beginning of a phrase.
    before_content = np.append(content[1:], np.zeros(1, bool))
    begins |= denies & before_content
    return begins


def _npmi(counts: list[int], together: int, total: int) -> float:
    """How much more often words meet than by chance; see `NPMI`."""
    share = math.log(together / total)
    alone = sum(math.log(count / total) for count in counts)
    return (share - alone) / (-(len(counts) - 1) * share) if share else 0.0


def _discount(trees: int, rarest: int) -> float:
    """What of a score is left where little was counted: 0.44 of what stands just twice.

    The factor of Pantel and Lin, "Discovering word senses from text" (2002): for the count of all
    words together, here the trees, as one tree may repeat itself, and that of the rarest word.
    """
    return trees / (trees + 1) * rarest / (rarest + 1)


def _parts(words: list[int]) -> Iterator[int]:
    """The numbers of all shorter runs within a run that may be phrases there."""
    for length in range(SHORTEST, len(words)):
        for i in range(len(words) - length + 1):
            if not (i and words[i - 1] in negations()):
                yield _gram(words[i : i + length])


def _marks(
    thoughts: Thoughts, places: list[tuple[int, int]], length: int, score: float
) -> Iterator[Mark]:
    texts = [_phrase(thoughts[number].text, place, length) for number, place in places]
    keys = [phrase_key(text) for text in texts]
    family = families(Counter(keys))
    trees = [int(thoughts.tree[number]) for number, _ in places]
    for i, (number, _) in enumerate(places):
        anchor, sure = family[keys[i]]
        others = [
            j for j, tree in enumerate(trees) if tree != trees[i] and family[keys[j]][0] == anchor
        ]
        other = next((j for j in others if keys[j] == keys[i]), others[0] if others else None)
        if other is not None:
            yield Mark(number, anchor, texts[i], places[other][0], "phrase", min(score, sure))


def _phrase(text: str, place: int, length: int) -> str:
    where = spans(text)
    return text[where[place][0] : where[place + length - 1][1]]
