"""A small model without any knowledge, for tests, demos and experiments from scratch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from time import monotonic
from typing import Any

import numpy as np

from training.config import Steps
from training.corpus import Corpus
from training.errors import BaseError
from training.examples import Examples, plan, read_examples
from training.library import library
from training.logs import Tell
from training.network import Network

KINDS = ("", "bpe", "sentencepiece")
VOCABULARY = 8000
LENGTH = 2048
ROW, ROWS = 512, 2
SPAN = 256
"""How many tokens a reader who begins at a thought reads on."""
SPECIAL = ("<unk>", "<s>", "</s>", "<pad>")
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def make(kind: str, texts: Sequence[str], seed: int) -> tuple[Any, Any]:
    """A Llama of up to two million weights and a tokenizer of these texts.

    :param kind: ``bpe`` (or nothing) for byte-level BPE, ``sentencepiece`` for words that
        begin with ▁ and byte fallback.

    Raises BaseError for another kind or where there is no text, MissingExtra.
    """
    if kind not in KINDS:
        raise BaseError(
            f"there is no tiny:{kind}",
            hint="Expected tiny: (byte-level BPE) or tiny:sentencepiece.",
        )
    if not any(texts):
        raise BaseError("the corpus holds no text to make a tokenizer from")
    tokenizer = library("transformers").PreTrainedTokenizerFast(
        tokenizer_object=_sentencepiece(texts) if kind == "sentencepiece" else _bpe(texts),
        unk_token=SPECIAL[0],
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[3],
        model_max_length=LENGTH,
        clean_up_tokenization_spaces=False,
    )
    return _llama(tokenizer, seed), tokenizer


def learn(
    model: Any,
    tokenizer: Any,
    corpus: Corpus,
    steps: int,
    seed: int,
    progress: Tell | None = None,
) -> None:
    """Let a tiny model read the corpus's paths, from each of their thoughts on.

    All its weights are in training. Whoever reads paths only from their beginnings knows what
    comes next by all that came before, and is lost where a question begins in the middle, as
    those of `training.behaviour` do.

    :param progress: is told of every step what a line of a training's log says.

    Raises CorpusError where there is no path, TrainingFailed, MissingExtra.
    """
    settings = Steps(seed=seed, steps=steps, row=ROW, rows=ROWS, rate=3e-3)
    paths = read_examples(corpus, "train", tokenizer, names=(), window=LENGTH, kinds=("path",))
    examples = _from_every_line(paths, tokenizer("\n").input_ids[-1])
    network = Network(settings)
    network.train(model)
    rows = plan(examples, seed, settings.row, settings.rows)
    tokens, began = 0, monotonic()
    for step, some in enumerate(islice(rows, steps)):
        loss = network.step(some, settings.rate_at(step, steps), seed * 1_000_003 + step)
        tokens += sum(len(row.ids) for row in some)
        if progress:
            progress(
                {
                    "step": step + 1,
                    "steps": steps,
                    "loss": loss,
                    "tokens": tokens,
                    "tokens_per_second": tokens / max(monotonic() - began, 1e-9),
                }
            )
    model.eval()


def _from_every_line(paths: Examples, end_of_line: int) -> Examples:
    """An example for each line of each path: the line and what follows it, SPAN tokens at most."""
    ids, mask, bounds = [], [], [0]
    for begin, end in pairwise(paths.bounds):
        lines = np.flatnonzero(paths.ids[begin : end - 1] == end_of_line) + begin + 1
        for line in (begin, *map(int, lines)):
            cut = slice(line, min(line + SPAN, end))
            ids.append(paths.ids[cut])
            mask.append(paths.mask[cut])
            bounds.append(bounds[-1] + len(ids[-1]))
    return Examples(np.concatenate(ids), np.concatenate(mask), bounds)


def _llama(tokenizer: Any, seed: int) -> Any:
    transformers, torch = library("transformers"), library("torch")
    torch.manual_seed(seed)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=LENGTH,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    ).eval()


def _bpe(texts: Sequence[str]) -> Any:
    t = library("tokenizers")
    tokenizer = t.Tokenizer(t.models.BPE())
    tokenizer.pre_tokenizer = t.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = t.decoders.ByteLevel()
    _learn(tokenizer, texts, SPECIAL, t.pre_tokenizers.ByteLevel.alphabet())
    return tokenizer


def _sentencepiece(texts: Sequence[str]) -> Any:
    """BPE over words that begin with ▁, what is left as bytes: as Llama 2 and Mistral have it."""
    t = library("tokenizers")
    tokenizer = t.Tokenizer(t.models.BPE(unk_token=SPECIAL[0], fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = t.pre_tokenizers.Metaspace(prepend_scheme="first")
    d = t.decoders
    tokenizer.decoder = d.Sequence(
        [d.Replace("▁", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)]
    )
    _learn(tokenizer, texts, [*SPECIAL, *_BYTES], ())
    told = json.loads(tokenizer.to_str())
    told["added_tokens"] = [x for x in told["added_tokens"] if x["content"] in SPECIAL]
    return t.Tokenizer.from_str(json.dumps(told))


def _learn(
    tokenizer: Any, texts: Sequence[str], first: Sequence[str], signs: Iterable[str]
) -> None:
    trainer = library("tokenizers").trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(first),
        initial_alphabet=sorted(signs),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
