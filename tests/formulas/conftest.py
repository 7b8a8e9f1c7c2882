"""What tests of formulas share."""

from __future__ import annotations

import pytest

from forest import Forest


@pytest.fixture(params=["memory:", "sqlite:///forest.db"])
def store(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Forest.open(request.param) as forest:
        yield forest.store
