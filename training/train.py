"""Training one mask: rows of records, a step at a time, that can be stopped and gone on with.

Everything that a step needs follows from the settings and the step's number: which rows, which
random numbers, how large a step. So a checkpoint holds the tensors and the number, and what is
resumed from it ends in the same bytes as what was never interrupted.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from training import adapter, logs
from training.base import Base
from training.config import Config
from training.corpus import Corpus
from training.errors import ConfigError, MaskError, NoRoom, TrainingFailed
from training.examples import (
    Examples,
    Row,
    longest_row,
    plan,
    read_examples,
    rows_of,
    shuffled,
    steps_in,
)
from training.files import json_hash, write_whole, writing
from training.library import library
from training.masks import FOLDER, Library, Mask, checked_name, slug, write_mask
from training.network import Network
from training.tokens import Unread, require_known, reserved

Progress = Callable[[dict[str, Any]], None]
"""Called with each line of the log."""
VALIDATION = "validation"


def train(  # noqa: PLR0913 - what is trained, and who is told of it
    corpus: Corpus,
    base: Base,
    name: str,
    config: Config | None = None,
    *,
    masks: Path | str = FOLDER,
    restart: bool = False,
    progress: Progress | None = None,
    log: logs.Log | None = None,
) -> Mask:
    """Train the mask ``name`` on a corpus and put it into the folder of masks.

    An interrupted training (SIGINT, SIGTERM, a kill) goes on from its last checkpoint when the same
    call is made again, and ends in the same bytes. The log is ``NAME.jsonl`` beside the mask.

    :param restart: throw an unfinished training of that name away.
    :param progress: is told every line of the log.
    :param log: is told it, too: TensorBoard in ``tensorboard/NAME`` beside the mask, or MLflow.

    Raises MaskError where the mask exists, is being trained, or was begun with other settings;
    ConfigError where the window lets records through that are too long for the base;
    BaseError and CorpusError where base and corpus do not fit; TrainingFailed where the loss is no
    number or memory is short; NoRoom where the disk is full; MissingExtra;
    KeyboardInterrupt after SIGINT, when it has saved.
    """
    config = config or Config()
    path = Library(masks).path(checked_name(name))
    if path.exists():
        raise MaskError(
            f"the mask {name} exists already: {path}",
            hint="Name another one, or remove it first.",
        )
    logs.require(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    network = Network(config.training)
    with _locked(path) if network.first else _not_locked():
        training = _Training(corpus, base, path, config, network, restart)
        with training.telling(log if network.first else None, progress), training.keeping():
            return training.run()


@dataclass
class _State:
    """What a checkpoint says beside its tensors."""

    step: int = 0
    best_step: int = 0
    best_loss: float = math.inf
    waited: int = 0
    loss: float = math.inf
    seen: int = 0
    """Tokens read."""
    read: int = 0
    """Examples read, each as often as it was."""
    stopped_early: bool = False


class _Training:
    def __init__(
        self,
        corpus: Corpus,
        base: Base,
        path: Path,
        config: Config,
        network: Network,
        restart: bool,
    ) -> None:
        self.corpus, self.base, self.path, self.config = corpus, base, path, config
        self.network = network
        self.listeners: list[Progress] = []
        self.checkpoint = path.with_name(f".{path.stem}.checkpoint")
        self.log = path.with_suffix(".jsonl")
        self.interrupted: signal.Signals | None = None
        self.unheard: OSError | None = None
        """What whoever is told of the training raised, as where its terminal or pipe is gone."""
        self._handlers: dict[signal.Signals, Any] = {}
        if restart:
            if network.first:
                self.checkpoint.unlink(missing_ok=True)
            network.wait()  # else another process would go on from it
        self.begun = {
            "base": base.hash,
            "corpus": corpus.hash,
            "config": config.model_dump(mode="json"),
        }
        self.fingerprint = json_hash(self.begun)
        self.state, tensors = self._restored()
        self.examples, self.validation = self._examples()
        network.require_memory(self._longest_row())
        network.wear(base, config.lora)
        self.best: dict[str, Any] = network.tensors("now")
        if tensors:
            self.best = {k.removeprefix("best/"): v for k, v in tensors.items() if k[:5] == "best/"}
            network.put(tensors, self.state.step)
        self.steps = self._count_steps()
        order = config.training
        self._plan = plan(self.examples, order.seed, order.row, order.rows)

    @contextmanager
    def telling(self, log: logs.Log | None, progress: Progress | None) -> Iterator[None]:
        """Tell every line of the log to others, too."""
        settings = self.config.model_dump(mode="json")
        with logs.opened(log, self.path, self.state.step, self.fingerprint, settings) as tell:
            self.listeners = [listener for listener in (tell, progress) if listener]
            yield

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Where the disk is full, say what is kept nevertheless."""
        try:
            yield
        except NoRoom as error:
            if self.checkpoint.exists():
                error.add_note(
                    f"what was saved before is kept: {self.checkpoint}; the same command goes on "
                    "from there"
                )
            raise

    # --- the way through -----------------------------------------------------------------------

    def run(self) -> Mask:
        """All steps that are left, then the mask."""
        state, checks = self.state, self.config.checks
        if self.network.first:
            self._open_log()
        with self._interruptible():
            for rows in islice(self._plan, state.step, self.steps):
                if state.stopped_early:
                    break
                self._step(rows)
                last = state.step == self.steps
                if len(self.validation) and (last or state.step % checks.validate_every == 0):
                    self._validate()
                stop = self.network.any(bool(self.interrupted or self.unheard))
                if last or stop or state.step % checks.save_every == 0:
                    self._save()
                if stop and not last:
                    raise self._interruption() if self.interrupted else self._not_heard()
        return self._finished()

    def _step(self, rows: Sequence[Row]) -> None:
        state, begun = self.state, time.perf_counter()
        rate = self.config.training.rate_at(state.step, self.steps)
        seed = self.config.training.seed * 1_000_003 + state.step
        try:
            loss = self.network.step(rows, rate, seed)
        except TrainingFailed as error:
            raise self._failed(
                error, f"at step {state.step + 1}, with the rate {rate:.3g}"
            ) from error
        tokens = sum(len(row.ids) for row in rows)
        state.step, state.loss, state.seen = state.step + 1, loss, state.seen + tokens
        state.read += sum(int((row.positions == 0).sum()) for row in rows)
        self._tell(
            step=state.step,
            steps=self.steps,
            loss=round(loss, 6),
            rate=rate,
            tokens=state.seen,
            tokens_per_second=round(tokens / (time.perf_counter() - begun), 1),
        )

    def _validate(self) -> None:
        state, patience = self.state, self.config.checks.patience
        rows = rows_of(self.validation, range(len(self.validation)), self.config.training.row)
        try:
            loss = self.network.loss(rows)
        except TrainingFailed as error:
            raise self._failed(error, f"after step {state.step}") from error
        self._tell(step=state.step, steps=self.steps, validation_loss=round(loss, 6))
        if loss < state.best_loss:
            state.best_loss, state.best_step, state.waited = loss, state.step, 0
            self.best = self.network.tensors("now")
        else:
            state.waited += 1
            state.stopped_early = 0 < patience <= state.waited

    def _failed(self, error: TrainingFailed, where: str) -> TrainingFailed:
        failed = TrainingFailed(f"{error.message} {where}", hint=error.hint)
        if self.checkpoint.exists():
            failed.add_note(f"what was saved before is kept: {self.checkpoint}")
        return failed

    # --- what is trained on --------------------------------------------------------------------

    def _examples(self) -> tuple[Examples, Examples]:
        data, tokenizer = self.config.data, self.base.tokenizer()
        names = reserved(self.corpus)
        require_known(tokenizer, names, self.corpus, self.base.path)

        def read(split: str) -> Examples:
            return read_examples(
                self.corpus,
                split,
                tokenizer,
                names=names,
                window=data.window,
                kinds=data.kinds,
                registers=data.registers,
                no_loss=data.no_loss,
                may_be_empty=split == VALIDATION,
            )

        examples = read("train")
        tokens = len(examples.ids) + examples.dropped
        Unread(tokens, examples.unknown).require(self.corpus, self.base.path)
        self._require_room(max(examples.sizes))
        validation = VALIDATION if self.corpus.has(VALIDATION) else None
        return examples, read(validation) if validation else Examples.none()

    def _require_room(self, longest: int) -> None:
        most, window = self.base.positions, self.config.data.window
        if most is not None and longest > most:
            raise ConfigError(
                f"data.window is {window} and a record has {longest} tokens; the base "
                f"{self.base.path} reads {most} at most",
                hint=f"Set data.window = {most}: what is longer is then left out and counted.",
            )

    def _longest_row(self) -> int:
        """Of the first epoch, and of a look at the validation split. Shape: tokens."""
        set_ = self.config.training
        order = shuffled(len(self.examples), set_.seed, 0)
        look = range(len(self.validation))
        return max(
            longest_row(self.examples, order, set_.row),
            longest_row(self.validation, look, set_.row),
        )

    def _count_steps(self) -> int:
        set_ = self.config.training
        if set_.steps:
            return set_.steps
        return steps_in(self.examples, set_.seed, set_.row, set_.rows, set_.epochs)

    # --- what is kept --------------------------------------------------------------------------

    def _restored(self) -> tuple[_State, dict[str, Any]]:
        if not self.checkpoint.exists():
            return _State(), {}
        told, tensors = _saved(self.checkpoint)
        if moved := _moved(told.pop("begun", {}), self.begun):
            raise MaskError(
                f"a training of {self.path.stem} was begun with {moved}",
                hint="Go on with what it was begun with, or throw it away with --restart.",
            )
        state = _State()
        for key, value in told.items():
            setattr(state, key, math.inf if value is None else value)
        return state, tensors

    def _save(self) -> None:
        if not self.network.first:
            return
        told = orjson.dumps(asdict(self.state) | {"begun": self.begun}).decode()
        tensors = self.network.tensors() | {f"best/{k}": v for k, v in self.best.items()}
        content = library("safetensors.torch").save(tensors, metadata={"state": told})
        write_whole(self.checkpoint, _digest(content) + b"\n" + content)

    def _finished(self) -> Mask:
        """Write the mask of the best step; the checkpoint goes."""
        if len(self.validation):
            self.network.put(self.best)
        tensors = adapter.state(self.network.model)
        if not self.network.first:
            return Mask(self.path, self._about())
        mask = write_mask(self.path, self._about(), tensors)
        self.checkpoint.unlink(missing_ok=True)
        return mask

    def _about(self) -> dict[str, Any]:
        state, manifest = self.state, self.corpus.manifest
        validated = len(self.validation) > 0
        bits = self.config.training.quantize
        used = ("peft", "torch", "transformers", *(("bitsandbytes",) if bits != "none" else ()))
        return {
            "name": self.path.stem,
            "slug": slug(self.path.stem),
            "base": self.base.named | ({"quantized": bits} if bits != "none" else {}),
            "corpus": {
                "hash": self.corpus.hash,
                "forest_revision": manifest.get("forest_revision"),
                "recipe_hash": manifest.get("recipe_hash"),
                "seed": manifest.get("seed"),
            },
            "config": self.config.model_dump(mode="json"),
            "lora": adapter.told(self.network.lora),
            "results": {
                "precision": self.network.precision,
                "steps": state.step,
                "tokens": state.seen,
                "examples": len(self.examples),
                "examples_read": state.read,
                "tokens_with_loss": self.examples.trained,
                "unknown_tokens": self.examples.unknown,
                "left_out": dict(sorted(self.examples.left_out.items())),
                "loss": state.loss,
                "validation_loss": state.best_loss if validated else None,
                "best_step": state.best_step if validated else state.step,
                "stopped_early": state.stopped_early,
            },
            "libraries": {name: version(name) for name in used},
        }

    def _open_log(self) -> None:
        """Keep what the log says up to the checkpoint."""
        kept: list[bytes] = []
        if self.state.step and self.log.exists():
            for line in self.log.read_bytes().split(b"\n"):
                try:
                    if orjson.loads(line)["step"] <= self.state.step:
                        kept.append(line + b"\n")
                except orjson.JSONDecodeError:
                    continue  # the last line of a killed process may be half a line
        write_whole(self.log, b"".join(kept))

    def _tell(self, **entry: Any) -> None:
        if not self.network.first:
            return
        with writing(self.log), self.log.open("ab") as log:
            log.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
        for listener in self.listeners:
            try:
                listener(entry)
            except OSError as error:
                self.unheard = self.unheard or error

    # --- interruption --------------------------------------------------------------------------

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first SIGINT, SIGTERM or SIGHUP ends the training after its step; the second at once.

        SIGHUP says that the terminal is gone; under nohup it says nothing.

        Of several processes none ends at once: what started them tells each again what a terminal
        has told all of them, and kills those that do not end.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, _: Any) -> None:
            self.interrupted = signal.Signals(number)
            if self.network.alone:
                signal.signal(number, self._handlers[self.interrupted])

        heeded = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            heeded.remove(signal.SIGHUP)
        self._handlers = {number: signal.signal(number, note) for number in heeded}
        try:
            yield
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def _not_heard(self) -> BaseException:
        """What ends a training that nobody hears, or another process's, after it was saved."""
        return self.unheard or self._interruption()

    def _interruption(self) -> KeyboardInterrupt:
        """What the signal would have raised at once, saying what is kept."""
        stop = KeyboardInterrupt()
        handler = self._handlers.get(self.interrupted) if self.interrupted else None
        if callable(handler):
            try:
                handler(self.interrupted, None)
            except KeyboardInterrupt as raised:
                stop = raised
        stop.add_note(
            f"saved at step {self.state.step} of {self.steps}; the same command goes on from there"
        )
        return stop


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _saved(checkpoint: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a checkpoint says, and its tensors. Raises MaskError where it is damaged.

    It is a safetensors file behind a line with its SHA-256: a bit that flipped on a disk would be
    trained on.
    """
    try:
        digest, _, content = checkpoint.read_bytes().partition(b"\n")
        if digest != _digest(content):
            raise ValueError("it is not what its hash says")
        size = int.from_bytes(content[:8], "little")
        told = orjson.loads(orjson.loads(content[8 : 8 + size])["__metadata__"]["state"])
        tensors = library("safetensors.torch").load(content)
    except (OSError, ValueError) as error:
        raise MaskError(
            f"the checkpoint {checkpoint} is damaged: {error}",
            hint="Put back a whole copy of it, or begin anew with --restart.",
        ) from error
    return told, tensors


def _moved(then: dict[str, Any], now: dict[str, Any]) -> str:
    """What a training was begun with that is not what it is to go on with; empty: nothing."""
    other = [
        f"another {what} ({str(then.get(what))[:12]}, not {now[what][:12]})"
        for what in ("base", "corpus")
        if then.get(what) != now[what]
    ]
    for section, values in now["config"].items():
        was = then.get("config", {}).get(section, {})
        other += [
            f"{section}.{key} = {was.get(key)} (not {value})"
            for key, value in values.items()
            if was.get(key) != value
        ]
    return ", ".join(other)


@contextmanager
def _not_locked() -> Iterator[None]:
    yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep a second training of the same mask out; the lock dies with its process."""
    lock = path.with_name(f".{path.stem}.lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                raise BlockingIOError  # its last holder removed it meanwhile
        except (BlockingIOError, FileNotFoundError):
            raise MaskError(
                f"another process is training {path.stem}",
                hint="Wait until it is done, or name another mask.",
            ) from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
