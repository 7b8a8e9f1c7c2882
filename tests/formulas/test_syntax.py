"""One formula: every form of the seed, printing and reading again, errors at their place."""

from __future__ import annotations

import doctest
import importlib
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from anchors.forms import form_key
from anchors.formulas.codes import GLYPHS
from anchors.formulas.errors import Contradiction, InvalidFormula
from anchors.formulas.model import ROLES, Formula, Join, Term, roles
from anchors.formulas.syntax import parse, read, text_of
from anchors.formulas.union import united
from forest.fields import is_blank
from forest.phrases import ARROWS, phrase_key


def terms(*phrases: str) -> tuple[Term, ...]:
    return tuple(map(Term, phrases))


WATER = terms("вода", "весна", "неясность")
FORMS = {
    "Δ12 = (вода + весна + неясность) = сцена про влечение и расцвет": Formula(
        "Δ12", WATER, scenes=("сцена про влечение и расцвет",)
    ),
    "(вода + весна + неясность) = расцвет, влечение \nΔ12": Formula(
        "Δ12", WATER, scenes=("расцвет, влечение",)
    ),
    "Δ94 = порог(страх · пустота · наблюдение)": Formula(
        "Δ94", terms("страх", "пустота", "наблюдение"), "·", operator="порог"
    ),
    "Δ84 = край(покой · распад · зов)\n→ «Он был спокоен.»": Formula(
        "Δ84", terms("покой", "распад", "зов"), "·", operator="край", phrases=("Он был спокоен.",)
    ),
    "Δ12 + Δ41 → Δ91 = весна + жара + шаг = «Пробуждение с болью»": Formula(
        "Δ91", terms("весна", "жара", "шаг"), parts=("Δ12", "Δ41"), name="Пробуждение с болью"
    ),
    "Λ1 = (Δ12 → Δ41 → Δ57)": Formula("Λ1", parts=("Δ12", "Δ41", "Δ57"), parts_join="→"),
    "Ω3 = [Δ01, Δ02, Δ03]_гармония": Formula(
        "Ω3", parts=("Δ01", "Δ02", "Δ03"), parts_join=",", label="гармония"
    ),
    "Δ41 → сцепка: жартишинавход → фраза: «Он замер у границы жара.»": Formula(
        "Δ41", terms("жартишинавход"), phrases=("Он замер у границы жара.",)
    ),
    "Δ41 → Сцепка: жар = СЦЕНА: туман → Фраза: «Он замер.»": Formula(
        "Δ41", terms("жар"), scenes=("туман",), phrases=("Он замер.",)
    ),
    "Δ12 = (вода — среда + ясный день — архетип)": Formula(
        "Δ12", (Term("вода", "среда"), Term("ясный день", "архетип"))
    ),
    "🜂 -> Δ01 -> Δ02 = (вода*«а + б») = страх -> покой = сцена: «x = y»": Formula(
        "Δ02",
        terms("вода", "а + б"),
        "·",
        ("🜂", "Δ01"),
        "→",
        scenes=("страх -> покой", "x = y"),
    ),
}


@pytest.mark.parametrize(("text", "formula"), FORMS.items())
def test_every_form_is_read(text: str, formula: Formula) -> None:
    assert parse(text) == formula
    assert parse(text).source == text
    assert parse(f"\n  {text}\r\n") == formula
    assert parse(text_of(formula)) == formula


@pytest.mark.parametrize(
    "text",
    [
        "Δ12 = (вода + весна + неясность) = сцена про влечение и расцвет",
        "Δ94 = порог(страх · пустота · наблюдение)",
        "Λ1 = (Δ12 → Δ41 → Δ57)",
        "Ω3 = [Δ01, Δ02, Δ03]_гармония",
    ],
)
def test_the_seeds_own_spelling_is_the_canonical_one(text: str) -> None:
    assert text_of(parse(text)) == text


