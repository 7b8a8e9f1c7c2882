"""The corpus folder: golden files, the same bytes everywhere, read by others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.formulas import registry as formulas
from exporters.export import export_corpus
from exporters.folder import forget_parts
from exporters.recipe import Recipe
from exporters.records import KINDS, features
from forest.errors import ExportError
from forest.identity import finished
from forest.model import Axis, Tree
from forest.revision import forest_revision
from forest.stores.base import Store, open_store
from forest.stores.memory import MemoryStore
from forest.stores.sqlite import SqliteStore
from tests.conftest import Neo4jServer
from tests.export_helpers import SMALL, chain, content, only, planted, records, tree
from tests.strategies import AXES, trees

DATA = Path(__file__).parent / "data"
REWRITE = bool(os.environ.get("FOREST_TEST_REWRITE"))
"""Set it to write the golden files anew; then read the difference."""

RUSSIAN = [
    tree(
        "справедливость",
        """
Справедливость — это соответствие между поступками и нормами. {Соответствие → моральная структура}
  Но нормы бывают разные: культурные, универсальные. {Контекст зависит от культуры}
    Значит, один поступок может быть справедлив здесь и несправедлив там.
      Тогда спор о поступке — это спор о норме. {Причинность → следствие}
        А спор о норме не решить ссылкой на неё саму.
          Нужен кто-то, кто её принимает, зная, что мог бы не принять. {Выбор}
  Соответствие можно измерить, а меру — оспорить. {Причинность → следствие}
""",
        axes={"причинность": "80%", "эмпатия": "20%"},
    ),
    tree(
        "страдание",
        """
Страдание говорит, что что-то не так.
  Причинность → следствие. {причинность -> следствие}
    Боль можно объяснить и всё же не оправдать.
  Чужую боль видят по-разному. {Контекст зависит от культуры.}
""",
        axes={"эмпатия": "50%", "мораль": "30%", "онтология": "20%"},
    ),
    tree(
        "намерение",
        """
Намерение предшествует поступку. {Соответствие → моральная структура; Причинность → следствие}
  Но судят поступок.
    Выбор виден лишь тому, кто выбирал. {выбор}
""",
        axes=["причинность"],
    ),
]
ENGLISH = [
    tree(
        "A nail conducts electricity",
        """
An iron nail conducts electricity.
  Iron is a metal. {iron is a metal}
  A metal conducts electricity.
    Electrons move freely in a metal. {free electrons}
      Iron is a metal. {iron is a metal}
    A current is electrons that move.
""",
        lang="en",
    ),
    tree(
        "Metals shine",
        """
A ring of iron shines.
  iron is a metal {iron is a metal}
  A metal reflects light.
    Free electrons swing with the light and send it back. {Free electrons}
