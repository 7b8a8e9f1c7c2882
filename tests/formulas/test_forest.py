"""Formulas in a forest: added, merged, removed, checked, found near and proposed."""

from __future__ import annotations

from math import comb

import pytest

from anchors.embedding import HashedEmbedder
from anchors.formulas import vectors
from anchors.formulas.book import Book, codes_in_use
from anchors.formulas.cores import PLAIN, by_chance, mine, propose
from anchors.formulas.criteria import check
from anchors.formulas.errors import Cycle, InvalidFormula, NoFreeCode, NotGranted
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
from anchors.formulas.syntax import parse
from anchors.formulas.vectors import Space, recall
from anchors.formulas.where import shown
from anchors.registry import merge as merge_anchors
from anchors.registry import refuse as refuse_anchors
from anchors.registry import rename as rename_anchor
from forest import Forest, Tree
from forest.errors import Conflict, InvalidInput, NotFound
from forest.nodes import Link, Node
from forest.sample import sample_folder
from scripts.measure_formulas import anchors_of, book_of
from tests.formula_helpers import WATER, formulas, plant

SPRING = "Весной вода неясно зовёт"


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


def test_what_is_wrong_with_a_formula_without_a_code_names_no_other_formula(store):
    add(store, "Δ00 = (вода + лёд)")
    with pytest.raises(InvalidFormula, match="the formula has the part Δ00 twice"):
        add(store, "[Δ00, Δ00]")


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


def test_a_term_that_is_the_name_which_an_anchor_was_given_is_that_anchor(store):
    plant(store, *[("весна", "вода")] * 3)
    rename_anchor(store, "весна", "Начало")
    add(store, "Δ30 = (Начало + вода)", force=True)
    assert {len(trees) for trees in shown(store, "Δ30").trees.values()} == {3}
    with pytest.raises(Conflict, match="Δ30"):
        add(store, "Δ31 = (весна + вода)")
