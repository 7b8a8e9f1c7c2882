"""The kinds of record beside paths and walks, seen from the records that an export writes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.formulas import registry as formulas
from exporters.export import export_corpus
from exporters.manifest import Manifest
from exporters.recipe import Recipe, shipped_recipes
from exporters.records import KINDS
from forest import Forest
from forest.errors import ExportError, UsageError
from forest.identity import finished
from forest.model import Axis, Tree
from forest.stores.memory import MemoryStore
from tests.export_helpers import SMALL, only, planted, records, spoken, tree
from tests.strategies import trees
from training.corpus import Corpus

Record = dict[str, Any]


@pytest.fixture(autouse=True, scope="module")
def _no_sync() -> Iterator[None]:
    """Hundreds of small corpora that no power cut threatens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


def recipe(*kinds: str, **changes: Any) -> Recipe:
    """The small recipe with these kinds alone, and other settings by section."""
    told = SMALL.model_dump() | {"kinds": only(*kinds)}
    for name, value in changes.items():
        told[name] = told[name] | value if isinstance(value, dict) else value
    return Recipe.read(told, "changed")


def exported(
    forest: MemoryStore | list[Tree], by: Recipe, config: str = ""
) -> tuple[list[Record], Manifest]:
    """The records and the manifest of a forest."""
    store = forest if isinstance(forest, MemoryStore) else planted(*forest)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "corpus"
        manifest = export_corpus(store, out, by)
        return records(out, config=config), manifest


def texts(forest: MemoryStore | list[Tree], by: Recipe) -> list[str]:
    return sorted(record["text"] for record in exported(forest, by)[0])


def without_loss(record: Record) -> list[str]:
    return [record["text"][part["start"] : part["end"]] for part in record["meta"]["no_loss"]]


def kinds_of(made: Tree, **kinds: str | None) -> Tree:
    """The tree with kinds for its thoughts, by their first words."""
    for thought in made.thoughts:
        made.edit(thought.id, kind=kinds.get(thought.text.split(".")[0]))
    return finished(made)


@pytest.fixture(scope="module")
def meeting() -> list[Tree]:
    """Two trees that meet at one anchor, in the middle of each."""
    return [
        tree("Snow", "Winter.\n  Snow falls. {water}\n    Rivers."),
        tree("Tea", "A kettle.\n  It boils. {Water}\n    A cup."),
    ]


@pytest.fixture(scope="module")
def proofs() -> list[Tree]:
    """Two proofs that share a fact, which is a leaf of both."""
    return [
        tree("Iron", "A nail conducts.\n  Iron is a metal. {iron is a metal}\n  A nail is iron."),
        tree("Ring", "A ring shines.\n  iron is a metal {iron is a metal}\n  Metals shine."),
    ]


# --- all kinds, all forests -----------------------------------------------------------------------

EVERYTHING = recipe(
    *KINDS, corpus={"validation": 0.4}, fragments={"premises": 60}, cards={"premises": 60}
)
forests = st.lists(trees(max_size=14), min_size=1, max_size=6, unique_by=lambda t: t.id)


@settings(max_examples=60)
@given(forests, st.randoms(use_true_random=False))
def test_every_piece_is_verbatim_and_no_record_crosses_splits(
    forest: list[Tree], chance: Any
) -> None:
    for made in forest:
        for thought in made.thoughts:
            made.edit(thought.id, kind=chance.choice([None, "accepted", "refuted"]))
    words = {t.id: t.text for made in forest for t in made.thoughts}
    homes = {t.id: made.id for made in forest for t in made.thoughts}
    with TemporaryDirectory() as folder:
        out = Path(folder) / "corpus"
        export_corpus(planted(*forest), out, EVERYTHING)
        found = [r for config in ("", "preference", "stepwise") for r in records(out, "*", config)]
    split_of: dict[str, str] = {}
    for record in found:
        meta = record["meta"]
        for span in meta["spans"]:
            column = record[span.get("column", "text")]
            text = column if isinstance(column, str) else column[span["item"]]
            said = text[span["start"] : span["end"]]
            assert (span["role"] == "thought") == (span["thought"] >= 0)
            if span["role"] == "thought":
                id_ = meta["thoughts"][span["thought"]]
                assert said == words[id_]
                assert meta["trees"][span["tree"]] == homes[id_]
        for at in meta["trees"]:
            assert split_of.setdefault(at, meta["split"]) == meta["split"]
        assert {homes[id_] for id_ in meta["thoughts"]} == set(meta["trees"])
        assert len(set(meta["thoughts"])) == len(meta["thoughts"])


