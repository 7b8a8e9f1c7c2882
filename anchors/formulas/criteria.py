"""The four criteria by which a linkage deserves a code of its own (owner's seed 2, 9.4.1).

stable          its terms stand together in at least n trees: each tree carries all of them, on
                whichever thoughts. Forms of a word and merged anchors count as one.
reproducible    the same set of terms is found again as a recurring core (`anchors.formulas.cores`).
registers       scenes voice it in two registers at least.
reversible      each of its scenes finds it again: with that scene left out of it, it is still the
                nearest of all formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anchors.embedding import Embedder
from anchors.formulas.book import Book
from anchors.formulas.codes import is_code
from anchors.formulas.cores import SIZES, Mined, core_of, propose
from anchors.formulas.model import Formula, Scene
from anchors.formulas.syntax import read
from anchors.formulas.vectors import Space, recall
from anchors.formulas.where import registry_with, trees_of
from forest.render import plural
from forest.stores.base import Skip, Store

STABLE_TREES = 2
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion: whether it is met, and by what."""

    name: str
    met: bool
    said: str


@dataclass(frozen=True, slots=True)
class Check:
    """What the criteria say of a formula."""

    code: str
    """"" where it has none yet."""
    criteria: tuple[Criterion, ...]
    trees: tuple[str, ...]
    """Ids of the trees that carry all its terms."""
    recall: float | None
    """The part of its scenes that find it again; None without any."""

    @property
    def met(self) -> bool:
        """Whether all four are met."""
        return all(criterion.met for criterion in self.criteria)

    @property
    def unmet(self) -> list[str]:
        """Those that are not met, a line for each."""
        return [f"{c.name}: {c.said}" for c in self.criteria if not c.met]


def check(
    store: Store,
    what: str,
    *,
    scenes: Sequence[Scene] = (),
    trees: int = STABLE_TREES,
    embedder: Embedder | None = None,
    skip: Skip | None = None,
) -> Check:
    """The four criteria for a formula of the forest, by its code, or for one that a text says.

    :param scenes: scenes that would come with it.
    :param trees: in how many trees a stable formula stands, at least.
    :param skip: as in `Store.trees`.
    :raises NotFound: there is no formula under that code.
    :raises InvalidFormula: the text says none.
    :raises Conflict: its code belongs to a formula that says something else.
    """
    book = Book.of(store, skip=lambda _: None)
    key, formula = _added(book, what, scenes)
    terms = book.terms(formula)
    registry = registry_with(store, terms)
    heads = sorted({registry.head(term.anchor) for term in terms})
    carrying = [trees_of(store, registry, head) for head in heads]
    together = sorted(set.intersection(*carrying)) if carrying else []
    held_out = Space(book, embedder).held_out(key)
    lost = [h for h in held_out if not h.found]
    registers = sorted({scene.register for scene in book.voices(key)} - {""})
    part = recall(held_out)
    return Check(
        key,
        (
            Criterion(
                "stable",
                len(together) >= trees,
                f"its terms stand together in {plural(len(together), 'tree')}"
                + (f" ({_some(together)})" if together else "")
                + f", {trees} are asked for",
            ),
            _reproducible(heads, propose(store, trees=trees, terms=terms, skip=skip)),
            Criterion(
                "registers",
                len(registers) > 1,
                f"scenes voice it in {plural(len(registers), 'register')}"
                + (f" ({_some(registers)})" if registers else "")
                + ", 2 are asked for",
            ),
            Criterion(
                "reversible",
                part == 1,
                f"found again from {len(held_out) - len(lost)} of its "
                f"{plural(len(held_out), 'scene')}, among {plural(len(book.formulas), 'formula')}"
                + "".join(
                    f"; «{h.scene.text}» finds {h.nearest or 'none'}" for h in lost[:MOST_NAMED]
                ),
            ),
        ),
        tuple(together),
        part,
    )


def _added(book: Book, what: str, scenes: Sequence[Scene]) -> tuple[str, Formula]:
    """What is checked, put into the book, and the code it has there: "" if it has none."""
    if is_code(what):
        formula = book.get(what)
        key = formula.code
    else:
        formula, has_code = read(what)
        key = formula.code if has_code else ""
        book.formulas[key] = formula = book.joined(formula) if has_code else formula
    book.scenes.setdefault(key, {}).update((scene.text, scene) for scene in scenes)
    return key, formula


def _reproducible(heads: list[str], mined: Mined) -> Criterion:
    if len(heads) not in SIZES:
        said = f"a core has {SIZES[0]} to {SIZES[-1]} terms, this has {len(heads)}"
        return Criterion("reproducible", False, said)
    core = core_of(mined.cores, heads)
    if core is None:
        said = "its terms are not found as a recurring core: together no more than by chance"
        return Criterion("reproducible", False, f"{said}, in a forest of {mined.trees:,} trees")
    said = f"found as a recurring core in {core.trees} trees; by chance {core.by_chance:.2g} such"
    return Criterion("reproducible", True, said)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
