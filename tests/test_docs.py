"""What the documentation says is true of the code."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from forest.cli import COMMANDS
from tests.conftest import Run

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
EXAMPLES = [
    "anchors.forms",
    "anchors.formulas.codes",
    "anchors.formulas.cores",
    "anchors.formulas.model",
    "anchors.formulas.syntax",
    "exporters.linearize",
    "forest",
    "forest.forest",
    "forest.model",
    "forest.phrases",
    "forest.spelling",
    "training.behaviour.formulas",
    "training.behaviour.jumps",
    "training.behaviour.report",
    "training.masks",
    "training.registers",
    "training.tokens",
]


def test_the_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/generate_docs.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_the_page_of_commands_shows_what_help_shows(run: Run) -> None:
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    for command in ("list", "axes bind", "neo4j start"):
        code, out, _ = run(*command.split(), "--help")
        assert code == 0
        shown = page.split(f"## `forest {command}`\n\n```text\n")[1].split("```")[0]
        assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", out)  # lines break elsewhere


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(
        r"(?:^\$ |`|&& )forest (?:--store \S+ )?([a-z][a-z0-9-]*)", text, re.MULTILINE
    )
    assert set(named) <= set(COMMANDS)


def test_the_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example
    monkeypatch.chdir(tmp_path)
    exec(compile(example[1], "README.md", "exec"), {})  # noqa: S102  (our own text)
    assert capsys.readouterr().out.startswith("спор-о-нормах Справедливость — это соответствие")
    assert (tmp_path / "forest.db").exists()


def test_the_decisions_that_the_page_on_anchors_shows_can_be_made_on_the_sample(run: Run) -> None:
    text = (ROOT / "docs/anchors.md").read_text(encoding="utf-8")
    (block,) = (b for b in re.findall(r"```console\n(.*?)```", text, re.DOTALL) if "merge" in b)
    run("init", "--sample")
    for line in block.splitlines():
        _, _, *arguments = shlex.split(line, comments=True)
        assert run(*arguments)[0] == 0, line


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_in_docstrings(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert result.failed == 0
