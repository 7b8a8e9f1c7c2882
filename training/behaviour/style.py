"""Does the style hold when the topic changes?

Style is the register of a scene, topic is its formula. A style is recognised by a classifier that
was shown the corpus's own scenes of *other* formulas only, so that it can go by no word of the
topic (leave one topic out: Stamatatos, "On the Robustness of Authorship Attribution Based on
Character N-gram Features", 2013). It is the nearest of the registers' mean vectors (`Grams` in
style, with the mean of all scenes taken off).

style, own topics      share of samples recognised as the register that was asked for, of formulas
                       that the corpus voices in it
style, other topics    the same of formulas that the corpus does not voice in it, and of formulas
                       that it does not have (`Formulas.composed`)

The style holds where the second is above chance and not below the first. Where the classifier does
not recognise the author's own scenes better than chance, no number would mean anything, and none is
given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.behaviour.formulas import Formula, Formulas
from training.behaviour.grams import Grams, Vectors, centroids
from training.behaviour.intervals import interval
from training.behaviour.measures import Found, Scale
from training.behaviour.scenes import Task, Ways, one_line
from training.behaviour.speaker import Speaker
from training.errors import CorpusError

LEAST = 3
"""Formulas that a register is voiced for, at least: one is left out, two teach."""
OWN, OTHER = "style, own topics", "style, other topics"


_SCALES = {
    OWN: Scale("recognised as the register, on topics taught in it"),
    OTHER: Scale("the same on topics not taught in it, and on new ones"),
}


class Style:
    """The measure: see the module. Raises CorpusError where styles cannot be told apart."""

    key, title = "style", "Style under a change of topic"
    scales = _SCALES

    def __init__(self, formulas: Formulas, ways: Ways) -> None:
        self._registers = Registers(formulas)
        self._ways, self._line = ways, one_line(formulas)
        tasks = [
            *ways.tasks(formulas, formulas.all),
            *ways.tasks(formulas, formulas.composed(ways.seed)),
        ]
        self._tasks = [task for task in tasks if task.register in self._registers.names]
        self.method = (
            "A style is recognised by its runs of 2 to 4 signs, by a classifier that has read the "
            "corpus's scenes of other formulas alone. " + self._registers.trust
        )

    @property
    def questions(self) -> int:
        """How often the speaker answers."""
        return len(self._tasks)

    def ask(self, speaker: Speaker) -> list[Found]:
        """What a voice makes of all tasks."""
        said = self._ways.said(speaker, self._tasks, line=self._line)
        return [self._told(task, some) for task, some in zip(self._tasks, said, strict=True)]

    def _told(self, task: Task, said: Sequence[str]) -> Found:
        found = self._registers.of(said, without=task.formula)
        score = float(np.mean([one == task.register for one in found]))
        own = task.register in task.formula.scenes
        scenes = task.formula.scenes.get(task.register) or self._registers.example(task.register)
        given = {"by chance": 1 / len(self._registers.names)}
        scores = {OWN if own else OTHER: score}
        return Found(task.name, task.formula.code, scores, task.prompt, said, scenes, -score, given)


class Registers:
    """Tells the registers of a corpus apart, by scenes of other formulas than the one at hand.

    Raises CorpusError where there are fewer than two registers with scenes of three formulas each,
    or where the corpus's own scenes are not recognised better than by chance.
    """

    def __init__(self, formulas: Formulas) -> None:
        voiced = {
            name: [one for one in formulas.all if one.scenes.get(name)]
            for name in formulas.registers
        }
        self.names = [name for name, some in voiced.items() if len(some) >= LEAST]
        if len(self.names) < 2:
            told = ", ".join(f"{name or 'none'}: {len(some)}" for name, some in voiced.items())
            raise CorpusError(
                f"style is told by scenes in two registers of {LEAST} formulas each; the corpus "
                f"has, formulas by register: {told}"
            )
        scenes = [
            (scene, n, one.code)
            for n, name in enumerate(self.names)
            for one in voiced[name]
            for scene in one.scenes[name]
        ]
        self._texts, registers, self._codes = zip(*scenes, strict=True)
        self._registers = np.array(registers, dtype=np.intp)
        self._grams = Grams(self._texts, style=True)
        self._vectors = self._grams.vectors(self._texts)
        self.trust = self._tried()

    def of(self, texts: Sequence[str], *, without: Formula) -> list[str | None]:
        """The register of each text, by scenes of other formulas; None for a text of no sign."""
        found = self._nearest(self._grams.vectors(texts), without.code)
        return [
            self.names[n] if text.strip() else None for n, text in zip(found, texts, strict=True)
        ]

    def example(self, register: str) -> list[str]:
        """A scene of a register."""
        place = int((self._registers == self.names.index(register)).argmax())
        return [f"(as in) {self._texts[place]}"]

    def _nearest(self, vectors: Vectors, without: str) -> list[int]:
        rest: NDArray[np.bool_] = np.array([code != without for code in self._codes])
        middle = self._vectors[rest].mean(0)
        means = centroids(self._vectors[rest] - middle, self._registers[rest], len(self.names))
        best: list[int] = ((vectors - middle) @ means.T).argmax(1).tolist()
        return best

    def _tried(self) -> str:
        right, weights = [], 1 / np.bincount(self._registers)
        for vector, register, code in zip(self._vectors, self._registers, self._codes, strict=True):
            right.append(float(self._nearest(vector[None], code)[0] == register))
        balanced = np.array(right) * weights[self._registers] * len(right) / len(self.names)
        # Balanced, a right answer counts more than 1 in a register with few scenes: no share.
        told = interval(balanced.tolist(), self._codes, share=False)
        low, high = (min(1.0, max(0.0, told[edge])) for edge in ("low", "high"))
        doubt = f" ({100 * low:.0f}–{100 * high:.0f}%)" if low < high else ""
        chance = 1 / len(self.names)
        said = (
            f"it recognises {100 * told['mean']:.0f}%{doubt} of the author's own {len(right)} "
            f"scenes, each by scenes of other formulas; chance is {100 * chance:.0f}%"
        )
        if told["low"] <= chance:
            raise CorpusError(
                f"the styles of the corpus cannot be told apart: {said}",
                hint="More scenes in each register make it possible.",
            )
        return f"{said[0].upper()}{said[1:]}."
