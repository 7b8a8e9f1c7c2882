"""Who makes the records: this process alone, or several.

All work is split into units that depend on nothing but what lies in files when a stage begins:
trees, rings of anchors, chains of jumps. A `Worker` does a unit; a `Crew` hands batches of units to
one worker or to many and gives back what they made, in the order in which the batches were handed
out. So the bytes of a corpus do not depend on how many there are, and one worker runs the same code
as many.
"""

from __future__ import annotations

import os
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, Self

import orjson

from exporters.families import Signature, signature
from exporters.held import Held
from exporters.kinds import Plan
from exporters.lines import Block, Line
from exporters.mix import Mix
from exporters.parts import TreeBegun, TreeDone, TreeWork
from exporters.recipe import Recipe
from exporters.scratch import FILES, Occurrence, Reading
from exporters.templates import Templates
from exporters.walks import Closed, RingWork, Walked, WalkWork
from forest.errors import ExportError, MissingExtra, UsageError
from forest.stores.base import Store, copy_nodes
from forest.stores.sqlite import SqliteStore

SHARED, HELD = "shared.json", "held.json"
"""Files by which all workers learn which anchors are shared, and what is held out."""
TOKENIZER = "tokenizer.json"
"""The recipe's tokenizer, where workers are on other machines."""
NEEDS = {
    "signatures": (),
    "trees": (SHARED, TOKENIZER),
    "rings": (HELD, FILES["main"], TOKENIZER),
    "walks": (HELD, FILES["main"], FILES["jumps"], TOKENIZER),
}
"""What a worker reads beside the forest, by what it does."""
CHAINS = 100
"""So many chains of jumps are read at once."""
AHEAD = 3
"""Batches that are under way or done, for each worker, before the first of them is taken."""


def plan_of(recipe: Recipe, forest: Store) -> Plan:
    """What every kind of record needs to know.

    :raises UsageError: the recipe prefers an axis that the forest has not.
    """
    measure = recipe.measure()
    return Plan(
        recipe,
        Mix(recipe, (axis.name for axis in forest.axes())),
        Templates(recipe.templates, recipe.walks.marker, measure),
        measure,
    )


class Worker:
    """Does units of work, with what the files of ``room`` say.

    :param forest: one state of a forest that nobody writes to.
    """

    def __init__(self, forest: Store, room: Path, recipe: Recipe) -> None:
        self._forest, self._room, self._recipe = forest, room, recipe
        self._opened: list[Reading] = []

    def close(self) -> None:
        """Let go of the scratch files."""
        for reading in self._opened:
            reading.close()

    # --- units, in batches ---------------------------------------------------------------------

    def signatures(self, trees: Iterable[str]) -> Iterator[Signature]:
        """The signature of each tree, by its id."""
        return map(signature, self._forest.some(trees))

    def trees(
        self, trees: Iterable[tuple[str, str]]
    ) -> Iterator[TreeBegun | Line | Block | TreeDone]:
        """What each (tree, split) gives."""
        sides: deque[str] = deque()

        def ids() -> Iterator[str]:
            for tree, split in trees:
                sides.append(split)
                yield tree

        for tree in self._forest.some(ids()):
            yield from self._of_trees.of(tree, sides.popleft())

    def rings(self, rings: Iterable[list[Occurrence]]) -> Iterator[Line | Block | Closed]:
        """What each ring gives."""
        for ring in rings:
            yield from self._of_rings.of(ring)

    def walks(self, chains: Iterable[Sequence[int]]) -> Iterator[Line | Block | Walked]:
        """What each chain of jumps gives."""
        left = iter(chains)
        while some := list(islice(left, CHAINS)):
            yield from self._of_walks.of(some)

    # --- what they need ------------------------------------------------------------------------

    @cached_property
    def _plan(self) -> Plan:
        return plan_of(self._recipe, self._forest)

    @cached_property
    def _of_trees(self) -> TreeWork:
        shared, joined = _read(self._room / SHARED)
        return TreeWork(self._plan, frozenset(shared), lambda anchor: joined.get(anchor, anchor))

    @cached_property
    def _of_rings(self) -> RingWork:
        self.__dict__.pop("_of_trees", None)  # it holds all shared anchors
        return RingWork(self._plan, self._reading(jumps=False), self._held)

    @cached_property
    def _of_walks(self) -> WalkWork:
        return WalkWork(self._plan, self._reading(jumps=True), self._held)

    @cached_property
    def _held(self) -> Held:
        return Held(_read(self._room / HELD))

    def _reading(self, *, jumps: bool) -> Reading:
        self._opened.append(Reading(self._room, jumps=jumps))
        return self._opened[-1]


def tell_shared(room: Path, shared: Iterable[str], joined: dict[str, str]) -> None:
    """Tell all workers which anchors are shared, and under which id joined ones count."""
    (room / SHARED).write_bytes(orjson.dumps((sorted(shared), joined)))


