"""The libraries of training: imported where they are used, one error without them."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from training.errors import MissingExtra

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads warn of each fork


@contextmanager
def quiet() -> Iterator[None]:
    """What libraries warn each other of is not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def library(name: str, extra: str = "train") -> Any:
    """A module of an extra. Raises MissingExtra where it is not installed."""
    # It tells of each cast that it makes, and of what else it would like; peft imports it, too.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        with quiet():
            module = import_module(name)
    except ImportError as error:
        extras = "train" if extra == "train" else f"train,{extra}"
        raise MissingExtra(
            f"training needs the package {error.name or name}, which is not installed",
            hint=f"Install it, in the folder of the project's clone: pip install -e '.[{extras}]'",
        ) from error
    if name == "transformers":
        module.utils.logging.set_verbosity_error()
        module.utils.logging.disable_progress_bar()
    return module
