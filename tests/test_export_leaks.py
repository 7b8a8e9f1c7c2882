"""Held-out stitches, the leak check that plants leaks, and what the manifest says is left out."""

from __future__ import annotations

import itertools
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from exporters import families, probes, walks, writing
from exporters.export import export_corpus
from exporters.files import PACKAGES
from exporters.folder import forget_parts
from exporters.held import Held, drawn
from exporters.kinds.trees import TreeRecords
from exporters.leaks import Leaks
from exporters.linearize import Piece, tell
from exporters.manifest import Manifest
from exporters.recipe import Recipe
from exporters.records import FORMATS
from exporters.records import KINDS as KIND_TABLE
from exporters.scratch import Scratch
from exporters.texts import Texts, text_key
from forest.errors import ExportError
from forest.model import Tree
from tests.export_helpers import SMALL, beside, content, only, planted, records, spoken, tree
from training.corpus import _records

KINDS = [kind for kind in KIND_TABLE if kind not in ("preference", "stepwise")]
ALL = {
    "kinds": only(*KINDS),
    "window": 500,
    "corpus": {"validation": 0.3},
    "paths": {"overlap": 80},
    "probes": {"share": 0.4, "distractors": 3},
}
SYLLABLES = [
    "ба",
    "ве",
    "го",
    "ду",
    "жи",
    "за",
    "ки",
    "лю",
    "мо",
    "ну",
    "пе",
    "ра",
    "со",
    "ты",
    "фо",
]


@cache
def grown(count: int = 40, anchors: int = 5) -> list[Tree]:
    """Trees of six thoughts, random words that meet at a few anchors."""
    forest = []
    for n in range(count):
        draw = random.Random(n)

        def said(draw: random.Random = draw) -> str:
            return " ".join("".join(draw.choices(SYLLABLES, k=3)) for _ in range(5))

        lines = [
            "  " * level + f"{said()} {{якорь {draw.randrange(anchors)}}}" for level in range(6)
        ]
        forest.append(tree(f"Дерево {n}", "\n".join(lines)))
    return forest


def recipe(**changes: Any) -> Recipe:
    return Recipe.read(ALL | changes, "all")


def exported(
    folder: Path, forest: list[Tree] | None = None, **changes: Any
) -> tuple[Path, Manifest]:
    out = folder / "corpus"
    return out, export_corpus(planted(*(forest or grown())), out, recipe(**changes))


def asked(corpus: Path) -> list[dict[str, Any]]:
    path = corpus / "probes" / "stitches.jsonl"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def told(record: dict[str, Any]) -> set[str]:
    """The thoughts that a record says, or jumps between."""
    meta = record["meta"]
    return {*meta["thoughts"], *(jump[end] for jump in meta["jumps"] for end in ("from", "to"))}


# --- probes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [1, 3])
def test_no_training_record_says_both_thoughts_of_a_probe(pairs: int, tmp_path: Path) -> None:
    corpus, manifest = exported(tmp_path, walks={"pairs": pairs})
    ends = [(p["source"]["thought"], p["target"]["thought"]) for p in asked(corpus)]
    assert len(ends) == manifest.probes.probes > 20
    said = [told(record) for record in records(corpus, "train")]
    assert not any(one in some and other in some for one, other in ends for some in said)
    jumps = manifest.splits["train"].jumps
    assert jumps.source_once + jumps.source_more == jumps.occurrences
    assert jumps.target_once + jumps.target_more == jumps.occurrences
    if pairs == 1:
        assert jumps.source_more == jumps.target_more == 0
    on_cards = set().union(*(told(r) for r in records(corpus) if r["meta"]["kind"] == "card"))
    assert {end for pair in ends for end in pair} <= on_cards


