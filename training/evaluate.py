"""Behaviour, not perplexity: does a mask make the base jump between trees at their anchors?

Each voice (the base, every mask) answers the same probes. The measures:

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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.base import Base
from training.corpus import Corpus
from training.errors import TrainingError
from training.examples import Example, Examples, encode, row_of
from training.files import folder_whole, to_json
from training.library import library, quiet
from training.masks import Mask
from training.network import require_apart
from training.probes import Probe, bag, by_group, overlap, probes, words_of
from training.voices import BASE, Voices

MEASURES = (
    "association, marker",
    "association",
    "leaving",
    "request",
    "coherence",
    "emission, any",
    "emission, rate",
)
LEXICAL = "lexical"
SAME = 0.8
"""Token F1 from which on a sample says what a continuation says."""
RESAMPLES = 1000
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


class Speaker:
    """One voice: how likely it finds a text after another, and what it says itself."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._torch = library("torch")
        self._model, self._tokenizer = model, tokenizer
        self._device = next(model.parameters()).device

    def scores(self, prompt: str, candidates: Sequence[str]) -> list[float]:
        """The mean log-likelihood of each candidate's tokens on the line after the prompt."""
        torch = self._torch
        row = row_of(examples := self._examples(prompt, candidates), range(len(candidates)))
        targets = torch.as_tensor(row.targets, dtype=torch.long, device=self._device)
        logits = self._model(
            input_ids=self._ids(row.ids),
            position_ids=self._ids(row.positions),
            logits_to_keep=targets,
            use_cache=False,
        ).logits[0]
        labels = torch.as_tensor(row.labels, dtype=torch.long, device=self._device)
        told = -torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")
        owners = np.searchsorted(examples.bounds, row.targets, side="right") - 1
        found = told.cpu().numpy()
        return [float(found[owners == n].mean()) for n in range(len(candidates))]

    def samples(self, prompt: str, number: int, length: int, seed: int) -> list[str]:
        """The first lines that it says itself on the line after the prompt."""
        torch, tokenizer = self._torch, self._tokenizer
        example = _encoded({"text": f"{prompt}\n"}, tokenizer)
        torch.manual_seed(seed)
        with quiet():
            said = self._model.generate(
                input_ids=self._ids(example.ids),
                attention_mask=self._ids([1] * len(example.ids)),
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                num_return_sequences=number,
                max_new_tokens=length,
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
            )
        texts = tokenizer.batch_decode(said[:, len(example.ids) :], skip_special_tokens=True)
        return [text.strip().partition("\n")[0] for text in texts]

    def length(self, texts: Sequence[str]) -> int:
        """Tokens of the longest text."""
        return max(len(self._tokenizer(text).input_ids) for text in texts)

    def _examples(self, prompt: str, candidates: Sequence[str]) -> Examples:
        parts = [
            _encoded({"prompt": f"{prompt}\n", "completion": candidate}, self._tokenizer)
            for candidate in candidates
        ]
        bounds = [0, *np.cumsum([len(part.ids) for part in parts]).tolist()]
        return Examples(
            np.concatenate([np.array(part.ids, np.int32) for part in parts]),
            np.concatenate([np.array(part.mask, np.bool_) for part in parts]),
            bounds,
        )

    def _ids(self, numbers: Any) -> Any:
        return self._torch.as_tensor(numbers, dtype=self._torch.long, device=self._device)[None]


def _encoded(record: dict[str, Any], tokenizer: Any) -> Example:
    example = encode(record, tokenizer, end=False)
    assert example is not None
    return example


# --- one probe ------------------------------------------------------------------------------------


def answer(speaker: Speaker, probe: Probe, samples: int, seed: int) -> dict[str, float]:
    """What a voice makes of a probe: 1 or 0 by measure, or a share."""
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


def interval(values: Sequence[float]) -> dict[str, float]:
    """Mean of some scores with the interval that holds it in 95 of 100 resamplings of them."""
    found = np.asarray(values, dtype=float)
    draw = np.random.default_rng(0).integers(0, len(found), (RESAMPLES, len(found)))
    low, high = np.quantile(found[draw].mean(1), (0.025, 0.975))
    return {
        "mean": round(float(found.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "n": len(found),
    }


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
