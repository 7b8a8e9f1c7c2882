"""A forest of reasoning trees, stitched at shared anchors.

>>> from forest import Forest, Tree
>>> tree = Tree("Justice", axes={"causality": "80%", "empathy": "20%"})
>>> root = tree.add("Justice is a fit between deeds and norms.", anchors=["cause → effect"])
>>> with Forest.open("memory:") as forest:
...     forest.add(tree).added
['justice']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forest.errors import ForestError
    from forest.forest import Forest
    from forest.model import Anchor, AnchorLink, Axis, Occurrence, Thought, Tree, TreeInfo

__all__ = [
    "Anchor",
    "AnchorLink",
    "Axis",
    "Forest",
    "ForestError",
    "Occurrence",
    "Thought",
    "Tree",
    "TreeInfo",
]

_HOME = {"Forest": "forest.forest", "ForestError": "forest.errors"}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: `forest --help` needs none of it."""
    if name in __all__:
        return getattr(import_module(_HOME.get(name, "forest.model")), name)
    raise AttributeError(f"module 'forest' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is here, loaded or not."""
    return sorted({*globals(), *__all__})
