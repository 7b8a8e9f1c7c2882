"""`forest anchors`, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path
from unittest.mock import ANY

import pytest

from anchors.decisions import Decision
from anchors.registry import decide
from forest import Forest
from forest.nodes import Node
from tests.anchors.conftest import propose, trees
from tests.anchors.helpers import put
from tests.conftest import Run
from tests.export_helpers import tree


@pytest.fixture
def planted(run: Run) -> Run:
    run("init")
    with Forest.open() as forest:
        forest.add(*trees())
        propose(forest.store)
    return run


def test_variants_are_listed_as_one_and_shown_side_by_side(planted: Run) -> None:
    (cause,) = json.loads(planted("anchors", "list", "--shared", "--json")[1])
    assert (cause["trees"], len(cause["variants"])) == (2, 2)
    assert "границ" in planted("anchors", "list")[1]
    code, out, _ = planted("anchors", "show", "причинность -> следствие")
    assert code == 0
    assert "rule lemma, score 1.00" in out
    assert "причинности → следствия\tзакон\tЗакон ждёт." in out
    assert "Причинность → следствие\tвера\tВера начинается там." in out
    assert len(json.loads(planted("anchors", "show", cause["id"], "--json")[1])["said"]) == 2


def test_deciding_and_taking_back(planted: Run) -> None:
    assert planted("anchors", "split", "причинности → следствия", "--why", "разное")[0] == 0
    assert planted("anchors", "list", "--shared", "--json")[1].strip() == "[]"
    assert "decision 1: разное" in planted("anchors", "show", "причинности → следствия")[1]
    assert planted("anchors", "undo", "1")[0] == 0
    assert planted("anchors", "merge", "воля", "порог")[0] == 0
    assert planted("anchors", "rename", "воля", "Воля на пороге")[0] == 0
    assert planted("anchors", "refuse", "--pair", "граница", "воля")[0] == 0
    code, _, err = planted("anchors", "merge", "граница", "порог")
    assert code == 1
    assert "forest anchors undo 5" in err
    history = json.loads(planted("anchors", "history", "--json")[1])
    assert [(d["action"], d["undone"]) for d in history] == [
        ("refuse", True), ("undo", False), ("merge", False), ("rename", False), ("refuse", False),
    ]  # fmt: skip
    assert "(taken back)" in planted("anchors", "history")[1]
    assert "Воля на пороге" in planted("anchors", "list")[1]


BAD = "\udcff"


@pytest.mark.parametrize(
    "arguments",
    [
        ("rename", "порог", f"a{BAD}"),
        ("rename", "порог", "a\nb"),
        ("rename", "порог", "a\x00"),
        ("merge", "порог", "граница", "--why", BAD),
        ("refuse", "--pair", "порог", "граница", "--why", BAD),
        ("split", "причинности → следствия", "--why", BAD),
    ],
)
def test_what_is_no_text_is_refused_and_nothing_decided(planted: Run, arguments) -> None:
    code, _, err = planted("anchors", *arguments)
    assert (code, "may not stand in it" in err) == (1, True)
    assert planted("anchors", "history", "--json")[1].strip() == "[]"


def test_a_range_is_not_longer_than_the_history(planted: Run) -> None:
    assert planted("anchors", "merge", "воля", "порог")[0] == 0
    for asked in ("1-99999999999999", "2"):
        code, _, err = planted("anchors", "undo", asked)
        assert (code, "there is no decision 2" in err) == (1, True)
    assert planted("anchors", "undo", "9" * 5000)[0] == 2
    assert planted("anchors", "undo", "1-1")[0] == 0


def test_many_decisions_are_not_told_one_by_one(planted: Run) -> None:
    with Forest.open() as forest:
        decide(forest.store, lambda _: [Decision(0, "", "rename", "воля", phrase="В")] * 25)
    told = planted("anchors", "undo", "1-25")[1].splitlines()
    assert len(told) == 21
    assert told[-1].startswith("and 5 more")


@pytest.mark.parametrize(
    "arguments",
    [("anchors", "accept", "--above"), ("formulas", "propose", "--by-chance")],
)
def test_no_number_is_no_score(planted: Run, arguments) -> None:
    code, _, err = planted(*arguments, "nan")
    assert (code, "nan" in err) == (2, True)


@pytest.mark.parametrize(
    "arguments", [("show", BAD), ("axes", "suggest", BAD), ("remove", BAD, "--yes"), ("edit", BAD)]
)
def test_a_tree_whose_name_is_no_text_is_not_there(planted: Run, arguments) -> None:
    code, _, err = planted(*arguments)
    assert (code, "there is no tree" in err, "damaged" in err) == (1, True, False)


def test_a_scene_is_in_a_language_that_there_can_be(planted: Run) -> None:
    assert planted("formulas", "add", "Δ12 = (вода + весна) = «Зов»")[0] == 0
    code, _, err = planted("formulas", "scene", "Δ12", "Вода идёт.", "--lang", "не язык!")
    assert (code, "no language tag" in err) == (1, True)
    assert planted("formulas", "scene", "Δ12", "Вода идёт.", "--lang", "sr-Cyrl")[0] == 0


def test_a_title_that_is_no_text_is_refused(planted: Run) -> None:
    code, _, err = planted("new", BAD, "--template", "paradox")
    assert (code, "the title" in err, "damaged" in err) == (1, True, False)


def test_reviewing(planted: Run, tmp_path: Path) -> None:
    assert planted("anchors", "proposals")[1].startswith(
        "m1\t0.90\tnear\tmark «пороге» as «порог»\t"
    )
    assert planted("anchors", "proposals", "--out", "review.yaml")[0] == 0
    file = tmp_path / "review.yaml"
    code, _, err = planted("anchors", "proposals", "--out", "review.yaml")
    assert code == 1
    assert "exists already" in err
    file.write_text(file.read_text().replace("  accept:\n", "  accept: no\n", 1))
    assert "1 refused" in planted("anchors", "accept", "--from", "review.yaml")[1]
    assert "0 thoughts marked, 1 pair merged" in planted("anchors", "accept", "--above", "0.6")[1]
    assert planted("anchors", "proposals", "--json")[1].strip() == "[]"
    assert planted("anchors", "accept", "m1")[0] == 1
    assert planted("anchors", "accept")[0] == 2


def test_what_is_about_a_thought_that_is_gone_is_dropped_and_said(planted: Run) -> None:
    with Forest.open() as forest:
        forest.remove("закон")
    code, out, err = planted("anchors", "accept", "--above", "0.5")
    assert (code, out.splitlines()[0]) == (0, "0 thoughts marked, 1 pair merged, 0 refused")
    assert "note: proposal 'm1' is dropped: there is no thought" in err
    assert planted("anchors", "proposals", "--json")[1].strip() == "[]"


def test_all_that_was_accepted_is_taken_back_by_its_range(planted: Run) -> None:
    assert "`forest anchors undo 1-2`" in planted("anchors", "accept", "--above", "0")[1]
    said = planted("anchors", "history")[1]
    assert "is marked «пороге» as «порог»" in said
    assert "«граница» is «порог»" in said
    assert planted("anchors", "undo", "1-2")[0] == 0
    with Forest.open() as forest:
        assert [a.phrase for a in forest.get("закон").thoughts[1].anchors] == ["воля"]
    assert planted("anchors", "undo", "1-x")[0] == 2
    code, _, err = planted("anchors", "undo", "4-3")
    assert (code, "'4-3' holds no number: expected 3-4" in err) == (2, True)


def test_a_review_file_is_written_whole_or_not_at_all(
    planted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Iterator[str]:
        yield "# a beginning"
        raise OSError(ENOSPC, "No space left on device")

    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("anchors.review.review_text", full)
        code, _, err = planted("anchors", "proposals", "--out", "review.yaml")
    assert (code, err) == (1, "forest: review.yaml: No space left on device\n")
    assert sorted(tmp_path.iterdir()) == before
    assert planted("anchors", "proposals", "--out", "review.yaml")[0] == 0


def test_history_says_names_as_they_were_and_what_a_refusal_ended(planted: Run) -> None:
    for decided in (
        ("rename", "порог", "Порог бытия"),
        ("rename", "порог", "Дверь"),
        ("merge", "граница", "порог"),
        ("merge", "порог", "воля"),
        ("refuse", "--pair", "граница", "воля"),
    ):
        assert planted("anchors", *decided)[0] == 0
    told = [line.split("\t")[2] for line in planted("anchors", "history")[1].splitlines()]
    assert told == [
        "«порог» is shown as «Порог бытия»",
        "«Порог бытия» is shown as «Дверь»",
        "«граница» is «Дверь»",
        "«Дверь» is «воля» (ended by decision 5)",
        "«граница» is not «воля»",
    ]
    assert planted("anchors", "merge", "граница", "причинность → следствие")[0] == 0
    code, out, _ = planted("anchors", "split", "граница")
    numbers = [line.split(":")[0] for line in out.splitlines()[:-1]]
    hint = f"`forest anchors undo {numbers[0]}-{numbers[-1]}` takes that back"
    assert (code, out.splitlines()[-1]) == (0, hint)


KEYS = "title: А\nnodes:\n- text: {}\n  anchors: [ключ]\n"
SPRING = ("anchors", "split", "ключ", "--as", "ключ (родник)", "--in", "а")


def test_a_word_that_was_parted_stays_so_where_the_file_is_edited(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(KEYS.format("Ключ бьёт."))
    assert run("import", "a.yaml")[0] == 0
    assert run(*SPRING)[0] == 0
    more = "- text: Ключ иссяк.\n  level: 1\n  anchors: [ключ]\n"
    for way, text in (
        ((), KEYS.format("Ключ бьёт там.")),
        (("--replace",), KEYS.format("О.") + more),
    ):
        file.write_text(text)
        assert run("import", *way, "a.yaml")[:2] == (0, ANY)
        with Forest.open() as forest:
            anchors = [a.anchor for t in forest.get("а").thoughts for a in t.anchors]
        assert set(anchors) == {"ключ (родник)"}
        assert run("check")[0] == 0
    with Forest.open() as forest:
        assert len(forest.get("а").thoughts) == 2
    assert "0 changed" in run("import", "a.yaml")[1]
    assert run("anchors", "undo", "1")[0] == 0
    with Forest.open() as forest:
        assert {a.anchor for t in forest.get("а").thoughts for a in t.anchors} == {"ключ"}


def test_a_word_that_was_parted_is_so_where_its_tree_comes_again(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(KEYS.format("Ключ бьёт."))
    assert run("import", "a.yaml")[0] == 0
    assert run(*SPRING)[0] == 0
    assert run("remove", "а", "--yes")[0] == 0
    assert run("import", "a.yaml")[0] == 0
    with Forest.open() as forest:
        assert [a.anchor for a in forest.get("а").root.anchors] == ["ключ (родник)"]


def test_a_thought_that_is_written_where_a_word_was_parted_is_named(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(KEYS.format("Ключ бьёт."))
    assert run("import", "a.yaml")[0] == 0
    assert run(*SPRING)[0] == 0
    assert run("add", "а", "Другой ключ.", "--anchor", "ключ")[0] == 0
    code, out, _ = run("check")
    assert (
        code,
        "а: a thought carries «ключ», which was decided to be «ключ (родник)»" in out,
    ) == (
        1,
        True,
    )
    again = ("anchors", "split", "ключ (родник)", "--as", "родник", "--in", "а")
    assert run(*again)[0] == 0
    assert run("check", "--fix")[0] == 0
    with Forest.open() as forest:
        anchors = [a.anchor for t in forest.get("а").thoughts for a in t.anchors]
    assert anchors == ["родник"] * 2
    assert run("check")[0] == 0


def test_words_that_their_authors_parted_in_a_file_are_told_apart(run: Run, tmp_path: Path) -> None:
    file = "- title: А\n  nodes:\n  - text: Ключ.\n    anchors: [ключ]\n"
    spring = "{phrase: ключ, anchor: ключ (родник)}"
    file += f"- title: Б\n  nodes:\n  - text: Ключ бьёт.\n    anchors: [{spring}]\n"
    (tmp_path / "a.yaml").write_text(file)
    assert run("import", "a.yaml")[0] == 0
    listed = [line.split("\t")[0] for line in run("anchors", "list")[1].splitlines()]
    assert listed == ["ключ", "ключ (родник)"]
    assert run("anchors", "show", "ключ (родник)")[1].startswith("ключ (родник)")
    offered = run("new", "Ключ")[1]
    assert '"ключ"' in offered
    assert '"ключ (родник)"' in offered


def test_a_thought_with_several_spellings_of_an_anchor_is_listed_and_shown_once(run: Run) -> None:
    run("init")
    with Forest.open() as forest:
        forest.add(tree("В", "Память хранит. {память; Память; памятью}"), tree("Г", "Г. {память}"))
    assert "\nпамять\t2\t2\t" in "\n" + run("anchors", "list")[1]
    _, out, _ = run("anchors", "show", "память")
    assert "2 trees, 2 thoughts" in out
    assert "память; Память; памятью\tв\tПамять хранит.\n" in out
    assert out.count("Память хранит.") == 1


def test_what_a_command_is_not_told_well_enough_is_said(planted: Run) -> None:
    for more in ((), ("--above", "0.9", "--from", __file__), ("m1", "--above", "0.9")):
        assert (
            "give one of these: ids of proposals, --above" in planted("anchors", "accept", *more)[2]
        )
    assert (
        "give one of these: ids of proposals, --pair"
        in planted("anchors", "refuse", "m1", "--pair", "воля", "порог")[2]
    )
    code, _, err = planted("anchors", "proposals", "--out", "")
    assert (code, "the name of the file to write is empty" in err) == (2, True)


def test_of_many_decisions_no_single_one_is_left_out(planted: Run) -> None:
    for n in range(21):
        planted("anchors", "rename", "воля", f"Воля {n}")
    out = planted("anchors", "undo", "1-21")[1]
    assert out.endswith("42: decision 21 is taken back\n")
    assert planted("anchors", "undo", "22-42")[1].count("\n") == 21
    for n in range(21, 23):
        planted("anchors", "rename", "воля", f"Воля {n}")
    assert "and 2 more" in planted("anchors", "undo", "43-64")[1]


def test_an_accepted_mark_that_was_decided_before_says_by_what(planted: Run) -> None:
    planted("anchors", "accept", "m1")
    with Forest.open() as forest:
        here = forest.get("закон").thoughts[1].id
        forest.edit_thought(here, text="Он молчит.")
        forest.edit_thought(here, text="На пороге он молчит.")
        propose(forest.store)
    assert (
        "decision 1 had said so: `forest anchors undo 1`" in planted("anchors", "accept", "m1")[1]
    )


def test_a_tag_a_link_and_a_phrase_of_one_name_are_told_apart(run: Run, tmp_path: Path) -> None:
    (tmp_path / "сад.md").write_text("# Сад\nСад. #память\n\n- [[Память]] хранит\n")
    (tmp_path / "дом.md").write_text("# Дом\nДом. #память\n\n- [[Память]] ждёт\n")
    own = "{phrase: Память, anchor: память-2}"
    (tmp_path / "а.yaml").write_text(
        f"- title: А\n  nodes:\n  - text: А.\n    anchors: [память, {own}, '#лес']\n"
    )
    assert run("import", "сад.md", "дом.md", "а.yaml")[0] == 0
    with Forest.open() as forest:
        pair = {"what": "merge", "rule": "meaning", "anchor": "#память", "into": "[[память]]"}
        put(forest.store, Node("Proposal", "g1", {**pair, "score": 0.7}))
    listed = [line.split("\t")[0] for line in run("anchors", "list")[1].splitlines()]
    assert {"#память", "[[Память]]", "память", "память-2", "#лес"} <= {*listed}
    for name in listed:
        assert run("anchors", "show", name)[1].splitlines()[0] == name
    assert "#память\tдом\tДом." in run("anchors", "show", "#память")[1]
    assert "«#память» is «[[Память]]»" in run("anchors", "proposals")[1]
    assert "#память (2)" in run("stats")[1]
    assert run("anchors", "merge", "#память", "память")[1] == "1: «#память» is «память»\n"
    assert run("anchors", "merge", "[[Память]]", "память-2")[1] == "2: «[[Память]]» is «память-2»\n"
    assert "«#память» is «память»" in run("anchors", "history")[1]
    assert "«#память» is «память»: rule author" in run("anchors", "show", "#память")[1]
    assert "#память\t3\t3\tпамять\n" in run("anchors", "list")[1]


def test_a_name_that_authors_write_as_another_anchor_since_is_that_ones(run: Run) -> None:
    run("init")
    with Forest.open() as forest:
        forest.add(tree("А", "Вода. {вода}"))
    assert run("anchors", "rename", "вода", "Море")[0] == 0
    assert "Море\t1\t1" in run("anchors", "list")[1]
    with Forest.open() as forest:
        forest.add(tree("Б", "Море. {море}"))
    listed = [line.split("\t")[0] for line in run("anchors", "list")[1].splitlines()]
    assert listed == ["вода", "море"]
    run("anchors", "merge", "море", "вода")
    assert "Море\t2\t2\tвода; море" in run("anchors", "list")[1]


def test_an_anchor_is_not_renamed_to_the_id_of_another_one(run: Run, tmp_path: Path) -> None:
    thought = "{text: А., anchors: [вода, {phrase: память, anchor: мой-ид}]}"
    (tmp_path / "a.yaml").write_text(f"- title: А\n  nodes: [{thought}]\n")
    assert run("import", "a.yaml")[0] == 0
    code, _, err = run("anchors", "rename", "вода", "Мой-ид")
    assert code == 1
    assert "is the name of another anchor, 'мой-ид'" in err
    assert run("anchors", "rename", "мой-ид", "Мой-ид")[0] == 0


def test_a_tree_that_comes_again_has_its_marks(planted: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(KEYS.format("Ключ бьёт."))
    (tmp_path / "b.yaml").write_text("title: Б\nnodes:\n- text: У ключа сухо.\n")
    assert planted("import", "a.yaml", "b.yaml")[0] == 0
    assert planted("anchors", "discover")[0] == 0
    assert planted("anchors", "accept", "--above", "0")[0] == 0
    with Forest.open() as forest:
        before = forest.get("б").root.anchors
    assert [a.anchor for a in before] == ["ключ"]
    assert planted("remove", "б", "--yes")[0] == 0
    assert planted("import", "b.yaml")[0] == 0
    with Forest.open() as forest:
        assert forest.get("б").root.anchors == before


def test_a_word_that_its_author_gave_another_anchor_is_no_evidence_for_the_plain_one(
    run: Run, tmp_path: Path
) -> None:
    door = "{phrase: порог, anchor: порог (двери)}"
    (tmp_path / "a.yaml").write_text(
        f"- title: Дом\n  nodes:\n  - text: Порог скрипит.\n    anchors: [{door}]\n"
        "- title: Вход\n  nodes:\n  - text: Вход закрыт.\n    anchors: [порог]\n"
        "  - text: Пороги и пороги.\n    level: 1\n"
    )
    assert run("import", "a.yaml")[0] == 0
    assert run("anchors", "discover")[0] == 0
    assert "порог" not in run("anchors", "proposals")[1]


def test_a_word_parted_onto_an_anchor_that_is_there_is_listed_by_a_name_that_finds_it(
    run: Run, tmp_path: Path
) -> None:
    said = {"К": "родник", "М": "ключи", "Н": "ключи", "Д": "ключ"}
    nodes = "- title: {}\n  nodes:\n  - text: Сказано.\n    anchors: [{}]\n"
    (tmp_path / "a.yaml").write_text("".join(nodes.format(*one) for one in said.items()))
    assert run("import", "a.yaml")[0] == 0
    assert run("anchors", "split", "ключи", "--as", "родник", "--in", "м", "--in", "н")[0] == 0
    listed = {line.split("\t")[0] for line in run("anchors", "list")[1].splitlines()}
    assert listed == {"ключ", "родник"}
    assert run("anchors", "show", "родник")[1].startswith("родник")
