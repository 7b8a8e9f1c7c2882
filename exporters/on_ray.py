"""A crew on a Ray cluster: each worker is an actor with a session of its own on the snapshot.

A worker on the machine of the export reads the files of its scratch folder where they lie. One on
another machine says that it lacks them, and is sent them through Ray, as each stage needs them. So
the machines have to share nothing but the cluster, and a forest in any store can be exported.

Units depend on nothing but these files. So where a process or a machine is lost, Ray starts the
worker again and gives it its batches again, and the bytes are the same.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from exporters.recipe import Recipe
from exporters.reuse import made_of
from exporters.work import AHEAD, NEEDS, TOKENIZER, Crew, Worker, Workers, file_of
from forest.errors import ClusterUnavailable, ExportError, ForestError, UsageError
from forest.stores.base import Store
from forest.stores.sqlite import SqliteStore

HOME = "ray-node"
"""A file with the id of the machine, as Ray knows it, on which the scratch folder is written."""
MOST = 4
"""Workers where no number is given: the process that writes keeps hardly more of them busy."""
RESTARTS = 3
"""How often a worker that died is started again."""
ANSWER, READY, LOOK, LEAVE = 10.0, 60.0, 15.0, 5.0
"""Seconds until something has to listen at an address; until all workers run; between looks at
whether there is room for one that gives nothing; until workers have removed what they were sent."""
PART = 1 << 26
"""Bytes of a file that travel together."""
STORE = 1 << 28
"""Bytes of the object store of a cluster that is started for one export."""
OURS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
"""Settings of such a cluster: it listens on this machine alone, `uv run` sends it no code, and it
asks for a token, which without being told Ray would write into the user's home."""
THEIRS = {
    "RAY_NUM_REDIS_GET_RETRIES": "1",
    "RAY_py_gcs_connect_timeout_s": "10",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
}
"""Settings for another: what listens and does not answer is given up after about 20 seconds. Where
it goes away we notice it, before Ray ends this process."""

Files = Mapping[str, Sequence[Any]]
"""The parts of each file, as references to objects of Ray."""


class Away(Exception):
    """A worker cannot see the files of the export."""


class RayCrew(Crew):
    """Workers on a Ray cluster: on a running one, or on one that lives as long as the crew.

    :raises ClusterUnavailable: no cluster answers, or it has no room for the workers.
    :raises ExportError: a worker has another version of the project or of a library.
    """

    def __init__(self, forest: Store, room: Path, recipe: Recipe, workers: Workers) -> None:
        self._room, self._forest = room, file_of(forest, room).name
        self._sent: dict[str, list[Any]] = {}
        self._sends = False
        with ExitStack() as holding:
            number = holding.enter_context(_cluster(workers))
            if recipe.tokenizer:  # where it can travel from
                shutil.copyfile(recipe.tokenizer.path, room / TOKENIZER)
            self._begin(recipe, number)
            self._holding = holding.pop_all()

    def _begin(self, recipe: Recipe, number: int) -> None:
        import ray

        (self._room / HOME).write_text(_machine())
        # A batch is done again as long as there is a worker: those of a machine that is gone are
        # tried often before Ray knows it.
        actor = ray.remote(num_cpus=1, max_restarts=RESTARTS, max_task_retries=-1)(_Actor)
        about = self._room, self._forest, recipe, made_of(recipe)
        self._actors = [actor.remote(*about) for _ in range(number)]
        ready = [one.ready.remote() for one in self._actors]
        with _as_export_errors():
            _, waiting = ray.wait(ready, num_returns=number, timeout=READY)
            if waiting:
                raise _too_few(number, f"{number - len(waiting)} run after {READY:.0f} s")
            ray.get(ready)

    def close(self) -> None:
        import ray

        with self._holding, suppress(ray.exceptions.RayError):
            if self._sends:
                left = [actor.leave.remote() for actor in self._actors]
                ray.wait(left, num_returns=len(left), timeout=LEAVE)
            for actor in self._actors:
                ray.kill(actor)

    def do(self, what: str, batches: Iterable[Sequence[Any]]) -> Iterator[Any]:
        under_way: deque[_Sent] = deque()
        for batch in batches:
            under_way.append(self._send(what, batch, self._idlest(under_way)))
            while len(under_way) >= AHEAD * len(self._actors):
                yield from self._result(under_way.popleft())
        while under_way:
            yield from self._result(under_way.popleft())

    def _idlest(self, under_way: Sequence[_Sent]) -> int:
        """The worker that has the fewest batches before it."""
        import ray

        if not under_way:
            return 0
        refs = {one.ref: one.to for one in under_way}
        _, waiting = ray.wait(list(refs), num_returns=len(refs), timeout=0)
        busy = Counter(refs[ref] for ref in waiting)
        return min(range(len(self._actors)), key=lambda no: busy[no])

    def _send(self, what: str, batch: Sequence[Any], to: int) -> _Sent:
        files = self._files(what) if self._sends else None
        return _Sent(what, batch, to, self._actors[to].do.remote(what, batch, files))

    def _result(self, sent: _Sent) -> list[Any]:
        try:
            with _as_export_errors():
                return self._get(sent.ref)
        except Away:
            self._sends = True
            again = self._send(sent.what, sent.batch, sent.to)
            with _as_export_errors():
                return self._get(again.ref)

    def _get(self, ref: Any) -> list[Any]:
        import ray

        while True:
            try:
                made: list[Any] = ray.get(ref, timeout=LOOK)
            except ray.exceptions.GetTimeoutError:  # a large tree, or a worker without a place
                _address(ray.get_runtime_context().gcs_address)
                if (left := _cpus()) < len(self._actors):
                    raise _too_few(len(self._actors), f"{left} are left") from None
            else:
                return made

    def _files(self, what: str) -> Files:
        """The files that a stage needs, each put into Ray's object store once."""
        names = [name for name in (self._forest, *NEEDS[what]) if (self._room / name).exists()]
        for name in names:
            if name not in self._sent:
                self._sent[name] = list(_put(self._room / name))
        return {name: self._sent[name] for name in names}


