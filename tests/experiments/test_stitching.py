"""The headline experiment: fair arms, an honest control, results that stay, honest verdicts."""

from __future__ import annotations

import json
import shutil
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from experiments.asking import Question
from experiments.corpora import carriers, opened, records_of, shuffled_walks
from experiments.run import stitching
from experiments.settings import HELD_OUT, UNSTITCHED, Settings
from forest.errors import UsageError
from forest.stores.memory import MemoryStore
from tests.conftest import Run
from tests.experiments.conftest import TINY
from tests.export_helpers import planted, tree


def asked(out: Path) -> list[Question]:
    told = json.loads((out / "questions.json").read_text(encoding="utf-8"))
    return [Question.of_json(one) for one in told["questions"]]


def result(out: Path, name: str) -> dict[str, Any]:
    told = json.loads((out / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return {key: value for key, value in told.items() if key != "seconds"}


# --- fair arms ------------------------------------------------------------------------------------


def test_arms_read_equally_many_tokens_in_equally_many_steps(ran: Path) -> None:
    read = [(r["tokens"], r["steps"], r["weights"]) for r in map(result, [ran] * 2, ARMS)]
    assert read[0] == read[1]
    assert read[0][:2] == (3 * 2 * 32, 3)


ARMS = ["walks-0", "shuffled-0"]


def test_an_arm_says_the_same_whatever_arms_stand_beside_it(
    ran: Path, proofs: MemoryStore, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    stitching(proofs, out, Settings.load("full", seeds=1, only=["islands"], **TINY))
    stitching(proofs, out, Settings.load("full", seeds=1, only=["walks"], **TINY))
    for name in ("words/tokenizer.json", "questions.json"):
        assert (out / name).read_bytes() == (ran / name).read_bytes()
    assert result(out, "walks-0") == result(ran, "walks-0")


def test_an_arm_that_does_not_hold_out_what_is_asked_is_refused(
    ran: Path, proofs: MemoryStore, settings: Settings, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(ran, tmp_path / "out"))
    path = out / "questions.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["questions"][0]["probe"]["target"] = "a/thought"
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(UsageError, match="recipe walks of the arm walks does not hold out 1 of"):
        stitching(proofs, out, settings)


def test_rows_are_full_whatever_the_samples_are() -> None:
    from training.examples import Example
    from training.scratch import Size, batches

    size = Size(steps=2, rows=3, row=16)
    samples = (Example([1, *range(2, n % 7 + 4)], [True] * (n % 7 + 3)) for n in range(10**6))
    for batch in islice(batches(samples, size), 2):
        assert batch.ids.shape == batch.positions.shape == batch.trained.shape == (3, 16)
        assert (batch.positions[:, 0] == 0).all()
        assert not batch.trained[batch.positions == 0].any()


def test_the_first_weights_of_a_seed_are_the_same_and_those_of_another_are_not(ran: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    from training.scratch import Size, model_of

    words = AutoTokenizer.from_pretrained(ran / "words")
    size = Size(**TINY["size"])
    one, same, other = (model_of(words, size, seed).lm_head.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_no_record_of_any_arm_says_a_held_out_pair(ran: Path) -> None:
    settings = Settings.load("full", **TINY)
    pairs = [{q.probe.source, q.probe.target} for q in asked(ran) if q.group == HELD_OUT]
    assert pairs
    for name in ("walks", "asked"):
        for corpus in opened(settings, name, ran):
            for record in corpus.records():
                assert not any(pair <= set(record["meta"]["thoughts"]) for pair in pairs)


def test_no_walk_jumps_at_an_anchor_that_is_left_unstitched(ran: Path, settings: Settings) -> None:
    told = json.loads((ran / "questions.json").read_text(encoding="utf-8"))
    apart = set(told["unstitched"])
    assert {q.probe.anchor for q in asked(ran) if q.group == UNSTITCHED} <= apart
    assert apart
    corpora, trees = (
        opened(settings, "walks", ran),
        {a: set(t) for a, t in told["carriers"].items()},
    )
    for name in settings.arms:
        records = list(records_of(corpora, settings.arms[name], apart, trees))
        jumps = [jump for record in records for jump in record["meta"]["jumps"]]
        assert jumps
        assert apart.isdisjoint(jump["anchor"] for jump in jumps)
        fragments = {r["meta"]["anchor"] for r in records if r["meta"]["kind"] == "fragment"}
        assert apart & fragments  # what each tree says alone is trained


def test_no_right_or_wrong_answer_stands_in_a_prompt(ran: Path) -> None:
    for question in asked(ran):
        probe = question.probe
        assert probe.own
        for answer in (probe.other, probe.own, *probe.others, *probe.distractors):
            assert answer not in probe.prompt
        assert probe.other not in probe.there


# --- the control ----------------------------------------------------------------------------------


def test_shuffled_walks_land_in_trees_that_do_not_carry_the_anchor(
    ran: Path, settings: Settings, proofs: MemoryStore
) -> None:
    trees = carriers(proofs)
    corpus = opened(settings, "walks", ran)[0]
    before = [r for r in corpus.records() if r["meta"]["kind"] == "walk"]
    after = list(shuffled_walks(before, trees, 0))
    assert len(after) == len(before)
    for walk, other in zip(before, after, strict=True):
        for jump, moved in zip(walk["meta"]["jumps"], other["meta"]["jumps"], strict=True):
            assert jump["to_tree"] in trees[jump["anchor"]]
            assert moved["to_tree"] not in trees[jump["anchor"]]
            assert moved["from"] == jump["from"]
        head = walk["text"].partition("⤳")[0]
        assert other["text"].startswith(f"{head}⤳")
        assert other["text"].removeprefix(f"{head}⤳") != walk["text"].removeprefix(f"{head}⤳")


def test_a_walk_of_several_jumps_is_shuffled_at_each_and_says_its_anchors_again() -> None:
    from exporters.export import export_corpus
    from exporters.recipe import Recipe
    from training.corpus import Corpus

    forest = planted(
        *(
            tree(
                f"T{n}",
                f"Root {n}.\n  Here {n}. {{x{n % 3}}}\n    Then {n}. {{y{n % 2}}}\n      End {n}.",
            )
            for n in range(12)
        )
    )
    recipe = Recipe.read({"corpus": {"validation": 0}, "walks": {"hops": 3}}, "test")

    def walks(folder: Path) -> list[dict[str, Any]]:
        export_corpus(forest, folder, recipe)
        return [r for r in Corpus.open(folder).records() if r["meta"]["kind"] == "walk"]

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        before = walks(Path(folder) / "corpus")
    assert max(len(walk["meta"]["jumps"]) for walk in before) > 1
    trees = carriers(forest)
    for walk in shuffled_walks(before, trees, 0):
        jumps = walk["meta"]["jumps"]
        assert all(jump["to_tree"] not in trees[jump["anchor"]] for jump in jumps)
        marks = [line for line in walk["text"].split("\n") if line.startswith("⤳")]
        assert marks == [f"⤳ {jump['anchor']}" for jump in jumps]


# --- results --------------------------------------------------------------------------------------


def test_a_run_that_lost_a_result_makes_the_same_again_and_nothing_else(
    ran: Path, proofs: MemoryStore, settings: Settings
) -> None:
    lost, kept = (ran / "results" / f"{name}.json" for name in ARMS)
    before, stamp = result(ran, ARMS[0]), kept.stat().st_mtime_ns
    lost.unlink()
    stitching(proofs, ran, settings)
    assert result(ran, ARMS[0]) == before
    assert kept.stat().st_mtime_ns == stamp


def test_the_report_has_every_measure_an_interval_and_the_way_it_was_made(
    ran: Path, proofs: MemoryStore, settings: Settings
) -> None:
    report = stitching(proofs, ran, settings, command="forest experiment stitching out")
    scores = report["arms"]["walks"]["scores"][HELD_OUT]
    for measure in ("association, marker", "leaving", "coherence", "emission, any", "recall"):
        score = scores[measure]
        assert 0 <= score["low"] <= score["mean"] <= score["high"] <= 1
        assert score["by_seed"] == [score["mean"]]
    assert report["command"] == "forest experiment stitching out"
    assert {"python", "torch"} <= report["versions"].keys()
    judged = {one["said"]: one["met"] for one in report["thresholds"]}
    assert judged["default: leaving (held out) at least 50%"] is None  # no such arm in this run
    told = (ran / "report.md").read_text(encoding="utf-8")
    page = (ran / "report.html").read_text(encoding="utf-8")
    for words in ("forest experiment stitching out", "Pairs held out", "Where walks fails most"):
        assert words in told
        assert words in page
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_an_arm_in_a_process_of_its_own_gives_what_it_gives_in_this_one(
    ran: Path, proofs: MemoryStore, settings: Settings, tmp_path: Path
) -> None:
    out = Path(
        shutil.copytree(ran, tmp_path / "out", ignore=shutil.ignore_patterns("walks-0.json"))
    )
    stitching(proofs, out, settings, jobs=2)
    assert result(out, "walks-0") == result(ran, "walks-0")


@pytest.mark.parametrize(
    ("ours", "theirs", "points", "met"),
    [(0.9, 0.8, 10, True), (0.9, 0.85, 10, False), (0.5, 0.5, 0, False), (0.6, 0.5, 0, True)],
)
def test_a_threshold_is_met_or_it_is_not(
    ours: float, theirs: float, points: float, *, met: bool
) -> None:
    from experiments.report import _Asked, _judged
    from experiments.settings import Threshold

    results = {
        name: [
            {"seed": seed, "answers": [{"leaving": share}] * 20 + [{"leaving": 0.0}]}
            for seed in (0, 1)
        ]
        for name, share in (("walks", ours), ("default", theirs))
    }
    settings = Settings.load("full")
    where = _Asked([HELD_OUT] * 20 + ["seen"], [f"a{n}" for n in range(21)])
    said = Threshold(arm="walks", over="default", measure="leaving", points=points)
    told = _judged(settings, said, results, where)
    assert told["met"] is met
    assert told["seeds"] == 2
    alone = Threshold(arm="walks", measure="leaving", points=70)
    assert _judged(settings, alone, results, where)["met"] is (ours >= 0.7)


def test_an_arm_that_was_taught_no_request_is_judged_by_its_better_answers() -> None:
    from experiments.report import _Asked, _judged
    from experiments.settings import ALONE, Threshold

    answers = {"emission, any": 0.5, ALONE: 0.0}, {"emission, any": 0.0, ALONE: 0.6}
    results = {
        name: [{"seed": 0, "answers": [one] * 5}]
        for name, one in zip(("walks", "fragments"), answers, strict=True)
    }
    said = Threshold(arm="walks", over="fragments", measure="emission, any", points=0)
    where = _Asked([HELD_OUT] * 5, list("abcde"))
    told = _judged(Settings.load("full"), said, results, where)
    assert (told["met"], told["reached"]) == (False, -10.0)


def test_what_rests_on_few_anchors_is_told_so() -> None:
    from experiments.pages import table, verdict
    from experiments.report import _arm, _Asked, _judged
    from experiments.settings import Threshold

    known = {"emission, any": 1.0, "recall": 1.0, "leaving": 0.5}
    results = {
        name: [{"seed": 0, "loss": 1.0, "seconds": 1, "answers": [one] * 4 + [{"leaving": 0.5}]}]
        for name, one in (("walks", known), ("fragments", known | {"emission, any": 0.0}))
    }
    settings, where = Settings.load("full"), _Asked([HELD_OUT] * 5, list("aaaab"))
    said = Threshold(arm="walks", over="fragments", measure="emission, any", points=10)
    told = _judged(settings, said, results, where)
    assert (told["met"], told["reached"], told["anchors"]) == (None, 100.0, 1)
    assert verdict(told).startswith("too few anchors (1): walks")
    arms = {"walks": _arm(settings, "walks", results["walks"], where)}
    head, (row,) = table({"arms": arms, "groups": {HELD_OUT: {"questions": 5}}}, HELD_OUT)
    cells = dict(zip(head, row, strict=True))
    assert cells["any where known"] == "100 (one alone: no interval; 4 asked)"
    assert cells["leaving"].startswith("50 (")
    assert "asked" not in cells["leaving"]
    low, high = (int(n) for n in cells["leaving"][4:-1].split("–"))
    assert 50 - low == high - 50 > 30  # two that agree are no certainty


# --- what is refused ------------------------------------------------------------------------------


def test_results_of_other_settings_are_not_laid_together(ran: Path, proofs: MemoryStore) -> None:
    other = Settings.load("full", only=["walks"], **{**TINY, "held_out": 0.4})
    with pytest.raises(UsageError, match=r"another setting of held_out: 0\.7, now 0\.4"):
        stitching(proofs, ran, other)
    other = Settings.load("full", only=["walks"], **TINY | {"size": TINY["size"] | {"steps": 9}})
    with pytest.raises(UsageError, match=r"another setting of size of steps: \d+, now 9"):
        stitching(proofs, ran, other)
    with pytest.raises(UsageError, match="another forest"):
        stitching(planted(tree("A", "One.")), ran, Settings.load("full", only=["walks"], **TINY))


def test_a_forest_whose_trees_share_no_anchor_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no two trees of the forest share an anchor"):
        stitching(planted(tree("A", "One. {x}"), tree("B", "Two.")), tmp_path / "out", settings)


def test_a_forest_whose_anchors_are_in_too_few_trees_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    forest = planted(tree("A", "One. {x}\n  Two."), tree("B", "Other. {x}\n  Leaf."))
    with pytest.raises(UsageError, match=r"could be (asked|held)"):
        stitching(forest, tmp_path / "out", settings)


def test_a_folder_of_something_else_is_left_alone(
    proofs: MemoryStore, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("Dear", encoding="utf-8")
    with pytest.raises(UsageError, match="no experiment"):
        stitching(proofs, tmp_path, settings)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_disk_without_room_is_refused(
    proofs: MemoryStore, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.run.ROOM", 1 << 80)
    with pytest.raises(UsageError, match="too little room"):
        stitching(proofs, tmp_path / "out", settings)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--arms", "walks,nope"], "there is no arm 'nope'"),
        (["--mode", "lora"], "the mode lora needs a base"),
        (["--config", "own.toml"], "arms.mine.recipe"),
        (["--forest", "sqlite:///nowhere.db"], "nowhere.db"),
        (["--arms", ""], "expected names of arms"),
        (["--config", "full.toml"], "full.toml says the mode 'full', and 'quick' was asked for"),
        (["--config", "kind.toml"], "there is no kind 'paths': expected path, fragment"),
        (["--config", "ask.toml"], "ask = '{name}': expected {marker} and {anchor}"),
        (["--config", "wide.toml"], "width is 33: expected a multiple of twice the heads, 4"),
    ],
)
def test_the_command_says_what_is_wrong(
    run: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "own.toml").write_text("[arms.mine]\nabout = 'x'\n", encoding="utf-8")
    (tmp_path / "full.toml").write_text("mode = 'full'\n", encoding="utf-8")
    arm = "[arms.islands]\nrecipe = 'islands'\n"
    (tmp_path / "kind.toml").write_text(f"{arm}shares = {{ paths = 1 }}\n", encoding="utf-8")
    (tmp_path / "ask.toml").write_text(f"{arm}ask = '{{name}}'\n", encoding="utf-8")
    (tmp_path / "wide.toml").write_text("[size]\nwidth = 33\nheads = 2\n", encoding="utf-8")
    run("init")
    code, _, errors = run("experiment", "stitching", "out", *arguments)
    assert (code != 0, said in errors) == (True, True), errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()


def test_progress_without_a_terminal_is_lines(
    proofs: MemoryStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the extra train (torch) is not installed")
    from experiments.cli import Lines

    lines, settings = Lines(count(0.0, 60.0).__next__), Settings.load("full", **TINY | {"seeds": 1})
    lines("arms", 1, 4)
    lines("arms (walks 0 done)", 2, 4)
    assert "arms (walks 0 done): 2 of 4, 0:02:00 left" in capsys.readouterr().err
    stitching(proofs, tmp_path / "out", settings.limited_to(["islands"]), progress=Lines())
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "corpora: 0 of 3"
    assert "islands 0: step 3 of 3" in told
    assert told[-1] == "arms (islands 0 done): 1 of 1"
    assert len(told) < 12


def test_the_tables_name_their_columns_also_into_a_pipe(
    ran: Path, proofs: MemoryStore, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    from experiments.cli import _tell

    _tell(stitching(proofs, ran, settings), ran)
    told = capsys.readouterr().out.splitlines()
    head = told[told.index("Pairs held out, %:") + 1].split("\t")
    assert head[:3] == ["arm", "association, marker", "association"]
    assert len(told[told.index("Pairs held out, %:") + 2].split("\t")) == len(head)


def test_the_shipped_modes_load_and_name_what_they_measure() -> None:
    for mode in ("quick", "full", "lora"):
        settings = Settings.load(mode)
        assert {"islands", "fragments", "walks", "shuffled", "default"} <= settings.arms.keys()
        assert settings.thresholds
    with pytest.raises(UsageError, match="speaks of the arm 'nobody'"):
        Settings.load("full", thresholds=[{"arm": "nobody", "measure": "leaving", "points": 1}])


# --- asking ---------------------------------------------------------------------------------------


def test_arms_ask_in_the_words_that_their_corpus_taught(ran: Path) -> None:
    arms = Settings.load("full", **TINY).arms
    question = asked(ran)[0]
    anchor = question.probe.anchor
    requests = {name: question.asked_by(arms[name], "⤳").request for name in arms}
    assert requests["walks"] == "⤳"
    assert requests["default"] == f"⤳ {anchor}"
    assert requests["cards"] == f"— {anchor}"
    assert all(a != b for a, b in pairwise(sorted(set(requests.values()))))
    tree = question.probe.target.partition("/")[0].replace("proof-", "Proof ")
    by_name = {name: question.asked_by(arms[name], "⤳").asked(by_name=True) for name in arms}
    for name, request in requests.items():
        named = f" › {tree}" if arms[name].named else ""
        assert by_name[name] == f"{question.probe.prompt}\n{request}{named}"


# --- masks ----------------------------------------------------------------------------------------


def test_arms_are_masks_on_a_base_in_the_mode_lora(proofs: MemoryStore, tmp_path: Path) -> None:
    from training.corpus import Corpus
    from training.masks import Mask

    size = {"steps": 2, "rows": 1, "row": 128}
    told = {**TINY, "probes": 2, "samples": 1, "exports": 1, "size": size}
    settings = Settings.load("lora", only=["walks"], **told)
    out = tmp_path / "out"
    report = stitching(proofs, out, settings, base="tiny:")
    assert report["arms"]["walks"]["steps"] == 2
    assert report["arms"]["walks"]["scores"][HELD_OUT]["association"]["n"] == 2
    mask = Mask.open(out / "masks" / "walks-0.safetensors")
    drawn = Corpus.open(out / "drawn" / "walks-0")
    assert mask.about["corpus"]["hash"] == drawn.hash
    kinds = {record["meta"]["kind"] for record in drawn.records()}
    assert "walk" in kinds
    assert kinds <= {"walk", "path", "fragment"}
    before = mask.path.stat().st_mtime_ns
    assert stitching(proofs, out, settings, base="tiny:")["arms"] == report["arms"]
    assert mask.path.stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="another base"):
        stitching(proofs, out, settings, base="another")
