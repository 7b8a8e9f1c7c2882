"""Exactly which tokens train, and that no record of a row sees another."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.conftest import written
from training.corpus import Corpus
from training.errors import CorpusError

pytestmark = pytest.mark.usefixtures("stack")


def trained(record: dict[str, Any], tokenizer: Any, **options: Any) -> list[str]:
    """The words that carry loss; an unbroken run of tokens is one."""
    from training.examples import encode

    example = encode(record, tokenizer, **options)
    assert example is not None
    runs: list[list[int]] = [[]]
    for id_, loss in zip(example.ids, example.mask, strict=True):
        if loss:
            runs[-1].append(id_)
        elif runs[-1]:
            runs.append([])
    return [tokenizer.decode(run) for run in runs if run]


def test_all_of_a_text_trains_and_its_end_but_not_its_beginning(base: Any):
    from training.examples import encode

    tokenizer = base.tokenizer()
    example = encode({"text": "Вода и Δ12"}, tokenizer)
    assert example is not None
    assert example.ids[0] == tokenizer.bos_token_id
    assert example.ids[-1] == tokenizer.eos_token_id
    assert example.mask == [False] + [True] * (len(example.ids) - 1)
    unended = encode({"text": "Вода и Δ12"}, tokenizer, end=False)
    assert unended is not None
    assert unended.ids == example.ids[:-1]


@pytest.mark.parametrize("kind", ["tiny:", "tiny:sentencepiece"])
def test_parts_without_loss(kind: str, corpus: Corpus, tmp_path: Any):
    from training.base import prepare

    tokenizer = prepare(kind, tmp_path / "base", corpus).tokenizer()
    text = "Память о воде\nПорог и берег\nГолос зимы"
    one, two = text.index("\n"), text.rindex("\n")

    def spans(**second: Any) -> dict[str, Any]:
        roles = [{"start": 0, "end": one, "role": "thought"}, {"start": one, "end": two} | second]
        return {"text": text, "meta": {"spans": roles}}

    ended = "Голос зимы</s>"
    for record in (
        spans(role="breadcrumb"),
        {"text": text, "meta": {"no_loss": [{"start": one, "end": two}]}},
    ):
        first, last = trained(record, tokenizer, no_loss=("breadcrumb",))
        assert (first, last.strip()) == ("Память о воде", ended)
    assert len(trained(spans(role="breadcrumb"), tokenizer)) == 1
    prompted = {"prompt": text[: two + 1], "completion": text[two + 1 :]}
    assert [run.strip() for run in trained(prompted, tokenizer)] == [ended]


@pytest.mark.parametrize(
    ("format", "asked"),
    [
        ("messages", lambda r: r["messages"][0]["content"] + r["meta"]["gap"]),
        ("prompt-completion", lambda r: r["prompt"]),
        ("sharegpt", lambda r: r["conversations"][0]["value"] + r["meta"]["gap"]),
        ("alpaca", lambda r: r["instruction"] + r["meta"]["gap"]),
    ],
)
def test_every_format_trains_the_words_of_the_text_but_not_the_request(
    format: str, asked: Any, corpus: Corpus, base: Any, tmp_path: Any
):
    from training.examples import encode
    from training.probes import probes
    from training.tokens import reserved

    tokenizer = base.tokenizer()
    other = Corpus.open(written(tmp_path / "corpus", format=format))
    for text, record in zip(corpus.records(), other.records(), strict=True):
        one, two = encode(text, tokenizer), encode(record, tokenizer)
        assert one is not None
        assert two is not None
        assert one.ids == two.ids
        silent = trained(
            text | {"meta": {"no_loss": [{"start": 0, "end": len(asked(record))}]}}, tokenizer
        )
        assert trained(record, tokenizer) == silent
        assert sum(two.mask) < sum(one.mask)
    assert probes(other, 30) == probes(corpus, 30)
    assert reserved(other) == reserved(corpus)


def test_a_token_half_without_loss_carries_none(base: Any):
    tokenizer = base.tokenizer()
    word = next(
        w for w in ("вода", "весна", "память", "порог") if len(tokenizer.tokenize(f" {w}")) == 1
    )
    silent = {"text": f"и {word}", "meta": {"no_loss": [{"start": 0, "end": 4}]}}
    assert trained(silent, tokenizer) == ["</s>"]


def test_the_increment_is_read_as_delta(base: Any):
    from training.examples import encode

    tokenizer = base.tokenizer()
    assert encode({"text": "\u220612"}, tokenizer) == encode({"text": "Δ12"}, tokenizer)


def test_other_columns_and_long_records_are_counted_never_cut(corpus: Corpus, base: Any):
    from training.examples import OTHER_COLUMNS, TOO_LONG, encode, read_examples

    tokenizer = base.tokenizer()
    assert encode({"messages": []}, tokenizer) is None
    everything = read_examples(corpus, "train", tokenizer, names=(), window=10_000)
    window = sorted(everything.sizes)[len(everything) // 2]
    some = read_examples(corpus, "train", tokenizer, names=(), window=window)
    assert max(some.sizes) <= window
    assert len(some) + some.left_out[TOO_LONG] == len(everything)
    assert some.left_out[OTHER_COLUMNS] == 0
    with pytest.raises(CorpusError, match="leaves nothing to train on"):
        read_examples(corpus, "train", tokenizer, names=(), window=3)
    with pytest.raises(CorpusError, match=r"none is of the kinds cards; it has .*path.*walk"):
        read_examples(corpus, "train", tokenizer, names=(), window=999, kinds=("cards",))


def test_a_plan_reads_every_record_once_an_epoch(corpus: Corpus, base: Any):
    from itertools import islice

    from training.examples import plan, read_examples, steps_in

    examples = read_examples(corpus, "train", base.tokenizer(), names=(), window=999)
    steps = steps_in(examples, 0, 300, 2, 1)
    rows = [row for step in islice(plan(examples, 0, 300, 2), steps) for row in step]
    assert sum(len(row.ids) for row in rows) == examples.bounds[-1]
    assert sum(len(row.targets) for row in rows) == examples.trained
    assert sum((row.positions == 0).sum() for row in rows) == len(examples)
    other = next(plan(examples, 1, 300, 2))
    assert [list(r.ids) for r in other] != [list(r.ids) for r in rows[:2]]


def test_no_record_of_a_row_sees_another(stack: Any, corpus: Corpus, base: Any):
    """A row's loss is the sum of its records' own, and changing one changes no other's words."""
    from training.config import Lora, Steps
    from training.examples import pack, read_examples, row_of
    from training.network import Network

    network = Network(Steps(threads=1))
    network.wear(base, Lora(r=2))
    examples = read_examples(corpus, "train", base.tokenizer(), names=(), window=999)
    places = next(pack(examples.sizes, 400))
    assert len(places) > 2
    together = network.loss([row_of(examples, places)])
    alone = network.loss([row_of(examples, [place]) for place in places])
    assert together == pytest.approx(alone, rel=1e-5)

    row = row_of(examples, places)
    ids, border = stack.tensor(row.ids).long()[None], examples.sizes[places[0]]
    positions = stack.tensor(row.positions).long()[None]
    changed = ids.clone()
    changed[0, 1:border] = 7
    with stack.inference_mode():
        one, two = (
            network.model(input_ids=i, position_ids=positions, use_cache=False).logits[0]
            for i in (ids, changed)
        )
    assert stack.equal(one[border:], two[border:])
    assert not stack.equal(one[1:border], two[1:border])


def test_a_model_that_lets_records_see_each_other_is_refused(base: Any):
    from training.errors import BaseError
    from training.network import require_apart

    model = base.model()
    forward = model.forward
    model.forward = lambda **said: forward(**{k: v for k, v in said.items() if k != "position_ids"})
    with pytest.raises(BaseError, match="see each other"):
        require_apart(model, base)


def test_the_first_word_of_a_record_is_not_trained_after_another_record():
    """Also where a tokenizer has no sign for a beginning."""
    import numpy as np

    from training.examples import Examples, row_of

    examples = Examples(np.arange(6, dtype=np.int32), np.ones(6, dtype=np.bool_), [0, 3, 6])
    row = row_of(examples, [1, 0])
    assert row.ids.tolist() == [3, 4, 5, 0, 1, 2]
    assert row.positions.tolist() == [0, 1, 2, 0, 1, 2]
    assert row.labels.tolist() == [4, 5, 1, 2]
