"""A server for the tests that does not answer: a failure in CI, elsewhere a skip that says why."""

from __future__ import annotations

import pytest
from neo4j.exceptions import ServiceUnavailable

from tests.conftest import reach

NOBODY = "bolt://127.0.0.1:1"


def test_a_server_that_cannot_be_reached_is_a_skip_that_names_it(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"FOREST_TEST_NEO4J={NOBODY}: .*connect"):
        reach(NOBODY)


def test_in_ci_it_is_a_failure(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(ServiceUnavailable):
        reach(NOBODY)
