"""Formulas in a forest: added, merged, removed, checked, found near and proposed."""

from __future__ import annotations

import os
from dataclasses import replace
from math import comb
from pathlib import Path

import pytest

from anchors.embedding import HashedEmbedder
from anchors.formulas import vectors
from anchors.formulas.book import Book, codes_in_use
from anchors.formulas.cores import PLAIN, by_chance, mine, propose
from anchors.formulas.criteria import check
from anchors.formulas.errors import Cycle, InvalidFormula, NoFreeCode, NotGranted
from anchors.formulas.importing import import_formulas
from anchors.formulas.model import Scene
from anchors.formulas.notes import formulas_in
from anchors.formulas.registry import (
    add,
    add_scene,
    compose,
    expand,
    merge,
    remove,
    remove_scene,
    scene_of_text,
)
from anchors.formulas.syntax import parse, text_of
from anchors.formulas.vectors import Space, recall
from anchors.formulas.where import shown
from anchors.importing import import_files
from anchors.registry import merge as merge_anchors
from anchors.registry import refuse as refuse_anchors
from anchors.registry import rename as rename_anchor
from forest import Forest, Tree
from forest.errors import Conflict, InvalidInput, NotFound
from forest.nodes import Link, Node
from forest.sample import sample_folder
from scripts.measure_formulas import anchors_of, book_of

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


def test_a_second_code_for_one_core_is_refused(store):
    add(store, "Δ12 = (вода + весна)")
    add(store, "Δ41 = жар")
    merge(store, ["Δ12", "Δ41"])
    with pytest.raises(Conflict, match="Δ12 says this already") as error:
        add(store, "Δ13 = (весны · воды)")
    assert "--force" in str(error.value)
    with pytest.raises(Conflict, match="Δ00 says this already"):
        merge(store, ["Δ41", "Δ12"])
    assert list(Book.of(store).formulas) == ["Δ00", "Δ12", "Δ41"]
    assert add(store, "Δ13 = (весны · воды)", force=True).new
    assert add(store, "Δ14 = порог(вода + весна)").new
    assert add(store, "Δ15 = (вода → весна)").new


@pytest.mark.parametrize(
    ("act", "meanwhile", "said"),
    [
        (lambda s: compose(s, ["Δ00", "Δ01"]), lambda s: compose(s, ["Δ00", "Δ01"]), "Λ1 says"),
        (lambda s: merge(s, ["Δ00", "Δ01"]), lambda s: merge(s, ["Δ01", "Δ00"]), "Δ02 says"),
        (lambda s: add(s, "Δ71 = (пар + воды)"), lambda s: add(s, "Δ70 = (вода + пар)"), "Δ70"),
        (lambda s: add(s, "Δ70 = (путь + дом)"), lambda s: add(s, "Δ70 = (вода + пар)"), "taken"),
    ],
)
def test_a_core_has_one_code_however_many_add_it_at_once(store, act, meanwhile, said):
    for text in ("Δ00 = (лёд + дом)", "Δ01 = (снег + сад)"):
        add(store, text)
    change = store.change_nodes

    def after_another(labels, made):
        patch.undo()
        meanwhile(store)
        change(labels, made)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "change_nodes", after_another)
        with pytest.raises(Conflict, match=said) as caught:
            act(store)
    assert "Write Λ1" not in str(caught.value)
    assert len(formulas(store)) == 3


def test_a_code_that_a_thought_names_is_not_granted_to_something_else(store):
    tree = Tree("t")
    tree.add("Сначала \u220600, потом Δ01, а Λ1 их связывает.")
    Forest(store).add(tree)
    assert add(store, "Δ10 = лёд").new
    assert merge(store, ["Δ10", add(store, "жар", force=True).formula.code]).formula.code == "Δ03"
    assert compose(store, ["Δ02", "Δ10"]).formula.code == "Λ2"
    every = Tree("every")
    every.add(", ".join(f"Δ{n:02}" for n in range(100)))
    Forest(store).add(every)
    with pytest.raises(NoFreeCode, match="or named by thoughts"):
        add(store, "(вода + лёд)", force=True)


def test_where_codes_ran_out_those_that_formulas_only_name_are_told(store):
    nodes = [Node("Formula", f"Δ{n:02}", {}, (Link("TERM", f"a{n}"),)) for n in range(98)]
    store.change_nodes([], lambda _: {node.at: node for node in nodes})
    add(store, "Λ1 = (Δ00 → Δ98 → Δ99)")
    with pytest.raises(NoFreeCode, match=r"Write one in front that is only named \(Δ98, Δ99\)"):
        add(store, "(вода + лёд)", force=True)
    assert add(store, "Δ98 = (вода + лёд)").new


def test_what_is_merged_or_composed_is_there_and_the_refusal_says_how_to_name_what_is_not(store):
    add(store, WATER)
    for act in (merge, compose):
        with pytest.raises(NotFound, match=r"no formula Δ57\n.*`forest formulas add` takes"):
            act(store, ["Δ12", "Δ57"])
    assert add(store, "Λ1 = (Δ12 → Δ57)").undefined == ("Δ57",)


