"""`forest formulas`, as it is typed."""

from __future__ import annotations

import json

import pytest

from anchors.importing import import_files
from forest import Forest


@pytest.fixture
def run(run):
    """The same, in a folder with an empty forest."""
    assert run("init")[0] == 0
    return run


def test_python_imports_in_one_call_what_the_command_imports(run, tmp_path):
    (tmp_path / "note.md").write_text("# Вода\n\n- Δ12 = (вода + весна)\n")
    with Forest.open("memory:") as forest:
        done = import_files(forest, [tmp_path / "note.md"])
        assert (done.trees.added, done.formulas.added) == (["note"], ["Δ12"])
        run("import", str(tmp_path / "note.md"))
        with Forest.open("sqlite:///forest.db") as other:
            assert [*other.store.revisions()] == [*forest.store.revisions()]
            assert [*other.store.all_nodes()] == [*forest.store.all_nodes()] != []


def test_a_formula_from_its_first_line_to_its_last(run, tmp_path):
    note = tmp_path / "note.md"
    note.write_text("# Вода\n\n- Δ12 = (вода + весна)\n- Δ41 = жар(шаг · зной)\n")
    assert "formulas: 2 added" in run("import", "note.md")[1]
    scene = ("scene", "Δ12", "Вода весны", "--register", "поэтически")
    assert "(poetic, ru, authored)" in run("formulas", *scene)[1]
    assert run("formulas", "list")[1].splitlines()[0].split("\t") == [
        "Δ12", "Δ12 = (вода + весна)", "1", "poetic",
    ]  # fmt: skip
    assert "named  note/" in run("formulas", "show", "Δ12")[1]
    assert run("formulas", "merge", "Δ12", "Δ41")[1] == (
        "added: Δ12 + Δ41 → Δ00 = (вода + весна + шаг + зной)\n"
    )
    assert run("formulas", "compose", "Δ12", "Δ41", "--list", "--label", "покой")[0] == 0
    assert run("formulas", "expand", "Ω1")[1].splitlines()[:2] == [
        "Ω1 = [Δ12, Δ41]_покой", "  Δ12 = (вода + весна)",
    ]  # fmt: skip
    assert run("formulas", "near", "весенняя вода", "--most", "1")[1].endswith("(вода + весна)\n")
    assert (
        "recall at 1: 100% of 1 scene, among 4 formulas\n" in run("formulas", "near", "--recall")[2]
    )
    assert run("formulas", "remove", "Ω1", "--yes")[1] == "removed: Ω1 = [Δ12, Δ41]_покой\n"
    code, out, _ = run("formulas", "check", "Δ12")
    assert code == 1
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["stable", "no"], ["reproducible", "no"], ["registers", "no"], ["reversible", "yes"],
    ]  # fmt: skip


def test_a_formula_of_the_sample_forest_earns_a_code(run):
    run("init", "--sample")
    scenes = (
        "--scene",
        "поэтически=Вода несёт весну",
        "--scene",
        "телесно=Весной вода холодит руки",
    )
    added = run("formulas", "add", "(вода + весна) = «Ледоход»", *scenes)
    assert added[0] == 0
    assert added[1].startswith("added: Δ00")
    out = run("formulas", "check", "Δ00")[1]
    assert [line.split()[1] for line in out.splitlines()] == ["yes"] * 4
    assert run("formulas", "check", "(вода + порог)")[1].splitlines()[1].split()[1] == "no"


def test_a_code_is_asked_for(run):
    code, _, err = run("formulas", "add", "(вода + весна)")
    assert code == 1
    assert "no code is granted" in err
    assert "--force" in err
    scene = ("--scene", "поэтически=Вода=вода", "--json")
    code, out, _ = run("formulas", "add", "(вода + весна)", "--force", *scene)
    assert (code, json.loads(out)["code"]) == (0, "Δ00")
    shown = json.loads(run("formulas", "show", "Δ00", "--json")[1])
    assert [(s["register"], s["text"]) for s in shown["scenes"]] == [("poetic", "Вода=вода")]
    assert [term["phrase"] for term in shown["terms"]] == ["вода", "весна"]


@pytest.mark.parametrize(
    "command",
    [("list",), ("expand", "Δ12"), ("near", "вода"), ("near", "--recall"), ("propose",),
     ("scene", "Δ12", "Зов"), ("merge", "Δ12", "Δ13"), ("compose", "Δ12", "Δ13")],
)  # fmt: skip
def test_every_answer_comes_as_json_too(run, command):
    for text in ("Δ12 = (вода + лёд)", "Δ13 = пар"):
        assert run("formulas", "add", text)[0] == 0
    code, out, _ = run("formulas", *command, "--json")
    assert code == 0
    json.loads(out)