""",
        axes=["causality"],
    ),
    chain("Steps", (f"Step {n} follows from the step before it." for n in range(9))),
]


def marked(made: Tree, **kinds: str) -> Tree:
    """The tree with kinds for the thoughts below the root that begin with a word."""
    for thought in made.thoughts:
        for word, kind in kinds.items():
            if thought.text.split()[0] == word and thought.level:
                made.edit(thought.id, kind=kind)
    return finished(made)


RUSSIAN[1] = marked(RUSSIAN[1], Причинность="принято", Чужую="опровергнуто")
ENGLISH[0] = marked(ENGLISH[0], Iron="accepted", Electrons="refuted")
ENGLISH[1] = marked(ENGLISH[1], iron="accepted", A="refuted")
GOLDEN = Recipe.read(
    {
        "window": 280,
        "kinds": only(*KINDS),
        "corpus": {"validation": 0, "license": "cc-by-4.0"},
        "paths": {"overlap": 80},
        "walks": {
            "hops": 3,
            "prefix_dropout": "part",
            "prefix": 120,
            "continuation": 100,
            "named": 0.4,
        },
        "fragments": {"named": 0.4},
    },
    "golden",
)


RUSSIAN_FORMULAS = [
    "Δ12 = (вода + весна + неясность) = сцена про влечение и расцвет",
    "Δ41 = порог(жара · шаг) → «Он замер у границы жара, где всё замирает.»",
    "Δ12 + Δ41 → Δ91 = весна + жара + шаг = «Пробуждение с болью»",
    "Λ1 = (Δ12 → Δ41)",
]
ENGLISH_FORMULAS = [
    "Δ07 = (metal + current + light)",
    "Δ08 = (doubt · heat)",
    "Ω1 = [Δ07, Δ08]_calm",
]


def golden(lang: str, *more: Tree) -> MemoryStore:
    """The forest of the golden files in a language."""
    store = planted(*(RUSSIAN if lang == "ru" else ENGLISH), *more)
    grow_formulas(store, lang)
    return store


def grow_formulas(store: Store, lang: str) -> None:
    for text in RUSSIAN_FORMULAS if lang == "ru" else ENGLISH_FORMULAS:
        formulas.add(store, text)
    if lang == "ru":
        formulas.add_scene(store, "Δ41", "Шаг в замирающем жаре.", register="поэтически")
        formulas.add_scene(store, "Δ41", "🫁🜂⟁", register="эмодзи")
    else:
        formulas.add_scene(store, "Δ07", "A wire hums in the sun.", register="poetic")


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_golden_files(lang: str, tmp_path: Path) -> None:
    expected = DATA / f"corpus-{lang}"
    if REWRITE:
        forget_parts(expected)  # all of it is made anew
        export_corpus(golden(lang), expected, GOLDEN)
        forget_parts(expected)
    export_corpus(golden(lang), tmp_path / "corpus", GOLDEN)
    assert content(tmp_path / "corpus") == content(expected)


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_the_golden_files_show_every_kind(lang: str) -> None:
    report = orjson.loads((DATA / f"corpus-{lang}" / "manifest.json").read_bytes())
    assert report["splits"]["train"]["records"].keys() == KINDS.keys()


# --- the same bytes -------------------------------------------------------------------------------


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Store]]:
    with SqliteStore(tmp_path / "forest.db") as sqlite:
        yield [MemoryStore(), sqlite]


def test_every_store_gives_the_same_bytes(stores: list[Store], tmp_path: Path) -> None:
    folders = []
    for number, store in enumerate(stores):
        forest = RUSSIAN + ENGLISH
        store.put_axes([Axis(name="мораль", description="что должно")])
        store.write(forest[::-1] if number else forest, lambda _, new: new)
        grow_formulas(store, "ru")
        folders.append(tmp_path / f"corpus-{number}")
        manifest = export_corpus(store, folders[-1], GOLDEN)
        assert manifest.forest_revision == forest_revision(
            store.revisions(), store.axes(), store.all_nodes()
        )
    assert content(folders[0]) == content(folders[1])


@pytest.mark.neo4j
def test_neo4j_gives_the_same_bytes(clean_neo4j: Neo4jServer, tmp_path: Path) -> None:
    server = clean_neo4j
    with open_store(server.url, username=server.username, password=server.password) as store:
        store.write(RUSSIAN, lambda _, new: new)
        grow_formulas(store, "ru")
        export_corpus(store, tmp_path / "corpus", GOLDEN)
    assert content(tmp_path / "corpus") == content(DATA / "corpus-ru")


@settings(max_examples=20)
@given(st.lists(trees(max_size=10), min_size=1, max_size=5, unique_by=lambda t: t.id), st.data())
def test_the_order_of_planting_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, forest: list[Tree], data: st.DataObject
) -> None:
    found = []
    for order in (forest, data.draw(st.permutations(forest))):
        store = MemoryStore()
        store.put_axes(Axis(name=name) for name in AXES)
        store.write(order, lambda _, new: new)
        folder = tmp_path_factory.mktemp("corpus")
        export_corpus(store, folder, SMALL)
        found.append(content(folder))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONHASHSEED": "7", "LC_ALL": "C.UTF-8", "TZ": "America/Lima", "PYTHONUTF8": "0"},
    ],
)
def test_no_environment_changes_the_bytes(environment: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from exporters.export import export_corpus\n"
        "from tests.test_export_corpus import GOLDEN, golden\n"
        "export_corpus(golden('ru'), Path(sys.argv[1]), GOLDEN)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "corpus")],
        env=os.environ | environment,
        cwd=Path(__file__).parents[1],
        check=True,
    )
    assert content(tmp_path / "corpus") == content(DATA / "corpus-ru")


def test_exporting_again_gives_the_same_bytes(tmp_path: Path) -> None:
    export_corpus(planted(*RUSSIAN), tmp_path / "corpus")
    first = content(tmp_path / "corpus")
    export_corpus(planted(*RUSSIAN), tmp_path / "corpus")
    assert content(tmp_path / "corpus") == first


# --- splits ---------------------------------------------------------------------------------------


def test_a_forest_drawn_for_validation_alone_trains_all_the_same(tmp_path: Path) -> None:
    recipe = Recipe.read({"corpus": {"validation": 0.99}}, "")
    manifest = export_corpus(planted(tree("T", "Root.")), tmp_path / "corpus", recipe)
    assert list(manifest.splits) == ["train"]
    assert [file.path for file in manifest.files] == ["data/train-00000.jsonl"]
    assert [r["meta"]["split"] for r in records(tmp_path / "corpus")] == ["train"]


def test_both_splits_have_files_of_their_own(tmp_path: Path) -> None:
    forest = [tree(f"T{n}", f"Root {n}. {{x}}\n  Leaf {n}.") for n in range(40)]
    recipe = Recipe.read({"corpus": {"validation": 0.3}}, "")
    manifest = export_corpus(planted(*forest), tmp_path / "corpus", recipe)
    for split in ("train", "validation"):
        found = records(tmp_path / "corpus", split)
        assert {record["meta"]["split"] for record in found} == {split}
        assert len(found) == sum(manifest.splits[split].records.values())


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forest", "where"),
    [
        ([tree("T", "Root.\n  It goes ⤳ on.")], "thought 't/"),
        ([tree("T", "Root. {a ⤳ b}")], "the anchor 'a ⤳ b' at thought 't/"),
        ([chain("A ⤳ B", (f"Step {n} of a long way." for n in range(20)))], "the breadcrumb of"),
    ],
)
def test_the_marker_in_a_text_is_refused(forest: list[Tree], where: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"marker = ") as refused:
        export_corpus(planted(*forest), tmp_path / "corpus", SMALL)
    assert where in refused.value.message
    assert list(tmp_path.iterdir()) == []


def test_an_empty_forest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no trees"):
        export_corpus(planted(), tmp_path / "corpus")
    assert list(tmp_path.iterdir()) == []


# --- manifest, card, shards -----------------------------------------------------------------------


def test_the_manifest_counts_what_is_there(tmp_path: Path) -> None:
    manifest = export_corpus(planted(*RUSSIAN), tmp_path / "corpus", SMALL, seed=5)
    found = records(tmp_path / "corpus")
    report = manifest.splits["train"]
    thoughts = [t for made in RUSSIAN for t in made.thoughts]
    assert manifest.seed == manifest.recipe.seed == 5
    assert manifest.recipe_hash == SMALL.with_seed(5).hash
    assert (report.trees, report.thoughts, report.steps) == (3, len(thoughts), len(thoughts) - 3)
    assert report.characters == sum(len(t.text) for t in thoughts)
    assert sum(report.characters_out.values()) == sum(len(r["text"]) for r in found)
    assert report.redundancy == round(sum(report.characters_out.values()) / report.characters, 4)
    assert report.anchors == len({link.anchor for t in thoughts for link in t.anchors})
    assert report.records == {
        kind: sum(r["meta"]["kind"] == kind for r in found) for kind in ("path", "walk")
    }
    on_disk = orjson.loads((tmp_path / "corpus" / "manifest.json").read_bytes())
    assert on_disk == orjson.loads(manifest.to_json())


def test_a_full_shard_is_closed_and_the_next_one_begun(tmp_path: Path) -> None:
    recipe = Recipe.read(SMALL.model_dump() | {"corpus": {"shard": 2000, "validation": 0}}, "")
    manifest = export_corpus(planted(*RUSSIAN), tmp_path / "many", recipe)
    export_corpus(planted(*RUSSIAN), tmp_path / "one", SMALL)
    assert len(manifest.files) > 2
    assert [f.path for f in manifest.files][:2] == [
        "data/train-00000.jsonl",
        "data/train-00001.jsonl",
    ]
    assert all(file.bytes >= 2000 for file in manifest.files[:-1])
    assert records(tmp_path / "many") == records(tmp_path / "one")


def test_every_record_has_the_fields_that_the_card_declares(tmp_path: Path) -> None:
    export_corpus(golden("ru", *ENGLISH), tmp_path / "corpus", GOLDEN)
    card = (tmp_path / "corpus" / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["language"] == ["en", "ru"]
    for info in header["dataset_info"]:
        config = info["config_name"]
        assert info["features"] == features(config)
        found = records(tmp_path / "corpus", config="" if config == "default" else config)
        assert found
        assert all(_matches(record, features(config)) for record in found)


def _matches(value: Any, fields: list[dict[str, Any]]) -> bool:
    return list(value) == [f["name"] for f in fields] and all(
        _has_type(value[field["name"]], field) for field in fields
    )


def _has_type(value: Any, field: dict[str, Any]) -> bool:
    if "struct" in field:
        return _matches(value, field["struct"])
    if isinstance(field.get("list"), list):
        return all(_matches(entry, field["list"]) for entry in value)
    kinds = {"string": str, "int64": int, "float64": float, "bool": bool}
    if "list" in field:
        return all(isinstance(entry, kinds[field["list"]]) for entry in value)
    return isinstance(value, kinds[field["dtype"]])


def test_axes_of_a_walk_are_the_mean_of_its_trees(tmp_path: Path) -> None:
    export_corpus(planted(*RUSSIAN[1:]), tmp_path / "corpus", SMALL)
    walk = records(tmp_path / "corpus")[-1]
    assert sorted(walk["meta"]["trees"]) == ["намерение", "страдание"]
    assert walk["meta"]["axes"] == [
        {"axis": "мораль", "weight": 0.15},
        {"axis": "онтология", "weight": 0.1},
        {"axis": "причинность", "weight": 0.5},
        {"axis": "эмпатия", "weight": 0.25},
    ]


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: dict[str, tuple[int, int]] = {}
    export_corpus(
        planted(*RUSSIAN),
        tmp_path / "corpus",
        SMALL,
        progress=lambda what, done, everything: told.update({what: (done, everything)}),
    )
    assert told.keys() == {"thoughts", "jumps"}
    assert all(done == everything > 0 for done, everything in told.values())


# --- read by others -------------------------------------------------------------------------------

LOAD = """
import json, sys, datasets
told = {}
for config in datasets.get_dataset_config_names(sys.argv[1]):
    found = datasets.load_dataset(sys.argv[1], config)
    told[config] = {s: [found[s][i] for i in range(len(found[s]))] for s in found}
print(json.dumps(told))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["all kinds", "a lone root"])
def test_datasets_loads_it_offline(name: str, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    corpus = tmp_path / "corpus"
    if name == "all kinds":
        more = [tree(f"T{n}", f"Root {n}. {{x}}\n  Leaf {n}.") for n in range(20)]
        recipe = Recipe.read(GOLDEN.model_dump() | {"corpus": {"validation": 0.3}}, "")
        export_corpus(golden("ru", *more), corpus, recipe)
    else:
        export_corpus(planted(tree("Lone", "A root alone.")), corpus)
    offline = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(corpus)],
        env=os.environ | offline,
        check=True,
        capture_output=True,
    )
    loaded = orjson.loads(done.stdout)
    assert ("preference" in loaded) == (name == "all kinds")
    for config, splits in loaded.items():
        folder = "" if config == "default" else config
        assert splits == {split: records(corpus, split, folder) for split in splits}
