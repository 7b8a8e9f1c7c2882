"""The four criteria by which a linkage deserves a code of its own (owner's seed 2, 9.4.1).

stable          its terms stand together in at least n trees: each tree carries all of them, on
                whichever thoughts. Forms of a word and merged anchors count as one. A formula of
                formulas is a linkage of its parts: unless more than half of them are defined, the
                terms that are known do not say that it is stable or reproducible.
reproducible    its terms are found again together, in more trees than chance would have it, by the
                test of recurring cores (`anchors.formulas.cores`). A formula is one set that
                somebody named, so that is corrected for the formulas there are of its kind, of
                terms or of formulas, and not for all sets that a search would try.
registers       scenes voice it in two registers at least, with two texts at least. Forms of a
                register's name are one register, and a text is one whatever its case, quotes,
                spaces and punctuation at its ends.
reversible      each of its scenes finds it again: with that scene left out of it, it is still the
                nearest of all formulas.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from anchors.arguments import check_numbers, check_texts
from anchors.embedding import Embedder
from anchors.formulas.book import Book
from anchors.formulas.codes import is_code
from anchors.formulas.cores import PLAIN, SIZES, by_chance, carried
from anchors.formulas.model import Formula, Scene, register_key, register_name, text_key
from anchors.formulas.syntax import read
from anchors.formulas.vectors import HeldOut, Space, recall
from anchors.formulas.where import registry_between, registry_with
from anchors.registry import Registry
from forest.phrases import phrase_key
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
    key = _added(store, book, what, scenes)
    return Judge(store, book, trees=trees, embedder=embedder, skip=skip).check(key)


class Judge:
    """Judges the formulas of a book by what stands in the forest, which is read once."""

    def __init__(
        self,
        store: Store,
        book: Book,
        *,
        trees: int = STABLE_TREES,
        embedder: Embedder | None = None,
        skip: Skip | None = None,
    ) -> None:
        check_numbers(trees=trees)
        self.store = store
        self.book = book
        self.trees = trees
        self.embedder = embedder
        self.skip = skip

    @cached_property
    def registry(self) -> Registry:
        """The forest's registry of anchors, with the terms of all formulas."""
        terms = [term for formula in self.book.formulas.values() for term in formula.terms]
        return registry_with(self.store, terms, self.skip)

    @cached_property
    def _carried(self) -> dict[str, set[str]]:
        return carried(self.store, self.registry, self.skip)

    @cached_property
    def _space(self) -> Space:
        return Space(self.book, self.embedder)

    def check(self, key: str) -> Check:
        """What the four criteria say of a formula, by the code that it has in the book."""
        formula = self.book.formulas[key]
        heads = {self.registry.head(term.anchor) for term in self.book.terms(formula)}
        together = sorted(tree for tree, there in self._carried.items() if heads and heads <= there)
        held_out = self._space.held_out(key)
        open_ = self._open(formula)
        enough = not open_ or self.book.has_most_parts(formula)
        criteria = (
            _of_defined(self._stable(together), open_, enough),
            _of_defined(self._reproducible(formula, heads), open_, enough),
            _in_registers([scene for scene in self.book.voices(key) if scene.register]),
            _reversible(held_out, len(self.book.formulas)),
        )
        return Check(key, criteria, tuple(together), recall(held_out))

    def twins(self, key: str) -> list[str]:
        """The codes of the other formulas with the same core.

        That is: the same terms, in whichever forms, and parts, under the same operator and label;
        in the same order where an arrow joins them.
        """
        core = self._core(self.book.formulas[key])
        return [code for code in self._by_core[core] if code != key]

    def same_terms(self, key: str) -> list[str]:
        """The terms of a formula that mean one anchor, though no arrow joins them; as written."""
        formula = self.book.formulas[key]
        if formula.join == "→":
            return []
        heads = Counter(self.registry.head(term.anchor) for term in formula.terms)
        return [t.phrase for t in formula.terms if heads[self.registry.head(t.anchor)] > 1]

    @cached_property
    def _by_core(self) -> Mapping[tuple[object, ...], list[str]]:
        found: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for code, formula in self.book.formulas.items():
            found[self._core(formula)].append(code)
        return found

    def _core(self, formula: Formula) -> tuple[object, ...]:
        return (
            phrase_key(formula.operator),
            phrase_key(formula.label),
            _bag((self.registry.head(term.anchor) for term in formula.terms), formula.join),
            _bag(formula.parts, formula.parts_join),
        )

    def _open(self, formula: Formula) -> list[str]:
        """Its parts, and theirs, that nobody defined, where they give it its terms."""
        ends = [] if formula.terms else self.book.ends(formula)
        return [code for code in ends if code not in self.book.formulas]

    def _stable(self, together: Sequence[str]) -> Criterion:
        return Criterion(
            "stable",
            len(together) >= self.trees,
            f"its terms stand together in {plural(len(together), 'tree')}"
            + (f" ({_some(together)})" if together else "")
            + f", {self.trees} are asked for",
        )

    def _reproducible(self, formula: Formula, heads: set[str]) -> Criterion:
        if len(heads) not in SIZES:
            said = f"a core has {SIZES[0]} to {SIZES[-1]} terms, this has {len(heads)}"
            return Criterion("reproducible", False, said)
        count, p = by_chance(self._carried, heads)
        # A merge or a chain is no further guess at which terms belong together: who uses a code
        # does not take away that it deserves one.
        kind = bool(formula.parts)
        formulas = sum(bool(f.parts) == kind for f in self.book.formulas.values())
        met = count >= self.trees and p * formulas <= PLAIN
        corrected = min(p * formulas, 1.0)
        said = (
            f"together in {count} of {plural(len(self._carried), 'tree')}, "
            f"{'more' if corrected <= PLAIN else 'no more'} than by chance: p = {p:.2g}, times "
            f"{plural(formulas, 'formula')} of {'formulas' if kind else 'terms'} {corrected:.2g}, "
            f"{PLAIN} at most"
        )
        if count < self.trees:
            said += f"; {plural(self.trees, 'tree')} are asked for"
        return Criterion("reproducible", met, said)


