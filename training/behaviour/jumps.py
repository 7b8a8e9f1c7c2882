"""Does a voice jump between trees at their anchors?

association, marker    with the jump marker, Y's continuation scores above the distractors (9)
association            the same without the marker
leaving                with the marker, the best continuation of another tree scores above X's own
request                with the marker and Y's landing, Y's continuation scores above X's own and 8
                       distractors
coherence              without the marker, X's own scores above Y's and 8 distractors
emission, any          of n sampled continuations after the marker, one says what follows the anchor
                       in another tree (token F1 at least 0.8)
emission, rate         the share of samples that do
lexical                the candidate with most words of the anchor is Y's: no model at all

A score is the mean log-likelihood of a candidate's tokens, which favours what repeats the prompt:
read it beside the emission, and beside the base.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from training.behaviour.speaker import Speaker
from training.probes import Probe, bag, overlap, words_of

MEASURES = (
    "association, marker",
    "association",
    "leaving",
    "request",
    "coherence",
    "emission, any",
    "emission, rate",
)
SAME = 0.8
"""Token F1 from which on a sample says what a continuation says."""


def answers(
    speaker: Speaker, probes: Sequence[Probe], samples: int = 5, seed: int = 7
) -> list[dict[str, float]]:
    """What a voice makes of each probe: see `answer`. A probe's seed is the seed and its place."""
    return [answer(speaker, probe, samples, seed + at) for at, probe in enumerate(probes, 1)]


def answer(speaker: Speaker, probe: Probe, samples: int, seed: int) -> dict[str, float]:
    """What a voice makes of a probe: 1 or 0 by measure, or a share.

    A measure is missing where it cannot be asked: nothing follows in X, no sample was wanted.
    ``margin`` is how far Y's score is above the best distractor's, in nats a token.

    :param samples: sampled continuations; 0: no emission.
    """
    other, own, distractors = probe.other, probe.own, list(probe.distractors)
    asked = f"{probe.prompt}\n{probe.request}"
    told = dict[str, float]()
    scores = speaker.scores(asked, [other, *distractors])
    told["association, marker"] = float(np.argmax(scores) == 0)
    told["margin"] = scores[0] - max(scores[1:])
    told["association"] = float(np.argmax(speaker.scores(probe.prompt, [other, *distractors])) == 0)
    few = distractors[:-1]
    if own is not None:
        scores = speaker.scores(asked, [other, own, *few])
        told["request"] = float(np.argmax(scores) == 0)
        everywhere = [*probe.others, own, *few]
        best = int(np.argmax(speaker.scores(asked, everywhere)))
        told["leaving"] = float(best < len(probe.others))
        told["coherence"] = float(np.argmax(speaker.scores(probe.prompt, [own, other, *few])) == 0)
    if samples:
        length = speaker.length(probe.others) + 8
        said = speaker.samples(asked, samples, length, seed)
        hits = [any(token_f1(text, one) >= SAME for one in probe.others) for text in said]
        told["emission, any"], told["emission, rate"] = float(any(hits)), float(np.mean(hits))
    return told


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
    words = bag(probe.request)
    first, *rest = (overlap(words, text) for text in (probe.other, *probe.distractors))
    return 0.0 if first < max(rest) else 1 / (1 + rest.count(first))
