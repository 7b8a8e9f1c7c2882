"""The export: beside the bare reading and writing of the same, and over an earlier corpus.

    python benchmarks/bench_export.py                        1,000,000 thoughts, 1,000 trees
    python benchmarks/bench_export.py --thoughts 100000      smaller
    python benchmarks/bench_export.py --forest forest.db     a forest that is there; it is copied
    python benchmarks/bench_export.py --scale                import, stream and export of so many
                                                             and a tenth of it: time per thought

Bare is the ordered SELECT of the same rows and one `orjson.dumps` for each of the same records. An
edit changes one thought in a hundred: all of them in one tree in a hundred, or, scattered, one in a
hundred of every tree. Each measurement is a process of its own. CPU seconds, those of workers
included, mean something on a machine that does other things too; seconds by the clock do not.
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
from typing import NamedTuple

import generate


class Cost(NamedTuple):
    """What a measurement took."""

    seconds: float
    cpu: float
    """Of this process and those it started."""
    megabytes: float
    """The most that one process held."""


def export(forest: Path, corpus: Path, workers: int = 1) -> None:
    """`forest export` with the default recipe; over an earlier corpus where there is one."""
    from exporters.export import export_corpus
    from forest import Forest

    with Forest.open(f"sqlite:///{forest}") as opened:
        export_corpus(opened.store, corpus, workers=workers)


def export_by_two(forest: Path, corpus: Path) -> None:
    """The same with two workers."""
    export(forest, corpus, 2)


def plant(forest: Path, lines: Path) -> None:
    """`forest import` of a JSONL file."""
    from forest import Forest

    with Forest.open(f"sqlite:///{forest}") as opened:
        opened.import_files([lines])


def stream(forest: Path, _: Path) -> None:
    """Every tree of the forest, in order."""
    from forest import Forest

    with Forest.open(f"sqlite:///{forest}") as opened:
        for _tree in opened:
            pass


def scan(forest: Path, _: Path) -> None:
    """All thoughts and their anchors, in order, thrown away."""
    with closing(sqlite3.connect(forest)) as db:
        db.execute("PRAGMA cache_size = -65536")
        for _row in db.execute("SELECT text, level, id, kind, lang, key FROM thought ORDER BY key"):
            pass
        for _row in db.execute(
            "SELECT thought, phrase, origin, score FROM anchored ORDER BY thought, position"
        ):
            pass


def dumps(corpus: Path) -> Cost:
    """`orjson.dumps` of all records of a corpus; reading them is not counted."""
    import orjson

    seconds = cpu = 0.0
    for path in sorted(corpus.glob("data/**/*.jsonl")):
        with path.open("rb") as lines:
            while some := lines.readlines(1 << 20):  # little: children count from its peak
                records = [orjson.loads(line) for line in some]
                clock, used = time.perf_counter(), time.process_time()
                for record in records:
                    orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
                cpu += time.process_time() - used
                seconds += time.perf_counter() - clock
    return Cost(seconds, cpu, 0)


def edit(forest: Path, *, scattered: bool) -> int:
    """Change one thought in a hundred; gives how many."""
    from forest import Forest

    edited = 0
    with Forest.open(f"sqlite:///{forest}") as opened:
        ids = [tree_id for tree_id, _ in opened.store.revisions()]
        for tree_id in ids if scattered else ids[::100]:
            tree = opened.store.get(tree_id)
            for thought in list(tree.thoughts)[:: 100 if scattered else 1]:
                tree.edit(thought.id, text=f"{thought.text} иначе")
                edited += 1
            opened.replace(tree)
    return edited


STEPS: dict[str, Callable[[Path, Path], None]] = {
    f.__name__: f for f in (export, export_by_two, scan, plant, stream)
}


def measured(step: str, forest: Path, corpus: Path) -> Cost:
    """A step in a process of its own."""
    os.sync()
    told = subprocess.run(
        [sys.executable, __file__, "--step", step, str(forest), str(corpus)],
        check=True,
        capture_output=True,
        text=True,
    )
    return Cost(*json.loads(told.stdout))


def step(name: str, forest: Path, corpus: Path) -> Cost:
    """Do a step. What Python loads for it is not counted, as that is the same for any forest."""
    _load(name)
    clock = time.perf_counter()
    before = _cpu()
    STEPS[name](forest, corpus)
    peak = max(resource.getrusage(who).ru_maxrss for who in _WHO) / 1024
    return Cost(time.perf_counter() - clock, _cpu() - before, peak)


def _load(name: str) -> None:
    """Do a step with two small trees."""
    with tempfile.TemporaryDirectory() as room:
        lines, forest, corpus = (Path(room, file) for file in ("some.jsonl", "some.db", "corpus"))
        generate.main([str(lines), "--thoughts", "100", "--trees", "2", "--anchors", "2"])
        plant(forest, lines)
        if name != "plant":
            STEPS[name.removesuffix("_by_two")](forest, corpus)


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu() -> float:
    return sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime for who in _WHO)


def planted(folder: Path, thoughts: int) -> Path:
    """A synthetic forest of so many thoughts."""
    lines, forest = generated(folder, thoughts), folder / "forest.db"
    measured("plant", forest, lines)
    lines.unlink()
    return forest


def generated(folder: Path, thoughts: int) -> Path:
    """The same as JSONL: a tree for 1,000 thoughts, an anchor for 50."""
    lines = folder / f"{thoughts}.jsonl"
    trees, anchors = max(1, thoughts // 1000), max(1, thoughts // 50)
    sizes = ["--thoughts", thoughts, "--trees", trees, "--anchors", anchors]
    # A process of its own: the peak memory of a process counts from its parent's.
    subprocess.run([sys.executable, generate.__file__, str(lines), *map(str, sizes)], check=True)
    return lines


def tell(title: str, cost: Cost, whole: Cost | None = None) -> None:
    """Print a row; with ``whole`` also its share of that."""
    share = f"; {cost.cpu / whole.cpu:.2f} of the full export" if whole else ""
    used = f"{cost.cpu:7.1f} s of CPU, {cost.seconds:7.1f} s, {cost.megabytes:4.0f} MB"
    print(f"  {title:34} {used}{share}", flush=True)


def run(forest: Path, folder: Path) -> None:
    """Measure all rows."""
    corpus = folder / "corpus"
    full = measured("export", forest, corpus)
    tell("full", full)
    said = dumps(corpus)
    bare = measured("scan", forest, corpus)
    both = Cost(bare.seconds + said.seconds, bare.cpu + said.cpu, bare.megabytes)
    tell("bare: scan and orjson.dumps", both)
    print(f"  speed of the bare one: {both.cpu / full.cpu:.2f}")
    tell("nothing changed", measured("export", forest, corpus), full)
    tell("full, two workers", measured("export_by_two", forest, folder / "two"), full)
    shutil.rmtree(folder / "two")
    for scattered in (False, True):
        edited = edit(forest, scattered=scattered)
        how = "scattered over all trees" if scattered else "in one tree in a hundred"
        tell(f"{edited:,} edited {how}", measured("export", forest, corpus), full)
    measured("export", forest, folder / "again")
    for path in sorted(folder.glob("again/**/*")):
        if path.is_file():
            assert path.read_bytes() == (corpus / path.relative_to(folder / "again")).read_bytes()
    print("  the same bytes as a full export after all edits")


def scale(folder: Path, thoughts: int, rounds: int) -> None:
    """Import, stream and export of so many thoughts and of a tenth of it, in turn.

    The round that took the least CPU counts, as what else the machine does only ever adds.
    """
    sizes = (thoughts // 10, thoughts)
    costs = [{size: _at_scale(folder, size) for size in sizes} for _ in range(rounds)]
    for name in ("plant", "stream", "export"):
        small, large = (min((c[size][name] for c in costs), key=lambda c: c.cpu) for size in sizes)
        print(
            f"  {'import' if name == 'plant' else name:8}"
            f" {small.cpu / sizes[0] * 1e6:6.2f} and {large.cpu / sizes[1] * 1e6:6.2f} µs of CPU a"
            f" thought: {large.cpu / sizes[1] / (small.cpu / sizes[0]):.2f};"
            f" peak {small.megabytes:.0f} and {large.megabytes:.0f} MB",
            flush=True,
        )


def _at_scale(folder: Path, thoughts: int) -> dict[str, Cost]:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        room = Path(name)
        lines, forest, corpus = generated(room, thoughts), room / "forest.db", room / "corpus"
        steps = (("plant", lines), ("stream", corpus), ("export", corpus))
        return {step: measured(step, forest, path) for step, path in steps}


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--thoughts", type=int, default=1_000_000)
    parser.add_argument("--forest", type=Path, help="a forest in SQLite, in place of a made one")
    parser.add_argument("--scale", action="store_true", help="time per thought at two sizes")
    parser.add_argument("--rounds", type=int, default=2, help="of --scale")
    parser.add_argument("--scratch", help="folder for temporary files")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        name, forest, corpus = options.step
        print(json.dumps(step(name, Path(forest), Path(corpus))))
        return
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory(dir=options.scratch) as name:
        folder = Path(name)
        if options.scale:
            print(f"{options.thoughts // 10:,} and {options.thoughts:,} thoughts")
            scale(folder, options.thoughts, options.rounds)
            return
        if options.forest:
            forest = Path(shutil.copyfile(options.forest, folder / "forest.db"))
        else:
            forest = planted(folder, options.thoughts)
        with closing(sqlite3.connect(forest)) as db:
            print(f"{db.execute('SELECT count(*) FROM thought').fetchone()[0]:,} thoughts")
        run(forest, folder)


if __name__ == "__main__":
    main()
