"""A record of the corpus: its columns, and in ``meta`` where each part of them came from.

The records of a configuration have the same keys, so that Arrow and `datasets` see one type.
`features` says it in the notation of a dataset card; what the fields mean stands in `FIELDS` and
`META_FIELDS`. A record is made as a text; `exporters.formats` says it in another format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from exporters.linearize import Told

DEFAULT, PREFERENCE, STEPWISE = "default", "preference", "stepwise"
"""Configurations: records with the same columns, in files of their own."""

TEXT, MESSAGES, PROMPT_COMPLETION = "text", "messages", "prompt-completion"
SHAREGPT, ALPACA = "sharegpt", "alpaca"
FORMATS: dict[str, dict[str, Any]] = {
    TEXT: {"text": "string"},
    MESSAGES: {"messages": [{"role": "string", "content": "string"}]},
    PROMPT_COMPLETION: {"prompt": "string", "completion": "string"},
    SHAREGPT: {"conversations": [{"from": "string", "value": "string"}]},
    ALPACA: {"instruction": "string", "input": "string", "output": "string"},
}
"""The columns of the default configuration in each format, with their types; of lists in
brackets."""

COLUMNS: dict[str, dict[str, Any]] = {
    PREFERENCE: {"prompt": "string", "chosen": "string", "rejected": "string"},
    STEPWISE: {"prompt": "string", "completions": ["string"], "labels": ["bool"]},
}
"""The columns of the other configurations, which have no format of their own."""


def columns_of(config: str, format: str = TEXT) -> dict[str, Any]:
    """The columns of a configuration with their types: preferences are chats where texts are."""
    if config == DEFAULT:
        return FORMATS[format]
    if (config, format) == (PREFERENCE, MESSAGES):
        return dict.fromkeys(COLUMNS[PREFERENCE], FORMATS[MESSAGES]["messages"])
    return COLUMNS[config]


def splits_texts(config: str, format: str) -> bool:
    """Whether a part of a record says its column and item: where there are several texts."""
    return config != DEFAULT or format != TEXT


def has_gap(config: str, format: str) -> bool:
    """Whether ``meta.gap`` says what stands between request and answer: in no text of a chat."""
    return config == DEFAULT and format in (MESSAGES, SHAREGPT, ALPACA)


PATH, WALK = "path", "walk"


class Kind(NamedTuple):
    """A kind of record."""

    about: str
    many: str = ""
    """Its plural, where that is not an s at the end."""
    config: str = DEFAULT


KINDS = {
    PATH: Kind("a root-to-leaf path of one tree, or a window of it that begins with a breadcrumb"),
    "fragment": Kind("what follows an anchor in one tree, without the way that leads to it"),
    "reverse": Kind("a path from the conclusion back to the premise", "reverse paths"),
    WALK: Kind("a walk that jumps between trees at anchors they share, with a marker at each jump"),
    "card": Kind("an anchor, and what follows it in several trees"),
    "comparison": Kind("an anchor, and what two trees make of it"),
    "bridge": Kind(
        "one jump, in which the anchor is read without loss and its continuation learnt"
    ),
    "composite": Kind("one jump, in which the thoughts that carry the anchor are left out"),
    "chain": Kind("one jump, written out as the way from a first thought to a last one"),
    "expansion": Kind("a formula unfolded: its code, its body, a scene that voices it"),
    "compression": Kind("a scene compressed into the formula that it voices"),
    "merge": Kind("formulas, and the formula that is made of them"),
    "preference": Kind("two thoughts under one, the accepted and the refuted", config=PREFERENCE),
    "stepwise": Kind(
        "a path step by step, with whether each step holds", "stepwise paths", STEPWISE
    ),
}
"""All kinds of record, in the order in which a card lists them."""
OF_ONE_TREE = frozenset({PATH, "fragment", "reverse", PREFERENCE, STEPWISE})
"""The kinds of which a record says thoughts of one tree alone."""

FIELDS = {
    "text": "what the model reads",
    "messages": "the request, of the user, and the answer, of the assistant",
    "prompt": "the request, with what stands between it and the answer",
    "completion": "the answer",
    "conversations": "the request, from human, and the answer, from gpt",
    "instruction": "the request",
    "input": "always empty",
    "output": "the answer",
}
"""What the columns of the default configuration mean."""
META_FIELDS = {
    "meta.kind": f"one of {', '.join(KINDS)}",
    "meta.split": "train or validation",
    "meta.trees": "ids of the trees, in the order in which they first speak",
    "meta.thoughts": "ids of the thoughts said, each once",
    "meta.spans": "start and end (in characters of a text) of each part, its role (thought, "
    "breadcrumb, marker, anchor, destination, words, formula, scene), and its tree, thought and "
    "formula as places in these lists (-1 for none)",
    "meta.no_loss": "start and end of what a model should read but not learn to say",
    "meta.jumps": "for each jump the anchor, and the thought and tree on either side",
    "meta.anchor": "id of the anchor that a fragment, card or comparison is about",
    "meta.anchors": "ids of the anchors that the thoughts said carry",
    "meta.axes": "weights of meaning axes, the mean over the trees",
    "meta.formulas": "codes of the formulas written or voiced",
    "meta.gap": "what stands between the request and the answer, and in neither of them",
}
"""What the fields of ``meta`` mean. Where there are other columns than ``text``, a span and a part
without loss say their column, and their item: which text of a list, from 0."""


def _list(**fields: str) -> list[dict[str, str]]:
    return [{"name": name, "dtype": dtype} for name, dtype in fields.items()]


def features(config: str, format: str = TEXT) -> list[dict[str, Any]]:
    """The type of the records of a configuration, as `dataset_info.features` of a dataset card."""
    place = {"start": "int64", "end": "int64"}
    if splits_texts(config, format):
        place = {"column": "string", "item": "int64"} | place
    of = {"role": "string", "tree": "int64", "thought": "int64", "formula": "int64"}
    meta: list[dict[str, Any]] = [
        *_list(kind="string", split="string"),
        {"name": "trees", "list": "string"},
        {"name": "thoughts", "list": "string"},
        {"name": "spans", "list": _list(**place, **of)},
        {"name": "no_loss", "list": _list(**place)},
        {
            "name": "jumps",
            "list": _list(
                **dict.fromkeys(("anchor", "from_tree", "from", "to_tree", "to"), "string")
            ),
        },
        *_list(anchor="string"),
        {"name": "anchors", "list": "string"},
        {"name": "axes", "list": _list(axis="string", weight="float64")},
        {"name": "formulas", "list": "string"},
        *(_list(gap="string") if has_gap(config, format) else []),
    ]
    columns = [_column(name, of) for name, of in columns_of(config, format).items()]
    return [*columns, {"name": "meta", "struct": meta}]


def _column(name: str, of: Any) -> dict[str, Any]:
    if not isinstance(of, list):
        return {"name": name, "dtype": of}
    return {"name": name, "list": _list(**of[0]) if isinstance(of[0], dict) else of[0]}


Axes = Sequence[Mapping[str, Any]]


class Record(NamedTuple):
    """One record, told."""

    kind: str
    split: str
    told: Told
    axes: Axes
    jumps: Sequence[Mapping[str, str]] = ()
    anchor: str = ""

    def said(self) -> dict[str, Any]:
        """The record as it is written: its columns, and ``meta``."""
        told = self.told
        meta = {
            "kind": self.kind,
            "split": self.split,
            "trees": told.trees,
            "thoughts": told.thoughts,
            "spans": told.spans,
            "no_loss": told.no_loss,
            "jumps": self.jumps,
            "anchor": self.anchor,
            "anchors": told.anchors,
            "axes": self.axes,
            "formulas": told.formulas,
        }
        return {**told.columns, "meta": meta}


def axes_of(weights: Mapping[str, float]) -> list[dict[str, Any]]:
    """The axes of a tree as records keep them, by name."""
    return [{"axis": name, "weight": float(weights[name])} for name in sorted(weights)]


def mean_axes(trees: Sequence[Axes]) -> list[dict[str, Any]]:
    """The mean weight of each axis over some trees, to six places; a tree without it counts 0."""
    return _mean_axes(tuple([tuple([(a["axis"], a["weight"]) for a in axes]) for axes in trees]))


@lru_cache(maxsize=4096)
def _mean_axes(trees: tuple[tuple[tuple[str, float], ...], ...]) -> list[dict[str, Any]]:
    total: dict[str, float] = {}
    for axes in trees:
        for axis, weight in axes:
            total[axis] = total.get(axis, 0.0) + weight
    return axes_of({name: round(weight / len(trees), 6) for name, weight in total.items()})
