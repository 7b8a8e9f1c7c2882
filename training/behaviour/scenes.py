"""Does a voice hold a scene: is the formula found again in what it says when it unfolds one?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np

from training.behaviour.formulas import Formula, Formulas, Nearest, Said, foreign
from training.behaviour.jumps import SAME, token_f1
from training.behaviour.measures import Found, Scale
from training.behaviour.speaker import Speaker
from training.errors import CorpusError
from training.probes import words_of

FOUND, CLEAN, BANNED, UNFOLDS = "found", "no foreign term", "no banned term", "unfolds"
ALONE = "the code alone"
_LAW = 64
"""Tokens of a formula written out at most."""


_SCALES = {
    FOUND: Scale("the formula is found again from the sample"),
    CLEAN: Scale("the sample says no term of another formula"),
    BANNED: Scale("the sample says no banned phrase"),
    UNFOLDS: Scale("from its code alone the formula is written out"),
}


class Task(NamedTuple):
    """A formula to be unfolded in a register."""

    formula: Formula
    register: str
    prompt: str
    seed: int

    @property
    def name(self) -> str:
        """The register as the report names it."""
        return self.register or "no register"


class Ways(NamedTuple):
    """How tasks are asked, alike by all measures, so that a voice says each answer once."""

    samples: int
    length: int
    """Tokens of an answer at most."""
    seed: int
    most: int
    """Tasks at most."""

    def tasks(self, formulas: Formulas, some: Sequence[Formula]) -> list[Task]:
        """Some formulas in each register that the corpus teaches; fewer formulas, if too many."""
        registers = formulas.registers
        room = max(1, self.most // len(registers))
        if len(some) > room:
            some = random.Random(self.seed).sample(some, room)
        return [
            Task(one, register, prompt, crc32(f"{self.seed}/{prompt}".encode()))
            for register in registers
            for one in some
            for prompt in [formulas.prompt(one, register)]
        ]

    def said(self, speaker: Speaker, tasks: Sequence[Task], *, line: bool) -> list[list[str]]:
        """What a voice says to tasks."""
        return speaker.continued(
            [task.prompt for task in tasks],
            self.samples,
            self.length,
            [task.seed for task in tasks],
            line=line,
        )


def one_line(formulas: Formulas) -> bool:
    """Whether a scene is a line, as all of the corpus's are."""
    scenes = (s for one in formulas.all for some in one.scenes.values() for s in some)
    return not any("\n" in scene for scene in scenes)


class Scenes:
    """The measure.

    found              the formula nearest to the sample (`Nearest`) is the one that was asked for
    no foreign term    the sample says no term of another formula (`foreign`), in any form
    no banned term     it says none of the phrases that were banned
    unfolds            after the code and "=" alone it writes the formula out (token F1 0.8)

    A sample without a word fails all of them.

    Raises CorpusError where there are fewer than two formulas: the nearest is then always right.
    """

    key, title = "scenes", "The scene holds"
    scales = _SCALES

    def __init__(self, formulas: Formulas, ways: Ways, banned: Sequence[str] = ()) -> None:
        self._formulas, self._ways = formulas, ways
        self._some = self._asked_of(formulas)
        every = [*formulas.all, *(one for one in self._some if one not in formulas.all)]
        if len(every) < 2 or not self._some:
            raise CorpusError(f"there are too few formulas: {len(every)}, and 2 are needed")
        self._nearest = Nearest(every)
        self._foreign = {one.code: Said(foreign(one, formulas.all)) for one in self._some}
        self._banned = Said(banned) if banned else None
        self._tasks = ways.tasks(formulas, self._some)
        self._line = one_line(formulas)
        self._chance = 1 / len(every)
        right = [score for _, score in self._nearest.right()]
        trust = (
            f"Of the corpus's own scenes it finds {100 * np.mean(right):.0f}% ({len(right)} "
            f"scenes, each left out in turn; chance {100 / len(every):.0f}%)."
            if right
            else "The corpus has no scenes to try it on."
        )
        self.method = f"{self._asks()} {_METHOD} {trust}"

    def _asked_of(self, formulas: Formulas) -> Sequence[Formula]:
        return formulas.all

    def _asks(self) -> str:
        return "Each formula of the corpus is unfolded in each register that the corpus teaches."

    @property
    def questions(self) -> int:
        """How often the speaker answers."""
        return len(self._tasks) + len(self._laws())

    def ask(self, speaker: Speaker) -> list[Found]:
        """What a voice makes of all tasks."""
        said = self._ways.said(speaker, self._tasks, line=self._line)
        found = [self._told(task, some) for task, some in zip(self._tasks, said, strict=True)]
        laws = self._laws()
        asked = [f"{one.code} =" for one in laws]
        seeds = [crc32(f"{self._ways.seed}/{text}".encode()) for text in asked]
        written = speaker.continued(asked, self._ways.samples, _LAW, seeds, line=True)
        return found + [_unfolded(one, some) for one, some in zip(laws, written, strict=True)]

    def _laws(self) -> list[Formula]:
        """Formulas that are known by their code."""
        return list({task.formula.code: task.formula for task in self._tasks}.values())

    def _told(self, task: Task, said: Sequence[str]) -> Found:
        own, spoken = task.formula.code, [bool(words_of(text)) for text in said]
        hits = [s and n == own for s, n in zip(spoken, self._nearest.of(said), strict=True)]
        scores = {
            FOUND: float(np.mean(hits)),
            CLEAN: _share(spoken, said, self._foreign[own]),
        }
        if self._banned:
            scores[BANNED] = _share(spoken, said, self._banned)
        scenes = task.formula.scenes.get(task.register) or [" · ".join(task.formula.terms)]
        given = {f"{FOUND}, by chance": self._chance}
        bad = -sum(scores.values())
        return Found(task.name, own, scores, task.prompt, said, scenes, bad, given)


_METHOD = (
    "A sample's formula is the one whose mean vector is nearest by cosine: TF-IDF over runs of 3 "
    "to 5 letters of its terms and of each of its scenes, hashed. No model has a part in it."
)


class Unseen(Scenes):
    """The same of formulas that no record says: operator and joins of a known one, other terms."""

    key, title = "unseen", "Unseen scenes of the same structure"

    def _asked_of(self, formulas: Formulas) -> Sequence[Formula]:
        composed = formulas.composed(self._ways.seed)
        if not composed:
            raise CorpusError(
                "the corpus has too few terms to compose a formula that it does not have"
            )
        return composed

    def _asks(self) -> str:
        return (
            "Formulas are asked that the corpus does not have: the operator, joins and number of "
            "terms of each of its own, with terms of the others, under a code that is not in use."
        )

    def _laws(self) -> list[Formula]:
        return []  # nobody can know them by their code


def _share(spoken: Sequence[bool], said: Sequence[str], unwanted: Said) -> float:
    """The share of samples with a word that say nothing unwanted."""
    return float(np.mean([s and not unwanted(text) for s, text in zip(spoken, said, strict=True)]))


def _unfolded(formula: Formula, said: Sequence[str]) -> Found:
    law = formula.law.partition("=")[2].strip()
    score = float(np.mean([token_f1(text, law) >= SAME for text in said]))
    asked = f"{formula.code} ="
    return Found(ALONE, formula.code, {UNFOLDS: score}, asked, said, [law], -1 - score)
