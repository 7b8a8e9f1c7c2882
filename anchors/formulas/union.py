"""One formula out of several definitions of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from anchors.formulas.errors import Contradiction
from anchors.formulas.model import ROLES, Formula, Term, standard
from anchors.formulas.syntax import joined, words_of
from anchors.registry import Registry
from forest.model import Anchor
from forest.phrases import phrase_key


def united(one: Formula, other: Formula, registry: Registry | None = None) -> Formula:
    """The formula that says what two definitions under one code say together.

    A definition may add what the other leaves open: terms, parts, roles, a name; and scenes and
    phrases always. Terms that mean one anchor are the same, in whichever forms, and their order
    counts only where an arrow joins them. Spellings and order are those of the first.

    :param registry: the anchors of the forest with these terms; None: forms of a word are one.
    :raises Contradiction: they differ in what both say, or in operator or label.
    """
    other = replace(other, terms=_in_terms_of(one, other, registry), parts=_in_parts_of(one, other))
    one_terms, other_terms = _terms_text(one), _terms_text(other)
    one_parts, other_parts = _parts_text(one), _parts_text(other)
    for what, a, b, may_lack in (
        ("code", one.code, other.code, False),
        ("operator", one.operator, other.operator, False),
        ("label", one.label, other.label, False),
        ("terms", one_terms, other_terms, True),
        ("parts", one_parts, other_parts, True),
        ("name", one.name, other.name, True),
    ):
        if (a and b) or not may_lack:
            _same(one.code, what, a, b)
    with_terms, with_parts = (one if one.terms else other), (one if one.parts else other)
    return replace(
        one,
        terms=_with_roles(one, other) if one.terms and other.terms else with_terms.terms,
        join=with_terms.join,
        parts=with_parts.parts,
        parts_join=with_parts.parts_join,
        name=one.name or other.name,
        scenes=_all(one.scenes, other.scenes),
        phrases=_all(one.phrases, other.phrases),
        source="\n".join(_all((one.source,), (other.source,))),
    )


def _in_terms_of(one: Formula, other: Formula, registry: Registry | None) -> tuple[Term, ...]:
    """The terms of the other as the first has them, where they mean the same; else as they are."""
    if one.join != other.join or phrase_key(_terms_text(one)) == phrase_key(_terms_text(other)):
        return other.terms
    there = (*one.terms, *other.terms)
    registry = registry or Registry([Anchor(id=t.anchor, phrase=t.phrase) for t in there])
    theirs: dict[str, list[Term]] = defaultdict(list)
    for term in other.terms:
        theirs[registry.head(term.anchor)].append(term)
    heads = [registry.head(term.anchor) for term in one.terms]
    in_theirs = [registry.head(term.anchor) for term in other.terms]
    if heads != in_theirs and (one.join == "→" or sorted(heads) != sorted(in_theirs)):
        return other.terms
    pairs = [(term, theirs[head].pop(0)) for term, head in zip(one.terms, heads, strict=True)]
    return tuple(replace(term, role=said.role) for term, said in pairs)


def _in_parts_of(one: Formula, other: Formula) -> tuple[str, ...]:
    same = one.parts_join == other.parts_join != "→" and set(one.parts) == set(other.parts)
    return one.parts if same else other.parts


def _same(code: str, what: str, a: str, b: str) -> None:
    if phrase_key(a) != phrase_key(b):
        verb = "are" if what in ("terms", "parts") else "is"
        raise Contradiction(
            f"{code} is defined twice, and the definitions differ: "
            f"the {what} {verb} {a or 'missing'} in one and {b or 'missing'} in the other",
            hint="Write the same in both, or give one of them another code.",
        )


def _with_roles(one: Formula, other: Formula) -> tuple[Term, ...]:
    terms = []
    for a, b in zip(one.terms, other.terms, strict=True):
        if a.role and b.role:
            what = f"role of {a.phrase}"
            _same(one.code, what, standard(a.role, ROLES), standard(b.role, ROLES))
        terms.append(replace(a, role=a.role or b.role))
    return tuple(terms)


def _terms_text(formula: Formula) -> str:
    return joined([words_of(term.phrase) for term in formula.terms], formula.join)


def _parts_text(formula: Formula) -> str:
    return joined(formula.parts, formula.parts_join)


def _all(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in (*one, *other) if text))
