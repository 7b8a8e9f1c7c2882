"""How sure a mean is, and a difference of means: by what was drawn independently."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
RESAMPLES = 1000
_WEIGHINGS = 4000
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
    together, and many of them are not many independent answers. With one cluster no interval is
    known, and low and high are the mean.

    A share has one rule, Gaffke's (Gaffke 2005; Learned-Miller and Thomas 2019, arXiv 1905.06208):
    the clusters are weighed at random (Dirichlet), together with one more that nobody met and that
    is 0 for the low edge, 1 for the high one. Of clusters that are each 0 or 1 that is the exact
    interval of Clopper and Pearson (1934), of many it is the Bayesian bootstrap, and it goes from
    one to the other without a step: the less was asked, the more room is left for what was missed.

    A scale without ends leaves no such room: there it is `difference`'s rule.

    :param clusters: what each score belongs to; without them each stands alone.
    :param share: whether the scale is 0 to 1; else it has no ends.
    :returns: mean, low, high, n (scores), clusters.
    """
    return _interval(values, clusters, _weighed if share else _drawn)


def difference(
    values: Sequence[float],
    others: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    share: bool = True,
) -> dict[str, float]:
    """By how much ``values`` are above ``others``, question by question, with its 95% interval.

    Paired: both answered the same questions, so what is hard for both is no noise, and a cluster
    where one is all right and the other all wrong, which nobody met, is not reckoned with:

    - ten clusters or more: the percentile bootstrap over clusters (Davison and Hinkley, "Bootstrap
      Methods", 1997, 3.8);
    - fewer, of which a bootstrap would be too narrow: Student's t with one degree of freedom less
      than there are clusters (Cameron and Miller, "A Practitioner's Guide to Cluster-Robust
      Inference", 2015, VI), of the ratio of sums (Cochran, "Sampling Techniques", 1977, 6.3), cut
      at the ends of the scale;
    - all clusters of shares alike, which shows no doubt at all: the part that so many can have
      missed, 1 - 0.025^(1/k) of k, may lie anywhere from -1 to 1.
    """
    apart = np.subtract(values, others).tolist()
    return _interval(apart, clusters, _paired if share else _drawn)


def side(less: Mapping[str, Any]) -> int:
    """1 where a difference is shown to be above 0, -1 where below, 0 where neither is shown."""
    if less["clusters"] < ENOUGH:
        return 0
    return int(less["low"] > 0) - int(less["high"] < 0)


def _interval(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None,
    edges: Callable[[Floats, Floats], tuple[float, float]],
) -> dict[str, float]:
    found = np.asarray(values, dtype=float)
    names = range(len(found)) if clusters is None else clusters
    numbers = {name: n for n, name in enumerate(dict.fromkeys(names))}
    owners = np.array([numbers[name] for name in names])
    low = high = mean = float(found.mean())
    if len(numbers) > 1:
        low, high = edges(
            np.bincount(owners, found).astype(float), np.bincount(owners).astype(float)
        )
    return {
        "mean": round(mean, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "n": len(found),
        "clusters": len(numbers),
    }


def _weighed(sums: Floats, counts: Floats) -> tuple[float, float]:
    """Gaffke's edges of a share, by the sum and the number of scores of each cluster."""
    some, mean, size = len(sums), float(sums.sum() / counts.sum()), float(counts.mean())
    weights = np.random.default_rng(0).exponential(size=(_WEIGHINGS, some))
    weights /= weights.sum(1, keepdims=True)
    # The weight of the cluster that nobody met is Beta(1, k): its quantiles, and no draws of it.
    extra = 1 - (1 - (np.arange(_WEIGHINGS) + 0.5) / _WEIGHINGS) ** (1 / some)
    said, asked = ((1 - extra) * (weights @ one) for one in (sums, counts))
    low, high = ((said + extra * size * end) / (asked + extra * size) for end in (0.0, 1.0))
    return (
        min(mean, float(np.quantile(low, _EDGE))),
        max(mean, float(np.quantile(high, 1 - _EDGE))),
    )


def _drawn(sums: Floats, counts: Floats) -> tuple[float, float]:
    """The edges by a bootstrap, or of few clusters by Student's t."""
    some, mean = len(sums), float(sums.sum() / counts.sum())
    if some < FEW:
        apart = sums - mean * counts
        error = math.sqrt(some / (some - 1) * float(apart @ apart)) / float(counts.sum())
        return mean - _STUDENT[some - 2] * error, mean + _STUDENT[some - 2] * error
    draw = np.random.default_rng(0).integers(0, some, (RESAMPLES, some))
    low, high = np.quantile(sums[draw].sum(1) / counts[draw].sum(1), (_EDGE, 1 - _EDGE))
    return float(low), float(high)


def _paired(sums: Floats, counts: Floats) -> tuple[float, float]:
    """The same of a difference of shares, which lies between -1 and 1."""
    mean = float(sums.sum() / counts.sum())
    if np.ptp(sums / counts) < 1e-9:
        room = 1 - _EDGE ** (1 / len(sums))
        return mean - room * (mean + 1), mean + room * (1 - mean)
    low, high = _drawn(sums, counts)
    return max(-1.0, low), min(1.0, high)
