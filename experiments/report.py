"""What a run says: measures with intervals over questions and seeds, and which thresholds hold.

The interval of a mean is over anchors (`training.behaviour.intervals`), each question's score being
the mean over seeds; beside it stand the least and the greatest mean of one seed. A difference of
two arms is taken question by question over the seeds that both have run. An arm that was taught no
request is judged by its answers without one, where they are better.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from experiments.asking import GROUPS
from experiments.settings import ALONE, HELD_OUT, PLAIN, Settings, Threshold
from training.behaviour.intervals import ENOUGH, difference, interval
from training.files import to_json, write_whole

PLAINLY = {"association, marker": "association", "emission, any": ALONE, "emission, rate": PLAIN}
"""What a measure with a request is without one."""
KNOWN = "emission, any where known"
"""Emission over the questions whose Y is known: recall is 1."""
SHOWN = (
    "association, marker", "association", "leaving", "request", "coherence",
    "emission, any", "emission, rate", ALONE, PLAIN, "recall", KNOWN,
    "request, named", "destination", "emission, named", "leaving, guided", "emission, guided",
)  # fmt: skip
WORST = 3
Report = dict[str, Any]
Values = np.ndarray[Any, np.dtype[np.float64]]


class _Asked(NamedTuple):
    """The group and the anchor of each question."""

    groups: list[str]
    anchors: list[str]

    def places(self, group: str) -> list[int]:
        """The questions of a group."""
        return [n for n, of in enumerate(self.groups) if of == group]

    def anchors_in(self, group: str) -> list[str]:
        """Their anchors."""
        return [self.anchors[n] for n in self.places(group)]


def report_of(settings: Settings, out: Path, about: dict[str, Any]) -> Report:
    """The report of all results that are there for the arms of the settings.

    :param about: what else is to be told: command, date, machine, versions, forest.
    """
    asked = orjson.loads((out / "questions.json").read_bytes())
    results = _results(settings, out)
    where = _Asked(
        [question["group"] for question in asked["questions"]],
        [question["probe"]["anchor"] for question in asked["questions"]],
    )
    told: dict[str, Any] = {
        name: _arm(settings, name, found, where) for name, found in results.items() if found
    }
    return about | {
        "settings": settings.model_dump(mode="json"),
        "groups": asked["by group"],
        "unstitched": len(asked["unstitched"]),
        "arms": told,
        "thresholds": [_judged(settings, t, results, where) for t in settings.thresholds],
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
    settings: Settings, name: str, found: Sequence[dict[str, Any]], where: _Asked
) -> dict[str, Any]:
    first, arm = found[0], settings.arms[name]
    kept = ("tokens", "steps", "weights", "vocabulary", "records", "corpora")
    return {
        "about": arm.about,
        "recipe": arm.recipe,
        "shares": arm.shares,
        "ask": arm.ask,
        "taught": arm.taught,
        "seeds": [result["seed"] for result in found],
        "loss": [result["loss"] for result in found],
        "seconds": [result["seconds"] for result in found],
        **{key: first[key] for key in kept if key in first},
        "scores": {
            group: {
                measure: scored
                for measure in SHOWN
                if (scored := _scored(_values(found, group, where, measure), group, where))
            }
            for group in GROUPS
            if group in where.groups
        },
        "best": {
            measure: _scored(
                _best(settings, name, found, HELD_OUT, where, measure), HELD_OUT, where
            )
            for measure in (*PLAINLY, "leaving")
        },
    }


def _best(
    settings: Settings,
    name: str,
    found: Sequence[dict[str, Any]],
    group: str,
    where: _Asked,
    measure: str,
) -> Values:
    """A measure with a request; of an arm that was taught none, without one if that is better."""
    asked = _values(found, group, where, measure)
    if settings.arms[name].taught or measure not in PLAINLY:
        return asked
    plainly = _values(found, group, where, PLAINLY[measure])
    both = not np.isnan(asked).all() and not np.isnan(plainly).all()
    return plainly if both and np.nanmean(plainly) > np.nanmean(asked) else asked


def _values(found: Sequence[dict[str, Any]], group: str, where: _Asked, measure: str) -> Values:
    """A measure of a group's questions, NaN where it was not asked. Shape: seeds, questions."""
    places = where.places(group)
    return np.array([[_value(result["answers"][n], measure) for n in places] for result in found])


def _value(answer: dict[str, Any], measure: str) -> float:
    if measure == KNOWN:
        return float(answer.get("emission, any", np.nan)) if answer.get("recall") else np.nan
    return float(answer.get(measure, np.nan))


def _scored(
    values: Values, group: str, where: _Asked, minus: Values | None = None
) -> dict[str, Any] | None:
    """Mean with intervals over anchors and seeds, of a difference with ``minus``; None of nothing.

    Shape of values: (seeds, questions).
    """
    apart = values if minus is None else np.subtract(values, minus)
    there = ~np.isnan(apart)
    if not apart.size or not there.any(1).all():
        return None
    some = np.any(there, axis=0).reshape(-1)
    anchors = [a for a, is_there in zip(where.anchors_in(group), some, strict=True) if is_there]
    ours = np.nanmean(values[:, some], axis=0).tolist()
    if minus is None:
        told = interval(ours, anchors)
    else:
        told = difference(ours, np.nanmean(minus[:, some], axis=0).tolist(), anchors)
    by_seed = [round(float(one), 4) for one in np.nanmean(apart, axis=1)]
    return told | {"mean": round(float(np.mean(by_seed)), 4), "by_seed": by_seed}


# --- thresholds -----------------------------------------------------------------------------------


def _judged(
    settings: Settings,
    threshold: Threshold,
    results: dict[str, list[dict[str, Any]]],
    where: _Asked,
) -> dict[str, Any]:
    """Whether a threshold was met: true, false, or null where it was not asked, or of too few."""
    told: dict[str, Any] = threshold.model_dump() | {"said": threshold.said, "met": None}
    ours, theirs = (
        {r["seed"]: r for r in results.get(n, [])} for n in (threshold.arm, threshold.over)
    )
    seeds = sorted(ours.keys() & theirs.keys() if threshold.over else ours)
    if not seeds:
        return told
    asked = threshold.group, where, threshold.measure
    values = _best(settings, threshold.arm, [ours[seed] for seed in seeds], *asked)
    other = None
    if threshold.over:
        other = _best(settings, threshold.over, [theirs[seed] for seed in seeds], *asked)
    score = _scored(values, threshold.group, where, other)
    if score is None:
        return told
    reached = 100 * score["mean"]
    met = reached > 0 if threshold.over and not threshold.points else reached >= threshold.points
    return told | {
        "met": None if met and score["clusters"] < ENOUGH else bool(met),
        "reached": round(reached, 1),
        "low": round(100 * score["low"], 1),
        "high": round(100 * score["high"], 1),
        "anchors": score["clusters"],
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