@settings(max_examples=30)
@given(forests)
def test_each_occurrence_is_on_a_card(forest: list[Tree]) -> None:
    found, _ = exported(forest, recipe("card", "path", cards={"ways": 2}))
    carried: dict[str, set[str]] = {}
    for made in forest:
        for thought in made.thoughts:
            for link in thought.anchors:
                carried.setdefault(link.anchor, set()).add(thought.id)
    homes = {t.id: made.id for made in forest for t in made.thoughts}
    for anchor, thoughts in carried.items():
        if len({homes[t] for t in thoughts}) > 1:
            cards = [r for r in found if r["meta"]["kind"] == "card"]
            of = [r for r in cards if r["meta"]["anchor"] == anchor]
            assert thoughts <= {id_ for r in of for id_ in r["meta"]["thoughts"]}


# --- fragments, cards, reverse --------------------------------------------------------------------


def test_a_fragment_opens_at_its_anchor_and_says_it_where_the_thought_does_not(
    meeting: list[Tree],
) -> None:
    assert texts(meeting, recipe("fragment")) == [
        "Water\nIt boils.\nA cup.",
        "water\nSnow falls.\nRivers.",
    ]


def test_a_card_at_a_fact_climbs_behind_its_premises(proofs: list[Tree]) -> None:
    [said] = texts(proofs, recipe("card", cards={"premises": 60}))
    assert said.split("\n— ") == [
        "iron is a metal",
        "A nail is iron.\nIron is a metal.\nA nail conducts.",
        "Metals shine.\niron is a metal\nA ring shines.",
    ]
    assert "Metals shine." not in texts(proofs, recipe("card"))[0]


def test_a_fragment_at_a_fact_climbs_behind_its_premises(proofs: list[Tree]) -> None:
    assert texts(proofs, recipe("fragment")) == [
        "Iron is a metal.\nA nail conducts.",
        "iron is a metal\nA ring shines.",
    ]
    assert texts(proofs, recipe("fragment", fragments={"premises": 60})) == [
        "A nail is iron.\nIron is a metal.\nA nail conducts.",
        "Metals shine.\niron is a metal\nA ring shines.",
    ]


def test_a_card_says_what_follows_an_anchor_in_all_its_trees(meeting: list[Tree]) -> None:
    [(said)] = texts(meeting, recipe("card", cards={"ways": 1000}))
    head, *ways = said.split("\n— ")
    assert head.lower() == "water"
    assert sorted(ways) == ["It boils.\nA cup.", "Snow falls.\nRivers."]


@pytest.mark.parametrize("seed", range(6))
def test_no_card_is_of_one_tree_alone_while_there_are_others(seed: int) -> None:
    forest = [tree(f"T{n}", f"Root {n}. {{x}}\n  Leaf {n}.") for n in range(41)]
    found, _ = exported(forest, recipe("card", seed=seed))
    assert 5 < len(found) < 30
    assert min(len(record["meta"]["trees"]) for record in found) > 1
    said = Counter(id_ for record in found for id_ in record["meta"]["thoughts"])
    assert len(said) == 82
    assert set(said.values()) <= {1, 2}


def test_a_reverse_path_goes_from_the_conclusion_to_the_premise(meeting: list[Tree]) -> None:
    found, _ = exported(meeting[:1], recipe("reverse"))
    assert [r["text"] for r in found] == [
        "From the conclusion back to the premise:\nRivers.\nSnow falls.\nWinter."
    ]
    assert without_loss(found[0]) == ["From the conclusion back to the premise:\n"]


def test_a_reverse_path_of_a_proof_goes_from_its_conclusion_to_a_premise() -> None:
    proof = kinds_of(tree("T", "All flows.\n  Water flows."), **{"All flows": "hypothesis"})
    assert texts([proof], recipe("reverse")) == [
        "From the conclusion back to the premise:\nAll flows.\nWater flows."
    ]


