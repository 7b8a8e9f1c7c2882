"""Fixtures for all tests: real Neo4j servers, the shared data beside the repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from forest.schema import CONSTRAINTS, INDEXES

if TYPE_CHECKING:
    from forest.local_neo4j import LocalNeo4j

settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "here")

SHARED = Path(__file__).resolve().parents[2] / "shared"
VERSIONS = ["5.26.30", "2026.09.0"]
OURS = frozenset(rule.name for rule in CONSTRAINTS + INDEXES)
OUTSIDE = os.environ.get("FOREST_TEST_NEO4J")
"""A server that is already there; its database is emptied. Its user and password: as always."""
CREDENTIALS = (os.environ.get("NEO4J_USERNAME", "neo4j"), os.environ.get("NEO4J_PASSWORD", ""))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several processes one runs all tests on a server: it starts once, and is one's alone."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "neo4j_server" in parameters:
            item.add_marker(pytest.mark.xdist_group(parameters["neo4j_server"]))


@dataclass
class Neo4jServer:
    """A real server that tests may empty."""

    url: str
    username: str
    password: str
    server: LocalNeo4j | None


Run = Callable[..., tuple[int, str, str]]
"""Runs `forest …`; gives (exit code, what it printed, its errors)."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line, in an empty folder."""
    from forest.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["forest", *arguments])
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests do not see the forest or the server of whoever runs them."""
    for name in list(os.environ):
        if name.startswith("FOREST_") and not name.startswith("FOREST_TEST_"):
            monkeypatch.delenv(name)
    for name in ("NEO4J_USERNAME", "NEO4J_PASSWORD", "VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg-data"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the owner's seeds and real data beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this clone: the owner's seeds and data are not here")
    return SHARED


@pytest.fixture(scope="session", params=VERSIONS)
def neo4j_server(request: pytest.FixtureRequest) -> Iterator[Neo4jServer]:
    """A real Neo4j: the one at FOREST_TEST_NEO4J, else a local one of each tested version."""
    if OUTSIDE:
        if request.param != VERSIONS[0]:
            pytest.skip("FOREST_TEST_NEO4J names one server; this is the run for a second version")
        reach(OUTSIDE)
        yield Neo4jServer(OUTSIDE, *CREDENTIALS, None)
        return
    from forest.errors import ForestError
    from forest.local_neo4j import temporary_server

    try:
        context = temporary_server(version=request.param, heap="1g")  # as a user's server has
        server = context.__enter__()
    except ForestError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Neo4j {request.param} can be started here: {error}")
    try:
        yield Neo4jServer(server.bolt_url, "neo4j", server.password(), server)
    finally:
        context.__exit__(None, None, None)


def reach(url: str) -> None:
    """Skip the test, in CI fail, where no server answers."""
    import neo4j
    from neo4j.exceptions import ServiceUnavailable

    with neo4j.GraphDatabase.driver(url, auth=CREDENTIALS) as driver:
        try:
            driver.verify_connectivity()
        except ServiceUnavailable as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no Neo4j answers at FOREST_TEST_NEO4J={url}: {error}")


@pytest.fixture
def clean_neo4j(neo4j_server: Neo4jServer) -> Neo4jServer:
    """The server with an empty database."""
    empty(neo4j_server)
    return neo4j_server


@pytest.fixture
def bare_neo4j(clean_neo4j: Neo4jServer) -> Neo4jServer:
    """The server as it was before the library ever opened it: no constraint, no index either."""
    empty(clean_neo4j, keep=())
    return clean_neo4j


def empty(server: Neo4jServer, keep: Container[str] = OURS) -> None:
    """Delete all nodes of a server's database, and all constraints and indexes but some.

    Those of the library stay: to make them anew takes most of the time of a short test.
    """
    import neo4j

    with (
        neo4j.GraphDatabase.driver(server.url, auth=(server.username, server.password)) as driver,
        driver.session() as session,
    ):
        delete = "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS"
        session.run(delete).consume()
        for row in session.run("SHOW CONSTRAINTS YIELD name").data():
            if row["name"] not in keep:
                session.run(f"DROP CONSTRAINT `{row['name']}` IF EXISTS").consume()
        for row in session.run("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'").data():
            if row["name"] not in keep:
                session.run(f"DROP INDEX `{row['name']}` IF EXISTS").consume()