MARKS = (
    *"—-→+·*=()[],«»“”\"'\\:\u00a0", "->", "⇒", "➡️", "=>", "-->", "--", "⟨", "】", "≈",
    "вода", "ясный_день", "δ12", "Дельта１２", "Δ９",
    "_x_", "7", "100%", "-а", "а-", "e\u0301", "🌊", "Δ12", "Λx", "⟁",
    "сцена:", "фраза:", "сцепка:", "среда:", "Δ", "30",
)  # fmt: skip
phrases = st.one_of(
    st.lists(st.sampled_from(MARKS), min_size=1, max_size=4).map(" ".join),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12),
).filter(lambda text: phrase_key(text) and not is_blank(text))
codes = st.one_of(
    st.integers(0, 99).map("Δ{:02}".format), st.sampled_from(["Λ1", "Ω30"]), st.sampled_from(GLYPHS)
)
joins: st.SearchStrategy[Join] = st.sampled_from(["+", "·", "→", ","])
maybe = st.just("") | phrases


@st.composite
def formulas(draw: st.DrawFn) -> Formula:
    """Any formula that the model allows."""
    code = draw(codes)
    others = codes.filter(lambda other: other != code)
    parts = draw(st.lists(others, min_size=int(code[0] in "ΛΩ"), max_size=3, unique=True))
    made_of = st.builds(Term, phrases, maybe)
    terms = st.lists(made_of, min_size=not parts, max_size=4, unique_by=lambda term: term.anchor)
    return Formula(
        code,
        tuple(draw(terms)),
        draw(joins),
        tuple(parts),
        draw(joins),
        draw(maybe),
        draw(maybe),
        draw(maybe),
        tuple(draw(st.lists(phrases, max_size=2))),
        tuple(draw(st.lists(phrases, max_size=2))),
    )


@given(formulas())
@example(Formula("Δ12", terms("вода —", "— лёд")))
def test_a_printed_formula_reads_as_the_same(formula: Formula) -> None:
    text = text_of(formula)
    assert "\n" not in text
    assert parse(text) == formula
    assert text_of(parse(text)) == text


