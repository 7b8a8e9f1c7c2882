"""Speaking with masks: in one batch, in a register, and what is kept of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from forest.forest import Forest
from tests.conftest import Run
from training.ask import unfolding
from training.corpus import Corpus
from training.errors import CorpusError, TrainingError
from training.masks import Library

pytestmark = pytest.mark.usefixtures("stack")

SORTS: dict[str, dict[str, Any]] = {
    "Δ42_logic": {},
    "Δ42_тело": {"modules": ["q_proj", "v_proj"], "rslora": True},
    "bare": {"new_rows": False},
    "dora": {"dora": True},
}


@pytest.fixture(scope="module")
def shelf(corpus: Corpus, base: Any, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Masks of one base, trained to be heard: with rows and without, one with DoRA."""
    from training.config import Config
    from training.train import train

    folder = tmp_path_factory.mktemp("shelf")
    for seed, (name, lora) in enumerate(SORTS.items()):
        told = {"seed": seed, "steps": 3, "row": 256, "rate": 0.05, "threads": 1}
        settings = Config.read({"training": told, "lora": lora}, "test")
        train(corpus, base, name, settings, masks=folder)
    return Library(folder)


@pytest.mark.parametrize("temperature", [0, 0.8])
@pytest.mark.parametrize("names", [("Δ42_logic", "Δ42_тело", "bare"), ("Δ42_logic", "dora")])
def test_a_batch_of_several_masks_says_what_each_says_alone(
    shelf: Library, base: Any, names: tuple[str, ...], temperature: float
):
    from training.voices import Voices

    texts = ("Там, где вода", "Δ12 и вода, весна, память в камне", "О")
    pairs = list(product(texts, ("base", *names)))
    how: Any = {"length": 10, "temperature": temperature, "seed": 3}
    prompts, voices = zip(*pairs, strict=True)
    together = Voices(base, [shelf.open(n) for n in names]).answer(prompts, voices, **how)
    alone = {
        name: Voices(base, [shelf.open(name)] if name != "base" else []).answer(
            texts, [name] * len(texts), **how
        )
        for name in voices
    }
    assert together == [alone[name][texts.index(text)] for text, name in pairs]
    different = len(set(map(tuple, alone.values())))
    assert different > 1
    assert different == len(alone) or not temperature  # the likeliest may be the same for two


def test_with_guidance_the_last_line_counts_more(shelf: Library, base: Any, stack: Any):
    """The answer is the likeliest token after what the request adds; each voice is guided apart."""
    from training.voices import Voices

    voices, text = Voices(base, [shelf.open("Δ42_logic")]), "Память о воде\n⤳ порог\n"

    def likely(voice: str, before: str) -> Any:
        with voices.wearing(voice) as model:
            return model(input_ids=stack.tensor([voices._ids(before)])).logits[0, -1].log_softmax(0)

    names, weight = ["base", "Δ42_logic"], 5.0
    said = voices.answer([text] * 2, names, length=1, temperature=0, guidance=weight)
    for voice, word in zip(names, said, strict=True):
        asked, bare = (likely(voice, before) for before in (text, "Память о воде\n"))
        added = (1 + weight) * asked - weight * bare
        assert word == voices.tokenizer.decode([int(added.argmax())]).rstrip("\ufffd")
    assert said != voices.answer([text] * 2, names, length=1, temperature=0)
    with pytest.raises(TrainingError, match="there is none before it"):
        voices.answer(["⤳ порог\n"], ["base"], guidance=1)
    with pytest.raises(TrainingError, match="the temperature nan is no number"):
        voices.answer([text], ["base"], temperature=float("nan"))


