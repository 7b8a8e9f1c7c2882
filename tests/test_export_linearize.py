"""Trees as text: paths in windows, breadcrumbs, what is said around a thought."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.linearize import (
    ANCHOR,
    MARKER,
    THOUGHT,
    Outline,
    Piece,
    breadcrumb,
    shortened,
    steps,
    tell,
)
from forest.identity import finished
from forest.model import Thought, Tree
from tests.export_helpers import chain, tree
from tests.strategies import outlines, texts

WINDOW, OVERLAP = 200, 60


def windows(made: Tree, window: int = WINDOW, overlap: int = OVERLAP) -> list[list[Piece]]:
    return list(Outline(made).windows(window, overlap))


def size(pieces: list[Piece]) -> int:
    return len(tell(pieces).text)


def said(pieces: list[Piece]) -> list[str]:
    return [piece.thought for piece in pieces if piece.role == THOUGHT]


@st.composite
def bushes(draw: st.DrawFn) -> Tree:
    """Trees whose thoughts are short, long, and longer than the window."""
    levels = draw(outlines(40))
    lengths = st.sampled_from([5, 20, 60, 100, 190, 199, 200, 201, 450])
    thoughts = [
        Thought(text=draw(st.sampled_from("абвг ")).join("яя") * draw(lengths), level=level)
        if draw(st.booleans())
        else Thought(text=draw(texts), level=level)
        for level in levels
    ]
    return finished(Tree("Куст", thoughts=thoughts))


def paths(made: Tree) -> list[list[str]]:
    """All root-to-leaf paths, said the plain way."""
    parents = {t.id: p.id if p else None for t, p in made.walk()}
    inner = set(parents.values())
    found = []
    for leaf in (t.id for t in made.thoughts if t.id not in inner):
        path = [leaf]
        while above := parents[path[-1]]:
            path.append(above)
        found.append(path[::-1])
    return found


# --- windows --------------------------------------------------------------------------------------


def test_a_short_path_is_one_record_of_verbatim_lines() -> None:
    made = tree("Justice", "Root.\n  But why?\n    Because.\n  And then?")
    texts = [tell(pieces).text for pieces in windows(made)]
    assert texts == ["Root.\nBut why?\nBecause.", "Root.\nAnd then?"]


def test_a_long_path_goes_on_behind_a_breadcrumb_and_says_the_last_thoughts_again() -> None:
    made = chain("Лестница", [f"Ступень {n:02d} ведёт к следующей." for n in range(12)])
    first, second, *_ = [tell(pieces).text.split("\n") for pieces in windows(made)]
    assert first == [f"Ступень {n:02d} ведёт к следующей." for n in range(6)]
    assert second[0] == "Лестница › Ступень 00 ведёт к… › … 3 шага …"
    assert second[1:] == [f"Ступень {n:02d} ведёт к следующей." for n in range(4, 9)]


def test_a_thought_longer_than_the_window_is_whole_and_alone() -> None:
    long = "о" * (WINDOW + 1)
    made = chain("Т", ["Корень.", long, "Лист."])
    assert [[p.text for p in w] for w in windows(made)] == [
        ["Корень."],
        [long],
        ["Т › Корень. › … 1 шаг …", "Лист."],
    ]


@given(bushes())
def test_no_window_is_longer_than_the_window_unless_one_thought_is(made: Tree) -> None:
    for pieces in windows(made):
        assert size(pieces) <= WINDOW or len(pieces) == 1


@given(bushes())
def test_every_path_is_covered_and_every_window_is_written_once(made: Tree) -> None:
    found = [tuple(said(pieces)) for pieces in windows(made)]
    assert len(set(found)) == len(found)
    every = {thought for window in found for thought in window}
    assert every == {t.id for t in made.thoughts}
    for path in paths(made):
        ends = [w for w in found if w[-1] == path[-1]]
        assert any(path[-len(w) :] == list(w) for w in ends)


@given(bushes())
def test_every_step_that_fits_a_window_stands_in_one(made: Tree) -> None:
    together: set[tuple[str, str]] = set()
    for pieces in windows(made):
        together.update(itertools.pairwise(said(pieces)))
    for thought, parent in made.walk():
        if parent and len(thought.text) + len(parent.text) + 120 <= WINDOW:
            assert (parent.id, thought.id) in together


@given(bushes(), st.data())
def test_windows_depend_on_the_path_from_the_root_alone(made: Tree, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(paths(made)))
    alone = [t for t in made.thoughts if t.id in path]
    lone = Tree.model_construct(**(vars(made) | {"thoughts": alone}))
    among = {tuple(said(pieces)) for pieces in windows(made)}
    assert {tuple(said(pieces)) for pieces in windows(lone)} <= among


def test_a_comb_stays_linear() -> None:
    """A chain of 2,000 with a leaf at every step: a whole path for each leaf would be 1,000 times
    the tree; windows are bounded by window / length of a thought, whatever the depth.
    """

    def redundancy(length: int) -> float:
        spine = [
            Thought(text=f"Шаг {n:06d} ведёт глубже и глубже.", level=n) for n in range(length)
        ]
        leaves = [Thought(text=f"Лист {n:06d} висит здесь.", level=n) for n in range(length, 0, -1)]
        made = finished(Tree("Гребень", thoughts=spine + leaves))
        written = sum(size(pieces) for pieces in windows(made, 2000, 400))
        return written / sum(len(t.text) for t in made.thoughts)

    assert redundancy(2000) < 25
    assert redundancy(2000) < 1.1 * redundancy(1000)


def test_a_chain_of_100_000_levels_is_cut_into_windows() -> None:
    made = chain("Глубина", (f"Шаг {n}." for n in range(100_000)))
    found = windows(made, 2000, 400)
    assert sum(map(size, found)) < 1.5 * sum(len(t.text) + 1 for t in made.thoughts)
    outline = Outline(made)
    assert outline.before(99_999, 30)[-1] == 99_999
    assert outline.after(99_999, 30, 0)[:2] == [99_999, 99_998]


# --- joined pieces --------------------------------------------------------------------------------


def test_spans_say_where_each_piece_stands() -> None:
    told = tell(
        [
            Piece("Снег тает.", "a", "a/1", ("вода",)),
            Piece("⤳", "b", role=MARKER),
            Piece("Вода", "b", role=ANCHOR, gap=" "),
            Piece("Реки\nтекут.", "b", "b/1", ("вода", "река")),
        ]
    )
    assert told.text == "Снег тает.\n⤳ Вода\nРеки\nтекут."
    assert told.trees == ["a", "b"]
    assert told.thoughts == ["a/1", "b/1"]
    assert told.anchors == ["вода", "река"]
    assert [told.text[s["start"] : s["end"]] for s in told.spans] == [
        "Снег тает.",
        "⤳",
        "Вода",
        "Реки\nтекут.",
    ]
    assert [(s["role"], s["tree"], s["thought"]) for s in told.spans] == [
        (THOUGHT, 0, 0),
        (MARKER, 1, -1),
        (ANCHOR, 1, -1),
        (THOUGHT, 1, 1),
    ]


# --- breadcrumbs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "ru", "en"),
    [
        (1, "1 шаг", "1 step"),
        (2, "2 шага", "2 steps"),
        (5, "5 шагов", "5 steps"),
        (11, "11 шагов", "11 steps"),
        (12, "12 шагов", "12 steps"),
        (21, "21 шаг", "21 steps"),
        (34, "34 шага", "34 steps"),
        (112, "112 шагов", "112 steps"),
        (1234, "1234 шага", "1234 steps"),
    ],
)
def test_steps_are_counted_in_the_language_of_the_tree(count: int, ru: str, en: str) -> None:
    assert steps(count, "ru") == ru
    assert steps(count, "ru-RU") == ru
    assert steps(count, "en") == en
    assert steps(count, "und") == en


@pytest.mark.parametrize(
    ("title", "root", "skipped", "lang", "expected"),
    [
        ("Justice", "Deeds and norms.", 34, "en", "Justice › Deeds and norms. › … 34 steps …"),
        ("Justice", "Deeds and norms.", 0, "en", "Justice › Deeds and norms."),
        ("Justice", "justice.", 2, "en", "Justice › … 2 steps …"),
        (
            "справедливость",
            "Справедливость — это соответствие между поступками и нормами.",
            34,
            "ru",
            "справедливость › Справедливость — это соответствие между… › … 34 шага …",
        ),
        (
            "вера",
            "Вера:\n\nлогика или  чудо?",
            1,
            "ru",
            "вера › Вера: логика или чудо? › … 1 шаг …",
        ),
    ],
)
def test_a_breadcrumb_says_title_root_and_steps(
    title: str, root: str, skipped: int, lang: str, expected: str
) -> None:
    assert breadcrumb(title, root, skipped, lang, 40) == expected


@given(st.text(min_size=1, max_size=300), st.integers(2, 60))
def test_a_shortened_name_is_one_line_and_short(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short) <= most
    assert short == " ".join(short.split())


# --- around a thought -----------------------------------------------------------------------------

PROOF = tree(
    "Iron conducts",
    """
