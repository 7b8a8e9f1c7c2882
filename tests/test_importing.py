"""Import: again and again, without losing what was written in the files or in the forest."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forest import Forest
from forest.errors import Conflict, ForestError, ImportRefused, UsageError
from forest.importing import Progress


@pytest.fixture(params=["sqlite", "memory"])
def forest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Forest]:
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'forest.db'}"
    with Forest.open(url) as opened:
        yield opened


def write(path: Path, **changes: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    tree = {
        "tree": "справедливость",
        "axes": ["причинность", "мораль"],
        "nodes": [
            {"level": 0, "text": "Справедливость — соответствие.", "anchors": ["порог"]},
            {"level": 1, "text": "Нормы бывают разные."},
            {"level": 1, "text": "Нормы меняются."},
        ],
    }
    path.write_text(json.dumps(tree | changes, ensure_ascii=False), encoding="utf-8")
    return path


def nodes(*texts: str) -> list[dict[str, Any]]:
    return [{"level": int(i > 0), "text": text} for i, text in enumerate(texts)]


def said(forest: Forest, id_: str = "справедливость") -> list[str]:
    return [t.text for t in forest.get(id_).thoughts]


def test_importing_the_same_file_again_changes_nothing(forest: Forest, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json")
    first = forest.import_files([path])
    revision, updated = forest.revision, forest.get("справедливость").updated_at
    again = forest.import_files([path])
    assert first.added == ["справедливость"]
    assert first.thoughts == 3
    assert again.unchanged == ["справедливость"]
    assert (again.added, again.changed, again.thoughts) == ([], [], 0)
    assert forest.revision == revision
    assert forest.get("справедливость").updated_at == updated


def test_an_edited_file_changes_only_what_was_edited(forest: Forest, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json")
    forest.import_files([path])
    before = forest.get("справедливость").thoughts
    new = nodes("Справедливость — соответствие.", "Нормы бывают двух родов.", "Нормы меняются.")
    new[0]["anchors"] = ["порог"]
    write(path, nodes=new)
    report = forest.import_files([path])
    assert (report.changed, report.thoughts) == (["справедливость"], 1)
    after = forest.get("справедливость").thoughts
    assert [i for i in range(3) if before[i] != after[i]] == [1]
    assert before[1].id == after[1].id


def test_an_edit_in_the_forest_stays_when_the_file_did_not_change(
    forest: Forest, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json")
    forest.import_files([path])
    forest.edit_thought(forest.get("справедливость").thoughts[1].id, text="Правлено в лесу.")
    report = forest.import_files([path])
    assert report.kept == ["справедливость"]
    assert said(forest)[1] == "Правлено в лесу."


@pytest.mark.parametrize("change", ["prune", "move", "add"])
def test_a_changed_structure_in_the_forest_stays_too(
    forest: Forest, tmp_path: Path, change: str
) -> None:
    path = write(tmp_path / "a.json")
    forest.import_files([path])
    _, first, second = forest.get("справедливость").thoughts
    if change == "prune":
        forest.prune(first.id)
    elif change == "move":
        forest.move_thought(first.id, under=second.id)
    else:
        forest.add_thought("справедливость", "Нормы бывают разные.", under=second.id)
    now = forest.revision
    assert forest.import_files([path]).kept == ["справедливость"]
    assert forest.revision == now


def test_where_both_came_to_say_the_same_the_next_edit_of_the_file_is_taken_over(
    forest: Forest, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json")
    forest.import_files([path])
    forest.edit_thought(forest.get("справедливость").root.id, text="Иначе.")
    updated, revision = forest.get("справедливость").updated_at, forest.revision
    rest = ("Нормы бывают разные.", "Нормы меняются.")
    same = write(path, nodes=_with_anchor("Иначе.", *rest))
    report = forest.import_files([same])
    assert (report.changed, report.unchanged) == ([], ["справедливость"])
    assert (forest.get("справедливость").updated_at, forest.revision) == (updated, revision)

    report = forest.import_files([write(path, nodes=_with_anchor("Иначе.", "Новое.", rest[1]))])
    assert report.changed == ["справедливость"]
    assert said(forest) == ["Иначе.", "Новое.", "Нормы меняются."]


def test_a_tree_of_the_forest_that_a_file_says_too_comes_from_it_then(
    forest: Forest, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json")
    with Forest.open("memory:") as other:
        other.import_files([path])
        tree = other.get("справедливость")
    tree.source = tree.source_revision = None
    forest.add(tree)
    assert forest.import_files([path]).unchanged == ["справедливость"]
    assert forest.import_files([write(path, nodes=nodes("Новое."))]).changed == ["справедливость"]


def _with_anchor(first: str, *rest: str) -> list[dict[str, Any]]:
    told = nodes(first, *rest)
    told[0]["anchors"] = ["порог"]
    return told


def test_changes_in_both_are_refused_and_nothing_is_lost(forest: Forest, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json")
    other = write(tmp_path / "b.json", tree="память")
    forest.import_files([path])
    forest.edit_thought(forest.get("справедливость").thoughts[1].id, text="Правлено в лесу.")
    now = forest.revision
    write(path, nodes=nodes("Справедливость — соответствие.", "Правлено в файле."))
    with pytest.raises(Conflict, match=r"a\.json.*edited there") as error:
        forest.import_files([other, path])
    assert "--replace" in str(error.value)
    assert forest.revision == now
    report = forest.import_files([other, path], keep_going=True)
    assert report.added == ["память"]
    assert len(report.skipped) == 1
    assert said(forest)[1] == "Правлено в лесу."
    forest.import_files([path], replace=True)
    assert said(forest)[1] == "Правлено в файле."


def test_weights_that_were_bound_in_the_forest_stay_where_the_file_is_edited(
    forest: Forest, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json")
    forest.import_files([path])
    forest.bind("справедливость", {"эмпатия": 0.25, "причинность": 0.75})
    bound = forest.get("справедливость").axes
    for replace, text in enumerate(("Правлено в файле.", "И ещё раз.")):
        write(path, nodes=nodes("Справедливость — соответствие.", text))
        report = forest.import_files([path], replace=bool(replace))
        assert report.changed == ["справедливость"]
        assert (said(forest)[1], forest.get("справедливость").axes) == (text, bound)
    now = forest.revision
    assert forest.import_files([path]).kept == ["справедливость"]
    assert forest.revision == now

    write(path, nodes=nodes("Справедливость — соответствие.", "И ещё."), axes=["парадоксальность"])
    with pytest.raises(Conflict, match="edited there"):
        forest.import_files([path])
    report = forest.import_files([path], replace=True)
    assert forest.get("справедливость").axes == {"парадоксальность": 1}
    assert "is no more bound as it was" in " ".join(report.notices)


def test_weights_stay_where_a_bound_note_is_moved_and_edited(
    forest: Forest, tmp_path: Path
) -> None:
    vault = tmp_path / "заметки"
    vault.mkdir()
    old, new = vault / "a.md", vault / "b.md"
    old.write_text("# Выбор\n\nОдно из двух.\n\nИли ничего.\n", encoding="utf-8")
    forest.import_files([vault])
    forest.bind("a", {"эмпатия": 1})
    old.rename(new)
    forest.import_files([vault])
    assert [link.phrase for link in forest.get("a").root.anchors] == ["b"]
    new.write_text("# Выбор\n\nОдно из трёх.\n\nИли ничего.\n", encoding="utf-8")
    assert forest.import_files([vault]).changed == ["a"]
    assert (said(forest, "a")[1], forest.get("a").axes) == ("Одно из трёх.", {"эмпатия": 1})


def test_a_bound_note_that_is_called_as_its_file_is_renamed_and_edited(
    forest: Forest, tmp_path: Path
) -> None:
    note, renamed = tmp_path / "v" / "Мария.md", tmp_path / "v" / "Анна.md"
    note.parent.mkdir()
    note.write_text("Первый абзац.\n\nВторой абзац.\n", encoding="utf-8")
    forest.import_files([note.parent])
    forest.bind("мария", {"эмпатия": 1})
    note.rename(renamed)
    forest.import_files([note.parent])
    assert said(forest, "мария") == ["Анна", "Первый абзац.", "Второй абзац."]
    renamed.write_text("Первый абзац.\n\nТретий абзац.\n", encoding="utf-8")
    assert forest.import_files([note.parent]).changed == ["мария"]
    assert said(forest, "мария")[2] == "Третий абзац."
    assert forest.get("мария").axes == {"эмпатия": 1}


@pytest.mark.parametrize("name", ["a.json", "b.json"])
def test_a_tree_that_left_its_file_is_not_overwritten_by_another_of_its_title(
    forest: Forest, tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / "v.d" / "a.json")
    forest.import_files([path.parent])
    path.unlink()
    assert "stays in the forest" in forest.import_files([path.parent]).notices[-1]
    before = said(forest)
    write(path.parent / name, nodes=nodes("Совсем иное.", "Ни слова общего."))
    with pytest.raises(Conflict, match="stayed when that lost it"):
        forest.import_files([path.parent])
    assert said(forest) == before
    write(path.parent / name, nodes=nodes(*before[:2], "Нормы меняются иначе."))
    assert forest.import_files([path.parent]).changed == ["справедливость"]


def test_of_two_files_that_say_one_id_the_one_that_was_known_keeps_it(
    forest: Forest, tmp_path: Path
) -> None:
    write(tmp_path / "v" / "b.json", id="x")
    forest.import_files([tmp_path / "v"])
    before = forest.get("x").thoughts
    write(tmp_path / "v" / "a.json", id="x", nodes=nodes("Совсем иное.", "Ни слова общего."))
    report = forest.import_files([tmp_path / "v"], keep_going=True)
    assert report.changed == []
    (skipped,) = report.skipped
    assert "a.json: the tree 'x' was already read from" in skipped
    assert forest.get("x").thoughts == before
    write(tmp_path / "v" / "b.json", id="x", nodes=nodes("Правлено.", "Во второй раз."))
    assert forest.import_files([tmp_path / "v"], keep_going=True).changed == ["x"]
    assert forest.get("x").root.text == "Правлено."


def test_another_file_with_the_same_tree_does_not_overwrite_it(
    forest: Forest, tmp_path: Path
) -> None:
    forest.import_files([write(tmp_path / "a.json")])
    other = write(tmp_path / "b.json", nodes=nodes("Другое."))
    with pytest.raises(Conflict, match=r"b\.json.*imported from .*a\.json"):
        forest.import_files([other])
    same = write(tmp_path / "c.json")
    assert forest.import_files([same]).unchanged == ["справедливость"]


def test_who_imports_a_folder_is_told_how_to_leave_a_strange_file_out(
    forest: Forest, tmp_path: Path
) -> None:
    write(tmp_path / "a.json")
    strange = tmp_path / "package.json"
    strange.write_text('{"name": "x"}', encoding="utf-8")
    with pytest.raises(ImportRefused, match=r"package\.json.*\n.*--keep-going") as error:
        forest.import_files([tmp_path])
    assert "--keep-going" in (error.value.hint or "")
    assert forest.import_files([tmp_path], keep_going=True).added == ["справедливость"]
    with pytest.raises(ImportRefused) as error:  # there is nothing else
        forest.import_files([strange])
    assert error.value.hint is None


def test_a_tree_written_by_hand_is_not_overwritten(forest: Forest, tmp_path: Path) -> None:
    forest.add_steps("справедливость", ["Сказано в лесу."], title="Справедливость")
    with pytest.raises(Conflict, match="not imported from a file"):
        forest.import_files([write(tmp_path / "a.json")])


def test_two_trees_of_one_id_in_one_import_are_refused(forest: Forest, tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.json"), write(tmp_path / "b.json", nodes=nodes("Другое."))
    with pytest.raises(ImportRefused, match=r"b\.json.*already read from .*a\.json"):
        forest.import_files([one, two])
    assert list(forest) == []


def test_nothing_is_written_when_one_of_many_files_is_bad(forest: Forest, tmp_path: Path) -> None:
    good = write(tmp_path / "a.json")
    jump = [{"level": 0, "text": "x"}, {"level": 2, "text": "y"}]
    bad = write(tmp_path / "b.json", tree="память", nodes=jump)
    worse = tmp_path / "c.json"
    worse.write_text("{", encoding="utf-8")
    with pytest.raises(ImportRefused) as error:
        forest.import_files([good, bad, worse])
    assert "b.json" in str(error.value)
    assert "c.json" in str(error.value)
    assert list(forest) == []
    report = forest.import_files([good, bad, worse], keep_going=True)
    assert report.added == ["справедливость"]
    assert len(report.skipped) == 2


def test_an_import_says_how_far_it_is(forest: Forest, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.json", tree=f"дерево {i}") for i in range(3)]
    told: list[Progress] = []
    forest.import_files(paths, progress=told.append)
    assert (told[-1].files_done, told[-1].files, told[-1].thoughts) == (3, 3, 9)
    assert [p.thoughts for p in told] == sorted(p.thoughts for p in told)


def test_one_path_is_that_path_and_a_file_named_twice_is_read_once(
    forest: Forest, tmp_path: Path
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("tree: A\nnodes: [{level: 0, text: x}]\n")
    assert forest.import_files(str(file)).files == 1
    assert forest.import_files(file).unchanged == ["a"]
    assert forest.import_files([file, tmp_path, str(file)]).files == 1


def test_each_of_several_errors_keeps_its_hint(forest: Forest, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("tree: A\n".encode("utf-16"))
    (tmp_path / "b.yaml").write_text("tree: B\nnodes:\n\t- x\n")
    with pytest.raises(ImportRefused) as refused:
        forest.import_files(tmp_path)
    lines = str(refused.value).splitlines()
    assert "UTF-16" in lines[0]
    assert "iconv" in lines[1]
    assert "b.yaml:3" in lines[2]
    assert "put them where the tab is" in lines[3]


def test_a_missing_path_is_named(forest: Forest, tmp_path: Path) -> None:
    with pytest.raises(ForestError, match="nowhere"):
        forest.import_files([tmp_path / "nowhere"])


def test_one_missing_path_of_several_is_left_out_if_we_keep_going(
    forest: Forest, tmp_path: Path
) -> None:
    good = write(tmp_path / "good.json")
    missing, odd = tmp_path / "missing.json", tmp_path / "odd.xyz"
    odd.touch()
    report = forest.import_files([missing, good, odd], keep_going=True)
    assert report.added == ["справедливость"]
    assert ["missing.json" in report.skipped[0], "odd.xyz" in report.skipped[1]] == [True, True]


@pytest.mark.parametrize("escaped", [True, False])
def test_characters_lost_before_the_import_are_counted(
    forest: Forest, tmp_path: Path, escaped: bool
) -> None:
    path = write(tmp_path / "a.json", nodes=nodes("Спра\ufffdедл\ufffdвость", "Нормы"))
    path.write_text(json.dumps(json.loads(path.read_text()), ensure_ascii=escaped))
    (notice,) = forest.import_files([path]).notices
    assert notice.startswith(f"{path}: 2 characters lost")


def test_discovered_anchors_survive_a_new_import(forest: Forest, tmp_path: Path) -> None:
    from forest import AnchorLink

    path = write(tmp_path / "a.json")
    forest.import_files([path])
    root = forest.get("справедливость").root
    found = AnchorLink("граница знания", origin="discovered", score=0.9)
    forest.edit_thought(root.id, anchors=(*root.anchors, found))
    new = nodes("Справедливость — соответствие.", "Иначе.")
    new[0]["anchors"] = ["порог"]
    write(path, nodes=new)
    forest.import_files([path])
    assert said(forest)[1] == "Иначе."
    assert [a.phrase for a in forest.get("справедливость").root.anchors] == [
        "порог",
        "граница знания",
    ]


def test_a_discovered_anchor_stays_while_its_phrase_stands_in_the_thought(
    forest: Forest, tmp_path: Path
) -> None:
    from forest import AnchorLink

    text = "Каждый выбор закрывает миры, которых мы не увидим."
    path = write(tmp_path / "a.json", nodes=nodes(text, "Иначе."))
    forest.import_files([path])
    root = forest.get("справедливость").root
    marks = [AnchorLink(p, origin="discovered") for p in ("выбор закрывает", "закрывает миры")]
    forest.edit_thought(root.id, anchors=marks)

    write(path, nodes=nodes(text.replace("миры", "все миры"), "Иначе."))
    (notice,) = forest.import_files([path]).notices
    edited = forest.get("справедливость").root
    assert edited.id == root.id
    assert edited.anchors == (marks[0],)
    assert notice == (
        f"{path}: thought {root.id!r} of the tree 'справедливость' loses the discovered "
        "anchor 'закрывает миры': the phrase stands there no more"
    )


def test_the_sample_is_one_connected_forest(forest: Forest) -> None:
    from anchors.stats import forest_stats

    forest.plant_axes()
    forest.plant_sample()
    stats = forest_stats(forest.store)
    assert stats.trees >= 12
    assert stats.islands == 1
    assert stats.lone_trees == []
    assert stats.depth > 100
    assert set(stats.languages) == {"ru", "en"}
    assert len(forest.axes()) == 5
    assert all(tree.axes for tree in forest)
    assert all(info.source == f"sample/{info.id}.yaml" for info in forest.infos())
    assert forest.plant_sample().unchanged == [info.id for info in forest.infos()]


def test_the_real_proofs_are_imported_whole(forest: Forest, shared: Path) -> None:
    report = forest.import_files([shared / "data/entailment_bank/train.jsonl"])
    records = (shared / "data/entailment_bank/train.jsonl").read_text().splitlines()
    assert len(records) == 1313
    assert len(report.added) + sum("twice" in n or "again" in n for n in report.notices) >= 1313
    water = forest.thoughts_at("water is a kind of substance")
    assert len({o.tree for o in water}) == 34
    proof = forest.get("Mercury_7186778")
    assert proof.root.text.startswith("venus reflecting more sunlight")
    assert "Venus appear to be brighter" in proof.title
    assert proof.meta["answer"] == "It reflects the most sunlight toward Earth."
    assert [t.text for t in proof.children(proof.root)] == [
        "venus reflects more sunlight toward earth than other planets",
        "as the light reflected off of an object increases , the object will appear to be brighter",
    ]


def test_the_owners_notes_import_and_are_connected(forest: Forest, shared: Path) -> None:
    report = forest.import_files([shared / "seeds"])
    assert report.skipped == []
    tree = forest.get("справедливость")
    assert [t.level for t in tree.thoughts] == [0, 1]
    assert [a.phrase for a in tree.root.anchors] == [
        "Соответствие → моральная структура",
        "Причинность → следствие",
    ]
    assert any(a.kind == "link" and a.thoughts > 1 for a in forest.anchors())


def vault(folder: Path, **notes: str) -> Path:
    for name, text in notes.items():
        path = folder / "vault" / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "vault"


def test_another_note_of_the_same_name_changes_no_other_tree(
    forest: Forest, tmp_path: Path
) -> None:
    folder = vault(tmp_path, sub__Same="one")
    assert forest.import_files([folder]).added == ["sub/same"]
    vault(tmp_path, other__Same="two")
    assert forest.import_files([folder]).added == ["other/same"]
    assert [info.id for info in forest.infos()] == ["other/same", "sub/same"]


def test_a_link_with_a_path_joins_that_note_only(forest: Forest, tmp_path: Path) -> None:
    folder = vault(tmp_path, a__Index="a", b__Index="b", Ref="see [[a/Index]]", Lone="l",
                   Other="see [[Lone]]")  # fmt: skip
    forest.import_files([folder])
    shared = {a.id: {o.tree for o in forest.thoughts_at(a.id)} for a in forest.anchors()}
    assert {"a/index", "ref"} in shared.values()
    assert {"lone", "other"} in shared.values()
    assert not any({"a/index", "b/index"} <= trees for trees in shared.values())


def test_a_tree_whose_note_is_gone_stays_and_is_named(forest: Forest, tmp_path: Path) -> None:
    folder = vault(tmp_path, A="a", B="b")
    forest.import_files([folder])
    (folder / "B.md").unlink()
    report = forest.import_files([folder])
    assert [notice for notice in report.notices if "forest remove b" in notice]
    assert [info.id for info in forest.infos()] == ["a", "b"]


def test_the_address_of_a_link_is_kept(forest: Forest, tmp_path: Path) -> None:
    forest.import_files([vault(tmp_path, A="See [peft](https://example.org/peft).")])
    tree = forest.get("a")
    assert "https://example.org/peft" in json.dumps(tree.meta)


def test_files_of_one_name_in_two_folders_do_not_take_each_others_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Forest.open(f"sqlite:///{tmp_path / 'f.db'}") as forest:
        for author in ("al", "bo"):
            (tmp_path / author / "notes").mkdir(parents=True)
            (tmp_path / author / "notes" / "Index.md").write_text(f"# Index\n\nЗаметки {author}.\n")
        monkeypatch.chdir(tmp_path / "al")
        assert forest.import_files(["notes"]).added == ["index"]
        monkeypatch.chdir(tmp_path / "bo")
        with pytest.raises(Conflict, match=r"(?s)bo/notes.*imported from al/notes/Index\.md"):
            forest.import_files(["notes"])
        # From whichever folder, it is the same file.
        monkeypatch.chdir(tmp_path)
        assert forest.import_files(["al/notes"]).unchanged == ["index"]
        (tmp_path / "al" / "notes" / "Index.md").write_text("# Index\n\nЗаметки Алисы.\n")
        assert forest.import_files([tmp_path / "al" / "notes"]).changed == ["index"]


def test_another_note_of_its_name_is_no_change_of_a_note(forest: Forest, tmp_path: Path) -> None:
    folder = vault(tmp_path, a__Index="Первое.")
    forest.import_files([folder])
    forest.add_thought("a/index", "Наше.")
    report = forest.import_files([vault(tmp_path, b__Index="Второе.")])
    assert (report.added, report.kept) == (["b/index"], ["a/index"])
    (folder / "b" / "Index.md").unlink()
    assert forest.import_files([folder]).kept == ["a/index"]
    assert [t.text for t in forest.get("a/index")][1:] == ["Первое.", "Наше."]


def test_a_folder_of_a_vault_imported_alone_changes_nothing(forest: Forest, tmp_path: Path) -> None:
    folder = vault(tmp_path, a__Index="Первое.", b__Index="Второе.", c="[[a/Index]]", a__d="Ещё.")
    forest.import_files([folder])
    before = forest.revision
    report = forest.import_files([folder / "a"])
    assert (report.changed, report.unchanged) == ([], ["a/index", "a/d"])
    assert forest.revision == before
    assert forest.import_files([folder]).changed == []


@pytest.mark.parametrize("twice", [False, True])
def test_a_thought_of_the_file_that_the_forest_has_no_more_is_no_change_of_the_file(
    forest: Forest, tmp_path: Path, twice: bool
) -> None:
    path = write(tmp_path / "a.json", nodes=nodes("Корень.", "Первое.", "Второе."))
    forest.import_files([path])
    write(path, nodes=nodes("Корень.", "Иначе.", "Второе."))
    forest.import_files([path])
    forest.prune(forest.get("справедливость").thoughts[1].id)
    assert forest.import_files([path]).kept == ["справедливость"]
    if twice:  # what both changed is still refused
        write(path, nodes=nodes("Корень.", "Снова иначе.", "Второе."))
        with pytest.raises(Conflict):
            forest.import_files([path])
    assert said(forest) == ["Корень.", "Второе."]


def test_a_folder_that_was_moved_is_known_again(tmp_path: Path) -> None:
    folder = vault(tmp_path / "old", one="# Первое\n\nСказано.")
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        forest.import_files([folder])
        (tmp_path / "old").rename(tmp_path / "new")
        assert forest.import_files([tmp_path / "new" / "vault"]).unchanged == ["one"]
        vault(tmp_path / "new", one="# Первое\n\nСказано иначе.")
        assert forest.import_files([tmp_path / "new" / "vault"]).changed == ["one"]


def test_a_copy_of_a_folder_is_not_what_the_forest_knows(tmp_path: Path) -> None:
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        for name in ("old", "copy"):
            forest.import_files([vault(tmp_path / name, one="# Первое\n\nСказано.")])
        assert forest.import_files([tmp_path / "old" / "vault"]).unchanged == ["one"]
        with pytest.raises(Conflict, match=r"was imported from old/vault/one\.md"):
            forest.import_files([vault(tmp_path / "copy", one="# Первое\n\nСказано иначе.")])


def test_a_note_is_one_tree_named_alone_or_with_its_vault(forest: Forest, tmp_path: Path) -> None:
    note = tmp_path / "vault" / "sub" / "Время.md"
    note.parent.mkdir(parents=True)
    note.write_text("# Время\n\nОно идёт.\n", encoding="utf-8")
    for paths in ([note], [tmp_path / "vault"], [note.parent]):
        assert forest.import_files(paths).notices == []
        assert [info.id for info in forest.infos()] == ["время"]
    assert forest.import_files(note).unchanged == ["время"]
    forest.remove("время")
    forest.import_files(tmp_path / "vault")
    assert forest.import_files(note).unchanged == ["sub/время"]


def test_that_nothing_was_found_is_said(forest: Forest, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.json").write_text("[]", encoding="utf-8")
    notices = forest.import_files([tmp_path / "empty", tmp_path / "a.json"]).notices
    assert [notice.rpartition(": ")[2] for notice in notices] == [
        "there is no file to import in it",
        "there is no tree in it",
    ]


def test_an_import_does_not_read_the_whole_forest_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "note.md").write_text("# Вода\n\nВода течёт.\n", encoding="utf-8")
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        for name in ("infos", "trees", "revisions"):
            monkeypatch.setattr(forest.store, name, None)
        assert forest.import_files(tmp_path / "note.md").added == ["note"]
        assert forest.import_files(tmp_path / "note.md").unchanged == ["note"]


def test_an_empty_path_is_not_the_working_folder(
    forest: Forest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diary.md").write_text("# Дневник\n\nНе для леса.\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is empty"):
        forest.import_files([""])
    assert len(forest) == 0


@pytest.mark.parametrize("suffix", ["json", "jsonl", "yaml", "md"])
def test_a_tree_without_id_whose_title_is_edited_is_the_same_tree(
    tmp_path: Path, suffix: str
) -> None:
    def written(title: str, *more: str) -> str:
        nodes = [{"level": min(n, 1), "text": f"Мысль {n}."} for n in range(4)]
        told = json.dumps({"tree": title, "nodes": nodes}, ensure_ascii=False)
        all_ = [told, *more]
        if suffix == "md":
            return "".join(f"```json\n{one}\n```\n\n" for one in all_)
        return "\n---\n".join(all_) if suffix == "yaml" else "\n".join(all_) + "\n"

    other = json.dumps({"tree": "Другое", "nodes": [{"level": 0, "text": "Другое."}]})
    file = tmp_path / f"f.{suffix}"
    with Forest.open("memory:") as forest:
        file.write_text(written("Время"), encoding="utf-8")
        forest.import_files(file)
        before = [t.id for t in forest.get("время")]
        more = () if suffix == "json" else (other,)
        file.write_text(written("Эпоха", *more), encoding="utf-8")
        report = forest.import_files(file)
        assert (report.changed, len(report.added), report.notices) == (["время"], len(more), [])
        assert len(forest.import_files(file).unchanged) == 1 + len(more)
        assert [t.id for t in forest.get("время")] == before
        assert (forest.get("время").title, len(forest)) == ("Эпоха", 1 + len(more))
        file.write_text(written("Эпоха").replace("Мысль", "Иная мысль"), encoding="utf-8")
        report = forest.import_files(file)  # nothing of it is the same but its title
        assert (report.changed, report.added) == (["время"], [])


def test_a_tree_that_was_left_out_as_bad_is_not_said_to_have_left_its_file(tmp_path: Path) -> None:
    trees = [{"tree": name, "nodes": [{"level": 0, "text": name}]} for name in "ab"]
    many, note = tmp_path / "m.jsonl", tmp_path / "n.md"
    many.write_text("\n".join(map(json.dumps, trees)), encoding="utf-8")
    note.write_text("# N\n\nТекст.\n", encoding="utf-8")
    with Forest.open("memory:") as forest:
        forest.import_files([many, note])
        many.write_text(many.read_text(encoding="utf-8").replace('"b"}]', '""}]'), encoding="utf-8")
        note.write_bytes(b"\xff\xfe\x00")
        report = forest.import_files([many, note], keep_going=True)
        assert (len(report.skipped), report.notices) == (2, [])


@pytest.mark.parametrize("store", ["memory:", "sqlite"])
def test_a_thought_id_of_another_tree_names_the_file_and_stops_no_other(
    tmp_path: Path, store: str
) -> None:
    def put(name: str, tree: str, id_: str) -> None:
        nodes = [{"id": "r", "text": "Корень."}, {"id": id_, "parent": "r", "text": "Мысль."}]
        told = json.dumps({"id": tree, "tree": tree, "nodes": nodes})
        (tmp_path / name).write_text(told, encoding="utf-8")

    put("a.json", "b", "a/c")
    put("b.json", "a", "c")
    put("c.json", "good", "c")
    with Forest.open("memory:" if store == "memory:" else f"sqlite:///{tmp_path}/f.db") as forest:
        with pytest.raises(Conflict, match=r"a\.json: the tree 'b' .* 'a/c', .*b\.json has"):
            forest.import_files(tmp_path / n for n in ("a.json", "b.json", "c.json"))
        assert len(forest) == 0
        report = forest.import_files(
            [tmp_path / n for n in ("a.json", "b.json", "c.json")], keep_going=True
        )
        assert (sorted(report.added), len(report.skipped)) == (["a", "good"], 1)
        with pytest.raises(Conflict, match=r"a\.json: .*, which is in the forest"):
            forest.import_files(tmp_path / "a.json")


def test_a_folder_that_cannot_be_read_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "v" / "closed"
    closed.mkdir(parents=True)
    for name in ("v/a.md", "v/closed/b.md"):
        (tmp_path / name).write_text(f"# {name}\n\nТекст.\n", encoding="utf-8")
    with Forest.open("memory:") as forest:
        forest.import_files(tmp_path / "v")
        (tmp_path / "v" / "a.md").write_text("# a\n\nДругой текст.\n", encoding="utf-8")
        scandir = os.scandir

        def guarded(path: Any) -> Any:
            if Path(path) == closed:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", guarded)
        with pytest.raises(ImportRefused, match=r"v/closed: the folder cannot be read"):
            forest.import_files(tmp_path / "v")
        report = forest.import_files(tmp_path / "v", keep_going=True)
        assert (report.changed, len(report.skipped), report.notices) == (["a"], 1, [])


def test_files_of_another_format_have_not_left_their_folder(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n\nТекст.\n", encoding="utf-8")
    told = json.dumps({"tree": "b", "nodes": [{"level": 0, "text": "B."}]})
    (tmp_path / "b.json").write_text(told, encoding="utf-8")
    with Forest.open("memory:") as forest:
        forest.import_files(tmp_path)
        for format in ("json", "markdown", "yaml"):
            notices = forest.import_files(tmp_path, format=format).notices
            assert not [n for n in notices if "any more" in n]


def test_notes_whose_names_lead_to_one_id_are_told_apart(tmp_path: Path) -> None:
    for name in ("C", "C++", "C#"):
        (tmp_path / f"{name}.md").write_text(f"# {name}\n\nТекст {name}.\n", encoding="utf-8")
    with Forest.open("memory:") as forest:
        assert sorted(forest.import_files(tmp_path).added) == ["c", "c.2", "c.3"]
        assert forest.import_files(tmp_path).changed == []


@pytest.mark.parametrize(
    ("name", "first", "then"),
    [
        ("a.md", "# Draft\n\n## TODO\n", "# Мысль\n\n## О норме\n\nНормы бывают разные.\n"),
        ("a.md", "---\nlang: uk\n---\n# Мысль\n\nНормы.\n", "# Мысль\n\nНормы.\n"),
        ("a.yaml", "tree: А\nlang: uk\nnodes:\n- {level: 0, text: мысль}\n",
         "tree: А\nnodes:\n- {level: 0, text: мысль}\n"),
    ],
)  # fmt: skip
def test_a_language_that_no_file_says_is_guessed_from_what_it_says_now(
    forest: Forest, tmp_path: Path, name: str, first: str, then: str
) -> None:
    file = tmp_path / name
    file.write_text(first, encoding="utf-8")
    forest.import_files(file)
    assert [tree.lang for tree in forest] != ["ru"]
    file.write_text(then, encoding="utf-8")
    assert len(forest.import_files(file).changed) == 1
    assert [tree.lang for tree in forest] == ["ru"]
    assert forest.import_files(file).changed == []


def test_a_language_that_was_said_in_the_forest_is_kept(forest: Forest, tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("# Мысль\n\nНормы.\n", encoding="utf-8")
    forest.import_files(file)
    forest.replace(forest.get("a").model_copy(update={"lang": "uk"}))
    assert forest.import_files(file).kept == ["a"]
    assert forest.get("a").lang == "uk"
