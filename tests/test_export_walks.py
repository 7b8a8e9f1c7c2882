"""Walks under the ring cover, seen from the records that an export writes."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exporters.export import export_corpus
from exporters.manifest import Manifest
from exporters.recipe import Recipe
from exporters.walks import ring_cover
from forest.errors import ExportError
from forest.model import Tree
from forest.phrases import phrase_key
from tests.export_helpers import SMALL, occurrences, only, planted, records, spoken, tree
from tests.strategies import trees

Record = dict[str, Any]


@pytest.fixture(autouse=True, scope="module")
def _no_sync() -> Iterator[None]:
    """Hundreds of small corpora that no power cut threatens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


def exported(
    forest: list[Tree], recipe: Recipe = SMALL, seed: int = 0
) -> tuple[list[Record], Manifest]:
    """The records and the manifest of a forest."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "corpus"
        manifest = export_corpus(planted(*forest), out, recipe, seed=seed)
        return records(out), manifest


def walks_of(found: list[Record]) -> list[Record]:
    return [record for record in found if record["meta"]["kind"] == "walk"]


def jumps_of(found: list[Record]) -> list[dict[str, str]]:
    return [jump for record in found for jump in record["meta"]["jumps"]]


def changed(**walks: Any) -> Recipe:
    """The small recipe with other settings for walks."""
    settings = SMALL.model_dump()
    return Recipe.read(settings | {"walks": settings["walks"] | walks}, "changed")


forests = st.lists(trees(max_size=14), min_size=1, max_size=6, unique_by=lambda t: t.id)


@pytest.fixture(scope="module")
def meeting() -> list[Tree]:
    """Three trees that meet at two anchors."""
    return [
        tree(
            "Snow", "Winter comes.\n  Snow falls. {water}\n    Snow melts. {spring}\n      Rivers."
        ),
        tree("Rain", "Clouds.\n  Rain falls. {Water}\n    Rain stops. {spring}\n      The sun."),
        tree("Tea", "A kettle.\n  Water boils. {WATER.}\n    Leaves open. {spring}\n      A cup."),
    ]


# --- the ring -------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 6), min_size=2, max_size=8))
def test_the_ring_makes_each_occurrence_a_source_and_a_target(counts: list[int]) -> None:
    of = [tree for tree, count in enumerate(counts) for _ in range(count)]
    pairs = ring_cover(of)
    assert all(of[source] != of[target] for source, target in pairs)
    assert len(set(pairs)) == len(pairs)
    sources, targets = Counter(s for s, _ in pairs), Counter(t for _, t in pairs)
    assert sources.keys() == targets.keys() == set(range(len(of)))
    if 2 * max(counts) <= len(of):
        assert len(pairs) == len(of)
    else:
        assert len(pairs) == 2 * max(counts)
        many = counts.index(max(counts))
        assert all(sources[i] == targets[i] == 1 for i in range(len(of)) if of[i] == many)
        rest = [i for i in range(len(of)) if of[i] != many]
        assert max(sources[i] for i in rest) - min(sources[i] for i in rest) <= 1


# --- all forests ----------------------------------------------------------------------------------


@settings(max_examples=60)
@given(forests, st.integers(0, 3))
def test_the_ring_cover_holds_in_every_forest(forest: list[Tree], seed: int) -> None:
    assume(not any("⤳" in t.text for made in forest for t in made.thoughts))
    found, manifest = exported(forest, seed=seed)
    jumps = jumps_of(found)
    shared = occurrences(planted(*forest))
    by_anchor: dict[str, list[dict[str, str]]] = {anchor: [] for anchor in shared}
    for jump in jumps:
        assert jump["from_tree"] != jump["to_tree"]
        by_anchor[jump["anchor"]].append(jump)
    for anchor, places in shared.items():
        sources = Counter((j["from_tree"], j["from"]) for j in by_anchor[anchor])
        targets = Counter((j["to_tree"], j["to"]) for j in by_anchor[anchor])
        assert sources.keys() == targets.keys() == set(places)
        if 2 * max(Counter(tree for tree, _ in places).values()) <= len(places):
            assert set(sources.values()) == set(targets.values()) == {1}
    assert len({tuple(sorted(jump.items())) for jump in jumps}) == len(jumps)
    report = manifest.splits["train"]
    assert report.shared_anchors == len(shared)
    assert report.jumps.occurrences == sum(map(len, shared.values()))
    assert sum(n * count for n, count in report.walks_by_jumps.items()) == len(jumps)


@settings(max_examples=60)
@given(forests, st.sampled_from([1, 2, 3, 7]), st.booleans(), st.sampled_from([0.0, 0.5]))
def test_every_record_says_thoughts_verbatim(
    forest: list[Tree], hops: int, restate: bool, share: float
) -> None:
    assume(not any("⤳" in t.text for made in forest for t in made.thoughts))
    assume(not any("⤳" in made.title for made in forest))
    found, manifest = exported(forest, changed(hops=hops, restate=restate, named=share))
    texts = {t.id: t.text for made in forest for t in made.thoughts}
    homes = {t.id: made.id for made in forest for t in made.thoughts}
    inline = ("anchor", "destination")
    for record in found:
        meta, text = record["meta"], record["text"]
        assert all(words == texts[id_] for role, id_, words in spoken(record) if role == "thought")
        named = [id_ for _, id_, _ in spoken(record) if id_]
        assert list(dict.fromkeys(named)) == meta["thoughts"]
        spans = meta["spans"]
        assert spans[0]["start"] == 0
        assert spans[-1]["end"] == len(text)
        for one, next_ in itertools.pairwise(spans):
            assert next_["start"] == one["end"] + 1
            assert text[one["end"]] == (" " if next_["role"] in inline else "\n")
        for span in spans:
            if span["thought"] >= 0:
                home = homes[meta["thoughts"][span["thought"]]]
                assert meta["trees"][span["tree"]] == home
        assert len(meta["jumps"]) <= hops
    said = {id_ for record in found for id_ in record["meta"]["thoughts"]}
    assert said == texts.keys()
    assert manifest.splits["train"].thoughts_covered == len(texts)


@settings(max_examples=60)
@given(forests, st.booleans())
def test_a_walk_jumps_from_the_source_to_the_target(forest: list[Tree], restate: bool) -> None:
    assume(not any("⤳" in t.text for made in forest for t in made.thoughts))
    found, _ = exported(forest, changed(restate=restate))
    written = {
        (t.id, link.anchor, link.phrase)
        for made in forest
        for t in made.thoughts
        for link in t.anchors
    }
    for record in walks_of(found):
        parts = spoken(record)
        markers = [n for n, (role, _, _) in enumerate(parts) if role == "marker"]
        assert len(markers) == len(record["meta"]["jumps"])
        for n, jump in zip(markers, record["meta"]["jumps"], strict=True):
            assert parts[n][2] == "⤳"
            assert parts[n - 1][1] == jump["from"]
            after = parts[n + 1 :]
            if restate:
                role, _, phrase = after.pop(0)
                assert role == "anchor"
                assert (jump["to"], jump["anchor"], phrase) in written
            role, landed, _ = after[0]
            assert role == "thought"
            target = next(t for made in forest for t in made.thoughts if t.id == jump["to"])
            just_said = {phrase_key(words) for _, _, words in (parts[n - 1], parts[n + 1])}
            if phrase_key(target.text) not in just_said:
                assert landed == jump["to"]


@settings(max_examples=30)
@given(forests)
def test_a_walk_that_comes_back_says_nothing_again(forest: list[Tree]) -> None:
    assume(not any("⤳" in t.text for made in forest for t in made.thoughts))
    for record in walks_of(exported(forest, changed(hops=7))[0]):
        said = [id_ for role, id_, _ in spoken(record) if role == "thought"]
        assert len(said) == len(set(said))


def test_a_jump_back_to_what_was_said_begins_another_walk() -> None:
    forest = [
        tree("A", "Top.\n  Low. {x}\n    End A. {y}"),
        tree("B", "B1. {x}\n  B2. {z}\n    End B."),
        tree("C", "C1. {z}\n  C2. {y}\n    End C."),
    ]
    for seed in range(12):
        found, _ = exported(forest, changed(hops=1000), seed=seed)
        assert len(jumps_of(found)) == 6
        for record in walks_of(found):
            said = [id_ for role, id_, _ in spoken(record) if role == "thought"]
            assert len(said) == len(set(said))


@settings(max_examples=30)
@given(forests)
def test_no_walk_crosses_a_split(forest: list[Tree]) -> None:
    assume(not any("⤳" in t.text for made in forest for t in made.thoughts))
    recipe = Recipe.read(SMALL.model_dump() | {"corpus": {"validation": 0.5}}, "half")
    found, manifest = exported(forest, recipe)
    home = {t: r["meta"]["split"] for r in found for t in r["meta"]["trees"]}
    for record in found:
        assert {home[t] for t in record["meta"]["trees"]} == {record["meta"]["split"]}
    assert "train" in manifest.splits
    assert sum(report.trees for report in manifest.splits.values()) == len(forest)


# --- what a walk says -----------------------------------------------------------------------------


def test_a_walk_reads_well(meeting: list[Tree]) -> None:
    found, _ = exported(meeting, changed(hops=1))
    texts = {record["text"] for record in walks_of(found)}
    water = next(t for t in texts if t.startswith("Winter comes.\nSnow falls.\n⤳"))
    assert water in {
        "Winter comes.\nSnow falls.\n⤳ Water\nRain falls.\nRain stops.\nThe sun.",
        "Winter comes.\nSnow falls.\n⤳ WATER.\nWater boils.\nLeaves open.\nA cup.",
    }
    assert len(texts) == 6


def test_a_walk_jumps_on_from_where_it_landed(meeting: list[Tree]) -> None:
    found, manifest = exported(meeting, changed(hops=7))
    assert max(manifest.splits["train"].walks_by_jumps) > 1
    for record in walks_of(found):
        jumps = record["meta"]["jumps"]
        assert all(a["to_tree"] == b["from_tree"] for a, b in itertools.pairwise(jumps))


def test_a_walk_stops_before_it_outgrows_the_window(meeting: list[Tree]) -> None:
    narrow = Recipe.read(
        changed(hops=7, prefix=0, continuation=0).model_dump() | {"window": 121}, ""
    )
    found, manifest = exported(meeting, narrow)
    assert all(len(record["text"]) <= 121 for record in found)
    assert manifest.splits["train"].long_records == {}


def test_a_long_walk_is_whole_and_counted() -> None:
    long = "о" * 300
    forest = [tree("A", f"Root.\n  {long} {{x}}"), tree("B", "Stem.\n  Other. {x}\n    Leaf.")]
    found, manifest = exported(forest)
    assert manifest.splits["train"].long_records["walk"] == 2
    assert manifest.splits["train"].long_thoughts == 1
    assert all(long in record["text"] for record in walks_of(found))


def test_a_proofs_fact_comes_after_the_other_premises_and_climbs() -> None:
    iron = tree("Iron", "A nail conducts.\n  Iron is a metal. {iron is a metal}\n  A nail is iron.")
    ring = tree("Ring", "A ring shines.\n  iron is a metal {iron is a metal}\n  Metals shine.")
    texts = [record["text"] for record in walks_of(exported([iron, ring], changed(hops=1))[0])]
    assert sorted(texts) == [
        "A nail is iron.\nIron is a metal.\n⤳ iron is a metal\nA ring shines.",
        "Metals shine.\niron is a metal\n⤳ iron is a metal\nA nail conducts.",
    ]


def test_other_premises_come_before_the_conclusion_and_a_walk_jumps_on_behind_it() -> None:
    facts = "\n  Iron is hard. {iron is hard}\n  Metals conduct. {metals conduct}"
    forest = [tree("Iron", f"A nail conducts.{facts}"), tree("Ring", f"A ring shines.{facts}")]
    walks = walks_of(exported(forest, changed(premises=80))[0])
    assert [len(walk["meta"]["jumps"]) for walk in walks] == [1, 1, 1, 1]
    assert "Metals conduct.\nIron is hard.\n⤳ iron is hard\nMetals conduct.\nA ring shines." in {
        walk["text"] for walk in walks
    }


def test_without_restating_a_target_that_differs_is_said() -> None:
    forest = [tree("A", "One. {x}\n  Two."), tree("B", "x. {x}\n  Leaf.")]
    texts = {r["text"] for r in walks_of(exported(forest, changed(hops=1, restate=False))[0])}
    assert texts == {"One.\n⤳\nx.\nLeaf.", "x.\n⤳\nOne.\nTwo."}


def test_a_target_without_anything_after_it_is_said_though_it_was_just_said() -> None:
    forest = [tree("A", "x {x}"), tree("B", "x {x}\n  Leaf.")]
    texts = {r["text"] for r in walks_of(exported(forest, changed(hops=1))[0])}
    assert texts == {"x\n⤳ x\nLeaf.", "x\n⤳ x\nx"}


def test_a_share_of_the_jumps_says_where_it_goes_without_loss(meeting: list[Tree]) -> None:
    """All other words are the same, and what one seed names another does not."""
    titles = {made.id: made.title for made in meeting}
    named = []
    for seed in range(4):
        plain = walks_of(exported(meeting, changed(hops=1), seed)[0])
        told = walks_of(exported(meeting, changed(hops=1, named=0.5), seed)[0])
        named.append(
            [record["text"] != other["text"] for record, other in zip(told, plain, strict=True)]
        )
        for record, other in zip(told, plain, strict=True):
            text, meta = record["text"], record["meta"]
            name = f" › {titles[meta['jumps'][0]['to_tree']]}"
            assert text.replace(name, "") == other["text"]
            silent = [text[part["start"] : part["end"]] for part in meta["no_loss"]]
            assert silent == ([f"{name.strip()}\n"] if text != other["text"] else [])
    assert len(set(map(tuple, named))) > 1
    assert 0 < sum(map(sum, named)) < sum(map(len, named))


def test_a_fragment_may_be_asked_for_by_the_name_of_its_tree(meeting: list[Tree]) -> None:
    told = SMALL.model_dump() | {"kinds": only("path", "walk", "fragment")}
    recipe = Recipe.read(told | {"fragments": {"named": 1.0}}, "named")
    found = [r for r in exported(meeting, recipe)[0] if r["meta"]["kind"] == "fragment"]
    (one,) = (r for r in found if r["text"].startswith("⤳ Water › Rain\n"))
    assert one["text"] == "⤳ Water › Rain\nRain falls.\nRain stops.\nThe sun."
    assert one["meta"]["no_loss"] == [{"start": 0, "end": len("⤳ Water › Rain\n")}]
    assert [role for role, _, _ in spoken(one)[:3]] == ["marker", "anchor", "destination"]
    assert len(found) == 12
    (stays,) = (r for r in found if "⤳ spring › Tea" in r["text"])
    assert stays["text"] == "Water boils.\nLeaves open.\n⤳ spring › Tea\nA cup."
    assert stays["meta"]["no_loss"] == [{"start": 0, "end": stays["text"].index("A cup.")}]


def test_a_fragment_that_is_asked_for_says_nothing_before_that_answers(meeting: list[Tree]) -> None:
    """From a leaf what follows climbs to what stands before it."""
    leaf = "Winter.\n  Snow.\n    Ice.\n      Snow melts. {spring}"
    told = SMALL.model_dump() | {"kinds": only("path", "fragment")}
    for seed in range(4):
        recipe = Recipe.read(told | {"fragments": {"named": 1.0}}, "named")
        found, _ = exported([tree("Thaw", leaf), *meeting], recipe, seed)
        (text,) = (r["text"] for r in found if "⤳ spring › Thaw" in r["text"])
        assert text == "⤳ spring › Thaw\nSnow melts.\nIce.\nSnow.\nWinter."


def test_a_jump_does_not_name_a_tree_whose_title_has_the_marker(meeting: list[Tree]) -> None:
    odd = [*meeting[1:], tree("Snow ⤳ rain", "Winter.\n  Snow. {water}\n    Rivers.")]
    assert exported(odd)
    with pytest.raises(ExportError, match=r"the title of tree .* contains '⤳'"):
        exported(odd, changed(named=1.0))


def test_a_hub_is_capped_and_counted() -> None:
    forest = [tree(f"T{n}", f"Root {n}. {{hub}}\n  Leaf {n}.") for n in range(9)]
    found, manifest = exported(forest, changed(hub_cap=4))
    coverage = manifest.splits["train"].jumps
    assert len(jumps_of(found)) == 4
    assert (coverage.occurrences, coverage.source_once, coverage.target_once) == (9, 4, 4)
    assert coverage.left_out == {"hub cap": 5}


def test_a_tree_with_most_of_an_anchor_reuses_the_others() -> None:
    forest = [tree("A", "a1 {x}\n  a2 {x}\n    a3 {x}"), tree("B", "b {x}\n  c")]
    found, manifest = exported(forest, changed(hops=1))
    coverage = manifest.splits["train"].jumps
    assert len(jumps_of(found)) == 6
    assert (coverage.source_once, coverage.source_more) == (3, 1)
    assert (coverage.target_once, coverage.target_more) == (3, 1)


def test_an_edit_changes_only_the_records_near_it() -> None:
    def forest(word: str) -> list[Tree]:
        return [
            tree(
                f"T{n:02d}",
                f"Root {n}. {{a{n % 7}}}\n"
                f"  Step {word if n == 3 else 'x'} {n}. {{b{n % 5}}}\n"
                f"    End {n}.",
            )
            for n in range(40)
        ]

    before = {record["text"] for record in exported(forest("x"))[0]}
    after = {record["text"] for record in exported(forest("y"))[0]}
    assert len(before - after) < len(before) // 5


def test_seeds_give_other_walks_over_the_same_occurrences(meeting: list[Tree]) -> None:
    every = [jumps_of(exported(meeting, seed=seed)[0]) for seed in range(6)]
    assert len({str(jumps) for jumps in every}) > 1
    assert len({frozenset(j["from"] for j in jumps) for jumps in every}) == 1


def test_a_circle_of_jumps_is_cut_into_walks() -> None:
    """Two trees that meet at two anchors, one below the other, lead in circles."""
    forest = [
        tree("A", "Top A. {x}\n  Below A. {y}\n    End A."),
        tree("B", "Below B. {y}\n  Top B. {x}\n    End B."),
    ]
    for seed in range(12):
        jumps = jumps_of(exported(forest, changed(hops=1000), seed=seed)[0])
        assert len(jumps) == 4
        assert len({tuple(jump.items()) for jump in jumps}) == 4
