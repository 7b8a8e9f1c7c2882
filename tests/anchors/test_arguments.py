"""What is of the wrong type is named by one clear error, whichever function got it."""

from __future__ import annotations

from typing import Any

import pytest

from anchors import registry, review
from anchors.formulas import cores, criteria, notes, syntax
from anchors.formulas import registry as formulas
from anchors.formulas.book import Book
from anchors.formulas.vectors import Space
from anchors.skeletons import skeleton
from anchors.stats import forest_stats
from forest import Forest
from tests.export_helpers import planted, tree

STORE = planted(tree("Первое", "Вода. {вода; лёд}"))
CALLS: dict[str, list[Any]] = {
    "text": [
        lambda x: formulas.add(STORE, x),
        lambda x: formulas.add_scene(STORE, "Δ12", x),
        syntax.parse,
        notes.formulas_in,
        lambda x: review.answer(STORE, x, "file"),
        lambda x: Space(Book()).near(x),
    ],
    "code": [
        lambda x: formulas.remove(STORE, x),
        lambda x: formulas.expand(STORE, x),
        lambda x: Book.of(STORE).get(x),
    ],
    "anchor": [
        lambda x: registry.merge(STORE, "вода", x),
        lambda x: registry.split(STORE, x),
        lambda x: registry.thoughts_at(STORE, x),
    ],
    "name": [lambda x: registry.part(STORE, "вода", x, ["первое"])],
    "phrase": [lambda x: registry.rename(STORE, "вода", x)],
    "why": [lambda x: registry.refuse(STORE, "вода", "лёд", why=x)],
    "title": [lambda x: skeleton(STORE, x)],
    "what": [lambda x: criteria.check(STORE, x)],
    "trees": [lambda x: cores.propose(STORE, trees=x)],
    "a list of codes": [lambda x: formulas.compose(STORE, x)],
    "a list of scenes": [lambda x: formulas.add(STORE, "(а + б)", scenes=x)],
    "a list of proposals": [lambda x: review.accept(STORE, x)],
    "number of a decision": [lambda x: registry.undo(STORE, x)],
}


@pytest.mark.parametrize("wrong", [None, b"x", {}.keys], ids=["None", "bytes", "method"])
@pytest.mark.parametrize("expected", CALLS)
def test_what_is_of_the_wrong_type_is_named(expected, wrong):
    for call in CALLS[expected]:
        with pytest.raises(TypeError, match=f"expected .*{expected}.*, got an? "):
            call(wrong)


def test_a_forest_in_the_place_of_its_store_is_named():
    calls: list[Any] = [
        registry.Registry.of,
        forest_stats,
        Book.of,
        lambda x: formulas.add(x, "Δ12 = (вода + лёд)"),
        lambda x: registry.merge(x, "вода", "лёд"),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"expected a store, got a Forest: give forest\.store"):
            call(Forest(STORE))
