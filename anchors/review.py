"""Reviewing what discovery proposed: the only door from the list into the forest.

A proposal changes nothing by itself. Accepted, a ``mark`` becomes an anchor of its thought, with
the origin ``discovered`` and its score (`anchors.marks`), and a ``merge`` makes two anchors one;
nothing that an author wrote is changed. Refused, it never comes back. Each answer is a decision of
the history, and can be undone there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anchors import marks
from anchors.arguments import check_texts, listed
from anchors.deciding import decide_on, decision_about, finish, mark_of
from anchors.decisions import MARK as MARKED
from anchors.decisions import PART, REFUSE, Decision, decisions, marks_of, meanings_of
from anchors.proposals import MARK, MERGE, Proposal, proposals
from anchors.registry import Registry, refusal
from anchors.writing import rehearsed
from forest.errors import InvalidInput, NotFound
from forest.model import anchor_id
from forest.nodes import Key, Node
from forest.schema import PROPOSAL
from forest.shell import command_line
from forest.stores.base import Store


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
    gone: dict[str, str] = field(default_factory=dict)
    """Id of a proposal about what is in the forest no more: why. It is dropped."""
    numbers: list[int] = field(default_factory=list)
    """Numbers of the decisions in the history."""
    held: list[int] = field(default_factory=list)
    """Numbers of earlier decisions that say what was accepted, and by which it is done again."""


def chosen(store: Store, named: Iterable[str]) -> list[Proposal]:
    """Proposals by their ids, or by how only one of them begins. Raises NotFound."""
    finish(store)
    there = {p.id: p for p in proposals(store)}
    asked = listed(named, str, "ids of proposals")
    return [there[_find(there, name)] for name in dict.fromkeys(asked)]


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


# --- deciding -------------------------------------------------------------------------------------


def accept(store: Store, some: Iterable[Proposal]) -> Reviewed:
    """Take proposals into the forest. What cannot be taken is left out, and said why.

    First it is seen what can be marked, then the list and the history are changed in one
    transaction, and the thoughts are marked. Interrupted after that transaction, whoever decides
    next marks them (`anchors.deciding.finish`); before it, nothing is done.
    """
    return _decide(store, listed(some, Proposal, "proposals"), [])


def refuse(store: Store, some: Iterable[Proposal], *, why: str = "") -> Reviewed:
    """Refuse proposals, all in one transaction: what they propose is never proposed again."""
    check_texts(why=why)
    return _decide(store, [], listed(some, Proposal, "proposals"), why)


def _decide(
    store: Store, accepted: Sequence[Proposal], refused: Sequence[Proposal], why: str = ""
) -> Reviewed:
    lost = dict(_without_anchor(store, accepted))
    marked = {mark_of(p): p for p in accepted if p.what == MARK and p.id not in lost}
    finish(store)
    known = decisions(store) if marked else []
    meanings, decided = meanings_of(known), marks_of(known)
    left_out, gone = marks.put(store, marked, meanings, write=rehearsed(store))
    # Decided before, and lost by an edit since: nothing new is to be decided.
    marks.put(store, [mark for mark, p in marked.items() if p.against in decided], meanings)
    unmarked = {marked[mark].id: reason for mark, reason in left_out.items()}
    lost |= {marked[mark].id: reason for mark, reason in gone.items()}
    review = Reviewed()

    def say(registry: Registry, there: Mapping[Key, Node]) -> tuple[list[Decision], list[Key]]:
        # What another review decided in this moment is not decided again.
        before = {
            p.id
            for p in (*accepted, *refused)
            if p.node.at not in there and _was_decided(registry, p)
        }
        vars(review).update(
            vars(Reviewed(left_out=dict(unmarked), gone=dict(lost), before=len(before)))
        )
        made = list(_said_now(registry, accepted, refused, before, review, why))
        answered = [p for p in (*accepted, *refused) if p.id not in review.left_out]
        return made, [p.node.at for p in answered]

    if accepted or refused:
        review.numbers = [d.no for d in decide_on(store, PROPOSAL.label, say)]
    return review


def _without_anchor(store: Store, accepted: Iterable[Proposal]) -> Iterator[tuple[str, str]]:
    """(id, why) of the marks whose anchor was carried when they were found, and is no more."""
    found = [p for p in accepted if p.what == MARK and p.carried]
    registry = Registry.of(store) if found else Registry([])
    for p in found:
        try:
            p.anchor in registry.anchors or registry.find(p.anchor)
        except NotFound:
            yield p.id, _carried_no_more(p.anchor)


def _carried_no_more(anchor: str) -> str:
    return f"no thought carries the anchor {anchor!r} any more"


def _was_decided(registry: Registry, p: Proposal) -> bool:
    return (
        p.against in registry.marks or registry.merged(*p.against) or registry.refused(*p.against)
    )


def _said_now(
    registry: Registry,
    accepted: Sequence[Proposal],
    refused: Sequence[Proposal],
    before: Collection[str],
    review: Reviewed,
    why: str,
) -> Iterator[Decision]:
    """The decisions that answers make, counted in ``review``."""
    for p in refused:
        if p.id not in before:
            review.refused += 1
            if not registry.refused(*p.against):
                yield decision_about(REFUSE, p, why)
    for p in accepted:
        if p.id in before or p.id in review.left_out or p.id in review.gone:
            continue
        if p.what == MERGE:
            yield from _merging(registry, p, review)
        else:
            review.marked += 1
            if p.against in registry.marks:
                review.held.append(registry.marks[p.against].no)
            else:
                yield decision_about(MARKED, p)


def _merging(registry: Registry, p: Proposal, review: Reviewed) -> Iterator[Decision]:
    for id_ in (p.anchor, p.into):
        if id_ not in registry.anchors:
            review.gone[p.id] = _carried_no_more(id_)
            return
    refusals = registry.refusals(p.anchor, p.into)
    if refusals:
        review.left_out[p.id] = str(refusal(refusals))
        return
    from anchors.discovery.sureness import GUESSED, excluding  # imports numpy

    if p.score <= GUESSED and (two := excluding(registry, p.anchor, p.into)):
        review.left_out[p.id] = _two_words(registry, p, *two)
        return
    review.merged += 1
    if registry.merged(p.anchor, p.into):
        return
    decision = decision_about(MERGE, p)
    registry.add(decision)
    yield decision


def _two_words(registry: Registry, p: Proposal, one: str, other: str) -> str:
    first, second = (registry.called(id_) for id_ in (one, other))
    merge = command_line("anchors", "merge", p.anchor, p.into)
    return f"«{first}» and «{second}» are two words, and would be one; if they are: `{merge}`"


def answer(store: Store, text: str, name: str) -> Reviewed:
    """Accept and refuse as an author wrote in a review file.

    What was decided before is passed over, so a file can be answered bit by bit; what was decided
    and taken back is left out, for it is on no list until discovery finds it again. Raises
    InvalidInput with the line, as `read_review`, and where an entry is no proposal or says
    something else than the proposal does; then nothing of the file counts.
    """
    check_texts(text=text)
    registry, there = Registry.of(store), {p.id: p for p in proposals(store)}
    name_of = naming(registry, there.values())
    decided = {_id_of(d): d.no for d in registry.decisions}
    taken_back: dict[str, str] = {}
    accepted: list[Proposal] = []
    refused: list[Proposal] = []
    before = 0
    answers = read_review(text, name)
    said = [there[one.id] for one in answers if one.id in there and one.accept is not None]
    shown = {e.proposal.id: e for e in evidence(store, said)}
    for one in answers:
        if one.id in shown:
            _refuse_edited(registry, name_of, shown[one.id], one)
            (accepted if one.accept else refused).append(there[one.id])
        elif one.id in there:
            continue  # to be decided later
        elif one.id in decided:
            if one.accept is None or decided[one.id] not in registry.undone:
                before += one.accept is not None
            else:
                taken_back[one.id] = (
                    f"decision {decided[one.id]} about it was taken back: "
                    "`forest anchors discover` proposes it again"
                )
        elif one.accept is not None:
            raise InvalidInput(
                f"{one.where}: there is no proposal {one.id!r}",
                hint="`forest anchors proposals` lists them. Discovery may find one no longer.",
            )
    reviewed = _decide(store, accepted, refused)
    reviewed.before += before
    reviewed.left_out |= taken_back
    return reviewed


def _id_of(decision: Decision) -> str:
    """The id of the proposal that a decision is about, if one was."""
    if decision.action == PART:
        return ""
    if decision.action == MERGE or not decision.phrase:
        return Proposal(MERGE, "", 0.0, decision.anchor, into=decision.into).id
    return Proposal(MARK, "", 0.0, decision.anchor, thought=decision.into).id


def _refuse_edited(
    registry: Registry, name_of: Callable[[str], str], shown: Evidence, one: Answer
) -> None:
    """Raise InvalidInput where an entry says something else than what is proposed."""
    import yaml

    proposal = shown.proposal
    expected = _written(yaml.safe_dump(review_entry(shown, name_of), allow_unicode=True))
    # What is gone is said later; and a merge that names no thoughts is shown by any.
    sides = {"here": shown.here, "there": shown.there} if proposal.thought else {}
    unknown = {side for side in ("here", "there") if sides.get(side) is None}
    for name, wrote in one.values.items():
        there = expected.get(name)
        if name == "accept" or wrote == there or name.partition(".")[0] in unknown:
            continue
        if name in ("anchor", "into") and registry.names(wrote, getattr(proposal, name)):
            continue
        what = f"but {there!r} is proposed" if there is not None else "which no proposal has"
        raise InvalidInput(
            f"{one.where}: proposal {one.id!r}: {name} is {wrote!r}, {what}",
            hint="Only `accept` may be edited. If the forest changed since the file was written, "
            "leave `accept` empty here and write another file: `forest anchors proposals "
            "--out FILE`. Another anchor is written into a thought with `forest edit`; "
            "`forest anchors merge` makes two anchors one.",
        )


def _written(text: str) -> Mapping[str, str]:
    import yaml

    return _values(yaml.compose(text, Loader=yaml.SafeLoader), text, "")


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


def naming(registry: Registry, some: Iterable[Proposal]) -> Callable[[str], str]:
    """What anchors are shown as while proposals wait: `Registry.name`.

    One that no thought carries yet is shown as the thoughts to mark say it: as most of them do.
    """
    named = registry.anchors.keys() | registry.titles.keys()
    said = Counter(
        (p.anchor, p.phrase)
        for p in some
        if p.what == MARK and p.anchor not in named and anchor_id(p.phrase) == p.anchor
    )
    # Of several spellings the last counts: the most frequent, as `Registry.name` chooses later.
    written = dict(sorted(said, key=lambda pair: (-said[pair], pair), reverse=True))
    return lambda anchor: written.get(anchor) or registry.name(anchor)


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


@dataclass(frozen=True, slots=True)
class Answer:
    """An entry of a review file."""

    id: str
    where: str
    """The file and the line."""
    accept: bool | None
    """None: to be decided later."""
    values: Mapping[str, str]
    """Its values as written; those of what stands under ``here`` as "here.text"."""


def read_review(text: str, name: str) -> list[Answer]:
    """The entries of a review file. Raises InvalidInput with the line: ``name:7: …``."""
    import yaml

    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        problem = str(getattr(error, "problem", error)).partition("\n")[0]
        raise InvalidInput(f"{where}: it is not YAML: {problem}") from None
    except RecursionError:
        raise InvalidInput(f"{name}: it is nested too deep to be a review") from None
    if not isinstance(top, yaml.SequenceNode) or not top.value:
        raise InvalidInput(
            f"{name}:1: expected a list of proposals, each with id and accept",
            hint="`forest anchors proposals --out FILE` writes one.",
        )
    read: dict[str, Answer] = {}
    for item in top.value:
        one = _answer(f"{name}:{item.start_mark.line + 1}", _values(item, text, name))
        if one.id in read:
            raise InvalidInput(f"{one.where}: proposal {one.id!r} stands there twice")
        read[one.id] = one
    return list(read.values())


def _answer(where: str, values: Mapping[str, str]) -> Answer:
    if not values.get("id"):
        raise InvalidInput(f"{where}: expected a proposal with its id")
    said = values.get("accept")
    word = said.strip().lower() if said is not None else None
    if word is None or word not in _YES | _NO | _LATER:
        told = "is missing" if said is None else f"is {said!r}"
        raise InvalidInput(
            f"{where}: proposal {values['id']!r}: accept {told}, expected yes, no, or nothing"
        )
    return Answer(values["id"], where, None if word in _LATER else word in _YES, values)


def _values(item: Any, text: str, name: str, within: str = "") -> Mapping[str, str]:
    """The values of a mapping of YAML as written; of a list in it, how it is written.

    Raises InvalidInput where a key is no text, or stands there twice.
    """
    if not isinstance(item.value, list) or item.tag != "tag:yaml.org,2002:map":
        return {}
    found: dict[str, str] = {}
    lines: dict[str, int] = {}
    for key, value in item.value:
        line, said = key.start_mark.line + 1, _as_written(key, text)
        if not isinstance(key.value, str):
            raise InvalidInput(f"{name}:{line}: {said} is no key: expected one such as accept")
        if key.value in lines:
            raise InvalidInput(
                f"{name}:{line}: {within}{said} stands there twice in one entry "
                f"(before in line {lines[key.value]})",
                hint="Keep one of the two.",
            )
        lines[key.value] = line
        if isinstance(value.value, str):
            found[key.value] = value.value
        elif not within and (inner := _values(value, text, name, f"{said}.")):
            found |= {f"{key.value}.{inside}": said for inside, said in inner.items()}
        else:
            found[key.value] = _as_written(value, text)
    return found


def _as_written(node: Any, text: str) -> str:
    return text[node.start_mark.index : node.end_mark.index].strip()
