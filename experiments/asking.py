"""Questions to an arm: three groups of probes, asked in the words that its corpus taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from experiments.settings import ALONE, HELD_OUT, PLAIN, SEEN, UNSTITCHED, Arm
from exporters.draw import draw
from forest.errors import UsageError
from training.behaviour.jumps import MORE, SAME, any_of, by_name, hits, jumps, lexical, token_f1
from training.behaviour.speaker import Speaker
from training.probes import Probe

GROUPS = (HELD_OUT, SEEN, UNSTITCHED)
Answer = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """A probe and the group that it counts in."""

    probe: Probe
    group: str

    def to_json(self) -> dict[str, Any]:
        """It as JSON."""
        return asdict(self) | {"probe": self.probe._asdict()}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Question:
        """It of JSON."""
        probe = Probe(**told["probe"] | {n: tuple(told["probe"][n]) for n in _LISTS})
        return cls(probe, told["group"])

    def asked_by(self, arm: Arm, marker: str) -> Probe:
        """The probe as an arm asks it."""
        request = arm.ask.format(marker=marker, anchor=self.phrase(marker))
        landing = self.probe.request.partition("\n")[1:]
        name = self.probe.name if arm.named else ""
        return self.probe._replace(request=request + "".join(landing), name=name)

    def phrase(self, marker: str) -> str:
        """The anchor as it is said again."""
        return self.probe.request.partition("\n")[0].removeprefix(marker).strip()


_LISTS = ("others", "distractors")


def questions(found: Sequence[Probe], apart: set[str], most: int) -> list[Question]:
    """Up to ``most`` questions of each group, drawn by hash.

    Asked is only where X goes on otherwise than every other tree: to go on as X does is no jump.

    :param apart: the anchors that no walk jumps at.

    Raises UsageError where no held-out pair is left.
    """
    groups: dict[str, list[Question]] = {group: [] for group in GROUPS}
    clear = filter(_is_clear, found)
    for probe in sorted(clear, key=lambda p: draw("asked", p.anchor, p.source, p.target)):
        group = UNSTITCHED if probe.anchor in apart else probe.group
        if group in groups and len(groups[group]) < most:
            groups[group].append(Question(probe, group))
    if not groups[HELD_OUT]:
        raise UsageError(
            "the forest has no pair of thoughts at an anchor that could be held out",
            hint="Expected anchors in four trees or more; raise held_out in the experiment's file.",
        )
    return [question for some in groups.values() for question in some]


def _is_clear(probe: Probe) -> bool:
    own = probe.own
    return own is not None and all(token_f1(own, text) < SAME for text in probe.others)


def chances(asked: Sequence[Question]) -> dict[str, dict[str, float]]:
    """What needs no model, by group: how many questions, chance, and the score of words alone."""
    told = {}
    for group in GROUPS:
        some = [q.probe for q in asked if q.group == group]
        if some:
            told[group] = {
                "questions": len(some),
                "chance": float(np.mean([1 / (1 + len(p.distractors)) for p in some])),
                "lexical": float(np.mean([lexical(p) for p in some])),
            }
            if named := [by_name(p) for p in some if p.name and p.own]:
                told[group]["named"] = float(np.mean(named))
    return told


def ask(
    speaker: Speaker,
    asked: Sequence[Question],
    arm: Arm,
    marker: str,
    samples: int,
    seed: int,
    draws: int = 0,
) -> list[Answer]:
    """What an arm makes of each question: measures, and what it said.

    :param draws: answers drawn, if more than ``samples``: see `training.behaviour.jumps.any_of`.
    """
    posed = [question.asked_by(arm, marker) for question in asked]
    seeds = [seed + number for number in range(1, len(asked) + 1)]
    answers: list[Answer] = [
        dict(jump.scores) | {"said": list(jump.said)}
        for jump in jumps(speaker, posed, samples, seeds, draws)
    ]
    plainly = [n for n, q in enumerate(asked) if q.group == HELD_OUT or not arm.taught]
    if samples and plainly:
        length = speaker.length([text for n in plainly for text in posed[n].others]) + MORE
        prompts = [posed[n].prompt for n in plainly]
        drawn = max(samples, draws)
        said = speaker.samples_each(prompts, drawn, length, [seeds[n] for n in plainly])
        for n, texts in zip(plainly, said, strict=True):
            right = hits(texts, posed[n].others)
            answers[n] |= {ALONE: any_of(right, drawn, samples), PLAIN: right / drawn}
    return answers
