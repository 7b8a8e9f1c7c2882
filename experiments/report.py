"""What a run says: measures with intervals over questions and seeds, and which thresholds hold.

The interval of a mean is a bootstrap over questions, each question's score being the mean over
seeds; beside it stands the least and the greatest mean of one seed. A difference of two arms is
taken question by question over the seeds that both have run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from experiments.asking import GROUPS
from experiments.settings import ALONE, ASKED, HELD_OUT, PLAIN, RECALL, Settings, Threshold
from training.files import to_json, write_whole

KNOWN = "emission, any where known"
"""Emission over the questions whose Y is known: recall is 1."""
SHOWN = (
    "association, marker", "association", "leaving", "request", "coherence",
    "emission, any", "emission, rate", ALONE, PLAIN, RECALL, KNOWN,
)  # fmt: skip
RESAMPLES = 1000
WORST = 3
Report = dict[str, Any]
Values = np.ndarray[Any, np.dtype[np.float64]]


def report_of(settings: Settings, out: Path, about: dict[str, Any]) -> Report:
    """The report of all results that are there for the arms of the settings.

    :param about: what else is to be told: command, date, machine, versions, forest.
    """
    asked = orjson.loads((out / "questions.json").read_bytes())
    results = _results(settings, out)
    groups = [question["group"] for question in asked["questions"]]
    told: dict[str, Any] = {
        name: _arm(settings, name, found, groups) for name, found in results.items() if found
    }
    return about | {
        "settings": settings.model_dump(mode="json"),
        "groups": asked["by group"],
        "unstitched": len(asked["unstitched"]),
        "arms": told,
        "thresholds": [_judged(t, results, groups) for t in settings.thresholds],
        "worst": {
            name: _worst(found[0], asked["questions"]) for name, found in results.items() if found
        },
    }


def _results(settings: Settings, out: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name in settings.arms:
        paths = (out / "results" / f"{name}-{seed}.json" for seed in range(settings.seeds))
        found[name] = [orjson.loads(path.read_bytes()) for path in paths if path.exists()]
    return found


def _arm(
    settings: Settings, name: str, found: Sequence[dict[str, Any]], groups: Sequence[str]
) -> dict[str, Any]:
    first, arm = found[0], settings.arms[name]
    kept = ("tokens", "steps", "weights", "vocabulary", "records", "corpora")
    return {
        "about": arm.about,
        "recipe": arm.recipe,
        "shares": arm.shares,
        "ask": arm.ask,
        "seeds": [result["seed"] for result in found],
        "loss": [result["loss"] for result in found],
        "seconds": [result["seconds"] for result in found],
        **{key: first[key] for key in kept if key in first},
        "scores": {
            group: {
                measure: scored
                for measure in SHOWN
                if (scored := _score(_values(found, group, groups, measure))) is not None
            }
            for group in GROUPS
            if group in groups
        },
    }


def _values(
    found: Sequence[dict[str, Any]], group: str, groups: Sequence[str], measure: str
) -> Values:
    """A measure of a group's questions, NaN where it was not asked. Shape: seeds, questions."""
    places = [n for n, of in enumerate(groups) if of == group]
    return np.array([[_value(result["answers"][n], measure) for n in places] for result in found])


def _value(answer: dict[str, Any], measure: str) -> float:
    if measure == KNOWN:
        return float(answer.get("emission, any", np.nan)) if answer.get(RECALL) else np.nan
    return float(answer.get(measure, np.nan))


def _score(values: Values) -> dict[str, Any] | None:
    there = ~np.isnan(values)
    if not there.any(1).all():
        return None
    by_seed = np.nanmean(values, axis=1)
    some = values[:, there.any(0)]
    low, high = _bootstrap(np.nanmean(some, axis=0))
    return {
        "mean": round(float(by_seed.mean()), 4),
        "low": low,
        "high": high,
        "by_seed": [round(float(one), 4) for one in by_seed],
        "n": int(some.shape[1]),
    }


def _bootstrap(found: Values) -> tuple[float, float]:
    """The interval that holds the mean in 95 of 100 resamplings."""
    draw = np.random.default_rng(0).integers(0, len(found), (RESAMPLES, len(found)))
    low, high = np.quantile(found[draw].mean(1), (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


# --- thresholds -----------------------------------------------------------------------------------


def _judged(
    threshold: Threshold, results: dict[str, list[dict[str, Any]]], groups: Sequence[str]
) -> dict[str, Any]:
    """Whether a threshold was met: true, false, or null where it could not be asked."""
    told: dict[str, Any] = threshold.model_dump() | {"said": threshold.said, "met": None}
    ours, theirs = (
        {r["seed"]: r for r in results.get(n, [])} for n in (threshold.arm, threshold.over)
    )
    seeds = sorted(ours.keys() & theirs.keys() if threshold.over else ours)
    if not seeds:
        return told
    asked = groups, threshold.measure
    values = _values([ours[seed] for seed in seeds], threshold.group, *asked)
    if threshold.over:
        values = np.subtract(values, _values([theirs[s] for s in seeds], threshold.group, *asked))
    score = _score(values) if values.size else None
    if score is None:
        return told
    reached = 100 * score["mean"]
    met = reached > 0 if threshold.over and not threshold.points else reached >= threshold.points
    return told | {
        "met": bool(met),
        "reached": round(reached, 1),
        "low": round(100 * score["low"], 1),
        "high": round(100 * score["high"], 1),
        "seeds": len(seeds),
    }


# --- where it breaks ------------------------------------------------------------------------------


def _worst(result: dict[str, Any], asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The held-out questions that the first seed answers worst: no sample lands, least margin."""
    answers = result["answers"]
    order = sorted(
        (n for n, question in enumerate(asked) if question["group"] == HELD_OUT),
        key=lambda n: (answers[n].get("emission, rate", 0), answers[n]["margin"], n),
    )
    return [
        asked[n]["probe"] | {"said": answers[n].get("said", []), "margin": answers[n]["margin"]}
        for n in order[:WORST]
    ]


# --- files ----------------------------------------------------------------------------------------


def write_report(report: Report, out: Path) -> None:
    """Write ``report.json``, ``report.md``, ``report.html`` and ``report.svg`` into a folder."""
    from experiments.pages import html, markdown
    from experiments.plot import plot

    picture = plot(report)
    write_whole(out / "report.svg", picture.encode())
    write_whole(out / "report.md", markdown(report).encode())
    write_whole(out / "report.html", html(report, picture).encode())
    write_whole(out / "report.json", to_json(report))


assert set(ASKED) <= set(SHOWN)
