"""From a forest to files: the training corpus, and graphs in one file.

>>> from exporters import Recipe, export_corpus
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporters.diff import Difference, compare
    from exporters.export import export_corpus
    from exporters.graph import export_graph
    from exporters.manifest import Manifest
    from exporters.recipe import Recipe
    from exporters.work import Workers

__all__ = [
    "Difference",
    "Manifest",
    "Recipe",
    "Workers",
    "compare",
    "export_corpus",
    "export_graph",
]

_HOME = {
    "Difference": "diff",
    "compare": "diff",
    "Manifest": "manifest",
    "Recipe": "recipe",
    "Workers": "work",
    "export_corpus": "export",
    "export_graph": "graph",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for."""
    if name in __all__:
        return getattr(import_module(f"exporters.{_HOME[name]}"), name)
    raise AttributeError(f"module 'exporters' has no attribute {name!r}")