def test_a_text_beyond_what_the_base_reads_is_refused(base: Any, monkeypatch: Any):
    from training.base import Base
    from training.behaviour.speaker import Speaker
    from training.voices import Voices

    monkeypatch.setattr(Base, "positions", 12)
    voices = Voices(base)
    with voices.wearing("base") as model:
        model.config.max_position_embeddings = 12
        model.config.rope_parameters = None  # as if its positions stood in a table
        speaker = Speaker(model, voices.tokenizer)
    size = len(voices._ids("вода"))
    assert voices.answer(["вода"], ["base"], length=12 - size + 1)
    with pytest.raises(TrainingError, match=rf"12 at most\nSet --length {12 - size + 1} at most"):
        voices.answer(["вода"], ["base"], length=12 - size + 2)
    long = "вода " * 20
    with pytest.raises(TrainingError, match=r"the base reads 12 at most\nAsk with a shorter"):
        voices.answer([long], ["base"], length=1)
    with pytest.raises(TrainingError, match="the base reads 12 at most"):
        speaker.scores(long, ["весна"])
    with pytest.raises(TrainingError, match="the base reads 12 at most"):
        speaker.samples(long, 1, 1, 0)


def test_there_must_be_such_a_voice(base: Any):
    from training.voices import Voices

    with pytest.raises(TrainingError, match="There are: base"):
        Voices(base).answer(["Там"], ["Δ42"])


# --- registers ------------------------------------------------------------------------------------


@pytest.fixture
def scenes(run: Run, tmp_path: Path) -> Corpus:
    """The corpus of a forest with formulas, in the store forest.db."""
    run("init", "--sample")
    run("formulas", "add", "Δ12 = (вода + весна)", "--scene", "телесно=Пульс поднялся")
    run("formulas", "add", "Δ41 = (жар · шаг)", "--scene", "poetic=Шаг в замирающем жаре")
    run("formulas", "add", "Δ50 = (heat · step)", "--scene", "poetic=A step in the heat")
    run("formulas", "add", "Δ60 = (страх · пустота)")
    assert run("export", "scenes")[0] == 0
    return Corpus.open(tmp_path / "scenes")


def test_a_register_asks_as_the_corpus_teaches_it(scenes: Corpus):
    taught = {record["text"] for record in scenes.records()}
    told = {("Δ12", "bodily"): "Пульс поднялся", ("Δ50", "поэтически"): "A step in the heat"}
    for (code, register), scene in told.items():
        assert f"{unfolding(code, register, scenes)} {scene}" in taught
    assert unfolding("Δ12", "poetic", scenes) == "Δ12 = (вода + весна)\nпоэтически:"
    assert unfolding("Δ60", "телесно", scenes) == "Δ60 = (страх · пустота)\nтелесно:"
    assert unfolding("Δ12 = (вода + весна)", "poetic") == unfolding("Δ12", "poetic", scenes)
    assert unfolding("Δ50 = (heat · step)", "поэтически") == unfolding("Δ50", "poetic", scenes)


def test_what_no_corpus_teaches_is_refused(scenes: Corpus):
    with pytest.raises(CorpusError, match=r"does not unfold 'Δ99'\n.*Δ12, Δ41, Δ50, Δ60"):
        unfolding("Δ99", "poetic", scenes)
    with pytest.raises(CorpusError, match="no register 'громко'\nIt teaches: телесно, поэтич"):
        unfolding("Δ12", "громко", scenes)
    with pytest.raises(TrainingError, match="alone says no formula"):
        unfolding("Δ12", "poetic")


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def says(
    monkeypatch: pytest.MonkeyPatch, shelf: Library, base: Any, run: Run
) -> Callable[..., tuple[int, str, str]]:
    """`forest ask` where each voice answers as told, the base with its name."""
    from training.voices import Voices

    def call(answer: str, *arguments: str, store: str = "") -> tuple[int, str, str]:
        def told(_: Any, __: list[str], names: list[str], **___: Any) -> list[str]:
            return [name if name == "base" else answer for name in names]

        monkeypatch.setattr(Voices, "answer", told)
        where = ("--base", str(base.path), "--masks", str(shelf.folder))
        named = ("--store", store) if store else ()
        return run(*named, "ask", *where, *arguments)

    return call