def test_what_follows_an_anchor_goes_no_refuted_way_where_there_is_another() -> None:
    outline = "Why.\n  Water. {water}\n    No.\n      Hence.\n    So.\n    Never."
    marks = {"No": "refuted", "Never": "refuted"}
    forest = [
        kinds_of(tree("A", outline), **marks),
        kinds_of(tree("B", outline), **marks, So="accepted"),
    ]
    for seed in range(8):
        found = texts(forest, recipe("fragment", "walk", "card", "comparison", seed=seed))
        assert all("So." in text for text in found)
        assert not any("No." in text or "Never." in text for text in found)
    lost = kinds_of(tree("C", outline.replace("    So.\n", "")), No="refuted", Never="refuted")
    assert any("No." in t or "Never." in t for t in texts([lost, *forest], recipe("fragment")))


# --- what a jump becomes --------------------------------------------------------------------------


def test_in_a_bridge_only_what_follows_the_anchor_is_learnt(meeting: list[Tree]) -> None:
    found, _ = exported(meeting, recipe("bridge"))
    learnt = {r["text"].removeprefix(*without_loss(r)) for r in found}
    assert learnt == {"Rivers.", "A cup."}
    assert {jump["anchor"] for r in found for jump in r["meta"]["jumps"]} == {"water"}
    assert "Winter.\nSnow falls.\n⤳ Water\nIt boils.\nA cup." in {r["text"] for r in found}


def test_a_composite_leaves_the_bridge_out(meeting: list[Tree]) -> None:
    assert texts(meeting, recipe("composite")) == ["A kettle.\n⤳\nRivers.", "Winter.\n⤳\nA cup."]


def test_a_composite_leaves_the_bridge_out_where_a_tree_says_it_twice() -> None:
    ice = "Frost.\n  It freezes. {water}\n    It is hard.\n      It melts. {water}\n        Rain."
    sea = "Salt.\n  IT FREEZES\n    The sea is deep. {Water}\n      Water\n        Fish."
    assert texts([tree("Ice", ice), tree("Sea", sea)], recipe("composite")) == [
        "Frost.\nIt is hard.\n⤳\nFish.",
        "Frost.\n⤳\nFish.",
        "Salt.\nIT FREEZES\n⤳\nRain.",
        "Salt.\n⤳\nIt is hard.\nRain.",
    ]


def test_a_chain_asks_for_the_way_and_writes_every_step_of_it(meeting: list[Tree]) -> None:
    found, _ = exported(meeting, recipe("chain"))
    asked = "How does one get from the thought:\nWinter.\nto the thought:\nA cup.\nStep by step:\n"
    chain = next(r for r in found if r["text"].startswith(asked))
    assert without_loss(chain) == [asked]
    assert chain["text"] == asked + "Winter.\nSnow falls.\n⤳ Water\nIt boils.\nA cup."


def test_a_chain_that_would_outgrow_the_window_asks_for_a_nearer_thought() -> None:
    long = "\n".join(f"{'  ' * n}Step {n} of a tree that goes on and on." for n in range(1, 9))
    forest = [tree("A", f"A. {{x}}\n{long}"), tree("B", f"B. {{x}}\n{long}")]
    found, _ = exported(forest, recipe("chain", window=400, walks={"continuation": 390}))
    assert len(found) == 2
    for record in found:
        said = [words for role, _, words in spoken(record) if role == "thought"]
        assert said[1] == said[-1]
        assert len(record["text"]) <= 400


def test_before_a_jump_the_nearest_thoughts_stay_where_the_window_is_short() -> None:
    steps = "\n".join(f"{'  ' * n}Step {n} of the way to the anchor." for n in range(8))
    forest = [
        tree(name, f"{steps.replace('Step', name)}\n{'  ' * 8}{name} has it. {{x}}\n{'  ' * 9}End.")
        for name in ("Snow", "Tea")
    ]
    found, _ = exported(forest, recipe("bridge", window=130, walks={"prefix": 500}))
    snow = next(r["text"] for r in found if r["text"].startswith("Snow"))
    assert len(snow) <= 130
    assert "Snow 7 of the way to the anchor.\nSnow has it.\n⤳ x\nTea has it.\nEnd." in snow


def test_a_comparison_sets_two_trees_side_by_side_once(meeting: list[Tree]) -> None:
    found, _ = exported(meeting, recipe("comparison"))
    assert [sorted(r["meta"]["trees"]) for r in found] == [["snow", "tea"]]
    assert "“Tea”:\nIt boils.\nA cup." in found[0]["text"]
    assert found[0]["meta"]["jumps"] == []
    assert found[0]["meta"]["anchor"] == "water"


# --- formulas -------------------------------------------------------------------------------------


