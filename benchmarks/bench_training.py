"""Training a mask: speed beside a bare loop and trl, memory, start-up, switching.

    python benchmarks/bench_training.py [--rounds 5] [--only text|rows|answers|start|switch|memory]

One small Llama from a config, one corpus, the same LoRA with the same new rows of embeddings for
all; one thread. Contenders take turns, a step each, and the median over rounds of the ratios of
their tokens per second of processor time is what counts: it is the same on a machine that does
something else too. Tokens are those of records, never padding. `make bench` installs trl, the group
`bench`; by hand: .venv/bin/uv pip install --require-hashes --no-deps -r requirements/bench.txt
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

WIDTH, LAYERS, VOCABULARY, WIDE = 256, 4, 8192, 32_768
"""Of the model: 5.5 million weights, with the wide vocabulary 11.8 million."""
ROW, ROWS = 512, 1
"""Tokens at once, and how often before a step."""
FORMATS = {"text": "all of a record carries loss", "prompt-completion": "answers alone carry loss"}
LORA = {"r": 16, "lora_alpha": 16, "target_modules": ["o_proj", "v_proj"]}


# --- what all of them train -----------------------------------------------------------------------


def plant(folder: Path, vocabulary: int) -> Path:
    """Corpora in two formats of one forest, and a base, in a new folder."""
    import torch
    import transformers
    from generate import synthetic_trees

    from exporters.export import export_corpus
    from exporters.recipe import Recipe
    from forest import Forest
    from training import tiny
    from training.base import prepare
    from training.corpus import Corpus

    folder.mkdir()
    source = folder / "forest.jsonl"
    trees = synthetic_trees(1200, 24, 60)
    source.write_text("\n".join(json.dumps(tree) for tree in trees), encoding="utf-8")
    with Forest.open("memory:") as forest:
        forest.import_files([source])
        for form in FORMATS:
            told = Recipe().model_dump()
            told["corpus"] |= {"format": form, "validation": 0.0}
            export_corpus(forest.store, folder / form, Recipe.read(told, "bench"))
    texts = [record["text"] for record in Corpus.open(folder / "text").records()]
    _, tokenizer = tiny.make("bpe", texts, 0)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = transformers.LlamaForCausalLM(config)
    with_codes(folder / "text")
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    prepare(str(folder / "model"), folder / "base", Corpus.open(folder / "text"))
    return folder


def with_codes(corpus: Path) -> None:
    """Ask for a hundred codes as tokens, as a forest with formulas does."""
    from training.files import measure

    path, manifest = corpus / "tokens.json", json.loads((corpus / "manifest.json").read_text())
    names = [f"Δ{number:02}" for number in range(100)]
    path.write_text(json.dumps({"tokens": [{"token": name, "formula": name} for name in names]}))
    size, sha256 = measure(path)
    manifest["tokens"] |= {"tokens": names, "bytes": size, "sha256": sha256}
    (corpus / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def examples_of(folder: Path, form: str) -> Any:
    """The records as ids and marks."""
    from training.base import Base
    from training.corpus import Corpus
    from training.examples import read_examples

    tokenizer = Base.open(folder / "base").tokenizer()
    return read_examples(
        Corpus.open(folder / form),
        "train",
        tokenizer,
        names=(),
        window=ROW,
        no_loss=("breadcrumb",),
    )


def settings(steps: int, new_rows: bool = False) -> Any:
    """The default settings, with rows of this benchmark."""
    from training.config import Config

    told = {"steps": steps, "row": ROW, "rows": ROWS, "threads": 1}
    never = {"validate_every": 10**6, "save_every": 10**6}
    lora = {"new_rows": new_rows}
    return Config.load(training=told, data={"window": ROW}, checks=never, lora=lora)


class Turn:
    """One of those that take turns: its training runs in a thread that stops after each step."""

    def __init__(self, train: Callable[[Turn], None]) -> None:
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._tokens, self._over = 0, False
        self._failed: BaseException | None = None
        threading.Thread(target=self._run, args=(train,), daemon=True).start()

    def _run(self, train: Callable[[Turn], None]) -> None:
        self._go.acquire()
        try:
            train(self)
        except BaseException as error:  # noqa: BLE001 - told in the thread that waits
            self._failed = error
        self._done.release()

    def made(self, tokens: int) -> None:
        """Called by the training: a step over so many tokens is done. Waits for the next turn."""
        self._tokens = tokens
        self._done.release()
        self._go.acquire()

    def step(self) -> float:
        """Let it make a step; its tokens per second of processor time."""
        begun = time.process_time()
        self._go.release()
        self._done.acquire()
        if self._failed:
            raise self._failed
        return self._tokens / (time.process_time() - begun)


# --- the contenders -------------------------------------------------------------------------------

MANY = 10**4
"""More steps than are ever made."""


def forest_train(turn: Turn, folder: Path, form: str, new_rows: bool = False) -> None:
    """All of `training.train.train`: rows, log, checks."""
    from training.base import Base
    from training.corpus import Corpus
    from training.train import train

    before = 0

    def progress(entry: dict[str, Any]) -> None:
        nonlocal before
        turn.made(entry["tokens"] - before)
        before = entry["tokens"]

    corpus, base, config = (
        Corpus.open(folder / form),
        Base.open(folder / "base"),
        settings(MANY, new_rows),
    )
    with tempfile.TemporaryDirectory() as masks:
        train(corpus, base, "m", config, masks=masks, progress=progress)


def worn(folder: Path, new_rows: bool = False) -> Any:
    """The base with a mask, as peft makes it."""
    import peft
    import transformers

    from training.base import Base

    rows = {"embed_tokens": Base.open(folder / "base").new_rows} if new_rows else None
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "base", dtype="float32")
    config = peft.LoraConfig(task_type="CAUSAL_LM", trainable_token_indices=rows, **LORA)
    return peft.get_peft_model(model, config)


def bare_loop(turn: Turn, folder: Path, form: str, new_rows: bool = False) -> None:
    """What one writes by hand: rows, `model(labels=…)`, backward, clip, AdamW."""
    import torch

    from training.examples import plan

    examples, model = examples_of(folder, form), worn(folder, new_rows).train()
    parts = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parts, lr=2e-4)
    for rows in plan(examples, 0, ROW, ROWS):
        optimizer.zero_grad()
        count = sum(len(row.targets) for row in rows)
        for row in rows:
            ids = torch.as_tensor(row.ids, dtype=torch.long)[None]
            labels = torch.full_like(ids, -100)
            labels[0, row.targets + 1] = ids[0, row.targets + 1]
            positions = torch.as_tensor(row.positions, dtype=torch.long)[None]
            said = model(
                input_ids=ids, position_ids=positions, labels=labels, use_cache=False,
                num_items_in_batch=count,
            )  # fmt: skip
            said.loss.backward()
        torch.nn.utils.clip_grad_norm_(parts, 1.0)
        optimizer.step()
        turn.made(sum(len(row.ids) for row in rows))


def trl_trainer(turn: Turn, folder: Path, form: str, **more: Any) -> None:
    """Trl's SFTTrainer on the same ids and marks."""
    import datasets
    import transformers
    from trl import SFTConfig, SFTTrainer

    examples = examples_of(folder, form)
    datasets.disable_progress_bars()
    bounds = list(zip(examples.bounds, examples.bounds[1:], strict=False))
    data = datasets.Dataset.from_list([labelled(examples, a, b) for a, b in bounds])
    # Padded, as many records as make up a row; packed, the row itself.
    each = 1 if more.get("packing") else max(1, round(ROW / (len(examples.ids) / len(examples))))
    with tempfile.TemporaryDirectory() as out:
        config = SFTConfig(
            output_dir=out, max_steps=MANY, per_device_train_batch_size=each,
            gradient_accumulation_steps=ROWS, learning_rate=2e-4, max_length=ROW, seed=0,
            report_to="none", save_strategy="no", logging_strategy="no", disable_tqdm=True,
            bf16=False, use_cpu=True, dataloader_pin_memory=False, **more,
        )  # fmt: skip

        class Counted(SFTTrainer):
            seen = 0

            def training_step(self, model: Any, inputs: Any, *rest: Any, **how: Any) -> Any:
                ids = inputs["input_ids"]
                self.seen += int((ids != self.processing_class.pad_token_id).sum())
                return super().training_step(model, inputs, *rest, **how)

        class Steps(transformers.TrainerCallback):
            before = 0

            def on_step_end(self, *_: Any, **__: Any) -> None:
                told, self.before = trainer.seen - self.before, trainer.seen
                turn.made(told)

        tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "base")
        trainer = Counted(
            worn(folder), args=config, train_dataset=data, processing_class=tokenizer,
            callbacks=[Steps()],
        )  # fmt: skip
        trainer.train()