def test_the_worn_mask_speaks_unless_another_is_named(says: Any, shelf: Library):
    def speakers(*more: str) -> list[str]:
        return [told["voice"] for told in json.loads(says("да", "Там", "--json", *more)[1])]

    assert speakers() == ["base"]
    shelf.switch("bare")
    try:
        assert speakers() == ["bare"]
        assert speakers("--mask", "base") == ["base"]
        assert speakers("--mask", "Δ42_logic") == ["Δ42_logic"]
        assert speakers("--compare", "Δ42_logic, base,bare") == ["Δ42_logic", "base", "bare"]
        assert speakers("--mask", str(shelf.path("dora"))) == ["dora"]
        assert (
            "two masks are called dora"
            in says("", "Т", "--compare", f"dora,{shelf.path('dora')}")[2]
        )
    finally:
        shelf.switch("base")


@pytest.mark.parametrize(("columns", "beside"), [("120", True), ("50", False)])
def test_answers_stand_side_by_side_where_there_is_room(
    says: Any, monkeypatch: pytest.MonkeyPatch, columns: str, beside: bool
):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = says("Тихо.", "Там", "--compare", "Δ42_logic,base")
    (line,) = (line for line in out.splitlines() if "Тихо." in line)
    assert ("base" in line) == beside


def test_an_answer_is_kept_as_a_scene_with_its_origin(says: Any, scenes: Corpus, run: Run):
    ask_it = ("Δ12", "--register", "poetic", "--corpus", str(scenes.path), "--keep", "scene")
    code, out, _ = says(" Лёд тронулся.", *ask_it, "--mask", "Δ42_logic")
    assert (code, "added: Лёд тронулся. (poetic, ru, the mask Δ42_logic" in out) == (0, True)
    shown = json.loads(run("formulas", "show", "Δ12", "--json")[1])["scenes"]
    (scene,) = (scene for scene in shown if scene["text"] == "Лёд тронулся.")
    mask, hash_, date, prompt = scene["origin"].split(", ", 2)[:2] + scene["origin"].split(": ", 1)
    assert (mask, hash_[:7], len(hash_)) == ("the mask Δ42_logic", "sha256 ", 71)
    assert date.split(" on ")[1][:2] == "20"
    assert json.loads(prompt) == "Δ12 = (вода + весна)\nпоэтически:"


@pytest.mark.usefixtures("scenes")
def test_an_answer_is_kept_as_a_thought_with_its_origin(says: Any, run: Run):
    run("add", "лёд", "--new", "Лёд", "Зимой вода молчит.")
    keep = ("--keep", "thought", "--tree", "лёд", "--mask", "Δ42_logic")
    code, out, _ = says("Весной она говорит.", "Зимой вода молчит.", *keep)
    assert code == 0
    with Forest.open("sqlite:///forest.db") as forest:
        kept = forest.get("лёд")
    assert [(t.text, t.level) for t in kept.thoughts][1:] == [("Весной она говорит.", 1)]
    told: Any = kept.meta["origins"]
    assert list(told) == [kept.thoughts[1].id]
    assert out.splitlines()[-1] == kept.thoughts[1].id
    assert told[kept.thoughts[1].id].startswith("the mask Δ42_logic, sha256 ")


