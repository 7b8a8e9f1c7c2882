"""Discovery of recurring and near thoughts: time per thought, peak memory, recall.

    python benchmarks/bench_discovery.py                    1,000,000 thoughts and a tenth of them
    python benchmarks/bench_discovery.py --thoughts 100000  100,000 and 10,000

A tenth of the thoughts recur word for word or with a word changed. Near pairs of a sample of them
are compared with what comparing each of the sample with all thoughts finds. Each size is measured
in a process of its own; reading the store is part of the time. Processor time is what is compared:
it is the same on a machine that does something else too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

RECURRING = 0.1
SAMPLE = 200


def plant(folder: Path, thoughts: int) -> Path:
    """A forest of so many thoughts in SQLite."""
    from forest import Forest

    source, target = folder / "forest.jsonl", folder / "forest.db"
    trees, anchors = max(1, thoughts // 100), max(1, thoughts // 50)
    sizes = ["--thoughts", thoughts, "--trees", trees, "--anchors", anchors]
    generate = [sys.executable, str(Path(__file__).with_name("generate.py")), str(source)]
    more = [*map(str, sizes), "--recurring", str(RECURRING)]
    subprocess.run([*generate, *more], check=True)
    with Forest.open(f"sqlite:///{target}") as forest:
        forest.import_files([source])
    return target


def search(source: Path) -> dict[str, float]:
    """`discover` with the default rules."""
    from anchors.discovery import discover
    from forest import Forest

    with Forest.open(f"sqlite:///{source}") as forest:
        start, busy = time.perf_counter(), time.process_time()
        report = discover(forest.store)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    return {"seconds": seconds, "busy": busy, "proposals": len(report.proposals)}


def recall(source: Path) -> dict[str, float]:
    """How many of the near pairs of a sample are found."""
    from anchors.discovery import THRESHOLDS
    from anchors.discovery.near import likeness, near_pairs, shingles
    from anchors.discovery.scratch import Thoughts
    from forest import Forest

    threshold = THRESHOLDS["near"]
    with (
        Forest.open(f"sqlite:///{source}") as forest,
        tempfile.TemporaryDirectory(dir=source.parent) as name,
    ):
        thoughts = Thoughts(Path(name), forest.store.trees())
        first: dict[int, int] = {}
        for number, key in enumerate(thoughts.lemma):
            first.setdefault(int(key), number)
        kept = sorted(first.values())
        # What recurs has 24 words.
        long = [n for n in kept if thoughts.start[n + 1] - thoughts.start[n] == 24]
        sample = random.Random(0).sample(long, min(SAMPLE, len(long)))
        said = {number: thoughts[number].text for number in sample}
        holders: dict[int, list[int]] = defaultdict(list)
        for number, text in said.items():
            for shingle in shingles(text):
                holders[shingle].append(number)
        wanted = set()
        for other in kept:
            text = thoughts[other].text
            for one in {n for shingle in shingles(text) for n in holders.get(shingle, ())}:
                if (
                    thoughts.tree[one] != thoughts.tree[other]
                    and likeness(said[one], text) >= threshold
                ):
                    wanted.add((min(one, other), max(one, other)))
        found = {pair[:2] for pair in near_pairs(thoughts, Path(name), threshold)}
        thoughts.close()
    return {"recall": len(wanted & found) / len(wanted), "wanted": len(wanted)}


STEPS = {"search": search, "recall": recall}


def measure(step: str, source: Path) -> dict[str, float]:
    """A step in a process of its own, and its peak resident memory in MB."""
    os.sync()
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, str(source)],
        check=True,
        capture_output=True,
        text=True,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def run(thoughts: int, scratch: str | None, *, compare: bool) -> float:
    """Measure one size; returns the microseconds of processor time of a thought."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        plant_in_a_process = [sys.executable, __file__, "--plant", name, str(thoughts)]
        subprocess.run(plant_in_a_process, check=True)
        source = Path(name) / "forest.db"
        done = measure("search", source)
        each = done["busy"] / thoughts * 1e6
        print(
            f"{thoughts:,} thoughts: {done['seconds']:.1f} s, of them {done['busy']:.1f} s of "
            f"processor time, {each:.1f} µs a thought, "
            f"{done['proposals']:,.0f} proposals, peak {done['peak']:,.0f} MB"
        )
        if compare:
            found = measure("recall", source)
            print(f"  near recall {found['recall']:.4f} of {found['wanted']:.0f} pairs")
    return each


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--thoughts", type=int, default=1_000_000)
    parser.add_argument("--smaller", type=int, help="the size to compare with; default a tenth")
    parser.add_argument("--scratch", help="folder for temporary files")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--plant", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plant:
        plant(Path(options.plant[0]), int(options.plant[1]))
        return
    if options.step:
        measured = STEPS[options.step[0]](Path(options.step[1]))
        measured["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(measured))
        return
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    smaller = options.smaller or options.thoughts // 10
    small = run(smaller, options.scratch, compare=True)
    large = run(options.thoughts, options.scratch, compare=True)
    print(
        f"processor time per thought at {options.thoughts:,} / at {smaller:,}: {large / small:.2f}"
    )


if __name__ == "__main__":
    main()
