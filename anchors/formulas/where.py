"""Where formulas stand: the trees that share their terms, the thoughts that name them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anchors.decisions import MERGE, Decision, decisions
from anchors.formulas.book import Book
from anchors.formulas.codes import GLYPHS, LETTERS, REFERENCE
from anchors.formulas.model import Formula, Scene, Term
from anchors.registry import Registry
from forest.model import Anchor
from forest.phrases import phrase_key
from forest.stores.base import Skip, Store


@dataclass(frozen=True, slots=True)
class Mention:
    """A thought that names a formula by its code."""

    tree: str
    thought: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A formula with all that the forest has of it."""

    formula: Formula
    scenes: list[Scene]
    trees: dict[str, list[str]]
    """By each term as written: the ids of the trees that carry it."""
    users: list[str]
    """Codes of the formulas that it is a part of."""
    mentions: list[Mention]


def shown(store: Store, code: str, skip: Skip | None = None) -> Shown:
    """A formula, its scenes, and where it stands. Raises NotFound."""
    book = Book.of(store, skip=lambda _: None)
    formula = book.get(code)
    registry = registry_with(store, formula.terms)
    return Shown(
        formula,
        book.voices(formula.code),
        {t.phrase: sorted(trees_of(store, registry, t.anchor)) for t in formula.terms},
        book.users(formula.code),
        list(mentions(store, formula.code, skip)),
    )


def mentions(store: Store, code: str, skip: Skip | None = None) -> Iterator[Mention]:
    """The thoughts that name a code, by tree, in reading order: one pass over the forest."""
    named = re.compile(re.escape(code) if code in GLYPHS else rf"(?<!\w){code}(?!\w)")
    for tree in store.trees(skip):
        for thought in tree.thoughts:
            if named.search(thought.text.translate(LETTERS)):
                yield Mention(tree.id, thought.id, thought.text)


def named_codes(store: Store, skip: Skip | None = None) -> set[str]:
    """The Δ, Λ and Ω codes that thoughts name, whether or not anybody defined them: one pass."""
    return {
        code
        for tree in store.trees(skip)
        for thought in tree.thoughts
        for code in REFERENCE.findall(thought.text.translate(LETTERS))
    }


def registry_with(store: Store, terms: Iterable[Term], skip: Skip | None = None) -> Registry:
    """The registry of a forest in which these terms are anchors too.

    So a term in another form than any thought has it still counts as the anchor that it means, and
    one that is the name that an anchor was given as that.
    """
    terms = list(terms)
    carried = {anchor.id: anchor for anchor in store.anchors(skip)}
    new = {t.anchor: Anchor(id=t.anchor, phrase=t.phrase) for t in terms if t.anchor not in carried}
    registry = Registry([*carried.values(), *new.values()], decisions(store))
    given = {phrase_key(title): id_ for id_, title in registry.titles.items() if id_ in carried}
    for id_, anchor in new.items():
        named = given.get(phrase_key(anchor.phrase))
        one = named is None or registry.head(named) == registry.head(id_)
        if named is not None and not one and not registry.refusals(id_, named):
            registry.add(Decision(0, "", MERGE, id_, named, rule="name"))
    return registry


def registry_between(store: Store, formulas: Iterable[Formula]) -> Registry | None:
    """The registry by which definitions under one code are compared; see `union.united`.

    None, and the forest's anchors are not read, where those of each code have the same terms.
    """
    formulas = list(formulas)
    said: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for formula in formulas:
        if formula.terms:
            said[formula.code].add(tuple(term.anchor for term in formula.terms))
    if all(len(terms) == 1 for terms in said.values()):
        return None
    return registry_with(store, [t for f in formulas for t in f.terms], skip=lambda _: None)


def trees_of(store: Store, registry: Registry, anchor: str) -> set[str]:
    """The ids of the trees that carry an anchor, under whichever of its names."""
    return {
        place.tree for one in registry.group(anchor).anchors for place in store.occurrences(one.id)
    }
