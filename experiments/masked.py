"""The mode lora: each arm is a mask on a pretrained base, trained as `forest train` does it.

An arm's samples are drawn by its shares and written as a corpus of their own, which `forest train`
takes as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from experiments.corpora import ASKED, opened, records_of, stream
from experiments.settings import Settings
from forest.errors import UsageError
from training.base import MANIFEST, Base
from training.base import prepare as prepare_base
from training.config import Config
from training.corpus import Corpus
from training.examples import Example, encode
from training.files import folder_whole, measure, to_json
from training.masks import Mask
from training.train import train
from training.voices import Voices

Progress = Callable[[str, int, int], None]


def prepare(settings: Settings, out: Path, base: Path | str | None) -> None:
    """Have the base that masks stand on: the one that is given if it is prepared, else made here.

    Raises UsageError where the settings of the masks are wrong; what training raises.
    """
    config_of(settings, 0)
    if base is None:
        raise UsageError("the mode lora needs a base: give it with --base")
    if not (Path(base) / MANIFEST).is_file() and not (out / "base").exists():
        prepare_base(str(base), out / "base", opened(settings, ASKED, out)[0])


def base_of(out: Path) -> Base:
    """The base of the experiment. Raises BaseError."""
    given = orjson.loads((out / "experiment.json").read_bytes())["base"]
    return Base.open(out / "base" if (out / "base").exists() else given)


def config_of(settings: Settings, seed: int) -> Config:
    """How `forest train` is set: the experiment's [lora], its steps and rows, a seed."""
    size, told = settings.size, settings.lora
    training = {
        "seed": seed, "steps": size.steps, "rows": size.rows, "row": size.row, "threads": 1,
        **told.get("training", {}),
    }  # fmt: skip
    data = {"window": size.row, **told.get("data", {})}
    checks = {"validate_every": 1 << 30, "patience": 0, **told.get("checks", {})}
    others = {name: some for name, some in told.items() if name == "lora"}
    return Config.load((), None, **others, training=training, data=data, checks=checks)


def voice(
    settings: Settings,
    out: Path,
    name: str,
    seed: int,
    corpora: Sequence[Corpus],
    told: dict[str, Any],
    tell: Progress,
) -> tuple[Any, dict[str, Any]]:
    """A base that wears a mask of an arm; and what the mask read."""
    base, config = base_of(out), config_of(settings, seed)
    folder = out / "drawn" / f"{name}-{seed}"
    if not (folder / "manifest.json").exists():
        write_drawn(settings, folder, name, seed, corpora, told, base.tokenizer())
    masks, title, steps = out / "masks", f"{name}-{seed}", config.training.steps
    path = masks / f"{title}.safetensors"
    if not path.exists():
        train(
            Corpus.open(folder), base, title, config, masks=masks,
            progress=lambda line: tell(title, line.get("step", 0), steps),
        )  # fmt: skip
    mask = Mask.open(path)
    voices = Voices(base, [mask])
    voices.model.set_adapter(voices.key(mask.name))
    results = mask.about["results"]
    return (voices.model, voices.tokenizer), {
        "loss": results.get("loss"), "tokens": results["tokens"], "steps": results["steps"],
        "base": base.named, "records": {},
    }  # fmt: skip


def write_drawn(
    settings: Settings,
    folder: Path,
    name: str,
    seed: int,
    corpora: Sequence[Corpus],
    told: dict[str, Any],
    tokenizer: Any,
) -> None:
    """Write samples of an arm by its shares as a corpus, as many tokens as all steps read.

    Records that are longer than a row are left out, as in any training.
    """
    arm, size = settings.arms[name], settings.size
    trees = {anchor: set(some) for anchor, some in told["carriers"].items()}
    lines: list[bytes] = []
    found: dict[str, list[Example]] = {}
    for record in records_of(corpora, arm, set(told["unstitched"]), trees):
        example = encode(record, tokenizer)
        if example and len(example.ids) <= size.row:
            # What stands for a record in the draw: how long it is, and which line it is.
            kinds = found.setdefault(record["meta"]["kind"], [])
            kinds.append(Example([len(lines), len(example.ids)], []))
            lines.append(orjson.dumps(record) + b"\n")
    if missing := arm.shares.keys() - found.keys():
        raise UsageError(f"no record of kind {min(missing)} fits a row of {size.row} tokens")
    left, drawn = size.tokens, []
    for number, length in (example.ids for example in stream(found, arm.shares, seed)):
        drawn.append(lines[number])
        left -= length
        if left <= 0:
            break
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_whole(folder) as whole:
        _write_corpus(whole, corpora[0], drawn)


def _write_corpus(whole: Path, like: Corpus, lines: Sequence[bytes]) -> None:
    """A corpus folder of some records of a corpus, with its tokens and without its probes."""
    data = whole / "data" / "train-00000.jsonl"
    data.parent.mkdir()
    data.write_bytes(b"".join(lines))
    size, sha256 = measure(data)
    file = {
        "path": "data/train-00000.jsonl", "split": "train", "config": "default",
        "records": len(lines), "bytes": size, "sha256": sha256,
    }  # fmt: skip
    tokens = like.manifest["tokens"]
    if tokens["path"]:
        (whole / tokens["path"]).write_bytes((like.path / tokens["path"]).read_bytes())
    manifest = like.manifest | {"files": [file], "probes": None, "left_out": None}
    (whole / "manifest.json").write_bytes(to_json(manifest))
