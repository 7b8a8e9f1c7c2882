"""`forest anchors discover` at the terminal."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from errno import ENOSPC
from importlib import import_module

import pytest
from click.testing import CliRunner

from anchors.discovery import proposals
from anchors.discovery.cli import command_discover
from forest import Forest


def run(url: str, *arguments: str):
    return CliRunner().invoke(
        command_discover, arguments, obj=url, standalone_mode=False, catch_exceptions=False
    )


def test_it_fills_the_review_list_and_says_with_what(tmp_path):
    url = f"sqlite:///{tmp_path}/f.db"
    with Forest.open(url) as forest:
        forest.plant_sample()
        before = [tree.revision for tree in forest]
    assert "1 proposal from" in run(url).output
    asked = ("--rule", "exact", "--rule", "phrase")
    said = run(url, *asked).output
    assert "mark   phrase" in said
    with Forest.open(url) as forest:
        there = proposals(forest.store)
        assert [tree.revision for tree in forest] == before
    assert f"{len(there)} proposals from" in said
    assert f"{len(there) - 1} not on the list before" in said
    assert " 0 not on the list before" in run(url, *asked).output
    listed = json.loads(run(url, *asked, "--json").output)
    assert [one["id"] for one in listed] == [proposal.id for proposal in there]
    assert set(listed[0]) >= {"what", "rule", "score", "anchor", "phrase", "thought", "other"}


def test_rules_and_thresholds_can_be_chosen(tmp_path):
    url = f"sqlite:///{tmp_path}/f.db"
    with Forest.open(url) as forest:
        forest.plant_sample()
    few, more = (
        json.loads(run(url, "--rule", "phrase", "--phrases", least, "--json").output)
        for least in ("0.8", "0.5")
    )
    assert {one["rule"] for one in few} == {"phrase"}
    assert len(few) < len(more)
    most = json.loads(run(url, "--rule", "phrase", "--most", "3", "--json").output)
    assert most == more[:3]
    many = json.loads(run(url, "--rule", "meaning", "--meaning", "0.4", "--json").output)
    assert {one["rule"] for one in many} == {"meaning"}


@pytest.mark.parametrize("full", [True, False])
def test_a_search_that_is_ended_leaves_nothing_in_the_temporary_folder(
    tmp_path, monkeypatch, capsys, full
):
    from forest.cli import main

    def ended(*_):
        if full:
            raise OSError(ENOSPC, "No space left on device")
        os.kill(os.getpid(), signal.SIGTERM)

    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    search = import_module("anchors.discovery.discover")  # the package names the function so too
    monkeypatch.setattr(search._Search, "run", ended)
    url = f"sqlite:///{tmp_path}/f.db"
    with Forest.open(url) as forest:
        forest.add_axis("эмпатия")
    with pytest.raises(SystemExit) as end:
        main(["--store", url, "anchors", "discover"])
    assert end.value.code == (1 if full else 143)
    assert list((tmp_path / "scratch").iterdir()) == []
    if full:
        assert f"forest: {tmp_path}/scratch/forest-discovery-" in capsys.readouterr().err
