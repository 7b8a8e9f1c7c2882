"""A corpus folder is replaced whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporters import export, files, folder, writing
from exporters.export import export_corpus
from exporters.scratch import Scratch
from exporters.walks import Gatherer
from forest.errors import ExportError, StoreError
from forest.identity import finished
from forest.model import Tree
from forest.stores.memory import MemoryStore
from forest.stores.sqlite import SqliteStore
from tests.export_helpers import SMALL, beside, content, planted, tree
from training.corpus import Corpus

ONE = [tree("One", "First. {x}\n  Second."), tree("Two", "Third. {x}\n  Fourth.")]
OTHER = [tree("Three", "Fifth. {y}\n  Sixth."), tree("Four", "Seventh. {y}\n  Eighth.")]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that holds a corpus."""
    (tmp_path / "place").mkdir()
    corpus = tmp_path / "place" / "corpus"
    export_corpus(planted(*ONE), corpus, SMALL)
    return corpus


def test_an_export_leaves_nothing_beside_the_corpus(out: Path) -> None:
    assert beside(out) == []
    export_corpus(planted(*OTHER), out, SMALL)
    assert beside(out) == []
    assert "Fifth." in (out / "data" / "train-00000.jsonl").read_text(encoding="utf-8")


def test_folders_above_are_made(tmp_path: Path) -> None:
    export_corpus(planted(*ONE), tmp_path / "a" / "b" / "corpus", SMALL)
    assert len(Corpus.open(tmp_path / "a" / "b" / "corpus")) > 0


def test_an_empty_folder_becomes_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    export_corpus(planted(*ONE), tmp_path / "corpus", SMALL)
    assert len(Corpus.open(tmp_path / "corpus")) > 0


def test_a_link_to_a_corpus_stays_a_link(out: Path) -> None:
    latest = out.parent.parent / "latest"
    latest.symlink_to(out)
    export_corpus(planted(*OTHER), latest, SMALL)
    assert latest.is_symlink()
    assert "Fifth." in (out / "data" / "train-00000.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "files",
    [{"thesis.tex": "years of work"}, {"manifest.json": "{}"}, {"manifest.json": "not JSON"}],
)
def test_what_is_not_a_corpus_is_refused_and_left_alone(
    files: dict[str, str], tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    before = content(place)
    with pytest.raises(ExportError, match="is not a corpus"):
        export_corpus(planted(*ONE), place, SMALL)
    assert content(place) == before
    assert beside(place) == []


@pytest.mark.parametrize("name", ["thesis.tex", "data/notes.md", "probes/mine.jsonl"])
def test_what_a_user_put_into_a_corpus_is_not_lost(name: str, out: Path) -> None:
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("years of work", encoding="utf-8")
    before = content(out)
    with pytest.raises(ExportError, match=f"{name} in it is not: it would be lost"):
        export_corpus(planted(*OTHER), out, SMALL)
    assert content(out) == before
    assert beside(out) == []


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "corpus").write_text("text", encoding="utf-8")
    with pytest.raises(ExportError, match="is a file"):
        export_corpus(planted(*ONE), tmp_path / "corpus", SMALL)


def test_a_second_export_meanwhile_is_refused(out: Path) -> None:
    refused: list[ExportError] = []

    def meanwhile(*_: object) -> None:
        with pytest.raises(ExportError, match="another export is writing") as error:
            export_corpus(planted(*ONE), out, SMALL)
        refused.append(error.value)

    export_corpus(planted(*OTHER), out, SMALL, progress=meanwhile)
    assert refused
    assert "Fifth." in (out / "data" / "train-00000.jsonl").read_text(encoding="utf-8")


def test_an_export_to_another_folder_meanwhile_is_fine(out: Path) -> None:
    def meanwhile(*_: object) -> None:
        export_corpus(planted(*ONE), out.parent / "corpus2", SMALL)

    export_corpus(planted(*OTHER), out, SMALL, progress=meanwhile)
    assert content(out) != content(out.parent / "corpus2")


def test_an_error_leaves_the_earlier_corpus(out: Path) -> None:
    before = content(out)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_corpus(planted(*OTHER), out, SMALL, progress=interrupted)
    assert content(out) == before
    assert beside(out) == []


