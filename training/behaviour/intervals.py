"""How sure a mean is: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 1000


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
