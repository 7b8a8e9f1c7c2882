"""Probes of stitches: does a model that stands at an anchor in one tree go on in another?

The walks of a corpus tell what stands before an anchor in a tree and what follows it there. A probe
puts the beginning of one tree before the continuations in others. No candidate stands in the
prompt: it would only have to be copied. Pairs that were held out are the corpus's own probes, where
it has any: no record says both thoughts. Of a corpus without them, they are pairs that no walk
shows.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from training.corpus import Corpus
from training.errors import CorpusError
from training.formats import as_text

SEEN, HELD_OUT = "seen", "held out"
DISTRACTORS = 9
CLOSE = 30
"""The distractors are drawn from so many that are lexically closest to the anchor."""
_PROMPT = 700
"""Characters of a prompt at most; what stands nearest to the anchor is kept."""


class Probe(NamedTuple):
    """One question: tree X stands at an anchor; what comes?"""

    anchor: str
    source: str
    """Id of the thought of X."""
    target: str
    """Id of the thought of Y."""
    group: str
    """Whether a walk of the corpus jumps from the one to the other (`SEEN`) or not (`HELD_OUT`)."""
    prompt: str
    """X up to its thought, a line each."""
    request: str
    """What is said after the prompt to ask for a jump."""
    other: str
    """What follows the anchor in Y."""
    own: str | None
    """What follows it in X, or None where nothing does or it says the same."""
    others: tuple[str, ...]
    """What follows it in all trees but X."""
    distractors: tuple[str, ...]
    """What follows other anchors, lexically close to this one."""


Occurrence = tuple[str, str]
"""Ids of an anchor and of a thought that carries it."""


@dataclass
class _Told:
    """What walks tell of occurrences."""

    before: dict[Occurrence, list[str]] = field(default_factory=dict)
    after: dict[Occurrence, list[str]] = field(default_factory=dict)
    trees: dict[Occurrence, str] = field(default_factory=dict)
    phrases: dict[str, str] = field(default_factory=dict)
    jumps: set[tuple[str, str, str]] = field(default_factory=set)
    marker: str = ""
    restated: bool = False


def probes(corpus: Corpus, most: int = 150, *, seed: int = 7) -> list[Probe]:
    """Up to ``most`` probes of each group, chosen by the seed.

    Raises CorpusError where the corpus has neither probes nor walks, or too few to ask anything.
    """
    told = _told(corpus)
    held = [_held_out(probe) for probe in corpus.probes()]
    if not told.jumps and not held:
        raise CorpusError(
            f"the corpus {corpus.path} has no walks, so there is no stitch to probe",
            hint="Give the corpus with walks, also for a mask that was trained on paths alone.",
        )
    draw = random.Random(seed)
    found: dict[str, list[Probe]] = {
        HELD_OUT: draw.sample(held, min(most, len(held))),
        SEEN: [],
    }
    for anchor, source, target in _pairs(told, draw):
        group = SEEN if (anchor, source, target) in told.jumps else HELD_OUT
        if len(found[group]) < most and not (held and group == HELD_OUT):
            probe = _probe(told, anchor, source, target, group, draw)
            found[group] += [probe] if probe else []
    if not any(found.values()):
        raise CorpusError(
            f"the walks of {corpus.path} are too few for a probe",
            hint="Expected an anchor in three trees or more, and other anchors to distract with.",
        )
    return [probe for group in found.values() for probe in group]


def _held_out(probe: dict[str, Any]) -> Probe:
    """A probe as the corpus tells it."""
    return Probe(
        probe["anchor"],
        probe["source"]["thought"],
        probe["target"]["thought"],
        HELD_OUT,
        probe["prompt"],
        probe["request"],
        probe["answer"]["text"],
        probe["own"]["text"] if probe["own"] else None,
        tuple(sorted({one["text"] for one in [probe["answer"], *probe["others"]]})),
        tuple(one["text"] for one in probe["distractors"]),
    )


# --- what walks tell ------------------------------------------------------------------------------


def _told(corpus: Corpus) -> _Told:
    told = _Told()
    for record in corpus.records("train"):
        if record.get("meta", {}).get("kind") == "walk":
            _listen(told, record)
    return told


def _listen(told: _Told, record: dict[str, Any]) -> None:
    """Take over the jumps of a walk, and the texts on either side of each."""
    told_as_text = as_text(record)
    if told_as_text is None:
        return
    text, meta = told_as_text["text"], told_as_text["meta"]
    jumps = iter(meta["jumps"])
    jump: dict[str, str] | None = None
    segment: list[str] = []

    def landed() -> None:
        if jump is not None:
            told.after.setdefault((jump["anchor"], jump["to"]), segment)

    for span in meta["spans"]:
        words = text[span["start"] : span["end"]]
        if span["role"] == "marker":
            landed()
            jump = next(jumps)
            anchor = jump["anchor"]
            told.jumps.add((anchor, jump["from"], jump["to"]))
            told.before.setdefault((anchor, jump["from"]), segment)
            told.trees[anchor, jump["from"]] = jump["from_tree"]
            told.trees[anchor, jump["to"]] = jump["to_tree"]
            told.phrases.setdefault(anchor, anchor)
            told.marker, segment = words, []
        elif span["role"] == "anchor" and jump is not None:
            told.phrases[jump["anchor"]] = words
            told.restated = True
        else:
            segment.append(words)
    landed()


def _pairs(told: _Told, draw: random.Random) -> list[tuple[str, str, str]]:
    """All pairs of occurrences of an anchor in two trees, in an order of chance."""
    by_anchor: dict[str, list[str]] = {}
    for anchor, thought in sorted(told.trees):
        by_anchor.setdefault(anchor, []).append(thought)
    pairs = [
        (anchor, x, y)
        for anchor, thoughts in by_anchor.items()
        for x in thoughts
        for y in thoughts
        if told.trees[anchor, x] != told.trees[anchor, y]
    ]
    draw.shuffle(pairs)
    return pairs


# --- one probe ------------------------------------------------------------------------------------


def _probe(
    told: _Told, anchor: str, source: str, target: str, group: str, draw: random.Random
) -> Probe | None:
    """The probe of a pair; None where something is missing or stands in the prompt."""
    before = told.before.get((anchor, source))
    if not before:
        return None
    phrase, prompt = told.phrases[anchor], _prompt(before)
    said = {_key(before[-1]), _key(phrase)}
    landing, other = _landing(told.after.get((anchor, target), []), said)
    own = _landing(told.after.get((anchor, source), []), said)[1]
    others = {
        following
        for (one, thought), after in told.after.items()
        if one == anchor and told.trees[one, thought] != told.trees[anchor, source]
        for following in (_landing(after, said)[1],)
        if following and following not in prompt
    }
    distractors = _distractors(told, anchor, others | {own or ""}, prompt, draw)
    if other not in others or len(distractors) < DISTRACTORS:
        return None
    asked = f"{told.marker} {phrase}" if told.restated else told.marker
    return Probe(
        anchor,
        source,
        target,
        group,
        prompt,
        "\n".join([asked, *landing]),
        other,
        own if own and own not in prompt and own not in others else None,
        tuple(sorted(others)),
        distractors,
    )


def _prompt(before: list[str]) -> str:
    kept = [before[-1]]
    for text in reversed(before[:-1]):
        if sum(map(len, kept)) + len(text) > _PROMPT:
            break
        kept.append(text)
    return "\n".join(reversed(kept))


def _landing(after: list[str], said: set[str]) -> tuple[list[str], str | None]:
    """What a landing says again, and the first thing that it says anew."""
    for n, text in enumerate(after):
        if _key(text) not in said:
            return after[:n], text
    return after, None


def _distractors(
    told: _Told, anchor: str, right: set[str], prompt: str, draw: random.Random
) -> tuple[str, ...]:
    """Continuations of other anchors that share most words with this one, or parts of words.

    Parts, because in an inflected language two texts about one thing may share no word.
    """
    phrase = told.phrases[anchor]
    words, signs = bag(phrase), trigrams(phrase)
    pool = {
        text
        for (other, _), after in told.after.items()
        if other != anchor
        for text in (_landing(after, {_key(told.phrases[other])})[1],)
        if text and text not in right and text not in prompt
    }
    near = {text: (-overlap(words, text), -len(signs & trigrams(text)), text) for text in pool}
    closest = sorted(pool, key=near.__getitem__)[:CLOSE]
    return tuple(draw.sample(closest, min(DISTRACTORS, len(closest))))


def words_of(text: str) -> list[str]:
    """The words of a text, lower case."""
    return re.findall(r"\w+", text.lower())


def bag(text: str) -> set[str]:
    """The words of a text, each once."""
    return set(words_of(text))


def trigrams(text: str) -> set[str]:
    """All runs of three signs of a text."""
    told = _key(text)
    return {told[n : n + 3] for n in range(len(told) - 2)}


def overlap(words: Iterable[str], text: str) -> float:
    """The share of a text's words that are among some words."""
    found = bag(text)
    return len(found.intersection(words)) / len(found) if found else 0.0


def _key(text: str) -> str:
    return " ".join(words_of(text))


def by_group(found: Iterable[Probe]) -> Iterator[tuple[str, list[Probe]]]:
    """The probes of each group that has any."""
    groups: dict[str, list[Probe]] = {}
    for probe in found:
        groups.setdefault(probe.group, []).append(probe)
    yield from groups.items()
