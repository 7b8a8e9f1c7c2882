"""Reviewing what discovery proposed: the only door from the list into the forest.

A proposal changes nothing by itself. Accepted, a ``mark`` becomes an anchor of its thought, with
the origin ``discovered`` and its score, and a ``merge`` becomes a decision; nothing that an author
wrote is changed. Refused, it becomes a decision too, so that it never comes back.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anchors.proposals import MARK, MERGE, Proposal, proposals
from anchors.registry import REFUSE, Decision, Registry, decide, merging
from forest.errors import Conflict, InvalidInput, NotFound
from forest.forest import stamped
from forest.identity import finished
from forest.model import AnchorLink, Tree
from forest.nodes import Key
from forest.phrases import phrase_key
from forest.schema import PROPOSAL
from forest.stores.base import Store

DISCOVERED = "discovered"
TREES_AT_ONCE = 100
"""Trees that are marked in one transaction."""


@dataclass
class Reviewed:
    """What came of a review."""

    marked: int = 0
    merged: int = 0
    refused: int = 0
    before: int = 0
    """Answers to proposals that are not there any more: they were decided before."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Id of a proposal that could not be accepted: why. It is kept."""


def chosen(store: Store, named: Iterable[str]) -> list[Proposal]:
    """Proposals by their ids, or by how only one of them begins. Raises NotFound."""
    there = {p.id: p for p in proposals(store)}
    return [there[_find(there, name)] for name in dict.fromkeys(named)]


def _find(ids: Iterable[str], name: str) -> str:
    if name in ids:
        return name
    alike = [id_ for id_ in ids if id_.startswith(name)] if name else []
    if len(alike) == 1:
        return alike[0]
    several = f"several proposals begin with {name!r}: {', '.join(alike[:8])}"
    raise NotFound(
        several if alike else f"there is no proposal {name!r}",
        hint="`forest anchors proposals` lists them; one that was decided is not among them.",
    )


# --- accepting ------------------------------------------------------------------------------------


def accept(store: Store, some: Iterable[Proposal]) -> Reviewed:
    """Take proposals into the forest. What cannot be taken is left out, and said why.

    Each tree is changed in one transaction; going on after an interruption is safe.
    """
    review = Reviewed()
    chosen = list(some)
    _mark(store, [p for p in chosen if p.what == MARK], review)
    _merge(store, [p for p in chosen if p.what == MERGE], review)
    return review


def _mark(store: Store, marks: Iterable[Proposal], review: Reviewed) -> None:
    by_tree: dict[str, list[Proposal]] = defaultdict(list)
    for proposal in marks:
        try:
            by_tree[store.tree_of(proposal.thought)].append(proposal)
        except NotFound as error:
            review.left_out[proposal.id] = error.message
    ids = list(by_tree)
    for first in range(0, len(ids), TREES_AT_ONCE):
        some = {id_: by_tree[id_] for id_ in ids[first : first + TREES_AT_ONCE]}
        left_out = _mark_trees(store, some)
        done = [p for marks in some.values() for p in marks if p.id not in left_out]
        review.marked += len(done)
        review.left_out.update(left_out)
        _drop(store, done)


def _mark_trees(store: Store, by_tree: Mapping[str, list[Proposal]]) -> dict[str, str]:
    """Mark the thoughts of some trees in one transaction; returns what was left out, and why."""
    left_out: dict[str, str] = {}

    def change(old: dict[str, Tree | None]) -> dict[str, Tree | None]:
        left_out.clear()
        new: dict[str, Tree | None] = {}
        for id_, tree in old.items():
            if tree is None:
                left_out.update((p.id, f"the tree {id_!r} is gone") for p in by_tree[id_])
            elif marked := _marked(tree, by_tree[id_], left_out):
                new[id_] = marked
        return new

    store.change(list(by_tree), change)
    return left_out