@given(st.text(max_size=20) | phrases.map("Δ12 = ({})".format) | phrases.map("Δ12 = {}".format))
def test_any_text_is_a_formula_or_an_error_inside_of_it(text: str) -> None:
    lines, place = text.split("\n"), (1, 1)
    try:
        parse(text)
    except InvalidFormula as error:
        place = (error.line, error.column)
    assert 1 <= place[1] <= len(lines[place[0] - 1]) + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Δ123 = (вода)", "line 1, column 1: Δ123 has 3 digits"),
        ("Λ1 = (Δ12 → Δ7)", "line 1, column 13: Δ7 has one digit, a Δ code has two: write Δ07"),
        ("Δxx = (вода)", "line 1, column 1: Δxx is no code"),
        ("Δ9૪ = (а + б)", "line 1, column 1: Δ9૪ is not how a code is written: write Δ94"),
        ("Δ12 = (δ13 + б)", "line 1, column 8: δ13 is not how a code is written: write Δ13"),
        ("Δ7 = (а+б), Δ123 = в", "line 1, column 1: Δ7 has one digit"),
        ("Δ16 = (а + б + А)", "line 1, column 16: Δ16 has the term А twice"),
        ("Ω1 = [Δ12, Δ12]", "line 1, column 12: Ω1 has the part Δ12 twice"),
        ("Δ12 → Δ41 → Δ12 = зов", "column 1: Δ12 is a part of itself"),
        ("δ12 = (a + b)", "line 1, column 1: δ12 is not how a code is written: write Δ12"),
        ("Λ1 = Δ12 → Δ41", "column 10: `→` joins terms and parts only within brackets"),
        ("Δ12 = (вода + весна", "column 20: found the end, expected `)`"),
        ("Δ12 = (вода + весна · жар)", "column 21: found `·`, expected `+` or `)`"),
        ("Δ12 = (вода + «весна)", "column 15: the quote « has no counterpart in this line"),
        ("Δ12 = (вода) — среда", "column 14: found `—`, expected "),
        ("Δ45 = (объект: вода — среда)", "column 21: the role of this term stands before"),
        ("Δ12 = (вода Δ41)", "column 13: found `Δ41`, expected "),
        ("Δ12 = (Δ41 + вода)", "column 14: found `вода`, expected a code such as Δ12"),
        ("Δ12\n(вода)", "line 1, column 4: found the end of the line, expected "),
        ("(вода) = расцвет\nвесна", "line 2, column 1: found `весна`, expected a code such as Δ12"),
        ("Δ12 = (вода + .)", "column 15: phrase: '.' has no letter to be matched by"),
        ("Δ12 = Δ12", "column 7: Δ12 is a part of itself"),
        ("Δ01 → Δ03 = (Δ12)", "column 14: the parts stand before the code already"),
        ("Λ1 = (вода)\n", "Λ1 is a formula of formulas, but none of its parts is one"),
    ],
)  # fmt: skip
def test_an_error_says_where_what_was_expected_and_shows_a_right_form(
    text: str, message: str
) -> None:
    with pytest.raises(InvalidFormula) as error:
        parse(text)
    assert message in str(error.value)
    assert error.value.hint
    parse(error.value.hint.removeprefix("A right one: "))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: there is nothing, expected a formula"),
        ("Δ１２ = (а + б)", "line 1, column 1: Δ１２ is not how a code is written: write Δ12"),
        ("δ12 = (а + б)", "line 1, column 1: δ12 is not how a code is written: write Δ12"),
        ("△42 = (а + б)", "line 1, column 1: △42 is not how a code is written: write Δ42"),
        ("Дельта12 = (а + б)", "line 1, column 1: Дельта12 is not how a code is written"),
        (" Δ 30 = (а + б)", "line 1, column 2: Δ 30 is not how a code is written: write Δ30"),
        ("Λ\u00a01 = (Δ12 → Δ41)", "column 1: Λ\u00a01 is not how a code is written: write Λ1"),
        ("(а + Δ 30)", "line 1, column 6: Δ 30 is not how a code is written: write Δ30"),
        ("\n\n (а + Δ 30)", "line 3, column 7: Δ 30 is not how a code is written"),
        ("Δ12 + Δ_41 → Δ91 = (а + б)", "column 7: Δ_41 is not how a code is written"),
        ("\n (а + б) = зов\nΔ₁₂", "line 3, column 1: Δ₁₂ is not how a code is written: write Δ12"),
        ("Δ12 == (а + б)", "line 1, column 5: write a single `=` for `==`"),
        ("Δ12 = （а + б）", "line 1, column 7: found `（`"),
        ("Δ94 = порог⟨а · б⟩", "line 1, column 12: found `⟨`"),
        ("Δ94 = порог【а · б】", "line 1, column 12: found `【`"),
        ("(а · б⟩", "line 1, column 7: found `⟩`"),
        ("Δ12 = (а ≈ б)", "line 1, column 10: write a single `=` for `≈`"),
        ("А12 = (а + б)", "line 1, column 1: А12 is no code: expected Δ and two digits (Δ12)"),
        ("A12 = зов", "its letter is U+0041 (LATIN CAPITAL LETTER A): write Δ12"),
        (" д12 = (а)", "line 1, column 2: д12 is no code"),
        ("\u200bΔ12 = (а + б)", "line 1, column 1: U+200B (ZERO WIDTH SPACE) stands here"),
        ("Δ12\u200b = (а + б)", "line 1, column 4: U+200B (ZERO WIDTH SPACE) stands here"),
        ("Δ\u200b12 = (а + б)", "U+200B (ZERO WIDTH SPACE) stands in it"),
    ],
)
def test_what_is_nearly_a_code_is_not_taken_for_a_phrase(text: str, message: str) -> None:
    with pytest.raises(InvalidFormula) as error:
        read(text)
    assert message in str(error.value)
    for phrase in ("δ12", "Δ 30", "дельта 5"):
        formula = read(f"(«{phrase}» + б)")[0]
        assert formula.terms[0].phrase == phrase
        assert parse(text_of(formula)) == formula


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Пример: (вода + ночь) = тихая сцена\nΔ69", "line 1, column 1: `Пример:`"),
        ("Мы пришли к (вода + ночь)", "line 1, column 1: `Мы пришли к`"),
        ("\n  Тогда порог(вода · ночь)\nΔ69", "line 2, column 3: `Тогда`"),
        ("порог (вода · ночь) = сцена\nΔ69", "line 1, column 1: `порог`"),
    ],
)
def test_words_before_a_bracket_without_a_code_are_no_operator(text: str, place: str) -> None:
    with pytest.raises(InvalidFormula, match="no operator: this is one word right") as caught:
        read(text)
    assert str(caught.value).startswith(place)
    for operator in ("порог", "«край мира»", "край-мира", "🌊"):
        formula = read(f"{operator}(вода · ночь) = сцена\nΔ69")[0]
        assert formula == read(f"Δ69 = {operator}(вода · ночь) = сцена")[0]
        assert formula.operator == operator.strip("«»") == read(f" {operator}(вода)")[0].operator
        assert parse(text_of(formula)) == formula