def test_what_there_is_nothing_of_is_said(run):
    assert "there are no formulas" in run("formulas", "near", "вода")[2]
    _, out, err = run("formulas", "add", "Λ1 = (Δ12 → Δ41)")
    assert out == "added: Λ1 = (Δ12 → Δ41)\n"
    assert [line.split()[0] for line in err.splitlines()[:4]] == [
        "stable", "reproducible", "registers", "reversible",
    ]  # fmt: skip
    assert "not defined yet: Δ12, Δ41" in err
    assert run("formulas", "near", "!")[1:] == ("", "note: no formula is near\n")
    assert run("formulas", "near", "Δ7")[2].endswith("a Δ code has two: write Δ07\n")
    assert run("formulas", "near", "δ22")[2].endswith("is not how a code is written: write Δ22\n")
    assert run("formulas", "near", " ")[0] == 2
    assert (
        "no scene of it is in the register x"
        in run("formulas", "expand", "Λ1", "--register", "x")[2]
    )
    said = "note: there are no trees in which terms could stand together\n"
    assert run("formulas", "propose")[1:] == ("", said)


def test_a_scene_is_added_once_and_removed_by_its_text(run):
    run("formulas", "add", "Δ12 = (вода + лёд)")
    for state in ("added", "unchanged"):
        assert run("formulas", "scene", "Δ12", "Зов", "--register", "poetic")[1] == (
            f"{state}: Зов (poetic, ru, authored)\n"
        )
    assert run("formulas", "scene", "Δ12", "Зов")[1] == "added: Зов (ru, authored)\n"
    assert run("formulas", "remove", "Δ12", "--scene", "Зов")[0] == 1
    assert run("formulas", "remove", "Δ12", "--scene", "Зов", "--register", "")[1] == (
        "removed: Зов (ru, authored)\n"
    )
    assert [
        s["register"] for s in json.loads(run("formulas", "show", "Δ12", "--json")[1])["scenes"]
    ] == ["poetic"]


def test_a_formula_is_removed_only_when_asked(run):
    run("formulas", "add", "Δ12 = (вода + лёд)", "--scene", "poetic=Зов")
    code, _, err = run("formulas", "remove", "Δ12")
    assert (code, err) == (1, "forest: nothing was removed\nWithout a terminal, say --yes.\n")
    assert run("formulas", "show", "Δ12")[0] == 0
    assert run("formulas", "remove", "Δ12", "--yes")[0] == 0
    assert run("formulas", "list")[1] == ""


def test_who_removes_a_formula_of_a_note_is_told_that_it_comes_back(run, tmp_path):
    (tmp_path / "a.md").write_text("Мысль: Δ12 = (вода + весна)")
    run("import", "a.md")
    run("formulas", "add", "Δ13 = (лёд + зима)")
    assert run("formulas", "remove", "Δ13", "--yes")[2] == ""
    assert run("formulas", "remove", "Δ12", "--yes")[2] == (
        "note: an import of a.md brings it back while it is defined there\n"
    )
    run("import", "a.md")
    assert run("formulas", "list")[1].startswith("Δ12\t")


def test_an_import_that_leaves_formulas_out_says_so(run, tmp_path):
    (tmp_path / "one.md").write_text("# А\n\nΔ12 = (вода + лёд)\n\nΔ13 = (Δ14)\n\nΔ14 = (Δ13)\n")
    (tmp_path / "two.md").write_text("# Б\n\nΔ12 = (пар)\n")
    code, out, err = run("import", "one.md", "two.md")
    assert (code, "formulas: 2 added" in out, ", 2 left out;" in out) == (1, True, True)
    assert "two.md:3: left out: Δ12 is defined twice" in err
    assert "the terms are вода + лёд in one and пар in the other" in err


def test_the_formulas_of_a_text_are_found_without_a_forest(run):
    find = ("--store", "sqlite:///no/where.db", "formulas", "find")
    said = "Он знал:\nΔ84 = край(покой · распад · зов)\nи  Δ85 = край("
    code, out, err = run(*find, said)
    assert (code, out) == (1, "Δ84 = край(покой · распад · зов)\n")
    assert "left out: line 3" in err
    assert run(*find, "Он знал: _Δ84 = край(покой · зов)_.") == (0, "Δ84 = край(покой · зов)\n", "")
    assert run(*find, "просто текст") == (0, "", "note: no formula is in this text\n")


def test_an_empty_name_of_a_register_or_an_embedder_is_refused(run):
    assert run("formulas", "add", "Δ41 = (вода + лёд)")[0] == 0
    for given in (("scene", "Δ41", "x"), ("expand", "Δ41")):
        code, _, err = run("formulas", *given, "--register", "")
        assert (code, "--register is empty" in err) == (2, True)
    for command in (("formulas", "near", "вода"), ("anchors", "discover")):
        code, _, err = run(*command, "--embedder", "")
        assert (code, "the name of an embedder is empty" in err) == (1, True)
