"""Does a voice repeat itself, or collapse?

repeated    of a sample's runs of four words, the share that stood in it before (seq-rep-4: Welleck
            and others, "Neural Text Generation with Unlikelihood Training", 2020)
distinct    of the pairs of words in the samples of one prompt, the share that is different from
            all others (distinct-2: Li and others, 2016); of each sample the first 30 words,
            because a longer text has more of the same
copies      the share of samples of whose runs of four words half or more stand in the prompt
empty       the share of samples without a word
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple
from zlib import crc32

import numpy as np

from training.behaviour.formulas import Formulas
from training.behaviour.measures import Found, Scale
from training.behaviour.scenes import Task, Ways, one_line
from training.behaviour.speaker import Speaker
from training.corpus import Corpus
from training.errors import CorpusError
from training.formats import as_text
from training.probes import words_of

FREE, SCENES = "paths, gone on with", "scenes"
PATHS = 40
RUN = 4
_WORDS = 30


_SCALES = {
    "repeated": Scale("runs of four words that were there before", more=False),
    "distinct": Scale("pairs of words that are different"),
    "copies": Scale("samples that say the prompt again", more=False),
    "empty": Scale("samples without a word", more=False),
}


class _Path(NamedTuple):
    """The first half of a path, and the rest of it."""

    prompt: str
    rest: str


class Repetition:
    """The measure: see the module. Raises CorpusError where there is nothing to go on with."""

    key, title = "repetition", "Repetition and collapse"
    method = (
        "The voice goes on with the first halves of paths of the corpus, of its validation split "
        "where it has one, and with formulas in their registers. Repeated: the share of a sample's "
        f"runs of {RUN} words that stood in it before. Distinct: the share of different pairs of "
        "words in the samples of one prompt. Copies: half or more of the runs stand in the prompt."
    )
    scales = _SCALES

    def __init__(self, corpus: Corpus, formulas: Formulas | None, ways: Ways) -> None:
        self._paths, self._ways = _paths(corpus, min(PATHS, ways.most)), ways
        self._tasks: list[Task] = ways.tasks(formulas, formulas.all) if formulas else []
        self._line = formulas is not None and one_line(formulas)
        if not self._paths and not self._tasks:
            raise CorpusError(f"the corpus {corpus.path} has no path and no formula to go on with")

    @property
    def questions(self) -> int:
        """How often the speaker answers."""
        return len(self._paths) + len(self._tasks)

    def ask(self, speaker: Speaker) -> list[Found]:
        """What a voice makes of all prompts."""
        ways, prompts = self._ways, [path.prompt for path in self._paths]
        seeds = [crc32(f"{ways.seed}/{prompt}".encode()) for prompt in prompts]
        free = speaker.continued(prompts, ways.samples, ways.length, seeds)
        scenes = ways.said(speaker, self._tasks, line=self._line)
        return [
            _told(FREE, path.prompt, path.prompt, some, [path.rest])
            for path, some in zip(self._paths, free, strict=True)
        ] + [
            _told(SCENES, task.formula.code, task.prompt, some, scenes_of(task))
            for task, some in zip(self._tasks, scenes, strict=True)
        ]


def scenes_of(task: Task) -> list[str]:
    """The author's own scenes of a task."""
    return task.formula.scenes.get(task.register, [])


def _told(group: str, cluster: str, prompt: str, said: Sequence[str], own: Sequence[str]) -> Found:
    scores = _scores(prompt, said)
    given = {}
    if own:
        theirs = _scores(prompt, own)
        given = {f"{name}, the corpus's own text": theirs[name] for name in ("repeated", "copies")}
    bad = scores["repeated"] + scores["copies"] + 2 * scores["empty"]
    return Found(group, cluster, scores, prompt, said, own, bad, given)


def _scores(prompt: str, said: Sequence[str]) -> dict[str, float]:
    words = [words_of(text) for text in said]
    asked = words_of(prompt)
    pairs = [pair for some in words for pair in _runs(some[:_WORDS], 2)]
    return {
        "repeated": float(np.mean([_again(_runs(some, RUN)) for some in words])),
        "distinct": len(set(pairs)) / len(pairs) if pairs else 0.0,
        "copies": float(np.mean([_copied(some, asked) for some in words])),
        "empty": float(np.mean([not some for some in words])),
    }


def _again(runs: Sequence[tuple[str, ...]]) -> float:
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def _copied(words: Sequence[str], asked: Sequence[str]) -> bool:
    """Whether half or more of a text's runs stand in another; a shorter text is one run."""
    length = min(RUN, len(words))
    runs, known = _runs(words, length), set(_runs(asked, length))
    return bool(words) and 2 * sum(run in known for run in runs) >= len(runs)


def _runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[n : n + length]) for n in range(len(words) - length + 1)]


def _paths(corpus: Corpus, most: int) -> list[_Path]:
    """The first paths of a corpus, each cut between two lines."""
    splits = sorted((s for s in corpus.splits if corpus.has(s)), key=lambda s: s != "validation")
    found: dict[str, _Path] = {}
    for split in splits:
        kinds = (r for r in corpus.records(split) if r.get("meta", {}).get("kind") == "path")
        for record in islice(kinds, 20 * most):
            told = as_text(record)
            lines = told["text"].split("\n") if told else []
            half = len(lines) // 2
            prompt = "\n".join(lines[:half]) + "\n"
            if half and len(found) < most:
                found.setdefault(prompt, _Path(prompt, "\n".join(lines[half:])))
    return list(found.values())
