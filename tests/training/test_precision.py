"""Bits and precision: what a base is kept in and a mask computed in, and what comes of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.config import Config
from training.corpus import Corpus
from training.errors import MissingExtra, TrainingFailed

pytestmark = pytest.mark.usefixtures("stack")
Make = Callable[..., Config]


def needs(package: str, extra: str) -> None:
    pytest.importorskip(package, reason=f"the extra {extra} ({package}) is not installed")


def losses(path: Path) -> list[float]:
    lines = map(json.loads, path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines())
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture
def train(corpus: Corpus, base: Any, tmp_path: Path) -> Any:
    """Trains the mask m into a folder; with ``cut`` it is broken off after that step first."""
    from training.train import train

    def run(settings: Config, folder: str, cut: int = 0) -> Any:
        def progress(entry: dict[str, Any]) -> None:
            if entry["step"] == cut:
                raise KeyboardInterrupt

        if cut:
            with pytest.raises(KeyboardInterrupt):
                train(corpus, base, "m", settings, masks=tmp_path / folder, progress=progress)
            assert not (tmp_path / folder / "m.safetensors").exists()
        return train(corpus, base, "m", settings, masks=tmp_path / folder)

    return run


CHOICES = [{"quantize": "nf4"}, {"quantize": "int8"}, {"precision": "fp16"}, {"precision": "bf16"}]


@pytest.mark.parametrize("how", CHOICES, ids=lambda how: "-".join(how.values()))
def test_it_trains_as_in_full_precision_and_goes_on_to_the_same_bytes(
    how: dict[str, str], train: Any, config: Make
):
    if "quantize" in how:
        needs("bitsandbytes", "quantize")
    settings = config(steps=6, dropout=0.1, save_every=2, validate_every=3, **how)
    whole = train(settings, "whole")
    assert train(settings, "cut", cut=3).path.read_bytes() == whole.path.read_bytes()
    full = train(config(steps=6, dropout=0.1, validate_every=3), "full")
    assert losses(whole.path) == pytest.approx(losses(full.path), rel=0.02)
    assert losses(whole.path) != losses(full.path)
    assert {str(t.dtype) for t in whole.tensors().values()} == {"torch.float32"}


def test_a_mask_that_was_trained_on_a_quantized_base_speaks_on_the_base(
    train: Any, corpus: Corpus, base: Any, config: Make
):
    needs("bitsandbytes", "quantize")
    from training.cli.masks import _told
    from training.examples import read_examples, rows_of
    from training.network import Network
    from training.voices import Voices

    settings = config(steps=20, rate=0.01, quantize="nf4")
    mask = train(settings, "masks")
    assert mask.about["base"] == base.named | {"quantized": "nf4"}
    assert "trained on it in nf4" in _told(mask)["base"]
    network, voices = Network(settings.training), Voices(base, [mask])
    found = read_examples(corpus, "validation", base.tokenizer(), names=(), window=1024)
    told = {}
    for name in ("base", "m"):
        with voices.wearing(name) as model:
            network.take(model)
            told[name] = network.loss(rows_of(found, range(len(found)), 256))
    assert told["m"] == pytest.approx(mask.about["results"]["validation_loss"], rel=0.01)
    assert told["m"] < 0.99 * told["base"]


def test_a_quantized_base_takes_less_memory(base: Any):
    needs("bitsandbytes", "quantize")
    size = {bits: base.model(bits=bits).get_memory_footprint() for bits in ("none", "int8", "nf4")}
    assert size["nf4"] < size["int8"] < 0.6 * size["none"]


def test_without_the_extra_quantize_says_what_to_install(
    train: Any, config: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtra, match=r"bitsandbytes.*\n.*'\.\[train,quantize\]'"):
        train(config(quantize="nf4"), "masks")


def test_a_gradient_beyond_fp16_is_computed_again_with_a_smaller_scale(
    train: Any, config: Make, monkeypatch: pytest.MonkeyPatch
):
    from training import network

    computed, how = list[int](), network.Network._gradient

    def counted(self: Any, *rows_and_seed: Any) -> Any:
        computed.append(1)
        return how(self, *rows_and_seed)

    monkeypatch.setattr(network, "_SCALES", (2.0**30, 2.0**30))
    monkeypatch.setattr(network.Network, "_gradient", counted)
    settings = config(steps=3, precision="fp16", save_every=1)
    whole = train(settings, "whole")
    again = len(computed) - 3
    assert again > 3
    assert losses(whole.path) == pytest.approx(
        losses(train(config(steps=3), "full").path), rel=0.02
    )
    computed.clear()
    assert train(settings, "cut", cut=2).path.read_bytes() == whole.path.read_bytes()
    assert len(computed) == again + 4, (
        "what is gone on with knows the scale, and makes step 2 again"
    )


@pytest.mark.parametrize("bits", ["nf4", "int8"])
def test_a_quantized_base_is_validated_as_it_is_trained(bits: Any, stack: Any, base: Any):
    needs("bitsandbytes", "quantize")
    from training.quantized import rest

    model, ids = base.model(stack.float32, bits), stack.arange(20)[None]
    with stack.no_grad():
        assert stack.equal(rest(model)(ids).logits, model.train()(ids).logits)


def test_a_loss_that_is_no_number_in_validation_keeps_nothing_as_final(
    train: Any, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from training.network import Network

    said = Network._loss
    monkeypatch.setattr(
        Network,
        "_loss",
        lambda self, *r: said(self, *r) * (1 if self.model.training else float("nan")),
    )
    with pytest.raises(TrainingFailed, match="the validation loss is nan after step 2"):
        train(config(steps=2, precision="bf16"), "masks")
    assert not (tmp_path / "masks" / "m.safetensors").exists()


@pytest.mark.parametrize(("device", "bf16", "chosen"), [
    ("cuda", True, "bf16"), ("cuda", False, "fp16"), ("mps", False, "fp32"), ("cpu", True, "fp32"),
])  # fmt: skip
def test_the_device_chooses_the_precision(
    device: str, bf16: bool, chosen: str, stack: Any, config: Make, monkeypatch: pytest.MonkeyPatch
):
    from training.network import Network

    network = Network(config().training)
    monkeypatch.setattr(stack.cuda, "is_bf16_supported", lambda _: bf16)
    network._device = stack.device(device)
    assert network._chosen() == chosen