@pytest.mark.parametrize("arrow", [*ARROWS, "➡️", "->", "-->", "=>", "==>"])
def test_every_arrow_that_anchors_read_is_read_in_a_formula(arrow: str) -> None:
    notices: list[str] = []
    for text in (
        "Δ12 + Δ41 → Δ91 = весна + жара = страх → покой → «Так.»",
        "Λ1 = (Δ12→Δ41 → Δ57)\n → «Так.»",
        "Δ12 → Δ13 = (зов → путь)",
        "Δ41 → сцепка: жар → фраза: «Он замер.»",
        "(зов → путь) = сцена\nΔ69",
    ):
        plain = parse(text)
        formula = parse(text.replace("→", arrow), notices.append)
        assert replace(formula, scenes=()) == replace(plain, scenes=())
        assert formula.scenes == tuple(said.replace("→", arrow) for said in plain.scenes)
        assert parse(text_of(formula)) == formula
    assert form_key(f"зов {arrow} путь") == form_key("зов → путь")
    said = [f"line 1, column {n}: {arrow}" for n in (11, 10, 5, 5, 6)]
    assert [n[: len(s)] for n, s in zip(notices, said, strict=False)] == (
        [] if arrow in ("→", "->") else said
    )
    assert all(n.endswith("is read as →") for n in notices)
    assert text_of(parse(f"Δ12 = («зов {arrow} путь» + б)")) == f"Δ12 = («зов {arrow} путь» + б)"


def test_look_alike_letters_are_read_with_a_notice_at_their_place() -> None:
    notices: list[str] = []
    formula = parse("Λ1 = (Δ12 → \u220641)", notices.append, at=[(7, 11)])
    assert formula.parts == ("Δ12", "Δ41")
    assert notices == ["line 7, column 23: \u2206 (U+2206) is read as Δ"]


def test_roles_are_known_by_their_words_and_else_by_position() -> None:
    assert roles(parse("Δ12 = (вода + весна + ночь + лёд)")) == (
        "object", "tension", "transition", "",
    )  # fmt: skip
    seeds_own = "Δ12 = (вода — Среда + весна — архетип + ночь — эмоциональная граница + x — ось)"
    assert roles(parse(seeds_own)) == ("medium", "archetype", "emotional edge", "ось")
    assert parse("Δ28 = (Объект: вода + переход : «лёд»)") == parse(
        "Δ28 = (вода — Объект + лёд — переход)"
    )
    assert parse("Δ28 = (цена: вода)").terms[0].phrase == "цена: вода"
    assert parse("Δ28 = («объект: вода»)").terms[0].phrase == "объект: вода"


