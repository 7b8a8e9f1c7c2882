"""Forests in files, and other processes that use them."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from forest.identity import finished
from forest.model import Thought, Tree
from forest.stores.sqlite import SqliteStore

MODES = ["DELETE", "WAL"]


def tree(tree_id: str, *texts: str) -> Tree:
    thoughts = [Thought(text=x, level=min(i, 1)) for i, x in enumerate(texts or ("Корень.", "Шаг"))]
    return finished(Tree(tree_id, id=tree_id, thoughts=thoughts))


def put(store: SqliteStore, *trees: Tree) -> None:
    store.write(trees, lambda _, new: new)


def intact(path: Path) -> SqliteStore:
    """Open the forest again; whatever happened to it, it is whole."""
    store = SqliteStore(path, create=False)
    assert list(store.check()) == []
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    lost = "SELECT * FROM anchored WHERE thought NOT IN (SELECT key FROM thought)"
    assert db.execute(lost).fetchall() == []
    db.close()
    return store


PREAMBLE = """
import sys
from pathlib import Path
from forest.errors import ForestError
from forest.identity import finished
from forest.model import Thought, Tree
from forest.stores.sqlite import SqliteStore, connection, schema
path, mode = Path(sys.argv[1]), sys.argv[2]
connection.wal_is_safe = lambda: mode == "WAL"
def opened():
    store = SqliteStore(path)
    store._db.execute("PRAGMA cache_size = 20")  # write pages early, as a big change does
    return store
def big(tree_id, text, size=2000):
    thoughts = [Thought(text=f"{text} {i} " + "x" * 200, level=min(i, 1)) for i in range(size)]
    return finished(Tree(tree_id, id=tree_id, thoughts=thoughts))
def say(*words):
    print(*words, flush=True)
"""


class Other:
    """Another process that runs some lines of Python."""

    def __init__(self, code: str, path: Path, mode: str) -> None:
        self.path = path
        program = PREAMBLE + textwrap.dedent(code)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(path), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def hears(self, line: str) -> None:
        """Wait until it says a line."""
        said = self.out.readline().strip()
        assert said == line, said + self.complaint()

    def tell(self) -> None:
        """Let it go on; it waits on its input."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            assert self.process.poll() is None, f"it ended: {self.complaint()}"
            time.sleep(0.001)

    def complaint(self) -> str:
        self.process.kill()
        return self.process.communicate()[1]

    def kill(self) -> list[str]:
        """SIGKILL; returns what it had said and nobody has read."""
        self.process.send_signal(signal.SIGKILL)
        rest = self.out.read().splitlines()
        assert self.process.wait() == -signal.SIGKILL
        return rest

    def ends(self) -> list[str]:
        """Wait for its end, which is a good one; returns what it said."""
        out, complaint = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, complaint
        return out.splitlines()


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def log(path: Path, mode: str) -> Path:
    return path.with_name(path.name + ("-wal" if mode == "WAL" else "-journal"))


def columns(path: Path, table: str) -> list[str]:
    db = sqlite3.connect(path)
    try:
        return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    finally:
        db.close()


def add_note(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE thought ADD COLUMN note TEXT")


def header_mode(path: Path) -> str:
    """The mode that the file's own header tells: SQLite's file format, offset 18."""
    return {1: "DELETE", 2: "WAL"}[path.read_bytes()[18]]
