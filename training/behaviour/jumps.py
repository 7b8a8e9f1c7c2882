"""Does a voice jump between trees at their anchors?

association, marker    with the jump marker, Y's continuation scores above the distractors (9)
association            the same without the marker
leaving                with the marker, the best continuation of another tree scores above X's own
                       and 8 distractors
request                with the marker and Y's landing, Y's continuation scores above X's own and 8
                       distractors
request, named         the same where the request names Y (`Probe.name`)
destination            the same, and above what follows in every other tree: the name alone tells
emission, named        one of the samples after a request that names Y says Y's continuation
leaving, guided        the same as leaving, of a guided voice (`training.guide`, `GUIDANCE`)
emission, guided       emission, any, of the guided voice
coherence              without the marker, X's own scores above Y's and 8 distractors
emission, any          of n sampled continuations after the marker, one says what follows the anchor
                       in another tree (token F1 at least 0.8); see `any_of`
emission, rate         the share of samples that do
emission, own          the share of samples that say what follows it in X
recall                 in Y's own context, Y's continuation scores above the distractors
known sides            recall, and the same in X's own context: a jump counts only where both sides
                       are known, so `KNOWN` are measured again among the probes where they are

A score is the mean log-likelihood of a candidate's tokens, which favours what repeats the prompt:
read it beside the emission, and beside the base. Samples are drawn from the whole distribution, at
temperature 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb
from typing import NamedTuple

from training.behaviour.measures import Found, Scale
from training.behaviour.speaker import Question, Speaker
from training.corpus import Corpus
from training.probes import HELD_OUT, NEVER, SEEN, Probe, bag, overlap, probes, words_of

ANY, RATE, ASSOCIATION = "emission, any", "emission, rate", "association, marker"
NAMED = "emission, named"
GUIDED = "emission, guided"
GUIDANCE = 0.5
"""How much more the request counts for a guided voice: half. From 1 on it costs emission."""
AMONG = " | known"
"""Behind the name of a measure: among the probes both of whose sides the voice knows."""
_SCALES = {
    ANY: Scale("one of the samples goes on as another tree does"),
    RATE: Scale("share of the samples that do"),
    ASSOCIATION: Scale("with the marker, Y's continuation beats 9 distractors"),
    "association": Scale("the same without the marker"),
    "leaving": Scale("with the marker, another tree's continuation beats X's own"),
    "request": Scale("with the marker and Y's landing, Y's continuation beats X's own"),
    "request, named": Scale("with Y's name in the request, Y's continuation beats X's own"),
    "destination": Scale("with Y's name, it beats X's own and that of every other tree"),
    "emission, named": Scale("with Y's name, one of the samples goes on as Y does"),
    "leaving, guided": Scale("where the marker counts more, another tree's beats X's own"),
    GUIDED: Scale("where the marker counts more, one of the samples goes on as another tree"),
    "coherence": Scale("without the marker, X's own continuation wins"),
    "emission, own": Scale("share of the samples that stay in X", more=False),
    "recall": Scale("in Y's own context, Y's continuation beats the distractors"),
    "known sides": Scale("recall, and the same of X's own: both sides are known"),
}
MEASURES = tuple(_SCALES)
KNOWN = (ANY, RATE, ASSOCIATION, "leaving")
"""What is told again, under the name with `AMONG` behind it, where both sides are known."""
SAME = 0.8
"""Token F1 from which on a sample says what a continuation says."""
MORE = 8
"""Tokens that a sample may have more than the longest right answer."""
ANSWERS = 1600
"""So many samples in all are drawn where the probes are few: up to `TIMES` as many of each."""
TIMES = 4


class Jump(NamedTuple):
    """What a voice makes of a probe."""

    scores: dict[str, float]
    """1 or 0 by measure, or a share. A measure is missing where it cannot be asked: nothing follows
    in X, the corpus does not say Y's own context, no sample was wanted. ``margin`` is how far Y's
    score is above the best distractor's, in nats a token."""
    said: tuple[str, ...]
    """The samples."""
    likeliest: str
    """The candidate that scores best with the marker."""


