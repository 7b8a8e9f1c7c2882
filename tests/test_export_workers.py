"""`forest export --workers`: the same bytes, and a worker that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from multiprocessing import active_children
from pathlib import Path

import pytest

from exporters import making
from exporters.export import export_corpus
from exporters.recipe import Recipe
from forest import Forest
from forest.errors import ExportError, IdTaken, MissingExtra
from forest.model import Tree
from forest.stores.sqlite import SqliteStore
from tests.conftest import Run
from tests.export_helpers import beside, content, planted, tree
from tests.test_export_leaks import grown, recipe

EVERYTHING = recipe(
    corpus={"validation": 0.3, "format": "messages", "shard": 20_000}, walks={"hops": 3, "pairs": 2}
)
SHUFFLED = recipe(order="shuffled", budget=30_000)


@pytest.fixture(autouse=True)
def _many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small forest is work for several."""
    for name in ("THOUGHTS", "OCCURRENCES", "CHAINS"):
        monkeypatch.setattr(making, name, 10)


@pytest.mark.parametrize("made", [EVERYTHING, SHUFFLED], ids=["all kinds", "shuffled, a budget"])
def test_two_workers_write_the_bytes_of_one(made: Recipe, tmp_path: Path) -> None:
    export_corpus(planted(*grown()), tmp_path / "one", made)
    with SqliteStore(tmp_path / "forest.db") as store:
        store.write(grown(), lambda _, new: new)
        export_corpus(store, tmp_path / "two", made, workers=2)
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert not active_children()


class Fatal(Recipe):
    """A recipe that kills the process that takes it up."""

    def __setstate__(self, state: dict[str, object]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_ends_the_export_and_leaves_the_earlier_corpus(tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    export_corpus(planted(*grown()), out)
    before = content(out)
    with pytest.raises(ExportError, match="a worker process died"):
        export_corpus(planted(*grown(20)), out, Fatal(), workers=2)
    assert content(out) == before
    assert beside(out) == []
    assert not active_children()


def test_an_error_in_a_worker_is_the_error_of_the_export(tmp_path: Path) -> None:
    forest = [tree("One", "First. {x}\n  A jump ⤳ here."), tree("Two", "Third. {x}\n  Fourth.")]
    with pytest.raises(ExportError, match="contains '⤳'") as alone:
        export_corpus(planted(*forest), tmp_path / "corpus")
    with pytest.raises(ExportError) as together:
        export_corpus(planted(*forest), tmp_path / "corpus", workers=2)
    assert (str(together.value), together.value.hint) == (str(alone.value), alone.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_workers_end_with_the_export_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from multiprocessing import active_children\n"
        "from pathlib import Path\n"
        "from exporters import export, making\n"
        "from tests.export_helpers import planted\n"
        "from tests.test_export_leaks import grown\n"
        "making.THOUGHTS = 10\n"
        "def die(*_):\n"
        "    print(*(child.pid for child in active_children()), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "making.Making.joined = die\n"
        "export.export_corpus(planted(*grown()), Path(sys.argv[1]), workers=2)"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "corpus")],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killed.stdout is not None
    with killed.stdout as told:
        workers = told.readline().split()
        assert told.read() == ""  # they hold it open while they live
    assert killed.wait() == -signal.SIGKILL
    assert len(workers) == 2


def test_the_command_takes_workers(run: Run, tmp_path: Path) -> None:
    with Forest.open() as forest:
        for made in grown(6):
            forest.add(Tree(**made.model_dump()))
    assert run("export", "one")[0] == 0
    code, _, err = run("export", "two", "--workers", "2")
    assert (code, err) == (0, "")
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert run("export", "x.ttl", "--as", "turtle", "--workers", "2")[0] == 2


def test_errors_come_whole_out_of_another_process() -> None:
    from multiprocessing.reduction import ForkingPickler

    for error in (MissingExtra("no", "zstd"), IdTaken("taken", "t", ("a", "b"), hint="look")):
        again = ForkingPickler.loads(ForkingPickler.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
