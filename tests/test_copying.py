"""What a copy of a forest leaves behind: a whole forest at its place, and nothing else."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from anchors.importing import import_files
from forest import Forest, Tree
from forest.errors import Conflict, StoreError
from forest.scratch import scratch_folder
from tests.test_bad_days import forest_command

KILLED = """
import os, sys
from pathlib import Path
from forest.scratch import scratch_folder
with scratch_folder("forest-copy-", Path(sys.argv[1])) as room:
    (room / "snapshot.db").write_text("a whole forest")
    os._exit(9)
"""


@pytest.fixture
def forest(tmp_path: Path):
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as opened:
        tree = Tree("Корень", id="a")
        tree.add("Корень.")
        opened.add(tree)
        yield opened


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_a_killed_copy_left_goes_at_the_next_one(
    forest: Forest, temporary: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(temporary)], check=False)
    assert len(list(temporary.iterdir())) == 1
    (temporary / "forest-copy-link").symlink_to(tmp_path)
    with scratch_folder("forest-copy-") as used:
        forest.copy_to(f"sqlite:///{tmp_path / 'copy.db'}")
        assert {path.name for path in temporary.iterdir()} == {used.name, "forest-copy-link"}


def test_a_copy_that_fails_leaves_no_file(forest: Forest, tmp_path: Path) -> None:
    target = tmp_path / "there" / "copy.db"
    target.parent.mkdir()
    subprocess.run(
        [sys.executable, "-c", KILLED.replace("forest-copy-", ".copy.db.partial-"), target.parent],
        check=False,
    )

    def fails(_: int) -> None:
        assert not target.exists()
        raise RuntimeError("it fails")

    with pytest.raises(RuntimeError, match="it fails"):
        forest.copy_to(f"sqlite:///{target}", fails)
    assert list(target.parent.iterdir()) == []
    forest.copy_to(f"sqlite:///{target}")
    with Forest.open(f"sqlite:///{target}") as copy:
        assert copy.revision == forest.revision
    assert list(target.parent.iterdir()) == [target]


def test_the_journal_of_a_file_that_was_removed_is_not_played_into_a_new_one(
    forest: Forest, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    forest.copy_to(f"sqlite:///{old}")
    db = sqlite3.connect(old, isolation_level=None)
    db.execute("PRAGMA journal_mode = delete")
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    db.execute("DELETE FROM thought")
    journal = old.with_name("old.db-journal").read_bytes()
    db.execute("ROLLBACK")
    db.close()
    old.unlink()
    old.with_name("old.db-journal").write_bytes(journal)
    tree = Tree("Новое", id="new")
    tree.add("Новое.")
    Forest.act_in(f"sqlite:///{old}", lambda made: made.add(tree))
    with Forest.open(f"sqlite:///{old}") as made:
        assert list(made.check()) == []
        assert [found.id for found in made] == ["new"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_came_meanwhile_is_not_overwritten(
    forest: Forest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "there" / "copy.db"
    target.parent.mkdir()

    def comes(_: int) -> None:
        target.write_text("mine")

    with pytest.raises(Conflict, match=r"copy\.db came into being meanwhile"):
        forest.copy_to(f"sqlite:///{target}", comes)
    assert target.read_text() == "mine"
    assert list(target.parent.iterdir()) == [target]
    target.unlink()
    forest.copy_to(f"sqlite:///{target}")
    with pytest.raises(Conflict, match="already holds trees"):
        forest.copy_to(f"sqlite:///{target}")
    with pytest.raises(StoreError, match="does not exist"):
        forest.copy_to(f"sqlite:///{tmp_path}/nowhere/copy.db")


def test_a_full_folder_for_temporary_files_is_named(forest: Forest, tmp_path: Path) -> None:
    forest.plant_axes()

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    process = forest_command(
        tmp_path, "copy", "sqlite:///forest.db", "memory:", preexec_fn=small_disk
    )
    err = process.communicate()[1]
    assert process.returncode == 1
    assert f"no room in the folder for temporary files, {tempfile.gettempdir()}" in err
    assert "TMPDIR" in err


def imported_on(here: Forest, there: Forest, vault: Path) -> None:
    """Notes of one forest, copied to another, and edited: that one takes them over."""
    water = "Δ12 = (вода + весна)\n\nΔ12 говорит:\n- телесно: {}\n"
    vault.mkdir()
    for name in ("x", "y"):
        (vault / f"{name}.md").write_text(f"# {name}\n\nТекст {name}.\n", encoding="utf-8")
    (vault / "f.md").write_text("# F\n\n" + water.format("Пульс"), encoding="utf-8")
    import_files(here, [vault])
    here.copy_to(there)
    assert there.revision == here.revision
    (vault / "x.md").write_text("# x\n\nДругой текст.\n", encoding="utf-8")
    if there.store.folder is not None:  # on a server it may be another author's
        (vault / "y.md").rename(vault / "z.md")
    (vault / "f.md").write_text("# F\n\n" + water.format("Край"), encoding="utf-8")
    done = import_files(there, [vault])
    assert (done.trees.added, done.trees.notices) == ([], [])
    assert "x" in done.trees.changed
    assert (done.formulas.scenes, done.formulas.removed, done.formulas.notices) == (1, 1, [])
    assert {t.text for t in there.get("y")} == {"y", "Текст y."}


@pytest.mark.parametrize("to", ["sqlite:///{}/else/where/f.db", "memory:"])
def test_files_of_a_copied_forest_are_known_where_it_lies(
    forest: Forest, tmp_path: Path, to: str
) -> None:
    (tmp_path / "else" / "where").mkdir(parents=True)
    with Forest.open(to.format(tmp_path)) as other:
        imported_on(forest, other, tmp_path / "vault")
