"""A small model trained from scratch: words as tokens, all weights in training, batches of rows.

For experiments that compare corpora: what a model can say comes from the corpus alone. Everything
follows from the seed and the batches, and one torch thread gives the same weights again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.errors import BaseError, TrainingFailed
from training.examples import Example
from training.library import library

UNKNOWN, BEGIN, END, PAD = "<unk>", "<s>", "</s>", "<pad>"
LENGTH = 1024
"""The most tokens that such a model reads at once."""
_WORDS = r"\n|\w+|[^\w\s]"
"""A line break, a word, a sign: what is one token."""
Progress = Callable[[int, float], None]
"""Called with the number of a step and its loss."""


class Size(BaseModel):
    """How large the model is, and how it is trained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: int = Field(3, ge=1)
    width: int = Field(192, ge=8, description="an even number for each of the heads")
    heads: int = Field(6, ge=1)
    steps: int = Field(2400, ge=1)
    rows: int = Field(16, ge=1, description="of a step")
    row: int = Field(128, ge=16, le=LENGTH, description="tokens")
    rate: float = Field(1e-3, gt=0)
    decay: float = Field(0.1, ge=0)
    warmup: float = Field(0.05, ge=0, lt=1)
    clip: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _heads_are_even(self) -> Self:
        # Positions are said by pairs of numbers of a head.
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width is {self.width}: expected a multiple of twice the heads, {2 * self.heads}"
            )
        return self

    @property
    def tokens(self) -> int:
        """How many tokens the model reads in all."""
        return self.steps * self.rows * self.row


def tokenizer_of(texts: Iterable[str], names: Sequence[str] = ()) -> Any:
    """A tokenizer of whole words, lower case; ``names`` are tokens wherever they stand.

    Raises BaseError where there is no text, MissingExtra.
    """
    t, transformers = library("tokenizers"), library("transformers")
    split = t.pre_tokenizers.Split(t.Regex(_WORDS), "removed", invert=True)
    found = Counter[str]()
    for text in texts:
        found.update(word for word, _ in split.pre_tokenize_str(text.lower()))
    if not found:
        raise BaseError("there is no text to make a tokenizer from")
    vocabulary = dict.fromkeys([UNKNOWN, BEGIN, END, PAD, "\n", *names])
    vocabulary |= dict.fromkeys(sorted(found, key=lambda word: (-found[word], word)))
    model = t.models.WordLevel({w: n for n, w in enumerate(vocabulary)}, unk_token=UNKNOWN)
    words = t.Tokenizer(model)
    words.normalizer = t.normalizers.Lowercase()
    words.pre_tokenizer = split
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        model_max_length=LENGTH,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def model_of(tokenizer: Any, size: Size, seed: int) -> Any:
    """A Llama of that size with weights of that seed. Raises MissingExtra."""
    transformers, torch = library("transformers"), library("torch")
    torch.manual_seed(seed)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=size.width,
            intermediate_size=size.width * 8 // 3,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            max_position_embeddings=LENGTH,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


# --- batches --------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """The rows of one step. Shape of all: rows, tokens of a row."""

    ids: np.ndarray[Any, np.dtype[np.int64]]
    positions: np.ndarray[Any, np.dtype[np.int64]]
    """From 0 on within each sample."""
    trained: np.ndarray[Any, np.dtype[np.bool_]]
    """Whether the model is trained to say the token."""


def batches(samples: Iterator[Example], size: Size) -> Iterator[Batch]:
    """Rows that are full to the last token, so that all batches say equally much.

    Samples stand one behind the other; the last one of a row ends where the row does.
    """
    for _ in range(size.steps):
        rows = (_row(samples, size.row) for _ in range(size.rows))
        yield Batch(*map(np.stack, zip(*rows, strict=True)))


def _row(samples: Iterator[Example], room: int) -> tuple[Any, Any, Any]:
    ids: list[int] = []
    positions: list[int] = []
    trained: list[bool] = []
    while len(ids) < room:
        sample = next(samples)
        ids += sample.ids
        positions += range(len(sample.ids))
        trained += [False, *sample.mask[1:]]
    cut = slice(0, room)
    return np.array(ids[cut]), np.array(positions[cut]), np.array(trained[cut])


# --- training -------------------------------------------------------------------------------------


def learn(
    model: Any, some: Iterable[Batch], size: Size, seed: int, progress: Progress | None = None
) -> float:
    """Train all weights of a model on some batches, ``size.steps`` of them; returns the last loss.

    Raises TrainingFailed where the loss is no number.
    """
    torch = library("torch")
    torch.manual_seed(seed)
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=size.rate, weight_decay=size.decay, betas=(0.9, 0.98)
    )
    loss = math.inf
    for step, batch in enumerate(some):
        for group in optimizer.param_groups:
            group["lr"] = _rate(size, step)
        told = _loss(model, batch)
        optimizer.zero_grad(set_to_none=True)
        told.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), size.clip)
        optimizer.step()
        loss = float(told.detach())
        if not math.isfinite(loss):
            raise TrainingFailed(f"the loss of step {step} is {loss}", hint="Halve size.rate.")
        if progress:
            progress(step + 1, loss)
    model.eval()
    return loss


def _rate(size: Size, step: int) -> float:
    """Up, then along a cosine to a tenth."""
    warm = max(1, round(size.warmup * size.steps))
    if step < warm:
        return size.rate * (step + 1) / warm
    done = (step - warm) / max(1, size.steps - warm)
    return size.rate * (0.55 + 0.45 * math.cos(math.pi * done))


def _loss(model: Any, batch: Batch) -> Any:
    """The loss per token that carries one. The head computes at their places alone."""
    torch = library("torch")
    ids, positions = (torch.from_numpy(a) for a in (batch.ids, batch.positions))
    sample = (positions == 0).cumsum(1)
    apart = sample[:, None, :, None] == sample[:, None, None, :]
    seen = apart & torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    hidden = model.model(
        input_ids=ids, position_ids=positions, attention_mask=seen, use_cache=False
    ).last_hidden_state
    told = torch.from_numpy(batch.trained[:, 1:])
    logits = model.lm_head(hidden[:, :-1][told])
    return torch.nn.functional.cross_entropy(logits, ids[:, 1:][told])