@pytest.mark.parametrize("moved", [True, False])
def test_a_folder_that_is_moved_or_removed_meanwhile_is_named_and_not_the_forest(
    moved: bool, out: Path
) -> None:
    """The copy of the forest, which lies in it while it is read, is gone as well."""
    place, elsewhere = out.parent, out.parents[1] / "elsewhere"
    with SqliteStore(out.parents[1] / "forest.db") as store:
        store.write(OTHER, lambda _, new: new)

        def meanwhile(*_: object) -> None:
            if place.exists():
                place.rename(elsewhere) if moved else shutil.rmtree(place)

        with pytest.raises(ExportError, match=f"{place} was moved or removed while corpus was"):
            export_corpus(store, out, SMALL, progress=meanwhile)
        export_corpus(store, elsewhere / "corpus", SMALL)
    assert beside(elsewhere / "corpus") == []


def test_a_folder_that_was_moved_meanwhile_is_not_made_again(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, take = out.parent, writing.Writing.take

    def moved_before(*args: Any) -> None:
        if place.exists():
            place.rename(place.with_name("elsewhere"))
        take(*args)

    monkeypatch.setattr(writing.Writing, "take", moved_before)
    monkeypatch.setattr(files._Lines, "buffer", 1)
    with pytest.raises(ExportError, match=f"{place} was moved or removed while corpus was"):
        export_corpus(planted(*OTHER), out, SMALL)
    assert not place.exists()


def test_a_forest_that_is_removed_meanwhile_is_named(out: Path) -> None:
    forest = out.parents[1] / "forest.db"
    with SqliteStore(forest) as store:
        store.write(OTHER, lambda _, new: new)
        forest.unlink()
        with pytest.raises(StoreError, match=r"forest\.db was removed or renamed while"):
            export_corpus(store, out, SMALL)


# --- without an exchange in one step --------------------------------------------------------------


def test_without_exchange_the_earlier_corpus_is_moved_aside(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_exchange", lambda *_: False)
    export_corpus(planted(*OTHER), out, SMALL)
    assert beside(out) == []
    assert "Fifth." in (out / "data" / "train-00000.jsonl").read_text(encoding="utf-8")


def test_a_corpus_that_was_moved_aside_by_a_killed_export_comes_back(out: Path) -> None:
    before = content(out)
    left = out.parent / ".corpus.partial-killed"
    left.mkdir()
    out.rename(left / "earlier")  # killed here
    marked = planted(tree("T", "a ⤳ b"))
    with pytest.raises(ExportError, match="marks a jump"):
        export_corpus(marked, out, SMALL)
    assert content(out) == before
    assert beside(out) == []


def test_exchange_is_one_step_on_this_system(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "mark").touch()
    if not folder._exchange(one, other):
        pytest.skip("no renameat2 here")
    assert (other / "mark").exists()
    assert not (one / "mark").exists()


# --- errors of the disk ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "there is no room"),
        (errno.EDQUOT, "there is no room"),
        (errno.EBUSY, "mount point"),
        (errno.EROFS, "cannot be written"),
    ],
)
def test_errors_of_the_disk_are_told(
    number: int, says: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(out)

    def failing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(folder, "_put_in_place", failing)
    with pytest.raises(ExportError, match=says):
        export_corpus(planted(*OTHER), out, SMALL)
    assert content(out) == before
    assert beside(out) == []


FULL = """
import resource, sys
from pathlib import Path
from exporters.export import export_corpus
from exporters.recipe import Recipe
from exporters.scratch import Scratch
from exporters.walks import Gatherer
from forest.errors import ExportError, StoreError
from tests.export_helpers import planted
from tests.test_export_folder import grown
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    recipe = Recipe.read({"order": sys.argv[3]}, "of this test")
    export_corpus(grown(40), Path(sys.argv[1]), recipe)
except ExportError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize(
    ("room", "order"),
    [(4096, "shuffled"), (4096, "curriculum"), (300_000, "curriculum"), (1_000_000, "curriculum")],
)
def test_a_full_disk_is_told_and_leaves_the_earlier_corpus(
    room: int, order: str, out: Path
) -> None:
    """No file may grow past the limit.

    First those meet it by which trees are compared, then the scratch file, then the data file.
    """
    before = content(out)
    done = _python(FULL, str(out), str(room), order)
    told = done.communicate()[1]
    assert done.returncode == 1, told
    assert b"there is no room to write" in told
    assert b"What was there before is unchanged." in told
    assert content(out) == before
    assert beside(out) == []


# --- kill -9 --------------------------------------------------------------------------------------


def grown(size: int) -> MemoryStore:
    """A forest of ``size`` trees of 60 thoughts that meet at anchors."""
    forest = []
    for number in range(size):
        made = Tree(f"Дерево {number}")
        for step in range(60):
            anchors = [f"якорь {(number * 7 + step) % 40}"] if step % 3 == 0 else []
            made.add(f"Мысль {step} дерева {number} ведёт к следующей.", anchors=anchors)
        forest.append(finished(made))
    return planted(*forest)


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_before(owner: object, name: str, call: int = 1) -> None:
    """Kill this process with signal 9 when a function is called for the ``call``-th time."""
    calls = itertools.count(1)
    function = getattr(owner, name)

    def dying(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            _die()
        return function(*arguments, **options)

    setattr(owner, name, dying)


def _die_between_renames() -> None:
    vars(folder)["_exchange"] = lambda *_: False
    _die_before(Path, "rename", 2)


MOMENTS: dict[str, Callable[[], object]] = {
    "the lock is taken": lambda: _die_before(tempfile, "mkdtemp"),
    "the first tree is read": lambda: _die_before(Gatherer, "gather"),
    "many trees are read": lambda: _die_before(Gatherer, "gather", 40),
    "the jumps are linked": lambda: _die_before(Scratch, "link"),
    "some walks are written": lambda: _die_before(writing.Writing, "_count", 300),
    "a data file is full": lambda: _die_before(os, "fsync"),
    "the card is written": lambda: _die_before(export, "write_synced", 2),
    "the manifest is written": lambda: _die_before(folder, "_sync_folders"),
    "the folders are on the disk": lambda: _die_before(folder, "_put_in_place"),
    "the earlier corpus is moved aside": _die_between_renames,
}
"""What was just done when the process is killed; each leaves the earlier corpus to be found."""

KILLED = """
import sys
from pathlib import Path
from exporters.export import export_corpus
from tests.test_export_folder import MOMENTS, grown
MOMENTS[sys.argv[2]]()
export_corpus(grown(60), Path(sys.argv[1]))
"""


def killed(out: Path, moment: str) -> None:
    process = _python(KILLED, str(out), moment)
    told = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, told


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_export_leaves_the_earlier_corpus(moment: str, out: Path) -> None:
    before = content(out)
    killed(out, moment)
    if moment != "the earlier corpus is moved aside":
        assert content(out) == before
    with pytest.raises(ExportError, match="no trees"):
        export_corpus(planted(), out)  # cleans up, and fails
    assert content(out) == before
    assert beside(out) == []


def test_an_export_after_a_killed_one_replaces_the_corpus(out: Path) -> None:
    killed(out, "the manifest is written")
    export_corpus(planted(*OTHER), out, SMALL)
    assert beside(out) == []
    assert "Fifth." in (out / "data" / "train-00000.jsonl").read_text(encoding="utf-8")


def test_an_export_killed_when_its_corpus_took_the_place_leaves_it(out: Path) -> None:
    script = KILLED.replace("MOMENTS[sys.argv[2]]()", "_die_before(folder.shutil, 'rmtree')")
    script = script.replace("import MOMENTS", "import _die_before, folder")
    process = _python(script, str(out))
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert Corpus.open(out).manifest["splits"]["train"]["trees"] > 2
    export_corpus(planted(*OTHER), out, SMALL)
    assert beside(out) == []


def test_the_first_export_killed_leaves_no_corpus(tmp_path: Path) -> None:
    out = tmp_path / "place" / "corpus"
    killed(out, "the manifest is written")
    assert not out.exists()
    export_corpus(planted(*OTHER), out, SMALL)
    assert beside(out) == []


def _python(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=Path(__file__).parents[1],
        stderr=subprocess.PIPE,
    )
