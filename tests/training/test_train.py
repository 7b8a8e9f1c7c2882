"""Training a mask: it learns, it can be killed, it stops with one clear error."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import with_tokens
from training.config import Config, preset, presets
from training.corpus import Corpus
from training.errors import BaseError, ConfigError, MaskError, NoRoom, TrainingFailed

Make = Callable[..., Config]


def log_of(folder: Path, name: str = "m") -> list[dict[str, Any]]:
    lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def losses(folder: Path) -> list[tuple[int, Any]]:
    return [(e["step"], e.get("loss", e.get("validation_loss"))) for e in log_of(folder)]


# --- settings -------------------------------------------------------------------------------------


def test_the_default_file_says_the_defaults():
    assert Config.load() == Config()


@pytest.mark.parametrize("name", presets())
def test_every_preset_loads_and_says_why(name: str):
    assert Config.load([name]).hash
    assert preset(name).startswith("#")


def test_a_file_wins_over_presets_and_wrong_settings_are_named(tmp_path: Path):
    file = tmp_path / "own.toml"
    file.write_text("[lora]\nr = 8\n", encoding="utf-8")
    config = Config.load(["tiny", "fragment"], file)
    assert (config.lora.r, config.lora.alpha) == (8, 64)
    assert config.lora.modules == ("q_proj", "v_proj", "o_proj")
    file.write_text("[lora]\nrank = 8\n[training]\nrate = -1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"lora.rank: there is no such setting\n.*training.rate"):
        Config.load([], file)
    with pytest.raises(ConfigError, match="there is no preset 'poet'"):
        Config.load(["poet"])


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("training = 5", r"training: expected a section \[training\], not 5"),
        ("[training]\nrate = inf", "training.rate: Input should be a finite number"),
        ("[lora]\nalpha = inf", "lora.alpha: Input should be a finite number"),
        ("[training]\nthreads = 1000000000000", "training.threads: .* less than or equal"),
    ],
)
def test_what_is_no_section_or_no_size_is_refused(told: str, says: str, tmp_path: Path):
    file = tmp_path / "own.toml"
    file.write_text(told, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"own.toml has wrong settings:\n  {says}"):
        Config.load([], file, training={})


# --- training -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stack")
def test_it_learns_and_changes_nothing_but_the_mask(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    before = base.hash
    mask = train(corpus, base, "Δ42_logic", config(steps=40, rate=0.01), masks=tmp_path)
    told = log_of(tmp_path, "Δ42_logic")
    said = [entry["loss"] for entry in told if "loss" in entry]
    assert sum(said[-3:]) < 0.97 * sum(said[:3])
    assert {"rate", "tokens", "tokens_per_second"} <= set(told[0])
    assert mask.about["results"]["steps"] == 40
    assert mask.about["corpus"]["hash"] == corpus.hash
    tensors = mask.tensors()
    rows = [name for name in tensors if "token" in name]
    assert [len(tensors[name]) for name in rows] == [len(base.new_rows)]
    assert all("v_proj" in n or "o_proj" in n for n in set(tensors) - set(rows))
    assert mask.path.stat().st_size < 200_000
    assert type(base).open(base.path).hash == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "Δ42_logic.jsonl",
        "Δ42_logic.safetensors",
    ]


@pytest.mark.usefixtures("stack")
def test_the_same_settings_give_the_same_bytes(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    def trained(name: str, **changes: Any) -> bytes:
        settings = config(dropout=0.1, **changes)
        return train(corpus, base, "m", settings, masks=tmp_path / name).path.read_bytes()

    assert trained("one") == trained("two")
    assert trained("one-more", seed=1) != trained("three")


@pytest.mark.usefixtures("stack")
def test_a_signal_ends_a_training_as_its_caller_lets_it_end(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    """`forest` tells SIGTERM from Ctrl-C: by what its handler raises."""
    from training.train import train

    class Terminated(KeyboardInterrupt):
        pass

    def terminate(*_: object) -> None:
        raise Terminated

    def progress(entry: dict[str, Any]) -> None:
        if entry["step"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        with pytest.raises(Terminated) as stop:
            train(corpus, base, "m", config(steps=4), masks=tmp_path, progress=progress)
        assert signal.getsignal(signal.SIGTERM) is terminate
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "saved at step 2 of 4" in stop.value.__notes__[0]


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("gone", [False, True])
def test_a_terminal_or_a_reader_that_is_gone_loses_nothing(
    gone: bool, corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    def progress(entry: dict[str, Any]) -> None:
        if entry["step"] == 2:
            if gone:
                os.kill(os.getpid(), signal.SIGHUP)
            raise BrokenPipeError

    with pytest.raises(KeyboardInterrupt if gone else BrokenPipeError):
        train(corpus, base, "m", config(steps=4), masks=tmp_path, progress=progress)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    told = list[int]()
    train(
        corpus,
        base,
        "m",
        config(steps=4),
        masks=tmp_path,
        progress=lambda e: told.append(e["step"]),
    )
    assert told[0] == 3


KILLED = """
import os, signal, sys
from pathlib import Path
from training.base import Base
from training.config import Config
from training.corpus import Corpus
from training.train import train

