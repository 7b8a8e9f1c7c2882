"""How sure a mean is, and a difference of means: by what was drawn independently."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

RESAMPLES = 1000
SURE = 0.95
_EDGE = (1 - SURE) / 2
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306)
"""The 97.5% quantile of Student's t with 1, 2, ... degrees of freedom."""
FEW = len(_STUDENT) + 2
"""With fewer clusters than that a bootstrap is too narrow."""
ENOUGH = 6
"""Clusters that a difference needs to be told from 0. If there is none, five that were drawn
independently all point one way once in 16 times, six once in 32: the sign test at 95%."""


def interval(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    share: bool = True,
) -> dict[str, float]:
    """Mean of some scores with its 95% interval.

    Whole clusters are drawn: probes of one anchor, or scenes of one formula, succeed and fail
    together, and many of them are not many independent answers. Three methods, by what there is:

    - ten clusters or more: the percentile bootstrap over clusters (Davison and Hinkley, "Bootstrap
      Methods", 1997, 3.8);
    - fewer, of which a bootstrap would be too narrow: Student's t with one degree of freedom less
      than there are clusters (Cameron and Miller, "A Practitioner's Guide to Cluster-Robust
      Inference", 2015, VI), of the ratio of sums (Cochran, "Sampling Techniques", 1977, 6.3), cut
      at the ends of the scale;
    - all clusters alike, which shows no doubt at all: k of them leave, at 97.5%, room for a part
      of 1 - 0.025^(1/k) that was not met (Clopper and Pearson, 1934), which may lie anywhere on
      the scale. A scale without ends has no such interval: low and high are the mean.

    With one cluster no interval is known, and low and high are the mean.

    :param clusters: what each score belongs to; without them each stands alone.
    :param share: whether the scale is 0 to 1; else it has no ends.
    :returns: mean, low, high, n (scores), clusters.
    """
    return _interval(values, clusters, (0.0, 1.0) if share else None)


def difference(
    values: Sequence[float],
    others: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    share: bool = True,
) -> dict[str, float]:
    """By how much ``values`` are above ``others``, question by question: `interval` of that.

    Paired: both answered the same questions, so what is hard for both is no noise.
    """
    apart = np.subtract(values, others).tolist()
    return _interval(apart, clusters, (-1.0, 1.0) if share else None)


def side(less: Mapping[str, Any]) -> int:
    """1 where a difference is shown to be above 0, -1 where below, 0 where neither is shown."""
    if less["clusters"] < ENOUGH:
        return 0
    return int(less["low"] > 0) - int(less["high"] < 0)


def _interval(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None,
    ends: tuple[float, float] | None,
) -> dict[str, float]:
    found = np.asarray(values, dtype=float)
    names = range(len(found)) if clusters is None else clusters
    numbers = {name: n for n, name in enumerate(dict.fromkeys(names))}
    owners = np.array([numbers[name] for name in names])
    low, high = _edges(np.bincount(owners, found), np.bincount(owners), ends)
    return {
        "mean": round(float(found.mean()), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "n": len(found),
        "clusters": len(numbers),
    }


def _edges(sums: Any, counts: Any, ends: tuple[float, float] | None) -> tuple[float, float]:
    """Low and high of a mean, by the sum and the number of scores of each cluster."""
    some, mean = len(sums), float(sums.sum() / counts.sum())
    least, most = ends or (-math.inf, math.inf)
    if np.ptp(sums / counts) < 1e-9:
        if some == 1 or ends is None:
            return mean, mean
        room = 1 - _EDGE ** (1 / some)
        return mean + room * (least - mean), mean + room * (most - mean)
    if some < FEW:
        apart = sums - mean * counts
        error = math.sqrt(some / (some - 1) * float(apart @ apart)) / float(counts.sum())
        wide = _STUDENT[some - 2] * error
        return max(least, mean - wide), min(most, mean + wide)
    draw = np.random.default_rng(0).integers(0, some, (RESAMPLES, some))
    low, high = np.quantile(sums[draw].sum(1) / counts[draw].sum(1), (_EDGE, 1 - _EDGE))
    return float(low), float(high)
