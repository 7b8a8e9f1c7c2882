"""New rows of embeddings and head, computed beside the table that they belong to.

peft copies the whole table in each forward pass to put some rows into it, and fills a gradient as
large as the table in each backward pass. A table of 150,000 rows costs more than all of a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from training.library import library


def beside(model: Any) -> Any:
    """The model, the rows of its masks computed beside its tables: the same numbers, for less."""
    kind = library("peft.tuners.trainable_tokens.layer").TrainableTokensLayer
    for layer in model.modules():
        if isinstance(layer, kind):
            layer.forward_adapters = partial(_forward, layer)
    return model


def _forward(layer: Any, x: Any, active: Sequence[str], *args: Any, **kwargs: Any) -> Any:
    if layer.disable_adapters or layer.merged or len(active) != 1:
        return type(layer).forward_adapters(layer, x, active, *args, **kwargs)
    torch, table = library("torch"), layer.base_layer.weight
    own = layer.trainable_tokens_delta[active[0]].to(table)
    ids = torch.tensor(layer.token_indices[active[0]], device=table.device)
    if isinstance(layer.base_layer, torch.nn.Linear):
        bias = layer.base_layer.bias  # which peft leaves out
        logits = torch.nn.functional.linear(x, table, bias)
        said = torch.nn.functional.linear(x, own, None if bias is None else bias[ids])
        return logits.index_copy_(-1, ids, said)
    told = layer.base_layer(x)
    same = x[..., None] == ids
    rows = torch.nn.functional.embedding(same.int().argmax(-1), own)
    if hasattr(layer.base_layer, "embed_scale"):
        rows = rows * layer.base_layer.embed_scale.to(rows.dtype)
    return torch.where(same.any(-1, keepdim=True), rows.to(told.dtype), told)
