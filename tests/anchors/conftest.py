"""The command line, and a forest with proposals."""

from __future__ import annotations

import pytest

from forest.model import Tree
from forest.nodes import Node
from forest.stores.base import Store
from tests.anchors.helpers import put
from tests.export_helpers import planted, tree


def trees() -> list[Tree]:
    return [
        tree("Вера", "Вера начинается там. {Причинность → следствие}\n  Порог страшит. {порог}"),
        tree("Закон", "Закон ждёт. {причинности → следствия}\n  На пороге он молчит. {воля}"),
        tree("Сон", "Сон не знает границы. {граница}"),
    ]


def propose(store: Store) -> list[str]:
    """A mark of «пороге» and a merge of «граница» with «порог»; gives the two thoughts."""
    here = store.get("закон").thoughts[1].id
    there = store.get("вера").thoughts[1].id
    mark = {"what": "mark", "rule": "near", "phrase": "пороге", "anchor": "порог", "thought": here}
    put(
        store,
        Node("Proposal", "m1", {**mark, "other": there, "score": 0.9}),
        Node(
            "Proposal",
            "g1",
            {
                "what": "merge",
                "rule": "meaning",
                "anchor": "граница",
                "into": "порог",
                "score": 0.7,
            },
        ),
    )
    return [here, there]


@pytest.fixture
def store() -> Store:
    store = planted(*trees())
    propose(store)
    return store
