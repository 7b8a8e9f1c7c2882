"""Does stitching teach a model to jump between trees? Arms of equal tokens and equal steps.

A run lives in one folder and goes on where it was stopped: the settings are written first, then the
corpora, the questions, a file for each arm and seed, and last the report. Each is written whole.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import orjson

from experiments import masked
from experiments.asking import Question, ask, chances, questions
from experiments.corpora import (
    ASKED,
    all_probes,
    carriers,
    export_all,
    opened,
    part_of,
    require_held_out,
    samples_of,
    stream,
    texts_of,
    unstitched,
)
from experiments.machine import machine
from experiments.report import report_of, write_report
from experiments.settings import HELD_OUT, Arm, Settings
from forest.errors import UsageError
from forest.stores.base import Store
from training.behaviour.speaker import Speaker
from training.errors import TrainingError
from training.files import json_hash, to_json, write_whole
from training.library import library
from training.scratch import batches, learn, model_of, tokenizer_of

Progress = Callable[[str, int, int], None]
"""progress(what is counted, how many are done, of how many)."""
ARMS = "arms"
"""What is counted when an arm is done with a seed; behind it stands which one."""
FORMAT = "reasoning-forest experiment"
MANIFEST, QUESTIONS, TOKENIZER, RESULTS = "experiment.json", "questions.json", "words", "results"
ROOM = 1 << 28
"""Bytes that have to be free before a run begins."""


def stitching(
    store: Store,
    out: Path | str,
    settings: Settings | None = None,
    *,
    base: Path | str | None = None,
    jobs: int = 1,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the experiment, or what is left of it, in the folder ``out``; returns the report.

    :param settings: the mode quick where none is given.
    :param base: in the mode lora, a prepared base, or what `training.base.prepare` takes.
    :param jobs: arms that train side by side, each on one torch thread.
    :param command: how it was called, for the report.

    Raises UsageError where the settings, the forest or the folder do not fit; MissingExtra; what
    the exporter and training raise.
    """
    settings, out, tell = settings or Settings.load(), Path(out), progress or _silent
    if (settings.mode == "lora") != (base is not None):
        raise UsageError("the mode lora needs a base, and only that mode takes one")
    library("torch"), library("transformers"), library("tokenizers")
    if settings.mode == "lora":
        masked.config_of(settings, 0)
    part = part_of(store, settings.trees)
    with _locked(out):
        _begin(part, settings, out, base)
        export_all(part, settings, out, tell)
        _prepare(part, settings, out, base)
        _run_all(settings, out, jobs, tell)
        report = report_of(settings, out, _known(out) | {"command": command, **machine()})
        write_report(report, out)
    return report


def _silent(*_: object) -> None:
    pass