def test_formulas_unfold_compress_and_merge_and_their_codes_are_listed(tmp_path: Path) -> None:
    store = planted(tree("Весна", "Вода поднялась. {вода}"))
    formulas.add(store, "Δ12 = (вода + весна)")
    formulas.add(store, "Δ12 + Δ41 → Δ91 = весна + шаг")
    formulas.add_scene(store, "Δ12", "Лёд трогается 🫧.", register="поэтически")
    export_corpus(store, tmp_path / "corpus", recipe("expansion", "compression", "merge"))
    found = records(tmp_path / "corpus")
    assert {r["text"]: without_loss(r) for r in found} == {
        "Δ12 = (вода + весна)\nпоэтически: Лёд трогается 🫧.": ["Δ12 = "],
        "Лёд трогается 🫧.\n(вода + весна) = Δ12": ["Лёд трогается 🫧.\n"],
        "Δ91 = (весна + шаг)\nΔ12 = (вода + весна)": ["Δ91 = "],
        "(весна + шаг) = Δ91": [],
        "Δ12 = (вода + весна)\nΔ12 + Δ41 → Δ91 = (весна + шаг)": ["Δ12 = (вода + весна)\n"],
    }
    assert [r["meta"]["formulas"] for r in found][-1] == ["Δ12", "Δ91"]
    manifest = Corpus.open(tmp_path / "corpus").manifest
    assert manifest["tokens"]["tokens"] == ["Δ12", "Δ41", "Δ91", "🫧"]
    listed = orjson.loads((tmp_path / "corpus" / "tokens.json").read_bytes())["tokens"]
    assert listed[0] == {"token": "Δ12", "formula": "Δ12 = (вода + весна)"}
    (tmp_path / "corpus" / "tokens.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokens\.json has 2 bytes"):
        Corpus.open(tmp_path / "corpus")


# --- marked thoughts ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def disputed() -> list[Tree]:
    made = tree("Dispute", "Why.\n  So.\n    Then.\n  No.\n    Hence.\n  Never.\n  Perhaps.")
    return [kinds_of(made, So="accepted", No="refuted", Never="refuted")]


def test_accepted_and_refuted_siblings_are_preferences(disputed: list[Tree]) -> None:
    found, _ = exported(disputed, recipe("preference"), "preference")
    assert [(r["prompt"], r["chosen"], r["rejected"]) for r in found] == [
        ("Why.\n", "So.", "No."),
        ("Why.\n", "So.", "Never."),
    ]
    assert [(s["column"], s["item"]) for s in found[0]["meta"]["spans"]] == [
        ("prompt", 0),
        ("chosen", 0),
        ("rejected", 0),
    ]


def test_stepwise_paths_end_at_the_first_refuted_step(disputed: list[Tree]) -> None:
    found, _ = exported(disputed, recipe("stepwise"), "stepwise")
    assert [(r["prompt"], r["completions"], r["labels"]) for r in found] == [
        ("Why.\n", ["So.", "Then."], [True, True]),
        ("Why.\n", ["No."], [False]),
        ("Why.\n", ["Never."], [False]),
    ]


def test_no_stepwise_path_begins_below_a_refuted_thought() -> None:
    lines = [f"{'  ' * n}Step {n} which is rather a long one, as steps go." for n in range(12)]
    made = tree("Long", "\n".join(lines))
    for thought in (made.thoughts[2], made.thoughts[8]):
        made.edit(thought.id, kind="refuted")
    found, _ = exported([finished(made)], recipe("stepwise"), "stepwise")
    assert [(r["labels"]) for r in found] == [[True, False]]


def test_training_reads_each_configuration(disputed: list[Tree], tmp_path: Path) -> None:
    export_corpus(planted(*disputed), tmp_path / "corpus", recipe("path", "preference"))
    corpus = Corpus.open(tmp_path / "corpus")
    assert corpus.configs == ["default", "preference"]
    assert {r["meta"]["kind"] for r in corpus.records()} == {"path"}
    assert next(corpus.records(config="preference"))["chosen"] == "So."
    with pytest.raises(ValueError, match="no configuration 'stepwise'"):
        corpus.records(config="stepwise")


# --- which records are kept -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide() -> list[Tree]:
    return [
        tree(
            f"T{n:03}",
            f"Root {n}. {{a{n % 40}}}\n  Step {n}.\n    End {n}.",
            axes=["логика"] if n % 2 else ["вера"],
        )
        for n in range(200)
    ]


