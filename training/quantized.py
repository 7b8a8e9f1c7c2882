"""A base whose weights are kept in 4 or 8 bits while a mask trains on it (QLoRA)."""

from __future__ import annotations

from typing import Any, Literal

from training.library import library

Bits = Literal["none", "nf4", "int8"]
"""How the weights of a base are kept: as they are, in 4 bits, or in 8."""


def loading(bits: Bits, dtype: Any, device: Any) -> dict[str, Any]:
    """What transformers is told so that a model is loaded in these bits.

    Embeddings and head keep their precision.

    :param dtype: what the model computes in; "auto": fp32.

    Raises MissingExtra.
    """
    if bits == "none":
        return {}
    library("bitsandbytes", "quantize")
    config = library("transformers").BitsAndBytesConfig
    how = (
        config(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=None if dtype == "auto" else dtype,
        )
        if bits == "nf4"
        # Beyond 0 a large input of one record would have its column computed otherwise in all of
        # the row, and so in the other records.
        else config(load_in_8bit=True, llm_int8_threshold=0.0)
    )
    return {"quantization_config": how, "device_map": {"": device}}


def rest(model: Any) -> Any:
    """The model in evaluation, its quantized layers computing as they do in training.

    bitsandbytes has other ways for evaluation, which on some processors round more coarsely and
    change how the weights are kept.
    """
    model.eval()
    for module in model.modules():
        if type(module).__module__.startswith("bitsandbytes."):
            module.train()
    return model
