"""The command line, as it is typed."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from forest import Forest, Tree
from forest.cli import COMMANDS
from forest.cli.terminal import print_table
from forest.errors import StoreError
from tests.conftest import Run


@pytest.fixture
def planted(run: Run) -> Run:
    assert run("init", "--sample")[0] == 0
    return run


def test_every_command_has_help(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for name in COMMANDS:
        assert name in out
        code, text, _ = run(name, "--help")
        assert code == 0
        assert "Usage: forest" in text


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys\nfrom forest.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'pydantic', 'networkx', 'neo4j', 'rich', 'yaml', 'orjson', 'datasets', 'torch'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_main_job(planted: Run, tmp_path: Path) -> None:
    code, out, _ = planted("export", "corpus")
    assert code == 0
    assert (tmp_path / "corpus/manifest.json").is_file()
    code, out, _ = planted("stats", "--json")
    stats = json.loads(out)
    assert (stats["islands"], stats["trees"]) == (1, 16)


def test_init_says_what_to_do_next_and_can_be_repeated(run: Run) -> None:
    code, out, _ = run("init")
    assert code == 0
    assert "forest.db" in out
    assert "forest import" in out
    assert run("init")[0] == 0
    assert len(json.loads(run("axes", "--json")[1])) == 5


def test_reading_where_there_is_no_forest(run: Run, tmp_path: Path) -> None:
    code, _, err = run("list")
    assert code == 1
    assert "forest init" in err
    assert not (tmp_path / "forest.db").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("import", "good.md", "bad.json"),
        ("import", "nowhere.md"),
        ("add", "a", "--new", "A", "--axis", "x=50%", "text"),
    ],
)
def test_a_first_command_that_is_refused_leaves_no_forest(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "good.md").write_text("# A\n\ntext\n")
    (tmp_path / "bad.json").write_text("[")
    assert run(*command)[0] == 1
    assert {path.name for path in tmp_path.iterdir()} == {"good.md", "bad.json"}
    assert run("import", "good.md")[0] == 0
    with Forest.open() as forest:
        assert forest.get("good").source == "good.md"
    assert run("import", "good.md")[1].startswith("1 file: 0 trees added, 0 changed, 1 unchanged")


def test_a_forest_that_another_process_made_meanwhile_gets_both_works(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'forest.db'}"

    def add(forest: Forest, id_: str) -> str:
        forest.add(Tree(id_, thoughts=[{"text": id_}]))
        return forest.url

    def slow(forest: Forest) -> str:
        if not (tmp_path / "forest.db").exists():
            Forest.act_in(url, lambda other: add(other, "theirs"))
        return add(forest, "mine")

    assert Forest.act_in(url, slow) == url
    with Forest.open(url) as forest:
        assert [tree.id for tree in forest] == ["mine", "theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["forest.db"]


def test_a_forest_in_memory_has_no_cypher_and_nothing_to_copy(run: Run) -> None:
    code, _, err = run("--store", "memory:", "cypher", "RETURN 1")
    assert code == 1
    assert "forest neo4j start" in err
    assert "forest copy" not in err


def test_adding_a_tree_and_thoughts(run: Run) -> None:
    code, out, _ = run(
        "add", "justice", "--new", "Справедливость", "--axis", "причинность=80%",
        "--axis", "эмпатия=20%", "--anchor", "порог", "Первая мысль.", "Вторая мысль.",
    )  # fmt: skip
    assert code == 0
    first, second = out.split()
    assert run("add", "just", "--under", first, "--kind", "objection", "Третья.")[0] == 0
    code, out, _ = run("show", "justice", "--json")
    shown = json.loads(out)
    assert [(n["level"], n["text"]) for n in shown["nodes"]] == [
        (0, "Первая мысль."),
        (1, "Вторая мысль."),
        (1, "Третья."),
    ]
    assert shown["axes"] == {"причинность": 0.8, "эмпатия": 0.2}
    assert second.startswith("justice/")


def test_adding_to_a_tree_that_is_not_there(run: Run) -> None:
    run("init")
    code, _, err = run("add", "justce", "Мысль")
    assert code == 1
    assert "no tree 'justce'" in err
    for name in ("justice", "justify"):
        assert run("add", name, "--new", name, "Мысль")[0] == 0
    code, _, err = run("add", "just", "Мысль")
    assert code == 1
    assert "justice, justify" in err


def test_an_empty_forest_says_so(run: Run) -> None:
    run("init")
    for command, said in (["list"], "no tree"), (["anchors", "list"], "no anchor"):
        code, out, err = run(*command)
        assert (code, out) == (0, "")
        assert err.startswith(f"{said} yet: ")
    assert run("list", "--json")[1].strip() == "[]"


def test_listing(planted: Run) -> None:
    code, out, _ = planted("list")
    assert code == 0
    assert len(out.splitlines()) == 16
    assert "spravedlivost\tСправедливость\tru\t28\t7\tпричинность 80%, эмпатия 20%" in out
    assert len(json.loads(planted("list", "--json")[1])) == 16


def test_showing_draws_thoughts_with_anchors(planted: Run) -> None:
    code, out, _ = planted("show", "spraved")
    assert code == 0
    assert out.splitlines()[0] == "Справедливость"
    assert "├─" in out
    assert "└─" in out
    assert "⚓ Причинность → следствие" in out
    assert "spravedlivost/" not in out
    assert "spravedlivost/" in planted("show", "spravedlivost", "--ids")[1]


def test_what_show_prints_can_be_imported_again(planted: Run, tmp_path: Path) -> None:
    for form, name in (("--json", "bog.json"), ("--yaml", "bog.yaml")):
        (tmp_path / name).write_text(planted("show", "bog", form)[1], encoding="utf-8")
        code, out, _ = planted("import", name)
        assert code == 0
        assert "1 unchanged" in out


def test_a_thousand_levels_are_drawn_without_a_margin(run: Run) -> None:
    run("add", "deep", "--new", "Глубокое", *(f"Шаг {i}" for i in range(1000)))
    code, out, _ = run("show", "deep")
    assert code == 0
    assert max(map(len, out.splitlines())) < 40
    assert " 999  Шаг 999" in out


def editor(tmp_path: Path, script: str) -> str:
    path = tmp_path / "editor.py"
    path.write_text(
        f"#!{sys.executable}\nimport sys, pathlib\n"
        f"path = pathlib.Path(sys.argv[1]); text = path.read_text()\n{script}\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_editing_stores_what_was_typed(
    planted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        before = forest.get("bog")
    script = f"path.write_text(text.replace({before.root.text!r}, 'Правлено в редакторе.'))"
    monkeypatch.setenv("EDITOR", editor(tmp_path, script))
    code, out, _ = planted("edit", "bog")
    assert code == 0
    assert "stored" in out
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        after = forest.get("bog")
    assert after.root.text == "Правлено в редакторе."
    assert after.root.id == before.root.id
    assert after.thoughts[1:] == before.thoughts[1:]


def test_closing_the_editor_without_a_change(
    planted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        before = forest.get("bog")
        for script in ("pass", "path.write_text(text + '# a comment\\n')"):
            monkeypatch.setenv("EDITOR", editor(tmp_path, script))
            assert "nothing changed" in planted("edit", "bog")[1]
        assert forest.get("bog") == before


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("path.write_text(text + '\\n  - level: 9\\n    text: x\\n')", "jumps from level"),
        ("path.write_text('tree: [')", "edit"),
        ("path.write_bytes(b'\\xff\\xfe')", "UTF-8"),
        ("path.write_text(text + '#'); sys.exit(3)", "exit code 3"),
        ("path.write_text(text.replace('id: bog', 'id: god', 1))", "god"),
    ],
)
def test_a_bad_edit_stores_nothing_and_keeps_the_text(
    planted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    monkeypatch.setenv("EDITOR", editor(tmp_path, script))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    url = f"sqlite:///{tmp_path / 'forest.db'}"
    with Forest.open(url) as forest:
        before = forest.revision
    code, _, err = planted("edit", "bog")
    assert code == 1
    assert message in err
    assert err.count("forest: ") == 1
    assert "forest edit bog" in err
    kept = Path(err.strip().rpartition("kept in ")[2])
    assert kept.is_file()
    with Forest.open(url) as forest:
        assert forest.revision == before


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [(None, 2, "EDITOR"), ("sys.exit(3)", 1, "exit code 3"), ("path.unlink()", 1, "be read")],
)
def test_a_draft_in_which_nothing_was_typed_is_not_kept(
    planted: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    code: int,
    message: str,
) -> None:
    command = "no-such-editor --wait" if script is None else editor(tmp_path, script)
    monkeypatch.setenv("EDITOR", command)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended, _, err = planted("edit", "bog")
    assert (ended, err.count(message)) == (code, 1)
    assert "kept" not in err
    assert list(tmp_path.glob("forest-edit-*")) == []


def test_an_interrupted_edit_keeps_what_was_typed(
    planted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def type_and_stop(command: list[str], **_: object) -> None:
        Path(command[-1]).write_text("typed")
        raise KeyboardInterrupt

    monkeypatch.setattr("forest.editing.subprocess.run", type_and_stop)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, _, err = planted("edit", "bog")
    assert code == 1
    kept = err.strip().rpartition("kept in ")[2]
    assert Path(kept).is_file()
    monkeypatch.setattr(
        "forest.editing.subprocess.run", lambda *_, **__: SimpleNamespace(returncode=0)
    )
    said = f"note: an earlier edit's text, yours to use or to delete, is in {kept}\n"
    assert said in planted("edit", "bog")[2]
    assert "note: " not in planted("edit", "sud")[2]
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert planted("copy", "sqlite:///forest.db", other)[0] == 0
    assert "note: " not in planted("--store", other, "edit", "bog")[2]
    assert Path(kept).read_text() == "typed"


def test_an_edit_of_a_tree_that_was_removed_meanwhile_says_how_to_have_it_again(
    planted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def type_while_it_goes(command: list[str], **_: object) -> object:
        path = Path(command[-1])
        path.write_text(path.read_text().replace("Бог", "бог"))
        with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
            forest.remove("bog")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr("forest.editing.subprocess.run", type_while_it_goes)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, _, err = planted("edit", "bog")
    assert code == 1
    assert "there is no tree 'bog'" in err
    assert "forest edit" not in err
    command = err.rpartition("`forest import ")[2].partition("`")[0]
    assert planted("import", command)[0] == 0
    assert planted("show", "bog")[0] == 0


def test_an_empty_id_is_refused(planted: Run) -> None:
    code, _, err = planted("add", "", "--new", "Тема", "Текст.")
    assert code == 2
    assert "may not be empty" in err


def test_removing_asks_or_wants_yes(planted: Run) -> None:
    assert planted("remove", "bog")[0] == 1
    code, _, err = planted("remove", "bo", "--yes")
    assert code == 1
    assert "whole id\nIt may be 'bog'" in err
    code, out, _ = planted("remove", "bog", "bog", "--yes")
    assert (code, out) == (0, "removed bog: Бог (30 thoughts)\n")
    assert planted("show", "bog")[0] == 1


def test_checking_a_whole_forest(planted: Run) -> None:
    code, out, _ = planted("check")
    assert code == 0
    assert "everything is whole" in out


def test_axes(planted: Run) -> None:
    code, out, _ = planted("axes")
    assert code == 0
    assert out.splitlines()[0].startswith("выводы из неопределённости")
    assert planted("axes", "bind", "bog", "причинность=80%", "эмпатия=20%")[0] == 0
    assert json.loads(planted("show", "bog", "--json")[1])["axes"] == {
        "причинность": 0.8,
        "эмпатия": 0.2,
    }
    code, _, err = planted("axes", "bind", "bog", "эмпатия=0.5, причинность=0.5")
    assert code == 2
    assert "separate several by spaces" in err
    code, _, err = planted("axes", "bind", "bog", "причинность=80%")
    assert code == 1
    assert "sum to 0.8" in err
    assert planted("axes", "add", "мораль", "--description", "Что должно.")[0] == 0
    assert planted("axes", "remove", "мораль")[0] == 0
    assert planted("axes", "remove", "эмпатия")[0] == 1


def test_copying(planted: Run) -> None:
    code, out, _ = planted("copy", "sqlite:///forest.db", "sqlite:///copy.db")
    assert code == 0
    assert "16 trees" in out
    assert json.loads(planted("--store", "sqlite:///copy.db", "stats", "--json")[1]) == json.loads(
        planted("stats", "--json")[1]
    )
    assert planted("copy", "sqlite:///nowhere.db", "sqlite:///x.db")[0] == 1


def test_cypher_without_neo4j(planted: Run) -> None:
    code, _, err = planted("cypher", "RETURN 1")
    assert code == 1
    assert "forest neo4j start" in err
    assert planted("cypher")[0] == 2


def test_a_server_that_is_not_there_is_said_to_be_silent(run: Run) -> None:
    code, _, err = run("--store", "neo4j://127.0.0.1:1", "list")
    assert code == 1
    assert err.startswith("forest: nothing answers at neo4j://127.0.0.1:1: Connection refused")
    assert "whole trees" not in err


def test_what_the_library_warns_of_is_said_once_and_by_forest(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **__: object) -> None:
        logging.getLogger("forest.stores").warning("waiting")
        raise StoreError("gone")

    monkeypatch.setattr(Forest, "open", opened)
    run("list")
    assert run("list")[2] == "forest: waiting\nforest: gone\n"


def test_an_interrupted_import_says_what_may_be_stored(
    planted: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        interrupt = KeyboardInterrupt()
        interrupt.add_note("Whole trees are stored.")
        raise interrupt

    monkeypatch.setattr(Forest, "import_files", interrupted)
    code, _, err = planted("import", ".")
    assert code == 130
    assert err.split("\n", 1)[1] == ("forest: interrupted\nWhole trees are stored.\n")

    def again(text: str) -> str:
        signal.raise_signal(signal.SIGINT)
        return text

    monkeypatch.setattr("forest.render.visible", again)
    monkeypatch.setattr("forest.cli._print_warnings", lambda: None)
    code, _, err = planted("import", ".")
    assert (code, err.split("\n", 1)[1]) == (130, "forest: interrupted\nWhole trees are stored.\n")


def test_the_store_can_be_named_in_four_ways(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    (tmp_path / "forest.toml").write_text('store = "sqlite:///toml.db"\n')
    run("init")
    monkeypatch.setenv("FOREST_STORE", "sqlite:///env.db")
    run("init")
    run("--store", "sqlite:///option.db", "init")
    assert sorted(p.name for p in tmp_path.glob("*.db")) == [
        "env.db",
        "forest.db",
        "option.db",
        "toml.db",
    ]


@pytest.mark.parametrize("text", ["store = ", "stor = 'x'", "store = 3", "\xff"])
def test_a_settings_file_that_is_wrong(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "forest.toml").write_bytes(text.encode("latin-1"))
    code, _, err = run("list")
    assert code == 2
    assert "forest.toml" in err


def test_wrong_usage_exits_with_2(run: Run) -> None:
    assert run("no-such-command")[0] == 2
    assert "list" in run("lst")[2]
    assert run("list", "--no-such-option")[0] == 2
    assert run("--store", "nonsense", "list")[0] == 2
    assert run("import")[0] == 2
    code, _, err = run("--store", "", "init")
    assert code == 2
    assert "the store URL is empty" in err
    assert run("copy", "", "memory:")[0] == 2
    assert run("show", "x", "--json", "--yaml")[0] == 2


@pytest.mark.parametrize(
    "url",
    [
        "memory:x",
        "sqlite:forest.db",
        "sqlite:///",
        "sqlite:///new/",
        "sqlite:///:memory:",
        "sqlite:///folder",
    ],
)
def test_an_odd_store_url_is_wrong_usage_and_makes_nothing(
    run: Run, tmp_path: Path, url: str
) -> None:
    (tmp_path / "folder").mkdir()
    code, _, err = run("--store", url, "init")
    assert code == 2
    assert repr(url) in err
    assert "sqlite:///" in err.partition("\n")[2]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_password_in_the_address_is_refused_and_not_repeated(run: Run) -> None:
    code, _, err = run("--store", "neo4j://neo4j:sesame@127.0.0.1:1", "list")
    assert code == 2
    assert "sesame" not in err
    assert "NEO4J_PASSWORD" in err


def test_import_reports(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("tree: Одно\nnodes:\n- {level: 0, text: Мысль}\n")
    (tmp_path / "bad.yaml").write_text("tree: Два\nnodes:\n- {level: 0, text: ''}\n")
    code, out, err = run("import", "good.yaml", "bad.yaml")
    assert code == 1
    assert "bad.yaml:3" in err
    code, out, err = run("import", "--keep-going", "good.yaml", "bad.yaml")
    assert code == 1
    assert "1 tree added" in out
    assert "left out: bad.yaml:3" in err
    code, out, err = run("import", "--keep-going", "good.yaml", "missing.yaml")
    assert (code, "1 unchanged, 1 left out" in out) == (1, True)
    assert "left out: missing.yaml: no such file" in err
    code, out, _ = run("import", "--json", "good.yaml")
    assert code == 0
    assert json.loads(out)["unchanged"] == ["одно"]


@pytest.mark.usefixtures("planted")
def test_a_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    show = subprocess.Popen(
        [sys.executable, "-m", "forest", "show", "vospriyatie-vremeni"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert show.stdout
    assert show.stderr
    assert show.stdout.readline() == "Восприятие времени\n"
    show.stdout.close()
    assert show.stderr.read() == ""
    show.wait()
    show.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "t", "--new", "T", ""], "empty"),
        (["add", "t", "--new", "", "x"], "title"),
        (["add", "t", "--new", "T", "--axis", "a=50%", "x"], "sum to 0.5"),
        (["add", "t", "--new", "T", "--anchor", "", "x"], "anchor 1: it is empty"),
        (["axes", "add", ""], "name"),
    ],
)
def test_bad_words_on_the_command_line_are_one_clear_error(
    run: Run, arguments: list[str], message: str
) -> None:
    run("init")
    code, _, err = run(*arguments)
    assert code == 1
    assert message in err
    assert len(err.splitlines()) <= 2
    assert run("list")[1] == ""


def test_adding_to_nothing_makes_no_forest(run: Run, tmp_path: Path) -> None:
    assert run("add", "t", "x")[0] == 1
    assert not (tmp_path / "forest.db").exists()


def test_an_export_does_not_delete_what_is_not_its_own(planted: Run, tmp_path: Path) -> None:
    assert planted("export", "corpus")[0] == 0
    (tmp_path / "corpus/notes.txt").write_text("mine")
    code, _, err = planted("export", "corpus")
    assert code == 1
    assert "notes.txt" in err
    assert (tmp_path / "corpus/notes.txt").read_text() == "mine"


def test_a_new_export_has_another_card_header(planted: Run, tmp_path: Path) -> None:
    """Loaders take a folder with the same header for the one that they have cached."""
    planted("export", "corpus")
    before = (tmp_path / "corpus/README.md").read_text().split("---")[1]
    planted("remove", "bog", "--yes")
    planted("export", "corpus")
    assert (tmp_path / "corpus/README.md").read_text().split("---")[1] != before


@pytest.mark.parametrize(
    "url",
    [
        "neo4j://neo4j:sesame@127.0.0.1:1",
        "neo4j://neo4j:ses/ame@h",
        "neo4j//neo4j:sesame@h",
        "postgres://neo4j:sesame@h",
        "neo4j://127.0.0.1:1?password=sesame",
    ],
)
def test_a_password_in_an_address_is_never_repeated(run: Run, url: str) -> None:
    code, out, err = run("--store", url, "list")
    assert code == 2
    assert "ses" not in out + err


def test_a_password_in_the_settings_is_never_repeated(run: Run, tmp_path: Path) -> None:
    (tmp_path / "forest.toml").write_text("neo4j_password = 12345678\n")
    code, _, err = run("list")
    assert code == 2
    assert "12345678" not in err


def test_cypher_without_any_forest_says_how_to_get_it(run: Run) -> None:
    code, _, err = run("cypher", "RETURN 1")
    assert code == 1
    assert "forest neo4j start" in err


def test_signs_that_a_terminal_obeys_are_spelled_out(run: Run) -> None:
    with Forest.open("sqlite:///forest.db") as forest:
        forest.add_steps("x", ["a\x9b31mb", "c\u202ed"], title="T\u202e")
    for command in ("show", "list"):
        out = run(command, *(["x"] if command == "show" else []))[1]
        assert "T\\u202e" in out
        assert not {"\x9b", "\u202e"} & set(out)
    assert "a\\x9b31mb" in run("show", "x")[1]
    assert "y\\x9b2J" in run("show", "y\x9b2J")[2]


def test_a_table_in_a_pipe_is_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "b"), [("1\t2", "3\n4")], names=True)
    assert capsys.readouterr().out == "a\tb\n1\\t2\t3\\n4\n"


def test_an_empty_anchor_is_named_as_one(run: Run) -> None:
    said = run("add", "x", "text", "--new", "X", "--anchor", "ok", "--anchor", "")[2]
    assert "anchor 2: it is empty" in said


def test_the_default_recipe_can_be_printed_and_used(planted: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(planted("export", "--print-recipe")[1], encoding="utf-8")
    assert planted("export", "corpus", "--recipe", str(recipe))[0] == 0


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("command", [["--help"], ["list", "--help"], ["list"]])
def test_who_closes_the_output_is_told_apart_from_findings(
    tmp_path: Path, command: list[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # as `head` does, before it is written into
    with os.fdopen(writing, "wb") as closed:
        ended = subprocess.run(
            [sys.executable, "-m", "forest", *command], cwd=tmp_path, stdout=closed, check=False
        )
    assert ended.returncode == 141
