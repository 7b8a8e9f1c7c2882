"""A file, a forest in it, and other processes beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from forest.stores.sqlite import SqliteStore
from tests.sqlite_helpers import (
    Other,
    put,
    tree,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "forest.db"


@pytest.fixture
def planted(path: Path) -> Path:
    """A file with two trees in it."""
    with SqliteStore(path) as store:
        put(store, tree("a"), tree("b"))
    return path


@pytest.fixture
def other(path: Path):
    """Start other processes; none outlives the test."""
    started: list[Other] = []

    def start(code: str, mode: str = "DELETE") -> Other:
        started.append(Other(code, path, mode))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()
