"""Which records a role is trained on: kinds, and registers of scenes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from training.config import Config, preset, presets
from training.corpus import Corpus
from training.errors import CorpusError
from training.examples import OTHER_REGISTER, read_examples
from training.registers import Voiced

ROLES = [name for name in presets() if name.startswith("role-")]


@pytest.fixture
def scenes(run: Run, tmp_path: Path) -> Corpus:
    """A corpus of the sample forest's trees, and of formulas with scenes in three registers."""
    run("init", "--sample")
    voices = ("поэтически=Лёд помнит реку", "телесно=Пульс поднялся", "=Без голоса")
    run("formulas", "add", "Δ12 = (вода + весна)", *(x for v in voices for x in ("--scene", v)))
    run("formulas", "add", "Δ50 = (heat · step)", "--scene", "logical=Heat follows the step")
    assert run("export", "scenes")[0] == 0
    return Corpus.open(tmp_path / "scenes")


def kept(corpus: Corpus, role: str) -> list[dict[str, Any]]:
    data = Config.load([role]).data
    voiced = Voiced(corpus, data.registers)
    return [r for r in corpus.records() if r["meta"]["kind"] in data.kinds and voiced(r)]


def test_each_role_keeps_its_kinds_and_its_registers(scenes: Corpus):
    own = {
        "role-logic": ("Heat follows the step",),
        "role-poetic": ("Лёд помнит реку",),
        "role-bodily": ("Пульс поднялся",),
        "role-silence": (
            "Heat follows the step",
            "Лёд помнит реку",
            "Пульс поднялся",
            "Без голоса",
        ),
    }
    assert sorted(own) == ROLES
    every = {scene for some in own.values() for scene in some}
    for role, heard in own.items():
        texts = [record["text"] for record in kept(scenes, role)]
        assert {s for s in every if any(s in text for text in texts)} == set(heard), role
    for role, kinds in (("role-logic", {"path", "walk"}), ("role-poetic", {"walk"})):
        assert kinds <= {record["meta"]["kind"] for record in kept(scenes, role)}
    assert {r["meta"]["kind"] for r in kept(scenes, "role-silence")} == {"compression"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_says_its_kinds(role: str):
    assert set(Config.load([role]).data.kinds)
    assert preset(role).startswith("# The role that ")


@pytest.mark.usefixtures("stack")
def test_what_speaks_otherwise_is_left_out_and_counted(scenes: Corpus, base: Any):
    tokenizer = base.tokenizer()
    told: dict[str, Any] = {"names": (), "window": 4096, "kinds": ("expansion", "compression")}
    all_of_them = read_examples(scenes, "train", tokenizer, **told)
    poetic = read_examples(scenes, "train", tokenizer, registers=("Poetic",), **told)
    assert "Лёд помнит реку" in tokenizer.decode(poetic.ids)
    assert poetic.left_out == Counter({OTHER_REGISTER: len(all_of_them) - len(poetic)})
    assert 0 < len(poetic) < len(all_of_them)


def test_a_register_that_the_corpus_does_not_teach_is_named(scenes: Corpus, corpus: Corpus):
    with pytest.raises(CorpusError, match=r"no register 'громко'\nIt teaches: .*телесно"):
        Voiced(scenes, ["громко"])
    with pytest.raises(CorpusError, match=r"no register 'poetic'\nIt teaches: none"):
        Voiced(corpus, ["poetic"])
