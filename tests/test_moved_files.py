"""A file that was moved or renamed is the file that it was, and its trees are the same trees."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from forest import Forest
from forest.errors import Conflict, ImportRefused
from forest.likeness import BY_CHANCE, shingles

NOTE = "# Корень\n\n- раз\n- два\n"
ASKED = "> [!nexus_user] **User**\n> {}\n> <!-- UID: {} -->\n\n> [!nexus_agent] **A**\n> {}\n\n"
YAML_TREE = """tree: Одно
nodes:
- {{level: 0, text: {}}}
- {{level: 1, text: два}}
- {{level: 1, text: три}}
"""
DIALOGUE = ASKED.format("Зачем?", "aaaa1111", "Затем.") + ASKED.format("Как?", "bbbb1111", "Так.")


@pytest.fixture
def forest(tmp_path: Path) -> Iterator[Forest]:
    """In a file: only there is it known whether another file is gone."""
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as opened:
        yield opened


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def move(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, to)


def texts(forest: Forest) -> dict[str, list[str]]:
    return {tree.id: [t.text for t in tree] for tree in forest}


@pytest.mark.parametrize("to", ["N.md", "other/N.md", "sub/M.md", "Тема/deep/N.md"])
@pytest.mark.parametrize("text", [NOTE, DIALOGUE], ids=["note", "dialogue"])
def test_a_note_that_was_moved_keeps_its_trees(
    forest: Forest, vault: Path, to: str, text: str
) -> None:
    put(vault / "sub" / "N.md", text)
    put(vault / "Z.md", "# Другая\n\n[[N]]\n")
    forest.import_files(vault)
    before = texts(forest)
    move(vault / "sub" / "N.md", vault / to)
    assert forest.import_files(vault).added == []
    assert texts(forest) == before
    assert forest.import_files(vault).changed == []
    put(vault / to, text.replace("два", "три").replace("Так.", "Иначе."))
    report = forest.import_files(vault)
    assert (report.added, len(report.changed), report.notices) == ([], 1, [])
    assert texts(forest).keys() == before.keys()


def test_a_note_that_is_named_alone_is_known_in_a_vault_that_was_moved(
    forest: Forest, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    forest.import_files([put(old / "sub" / f"{n}.md", f"# {n}\n\n[[Время]]\n") for n in "АБ"])
    old.rename(new)
    put(new / "sub" / "Б.md", "# Б\n\nДругая заметка.\n")
    report = forest.import_files(new)
    assert (report.changed, report.added) == (["а"], ["sub/б"])
    assert "sub/А" in [a.phrase for a in forest.get("а").root.anchors]
    put(new / "sub" / "А.md", "# А\n\nОно стоит.\n")
    assert forest.import_files(new).changed == ["а"]


def test_of_two_notes_that_say_the_same_each_is_found_once(forest: Forest, vault: Path) -> None:
    for name in ("a/N.md", "b/N.md"):
        put(vault / name, NOTE)
    forest.import_files(vault)
    vault.rename(vault.with_name("moved"))
    shutil.copytree(vault.with_name("moved") / "a", vault.with_name("moved") / "c")
    report = forest.import_files(vault.with_name("moved"))
    assert report.added == ["c/n"]
    assert sorted(texts(forest)) == ["a/n", "b/n", "c/n"]


def test_what_the_forest_edited_is_kept_and_known_in_its_new_place(
    forest: Forest, vault: Path
) -> None:
    put(vault / "N.md", NOTE)
    put(vault / "D.md", DIALOGUE)
    forest.import_files(vault)
    edited = ["n", next(i for i in texts(forest) if i.startswith("d/bbbb"))]
    for id_ in edited:
        forest.add_thought(id_, "Наше.")
    before = texts(forest)
    for name in ("N.md", "D.md"):
        move(vault / name, vault / "other" / name)
    report = forest.import_files(vault)
    assert (report.kept, report.added) == (sorted(edited), [])
    assert texts(forest) == before
    put(vault / "other" / "N.md", NOTE + "- три\n")
    with pytest.raises(Conflict, match="'n', which was edited there, while the file was changed"):
        forest.import_files(vault)


def test_trees_that_change_places_between_files_stay_those_of_their_files(
    forest: Forest, tmp_path: Path
) -> None:
    def tree(name: str, text: str) -> str:
        return json.dumps({"tree": name, "nodes": [{"level": 0, "text": text}]})

    one, two = put(tmp_path / "1.json", tree("a", "A.")), put(tmp_path / "2.json", tree("b", "B."))
    forest.import_files([one, two])
    put(one, tree("b", "B."))
    put(two, tree("a", "A."))
    assert forest.import_files([one, two]).notices == []
    put(two, tree("a", "Else."))
    assert forest.import_files([one, two]).changed == ["a"]
    put(one, tree("a", "New."))
    put(two, tree("b", "New."))
    with pytest.raises(Conflict, match=r"'a', which was imported from 2\.json"):
        forest.import_files([one])
    with pytest.raises(Conflict, match=r"'a', which was imported from 2\.json"):
        forest.import_files([one, two])  # by its title alone it may be another one
    assert forest.import_files([one, two], replace=True).changed == ["a", "b"]


def test_records_of_one_id_are_told_apart_in_a_file_that_was_moved(
    forest: Forest, tmp_path: Path
) -> None:
    def record(said: str) -> str:
        proof = {"id": "E1", "question": "Why?", "proof": "sent1 -> hypothesis"}
        return json.dumps({**proof, "hypothesis": said, "facts": {"sent1": f"Fact {said}."}}) + "\n"

    file = put(tmp_path / "v" / "eb.jsonl", record("alpha") + record("beta"))
    other = put(tmp_path / "v" / "other.jsonl", record("other").replace("E1", "E2"))
    forest.import_files(file.parent)
    before = texts(forest)
    a, b = file.read_text(encoding="utf-8"), other.read_text(encoding="utf-8")
    put(file, b)
    put(other, "".join(sorted(a.splitlines(keepends=True), reverse=True)))
    assert forest.import_files(file.parent).changed == []
    assert texts(forest) == before
    file.unlink()
    other.unlink()
    moved = put(tmp_path / "v2" / "eb.jsonl", record("beta"))
    assert forest.import_files(moved).unchanged == ["E1.2"]
    assert texts(forest) == before


def test_a_folder_of_a_vault_changes_no_names(forest: Forest, vault: Path) -> None:
    note = put(vault / "sub" / "deep" / "N.md", NOTE)
    forest.import_files(vault)
    put(note, NOTE + "- три\n")
    report = forest.import_files(vault / "sub")
    assert (report.changed, report.thoughts) == (["sub/deep/n"], 1)
    for folder in (vault / "sub", vault, note.parent, vault):
        assert forest.import_files(folder).unchanged == ["sub/deep/n"]


def test_what_left_the_folder_of_the_forest_itself_is_named(
    forest: Forest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        put(tmp_path / f"{name}.md", f"# {name}\n\nТекст.\n")
    forest.import_files(".")
    (tmp_path / "b.md").unlink()
    notices = forest.import_files(".").notices
    (notice,) = [n for n in notices if not n.startswith(".: skipped")]
    assert notice.startswith("b.md: the tree 'b' was imported from it and is not in it any more")


def test_a_note_whose_name_another_has_in_the_forest_is_a_tree_of_its_own(
    forest: Forest, vault: Path
) -> None:
    forest.import_files(put(vault / "sub" / "N.md", NOTE))
    put(vault / "N.md", "# Другая\n\nДругой текст.\n")
    assert forest.import_files(vault).added == ["n.2"]
    assert forest.import_files(vault).unchanged == ["n.2", "n"]
    put(vault / "N.md", "# Другая\n\nТретий текст.\n")
    for named in (vault / "N.md", vault):
        report = forest.import_files(named)
        assert (report.added, report.notices) == ([], [])
    assert len(forest) == 2


def test_a_moved_dialogue_keeps_its_link_names_also_when_it_is_named_alone(
    forest: Forest, vault: Path
) -> None:
    put(vault / "sub" / "D.md", DIALOGUE)
    forest.import_files(vault)
    forest.add_thought("sub/d/bbbb1111", "Наше.")
    vault.rename(vault.with_name("new"))
    for _ in range(2):
        report = forest.import_files(vault.with_name("new") / "sub" / "D.md")
        assert (report.changed, report.kept) == ([], ["sub/d/bbbb1111"])


PLAIN = "- раз\n- два\n"
OWN_ID = "---\nid: своё\n---\n\nОдин.\n\nДва.\n"


@pytest.mark.parametrize("text", [PLAIN, OWN_ID], ids=["by its name", "by its own id"])
def test_a_note_without_a_title_is_known_under_another_name(
    forest: Forest, vault: Path, text: str
) -> None:
    put(vault / "N.md", text)
    put(vault / "Z.md", "# Другая\n\n[[N]]\n")
    forest.import_files(vault)
    before = texts(forest)
    move(vault / "N.md", vault / "sub" / "Эпоха.md")
    report = forest.import_files(vault)
    assert (report.added, len(report.changed), report.notices) == ([], 1, [])
    (changed,) = report.changed
    assert forest.get(changed).title == forest.get(changed).root.text == "Эпоха"
    assert [t[1:] for t in texts(forest).values()] == [t[1:] for t in before.values()]
    assert forest.import_files(vault).changed == []
    forest.add_thought(changed, "Наше.")
    move(vault / "sub" / "Эпоха.md", vault / "Век.md")
    for _ in range(2):
        report = forest.import_files(vault)
        assert (report.kept, report.added, report.changed) == ([changed], [], [])


def test_of_notes_alike_that_are_called_as_their_files_each_keeps_its_name(
    forest: Forest, vault: Path
) -> None:
    for day in ("28", "29", "30"):
        put(vault / f"{day}.md", PLAIN)
    forest.import_files(vault)
    move(vault / "29.md", vault / "b" / "29.md")
    move(vault / "30.md", vault / "a" / "31.md")
    (vault / "28.md").unlink()
    report = forest.import_files(vault)
    assert (forest.get("29").title, forest.get("29").source) == ("29", "vault/b/29.md")
    assert (report.added, len(report.notices), len(forest)) == ([], 1, 3)


def test_a_folder_changes_no_names_where_a_tree_left_its_note(forest: Forest, vault: Path) -> None:
    put(vault / "sub" / "N.md", NOTE)
    other = put(vault / "other" / "N.md", NOTE)
    forest.import_files(vault)
    put(vault / "sub" / "N.md", DIALOGUE)
    assert len(forest.import_files(vault).added) == 2
    other.unlink()
    assert len(forest.import_files(vault).changed) == 2  # found by its short name, too
    for folder in (vault / "sub", vault):
        assert forest.import_files(folder).changed == []


# --- notes that take each other's places ----------------------------------------------------------

KINDS = {
    "heading": "# {0}\n\n- {0} раз\n- {0} два\n",
    "no heading": "{0} раз.\n\n{0} два.\n",
    "own id": "---\nid: x-{0}\n---\n# {0}\n\n{0} раз.\n",
    "dialogue": ASKED.format("{0} зачем?", "aaaa-{0}", "{0} затем.")
    + ASKED.format("{0} как?", "bbbb-{0}", "{0} так."),
    "dialogue without UID": "> [!nexus_user] **U**\n> {0} что?\n\n"
    "> [!nexus_agent] **A**\n> {0} вот.\n",
}


def said(forest: Forest) -> dict[str, dict[str, str]]:
    """By tree what its thoughts say, but for a root that is the name of the file."""
    return {t.id: {x.id: x.text for x in t if x.text != t.title or len(t) < 3} for t in forest}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "moves",
    ["a>b b>a", "a>b b>c c>a", "a>d b>a c>b", "a>b b>c c>d", "b>d a>b"],
    ids=["two", "three in turn", "moved up", "moved down", "one to a new name"],
)
def test_notes_that_took_the_names_of_others_keep_their_trees(
    forest: Forest, vault: Path, kind: str, moves: str
) -> None:
    pairs = [move.split(">") for move in moves.split()]
    for name in "abc":
        put(vault / f"{name}.md", KINDS[kind].format(name * 3))
    forest.import_files(vault)
    edited = max(texts(forest))
    forest.add_thought(edited, "Наше.")
    before = said(forest)
    notes = {path.name: path.read_text(encoding="utf-8") for path in vault.glob("*.md")}
    for old, _ in pairs:
        (vault / f"{old}.md").unlink()
    for old, new in pairs:
        put(vault / f"{new}.md", notes[f"{old}.md"])
    report = forest.import_files(vault)
    assert (report.added, report.kept, report.notices) == ([], [edited], [])
    assert said(forest) == before
    again = forest.import_files(vault)
    assert (again.added, again.changed) == ([], [])
    for old, new in pairs:  # from now on each is edited in its new place
        put(vault / f"{new}.md", notes[f"{old}.md"] + "\nИ ещё.\n")
    report = forest.import_files(vault, replace=True)
    assert (report.added, len(report.changed), len(forest)) == ([], len(pairs), len(before))


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_note_in_the_place_of_one_that_was_moved_is_new(
    forest: Forest, vault: Path, kind: str
) -> None:
    put(vault / "a.md", KINDS[kind].format("aaa"))
    forest.import_files(vault)
    before = said(forest)
    move(vault / "a.md", vault / "b.md")
    put(vault / "a.md", "# Новая\n\nСовсем другое.\n")
    report = forest.import_files(vault)
    (new,) = report.added
    assert texts(forest)[new] == ["Новая", "Совсем другое."]
    assert {i: t for i, t in said(forest).items() if i != new} == before
    assert forest.import_files(vault).changed == []


def test_an_edited_note_stays_beside_a_copy_of_what_it_said(forest: Forest, vault: Path) -> None:
    put(vault / "a.md", NOTE + "- три\n- четыре\n")
    forest.import_files(vault)
    shutil.copy(vault / "a.md", vault / "b.md")
    put(vault / "a.md", NOTE + "- три\n- пять\n")
    report = forest.import_files(vault)
    assert (report.changed, report.added) == (["a"], ["b"])


def test_a_note_that_cannot_be_read_keeps_its_trees(forest: Forest, vault: Path) -> None:
    put(vault / "a.md", NOTE)
    forest.import_files(vault)
    shutil.copy(vault / "a.md", vault / "b.md")
    (vault / "a.md").write_bytes(b"\xff\xfe\x00")
    report = forest.import_files(vault, keep_going=True)
    assert (report.added, len(report.skipped)) == (["b"], 1)


def test_questions_keep_their_trees_where_a_dialogue_is_split_and_put_together(
    forest: Forest, vault: Path
) -> None:
    one, two, three = (
        ASKED.format(f"{name}?", f"uid-{name}-0000", f"{name}.") for name in ("один", "два", "три")
    )
    put(vault / "a.md", one + two + three)
    forest.import_files(vault)
    before = said(forest)
    put(vault / "a.md", one)
    put(vault / "b.md", three + two)
    report = forest.import_files(vault)
    assert (report.added, report.notices) == ([], [])
    assert said(forest) == before
    assert forest.import_files(vault).changed == []
    put(vault / "a.md", one + three + two)
    (vault / "b.md").unlink()
    report = forest.import_files(vault)
    assert (report.added, report.notices) == ([], [])
    assert said(forest) == before


def test_a_note_in_the_name_of_one_that_is_gone_leaves_its_tree_alone(
    forest: Forest, vault: Path
) -> None:
    for name in "ab":
        put(vault / f"{name}.md", f"# {name}\n\nТекст {name}.\n")
    forest.import_files(vault)
    before = texts(forest)
    (vault / "b.md").unlink()
    forest.import_files(vault)
    move(vault / "a.md", vault / "b.md")
    report = forest.import_files(vault)
    assert (report.added, texts(forest)) == ([], before)
    assert forest.get("a").source == "vault/b.md"


def test_a_name_that_is_used_again_and_again_gets_a_number(forest: Forest, vault: Path) -> None:
    for day in range(4):
        inbox = put(vault / "Inbox.md", f"# День {day}\n\nТекст {day}.\n")
        assert len(forest.import_files(inbox if day == 3 else vault).added) == 1
        move(inbox, vault / f"day{day}.md")
        report = forest.import_files(vault)
        assert (report.added, report.notices) == ([], [])
    assert sorted(texts(forest)) == ["inbox", "inbox.2", "inbox.3", "inbox.4"]
    assert forest.get("inbox.4").source == "vault/day3.md"
    put(vault / "day1.md", "# День 1\n\nДругой текст.\n")
    assert forest.import_files(vault).changed == ["inbox.2"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_tree_that_left_a_note_stays_when_that_is_edited(
    forest: Forest, vault: Path, kind: str
) -> None:
    for name in "abc":
        put(vault / f"{name}.md", KINDS[kind].format(name * 3))
    forest.import_files(vault)
    (vault / "b.md").unlink()
    move(vault / "a.md", vault / "b.md")  # the tree of b stays with the name of its file
    for _ in range(2):
        assert forest.import_files(vault).added == []
    left = {i: t for i, t in texts(forest).items() if any("bbb" in x for x in t)}
    written = (vault / "b.md").read_text(encoding="utf-8")
    for text in (written + "\nЕщё.\n", written.replace("aaa раз", "aaa снова") + "\nИ ещё.\n"):
        put(vault / "b.md", text)
        assert forest.import_files(vault).added == []
        assert left.items() <= texts(forest).items()


def test_a_question_that_is_reworded_is_known_by_its_uid_or_its_answer(
    forest: Forest, vault: Path
) -> None:
    asked = (
        "> [!nexus_user] **U**\n> {}\n{}\n> [!nexus_agent] **A**\n> Раз.\n>\n> Два.\n>\n> Три.\n\n"
    )
    note = put(vault / "D.md", asked.format("Зачем?", "") + asked.format("Другое?", ""))
    forest.import_files(note)
    before = set(texts(forest))
    uid = "> <!-- UID: abcd-1234 -->\n"
    text = ""
    for question in ("Зачем?", "Почему?", "Отчего?"):
        text = asked.format(question, uid).replace("Раз", question)
        put(note, text.replace("Два", question) + asked.format("Другое?", ""))
        report = forest.import_files(note)
        assert (report.added, len(report.changed), report.notices) == ([], 1, [])
    put(note, text.replace("Два", question) + asked.format("Иное?", ""))
    assert forest.import_files(note).notices == []
    assert forest.import_files(note).changed == []
    assert set(texts(forest)) == before


def test_a_tree_that_left_its_note_is_known_where_it_comes_back(
    forest: Forest, vault: Path
) -> None:
    for name in "abc":
        put(vault / f"{name}.md", f"# {name}\n\nТекст {name}.\n")
    forest.import_files(vault)
    gone = (vault / "b.md").read_text(encoding="utf-8")
    (vault / "b.md").unlink()
    move(vault / "c.md", vault / "b.md")
    assert forest.import_files(vault).added == []
    before = texts(forest)
    (vault / "a.md").unlink()
    put(vault / "a.md", gone)
    for _ in range(2):
        assert forest.import_files(vault).added == []
        assert texts(forest) == before
    assert (forest.get("b").source, forest.get("c").source) == ("vault/a.md", "vault/b.md")


@pytest.mark.parametrize("kind", ["heading", "no heading", "own id"])
def test_half_of_a_swap_is_refused(forest: Forest, vault: Path, kind: str) -> None:
    put(vault / "a" / "x.md", KINDS[kind].format("xxx"))
    put(vault / "y.md", "# Y\n\nИное.\n")
    forest.import_files(vault)
    before = said(forest)
    mine, other = vault / "a" / "x.md", vault / "y.md"
    texts_ = mine.read_text(encoding="utf-8"), other.read_text(encoding="utf-8")
    for path, text in zip((other, mine), texts_, strict=True):
        put(path, text)
    with pytest.raises(ImportRefused, match=r"x\.md: .* what vault/y\.md said"):
        forest.import_files(vault / "a")
    assert len(forest.import_files(vault / "a", keep_going=True).skipped) == 1
    assert said(forest) == before
    assert forest.import_files(vault).added == []
    assert said(forest) == before


def test_a_question_that_went_on_and_came_back_keeps_its_tree(forest: Forest, vault: Path) -> None:
    asked = "> [!nexus_user] **U**\n> {}?\n\n> [!nexus_agent] **A**\n> {}.\n\n"
    one, two = asked.format("Раз", "Первое"), asked.format("Два", "Второе")
    put(vault / "a.md", one + two)
    forest.import_files(vault)
    put(vault / "a.md", one)
    put(vault / "b.md", two)
    assert forest.import_files(vault).added == []
    (vault / "b.md").unlink()
    put(vault / "c.md", asked.format("Два", "Другое"))
    forest.import_files(vault)
    (vault / "c.md").unlink()
    put(vault / "a.md", one + asked.format("Два", "Другое"))
    assert forest.import_files(vault).added == []
    assert forest.import_files(vault).changed == []


def test_a_new_note_where_a_dialogue_lay_that_had_changed_places(
    forest: Forest, vault: Path
) -> None:
    note, dialogue = put(vault / "n.md", NOTE), put(vault / "d.md", DIALOGUE)
    forest.import_files(vault)
    put(note, DIALOGUE)
    put(dialogue, NOTE)
    assert forest.import_files(vault).added == []
    before = texts(forest)
    put(note, "# Новая\n\nСовсем другое.\n")
    (new,) = forest.import_files(vault).added
    assert {id_: t for id_, t in texts(forest).items() if id_ != new} == before
    assert forest.import_files(vault).changed == []


@pytest.mark.parametrize("kind", ["heading", "no heading", "own id"])
def test_a_new_note_leaves_the_tree_alone_that_left_its_place(
    forest: Forest, vault: Path, kind: str
) -> None:
    put(vault / "z.md", "# Z\n\nПрочее.\n")
    old = put(vault / "a.md", KINDS[kind].format("aaa"))
    forest.import_files(vault)
    (left,) = (id_ for id_ in texts(forest) if id_ != "z")
    written = old.read_text(encoding="utf-8")
    old.unlink()
    assert len(forest.import_files(vault).notices) == 1
    assert forest.import_files(vault).notices == []  # it is named once
    before = texts(forest)
    put(old, "# Новая\n\nСовсем другое.\n")
    (new,) = forest.import_files(vault).added
    put(vault / "c.md", written)
    for _ in range(2):
        assert forest.import_files(vault).added == []
        assert {id_: t[1:] for id_, t in texts(forest).items() if id_ != new} == {
            id_: t[1:] for id_, t in before.items()
        }
    assert str(forest.get(left).source).endswith("vault/c.md")
    (vault / "c.md").unlink()
    assert len(forest.import_files(vault).notices) == 1


def test_a_note_that_is_edited_back_to_what_another_was_stays(forest: Forest, vault: Path) -> None:
    old = put(vault / "a.md", NOTE + "- три\n- четыре\n")
    put(vault / "b.md", NOTE + "- три\n- четыре\n- пять\n")
    forest.import_files(vault)
    old.unlink()
    forest.import_files(vault)
    put(vault / "b.md", NOTE + "- три\n- четыре\n")
    assert forest.import_files(vault).changed == ["b"]


def test_a_note_in_the_place_of_a_dialogue_is_not_the_tree_that_left_it(
    forest: Forest, vault: Path
) -> None:
    place = put(vault / "a.md", NOTE)
    put(vault / "z.md", "# Z\n\nПрочее.\n")
    forest.import_files(vault)
    move(place, vault / "x.md")
    put(place, DIALOGUE)
    forest.import_files(vault)
    (vault / "x.md").unlink()
    forest.import_files(vault)
    before = texts(forest)
    put(place, "# Новая\n\nСовсем другое.\n")
    (new,) = forest.import_files(vault).added
    assert {id_: t for id_, t in texts(forest).items() if id_ != new} == before
    assert forest.import_files(vault).changed == []


@pytest.mark.parametrize(
    ("was", "now", "text"),
    [
        ("INDEX.md", "index.md", "# {}\n\n- два\n- три\n- четыре\n"),
        ("a.md", "sub/b.md", "---\nid: мой\n---\n# Один\n\n- {}\n- три\n- четыре\n"),
        ("a.yaml", "sub/b.yaml", YAML_TREE),
    ],
)
def test_a_file_that_was_moved_and_edited_is_known_by_its_id_and_most_of_its_texts(
    forest: Forest, vault: Path, was: str, now: str, text: str
) -> None:
    old = put(vault / was, text.format("как было"))
    forest.import_files([old])
    (id_,) = texts(forest)
    old.unlink()
    assert forest.import_files([put(vault / now, text.format("как стало"))]).changed == [id_]
    assert "как стало" in texts(forest)[id_]


def test_a_tree_that_says_its_id_is_known_by_that_in_a_file_of_another_name(
    forest: Forest, vault: Path
) -> None:
    old = put(vault / "a.yaml", "id: мой\n" + YAML_TREE.format("раз"))
    forest.import_files([old])
    old.unlink()
    put(vault / "b.yaml", 'id: мой\ntree: Иное\nnodes:\n- {level: 0, text: "Всё не то"}\n')
    assert forest.import_files(vault).changed == ["мой"]


def test_another_text_under_the_title_of_a_file_that_is_gone_is_refused(
    forest: Forest, vault: Path
) -> None:
    old = put(vault / "a.yaml", YAML_TREE.format("раз"))
    forest.import_files([old])
    before = texts(forest)
    old.unlink()
    new = put(vault / "b.yaml", YAML_TREE.format("раз").replace("два", "не").replace("три", "то"))
    with pytest.raises(Conflict, match=r"b\.yaml.*was imported from .*a\.yaml"):
        forest.import_files([new])
    assert texts(forest) == before


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("to", ["a.md", "other/b.md"])
def test_a_note_that_was_moved_and_edited_at_once_is_known_by_most_of_its_texts(
    forest: Forest, vault: Path, to: str, seen: bool
) -> None:
    put(vault / "z.md", "# Z\n\n- [[a]]\n- прочее\n")
    old = put(vault / "a.md", NOTE + "- три\n")
    forest.import_files(vault)
    old.unlink()
    if seen:
        forest.import_files(vault)
    put(vault / to, NOTE + "- три\n- новое\n")
    report = forest.import_files(vault)
    if seen and to != "a.md":  # it left long ago, and nobody of its name came
        assert report.added == ["other/b"]
    else:
        assert (report.added, report.changed, report.notices) == ([], ["a"], [])
        assert texts(forest)["a"] == ["Корень", "раз", "два", "три", "новое"]
    assert forest.import_files(vault).changed == []


def test_a_note_that_took_the_place_of_a_deleted_one_leaves_its_tree_alone(
    forest: Forest, vault: Path
) -> None:
    put(vault / "x" / "а.md", "# А\n\n- один\n- другой\n")
    old = put(vault / "y" / "в.md", NOTE + "- три\n")
    forest.import_files(vault)
    before = texts(forest)
    old.unlink()
    put(vault / "x" / "а.md", NOTE + "- три\n- новое\n")
    report = forest.import_files(vault)
    assert (report.added, report.changed, len(report.notices)) == ([], ["y/в"], 1)
    assert texts(forest)["x/а"] == before["x/а"]


def test_what_a_template_says_makes_no_note_another_one(forest: Forest, vault: Path) -> None:
    day = "# День {0}\n\n## Утро\n\n## Работа\n\n## Вечер\n\n## Итог\n\nТекст {0}.\n"
    for n in range(4):
        put(vault / f"{n}.md", day.format(n))
    forest.import_files(vault)
    (vault / "1.md").unlink()
    put(vault / "5.md", day.format(5))
    assert forest.import_files(vault).added == ["5"]
    assert "Текст 1." in texts(forest)["1"]


BLOCK = '\n```json\n{{"id": "{0}", "tree": "{0}", "nodes": [{{"level": 0, "text": "{0}"}}]}}\n```\n'


def test_a_note_with_a_block_of_data_is_known_as_any_other(forest: Forest, vault: Path) -> None:
    old = put(vault / "sub" / "a.md", "# А\n\n- один\n- другой\n" + BLOCK.format("данные"))
    other = put(vault / "b.md", "# Б\n\n- третий\n- пятый\n" + BLOCK.format("иное"))
    forest.import_files([old])
    forest.import_files(vault)
    assert texts(forest).keys() == {"a", "b", "данные", "иное"}
    new = vault / "c.md"
    move(old, new)
    assert forest.import_files(vault).added == []
    put(new, new.read_text(encoding="utf-8").replace("другой", "другой, не тот"))
    assert forest.import_files(vault).changed == ["a"]
    swap(new, other)
    assert forest.import_files(vault).added == []
    put(other, other.read_text(encoding="utf-8").replace("один", "не один"))
    assert forest.import_files(vault).changed == ["a"]
    assert texts(forest)["a"][1] == "не один"


def swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def test_a_file_of_data_takes_no_name_from_a_note(forest: Forest, vault: Path) -> None:
    put(vault / "Время.md", "# Время\n\nТечёт.\n")
    put(vault / "z.md", "# Z\n\nСм. [[Время]].\n")
    forest.import_files(vault)
    put(vault / "data" / "Время.yaml", YAML_TREE.format("раз"))
    assert forest.import_files(vault).changed == []


def test_links_find_a_note_that_was_edited_in_the_forest_by_its_new_name(
    forest: Forest, vault: Path
) -> None:
    old = put(vault / "Время.md", "# О времени\n\nТечёт.\n")
    diary = put(vault / "Дневник.md", "# Дневник\n\nСм. [[Время]].\n")
    forest.import_files(vault)
    forest.add_thought("время", "Моя мысль.")
    move(old, vault / "Поток.md")
    put(diary, "# Дневник\n\nСм. [[Поток]].\n")
    report = forest.import_files(vault)
    assert (report.added, report.kept) == ([], ["время"])
    assert {at.tree for at in forest.thoughts_at("[[поток]]")} == {"время", "дневник"}
    assert "Моя мысль." in texts(forest)["время"]
    assert forest.import_files(vault).changed == []


def test_a_tree_whose_title_was_edited_is_known_in_a_file_of_another_name(
    forest: Forest, vault: Path
) -> None:
    old = put(vault / "t.yaml", YAML_TREE.format("раз"))
    forest.import_files(vault)
    put(old, YAML_TREE.format("раз").replace("Одно", "О нём"))
    assert forest.import_files(vault).changed == ["одно"]
    move(old, vault / "u.yaml")
    assert forest.import_files(vault).added == []
    assert forest.get("одно").title == "О нём"


DAY = "# День {0}\n\n## Утро\n\n- дело {0}\n\n## Вечер\n\n- мысль {0}\n- вывод {0}\n"


def test_a_chain_of_names_of_which_one_note_was_edited(forest: Forest, vault: Path) -> None:
    for n in (1, 2, 3):
        put(vault / f"{n}.md", DAY.format(n))
    forest.import_files(vault)
    before = texts(forest)
    put(vault / "3.md", DAY.format(2).replace("дело 2", "дело иное"))
    move(vault / "1.md", vault / "2.md")
    report = forest.import_files(vault)
    assert (report.added, report.changed, report.kept) == ([], ["1", "2"], [])
    assert texts(forest) == before | {"2": [t.replace("дело 2", "дело иное") for t in before["2"]]}
    assert [notice.split("'")[1] for notice in report.notices] == ["3"]


def test_notes_that_change_places_with_links_that_follow_them(forest: Forest, vault: Path) -> None:
    one = put(vault / "Один.md", "# А\n\n- раз за разом\n- два сапога\n- см. [[Другой]]\n")
    other = put(vault / "Другой.md", "# Б\n\n- три\n- пять\n- шесть\n")
    forest.import_files(vault)
    swap(one, other)
    put(other, other.read_text(encoding="utf-8").replace("[[Другой]]", "[[Один]]"))
    assert forest.import_files(vault).added == []
    assert {id_: t[0] for id_, t in texts(forest).items()} == {"один": "А", "другой": "Б"}


def test_a_note_that_took_up_another_one_is_the_note_that_it_was(
    forest: Forest, vault: Path
) -> None:
    one = put(vault / "a.md", "# А\n\n- раз\n- два\n")
    other = put(vault / "b.md", "# Б\n\n- три\n- пять\n- шесть\n- семь\n")
    forest.import_files(vault)
    put(one, one.read_text(encoding="utf-8") + "\n" + other.read_text(encoding="utf-8")[6:])
    other.unlink()
    report = forest.import_files(vault)
    assert (report.added, report.changed) == ([], ["a"])
    assert [notice.split("'")[1] for notice in report.notices] == ["b"]


def test_an_edited_note_stays_beside_an_edited_copy_of_it(forest: Forest, vault: Path) -> None:
    lines = "".join(f"- строка {n}\n" for n in range(8))
    put(vault / "a.md", "# А\n\n" + lines)
    forest.import_files(vault)
    put(vault / "b.md", "# А\n\n" + lines + "- ещё\n")
    put(vault / "a.md", "# А\n\n" + lines.replace("строка 1", "иное").replace("строка 2", "ино"))
    report = forest.import_files(vault)
    assert (report.changed, report.added) == (["a"], ["b"])


def test_a_new_note_under_the_first_name_of_one_that_is_gone_gets_a_number(
    forest: Forest, vault: Path
) -> None:
    put(vault / "z.md", "# Z\n\nПрочее.\n")
    first = put(vault / "a.md", NOTE)
    forest.import_files(vault)
    move(first, vault / "sub" / "a.md")
    assert forest.import_files(vault).added == []
    (vault / "sub" / "a.md").unlink()
    put(first, "# Новая\n\nСовсем другое.\n")
    assert forest.import_files(vault).added == ["a.2"]


def test_a_note_that_says_its_id_is_known_by_it(forest: Forest, vault: Path) -> None:
    old = put(vault / "a.md", "---\nid: мой\n---\n# Один\n\nраз\n")
    forest.import_files(vault)
    old.unlink()
    put(vault / "b.md", "---\nid: мой\n---\n# Другой\n\nвсё иначе\n")
    assert forest.import_files(vault).changed == ["мой"]


@pytest.mark.parametrize("more", ["", "\n\nи ещё\n\nи ещё раз\n\nи вот\n\nи вот оно\n\nи тут"])
def test_a_note_without_a_title_that_was_moved_and_edited_is_known(
    forest: Forest, vault: Path, more: str
) -> None:
    old = put(vault / "Один.md", "раз\n\nдва\n\nтри")
    forest.import_files(vault)
    old.unlink()
    put(vault / "Другой.md", "раз\n\nдва\n\nчетыре" + more)
    assert forest.import_files(vault).changed == ["один"]


def test_what_was_edited_in_both_and_moved_is_refused_as_that(forest: Forest, vault: Path) -> None:
    old = put(vault / "a.md", NOTE + "- три\n")
    forest.import_files(vault)
    forest.add_thought("a", "Наше.")
    old.unlink()
    put(vault / "b.md", NOTE + "- три\n- новое\n")
    with pytest.raises(Conflict, match="edited there, while the file was changed too") as refused:
        forest.import_files(vault)
    assert re.search(r"It is taken for .*a\.md", str(refused.value))


@pytest.mark.parametrize("swapped", [False, True])
def test_what_was_edited_in_both_and_moved_is_left_out_until_it_is_settled(
    forest: Forest, vault: Path, *, swapped: bool
) -> None:
    old = put(vault / "a.md", NOTE + "- три\n")
    put(vault / "z.md", "Совсем другая.\n\nСтраха в ней нет.\n")
    forest.import_files(vault)
    forest.add_thought("a", "Наше.")
    old.unlink()
    put(vault / "b" / "c.md", NOTE + "- три\n- новое\n")
    if swapped:
        move(vault / "z.md", old)
    else:
        put(old, "Вечером пришли гости.\n\nГоворили про войну.\n")
    for _ in range(3):
        report = forest.import_files(vault, keep_going=True)
        assert ["edited there" in said for said in report.skipped] == [True]
    before = texts(forest)
    assert "Наше." in before["a"]
    assert forest.import_files(vault, replace=True).changed == ["a"]
    assert "новое" in texts(forest)["a"]
    assert texts(forest).keys() == before.keys()


def test_a_note_without_an_id_in_the_place_of_one_with_an_id_is_another(
    forest: Forest, vault: Path
) -> None:
    place = put(vault / "a.md", "---\nid: мой\n---\n# Один\n\nраз\n\nдва\n")
    forest.import_files(vault)
    before = texts(forest)
    put(place, "# Новая\n\nСовсем другое.\n")
    assert forest.import_files(vault).added == ["a"]
    put(vault / "b.md", "---\nid: мой\n---\n# Один\n\nраз\n\nдва\n")
    assert forest.import_files(vault).added == []  # it is found by links as b now
    assert texts(forest)["мой"] == before["мой"]


def test_an_id_may_be_taken_out_of_a_note(forest: Forest, vault: Path) -> None:
    place = put(vault / "a.md", "---\nid: мой\n---\n# Один\n\nраз\n\nдва\n")
    forest.import_files(vault)
    put(place, "# Один\n\nраз\n\nдва\n\nтри\n")
    assert forest.import_files(vault).changed == ["мой"]


@pytest.mark.parametrize("turned", ["# Справедливость\n\nНорма и страх.\n", DAY.format(1)])
def test_a_note_in_the_place_of_one_that_cannot_be_read_is_left_out_with_it(
    forest: Forest, vault: Path, turned: str
) -> None:
    yesterday, today = (
        put(vault / f"{day}.md", DAY.format(n)) for n, day in ((1, "Вчера"), (2, "Сегодня"))
    )
    forest.import_files(vault)
    before = texts(forest)
    put(yesterday, DAY.format(2))
    put(today, "---\ntitle: {{title}}: [\n---\n" + turned)
    said = forest.import_files(vault, keep_going=True).skipped
    assert "mend" in said[0]
    assert "Сегодня.md, which cannot be read" in said[0]
    assert texts(forest) == before
    put(today, turned)
    forest.import_files(vault, keep_going=True)
    after = texts(forest)
    assert {id_: after[id_][1:] for id_ in before} == {i: t[1:] for i, t in before.items()}


@pytest.mark.parametrize("edited", ["Так.", "Здесь."])
def test_a_question_of_another_note_stays_itself_however_its_answer_grows(
    forest: Forest, vault: Path, edited: str
) -> None:
    def asked(*said: str) -> str:
        parts = [f"> [!nexus_user] **U**\n> {q}\n\n> [!nexus_agent] **A**\n> {a}\n\n"
                 for q, a in zip(said[::2], said[1::2], strict=True)]  # fmt: skip
        return "".join(parts)

    one, other, new = (vault / f"{name}.md" for name in "abc")
    put(one, asked("Как?", "Так.", "Зачем?", "Затем."))
    put(other, asked("Где?", "Здесь.", "Когда?", "Потом."))
    forest.import_files(vault)
    put(one, asked("Зачем?", "Затем."))
    put(other, asked("Когда?", "Потом."))
    put(new, asked("Как?", "Так.", "Где?", "Здесь."))
    assert forest.import_files(vault).added == []
    ids = texts(forest).keys()
    longer = f"{edited}\n>\n> А ещё иначе, как бывало раньше, и совсем не так, как хотели."
    put(new, asked("Как?", "Так.", "Где?", "Здесь.").replace(edited, longer))
    report = forest.import_files(vault)
    assert (report.added, len(report.changed), texts(forest).keys()) == ([], 1, ids)


@pytest.mark.parametrize("copy", ["План 2.md", "Копия плана.md", "Планы.md"])
@pytest.mark.parametrize("folder", ["", "a"])
def test_a_note_that_comes_back_with_a_copy_is_the_one_with_its_name(
    forest: Forest, vault: Path, folder: str, copy: str
) -> None:
    note = put(vault / folder / "План.md", "# Сад\n\nМысль о саде.\n")
    put(vault / "z.md", "# Дом\n\nДругое.\n")
    forest.import_files(vault)
    note.unlink()
    forest.import_files(vault)
    put(note, "# Сад\n\nМысль о саде.\n")
    put(vault / folder / copy, "# Сад\n\nМысль о саде.\n")
    forest.import_files(vault)
    sources = {tree.id: tree.source for tree in forest}
    assert (sources[f"{folder}/план".strip("/")] or "").endswith("План.md")


@pytest.mark.parametrize("night", ["empty", "gone"])
def test_a_note_that_was_away_for_a_night_comes_back_edited(
    forest: Forest, vault: Path, night: str
) -> None:
    note = put(vault / "a.md", "# Сад\n\nМысль о саде и зиме за окном.\n\nИ о снеге у реки.\n")
    put(vault / "z.md", "# Дом\n\nДругое.\n")
    forest.import_files(vault)
    if night == "empty":
        put(note, "")
    else:
        note.unlink()
    forest.import_files(vault)
    more = "Сегодня про апрель и ручьи.\n\nПро письмо, которое не пришло.\n\nПро лодку соседа.\n"
    put(note, f"# Сад\n\nМысль о саде и зиме за окном.\n\n{more}")
    assert forest.import_files(vault).changed == ["a"]
    assert forest.import_files(vault).changed == []


def test_half_of_a_swap_is_refused_though_the_note_was_edited(forest: Forest, vault: Path) -> None:
    mine = put(vault / "a" / "x.md", DAY.format(1))
    other = put(vault / "y.md", DAY.format(2))
    put(vault / "z.md", DAY.format(3))
    forest.import_files(vault)
    before = texts(forest)
    swap(mine, other)
    put(mine, mine.read_text(encoding="utf-8").replace("дело", "иное дело"))
    with pytest.raises(ImportRefused, match=r"x\.md: .* what vault/y\.md said"):
        forest.import_files(vault / "a")
    assert texts(forest) == before
    assert forest.import_files(vault).added == []


def test_a_note_that_is_rewritten_after_a_copy_of_another_is_itself(
    forest: Forest, vault: Path
) -> None:
    mine = put(vault / "a" / "x.md", DAY.format(1))
    put(vault / "y.md", DAY.format(2))
    forest.import_files(vault)
    put(mine, DAY.format(2))
    assert forest.import_files(vault / "a").changed == ["a/x"]


def test_what_a_template_says_is_missed_by_nobody(forest: Forest, vault: Path) -> None:
    for n in range(4):
        put(vault / f"{n}.md", DAY.format(n))
    forest.import_files(vault)
    (vault / "1.md").unlink()
    put(vault / "9.md", "# День 1\n\n- дело 1\n- мысль 1\n- иное\n")
    assert forest.import_files(vault).changed == ["1"]


def test_a_dialogue_that_was_renamed_and_of_which_a_question_was_reworded(
    forest: Forest, vault: Path
) -> None:
    asked = KINDS["dialogue without UID"].replace("вот.", "вот.\n> \n> - раз\n> - два")
    old = put(vault / "a.md", asked.format("Раз") + "\n" + asked.format("Два"))
    forest.import_files(vault)
    ids = set(texts(forest))
    old.unlink()
    put(vault / "b.md", asked.format("Раз") + "\n" + asked.format("Два").replace("что?", "как?"))
    assert forest.import_files(vault).added == []
    assert set(texts(forest)) == ids


PLAN = "# Сегодня\n\n## Утро\n\n## Работа\n\n## Вечер\n\n{}\n"
FIRST, SECOND = (
    "Долго думали о том, что такое время.",
    "Совсем другой день, дождь и справедливость.",
)


def test_a_day_that_went_to_the_archive_is_known_where_others_have_its_headings(
    forest: Forest, vault: Path
) -> None:
    put(vault / "План.md", PLAN.format("Что сегодня важно?"))
    today = put(vault / "Сегодня.md", PLAN.format(FIRST))
    forest.import_files(vault)
    move(today, vault / "Архив" / "2025-06-01.md")
    put(today, PLAN.format(SECOND))
    assert forest.import_files(vault).added == ["сегодня.2"]
    assert (texts(forest)["сегодня"][-1], texts(forest)["сегодня.2"][-1]) == (FIRST, SECOND)


EXTRACTED = "Второй длинный абзац, который переедет.\n\nИ третий длинный абзац, он тоже переедет.\n"


@pytest.mark.parametrize(
    "rest",
    ["коротко\n\n[[Раздел]]\n", "коротко, но [[Раздел]]\n", "## Раздел\n\nсм. [[Раздел]]\n"],
)
def test_a_note_stays_in_its_place_of_which_a_section_became_another_note(
    forest: Forest, vault: Path, rest: str
) -> None:
    put(vault / "a.md", f"# A\n\nкоротко\n\n## Раздел\n\n{EXTRACTED}")
    forest.import_files(vault)
    put(vault / "a.md", f"# A\n\n{rest}")
    put(vault / "Раздел.md", f"# Раздел\n\n{EXTRACTED}")
    report = forest.import_files(vault)
    assert (report.changed, report.added) == (["a"], ["раздел"])


def test_a_note_that_was_rewritten_but_for_a_little_stays_beside_a_copy(
    forest: Forest, vault: Path
) -> None:
    put(vault / "a.md", f"# Выбор\n\n{FIRST}\n\n{SECOND}\n\n{EXTRACTED}")
    forest.import_files(vault)
    shutil.copy(vault / "a.md", vault / "a (копия).md")
    put(vault / "a.md", f"# Выбор\n\n{SECOND}\n\nВсё иное, и гораздо длиннее.\n\nИ ещё.\n")
    report = forest.import_files(vault)
    assert (report.changed, len(report.added)) == (["a"], 1)


def test_days_of_one_template_that_are_filled_one_after_the_other(
    forest: Forest, vault: Path
) -> None:
    for day in range(1, 6):
        if day > 1:
            put(
                vault / f"{day - 1}.md",
                BARE.replace("я заметил?", f"видел {day}").replace("Что я понял?", ""),
            )
        put(vault / f"{day}.md", BARE)
        report = forest.import_files(vault)
        assert (report.changed, report.added) == ([f"{day - 1}"] * (day > 1), [f"{day}"])


def test_the_day_after_is_another_one_also_alone(forest: Forest, vault: Path) -> None:
    first = put(vault / "2025-06-01.md", PLAN.format(FIRST))
    forest.import_files(vault)
    first.unlink()
    put(vault / "2025-06-02.md", PLAN.format(SECOND))
    assert forest.import_files(vault).added == ["2025-06-02"]
    assert texts(forest)["2025-06-01"][-1] == FIRST


def test_a_day_that_is_imported_alone_is_not_the_one_that_is_gone(
    forest: Forest, vault: Path
) -> None:
    for n in (1, 2, 3):
        put(vault / f"{n}.md", DAY.format(n))
    forest.import_files(vault)
    move(vault / "3.md", vault / "Третий.md")
    assert forest.import_files([put(vault / "4.md", DAY.format(4))]).added == ["4"]


def test_a_question_that_went_to_another_note_and_was_edited_is_known_by_its_uid(
    forest: Forest, vault: Path
) -> None:
    one, two = (ASKED.format(n, f"{n}aaa1111", f"Ответ {n}.") for n in "ab")
    first = put(vault / "А.md", one + two)
    second = put(vault / "Б.md", ASKED.format("Как?", "cccc1111", "Так."))
    forest.import_files(vault)
    ids = set(texts(forest))
    put(first, one)
    put(second, second.read_text(encoding="utf-8") + two.replace("Ответ", "Иной ответ"))
    assert forest.import_files(vault).added == []
    assert set(texts(forest)) == ids


BARE = "# День\n\n## Утро\n\n- Что я заметил?\n\n## Вечер\n\n- Что я понял?\n"


@pytest.mark.parametrize("beside", [(), ("tpl/day.md",)], ids=["alone", "beside its template"])
def test_a_bare_day_that_is_filled_is_not_the_next_bare_day(
    forest: Forest, vault: Path, beside: tuple[str, ...]
) -> None:
    first, *_ = (put(vault / name, BARE) for name in ("2026-11-01.md", *beside))
    forest.import_files(vault)
    put(first, BARE.replace("Что я заметил?", "Заметил кота").replace("Что я понял?", "Зима."))
    put(vault / "2026-11-02.md", BARE)
    report = forest.import_files(vault)
    assert (report.changed, report.added) == (["2026-11-01"], ["2026-11-02"])


def test_a_note_that_was_renamed_with_a_word_edited_is_known(forest: Forest, vault: Path) -> None:
    long = "Время течёт, и никто не знает, откуда и куда оно течёт. " * 3
    text = f"# Время\n\nКоротко.\n\n{long}"
    old = put(vault / "a.md", text)
    forest.import_files(vault)
    old.unlink()
    put(vault / "b.md", text.replace("никто не знает", "кто-то знает", 1))
    assert forest.import_files(vault).changed == ["a"]


def test_a_question_that_is_reworded_is_known_by_its_long_answer(
    forest: Forest, vault: Path
) -> None:
    answer = "Время есть мера перемен, и ничего больше."
    asked = "> [!nexus_user] **U**\n> {}\n\n> [!nexus_agent] **A**\n> " + answer
    note = put(vault / "a.md", asked.format("Что такое время?"))
    forest.import_files(vault)
    put(note, asked.format("Что же такое время?"))
    assert forest.import_files(vault).added == []


TIME = """```json
{{"tree": "Время", "nodes": [{{"level": 0, "text": "{}"}}, {{"level": 1, "text": "Куда?"}}]}}
```
"""


@pytest.mark.parametrize("imported", ["Мысли", "Мысли/Время.md", ""])
def test_a_block_that_is_called_as_its_note_is_itself_whatever_is_imported(
    forest: Forest, vault: Path, imported: str
) -> None:
    note = put(vault / "Мысли" / "Время.md", TIME.format("Время течёт."))
    forest.import_files(vault)
    (block,) = texts(forest)
    assert forest.import_files(vault / imported).unchanged == [block]
    put(note, "# Время\n\nПроза.\n\n" + TIME.format("Время течёт."))
    report = forest.import_files(vault / imported)
    assert (len(report.added), report.changed) == (1, [])
    assert texts(forest)[block] == ["Время течёт.", "Куда?"]
    assert len(forest.import_files(vault).added) == 0
    put(note, "# Время\n\nПроза.\n\n" + TIME.format("Время стоит."))
    forest.import_files(vault)
    assert texts(forest)[block][0] == "Время стоит."
    move(note, vault / "Иное.md")
    assert forest.import_files(vault).added == []
    assert texts(forest)[block][0] == "Время стоит."


def test_a_note_over_a_block_leaves_a_tree_alone_that_stayed_in_the_forest(
    forest: Forest, vault: Path
) -> None:
    first = put(vault / "Ц.md", "# Ц\n\nСвоё.\n\n" + TIME.format("Время есть."))
    forest.import_files(vault)
    put(first, "# Ц\n\nСвоё.\n")
    forest.import_files(vault)
    (stayed,) = (i for i, said in texts(forest).items() if said[0] == "Время есть.")
    note = put(vault / "Время.md", TIME.format("Другое."))
    forest.import_files(vault)
    put(note, "# Время\n\nПроза.\n\n" + TIME.format("Другое."))
    assert len(forest.import_files(vault).added) == 1
    assert texts(forest)[stayed][0] == "Время есть."


def test_a_note_in_the_name_of_a_tree_of_data_gets_a_number(forest: Forest, vault: Path) -> None:
    data = {"tree": "Мера", "nodes": [{"level": 0, "text": "Старая мысль."}]}
    put(vault / "t.json", json.dumps(data))
    forest.import_files(vault)
    put(vault / "Мера.md", "# Мера\n\nПроза о мере.\n")
    assert forest.import_files(vault).added == ["мера.2"]
    assert texts(forest)["мера"] == ["Старая мысль."]
    assert forest.import_files(vault).added == []


def test_a_note_that_lost_a_paragraph_when_it_was_moved_is_known_beside_a_copy(
    forest: Forest, vault: Path
) -> None:
    shared = [
        f"Абзац {word} о том, как люди понимают друг друга." for word in ["один", "два", "три"]
    ]
    old = put(vault / "Мера.md", "\n\n".join(("# Мера", *shared, "Своя строка.")))
    put(vault / "Архив.md", "\n\n".join(("# Мера", *shared, "Чужая строка.")))
    forest.import_files(vault)
    old.unlink()
    put(vault / "Весы.md", "\n\n".join(("# Мера", *shared[1:], "Своя строка.")))
    report = forest.import_files(vault)
    assert (report.added, report.changed) == ([], ["мера"])


CHAPTERS = [
    ("Река несёт то, что взяла у берегов.", "Берег этого не помнит."),
    ("Вина старше поступка.", "Она ждала его у двери."),
    ("Кто выбирает, тот теряет.", "И знает, что потерял."),
]


def chapter(number: int, two: tuple[str, str]) -> dict[str, object]:
    nodes = [{"level": level, "text": text} for level, text in enumerate(two)]
    return {"tree": f"Глава {number}", "nodes": nodes}


def chapters(*said: tuple[str, str]) -> str:
    """The JSON of chapters, numbered from 1."""
    return json.dumps([chapter(n, two) for n, two in enumerate(said, 1)])


def test_chapters_that_were_numbered_anew_are_known_in_a_file_that_is_renamed(
    forest: Forest, vault: Path
) -> None:
    first, second, third = CHAPTERS
    book = put(vault / "книга.json", chapters(*CHAPTERS))
    forest.import_files(vault)
    anew = [chapter(1, third), chapter(2, first), chapter(3, second)]
    put(book, json.dumps(anew))
    forest.import_files(vault)
    before = texts(forest)
    assert before["глава-1"][0] == first[0]
    book.rename(vault / "том.json")
    report = forest.import_files(vault)
    assert (report.added, report.notices) == ([], [])
    assert texts(forest) == before


@pytest.mark.parametrize("keep_going", [False, True])
@pytest.mark.parametrize("name", ["архив.json", "я.json"])
def test_a_chapter_that_took_a_title_and_then_another_file_is_moved(
    forest: Forest, vault: Path, name: str, keep_going: bool
) -> None:
    first, second, third = CHAPTERS
    book = put(vault / "книга.json", json.dumps([chapter(1, first), chapter(2, second)]))
    other = put(vault / name, json.dumps([chapter(9, third)]))
    forest.import_files(vault)
    put(book, json.dumps([chapter(2, first), chapter(1, second)]))
    forest.import_files(vault)
    before = texts(forest)
    put(book, json.dumps([chapter(1, second)]))
    put(other, json.dumps([chapter(9, third), chapter(2, first)]))
    report = forest.import_files(vault, keep_going=keep_going)
    assert (report.added, report.skipped, report.notices) == ([], [], [])
    assert texts(forest) == before
    assert forest.get("глава-1").source == f"vault/{name}"


MIRROR = (
    "> [!nexus_user] **U** - 07.07\n> Что видит зеркало?\n\n> [!nexus_agent] **A**\n> Ночь.\n\n"
)


def test_a_note_that_took_in_a_question_of_another_keeps_its_name_when_it_is_edited(
    forest: Forest, vault: Path
) -> None:
    giver = put(vault / "Память.md", "# Память\n\nПамять хранит то, что прошло.\n\n" + MIRROR)
    rain = "# Дождь\n\nДождь стучит в окно, как гость без имени.\n\n"
    taker = put(vault / "Дождь.md", rain)
    forest.import_files(vault)
    ids = set(texts(forest))
    put(giver, giver.read_text(encoding="utf-8").replace(MIRROR, ""))
    put(taker, rain + MIRROR)
    assert forest.import_files(vault).added == []
    for word in ("путник", "странник"):
        put(taker, rain.replace("гость", word) + MIRROR)
        report = forest.import_files(vault)
        assert (report.changed, report.added) == (["дождь"], [])
    assert set(texts(forest)) == ids
    assert "Память" in texts(forest)["память"][0]


def test_a_chapter_with_a_new_title_in_another_file_is_the_same_tree(
    forest: Forest, vault: Path
) -> None:
    first, second, third = CHAPTERS
    book = put(vault / "книга.json", json.dumps([chapter(1, first), chapter(2, second)]))
    other = put(vault / "том.json", json.dumps([chapter(9, third)]))
    forest.import_files(vault)
    before = texts(forest)
    put(book, json.dumps([chapter(2, second)]))
    put(other, json.dumps([chapter(9, third), chapter(7, first)]))
    report = forest.import_files(vault)
    assert (report.added, report.changed, report.notices) == ([], ["глава-1"], [])
    assert (texts(forest), forest.get("глава-1").title) == (before, "Глава 7")
    revision = forest.revision
    report = forest.import_files(vault)
    assert (report.added, report.changed, report.notices) == ([], [], [])
    assert forest.revision == revision


def test_chapters_numbered_anew_after_one_left_stay_known_in_a_file_that_is_moved(
    forest: Forest, vault: Path
) -> None:
    first, second, third = CHAPTERS
    book = put(vault / "книга.json", chapters(*CHAPTERS))
    forest.import_files(vault)
    put(book, chapters(second, third))
    forest.import_files(vault)
    before = texts(forest)
    assert before["глава-1"][0] == first[0]
    move(book, vault / "том" / "книга.json")
    for _ in range(3):
        report = forest.import_files(vault)
        assert (report.added, report.changed, report.notices) == ([], [], [])
    assert texts(forest) == before


def test_a_block_that_went_to_another_note_stays_known_there(forest: Forest, vault: Path) -> None:
    block = TIME.format("Время течёт.")
    giver = put(vault / "Время.md", "# Время\n\nПроза.\n\n" + block)
    put(vault / "Прошлое.md", "# Прошлое\n\nДругое.\n")
    forest.import_files(vault)
    before = texts(forest)
    put(giver, "# Время\n\nПроза.\n")
    forest.import_files(giver)
    put(vault / "Прошлое.md", "# Прошлое\n\nДругое.\n\n" + block)
    for _ in range(3):
        assert forest.import_files(vault).added == []
    assert {i: said for i, said in texts(forest).items() if i != "прошлое"} == {
        i: said for i, said in before.items() if i not in ("прошлое", "время")
    } | {"время": ["Время", "Проза."]}


@pytest.mark.parametrize("name", ["Б.md", "Я.md"])
def test_a_note_of_one_question_that_gets_a_text_of_its_own_takes_no_other_tree(
    forest: Forest, vault: Path, name: str
) -> None:
    second = MIRROR.replace("зеркало", "окно")
    giver = put(vault / "В.md", "# В\n\nСвоё, и ничьё больше.\n\n" + MIRROR + second)
    forest.import_files(vault)
    before = texts(forest)
    put(giver, "# В\n\nСвоё, и ничьё больше.\n\n" + second)
    note = put(vault / name, MIRROR)
    assert forest.import_files(vault).added == []
    put(note, "# Иное\n\nСовсем другое.\n\n" + MIRROR)
    report = forest.import_files(vault)
    assert (len(report.added), report.notices) == (1, [])
    assert {i: t for i, t in texts(forest).items() if i not in report.added} == before
    assert forest.import_files(vault).added == []


def test_questions_keep_their_trees_where_their_note_is_joined_into_one_of_anothers_question(
    forest: Forest, vault: Path
) -> None:
    asked = [MIRROR.replace("зеркало", word) for word in ("зеркало", "окно", "озеро", "лёд")]
    giver = put(vault / "В.md", "# В\n\nСвоё, и ничьё больше.\n\n" + asked[0] + asked[1])
    other = put(vault / "Я.md", "# Я\n\nЕщё одно, и другое.\n\n" + asked[2] + asked[3])
    forest.import_files(vault)
    put(giver, "# В\n\nСвоё, и ничьё больше.\n\n" + asked[1])
    note = put(vault / "Б.md", asked[0])
    forest.import_files(vault)
    before = texts(forest)
    other.unlink()
    put(note, "# Я и Б\n\nНовое начало.\n\n" + asked[0] + asked[2] + asked[3])
    (new,) = forest.import_files(vault).added
    assert {i: said for i, said in texts(forest).items() if i != new} == before


def test_no_chapter_of_a_note_that_was_split_and_deleted_is_that_note(
    forest: Forest, vault: Path
) -> None:
    parts = [f"Глава {n} говорит о своём, и только о нём, раз {n * 7}." for n in range(1, 6)]
    whole = put(vault / "План.md", "# План\n\n" + "\n\n".join(parts) + "\n")
    forest.import_files(vault)
    whole.unlink()
    for name, some in (("1", parts[:2]), ("2", parts[2:4]), ("3", parts[4:])):
        put(vault / f"{name}.md", f"# Часть {name}\n\n" + "\n\n".join(some) + "\n")
    report = forest.import_files(vault)
    assert (len(report.added), report.changed) == (3, [])
    assert "stays in the forest" in report.notices[-1]


def test_a_chapter_that_was_put_before_the_others_is_known_in_a_file_that_is_renamed(
    forest: Forest, vault: Path
) -> None:
    book = put(vault / "книга.json", chapters(*CHAPTERS))
    forest.import_files(vault)
    sea = ("Море шумит о своём.", "Никто его не слышит.")
    put(book, chapters(sea, *CHAPTERS))
    assert forest.import_files(vault).added == ["глава-1.2"]
    before = texts(forest)
    book.rename(vault / "том.json")
    for _ in range(2):
        report = forest.import_files(vault)
        assert (report.added, report.changed, report.notices) == ([], [], [])
    assert texts(forest) == before


def test_a_note_that_gets_a_number_keeps_the_trees_of_its_questions(
    forest: Forest, vault: Path
) -> None:
    note = put(vault / "Мера.md", MIRROR)
    forest.import_files(vault)
    measure = {"tree": "Мера", "nodes": [{"text": "Было.", "level": 0}]}
    data = put(vault / "t.json", json.dumps(measure))
    forest.import_files(vault)
    data.unlink()
    forest.import_files(vault)
    before = texts(forest)
    put(note, "# Мера\n\nПроза о ней.\n\n" + MIRROR)
    assert forest.import_files(vault).added == ["мера.2"]
    assert {i: said for i, said in texts(forest).items() if i != "мера.2"} == before


def test_documents_of_one_author_have_little_in_common_by_chance(shared: Path) -> None:
    with Forest.open("memory:") as forest:
        forest.import_files([shared / "seeds"])
        by_file: dict[str, set[str]] = {}
        for tree in forest:
            said = shingles(t.text for t in tree.thoughts)
            by_file.setdefault(tree.source or "", set()).update(said)
    pairs = list(combinations(by_file.values(), 2))
    assert len(pairs) == 10
    assert max(len(a & b) / min(len(a), len(b)) for a, b in pairs) < BY_CHANCE


@pytest.mark.parametrize("how", ["moved", "renamed", "swapped", "swapped and edited"])
def test_a_note_that_took_in_a_question_of_another_is_known_where_it_goes(
    forest: Forest, vault: Path, how: str
) -> None:
    memory = "# Память\n\nПамять хранит то, что прошло, и не спрашивает зачем.\n\n"
    memory += ASKED.format("Что помнит река?", "uid-река-0000", "Всё, что упало.")
    rain = "# Дождь\n\nДождь стучит в окно, как гость без имени, и уходит под утро.\n\n"
    giver = put(vault / "Память.md", memory + MIRROR)
    taker = put(vault / "Непогода.md", rain)
    forest.import_files(vault)
    put(giver, memory)
    put(taker, rain + MIRROR)
    forest.import_files(vault)
    before = texts(forest)
    if how.startswith("swapped"):
        put(giver, rain + MIRROR)
        put(taker, memory.replace("зачем", "почему") if "edited" in how else memory)
    else:
        taker.unlink()
        to = {"moved": "Дневник/Непогода.md", "renamed": "Ливень.md"}[how]
        put(vault / to, rain.replace("гость", "путник") + MIRROR)
    report = forest.import_files(vault)
    assert (report.added, report.notices) == ([], [])
    now = texts(forest)
    assert now.keys() == before.keys()
    assert {i: t[0] for i, t in now.items()} == {i: t[0] for i, t in before.items()}
    assert forest.import_files(vault).changed == []


def test_a_question_that_was_added_later_and_went_on_keeps_its_tree(
    forest: Forest, vault: Path
) -> None:
    """Where the note that it left has the bytes again with which its first tree was read."""
    one, two, three = (
        ASKED.format(f"{name}?", f"uid-{name}-0000", f"{name}.") for name in ("один", "два", "три")
    )
    put(vault / "a.md", one)
    put(vault / "b.md", two)
    forest.import_files(vault)
    put(vault / "a.md", one + three)
    (added,) = forest.import_files(vault).added
    put(vault / "a.md", one)
    put(vault / "b.md", two + three)
    report = forest.import_files(vault)
    assert (report.added, report.notices) == ([], [])
    assert texts(forest)[added] == ["три?", "три."]


def test_a_question_without_a_uid_that_was_edited_where_it_went_keeps_its_tree(
    forest: Forest, vault: Path
) -> None:
    def asked(question: str, answer: str) -> str:
        return f"> [!nexus_user] **U**\n> {question}\n\n> [!nexus_agent] **A**\n> {answer}\n\n"

    one = asked("Что помнит река?", "Всё, что в неё упало, и ничего из того, что мимо.")
    other = asked("Кто не спит?", "Город и часы.")
    put(vault / "a.md", one)
    put(vault / "b.md", other)
    forest.import_files(vault)
    before = texts(forest)
    (vault / "a.md").unlink()
    put(vault / "b.md", other + one.replace("ничего", "кое-что"))
    report = forest.import_files(vault)
    assert (report.added, report.notices, len(report.changed)) == ([], [], 1)
    assert texts(forest).keys() == before.keys()
    put(vault / "b.md", other)
    assert len(forest.import_files(vault).notices) == 1
    put(vault / "c.md", asked("Что помнит река?", "Сегодня она забыла даже собственное имя."))
    assert len(forest.import_files(vault).added) == 1, "who asks the same may be answered otherwise"


@pytest.mark.parametrize("uid", ["<!-- UID: uid-река-0000 -->\n> ", ""])
def test_a_question_that_went_to_a_note_with_an_id_keeps_its_tree(
    forest: Forest, vault: Path, uid: str
) -> None:
    asked = f"> [!nexus_user] **U**\n> {uid}Что помнит река?\n\n"
    asked += "> [!nexus_agent] **A**\n> Всё.\n\n"
    journal = "---\nid: journal\n---\n# Дневник\n\nО хлебе, соли и камнях.\n\n"
    put(vault / "a.md", "# Память\n\nПамять хранит то, что прошло.\n\n" + asked)
    put(vault / "b.md", journal)
    forest.import_files(vault)
    before = texts(forest).keys()
    put(vault / "a.md", "# Память\n\nПамять хранит то, что прошло.\n\n")
    put(vault / "b.md", journal + asked)
    report = forest.import_files(vault)
    assert (report.added, report.notices) == ([], [])
    put(vault / "b.md", journal.replace("соли", "боли") + asked)
    assert forest.import_files(vault).changed == ["journal"]
    assert texts(forest).keys() == before


def test_a_question_with_a_uid_that_grew_while_its_note_was_joined_to_another_is_known(
    forest: Forest, vault: Path
) -> None:
    asked = ASKED.format("Что помнит река?", "uid-река-0000", "Всё, что в неё упало.")
    put(vault / "a.md", "# Стол\n\nХлеб, соль и камни на столе.\n\n")
    put(vault / "b.md", "# Окно\n\nСвет из окна падает на дверь.\n\n" + asked)
    forest.import_files(vault)
    grown = (
        asked + "Потом добавлено: реки считали долго, и ни одна счёта не помнит, кроме мелкой.\n"
    )
    put(vault / "a.md", "# Стол\n\nХлеб, соль и камни на столе.\n\n" + grown)
    (vault / "b.md").unlink()
    report = forest.import_files(vault)
    assert (report.added, len(report.notices)) == ([], 1), "the note is named, not its question"


def test_notes_of_two_vaults_that_are_called_alike_are_imported_together(
    forest: Forest, tmp_path: Path
) -> None:
    one, other = tmp_path / "v1", tmp_path / "v2"
    put(one / "Index.md", "# Один\n\nраз\n")
    put(other / "Index.md", "# Другой\n\nвсё иначе\n")
    forest.import_files(one)
    with pytest.raises(Conflict) as refused:
        forest.import_files(other)
    assert re.search(r"Imported with .*v1/Index.md it gets a number", str(refused.value))
    assert forest.import_files([one, other]).added == ["index.2"]