corpus, base, masks, settings, at, how = sys.argv[1:]

def progress(entry):
    if entry["step"] == int(at):
        os.kill(os.getpid(), getattr(signal, how))

config = Config.model_validate_json(settings)
train(Corpus.open(corpus), Base.open(base), "m", config, masks=masks, progress=progress)
"""


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(("how", "at", "kept"), [("SIGKILL", 6, 4), ("SIGINT", 5, 5)])
def test_what_was_interrupted_goes_on_and_ends_in_the_same_bytes(
    how: str, at: int, kept: int, corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    settings = config(steps=8, dropout=0.1, save_every=4, validate_every=3)
    whole = train(corpus, base, "m", settings, masks=tmp_path / "whole")
    arguments = [corpus.path, base.path, tmp_path / "cut", settings.model_dump_json(), at, how]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -getattr(signal, how), done.stderr
    assert not (tmp_path / "cut" / "m.safetensors").exists()
    if how == "SIGINT":
        assert "saved at step 5 of 8" in done.stderr
        assert "bitsandbytes" not in done.stderr  # nor anything else that libraries
        assert "kernels" not in done.stderr  # have to say of what they would like to have
        assert {p.name for p in (tmp_path / "cut").iterdir()} == {".m.checkpoint", "m.jsonl"}
    other = settings.model_copy(
        update={"training": settings.training.model_copy(update={"steps": 9})}
    )
    with pytest.raises(MaskError, match=r"was begun with training\.steps = 8 \(not 9\)\n"):
        train(corpus, base, "m", other, masks=tmp_path / "cut")
    moved = Corpus(corpus.path, corpus.manifest | {"forest_revision": "another"})
    with pytest.raises(MaskError, match=r"was begun with another corpus \([0-9a-f]{12}, not "):
        train(moved, base, "m", settings, masks=tmp_path / "cut")
    steps = list[int]()
    resumed = train(
        corpus, base, "m", settings, masks=tmp_path / "cut",
        progress=lambda entry: steps.append(entry["step"]),
    )  # fmt: skip
    assert steps[0] == kept + 1
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


@pytest.mark.usefixtures("stack")
def test_it_stops_early_and_keeps_the_best(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from training.network import Network
    from training.train import train

    told, seen = iter([3.0, 2.0, 2.5, 2.6]), list[dict[str, Any]]()

    def loss(self: Network, _: Any) -> float:
        seen.append(self.tensors("now"))
        return next(told)

    monkeypatch.setattr(Network, "loss", loss)
    mask = train(corpus, base, "m", config(steps=9, validate_every=1, patience=2), masks=tmp_path)
    results = mask.about["results"]
    assert (results["stopped_early"], results["steps"], results["best_step"]) == (True, 4, 2)
    kept = sorted(float(t.abs().sum()) for t in mask.tensors().values())
    assert kept == sorted(float(t.abs().sum()) for t in seen[1].values())


@pytest.mark.usefixtures("stack")
def test_a_mask_that_exists_is_not_trained_over(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    train(corpus, base, "й", config(steps=1), masks=tmp_path)
    with pytest.raises(MaskError, match="exists already"):
        train(corpus, base, "и\u0306", config(steps=1), masks=tmp_path)


@pytest.mark.usefixtures("stack")
def test_a_base_without_the_modules_is_refused(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    with pytest.raises(BaseError, match="no modules named c_attn\nIt has: down_proj, gate_proj"):
        train(corpus, base, "m", config(modules=["c_attn", "v_proj"]), masks=tmp_path)


@pytest.mark.usefixtures("stack")
def test_a_rank_beyond_all_modules_is_refused(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    with pytest.raises(ConfigError, match=r"lora.r is 100000000; .* is 128 at most\nSet lora.r"):
        train(corpus, base, "m", config(r=100_000_000), masks=tmp_path)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("content", [b"", b"garbage", b"\2\0\0\0\0\0\0\0{}"])
def test_a_damaged_checkpoint_is_named_and_can_be_thrown_away(
    content: bytes, corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    (tmp_path / ".m.checkpoint").write_bytes(content)
    with pytest.raises(MaskError, match=r"m.checkpoint is damaged: (?s:.*)--restart"):
        train(corpus, base, "m", config(steps=1), masks=tmp_path)
    assert train(corpus, base, "m", config(steps=1), masks=tmp_path, restart=True).path.exists()


@pytest.mark.usefixtures("stack")
def test_a_bit_that_flipped_in_a_checkpoint_is_not_trained_on(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    def stop(event: dict[str, Any]) -> None:
        if event["step"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(corpus, base, "m", config(steps=4, save_every=1), masks=tmp_path, progress=stop)
    checkpoint = tmp_path / ".m.checkpoint"
    content = bytearray(checkpoint.read_bytes())
    content[-5] ^= 64
    checkpoint.write_bytes(content)
    with pytest.raises(MaskError, match="is damaged: it is not what its hash says"):
        train(corpus, base, "m", config(steps=4, save_every=1), masks=tmp_path)


@pytest.mark.usefixtures("stack")
def test_records_beyond_what_the_base_can_read_are_refused(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from training.base import Base
    from training.train import train

    assert base.positions == 2048
    monkeypatch.setattr(Base, "positions", 30)
    with pytest.raises(ConfigError, match=r"reads 30 at most\nSet data.window = 30"):
        train(corpus, base, "m", config(), masks=tmp_path)
    train(corpus, base, "m", config(window=30, steps=1), masks=tmp_path)


@pytest.mark.usefixtures("stack")
def test_a_corpus_with_codes_that_the_base_lacks_is_refused(
    harmed: Path, base: Any, config: Make, tmp_path: Path
):
    from training.train import train

    changed = with_tokens(harmed, "Δ77")
    with pytest.raises(BaseError, match=r"no single token for Δ77(.|\n)*forest base prepare"):
        train(changed, base, "m", config(), masks=tmp_path / "masks")


@pytest.mark.usefixtures("stack")
def test_a_loss_that_is_no_number_ends_it_and_the_checkpoint_stays(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from training.network import Network
    from training.train import train

    told = Network._loss
    monkeypatch.setattr(
        Network, "_loss", lambda self, *row: told(self, *row) * (float("nan") if broken else 1)
    )
    broken: list[int] = []
    with pytest.raises(
        TrainingFailed, match=r"loss is nan.* at step 3, with the rate 0.00"
    ) as failed:
        train(
            corpus, base, "m", config(save_every=2), masks=tmp_path,
            progress=lambda e: broken.append(1) if e["step"] == 2 else None,
        )  # fmt: skip
    assert "training.rate" in str(failed.value)
    assert not (tmp_path / "m.safetensors").exists()
    broken.clear()
    assert train(corpus, base, "m", config(save_every=2), masks=tmp_path).path.exists()


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("what", [".m.checkpoint", "m.jsonl"])
def test_a_full_disk_is_named_and_what_was_saved_goes_on(
    what: str, corpus: Corpus, base: Any, config: Make, tmp_path: Path
):
    """A link to /dev/full: there is room for nothing."""
    from training.files import partial
    from training.train import train

    settings, whole = config(steps=4, save_every=2), tmp_path / "whole"
    train(corpus, base, "m", settings, masks=whole)
    masks = tmp_path / "masks"

    def fill(entry: dict[str, Any]) -> None:
        file = masks / what if what.endswith("jsonl") else partial(masks / what)
        if entry["step"] == 3:
            file.unlink(missing_ok=True)
            file.symlink_to("/dev/full")

    with pytest.raises(NoRoom) as full:
        train(corpus, base, "m", settings, masks=masks, progress=fill)
    assert full.value.message == f"there is no room left for {masks / what}"
    assert f"Make room on the disk of {masks.resolve()}" in str(full.value)
    assert "the same command goes on from there" in full.value.__notes__[0]
    (masks / "m.jsonl").unlink(missing_ok=True)
    resumed = train(corpus, base, "m", settings, masks=masks)
    assert resumed.path.read_bytes() == (whole / "m.safetensors").read_bytes()


@pytest.mark.usefixtures("stack")
def test_a_full_disk_is_named_where_a_base_is_prepared(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from safetensors import SafetensorError
    from transformers import LlamaForCausalLM

    from training.base import prepare

    def save(*_: Any, **__: Any) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(LlamaForCausalLM, "save_pretrained", save)
    with pytest.raises(NoRoom, match=r"no room left for .*base\nMake room on the disk of "):
        prepare("tiny:", tmp_path / "base", corpus)
    assert list(tmp_path.iterdir()) == []


SHORT = {
    "RuntimeError": "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes",
    "OutOfMemoryError": "CUDA out of memory. Tried to allocate 2.00 GiB.",
    "MemoryError": "",
}


@pytest.mark.parametrize("kind", SHORT)
@pytest.mark.parametrize("where", ["_loss", "_gradient", "train"])
def test_short_memory_says_what_to_halve(
    kind: str, where: str, stack: Any, corpus: Corpus, base: Any, config: Make, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    from training.network import Network
    from training.train import train

    def short(*_: Any) -> Any:
        raise (getattr(stack, kind, None) or getattr(builtins, kind))(SHORT[kind])

    monkeypatch.setattr(Network, where, short)
    with pytest.raises(TrainingFailed, match=r"not enough memory on cpu") as failed:
        train(corpus, base, "m", config(), masks=tmp_path)
    assert "Halve training.row, which is 256" in str(failed.value)
    assert "--quantize nf4" in str(failed.value)


@pytest.mark.usefixtures("stack")
def test_a_row_beyond_the_memory_is_refused_before_it_is_read(
    corpus: Corpus, base: Any, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The kernel would end the process without a word."""
    from training import network
    from training.examples import read_examples
    from training.train import train

    tokens = max(
        sum(read_examples(corpus, split, base.tokenizer(), names=(), window=1024).sizes)
        for split in ("train", "validation")
    )
    monkeypatch.setattr(network, "free_memory", lambda: 8 * tokens**2 - 1)
    settings = config(row=100_000_000, steps=1)
    with pytest.raises(TrainingFailed) as short:
        train(corpus, base, "m", settings, masks=tmp_path)
    assert short.value.message.startswith(f"a row of {tokens:,} tokens needs more than ")
    assert f"training.row is 100000000: set it to {(tokens - 1) // 2} or" in str(short.value)
    monkeypatch.setattr(network, "free_memory", lambda: 8 * tokens**2)
    assert train(corpus, base, "m", settings, masks=tmp_path).path.exists()


