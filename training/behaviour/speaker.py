"""One voice as it is asked: how likely it finds texts after another, and what it says itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.base import positions_in, require_positions
from training.behaviour.branches import Branches
from training.examples import Example, encode
from training.guide import Guide, guided
from training.library import library, quiet

ROOM = 2048
"""Tokens of a forward pass that scores."""
SPEECH = 1 << 14
"""Tokens, prompts included, of all rows that are sampled side by side."""
_AT_ONCE = 256
"""Places whose likelihoods over the whole vocabulary are in memory at a time."""
Question = tuple[str, Sequence[str]]
"""A prompt, and candidates for the line after it."""
Guided = tuple[str, str, Sequence[str]]
"""The same, with the prompt without its request between them: see `training.guide`."""
Floats = NDArray[np.float64]


class _Wish(NamedTuple):
    """What is asked to be said: the same wish is answered once."""

    text: str
    number: int
    length: int
    seed: int
    line: bool
    bare: str | None = None
    """The text without its request, where the voice is guided by it."""
    weight: float = 0.0


class Speaker:
    """One voice. What it says of a text does not depend on what else it is asked.

    :param model: a causal model in evaluation, as it is to speak; call within `inference_mode`.
        A text that is longer than its table of positions raises TrainingError.
    :param tick: is told of every answer: how many came.
    """

    def __init__(
        self, model: Any, tokenizer: Any, tick: Callable[[int], None] | None = None
    ) -> None:
        self._torch = library("torch")
        self._model, self._tokenizer = model, tokenizer
        self._tick = tick or (lambda _: None)
        self._device = next(model.parameters()).device
        self._most = None if _rotates(model.config) else positions_in(model.config.to_dict())
        self._said: dict[_Wish, list[str]] = {}
        self._words: dict[int, str] = {}
        self._obeys: bool | None = None

    # --- scores --------------------------------------------------------------------------------

    def scores(self, prompt: str, candidates: Sequence[str]) -> list[float]:
        """The mean log-likelihood, in nats, of each candidate's tokens on the line after it."""
        return self.scores_each([(prompt, candidates)])[0]

    def scores_each(self, questions: Sequence[Question]) -> list[list[float]]:
        """The same for several prompts, which share forward passes."""
        rows = [
            [_encoded(self._tokenizer, f"{prompt}\n", candidate) for candidate in candidates]
            for prompt, candidates in questions
        ]
        return [[float(told.mean()) for told in some] for some in self._likelihoods(rows)]

    def guided_each(self, questions: Sequence[Guided], weight: float) -> list[list[float]]:
        """The same of a voice that is guided: what a prompt's request adds counts more."""
        told = []
        for asked, bare, candidates in questions:
            rows, plain = (
                [_encoded(self._tokenizer, f"{prompt}\n", one) for one in candidates]
                for prompt in (asked, bare)
            )
            longest = max(len(row.ids) for row in [*rows, *plain])
            require_positions(self._most, longest)
            step = len(rows) if self._branching(longest) else 1
            found = [
                likely
                for n in range(0, len(rows), step)
                for likely in self._together(rows[n : n + step], plain[n : n + step], weight)
            ]
            told.append([float(likely.mean()) for likely in found])
            self._tick(1)
        return told

    def bits(self, texts: Sequence[str]) -> list[float]:
        """How many bits each text takes, after a line break, in a code made of the voice."""
        rows = [[_encoded(self._tokenizer, "\n", text)] for text in texts]
        return [float(-told[0].sum() / log(2)) for told in self._likelihoods(rows)]

    def _likelihoods(self, rows: Sequence[Sequence[Example]]) -> Iterator[list[Floats]]:
        """For each group of rows, and each row, the log-likelihoods of its marked tokens."""
        waiting: list[Sequence[Example]] = []
        size = 0
        for group in rows:
            longest = max((len(row.ids) for row in group), default=0)
            require_positions(self._most, longest)
            more = longest + sum(map(_marked, group))
            if waiting and size + more > ROOM:
                yield from self._pass(waiting)
                waiting, size = [], 0
            waiting.append(group)
            size += more
        yield from self._pass(waiting)

    def _pass(self, groups: Sequence[Sequence[Example]]) -> Iterator[list[Floats]]:
        every = [row for group in groups for row in group]
        if not every:
            found: Iterator[Floats] = iter(())
        elif self._branching(max(len(row.ids) for row in every)):
            found = iter(self._together(every))
        else:
            found = (told for row in every for told in self._together([row]))
        for group in groups:
            yield [next(found) for _ in group]
            self._tick(1)

    def _together(
        self, rows: Sequence[Example], plain: Sequence[Example] = (), weight: float = 0.0
    ) -> list[Floats]:
        """The log-likelihoods of each row's marked tokens, from one forward pass.

        :param plain: the rows without their requests, where the voice is guided by them.
        """
        logits, places, labels, counts = self._read_rows(rows)
        bare, beside, *_ = self._read_rows(plain) if plain else (None, places)
        told: list[float] = []
        for at in range(0, len(places), _AT_ONCE):
            some = slice(at, at + _AT_ONCE)
            likely = logits[places[some]].float().log_softmax(-1)
            if bare is not None:
                likely = guided(likely, bare[beside[some]], weight)
            told += likely.gather(-1, labels[some, None])[:, 0].tolist()
        return np.split(np.array(told), np.cumsum(counts)[:-1])

    def _read_rows(self, rows: Sequence[Example]) -> tuple[Any, Any, Any, list[int]]:
        """Logits before marked tokens; of each such token their place, and its id; how many a row.

        A row's first token, which nothing stands before, is none of them.
        """
        branches = Branches()
        marked = [
            [
                node
                for node, mark in zip(branches.add(row.ids), row.mask, strict=True)
                if mark and branches.parents[node] >= 0
            ]
            for row in rows
        ]
        nodes = [node for some in marked for node in some]
        before = sorted({branches.parents[node] for node in nodes})
        place = {node: n for n, node in enumerate(before)}
        return (
            self._logits(branches, before),
            self._tensor([place[branches.parents[node]] for node in nodes]),
            self._tensor([branches.ids[node] for node in nodes]),
            [len(some) for some in marked],
        )

    def _logits(self, branches: Branches, places: Sequence[int]) -> Any:
        """Shape: (places, vocabulary)."""
        how: dict[str, Any] = {}
        if branches.parents != list(range(-1, len(branches) - 1)):  # more than one row
            dtype = self._model.get_input_embeddings().weight.dtype
            hidden = self._torch.as_tensor(~branches.seen(), device=self._device)
            mask = self._torch.zeros(hidden.shape, dtype=dtype, device=self._device)
            mask.masked_fill_(hidden, self._torch.finfo(dtype).min)
            how["attention_mask"] = mask[None, None]
        return self._model(
            input_ids=self._tensor(branches.ids)[None],
            position_ids=self._tensor(branches.positions)[None],
            logits_to_keep=self._tensor(places),
            use_cache=False,
            **how,
        ).logits[0]

    def _branching(self, length: int) -> bool:
        """Whether rows may share their beginnings: the model obeys the mask, and sees as far."""
        config = self._model.config.get_text_config()
        if length > (getattr(config, "sliding_window", None) or length):
            return False
        if self._obeys is None:
            self._obeys = self._tried()
        return self._obeys

    def _tried(self) -> bool:
        """Whether a row says beside another what it says alone, whatever stands beside it."""
        size = max(2, min(8, self._model.get_input_embeddings().weight.shape[0] // 4))
        same, *rest = (range(n * size, (n + 1) * size) for n in range(4))
        mark = [False] * size + [True] * size
        one, other, third = (Example([*same, *tail], mark) for tail in rest)
        beside, besides = (self._together([first, third])[1] for first in (one, other))
        (alone,) = self._together([third])
        return np.array_equal(beside, besides) and np.allclose(beside, alone, rtol=0.02, atol=0.02)

    # --- speech --------------------------------------------------------------------------------

    def samples(self, prompt: str, number: int, length: int, seed: int) -> list[str]:
        """The first lines that it says itself on the line after the prompt, drawn at random."""
        return self.samples_each([prompt], number, length, [seed])[0]

    def samples_each(
        self,
        prompts: Sequence[str],
        number: int,
        length: int,
        seeds: Sequence[int],
        bare: Sequence[str] = (),
        weight: float = 0.0,
    ) -> list[list[str]]:
        """The same for several prompts, side by side, each with its own seed.

        :param bare: the prompts without their requests, where the voice is guided by them.
        """
        texts, plain = ([f"{prompt}\n" for prompt in some] for some in (prompts, bare))
        return self.continued(texts, number, length, seeds, line=True, bare=plain, weight=weight)

    def continued(
        self,
        texts: Sequence[str],
        number: int,
        length: int,
        seeds: Sequence[int],
        *,
        line: bool = False,
        bare: Sequence[str] = (),
        weight: float = 0.0,
    ) -> list[list[str]]:
        """How it goes on with each text, ``number`` times, drawn from all it finds likely.

        :param length: tokens at most.
        :param line: whether only the first line with a word is wanted.
        :param bare: the texts without their requests, where the voice is guided by them.
        """
        plain: Sequence[str | None] = bare or [None] * len(texts)
        wishes = [
            _Wish(text, number, length, seed, line, without, weight)
            for text, seed, without in zip(texts, seeds, plain, strict=True)
        ]
        left = [wish for wish in dict.fromkeys(wishes) if wish not in self._said]
        self._tick(len(wishes) - len(left))
        rows = {wish: _encoded(self._tokenizer, wish.text, "").ids for wish in left}
        left.sort(key=lambda wish: len(rows[wish]))
        if left:
            require_positions(self._most, len(rows[left[-1]]), left[-1].length)
        while left:
            widest = max(1, SPEECH // (number * (len(rows[left[0]]) + length)))
            some = left[:widest]
            self._said.update(self._speak(some, [rows[wish] for wish in some]))
            self._tick(len(some))
            left = left[widest:]
        return [self._said[wish] for wish in wishes]

    def length(self, texts: Sequence[str]) -> int:
        """Tokens of the longest text."""
        return max(len(self._tokenizer(text, add_special_tokens=False).input_ids) for text in texts)

    def _speak(
        self, wishes: Sequence[_Wish], rows: Sequence[list[int]]
    ) -> Iterator[tuple[_Wish, list[str]]]:
        number, length, line = wishes[0].number, wishes[0].length, wishes[0].line
        tokenizer, width = self._tokenizer, max(map(len, rows))
        pad = tokenizer.pad_token_id or tokenizer.eos_token_id or 0
        ids, seen = self._padded(rows, pad)
        how: dict[str, Any] = {}
        if number > 1 and width > 1:
            how["past_key_values"] = self._read(ids[:, :-1], seen[:, :-1], number)
        if line:
            how["stopping_criteria"] = [_Lines(self._word, width, number * len(rows))]
        draws = np.stack([
            np.random.default_rng([wish.seed, n]).random(length)
            for wish in wishes
            for n in range(number)
        ])  # fmt: skip
        lots = _Lots(self._torch.as_tensor(draws, device=self._device))
        with quiet():
            said = self._model.generate(
                input_ids=ids.repeat_interleave(number, 0),
                attention_mask=seen.repeat_interleave(number, 0),
                logits_processor=[*self._guides(wishes, pad), lots],
                do_sample=False,
                repetition_penalty=1.0,
                max_new_tokens=length,
                pad_token_id=pad,
                **how,
            )
        texts = tokenizer.batch_decode(said[:, width:], skip_special_tokens=True)
        for n, wish in enumerate(wishes):
            some = (text.strip() for text in texts[n * number : (n + 1) * number])
            yield wish, [text.partition("\n")[0].strip() if line else text for text in some]

    def _padded(self, rows: Sequence[list[int]], pad: int) -> tuple[Any, Any]:
        """Rows side by side, padded on the left, and 1 where they are not. Shape: (rows, width)."""
        width = max(map(len, rows))
        ids = self._tensor([[pad] * (width - len(row)) + row for row in rows])
        return ids, self._tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])

    def _guides(self, wishes: Sequence[_Wish], pad: int) -> list[Guide]:
        """What guides the rows of some wishes, which are all guided or none is."""
        if wishes[0].bare is None:
            return []
        rows = [_encoded(self._tokenizer, wish.bare or "", "").ids for wish in wishes]
        number = wishes[0].number
        ids, seen = (some.repeat_interleave(number, 0) for some in self._padded(rows, pad))
        return [Guide(self._model, ids, seen, wishes[0].weight)]

    def _read(self, ids: Any, seen: Any, number: int) -> Any:
        """What the model keeps of some prompts, for so many answers to each, if it can be kept."""
        cache = library("transformers").DynamicCache(config=self._model.config)
        if not all(hasattr(layer, "batch_repeat_interleave") for layer in cache.layers):
            return None  # linear attention: each answer reads the prompt itself
        self._model(
            input_ids=ids,
            attention_mask=seen,
            position_ids=(seen.cumsum(-1) - 1).clamp(min=0),
            past_key_values=cache,
            logits_to_keep=1,
        )
        cache.batch_repeat_interleave(number)
        return cache

    def _word(self, token: int) -> str:
        if token not in self._words:
            self._words[token] = self._tokenizer.decode([token])
        return self._words[token]

    def _tensor(self, numbers: Any) -> Any:
        return self._torch.as_tensor(numbers, dtype=self._torch.long, device=self._device)


class _Lots:
    """Draws the next token of each row by a number of its own, whatever stands beside it.

    :param draws: numbers from 0 to 1. Shape: (rows, steps).
    """

    def __init__(self, draws: Any) -> None:
        self._draws, self._step = draws, 0

    def __call__(self, _: Any, scores: Any) -> Any:
        """The scores of which only the drawn token is left. Shape: (rows, vocabulary)."""
        torch = library("torch")
        heap = scores.double().softmax(-1).cumsum(-1)
        at = self._draws[:, self._step, None] * heap[:, -1:]
        self._step += 1
        drawn = torch.searchsorted(heap, at, right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, float("-inf")).scatter(-1, drawn, 0.0)


class _Lines:
    """Ends each row at the end of its first line that has a word."""

    def __init__(self, word: Callable[[int], str], width: int, rows: int) -> None:
        self._word, self._width = word, width
        self._said = [""] * rows
        self._done = [False] * rows

    def __call__(self, ids: Any, _: Any, **__: Any) -> Any:
        """Which rows are at their end. Shape: (rows,)."""
        for row, token in enumerate(ids[:, -1].tolist()):
            if not self._done[row]:
                self._said[row] = f"{self._said[row]}{self._word(token)}".lstrip()
                self._done[row] = "\n" in self._said[row]
        return library("torch").tensor(self._done, device=ids.device)


def _rotates(config: Any) -> bool:
    """Whether positions are told by rotation as they come, and no table of them ends."""
    told = config.get_text_config()
    return any(getattr(told, name, None) for name in ("rope_parameters", "rope_theta"))


def _encoded(tokenizer: Any, prompt: str, said: str) -> Example:
    told = {"prompt": prompt, "completion": said} if said else {"text": prompt}
    example = encode(told, tokenizer, end=False)
    assert example is not None
    return example


def _marked(row: Example) -> int:
    return sum(row.mask)
