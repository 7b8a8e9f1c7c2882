"""How sure a mean is, and a difference of means: bootstrap over what was drawn independently."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

RESAMPLES = 1000
SURE = 0.95


def interval(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> dict[str, float]:
    """Mean of some scores with the interval that holds it in 95 of 100 resamplings.

    Whole clusters are drawn (Davison and Hinkley, "Bootstrap Methods", 1997, 3.8): probes of one
    anchor, or scenes of one formula, succeed and fail together, and many of them are not many
    independent answers. Where all scores are 0 or all are 1 no resampling differs; then it is the
    exact interval of a share (Clopper and Pearson, 1934) of so many clusters. With one cluster no
    interval is known, and low and high are the mean.

    :param clusters: what each score belongs to; without them each stands alone.
    :returns: mean, low, high, n (scores), clusters.
    """
    return _interval(values, clusters, least=0.0)


def difference(
    values: Sequence[float], others: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> dict[str, float]:
    """By how much ``values`` are above ``others``, question by question: `interval` of that.

    Paired: both answered the same questions, so what is hard for both is no noise.
    """
    return _interval(np.subtract(values, others).tolist(), clusters, least=-1.0)


def _interval(
    values: Sequence[float], clusters: Sequence[Hashable] | None, least: float
) -> dict[str, float]:
    found = np.asarray(values, dtype=float)
    names = range(len(found)) if clusters is None else clusters
    numbers = {name: n for n, name in enumerate(dict.fromkeys(names))}
    owners = np.array([numbers[name] for name in names])
    sums, counts = np.bincount(owners, found), np.bincount(owners)
    some, edge = len(sums), (1 - SURE) / 2
    draw = np.random.default_rng(0).integers(0, some, (RESAMPLES, some))
    low, high = np.quantile(sums[draw].sum(1) / counts[draw].sum(1), (edge, 1 - edge))
    if some > 1 and low == high and float(found[0]) in {-1.0, 0.0, 1.0}:
        room = 1 - edge ** (1 / some)
        low, high = max(low - room, least), min(high + room, 1.0)
    return {
        "mean": round(float(found.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "n": len(found),
        "clusters": some,
    }
