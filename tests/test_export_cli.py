"""`forest export`, as it is typed."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from forest import Forest
from tests.conftest import Run
from tests.export_helpers import content, tree
from tests.test_export_leaks import grown
from training.corpus import Corpus


@pytest.fixture
def run(run: Run) -> Run:
    """Runs `forest export …` beside a forest of two trees."""
    with Forest.open() as forest:
        forest.add(tree("One", "First. {x}\n  Second."), tree("Two", "Third. {x}\n  Fourth."))
    return partial(run, "export")


def test_export_writes_a_corpus_and_says_what_is_in_it(run: Run, tmp_path: Path) -> None:
    code, out, err = run("corpus")
    assert (code, err) == (0, "")
    assert out == (
        "corpus: 7 records, seed 0\n"
        "format text; 1 jsonl file, 3,750 bytes\n"
        "train: 2 paths, 2 fragments, 2 walks, 1 card from 2 trees with 4 thoughts; 1 of 1 anchors "
        "shared, 2 of 2 of their thoughts jumped from; redundancy 5.58\n"
        "validation: no tree, as none was drawn; those that say nearly the same count as one\n"
        "no stitch held out: no pair of thoughts at an anchor could be spared and asked for, or "
        "none was drawn\n"
    )
    assert len(Corpus.open(tmp_path / "corpus")) == 7
    assert run("corpus")[1] == out


def test_what_is_held_out_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "none.toml").write_text("[probes]\nshare = 0\n")
    assert "no stitch held out: the recipe asks for none\n" in run("x", "--recipe", "none.toml")[1]
    with Forest.open() as forest:
        forest.add(*grown())
    said, report = run("corpus")[1], Corpus.open(tmp_path / "corpus").manifest["probes"]
    assert report["probes"]
    assert "validation: no tree" not in said
    probes = f"{report['probes']} probes in probes/stitches.jsonl"
    assert f"{report['held_out']} stitches held out, {probes}" in said


def test_json_is_the_manifest(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("corpus", "--json", "--seed", "7")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "corpus" / "manifest.json").read_text())
    assert json.loads(out)["seed"] == 7


def test_a_recipe_file_is_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('seed = 3\n[walks]\nmarker = "=>>"\n', encoding="utf-8")
    assert run("corpus", "--recipe", "r.toml")[0] == 0
    assert b"=>>" in content(tmp_path / "corpus")["data/train-00000.jsonl"]
    assert Corpus.open(tmp_path / "corpus").manifest["seed"] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["corpus", "--recipe", "none.toml"], 2, "none.toml"),
        (["corpus", "--seed", "-1"], 2, "--seed"),
        ([], 2, "OUT"),
        (["-"], 2, "standard output is neither"),
        (["-", "--as", "turtle"], 2, "standard output is neither"),
        (["."], 1, "is not a corpus"),
        (["corpus", "--recipe", "bad.toml"], 2, "walks.hop: there is no such setting"),
    ],
)
def test_wrong_usage_and_refused_folders_have_their_exit_codes(
    arguments: list[str], code: int, says: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "bad.toml").write_text("[walks]\nhop = 3\n", encoding="utf-8")
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert not (tmp_path / "corpus").exists()
