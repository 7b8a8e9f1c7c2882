"""Labelled pairs of texts: tests/data/pairs, and the sentences of EntailmentBank that they name.

A pair of kind ``entailment_bank`` holds no text of that dataset: ``eb:`` and the beginning of the
SHA-256 of a sentence stand instead, and the sentence is read from ../shared/data, where that is.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from forest.formats import SourceFile, read_file
from forest.model import Tree

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "data" / "pairs"
BANK = ROOT.parent / "shared" / "data" / "entailment_bank" / "train.jsonl"

_PREFIX = "eb:"
_SENTENCES = re.compile(r"(?<=[.?!])\s+")


class Pair(NamedTuple):
    """Two texts and whether they are the same."""

    same: bool
    one: str
    other: str


def labelled(name: str) -> list[Pair]:
    """The pairs of a set. Raises FileNotFoundError where they name sentences that are not there."""
    with (FOLDER / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Pair(row["same"] == "1", _text(row["one"]), _text(row["other"])) for row in rows]


def named(text: str) -> str:
    """What stands for a sentence of EntailmentBank."""
    return _PREFIX + sha256(text.encode()).hexdigest()[:12]


def _text(written: str) -> str:
    return bank()[written] if written.startswith(_PREFIX) else written


@cache
def bank() -> dict[str, str]:
    """The texts of the dataset: its trees' thoughts, questions and answers, and their sentences."""
    if not BANK.is_file():
        raise FileNotFoundError(f"{BANK.name} is not beside this clone, in ../shared/data")
    said: set[str] = set()
    for tree in read_file(SourceFile(BANK, BANK.name), "entailment-bank"):
        if isinstance(tree, Tree):
            said.update(thought.text for thought in tree.thoughts)
            said.update(_strings(tree.meta))
    return {named(text): text for text in said}


def _strings(value: object) -> set[str]:
    if isinstance(value, str):
        return {value, *_SENTENCES.split(value)}
    if isinstance(value, dict):
        value = list(value.values())
    return set(chain.from_iterable(map(_strings, value))) if isinstance(value, list) else set()