def _marked(tree: Tree, marks: Iterable[Proposal], left_out: dict[str, str]) -> Tree | None:
    """The tree with these marks; None if it has them all already."""
    new = tree.model_copy(update={"thoughts": list(tree.thoughts)})
    for proposal in marks:
        try:
            thought = new[proposal.thought]
            link = AnchorLink(
                phrase=proposal.phrase,
                anchor=proposal.anchor,
                origin=DISCOVERED,
                score=proposal.score,
            )
        except (NotFound, ValueError) as error:
            left_out[proposal.id] = str(error)
            continue
        if proposal.anchor in {old.anchor for old in thought.anchors}:
            continue
        if not stands_in(proposal.phrase, thought.text):
            left_out[proposal.id] = (
                f"{proposal.phrase!r} no longer stands in thought {thought.id!r}, which was edited"
            )
            continue
        new.edit(thought.id, anchors=[*thought.anchors, link])
    return stamped(finished(new, tree), tree) if new.thoughts != tree.thoughts else None


def stands_in(phrase: str, text: str) -> bool:
    """Whether a text says a phrase, in whole words, whatever the spelling habits."""
    key = phrase_key.__wrapped__  # without its cache: thoughts are many and long
    return re.search(rf"(?<!\w){re.escape(phrase_key(phrase))}(?!\w)", key(text)) is not None


def _drop(store: Store, done: Iterable[Proposal]) -> None:
    keys = [(PROPOSAL.label, proposal.id) for proposal in done]
    store.change_nodes([], lambda _: dict.fromkeys(keys))


def _merge(store: Store, merges: Sequence[Proposal], review: Reviewed) -> None:
    left_out: dict[str, str] = {}

    def say(registry: Registry) -> Iterator[Decision]:
        left_out.clear()
        for proposal in merges:
            try:
                if decision := _merging(registry, proposal):
                    registry.add(decision)
                    yield decision
            except (Conflict, NotFound) as error:
                left_out[proposal.id] = str(error)

    def done() -> list[Key]:
        return [(PROPOSAL.label, p.id) for p in merges if p.id not in left_out]

    if merges:
        decide(store, say, done)
        review.merged += len(merges) - len(left_out)
        review.left_out.update(left_out)


def _merging(registry: Registry, proposal: Proposal) -> Decision | None:
    for id_ in (proposal.anchor, proposal.into):
        if id_ not in registry.anchors:
            raise NotFound(f"no thought carries the anchor {id_!r} any more")
    if registry.head(proposal.anchor) == registry.head(proposal.into):
        return None
    return merging(registry, proposal.anchor, proposal.into, proposal.rule, proposal.score)


# --- refusing -------------------------------------------------------------------------------------


def refuse(store: Store, some: Iterable[Proposal], *, why: str = "") -> Reviewed:
    """Refuse proposals, all in one transaction: what they propose is never proposed again."""
    gone = list(some)

    def say(registry: Registry) -> list[Decision]:
        return [
            Decision(
                0, "", REFUSE, *p.against, phrase=p.phrase, rule=p.rule, score=p.score, why=why
            )
            for p in gone
            if not registry.refused(*p.against)
        ]

    if gone:
        decide(store, say, lambda: [(PROPOSAL.label, p.id) for p in gone])
    return Reviewed(refused=len(gone))


def answer(store: Store, text: str, name: str) -> Reviewed:
    """Accept and refuse as an author wrote in a review file.

    What was decided before is passed over, so a file can be answered bit by bit. Raises
    InvalidInput, as `read_review`.
    """
    said = read_review(text, name)
    there = [p for p in proposals(store) if p.id in said]
    reviewed = accept(store, [p for p in there if said[p.id]])
    reviewed.refused = refuse(store, [p for p in there if not said[p.id]]).refused
    reviewed.before = len(said) - len(there)
    return reviewed


