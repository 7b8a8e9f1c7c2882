"""The forest seen by its meaning axes."""

from __future__ import annotations

from forest.model import Axis
from forest.phrases import phrase_key
from forest.stores.base import Skip, Store


def trees_by_axis(
    store: Store, skip: Skip | None = None
) -> list[tuple[Axis, list[tuple[str, float]]]]:
    """Each axis with the trees bound to it as (tree id, weight), the strongest first.

    What is no tree raises NotATree or InvalidTree, or is left out and told to ``skip``.
    """
    bound: dict[str, list[tuple[str, float]]] = {}
    for info in store.infos(skip):
        for name, weight in info.axes.items():
            bound.setdefault(phrase_key(name), []).append((info.id, weight))
    return [
        (axis, sorted(bound.get(axis.id, []), key=lambda pair: (-pair[1], pair[0])))
        for axis in store.axes()
    ]