def test_a_slip_of_a_role_is_refused_and_another_word_before_a_colon_is_said() -> None:
    for text, problem in {
        "Δ12 = (объкт: вода + лёд)": "column 8: `объкт:` is no role: write `объект: вода`",
        "Δ12 = (вода + tenson: fear)": "column 15: `tenson:` is no role: write `tension: fear`",
    }.items():
        with pytest.raises(InvalidFormula) as caught:
            parse(text)
        assert str(caught.value).startswith(f"line 1, {problem}")
    notices: list[str] = []
    formula = parse("Δ12 = (вода + цена: лёд + 12:30)", notices.append)
    said = "line 1, column 15: `цена:` is no role, so «цена: лёд» is one term; a role may stand"
    assert notices == [f"{said} behind a dash"]
    assert parse(text_of(formula), notices.append) == formula
    parse("Δ12 = («цена: лёд» + «объкт: вода» + ночь — граница)", notices.append)
    assert len(notices) == 1
    parse("Δ12 = (вода — обьект + лёд)", notices.append)
    assert notices[1:] == ["line 1, column 8: `обьект` is a role of its own: was `объект` meant?"]


@pytest.mark.parametrize("text", ["Δ12 = (вода; лёд)", "(вода; лёд)", "Δ12 = (вода + лёд; зов)"])
def test_a_semicolon_joins_nothing(text: str) -> None:
    with pytest.raises(InvalidFormula, match="`;` joins nothing: write `\\+`") as caught:
        read(text)
    assert (caught.value.line, caught.value.column) == (1, text.index(";") + 1)
    assert parse("Δ12 = («a; b» + лёд) = вода; лёд").scenes == ("вода; лёд",)


@pytest.mark.parametrize("role", [word for name, words in ROLES.items() for word in (name, *words)])
def test_each_role_may_stand_before_its_term(role: str) -> None:
    formula = parse(f"Δ12 = ({role}: вода + лёд)")
    assert [(t.phrase, t.role) for t in formula.terms] == [("вода", role), ("лёд", "")]
    assert parse(text_of(formula)) == formula


def test_a_formula_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="Δ12 has neither terms nor parts"):
        Formula("Δ12")


def test_definitions_add_to_each_other() -> None:
    one = parse("Δ91 = (Весна + жара — переход) = расцвет")
    other = parse("Δ12 → Δ91 = (весна — архетип + жара) = «Боль» = расцвет = зов → «А!»")
    assert text_of(united(one, other)) == (
        "Δ12 → Δ91 = (Весна — архетип + жара — переход) = «Боль» = расцвет = зов → «А!»"
    )
    assert united(parse("Δ91 = (Δ12 · Δ41)"), parse("Δ91 = (вода → лёд)")) == parse(
        "Δ12 · Δ41 → Δ91 = (вода → лёд)"
    )


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ("Δ12 = x(вода + лёд)", "the operator is missing in one and x in the other"),
        ("Δ12 = (вода + лёд)_x", "the label is missing in one and x in the other"),
        ("Δ12 = (вода · лёд)", "the terms are вода + лёд in one and вода · лёд in the other"),
        ("Δ12 = (вода + лёд + пар)", "the terms are вода + лёд in one and вода + лёд + пар"),
        ("Δ12 = («вода + лёд»)", "the terms are вода + лёд in one and «вода + лёд»"),
        ("Δ12 = (вода — архетип + лёд)", "the role of вода is medium in one and archetype"),
        ("Δ12 = (вода + лёд) = «Y»", "the name is X in one and Y in the other"),
    ],
)
def test_definitions_that_differ_are_a_contradiction(other: str, difference: str) -> None:
    with pytest.raises(Contradiction) as error:
        united(parse("Δ12 = (вода — среда + лёд) = «X»"), parse(other))
    assert difference in str(error.value)


@pytest.mark.parametrize("name", ["codes", "syntax"])
def test_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"anchors.formulas.{name}")).failed == 0


def test_phrases_may_stand_below_a_code_on_its_own_line() -> None:
    formula, coded = read("(соль + дым) = тишина\nΔ53\n  → «Всё остыло»\n→ фраза: «Да»")
    assert coded
    assert text_of(formula) == "Δ53 = (соль + дым) = тишина → «Всё остыло» → «Да»"
