"""`forest check` names what only `anchors` can read."""

from __future__ import annotations

from anchors.formulas.registry import add
from forest import Forest
from forest.nodes import Link, Node
from tests.anchors.helpers import put


def test_scenes_of_a_code_that_nobody_defined_are_named(run, tmp_path):
    (tmp_path / "note.md").write_text("# А\n\n`Δ41` может быть выражена:\n- поэтически: «Шаг»\n")
    assert "scenes: 1 added" in run("import", "note.md")[1]
    code, out, _ = run("check")
    assert (code, "Formula 'Δ41': nobody defined it, and 1 scene voices it" in out) == (1, True)
    assert run("formulas", "add", "Δ41 = (шаг + жар)")[0] == 0
    assert run("check")[0] == 0


def test_what_cannot_be_read_is_named(run):
    with Forest.open("sqlite:///forest.db") as forest:
        add(forest.store, "Δ12 = (вода + весна) = «Зов»")
        put(
            forest.store,
            Node("Formula", "Δ08", {"joined": "?"}, (Link("TERM", "лёд"),)),
            Node("Formula", "Λ1", {}, (Link("COMPOSED_OF", "Λ2"),)),
            Node("Formula", "Λ2", {}, (Link("COMPOSED_OF", "Λ1"),)),
            Node("Scene", "bare", {"text": "Зов"}),
            Node("Scene", "mute", {"register": "логически"}, (Link("VOICES", "Δ12"),)),
            Node("Decision", "000001", {"action": "join"}),
            Node("Proposal", "p1", {"what": "mark", "rule": "guess"}),
        )
    code, out, _ = run("check")
    assert code == 1
    named = ["Formula 'Δ08'", "Formula 'Λ1'", "Scene 'bare'", "Scene 'mute'"]
    named += ["Decision '000001'", "Proposal 'p1'"]
    lines = out.splitlines()
    assert [line.split(":")[0].removeprefix("broken").strip() for line in lines[:-1]] == named
    assert "Λ1 is a part of itself" in lines[1]
    assert "remove it with Cypher" in lines[2]
    assert lines[-1] == "0 fixed, 0 that --fix can fix, 6 for you to mend"


def test_a_scene_in_a_language_that_is_none_is_read_and_named(run):
    with Forest.open("sqlite:///forest.db") as forest:
        add(forest.store, "Δ12 = (вода + весна)")
        voices = Link("VOICES", "Δ12")
        put(forest.store, Node("Scene", "s", {"text": "Зов", "lang": "русский"}, (voices,)))
    code, out, _ = run("check")
    assert (code, "Scene 's': its lang is 'русский': expected a language" in out) == (1, True)
    assert "Зов" in run("formulas", "show", "Δ12")[1]
