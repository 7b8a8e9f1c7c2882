"""The history in sentences: each decision in the names that held when it was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from anchors.decisions import MERGE, RENAME, UNDO, Decision, taken_back
from anchors.registry import Registry
from forest.model import anchor_id
from forest.phrases import phrase_key
from forest.thoughts import with_signs


class History:
    """The decisions of a registry, as they are told."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._titles = dict(_titles_then(registry.decisions))

    def sentence(self, decision: Decision) -> str:
        """What was decided: «порог» is «граница»."""
        one, other = (self._name(id_, decision) for id_ in (decision.anchor, decision.into))
        said, thought = marked(decision.phrase, one), f"thought {decision.into}"
        return {
            "merge": f"«{one}» is «{other}»",
            "refuse": f"{thought} is not marked {said}"
            if decision.phrase
            else f"«{one}» is not «{other}»",
            "rename": f"«{one}» is shown as «{decision.phrase}»"
            if one != decision.phrase
            else f"an anchor is named «{one}»",
            "mark": f"{thought} is marked {said}",
            "part": f"in {decision.into} «{one}» is «{self._name(decision.phrase, decision)}»",
            "undo": f"decision {decision.phrase} is taken back",
        }[decision.action]

    def state(self, decision: Decision) -> str:
        """Why it holds no more; "" where it does."""
        if decision.no in self._registry.undone:
            return "taken back"
        by = self._registry.ended.get(decision.no) if decision.action == MERGE else None
        return f"ended by decision {by}" if by else ""

    def _name(self, anchor: str, decision: Decision) -> str:
        """The name that an anchor had then, else its spelling, else its id."""
        if title := self._titles.get(decision.no, {}).get(anchor):
            return title
        there = self._registry.anchors.get(anchor)
        if there is None or anchor_id(there.phrase, there.kind) != anchor:
            return anchor
        return with_signs(there.phrase, there.kind)


def _titles_then(decisions: Sequence[Decision]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """For each decision, the names that authors had given before it, by anchor."""
    roots: dict[int, Decision] = {}
    naming: list[Decision] = []
    titles: dict[str, str] = {}
    for decision in decisions:
        yield decision.no, titles
        root = roots.get(int(decision.phrase)) if decision.action == UNDO else decision
        if root is None:
            continue
        roots[decision.no] = root
        if root.action == RENAME:
            naming.append(decision)
            undone = taken_back(naming)
            given = [d for d in naming if d.action == RENAME and d.no not in undone]
            titles = {d.anchor: d.phrase for d in given}


def marked(phrase: str, anchor: str) -> str:
    """What a mark says: the phrase as it stands in the thought, and its anchor where that differs.

    >>> marked("пороге", "порог"), marked("Порог", "порог")
    ('«пороге» as «порог»', '«Порог»')
    """
    same = phrase_key(phrase) == phrase_key(anchor)
    return f"«{phrase}»" if same else f"«{phrase}» as «{anchor}»"
