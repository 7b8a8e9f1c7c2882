"""Dialogues in callouts: one tree a question."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import orjson
import pytest

from forest.formats import SourceFile, find_files, read_file
from forest.identity import finished
from forest.model import Tree

from .conftest import Reader, read_path
from .outlines import outline, texts

Q = "> [!nexus_user] **User** - 07.07.2025 at 18:40\n> {}\n"
A = "> [!nexus_agent] **Assistant** - 07.07.2025 at 18:41\n> {}\n"
UID = "<!-- UID: {}-6e3a-42e4-bac2-0da0792a4669 -->\n\n"


def test_a_question_is_the_root_and_its_answer_is_below(read: Reader) -> None:
    text = (
        Q.format("Почему?\n> Объясни.") + UID.format("bbb2156c") + A.format("**Потому.**\n> - раз")
    )
    tree = read(text, "Сны.md").tree
    assert (tree.id, tree.title) == ("сны/bbb2156c", "Почему?")
    assert texts(tree) == ["Почему?\nОбъясни.", "  Потому.", "  раз"]
    assert [t.kind for t in tree.thoughts] == ["question", "answer", "answer"]
    assert tree.meta == {
        "question": {
            "by": "User",
            "at": "07.07.2025 at 18:40",
            "uid": "bbb2156c-6e3a-42e4-bac2-0da0792a4669",
        },
        "answers": [{"by": "Assistant", "at": "07.07.2025 at 18:41"}],
    }
    assert [a.anchor for a in tree.root.anchors] == ["[[сны]]"]


def test_each_question_has_a_tree_with_an_id_of_its_own(read: Reader) -> None:
    text = "".join(
        Q.format(q) + uid + A.format("ответ") + "\n"
        for q, uid in [
            ("один", UID.format("bbb2156c")),
            ("два", UID.format("bbb2156c").replace("4669", "4670")),
            ("три", "\n"),
            ("четыре", UID.format("bbb2156c")),
        ]
    )
    ids = [t.id for t in read(text).trees]
    assert ids == [
        "note/bbb2156c",
        "note/bbb2156c-6e3a-42e4-bac2-0da0792a4670",
        "note/09cd82b0",
        "note/bbb2156c-6e3a-42e4-bac2-0da0792a4669",
    ]


def test_questions_keep_their_ids_whatever_is_asked_before_them(read: Reader) -> None:
    talk = [Q.format(q) + "\n" + A.format(f"ответ {n}") + "\n" for n, q in enumerate("абвб")]
    before = read("".join(talk)).trees
    after = read("".join([Q.format("новый") + "\n", *talk])).trees
    assert len({tree.id for tree in after}) == 5
    assert after[1:] == before


def test_an_id_in_a_comment_that_is_no_uuid_is_taken_whole(read: Reader) -> None:
    text = "".join(Q.format(n) + f"<!-- UID: message-{n} -->\n\n" for n in (1, 2))
    assert [t.id for t in read(text).trees] == ["note/message-1", "note/message-2"]


def test_a_question_without_a_word_is_left_out_and_nothing_else(read: Reader) -> None:
    empty = "> [!nexus_user] **User** - 08.07\n" + UID.format("d85f5cf8")
    talk = Q.format("вопрос") + "\n" + empty + A.format("ответ")
    result = read(talk, "note.md")
    assert texts(result.tree) == ["вопрос", "  ответ"]
    assert "d85f5cf8" not in result.tree.id
    assert ["note.md:4: " in notice for notice in result.notices] == [True]
    assert read(empty, "note.md").trees == []


def test_a_callout_without_an_empty_line_before_it_is_named(read: Reader) -> None:
    talk = Q.format("раз") + "\n" + A.format("ответ") + Q.format("два") + ">\n" + A.format("другой")
    found = [n.split("; ")[0].split(" stands")[0] for n in read(talk, "note.md").notices]
    assert found == ["note.md:6: [!nexus_user]", "note.md:9: [!nexus_agent]"]
    apart = Q.format("раз") + "\n" + A.format("ответ: [!nexus_user]\n> > [!nexus_user]") + "\n"
    assert read(apart, "note.md").notices == []


def test_a_question_that_is_a_picture_is_named_after_it(read: Reader) -> None:
    assert read(Q.format("![[photo.png]]")).tree.title == "photo.png"


def test_what_stands_between_the_callouts_belongs_to_the_question(read: Reader) -> None:
    text = (
        "# Заметка\n\n" + Q.format("вопрос") + "\n[[Ссылка]]\n\n## Между\n\nтекст\n\n"
        + A.format("ответ") + UID.format("d85f5cf8") + "после\n"
    )  # fmt: skip
    tree = read(text).tree
    assert texts(tree) == ["вопрос", "  Между", "    текст", "  ответ", "  после"]
    assert [a.phrase for a in tree.root.anchors] == ["Ссылка", "note"]
    assert tree.meta["note"] == "Заметка"
    assert tree.meta["answers"][0]["uid"].startswith("d85f5cf8")  # type: ignore[index,call-overload,union-attr]


def test_what_stands_above_the_first_question_is_the_notes_own_tree(read: Reader) -> None:
    trees = read("Вступление.\n\n" + A.format("без вопроса") + "\n" + Q.format("вопрос")).trees
    assert [t.id for t in trees] == ["note", "note/170d4780"]
    assert texts(trees[0])[1:] == [
        "  Вступление.", "  Assistant - 07.07.2025 at 18:41", "    без вопроса",
    ]  # fmt: skip


def test_a_long_question_is_one_text_and_has_a_short_title(read: Reader) -> None:
    lines = (
        "Слово за словом " * 10 + "\n>\n> 1. *раз*\n> 2. [[Два|два]]\n>\n> ```\n> code *x*\n> ```"
    )
    tree = read(Q.format(lines)).tree
    assert tree.title == ("Слово за словом " * 10)[:76].rsplit(" ", 1)[0] + "…"
    assert tree.root.text.split("\n")[1:] == ["", "1. раз", "2. два", "", "```", "code *x*", "```"]
    assert "Два" in [a.phrase for a in tree.root.anchors]


def test_front_matter_holds_for_every_question(read: Reader) -> None:
    text = "---\nid: talk\nlang: ru\ntags: [t]\naxes: [a]\nproject: x\n---\n"
    tree = read(text + Q.format("вопрос")).tree
    assert (tree.id, tree.lang, tree.axes) == ("talk/170d4780", "ru", {"a": 1.0})
    assert tree.meta["project"] == "x"
    assert "#t" in [a.anchor for a in tree.root.anchors]


def test_a_tree_of_json_in_an_answer(read: Reader) -> None:
    json = '```json\n> {"tree": "Вода", "nodes": [{"level": 0, "text": "Течёт."}]}\n> ```'
    trees = read(Q.format("вопрос") + "\n" + A.format("Вот:\n> " + json)).trees
    assert [t.id for t in trees] == ["note/170d4780", "вода"]
    assert texts(trees[0]) == ["вопрос", "  Вот:", "    Вода"]


# --- the owner's own texts ---------------------------------------------------------------------

_MARKUP = re.compile(
    r"\[!nexus_(?:user|agent)\]|<!-- UID:|```\w*|\]\(https:[^)]*\)|\[\^\d\]:?|(?<=<br)>"
)
_JSON_KEYS = Counter({"tree": 1, "axes": 1, "nodes": 1, "level": 2, "text": 2, "anchors": 2})


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W_]+", text))


def all_said(trees: list[Tree]) -> Counter[str]:
    parts = []
    for tree in trees:
        parts += [tree.title, orjson.dumps(tree.meta).decode(), *tree.axes]
        parts += [f"{t.level} {t.text}" for t in tree.thoughts]
        parts += [a.phrase for t in tree.thoughts for a in t.anchors]
    return words("\n".join(parts))


@pytest.fixture
def seeds(shared: Path) -> list[Path]:
    return sorted((shared / "seeds").glob("*.md"))


def test_no_word_of_a_seed_is_lost(seeds: list[Path]) -> None:
    for path in seeds:
        result = read_path(path)
        assert result.errors == []
        written = words(_MARKUP.sub(" ", path.read_text(encoding="utf-8")))
        numbers = {w for w in written if w.isdigit() and len(w) < 3}  # of lists
        missing = written - all_said(result.trees) - _JSON_KEYS
        assert not {w: n for w, n in missing.items() if w not in numbers}, path


def test_no_mark_is_left_in_the_seeds(seeds: list[Path]) -> None:
    for path in seeds:
        for tree in read_path(path).trees:
            for thought in tree.thoughts:
                if thought.kind not in ("code", "table"):
                    assert not re.search(r"\*|\[\[|`|^[#>]|<!--|\[\^|==", thought.text), thought


def test_the_seeds_are_six_trees_in_russian(seeds: list[Path]) -> None:
    trees = [finished(tree) for path in seeds for tree in read_path(path).trees]
    assert [t.id for t in trees] == [
        "1-forest-of-trees/bbb2156c", "справедливость", "2-formulas/ff731e5f",
        "3-lora-pipeline/450f5940", "4-experiment-loop/bbb2164e", "5-levels-of-influence/c4a49714",
    ]  # fmt: skip
    assert {t.lang for t in trees} == {"ru"}
    assert [len(t) for t in trees] == [58, 2, 101, 48, 53, 77]


def test_the_first_seed_reads_well(seeds: list[Path]) -> None:
    forest, justice = read_path(seeds[0]).trees
    assert outline(justice) == (
        "справедливость | справедливость\n"
        "- Справедливость — это соответствие между поступками и нормами."
        "  <Соответствие → моральная структура> <Причинность → следствие>\n"
        "  - Но нормы бывают разные: культурные, универсальные."
        "  <Контекст зависит от культурного пространства>\n"
    )
    assert justice.axes == {"причинность": 0.5, "мораль": 0.5}
    said = texts(forest)
    at = said.index("      Сначала создаётся каркас “осей мышления”:")
    assert said[at - 2 : at + 3] == [
        "  🌳 3. Как структурировать весь датасет как “лес” рассуждений",
        "    🔧 Стратегия: Смысловой каркас + расщепление",
        "      Сначала создаётся каркас “осей мышления”:",
        "        Причинность",
        "        Эмпатия",
    ]


def test_formulas_of_the_second_seed_stay_as_they_are(seeds: list[Path]) -> None:
    (tree,) = read_path(seeds[1]).trees
    said = [t.text for t in tree.thoughts]
    assert "Λ1 = (Δ12 → Δ41 → Δ57) — сцепка инициации" in said
    assert "Ω3 = [Δ01, Δ02, Δ03]_гармония — триада покоя" in said
    assert "Δ94 = порог(страх · пустота · наблюдение)" in said
    assert "[[146_делая_этот_раздел_подраздел_делай]]" in [a.anchor for a in tree.root.anchors]


def test_a_footnote_that_is_a_link_belongs_to_what_cites_it(seeds: list[Path]) -> None:
    (tree,) = read_path(seeds[4]).trees
    thought = next(t for t in tree.thoughts if t.text.startswith("Суть проблемы"))
    assert thought.text.endswith("способного к рождению смысла.")
    assert [a.phrase for a in thought.anchors] == ["67_у_многих_людей_абсолютно"]


def test_the_seeds_are_read_as_a_vault(shared: Path) -> None:
    items = [item for s in find_files([shared / "seeds"]) for item in read_file(s)]
    assert len(items) == 6
    assert all(isinstance(item, Tree) for item in items)
    assert SourceFile(shared, "x").problem is None


def test_footnotes_of_a_question_stand_below_it(read: Reader) -> None:
    tree = read(
        "> [!nexus_user] **U**\n> Что^[в *строке*]? И [^1].\n>\n> [^1]: вторая\n>\n> Ещё.\n\n"
        "> [!nexus_agent] **A**\n> Вот[^2].\n\n[^2]: третья\n"
    ).tree
    assert texts(tree) == [
        "Что? И.\n\nЕщё.", "  в строке", "  вторая", "  Вот.", "    третья",
    ]  # fmt: skip
