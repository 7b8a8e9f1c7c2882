"""A request that counts more: a voice is drawn away from what it would say without it.

With *a* the log-probabilities of the next token behind a text with a request, and *b* those behind
the same text without it, a guided voice says the next token by softmax((1 + w) a - w b): what the
request adds is added w times again (classifier-free guidance: Ho and Salimans 2022; of language
models Sanchez et al. 2023, arXiv 2306.17806). w = 0 is the voice itself. It takes two readings.
"""

from __future__ import annotations

from typing import Any

from training.errors import TrainingError
from training.library import library


def without_request(text: str) -> str:
    r"""A text without its last line, which asks for something.

    >>> without_request("Порог.\n⤳ берег\n")
    'Порог.\n'

    Raises TrainingError where it has no other line.
    """
    said = text.rstrip("\n")
    before, _, _ = said.rpartition("\n")
    if not before.strip():
        raise TrainingError(
            "guidance makes the last line of a text count more, and there is none before it",
            hint="Put the request, such as '⤳ anchor', on a line of its own behind the text.",
        )
    return before + text[len(said) :]


def guided(asked: Any, bare: Any, weight: float) -> Any:
    """Log-probabilities of the next token as a guided voice has them.

    :param asked: its logits behind the text with the request.
    :param bare: behind the text without it.

    Shape of all: (places, vocabulary).
    """
    asked, bare = (some.float().log_softmax(-1) for some in (asked, bare))
    return ((1 + weight) * asked - weight * bare).log_softmax(-1)


class Guide:
    """Guides the rows that `generate` says, as the first of its logits processors.

    :param model: the one that generates.
    :param ids: the rows without their requests, padded on the left. Shape: (rows, tokens).
    :param seen: 1 where they are no padding. Shape: (rows, tokens).
    """

    def __init__(self, model: Any, ids: Any, seen: Any, weight: float) -> None:
        self._model, self._next, self._seen, self._weight = model, ids, seen, weight
        self._kept: Any = None

    def __call__(self, ids: Any, scores: Any) -> Any:
        """The guided scores. Shape: (rows, vocabulary)."""
        if self._kept is not None:
            self._next = ids[:, -1:]
            more = self._seen.new_ones(len(ids), 1)
            self._seen = library("torch").cat([self._seen, more], dim=1)
        places = (self._seen.cumsum(-1) - 1).clamp(min=0)[:, -self._next.shape[1] :]
        read = self._model(
            input_ids=self._next,
            attention_mask=self._seen,
            position_ids=places,
            past_key_values=self._kept,
            use_cache=True,
            logits_to_keep=1,
        )
        self._kept = read.past_key_values
        return guided(scores, read.logits[:, -1], self._weight)
