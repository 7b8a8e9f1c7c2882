"""The recipe: its file, its errors, its hash."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from exporters.export import export_corpus
from exporters.recipe import Recipe
from forest.errors import UsageError
from tests.export_helpers import planted, tree

DEFAULT = files("exporters.recipes") / "default.toml"


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_recipe_is_the_default() -> None:
    assert Recipe.default() == Recipe()


def test_the_shipped_recipe_names_every_setting_with_a_comment_above_it() -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    assert tomllib.loads(text) == Recipe().model_dump(mode="json")
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\w+ = ", line):
            assert lines[number - 1].startswith("# "), line


def test_what_a_recipe_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    recipe = Recipe.load(written(tmp_path, "window = 500\n[paths]\noverlap = 50\n"))
    assert (recipe.window, recipe.paths.overlap, recipe.walks) == (500, 50, Recipe().walks)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed = 1\nseed = 2", "line 2"),
        ("windw = 3", "windw: there is no such setting"),
        ("[walks]\nhop = 3", "walks.hop: there is no such setting"),
        ("window = 'x'", "window: Input should be a valid integer, not 'x'"),
        ("window = 2.5", "window: "),
        ("window = 10", "window: Input should be greater than or equal to 80, not 10"),
        ("seed = -1", "seed: "),
        ("[corpus]\nvalidation = 1.0", "corpus.validation: Input should be less than 1, not 1.0"),
        ("[corpus]\nvalidation = nan", "corpus.validation: "),
        ("[corpus]\nlicense = 'My own'", "corpus.license: expected an identifier in small letters"),
        ("[walks]\nhops = 0", "walks.hops: "),
        ("[walks]\nhops = true", "walks.hops: "),
        ("[walks]\nrestate = 'yes'", "walks.restate: "),
        ("[walks]\nmarker = ''", "walks.marker: "),
        ("[walks]\nmarker = ' '", "walks.marker: expected visible characters"),
        ("[walks]\nmarker = 'a\\nb'", "walks.marker"),
        ('[walks]\nmarker = "a\\nb"', "walks.marker: expected visible characters"),
        ("[walks]\nhub_cap = 1", "walks.hub_cap: expected 0 (all) or at least 2"),
        ("[kinds]\npath = 2", "kinds.path: Input should be less than or equal to 1, not 2"),
        ("[kinds]\ncards = 1", "kinds.cards: there is no such setting"),
        ("[corpus]\nformat = 'chat'", "corpus.format: Input should be 'text', 'messages', "),
        (
            "[corpus]\nfile = 'csv'",
            "corpus.file: Input should be 'jsonl', 'jsonl.zst' or 'parquet'",
        ),
        ("order = 'random'", "order: Input should be 'curriculum' or 'shuffled'"),
        ("[marks]\naccepted = ['refuted']", "marks: 'refuted' is both accepted and refuted"),
        ("[templates.RU]\ncard = 'x'", "templates.RU: expected a language such as ru or pt-BR"),
        ("[templates.Russian-]\ncard = 'x'", "templates.Russian-: expected a language"),
        ("[templates.ru]\ncart = 'x'", "templates.ru.cart: there is no such template"),
        (
            "[templates.ru]\ncard = '{{ anchor }}'",
            "templates.ru.card: it leaves {{ ways: .thoughts }} out",
        ),
        ("[templates.ru]\ncard = '{{ ways'", "templates.ru.card: line 1: "),
        (
            "[templates.ru]\nreverse = '{{ though }}'",
            "templates.ru.reverse: there is no 'though': ",
        ),
        (
            "[templates.ru]\nreverse = '{{ thoughts }}{{ range(9)|random }}'",
            "templates.ru.reverse: line 1: No filter named 'random'",
        ),
        (
            "[templates.ru]\nreverse = '{{ thoughts }}{{ joiner() }}'",
            "templates.ru.reverse: it writes neither a text nor a number: a Joiner",
        ),
        (
            "[templates.ru]\nreverse = '{{ thoughts }}{{ \"\" ~ joiner() }}'",
            "templates.ru.reverse: it writes the innards of an object",
        ),
        (
            (
                "[templates.ru]\ncard = '{% for way in ways %}{{ way.thoughts }}{% endfor %}"
                "{{ ways|string }}'"
            ),
            "templates.ru.card: it writes the innards of an object",
        ),
        (
            "[templates.ru]\nreverse = '{{ 1 / 0 }}{{ thoughts }}'",
            "templates.ru.reverse: division by zero",
        ),
        ("[templates.ru]\nreverse = \"{% include 'x' %}\"", "templates.ru.reverse: no loader"),
        (
            "[templates.ru]\nreverse = '{{ \"x\" * 10**9 }}{{ thoughts }}'",
            "templates.ru.reverse: it writes more than 1,000,000 characters",
        ),
        ("[kinds]\npath = true", "kinds.path: Input should be a valid number, not True"),
        ("kinds = 3", "kinds: expected a table, not 3"),
        ("tokenizer = 3", "tokenizer: expected the name of a file, not 3"),
        ("[paths]\noverlap = 1500", "paths.overlap is 1500: expected at most half of the window"),
        ("walks = 3", "walks: "),
        ("window = ", "is not TOML: "),
    ],
)
def test_a_wrong_setting_is_refused_by_file_key_and_expectation(
    tmp_path: Path, text: str, says: str
) -> None:
    path = written(tmp_path, text)
    if text == "[walks]\nmarker = 'a\\nb'":  # a literal string: a backslash and an n, all visible
        assert Recipe.load(path).walks.marker == r"a\nb"
        return
    with pytest.raises(UsageError, match=re.escape(says)) as refused:
        Recipe.load(path)
    assert str(path) in str(refused.value)


def test_a_recipe_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Recipe.load(tmp_path / "none.toml")
    (tmp_path / "notepad.toml").write_text("seed = 4", encoding="utf-8-sig")
    assert Recipe.load(tmp_path / "notepad.toml").seed == 4
    for text, says in (("{", "it is not JSON"), ("[]", "it holds no recipe")):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(UsageError, match=says):
            Recipe.load(tmp_path / "manifest.json")
    (tmp_path / "mac.toml").write_bytes("# м".encode("cp1251"))
    with pytest.raises(UsageError, match="not UTF-8"):
        Recipe.load(tmp_path / "mac.toml")


def test_the_hash_is_of_what_is_set_not_of_how_it_is_written(tmp_path: Path) -> None:
    spelled = Recipe.load(written(tmp_path, "# a comment\nseed = 0\n"))
    assert spelled.hash == Recipe().hash == Recipe.default().hash
    assert Recipe().with_seed(1).hash != Recipe().hash
    assert Recipe().with_seed(None) == Recipe()
    with pytest.raises(UsageError, match="seed"):
        Recipe().with_seed(-1)


def test_a_recipe_is_found_by_its_file_or_by_the_name_of_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "islands").mkdir()  # a corpus, say
    assert Recipe.find("default") == Recipe()
    assert Recipe.find("islands").kinds.walk == 0
    assert Recipe.find(str(written(tmp_path, "seed = 4"))).seed == 4
    with pytest.raises(UsageError, match=r"Shipped are: default, composition, .*islands"):
        Recipe.find("island")


def test_python_gives_a_recipe_as_the_command_line_does(tmp_path: Path) -> None:
    one, other = tree("One", "First. {x}\n  Second."), tree("Two", "Third. {x}\n  Fourth.")
    store, file = planted(one, other), written(tmp_path, "seed = 4")
    assert export_corpus(store, tmp_path / "a", "islands").recipe == Recipe.find("islands")
    assert export_corpus(store, tmp_path / "b", file, seed=5).recipe == Recipe(seed=5)
    with pytest.raises(UsageError, match="Shipped are: default"):
        export_corpus(store, tmp_path / "c", "island")
    for wrong in ({"seed": 4}, 4):
        with pytest.raises(TypeError, match="expected a Recipe, the path of its file"):
            export_corpus(store, tmp_path / "c", wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()