def test_the_criteria_are_worked_out_for_whatever_gets_a_code(store):
    plant(store, ("вода", "весна"), ("воды", "весны"))
    assert met(add(store, "Δ12 = (вода + весна)").check)["stable"]
    add(store, "Δ13 = (лёд)")
    assert not met(merge(store, ["Δ12", "Δ13"]).check)["stable"]
    assert not met(compose(store, ["Δ12", "Δ13"]).check)["registers"]
    assert add(store, "Δ12 = (вода + весна) = «Имя»").check is None


def test_parts_that_nobody_defined_are_named(store):
    add(store, "Δ12 = вода")
    assert add(store, "Λ1 = (Δ12 → Δ41 → Δ57)").undefined == ("Δ41", "Δ57")
    with pytest.raises(InvalidInput, match="not merged with itself"):
        merge(store, ["Δ12", "Δ12"])


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


def test_a_scene_is_known_by_register_language_and_text(store):
    add(store, WATER + " → «Она тает.»")
    assert add_scene(store, "Δ12", SPRING, register="поэтически").new
    assert add_scene(store, "Δ12", SPRING, register="bodily", lang="uk").new
    again = add_scene(store, "Δ12", SPRING, register="poetic", origin="mask Δ12_poet")
    assert (again.new, again.scene.origin) == (False, "authored")
    voices = {(s.text, s.register, s.lang, s.origin) for s in Book.of(store).voices("Δ12")}
    assert voices == {
        (SPRING, "poetic", "ru", "authored"),
        (SPRING, "bodily", "uk", "authored"),
        ("Она тает.", "", "ru", "authored"),
    }
    with pytest.raises(NotFound, match="Δ41"):
        add_scene(store, "Δ41", "нет")


def test_one_scene_is_removed(store):
    add(store, WATER + " → «Она тает.»")
    for register in ("poetic", "bodily"):
        add_scene(store, "Δ12", SPRING, register=register)
    with pytest.raises(Conflict, match=r"(?s)2 scenes of Δ12 .*--register"):
        remove_scene(store, "Δ12", SPRING)
    assert remove_scene(store, "Δ12", SPRING, register="телесно").register == "bodily"
    assert remove_scene(store, "Δ12", SPRING).register == "poetic"
    with pytest.raises(NotFound, match="no scene of Δ12 is"):
        remove_scene(store, "Δ12", SPRING)
    with pytest.raises(NotFound, match="says this itself"):
        remove_scene(store, "Δ12", "Она тает.")


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


def test_the_terms_of_few_parts_do_not_make_their_linkage_stable(store):
    plant(store, *TOGETHER)
    add(store, "Δ12 = (вода + весна + неясность)")
    add(store, "Λ1 = (Δ12 → Δ41 → Δ57)")
    add(store, "Λ2 = (Λ1 → Δ12)")
    for code in ("Λ1", "Λ2"):
        report = check(store, code)
        assert not met(report)["stable"]
        assert not met(report)["reproducible"]
        assert "not defined: Δ41, Δ57: only the terms of the other parts" in report.unmet[0]
    add(store, "Δ41 = порог(вода · весна)")
    for code in ("Λ1", "Λ2"):
        report = check(store, code)
        assert met(report)["stable"]
        assert "not defined: Δ57" in report.criteria[0].said
    # Of two parts one is open: how many formulas the other one is made of does not outweigh it.
    add(store, "Λ3 = (Λ1 → Δ58)")
    assert not met(check(store, "Λ3"))["stable"]
    add(store, "Δ57 = (вода → весна)")
    assert "not defined" not in check(store, "Λ1").criteria[0].said
    assert not met(check(store, "Λ3"))["stable"]


# --- vectors --------------------------------------------------------------------------------------


def test_what_many_formulas_say_tells_them_apart_the_least(monkeypatch):
    with sample_folder() as folder, Forest.open("memory:") as forest:
        forest.import_files([folder])
        book = book_of(anchors_of(forest.store))
    weighed = recall(Space(book).held_out()) or 0
    monkeypatch.setattr(vectors, "PRIOR", 10**12)  # all places of a vector count the same
    assert weighed > (recall(Space(book).held_out()) or 0) + 0.05


def test_a_text_is_compressed_to_the_nearest_formula(store):
    add(store, WATER, scenes=SCENES)
    add(store, "Δ13 = (огонь + лёд)", scenes=[scene_of_text("Ледяной огонь")])
    space = Space(Book.of(store))
    assert [near.code for near in space.near("в весенней воде")] == ["Δ12"]
    assert recall(space.held_out()) == 1
    assert [h.nearest for h in space.held_out("Δ13")] == ["Δ13"]
    add_scene(store, "Δ13", "Вода весны")
    add_scene(store, "Δ13", "🌙")
    held_out = Space(Book.of(store)).held_out()
    assert {h.scene.text: h.nearest for h in held_out if not h.found} == {
        "Вода: весна": "Δ13", "Вода весны": "Δ12", "🌙": "",
    }  # fmt: skip
    assert recall(held_out) == pytest.approx(2 / 5)


def test_nothing_is_near_to_nothing(store):
    assert Space(Book()).near("вода") == []
    add(store, WATER)
    assert Space(Book.of(store)).near("") == Space(Book.of(store)).near("🌙") == []


