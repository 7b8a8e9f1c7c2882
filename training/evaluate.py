"""Behaviour, not perplexity: what a base and its masks do when they are asked.

Each voice (the base, every mask) is asked the same questions by each measure of
`training.behaviour`. A measure that the corpus does not let be asked is told as not measured, with
the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from training.base import Base
from training.behaviour.formulas import Formulas
from training.behaviour.jumps import Jumps
from training.behaviour.measures import Found, Measure, not_measured, section
from training.behaviour.page import page
from training.behaviour.pictures import picture
from training.behaviour.plain import Plain
from training.behaviour.repetition import Repetition
from training.behaviour.report import markdown
from training.behaviour.scenes import Scenes, Unseen, Ways
from training.behaviour.speaker import Speaker
from training.behaviour.style import Style
from training.corpus import Corpus
from training.errors import CorpusError, MaskError, TrainingError
from training.files import folder_whole, to_json
from training.masks import BASE, Mask
from training.network import require_apart
from training.tokens import reserved, single
from training.voices import Voices

__all__ = ["MEASURES", "Questions", "evaluate", "markdown", "phrases", "write_report"]

Progress = Callable[[int, int], None]
Report = dict[str, Any]
VERSION = 2


@dataclass(frozen=True)
class Questions:
    """What is asked, and how much of it."""

    only: tuple[str, ...] = ()
    """Keys of the measures that are asked; none: all of `MEASURES`."""
    most: int = 150
    """Probes of each group, and prompts of each other measure, at most."""
    samples: int = 5
    """Sampled answers to each prompt; 0: nothing is sampled."""
    length: int = 64
    """Tokens of an answer at most."""
    seed: int = 7
    banned: tuple[str, ...] = ()
    """Phrases that no scene may say."""
    plain: Path | None = None
    """Plain text for the measure of forgetting; None: the shipped one."""
    draws: int = 0
    """Samples drawn of each probe of jumps, to tell how often one of `samples` jumps; 0: `samples`,
    or more where the probes are few."""


class _Corpus:
    """What the measures of one evaluation read, each part once."""

    def __init__(self, corpus: Corpus, asked: Questions) -> None:
        self.corpus, self.asked = corpus, asked
        self.ways = Ways(asked.samples, asked.length, asked.seed, asked.most)
        self._formulas: Formulas | None = None

    @property
    def formulas(self) -> Formulas:
        """Raises CorpusError where there are none, or nothing is to be sampled."""
        if not self.asked.samples:
            raise CorpusError("it asks for samples, and none were to be drawn (--samples 0)")
        self._formulas = self._formulas or Formulas(self.corpus)
        return self._formulas

    def repetition(self) -> Repetition:
        """It needs no formulas."""
        try:
            return Repetition(self.corpus, self.formulas, self.ways)
        except CorpusError:
            if not self.asked.samples:
                raise
            return Repetition(self.corpus, None, self.ways)


_MAKERS: dict[str, tuple[str, Callable[[_Corpus], Measure]]] = {
    Jumps.key: (
        Jumps.title,
        lambda c: Jumps(c.corpus, c.asked.most, c.asked.samples, c.asked.seed, c.asked.draws),
    ),
    Scenes.key: (Scenes.title, lambda c: Scenes(c.formulas, c.ways, c.asked.banned)),
    Unseen.key: (Unseen.title, lambda c: Unseen(c.formulas, c.ways, c.asked.banned)),
    Style.key: (Style.title, lambda c: Style(c.formulas, c.ways)),
    Plain.key: (Plain.title, lambda c: Plain(c.asked.plain, c.asked.most, c.asked.seed)),
    Repetition.key: (Repetition.title, lambda c: c.repetition()),
}
MEASURES = tuple(_MAKERS)
"""Keys of all measures, in the order of the report."""


def evaluate(
    corpus: Corpus,
    base: Base,
    masks: Sequence[Mask] = (),
    asked: Questions = Questions(),
    *,
    controls: Sequence[Mask] = (),
    progress: Progress | None = None,
) -> Report:
    """Ask the base, each mask and each control all that the corpus lets be asked.

    :param controls: masks that the others are compared with, such as one trained on paths alone.
    :param progress: is told how many answers there are, and of how many.

    Raises MaskError, BaseError, TrainingError for plain text that is none, CorpusError where
    nothing can be measured, MissingExtra.
    """
    names = [mask.name for mask in controls]
    every = [*(mask for mask in masks if mask.name not in names), *controls]
    if controls and len(every) == len(controls):
        raise MaskError("all masks are controls", hint="Name a mask to compare with them.")
    measures, missing = _measures(_Corpus(corpus, asked))
    voices = Voices(base, every)
    require_apart(voices.model, base)
    torn = [name for name in reserved(corpus) if not single(voices.tokenizer, name)]
    found = _ask(voices, measures, progress)
    sections = {m.key: section(m, found[m.key], names) for m in measures} | missing
    return {
        "format": "reasoning-forest evaluation",
        "format_version": VERSION,
        "corpus": {"hash": corpus.hash, "path": str(corpus.path)},
        "base": {"source": base.name, "hash": base.hash, "torn": torn},
        "masks": {mask.name: _mask(mask, corpus) for mask in every},
        "controls": names,
        "asked": asdict(replace(asked, plain=None))
        | {"plain": str(asked.plain) if asked.plain else None, "temperature": 1.0},
        "sections": [sections[key] for key in MEASURES if key in sections],
    }


def _measures(corpus: _Corpus) -> tuple[list[Measure], dict[str, dict[str, Any]]]:
    """The measures that can be asked, and the sections of those that cannot, by key."""
    only = corpus.asked.only
    if unknown := [key for key in only if key not in _MAKERS]:
        raise TrainingError(
            f"there is no measure {unknown[0]!r}", hint=f"There are: {', '.join(MEASURES)}."
        )
    measures, missing = [], {}
    for key, (title, make) in _MAKERS.items():
        if only and key not in only:
            continue
        try:
            measures.append(make(corpus))
        except CorpusError as error:
            missing[key] = not_measured(key, title, str(error))
    if not measures:
        by_why: dict[str, list[str]] = {}
        for key, one in missing.items():
            by_why.setdefault(one["not_measured"], []).append(key)
        told = "; ".join(f"{', '.join(keys)}: {why}" for why, keys in by_why.items())
        raise CorpusError(f"nothing is left to ask: {told}")
    return measures, missing


def _ask(
    voices: Voices, measures: Sequence[Measure], progress: Progress | None
) -> dict[str, dict[str, list[Found]]]:
    """What each voice makes of each measure."""
    total = len(voices.names) * sum(measure.questions for measure in measures)
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(min(done, total), total)

    found: dict[str, dict[str, list[Found]]] = {measure.key: {} for measure in measures}
    for name in voices.names:
        with voices.wearing(name) as model:
            speaker = Speaker(model, voices.tokenizer, tick)
            for measure in measures:
                found[measure.key][name] = measure.ask(speaker)
    return found


def _mask(mask: Mask, corpus: Corpus) -> dict[str, Any]:
    """What a reader has to know to read a mask's scores rightly."""
    config, results = mask.about["config"], mask.about["results"]
    return {
        "sha256": mask.about["sha256"],
        "kinds": config["data"]["kinds"] or ["all"],
        "steps": results["steps"],
        "tokens": results["tokens"],
        "seed": config.get("training", {}).get("seed"),  # a mask that was merged has none
        "trained_on_this_corpus": all(told.get("hash") == corpus.hash for told in mask.corpora),
    }


