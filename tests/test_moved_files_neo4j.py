"""Files that were moved, in a forest on a server, where they are known by their whole paths.

They are gone there if their folder is imported and they are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forest import Forest
from forest.stores import open_store
from tests import test_moved_files
from tests.conftest import Neo4jServer
from tests.test_moved_files import (  # noqa: F401 - the same tests, of another forest
    test_a_new_note_leaves_the_tree_alone_that_left_its_place,
    test_a_note_that_took_the_place_of_a_deleted_one_leaves_its_tree_alone,
    test_a_note_that_was_moved_and_edited_at_once_is_known_by_most_of_its_texts,
    test_a_note_with_a_block_of_data_is_known_as_any_other,
)
from tests.test_titled import (  # noqa: F401
    test_chapters_numbered_anew_are_known_in_the_parts_of_their_book,
)

pytestmark = pytest.mark.neo4j


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def forest(clean_neo4j: Neo4jServer) -> Iterator[Forest]:
    """On a real server."""
    server = clean_neo4j
    with open_store(server.url, username=server.username, password=server.password) as store:
        yield Forest(store)


@pytest.mark.parametrize("kind", ["no heading", "dialogue"])
def test_notes_that_change_places_keep_their_trees(forest: Forest, vault: Path, kind: str) -> None:
    test_moved_files.test_notes_that_took_the_names_of_others_keep_their_trees(
        forest, vault, kind, "a>b b>a"
    )
