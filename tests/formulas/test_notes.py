"""Formulas in notes: where they may stand, what is united, what is reported."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from anchors.formulas import note_lines
from anchors.formulas.model import Scene, roles
from anchors.formulas.notes import NoteFormulas, formulas_in
from anchors.formulas.syntax import text_of


def printed(note: str | NoteFormulas) -> list[tuple[int, str]]:
    """The first line and the text of each formula."""
    found = formulas_in(note) if isinstance(note, str) else note
    assert found.problems == []
    return [(d.lines[0], text_of(d.formula)) for d in found.defined.values()]


@pytest.mark.parametrize(
    "note",
    [
        "Δ12 = (вода + лёд) = зов",
        "#### 9.4.3 Пример: Δ12 = (вода + лёд) = зов ",
        "- **Δ12 = (вода + лёд) = зов**",
        "> [!note] Title\n> – раз: `Δ12 = (вода + лёд) = зов` — триада `покоя`",
        "> > ```text\n> > Δ12 = (вода + лёд) = зов\n> > ```\n> после",
        "~~~\n\nΔ12 = (вода + лёд) = зов\r\n~~~",
        "> ```text\n> (вода + лёд) = зов \n> Δ12\n> ```",
        "(вода + лёд) = зов\nΔ12",
        "`(вода + лёд) = зов`\n`Δ12`",
        "```\nopen `fence`, and Δ12 = (вода + лёд) = зов",
    ],
)
def test_formulas_are_found_wherever_they_stand(note: str) -> None:
    ((line, text),) = printed(note)
    assert text == "Δ12 = (вода + лёд) = зов"
    assert "лёд" in note.split("\n")[line - 1]


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("(пепел + зола)\nΔ50", "Δ50 = (пепел + зола)"),
        ("- порог(мел · зола)\n> Δ51", "Δ51 = порог(мел · зола)"),
        ("**(Δ01 → Δ02)**\n**Λ5**", "Λ5 = (Δ01 → Δ02)"),
        ("[Δ01, Δ02]_гармония\nΩ5", "Ω5 = [Δ01, Δ02]_гармония"),
        ("(соль + хлеб) → «Всё»\nΔ52\n→ «Да»", "Δ52 = (соль + хлеб) → «Всё» → «Да»"),
    ],
)
def test_a_formula_above_its_code_need_not_be_set_equal_to_anything(note: str, said: str) -> None:
    quoted = note.replace("- ", "> - ") if ">" in note else note
    assert [text for _, text in printed(quoted)] == [said]
    assert formulas_in(f"Он молчал (долго + упрямо), и ушёл.\n{note[-3:]}").defined == {}


def test_what_only_looks_a_little_like_a_formula_is_left_alone() -> None:
    found = formulas_in(
        "Δt = 5, Δ = b² − 4ac, λ1 = a + b, Δ 30 = 5 кг, как в Δ 41, if Δ12 == x, "
        "Δ12 → Δ13\n(объект + напряжение) = сцена\n\nи Δ12\n"
        "```\n(a + b) = c\n```\nΔ13"
    )
    assert (found.defined, found.problems) == ({}, [])
    assert found.undefined == {"Δ12": (1, 4), "Δ13": (1, 8)}


WATER = "Δ12 = (вода + лёд)"


@pytest.mark.parametrize(
    "written",
    [
        "Формула X.", "X; она хороша", "X,", "X?", "X — это порог", "(X)", "(см. X), ещё", "«X»!",
        "*X*", "_X_", "**X**", "==X==", "$X$", "Ответ: _X_.", "X[^1]", "X\\", "| X | да |",
        "Δ7 = (а + б). А X.",
        "(см. X), и X) всё", "X 【см. ниже】", "X<br>и всё", "на 100%% да\n\nX %%",
        "<!-- Δ41 = (а + б) --> X %% Δ42 = (а + б) %%",
        "<!--\nΔ41 = (а + б)\n--> X", "> %%\n> Δ41 = (а + б)\n> %% X",
    ],
)  # fmt: skip
def test_a_formula_ends_where_prose_begins(written: str) -> None:
    found = formulas_in(written.replace("X", WATER))
    assert [text_of(d.formula) for d in found.defined.values()] == [WATER]
    assert len(found.problems) == written.count("Δ7")


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("Δ12 = ([[вода]] + *лёд*)", "Δ12 = (вода + лёд)"),
        ("Λ1 = ([[Δ12]] → **Δ41**) — сцепка", "Λ1 = (Δ12 → Δ41)"),
        ("Δ12 = (а*б*в)", "Δ12 = (а · б · в)"),
        ("_Ω3 = [Δ01, Δ02]_гармония_.", "Ω3 = [Δ01, Δ02]_гармония"),
        ("Δ12 = вода + лёд. И всё.", "Δ12 = (вода + лёд)"),
        ("Δ12 = (а + б) = про [[то|другое]] и `код`", "Δ12 = (а + б) = про другое и код"),
        ("Δ12 = (а + б) = **сцена** про *это*[^1]", "Δ12 = (а + б) = сцена про это"),
        ("Δ12 = (а + б) = «**Имя** жирное»", "Δ12 = (а + б) = «Имя жирное»"),
        ("(Δ12 = (а + б) = зов), да", "Δ12 = (а + б) = зов"),
    ],
)
def test_a_formula_is_read_as_the_text_of_a_thought_is(note: str, said: str) -> None:
    assert printed(note) == [(1, said)]


def test_all_formulas_of_a_line_are_read_or_named() -> None:
    found = formulas_in("Δ7 = (а + б). Ещё Δ123 = (в + г). И Δ12 = (вода + лёд) = зов. А Δ13 = (е)")
    assert [p.column for p in found.problems] == [1, 19]
    alike = formulas_in("Δ 30 = (а + б). А △42 = (а + в), как в Δ 50, и Дельта12 = порог(а · б).")
    assert [p.column for p in alike.problems] == [1, 19, 48]
    assert [text_of(d.formula) for d in found.defined.values()] == [
        "Δ12 = (вода + лёд) = зов.", "Δ13 = (е)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("note", "problem"),
    [
        ("Температура Δ25 = 5 градусов. ΔE = mc^2.", "5 градусов is a number"),
        ("(мать + дитя) = прощание\n\nΔ46", "does not stand on the line right below"),
        ("Δ34 = A/B тест.", "A/B тест is one term in a sentence"),
        ("Тут Δ34 = тест", "тест is one term in a sentence"),
        ("Сегодня понял: Δ12 = Δ41, и дальше некуда.", "column 16: Δ41 is one term in a sentence"),
        ("В опыте Δ60=Δ61 (так вышло)", "Δ61 is one term in a sentence"),
        ("| ⟁ = 🜂(вода · ночь) | x |", "🜂 is one term in a sentence"),
        ("Δ50 = (ночь + окно) = Δ51 = (в + г)", "column 23: another formula begins at Δ51"),
        ("Δ50 = (ночь + окно) = Δ51", "Δ51 is a code and no scene"),
        ("Δ43: (а + б)", "no `=` follows Δ43"),
        ("Δ42 — порог(а · б)", "no `=` follows Δ42"),
        ("Δ40 := а + б", "no `=` follows Δ40"),
        ("Δ40 => (а + б)", "no `=` follows Δ40"),
        ("Δ40 ≈ (а + б)", "no `=` follows Δ40"),
        ("Δ60 = (а + б)) = сцена", "column 14: found `)`, expected"),
        (
            "Δ60 = (замок (дверной) + порог)",
            "column 14: a phrase with brackets of its own stands in",
        ),
        ("Δ60 = (а + б) / 2", "column 15: found `/`"),
        ("Δ60 = (а + б) ≈ сцена", "column 15: write a single `=` for `≈`"),
        ("Δ60 = (а + б) := сцена", "column 15: write a single `=` for `:=`"),
        ("Δ60 = а + б ≈ сцена", "column 13: write a single `=` for `≈`"),
        ("Δ94 = край + порог⟨а · б⟩", "column 19: found `⟨`"),
        ("Δ12 + Δ41 = Δ91", "write Δ12 + Δ41 → Δ91 = …, or Δ91 = (Δ12 + Δ41) where"),
        ("Тут Δ12 + Δ41 = весна + жара", "column 15: the code that a merge makes stands behind →"),
        ("Δ12 + Δ41 ↦ Δ91 = весна + жара", "column 11: found `↦`, expected `+` or `→`"),
        ("Δ12 ⇐ Δ41 = (весна + жара)", "column 5: found `⇐`, expected"),
        ("Δ12 ~> Δ41 = (весна + жара)", "column 5: found `~`, expected"),
        ("Ω3 = Δ01, Δ02", "only within brackets"),
        ("Δ12 == (а + б)", "no `=` follows Δ12"),
        ("Да: Δ 30 = (а + б)", "column 5: Δ 30 is not how a code is written: write Δ30"),
        ("**△42** = весна + жара", "column 3: △42 is not how a code is written: write Δ42"),
        ("`Дельта12 = (а + б)`", "column 2: Дельта12 is not how a code is written: write Δ12"),
        ("Дельта12 == (а + б)", "column 1: Дельта12 is not how a code is written: write Δ12"),
        ("Δ12 + Δ 41 → Δ91 = весна + жара", "column 7: Δ 41 is not how a code is written"),
        ("(а + б) = расцвет\nΔ 12", "line 2, column 1: Δ 12 is not how a code is written"),
        ("Δ 7 = (а + б)", "Δ 7 is not how a code is written, and Δ7 has one digit"),
        ("Δ１２ = (а + б)", "Δ１２ is not how a code is written: write Δ12"),
    ],
)
def test_what_looks_like_a_formula_and_is_none_is_named(note: str, problem: str) -> None:
    found = formulas_in(note)
    assert found.defined == {}
    assert [problem in str(p) for p in found.problems] == [True]


def test_registers_are_free_and_need_no_bullet() -> None:
    found = formulas_in(
        'Δ12 = (вода + лёд)\n- сонно: «Два»\n- logically: "One"\n- bodily — "Four"\n'
        "- Пользователь: «нет»\n- вода: «нет»\n\nΔ13 = (x + y)\nпоэтически: «Раз»"
    )
    assert {code: [(s.register, s.text) for s in said] for code, said in found.scenes.items()} == {
        "Δ12": [("сонно", "Два"), ("logical", "One"), ("bodily", "Four")],
        "Δ13": [("poetic", "Раз")],
    }


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("- поэтически: «Весна\n  идёт по воде»", [("poetic", "ru", "Весна идёт по воде")]),
        ("- поэтически: «Весна\nидёт по воде»\n- телесно: т", [
            ("poetic", "ru", "Весна идёт по воде"), ("bodily", "ru", "т"),
        ]),
        ("- логически: вода,\n  потом лёд\nПотом проза.", [("logical", "ru", "вода, потом лёд")]),
        ("поэтически: «Весна\nидёт»\nтелесно: «т»", [
            ("poetic", "ru", "Весна идёт"), ("bodily", "ru", "т"),
        ]),
        ("- [ ] телесно: «Т»\n- [x] логически: «Л»", [
            ("bodily", "ru", "Т"), ("logical", "ru", "Л"),
        ]),
        ("- poetic (en): «Ночь»\n- телесно (2): «Т».", [
            ("poetic", "en", "Ночь"), ("bodily", "ru", "Т"),
        ]),
        ("- поэтически:\n  - «А»\n  - Б\n- телесно:\n  В", [
            ("poetic", "ru", "А"), ("poetic", "ru", "Б"), ("bodily", "ru", "В"),
        ]),
        ("> - поэтически:\n>   - «А»\n>\n>   - «Б»", [
            ("poetic", "ru", "А"), ("poetic", "ru", "Б"),
        ]),
        ("- телесно: «Т» (черновик)\n- сонно: «С».", [("bodily", "ru", "Т"), ("сонно", "ru", "С")]),
        ("эмодзи: 🧊🌱.\nтелесно: «Т»", [("emoji", "und", "🧊🌱"), ("bodily", "ru", "Т")]),
        ("- телесно: «Т\n\nПроза» и всё", [("bodily", "ru", "«Т")]),
        ("- телесно: «Т» и «У»\n- логически: „Л\nм“", [
            ("bodily", "ru", "«Т» и «У»"), ("logical", "ru", "Л м"),
        ]),
    ],
)  # fmt: skip
def test_a_scene_is_all_that_its_item_says(listed: str, said: list[tuple[str, str, str]]) -> None:
    for note in (f"Δ12 = (вода + лёд)\n{listed}", f"## Δ12\n\n{listed}", f"Звучит Δ12:\n{listed}"):
        found = formulas_in(note)
        assert [(s.register, s.lang, s.text) for s in found.scenes["Δ12"]] == said


def test_scenes_below_an_item_that_names_a_code_are_of_that_code() -> None:
    found = formulas_in(
        "1. Δ12:\n   - поэтически: «А»\n2. **Δ13**\n   - поэтически:\n     - «Б»\n"
        "   - телесно: «В»\n3. Прочее\n   - логически: «Г»"
    )
    assert {code: [s.text for s in said] for code, said in found.scenes.items()} == {
        "Δ12": ["А"],
        "Δ13": ["Б", "В"],
    }


@pytest.mark.parametrize(
    "between",
    ["### Сцены", "Эта формула о воде.", "![[вода.png]]", "> [!quote] Сцены", "Раз.\n\n#### Два"],
)
@pytest.mark.parametrize("formula", ["## Δ12 = (вода + лёд)", "Δ12 = (вода + лёд)", "## Про Δ12"])
def test_a_scene_speaks_of_the_only_formula_of_its_section(formula: str, between: str) -> None:
    listed = "- сонно: «нет»\n- поэтически: «А»\n- сонно: «Б»\n\n## Иное\n\n- телесно: «В»"
    found = formulas_in(f"## Δ13 = (а + б)\n\n{formula}\n\n{between}\n\n{listed}")
    own = formula.startswith("#")
    said = [scene.text for scene in found.scenes.get("Δ12", ())]
    assert said == (["А", "Б"] if own else [])
    assert "Δ13" not in found.scenes


def test_a_scene_that_may_speak_of_several_formulas_is_named() -> None:
    notices: list[str] = []
    note = (
        "# А\n\nΔ12 = (вода + лёд)\n\nΔ13 = (а + б)\n\n## Сцены\n\n- телесно: «В»\n- logical: «Г»"
    )
    assert formulas_in(note, notices.append).scenes == {}
    assert notices == [
        "line 9, column 1: this may be a scene of one of Δ12, Δ13: write `Δ12:` above it"
    ]


def test_what_stands_below_a_formula_is_no_part_of_it() -> None:
    found = formulas_in("Δ12 = (вода + лёд)\n= тихая сцена\n\nΔ13 = (а + б)\n=====")
    assert [(p.line, "on its line" in str(p)) for p in found.problems] == [(2, True)]
    assert list(found.defined) == ["Δ12", "Δ13"]


def test_quotes_of_a_scene_that_do_not_end_are_named() -> None:
    notices: list[str] = []
    said = "Δ12 = (вода + лёд)\n- поэтически: «П» и «Р»\n- телесно: «Т\n\nпроза»"
    formulas_in(said, notices.append)
    assert notices == ["line 3, column 1: the quote « of this scene does not end"]


def test_scenes_without_bullets_may_hang_under_an_item() -> None:
    scenes = "  поэтически: «А»\n  телесно: «Б»"
    for head in ("- Δ12 = (вода + лёд)", "1. Δ12:", "- **Δ12**"):
        found = formulas_in(f"{head}\n{scenes}\n- другое")
        assert [scene.text for scene in found.scenes["Δ12"]] == ["А", "Б"]


@pytest.mark.parametrize("key", ["сцепка", "Сцепка", "TERMS"])
def test_keys_stand_in_small_or_capital_letters(key: str) -> None:
    assert printed(f"Δ41 → {key}: жара + шаг") == [(1, "Δ41 = (жара + шаг)")]


def test_a_scene_without_bullet_and_quotes_is_named() -> None:
    notices: list[str] = []
    found = formulas_in("Δ12 = (вода + лёд)\nпоэтически: Весна\nтелесно: «Т»", notices.append)
    assert [s.text for s in found.scenes["Δ12"]] == ["Т"]
    assert ["line 2" in said and "stands in quotes" in said for said in notices] == [True]


def test_a_role_may_name_its_term_in_another_form() -> None:
    (defined,) = formulas_in("Δ12 = (вода + лёд)\n- воды — среда").defined.values()
    assert roles(defined.formula)[0] == "medium"


def test_what_is_no_scene_in_a_list_of_scenes_is_named() -> None:
    notices: list[str] = []
    found = formulas_in("Δ41 звучит так:\n- сонно: «Шаг»\n- Во сне: «Два»", notices.append)
    assert [scene.text for scene in found.scenes["Δ41"]] == ["Шаг"]
    assert ["line 3" in said and "«Два» is no scene of Δ41" in said for said in notices] == [True]


def test_a_scene_ends_before_the_semicolon_behind_it() -> None:
    assert printed("Δ21 =(лес + поле)=лето; Δ22=(мох + лёд) = снег;") == [
        (1, "Δ21 = (лес + поле) = лето"), (1, "Δ22 = (мох + лёд) = снег"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "column"),
    [
        ("Пример: ", 1), ("Мы пришли к ", 1), ("> Итак, ", 3), ("Порог ", 1), ("Из Δ12 и ", 1),
        ("> - Было **[[Озеро|озеро]]** и ", 3), ("- ", 0), ("", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("operator", ["", "порог"])
def test_prose_before_a_formula_with_its_code_below_is_left_out_and_said(
    before: str, column: int, operator: str
) -> None:
    notices: list[str] = []
    quote = ">" if before.startswith(">") else ""
    note = f"{before}{operator}(вода · ночь) = тихая сцена\n{quote}Δ69"
    found = formulas_in(note, notices.append)
    assert printed(found) == [(1, f"Δ69 = {operator}(вода · ночь) = тихая сцена")]
    said = f"line 1, column {column}: «"
    assert [(n.startswith(said), "is prose" in n) for n in notices] == [(True, True)] * bool(column)


def test_a_term_before_a_formula_with_its_code_below_is_no_prose() -> None:
    found = formulas_in("вода + порог(лёд · ночь) = тихая сцена\nΔ69")
    assert (found.defined, [p.column for p in found.problems]) == ({}, [6])


@pytest.mark.parametrize("arrow", ["→", "->", "⇒", "➡️", "=>", "-->", "⟶"])
def test_a_merge_keeps_its_parts_with_any_arrow(arrow: str) -> None:
    notices: list[str] = []
    text = f"Так: **Δ12 + Δ41 {arrow} Δ98** = весна + жара"
    assert printed(formulas_in(text, notices.append)) == [(1, "Δ12 + Δ41 → Δ98 = (весна + жара)")]
    said = "line 1, column 18: "
    assert [n.startswith(said) for n in notices] == [True] * (arrow not in ("→", "->"))
    assert printed(f"(зов {arrow} путь) = сцена\nΔ69") == [(1, "Δ69 = (зов → путь) = сцена")]
    assert printed(f"Δ84 = край(покой · зов)\n{arrow} «Да»") == [
        (1, "Δ84 = край(покой · зов) → «Да»")
    ]
    assert printed(f"Новое {arrow} Δ41 = (вода + ночь)") == [(1, "Δ41 = (вода + ночь)")]
    misspelled = formulas_in(f"Δ12 + Δ 41 {arrow} Δ91 = весна + жара")
    assert (misspelled.defined, [p.column for p in misspelled.problems]) == ({}, [7])


def test_phrases_may_stand_below() -> None:
    note = "> – AGI: `Δ84 = край(покой · зов)` \n> → _«Он знал.»_\n> → фраза: «Да»\n>\n> → «Нет»"
    assert printed(note) == [(1, "Δ84 = край(покой · зов) → «Он знал.» → «Да»")]


def test_definitions_of_one_code_are_united() -> None:
    found = formulas_in("Δ12 = (вода + лёд) = а\n\n`Δ12 = (Вода + лёд) = «Имя» = б`\n\nсм. Δ12")
    assert printed(found) == [(1, "Δ12 = (вода + лёд) = «Имя» = а = б")]
    assert found.defined["Δ12"].lines == (1, 3)


def test_a_contradiction_names_both_lines_and_the_first_stays() -> None:
    found = formulas_in("Δ12 = (вода + лёд)\n\n> `Δ12 = (огонь + лёд)`\n\nΔ13 = пар")
    (problem,) = found.problems
    assert (problem.line, problem.column) == (3, 4)
    assert "the terms are вода + лёд in one and огонь + лёд in the other (line 1)" in str(problem)
    assert [text_of(d.formula) for d in found.defined.values()] == [
        "Δ12 = (вода + лёд)", "Δ13 = (пар)",
    ]  # fmt: skip


def test_a_bad_formula_is_reported_at_its_place_and_the_rest_is_read() -> None:
    found = formulas_in("text\n> - так: `Δ7 = (вода)`\n> - и `Δ12 = (вода ·)`\n> - `Δ13 = (лёд)`")
    assert [(p.line, p.column, p.problem) for p in found.problems] == [
        (2, 11, "Δ7 has one digit, a Δ code has two: write Δ07"),
        (3, 21, "found `)`, expected a phrase"),
    ]
    assert list(found.defined) == ["Δ13"]


def test_look_alike_letters_are_noticed_with_the_notes_line() -> None:
    notices: list[str] = []
    found = formulas_in("\n> `\u220612 = вода`\n\nи \u220612", notices.append)
    assert list(found.defined) == ["Δ12"]
    assert found.undefined == {}
    assert notices == ["line 2, column 4: \u2206 (U+2206) is read as Δ"]


def test_a_list_below_gives_registers_and_roles() -> None:
    found = formulas_in(
        "`Δ12 = (вода + весна + ночь)`\n\n**Внутри:**\n- *вода* — среда;\n- Весна — архетип (рост)"
        "\n- лёд — среда\n\nФормула `Δ41` может быть выражена:\n- поэтически: _«Шаг», и жар_,\n"
        "- **телесно:** _«Пульс»_\n- эмодзи: `🫁⟁`\n- Пользователь: «нет»\n\n"
        "Другое.\n\n- телесно: нет"
    )
    formula = found.defined["Δ12"].formula
    assert roles(formula) == ("medium", "archetype", "transition")
    assert found.scenes == {
        "Δ41": (
            Scene("«Шаг», и жар", "poetic", "ru"),
            Scene("Пульс", "bodily", "ru"),
            Scene("🫁⟁", "emoji"),
        )
    }
    assert found.undefined == {"Δ41": (8,)}


def test_slips_of_roles_and_a_semicolon_in_a_note_are_named_with_their_lines() -> None:
    notices: list[str] = []
    found = formulas_in(
        "Δ12 = (вода + лёд)\n- обьект: вода\n- лёд — срада\n\nИ Δ13 = (мох; лёд), вот.",
        notices.append,
    )
    assert [(p.line, p.column) for p in found.problems] == [(2, 1), (5, 13)]
    assert "`обьект:` is no role: write `объект: …`" in str(found.problems[0])
    assert notices == ["line 3, column 1: `срада` is a role of its own: was `среда` meant?"]
    assert text_of(found.defined["Δ12"].formula) == "Δ12 = (вода + лёд — срада)"


def test_the_owners_seed_is_read_whole(shared: Path) -> None:
    found = formulas_in((shared / "seeds/2-formulas.md").read_text(encoding="utf-8"))
    (_, water), *others = printed(found)
    assert water == (
        "Δ12 = (вода — среда + весна — архетип + неясность — эмоциональная граница)"
        " = сцена про влечение и расцвет = расцвет, влечение"
    )
    assert [text for _, text in others] == [
        "Δ41 = (жартишинавход) → «Он замер у границы жара, где всё замирает.»",
        "Δ94 = порог(страх · пустота · наблюдение)",
        "Δ84 = край(покой · распад · зов) → «Он был спокоен. Но знал: дольше — значит исчезнуть.»",
        "Δ12 + Δ41 → Δ91 = (весна + жара + шаг) = «Пробуждение с болью»",
        "Λ1 = (Δ12 → Δ41 → Δ57)",
        "Ω3 = [Δ01, Δ02, Δ03]_гармония",
    ]
    assert [(s.register, s.text) for s in found.scenes["Δ41"]] == [
        ("logical", "Предпороговая активация телесного напряжения"),
        ("poetic", "Шаг в замирающем жаре"),
        ("bodily", "Пульс поднялся — но он не двигался"),
        ("emoji", "🫁🜂⟁"),
    ]
    assert {"Δ57", "Δ73", "Δ01", "Δ02", "Δ03"} <= set(found.undefined)
    assert found.undefined["Δ57"] == (202,)


def test_a_line_is_searched_once_for_code_spans_however_many_comments_are_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spans = Mock(wraps=note_lines._SPAN)
    monkeypatch.setattr(note_lines, "_SPAN", spans)
    assert printed("%% a %% b " * 500 + "Δ12 = (вода + лёд) = зов") == [
        (1, "Δ12 = (вода + лёд) = зов")
    ]
    assert spans.sub.call_count <= 2


def test_a_comment_that_takes_one_end_of_a_code_span_ends_the_span() -> None:
    assert printed("%% ` %% Δ12 = (вода + лёд) = зов %% ` %%") == [(1, "Δ12 = (вода + лёд) = зов")]


@pytest.mark.timeout(60)  # it takes two seconds; a work that grows with the square takes minutes
def test_a_chain_of_twenty_thousand_steps_is_read_in_steps_not_in_their_square() -> None:
    chain = "Λ1 = (" + " → ".join(f"Δ{n % 100:02}" for n in range(20_000)) + ")"
    assert len(formulas_in(chain).defined["Λ1"].formula.parts) == 20_000


def test_a_list_in_the_block_of_code_of_its_formula_is_read() -> None:
    found = formulas_in("```\nΔ14 = (снег + дым)\n- телесно: «Холод»\n- снег — среда\n```\n")
    assert text_of(found.defined["Δ14"].formula) == "Δ14 = (снег — среда + дым)"
    assert [scene.text for scene in found.scenes["Δ14"]] == ["Холод"]
    other = formulas_in("Δ14 = (снег + дым)\n```\n- телесно: «Холод»\n```\n")
    assert not other.scenes


def test_a_formula_in_a_table_ends_with_its_cell() -> None:
    row = "| Δ13 = (лёд + огонь) = пожар | проза | Δ15 = (ночь + окно) |"
    defined = formulas_in(f"| код | слова | ещё |\n|---|---|---|\n{row}\n").defined.values()
    assert [text_of(d.formula) for d in defined] == [
        "Δ13 = (лёд + огонь) = пожар", "Δ15 = (ночь + окно)",
    ]  # fmt: skip


def test_a_phrase_below_a_code_that_stands_below_its_formula_is_its_phrase() -> None:
    found = formulas_in("(вода + весна) = расцвет\nΔ12\n→ «Лёд тронулся»\n")
    assert (
        text_of(found.defined["Δ12"].formula) == "Δ12 = (вода + весна) = расцвет → «Лёд тронулся»"
    )


@pytest.mark.parametrize(
    "note",
    ["Δ41 → сцепка: жар, тишина → фраза: «Он.»", "Δ13 + Δ14 → Δ91 = весна, жара = «Имя»"],
)
def test_a_list_without_brackets_is_named_and_not_cut(note: str) -> None:
    found = formulas_in(note)
    assert not found.defined
    assert len(found.problems) == 1
