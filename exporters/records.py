"""A record of the corpus: its text, and in ``meta`` where each part of it came from.

Every record has the same keys, so that Arrow and `datasets` see one type. `FEATURES` says it in
the notation of a dataset card; what the fields mean stands in `FIELDS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from exporters.linearize import Told

PATH, WALK = "path", "walk"
"""Kinds of record."""

FIELDS = {
    "text": "what the model reads",
    "meta.kind": "path or walk",
    "meta.split": "train or validation",
    "meta.trees": "ids of the trees, in the order in which they first speak",
    "meta.thoughts": "ids of the thoughts said, each once",
    "meta.spans": "start and end (in characters of text) of each part, its role (thought, "
    "breadcrumb, marker, anchor), its tree and its thought as places in the two lists above "
    "(thought is -1 where the words are not a thought's)",
    "meta.jumps": "for each jump marker the anchor, and the thought and tree on either side",
    "meta.anchors": "ids of the anchors that the thoughts said carry",
    "meta.axes": "weights of meaning axes, the mean over the trees",
    "meta.formulas": "formulas expanded or compressed (none in these kinds)",
}


def _list(*fields: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "dtype": dtype} for name, dtype in fields]


FEATURES: list[dict[str, Any]] = [
    {"name": "text", "dtype": "string"},
    {
        "name": "meta",
        "struct": [
            {"name": "kind", "dtype": "string"},
            {"name": "split", "dtype": "string"},
            {"name": "trees", "list": "string"},
            {"name": "thoughts", "list": "string"},
            {
                "name": "spans",
                "list": _list(
                    ("start", "int64"),
                    ("end", "int64"),
                    ("role", "string"),
                    ("tree", "int64"),
                    ("thought", "int64"),
                ),
            },
            {
                "name": "jumps",
                "list": _list(
                    ("anchor", "string"),
                    ("from_tree", "string"),
                    ("from", "string"),
                    ("to_tree", "string"),
                    ("to", "string"),
                ),
            },
            {"name": "anchors", "list": "string"},
            {"name": "axes", "list": _list(("axis", "string"), ("weight", "float64"))},
            {"name": "formulas", "list": "string"},
        ],
    },
]
"""The type of a record, as `dataset_info.features` of a dataset card."""

Axes = Sequence[Mapping[str, Any]]


def record_line(
    kind: str, split: str, told: Told, axes: Axes, jumps: Sequence[Mapping[str, str]] = ()
) -> bytes:
    """A record as one line of JSON."""
    return orjson.dumps(
        {
            "text": told.text,
            "meta": {
                "kind": kind,
                "split": split,
                "trees": told.trees,
                "thoughts": told.thoughts,
                "spans": told.spans,
                "jumps": jumps,
                "anchors": told.anchors,
                "axes": axes,
                "formulas": (),
            },
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def axes_of(weights: Mapping[str, float]) -> list[dict[str, Any]]:
    """The axes of a tree as records keep them, by name."""
    return [{"axis": name, "weight": float(weights[name])} for name in sorted(weights)]


def mean_axes(trees: Sequence[Axes]) -> list[dict[str, Any]]:
    """The mean weight of each axis over some trees, to six places; a tree without it counts 0."""
    total: dict[str, float] = {}
    for axes in trees:
        for entry in axes:
            total[entry["axis"]] = total.get(entry["axis"], 0.0) + entry["weight"]
    return axes_of({name: round(weight / len(trees), 6) for name, weight in total.items()})
