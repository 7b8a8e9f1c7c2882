"""How a record becomes what a model trains on: ids, and which of them carry loss.

`encode` is the only place where that is decided; `pack` says which examples stand side by side in
one row, where attention stops at the border of each.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from training.corpus import Corpus
from training.errors import CorpusError
from training.formats import as_text
from training.library import library
from training.registers import Voiced
from training.tokens import Segmentation, ambiguous, dropped, plain, unknown_of

Span = tuple[int, int]
"""From a character of a text up to another, which is no part of it."""
Ids = np.ndarray[Any, np.dtype[np.int32]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

OTHER_COLUMNS = "columns that are no text: preferences, steps"
TOO_LONG = "longer than the window: a record is never cut"
NO_LOSS = "no token of it carries loss"
OTHER_REGISTER = "a scene in another register"


class Example(NamedTuple):
    """One record as tokens."""

    ids: list[int]
    mask: list[bool]
    """For each id whether the model is trained to say it."""
    dropped: int = 0
    """Words for which the tokenizer has no token."""


def encode(
    record: dict[str, Any], tokenizer: Any, *, no_loss: Collection[str] = (), end: bool = True
) -> Example | None:
    """A record as tokens, in whatever format; None for preferences and steps.

    It begins with the tokenizer's sign for a beginning, if there is one, which carries no loss,
    and ends with that for an end, which does. A token carries loss unless one of its characters
    stands where there is none: in a request, in a part of ``meta.no_loss``, in a span with a role
    of ``no_loss``.

    :param end: whether the end is said.

    Shape: n ids and n marks.
    """
    told = as_text(record)
    if told is None:
        return None
    text, silent = plain(told["text"]), _silent(told.get("meta") or {}, no_loss)
    tokens = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    ids, mask = list(tokens.input_ids), _marks(tokens.offset_mapping, len(text), silent)
    if tokenizer.bos_token_id is not None:
        ids, mask = [tokenizer.bos_token_id, *ids], [False, *mask]
    if end and tokenizer.eos_token_id is not None:
        ids, mask = [*ids, tokenizer.eos_token_id], [*mask, True]
    return Example(ids, mask, len(dropped(text, tokens.offset_mapping)))


def begins_as_trained(tokenizer: Any) -> bool:
    """Whether a plain call of a tokenizer gives what `encode` does, without the end."""
    text = "0 1"
    example = encode({"text": text}, tokenizer, end=False)
    return example is not None and list(tokenizer(text).input_ids) == example.ids


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write a tokenizer that reads as `begin_as_trained`, and says nothing of where it was found.

    transformers notes whether that was a folder, and whether a hub was to be asked: the same
    tokenizer would be another one, by its files, on a machine that is offline.
    """
    tokenizer = begin_as_trained(tokenizer)
    for name in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(name, None)
    tokenizer.save_pretrained(folder)


def begin_as_trained(tokenizer: Any) -> Any:
    """The tokenizer, a plain call of which reads a text as `encode` does: with its beginning.

    So whatever serves a model gives it what it was trained to go on with. Some tokenizers name a
    sign for a beginning and do not put it there, as that of GPT-2; some add an end, too. What is
    read without special tokens stays as it was, as does where in the text its tokens stand.
    """
    if begins_as_trained(tokenizer):
        return tokenizer
    kinds, backend = library("tokenizers").processors, tokenizer.backend_tokenizer
    told = json.loads(backend.to_str())["post_processor"] or {}
    begin, id_ = tokenizer.bos_token, tokenizer.bos_token_id
    before = f"{begin} " if begin else ""
    template = kinds.TemplateProcessing(
        single=f"{before}$A", pair=f"{before}$A $B", special_tokens=[(begin, id_)] if begin else []
    )
    trims = [
        kinds.ByteLevel(trim_offsets=part["trim_offsets"])
        for part in told.get("processors") or [told]
        if part.get("type") == "ByteLevel"
    ]
    backend.post_processor = kinds.Sequence([*trims, template]) if trims else template
    # Where its settings say it, they are taken at their word when it is read again.
    for name, adds in (("add_bos_token", bool(begin)), ("add_eos_token", False)):
        if name in tokenizer.init_kwargs:
            tokenizer.init_kwargs[name] = adds
            setattr(tokenizer, f"_{name}", adds)
    return tokenizer


