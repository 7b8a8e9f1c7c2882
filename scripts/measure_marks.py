"""Precision of the marks that discovery proposes for anchors of one word in prose.

    python scripts/measure_marks.py en
    python scripts/measure_marks.py ru --texts usr/share/games/fortunes/ru

Marks were drawn from what was proposed and labelled by reading; tests/data/marks names their texts
by the beginning of their SHA-256. `en` are sentences of EntailmentBank, in ../shared/data; `ru` are
aphorisms of the Debian package fortunes-ru 1.52-3.1 (`dpkg -x`). Counted are the marks that are
still proposed, and how many of the right ones still are.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from anchors.discovery import discover
from forest import Forest, Tree
from forest.model import anchor_id
from scripts.labelled_pairs import bank

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "marks"


class Label(NamedTuple):
    """A mark and whether it is right."""

    right: bool
    drawn: str
    """Of which words: drawn at ``random``, or ``hard`` ones that stand in many set phrases."""
    text: str
    anchor: str


def labels(name: str) -> list[Label]:
    """The labelled marks of a set."""
    with (FOLDER / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [
            Label(row["right"] == "1", row["drawn"], row["text"], row["anchor"]) for row in rows
        ]


def aphorisms(folder: Path) -> list[str]:
    """The texts of a folder of fortune files, without the names of their authors."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".dat", ".u8"):
            for entry in path.read_text("utf-8").split("\n%"):
                said = re.sub(r"\n\s*--.*", "", entry, flags=re.DOTALL)
                found.append(" ".join(said.replace("%", "").split()))
    return list(dict.fromkeys(found))


def proposed(texts: list[str], anchors: set[str]) -> set[tuple[str, str]]:
    """(text, anchor) of all marks, where each text is a tree and each anchor is in two others."""
    with Forest.open("memory:") as forest:
        for number in range(2):
            tree = Tree(f"anchors {number}")
            root = tree.add("anchors")
            for anchor in sorted(anchors):
                tree.add(f"{anchor} —", under=root, anchors=[anchor])
            forest.add(tree)
        said = {}
        for number, text in enumerate(texts):
            tree = Tree(f"text {number}")
            tree.add(text)
            forest.add(tree)
            said[forest.get(tree.id).thoughts[0].id] = text
        found = discover(forest.store, rules=["exact", "lemma"]).proposals
    return {(said[p.thought], p.anchor) for p in found if p.thought in said}


def still_proposed(some: list[Label], texts: Iterable[str]) -> list[Label]:
    """The labelled marks that discovery proposes now, where their texts are given."""
    by_hash = {sha256(text.encode()).hexdigest()[:12]: text for text in texts}
    named = {label.text for label in some}
    found = proposed([by_hash[text] for text in sorted(named)], {x.anchor for x in some})
    return [x for x in some if (by_hash[x.text], anchor_id(x.anchor)) in found]


def main() -> None:
    """Print a line for each part of a set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=["ru", "en"])
    parser.add_argument("--texts", type=Path, help="for ru: the folder of fortune files")
    options = parser.parse_args()
    if options.name == "ru" and options.texts is None:
        parser.error("ru needs --texts")
    texts = aphorisms(options.texts) if options.name == "ru" else bank().values()
    there = labels(options.name)
    still = still_proposed(there, texts)
    for drawn in sorted({label.drawn for label in there}):
        some = [label.right for label in there if label.drawn == drawn]
        kept = [label.right for label in still if label.drawn == drawn]
        sys.stdout.write(
            f"{options.name}, {drawn}: {sum(some)} of {len(some)} right; still proposed "
            f"{len(kept)}, right {sum(kept)}: {sum(kept) / len(kept):.3f}\n"
        )


if __name__ == "__main__":
    main()