def _of_defined(said: Criterion, undefined: Sequence[str], enough: bool) -> Criterion:
    """What terms say of a formula, some of whose parts are not defined and give it none."""
    if not undefined:
        return said
    return Criterion(
        said.name,
        said.met and enough,
        f"{said.said}; not defined: {_some(undefined)}: only the terms of the other parts are "
        "counted" + ("" if enough else ", and more than half of the parts must be defined"),
    )


def _bag(items: Iterable[str], join: str) -> object:
    return tuple(items) if join == "→" else frozenset(items)


def _added(store: Store, book: Book, what: str, scenes: Sequence[Scene]) -> str:
    """Put what is checked into the book, and give the code it has there: "" if it has none."""
    check_texts(what=what)
    if is_code(what):
        key = book.get(what).code
    else:
        formula, has_code = read(what)
        key = formula.code if has_code else ""
        if key in book.formulas:
            book.registry = registry_between(store, [book.formulas[key], formula])
        book.formulas[key] = book.joined(formula) if has_code else formula
    book.voice(key, scenes)
    return key


def _in_registers(scenes: Sequence[Scene]) -> Criterion:
    """Two registers with two texts between them; forms of a name are one, and so is one text."""
    registers = {register_key(scene.register): register_name(scene.register) for scene in scenes}
    texts = {text_key(scene.text) for scene in scenes}
    return Criterion(
        "registers",
        len(registers) > 1 and len(texts) > 1,
        f"scenes voice it in {plural(len(registers), 'register')}"
        + (f" ({_some(sorted(registers.values()))})" if registers else "")
        + (", with one text" if len(texts) == 1 and len(registers) > 1 else "")
        + ", 2 are asked for"
        + (", with a text each" if len(texts) == 1 and len(registers) > 1 else ""),
    )


def _reversible(held_out: Sequence[HeldOut], formulas: int) -> Criterion:
    lost = [h for h in held_out if not h.found]
    return Criterion(
        "reversible",
        recall(held_out) == 1,
        f"found again from {len(held_out) - len(lost)} of its {plural(len(held_out), 'scene')}, "
        f"among {plural(formulas, 'formula')}"
        + "".join(f"; «{h.scene.text}» finds {h.nearest or 'none'}" for h in lost[:MOST_NAMED]),
    )


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
