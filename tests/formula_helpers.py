"""Forests of formulas, and what is in them."""

from __future__ import annotations

from anchors.formulas.book import Book
from anchors.formulas.syntax import text_of
from forest import Forest, Tree

WATER = "Δ12 = (вода + весна + неясность) = сцена про влечение и расцвет"


def plant(store, *trees: tuple[str, ...]) -> None:
    """One tree for each tuple of anchors, which stand on two thoughts."""
    for n, (first, *rest) in enumerate(trees):
        tree = Tree(f"t{n}")
        root = tree.add(f"Корень {n}.", anchors=[first])
        tree.add(f"Шаг {n}.", under=root, anchors=rest)
        Forest(store).add(tree)


def formulas(store) -> list[str]:
    """All formulas, as text."""
    return [text_of(formula) for formula in Book.of(store).formulas.values()]