def test_the_memory_that_is_free_is_that_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from training import memory

    told = "MemTotal:  9000 kB\nMemAvailable:   5000 kB\nSwapFree:  1000 kB\nHugePages_Free: 0\n"
    (tmp_path / "meminfo").write_text(told, encoding="ascii")
    monkeypatch.setattr(memory, "_SYSTEM", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    assert memory.free_memory() == 6000 * 1024
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("1000000\n", encoding="ascii")
    assert memory.free_memory() == 6000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 5\nfile 70000\nfile_mapped 6\n", encoding="ascii")
    assert memory.free_memory() == 2_070_000
    (tmp_path / "meminfo").unlink()
    assert memory.free_memory() is None


def test_without_the_extra_it_says_what_to_install(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from training.base import prepare
    from training.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"is not installed\n.*\.\[train\]"):
        prepare("tiny:", tmp_path / "base", corpus)


@pytest.mark.slow
def test_two_processes_train_as_one(corpus: Corpus, base: Any, config: Make, tmp_path: Path):
    from training.train import train

    settings = config(steps=4, rows=3)
    train(corpus, base, "m", settings, masks=tmp_path / "one")
    script = tmp_path / "script.py"
    count = "\nfrom accelerate import PartialState\n"
    count += (
        "os.write(1, b'of %d\\n' % PartialState().num_processes)\n"  # whole, whoever else writes
    )
    script.write_text(KILLED + count, encoding="utf-8")
    arguments = [corpus.path, base.path, tmp_path / "two", settings.model_dump_json(), 99, "SIGINT"]
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
            str(script), *map(str, arguments),
        ],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("of 2") == 2
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert [step for step, _ in one] == [step for step, _ in two]
    assert [x for _, x in two] == pytest.approx([x for _, x in one], rel=1e-4)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("option", ["plain", "dora", "rslora", "untied"])
