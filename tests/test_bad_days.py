"""Bad input and bad luck, through the command line: one clear error each, and nothing lost."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from forest import Forest, Tree

ROOT = Path(__file__).parents[1]


def tree(*nodes: dict[str, Any], **head: Any) -> bytes:
    return json.dumps({"tree": "x", "nodes": nodes} | head, ensure_ascii=False).encode()


def node(level: int, text: str = "t", **more: Any) -> dict[str, Any]:
    return {"level": level, "text": text} | more


BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n".encode()
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

BAD = {
    "cycle": (
        "a.json",
        tree(
            {"id": "r", "text": "root"},
            {"id": "a", "parent": "b", "text": "x"},
            {"id": "b", "parent": "a", "text": "y"},
        ),
        "circle",
    ),
    "missing parent": (
        "a.json",
        tree({"id": "r", "text": "root"}, {"id": "a", "parent": "nowhere", "text": "x"}),
        "'nowhere'",
    ),
    "two roots": (
        "a.json",
        tree(
            {"id": "a", "text": "x"},
            {"id": "b", "text": "y"},
            {"id": "c", "parent": "a", "text": "z"},
        ),
        "one root",
    ),
    "levels that jump": ("a.json", tree(node(0), node(2)), "jumps from level 0 to 2"),
    "two outlines in one": ("a.json", tree(node(0), node(0)), "second root"),
    "empty text": ("a.json", tree(node(0), node(1, "  ")), "empty"),
    "a text of 10 MB": ("a.json", tree(node(0, "ы" * 10_000_000)), "10,000,000 characters"),
    "NUL in a text": ("a.json", tree(node(0, "a\0b")), "U+0000"),
    "NUL in a file": ("a.yaml", b"tree: x\0y\n", "NUL"),
    "lone surrogate": ("a.json", b'{"tree":"x","nodes":[{"level":0,"text":"\\ud800"}]}', "a.json"),
    "duplicate ids": ("a.json", tree(node(0, id="n"), node(1, id="n")), "'n'"),
    "a key written twice": ("a.json", b'{"tree":"x","tree":"y","nodes":[]}', "twice"),
    "an unknown key": ("a.json", tree(node(0, txt="x")), "txt"),
    "weights": ("a.json", tree(node(0), axes={"a": 0.5, "b": 0.4}), "sum to 0.9"),
    "negative weight": ("a.json", tree(node(0), axes={"a": -1, "b": 2}), "above 0"),
    "a YAML bomb": ("a.yaml", BOMB, "a.yaml"),
    "a YAML tag": ("a.yaml", b"tree: !!python/object/apply:os.system ['true']\n", "a.yaml"),
    "not UTF-8": ("a.json", '{"tree":"справедливость"}'.encode("cp1251"), "not UTF-8"),
    "UTF-16": ("a.yaml", "tree: x".encode("utf-16"), "UTF-16"),
    "cut off": ("a.json", tree(node(0))[:-5], "a.json:1"),
    "no tree": ("a.json", b"[1, 2]", "expected a tree"),
    "an empty file": ("a.jsonl", b"", "empty"),
    "a broken JSON block in a note": (
        "a.md",
        b'# t\n\n```json\n{"tree": "x", "nodes": [{"level": 0}]}\n```\n',
        "a.md:4",
    ),
}


def forest_command(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "forest", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a forest of one tree."""
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        kept = Tree("kept")
        kept.add("what was there before")
        forest.add(kept)
    return tmp_path


def revision(folder: Path) -> str:
    with Forest.open(f"sqlite:///{folder / 'forest.db'}") as forest:
        assert forest.check() == []
        return forest.revision


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(
    folder: Path, case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from forest.cli import main

    name, content, says = BAD[case]
    (folder / name).write_bytes(content)
    before = revision(folder)
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        main(["import", name])
    err = capsys.readouterr().err
    assert ended.value.code == 1
    assert err.startswith(f"forest: {name}")
    assert says in err
    assert "Traceback" not in err
    assert len(err) < 1000
    assert revision(folder) == before


def test_a_link_that_leads_out_of_a_vault_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from forest.cli import main

    (folder / "secret.md").write_text("# secret\n")
    vault = folder / "vault"
    vault.mkdir()
    (vault / "good.md").write_text("# good\n")
    (vault / "escape.md").symlink_to(folder / "secret.md")
    before = revision(folder)
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        main(["import", "vault"])
    assert ended.value.code == 1
    assert "escape.md" in capsys.readouterr().err
    assert revision(folder) == before


def big_file(folder: Path, trees: int = 300, size: int = 200) -> Path:
    path = folder / "big.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(trees):
            nodes = [{"level": min(i, 50), "text": f"шаг {number} {i}"} for i in range(size)]
            file.write(json.dumps({"tree": f"t{number:04}", "nodes": nodes}) + "\n")
    return path


@pytest.mark.parametrize("kilobytes", [1, 200, 1000])
def test_an_import_that_is_killed_leaves_nothing_behind(folder: Path, kilobytes: int) -> None:
    big_file(folder)
    before = revision(folder)
    process = forest_command(folder, "import", "big.jsonl")
    written = folder / ("forest.db-wal" if (folder / "forest.db-wal").exists() else "forest.db")
    start = (folder / "forest.db").stat().st_size
    while process.poll() is None:
        grown = (folder / "forest.db").stat().st_size - start if written.exists() else 0
        if grown >= kilobytes * 1000 or (folder / "forest.db-journal").exists():
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert revision(folder) == before
    again = forest_command(folder, "import", "big.jsonl")
    out, err = again.communicate()
    assert again.returncode == 0, err
    assert "300 trees added" in out


def test_a_full_disk_stops_an_import_and_nothing_is_lost(folder: Path) -> None:
    big_file(folder)
    before = revision(folder)
    size = (folder / "forest.db").stat().st_size

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500_000, size + 500_000))

    process = forest_command(folder, "import", "big.jsonl", preexec_fn=small_disk)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "disk" in err
    assert revision(folder) == before


def test_two_imports_at_once_both_arrive(folder: Path) -> None:
    for name in "ab":
        nodes = [{"level": min(i, 1), "text": f"{name} {i}"} for i in range(2000)]
        trees = [{"tree": f"{name}{n}", "nodes": nodes} for n in range(20)]
        lines = "".join(json.dumps(t) + "\n" for t in trees)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    both = [forest_command(folder, "import", f"{name}.jsonl") for name in "ab"]
    for process in both:
        _, err = process.communicate()
        assert process.returncode == 0, err
    with Forest.open(f"sqlite:///{folder / 'forest.db'}") as forest:
        assert len(list(forest.infos())) == 41
        assert forest.check() == []


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_told_to_stop_cleans_up(folder: Path, sign: int, code: int) -> None:
    program = f"""
        import os, signal
        from exporters.export import Making
        from forest.cli import main
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
        Making.trees = lambda *_: os.kill(os.getpid(), {int(sign)})
        main(["export", "corpus"])
        """
    with Forest.open(f"sqlite:///{folder / 'forest.db'}") as forest:
        forest.plant_sample()
    before = sorted(folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.strip() in ("forest: interrupted", "forest: terminated")
    assert sorted(folder.iterdir()) == before
