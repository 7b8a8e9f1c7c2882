"""How a tree stands in the file that it was read from: what only the reader of the file knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple


class InFile(NamedTuple):
    """No part of the tree: it is not stored, and is not there for trees that come from no file."""

    namesakes: Callable[[], Iterator[str]] | None = None
    """Tells the ids of all the trees that the file calls as this one, without end.

    None where the file itself tells each of its trees apart.
    """
    named_by_file: bool = False
    """Whether title and root say nothing but the name of the file, which has neither."""
    in_block: bool = False
    """Whether it stands in a note as a block of data, and is called what that says."""
    says_id: bool = False
    """Whether its id is written there, and not made of a title or a name."""