def test_a_weight_keeps_that_share_and_what_is_left_out_is_counted(wide: list[Tree]) -> None:
    half, manifest = exported(wide, recipe("path", "walk", kinds={"path": 0.5, "walk": 0.5}))
    report = manifest.splits["train"]
    assert 70 < report.records["path"] < 130
    kept = {id_ for record in half for id_ in record["meta"]["thoughts"]}
    assert report.thoughts_covered == len(kept)
    assert report.thoughts_left_out == {"the recipe's weights": 600 - len(kept)}
    jumps = sum(len(record["meta"]["jumps"]) for record in half)
    assert jumps == report.jumps.source_once
    assert 70 < jumps < 130


def test_a_kept_record_does_not_depend_on_other_trees(wide: list[Tree]) -> None:
    by = recipe("path", kinds={"path": 0.5})
    assert set(texts(wide[:100], by)) <= set(texts(wide, by))


def test_axes_are_preferred(wide: list[Tree]) -> None:
    store = MemoryStore()
    store.put_axes([Axis(name="логика"), Axis(name="вера")])
    store.write(wide, lambda _, new: new)
    by = recipe("path", axes={"prefer": {"Логика": 1.0}, "others": 0.2})
    found, _ = exported(store, by)
    of = Counter(record["meta"]["axes"][0]["axis"] for record in found)
    assert of["логика"] == 100
    assert 5 < of["вера"] < 35
    with pytest.raises(UsageError, match=r"prefers the axis 'воля', .* expected one of вера, логи"):
        exported(store, recipe("path", axes={"prefer": {"воля": 1.0}}))


def test_a_recipe_that_leaves_nothing_is_refused(meeting: list[Tree]) -> None:
    with pytest.raises(ExportError, match="leaves no record"):
        exported(meeting, recipe("preference"))


def test_a_budget_keeps_records_of_all_kinds_up_to_its_size(wide: list[Tree]) -> None:
    everything, whole = exported(wide, recipe("path", "walk", "card"))
    budget = sum(whole.splits["train"].characters_out.values()) // 3
    found, manifest = exported(wide, recipe("path", "walk", "card", budget=budget))
    report = manifest.splits["train"]
    size = sum(len(record["text"]) for record in found)
    assert budget * 0.9 < size <= budget
    assert size == sum(report.characters_out.values())
    assert report.records.keys() == {"path", "walk", "card"}
    kept = [record["text"] for record in found]
    assert kept == [r["text"] for r in everything if r["text"] in set(kept)]
    said = {id_ for record in found for id_ in record["meta"]["thoughts"]}
    assert report.thoughts_covered == len(said)


def test_shuffled_records_are_the_same_in_another_order(wide: list[Tree]) -> None:
    plain = exported(wide, recipe("path", "walk"))[0]
    by = recipe("path", "walk", order="shuffled")
    shuffled = exported(wide, by)[0]
    assert [r["meta"]["kind"] for r in plain] == sorted(r["meta"]["kind"] for r in plain)
    assert shuffled != plain
    assert sorted(map(str, shuffled)) == sorted(map(str, plain))
    assert shuffled == exported(wide[::-1], by)[0]


def test_more_pairs_on_request_are_further_jumps_to_other_trees(wide: list[Tree]) -> None:
    found, manifest = exported(wide, recipe("walk", walks={"pairs": 3}))
    jumps = [(j["from"], j["to"]) for r in found for j in r["meta"]["jumps"]]
    assert len(jumps) == len(set(jumps)) == 600
    assert manifest.splits["train"].jumps.source_more == 200


# --- templates ------------------------------------------------------------------------------------


def test_a_recipes_template_takes_the_place_of_the_shipped_one(meeting: list[Tree]) -> None:
    card = (
        "<{{ anchor }}>{% for way in ways %}\n\n[{{ way.title }}]  {{ way.thoughts }}{% endfor %}"
    )
    by = recipe("card", cards={"ways": 1000}, templates={"en": {"card": card}})
    (record,) = exported(meeting, by)[0]
    assert record["text"].lower().startswith("<water>\n[")
    assert "\n[Tea]  It boils.\nA cup." in record["text"]
    said = [words for role, _, words in spoken(record) if role == "thought"]
    assert sorted(said) == ["A cup.", "It boils.", "Rivers.", "Snow falls."]


