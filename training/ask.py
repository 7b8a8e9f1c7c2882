"""Speaking with a base and its masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from training.base import Base
from training.examples import encode
from training.library import library, quiet
from training.masks import Mask
from training.voices import Voices


def ask(
    text: str,
    base: Base,
    masks: Sequence[Mask] = (),
    *,
    length: int = 120,
    temperature: float = 0.8,
    seed: int = 0,
) -> Iterator[tuple[str, str]]:
    """How the base and each mask go on with a text: name and answer, the base first.

    :param length: tokens of an answer at most.
    :param temperature: 0: always the likeliest token.

    Raises MaskError where a mask is damaged or of another base, MissingExtra.
    """
    torch = library("torch")
    voices = Voices(base, masks)
    example = encode({"text": text}, voices.tokenizer, end=False)
    assert example is not None
    ids = torch.tensor([example.ids], device=next(voices.model.parameters()).device)
    how = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
    for name in voices.names:
        torch.manual_seed(seed)
        with voices.wearing(name) as model, quiet():
            said = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=length,
                pad_token_id=voices.tokenizer.pad_token_id or voices.tokenizer.eos_token_id,
                **how,
            )
        yield name, voices.tokenizer.decode(said[0, ids.shape[1] :], skip_special_tokens=True)
