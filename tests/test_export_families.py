"""Families: trees that say nearly the same train or validate together."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporters.families import Families, likeness, signature
from forest.model import Tree
from tests.export_helpers import chain, tree

SYLLABLES = ["ба", "ве", "го", "ду", "жи", "за", "ки", "лю", "мо"]
WORDS = ["".join(parts) for parts in itertools.product(SYLLABLES, repeat=3)]


def saying(seed: int, thoughts: int = 12) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=8)).capitalize() + "." for _ in range(thoughts)]


def families(folder: Path, forest: list[Tree]) -> Families:
    found = Families(folder)
    for one in forest:
        found.add(signature(one), one.id, one.created_at)
    return found


def sides(folder: Path, forest: list[Tree]) -> dict[str, str]:
    split = families(folder, forest).sides(0.5)
    return dict(zip([one.id for one in forest], split, strict=True))


def typo(text: str, seed: int) -> str:
    at = random.Random(seed).randrange(1, len(text) - 1)
    return text[:at] + "ы" + text[at + 1 :]


def another_word(text: str, seed: int) -> str:
    words = text.split()
    words[random.Random(seed).randrange(len(words))] = "паровоз"
    return " ".join(words)


def near(one: list[str], other: list[str]) -> bool:
    found = likeness(signature(chain("One", one)), signature(chain("Other", other)))
    return bool(found >= 0.35)


@pytest.mark.parametrize("thoughts", [3, 12, 400])
def test_a_copy_with_a_change_in_every_thought_is_near_identical(thoughts: int) -> None:
    said = saying(1, thoughts)
    assert near(said, [typo(text, n) for n, text in enumerate(said)])
    assert near(said, [another_word(text, n) for n, text in enumerate(said)])
    assert near(said, [text.upper().replace(" ", " — ") for text in reversed(said)])
    assert not near(said, saying(2, thoughts))


def test_trees_that_differ_in_every_number_are_not_near_identical() -> None:
    assert not near(["Root 3.", "Leaf 3."], ["Root 4.", "Leaf 4."])
    assert not near(["🫁🜂⟁"], ["🫧🜄⟁"])
    assert near(["…"], ["…"])


def made(name: str, texts: list[str], day: int | None = None) -> Tree:
    created: dict[str, Any] = {"created_at": datetime(2026, 1, day, tzinfo=UTC)} if day else {}
    return chain(name, texts, id=name, **created)


def test_a_later_copy_joins_the_side_of_the_tree_before_it(tmp_path: Path) -> None:
    for n in range(20):
        said = saying(n)
        first = made(f"m{n}", said, 2)
        copies = [
            made(f"a{n}", [typo(text, n) for text in said], 3),
            made(f"b{n}", [another_word(text, n) for text in said]),
        ]
        alone = sides(tmp_path, [first])[first.id]
        assert set(sides(tmp_path, [*copies, first]).values()) == {alone}
        edited = made(f"m{n}", saying(n + 100), 2)
        assert sides(tmp_path, [edited])[first.id] == alone


def test_families_are_the_same_in_any_order_and_number(tmp_path: Path) -> None:
    forest = [
        made(f"t{n}-{copy}", [typo(text, copy) for text in saying(n)], 1 + copy)
        for n in range(300)
        for copy in range(1 + n % 3)
    ]
    found = sides(tmp_path, forest)
    assert all(found[one.id] == found[f"{one.id.split('-')[0]}-0"] for one in forest)
    assert sides(tmp_path, forest[::-1]) == found
    assert 0.4 < list(found.values()).count("validation") / len(found) < 0.6


def test_a_tree_within_a_much_bigger_one_is_a_family_of_its_own(tmp_path: Path) -> None:
    big = saying(1, 100)
    found = families(tmp_path, [made("a", big), made("b", big[40:50])])
    list(found.sides(0.5))
    assert found.near == []


def test_words_in_another_tree_do_not_join_trees(tmp_path: Path) -> None:
    shared = "Вода помнит весну и память весны."
    forest = [tree(f"T{n}", f"{' '.join(saying(n, 3))}\n  {shared} {{x}}") for n in range(30)]
    found = families(tmp_path, forest)
    list(found.sides(0.5))
    assert found.near == []
