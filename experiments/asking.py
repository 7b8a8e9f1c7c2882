"""Questions to an arm: three groups of probes, asked in the words that its corpus taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from experiments.settings import (
    ALONE,
    HELD_OUT,
    PLAIN,
    RECALL,
    SEEN,
    UNSTITCHED,
    Arm,
)
from exporters.draw import draw
from forest.errors import UsageError
from training.behaviour.jumps import SAME, answer, lexical, token_f1
from training.behaviour.speaker import Speaker
from training.probes import Probe
from training.scratch import Words

GROUPS = (HELD_OUT, SEEN, UNSTITCHED)
Answer = dict[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """A probe with what else has to be known to ask it."""

    probe: Probe
    group: str
    home: str | None
    """Y up to its thought, where some walk says it: what follows is known if Y's own comes."""

    def to_json(self) -> dict[str, Any]:
        """It as JSON."""
        return asdict(self) | {"probe": self.probe._asdict()}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Question:
        """It of JSON."""
        probe = Probe(**told["probe"] | {n: tuple(told["probe"][n]) for n in _LISTS})
        return cls(probe, told["group"], told["home"])

    def asked_by(self, arm: Arm, marker: str) -> Probe:
        """The probe as an arm asks it."""
        request = arm.ask.format(marker=marker, anchor=self.phrase(marker))
        landing = self.probe.request.partition("\n")[1:]
        return self.probe._replace(request=request + "".join(landing))

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
    homes = {(p.anchor, p.source): p.prompt for p in found if p.group == SEEN}
    groups: dict[str, list[Question]] = {group: [] for group in GROUPS}
    clear = filter(_is_clear, found)
    for probe in sorted(clear, key=lambda p: draw("asked", p.anchor, p.source, p.target)):
        group = UNSTITCHED if probe.anchor in apart else probe.group
        if len(groups[group]) < most:
            home = _home(homes.get((probe.anchor, probe.target)), probe.other)
            groups[group].append(Question(probe, group, home))
    if not groups[HELD_OUT]:
        raise UsageError(
            "the forest has no pair of thoughts at an anchor that could be held out",
            hint="Expected anchors in four trees or more; raise held_out in the experiment's file.",
        )
    return [question for some in groups.values() for question in some]


def _is_clear(probe: Probe) -> bool:
    own = probe.own
    return own is not None and all(token_f1(own, text) < SAME for text in probe.others)


def _home(prompt: str | None, answer: str) -> str | None:
    """Y up to where the answer comes; None where nothing stands before it, or it stands there."""
    before = (prompt or "").removesuffix(answer).rstrip("\n")
    return before if before and answer not in before else None


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
    return told


def ask(
    speaker: Speaker,
    asked: Sequence[Question],
    arm: Arm,
    marker: str,
    samples: int,
    seed: int,
    progress: Progress,
) -> list[Answer]:
    """What an arm makes of each question: measures, and what it said."""
    posed = [question.asked_by(arm, marker) for question in asked]
    _foresee(speaker, asked, posed, arm, samples, seed)
    answers = []
    for number, (question, probe) in enumerate(zip(asked, posed, strict=True), 1):
        answers.append(_answer(speaker, question, probe, arm, samples, seed))
        progress(number, len(asked))
    return answers


def _is_asked_plainly(question: Question, arm: Arm) -> bool:
    """Whether an arm is to go on without a request, too."""
    return question.group == HELD_OUT or not arm.taught


def _foresee(
    speaker: Speaker,
    asked: Sequence[Question],
    posed: Sequence[Probe],
    arm: Arm,
    samples: int,
    seed: int,
) -> None:
    """Let a voice that can do it sample for all probes at once."""
    if isinstance(speaker, Words) and samples:
        length = speaker.length([text for probe in posed for text in probe.others]) + 8
        speaker.foresee([f"{p.prompt}\n{p.request}" for p in posed], samples, length, seed)
        plain = [q.probe.prompt for q in asked if _is_asked_plainly(q, arm)]
        speaker.foresee(plain, samples, length, seed)


def _answer(
    speaker: Speaker, question: Question, probe: Probe, arm: Arm, samples: int, seed: int
) -> Answer:
    own, distractors = probe.own, list(probe.distractors)
    every = [*probe.others, *([own] if own else []), *distractors]
    asked = f"{probe.prompt}\n{probe.request}"
    for prompt in (asked, probe.prompt):
        speaker.scores(prompt, every)  # a voice that remembers reads the prompt once
    told: Answer = dict(answer(speaker, probe, samples, seed))
    if question.home is not None:
        scores = speaker.scores(question.home, [probe.other, *distractors])
        told[RECALL] = float(np.argmax(scores) == 0)
    if samples:
        length = speaker.length(probe.others) + 8
        told["said"] = speaker.samples(asked, samples, length, seed)
        if _is_asked_plainly(question, arm):
            alone = speaker.samples(probe.prompt, samples, length, seed)
            hits = [any(token_f1(text, one) >= SAME for one in probe.others) for text in alone]
            told[ALONE], told[PLAIN] = float(any(hits)), float(np.mean(hits))
    return told
