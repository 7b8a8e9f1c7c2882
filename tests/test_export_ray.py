"""`forest export --engine ray`: the same bytes from a cluster, and workers that die."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporters import making, on_ray
from exporters.export import export_corpus
from exporters.nightly import nights
from exporters.work import Workers
from forest import Forest
from forest.errors import ClusterUnavailable, ExportError, MissingExtra, UsageError
from forest.model import Tree
from tests.conftest import Run
from tests.export_helpers import beside, content, planted, tree
from tests.test_export_leaks import grown
from tests.test_export_workers import EVERYTHING, Fatal

pytestmark = pytest.mark.xdist_group("ray")
RAY = Workers(2, "ray")


def children() -> set[int]:
    """The processes that this one has started, from its main thread, and not ended."""
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster on this machine, which the exports find connected."""
    with on_ray._cluster(RAY):
        yield


@pytest.fixture(autouse=True)
def _many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small forest is work for several."""
    for name in ("THOUGHTS", "OCCURRENCES", "CHAINS"):
        monkeypatch.setattr(making, name, 10)


@pytest.fixture
def one(tmp_path: Path) -> dict[str, bytes]:
    """What this process alone writes."""
    export_corpus(planted(*grown()), tmp_path / "one", EVERYTHING)
    return content(tmp_path / "one")


def test_a_cluster_that_does_not_start_in_time_is_ended_and_the_night_tries_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands before the tests that share a cluster, for it starts two."""
    services = on_ray._ray(RAY)._private.services
    real, left = services.get_node, set[int]()

    def late(*arguments: Any) -> Any:
        if left:
            return real(*arguments)
        left.update(children())
        raise Exception("The current node timed out during startup. This could happen because …")

    monkeypatch.setattr(services, "get_node", late)
    monkeypatch.setattr(nights, "PAUSES", (0,))
    before = children()
    run("init", "--sample")
    code, out, err = run("nightly", "nights", "--once", "--engine", "ray", "--workers", "1")
    assert (code, err) == (0, "")
    assert "Ray cannot be started on this machine: The current node timed out" in out
    assert "trying again" in out
    assert left - before
    assert children() <= before


def test_a_ray_that_was_loaded_without_a_token_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = on_ray._ray(RAY)._raylet
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setattr(loaded, "get_authentication_mode", lambda: 0)
    with pytest.raises(UsageError, match="loaded before the export") as refused:
        export_corpus(planted(*grown(6)), tmp_path / "corpus", workers=RAY)
    assert "RAY_AUTH_MODE=token before `import ray`" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("cluster")
def test_ray_writes_the_bytes_of_one_process_though_a_worker_is_killed(
    one: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []

    def kill(crew: Any) -> None:
        import ray

        victim = ray.get(crew._actors[0].__ray_call__.remote(lambda _: os.getpid()))
        killed.append(victim)
        os.kill(victim, signal.SIGKILL)

    real = on_ray.RayCrew._send

    def send(crew: Any, what: str, *rest: Any) -> Any:
        if what == "rings" and not killed:
            kill(crew)
        return real(crew, what, *rest)

    monkeypatch.setattr(on_ray.RayCrew, "_send", send)
    export_corpus(planted(*grown()), tmp_path / "ray", EVERYTHING, workers=RAY)
    assert len(killed) == 1
    assert content(tmp_path / "ray") == one


@pytest.mark.usefixtures("cluster")
def test_workers_on_another_machine_are_sent_the_files(
    one: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "_machine", lambda: "another")
    monkeypatch.setattr(on_ray, "PART", 5000)
    export_corpus(planted(*grown()), tmp_path / "ray", EVERYTHING, workers=RAY)
    assert content(tmp_path / "ray") == one


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_always_dies_ends_the_export_and_leaves_the_earlier_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "corpus"
    export_corpus(planted(*grown()), out)
    before = content(out)
    monkeypatch.setattr(on_ray, "RESTARTS", 0)
    with pytest.raises(ExportError, match="lost a worker"):
        export_corpus(planted(*grown(20)), out, Fatal(), workers=Workers(1, "ray"))
    assert (content(out), beside(out)) == (before, [])


@pytest.mark.usefixtures("cluster")
def test_an_error_in_a_worker_is_the_error_of_the_export(tmp_path: Path) -> None:
    forest = [tree("One", "First. {x}\n  A jump ⤳ here."), tree("Two", "Third. {x}\n  Fourth.")]
    with pytest.raises(ExportError, match="contains '⤳'") as alone:
        export_corpus(planted(*forest), tmp_path / "corpus")
    with pytest.raises(ExportError) as on_cluster:
        export_corpus(planted(*forest), tmp_path / "corpus", workers=Workers(1, "ray"))
    assert str(on_cluster.value) == str(alone.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("cluster")
def test_a_night_takes_the_engine(run: Run, tmp_path: Path) -> None:
    with Forest.open() as forest:
        for made in grown(6):
            forest.add(Tree(**made.model_dump()))
    assert run("export", "one")[0] == 0
    code, _, err = run("nightly", "nights", "--once", "--engine", "ray", "--workers", "1")
    assert (code, err) == (0, "")
    assert content(tmp_path / "nights" / "latest") == content(tmp_path / "one")


def test_an_end_that_is_told_while_it_connects_ends_as_at_any_time() -> None:
    def told(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, told)
    try:
        with pytest.raises(KeyboardInterrupt), on_ray._handlers_kept():
            sys.exit(signal.SIGTERM)  # as the handler does that Ray sets before it is connected
        assert signal.getsignal(signal.SIGTERM) is told
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_is_asked_wrong_is_said(run: Run) -> None:
    assert run("init", "--sample")[0] == 0
    code, _, err = run("export", "out", "--address", "auto")
    assert code == 2
    assert "--engine ray" in err
    assert run("export", "x.ttl", "--as", "turtle", "--engine", "ray")[0] == 2
    with pytest.raises(UsageError, match="0 workers"):
        Workers(0)


def test_auto_is_the_address_that_rays_own_setting_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_ray._address("auto") == "auto"
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")
    with pytest.raises(UsageError, match="10001' is not the address of a Ray cluster"):
        on_ray._address("auto")


@pytest.mark.parametrize("address", ["here", "ray://127.0.0.1:10001", ":6379", "host:port"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        on_ray._address(address)


def test_an_address_where_nothing_listens_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ClusterUnavailable, match=f"127.0.0.1:{port}: .*refused"):
        on_ray._address(f"127.0.0.1:{port}")


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=re.escape(".[ray]")):
        export_corpus(planted(*grown(6)), tmp_path / "corpus", workers=RAY)
    assert list(tmp_path.iterdir()) == []