def labelled(examples: Any, start: int, end: int) -> dict[str, list[int]]:
    """An example as trl takes it."""
    ids, mask = examples.ids[start:end].tolist(), examples.mask[start:end]
    return {
        "input_ids": ids,
        "labels": [i if m else -100 for i, m in zip(ids, mask, strict=True)],
    }


CONTENDERS: dict[str, Callable[..., None]] = {
    "forest train": forest_train,
    "bare loop": bare_loop,
    "trl, its defaults": trl_trainer,
    "trl, no gradient checkpointing": partial(trl_trainer, gradient_checkpointing=False),
    "trl, packed, no gradient checkpointing": partial(
        trl_trainer, gradient_checkpointing=False, packing=True
    ),
}
WITH_ROWS: dict[str, Callable[..., None]] = {
    "forest train": partial(forest_train, new_rows=True),
    "bare loop": partial(bare_loop, new_rows=True),
}
"""With new rows of embeddings trl 1.16 ends with an error where embeddings and head are one."""


def speed(folder: Path, form: str, rounds: int) -> None:
    """The table of speeds on a corpus."""
    examples = examples_of(folder, form)
    share = examples.trained / len(examples.ids)
    print(f"\n{form}: {FORMATS[form]}, {share:.0%} of {len(examples.ids):,} tokens", flush=True)
    compared(CONTENDERS, folder, form, rounds)


