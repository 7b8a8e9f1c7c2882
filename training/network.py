"""The model while it trains: what wears the mask, computes a loss, and makes a step.

The only module that knows of devices, precision and several processes. The gradients of a mask are
small, so processes add them up after each step; nothing else of the model is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite, isqrt
from typing import TYPE_CHECKING, Any

from training import adapter
from training.config import Lora, Steps
from training.errors import BaseError, TrainingFailed
from training.examples import Row
from training.library import library
from training.memory import free_memory, short_of_memory
from training.quantized import rest

if TYPE_CHECKING:
    from training.base import Base

_MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
_TYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
_SCALE = "scale/loss"
_SCALES = (2.0**16, 2.0**24)
"""How many times a gradient in fp16 is enlarged, at first and at most."""
_LOGITS = 1 << 24
"""Logits that are there at once."""
_ATTENTION = 8
"""Bytes at the least, on the processor, for each pair of a row's tokens: 9 to 10 were measured. It
is what tells which of them see each other."""
_GROWS = 500
"""Steps that fit into fp16 one after another before it is enlarged twice as much."""


class Network:
    """A base with a mask in training on this process's device. Raises MissingExtra."""

    def __init__(self, steps: Steps) -> None:
        self._torch = library("torch")
        self._steps = steps
        if steps.threads:
            self._torch.set_num_threads(steps.threads)
        gpu = self._torch.cuda.is_available() or self._torch.backends.mps.is_available()
        self._process = library("accelerate").PartialState(cpu=not gpu)
        self._device = self._process.device
        self.precision = self._chosen()
        self._dtype = getattr(self._torch, _TYPES[self.precision])
        self._scale = _SCALES[0] if self.precision == "fp16" else 1.0
        self._fitted = 0
        self.model: Any = None
        self.lora: Any = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return bool(self._process.is_main_process)

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return int(self._process.num_processes) == 1

    def wait(self) -> None:
        """Go on when all processes have come here."""
        self._process.wait_for_everyone()

    def _chosen(self) -> str:
        if self._steps.precision != "auto":
            return self._steps.precision
        if self._device.type != "cuda":
            return "fp32"
        return "bf16" if self._torch.cuda.is_bf16_supported(False) else "fp16"

    def wear(self, base: Base, lora: Lora) -> None:
        """Load the base and put a new mask on it.

        Raises BaseError where the base has no such modules, or lets the records of a row see each
        other; ConfigError where the rank is beyond all of them; MissingExtra where it is to be
        quantized and bitsandbytes is not installed.
        """
        with self._as_training_errors():
            network = base.model(self._dtype, self._steps.quantize, self._device)
            require_apart(self._here(network), base)
            self.lora = adapter.lora_config(base, network, lora)
            self._torch.manual_seed(self._steps.seed)
            self.train(adapter.wear(network, self.lora))

    def require_memory(self, tokens: int) -> None:
        """Raise TrainingFailed where a row of so many tokens cannot be read in what is free.

        On a GPU too large a row is an error of its own; on the processor the kernel ends it all.
        """
        free = free_memory() if self._device.type == "cpu" else None
        if free is None or _ATTENTION * tokens**2 <= free:
            return
        need, there = (bytes_ / 1e9 for bytes_ in (_ATTENTION * tokens**2, free))
        raise TrainingFailed(
            f"a row of {tokens:,} tokens needs more than {need:,.1f} GB of memory for attention "
            f"alone, and {there:,.1f} GB are free",
            hint=f"training.row is {self._steps.row}: set it to {isqrt(free // _ATTENTION) // 2} "
            "or less (and data.window, if it is larger).",
        )

    def take(self, model: Any) -> None:
        """Take a model over, to compute losses with."""
        self.model = rest(self._here(model))
        self._read, self._head, self._vocabulary = parted(model)

    def train(self, model: Any) -> None:
        """Take a model whose parameters say themselves which of them train."""
        torch = self._torch
        self.take(model)
        self.model.train()
        self._parts = adapter.trainable(model)
        rows = [p for n, p in self._parts if "token" in n]
        decayed = [p for n, p in self._parts if "token" not in n]
        groups = [{"params": decayed, "weight_decay": self._steps.decay}]
        groups += [{"params": rows, "weight_decay": 0.0}] if rows else []
        self._optimizer = torch.optim.AdamW(groups, lr=self._steps.rate, betas=(0.9, 0.98))

    def _here(self, model: Any) -> Any:
        """The model on this device. A quantized one was loaded onto it, and is not moved."""
        return model if next(model.parameters()).device == self._device else model.to(self._device)

    # --- computing -----------------------------------------------------------------------------

    def step(self, rows: Sequence[Row], rate: float, seed: int) -> float:
        """One step over some rows; returns their loss per token that carries one.

        A gradient that fp16 cannot hold is computed again, enlarged half as much.

        Raises TrainingFailed where the loss is no number or memory is short; nothing is changed.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with self._as_training_errors():
            told, length = self._gradient(rows, seed)
            while isfinite(told) and not isfinite(length) and self._scale > 1:
                self._scale, self._fitted = self._scale / 2, 0
                told, length = self._gradient(rows, seed)
            if not (isfinite(told) and isfinite(length)):
                raise self._no_number(f"the loss is {told}, its gradient {length}")
            self._optimizer.step()
        self._fitted += 1
        if self.precision == "fp16" and self._fitted == _GROWS:
            self._scale, self._fitted = min(self._scale * 2, _SCALES[1]), 0
        return told

    def _gradient(self, rows: Sequence[Row], seed: int) -> tuple[float, float]:
        """Loss and length of the gradient, which all that trains then has, cut to `clip`."""
        torch, process = self._torch, self._process
        torch.manual_seed(seed)
        self._optimizer.zero_grad(set_to_none=False)
        total = max(1, sum(len(row.targets) for row in rows))
        told = 0.0
        for row in rows[process.process_index :: process.num_processes]:
            told += self._loss(row, self._scale / total) / total
        told = self._summed(told)
        parts = [p for _, p in self._parts]
        for part in parts:
            if self._scale != 1 and part.grad is not None:
                part.grad /= self._scale
        return told, float(torch.nn.utils.clip_grad_norm_(parts, self._steps.clip))

    def loss(self, rows: Iterable[Row]) -> float:
        """The loss per token that carries one, over some rows, without training.

        Raises TrainingFailed where it is no number or memory is short.
        """
        total, told = 0, 0.0
        rest(self.model)
        with self._torch.inference_mode(), self._as_training_errors():
            for row in rows:
                told += self._loss(row)
                total += len(row.targets)
        self.model.train()
        if not isfinite(told):
            raise self._no_number(f"the validation loss is {told}")
        return told / max(1, total)

    def _no_number(self, message: str) -> TrainingFailed:
        wider = ', or set training.precision = "fp32"' if self.precision != "fp32" else ""
        return TrainingFailed(message, hint=f"Halve training.rate{wider}.")

    def any(self, flag: bool) -> bool:
        """Whether any of the processes says so."""
        if self.alone:
            return flag
        told = self._torch.tensor([float(flag)], device=self._device)
        self._torch.distributed.all_reduce(told)
        return bool(told.item() > 0)

    def _loss(self, row: Row, share: float = 0.0) -> float:
        """The sum over all tokens with loss; its gradient, times a share, is added to what trains.

        The head computes at their places alone, and at so many at once that the logits of a large
        vocabulary stay small: the gradient of each part is there before the next one is computed.
        """
        torch = self._torch
        states, labels = self._states(row), self._tensor(row.labels)
        most = max(1, _LOGITS // self._vocabulary)
        told, gradients = torch.zeros((), device=self._device), []
        for some, said in zip(states.split(most), labels.split(most), strict=True):
            part = some.detach().requires_grad_(share != 0)
            with self._mixed():
                logits = self._head(part)
            loss = torch.nn.functional.cross_entropy(logits.float(), said, reduction="sum")
            if share:
                (loss * share).backward()
                gradients.append(part.grad)
            told += loss.detach()
        if share:
            states.backward(torch.cat(gradients))
        return float(told)

    def _states(self, row: Row) -> Any:
        """What the head reads at the places with loss: one line for each."""
        with self._mixed():
            return self._read(
                self._tensor(row.targets),
                input_ids=self._tensor(row.ids)[None],
                position_ids=self._tensor(row.positions)[None],
                use_cache=False,
            )

    def _mixed(self) -> Any:
        mixed = self.precision != "fp32"
        return self._torch.autocast(self._device.type, self._dtype, enabled=mixed)

    def _tensor(self, numbers: Any) -> Any:
        return self._torch.as_tensor(numbers, dtype=self._torch.long, device=self._device)

    def _summed(self, loss: float) -> float:
        """The loss of all processes; their gradients are summed likewise."""
        if self.alone:
            return loss
        reduce = self._torch.distributed.all_reduce
        for _, part in self._parts:
            if part.grad is None:
                part.grad = self._torch.zeros_like(part)
            reduce(part.grad)
        told = self._torch.tensor([loss], device=self._device)
        reduce(told)
        return float(told.item())

    @contextmanager
    def _as_training_errors(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not short_of_memory(error):
                raise
            bits = "" if self._steps.quantize == "nf4" else "; --quantize nf4 keeps it in 4 bits"
            raise TrainingFailed(
                f"there is not enough memory on {self._device}",
                hint=f"Halve training.row, which is {self._steps.row} (and data.window, if it is "
                f"larger), or take a smaller base{bits}.",
            ) from error

    # --- tensors -------------------------------------------------------------------------------

    def tensors(self, *kinds: str) -> dict[str, Any]:
        """``now/NAME``, ``m/NAME`` and ``v/NAME`` of all that trains, or only of some kinds.

        In fp16 also ``scale/loss``: how many times gradients are enlarged, for how many steps.
        """
        found = {f"now/{n}": _kept(p) for n, p in self._parts}
        if self.precision == "fp16":
            found[_SCALE] = self._torch.tensor([self._scale, float(self._fitted)])
        for kind, moment in _MOMENTS.items():
            for n, p in self._parts:
                if moment in self._optimizer.state[p]:
                    found[f"{kind}/{n}"] = _kept(self._optimizer.state[p][moment])
        return {k: v for k, v in found.items() if not kinds or k.partition("/")[0] in kinds}

    def put(self, tensors: dict[str, Any], step: int | None = None) -> None:
        """Take tensors over as `tensors` gave them, with the optimizer's where a step is named."""
        torch = self._torch
        with torch.no_grad():
            for n, p in self._parts:
                p.copy_(tensors[f"now/{n}"])
                if step:
                    self._optimizer.state[p] = {"step": torch.tensor(float(step))} | {
                        name: tensors[f"{kind}/{n}"].to(p.device, copy=True)
                        for kind, name in _MOMENTS.items()
                    }
        if step and _SCALE in tensors:
            self._scale, fitted = tensors[_SCALE].tolist()
            self._fitted = int(fitted)