class _Sent(NamedTuple):
    what: str
    batch: Sequence[Any]
    to: int
    ref: Any


class _Actor:
    """A worker in a process of Ray."""

    def __init__(self, room: Path, forest: str, recipe: Recipe, made: str) -> None:
        self._room, self._forest, self._recipe, self._made = room, forest, recipe, made
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._worker: Worker | None = None

    def ready(self) -> None:
        """Check that it would make the same bytes as the process that began the export."""
        if made_of(self._recipe) != self._made:
            raise ExportError(
                f"the Ray worker on {socket.gethostname()} has another version of this project, or "
                "of a library that has a say in the bytes of a record",
                hint="Install the same commit with the same requirements on all machines.",
            )

    def do(self, what: str, batch: Sequence[Any], files: Files | None) -> list[Any]:
        """What the method ``what`` of a worker gives for a batch."""
        if not self._at_home():
            self._fetch(files)
        if self._worker is None:
            self._worker = self._open()
        return list(getattr(self._worker, what)(batch))

    def leave(self) -> None:
        """Remove what was sent."""
        if self._own is not None:
            self._own.cleanup()

    def _at_home(self) -> bool:
        """Whether this is the machine of the export: a shared disk may be behind what it wrote."""
        try:
            return (self._room / HOME).read_text() == _machine()
        except OSError:
            return False

    def _fetch(self, files: Files | None) -> None:
        import ray

        if files is None:
            raise Away
        if self._own is None:
            self._own = tempfile.TemporaryDirectory(prefix="forest-export-")
        folder = Path(self._own.name)
        try:
            for name in [name for name in files if not (folder / name).exists()]:
                with (folder / "part").open("wb") as file:
                    file.writelines(map(ray.get, files[name]))
                (folder / "part").rename(folder / name)
        except OSError as error:
            raise ExportError(
                f"the Ray worker on {socket.gethostname()} cannot keep the files of the export in "
                f"{folder}: {error.strerror}",
                hint="What was there before is unchanged. Make room on that machine.",
            ) from error

    def _open(self) -> Worker:
        room = Path(self._own.name) if self._own else self._room
        recipe = _with_tokenizer_in(room, self._recipe)
        return Worker(SqliteStore(room / self._forest, read_only=True), room, recipe)


def _with_tokenizer_in(room: Path, recipe: Recipe) -> Recipe:
    if recipe.tokenizer is None:
        return recipe
    tokenizer = recipe.tokenizer.model_copy(update={"path": room / TOKENIZER})
    return recipe.model_copy(update={"tokenizer": tokenizer})


def _machine() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _put(path: Path) -> Iterator[Any]:
    import ray

    with path.open("rb") as file:
        while part := file.read(PART):
            yield ray.put(part)


# --- clusters -------------------------------------------------------------------------------------