# --- evidence -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A thought with its tree."""

    tree: str
    thought: str
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A proposal with both thoughts, side by side."""

    proposal: Proposal
    here: Place | None
    there: Place | None


def evidence(store: Store, some: Sequence[Proposal]) -> Iterator[Evidence]:
    """Proposals with the thoughts they are about, read in one pass over the forest.

    A merge that names no thoughts is shown by the first ones that carry its anchors. A thought that
    is gone is None.
    """
    thoughts = [_thoughts(store, proposal) for proposal in some]
    wanted = {id_ for pair in thoughts for id_ in pair}
    found: dict[str, Place] = {}
    for tree in store.trees(lambda _: None) if wanted - {""} else ():
        for thought in tree.thoughts:
            if thought.id in wanted:
                found[thought.id] = Place(tree.id, thought.id, thought.text)
    for proposal, (here, there) in zip(some, thoughts, strict=True):
        yield Evidence(proposal, found.get(here), found.get(there))


def _thoughts(store: Store, proposal: Proposal) -> tuple[str, str]:
    if proposal.what == MARK or proposal.thought:
        return proposal.thought, proposal.other
    return _first(store, proposal.anchor), _first(store, proposal.into)


def _first(store: Store, anchor: str) -> str:
    return next((o.thought for o in store.occurrences(anchor)), "")


# --- the review file ------------------------------------------------------------------------------

HEADER = """\
# Write `accept: yes` or `accept: no` for what you have decided; leave it empty to decide later.
# Then: forest anchors accept --from THIS-FILE
"""
_YES, _NO, _LATER = {"yes", "y", "true", "да"}, {"no", "n", "false", "нет"}, {"", "~", "null"}


def review_text(found: Iterable[Evidence], name: Callable[[str], str]) -> Iterator[str]:
    """A file for an author to review, in parts. ``name`` says what an anchor is shown as."""
    import yaml

    yield HEADER
    for one in found:
        told = yaml.safe_dump(
            [review_entry(one, name)], allow_unicode=True, sort_keys=False, width=10**9
        )
        yield f"\n{told}  accept:\n"


def review_entry(one: Evidence, name: Callable[[str], str]) -> dict[str, Any]:
    """A proposal with its evidence, as a review shows it."""
    proposal = one.proposal
    entry: dict[str, Any] = {"id": proposal.id, "what": proposal.what}
    if proposal.phrase:
        entry["phrase"] = proposal.phrase
    entry["anchor"] = name(proposal.anchor)
    if proposal.into:
        entry["into"] = name(proposal.into)
    entry |= {"rule": proposal.rule, "score": proposal.score}
    for side, place in (("here", one.here), ("there", one.there)):
        if place:
            entry[side] = {"tree": place.tree, "thought": place.thought, "text": place.text}
    return entry


def read_review(text: str, name: str) -> dict[str, bool]:
    """What an author decided in a review file: id of a proposal, whether to accept it.

    Raises InvalidInput with the line: ``name:7: …``; then nothing of the file counts.
    """
    import yaml

    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise InvalidInput(f"{where}: it is not YAML: {getattr(error, 'problem', error)}") from None
    if top is None:
        return {}
    if not isinstance(top, yaml.SequenceNode):
        raise InvalidInput(f"{name}:1: expected a list of proposals, each with id and accept")
    said: dict[str, bool] = {}
    for item in top.value:
        line = item.start_mark.line + 1
        values = _scalars(item)
        if not values.get("id"):
            raise InvalidInput(f"{name}:{line}: expected a proposal with its id")
        answer = values.get("accept", "").strip().lower()
        if answer not in _YES | _NO | _LATER:
            raise InvalidInput(
                f"{name}:{line}: proposal {values['id']!r}: accept is {answer!r}, expected yes, "
                "no, or nothing"
            )
        if answer not in _LATER:
            said[values["id"]] = answer in _YES
    return said


def _scalars(item: Any) -> Mapping[str, str]:
    """The plain values of a mapping of YAML, as written."""
    if not isinstance(item.value, list) or item.tag != "tag:yaml.org,2002:map":
        return {}
    return {k.value: v.value for k, v in item.value if isinstance(v.value, str)}
