"""The revision of a whole forest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import orjson

from forest.model import Axis


def forest_revision(trees: Iterable[tuple[str, str]], axes: Iterable[Axis]) -> str:
    """SHA-256 (hex) of a forest, from (tree id, `Tree.revision`) in the order of ids and its axes.

    Equal forests have equal revisions on every store; any visible change changes it.
    """
    digest = hashlib.sha256()
    for tree_id, revision in trees:
        digest.update(orjson.dumps((tree_id, revision)))
    for axis in sorted(axes, key=lambda a: a.id):
        digest.update(orjson.dumps(("axis", axis.id, axis.name, axis.description)))
    return digest.hexdigest()
