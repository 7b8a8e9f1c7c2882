"""Formulas in a forest: adding and removing them, giving them codes, parts and scenes.

Each function is one transaction. Who writes a code has granted it. Who leaves it out asks the
forest for the next free one, and the forest grants it to a formula that meets the four criteria of
`anchors.formulas.criteria`, or when it is told to ``force``. Where a code is granted, by whom it
may be, the criteria are worked out before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from anchors.arguments import check_store, check_texts, listed
from anchors.embedding import Embedder
from anchors.formulas import expansion
from anchors.formulas.book import LABELS, Book, formula_node, taken
from anchors.formulas.codes import Letter, checked_code, free_code, is_right, order
from anchors.formulas.criteria import STABLE_TREES, Check, Judge
from anchors.formulas.errors import Contradiction, NoFreeCode, NotGranted
from anchors.formulas.expansion import Step
from anchors.formulas.model import Formula, Scene, register_name
from anchors.formulas.syntax import read, text_of
from anchors.formulas.union import united
from anchors.formulas.where import named_codes, registry_between
from forest.errors import Conflict, ForestError, InvalidInput, NotFound
from forest.formats.base import Notice, silent
from forest.language import guess_language, is_language
from forest.nodes import Key, Node
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
    """The criteria, where a code was granted."""
    undefined: tuple[str, ...] = ()
    """Its parts that nobody defined yet."""


@dataclass(frozen=True, slots=True)
class AddedScene:
    """What became of a scene that was added."""

    scene: Scene
    """As it is in the forest now."""
    new: bool


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

    Without a written code it gets the next free one that no thought names: Λ for parts joined by →,
    Ω for a list of parts, else Δ. ``trees`` and ``embedder`` are those of `criteria.check`.

    :raises InvalidFormula: the text says none.
    :raises InvalidInput: all that it is made of is one other formula.
    :raises Conflict: the code belongs to a formula that says something else; or two of its terms
        are one anchor; or a formula with another code has the same core, not with ``force``.
    :raises Cycle: it would be a part of itself, by way of others.
    :raises NotGranted: it has no code and does not meet the criteria; not with ``force``.
    :raises NoFreeCode: all Δ codes are in use.
    """
    check_store(store)
    scenes = listed(scenes, Scene, "scenes")
    formula, has_code = read(text, notice)
    if not formula.terms:
        _refuse_alone(formula.parts)
    codes = _Codes(store)

    def make(book: Book) -> Formula:
        return formula if has_code else replace(formula, code=codes.free(book, _letter(formula)))

    def granted(judge: Judge, code: str) -> Check:
        if not force:
            _refuse_twin(judge, code, may_add=True)
        if same := judge.same_terms(code):
            raise Conflict(
                f"the formula has one anchor several times: {', '.join(same)}",
                hint="Leave all but one of them out, or join its terms by →.",
            )
        report = judge.check(code)
        if not (has_code or report.met or force):
            raise NotGranted(
                f"no code is granted to {text.strip()} yet:\n" + "\n".join(report.unmet),
                hint="Write a code in front of it, or grant one anyway: --force.",
            )
        return report

    return _put(store, make, granted, scenes, trees=trees, embedder=embedder)


