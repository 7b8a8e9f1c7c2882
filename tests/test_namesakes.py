"""Trees that their file calls the same keep who they are, wherever they stand in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import pytest

from forest import Forest

Import = Callable[..., dict[str, str]]
PROOF = {"id": "MCAS_1", "question": "Why?", "proof": "sent1 -> hypothesis"}
ASKED = (
    "> [!nexus_user] **User** - 07.07\n> Why?\n\n"
    "> [!nexus_agent] **A**\n> {}\n> \n> - Proof of {}.\n\n"
)


def proofs(path: Path, *said: str) -> None:
    records = [{"hypothesis": s, "facts": {"sent1": f"Proof of {s[0]}."}} for s in said]
    path.write_text("".join(json.dumps(PROOF | r) + "\n" for r in records), encoding="utf-8")


def questions(path: Path, *said: str) -> None:
    path.write_text("".join(ASKED.format(s, s[0]) for s in said), encoding="utf-8")


@pytest.fixture(params=["proofs", "questions"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["sqlite", "memory"])
def forest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Forest]:
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'forest.db'}"
    with Forest.open(url) as opened:
        yield opened


@pytest.fixture
def imported(kind: str, forest: Forest, tmp_path: Path) -> Import:
    """Import namesakes that say this, and tell by tree what the forest holds now."""

    def again(*said: str) -> dict[str, str]:
        name, written = ("p.jsonl", proofs) if kind == "proofs" else ("p.md", questions)
        written(tmp_path / name, *said)
        forest.import_files([tmp_path / name])
        # A proof is its hypothesis, a question its first answer.
        return {t.id: t.thoughts[kind == "questions"].text for t in forest}

    return again


def test_the_second_stays_itself_when_the_first_leaves(imported: Import, forest: Forest) -> None:
    before = imported("a", "b")
    forest.add_thought(next(i for i in before if before[i] == "b"), "Ours.")
    assert imported("b") == before
    assert imported("b", "a") == before


@pytest.mark.parametrize("order", list(permutations("abc")), ids="".join)
def test_their_order_is_nothing(imported: Import, forest: Forest, order: tuple[str, ...]) -> None:
    before = imported("a", "b", "c")
    revision = forest.revision
    assert imported(*order) == before
    assert forest.revision == revision


def test_one_before_the_others_is_the_new_one(imported: Import) -> None:
    before = imported("a")
    after = imported("b", "a")
    assert len(after) == 2
    assert after.items() >= before.items()


def test_an_edited_one_is_the_one_that_it_shares_most_with(
    imported: Import,
) -> None:
    before = imported("a", "b")
    after = imported("b, edited", "a")
    assert after == {i: text.replace("b", "b, edited") for i, text in before.items()}


def test_an_edited_one_of_two_that_say_nearly_the_same_stays_itself(
    forest: Forest, tmp_path: Path
) -> None:
    def proof(*facts: str) -> str:
        names = [f"sent{n}" for n in range(len(facts))]
        said = {"hypothesis": "The same.", "facts": dict(zip(names, facts, strict=True))}
        return json.dumps(PROOF | said | {"proof": f"{' & '.join(names)} -> hypothesis"}) + "\n"

    path = tmp_path / "p.jsonl"
    path.write_text(proof("a", "b") + proof("a", "b", "c"), encoding="utf-8")
    forest.import_files([path])
    path.write_text(proof("a", "b") + proof("a", "b", "edited"), encoding="utf-8")
    report = forest.import_files([path])
    assert (report.added, report.changed, report.unchanged) == ([], ["MCAS_1.2"], ["MCAS_1"])


def test_one_that_left_is_not_written_over_later(imported: Import) -> None:
    before = imported("a", "b")
    imported("b")
    after = imported("b", "c")
    assert after.items() >= before.items()
    assert sorted(after.values()) == ["a", "b", "c"]
    assert imported("c", "b") == after


def test_two_in_the_place_of_one_write_over_nothing(imported: Import) -> None:
    before = imported("a")
    assert imported("c", "d").items() >= before.items()


def test_one_that_is_alone_may_be_written_anew(imported: Import) -> None:
    before = imported("a")
    assert imported("c").keys() == before.keys()


def test_nothing_is_written_over_by_one_that_shares_nothing(
    imported: Import,
) -> None:
    before = imported("a", "b")
    assert imported("c").items() >= before.items()


def chapters(*texts: str) -> str:
    nodes = [
        f"- tree: Глава {n}\n  nodes:\n  - {{level: 0, text: {t}}}\n  - {{level: 1, text: и {t}}}\n"
        for n, t in enumerate(texts, 1)
    ]
    return "".join(nodes)


def test_chapters_that_are_numbered_anew_are_the_chapters_that_they_were(
    forest: Forest, tmp_path: Path
) -> None:
    file = tmp_path / "книга.yaml"
    file.write_text(chapters("раз", "два", "три"), encoding="utf-8")
    forest.import_files(file)
    file.write_text(chapters("ноль", "раз", "два", "три"), encoding="utf-8")
    for added in (["глава-1.2"], []):
        assert forest.import_files(file).added == added
        assert {tree.id: tree.root.text for tree in forest} == {
            "глава-1": "раз", "глава-2": "два", "глава-3": "три", "глава-1.2": "ноль",
        }  # fmt: skip


def test_a_word_edited_in_the_answer_of_one_leaves_it_itself(
    forest: Forest, tmp_path: Path
) -> None:
    asked = "> [!nexus_user] **User** - 07.07\n> Why?\n\n> [!nexus_agent] **A**\n> {}\n\n"
    one = "Whoever asks for the reason of a reason comes to no end."
    other = "Because the river is older than the stone which lies in it."
    note = tmp_path / "p.md"
    note.write_text(asked.format(one) + asked.format(other), encoding="utf-8")
    before = forest.import_files([note]).added
    edited = other.replace("stone", "rock")
    note.write_text(asked.format(one) + asked.format(edited), encoding="utf-8")
    report = forest.import_files([note])
    assert (report.added, report.notices, len(report.changed)) == ([], [], 1)
    assert {t.id for t in forest} == set(before)
