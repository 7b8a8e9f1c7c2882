"""Behaviour, not perplexity: does a mask make the base jump between trees at their anchors?

Each voice (the base, every mask) answers the same probes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.base import Base
from training.behaviour.intervals import interval
from training.behaviour.jumps import MEASURES, answer, lexical
from training.behaviour.speaker import Speaker
from training.corpus import Corpus
from training.errors import TrainingError
from training.files import folder_whole, to_json
from training.masks import Mask
from training.network import require_apart
from training.probes import Probe, by_group, probes
from training.voices import BASE, Voices

LEXICAL = "lexical"
WORST = 5
Progress = Callable[[int, int], None]
Report = dict[str, Any]


def evaluate(
    corpus: Corpus,
    base: Base,
    masks: Sequence[Mask] = (),
    *,
    most: int = 150,
    samples: int = 5,
    seed: int = 7,
    progress: Progress | None = None,
) -> Report:
    """Ask the base and each mask the probes of a corpus.

    :param most: probes of each group.
    :param samples: sampled continuations of each probe; 0: no emission.
    :param progress: is told how many answers there are, and of how many.

    Raises CorpusError where the corpus has nothing to probe, MaskError, BaseError, MissingExtra.
    """
    voices = Voices(base, masks)
    require_apart(voices.model, base)
    asked = probes(corpus, most, seed=seed)
    answers: dict[str, list[dict[str, float]]] = {}
    for number, name in enumerate(voices.names):
        answers[name] = []
        with voices.wearing(name) as model:
            speaker = Speaker(model, voices.tokenizer)
            for at, probe in enumerate(asked, 1):
                answers[name].append(answer(speaker, probe, samples, seed + at))
                if progress:
                    progress(number * len(asked) + at, len(voices.names) * len(asked))
    return _report(corpus, base, masks, asked, answers) | {"samples": samples, "seed": seed}


# --- the report -----------------------------------------------------------------------------------


def _report(
    corpus: Corpus,
    base: Base,
    masks: Sequence[Mask],
    asked: Sequence[Probe],
    answers: dict[str, list[dict[str, float]]],
) -> Report:
    groups: dict[str, Any] = {}
    for group, some in by_group(asked):
        places = [n for n, probe in enumerate(asked) if probe.group == group]
        groups[group] = {
            "probes": len(some),
            "chance": float(np.mean([1 / (1 + len(probe.distractors)) for probe in some])),
            LEXICAL: interval([lexical(probe) for probe in some]),
            "voices": {
                name: {
                    measure: interval(values)
                    for measure in MEASURES
                    if (values := [told[n][measure] for n in places if measure in told[n]])
                }
                for name, told in answers.items()
            },
        }
    return {
        "format": "reasoning-forest evaluation",
        "corpus": corpus.hash,
        "base": {"source": base.name, "hash": base.hash},
        "masks": {mask.name: _mask(mask, corpus) for mask in masks},
        "groups": groups,
        "worst": {name: _worst(asked, told) for name, told in answers.items() if name != BASE},
    }


def _mask(mask: Mask, corpus: Corpus) -> dict[str, Any]:
    """What a reader has to know to read a mask's scores rightly."""
    return {
        "sha256": mask.about["sha256"],
        "kinds": mask.about["config"]["data"]["kinds"] or ["all"],
        "steps": mask.about["results"]["steps"],
        "tokens": mask.about["results"]["tokens"],
        "trained_on_this_corpus": mask.about["corpus"]["hash"] == corpus.hash,
    }


def _worst(asked: Sequence[Probe], told: list[dict[str, float]]) -> list[dict[str, Any]]:
    order = sorted(range(len(asked)), key=lambda n: (told[n]["margin"], n))
    return [asked[n]._asdict() | {"margin": told[n]["margin"]} for n in order[:WORST]]


def markdown(report: Report) -> str:
    """The report for reading: a table of each group, what the masks are, the worst examples."""
    lines = ["# Do the masks jump?", "", f"Base: {report['base']['source']}.", ""]
    for name, about in report["masks"].items():
        lines.append(
            f"- **{name}**: records of kind {', '.join(about['kinds'])}, {about['steps']} steps, "
            f"{about['tokens']} tokens"
            + ("." if about["trained_on_this_corpus"] else
               "; **trained on another corpus: what is held out here it may have seen.**")
        )  # fmt: skip
    for group, told in report["groups"].items():
        lines += ["", f"## Pairs {group}: {told['probes']} probes", "", *_table(told)]
    for name, examples in report["worst"].items():
        lines += ["", f"## Where {name} fails most"]
        for one in examples:
            lines += ["", *_example(one)]
    return "\n".join(lines) + "\n"


def _table(told: dict[str, Any]) -> Iterator[str]:
    voices = told["voices"]
    yield f"| measure, % (95% interval) | {' | '.join(voices)} |"
    yield "|---|" + "---|" * len(voices)
    for measure in MEASURES:
        if any(measure in scores for scores in voices.values()):
            cells = (_cell(scores.get(measure)) for scores in voices.values())
            yield f"| {measure} | {' | '.join(cells)} |"
    yield ""
    yield (
        f"Association by chance {100 * told['chance']:.0f}, by words alone {_cell(told[LEXICAL])}."
    )


def _cell(score: dict[str, float] | None) -> str:
    if score is None:
        return "–"
    return f"{100 * score['mean']:.0f} ({100 * score['low']:.0f}–{100 * score['high']:.0f})"


def _example(one: dict[str, Any]) -> Iterator[str]:
    for line in f"{one['prompt']}\n{one['request']}".split("\n"):
        yield f"> {line}  "
    yield ""
    yield f"- in the other tree: {one['other']}"
    yield from (f"- distractor: {text}" for text in one["distractors"][:3])


def write_report(report: Report, out: Path) -> None:
    """Write ``report.json`` and ``report.md`` into a folder that is missing or empty.

    Raises TrainingError where it holds something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TrainingError(
            f"{out} exists and is not empty", hint="Nothing was written. Name a new folder."
        )
    with folder_whole(out) as folder:
        (folder / "report.json").write_bytes(to_json(report))
        (folder / "report.md").write_text(markdown(report), encoding="utf-8")
