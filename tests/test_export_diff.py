"""`forest diff`: what is other in one corpus than in another, and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from exporters import Recipe, compare, export_corpus
from forest.model import Tree
from tests.conftest import Run
from tests.export_helpers import SMALL, planted, tree

Corpus = Callable[..., Path]


def forest(**other: str) -> list[Tree]:
    """Three trees on one anchor, with other outlines where they are named."""
    outlines = {
        "One": "First. {x}\n  Second.\n    Third.",
        "Two": "Fourth. {x}\n  Fifth.",
        "Three": "Sixth. {x}\n  Seventh.",
    }
    return [tree(title, outline) for title, outline in (outlines | other).items() if outline]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Writes some trees as a corpus."""

    def write(name: str, trees: list[Tree], recipe: Recipe = SMALL) -> Path:
        export_corpus(planted(*trees), tmp_path / name, recipe)
        return tmp_path / name

    return write


def test_corpora_of_one_forest_are_the_same(corpus: Corpus) -> None:
    found = compare(corpus("a", forest()), corpus("b", forest()))
    assert found.same
    assert not found.records


def test_a_path_may_be_a_text(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    export_corpus(planted(*forest()), one, SMALL)
    export_corpus(planted(*forest()), other, Recipe.load(f"{one}/manifest.json"))
    assert compare(one, other).same


def test_an_edit_is_told_from_what_it_does_to_its_neighbours(corpus: Corpus) -> None:
    edited = forest()
    edited[0].edit(edited[0].thoughts[1].id, text="Otherwise.")
    found = compare(corpus("a", forest()), corpus("b", edited))
    assert list(found.trees.edited) == ["one"]
    assert found.trees.edited["one"].words == 1
    assert not found.trees.added + found.trees.removed
    assert (found.records["path"].changed, found.records["path"].near) == (1, 0)
    assert found.recipe == {}
    assert found.forest is not None
    assert found.files.changed == ["data/train-00000.jsonl"]


def test_trees_that_came_and_went_and_the_walks_of_those_between(corpus: Corpus) -> None:
    new = [*forest(Two=""), tree("Four", "Eighth. {x}\n  Ninth.")]
    found = compare(corpus("a", forest()), corpus("b", new))
    assert (found.trees.added, found.trees.removed) == (["four"], ["two"])
    assert not found.trees.edited
    assert found.records["path"].model_dump() == {"added": 1, "removed": 1, "changed": 0, "near": 0}
    assert found.records["walk"].added


def test_moved_thoughts_titles_and_axes(corpus: Corpus) -> None:
    moved = forest(Three="Sixth. {x}\n  Seventh.\n  Tenth.")
    before = forest(Three="Sixth. {x}\n  Seventh.\n    Tenth.")
    moved[1].axes = {"empathy": 1.0}
    edits = compare(corpus("a", before), corpus("b", moved)).trees.edited
    assert edits["three"].moved == 1
    assert edits["three"].words == 0
    assert edits["two"].axes
    assert list(edits) == ["three", "two"]


def test_a_tree_of_the_other_split_and_settings(corpus: Corpus) -> None:
    other = SMALL.model_copy(
        update={"seed": 3, "corpus": SMALL.corpus.model_copy(update={"validation": 0.5})}
    )
    found = compare(corpus("a", forest()), corpus("b", forest(), other))
    assert found.recipe == {"corpus.validation": (0, 0.5), "seed": (0, 3)}
    assert found.forest is None
    assert not found.trees.edited
    assert found.trees.other_split


def test_every_form_of_file_and_format_says_the_same(corpus: Corpus) -> None:
    new = forest(One="First. {x}\n  Second, edited.\n    Third.")
    ways = []
    for n, (format, file) in enumerate(
        [("text", "jsonl"), ("messages", "parquet"), ("alpaca", "jsonl.zst")]
    ):
        recipe = SMALL.said_as(format, file)
        pair = corpus(f"a{n}", forest(), recipe), corpus(f"b{n}", new, recipe)
        ways.append(compare(*pair).model_dump(exclude={"files"}))
    assert ways[0]["trees"]["edited"]
    assert ways[1:] == ways[:-1]


def test_the_command_says_it_and_its_exit_code_too(
    corpus: Corpus, run: Run, tmp_path: Path
) -> None:
    one, two = corpus("a", forest()), corpus("b", forest(Two="", One="First. {x}\n  Other."))
    assert run("diff", str(one), str(one)) == (0, "The corpora are the same.\n", "")
    code, out, _ = run("diff", str(one), str(two))
    assert code == 1
    assert "trees    1 removed, 1 edited\n         removed: two\n         edited: one: " in out
    code, out, _ = run("diff", str(one), str(two), "--json")
    assert (code, json.loads(out)["trees"]["removed"]) == (1, ["two"])
    code, out, err = run("diff", str(one), str(tmp_path))
    assert (code, out) == (2, "")
    assert "is no corpus" in err
