"""The formats of a corpus and its forms of files, seen from what is written."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters import files
from exporters.export import export_corpus
from exporters.formats import say
from exporters.recipe import FileForm, Format, Recipe
from exporters.records import FORMATS, KINDS, features
from forest import Forest
from forest.errors import ExportError, MissingExtra
from forest.stores.base import Store
from tests.conftest import Run
from tests.export_helpers import SMALL, beside, content, only, planted, records, tree
from tests.strategies import trees
from tests.test_export_corpus import DATA, GOLDEN, REWRITE, _matches, golden
from training.corpus import Corpus
from training.formats import as_text

Record = dict[str, Any]
ALL = get_args(Format)
OTHERS = [name for name in ALL if name != "text"]
FORMS = get_args(FileForm)


@pytest.fixture(autouse=True, scope="module")
def _no_sync() -> Iterator[None]:
    """Hundreds of small corpora that no power cut threatens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


def exported(forest: Store, recipe: Recipe, config: str = "") -> list[Record]:
    with TemporaryDirectory() as folder:
        export_corpus(forest, Path(folder) / "corpus", recipe)
        return records(Path(folder) / "corpus", config=config)


def texts(record: Record) -> tuple[str, str, str]:
    """Request, what stands between, answer: said independently of the library."""
    gap = record["meta"].get("gap", "")
    if "messages" in record:
        one, two = record["messages"]
        assert (one["role"], two["role"]) == ("user", "assistant")
        return one["content"], gap, two["content"]
    if "conversations" in record:
        one, two = record["conversations"]
        assert (one["from"], two["from"]) == ("human", "gpt")
        return one["value"], gap, two["value"]
    if "instruction" in record:
        assert record["input"] == ""
        return record["instruction"], gap, record["output"]
    return record["prompt"], gap, record["completion"]


def words_at(record: Record, part: Record) -> str:
    column = record[part["column"]]
    said = column if isinstance(column, str) else column[part["item"]]
    said = said if isinstance(said, str) else said.get("content", said.get("value"))
    return str(said[part["start"] : part["end"]])


# --- formats --------------------------------------------------------------------------------------

EVERYTHING = Recipe.read(SMALL.model_dump() | {"kinds": only(*KINDS)}, "everything")
forests = st.lists(trees(max_size=14), min_size=1, max_size=5, unique_by=lambda t: t.id)


def test_every_format_of_the_recipe_has_columns() -> None:
    assert list(FORMATS) == list(ALL)


@settings(max_examples=40)
@given(forests)
def test_no_format_loses_or_invents_a_word(forest: list[Any]) -> None:
    plain = exported(planted(*forest), EVERYTHING)
    for format in OTHERS:
        for text in plain:
            record = say(text, "default", format)
            request, gap, answer = texts(record)
            assert request + gap + answer == text["text"]
            assert answer
            assert not gap.strip()
            said = [(s["role"], words_at(record, s)) for s in record["meta"]["spans"]]
            assert said == [
                (s["role"], text["text"][s["start"] : s["end"]]) for s in text["meta"]["spans"]
            ]
            silent = "".join(words_at(record, part) for part in record["meta"]["no_loss"])
            told = "".join(text["text"][p["start"] : p["end"]] for p in text["meta"]["no_loss"])
            assert silent.split() == told.split()
            kept = {"spans", "no_loss", "gap"}
            assert {k: v for k, v in record["meta"].items() if k not in kept} == {
                k: v for k, v in text["meta"].items() if k not in kept
            }


@settings(max_examples=40)
@given(forests)
def test_training_reads_each_format_as_the_text_it_was(forest: list[Any]) -> None:
    plain = exported(planted(*forest), EVERYTHING)
    for format in OTHERS:
        for text in plain:
            record = say(text, "default", format)
            read = as_text(record)
            assert read is not None
            assert read["text"] == text["text"]
            spans = [
                {k: v for k, v in span.items() if k not in ("column", "item")}
                for span in read["meta"]["spans"]
            ]
            assert spans == text["meta"]["spans"]
            request, gap, _ = texts(record)
            silent = {n for p in read["meta"]["no_loss"] for n in range(p["start"], p["end"])}
            told = {n for p in text["meta"]["no_loss"] for n in range(p["start"], p["end"])}
            assert silent == told | set(range(len(request + gap)))