@pytest.mark.parametrize("pairs", [1, 3])
def test_no_training_record_joins_the_trees_of_a_probe_at_its_anchor(
    pairs: int, tmp_path: Path
) -> None:
    corpus, _ = exported(tmp_path, walks={"pairs": pairs})
    joined = {at for record in records(corpus, "train") for at in joins(record["meta"])}
    asked_for = [(p["anchor"], p["source"], p["target"]) for p in asked(corpus)]
    assert any(len(side["all"]) > 1 for _, *sides in asked_for for side in sides)
    for anchor, source, target in asked_for:
        assert (anchor, frozenset((source["tree"], target["tree"]))) not in joined


def joins(meta: dict[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """The anchors and pairs of trees that a record joins."""
    for jump in meta["jumps"]:
        yield jump["anchor"], frozenset((jump["from_tree"], jump["to_tree"]))
    if meta["kind"] in ("card", "comparison"):
        for pair in itertools.combinations(meta["trees"], 2):
            yield meta["anchor"], frozenset(pair)


def test_a_probe_asks_what_cannot_be_copied(tmp_path: Path) -> None:
    corpus, _ = exported(tmp_path)
    texts = {t.id: t.text for made in grown() for t in made.thoughts}
    carried = {t.id: {a.phrase for a in t.anchors} for made in grown() for t in made.thoughts}
    split = {tree: r["meta"]["split"] for r in records(corpus) for tree in r["meta"]["trees"]}
    for probe in asked(corpus):
        source, target = probe["source"], probe["target"]
        assert {split[source["tree"]], split[target["tree"]]} == {"train"}
        assert probe["phrase"] in carried[source["thought"]] & carried[target["thought"]]
        assert probe["prompt"].endswith(texts[source["thought"]])
        assert probe["request"] == f"{probe['marker']} {probe['phrase']}"
        assert probe["answer"]["text"] == texts[probe["answer"]["thought"]]
        right = [probe["answer"], *probe["others"], *filter(None, [probe["own"]])]
        wrong = probe["distractors"]
        assert len(wrong) == 3
        assert not any(one["text"] in probe["prompt"] for one in [*right, *wrong])
        assert len({one["text"] for one in [*right, *wrong]}) == len([*right, *wrong])
        assert not any(probe["phrase"] in carried[one["thought"]] for one in wrong)


def test_no_training_record_answers_a_probe_by_the_same_words(tmp_path: Path) -> None:
    forest: list[Tree] = []
    for n in range(30):
        root, source, alone, *_ = (t.text for t in grown()[n].thoughts)
        follows = alone if n % 10 < 6 else grown()[n // 2].thoughts[3].text  # the same in two trees
        if n % 10 == 4:  # the same prompt as in the tree before
            root, source = (t.text for t in forest[-1].thoughts[:2])
        forest.append(tree(f"Дерево {n}", f"{root}\n  {source} {{якорь {n // 10}}}\n    {follows}"))
    corpus, manifest = exported(tmp_path, forest, corpus={"validation": 0})
    said = [record["text"] for record in records(corpus)]
    assert manifest.probes.probes == manifest.probes.held_out >= 5
    for probe in asked(corpus):
        answer, prompt = probe["answer"]["text"], probe["prompt"]
        assert not any(answer in text and prompt in text for text in said)


def with_two_shared_facts() -> list[Tree]:
    """Proofs of the same two facts: a jump at one of them says the other on both sides."""
    facts = "  Stone {n} is soft.\n  Water flows. {{flow}}\n  It wears. {{wear}}"
    return [tree(f"Proof {n}", f"Water wears stone {n}.\n" + facts.format(n=n)) for n in range(8)]


def test_no_training_record_says_question_and_answer_of_a_probe(tmp_path: Path) -> None:
    forest = [*with_two_shared_facts(), *grown(20)]
    corpus, _ = exported(tmp_path, forest, corpus={"validation": 0})
    probes = [probe for probe in asked(corpus) if probe["phrase"] in ("flow", "wear")]
    assert len(probes) > 4
    said = [told(record) for record in records(corpus, "train")]
    for probe in probes:
        assert probe["answer"]["thought"] != probe["target"]["thought"]
        together = {probe["source"]["thought"], probe["answer"]["thought"]}
        assert not any(together <= some for some in said)


def test_probes_stay_while_the_forest_grows_and_whatever_the_seed(tmp_path: Path) -> None:
    def ids(count: int, seed: int = 0) -> set[str]:
        corpus = tmp_path / f"{count}-{seed}"
        made = recipe(corpus={"validation": 0}, probes={"share": 0.2, "distractors": 3})
        export_corpus(planted(*grown(anchors=12)[:count]), corpus, made, seed=seed)
        return {probe["id"] for probe in asked(corpus)}

    few = ids(14)
    assert len(few) > 5
    assert len(few & ids(20)) >= 0.9 * len(few)
    assert len(few & ids(14, seed=5)) >= 0.9 * len(few)


def test_the_share_and_the_count_bound_what_is_held_out(tmp_path: Path) -> None:
    assert exported(tmp_path, probes={"count": 7, "distractors": 3})[1].probes.held_out == 7
    corpus, manifest = exported(tmp_path, probes={"share": 0})
    assert manifest.probes.held_out == manifest.probes.probes == 0
    assert not (corpus / "probes").exists()


def test_probes_about_what_no_training_record_says_are_counted(tmp_path: Path) -> None:
    """They stay, so that corpora of one forest are asked the same."""
    all_, whole = exported(tmp_path / "whole")
    out, cut = exported(tmp_path / "cut", budget=15_000)
    train = records(out, "train")
    said = {id_ for record in train for id_ in record["meta"]["thoughts"]}
    needed = [{p[of]["thought"] for of in ("source", "target", "answer")} for p in asked(out)]
    assert asked(out) == asked(all_)
    assert cut.probes.unsaid == sum(not ids <= said for ids in needed) > 0
    assert f"({cut.probes.unsaid} of them about" in (out / "README.md").read_text("utf-8")
    assert orjson.loads((out / "manifest.json").read_bytes())["probes"]["unsaid"]
    assert (whole.probes.unsaid, "unsaid" in (all_ / "manifest.json").read_text()) == (0, False)


def test_a_small_forest_holds_nothing_out_and_says_why(tmp_path: Path) -> None:
    corpus, manifest = exported(tmp_path, grown()[:3])
    assert manifest.probes.model_dump(exclude_defaults=True) == {"left_out": {probes.NONE: 1}}
    assert probes.NONE in (corpus / "README.md").read_text(encoding="utf-8")


def test_every_ring_of_four_can_spare_a_pair() -> None:
    for n in range(4, 9):
        for apart in map(frozenset, itertools.combinations(range(n), 2)):
            jumps = walks.ring_cover(range(n), 1, {apart})
            assert apart not in map(frozenset, jumps)
            assert sorted(i for i, _ in jumps) == sorted(j for _, j in jumps) == list(range(n))
            assert all(i != j for i, j in jumps)


# --- leaks are planted ----------------------------------------------------------------------------


@pytest.fixture
def leaking(tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """A patch under which an export must fail, naming both records, and leave the old corpus."""
    corpus, _ = exported(tmp_path)
    forget_parts(corpus)  # all is to be made again
    before = content(corpus)
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    assert content(corpus) == before
    assert beside(corpus) == []


def refused(tmp_path: Path, forest: list[Tree] | None = None, **changes: Any) -> str:
    with pytest.raises(ExportError, match="the corpus leaks") as error:
        exported(tmp_path, forest, **changes)
    record = r"(data/\S+:\d+ \(\w+, (train|validation)\)|probes/stitches.jsonl:\d+ \(probe\))"
    assert re.search(f"{record} and {record}$", error.value.message)
    return error.value.message


def test_a_walk_over_the_border_is_caught(leaking: pytest.MonkeyPatch, tmp_path: Path) -> None:
    add = Scratch.add_places
    leaking.setattr(
        Scratch, "add_places", lambda self, no, _, gathered: add(self, no, "train", gathered)
    )
    assert "joins trees of both sides" in refused(tmp_path)


def test_a_tree_on_both_sides_is_caught(leaking: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = TreeRecords._paths

    def both(self: Any, outline: Any, windows: Any, split: str, axes: Any) -> Iterator[Any]:
        yield from paths(self, outline, windows, "train", axes)
        yield from paths(self, outline, windows, split, axes)

    leaking.setattr(TreeRecords, "_paths", both)
    assert "is on both sides" in refused(tmp_path)


def test_a_thought_on_both_sides_is_caught(leaking: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def named(pieces: list[Piece]) -> Any:
        told = tell(pieces)
        if len(told.trees) == 1:
            told.thoughts.append("planted")
        return told

    leaking.setattr("exporters.kinds.trees.tell", named)
    assert "the thought 'planted' is on both sides" in refused(tmp_path)


def test_near_identical_trees_on_two_sides_are_caught(
    leaking: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copies = [
        tree(f"{made.title} again", "\n".join("  " * t.level + f"{t.text}ю" for t in made.thoughts))
        for made in grown()
    ]
    sides = families.Families.sides

    def apart(self: families.Families, validation: float) -> Iterator[str]:
        for number, _ in enumerate(sides(self, validation)):
            yield ("train", "validation")[number % 2]

    leaking.setattr(families.Families, "sides", apart)
    assert "say nearly the same and are on two sides" in refused(tmp_path, [*grown(), *copies])


def test_a_held_out_pair_in_a_record_is_caught(leaking: pytest.MonkeyPatch, tmp_path: Path) -> None:
    leaking.setattr(Held, "__init__", lambda self, _=(): setattr(self, "_from", {}))
    for kind in ("walk", "card", "comparison"):
        message = refused(tmp_path, kinds=only(kind), walks={"pairs": 12})
        assert "are a held-out stitch" in message
        assert f"({kind}, train)" in message


def test_a_held_out_jump_is_caught(leaking: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cover, hold = walks.covered, walks.Rings.hold

    def careless(ring: Any, recipe: Recipe) -> Any:
        apart = (tuple(sorted(p)) for one in drawn(ring, recipe.probes.share) for p in one.pairs)
        return [*cover(ring, recipe), *apart]

    def held(self: walks.Rings) -> Any:
        leaking.setattr(walks, "covered", cover)
        found = hold(self)
        leaking.setattr(walks, "covered", careless)
        return found

    leaking.setattr(walks.Rings, "hold", held)
    leaking.setattr(Held, "__init__", lambda self, _=(): setattr(self, "_from", {}))
    for kind in ("walk", "bridge", "composite", "chain", "comparison"):
        assert "are a held-out stitch" in refused(tmp_path, kinds=only(kind))


def test_question_and_answer_in_a_record_are_caught(
    leaking: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apart = walks.Rings._apart_from
    leaking.setattr(walks.Rings, "_apart_from", lambda *rings: apart(*rings)[:1])
    forest = [*with_two_shared_facts(), *grown(20)]
    for kind in ("walk", "bridge", "chain"):
        message = refused(tmp_path, forest, kinds=only(kind), corpus={"validation": 0})
        assert "are a held-out stitch" in message


def test_the_same_text_on_both_sides_is_caught(leaking: pytest.MonkeyPatch, tmp_path: Path) -> None:
    leaking.setattr(Texts, "among", lambda *_: set())
    assert "two records say the same" in refused(tmp_path, with_a_shared_argument())


def with_a_shared_argument() -> list[Tree]:
    """Trees that end with the same two thoughts: fragments at their anchor are equal."""
    return [
        tree(
            made.title,
            "\n".join("  " * t.level + t.text for t in made.thoughts)
            + "\n            Вода точит камень. {вода}\n              Значит, время твёрже камня.",
        )
        for made in grown()
    ]


@pytest.mark.parametrize("form", ["jsonl", "jsonl.zst", "parquet"])
def test_a_leak_is_named_by_file_and_record_in_every_form(
    form: str, leaking: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if form in PACKAGES:
        pytest.importorskip(PACKAGES[form][0])
    written, check = tmp_path_factory.mktemp("leaking") / "corpus", Leaks.check

    def keep(self: Leaks, corpus: Path, *args: Any) -> None:
        shutil.copytree(corpus, written)
        check(self, corpus, *args)

    leaking.setattr(Leaks, "check", keep)
    leaking.setattr(Texts, "among", lambda *_: set())
    settings = {"validation": 0.3, "shard": 9000, "file": form, "format": "messages"}
    message = refused(tmp_path, with_a_shared_argument(), corpus=settings)
    places = re.findall(r"(data/\S+):(\d+) \((\w+), (\w+)\)", message)
    said = [
        next(itertools.islice(_records(written / path), int(number) - 1, None))
        for path, number, *_ in places
    ]
    assert said[0]["messages"] == said[1]["messages"]
    assert [(r["meta"]["kind"], r["meta"]["split"]) for r in said] == [p[2:] for p in places]


def test_every_format_leaves_out_the_same_and_asks_the_same_probes(tmp_path: Path) -> None:
    def made(format: str) -> tuple[Any, ...]:
        settings = {"validation": 0.3, "format": format}
        corpus, manifest = exported(tmp_path, with_a_shared_argument(), corpus=settings)
        listed = manifest.left_out, manifest.probes, manifest.splits
        return *listed, *(content(corpus)[file.path] for file in listed[:2] if file.path)

    text = made("text")
    assert text[2]["validation"].records_left_out[writing.SAME]
    for format in FORMATS:
        assert made(format) == text


def test_texts_that_a_chat_would_say_alike_are_the_same() -> None:
    assert text_key({"text": "Вода.\nЛёд."}) == text_key({"text": "Вода. Лёд."})
    assert text_key({"text": "Вода.\nЛёд."}) != text_key({"text": "Вода.\nЛед."})


def test_validation_leaves_out_what_training_says(tmp_path: Path) -> None:
    corpus, manifest = exported(tmp_path, with_a_shared_argument())
    sides = [{r["text"] for r in records(corpus, split)} for split in ("train", "validation")]
    assert not sides[0] & sides[1]
    assert manifest.splits["validation"].records_left_out.keys() == {writing.SAME}
    assert manifest.splits["train"].records_left_out == {}


def test_validation_leaves_out_what_stands_within_a_larger_training_tree(tmp_path: Path) -> None:
    """A tree of six thoughts and one of 66 that holds it are no family."""
    forest, others = list(grown(24)), grown(144)[24:]
    for n, made in enumerate(grown(12)):
        whole = [t.text for one in (made, *others[n::12]) for t in one.thoughts]
        outline = "\n".join("  " * level + text for level, text in enumerate(whole))
        forest.append(tree(f"Большое дерево {n}", outline))
    changes = {"window": 800, "kinds": only("path", "fragment", "reverse"), "probes": {"share": 0}}
    corpus, manifest = exported(tmp_path, forest, **changes)
    train = "\n".join(record["text"] for record in records(corpus, "train"))
    kept = [r["text"] for r in records(corpus, "validation") if len(r["meta"]["thoughts"]) < 7]
    assert not [text for text in kept if text in train]
    report = manifest.splits["validation"]
    assert report.records_left_out[writing.SAME]
    assert report.thoughts_left_out[writing.SAME] % 6 == 0
    assert any("Большое дерево" in record["text"] for record in records(corpus, "validation"))
    assert len(kept) > 5


def test_the_check_reads_a_large_validation_split_in_parts(
    monkeypatch: pytest.MonkeyPatch, leaking: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("exporters.leaks.MOST", 5)
    exported(tmp_path)
    leaking.setattr(Texts, "among", lambda *_: set())
    refused(tmp_path, with_a_shared_argument())


# --- coverage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kinds": only("path") | {"path": 0.3}},
        {"kinds": only() | {"path": 0.1, "walk": 0.1}, "order": "shuffled"},
        {"budget": 3000},
    ],
)
def test_every_thought_is_in_a_training_record_or_listed(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    corpus, manifest = exported(tmp_path, **changes)
    lines = (corpus / "left-out.jsonl").read_bytes().splitlines()
    listed = [orjson.loads(line) for line in lines]
    trees = {entry["tree"] for entry in listed if "thought" not in entry}
    silent = {entry["thought"] for entry in listed if "thought" in entry}
    train = records(corpus, "train")
    said = {id_ for record in train for id_ in record["meta"]["thoughts"]}
    for made in grown():
        for thought in made.thoughts:
            assert (thought.id in said) + (thought.id in silent) + (made.id in trees) == 1
    report, left_out = manifest.splits["train"], manifest.left_out
    assert report.thoughts_covered == len(said) == report.thoughts - len(silent)
    assert sum(left_out.thoughts.values()) == len(silent) + 6 * len(trees)
    assert left_out.thoughts == report.thoughts_left_out | {"validation": 6 * len(trees)}
    assert left_out.trees == {"validation": len(trees)}
    assert bool(silent) == bool(changes)
    assert ("the budget" in left_out.thoughts) == ("budget" in changes)
    steps = {
        frozenset(step)
        for record in train
        for step in itertools.pairwise(id_ for _, id_, _ in spoken(record) if id_)
    } & {
        frozenset(step)
        for made in grown()
        for step in itertools.pairwise(t.id for t in made.thoughts)
    }
    assert report.steps_covered == len(steps)


@pytest.mark.parametrize("budget", [0, 10_000])
def test_a_proofs_step_is_covered_by_each_of_its_premises(budget: int, tmp_path: Path) -> None:
    flows = "flows by day and by night, as was said long ago."
    proof = tree("T", f"All {flows}\n  Water {flows}\n  Sand {flows}\n  Time {flows}")
    proof.edit(proof.thoughts[0].id, kind="conclusion")
    for window, steps in ((500, 3), (80, 0)):  # in 80 characters each thought is alone
        changes = {"window": window, "paths": {"overlap": 0}, "corpus": {"validation": 0}}
        _, manifest = exported(tmp_path / f"{window}", [proof], budget=budget, **changes)
        assert manifest.splits["train"].steps_covered == steps


def test_the_manifest_counts_what_the_written_records_cover(tmp_path: Path) -> None:
    forest = grown()
    out, manifest = exported(tmp_path, forest, kinds=only("path", "walk", "chain"), budget=20_000)
    above = {
        (made.thoughts[parent].id, thought.id)
        for made in forest
        for thought, parent in zip(made.thoughts, made.parents(), strict=True)
        if parent >= 0
    }
    for split, report in manifest.splits.items():
        written = records(out, split)
        jumps = [j for r in written if r["meta"]["kind"] == "walk" for j in r["meta"]["jumps"]]
        ends = {
            end: Counter((jump["anchor"], jump[end]) for jump in jumps) for end in ("from", "to")
        }
        told = report.jumps
        assert told.source_once == sum(n == 1 for n in ends["from"].values())
        assert told.source_more == sum(n > 1 for n in ends["from"].values())
        assert told.target_once == sum(n == 1 for n in ends["to"].values())
        assert told.target_more == sum(n > 1 for n in ends["to"].values())
        met = len({*ends["from"], *ends["to"]})
        assert met + told.left_out.get(writing.BUDGET, 0) == told.occurrences
        steps: set[tuple[str, str]] = set()
        for record in written:
            order = [end for _, end, _ in spoken(record) if end]
            steps |= {*itertools.pairwise(order), *itertools.pairwise(order[::-1])}
        assert report.steps_covered == len(steps & above)
    assert manifest.splits["train"].jumps.left_out[writing.BUDGET]


def test_lengths_in_tokens_are_counted_in_tokens(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    words.save(str(tmp_path / "tokenizer.json"))
    _, manifest = exported(tmp_path, tokenizer=str(tmp_path / "tokenizer.json"))
    for report in manifest.splits.values():
        assert report.tokens == 5 * report.thoughts
        assert report.tokens_out.keys() == report.records.keys()
    assert exported(tmp_path)[1].splits["train"].tokens == 0
    assert SMALL.measure() is len