def test_what_was_trained_is_what_speaks(
    option: str, stack: Any, harmed: Path, base: Any, config: Make, tmp_path: Path
):
    """The mask read from its file has the loss that the training ended with."""
    from training.base import prepare
    from training.examples import plan, read_examples
    from training.network import Network
    from training.train import train
    from training.voices import Voices

    corpus, model = with_tokens(harmed, "Δ77"), base.model()
    if option == "untied":
        model.config.tie_word_embeddings = False
        model.lm_head.weight = stack.nn.Parameter(model.lm_head.weight.detach().clone())
    model.save_pretrained(tmp_path / "model")
    base.tokenizer().save_pretrained(tmp_path / "model")
    stood = prepare(str(tmp_path / "model"), tmp_path / "base", corpus)
    settings = config(steps=3, **({option: True} if option in ("dora", "rslora") else {}))
    mask = train(corpus, stood, "m", settings, masks=tmp_path / "masks")
    tables = [name for name in mask.tensors() if "token" in name]
    assert len(tables) == (2 if option == "untied" else 1)
    assert mask.path.stat().st_size < 300_000

    examples = read_examples(corpus, "validation", stood.tokenizer(), names=(), window=1024)
    network, voices = Network(settings.training), Voices(stood, [mask])
    with voices.wearing("m") as worn:
        network.take(worn)
        loss = network.loss(row for row in next(plan(examples, 0, 10**6, 1)))
    assert loss == pytest.approx(mask.about["results"]["validation_loss"], rel=1e-4)