def test_a_formula_is_found_by_its_signs(store):
    add(store, "Δ12 = (вода)", scenes=[Scene("🌊🌸", register="emoji")])
    add(store, "Δ41 = (жар)", scenes=[Scene("⟁🜂", register="emoji"), Scene("🜂")])
    space = Space(Book.of(store))
    assert [near.code for near in space.near("🌸")] == ["Δ12"]
    assert [near.code for near in space.near("🜂⟁!")] == ["Δ41"]
    assert {h.scene.text: h.nearest for h in space.held_out()} == {
        "🌊🌸": "", "⟁🜂": "Δ41", "🜂": "Δ41",
    }  # fmt: skip


def test_what_has_nothing_of_a_text_is_not_near_to_it_by_chance(store):
    add(store, WATER, scenes=SCENES)
    space = Space(Book.of(store), HashedEmbedder(dimensions=8))
    assert [near.code for near in space.near("вода")] == ["Δ12"]
    assert space.near("xylophone") == space.near("日本語の文") == []
    add_scene(store, "Δ12", "xylophone")
    held_out = Space(Book.of(store), HashedEmbedder(dimensions=8)).held_out()
    assert [h.nearest for h in held_out if h.scene.text == "xylophone"] == [""]


def test_a_code_in_a_text_finds_its_formula_first(store):
    add(store, "Δ12 = (вода)")
    add(store, "Δ41 = (жар)")
    add(store, "Λ1 = (Δ12 → Δ41)")
    space = Space(Book.of(store))
    assert [(n.code, n.score) for n in space.near("\u220641")] == [("Δ41", 1.0)]
    assert [n.code for n in space.near("вода после Λ1, Δ99", most=2)] == ["Λ1", "Δ12"]


def test_one_formula_alone_makes_no_other(store):
    add(store, "Δ12 = (вода)")
    for make in (
        lambda: add(store, "Λ9 = (Δ12)"),
        lambda: compose(store, ["Δ12"]),
        lambda: compose(store, ["Δ12", "Δ12"]),
    ):
        with pytest.raises(InvalidInput, match="two"):
            make()
    assert list(Book.of(store).formulas) == ["Δ12"]


def test_the_formula_of_just_these_terms_is_nearer_than_one_that_has_more(store):
    add(store, WATER, scenes=[scene_of_text("Долгая сцена совсем о другом")])
    for text in ("Λ1 = (Δ12 → Δ41)", "Δ41 = (жар)", "Δ13 = (вода + весна + неясность + лёд)"):
        add(store, text)
    near = Space(Book.of(store)).near("вода весна неясность")
    assert near[0].code == "Δ12"
    assert near[0].score > 0.95


def test_a_scene_in_two_registers_is_not_found_by_its_other_self(store):
    add(store, "Δ12 = (вода)")
    for register in ("poetic", "bodily"):
        add_scene(store, "Δ12", "Пульс", register=register)
    assert [h.nearest for h in Space(Book.of(store)).held_out()] == [""]


def test_a_scene_of_what_nobody_defined_finds_nothing_and_ends_nothing(store, tmp_path):
    """Left without its one scene, the formula has nothing that a text could be near to."""
    note = tmp_path / "note.md"
    note.write_text("Ω3 = [Δ01, Δ02, Δ03]\n- поэтически: «Тишина стоит»\n\nΔ30 = (вода + лёд)")
    done = import_formulas(store, [note])
    assert "Ω3: stable no, reproducible no, registers no, reversible no" in done.summary
    reversible = check(store, "Ω3").criteria[-1]
    assert not reversible.met
    assert reversible.said.startswith("found again from 0 of its 1 scene, among 2 formulas")
    held_out = Space(Book.of(store)).held_out()
    assert [(h.code, h.nearest) for h in held_out] == [("Ω3", "")]
    assert recall(held_out) == 0


def test_any_embedder_will_do(store):
    import numpy as np

    class Lengths:
        fingerprint = "odd or even"

        def embed(self, texts):
            odd = np.array([len(text) % 2 for text in texts])
            return np.stack([odd, 1 - odd], axis=1).astype(np.float32)

    add(store, "Δ01 = (лес)")
    add(store, "Δ02 = (поле)")
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


def test_the_chance_of_a_core_is_that_of_its_least_significant_split():
    both = [{"a", "b", "c"}] * 2 + [{"b", "c"}] * 4
    stand = [*both, *[{"a"}] * 6, *[{"b"}] * 9, *[set[str]()] * 9]
    carried = {f"t{i}": there for i, there in enumerate(stand)}

    def tail(one: int, other: int) -> float:
        ways = (comb(one, n) * comb(30 - one, other - n) for n in range(2, min(one, other) + 1))
        return sum(ways) / comb(30, other)

    splits = tail(6, 2), tail(15, 2), tail(8, 6)
    trees, p = by_chance(carried, ("a", "b", "c"))
    assert (trees, round(p, 9)) == (2, round(max(splits), 9))
    assert min(splits) < PLAIN < max(splits)


# --- notes ----------------------------------------------------------------------------------------


