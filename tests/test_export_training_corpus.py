"""What training reads: the folder that an export wrote, checked first."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from exporters.export import export_corpus
from exporters.recipe import Recipe
from tests.export_helpers import SMALL, planted, records, tree
from training.corpus import Corpus
from training.errors import CorpusError, TrainingError


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    forest = [tree(f"T{n}", f"Root {n}. {{x}}\n  Leaf {n}.") for n in range(20)]
    out = tmp_path_factory.mktemp("place") / "corpus"
    recipe = Recipe.read(
        SMALL.model_dump() | {"corpus": {"validation": 0.3, "shard": 4000}}, "small"
    )
    export_corpus(planted(*forest), out, recipe)
    return out


@pytest.fixture
def corpus(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may harm."""
    return Path(shutil.copytree(exported, tmp_path / "corpus"))


def test_what_was_checked_is_what_is_read_also_when_a_night_moves_the_link(
    corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "latest").symlink_to(corpus.name)
    read = Corpus.open(tmp_path / "latest")
    (tmp_path / "latest").unlink()
    (tmp_path / "latest").symlink_to("the next night")
    assert list(read.records()) == records(corpus, "train")


def test_records_come_as_they_were_written(corpus: Path) -> None:
    read = Corpus.open(corpus)
    assert read.splits == ["train", "validation"]
    assert list(read.records()) == records(corpus, "train")
    assert list(read.records("validation")) == records(corpus, "validation")
    assert len(read) == len(records(corpus))
    assert read.manifest["seed"] == 0


def test_an_unknown_split_is_refused_at_once(corpus: Path) -> None:
    with pytest.raises(CorpusError, match="no split 'test'"):
        Corpus.open(corpus).records("test")


def test_a_changed_file_is_refused(corpus: Path) -> None:
    file = corpus / "data" / "train-00001.jsonl"
    told = file.read_bytes()
    file.write_bytes(told.replace(b"Root", b"Boot", 1))
    with pytest.raises(CorpusError, match=r"train-00001.jsonl does not match its checksum"):
        Corpus.open(corpus)
    file.write_bytes(told[:-1])
    with pytest.raises(CorpusError, match=r"train-00001.jsonl has \d+ bytes; its manifest says"):
        Corpus.open(corpus)
    file.unlink()
    with pytest.raises(CorpusError, match=r"train-00001.jsonl is missing"):
        Corpus.open(corpus)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (None, "has no manifest.json"),
        (b"{", "is not JSON"),
        (b"[]", "is not a corpus of reasoning-forest"),
        (b'{"format": "another"}', "is not a corpus of reasoning-forest"),
    ],
)
def test_a_folder_without_a_manifest_is_no_corpus(
    manifest: bytes | None, says: str, corpus: Path
) -> None:
    (corpus / "manifest.json").unlink()
    if manifest is not None:
        (corpus / "manifest.json").write_bytes(manifest)
    with pytest.raises(CorpusError, match=says) as refused:
        Corpus.open(corpus)
    assert isinstance(refused.value, TrainingError)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_another_format_version_is_refused(version: object, corpus: Path) -> None:
    path = corpus / "manifest.json"
    manifest = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps(manifest | {"format_version": version}))
    with pytest.raises(CorpusError, match="format version"):
        Corpus.open(corpus)


def test_no_folder_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is not a corpus"):
        Corpus.open(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="is not a corpus"):
        Corpus.open(tmp_path / "file")
