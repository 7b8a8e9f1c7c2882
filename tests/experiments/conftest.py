"""A small forest of proofs, and one run of two arms over it that many tests look into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forest.identity import finished
from forest.model import AnchorLink, Thought, Tree
from forest.stores.memory import MemoryStore
from tests.export_helpers import planted

ANCHORS = [f"fact {name} holds" for name in "abcdefgh"]
TINY: dict[str, Any] = {
    "exports": 2,
    "probes": 6,
    "samples": 2,
    "trees": 0,
    "held_out": 0.7,
    "unstitched": 0.2,
    "size": {"layers": 1, "width": 16, "heads": 2, "steps": 3, "rows": 2, "row": 32},
}
"""Settings of an arm that trains for less than a second."""


def said(what: str, n: int) -> str:
    """A sentence that shares few words with that of another number."""
    return f"{what} {n} of " + " ".join(
        f"{name}{n % k}" for name, k in zip("abcd", (7, 11, 13, 17), strict=True)
    )


def proof(n: int) -> Tree:
    """A proof of two steps that carries two anchors of eight."""

    def fact(k: int, level: int) -> Thought:
        anchor = ANCHORS[k % 8]
        return Thought(text=anchor, level=level, kind="fact", anchors=(AnchorLink(phrase=anchor),))

    thoughts = [
        Thought(text=said("claim", n), level=0, kind="hypothesis"),
        Thought(text=said("lemma", n), level=1, kind="conclusion"),
        fact(n, 2),
        Thought(text=said("premise", n), level=2, kind="fact"),
        fact(n + 1 + n // 8, 1),
    ]
    return finished(Tree(f"Proof {n}", thoughts=thoughts))


@pytest.fixture(scope="session")
def proofs() -> MemoryStore:
    return planted(*map(proof, range(40)))


@pytest.fixture(scope="session")
def settings() -> Any:
    from experiments.settings import Settings

    return Settings.load("full", seeds=1, only=["walks", "shuffled"], **TINY)


@pytest.fixture(scope="session")
def ran(proofs: MemoryStore, settings: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that is done. Skips where the extra `train` is not installed."""
    pytest.importorskip("torch", reason="the extra train (torch) is not installed").set_num_threads(
        1
    )
    from experiments.run import stitching

    out = tmp_path_factory.mktemp("experiment") / "out"
    stitching(proofs, out, settings, command="forest experiment stitching out")
    return out