def test_what_a_formula_names_and_its_own_note_could_not_define_is_said(store, tmp_path):
    note = tmp_path / "note.md"
    note.write_text("Λ1 = (Λ2 → Δ12)\n\nΛ2 = (Λ1 → Δ12)\n\nΔ12 = (вода)\n")
    done = import_formulas(store, [note])
    assert sorted(done.added) == ["Δ12", "Λ1"]
    assert "Λ2" in done.notices[0]
    assert done.notices[-1].endswith("named, and defined nowhere: Λ2 (line 1)")


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
    assert [check.code for check in done.checks] == ["Δ12"]
    assert "Δ12: stable no" in done.summary


def test_a_note_that_changed_changes_what_came_from_it(store, tmp_path):
    note = tmp_path / "note.md"
    note.write_text(WATER + "\n\nΔ12 говорит:\n- телесно: Пульс\n- логически: Порог\n\nΔ13 = пар")
    import_formulas(store, [note])
    add_scene(store, "Δ12", "Зов", register="poetic")
    note.write_text("Δ12 = (огонь + лёд)\n\nΔ12 говорит:\n- телесно: Пульс\n- логически: Край")
    done = import_formulas(store, [note])
    assert (done.changed, done.scenes, done.removed) == (["Δ12"], 1, 1)
    assert "Δ13 came from it and is not defined in it any more; it stays" in done.notices[0]
    assert formulas(store) == ["Δ12 = (огонь + лёд)", "Δ13 = (пар)"]
    assert {s.text for s in Book.of(store).voices("Δ12")} == {"Пульс", "Край", "Зов"}
    assert import_formulas(store, [note]).unchanged == ["Δ12"]


