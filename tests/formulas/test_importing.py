"""Formulas of notes: imported again and again, moved, renamed, edited on both sides."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from anchors.formulas.book import Book
from anchors.formulas.criteria import check
from anchors.formulas.importing import import_formulas
from anchors.formulas.model import Scene
from anchors.formulas.registry import (
    add,
    add_scene,
    compose,
    merge,
    remove_scene,
)
from anchors.formulas.syntax import text_of
from anchors.formulas.vectors import Space, recall
from anchors.importing import import_files
from forest import Forest
from forest.errors import Conflict
from forest.sample import sample_folder
from tests.formula_helpers import WATER, formulas

ICE = "Δ60 = (вода + лёд)\n- поэтически: «Лёд спит»\n- телесно: «Лёд жжёт»"


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


def test_terms_that_are_one_anchor_are_refused_and_named(store, tmp_path):
    with pytest.raises(Conflict, match="one anchor several times: вода, воды"):
        add(store, "Δ31 = (вода + воды)")
    assert add(store, "Δ31 = (вода → воды)").new
    (tmp_path / "a.md").write_text("Δ32 = (лёд + льды)")
    assert import_formulas(store, [tmp_path]).notices == [
        "Δ32 has one anchor several times: лёд, льды"
    ]


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
