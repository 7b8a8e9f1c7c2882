"""What the tests of the exporter share: small forests, and a look into a written corpus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from exporters.folder import parts_of
from exporters.recipe import Recipe
from exporters.records import KINDS
from forest.identity import finished
from forest.model import Tree
from forest.stores.memory import MemoryStore


def only(*kinds: str) -> dict[str, float]:
    """The ``kinds`` of a recipe that writes these alone."""
    return {kind: float(kind in kinds) for kind in KINDS}


SMALL = Recipe.read(
    {
        "kinds": only("path", "walk"),
        "window": 200,
        "corpus": {"validation": 0},
        "paths": {"overlap": 60},
        "walks": {"hops": 3, "prefix_dropout": "none", "prefix": 80, "continuation": 80},
    },
    "small",
)
"""Paths and walks with short windows, so that small trees show every rule; no validation."""


def tree(title: str, outline: str, **fields: Any) -> Tree:
    """A tree from lines indented by two spaces a level, with ``{phrase; phrase}`` for anchors."""
    made = Tree(title, **fields)
    path: list[str] = []
    for line in outline.strip("\n").splitlines():
        text, _, phrases = line.strip().partition(" {")
        level = (len(line) - len(line.lstrip())) // 2
        anchors = [p.strip() for p in phrases.rstrip("}").split(";")] if phrases else []
        del path[level:]
        thought = made.add(text, under=path[-1] if path else None, anchors=anchors)
        path.append(thought.id)
    return finished(made)


def chain(title: str, texts: Iterable[str], **fields: Any) -> Tree:
    """A tree that is one path."""
    from forest.model import Thought

    thoughts = [Thought(text=text, level=level) for level, text in enumerate(texts)]
    return finished(Tree(title, thoughts=thoughts, **fields))


def planted(*trees: Tree) -> MemoryStore:
    """A forest in memory."""
    store = MemoryStore()
    store.write(trees, lambda _, new: new)
    return store


def records(corpus: Path, split: str = "*", config: str = "") -> list[dict[str, Any]]:
    """The records of a corpus in their order; of the default configuration, if none is named."""
    files = sorted((corpus / "data" / config).glob(f"{split}-*.jsonl"))
    return [orjson.loads(line) for file in files for line in file.read_bytes().split(b"\n")[:-1]]


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder with their bytes, by their path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def beside(folder: Path) -> list[str]:
    """What stands beside a folder: left-over locks and partial folders would be seen.

    But for what a corpus keeps for the next export.
    """
    ours = {folder, parts_of(folder)}
    return sorted(path.name for path in folder.parent.iterdir() if path not in ours)


def occurrences(store: MemoryStore) -> dict[str, list[tuple[str, str]]]:
    """(tree, thought) by anchor, for anchors that two or more trees share: said independently."""
    found: dict[str, dict[tuple[str, str], None]] = {}
    for one in store.trees():
        for thought in one.thoughts:
            for link in thought.anchors:
                found.setdefault(link.anchor, {})[one.id, thought.id] = None
    return {a: list(o) for a, o in found.items() if len({t for t, _ in o}) > 1}


def spoken(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(role, id of the thought or "", words) of each span."""
    meta, text = record["meta"], record["text"]
    return [
        (
            span["role"],
            meta["thoughts"][span["thought"]] if span["thought"] >= 0 else "",
            text[span["start"] : span["end"]],
        )
        for span in meta["spans"]
    ]