def parted(model: Any) -> tuple[Callable[..., Any], Callable[[Any], Any], int]:
    """A model in two: what reads a text, and what makes logits of what was read at some places.

    Where a model does more to its logits than its head, the first gives logits already. The third
    is their number.
    """
    torch = library("torch")
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    body, head = whole.base_model, whole.get_output_embeddings()
    size = head.weight.shape[0]
    ids = torch.arange(min(8, size), device=head.weight.device)[None]
    with torch.inference_mode():
        same = torch.equal(head(body(input_ids=ids)[0]), whole(input_ids=ids).logits)

    def read(places: Any, **text: Any) -> Any:
        return body(**text)[0][0].index_select(0, places)

    def said(places: Any, **text: Any) -> Any:
        return whole(logits_to_keep=places, **text).logits[0]

    return (read, head, size) if same else (said, torch.nn.Identity(), size)


def _kept(tensor: Any) -> Any:
    return tensor.detach().cpu().contiguous().clone()


def require_apart(model: Any, base: Base) -> None:
    """Raise BaseError if what stands first in a row changes what is said of what stands second."""
    torch = library("torch")
    device = next(model.parameters()).device
    size = min(8, model.get_input_embeddings().weight.shape[0] // 2)
    second = torch.arange(size)
    positions = torch.cat([second, second])[None].to(device)

    def said(first: Any) -> Any:
        ids = torch.cat([first, second])[None].to(device)
        return model(input_ids=ids, position_ids=positions, use_cache=False).logits[0, size:]

    with torch.inference_mode():
        one, other = said(second + size), said(second.flip(0))
    if not torch.equal(one, other):
        raise BaseError(
            f"the base {base.path} lets records that stand in one row see each other",
            hint="Its attention does not stop where positions begin anew. Choose another base, or "
            "a newer transformers.",
        )