MEETING = [
    tree("Snow", "Winter.\n  Snow falls. {water}\n    Rivers."),
    tree("Tea", "A kettle.\n  It boils. {Water}\n    A cup."),
]
ASKED = {
    "path": ("Winter.", "Snow falls.\nRivers."),
    "fragment": ("water", "Snow falls.\nRivers."),
    "reverse": ("From the conclusion back to the premise:\nRivers.", "Snow falls.\nWinter."),
    "walk": ("Winter.\nSnow falls.", "⤳ Water\nIt boils.\nA cup."),
    "bridge": ("Winter.\nSnow falls.\n⤳ Water\nIt boils.", "A cup."),
    "composite": ("Winter.", "⤳\nA cup."),
    "card": ("water", "— Snow falls.\nRivers.\n— It boils.\nA cup."),
    "chain": (
        "How does one get from the thought:\nWinter.\nto the thought:\nA cup.\nStep by step:",
        "Winter.\nSnow falls.\n⤳ Water\nIt boils.\nA cup.",
    ),
    "comparison": (
        "Two lines of reasoning on one thing: water",
        "“Snow”:\nSnow falls.\nRivers.\n“Tea”:\nIt boils.\nA cup.",
    ),
}


@pytest.mark.parametrize("kind", ASKED)
def test_a_record_is_cut_where_its_request_ends(kind: str) -> None:
    recipe = EVERYTHING.model_copy(
        update={"kinds": EVERYTHING.read({"kinds": only(kind)}, "").kinds}
    )
    found = [texts(r) for r in exported(planted(*MEETING), recipe.said_as("messages"))]
    asked, answer = ASKED[kind]
    assert (asked, "\n", answer) in found


def test_a_window_is_asked_for_by_its_breadcrumb_and_a_lone_thought_by_nothing() -> None:
    long = tree("Long", "\n".join(f"{'  ' * n}Step {n} of a way that goes on." for n in range(12)))
    lone = tree("Lone", "A root alone.")
    told = exported(planted(long, lone), SMALL.said_as("alpaca"))
    asked = {r["instruction"] for r in told}
    assert "Long › Step 0 of a way that… › … 3 steps …" in asked
    assert ("", "", "A root alone.") in [texts(r) for r in told]


def test_preferences_are_chats_where_texts_are_and_steps_never() -> None:
    recipe = GOLDEN.said_as("messages")
    chosen = exported(golden("en"), GOLDEN, "preference")
    assert exported(golden("en"), recipe, "preference") == [
        record
        | {
            "prompt": [{"role": "user", "content": record["prompt"].removesuffix("\n")}],
            "chosen": [{"role": "assistant", "content": record["chosen"]}],
            "rejected": [{"role": "assistant", "content": record["rejected"]}],
        }
        for record in chosen
    ]
    assert exported(golden("en"), GOLDEN.said_as("alpaca"), "preference") == chosen
    steps = exported(golden("en"), GOLDEN, "stepwise")
    assert exported(golden("en"), recipe, "stepwise") == steps


@pytest.mark.parametrize("lang", ["ru", "en"])
@pytest.mark.parametrize("format", OTHERS)
def test_golden_records(lang: str, format: str) -> None:
    """The first record of each kind."""
    first: dict[str, Record] = {}
    for config in ("", "preference"):
        for record in exported(golden(lang), GOLDEN.said_as(format), config):
            first.setdefault(record["meta"]["kind"], record)
    told = b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in first.values())
    path = DATA / "formats" / f"{lang}-{format}.jsonl"
    if REWRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(told)
    assert told == path.read_bytes()


@pytest.mark.parametrize("format", OTHERS)
def test_every_record_has_the_fields_that_the_card_declares(format: str) -> None:
    for config in ("default", "preference", "stepwise"):
        folder = "" if config == "default" else config
        found = exported(golden("ru"), GOLDEN.said_as(format), folder)
        assert found
        assert all(_matches(record, features(config, format)) for record in found)


# --- forms of files -------------------------------------------------------------------------------


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    if request.param in files.PACKAGES:
        package, extra = files.PACKAGES[request.param]
        pytest.importorskip(package, reason=f"the extra {extra} is not installed")
    return str(request.param)


def sharded(form: str, format: str = "text", shard: int = 9000) -> Recipe:
    told = GOLDEN.model_dump() | {"corpus": {"validation": 0.3, "shard": shard}}
    return Recipe.read(told, "sharded").said_as(format, form)


MORE = [tree(f"T{n}", f"Root {n}. {{x}}\n  Leaf {n}.") for n in range(20)]


def test_every_form_of_file_holds_the_same_records(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files._FORMS[form], "buffer", 2000)  # several are written to a file
    lines = export_corpus(golden("ru", *MORE), tmp_path / "lines", sharded("jsonl", "messages"))
    other = export_corpus(golden("ru", *MORE), tmp_path / "other", sharded(form, "messages"))
    assert [(f.path.partition(".")[0], f.records) for f in other.files] == [
        (f.path.partition(".")[0], f.records) for f in lines.files
    ]
    assert len(other.files) > 6
    one, two = Corpus.open(tmp_path / "lines"), Corpus.open(tmp_path / "other")
    for file in one.manifest["files"]:
        at = file["split"], file["config"]
        assert list(two.records(*at)) == list(one.records(*at))