An iron nail conducts electricity.
  Iron is a metal.
  Metals conduct electricity.
  A nail made of iron is iron.
    Made of means consisting of.
""",
)
TALK = tree("Talk", "One.\n  Two.\n    Three.\n      Four.\n        Five.")


def around(made: Tree, places: list[int]) -> list[str]:
    return [made.thoughts[place].text for place in places]


def test_a_premise_comes_after_the_other_premises() -> None:
    assert around(PROOF, Outline(PROOF).before(1, 500)) == [
        "Metals conduct electricity.",
        "Iron is a metal.",
    ]


def test_a_thought_comes_after_the_path_from_the_root() -> None:
    assert around(TALK, Outline(TALK).before(3, 500)) == ["One.", "Two.", "Three.", "Four."]
    assert around(TALK, Outline(TALK).before(3, 16)) == ["Three.", "Four."]
    assert around(TALK, Outline(TALK).before(3, 0)) == ["Four."]


def test_a_lone_leaf_comes_after_the_path_from_the_root() -> None:
    assert around(TALK, Outline(TALK).before(4, 500))[0] == "One."


def test_after_a_thought_the_text_goes_down_one_path() -> None:
    assert around(TALK, Outline(TALK).after(1, 500, 0)) == ["Two.", "Three.", "Four.", "Five."]
    assert around(TALK, Outline(TALK).after(1, 0, 0)) == ["Two.", "Three."]


def test_after_a_leaf_the_text_climbs_to_what_it_supports() -> None:
    assert around(PROOF, Outline(PROOF).after(4, 500, 0)) == [
        "Made of means consisting of.",
        "A nail made of iron is iron.",
        "An iron nail conducts electricity.",
    ]


def test_the_other_premises_of_a_leaf_may_stand_before_what_they_support() -> None:
    said = around(PROOF, Outline(PROOF).after(1, 500, 0, premises=500))
    assert said == ["Iron is a metal.", "Metals conduct electricity.", PROOF.thoughts[0].text]
    assert around(TALK, Outline(TALK).after(4, 500, 0, premises=500)) == around(
        TALK, Outline(TALK).after(4, 500, 0)
    )


def test_a_refuted_leaf_is_no_premise_and_supports_nothing() -> None:
    made = tree("T", "So.\n  One.\n  Two.\n  Wrong.\n  Three.")
    made.edit(made.thoughts[3].id, kind="refuted")
    outline = Outline(made, refuted=("refuted",))
    assert around(made, outline.before(4, 500)) == ["One.", "Two.", "Three."]
    assert around(made, outline.before(3, 500)) == ["So.", "Wrong."]
    assert around(made, outline.after(3, 500, 0)) == ["Wrong."]
    assert around(made, outline.after(4, 500, 0)) == ["Three.", "So."]


def test_the_branch_depends_on_the_seed() -> None:
    made = tree("Fork", "Root.\n" + "\n".join(f"  Branch {n}." for n in range(8)))
    ways = {tuple(Outline(made).after(0, 500, seed)) for seed in range(40)}
    assert len(ways) > 4
    assert Outline(made).after(0, 500, 7) == Outline(made).after(0, 500, 7)


CONCLUDED = ("conclusion", "hypothesis")


def argued(*, root: str = "hypothesis") -> Tree:
    """A proof of two steps: the second rests on the first and on one fact of its own."""
    levels = [
        ("A nail conducts.", 0, root),
        ("A nail is a metal thing.", 1, "conclusion"),
        ("A nail is iron.", 2, "fact"),
        ("Iron is a metal.", 2, "fact"),
        ("Metals conduct.", 1, "fact"),
    ]
    thoughts = [Thought(text=text, level=level, kind=kind) for text, level, kind in levels]
    return finished(Tree("Why?", thoughts=thoughts))


def test_a_proof_is_one_path_from_its_premises_to_its_conclusion() -> None:
    outline = Outline(argued(), concluded=CONCLUDED)
    assert [[piece.text for piece in window] for window in outline.windows(500, 100)] == [
        [
            "A nail is iron.",
            "Iron is a metal.",
            "A nail is a metal thing.",
            "Metals conduct.",
            "A nail conducts.",
        ]
    ]
    windows = [[piece.text for piece in window] for window in outline.windows(50, 25)]
    assert windows == [
        ["A nail is iron.", "Iron is a metal."],
        ["Iron is a metal.", "A nail is a metal thing."],
        ["A nail is a metal thing.", "Metals conduct."],
        ["Metals conduct.", "A nail conducts."],
    ]


def test_before_a_proofs_fact_stands_what_was_concluded_and_not_what_it_leads_to() -> None:
    made = argued()
    outline = Outline(made, concluded=CONCLUDED)
    assert around(made, outline.before(4, 500)) == [
        "A nail is iron.",
        "Iron is a metal.",
        "A nail is a metal thing.",
        "Metals conduct.",
    ]
    assert around(made, outline.before(4, 45)) == ["A nail is a metal thing.", "Metals conduct."]
    assert around(made, outline.before(2, 500)) == ["Iron is a metal.", "A nail is iron."]
    assert around(made, outline.after(4, 500, 0)) == ["Metals conduct.", "A nail conducts."]
    assert around(made, outline.after(1, 500, 0))[1:] == ["A nail conducts."]


def test_a_tree_with_one_thought_that_is_no_conclusion_is_no_proof() -> None:
    made = argued(root="question")
    outline = Outline(made, concluded=CONCLUDED)
    assert outline.before(4, 500) == Outline(made).before(4, 500)
    assert next(outline.windows(500, 100))[0].text == "A nail conducts."


def test_a_star_of_100_000_premises_is_not_read_for_each_of_them() -> None:
    thoughts = [Thought(text="Корень.", level=0)]
    thoughts += [Thought(text=f"Посылка {n}.", level=1) for n in range(100_000)]
    outline = Outline(finished(Tree("Звезда", thoughts=thoughts)))
    proof = Outline(outline.tree, concluded=("",))
    for place in range(1, 100_001, 10):
        assert len(outline.before(place, 100)) < 10
        assert len(proof.before(place, 100)) < 10
