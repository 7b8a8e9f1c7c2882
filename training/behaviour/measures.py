"""What measures of behaviour share: what a voice makes of a question, and how that becomes a table.

A measure prepares its questions once, from the corpus, and asks them of each voice. All that it
answers with are `Found`; means, intervals, differences and the worst examples are made here, alike
for all measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from training.behaviour.intervals import difference, interval
from training.behaviour.speaker import Speaker
from training.masks import BASE

WORST = 5
"""Examples of each voice that are told in full."""


class Scale(NamedTuple):
    """What a score says."""

    asks: str
    """In a few words, for the table."""
    share: bool = True
    """From 0 to 1, to be read in per cent."""
    more: bool | None = True
    """Whether more is better; None: neither."""


class Found(NamedTuple):
    """What one voice makes of one question."""

    group: str
    cluster: str
    """Questions of one cluster succeed and fail together."""
    scores: Mapping[str, float]
    asked: str
    said: Sequence[str]
    expected: Sequence[str]
    bad: float = 0.0
    """The higher, the worse."""
    given: Mapping[str, float] = {}
    """What is so whatever voice is asked, such as chance."""


class Measure(Protocol):
    """Something that voices are asked. Its constructor raises CorpusError where it cannot be."""

    key: str
    title: str

    @property
    def method(self) -> str:
        """How it is measured, in full sentences."""

    @property
    def scales(self) -> Mapping[str, Scale]:
        """What its scores say, in the order of the report."""

    @property
    def questions(self) -> int:
        """How often the speaker answers."""

    def ask(self, speaker: Speaker) -> list[Found]:
        """What a voice makes of all questions, in the same order for each voice."""


Section = dict[str, Any]


def not_measured(key: str, title: str, why: str) -> Section:
    """The section of a measure that this corpus does not let be asked."""
    return {"key": key, "title": title, "not_measured": why}


def section(
    measure: Measure, found: Mapping[str, Sequence[Found]], controls: Sequence[str] = ()
) -> Section:
    """What a measure found of each voice, as the report has it."""
    first = next(iter(found.values()))
    groups = dict.fromkeys(one.group for one in first)
    return {
        "key": measure.key,
        "title": measure.title,
        "method": measure.method,
        "scales": {name: scale._asdict() for name, scale in measure.scales.items()},
        "groups": [_group(name, measure, _of(name, found), controls) for name in groups],
        "overall": _group("all", measure, found, controls),
        "worst": {voice: _worst(some) for voice, some in found.items()},
        "questions": _questions(found),
    }


def _questions(found: Mapping[str, Sequence[Found]]) -> list[dict[str, Any]]:
    """Each question with the scores of all voices: what means and intervals are made of."""
    return [
        {
            "group": one.group,
            "cluster": one.cluster,
            "asked": one.asked,
            "given": dict(one.given),
            "scores": {voice: dict(some[n].scores) for voice, some in found.items()},
        }
        for n, one in enumerate(next(iter(found.values())))
    ]


def _of(name: str, found: Mapping[str, Sequence[Found]]) -> dict[str, list[Found]]:
    return {voice: [one for one in some if one.group == name] for voice, some in found.items()}


def _group(
    name: str, measure: Measure, own: Mapping[str, Sequence[Found]], controls: Sequence[str]
) -> dict[str, Any]:
    first = next(iter(own.values()))
    given = dict.fromkeys(what for one in first for what in one.given)
    told = [
        what for what in measure.scales if any(what in f.scores for x in own.values() for f in x)
    ]
    return {
        "name": name,
        "questions": len(first),
        "clusters": len({one.cluster for one in first}),
        "given": {
            what: _fact([(f.given[what], f) for f in first if what in f.given]) for what in given
        },
        "scores": {
            what: {
                voice: interval(*_with_clusters(pairs), share=measure.scales[what].share)
                for voice, some in own.items()
                if (pairs := [(f.scores[what], f) for f in some if what in f.scores])
            }
            for what in told
        },
        "differences": {
            what: {
                voice: {
                    other: less
                    for other in (BASE, *controls)
                    if other in own and other != voice
                    if (less := _difference(measure, what, own[voice], own[other]))
                }
                for voice in own
                if voice != BASE
            }
            for what in told
        },
    }


def _with_clusters(pairs: Sequence[tuple[float, Found]]) -> tuple[list[float], list[str]]:
    return [value for value, _ in pairs], [one.cluster for _, one in pairs]


def _fact(pairs: Sequence[tuple[float, Found]]) -> dict[str, float]:
    """The mean of what is so whatever voice is asked; known exactly where it is always the same."""
    told = interval(*_with_clusters(pairs))
    same = len({value for value, _ in pairs}) == 1
    return told | {"low": told["mean"], "high": told["mean"]} if same else told


def _difference(
    measure: Measure, what: str, some: Sequence[Found], others: Sequence[Found]
) -> dict[str, float] | None:
    """Over the questions that both were scored on."""
    both = [
        (one.scores[what], other.scores[what], one.cluster)
        for one, other in zip(some, others, strict=True)
        if what in one.scores and what in other.scores
    ]
    if not both:
        return None
    ours, theirs, clusters = zip(*both, strict=True)
    return difference(ours, theirs, clusters, share=measure.scales[what].share)


def _worst(found: Sequence[Found]) -> list[dict[str, Any]]:
    order = sorted(range(len(found)), key=lambda n: (-found[n].bad, n))
    return [
        {
            "group": one.group,
            "asked": one.asked,
            "said": list(one.said),
            "expected": list(one.expected),
            "scores": {name: round(score, 4) for name, score in one.scores.items()},
        }
        for one in (found[n] for n in order[:WORST])
    ]