def phrases(file: Path) -> tuple[str, ...]:
    """The phrases of a file, one a line. Raises TrainingError where there is none."""
    try:
        found = tuple(filter(None, map(str.strip, file.read_text("utf-8").splitlines())))
    except OSError as error:
        raise TrainingError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TrainingError(f"{file} is not UTF-8 text") from None
    if not found:
        raise TrainingError(f"{file} holds no phrase", hint="Write one on each line.")
    return found


def require_room(out: Path) -> None:
    """Raise TrainingError where a folder for a report holds something already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TrainingError(
            f"{out} exists and is not empty", hint="Nothing was written. Name a new folder."
        )


def write_report(report: Report, out: Path) -> None:
    """Write ``report.json``, ``report.md`` and ``report.html`` into a missing or empty folder.

    Raises TrainingError where it holds something.
    """
    require_room(out)
    with folder_whole(out) as folder:
        (folder / "report.json").write_bytes(to_json(report))
        (folder / "report.md").write_text(markdown(report), encoding="utf-8")
        (folder / "report.html").write_text(page(report), encoding="utf-8")
        (folder / "pictures").mkdir()
        for one in report["sections"]:
            if "groups" in one:
                drawn = picture(one, [BASE, *report["masks"]], report["controls"])
                (folder / "pictures" / f"{one['key']}.svg").write_text(drawn, encoding="utf-8")