def test_a_template_that_leaves_words_out_of_some_records_is_refused(meeting: list[Tree]) -> None:
    own = "{% if title == 'T' %}{{ thoughts }}{% endif %}"  # as it is when the recipe is read
    with pytest.raises(ExportError, match=r"a reverse .* leaves \{\{ thoughts \}\} out"):
        exported(meeting, recipe("reverse", templates={"en": {"reverse": own}}))


def test_a_record_is_in_the_language_of_its_tree_and_else_in_english() -> None:
    by = recipe("reverse")
    heads = [
        exported([tree("T", "Раз.\n  Два.", lang=lang)], by)[0][0]["text"].split("\n")[0]
        for lang in ("ru", "ru-RU", "de")
    ]
    russian, english = "От следствия к основанию:", "From the conclusion back to the premise:"
    assert heads == [russian, russian, english]


def test_words_that_contain_the_marker_are_refused() -> None:
    forest = [tree("A ⤳ B", "One. {x}\n  Two."), tree("C", "Three. {x}\n  Four.")]
    with pytest.raises(ExportError, match="of a comparison contains '⤳'"):
        exported(forest, recipe("comparison"))


# --- lengths in tokens, prefix dropout, shipped recipes -------------------------------------------


def test_lengths_may_be_tokens_of_a_tokenizer_beside_the_recipe(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    words.save(str(tmp_path / "words.json"))
    (tmp_path / "r.toml").write_text(
        'window = 80\ntokenizer = "words.json"\n[paths]\noverlap = 0\n'
        "[corpus]\nvalidation = 0\n[kinds]\nwalk = 0\n"
    )
    by = Recipe.load(tmp_path / "r.toml")
    lines = [f"{'  ' * n}{'слово ' * 30}{n}." for n in range(6)]
    found, manifest = exported([tree("Цепь", "\n".join(lines))], by)
    assert [len(r["meta"]["thoughts"]) for r in found] == [2, 2, 2, 2, 2]
    assert all(60 < len(r["text"].split()) <= 80 for r in found)
    assert manifest.splits["train"].long_records == {}
    assert str(tmp_path) not in manifest.to_json().decode()
    (tmp_path / "manifest.json").write_bytes(manifest.to_json())
    assert Recipe.load(tmp_path / "manifest.json") == by
    budget = by.model_copy(update={"budget": 160})
    assert len(exported([tree("Цепь", "\n".join(lines))], budget)[0]) == 2
    words.add_tokens(["слово"])
    words.save(str(tmp_path / "words.json"))
    with pytest.raises(UsageError, match="is not the tokenizer by which"):
        Recipe.load(tmp_path / "manifest.json")
    assert Recipe.load(tmp_path / "r.toml").hash != by.hash
    (tmp_path / "words.json").write_text("{}")
    with pytest.raises(UsageError, match=r"words\.json cannot be used: it is no tokenizer"):
        exported([tree("T", "A.")], Recipe.load(tmp_path / "r.toml"))
    (tmp_path / "words.json").unlink()
    with pytest.raises(UsageError, match="tokenizer: the file cannot be read"):
        Recipe.load(tmp_path / "r.toml")


@pytest.mark.parametrize("dropout", ["tail", "part"])
def test_prefix_dropout_keeps_the_source_and_a_tail_or_a_part(dropout: str) -> None:
    forest = [
        tree(f"T{n}", f"A{n}.\n  B{n}.\n    C{n}.\n      D{n}. {{x}}\n        E{n}.")
        for n in range(40)
    ]
    by = recipe("walk", walks={"prefix_dropout": dropout, "hops": 1})
    shapes = Counter(
        "".join(line[0] for line in text.split("\n⤳")[0].split("\n")) for text in texts(forest, by)
    )
    tails = {"D", "CD", "BCD", "ABCD"}
    assert tails <= shapes.keys() if dropout == "tail" else len(shapes) > 4
    assert all(shape.endswith("D") for shape in shapes)
    assert (shapes.keys() <= tails) == (dropout == "tail")


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_exports(name: str, tmp_path: Path) -> None:
    by = Recipe.find(name)
    with Forest.open("memory:") as forest:
        forest.plant_sample()
        export_corpus(forest.store, tmp_path / "corpus", by)
    corpus = Corpus.open(tmp_path / "corpus")
    wanted = {kind for kind, share in by.kinds.model_dump().items() if share}
    made = set(corpus.manifest["splits"]["train"]["records"])
    unmarked = {"preference", "stepwise", "expansion", "compression", "merge"}
    assert made == wanted - unmarked