def speed_with_rows(folder: Path, rounds: int) -> None:
    """The table of speeds where new rows of embeddings train, too."""
    print("\ntext, a hundred new rows of embeddings train too", flush=True)
    compared(WITH_ROWS, folder, "text", rounds)


def compared(
    contenders: dict[str, Callable[..., None]], folder: Path, form: str, rounds: int
) -> None:
    """Let contenders take turns; print how much faster the first one is."""
    turns = {
        name: Turn(partial(train, folder=folder, form=form)) for name, train in contenders.items()
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(-1, rounds):
        for name, turn in turns.items():
            rate = turn.step()
            if number >= 0:  # the first step is for warming up
                rates[name].append(rate)
    own = rates["forest train"]
    for name, told in rates.items():
        ratios = [a / b for a, b in zip(own, told, strict=True)]
        middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
        print(
            f"  {name}: {statistics.median(told):.0f} tokens/s; forest train is {middle:.2f} "
            f"times as fast ({least:.2f} to {most:.2f})",
            flush=True,
        )


# --- memory ---------------------------------------------------------------------------------------


def peak() -> int:
    """Kilobytes that this program has held at most; getrusage would count those of its parent."""
    told = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert told is not None
    return int(told[1])


def memory_of(folder: Path, form: str, how: str) -> dict[str, float]:
    """Megabytes at the height of a step over what there was before it."""
    from training.base import Base
    from training.examples import plan
    from training.network import Network

    rows = next(plan(examples_of(folder, form), 0, 4 * ROW, 1))
    if how == "whole":
        import torch

        model = worn(folder).train()
        row = rows[0]
        ids = torch.as_tensor(row.ids, dtype=torch.long)[None]
        labels = torch.full_like(ids, -100)
        labels[0, row.targets + 1] = ids[0, row.targets + 1]
        positions = torch.as_tensor(row.positions, dtype=torch.long)[None]
        before = peak()
        model(input_ids=ids, position_ids=positions, labels=labels, use_cache=False).loss.backward()
    else:
        config = settings(1)
        network = Network(config.training)
        network.wear(Base.open(folder / "base"), config.lora)
        before = peak()
        network._gradient(rows, 0)
    most = peak()
    return {"step": (most - before) / 1024, "whole process": most / 1024}


def memory(folder: Path) -> None:
    """The table of memory; each in a process of its own."""
    for form in FORMATS:
        print(f"\nmemory of a row of {4 * ROW} tokens, {form}")
        whole, own = (json.loads(again(folder, "--memory", form, how)) for how in ("whole", "own"))
        for what, most in whole.items():
            print(
                f"  {what}: whole logits {most:.0f} MB, forest train {own[what]:.0f} MB "
                f"({own[what] / most:.2f})",
                flush=True,
            )


def again(folder: Path, *arguments: str) -> str:
    """What this program prints when it is called so."""
    call = [sys.executable, __file__, "--folder", str(folder), *arguments]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout


# --- start-up and switching -----------------------------------------------------------------------


def bare_start(folder: Path) -> None:
    """The least that can make a first step: imports, model, ids of the corpus, one row."""
    import torch

    from training.examples import plan

    examples, model = examples_of(folder, "text"), worn(folder).train()
    row = next(plan(examples, 0, ROW, 1))[0]
    ids = torch.as_tensor(row.ids, dtype=torch.long)[None]
    model(input_ids=ids, labels=ids, use_cache=False).loss.backward()


def start(folder: Path, rounds: int) -> None:
    """Processor seconds of `forest train` for one step beside those of a bare script."""
    own, bare = [], []
    command = [sys.executable, "-c", "from forest.cli import main; main()", "train"]
    config = folder / "one.toml"
    config.write_text(f"[data]\nwindow = {ROW}\n[training]\nsteps = 1\nrow = {ROW}\nrows = 1\n")
    for number in range(rounds):
        more = [str(folder / "text"), "--base", str(folder / "base"), "--mask", f"start{number}"]
        where = ["--masks", str(folder / "masks"), "--config", str(config)]
        for times, call in (
            (own, [*command, *more, *where]),
            (bare, [sys.executable, __file__, "--folder", str(folder), "--bare-start"]),
        ):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(call, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    ratio = statistics.median(a / b for a, b in zip(own, bare, strict=True))
    print(
        f"\nstart to the end of the first step: forest train {statistics.median(own):.1f} s, bare "
        f"script {statistics.median(bare):.1f} s ({ratio:.2f})"
    )


def switch(folder: Path) -> None:
    """Milliseconds in which another one of the loaded masks is put on, and a mask is loaded."""
    from training.base import Base
    from training.corpus import Corpus
    from training.masks import Library
    from training.train import train
    from training.voices import Voices

    corpus, base, shelf = Corpus.open(folder / "text"), Base.open(folder / "base"), folder / "shelf"
    for name in ("a", "b"):
        train(corpus, base, name, settings(1), masks=shelf)
    voices, times = Voices(base, list(Library(shelf))), []
    for number in range(200):
        begun = time.perf_counter()
        with voices.wearing("ab"[number % 2]):
            times.append(time.perf_counter() - begun)
    print(f"\nswitching a loaded mask: {1000 * statistics.median(times):.2f} ms")


# --- ----------------------------------------------------------------------------------------------


def main() -> None:
    """Make what is trained, then each of the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["text", "rows", "answers", "start", "switch", "memory"])
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--bare-start", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    if options.memory:
        print(json.dumps(memory_of(options.folder, *options.memory)))
        return
    if options.bare_start:
        bare_start(options.folder)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        print(f"Python {platform.python_version()}, torch {torch.__version__}, one thread")
        if options.only != "memory":
            place, rounds = plant(Path(folder, "small"), VOCABULARY), options.rounds
            jobs: dict[str, Callable[[], None]] = {
                "text": lambda: speed(place, "text", rounds),
                "rows": lambda: speed_with_rows(place, rounds),
                "answers": lambda: speed(place, "prompt-completion", rounds),
                "start": lambda: start(place, rounds),
                "switch": lambda: switch(place),
            }
            for job in [jobs[options.only]] if options.only else jobs.values():
                job()
        if options.only in (None, "memory"):
            memory(plant(Path(folder, "wide"), WIDE))


if __name__ == "__main__":
    main()