def tell_held(room: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """Tell all workers which thoughts no training record says together."""
    (room / HELD).write_bytes(orjson.dumps(pairs))


def _read(path: Path) -> Any:
    return orjson.loads(path.read_bytes())


# --- one, or many ---------------------------------------------------------------------------------


class Crew(ABC):
    """The workers of an export."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Send the workers home."""

    @abstractmethod
    def do(self, what: str, batches: Iterable[Sequence[Any]]) -> Iterator[Any]:
        """What the method ``what`` of a worker gives for each batch, in order."""


class Alone(Crew):
    """This process does all the work; nothing is held but what it is at."""

    def __init__(self, forest: Store, room: Path, recipe: Recipe) -> None:
        self._worker = Worker(forest, room, recipe)

    def close(self) -> None:
        self._worker.close()

    def do(self, what: str, batches: Iterable[Sequence[Any]]) -> Iterator[Any]:
        yield from getattr(self._worker, what)(chain.from_iterable(batches))


class Processes(Crew):
    """Several processes, each with a session of its own on the snapshot of the forest.

    A process that dies ends the export. Each ends by itself when this one is gone.
    """

    def __init__(self, forest: Store, room: Path, recipe: Recipe, workers: int) -> None:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        self._workers = workers
        self._pool = ProcessPoolExecutor(
            workers,
            get_context("spawn"),
            _begin,
            (file_of(forest, room), room, recipe),
        )

    def close(self) -> None:
        for process in list((self._pool._processes or {}).values()):
            process.terminate()
        # The pool waits for their ends: were we to wait as well, one of two would miss them.
        self._pool.shutdown(wait=True, cancel_futures=True)

    def do(self, what: str, batches: Iterable[Sequence[Any]]) -> Iterator[Any]:
        from concurrent.futures.process import BrokenProcessPool

        under_way: deque[Any] = deque()
        try:
            for batch in batches:
                under_way.append(self._pool.submit(_do, what, batch))
                while len(under_way) >= AHEAD * self._workers:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        except BrokenProcessPool:
            raise ExportError(
                "a worker process died, so the export was given up",
                hint="What was there before is unchanged. Was it killed for want of memory? "
                "Then take fewer --workers.",
            ) from None


Engine = Literal["processes", "ray"]


@dataclass(frozen=True)
class Workers:
    """Who makes the records of an export: processes of this machine, or workers on a Ray cluster.

    :param number: of processes, 1 of them this one; without one 1, on Ray as many as the cluster
        has CPUs, up to 4.
    :param address: of a running cluster, ``HOST:PORT`` or ``auto``; without one a cluster on this
        machine is started, and ended with the export.
    :raises UsageError: the number is less than 1, or there is an address without Ray.
    """

    number: int | None = None
    engine: Engine = "processes"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.number is not None and self.number < 1:
            raise UsageError(f"there are {self.number} workers: expected 1 or more")
        if self.address is not None and self.engine != "ray":
            raise UsageError(
                "an address is that of a Ray cluster", hint="Add the engine: --engine ray."
            )

    def require(self) -> None:
        """Raise MissingExtra where the engine's package is not installed."""
        if self.engine == "ray" and find_spec("ray") is None:
            raise MissingExtra(
                "an export on Ray needs the package ray, which is not installed", "ray"
            )

    @property
    def asked(self) -> bool:
        """Whether there is more than this process."""
        return self.engine == "ray" or (self.number or 1) > 1


def crew_of(forest: Store, room: Path, recipe: Recipe, workers: Workers | int) -> Crew:
    """These workers, or so many processes: 1 is this process itself."""
    who = Workers(workers) if isinstance(workers, int) else workers
    if who.engine == "ray":
        who.require()
        from exporters.on_ray import RayCrew

        return RayCrew(forest, room, recipe, who)
    if who.number is None or who.number == 1:
        return Alone(forest, room, recipe)
    return Processes(forest, room, recipe, who.number)


def file_of(forest: Store, room: Path) -> Path:
    """The forest as a file in ``room`` that several processes can read."""
    if isinstance(forest, SqliteStore):
        return forest.path
    path = room / "forest.db"
    with SqliteStore(path) as copy:
        copy.put_axes(forest.axes())
        copy.write(forest.trees(), lambda _, new: new)
        copy_nodes(forest, copy)
    return path


_given: list[tuple[Path, Path, Recipe]] = []
"""The forest's file, the room and the recipe, where this process is one of several."""


def _begin(path: Path, room: Path, recipe: Recipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that began the export
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _given.append((path, room, recipe))


@cache
def _worker() -> Worker:
    """Made with the first batch: an error then reaches the one that began the export."""
    path, room, recipe = _given[0]
    return Worker(SqliteStore(path, read_only=True), room, recipe)


def _end_with_parent() -> None:
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _do(what: str, batch: Sequence[Any]) -> list[Any]:
    method: Callable[[Sequence[Any]], Iterator[Any]] = getattr(_worker(), what)
    return list(method(batch))


def batched(units: Iterable[Any], most: int, weight: Callable[[Any], int]) -> Iterator[list[Any]]:
    """Units in batches of at least so much weight together."""
    batch: list[Any] = []
    heavy = 0
    for unit in units:
        batch.append(unit)
        heavy += weight(unit)
        if heavy >= most:
            yield batch
            batch, heavy = [], 0
    if batch:
        yield batch
