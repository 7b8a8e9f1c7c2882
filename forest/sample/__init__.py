"""The sample forest: trees written for this project, on the themes of the seeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path


@contextmanager
def sample_folder() -> Iterator[Path]:
    """The folder with the sample's YAML files, one tree a file."""
    with as_file(files("forest.sample")) as folder:
        yield folder
