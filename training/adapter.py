"""A mask on a model: LoRA matrices, and the new rows of the base, through peft."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from training.config import Lora
from training.errors import BaseError, ConfigError
from training.library import library, quiet
from training.rows import beside

if TYPE_CHECKING:
    from training.base import Base

NAME = "default"


def lora_config(base: Base, network: Any, lora: Lora) -> Any:
    """The configuration of a mask.

    Raises BaseError where the base has no such modules, ConfigError where all of them are narrower
    than the rank.
    """
    _require_modules(base, network, lora)
    _require_rank(base, network, lora)
    return library("peft").LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=sorted(lora.modules),
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        trainable_token_indices=_rows(base, network) if lora.new_rows else None,
    )


def told(config: Any) -> dict[str, Any]:
    """A configuration as JSON keeps it, the same in every process."""

    def plain(value: Any) -> Any:
        if isinstance(value, set | frozenset):
            return sorted(value)
        if isinstance(value, dict):
            return {str(key): plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        return value.value if isinstance(value, Enum) else value

    found: dict[str, Any] = plain(config.to_dict())
    return found | {"base_model_name_or_path": None, "inference_mode": True}


def wear(network: Any, config: Any, name: str = NAME) -> Any:
    """The model with one more mask of that configuration; everything else is frozen."""
    with quiet():
        if hasattr(network, "peft_config"):
            network.add_adapter(name, config)
        else:
            network = library("peft").get_peft_model(network, config, adapter_name=name)
    return beside(network)


def state(model: Any, name: str = NAME) -> dict[str, Any]:
    """The tensors of a mask by name, on the processor, in order."""
    peft = library("peft")
    found = peft.get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
    return {key: found[key].detach().cpu().contiguous().clone() for key in sorted(found)}


def put_state(model: Any, tensors: dict[str, Any], name: str = NAME) -> None:
    """Give a mask that the model wears these tensors."""
    with quiet():
        library("peft").set_peft_model_state_dict(model, tensors, adapter_name=name)


def trainable(model: Any) -> list[tuple[str, Any]]:
    """Name and parameter of all that trains, by name."""
    return sorted((n, p) for n, p in model.named_parameters() if p.requires_grad)


def _rows(base: Base, network: Any) -> dict[str, list[int]] | None:
    """For each table of embeddings, by the last part of its name, the ids that train."""
    if not base.new_rows:
        return None
    tables = [network.get_input_embeddings()]
    head = network.get_output_embeddings()
    if head is not None and head.weight is not tables[0].weight:
        tables.append(head)
    names = {id(module): name for name, module in network.named_modules()}
    return {names[id(table)].rpartition(".")[2]: base.new_rows for table in tables}


def _require_modules(base: Base, network: Any, lora: Lora) -> None:
    # GPT-2 and its kin, ruGPT among them, have matrices of a kind of their own.
    kinds = (library("torch").nn.Linear, library("transformers.pytorch_utils").Conv1D)
    linear = {
        name.rpartition(".")[2]
        for name, module in network.named_modules()
        if isinstance(module, kinds) and module is not network.get_output_embeddings()
    }
    if missing := [name for name in lora.modules if name not in linear]:
        raise BaseError(
            f"the base {base.path} has no modules named {', '.join(missing)}",
            hint=f"It has: {', '.join(sorted(linear))}. Name some of them as lora.modules.",
        )


def _require_rank(base: Base, network: Any, lora: Lora) -> None:
    """Two matrices make one of a rank that is its shorter side at most: more is memory alone."""
    widest = max(
        min(module.in_features, module.out_features)
        if hasattr(module, "in_features")
        else min(module.weight.shape)
        for name, module in network.named_modules()
        if name.rpartition(".")[2] in lora.modules and hasattr(module, "weight")
    )
    if lora.r > widest:
        raise ConfigError(
            f"lora.r is {lora.r}; the rank of {', '.join(lora.modules)} in the base {base.path} is "
            f"{widest} at most",
            hint=f"Set lora.r = {min(widest, 16)}: 16 or 32 hold a scene.",
        )
