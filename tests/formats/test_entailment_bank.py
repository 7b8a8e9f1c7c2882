"""EntailmentBank: proofs as trees; nothing of a record is lost without a word."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from forest.identity import finished

from .conftest import Read, Reader, read_path
from .outlines import texts

LEO: dict[str, Any] = {
    "id": "MDSA_1",
    "question": "Why does Leo move?",
    "answer": "Earth revolves around the sun.",
    "hypothesis": "the earth revolving causes leo to appear in different areas",
    "facts": {
        "sent1": "leo is a kind of constellation",
        "sent2": "the earth revolving causes stars to move",
        "sent3": "a constellation contains stars",
    },
    "proof": (
        "sent1 & sent3 -> int1: leo is a constellation; with stars; int1 & sent2 -> hypothesis;"
    ),
}


def record(**fields: Any) -> str:
    return json.dumps(LEO | fields) + "\n"


def read_records(read: Reader, *records: str) -> Read:
    return read("".join(records), "p.jsonl", "entailment-bank")


def test_a_proof_runs_from_the_hypothesis_down_to_its_facts(read: Reader) -> None:
    tree = read(record(), "p.jsonl").tree
    assert texts(tree) == [
        "the earth revolving causes leo to appear in different areas",
        "  leo is a constellation; with stars",
        "    leo is a kind of constellation",
        "    a constellation contains stars",
        "  the earth revolving causes stars to move",
    ]
    assert [(t.id, t.kind) for t in tree.thoughts] == [
        ("hypothesis", "hypothesis"), ("int1", "conclusion"), ("sent1", "fact"), ("sent3", "fact"),
        ("sent2", "fact"),
    ]  # fmt: skip
    assert (tree.id, tree.title) == ("MDSA_1", "Why does Leo move?")
    assert tree.meta == {
        "record": "MDSA_1",
        "question": LEO["question"],
        "answer": LEO["answer"],
    }
    assert finished(tree).thoughts[1].id == "MDSA_1/int1"


def test_facts_are_anchors_and_conclusions_are_not(read: Reader) -> None:
    tree = read(record(), "p.jsonl").tree
    assert {t.id: [a.phrase for a in t.anchors] for t in tree.thoughts if t.anchors} == {
        name: [text] for name, text in dict(LEO["facts"]).items()
    }


def test_a_premise_used_twice_stands_twice(read: Reader) -> None:
    proof = "sent1 & sent3 -> int1: x; int1 & sent1 -> int2: y; int1 & int2 -> hypothesis"
    result = read_records(read, record(proof=proof))
    tree = result.tree
    assert [(t.level, t.id) for t in tree.thoughts] == [
        (0, "hypothesis"), (1, "int1"), (2, "sent1"), (2, "sent3"), (1, "int2"), (2, "int1.2"),
        (2, "sent1.2"),
    ]  # fmt: skip
    assert tree.thoughts[6].anchors == tree.thoughts[2].anchors
    assert any("2 premises in 1 proofs" in n for n in result.notices)
    assert tree.meta["unused_facts"] == {"sent2": "the earth revolving causes stars to move"}


def test_a_step_that_leads_nowhere_is_kept_in_meta(read: Reader) -> None:
    proof = "sent1 & sent3 -> int1: x; sent2 -> int2: y; int1 -> hypothesis"
    tree = read_records(read, record(proof=proof)).tree
    assert tree.meta["unused_steps"] == {"int2": "sent2 -> y"}
    assert list(tree.meta["unused_facts"]) == ["sent2"]  # type: ignore[arg-type]


def test_a_second_record_of_one_id_is_not_lost(read: Reader) -> None:
    other = record(answer="Another.")
    result = read_records(read, record(), other, record(), other, record(answer="Third."))
    assert [t.id for t in result.trees] == ["MDSA_1", "MDSA_1.2", "MDSA_1.3"]
    assert [n.split(": ")[0] for n in result.notices] == [
        "p.jsonl:2", "p.jsonl:3", "p.jsonl:4", "p.jsonl:5",
    ]  # fmt: skip
    assert "word for word" in result.notices[1]


BAD = {
    "no step concludes the hypothesis": {"proof": "sent1 -> int1: x"},
    "expected 'sent1 & sent2 -> int1: statement', got 'sent1 sent2'": {"proof": "sent1 sent2"},
    "'int1' has no statement": {"proof": "sent1 -> int1; int1 -> hypothesis"},
    "'int1' is concluded twice": {"proof": "sent1 -> int1: x; sent2 -> int1: y"},
    "'hypothesis' rests on 'sent9', which is neither": {"proof": "sent9 -> hypothesis"},
    "rest on each other": {
        "proof": "int1 -> int2: x; int2 -> int1: y; int1 -> hypothesis",
    },
    "proof: expected text, got ''": {"proof": ""},
    "facts: expected {name: sentence}, got ['x']": {"facts": ["x"]},
    "hypothesis: expected text, got null": {"hypothesis": None},
    "the text is empty": {"facts": {"sent1": " "}, "proof": "sent1 -> hypothesis"},
}


@pytest.mark.parametrize(("message", "fields"), BAD.items())
def test_a_bad_proof_is_named_and_the_next_is_read(
    read: Reader, message: str, fields: dict[str, Any]
) -> None:
    result = read_records(read, "[]\n", record(**fields), record())
    assert len(result.trees) == 1
    assert result.errors[0].startswith("p.jsonl:1: expected a record")
    assert result.errors[1].startswith("p.jsonl:2: ")
    assert message in result.errors[1]


def test_a_long_chain_of_steps(read: Reader) -> None:
    steps = ["sent1 -> int0: x"] + [f"int{i} -> int{i + 1}: x" for i in range(20_000)]
    proof = "; ".join([*reversed(steps), "int20000 -> hypothesis"])
    assert read_records(read, record(proof=proof)).tree.depth == 20_002


@pytest.fixture(scope="module")
def bank_path(shared: Path) -> Path:
    return shared / "data" / "entailment_bank" / "train.jsonl"


@pytest.fixture(scope="module")
def bank(bank_path: Path) -> Read:
    return read_path(bank_path, "train.jsonl")


def test_all_real_proofs_are_read(bank: Read) -> None:
    assert bank.errors == []
    assert len({t.id for t in bank.trees}) == 1313
    assert sum(len(t) for t in bank.trees) == 10_063
    assert sum("another record has the id" in n for n in bank.notices) == 5
    assert "132 premises in 98 proofs" in bank.notices[-1]


def test_no_fact_of_the_real_data_is_lost(bank: Read, bank_path: Path) -> None:
    records = [json.loads(line) for line in bank_path.read_text(encoding="utf-8").splitlines()]
    for record, tree in zip(records, bank.trees, strict=True):
        said = Counter(t.text for t in tree.thoughts)
        said.update(dict(tree.meta.get("unused_facts", {})).values())  # type: ignore[arg-type]
        assert set(record["facts"].values()) <= said.keys()
        assert tree.root.text == record["hypothesis"]


def test_shared_facts_are_shared_anchors(bank: Read) -> None:
    trees: defaultdict[str, set[str]] = defaultdict(set)
    for tree in bank.trees:
        for link in (link for t in tree.thoughts for link in t.anchors):
            trees[link.anchor].add(tree.id)
    assert sum(len(ids) > 1 for ids in trees.values()) == 805
    assert len(trees["water is a kind of substance"]) == 34


def test_a_tree_of_the_bank_is_a_tree(bank: Read) -> None:
    assert all(t.lang == "und" for t in bank.trees)
    assert finished(bank.trees[0]).lang == "en"
