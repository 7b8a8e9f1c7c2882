"""One voice as it is asked: how likely it finds texts after another, and what it says itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.examples import Example, Examples, encode, row_of
from training.library import library, quiet


class Speaker:
    """One voice: how likely it finds a text after another, and what it says itself."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._torch = library("torch")
        self._model, self._tokenizer = model, tokenizer
        self._device = next(model.parameters()).device

    def scores(self, prompt: str, candidates: Sequence[str]) -> list[float]:
        """The mean log-likelihood of each candidate's tokens on the line after the prompt."""
        torch = self._torch
        row = row_of(examples := self._examples(prompt, candidates), range(len(candidates)))
        targets = torch.as_tensor(row.targets, dtype=torch.long, device=self._device)
        logits = self._model(
            input_ids=self._ids(row.ids),
            position_ids=self._ids(row.positions),
            logits_to_keep=targets,
            use_cache=False,
        ).logits[0]
        labels = torch.as_tensor(row.labels, dtype=torch.long, device=self._device)
        told = -torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")
        owners = np.searchsorted(examples.bounds, row.targets, side="right") - 1
        found = told.cpu().numpy()
        return [float(found[owners == n].mean()) for n in range(len(candidates))]

    def samples(self, prompt: str, number: int, length: int, seed: int) -> list[str]:
        """The first lines that it says itself on the line after the prompt."""
        torch, tokenizer = self._torch, self._tokenizer
        example = _encoded({"text": f"{prompt}\n"}, tokenizer)
        torch.manual_seed(seed)
        with quiet():
            said = self._model.generate(
                input_ids=self._ids(example.ids),
                attention_mask=self._ids([1] * len(example.ids)),
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                num_return_sequences=number,
                max_new_tokens=length,
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
            )
        texts = tokenizer.batch_decode(said[:, len(example.ids) :], skip_special_tokens=True)
        return [text.strip().partition("\n")[0] for text in texts]

    def length(self, texts: Sequence[str]) -> int:
        """Tokens of the longest text."""
        return max(len(self._tokenizer(text).input_ids) for text in texts)

    def _examples(self, prompt: str, candidates: Sequence[str]) -> Examples:
        parts = [
            _encoded({"prompt": f"{prompt}\n", "completion": candidate}, self._tokenizer)
            for candidate in candidates
        ]
        bounds = [0, *np.cumsum([len(part.ids) for part in parts]).tolist()]
        return Examples(
            np.concatenate([np.array(part.ids, np.int32) for part in parts]),
            np.concatenate([np.array(part.mask, np.bool_) for part in parts]),
            bounds,
        )

    def _ids(self, numbers: Any) -> Any:
        return self._torch.as_tensor(numbers, dtype=self._torch.long, device=self._device)[None]


def _encoded(record: dict[str, Any], tokenizer: Any) -> Example:
    example = encode(record, tokenizer, end=False)
    assert example is not None
    return example
