"""Reading a text as if it were a file, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from forest.formats import BadTree, SourceFile, read_file
from forest.model import Tree


@dataclass
class Read:
    """What came of a file."""

    trees: list[Tree] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def tree(self) -> Tree:
        """The only tree."""
        assert not self.errors
        assert len(self.trees) == 1
        return self.trees[0]

    @property
    def error(self) -> str:
        """The only error."""
        assert len(self.errors) == 1, self.trees
        return self.errors[0]


Reader = Callable[..., Read]


def read_path(path: Path, name: str | None = None, format: str = "auto") -> Read:
    """Read a file."""
    read = Read()
    for item in read_file(SourceFile(path, name or path.name), format, read.notices.append):
        if isinstance(item, BadTree):
            read.errors.append(str(item.error))
        elif isinstance(item, Tree):
            read.trees.append(item)
    return read


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Write a text to a file of the given name and read it."""

    def write_and_read(text: str | bytes, name: str = "note.md", format: str = "auto") -> Read:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_path(path, name, format)

    return write_and_read
