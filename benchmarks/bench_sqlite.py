"""SQLite: import and ordered stream, each beside the bare thing, in one run.

    python benchmarks/bench_sqlite.py                          1,000,000 thoughts, 1,000 trees
    python benchmarks/bench_sqlite.py --thoughts 100000        smaller
    python benchmarks/bench_sqlite.py --scale                  also a tenth of it, per thought

Beside `forest import` stands one `executemany` per table of the very same rows, already in memory,
into the same schema with the same pragmas; beside the stream of trees the ordered SELECTs of the
same rows. Measurements are processes of their own, in turn (A B A B …); the fastest round of each
counts, as what else the machine does only ever adds time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

ROUNDS = 5
TABLES = ("tree", "thought", "phrase", "anchored", "axis", "aligned")


def do_import(source: Path, target: Path) -> float:
    """`forest import` of a JSONL file into a new forest."""
    from forest import Forest

    with Forest.open(f"sqlite:///{target}") as forest:
        start = time.perf_counter()
        forest.import_files([source])
        return time.perf_counter() - start


def bare_insert(source: Path, target: Path) -> float:
    """One executemany per table, of rows that are already in memory."""
    from forest.stores.sqlite import SqliteStore

    with closing(sqlite3.connect(source)) as db:
        rows = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    with SqliteStore(target) as store:
        db = store._db
        start = time.perf_counter()
        db.execute("BEGIN IMMEDIATE")
        for table, values in rows.items():
            marks = ",".join("?" * len(values[0]))
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
        db.execute("COMMIT")
        return time.perf_counter() - start


def stream(source: Path, _: Path) -> float:
    """Every tree of the forest, in order."""
    from forest import Forest

    with Forest.open(f"sqlite:///{source}") as forest:
        start = time.perf_counter()
        for _tree in forest:
            pass
        return time.perf_counter() - start


def bare_select(source: Path, _: Path) -> float:
    """The same rows, in order, thrown away."""
    with closing(sqlite3.connect(source)) as db:
        db.execute("PRAGMA cache_size = -65536")
        start = time.perf_counter()
        for _row in db.execute("SELECT text, level, id, kind, lang, key FROM thought ORDER BY key"):
            pass
        for _row in db.execute(
            "SELECT thought, phrase, origin, score FROM anchored ORDER BY thought, position"
        ):
            pass
        return time.perf_counter() - start


STEPS: dict[str, Callable[[Path, Path], float]] = {
    f.__name__: f for f in (do_import, bare_insert, stream, bare_select)
}


def measure(step: str, source: Path, target: Path) -> tuple[float, float]:
    """(seconds, peak resident memory in MB) of a step in a process of its own.

    What earlier steps wrote is on the disk before it starts, so that it does not pay for them.
    """
    os.sync()
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, str(source), str(target)],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


def pair(folder: Path, ours: str, bare: str, rounds: int) -> tuple[float, float, float]:
    """(seconds ours, seconds bare, MB ours): the fastest of rounds in which both run in turn."""
    a, b, peak = [], [], []
    for number in range(rounds):
        source = folder / ("forest.jsonl" if ours == "do_import" else "forest.db")
        target = folder / f"{ours}-{number}.db"
        seconds, megabytes = measure(ours, source, target)
        a.append(seconds)
        peak.append(megabytes)
        if ours == "do_import" and not number:
            shutil.copyfile(target, folder / "forest.db")
        b.append(measure(bare, folder / "forest.db", folder / f"{bare}-{number}.db")[0])
        for old in folder.glob("*-[0-9].db"):
            old.unlink()
    return min(a), min(b), max(peak)


def run(
    thoughts: int, trees: int, anchors: int, rounds: int, scratch: str | None
) -> dict[str, float]:
    """Measure one size and print its rows."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        sizes = ["--thoughts", thoughts, "--trees", trees, "--anchors", anchors]
        # A process of its own: the peak memory of a process counts from its parent's.
        generate = [sys.executable, str(Path(__file__).with_name("generate.py"))]
        subprocess.run([*generate, str(folder / "forest.jsonl"), *map(str, sizes)], check=True)
        print(f"{thoughts:,} thoughts, {trees:,} trees, {anchors:,} anchors")
        per = {}
        for title, ours, bare in (
            ("import", "do_import", "bare_insert"),
            ("stream", "stream", "bare_select"),
        ):
            a, b, peak = pair(folder, ours, bare, rounds)
            per[title] = a / thoughts * 1e6
            print(
                f"  {title:8} {per[title]:6.2f} µs a thought; bare {b / thoughts * 1e6:6.2f}; "
                f"speed {b / a:.2f} of the bare one; peak {peak:,.0f} MB"
            )
    return per


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--thoughts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scale", action="store_true", help="compare with a tenth of the size")
    parser.add_argument("--scratch", help="folder for temporary files")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        name, source, target = options.step
        seconds = STEPS[name](Path(source), Path(target))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([seconds, peak]))
        return
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    n = options.thoughts
    small = (
        run(n // 10, max(1, n // 10_000), max(1, n // 500), options.rounds, options.scratch)
        if options.scale
        else None
    )
    large = run(n, max(1, n // 1_000), max(1, n // 50), options.rounds, options.scratch)
    if small:
        for title in large:
            print(
                f"  {title:8} time per thought at {n:,} / at {n // 10:,}: "
                f"{large[title] / small[title]:.2f}"
            )


if __name__ == "__main__":
    main()
