"""A base and the masks it may wear, one at a time: they are switched, never summed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from training.adapter import put_state, wear
from training.base import Base
from training.library import library
from training.masks import Mask

BASE = "base"
"""The voice without any mask."""


class Voices:
    """A loaded base that speaks with its masks and without.

    Raises MaskError where a mask is damaged or of another base, MissingExtra.
    """

    def __init__(self, base: Base, masks: Sequence[Mask] = ()) -> None:
        for mask in masks:
            mask.require(base)
        self.tokenizer = base.tokenizer()
        network = base.model()
        self._keys = {mask.name: f"mask{n}" for n, mask in enumerate(masks)}
        for mask, key in zip(masks, self._keys.values(), strict=True):
            network = wear(network, mask.lora_config(), key)
            put_state(network, mask.tensors(), key)
        device = "cuda" if library("torch").cuda.is_available() else "cpu"
        self.model = network.to(device).eval()

    @property
    def names(self) -> list[str]:
        """All voices, the base first."""
        return [BASE, *self._keys]

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