@pytest.mark.usefixtures("scenes")
def test_where_an_answer_cannot_be_kept_nothing_is_asked(says: Any, run: Run):
    code, out, err = says("да", "Δ99", "--keep", "scene")
    assert (code, out, "there is no formula Δ99" in err) == (1, "", True)
    code, out, err = says("да", "Там", "--keep", "thought", "--tree", "нет")
    assert (code, out, "there is no tree 'нет'" in err) == (1, "", True)
    run("add", "лёд", "--new", "Лёд", "Зимой вода молчит.")
    keep = ("Там", "--keep", "thought", "--tree", "лёд", "--under")
    code, out, err = says("да", *keep, "нет")
    assert (code, out, "tree 'лёд' has no thought 'нет': nothing was asked" in err) == (1, "", True)
    own = json.loads(run("show", "лёд", "--json")[1])["nodes"][0]["id"]
    assert [says("да", *keep, name, "--mask", "bare")[0] for name in (own, f"лёд/{own}")] == [0, 0]
    for wrong in (
        ("Там", "--keep", "scene"),
        ("Там", "--keep", "thought"),
        ("Δ12", "--keep", "scene", "--compare", "base,bare"),
    ):
        code, out, _ = says("да", *wrong)
        assert (code, out) == (2, "")
    code, out, err = says("…", "Δ12", "--keep", "scene", "--mask", "bare")
    assert (code, "without a word: nothing was kept" in err) == (1, True)


@pytest.mark.usefixtures("scenes")
def test_a_formula_in_an_answer_is_offered_and_not_added(says: Any, run: Run):
    said = "Он знал:\nΔ84 = край(покой · распад · зов)\nи ещё Δ12 = (вода + весна)"
    code, out, _ = says(said, "Δ12 = (вода + весна)\nЧто на краю?", "--mask", "bare")
    assert code == 0
    assert "a formula: Δ84 = край(покой · распад · зов)" in out
    (command,) = (line for line in out.splitlines() if "forest formulas add" in line)
    assert command == "to add it: forest formulas add 'Δ84 = край(покой · распад · зов)'"
    _, out, _ = says(said, "Там", "--mask", "bare", store="sqlite:///forest.db")
    assert "to add it: forest --store sqlite:///forest.db formulas add 'Δ84 =" in out
    assert "Δ84" not in run("formulas", "list")[1]
    told = json.loads(says(" край(покой · зов)", "Δ84 =", "--mask", "bare", "--json")[1])
    assert told[0]["formulas"] == ["Δ84 = край(покой · зов)"]


@pytest.mark.parametrize(
    "begun", ["", "Он спокоен.", "Он спокоен.\nкрай(покой · распад · зов) ="], ids=len
)
def test_a_formula_is_offered_as_a_compression_says_it_body_first(
    says: Any, scenes: Corpus, begun: str
):
    taught = [r["text"] for r in scenes.records() if r["meta"]["kind"] == "compression"]
    assert "Шаг в замирающем жаре\n(жар · шаг) = Δ41" in taught
    whole = "край(покой · распад · зов) = Δ84"
    answer = "Δ84" if begun.endswith("=") else f"\n{whole}"
    told = json.loads(says(answer, begun or "О", "--mask", "bare", "--json")[1])
    assert told[0]["formulas"] == ["Δ84 = край(покой · распад · зов)"]
    assert "the forest has Δ41 = (" in says("\n(жар · зов) = Δ41", "О", "--mask", "bare")[1]


@pytest.mark.usefixtures("scenes")
def test_a_formula_whose_code_the_forest_has_is_not_offered(says: Any):
    code, out, _ = says(" край(покой · зов)", "Δ12 =", "--mask", "bare")
    assert code == 0
    assert "a formula: Δ12 = край(покой · зов)\nthe forest has Δ12 = (" in out
    assert "formulas add" not in out


@pytest.mark.usefixtures("scenes")
@pytest.mark.parametrize("yes", [True, False])
def test_on_a_terminal_the_author_is_asked_whether_to_add_a_formula(
    says: Any, run: Run, monkeypatch: pytest.MonkeyPatch, yes: bool
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: yes)
    _, out, err = says("Δ84 = край(покой · распад)", "Что на краю?", "--mask", "bare")
    assert (out.count("reversible"), "reversible" in err) == (1, False)
    assert ("added: Δ84 = край(" in out) == yes
    assert ("Δ84" in run("formulas", "list")[1]) == yes
