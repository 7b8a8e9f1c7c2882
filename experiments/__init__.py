"""Experiments that need both a forest and training: which layout of a corpus makes a model jump?

>>> from experiments import Settings, stitching
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.run import stitching
    from experiments.settings import Settings

__all__ = ["Settings", "stitching"]

_HOME = {"Settings": "settings", "stitching": "run"}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for."""
    if name in __all__:
        return getattr(import_module(f"experiments.{_HOME[name]}"), name)
    raise AttributeError(f"module 'experiments' has no attribute {name!r}")