AGAIN = """
import sys
from pathlib import Path
from exporters.export import export_corpus
from tests.test_export_corpus import golden
from tests.test_export_formats import MORE, sharded
export_corpus(golden("ru", *reversed(MORE)), Path(sys.argv[1]), sharded(sys.argv[2]))
"""


def test_another_run_with_another_hash_seed_writes_the_same_bytes(
    form: str, tmp_path: Path
) -> None:
    export_corpus(golden("ru", *MORE), tmp_path / "one", sharded(form))
    subprocess.run(
        [sys.executable, "-c", AGAIN, str(tmp_path / "two"), form],
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert content(tmp_path / "two") == content(tmp_path / "one")


def test_a_full_disk_is_told_and_leaves_nothing(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files._FORMS[form], "buffer", 2000)
    export_corpus(planted(*MEETING), tmp_path / "corpus", SMALL)
    before, write = content(tmp_path / "corpus"), files._File.write

    def full(file: files._File, told: Any) -> int:
        if file.bytes + len(told) > 1000:
            raise OSError(errno.ENOSPC, "no room")
        return write(file, told)

    monkeypatch.setattr(files._File, "write", full)
    with pytest.raises(ExportError, match="there is no room"):
        export_corpus(golden("ru"), tmp_path / "corpus", sharded(form))
    assert content(tmp_path / "corpus") == before
    assert beside(tmp_path / "corpus") == []


def test_an_export_that_fails_midway_lets_go_of_its_file(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files._FORMS[form], "buffer", 1)
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    with pytest.raises(ExportError, match="marks a jump"):
        export_corpus(planted(*MEETING, tree("Zoo", "⤳")), tmp_path / "c", SMALL.said_as(file=form))
    gc.collect()
    assert complaints == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", files.PACKAGES)
def test_a_missing_package_is_told_before_anything_is_written(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, extra = files.PACKAGES[form]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"(?s)package {package}.*\[{extra}\]"):
        export_corpus(planted(*MEETING), tmp_path / "corpus", SMALL.said_as(file=form))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", files.PACKAGES, indirect=True)
def test_training_names_the_extra_that_reads_a_file(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_corpus(planted(*MEETING), tmp_path / "corpus", SMALL.said_as(file=form))
    package, extra = files.PACKAGES[form]
    for module in (package, f"{package}.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"(?s)package {package}.*\[train,{extra}\]"):
        next(Corpus.open(tmp_path / "corpus").records())


# --- read by others, typed by hand ----------------------------------------------------------------

LOAD = """
import json, sys, datasets
told = {}
for corpus in sys.argv[1:]:
    told[corpus] = {}
    for config in datasets.get_dataset_config_names(corpus):
        found = datasets.load_dataset(corpus, config)
        told[corpus][config] = {s: [found[s][i] for i in range(len(found[s]))] for s in found}
print(json.dumps(told))
"""


@pytest.mark.slow
def test_datasets_loads_every_format_offline(form: str, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="the extra datasets is not installed")
    for format in ALL:
        export_corpus(golden("ru", *MORE), tmp_path / format, sharded(form, format))
    offline = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *(str(tmp_path / format) for format in ALL)],
        env=os.environ | offline,
        check=True,
        capture_output=True,
    )
    loaded = orjson.loads(done.stdout)
    for format in ALL:
        corpus, configs = Corpus.open(tmp_path / format), loaded[str(tmp_path / format)]
        assert sorted(configs) == corpus.configs
        for config, splits in configs.items():
            assert sorted(splits) == [s for s in corpus.splits if corpus.has(s, config)]
            for split, found in splits.items():
                assert found == list(corpus.records(split, config))


def test_options_take_the_place_of_the_recipe_and_the_card_says_how_to_repeat_it(
    run: Run, tmp_path: Path
) -> None:
    with Forest.open() as forest:
        forest.add(*MEETING)
    (tmp_path / "r.toml").write_text('[corpus]\nformat = "alpaca"\n', encoding="utf-8")
    assert run("export", "a", "--recipe", "r.toml")[0] == 0
    assert "instruction" in next(Corpus.open(tmp_path / "a").records())
    code, out, _ = run("export", "b", "--recipe", "r.toml", "--format", "messages")
    assert (code, out.splitlines()[1].split(";")[0]) == (0, "format messages")
    assert "messages" in next(Corpus.open(tmp_path / "b").records())
    card = (tmp_path / "b" / "README.md").read_text(encoding="utf-8")
    again = next(line for line in card.splitlines() if line.startswith("forest export again"))
    assert run(*again.replace("manifest.json", "b/manifest.json").split()[1:])[0] == 0
    assert content(tmp_path / "again") == content(tmp_path / "b")
    code, _, err = run("export", "b", "--as", "turtle", "--format", "text")
    assert (code, "not with --as" in err) == (2, True)
    code, _, err = run("export", "c", "--format", "chat")
    assert (code, "'sharegpt'" in err) == (2, True)
