"""One formula out of several definitions of it."""

from __future__ import annotations

from dataclasses import replace

from anchors.formulas.errors import Contradiction
from anchors.formulas.model import ROLES, Formula, Term, standard
from anchors.formulas.syntax import joined, words_of
from forest.phrases import phrase_key


def united(one: Formula, other: Formula) -> Formula:
    """The formula that says what two definitions under one code say together.

    A definition may add what the other leaves open: terms, parts, roles, a name; and scenes and
    phrases always. Spellings are those of the first.

    :raises Contradiction: they differ in what both say, or in operator or label.
    """
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