# --- the folder -----------------------------------------------------------------------------------


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """One run at a time, in a folder that is new or an experiment's."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", hint="Name a folder.")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        known = {".lock", f".{MANIFEST}.partial"}
        if {path.name for path in out.iterdir()} - known:
            raise UsageError(
                f"{out} holds something that is no experiment", hint="Name a new folder."
            )
    out.mkdir(parents=True, exist_ok=True)
    room = os.statvfs(out)
    if room.f_bavail * room.f_frsize < ROOM:
        raise UsageError(
            f"there is too little room in {out}: an experiment needs {ROOM >> 20} MiB at least",
            hint="Make room, or name a folder on another disk.",
        )
    with (out / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"another run is at work in {out}", hint="Wait for it, or name another folder."
            ) from None
        yield


def _begin(store: Store, settings: Settings, out: Path, base: Path | str | None) -> None:
    """Write the settings, or refuse a folder of other ones."""
    told = {
        "format": FORMAT,
        "settings": settings.of_an_answer(),
        "hash": settings.hash,
        "forest": _revision(store),
        "trees": sum(1 for _ in store.infos()),
        "base": str(base) if base else None,
    }
    if not (out / MANIFEST).exists():
        write_whole(out / MANIFEST, to_json(told))
        return
    known = _known(out)
    for key in ("settings", "forest", "base"):
        if known.get(key) != told[key]:
            what = "settings" if key == "settings" else key
            detail = _difference(known.get(key), told[key])
            raise UsageError(
                f"{out} holds an experiment with another {what.removesuffix('s')}{detail}",
                hint="Name another folder; results of different settings are not laid together.",
            )


def _difference(known: Any, told: Any) -> str:
    if not isinstance(known, dict) or not isinstance(told, dict):
        return f": {known}, now {told}"
    name = next(n for n in {**known, **told} if known.get(n) != told.get(n))
    return f" of {name}{_difference(known.get(name), told.get(name))}"


def _known(out: Path) -> dict[str, Any]:
    known: dict[str, Any] = orjson.loads((out / MANIFEST).read_bytes())
    return known


def _revision(store: Store) -> str:
    from forest.forest import Forest

    return Forest(store).revision


# --- before the arms ------------------------------------------------------------------------------


def _prepare(store: Store, settings: Settings, out: Path, base: Path | str | None) -> None:
    """Questions, and what all arms have in common: words as tokens, or the base."""
    if not (out / QUESTIONS).exists():
        found = all_probes(settings, out)
        anchors = sorted({probe.anchor for probe in found})
        apart = unstitched(anchors, settings.unstitched)
        asked = questions(found, apart, settings.probes)
        told = {
            "unstitched": sorted(apart),
            "carriers": {a: sorted(trees) for a, trees in sorted(carriers(store).items())},
            "by group": chances(asked),
            "questions": [question.to_json() for question in asked],
        }
        write_whole(out / QUESTIONS, to_json(told))
    require_held_out(settings, out, _held_out_pairs(out))
    if settings.mode == "lora":
        masked.prepare(settings, out, base)
    elif not (out / TOKENIZER).exists():
        _make_tokenizer(store, settings, out)


def _held_out_pairs(out: Path) -> set[tuple[str, str, str]]:
    """Anchor, source and target of the held-out questions."""
    told = orjson.loads((out / QUESTIONS).read_bytes())["questions"]
    asked = (Question.of_json(one).probe for one in told if one["group"] == HELD_OUT)
    return {(probe.anchor, probe.source, probe.target) for probe in asked}


def _make_tokenizer(store: Store, settings: Settings, out: Path) -> None:
    """One tokenizer for all arms, those too that are added later: its words are the forest's.

    They are counted in the texts of the forest and in the corpus that is asked from, which says all
    kinds of record. So an arm's figures do not depend on which others stand beside it.
    """
    from training.files import folder_whole

    (asked,) = opened(settings, ASKED, out)
    texts = chain(texts_of(store), (record["text"] for record in asked.records()))
    with folder_whole(out / TOKENIZER) as folder:
        tokenizer_of(texts, [asked.marker or ""]).save_pretrained(folder)


# --- the arms -------------------------------------------------------------------------------------


def result_path(out: Path, arm: str, seed: int) -> Path:
    """The file of a result."""
    return out / RESULTS / f"{arm}-{seed}.json"


def _run_all(settings: Settings, out: Path, jobs: int, tell: Progress) -> None:
    """All arms of the first seed, then of the next: what is there is not run again."""
    wanted = [(arm, seed) for seed in range(settings.seeds) for arm in settings.arms]
    left = [(arm, seed) for arm, seed in wanted if not _is_done(settings, out, arm, seed)]
    done = len(wanted) - len(left)
    tell(ARMS, done, len(wanted))
    if jobs == 1 or not left:
        for arm, seed in left:
            run_arm(settings, out, arm, seed, tell)
            tell(f"{ARMS} ({arm} {seed} done)", done := done + 1, len(wanted))
        return
    for arm, seed in _side_by_side(settings, out, left, jobs):
        tell(f"{ARMS} ({arm} {seed} done)", done := done + 1, len(wanted))


def _side_by_side(
    settings: Settings, out: Path, left: list[tuple[str, int]], jobs: int
) -> Iterator[tuple[str, int]]:
    """Run arms in processes of their own; yields each that is done, ends all where one fails."""
    others = set(active_children())
    pool = ProcessPoolExecutor(min(jobs, len(left)), get_context("spawn"), max_tasks_per_child=1)
    try:
        us = os.getpid()
        running = {
            pool.submit(_run_for, us, settings, out, arm, seed): (arm, seed) for arm, seed in left
        }
        for one in as_completed(running):
            one.result()
            yield running[one]
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(active_children()) - others:
            child.terminate()
        raise
    pool.shutdown()


def _run_for(parent: int, settings: Settings, out: Path, arm: str, seed: int) -> None:
    """`run_arm` in a process that ends with its parent, also where that one was killed."""

    def tell(*_: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    run_arm(settings, out, arm, seed, tell)


def _is_done(settings: Settings, out: Path, arm: str, seed: int) -> bool:
    """Whether there is the result. Raises UsageError where it is of another definition."""
    path = result_path(out, arm, seed)
    if not path.exists():
        return False
    told = orjson.loads(path.read_bytes())
    if told["definition"] != definition(settings, settings.arms[arm]):
        raise UsageError(
            f"{path} is the result of another arm {arm!r}: its recipe, shares or request differ",
            hint="Name another folder, or the arm otherwise.",
        )
    return True


def definition(settings: Settings, arm: Arm) -> str:
    """SHA-256 (hex) of all that an arm is."""
    from experiments.corpora import exports_of

    exports = [
        export.recipe.with_seed(export.seed).hash for export in exports_of(settings, arm.recipe)
    ]
    return json_hash([settings.hash, arm.model_dump(exclude={"about", "taught"}), exports])


def run_arm(settings: Settings, out: Path, name: str, seed: int, tell: Progress = _silent) -> None:
    """Train an arm with a seed, ask it, and write its result."""
    library("torch").set_num_threads(1)
    began = time.monotonic()
    arm, told = settings.arms[name], orjson.loads((out / QUESTIONS).read_bytes())
    asked = [Question.of_json(one) for one in told["questions"]]
    voice = masked.voice if settings.mode == "lora" else _voice
    corpora = opened(settings, arm.recipe, out)
    try:
        (model, words), result = voice(settings, out, name, seed, corpora, told, tell)
        with library("torch").inference_mode():
            speaker = Speaker(model, words, _Counted(tell, len(asked)))
            answers = ask(
                speaker, asked, arm, corpora[0].marker or "", settings.samples, seed, settings.draws
            )
    except TrainingError as error:
        error.add_note(f"in the arm {name} with seed {seed}")
        raise
    result |= {
        "arm": name,
        "seed": seed,
        "definition": definition(settings, arm),
        "corpora": [corpus.hash for corpus in corpora],
        "seconds": round(time.monotonic() - began, 1),
        "answers": answers,
    }
    write_whole(result_path(out, name, seed), to_json(result))


class _Counted:
    """Tells how many answers came."""

    def __init__(self, tell: Progress, questions: int) -> None:
        self._tell, self._of, self._came = tell, 8 * questions, 0

    def __call__(self, more: int) -> None:
        self._came += more
        self._tell("answers", min(self._came, self._of), self._of)


def _voice(
    settings: Settings,
    out: Path,
    name: str,
    seed: int,
    corpora: list[Any],
    told: dict[str, Any],
    tell: Progress,
) -> tuple[Any, dict[str, Any]]:
    """A model of words, trained from scratch on an arm's samples; and what it read."""
    arm, size = settings.arms[name], settings.size
    words = library("transformers").AutoTokenizer.from_pretrained(out / TOKENIZER)
    trees = {anchor: set(some) for anchor, some in told["carriers"].items()}
    found = samples_of(corpora, arm, set(told["unstitched"]), trees, words)
    model = model_of(words, size, seed)
    rows = batches(stream(found, arm.shares, seed), size)
    loss = learn(
        model, islice(rows, size.steps), size, seed,
        lambda step, _: tell(f"{name} {seed}", step, size.steps),
    )  # fmt: skip
    weights = sum(p.numel() for p in model.parameters())
    records = {kind: len(some) for kind, some in sorted(found.items())}
    return (model, words), {
        "loss": round(loss, 4), "tokens": size.tokens, "steps": size.steps,
        "weights": weights, "vocabulary": len(words), "records": records,
    }  # fmt: skip
