"""Formulas in a forest: added, merged, removed, checked, found near and proposed."""

from __future__ import annotations

import pytest

from anchors.formulas.book import Book, codes_in_use
from anchors.formulas.cores import mine, propose
from anchors.formulas.criteria import check
from anchors.formulas.errors import Cycle, InvalidFormula, NoFreeCode, NotGranted
from anchors.formulas.importing import import_formulas
from anchors.formulas.registry import add, add_scene, compose, expand, merge, remove, scene_of_text
from anchors.formulas.syntax import parse, text_of
from anchors.formulas.vectors import Space, recall
from anchors.formulas.where import shown
from anchors.registry import merge as merge_anchors
from forest import Forest, Tree
from forest.errors import Conflict, InvalidInput, NotFound
from forest.nodes import Link, Node

WATER = "Δ12 = (вода + весна + неясность) = сцена про влечение и расцвет"
SPRING = "Весной вода неясно зовёт"


@pytest.fixture(params=["memory:", "sqlite:///forest.db"])
def store(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Forest.open(request.param) as forest:
        yield forest.store


def plant(store, *trees: tuple[str, ...]) -> None:
    """One tree for each tuple of anchors, which stand on two thoughts."""
    for n, (first, *rest) in enumerate(trees):
        tree = Tree(f"t{n}")
        root = tree.add(f"Корень {n}.", anchors=[first])
        tree.add(f"Шаг {n}.", under=root, anchors=rest)
        Forest(store).add(tree)


def formulas(store) -> list[str]:
    return [text_of(formula) for formula in Book.of(store).formulas.values()]


@pytest.mark.parametrize(
    "text",
    [
        WATER,
        "Δ94 = порог(страх · пустота · наблюдение)_край → «Так.» → «И так.»",
        "Δ12 + Δ41 → Δ91 = (весна + жара — среда + шаг) = «Пробуждение с болью»",
        "Ω3 = [Δ01, Δ02, Δ03]_гармония = «Имя» = раз = два",
        "Λ1 = (Δ12 → Δ41 → Δ57)",
        "⟁ = (вода, лёд)",
    ],
)
def test_a_formula_is_kept_as_it_was_written(store, text):
    assert add(store, text).new
    (kept,) = Book.of(store).formulas.values()
    assert kept == parse(text)
    assert kept.source == text
    assert not add(store, text).changed


def test_a_formula_gets_what_is_added_under_its_code(store):
    add(store, WATER)
    add(store, "Δ12 = (Вода — среда + весна + неясность) = «Зов»")
    with pytest.raises(Conflict, match=r"Δ12 is taken: Δ12 = \(вода"):
        add(store, "Δ12 = (огонь + весна)")
    assert formulas(store) == [
        "Δ12 = (вода — среда + весна + неясность) = «Зов» = сцена про влечение и расцвет"
    ]


def test_a_code_is_granted_when_it_is_not_written(store):
    add(store, "Λ1 = (Δ00 → Δ02)")
    add(store, "Δ01 = пар")
    assert add(store, "порог(страх · пустота)", force=True).formula.code == "Δ03"
    assert add(store, "(Δ01 → Δ03)", force=True).formula.code == "Λ2"
    assert add(store, "[Δ01, Δ03]_покой", force=True).formula.code == "Ω1"
    with pytest.raises(Conflict, match="Δ03 says this already"):
        add(store, "порог(Страх · пустота)", force=True)
    assert codes_in_use(store) == ["Δ00", "Δ01", "Δ02", "Δ03", "Λ1", "Λ2", "Ω1"]
    with pytest.raises(InvalidFormula, match="line 1, column 8"):
        add(store, "(вода +)")
    with pytest.raises(InvalidFormula):
        add(store, "Δ12")


def test_codes_run_out(store):
    nodes = [Node("Formula", f"Δ{n:02}", {}, (Link("TERM", f"a{n}"),)) for n in range(100)]
    store.change_nodes([], lambda _: {node.at: node for node in nodes})
    with pytest.raises(NoFreeCode, match="all 100 codes"):
        add(store, "(вода + лёд)", force=True)
    assert add(store, "🫧 = (вода + лёд)").new
    assert compose(store, ["Δ00", "Δ01"]).formula.code == "Λ1"


def test_merges_and_formulas_of_formulas(store):
    add(store, WATER)
    add(store, "Δ41 = (жара · шаг)")
    merge(store, ["Δ12", "Δ41"], terms="весна + жара + шаг", name="Боль", code="Δ91")
    assert merge(store, ["Δ41", "Δ91"]).formula.terms == parse("Δ00 = жара+шаг+весна").terms
    compose(store, ["Δ12", "Δ91"])
    compose(store, ["Δ12", "Λ1"], letter="Ω", label="покой")
    assert formulas(store)[0] == "Δ41 + Δ91 → Δ00 = (жара + шаг + весна)"
    assert formulas(store)[3:] == [
        "Δ12 + Δ41 → Δ91 = (весна + жара + шаг) = «Боль»",
        "Λ1 = (Δ12 → Δ91)",
        "Ω1 = [Δ12, Λ1]_покой",
    ]
    add_scene(store, "Δ41", "Пульс", register="телесно")
    outline = ["  " * step.level + step.code for step, _ in expand(store, "Ω1")]
    assert outline == ["Ω1", "  Δ12", "  Λ1", "    Δ12", "    Δ91", "      Δ12", "      Δ41"]
    assert [s.text for _, said in expand(store, "Ω1", register="bodily") for s in said] == ["Пульс"]
    with pytest.raises(NotFound, match="Δ57"):
        merge(store, ["Δ12", "Δ57"])
    with pytest.raises(InvalidInput, match="two formulas"):
        compose(store, ["Δ12"])


def test_a_formula_cannot_become_a_part_of_itself(store):
    add(store, "Λ1 = (Δ12 → Λ2)")
    with pytest.raises(Cycle, match="Λ2 is a part of itself"):
        add(store, "Λ2 = (Δ41 → Λ1)")
    assert formulas(store) == ["Λ1 = (Δ12 → Λ2)"]


def test_what_others_are_made_of_is_not_removed(store):
    add(store, WATER, scenes=[scene_of_text("Зов")])
    add(store, "Λ1 = (Δ12 → Δ41)")
    with pytest.raises(Conflict, match="Δ12 is a part of Λ1"):
        remove(store, "Δ12")
    remove(store, "Λ1")
    assert remove(store, "\u220612").code == "Δ12"
    assert list(store.all_nodes()) == []
    with pytest.raises(NotFound):
        remove(store, "Δ12")


def test_a_scene_has_register_language_and_origin(store):
    add(store, WATER + " → «Она тает.»")
    add_scene(store, "Δ12", SPRING, register="поэтически", origin="mask Δ12_poet")
    add_scene(store, "Δ12", SPRING, register="bodily", lang="uk")
    (scene, phrase) = Book.of(store).voices("Δ12")
    assert (scene.text, scene.register, scene.lang) == (SPRING, "bodily", "uk")
    assert (phrase.text, phrase.register, phrase.lang) == ("Она тает.", "", "ru")
    with pytest.raises(NotFound, match="Δ41"):
        add_scene(store, "Δ41", "нет")


def test_show_says_where_a_formula_stands(store):
    plant(store, ("Вода", "лёд"), ("воды", "весна"))
    tree = Tree("named")
    tree.add("См. \u220612, не Δ123 и не Δ13.")
    Forest(store).add(tree)
    add(store, WATER)
    found = shown(store, "Δ12")
    assert found.trees == {"вода": ["t0", "t1"], "весна": ["t1"], "неясность": []}
    assert [mention.tree for mention in found.mentions] == ["named"]


# --- criteria -------------------------------------------------------------------------------------

SCENES = [
    scene_of_text(SPRING, register="poetic"),
    scene_of_text("Вода: весна", register="logical"),
]
TOGETHER = [("вода", "весны", "неясность")] * 6 + [(f"a{n}", f"b{n}") for n in range(60)]


def met(report) -> dict[str, bool]:
    return {criterion.name: criterion.met for criterion in report.criteria}


def test_the_criteria_are_met_by_what_recurs_and_is_voiced(store):
    plant(store, *TOGETHER)
    added = add(store, "(воды + весна + неясность)", scenes=SCENES)
    assert added.formula.code == "Δ00"
    assert added.check
    assert added.check.trees == ("t0", "t1", "t2", "t3", "t4", "t5")
    assert check(store, "Δ00").met


def test_each_criterion_fails_by_itself(store):
    plant(store, *TOGETHER)
    text = "(вода + весна + неясность)"
    assert met(check(store, text, scenes=SCENES, trees=7)) == {
        "stable": False, "reproducible": False, "registers": True, "reversible": True,
    }  # fmt: skip
    assert not met(check(store, text, scenes=SCENES[:1]))["registers"]
    assert not met(check(store, "(a1 + b1)", scenes=SCENES))["reproducible"]
    stray = [*SCENES, scene_of_text("Огонь и лёд")]
    add(store, "Δ13 = (огонь + лёд)")
    report = check(store, text, scenes=stray)
    assert report.recall == pytest.approx(2 / 3)
    assert "«Огонь и лёд» finds Δ13" in report.unmet[0]
    with pytest.raises(NotGranted, match=r"(?s)reversible: .*--force") as error:
        add(store, text, scenes=stray)
    assert error.value.hint
    assert formulas(store) == ["Δ13 = (огонь + лёд)"]


def test_merged_anchors_count_as_one(store):
    plant(store, ("вода", "весна"), ("влага", "весна"))
    add(store, "Δ12 = (вода + весна)")
    assert check(store, "Δ12").trees == ("t0",)
    merge_anchors(store, "влага", "вода")
    assert check(store, "Δ12").trees == ("t0", "t1")


# --- vectors --------------------------------------------------------------------------------------


def test_a_text_is_compressed_to_the_nearest_formula(store):
    add(store, WATER, scenes=SCENES)
    add(store, "Δ13 = (огонь + лёд)", scenes=[scene_of_text("Ледяной огонь")])
    space = Space(Book.of(store))
    assert [near.code for near in space.near("в весенней воде")] == ["Δ12", "Δ13"]
    assert recall(space.held_out()) == 1
    assert [h.nearest for h in space.held_out("Δ13")] == ["Δ13"]
    add_scene(store, "Δ13", "Вода весны")
    add_scene(store, "Δ13", "🌙")
    held_out = Space(Book.of(store)).held_out()
    assert {h.scene.text: h.nearest for h in held_out if not h.found} == {
        "Вода весны": "Δ12", "🌙": "",
    }  # fmt: skip
    assert recall(held_out) == pytest.approx(3 / 5)
    assert Space(Book()).near("вода") == []


def test_any_embedder_will_do(store):
    import numpy as np

    class Lengths:
        fingerprint = "odd or even"

        def embed(self, texts):
            odd = np.array([len(text) % 2 for text in texts])
            return np.stack([odd, 1 - odd], axis=1).astype(np.float32)

    add(store, "Δ01 = (пар)")
    add(store, "Δ02 = (пара)")
    assert Space(Book.of(store), Lengths()).near("лёд!")[0].code == "Δ02"


# --- cores ----------------------------------------------------------------------------------------


def test_what_stands_together_more_than_by_chance_is_proposed(store):
    pair = [("пара", "тройка")] * 2 + [("пара", "x"), ("пара", "y"), ("тройка", "z")]
    plant(store, *(("всюду", *anchors) for anchors in TOGETHER), *pair)
    add(store, "Δ12 = (неясность + вода + весна)")
    (core,) = propose(store).maximal()
    assert sorted(core.phrases) == ["весны", "вода", "неясность"]
    assert (core.trees, core.code) == (6, "Δ12")
    assert core.by_chance < 0.05
    by_chance = propose(store, by_chance=1e9).maximal()
    assert {"пара", "тройка"} in [set(c.phrases) for c in by_chance]
    assert formulas(store) == ["Δ12 = (неясность + вода + весна)"]


def test_a_pair_with_a_third_beside_it_is_no_core_of_three():
    trees = [{"a", "b", "c"}] * 5 + [{"a", "b"}] * 5 + [{"c"}] * 15 + [set()] * 75
    assert [core.anchors for core in mine(trees).cores] == [("b", "a")]


def test_independent_anchors_are_not_proposed(store):
    plant(store, *[(f"a{n % 2}", f"b{n % 3}", f"c{n % 5}") for n in range(60)])
    assert propose(store).cores == []


# --- notes ----------------------------------------------------------------------------------------


def test_formulas_of_notes_are_imported_again_and_again(store, tmp_path):
    note = tmp_path / "note.md"
    note.write_text(f"{WATER}\n\nФормула Δ12 говорит:\n- телесно: «Пульс»\n\nсм. Δ57. Δ7 = x\n")
    (tmp_path / "trees.json").write_text("{")
    done = import_formulas(store, [tmp_path])
    assert (done.added, done.scenes) == (["Δ12"], 1)
    assert [n.removeprefix(str(tmp_path) + "/") for n in done.notices] == [
        "note.md: no formula: line 6, column 10: Δ7 has one digit, a Δ code has two: write Δ07",
        "note.md: named, and defined nowhere: Δ57 (line 6)",
    ]
    assert import_formulas(store, [note]).unchanged == ["Δ12"]
    note.write_text("Δ12 = (огонь + лёд)")
    left = import_formulas(store, [note])
    assert "note.md:1: left out: the code Δ12 is taken" in left.notices[0]
    assert formulas(store) == [WATER]
    assert import_formulas(store, [note], replace=True).changed == ["Δ12"]
    assert formulas(store) == ["Δ12 = (огонь + лёд)"]


def test_the_owners_seed_is_imported(store, shared):
    done = import_formulas(store, [shared / "seeds/2-formulas.md"])
    assert sorted(done.added) == ["Δ12", "Δ41", "Δ84", "Δ91", "Δ94", "Λ1", "Ω3"]
    assert {s.register for s in Book.of(store).voices("Δ41")} == {
        "", "logical", "poetic", "bodily", "emoji",
    }  # fmt: skip
