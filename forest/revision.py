"""The revision of a whole forest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import orjson

from forest.model import Axis
from forest.nodes import Node
from forest.schema import PROPOSAL, TRACES


def forest_revision(
    trees: Iterable[tuple[str, str]], axes: Iterable[Axis], nodes: Iterable[Node] = ()
) -> str:
    """SHA-256 (hex) of a forest, from (tree id, `Tree.revision`) in the order of ids, and the rest.

    Equal forests have equal revisions on every store; any visible change changes it. Proposals are
    no part of the forest until somebody accepts them. Where a formula or a scene came from and when
    a decision was made is no part of it either (`forest.schema.TRACES`), as with a tree: the name
    of a file depends on where the forest lies.
    """
    digest = hashlib.sha256()
    for tree_id, revision in trees:
        digest.update(orjson.dumps((tree_id, revision)))
    for axis in sorted(axes, key=lambda a: a.id):
        digest.update(orjson.dumps(("axis", axis.id, axis.name, axis.description)))
    for node in sorted(nodes, key=lambda node: node.at):
        if node.label != PROPOSAL.label:
            links = [(link.type, link.target, dict(link.properties)) for link in node.links]
            traces = TRACES.get(node.label, frozenset())
            properties = {k: v for k, v in node.properties.items() if k not in traces}
            said = (*node.at, properties, links)
            digest.update(orjson.dumps(said, option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()
