"""A base and the masks it may wear, one at a time: they are switched, never summed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from training.adapter import put_state, state, wear
from training.base import Base, require_positions
from training.errors import MaskError, TrainingError
from training.examples import encode
from training.guide import Guide, without_request
from training.library import library, quiet
from training.masks import BASE, Mask

__all__ = ["BASE", "Voices"]

_BARE = "__base__"
"""What peft calls a row of a batch that wears no mask."""
_LIKELIEST = 50
"""How many of the likeliest tokens are drawn from."""


class Voices:
    """A loaded base that speaks with its masks and without.

    Raises MaskError where a mask is damaged, of another base, or named as another one is;
    MissingExtra.
    """

    def __init__(self, base: Base, masks: Sequence[Mask] = ()) -> None:
        for mask in masks:
            mask.require(base)
        self.masks = {mask.name: mask for mask in masks}
        if len(self.masks) < len(masks):
            names = [mask.name for mask in masks]
            twice = next(name for name in names if names.count(name) > 1)
            raise MaskError(f"two masks are called {twice}", hint="Give each of them once.")
        self.tokenizer = base.tokenizer()
        self._most = base.positions
        network = base.model()
        self._keys = {mask.name: f"mask{n}" for n, mask in enumerate(masks)}
        rows = next(
            filter(None, (m.about["lora"].get("trainable_token_indices") for m in masks)), None
        )
        for mask, key in zip(masks, self._keys.values(), strict=True):
            config = mask.lora_config()
            # peft keeps masks with rows of embeddings beside others only if all have the same ones:
            # who trained none gets those of the base.
            config.trainable_token_indices = rows
            network = wear(network, config, key)
            put_state(network, state(network, key) | mask.tensors(), key)
        device = "cuda" if library("torch").cuda.is_available() else "cpu"
        self.model = network.to(device).eval()

    @property
    def names(self) -> list[str]:
        """All voices, the base first."""
        return [BASE, *self._keys]

    def key(self, name: str) -> str:
        """What peft calls the mask of that name in `model`."""
        return self._keys[name]

    @contextmanager
    def wearing(self, name: str) -> Iterator[Any]:
        """The model as one of its voices speaks, in inference."""
        with library("torch").inference_mode():
            if name == BASE and self._keys:
                with self.model.disable_adapter():
                    yield self.model
                return
            if name != BASE:
                self.model.set_adapter(self._keys[name])
            yield self.model

    # --- answers -------------------------------------------------------------------------------

    def answer(
        self,
        prompts: Sequence[str],
        names: Sequence[str],
        *,
        length: int = 120,
        temperature: float = 0.8,
        seed: int = 0,
        guidance: float = 0.0,
    ) -> list[str]:
        """How voices go on with prompts, each with its own: in one batch where peft can.

        Where one of the masks has DoRA, or voices are guided, one voice speaks after another. What
        a voice says does not depend on the others.

        :param names: the voice of each prompt.
        :param length: tokens of an answer at most.
        :param temperature: 0: always the likeliest token; else one of the 50 likeliest is drawn.
        :param seed: of each answer alone.
        :param guidance: how much more the last line of each prompt counts, which asks for
            something, 0.5: half more. See `training.guide`.

        Raises TrainingError where a prompt is empty, has no line before the one that is to count
        more, or is longer with its answer than the base reads; where there is no such voice, and
        where temperature or guidance is no number from 0 on.
        """
        for what, number in (("temperature", temperature), ("guidance", guidance)):
            if not 0 <= number < math.inf:
                raise TrainingError(f"the {what} {number} is no number from 0 on")
        if unknown := [name for name in names if name not in self.names]:
            raise TrainingError(
                f"there is no voice {unknown[0]!r}", hint=f"There are: {', '.join(self.names)}."
            )
        said = [""] * len(prompts)
        for group in self._groups(names, apart=guidance > 0):
            told = self._together(
                [prompts[i] for i in group],
                [names[i] for i in group],
                length,
                temperature,
                seed,
                guidance,
            )
            for i, text in zip(group, told, strict=True):
                said[i] = text
        return said

    def _groups(self, names: Sequence[str], *, apart: bool) -> list[list[int]]:
        """Places that may share a batch."""
        worn = [self.masks[name].about["lora"] for name in {*names} - {BASE}]
        if not apart and not any(lora.get("use_dora") for lora in worn):
            return [list(range(len(names)))] if names else []
        voices = dict.fromkeys(names)
        return [[i for i, name in enumerate(names) if name == voice] for voice in voices]

    def _together(
        self,
        prompts: Sequence[str],
        names: Sequence[str],
        length: int,
        heat: float,
        seed: int,
        guidance: float,
    ) -> list[str]:
        ids, seen = self._padded(prompts)
        width = ids.shape[1]
        require_positions(self._most, width, length)
        how: dict[str, Any] = {
            "do_sample": False, "max_new_tokens": length, "pad_token_id": self._pad,
        }  # fmt: skip
        steps: list[Any] = []
        if guidance:
            bare = self._padded([without_request(prompt) for prompt in prompts])
            steps.append(Guide(self.model, *bare, guidance))
        if heat:
            steps.append(_Dice(heat, seed, len(prompts)))
        worn = [name for name in names if name != BASE]
        if len(set(names)) > 1:
            how["adapter_names"] = [self._keys.get(name, _BARE) for name in names]
        with self.wearing(worn[0] if worn else BASE) as model, quiet():
            said = model.generate(input_ids=ids, attention_mask=seen, logits_processor=steps, **how)
        told: list[str] = self.tokenizer.batch_decode(said[:, width:], skip_special_tokens=True)
        # A token may be a part of a letter: the last one's is missing where the answer was cut.
        return [text.rstrip("\ufffd") for text in told]

    @property
    def _pad(self) -> int:
        return self.tokenizer.pad_token_id or self.tokenizer.eos_token_id or 0

    def _padded(self, prompts: Sequence[str]) -> tuple[Any, Any]:
        """Prompts as rows padded on the left, and 1 where they are not. Shape: (rows, tokens)."""
        torch = library("torch")
        device = next(self.model.parameters()).device
        rows = [self._ids(prompt) for prompt in prompts]
        width = max(map(len, rows))
        ids = [[self._pad] * (width - len(row)) + row for row in rows]
        seen = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        return torch.tensor(ids, device=device), torch.tensor(seen, device=device)

    def _ids(self, prompt: str) -> list[int]:
        example = encode({"text": prompt}, self.tokenizer, end=False)
        if example is None or not example.ids:
            raise TrainingError("there is no text to go on with")
        return example.ids


class _Dice:
    """Draws the next token of each row with random numbers of its own."""

    def __init__(self, heat: float, seed: int, rows: int) -> None:
        self._torch = library("torch")
        self._heat = heat
        self._draws = [self._torch.Generator().manual_seed(seed) for _ in range(rows)]

    def __call__(self, _: Any, scores: Any) -> Any:
        """The scores of which only the drawn token is left. Shape: rows and tokens."""
        torch = self._torch
        best = torch.topk(scores.float() / self._heat, min(_LIKELIEST, scores.shape[-1]))
        noise = torch.stack(
            [torch.empty(best.values.shape[-1]).exponential_(generator=d) for d in self._draws]
        )
        # The largest of log p - log E, with E exponential, is drawn with probability p (Gumbel).
        place = (best.values - noise.to(scores.device).log()).argmax(-1, keepdim=True)
        drawn = best.indices.gather(-1, place)
        return torch.full_like(scores, float("-inf")).scatter(-1, drawn, 0.0)
