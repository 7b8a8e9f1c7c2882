"""Is it one forest, and what would make it one?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from anchors.plot import island_map, layout, plot_islands
from anchors.registry import merge, split
from anchors.stats import forest_stats
from forest.errors import ForestError, InvalidInput, MissingExtra, UsageError
from forest.stores.memory import MemoryStore


def test_anchors_that_are_one_join_islands(store):
    stats = forest_stats(store)
    assert (stats.islands, stats.lone_trees, stats.united) == (2, ["сон"], 1)
    assert (stats.anchors, stats.shared_anchors, stats.occurrences) == (4, 1, 2)
    split(store, "причинности → следствия")
    assert forest_stats(store).islands == 3
    merge(store, "граница", "воля")
    assert forest_stats(store).lone_trees == ["вера"]


def test_proposals_that_would_join_islands_are_named(store):
    split(store, "причинности → следствия")
    stats = forest_stats(store)
    (bridge,) = stats.bridges
    assert (bridge.phrase, sorted(bridge.proposals)) == ("порог", ["g1", "m1"])
    assert bridge.islands == ["вера", "закон", "сон"]
    assert (stats.islands, stats.islands_then) == (3, 1)


def test_the_command_says_both(run, store):
    run("init")
    from forest import Forest

    with Forest.open() as forest:
        Forest(store).copy_to(forest)
    assert "2 islands to 1, by 1: порог (вера, сон)" in run("stats")[1]
    assert json.loads(run("stats", "--json")[1])["bridges"][0]["islands"] == ["вера", "сон"]
    assert run("stats", "--plot", "forest.jpg")[0] == 2


def test_a_map_holds_every_tree_once_and_is_the_same_each_time(store):
    found = island_map(store)
    assert found.islands == [["вера", "закон"], ["сон"]]
    assert list(found.hubs.values()) == [["вера", "закон"]]
    places = layout(found.islands)
    assert len(set(places.values())) == 3
    assert layout(island_map(store).islands) == places


def test_a_picture_in_cyrillic_is_the_same_each_time(store, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    for name in ("a.svg", "b.svg", "c.png"):
        plot_islands(store, tmp_path / name)
    assert "shared anchors: 1<" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "причинност" in (tmp_path / "a.svg").read_text().lower()
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_one_error_and_the_earlier_one_stays(
    store, run, tmp_path, monkeypatch
):
    run("init", "--sample")
    (tmp_path / "folder.png").mkdir()
    for path, code, says in (
        (tmp_path / "folder.png", 2, "folder.png is a folder"),
        (tmp_path / "none" / "a.png", 2, f"there is no folder {tmp_path / 'none'}"),
        (tmp_path / "a.jpg", 2, "a picture is drawn as .png or .svg"),
    ):
        found, out, err = run("stats", "--plot", str(path))
        assert (found, out, says in err) == (code, "", True)
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    found, out, err = run("stats", "--plot", "/proc/a.svg")
    assert (found, out) == (1, "")
    assert err.startswith("forest: the picture /proc/a.svg cannot be written: ")
    old = tmp_path / "old.svg"
    old.write_text("old", encoding="utf-8")

    def full(_: Path, __: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ForestError, match=r"old\.svg cannot be written: No space left"):
        plot_islands(store, old)
    assert old.read_text(encoding="utf-8") == "old"


def test_what_cannot_be_drawn(store, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        plot_islands(store, tmp_path / "a.pdf")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install -e .\.\[plot\]"):
        plot_islands(store, tmp_path / "a.svg")
    monkeypatch.undo()
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    with pytest.raises(InvalidInput, match="no trees"):
        plot_islands(MemoryStore(), tmp_path / "a.svg")