class _Codes:
    """Grants the codes of a forest in their order, but those that its thoughts name."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @cached_property
    def named(self) -> set[str]:
        return named_codes(self.store, _leave_out)

    def free(self, book: Book, letter: Letter = "Δ") -> str:
        """The next free code. Raises NoFreeCode."""
        try:
            return free_code(book.codes | self.named, letter)
        except NoFreeCode as error:
            only_named = (self.named | book.codes) - book.formulas.keys() - book.unreadable
            named = sorted((c for c in only_named if is_right(c) and c[0] == "Δ"), key=order)
            if not named:
                raise
            raise NoFreeCode(
                "all 100 codes Δ00 to Δ99 are in use, or named by thoughts or formulas",
                hint=f"Write one in front that is only named ({', '.join(named[:5])}). "
                + (error.hint or ""),
            ) from None


def _letter(formula: Formula) -> Letter:
    if formula.terms:
        return "Δ"
    return {"→": "Λ", ",": "Ω"}.get(formula.parts_join, "Δ")  # type: ignore[return-value]


def merge(
    store: Store,
    codes: Sequence[str],
    *,
    terms: str = "",
    name: str = "",
    scene: str = "",
    code: str = "",
    force: bool = False,
) -> Added:
    """Merge formulas into a new one: ``Δ12 + Δ41 → Δ91 = весна + жара + шаг = «Пробуждение»``.

    :param terms: its terms as a formula has them; by default all terms of its parts.
    :param code: its code; by default the next free one of Δ.
    :raises NotFound: there is no formula under one of the codes.
    :raises InvalidInput: fewer than two codes, one of them twice, or terms that cannot be read.
    :raises Conflict: its code is taken; or the same merge is there, not with ``force``.
    """
    check_store(store)
    check_texts(terms=terms, name=name, scene=scene, code=code)
    body = read(terms)[0] if terms.strip() else None
    if body is not None and not body.terms:
        raise InvalidInput(f"{terms!r} are no terms: expected phrases such as весна + жара")

    free = _Codes(store).free

    def make(book: Book) -> Formula:
        parts = _parts(book, codes)
        if twice := [part for part, times in Counter(parts).items() if times > 1]:
            raise InvalidInput(f"{twice[0]} is named twice: a formula is not merged with itself")
        both = dict.fromkeys(t for part in parts for t in book.terms(book.formulas[part]))
        new = Formula(
            code=checked(code) if code else free(book),
            terms=body.terms if body else tuple({t.anchor: t for t in both}.values()),
            join=body.join if body else "+",
            operator=body.operator if body else "",
            parts=parts,
            name=name,
            scenes=(scene,) if scene else (),
        )
        return _new(book, new)

    return _put(store, make, _grant_to(force=force))


def compose(
    store: Store,
    codes: Sequence[str],
    *,
    letter: Literal["Λ", "Ω"] = "Λ",
    label: str = "",
    name: str = "",
    code: str = "",
    force: bool = False,
) -> Added:
    """Make a formula of formulas: a chain ``Λ1 = (Δ12 → Δ41)``, a list ``Ω3 = [Δ01, Δ02]_покой``.

    :param letter: Λ for a chain, Ω for a list.
    :param code: its code; by default the next free one of that letter.
    :raises NotFound: there is no formula under one of the codes.
    :raises InvalidInput: fewer than two codes, or the same one each time.
    :raises Conflict: its code is taken; or the same one is there, not with ``force``.
    """
    check_store(store)
    check_texts(label=label, name=name, code=code)
    if letter not in ("Λ", "Ω"):
        raise InvalidInput(f"{letter!r} is no letter of a formula of formulas: expected Λ or Ω")
    free = _Codes(store).free

    def make(book: Book) -> Formula:
        parts = _parts(book, codes)
        _refuse_alone(parts)
        new = Formula(
            code=checked(code) if code else free(book, letter),
            parts=parts,
            parts_join="→" if letter == "Λ" else ",",
            label=label,
            name=name,
        )
        return _new(book, new)

    return _put(store, make, _grant_to(force=force))


def _refuse_alone(parts: Sequence[str]) -> None:
    if len(set(parts)) == 1:
        raise InvalidInput(f"{parts[0]} alone makes no other formula: name two at least")


def _parts(book: Book, codes: Sequence[str]) -> tuple[str, ...]:
    codes = listed(codes, str, "codes")
    if len(codes) < 2:
        raise InvalidInput("it is made of two formulas at least: name their codes")
    try:
        return tuple(book.get(code).code for code in codes)
    except NotFound as error:
        raise NotFound(
            error.message,
            hint="What is merged or composed must be there. `forest formulas add` takes a formula "
            'whose parts nobody defined yet, as in "Λ1 = (Δ12 → Δ57)".',
        ) from None


def _new(book: Book, formula: Formula) -> Formula:
    if formula.code in book.formulas:
        raise taken(book.formulas[formula.code])
    return replace(formula, source=text_of(formula))


def checked(code: str) -> str:
    """The code in its one spelling. Raises InvalidInput."""
    check_texts(code=code)
    try:
        return checked_code(code.strip())
    except ValueError as error:
        raise InvalidInput(str(error)) from None


def remove(store: Store, code: str) -> Formula:
    """Remove a formula and the scenes that voice nothing else.

    :raises NotFound: there is none under that code.
    :raises Conflict: others are made of it.
    """
    check_store(store)
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
        for node in old.values():
            if node.label == "Scene" and any(x.target == formula.code for x in node.links):
                gone |= _without(node, formula.code)
        return gone

    store.change_nodes(LABELS, change)
    return removed[0]


def add_scene(
    store: Store, code: str, text: str, *, register: str = "", lang: str = "", origin: str = ""
) -> AddedScene:
    """Add a text that voices a formula.

    A scene is known by its formula, register, language and text. One that is there stays as it is,
    with its origin.

    :param register: logical, poetic, bodily, emoji (also in Russian, in any form), or any other.
    :param lang: guessed from the text, if empty.
    :param origin: who said it: authored (the default), or a mask.
    :raises NotFound: there is no such formula.
    """
    check_store(store)
    scene = scene_of_text(text, register=register, lang=lang, origin=origin)
    done: list[AddedScene] = []

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        book = _book(old)
        code_ = book.get(code).code
        there = book.scene(code_, scene)
        done[:] = [AddedScene(there[1] if there else scene, there is None)]
        return {node.at: node for node in book.voice(code_, [scene])}

    store.change_nodes(LABELS, change)
    return done[0]


def remove_scene(
    store: Store, code: str, text: str, *, register: str | None = None, lang: str | None = None
) -> Scene:
    """Remove a text that voices a formula.

    :param register: of the scene; may be left out where one scene says this text.
    :param lang: the same.
    :raises NotFound: there is no such formula, or none of its scenes is this.
    :raises Conflict: several are.
    """
    check_store(store)
    check_texts(text=text, register=register or "", lang=lang or "")
    if register is not None:
        register = register_name(register.strip())
    removed: list[Scene] = []

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        book = _book(old)
        formula = book.get(code)
        found = {
            key: scene
            for key, scene in book.scenes.get(formula.code, {}).items()
            if scene.text == text.strip()
            and register in (None, register_name(scene.register))
            and lang in (None, scene.lang)
        }
        if len(found) != 1:
            raise _not_one(formula, text, list(found.values()))
        ((key, scene),) = found.items()
        removed[:] = [scene]
        return _without(old["Scene", key], formula.code)

    store.change_nodes(LABELS, change)
    return removed[0]


def _not_one(formula: Formula, text: str, found: list[Scene]) -> ForestError:
    if found:
        said = "; ".join(f"register {s.register or '(none)'}, language {s.lang}" for s in found)
        return Conflict(
            f"{len(found)} scenes of {formula.code} say this: {said}",
            hint="Name the register, or the language: --register, --lang.",
        )
    if text.strip() in (*formula.phrases, *formula.scenes):
        return NotFound(
            f"{formula.code} says this itself: it is no scene beside it",
            hint="Remove the formula and add it without this text.",
        )
    return NotFound(
        f"no scene of {formula.code} is «{text.strip()}»",
        hint=f"`forest formulas show {formula.code}` shows its scenes.",
    )


def _without(node: Node, code: str) -> dict[Key, Node | None]:
    """What becomes of a scene that voices a formula no more."""
    left = tuple(x for x in node.links if x.target != code)
    return {node.at: replace(node, links=left) if left else None}


def scene_of_text(text: str, *, register: str = "", lang: str = "", origin: str = "") -> Scene:
    """A scene; its register under its standard name, its language guessed where it is not given.

    Raises InvalidInput where the language is not written as BCP 47 writes it.
    """
    check_texts(text=text, register=register, lang=lang, origin=origin)
    if lang and not is_language(lang):
        raise InvalidInput(
            f"{lang!r} is no language tag of BCP 47", hint="Expected one such as ru, en or pt-BR."
        )
    return Scene(
        text=text.strip(),
        register=register_name(register.strip()),
        lang=lang or guess_language([text]),
        origin=origin or "authored",
    )


def expand(store: Store, code: str, *, register: str = "") -> list[tuple[Step, list[Scene]]]:
    """A formula with all its parts, as an outline, each with the scenes that voice it.

    :param register: only scenes in this one.
    :raises NotFound: there is no such formula.
    :raises Cycle: one of them, typed with Cypher, is a part of itself.
    """
    check_texts(register=register)
    book = Book.of(store, _leave_out)
    wanted = register_name(register.strip())
    return [
        (step, [s for s in book.voices(step.code) if wanted in ("", register_name(s.register))])
        for step in expansion.expand(book.formulas, book.get(code).code)
    ]


# --- one write ----------------------------------------------------------------------------------


def _put(
    store: Store,
    make: Callable[[Book], Formula],
    granted: Callable[[Judge, str], Check],
    scenes: Iterable[Scene] = (),
    *,
    trees: int = STABLE_TREES,
    embedder: Embedder | None = None,
) -> Added:
    """Store the formula that is made of those that are there, with its scenes.

    Where it is new, it is judged before; and again, where others were stored meanwhile, so that a
    core has one code however many add it at once.
    """
    scenes = list(scenes)
    while True:
        with suppress(_OthersCame):
            return _put_beside(store, make, granted, scenes, trees, embedder)


class _OthersCame(Exception):
    """The formulas are not those any more beside which one was judged."""


def _put_beside(
    store: Store,
    make: Callable[[Book], Formula],
    granted: Callable[[Judge, str], Check],
    scenes: list[Scene],
    trees: int,
    embedder: Embedder | None,
) -> Added:
    book = Book.of(store, _leave_out)
    beside = dict(book.formulas)
    new = make(book)
    report, registry = None, None
    if old := book.formulas.get(new.code):
        registry = registry_between(store, [old, new])
    else:
        book.formulas[new.code] = book.joined(new)
        book.voice(new.code, scenes)
        judge = Judge(store, book, trees=trees, embedder=embedder, skip=_leave_out)
        report = granted(judge, new.code)
    done: list[Added] = []

    def change(old: dict[Key, Node]) -> dict[Key, Node | None]:
        book = replace(_book(old), registry=registry)
        if book.formulas != beside:
            raise _OthersCame
        new = make(book)
        formula = book.joined(new)
        undefined = tuple(part for part in formula.parts if part not in book.formulas)
        nodes = [formula_node(formula), *book.voice(formula.code, scenes)]
        changed = {node.at: node for node in nodes if node != old.get(node.at)}
        is_new = formula.code not in book.formulas
        done[:] = [Added(formula, is_new, bool(changed), report, undefined)]
        return dict(changed)

    store.change_nodes(LABELS, change)
    return done[0]


def _grant_to(*, force: bool) -> Callable[[Judge, str], Check]:
    """How a code is granted to what is made of formulas: whatever the criteria say."""

    def granted(judge: Judge, code: str) -> Check:
        if not force:
            _refuse_twin(judge, code, may_add=False)
        return judge.check(code)

    return granted


def _refuse_twin(judge: Judge, code: str, *, may_add: bool) -> None:
    """Raise Conflict where a formula with another code has the same core.

    :param may_add: whether its author writes a text, and may add it to the other.
    """
    twins = judge.twins(code)
    if not twins:
        return
    new, other = judge.book.formulas[code], judge.book.formulas[twins[0]]
    hint = "have two codes for it: --force."
    if may_add:
        with suppress(Contradiction):  # it may have another name or sign between its terms
            united(other, replace(new, code=other.code), judge.registry)
            hint = f"Write {other.code} in front, to add to it; or {hint}"
    raise Conflict(
        f"{other.code} says this already: {text_of(other)}", hint=hint[0].upper() + hint[1:]
    )


def _book(old: dict[Key, Node]) -> Book:
    return Book.from_nodes(old.values(), _leave_out)


def _leave_out(_: Exception) -> None:
    """What cannot be read is left out: `forest check` and `forest formulas list` name it."""
