"""Formulas in a forest: adding and removing them, giving them codes, parts and scenes.

Each function is one transaction. Who writes a code has granted it. Who leaves it out asks the
forest for the next free one, and the forest grants it to a formula that meets the four criteria of
`anchors.formulas.criteria`, or when it is told to ``force``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from anchors.embedding import Embedder
from anchors.formulas import expansion
from anchors.formulas.book import LABELS, Book, formula_node, scene_node, taken
from anchors.formulas.codes import checked_code, free_code
from anchors.formulas.criteria import STABLE_TREES, Check, check
from anchors.formulas.errors import NotGranted
from anchors.formulas.expansion import Step
from anchors.formulas.model import REGISTERS, Formula, Scene, standard
from anchors.formulas.syntax import read, text_of
from forest.errors import Conflict, InvalidInput
from forest.formats.base import Notice, silent
from forest.language import guess_language
from forest.nodes import Key, Node
from forest.phrases import phrase_key
from forest.stores.base import Store


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a formula that was added."""

    formula: Formula
    """As it is in the forest now: with what was there under its code before."""
    new: bool
    changed: bool
    """Whether anything was written."""
    check: Check | None = None
    """The criteria, where a code was asked for."""


def add(
    store: Store,
    text: str,
    *,
    scenes: Sequence[Scene] = (),
    force: bool = False,
    trees: int = STABLE_TREES,
    embedder: Embedder | None = None,
    notice: Notice = silent,
) -> Added:
    """Add the formula that a text says; one that is there gets what the text adds to it.

    Without a written code it gets the next free one: Λ for parts joined by →, Ω for a list of
    parts, else Δ. ``trees`` and ``embedder`` are those of `criteria.check`.

    :raises InvalidFormula: the text says none.
    :raises Conflict: the code belongs to a formula that says something else, or what the text says
        has another code already.
    :raises Cycle: it would be a part of itself, by way of others.
    :raises NotGranted: it has no code and does not meet the criteria; not with ``force``.
    :raises NoFreeCode: all Δ codes are in use.
    """
    formula, has_code = read(text, notice)
    report = None
    if not has_code:
        report = check(store, text, scenes=scenes, trees=trees, embedder=embedder)
        if not report.met and not force:
            raise NotGranted(
                f"no code is granted to {text.strip()} yet:\n" + "\n".join(report.unmet),
                hint="Write a code in front of it, or grant one anyway: --force.",
            )

    def make(book: Book) -> Formula:
        return formula if has_code else _coded(book, formula)

    return replace(_put(store, make, scenes), check=report)


def _coded(book: Book, formula: Formula) -> Formula:
    """The formula under the next free code. Raises Conflict where another one says the same."""
    for other in book.formulas.values():
        if _meaning(other) == _meaning(formula):
            raise Conflict(
                f"{other.code} says this already: {text_of(other)}",
                hint=f"Write {other.code} in front, to add to it.",
            )
    return replace(formula, code=free_code(book.codes, _letter(formula)))


def _letter(formula: Formula) -> Literal["Δ", "Λ", "Ω"]:
    if formula.terms:
        return "Δ"
    return {"→": "Λ", ",": "Ω"}.get(formula.parts_join, "Δ")  # type: ignore[return-value]


def _meaning(formula: Formula) -> tuple[object, ...]:
    return (
        phrase_key(formula.operator),
        tuple(term.anchor for term in formula.terms),
        formula.join,
        formula.parts,
        formula.parts_join,
        phrase_key(formula.label),
    )


def merge(
    store: Store,
    codes: Sequence[str],
    *,
    terms: str = "",
    name: str = "",
    scene: str = "",
    code: str = "",
) -> Added:
    """Merge formulas into a new one: ``Δ12 + Δ41 → Δ91 = весна + жара + шаг = «Пробуждение»``.

    :param terms: its terms as a formula has them; by default all terms of its parts.
    :param code: its code; by default the next free one of Δ.
    :raises NotFound: there is no formula under one of the codes.
    :raises InvalidInput: fewer than two codes, or terms that cannot be read.
    """
    body = read(terms)[0] if terms.strip() else None
    if body is not None and not body.terms:
        raise InvalidInput(f"{terms!r} are no terms: expected phrases such as весна + жара")

    def make(book: Book) -> Formula:
        parts = _parts(book, codes)
        both = dict.fromkeys(t for part in parts for t in book.terms(book.formulas[part]))
        new = Formula(
            code=checked(code) if code else free_code(book.codes),
            terms=body.terms if body else tuple({t.anchor: t for t in both}.values()),
            join=body.join if body else "+",
            operator=body.operator if body else "",
            parts=parts,
            name=name,
            scenes=(scene,) if scene else (),
        )
        return _new(book, new)

    return _put(store, make)