class Jumps:
    """The measure: see the module.

    Raises CorpusError where the corpus has nothing to probe.

    :param most: probes of each group.
    :param samples: of so many sampled continuations of a probe one is to jump; 0: no emission.
    :param draws: how many are drawn of each probe, to tell how often it is so; 0: `samples`, or
        more where the probes are few (`ANSWERS`).
    """

    key, title = "jumps", "Jumps between trees"
    _METHOD = (
        "A probe says tree X in reading order up to a thought with an anchor; no candidate stands "
        "in the prompt. Candidates are what follows the anchor in tree Y, what follows it in X, "
        "and continuations of other anchors that are lexically close. They are scored by the mean "
        f"log-likelihood of their tokens. A sample says a continuation at token F1 {SAME} or more. "
        "A measure with “known” behind it counts the probes alone of which the voice knows both "
        "sides: what follows the anchor in X after X's own context, and in Y after Y's own. "
        "Intervals are over anchors."
    )
    scales = _SCALES | {
        f"{name}{AMONG}": Scale(f"{name}, among probes with known sides") for name in KNOWN
    }

    def __init__(self, corpus: Corpus, most: int, samples: int, seed: int, draws: int = 0) -> None:
        self._probes = probes(corpus, most, seed=seed)
        self._samples, self._seed = samples, seed
        enough = min(ANSWERS // len(self._probes), TIMES * samples)
        self._draws = max(samples, draws or enough)

    @property
    def method(self) -> str:
        """How it is measured, with what this corpus does not let be asked."""
        told = self._METHOD
        if self._samples:
            told += (
                f" {self._draws} samples of each probe are drawn, at temperature 1 from all tokens"
                f" (forest ask: 0.8, of the 50 likeliest); “any” is how often one of "
                f"{self._samples} of them is right. The chance of the draw is in the intervals."
            )
        asked = {probe.group for probe in self._probes}
        for group in (HELD_OUT, NEVER, SEEN):
            if group not in asked:
                told += f" Not asked, for the corpus has no such probe: {group}."
        return told

    @property
    def questions(self) -> int:
        """How often the speaker answers."""
        scored = 4 * len(self._probes) + sum(bool(probe.own) for probe in self._probes)
        named = sum(bool(probe.name) for probe in self._probes)
        return scored + (2 * len(self._probes) + named if self._samples else 0)

    def ask(self, speaker: Speaker) -> list[Found]:
        """What a voice makes of all probes."""
        seeds = range(self._seed + 1, self._seed + 1 + len(self._probes))
        told = jumps(speaker, self._probes, self._samples, seeds, self._draws)
        return [_found(probe, jump) for probe, jump in zip(self._probes, told, strict=True)]


def _found(probe: Probe, jump: Jump) -> Found:
    scores = {name: score for name, score in jump.scores.items() if name in Jumps.scales}
    given = {"by chance": 1 / (1 + len(probe.distractors)), "by words alone": lexical(probe)}
    return Found(
        probe.group,
        probe.anchor,
        scores,
        probe.asked(),
        jump.said or [f"(likeliest candidate) {jump.likeliest}"],
        [probe.other, *(text for text in probe.others if text != probe.other)],
        -jump.scores["margin"] - 10 * jump.scores.get(RATE, 0.0),
        {f"{ASSOCIATION}, {name}": value for name, value in given.items()},
    )


def answer(speaker: Speaker, probe: Probe, samples: int, seed: int) -> dict[str, float]:
    """What a voice makes of one probe: `Jump.scores`.

    :param samples: sampled continuations; 0: no emission.
    """
    return jumps(speaker, [probe], samples, [seed])[0].scores


def answers(
    speaker: Speaker, probes: Sequence[Probe], samples: int = 5, seed: int = 7
) -> list[dict[str, float]]:
    """The same for several probes, side by side. A probe's seed is the seed and its place."""
    seeds = range(seed + 1, seed + 1 + len(probes))
    return [jump.scores for jump in jumps(speaker, probes, samples, seeds)]


def jumps(
    speaker: Speaker, probes: Sequence[Probe], samples: int, seeds: Sequence[int], draws: int = 0
) -> list[Jump]:
    """What a voice makes of probes, each with the seed of its samples.

    :param draws: how many samples are drawn, if more than ``samples``: see `any_of`.
    """
    drawn = max(samples, draws) if samples else 0
    questions = [question for probe in probes for question in _questions(probe)]
    scored = iter(zip(questions, speaker.scores_each(questions), strict=True))
    said, said_of_name, said_guided = ([list[str]() for _ in probes] for _ in range(3))
    guided = _guided(speaker, probes)
    if samples and probes:
        said = _said(speaker, probes, drawn, seeds)
        said_guided = _said(speaker, probes, drawn, seeds, guided=True)
        named = [n for n, probe in enumerate(probes) if probe.name]
        some = _said(
            speaker, [probes[n] for n in named], drawn, [seeds[n] for n in named], by_name=True
        )
        for n, texts in zip(named, some, strict=True):
            said_of_name[n] = texts
    found = []
    for n, (probe, texts, others) in enumerate(zip(probes, said, said_of_name, strict=True)):
        told = [dict(zip(q[1], s, strict=True)) for q, s in (next(scored) for _ in range(4))]
        scores = _choices(probe, *told) | guided.get(n, {})
        if samples:
            scores |= _emission(probe, texts, samples)
            scores[GUIDED] = _emission(probe, said_guided[n], samples)[ANY]
        if others:
            scores[NAMED] = any_of(hits(others, [probe.other]), len(others), samples)
        if scores.get("known sides"):
            scores |= {f"{name}{AMONG}": scores[name] for name in KNOWN if name in scores}
        found.append(Jump(scores, tuple(texts[:samples]), max(told[0], key=told[0].__getitem__)))
    return found


def _said(
    speaker: Speaker,
    probes: Sequence[Probe],
    samples: int,
    seeds: Sequence[int],
    *,
    by_name: bool = False,
    guided: bool = False,
) -> list[list[str]]:
    if not probes:
        return []
    length = speaker.length([text for probe in probes for text in probe.others]) + MORE
    asked = [probe.asked(by_name=by_name) for probe in probes]
    if not guided:
        return speaker.samples_each(asked, samples, length, seeds)
    bare = [probe.prompt for probe in probes]
    return speaker.samples_each(asked, samples, length, seeds, bare, GUIDANCE)


def _guided(speaker: Speaker, probes: Sequence[Probe]) -> dict[int, dict[str, float]]:
    """What a guided voice makes of the probes where X goes on, by their places."""
    places = [n for n, probe in enumerate(probes) if probe.own]
    asked = [
        (probe.asked(), probe.prompt, [*probe.others, probe.own or "", *probe.distractors[:-1]])
        for probe in (probes[n] for n in places)
    ]
    told = {}
    for n, scores in zip(places, speaker.guided_each(asked, GUIDANCE), strict=True):
        others = len(probes[n].others)
        told[n] = {"leaving, guided": float(max(scores[:others]) > max(scores[others:]))}
    return told


def _questions(probe: Probe) -> tuple[Question, ...]:
    """With the marker, without it, in Y's own context, and with Y's name."""
    own = [probe.own] if probe.own else []
    every = list(dict.fromkeys([probe.other, *probe.others, *own, *probe.distractors]))
    there = [probe.other, *probe.distractors] if probe.there else []
    named = (probe.asked(by_name=True), every) if probe.name else ("", [])
    return (probe.asked(), every), (probe.prompt, every), (probe.there, there), named


def _choices(
    probe: Probe,
    asked: dict[str, float],
    bare: dict[str, float],
    there: dict[str, float],
    named: dict[str, float],
) -> dict[str, float]:
    """What the scores of all candidates come to."""

    def wins(scores: dict[str, float], right: Sequence[str], wrong: Sequence[str]) -> float:
        best = max(scores[text] for text in wrong)
        return float(max(scores[text] for text in right) > best)

    other, own, wrong, few = probe.other, probe.own, probe.distractors, probe.distractors[:-1]
    told = {
        ASSOCIATION: wins(asked, [other], wrong),
        "association": wins(bare, [other], wrong),
        "margin": asked[other] - max(asked[text] for text in wrong),
    }
    if own:
        told["leaving"] = wins(asked, probe.others, [own, *few])
        told["request"] = wins(asked, [other], [own, *few])
        told["coherence"] = wins(bare, [own], [other, *few])
    if own and named:
        rest = [text for text in probe.others if token_f1(text, other) < SAME]
        told["request, named"] = wins(named, [other], [own, *few])
        if rest:
            told["destination"] = wins(named, [other], [own, *few, *rest])
    if there:
        told["recall"] = wins(there, [other], wrong)
        known_here = wins(bare, [own], wrong) if own else 1.0
        told["known sides"] = told["recall"] * known_here
    return told


def _emission(probe: Probe, said: Sequence[str], samples: int) -> dict[str, float]:
    right = hits(said, probe.others)
    told = {ANY: any_of(right, len(said), samples), RATE: right / len(said)}
    if probe.own:
        told["emission, own"] = hits(said, [probe.own]) / len(said)
    return told


def hits(said: Sequence[str], meant: Sequence[str]) -> int:
    """How many of some texts say one of those that are meant."""
    return sum(any(token_f1(text, one) >= SAME for one in meant) for text in said)


def any_of(right: int, drawn: int, samples: int) -> float:
    """How often at least one of some samples is right, of all choices of so many from those drawn.

    The unbiased estimate of it (pass@k: Chen et al. 2021, arXiv 2107.03374, 2.1): 1 or 0 where no
    more were drawn, and the less left to chance the more were.

    >>> any_of(1, 5, 5), any_of(1, 20, 5), any_of(0, 20, 5)
    (1.0, 0.25, 0.0)
    """
    return 1 - comb(drawn - right, samples) / comb(drawn, samples)


def token_f1(said: str, meant: str) -> float:
    """How far two texts say the same words, from 0 to 1: the harmonic mean of both shares.

    >>> token_f1("вода ведёт к весне", "Вода ведёт к весне."), token_f1("вода", "берег")
    (1.0, 0.0)
    """
    one, two = Counter(words_of(said)), Counter(words_of(meant))
    same = (one & two).total()
    return 2 * same / (one.total() + two.total()) if same else 0.0


def lexical(probe: Probe) -> float:
    """Whether the candidate with most words of the anchor is Y's; a share where several are."""
    return _most_alike(bag(probe.request), [probe.other, *probe.distractors])


def by_name(probe: Probe) -> float:
    """The same of a request that names Y, with the words of the name and X's own continuation."""
    return _most_alike(bag(probe.name), [probe.other, probe.own or "", *probe.distractors[:-1]])


def _most_alike(words: set[str], candidates: Sequence[str]) -> float:
    first, *rest = (overlap(words, text) for text in candidates)
    return 0.0 if first < max(rest) else 1 / (1 + rest.count(first))