def test_a_formula_whose_note_is_gone_from_its_folder_is_named(store, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("Δ70 = (вода + лёд)\n- телесно: «Холодно рукам»\n\n🫧 = (пар)\n")
    (notes / "b.md").write_text("Δ71 = (снег + дом)\n")
    assert set(import_formulas(store, [notes]).added) == {"Δ70", "Δ71", "🫧"}
    (notes / "a.md").unlink()
    assert import_formulas(store, [notes / "b.md"]).notices == []
    done = import_formulas(store, [notes])
    assert [n.partition(": ")[2].split()[0] for n in done.notices] == ["Δ70", "🫧"]
    assert all("is not defined in it any more; it stays" in n for n in done.notices)
    assert (done.removed, done.left_out) == (0, [])


def test_a_note_that_lies_elsewhere_is_not_gone_from_the_working_folder(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    notes = [home / "a.md", tmp_path / "b.md"]
    for n, note in enumerate(notes):
        note.write_text(f"Δ7{n} = (вода + лёд)\n")
    with Forest.open("sqlite:///forest.db") as forest:
        import_formulas(forest.store, notes)
        notes[0].unlink()
        told = [n for n in import_formulas(forest.store, ["."]).notices if "came from it" in n]
    assert [n.partition(" came")[0] for n in told] == ["a.md: Δ70"]


def test_what_another_note_says_holds_where_the_first_is_gone(store, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("Δ60 = (вода + лёд)\n")
    (notes / "b.md").write_text("Δ60 = (весна + лето)\n")
    assert import_formulas(store, [notes]).left_out == ["Δ60"]
    (notes / "a.md").unlink()
    done = import_formulas(store, [notes])
    assert (done.changed, done.left_out, done.notices) == (["Δ60"], [], [])
    assert formulas(store) == ["Δ60 = (весна + лето)"]
    (notes / "b.md").rename(notes / "c.md")
    assert import_formulas(store, [notes]).unchanged == ["Δ60"]
    assert import_formulas(store, [notes / "c.md"]).unchanged == ["Δ60"]


def test_a_note_that_was_renamed_defines_its_formula_still(store, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "f.md").write_text("Δ60 = (вода + лёд)\n")
    (notes / "g.md").write_text("Δ60 = (весна + лето)\n")
    import_formulas(store, [notes])
    (notes / "f.md").rename(notes / "h.md")
    for _ in range(2):
        done = import_formulas(store, [notes])
        assert (done.changed, done.left_out, done.unchanged) == ([], ["Δ60"], ["Δ60"])
        assert "g.md:1: left out: " in done.notices[0]


def test_a_formula_in_a_folder_that_cannot_be_read_is_not_gone(store, tmp_path, monkeypatch):
    closed = tmp_path / "notes" / "closed"
    closed.mkdir(parents=True)
    (closed / "a.md").write_text("Δ70 = (вода + лёд)\n")
    import_formulas(store, [closed.parent])
    scandir = os.scandir

    def guarded(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert import_formulas(store, [closed.parent], keep_going=True).notices == []


def test_what_was_edited_here_stays_and_is_named_where_the_note_changed_too(store, tmp_path):
    note = tmp_path / "note.md"
    note.write_text(WATER)
    import_formulas(store, [note])
    add(store, "Δ12 = (вода + весна + неясность) = «Имя»")
    assert import_formulas(store, [note]).kept == ["Δ12"]
    note.write_text("Δ12 = (вода + весна + неясность) = зов")
    (notice,) = import_formulas(store, [note]).notices
    assert "note.md:1: left out: Δ12 was edited in the forest, and here too" in notice
    assert "--replace" in notice
    assert formulas(store) == [WATER.replace(" = сц", " = «Имя» = сц")]
    assert import_formulas(store, [note], replace=True).changed == ["Δ12"]
    assert formulas(store) == ["Δ12 = (вода + весна + неясность) = зов"]


def test_what_only_the_forest_changed_stays(store, tmp_path):
    note = tmp_path / "note.md"
    note.write_text("Δ12 = порог(вода + лёд)\n\nΔ12 говорит:\n- телесно: Пульс")
    import_formulas(store, [note])

    def edited(old):
        formula, scene = old["Formula", "Δ12"], next(n for n in old.values() if n.label == "Scene")
        return {
            node.at: replace(node, properties={**node.properties, name: "край"})
            for node, name in ((formula, "operator"), (scene, "text"))
        }

    store.change_nodes(["Formula", "Scene"], edited)
    done = import_formulas(store, [note])
    assert (done.kept, done.scenes, done.removed, done.notices) == (["Δ12"], 0, 0, [])
    assert formulas(store) == ["Δ12 = край(вода + лёд)"]
    assert [s.text for s in Book.of(store).voices("Δ12")] == ["край"]
    note.write_text("Δ12 = порог(вода + лёд)")
    assert "the scene «край» of Δ12" in import_formulas(store, [note]).notices[0]
    assert import_formulas(store, [note], replace=True).removed == 1


def test_what_was_typed_here_is_not_changed_by_a_note(store, tmp_path):
    add(store, "Δ12 = (огонь + лёд)")
    note = tmp_path / "note.md"
    note.write_text(WATER)
    assert "the code Δ12 is taken" in import_formulas(store, [note]).notices[0]
    note.write_text("Δ12 = (огонь + лёд) = «Имя»\n\nΔ13 = (льды + огни)")
    done = import_formulas(store, [note])
    assert (done.added, done.changed) == (["Δ13"], ["Δ12"])
    assert done.notices == ["Δ13 has the same core as Δ12"]


def test_a_formula_may_stand_in_several_notes(store, tmp_path):
    one, other = tmp_path / "a.md", tmp_path / "b.md"
    one.write_text("Δ12 = (вода + весна)\n\nΔ12:\n- телесно: Пульс")
    other.write_text("Δ12 = (вода + весна) = «Имя»\n\nΔ12:\n- телесно: Пульс")
    import_formulas(store, [one])
    assert import_formulas(store, [other]).changed == ["Δ12"]
    assert import_formulas(store, [one]).kept == []
    one.write_text("Δ12 = (вода + лёд)")
    assert "came from" in import_formulas(store, [one]).notices[0]
    assert [s.text for s in Book.of(store).voices("Δ12")] == ["Пульс"]  # the other says it still
    other.write_text("Δ12:\n- телесно: Пульс")
    assert import_formulas(store, [tmp_path]).changed == ["Δ12"]
    assert formulas(store) == ["Δ12 = (вода + лёд)"]
    assert [s.text for s in Book.of(store).voices("Δ12")] == ["Пульс"]


def test_the_owners_seed_is_imported(store, shared):
    done = import_formulas(store, [shared / "seeds/2-formulas.md"])
    assert sorted(done.added) == ["Δ12", "Δ41", "Δ84", "Δ91", "Δ94", "Λ1", "Ω3"]
    assert {s.register for s in Book.of(store).voices("Δ41")} == {
        "", "logical", "poetic", "bodily", "emoji",
    }  # fmt: skip


def test_another_note_does_not_change_a_formula(store, tmp_path):
    one, other = tmp_path / "a.md", tmp_path / "b.md"
    one.write_text("Δ50 = порог(страх · пустота) = «Край»")
    import_formulas(store, [one])
    one.write_text("пусто")
    add(store, "Δ60 = (ночь + окно)")
    for said in ("В опыте Δ50=(Δ51), как и ждали.", "Δ50 = (лес + тень)"):
        other.write_text(f"{said}\n\nВ таблице Δ60=(Δ61) всегда.")
        done = import_formulas(store, [tmp_path])
        assert (done.changed, done.left_out) == ([], ["Δ50", "Δ60"])
        assert "b.md:1: left out: the code Δ50 is taken" in "".join(done.notices)
        assert formulas(store) == [
            "Δ50 = порог(страх · пустота) = «Край»", "Δ60 = (ночь + окно)",
        ]  # fmt: skip


def test_a_formula_that_went_to_another_note_is_edited_there(store, tmp_path):
    one, other = tmp_path / "a.md", tmp_path / "b.md"
    scenes = "\n\n- телесно: «Пульс»\n- поэтически: «Лёд ушёл»"
    one.write_text("Δ50 = (вода + весна)" + scenes)
    other.write_text("О другом.")
    import_formulas(store, [tmp_path])
    one.write_text("О воде.")
    other.write_text("Δ50 = (вода + лёд)" + scenes)
    done = import_formulas(store, [tmp_path])
    assert (done.changed, done.removed, formulas(store)) == (["Δ50"], 0, ["Δ50 = (вода + лёд)"])
    assert import_formulas(store, [tmp_path]).unchanged == ["Δ50"]
    add(store, "Δ50 = (вода + лёд) = «Ледоход»")
    other.write_text("О доме.")
    one.write_text("Δ50 = (вода + град)" + scenes)
    done = import_formulas(store, [tmp_path])
    assert (done.left_out, done.removed) == (["Δ50"], 0)
    assert len(Book.of(store).voices("Δ50")) == 2
    assert "edited in the forest, and here too" in done.notices[0]
    assert "b.md defines it no more; --replace" in done.notices[0]


@pytest.mark.parametrize("kept", ["a.md", "b.md"])
def test_a_scene_that_a_note_says_no_more_goes_though_a_copy_of_it_was_deleted(tmp_path, kept):
    notes = [tmp_path / "v" / name for name in ("a.md", "b.md")]
    notes[0].parent.mkdir()
    for note in notes:
        note.write_text("Δ50 = (вода + весна)\n\n- телесно: «Раз»\n- поэтически: «Два»")
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        store = forest.store
        import_formulas(store, notes[:1])
        import_formulas(store, [tmp_path / "v"])
        living = tmp_path / "v" / kept
        next(note for note in notes if note != living).unlink()
        assert import_formulas(store, [tmp_path / "v"]).removed == 0
        living.write_text("Δ50 = (вода + весна)\n\n- телесно: «Раз и снова»")
        assert import_formulas(store, [tmp_path / "v"]).removed == 2
        living.write_text("Δ50 = (вода + весна)\n\n- телесно: «Раз»")
        done = import_formulas(store, [tmp_path / "v"])
        assert (done.scenes, done.removed, done.stay_removed) == (1, 1, 0)
        living.unlink()
        assert import_formulas(store, [tmp_path / "v"]).removed == 0
        assert [s.text for s in Book.of(store).voices("Δ50")] == ["Раз"]


@pytest.mark.parametrize("edited", ["", "\n- телесно: «Пальцы мёрзнут»"])
def test_scenes_follow_a_note_that_only_voices_a_formula(tmp_path, edited):
    vault = tmp_path / "v"
    vault.mkdir()
    (vault / "a.md").write_text("# Вода\n\nΔ12 = (вода + весна)\n")
    said = "# Дневник\n\nПроза о том, как утром шли по реке.\n\nΔ12:\n- телесно: «Холод»"
    (vault / "b.md").write_text(f"{said}\n- телесно: «Пальцы стынут»\n")
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        import_files(forest, [vault])
        (vault / "b.md").unlink()
        (vault / "c.md").write_text(said + edited)
        import_files(forest, [vault])
        voiced = {s.text: s.origin for s in Book.of(forest.store).voices("Δ12")}
        texts = ["Холод", *(["Пальцы мёрзнут"] if edited else [])]
        assert voiced == dict.fromkeys(texts, "v/c.md")


def test_formulas_follow_a_folder_that_was_renamed(tmp_path):
    note = "Δ50 = (вода + {})\n\n- телесно: «{}»\n- поэтически: «Лёд ушёл»"
    old, new = tmp_path / "v", tmp_path / "vault"
    old.mkdir()
    (old / "a.md").write_text(note.format("весна", "Раз"))
    (old / "b.md").write_text("Δ60 = (дом + сад)")
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        store = forest.store
        import_formulas(store, [old])
        old.rename(new)
        (new / "a.md").write_text(note.format("лёд", "Раз и два"))
        done = import_formulas(store, [new])
        assert (done.changed, done.left_out, done.notices) == (["Δ50"], [], [])
        voiced = {s.text: s.origin for s in Book.of(store).voices("Δ50")}
        assert voiced == dict.fromkeys(["Раз и два", "Лёд ушёл"], "vault/a.md")
        (new / "c.md").write_text("Δ60 = (ночь + окно)")
        (new / "b.md").unlink()
        assert import_formulas(store, [new / "c.md"]).left_out == ["Δ60"]  # nothing of it


def test_an_import_says_how_a_formula_changed_and_counts_what_list_counts(store, tmp_path):
    note = tmp_path / "a.md"
    note.write_text("Δ50 = (лес + тень)")
    import_formulas(store, [note])
    note.write_text("Δ50 = (лес + сон) → «Тихо» → «Темно»\n- телесно: «Дрожь»")
    done = import_formulas(store, [note])
    assert done.scenes == len(Book.of(store).voices("Δ50")) == 3
    assert (
        "  changed: Δ50 = (лес + сон) → «Тихо» → «Темно»; it was Δ50 = (лес + тень)" in done.summary
    )


def test_a_scene_that_was_removed_here_stays_removed_while_its_note_says_the_same(store, tmp_path):
    note, scenes = tmp_path / "s.md", "Δ40 = (лес + тень)\n- логически: «Раз»\n- поэтически: «Два»"
    note.write_text(scenes)
    import_formulas(store, [note])
    remove_scene(store, "Δ40", "Раз")
    done = import_formulas(store, [note])
    assert (done.scenes, done.stay_removed) == (0, 1)
    assert [s.text for s in Book.of(store).voices("Δ40")] == ["Два"]
    note.write_text("Δ40 = (лес + тень)\n- поэтически: «Два»")
    import_formulas(store, [note])
    note.write_text(scenes)  # said anew
    assert import_formulas(store, [note]).scenes == 1
    remove_scene(store, "Δ40", "Раз")
    assert import_formulas(store, [note], replace=True).scenes == 1


def test_forms_of_a_register_are_one_and_so_is_a_text_however_it_is_punctuated(store):
    plant(store, ("ключ", "вода"), ("ключ", "вода"), *[("лес",)] * 20)

    def checked(*scenes: tuple[str, str]) -> dict[str, bool]:
        voices = [scene_of_text(text, register=register) for register, text in scenes]
        return met(check(store, "Δ12 = (ключ + вода)", scenes=voices))

    key = "Ключ и вода"
    assert checked(("логически", key), ("поэтически", f"{key}!"))["registers"] is False
    assert checked(("логически", key), ("Логика", "Вода бьёт ключом"))["registers"] is False
    assert checked(("сонно", key), ("сонный", "Вода бьёт ключом"))["registers"] is False
    assert all(checked(("логический", key), ("поэтическая", "Вода бьёт ключом")).values())
    add(store, "Δ12 = (мох + лёд)", scenes=[Scene("Тихо поёт"), Scene("«Тихо  поёт!»", "poetic")])
    add(store, "Δ13 = (поёт + тень)")
    (found,) = Space(Book.of(store)).held_out("Δ12")
    assert found.nearest == "Δ13"  # not by way of its other self


def test_a_note_may_write_a_register_in_any_form():
    found = formulas_in(
        "Δ12 = (тело + лёд)\n- Логика: «Раз»\n- поэтический: «Два»\n- тело: «Три»\n- Логика: нет"
    )
    assert [(s.register, s.text) for s in found.scenes["Δ12"]] == [
        ("logical", "Раз"), ("poetic", "Два"),
    ]  # fmt: skip


def test_terms_that_are_one_anchor_are_refused_and_named(store, tmp_path):
    with pytest.raises(Conflict, match="one anchor several times: вода, воды"):
        add(store, "Δ31 = (вода + воды)")
    assert add(store, "Δ31 = (вода → воды)").new
    (tmp_path / "a.md").write_text("Δ32 = (лёд + льды)")
    assert import_formulas(store, [tmp_path]).notices == [
        "Δ32 has one anchor several times: лёд, льды"
    ]


def test_what_is_wrong_with_a_formula_without_a_code_names_no_other_formula(store):
    add(store, "Δ00 = (вода + лёд)")
    with pytest.raises(InvalidFormula, match="the formula has the part Δ00 twice"):
        add(store, "[Δ00, Δ00]")


def test_notes_say_the_same_together_as_one_after_the_other(store, tmp_path):
    """A mention of two codes in prose gives no parts to what another note defines."""
    mention, definition = tmp_path / "a.md", tmp_path / "b.md"
    mention.write_text("В опыте Δ60=(Δ61), как и ждали.")
    definition.write_text("Δ60 = (вода + лёд) = «Зима»")
    (tmp_path / "c.md").write_text("Δ60 = (лёд + вода — среда) = сцена")
    done = import_formulas(store, [tmp_path])
    together = "Δ60 = (вода — среда + лёд) = «Зима» = сцена"
    assert [text_of(f) for f in Book.of(store).formulas.values()] == [together]
    assert (done.added, done.left_out) == (["Δ60"], ["Δ60"])
    assert f"a.md:1: left out: the code Δ60 is taken: {together}" in "".join(done.notices)
    assert import_formulas(store, [tmp_path]).unchanged == ["Δ60"]
    assert import_formulas(store, [mention]).left_out == ["Δ60"]


ICE = "Δ60 = (вода + лёд)\n- поэтически: «Лёд спит»\n- телесно: «Лёд жжёт»"


def test_the_scenes_of_a_definition_that_is_left_out_voice_no_other(store, tmp_path):
    steam, ice = tmp_path / "a.md", tmp_path / "b.md"
    steam.write_text("Δ60 = (вода + пар)\n- телесно: «Пар жжёт»")
    import_formulas(store, [steam])
    ice.write_text(ICE)
    for paths in ([ice], [tmp_path]):
        done = import_formulas(store, paths)
        assert (done.left_out, done.scenes, done.unvoiced) == (["Δ60"], 0, 2)
        assert "2 left out with their formula" in done.summary
        assert done.notices[-1].endswith("b.md: 2 scenes of Δ60 left out with its definition")
        assert [s.text for s in Book.of(store).voices("Δ60")] == ["Пар жжёт"]
    ice.write_text("Δ60 = (воды + пар)\n- поэтически: «Пар спит»\n\n" + ICE)  # one note says both
    done = import_formulas(store, [ice])
    assert (done.scenes, done.unvoiced) == (1, 2)
    assert import_formulas(store, [ice], replace=True).scenes == 0
    ice.write_text("Δ60:\n- поэтически: «Пар молчит»")  # without a definition of its own
    assert import_formulas(store, [ice]).scenes == 1


def test_a_note_keeps_its_scenes_where_another_contradicts_it(store, tmp_path):
    (tmp_path / "b.md").write_text(ICE)
    import_formulas(store, [tmp_path])
    (tmp_path / "a.md").write_text("Δ60 = (вода + пар)\n- телесно: «Пар жжёт»")
    done = import_formulas(store, [tmp_path])
    assert (done.unchanged, done.left_out) == (["Δ60"], ["Δ60"])
    assert (done.scenes, done.removed, done.unvoiced) == (0, 0, 1)
    assert [s.text for s in Book.of(store).voices("Δ60")] == ["Лёд спит", "Лёд жжёт"]
    assert formulas(store) == ["Δ60 = (вода + лёд)"]


@pytest.mark.parametrize("again", ["(воды + пар)", "(пар + вода)", "(пар + воды — среда)"])
def test_the_same_formula_in_other_forms_or_order_is_an_addition(store, tmp_path, again):
    add(store, "Δ60 = (вода + пар)")
    with pytest.raises(Conflict, match="Δ60 says this already") as error:
        add(store, again, force=False)
    assert "Write Δ60 in front" in str(error.value)
    added = add(store, f"Δ60 = {again} = «Туман»", scenes=[Scene("Пар", "poetic")])
    assert [t.phrase for t in added.formula.terms] == ["вода", "пар"]
    assert (added.formula.terms[0].role, added.formula.name) == (
        "среда" if "среда" in again else "", "Туман",
    )  # fmt: skip
    assert check(store, f"Δ60 = {again}").code == "Δ60"
    (tmp_path / "a.md").write_text(f"Δ60 = {again}\n- телесно: «Жжёт»\n\nΔ61 = (боль + зов)")
    (tmp_path / "b.md").write_text("Δ61 = (зова + боли)\n\nΔ61 = (боли + зов)")
    done = import_formulas(store, [tmp_path])
    assert (done.left_out, done.scenes, done.added) == ([], 1, ["Δ61"])


def test_what_says_different_things_is_no_addition(store):
    add(store, "Δ60 = (вода → пар)")
    for other in ("(пар → вода)", "(вода + пар)", "(вода → пары → вода)"):
        with pytest.raises(Conflict, match="the code Δ60 is taken"):
            add(store, f"Δ60 = {other}")
    add(store, "Δ61 = (свет + тень)")
    with pytest.raises(Conflict, match="Δ61 says this already") as error:
        add(store, "(тень · свет)")
    assert "in front" not in str(error.value)  # it would be taken


def test_what_an_author_decided_of_anchors_counts_in_additions(store):
    plant(store, ("мороз", "пар"), ("стужа", "пары"))
    add(store, "Δ60 = (мороз + пар)")
    with pytest.raises(Conflict, match="taken"):
        add(store, "Δ60 = (пар + стужа)")
    merge_anchors(store, "стужа", "мороз")
    assert not add(store, "Δ60 = (пар + стужа)").changed
    refuse_anchors(store, "пар", "пары")
    with pytest.raises(Conflict, match="taken"):
        add(store, "Δ60 = (мороз + пары)")


def test_what_is_made_of_a_formula_takes_nothing_from_it():
    """By its terms it is found first, and its scenes and trees go on saying that it has a code."""
    with sample_folder() as folder, Forest.open("memory:") as forest:
        forest.import_files([folder])
        scenes = [Scene("Вода несёт весну", "poetic"), Scene("Весной вода холодит руки", "bodily")]
        add(forest.store, "(вода + весна) = «Ледоход»", scenes=scenes)
        add(forest.store, "Δ01 = (порог + ответственность)")
        merge(forest.store, ["Δ00", "Δ01"])
        for parts in (["Δ00", "Δ01"], ["Δ00", "Δ01", "Δ00"], ["Δ00", "Λ1"], ["Δ00", "Δ01", "Λ1"]):
            compose(forest.store, parts)
        add(forest.store, "Λ9 = (Δ00 → Δ98)")
        space = Space(Book.of(forest.store))
        for text in ("вода весна", "вода + весна"):
            first, second, *_ = space.near(text)
            assert first.code == "Δ00", space.near(text)
            assert first.score == pytest.approx(1, abs=1e-3)
            assert second.code == "Λ9"
        assert check(forest.store, "Δ00").unmet == []
        (unmet,) = (c for c in check(forest.store, "Λ1").criteria if c.name == "reproducible")
        assert (
            "no more than by chance: p = 0.28, times 6 formulas of formulas 1, 0.05" in unmet.said
        )


def test_a_term_that_is_the_name_which_an_anchor_was_given_is_that_anchor(store):
    plant(store, *[("весна", "вода")] * 3)
    rename_anchor(store, "весна", "Начало")
    add(store, "Δ30 = (Начало + вода)", force=True)
    assert {len(trees) for trees in shown(store, "Δ30").trees.values()} == {3}
    with pytest.raises(Conflict, match="Δ30"):
        add(store, "Δ31 = (весна + вода)")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_scene_that_is_edited_in_a_note_that_was_renamed_is_one_scene(store, tmp_path, at_once):
    note, moved = tmp_path / "a.md", tmp_path / "sub" / "b.md"
    said = "Δ31 = (мост + память) = «Имя»\n\n- телесно: «Холод»\n- телесно: «Ночь»\n"
    note.write_text(said)
    import_formulas(store, [tmp_path])
    moved.parent.mkdir()
    note.rename(moved)
    if not at_once:
        assert import_formulas(store, [tmp_path]).removed == 0
    moved.write_text(said.replace("Ночь", "Порог"))
    done = import_formulas(store, [tmp_path])
    assert (done.scenes, done.removed, done.left_out) == (1, 1, [])
    texts = {scene.text for scene in Book.of(store).voices("Δ31")}
    assert texts == {"Холод", "Порог"}