def compose(
    store: Store,
    codes: Sequence[str],
    *,
    letter: Literal["Λ", "Ω"] = "Λ",
    label: str = "",
    name: str = "",
    code: str = "",
) -> Added:
    """Make a formula of formulas: a chain ``Λ1 = (Δ12 → Δ41)``, a list ``Ω3 = [Δ01, Δ02]_покой``.

    :param letter: Λ for a chain, Ω for a list.
    :param code: its code; by default the next free one of that letter.
    :raises NotFound: there is no formula under one of the codes.
    :raises InvalidInput: fewer than two codes.
    """

    def make(book: Book) -> Formula:
        new = Formula(
            code=checked(code) if code else free_code(book.codes, letter),
            parts=_parts(book, codes),
            parts_join="→" if letter == "Λ" else ",",
            label=label,
            name=name,
        )
        return _new(book, new)

    return _put(store, make)


def _parts(book: Book, codes: Sequence[str]) -> tuple[str, ...]:
    if len(codes) < 2:
        raise InvalidInput("it is made of two formulas at least: name their codes")
    return tuple(book.get(code).code for code in codes)


def _new(book: Book, formula: Formula) -> Formula:
    if formula.code in book.formulas:
        raise taken(book.formulas[formula.code])
    return replace(formula, source=text_of(formula))


def checked(code: str) -> str:
    """The code in its one spelling. Raises InvalidInput."""
    try:
        return checked_code(code.strip())
    except ValueError as error:
        raise InvalidInput(str(error)) from None


def remove(store: Store, code: str) -> Formula:
    """Remove a formula and the scenes that voice nothing else.

    :raises NotFound: there is none under that code.
    :raises Conflict: others are made of it.
    """
    removed: list[Formula] = []

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        book = _book(old)
        formula = book.get(code)
        if users := book.users(formula.code):
            raise Conflict(
                f"{formula.code} is a part of {', '.join(users)}",
                hint="Remove these first.",
            )
        removed[:] = [formula]
        gone: dict[Key, Node | None] = {("Formula", formula.code): None}
        for at, node in old.items():
            left = tuple(x for x in node.links if x.target != formula.code)
            if at[0] == "Scene" and left != node.links:
                gone[at] = replace(node, links=left) if left else None
        return gone

    store.change_nodes(LABELS, change)
    return removed[0]


def add_scene(
    store: Store, code: str, text: str, *, register: str = "", lang: str = "", origin: str = ""
) -> Scene:
    """Add a text that voices a formula; the same text again gets this register and origin.

    :param register: logical, poetic, bodily, emoji (also in Russian), or any other.
    :param lang: guessed from the text, if empty.
    :param origin: who said it: authored (the default), or a mask.
    :raises NotFound: there is no such formula.
    """
    scene = scene_of_text(text, register=register, lang=lang, origin=origin)

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        node = scene_node(_book(old).get(code).code, scene)
        return {node.at: node}

    store.change_nodes(LABELS, change)
    return scene


def scene_of_text(text: str, *, register: str = "", lang: str = "", origin: str = "") -> Scene:
    """A scene; its register under its standard name, its language guessed where it is not given."""
    return Scene(
        text=text.strip(),
        register=standard(register.strip(), REGISTERS),
        lang=lang or guess_language([text]),
        origin=origin or "authored",
    )


def expand(store: Store, code: str, *, register: str = "") -> list[tuple[Step, list[Scene]]]:
    """A formula with all its parts, as an outline, each with the scenes that voice it.

    :param register: only scenes in this one.
    :raises NotFound: there is no such formula.
    :raises Cycle: one of them, typed with Cypher, is a part of itself.
    """
    book = Book.of(store, skip=lambda _: None)
    wanted = standard(register.strip(), REGISTERS)
    return [
        (step, [s for s in book.voices(step.code) if wanted in ("", s.register)])
        for step in expansion.expand(book.formulas, book.get(code).code)
    ]


# --- one write ----------------------------------------------------------------------------------


def _put(store: Store, make: Callable[[Book], Formula], scenes: Iterable[Scene] = ()) -> Added:
    """Store the formula that is made of those that are there, with its scenes."""
    scenes = list(scenes)
    done: list[Added] = []

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        book = _book(old)
        new = make(book)
        formula = book.joined(new)
        nodes = [formula_node(formula), *(scene_node(formula.code, scene) for scene in scenes)]
        changed = {node.at: node for node in nodes if node != old.get(node.at)}
        done[:] = [Added(formula, new.code not in book.formulas, bool(changed))]
        return dict(changed)

    store.change_nodes(LABELS, change)
    return done[0]


def _book(old: dict[Key, Node]) -> Book:
    return Book.from_nodes(old.values(), skip=lambda _: None)
