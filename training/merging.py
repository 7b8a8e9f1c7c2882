"""Merging masks into one, for those who cannot switch: what each adds to the base, weighted.

Never by averaging the matrices A and B (peft's "linear"): the product of two means is not the mean
of two products. "cat" keeps every product as it is, "svd" the largest part of their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from training.adapter import state, told
from training.base import Base
from training.errors import MaskError
from training.library import library
from training.masks import FOLDER, Library, Mask, checked_name, slug, write_mask
from training.voices import Voices

How = Literal["cat", "svd"]
WARNING = (
    "merged masks recalled 0 to 4% of what each of them knew in published measurements, switched "
    "ones 100%: ask the new mask before you rely on it, or switch (`forest masks switch`)"
)
_NEW = "merged"
_ROWS = "trainable_tokens_delta"


def merge(
    masks: Sequence[Mask],
    base: Base,
    name: str,
    *,
    how: How,
    weights: Sequence[float] | None = None,
    rank: int | None = None,
    folder: Path | str = FOLDER,
) -> Mask:
    """Write the mask ``name`` that adds to the base what others add, each times its weight.

    Rows of embeddings are merged likewise, as what each mask added to the base's. The same masks
    and weights give the same bytes.

    :param how: cat: exactly so, with a rank that is the sum of theirs; svd: the best of that with
        a smaller rank.
    :param weights: one for each; by default equal shares of 1.
    :param rank: of svd; by default the largest of theirs. At most what all together have: the
        sum of their ranks, or the shorter side of the widest module where that is less.

    Raises MaskError where a mask of that name exists; where they are fewer than two, have another
    base or DoRA, or weights and rank do not fit; MissingExtra.
    """
    path = Library(folder).path(checked_name(name))
    if path.exists():
        raise MaskError(
            f"the mask {name} exists already: {path}", hint="Name another one, or remove it first."
        )
    weights = _weights(masks, weights)
    if how == "cat" and rank is not None:
        raise MaskError("cat keeps the rank of all masks together", hint="A rank is for svd.")
    for mask in masks:
        mask.require(base)
        if mask.about["lora"].get("use_dora"):
            raise MaskError(
                f"the mask {mask.name} was trained with DoRA, which scales the base's own weights: "
                "what two of them do cannot be added up",
                hint="Switch them instead: forest masks switch NAME.",
            )
    if how == "svd":
        rank = _rank(masks, rank)
    lora, tensors = _merged(masks, base, how, weights, rank)
    return write_mask(path, _about(path.stem, masks, base, how, weights, lora), tensors)


def _weights(masks: Sequence[Mask], weights: Sequence[float] | None) -> list[float]:
    if len({mask.about["sha256"] for mask in masks}) < max(2, len(masks)):
        raise MaskError("merging needs two different masks at least")
    if weights is None:
        return [1 / len(masks)] * len(masks)
    said = ", ".join(f"{w:g}" for w in weights)
    if len(weights) != len(masks):
        raise MaskError(f"{len(masks)} masks need a weight each; there are {len(weights)}: {said}")
    for mask, weight in zip(masks, weights, strict=True):
        if not isfinite(weight) or not weight:
            raise MaskError(
                f"{mask.name} would be merged with the weight {weight:g}",
                hint="Expected a number that is not 0; a mask that is to add nothing is left out.",
            )
    return list(map(float, weights))


def _rank(masks: Sequence[Mask], asked: int | None) -> int:
    """The rank of a merge by svd. Raises MaskError where more is asked than there is."""
    sides: dict[str, int] = {}
    for mask in masks:
        for name, shape in mask.shapes.items():
            module, part, _ = name.rpartition(".lora_")
            side = shape[1] if name.endswith("_A.weight") else shape[0]
            if part:
                sides[module] = min(side, sides.get(module, side))
    ranks = [int(mask.about["lora"]["r"]) for mask in masks]
    most = min(sum(ranks), max(sides.values()))
    if asked is not None and asked > most:
        raise MaskError(
            f"the rank {asked} is more than there is: these masks have {most} together",
            hint=f"Give --rank {most} or less; more would hold nothing more.",
        )
    return asked or min(max(ranks), most)


def _merged(
    masks: Sequence[Mask], base: Base, how: How, weights: Sequence[float], rank: int | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    voices = Voices(base, masks)
    most = {"svd_rank": rank, "svd_full_matrices": False} if how == "svd" else {}
    keys = [voices.key(mask.name) for mask in masks]
    voices.model.add_weighted_adapter(keys, list(weights), _NEW, combination_type=how, **most)
    tensors = state(voices.model, _NEW)
    parts = [state(voices.model, key) for key in keys]
    for name, bare in tensors.items():
        # Where a module is not in all masks, peft leaves random numbers times 0: some are -0.
        tensors[name] = bare + 0.0
        if rank is not None and ".lora_" in name:
            tensors[name] = _filled(tensors[name], name, rank)
        if name.endswith(_ROWS):  # peft gives the new mask the rows of the base
            added = (w * (part[name] - bare) for w, part in zip(weights, parts, strict=True))
            tensors[name] = sum(added, bare)
    lora = told(voices.model.peft_config[_NEW])
    # The matrices hold all of the scale; the first mask's setting would scale them once more.
    return lora | {"use_rslora": False, "lora_alpha": lora["r"]}, tensors


def _filled(bare: Any, name: str, rank: int) -> Any:
    """A matrix of that rank: a narrower module's is filled up with zeros, which add nothing."""
    missing = rank - bare.shape[0 if ".lora_A." in name else 1]
    room = (0, 0, 0, missing) if ".lora_A." in name else (0, missing)
    return library("torch").nn.functional.pad(bare, room)


def _about(
    name: str, masks: Sequence[Mask], base: Base, how: How, weights: Sequence[float], lora: Any
) -> dict[str, Any]:
    corpora = [corpus for mask in masks for corpus in mask.corpora]
    same = all(corpus == corpora[0] for corpus in corpora)
    kinds = [mask.about["config"]["data"]["kinds"] for mask in masks]
    results = [mask.about["results"] for mask in masks]
    return {
        "name": name,
        "slug": slug(name),
        "base": base.named,
        "corpus": corpora[0] if same else dict.fromkeys(corpora[0]),
        "config": {"data": {"kinds": sorted({k for some in kinds for k in some})}}
        if all(kinds)
        else {"data": {"kinds": []}},
        "lora": lora,
        "merged": {
            "how": how,
            "of": [
                {
                    "name": m.name,
                    "sha256": m.about["sha256"],
                    "weight": w,
                    "corpora": m.corpora,
                    "kinds": some,
                }
                for m, w, some in zip(masks, weights, kinds, strict=True)
            ],
        },
        "results": {key: sum(told[key] for told in results) for key in ("steps", "tokens")},
        "libraries": {name: version(name) for name in ("peft", "torch", "transformers")},
    }
