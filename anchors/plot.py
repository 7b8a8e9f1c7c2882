"""The islands of a forest as a picture: trees as dots, islands as clusters, hubs by numbers.

Where a dot stands depends on the forest alone, so the same forest gives the same picture.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from math import cos, pi, sin, sqrt
from pathlib import Path
from typing import Any

from anchors.registry import Registry
from forest.errors import ForestError, InvalidInput, MissingExtra, UsageError
from forest.stores.base import Skip, Store

NAMED_TREES = 60
"""With more trees, their titles are left out."""
NAMED_HUBS = 12
_TURN = pi * (3 - sqrt(5))
"""The golden angle: dots on a spiral that turns by it stand evenly."""

Point = tuple[float, float]


@dataclass
class IslandMap:
    """Which trees there are and which anchors join them, without any picture."""

    titles: dict[str, str] = field(default_factory=dict)
    """By the id of a tree."""
    thoughts: dict[str, int] = field(default_factory=dict)
    hubs: dict[str, list[str]] = field(default_factory=dict)
    """By the name of an anchor that two trees or more carry: the ids of these trees."""
    islands: list[list[str]] = field(default_factory=list)
    """Ids of trees, those that share most anchors first; the largest island first."""


def island_map(store: Store, skip: Skip | None = None) -> IslandMap:
    """Read the forest once. Raises NotATree or InvalidTree, or leaves out and tells ``skip``."""
    found, registry = IslandMap(), Registry.of(store)
    carriers: dict[str, dict[str, None]] = defaultdict(dict)
    for tree in store.trees(skip):
        found.titles[tree.id], found.thoughts[tree.id] = tree.title, len(tree)
        for thought in tree.thoughts:
            for link in thought.anchors:
                carriers[registry.head(link.anchor)][tree.id] = None
    shared = {a: list(trees) for a, trees in carriers.items() if len(trees) > 1}
    found.hubs = {
        registry.name(a): trees
        for a, trees in sorted(shared.items(), key=lambda item: (-len(item[1]), item[0]))
    }
    found.islands = _islands(list(found.titles), list(shared.values()))
    return found


def _islands(trees: list[str], joined: list[list[str]]) -> list[list[str]]:
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(trees)
    for together in joined:
        nx.add_star(graph, together)
    degree = Counter(tree for together in joined for tree in together)
    islands = [
        sorted(island, key=lambda tree: (-degree[tree], tree))
        for island in nx.connected_components(graph)
    ]
    return sorted(islands, key=lambda island: (-len(island), min(island)))


def layout(islands: list[list[str]]) -> dict[str, Point]:
    """Where each tree stands: islands on a spiral around the largest, trees on one within each."""
    places: dict[str, Point] = {}
    widest = 0.0
    area = 0.0
    for number, island in enumerate(islands):
        radius = sqrt(len(island)) + 1.0
        widest = max(widest, radius)
        away = (sqrt(area) + radius) * 1.15 if number else 0.0
        x, y = away * cos(number * _TURN), away * sin(number * _TURN)
        area += radius * radius * 1.8
        for n, tree in enumerate(island):
            out = sqrt(n + 0.5) if len(island) > 1 else 0.0
            places[tree] = (x + out * cos(n * _TURN), y + out * sin(n * _TURN))
    return places


def check_picture(path: Path) -> None:
    """Raise UsageError for a path that no picture can be drawn into, before anything is counted."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"{path}: a picture is drawn as .png or .svg")
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="Name a file for the picture.")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")


def plot_islands(store: Store, path: Path, skip: Skip | None = None) -> None:
    """Draw the islands of a forest into a .png or .svg file, in the place of an earlier one.

    :raises UsageError: the name ends otherwise, is that of a folder, or its folder is not there.
    :raises InvalidInput: the forest has no trees.
    :raises MissingExtra: matplotlib is not installed.
    :raises ForestError: the file cannot be written; an earlier one stays as it is.
    """
    check_picture(path)
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("drawing needs matplotlib, which is not installed", "plot") from None
    found = island_map(store, skip)
    if not found.titles:
        raise InvalidInput("the forest has no trees: there is nothing to draw")
    picture, form = BytesIO(), path.suffix.lower()[1:]
    # Without a salt and a date of its own, an SVG would differ each time.
    with mpl.rc_context({"svg.hashsalt": "forest", "svg.fonttype": "none"}):
        figure = Figure(figsize=(12, 12), layout="constrained")
        _draw(figure.add_subplot(), found)
        date: dict[str, Any] = {"Date": None} if form == "svg" else {}
        figure.savefig(picture, format=form, dpi=150, metadata=date)
    _write(path.resolve(), picture.getvalue())


def _write(path: Path, picture: bytes) -> None:
    """Put a picture in its place, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(picture)
        part.replace(path)
    except OSError as error:
        raise ForestError(
            f"the picture {path} cannot be written: {error.strerror or error}",
            hint="Name a file in a folder that can be written to.",
        ) from error
    finally:
        with suppress(OSError):  # where nothing could be written it was never there
            part.unlink(missing_ok=True)


def _draw(axes: Any, found: IslandMap) -> None:
    places = layout(found.islands)
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_title(_title(found))
    for number, (name, trees) in enumerate(found.hubs.items()):
        hub = _middle([places[tree] for tree in trees])
        for tree in trees:
            x, y = places[tree]
            axes.plot([hub[0], x], [hub[1], y], color="0.8", linewidth=0.6, zorder=1)
        if number < NAMED_HUBS:
            label = f"{number + 1}  {_plain(name)} ({len(trees)})"
            axes.scatter(*hub, s=110, color="tab:red", zorder=4, label=label)
            axes.annotate(
                f"{number + 1}", hub, fontsize=7, color="white", ha="center", va="center", zorder=5
            )
    for number, island in enumerate(found.islands):
        xs, ys = zip(*(places[tree] for tree in island), strict=True)
        sizes = [20 + 4 * sqrt(found.thoughts[tree]) for tree in island]
        axes.scatter(xs, ys, s=sizes, color=f"C{number % 10}", zorder=3)
    if found.hubs:
        axes.legend(
            title=_legend(found), loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2,
            fontsize=8, markerscale=0.5,
        )  # fmt: skip
    for tree, place in places.items() if len(places) <= NAMED_TREES else ():
        axes.annotate(
            _plain(found.titles[tree]), place, xytext=(0, -9), textcoords="offset points",
            fontsize=6, ha="center", va="top", zorder=3,
        )  # fmt: skip


def _title(found: IslandMap) -> str:
    return (
        f"trees: {len(found.titles)}, islands: {len(found.islands)}, "
        f"shared anchors: {len(found.hubs)}"
    )


def _legend(found: IslandMap) -> str:
    """Says where not all shared anchors are named."""
    if len(found.hubs) <= NAMED_HUBS:
        return "shared anchors (trees)"
    return f"the {NAMED_HUBS} widest of {len(found.hubs)} shared anchors (trees)"


def _middle(points: list[Point]) -> Point:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def _plain(text: str) -> str:
    """A name as a label: on one line, short, and no formula to the drawing library."""
    line = " ".join(text.split())
    return (line if len(line) <= 40 else line[:39] + "…").replace("$", r"\$")
