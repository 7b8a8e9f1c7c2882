"""Probes ask what they claim to ask, and a model that jumps is told from one that does not."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from exporters.export import export_corpus
from exporters.recipe import Recipe
from tests.conftest import Run
from tests.export_helpers import SMALL, planted, tree
from tests.training.conftest import with_tokens
from training.behaviour.intervals import interval
from training.behaviour.jumps import lexical, token_f1
from training.corpus import Corpus
from training.errors import CorpusError
from training.probes import HELD_OUT, SEEN, Probe, probes


def jumps(corpus: Corpus) -> set[tuple[str, str, str]]:
    return {
        (jump["anchor"], jump["from"], jump["to"])
        for record in corpus.records()
        for jump in record["meta"]["jumps"]
    }


def thought_texts(corpus: Corpus) -> dict[str, str]:
    return {
        record["meta"]["thoughts"][span["thought"]]: record["text"][span["start"] : span["end"]]
        for record in corpus.records()
        for span in record["meta"]["spans"]
        if span["role"] == "thought"
    }


def test_probes_come_from_the_walks(corpus: Corpus):
    asked, walked, text = probes(corpus, 30), jumps(corpus), thought_texts(corpus)
    assert {probe.group for probe in asked} == {SEEN, HELD_OUT}
    for probe in asked:
        stitched = (probe.anchor, probe.source, probe.target) in walked
        assert (probe.group == SEEN) == stitched
        assert probe.prompt.endswith(text[probe.source])
        assert probe.other == text[probe.target]
        assert probe.request.startswith("⤳ ")
        assert probe.target.partition("/")[0] != probe.source.partition("/")[0]
    assert asked == probes(corpus, 30)
    assert asked != probes(corpus, 30, seed=8)


def test_held_out_pairs_are_those_of_the_corpus(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    def pairs(most: int) -> list[tuple[str, str]]:
        return [(p.source, p.target) for p in probes(corpus, most) if p.group == HELD_OUT]

    told = {(p["source"]["thought"], p["target"]["thought"]) for p in corpus.probes()}
    assert len(told) > 2
    assert set(pairs(100)) == told
    assert len(pairs(2)) == 2
    monkeypatch.setattr(Corpus, "probes", lambda _: iter(()))
    assert not set(pairs(100)) <= told


def test_changed_probes_are_refused(harmed: Path):
    path = harmed / "probes" / "stitches.jsonl"
    path.write_bytes(path.read_bytes().replace("⤳".encode(), "⤴".encode()))
    with pytest.raises(CorpusError, match=r"stitches\.jsonl does not match its checksum"):
        Corpus.open(harmed)


def test_no_candidate_stands_in_the_prompt_and_all_differ(corpus: Corpus):
    for probe in probes(corpus, 50):
        own = [probe.own] if probe.own else []
        candidates = [*probe.others, *own, *probe.distractors]
        assert len(set(candidates)) == len(candidates)
        assert not any(candidate in probe.prompt for candidate in candidates)
        assert len(probe.distractors) == 9


def test_an_anchor_that_is_the_thought_itself_is_followed_by_what_it_supports():
    """As in proofs: the fact stands in both trees in the same words."""
    from training.probes import _listen, _probe, _Told

    told = _Told()
    for n in range(12):
        parts = [f"Premise {n}.", f"fact {n}", "⤳", f"fact {n}", f"fact {n}", f"Conclusion {n}."]
        roles = ["thought", "thought", "marker", "anchor", "thought", "thought"]
        spans, at = [], 0
        for part, role in zip(parts, roles, strict=True):
            spans.append({"start": at, "end": at + len(part), "role": role})
            at += len(part) + 1
        jump = {"anchor": f"a{n}", "from": f"x{n}", "from_tree": "X", "to": f"y{n}", "to_tree": "Y"}
        _listen(told, {"text": "\n".join(parts), "meta": {"spans": spans, "jumps": [jump]}})
    import random

    probe = _probe(told, "a3", "x3", "y3", SEEN, random.Random(0))
    assert probe is not None
    assert probe.prompt == "Premise 3.\nfact 3"
    assert probe.request == "⤳ fact 3\nfact 3"
    assert probe.other == "Conclusion 3."


def test_a_probe_names_the_tree_that_it_asks_for_unless_that_says_the_answer(tmp_path: Path):
    """A tree may be called as it goes on behind the anchor. So are pairs of either group asked."""
    forest = [
        tree(
            f"Место {n} тихо." if n % 2 else f"О речи {n}",
            f"Начало {n}.\n  Место {n} тихо. {{опора {n % 3}}}\n    Ответ {n}.\n      Конец {n}.",
        )
        for n in range(30)
    ]
    recipe = SMALL.model_dump() | {"probes": {"share": 0.5}}
    recipe["walks"] |= {"named": 1.0, "hops": 1}
    export_corpus(planted(*forest), tmp_path / "corpus", Recipe.read(recipe, "named"))
    asked = probes(Corpus.open(tmp_path / "corpus"), 100)
    titles = {made.id: made.title for made in forest}
    assert {(p.group, bool(p.name)) for p in asked} == {*product((SEEN, HELD_OUT), (True, False))}
    for probe in asked:
        title = titles[probe.target.partition("/")[0]]
        assert probe.name == ("" if title.startswith("Место") else f"› {title}")
        assert "›" not in probe.request


def test_a_corpus_without_walks_is_refused(corpus: Corpus, monkeypatch: pytest.MonkeyPatch):
    paths = [r for r in corpus.records() if r["meta"]["kind"] == "path"]
    monkeypatch.setattr(Corpus, "records", lambda *_: iter(paths))
    assert {probe.group for probe in probes(corpus)} == {HELD_OUT}
    monkeypatch.setattr(Corpus, "probes", lambda _: iter(()))
    with pytest.raises(CorpusError, match="has no walks"):
        probes(corpus)


def test_scores_and_intervals():
    assert token_f1("a b c d", "A, b, c, x") == pytest.approx(0.75)
    told = interval([1.0] * 30 + [0.0] * 30)
    assert told["mean"] == 0.5
    assert 0.3 < told["low"] < 0.5 < told["high"] < 0.7


def probe(**changes: Any) -> Probe:
    distractors = tuple(f"Молчит камень номер {n}." for n in range(9))
    others = ("Порог помнит воду.",)
    told = Probe(
        "a", "x", "y", SEEN, "Берег и зерно.", "⤳ порог", others[0], "Зима.", others, distractors
    )
    return told._replace(**changes)


def test_the_lexical_baseline_reads_the_anchor_alone():
    assert lexical(probe()) == 1
    assert lexical(probe(other="Зима.")) == pytest.approx(0.1)


@pytest.mark.usefixtures("stack")
def test_scores_are_those_of_the_model_alone(stack: Any, base: Any):
    """What is computed side by side in one row is what the model says of each text by itself."""
    from training.behaviour.speaker import Speaker
    from training.examples import encode

    model, tokenizer = base.model(), base.tokenizer()
    candidates = ["Порог помнит воду.", "Зима.", "Камень молчит под знаком Δ12."]
    with stack.inference_mode():
        scores = Speaker(model, tokenizer).scores("Берег и зерно.", candidates)
        for candidate, score in zip(candidates, scores, strict=True):
            told = {"prompt": "Берег и зерно.\n", "completion": candidate}
            example = encode(told, tokenizer, end=False)
            assert example is not None
            ids = stack.tensor([example.ids])
            logs = model(input_ids=ids).logits[0].log_softmax(-1)
            said = [float(logs[n - 1, ids[0, n]]) for n, loss in enumerate(example.mask) if loss]
            assert score == pytest.approx(sum(said) / len(said), abs=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("stack")
def test_a_mask_that_has_learnt_the_walks_jumps_and_the_base_does_not(
    base: Any, corpus: Corpus, tmp_path: Path
):
    from training.config import Config
    from training.evaluate import Questions, evaluate
    from training.masks import Library
    from training.train import train

    told: dict[str, Any] = {"lora": {"r": 32, "alpha": 64}, "data": {"kinds": ["walk"]}}
    told["lora"]["modules"] = [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"
    ]  # fmt: skip
    told["training"] = {"steps": 120, "row": 512, "rows": 1, "rate": 3e-3, "threads": 1}
    train(corpus, base, "walks", Config.read(told, "test"), masks=tmp_path)
    mask = Library(tmp_path).open("walks")
    asked = Questions(only=("jumps",), most=24, samples=0)
    report = evaluate(corpus, base, [mask], asked)
    groups = {group["name"]: group for group in report["sections"][0]["groups"]}
    for measure in ("association, marker", "request"):
        told = groups[SEEN]["scores"][measure]
        assert told["walks"]["mean"] > 0.75
        assert groups[SEEN]["differences"][measure]["walks"]["base"]["mean"] > 0.5
    for group in (SEEN, HELD_OUT):
        for scores in groups[group]["scores"].values():
            assert set(scores) <= {"base", "walks"}
            assert all(0 <= s["low"] <= s["mean"] <= s["high"] <= 1 for s in scores.values())
    assert report["masks"]["walks"]["trained_on_this_corpus"]
    assert len(report["sections"][0]["worst"]["walks"]) == 5
    assert report == evaluate(corpus, base, [mask], asked)


@pytest.mark.usefixtures("stack")
def test_codes_that_the_base_does_not_know_are_named(harmed: Path, base: Any):
    from training.evaluate import Questions, evaluate, markdown

    asked = Questions(("plain",), most=1, samples=0)
    report = evaluate(with_tokens(harmed, "Δ77"), base, asked=asked)
    assert report["base"]["torn"] == ["Δ77"]
    assert "it has no single token for Δ77, which the corpus uses" in markdown(report)


def test_evaluate_and_ask_on_the_command_line(
    base: Any, corpus_folder: Path, run: Run, tmp_path: Path
):
    where = ("--base", str(base.path))
    some = ("--probes", "3", "--samples", "1", "--length", "8", "--out", "report")
    code, out, err = run("evaluate", *where, "--corpus", str(corpus_folder), *some)
    assert (code, err) == (0, "")
    assert "| association, marker, % |" in out
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    sections = {section["key"]: section for section in report["sections"]}
    assert {group["name"]: group["questions"] for group in sections["jumps"]["groups"]} == {
        SEEN: 3,
        HELD_OUT: 3,
    }
    for key in ("scenes", "unseen", "style"):
        assert "has no formulas" in sections[key]["not_measured"]
    assert {"plain", "repetition"} <= set(sections)
    page = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert "# Does the base jump?" in page
    assert f"{report['command']}, {report['date']}. Seed 7;" in page
    assert report["command"].startswith("forest evaluate --base ")
    code, _, err = run("evaluate", *where, "--corpus", str(corpus_folder), *some)
    assert (code, "exists and is not empty" in err) == (1, True)

    code, out, _ = run("ask", "Там, где вода", *where, "--length", "5", "--json")
    assert code == 0
    assert [told["voice"] for told in json.loads(out)] == ["base"]
    code, _, err = run("ask", "Там", *where, "--mask", "Δ42")
    assert (code, "there is no mask 'Δ42'" in err) == (1, True)
