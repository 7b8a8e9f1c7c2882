"""The bar that long commands show on a terminal."""

from __future__ import annotations

import io
import re
import sys

import pytest

from forest.cli.terminal import progress_bar


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_tells_how_much_is_done_how_fast_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar("reading", 100, "trees") as bar:
        for done in range(1, 100):
            bar.update(done)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert re.search(r"reading .*99/100 trees [\d,.]+/s \d:\d\d:\d\d", shown)


def test_a_bar_that_waits_tells_no_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar("download", 217) as bar:
        bar.update(217)
        before = len(terminal.getvalue())
        bar.wait("start")
    shown = terminal.getvalue()[before:]
    assert "start" in shown
    assert "0/217" not in shown
