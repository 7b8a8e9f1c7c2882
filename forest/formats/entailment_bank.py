"""EntailmentBank: a proof becomes a tree, from its hypothesis down to its facts.

A record is a line of JSON with ``id``, ``question``, ``answer``, ``hypothesis``, ``facts`` (by
name: ``sent1``, …) and ``proof``, a text of steps such as
``sent1 & sent3 -> int1: leo is a constellation; int1 & sent2 -> hypothesis;``.

A statement's children are the premises of the step that concluded it, in the order written. A
fact's sentence is an anchor at its thought, so that a fact used by several proofs is one anchor. A
premise used by two steps of one proof stands once with what is below it, and again, alone, as
``sent2.2`` where it is used again: a tree gives a thought one parent.

Source: Dalvi et al., "Explaining Answers with Entailment Trees", EMNLP 2021.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter
from itertools import count, islice
from typing import Any

import orjson
from pydantic import ValidationError

from forest.errors import ImportRefused, InvalidTree
from forest.fields import MAX_ID, first_of
from forest.formats.base import BadTree, Notice, Problem, SourceFile, shortened, shown
from forest.formats.decoding import NotText, read_lines
from forest.formats.json_trees import parsed_line
from forest.model import AnchorLink, Thought, Tree
from forest.phrases import phrase_key

_NEXT_STEP = re.compile(r";\s*(?=[\w ]+(?:&[\w ]+)*->|\Z)")


def read_entailment_bank(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    """The trees of the proofs in a file, one a record.

    :raises ImportRefused: the file is not UTF-8.
    """
    ids = _Ids(source, notice)
    again = Counter[str]()
    for line in read_lines(source, notice):
        try:
            record = parsed_line(line, source)
            proof = _proof(record)
            tree_id = ids.of(record, line.number)
            if tree_id is not None:
                tree = _tree(proof, record, tree_id, source, again)
                tree.stands(namesakes=partial(_numbered, record["id"]))
                _tell_unused(tree, f"{source.name}:{line.number}", notice)
                yield tree
        except NotText:
            raise
        except ImportRefused as error:
            yield BadTree(error)
        except Problem as problem:
            yield BadTree(problem.at(source, line.number))
    if again:
        notice(
            f"{source.name}: {again['premises']} premises in {again['proofs']} proofs are used by "
            "a second step and stand there again, with ids such as sent2.2"
        )


def _tell_unused(tree: Tree, where: str, notice: Notice) -> None:
    for what, kept in (("step", "unused_steps"), ("fact", "unused_facts")):
        if names := ", ".join(tree.meta.get(kept, ())):  # type: ignore[arg-type]
            notice(
                f"{where}: the proof of {tree.id!r} does not come to the {what}s {names}: they are "
                f"kept in its meta, under {kept}, and are no thoughts"
            )


@dataclass
class _Ids:
    """Gives each record a tree id; a second record of the same id gets another, or is the same."""

    source: SourceFile
    notice: Notice
    seen: dict[str, list[bytes]] = field(default_factory=dict)

    def of(self, record: dict[str, Any], line: int) -> str | None:
        """The tree id, or None if the very same record was there before."""
        id_ = record["id"]
        said = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
        before = self.seen.setdefault(id_, [])
        if said in before:
            self.notice(f"{self.source.name}:{line}: record {id_!r} stands twice, word for word")
            return None
        before.append(said)
        if len(before) == 1:
            return str(id_)
        self.notice(
            f"{self.source.name}:{line}: another record has the id {id_!r}, too; the trees of "
            f"such records are told apart by a number, as in '{id_}.2'"
        )
        return next(islice(_numbered(id_), len(before) - 1, None))


def _numbered(id_: str) -> Iterator[str]:
    """The ids of the trees whose records have this one."""
    yield id_
    yield from (f"{id_}.{number}" for number in count(2))


@dataclass
class _Proof:
    """Statements by name, and for each conclusion the names of its premises."""

    statements: dict[str, str]
    premises: dict[str, list[str]]


def _proof(record: Any) -> _Proof:
    """The proof of a record. Raises Problem where it is none."""
    if not isinstance(record, dict):
        raise Problem((), f"expected a record {{id, question, …, proof}}, got {shown(record)}")
    for key in ("id", "question", "hypothesis", "proof"):
        if not isinstance(record.get(key), str) or not record[key].strip():
            raise Problem((key,), f"{key}: expected text, got {shown(record.get(key))}")
    facts = record.get("facts")
    if not isinstance(facts, dict) or not all(isinstance(f, str) for f in facts.values()):
        raise Problem(("facts",), f"facts: expected {{name: sentence}}, got {shown(facts)}")
    proof = _Proof({**facts, "hypothesis": record["hypothesis"]}, {})
    for step in _NEXT_STEP.split(record["proof"].strip()):
        if step.strip(" ;"):
            _add_step(proof, step, record["id"])
    _check(proof, record["id"])
    return proof


def _add_step(proof: _Proof, step: str, id_: str) -> None:
    left, arrow, right = step.partition("->")
    name, _, statement = (part.strip() for part in right.partition(":"))
    premises = [premise.strip() for premise in left.split("&")]
    if not arrow or not name.isidentifier() or not all(p.isidentifier() for p in premises):
        raise Problem(
            ("proof",),
            f"record {id_!r}: proof: expected 'sent1 & sent2 -> int1: statement', "
            f"got {shown(step.strip())}",
        )
    if name in proof.premises:
        raise Problem(("proof",), f"record {id_!r}: proof: {name!r} is concluded twice")
    if not statement and name not in proof.statements:
        raise Problem(("proof",), f"record {id_!r}: proof: {name!r} has no statement")
    proof.statements.setdefault(name, statement)
    proof.premises[name] = premises


def _check(proof: _Proof, id_: str) -> None:
    if "hypothesis" not in proof.premises:
        raise Problem(("proof",), f"record {id_!r}: proof: no step concludes the hypothesis")
    for name, premises in proof.premises.items():
        for premise in premises:
            if premise not in proof.statements:
                raise Problem(
                    ("proof",),
                    f"record {id_!r}: proof: {name!r} rests on {premise!r}, which is neither "
                    "a fact nor a conclusion",
                )
    try:
        TopologicalSorter(proof.premises).prepare()
    except CycleError as error:
        circle = ", ".join(error.args[1])
        raise Problem(
            ("proof",), f"record {id_!r}: proof: statements rest on each other: {circle}"
        ) from None


def _tree(
    proof: _Proof, record: dict[str, Any], tree_id: str, source: SourceFile, again: Counter[str]
) -> Tree:
    try:
        thoughts, uses = _thoughts(proof)
        tree = Tree(
            id=tree_id,
            title=shortened(record["question"], MAX_ID),
            meta=_meta(proof, record, uses),
            source=source.name,
            thoughts=thoughts,
        )
    except (InvalidTree, ValidationError) as error:
        raise _invalid(error, record) from None
    tree.stands(says_id=True)
    if repeated := uses.total() - len(uses):
        again["premises"] += repeated
        again["proofs"] += 1
    return tree


def _invalid(error: Exception, record: dict[str, Any]) -> Problem:
    first = first_of(error)
    said = first["ctx"]["error"] if first["type"] == "value_error" else first["msg"]
    return Problem((), f"record {record['id']!r}: {said}")


def _thoughts(proof: _Proof) -> tuple[list[Thought], Counter[str]]:
    """The proof in reading order, and how often each statement is used."""
    thoughts: list[Thought] = []
    uses: Counter[str] = Counter()
    todo = [("hypothesis", 0)]
    while todo:
        name, level = todo.pop()
        uses[name] += 1
        thoughts.append(_thought(proof, name, level, uses[name]))
        if uses[name] == 1:
            below = proof.premises.get(name, ())
            todo += [(premise, level + 1) for premise in reversed(below)]
    return thoughts, uses


def _thought(proof: _Proof, name: str, level: int, use: int) -> Thought:
    statement = proof.statements[name]
    kind = "hypothesis" if name == "hypothesis" else "conclusion"
    anchors: tuple[AnchorLink, ...] = ()
    if name not in proof.premises:
        kind = "fact"
        phrase = " ".join(statement.split())
        if phrase_key(phrase) and len(phrase) <= MAX_ID:
            anchors = (AnchorLink(phrase=phrase),)
    return Thought(
        text=statement,
        level=level,
        id=name if use == 1 else f"{name}.{use}",
        kind=kind,
        anchors=anchors,
    )


def _meta(proof: _Proof, record: dict[str, Any], uses: Counter[str]) -> dict[str, Any]:
    known = {"id", "hypothesis", "facts", "proof"}
    meta = {"record": record["id"]} | {k: v for k, v in record.items() if k not in known}
    left = {name: said for name, said in proof.statements.items() if name not in uses}
    facts = {name: said for name, said in left.items() if name not in proof.premises}
    steps = {
        name: f"{' & '.join(proof.premises[name])} -> {said}"
        for name, said in left.items()
        if name in proof.premises
    }
    return (
        meta
        | ({"unused_facts": facts} if facts else {})
        | ({"unused_steps": steps} if steps else {})
    )
