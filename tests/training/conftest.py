"""A small corpus, a tiny base, and the libraries of the extra `train`, where they are installed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporters.export import export_corpus
from exporters.recipe import Recipe
from tests.export_helpers import SMALL, only, planted, tree
from training.corpus import Corpus

if TYPE_CHECKING:
    from training.base import Base
    from training.config import Config

NOUNS = "вода весна память порог берег голос тень дорога зерно зима письмо камень"
WORDS = NOUNS.split()


@pytest.fixture(scope="session")
def stack() -> Any:
    """torch, with one thread. Skips where the extra `train` is not installed."""
    torch = pytest.importorskip("torch", reason="the extra train (torch, peft) is not installed")
    pytest.importorskip("peft", reason="the extra train (torch, peft) is not installed")
    torch.set_num_threads(1)
    return torch


def outline(n: int) -> str:
    a, b, c = (WORDS[(n * k + k * k) % 12] for k in (1, 5, 7))
    return (
        f"О том, что {a} и {b} сходятся {n}. {{{WORDS[n % 4]}}}\n"
        f"  Там, где {b} {n}, всегда {c} под знаком Δ{12 + n % 3}.\n"
        f"    Итак, {c} помнит {a} раз {n}; это 🫧. {{{WORDS[4 + n % 4]}}}\n"
        f"  Но {a} без {c} молчит."
    )


def written(out: Path, *, kinds: tuple[str, ...] = ("path", "walk"), **form: str) -> Path:
    """The corpus of twenty-four trees, in a format and a form of files."""
    forest = [tree(f"Дерево {n}", outline(n)) for n in range(24)]
    told = SMALL.model_dump() | {"corpus": {"validation": 0.4, **form}, "kinds": only(*kinds)}
    export_corpus(planted(*forest), out, Recipe.read(told, "small"))
    return out


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four trees, eight anchors, paths and walks, a validation split."""
    return written(tmp_path_factory.mktemp("exported") / "corpus")


FORMULAS = """
Δ12 = (вода + весна + неясность)
- логически: «Если вода поднимается весной, следовательно берег неясен; значит, мост строят выше.»
- поэтически: «О весна, ты пишешь водой по стеклу, и неясность твоя светлее ответа!»

Δ21 = порог(страх · пустота · наблюдение)
- логически: «Если страх растёт, следовательно наблюдение сужается; значит, пустоту измеряют.»
- поэтически: «О страх, ты стоишь на пороге пустоты, и наблюдение твоё тише снега!»

Δ33 = (камень + память + дорога)
- логически: «Если камень сдвинут с дороги, следовательно память в записи; значит, её проверяют.»
- поэтически: «О камень, память дорог, ты молчишь громче колоколов!»

Δ47 = край(огонь · зерно · терпение)
- логически: «Если огонь близко, следовательно зерно сгорит; значит, терпение есть расчёт.»
"""
"""Four formulas in two registers; the last one in one of them."""


@pytest.fixture(scope="session")
def voiced(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """A corpus of two trees, and of formulas with scenes."""
    from anchors.importing import import_files
    from forest.forest import Forest

    folder = tmp_path_factory.mktemp("voiced")
    (folder / "formulas.md").write_text(f"# Формулы\n{FORMULAS}", encoding="utf-8")
    with Forest(planted(*(tree(f"Дерево {n}", outline(n)) for n in range(2)))) as forest:
        import_files(forest, [folder / "formulas.md"])
        export_corpus(forest.store, folder / "corpus")
    return Corpus.open(folder / "corpus")


@pytest.fixture(scope="session")
def corpus(corpus_folder: Path) -> Corpus:
    return Corpus.open(corpus_folder)


@pytest.fixture(scope="session")
def base(stack: Any, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A tiny base of byte-level BPE that has read a little."""
    assert stack.get_num_threads() == 1
    from training.base import prepare

    return prepare("tiny:", tmp_path_factory.mktemp("base") / "tiny", corpus, steps=2)


@pytest.fixture
def config() -> Callable[..., Config]:
    """Settings of a training of a second, some of them replaced: ``config(steps=3, r=2)``."""
    from training.config import Config

    def make(**changes: Any) -> Config:
        told: dict[str, Any] = json.loads(Config().model_dump_json())
        told["lora"]["r"] = 4
        told["training"] |= {"steps": 4, "row": 256, "rows": 1, "rate": 5e-3, "threads": 1}
        for name, value in changes.items():
            section = next(s for s in told.values() if name in s)
            section[name] = value
        return Config.read(told, "test")

    return make


def with_tokens(corpus: Path, *names: str) -> Corpus:
    """A corpus folder with that tokens.json, as an export would have written it."""
    from training.files import measure

    path = corpus / "tokens.json"
    told = {"tokens": [{"token": name, "formula": name} for name in names]}
    path.write_text(json.dumps(told), encoding="utf-8")
    manifest = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    size, sha256 = measure(path)
    manifest["tokens"] |= {"tokens": list(names), "bytes": size, "sha256": sha256}
    (corpus / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return Corpus.open(corpus)


@pytest.fixture
def harmed(corpus_folder: Path, tmp_path: Path) -> Path:
    """A copy of the corpus that a test may change."""
    return Path(shutil.copytree(corpus_folder, tmp_path / "corpus"))