def _silent(meta: dict[str, Any], no_loss: Collection[str]) -> list[Span]:
    silent = [(part["start"], part["end"]) for part in meta.get("no_loss") or ()]
    silent += [
        (span["start"], span["end"])
        for span in meta.get("spans") or ()
        if span.get("role") in no_loss
    ]
    return silent


def _marks(offsets: Sequence[tuple[int, int]], size: int, silent: Sequence[Span]) -> list[bool]:
    """For each token of a text of so many characters whether none of its characters is silent."""
    quiet = np.zeros(size + 2, dtype=np.int32)
    for start, end in silent:
        quiet[start + 1 : end + 1] = 1
    before = quiet.cumsum()
    return [bool(before[max(end, start + 1)] == before[start]) for start, end in offsets]


# --- all of a corpus ------------------------------------------------------------------------------


@dataclass
class Examples:
    """The examples of a split, one after the other in two long arrays."""

    ids: Ids
    mask: Mask
    bounds: list[int]
    """Example i has the ids from ``bounds[i]`` to ``bounds[i + 1]``."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many records were left out, by reason."""
    unknown: int = 0
    """Tokens that stand for what the tokenizer does not know, and words that it dropped."""
    dropped: int = 0
    """Of these the words that it dropped."""

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @classmethod
    def none(cls, left_out: Counter[str] | None = None) -> Self:
        """No example at all."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.bool_), [0], left_out or Counter())

    @property
    def sizes(self) -> list[int]:
        """Number of tokens of each."""
        return [b - a for a, b in zip(self.bounds, self.bounds[1:], strict=False)]

    @property
    def trained(self) -> int:
        """Number of tokens that carry loss."""
        return int(self.mask.sum())


def read_examples(  # noqa: PLR0913 - what is read, and the settings that say how
    corpus: Corpus,
    split: str,
    tokenizer: Any,
    *,
    names: Collection[str],
    window: int,
    kinds: Collection[str] = (),
    registers: Collection[str] = (),
    no_loss: Collection[str] = (),
    may_be_empty: bool = False,
) -> Examples:
    """All records of a split as examples.

    :param names: what the corpus has reserved as single tokens.
    :param window: the most tokens of an example; a longer record is left out and counted.
    :param kinds: only records of these kinds; none: all.
    :param registers: of records with a scene only those in these registers; none: all.

    Raises CorpusError where the split is missing, is left without any example, or holds a text
    that no tokenizer can read rightly (Δ123), or where the corpus teaches none of the registers.
    """
    segmentation, voiced = Segmentation(names), Voiced(corpus, registers)
    ids: list[Ids] = []
    mask: list[Mask] = []
    bounds, left_out, seen = [0], Counter[str](), set[str]()
    unknown, missed, gone = unknown_of(tokenizer), 0, 0
    for number, record in enumerate(corpus.records(split), 1):
        kind = record.get("meta", {}).get("kind", "")
        seen.add(kind)
        if kinds and kind not in kinds:
            continue
        told = as_text(record) or record
        if not voiced(told):
            left_out[OTHER_REGISTER] += 1
            continue
        example = encode(told, tokenizer, no_loss=no_loss)
        reason = _unfit(example, window)
        if example is not None and reason != TOO_LONG:
            gone += example.dropped
        if reason:
            left_out[reason] += 1
            continue
        assert example is not None
        if torn := segmentation.followed_by_digit(plain(told["text"])):
            raise ambiguous(torn, number, split, record)
        ids.append(np.array(example.ids, dtype=np.int32))
        mask.append(np.array(example.mask, dtype=np.bool_))
        bounds.append(bounds[-1] + len(example.ids))
        missed += example.ids.count(unknown) if unknown is not None else 0
    if not ids:
        if may_be_empty:
            return Examples.none(left_out)
        raise _nothing(corpus, split, kinds, seen, left_out)
    parts = np.concatenate(ids), np.concatenate(mask)
    return Examples(*parts, bounds, left_out, missed + gone, gone)


def _unfit(example: Example | None, window: int) -> str | None:
    if example is None:
        return OTHER_COLUMNS
    if len(example.ids) > window:
        return TOO_LONG
    return None if any(example.mask[1:]) else NO_LOSS


def _nothing(
    corpus: Corpus, split: str, kinds: Collection[str], seen: set[str], left_out: Counter[str]
) -> CorpusError:
    why = "; ".join(f"{count} {reason}" for reason, count in left_out.items())
    if not why:
        why = f"none is of the kinds {', '.join(kinds)}; it has {', '.join(sorted(seen))}"
    return CorpusError(
        f"the split {split!r} of {corpus.path} leaves nothing to train on: {why}",
        hint="Set data.window, data.kinds or data.registers of the training otherwise, or export "
        "another recipe.",
    )


# --- rows -----------------------------------------------------------------------------------------


class Row(NamedTuple):
    """Some examples side by side, as one forward pass takes them."""

    ids: Ids
    positions: Ids
    """From 0 on within each example: by this the model tells the examples apart."""
    targets: Ids
    """Where the next id carries loss: places in the row."""

    @property
    def labels(self) -> Ids:
        """The ids that the model is trained to say at ``targets``."""
        return self.ids[self.targets + 1]


def pack(sizes: Sequence[int], room: int) -> Iterator[list[int]]:
    """Places of examples, together at most ``room`` tokens, in the order given.

    One that is longer than the room has a row of its own. Rows have no padding, so the order costs
    nothing.
    """
    row: list[int] = []
    used = 0
    for place, size in enumerate(sizes):
        if row and used + size > room:
            yield row
            row, used = [], 0
        row.append(place)
        used += size
    if row:
        yield row


def longest_row(examples: Examples, order: Sequence[int], room: int) -> int:
    """The tokens of the longest row of some examples in that order; all together at most."""
    all_sizes = examples.sizes
    sizes = [all_sizes[place] for place in order]
    return max((sum(sizes[place] for place in row) for row in pack(sizes, room)), default=0)


def row_of(examples: Examples, places: Sequence[int]) -> Row:
    """The row of some examples."""
    parts = [slice(examples.bounds[p], examples.bounds[p + 1]) for p in places]
    ids = np.concatenate([examples.ids[part] for part in parts])
    positions = np.concatenate([np.arange(p.stop - p.start, dtype=np.int32) for p in parts])
    mask = np.concatenate([examples.mask[part] for part in parts])
    mask[positions == 0] = False  # what stands before it belongs to another example
    targets = np.flatnonzero(mask).astype(np.int32) - 1
    return Row(ids, positions, targets)


def plan(examples: Examples, seed: int, room: int, rows: int) -> Iterator[list[Row]]:
    """The rows of each step, epoch after epoch, without end; no step reads over an epoch's end."""
    for epoch in count():
        packed = rows_of(examples, shuffled(len(examples), seed, epoch), room)
        while step := list(islice(packed, rows)):
            yield step


def steps_in(examples: Examples, seed: int, room: int, rows: int, epochs: int) -> int:
    """How many steps of a `plan` so many epochs take."""
    sizes = examples.sizes
    orders = (shuffled(len(examples), seed, epoch) for epoch in range(epochs))
    packed = (pack([sizes[place] for place in order], room) for order in orders)
    return sum(ceil(sum(1 for _ in epoch) / rows) for epoch in packed)


def rows_of(examples: Examples, order: Sequence[int], room: int) -> Iterator[Row]:
    """The examples in that order, in rows of at most ``room`` tokens."""
    sizes = examples.sizes
    for places in pack([sizes[place] for place in order], room):
        yield row_of(examples, [order[place] for place in places])


def shuffled(count: int, seed: int, epoch: int) -> list[int]:
    """The order of an epoch."""
    order = list(range(count))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order