@contextmanager
def _cluster(workers: Workers) -> Iterator[int]:
    """A cluster while the block runs; gives the number of workers.

    One that the program is connected to already is used, and left connected.
    """
    ray = _ray(workers)
    if ray.is_initialized():
        yield workers.number or _by_cpus(_cpus())
    elif workers.address:
        with _connected(_address(workers.address), THEIRS, {}):
            yield workers.number or _by_cpus(_cpus())
    else:
        _refuse_to_start_without_token(ray)
        number = workers.number or _by_cpus(os.cpu_count() or 1)
        # Short, for the paths of sockets in it may have about a hundred bytes.
        folder = tempfile.mkdtemp(prefix="forest-ray-", dir="/tmp")
        settings = {"num_cpus": number, "object_store_memory": STORE, "_temp_dir": folder}
        try:
            with _connected("local", OURS, settings | {"include_dashboard": False}):
                yield number
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _ray(workers: Workers) -> Any:
    """The library, which reads some of its settings when it is loaded."""
    with _environment(THEIRS if workers.address else OURS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
    return ray


def _refuse_to_start_without_token(ray: Any) -> None:
    """Ray keeps to what it read when it was loaded; without a token it waits in vain."""
    read, told = ray._raylet, "RAY_AUTH_MODE" in os.environ
    if not told and read.get_authentication_mode() != read.AuthenticationMode.TOKEN:
        raise UsageError(
            "Ray was loaded before the export, without the token that the export's own cluster asks"
            " for",
            hint="Set RAY_AUTH_MODE=token before `import ray`, or connect with ray.init() yourself:"
            " the export uses a connection that is there.",
        )


@contextmanager
def _connected(address: str, own: dict[str, str], settings: dict[str, Any]) -> Iterator[None]:
    import ray

    with _environment(own), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _handlers_kept():
                ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **settings)
        except BaseException as error:
            _end_half_a_start(error)
            ray.shutdown()
            if not isinstance(error, Exception):
                raise
            # No narrower than that: a start that takes too long is a bare Exception.
            raise _no_cluster(address, str(error)) from error
        with _hushed(ray):
            try:
                yield
            finally:
                ray.shutdown()


def _end_half_a_start(error: BaseException) -> None:
    """End the processes of a cluster whose start failed: Ray's shutdown knows nothing of them."""
    from ray._private.node import Node

    for frame, _ in traceback.walk_tb(error.__traceback__):
        if isinstance(node := frame.f_locals.get("self"), Node):
            with suppress(Exception):  # the error of the start is the one to tell
                node.kill_all_processes(check_alive=False)


@contextmanager
def _hushed(ray: Any) -> Iterator[None]:
    """Ray prints what happens to workers to standard output, and has no setting for that."""
    worker, name = ray._private.worker, "print_to_stdstream"
    printing = getattr(worker, name, None)
    setattr(worker, name, lambda *_, **__: None)
    try:
        yield
    finally:
        if printing is not None:
            setattr(worker, name, printing)


@contextmanager
def _environment(own: dict[str, str]) -> Iterator[None]:
    """Variables for Ray; what it changes itself is undone, too."""
    before = {name: value for name, value in os.environ.items() if _is_rays(name)}
    os.environ.update({name: value for name, value in own.items() if name not in before})
    try:
        yield
    finally:
        for name in [name for name in os.environ if _is_rays(name)]:
            del os.environ[name]
        os.environ.update(before)


def _is_rays(name: str) -> bool:
    return name.startswith("RAY_") or name == "PYTHONBREAKPOINT"


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself, and then the export would not be undone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as end:  # what Ray's own handler makes of one that came meanwhile
        if end.code == signal.SIGTERM and callable(before):
            before(signal.SIGTERM, None)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _address(address: str) -> str:
    """An address at which something listens. Raises UsageError, ClusterUnavailable."""
    if address == "auto":
        address = (
            os.environ.get("RAY_ADDRESS") or address
        )  # Ray would take it, and more than we can
    if address == "auto":
        return address
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise UsageError(
            f"{address!r} is not the address of a Ray cluster",
            hint="Expected HOST:PORT, as `ray start --head` prints it, or auto for the cluster "
            "that this machine is part of. Run the export on a machine of the cluster.",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from error
    return address


def _by_cpus(cpus: int) -> int:
    return max(1, min(cpus, MOST))


def _cpus() -> int:
    import ray

    return int(ray.cluster_resources().get("CPU", 0))


# --- errors ---------------------------------------------------------------------------------------


def _no_cluster(address: str, why: str) -> ClusterUnavailable:
    said = why.strip().partition("\n")[0].rstrip(".") or "no reason is given"
    if address == "local":
        return ClusterUnavailable(
            f"Ray cannot be started on this machine: {said}",
            hint="--workers without --engine ray needs no cluster.",
        )
    return ClusterUnavailable(
        f"no Ray cluster can be reached at {address}: {said}",
        hint="Does `ray status` answer on this machine? `ray start --head` starts a cluster, "
        "`ray start --address HOST:PORT` lets a machine join it. Where the cluster asks for a "
        "token, set RAY_AUTH_MODE=token; `--address auto` does.",
    )


def _too_few(number: int, what: str) -> ClusterUnavailable:
    return ClusterUnavailable(
        f"the Ray cluster has no place for {number} workers, a CPU for each: {what}",
        hint="Take fewer --workers, or wait until others have done their work.",
    )


@contextmanager
def _as_export_errors() -> Iterator[None]:
    """What a worker raised is raised here; what becomes of Ray itself is an ExportError."""
    import ray

    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ForestError | Away):
            raise error.cause from None
        raise error.cause from error
    except ray.exceptions.RayError as error:
        said = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
        raise ExportError(
            f"Ray lost a worker for good, so the export was given up: {said}",
            hint=f"What was there before is unchanged. A worker is started again {RESTARTS} times."
            " Was it killed for want of memory? Then take fewer --workers.",
        ) from error
