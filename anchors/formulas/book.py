"""The formulas of a forest with their scenes, as the store keeps them: nodes beside the trees.

Authors type formulas with Cypher too: a code and terms are enough. What they leave out is read as
`anchors.formulas.model` has it; what cannot be read is told to ``skip`` and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from pydantic import ValidationError

from anchors.arguments import check_store, check_texts
from anchors.formulas.codes import checked_code, is_right, order
from anchors.formulas.errors import Contradiction
from anchors.formulas.expansion import expand
from anchors.formulas.model import Formula, Scene, Term
from anchors.formulas.syntax import text_of
from anchors.formulas.union import united
from anchors.registry import Registry
from forest.errors import Conflict, InvalidInput, NotFound
from forest.fields import plain_words
from forest.language import guess_language
from forest.nodes import Link, Node, derived_key
from forest.schema import COMPOSED_OF, FORMULA, SCENE, TERM, VOICES
from forest.stores.base import Store

Skip = Callable[[InvalidInput], object]
"""Gets the error of a Formula or Scene node that is none."""

LABELS = (FORMULA.label, SCENE.label)


@dataclass
class Book:
    """Formulas by code, in the order of codes, and the scenes that voice them."""

    formulas: dict[str, Formula] = field(default_factory=dict)
    scenes: dict[str, dict[str, Scene]] = field(default_factory=dict)
    """By code, then by the id of the scene; also of codes that nobody defined."""
    codes: set[str] = field(default_factory=set)
    """Codes that may not be granted: of formulas, of parts, of what scenes voice."""
    ids: set[str] = field(default_factory=set)
    """Of all Scene nodes."""
    unreadable: set[str] = field(default_factory=set)
    """Codes of Formula nodes that are none."""
    registry: Registry | None = None
    """By what terms of definitions are one, see `union.united`."""

    @classmethod
    def of(cls, store: Store, skip: Skip | None = None) -> Self:
        """The formulas of a forest. Raises InvalidInput at a node that is none; or see ``skip``."""
        check_store(store)
        return cls.from_nodes((node for label in LABELS for node in store.nodes(label)), skip)

    @classmethod
    def from_nodes(
        cls, nodes: Iterable[Node], skip: Skip | None = None, registry: Registry | None = None
    ) -> Self:
        """The formulas that nodes say."""
        book = cls(registry=registry)
        for node in nodes:
            if node.label == FORMULA.label:
                book.codes.add(node.key)
            else:
                book.ids.add(node.key)
            book.codes.update(x.target for x in node.links if x.type != TERM.name)
            try:
                book._read(node)
            except InvalidInput as error:
                if skip is None:
                    raise
                skip(error)
                if node.label == FORMULA.label:
                    book.unreadable.add(node.key)
        book.formulas = dict(sorted(book.formulas.items(), key=lambda item: order(item[0])))
        return book

    def _read(self, node: Node) -> None:
        if node.label == FORMULA.label:
            self.formulas[node.key] = formula_of(node)
            return
        scene = scene_of(node)
        for link in node.links:
            self.scenes.setdefault(link.target, {})[node.key] = scene

    def get(self, code: str) -> Formula:
        """The formula under a code. Raises NotFound; InvalidInput where it is no code."""
        check_texts(code=code)
        try:
            formula = self.formulas.get(checked_code(code.strip()))
        except ValueError as error:
            raise InvalidInput(str(error)) from None
        if formula is None:
            raise NotFound(
                f"there is no formula {code}", hint="`forest formulas list` shows all formulas."
            )
        return formula

    def joined(self, formula: Formula) -> Formula:
        """The formula together with what is here under its code.

        :raises Conflict: they say different things.
        :raises Cycle: it would be a part of itself, by way of others.
        """
        old = self.formulas.get(formula.code)
        if old is not None:
            try:
                both = united(old, formula, self.registry)
            except Contradiction:
                raise taken(old) from None
            formula = old if both == old else both
        elif formula.code in self.unreadable:
            raise Conflict(
                f"{formula.code} is the code of a node that cannot be read as a formula",
                hint="`forest formulas list` says why; correct or remove it with Cypher.",
            )
        expand({**self.formulas, formula.code: formula}, formula.code)
        return formula

    def without(self, code: str) -> Book:
        """The book in which there is no formula under a code."""
        return replace(self, formulas={c: f for c, f in self.formulas.items() if c != code})

    def voices(self, code: str) -> list[Scene]:
        """What voices a formula: its scenes, and the phrases behind its arrows."""
        said = list(self.scenes.get(code, {}).values())
        formula = self.formulas.get(code)
        if formula is None:
            return said
        known, origin = (
            {scene.text for scene in said},
            formula.origin.replace("\n", ", ") or "authored",
        )
        return said + [
            Scene(text=phrase, lang=guess_language([phrase]), origin=origin)
            for phrase in formula.phrases
            if phrase not in known
        ]

    def scene(self, code: str, scene: Scene) -> tuple[str, Scene] | None:
        """The scene that says just this of a formula, with its id: as it is in the book."""
        said = self.scenes.get(code, {})
        return next(((key, there) for key, there in said.items() if there == scene), None)

    def voice(self, code: str, scenes: Iterable[Scene]) -> list[Node]:
        """Let scenes voice a formula, but those that do already; the nodes of the new ones."""
        new = []
        for scene in scenes:
            if self.scene(code, scene) is None:
                node = scene_node(code, scene)
                if node.key in self.ids:  # its text was changed since, with Cypher
                    node = replace(node, key=f"{node.key}-{len(self.ids)}")
                self.ids.add(node.key)
                self.scenes.setdefault(code, {})[node.key] = scene
                new.append(node)
        return new

    def codes_in_use(self) -> list[str]:
        """All codes that formulas have or name, in their order: what to reserve."""
        return sorted(filter(is_right, self.codes), key=order)

    def users(self, code: str) -> list[str]:
        """The codes of the formulas that a formula is a part of."""
        return [f.code for f in self.formulas.values() if code in f.parts]

    def terms(self, formula: Formula) -> tuple[Term, ...]:
        """Its terms; where it has none, those of its parts, and of theirs."""
        ends = () if formula.terms else self.ends(formula)
        having = [formula, *(self.formulas[code] for code in ends if code in self.formulas)]
        found: dict[str, Term] = {}
        for one in having:
            found |= {term.anchor: found.get(term.anchor, term) for term in one.terms}
        return tuple(found.values())

    def ends(self, formula: Formula) -> list[str]:
        """Of its parts, and of theirs, the codes that have terms, or that nobody defined."""
        found: list[str] = []
        seen: set[str] = set()
        ahead = [*reversed(formula.parts)]
        while ahead:
            code = ahead.pop()
            if code in seen:
                continue
            seen.add(code)
            part = self.formulas.get(code)
            if part is None or part.terms:
                found.append(code)
            else:
                ahead += reversed(part.parts)
        return found

    def has_most_parts(self, formula: Formula) -> bool:
        """Whether more than half of a formula's parts say what they are made of.

        By terms of their own, or by more than half of their own parts in turn. A part counts once,
        however many formulas it is made of; one in a circle that somebody typed says nothing.
        """
        says: dict[str, bool] = {formula.code: False}
        path = [(formula, iter(formula.parts))]
        while path:
            one, parts = path[-1]
            code = next((code for code in parts if code not in says), None)
            if code is None:
                own = set(one.parts)
                says[one.code] = 2 * sum(says[part] for part in own) > len(own)
                path.pop()
                continue
            part = self.formulas.get(code)
            says[code] = part is not None and bool(part.terms)
            if part and not part.terms:
                path.append((part, iter(part.parts)))
        return says[formula.code]


def taken(old: Formula) -> Conflict:
    """The error for a code that belongs to a formula that says something else."""
    return Conflict(
        f"the code {old.code} is taken: {text_of(old)}",
        hint="Leave the code out to get the next free one, or remove that formula first: "
        f"`forest formulas remove {old.code}`.",
    )


def codes_in_use(store: Store) -> list[str]:
    """All codes that formulas of a forest have or name, in their order: what to reserve."""
    return Book.of(store, skip=lambda _: None).codes_in_use()


# --- nodes ------------------------------------------------------------------------------------


def formula_of(node: Node) -> Formula:
    """The formula that a node says. Raises InvalidInput where it says none."""
    said: dict[str, Any] = dict(node.properties)
    links: list[tuple[str, str, Mapping[str, Any]]]
    links = [(x.type, x.target, x.properties) for x in node.links]
    scenes, phrases = (str(said.pop(name, "")).splitlines() for name in ("scene", "phrases"))
    with _blaming(node):
        formula = Formula(
            code=node.key,
            terms=tuple(
                Term(phrase=p.get("phrase", target), role=p.get("role", ""), anchor=target)
                for type_, target, p in links
                if type_ == TERM.name
            ),
            parts=tuple(target for type_, target, _ in links if type_ == COMPOSED_OF.name),
            join=said.pop("joined", "+"),
            parts_join=said.pop("parts_joined", "+"),
            scenes=tuple(scenes),
            phrases=tuple(phrases),
            **said,
        )
        if formula.code != node.key:
            raise ValueError(f"write its code as {formula.code}")
    return formula


def formula_node(formula: Formula) -> Node:
    """The node of a formula. What is left out is what `formula_of` reads where it is missing."""
    said = {
        "operator": formula.operator,
        "joined": "" if formula.join == "+" else formula.join,
        "parts_joined": "" if formula.parts_join == "+" else formula.parts_join,
        "label": formula.label,
        "name": formula.name,
        "scene": "\n".join(formula.scenes),
        "phrases": "\n".join(formula.phrases),
        "source": formula.source,
        "origin": formula.origin,
        "imported": formula.imported,
        "imported_scenes": formula.imported_scenes,
    }
    terms = [Link(TERM.name, t.anchor, _given(phrase=t.phrase, role=t.role)) for t in formula.terms]
    parts = [Link(COMPOSED_OF.name, part) for part in formula.parts]
    return Node(FORMULA.label, formula.code, _given(**said), (*terms, *parts))


def scene_of(node: Node) -> Scene:
    """The scene that a node says. Raises InvalidInput where it says none."""
    with _blaming(node):
        scene = Scene(**{"text": "", **node.properties})  # type: ignore[arg-type]
    if "lang" in node.properties:
        return scene
    return Scene(scene.text, scene.register, guess_language([scene.text]), scene.origin)


def scene_node(code: str, scene: Scene) -> Node:
    """The node of a scene that voices a formula; its id is made of all it says but its origin."""
    said = _given(text=scene.text, register=scene.register, lang=scene.lang, origin=scene.origin)
    key = derived_key(code, said)
    return Node(SCENE.label, key, said, (Link(VOICES.name, code),))


def _given(**said: str) -> dict[str, str]:
    return {name: value for name, value in said.items() if value}


@contextmanager
def _blaming(node: Node) -> Iterator[None]:
    """Turn what the model refuses into an error that names the node."""
    try:
        yield
    except ValueError as error:
        said = plain_words(error) if isinstance(error, ValidationError) else str(error)
        raise InvalidInput(
            f"the node {node.label} {node.key!r} is none: {said}",
            hint="It was not written by the library: correct or remove it with Cypher.",
        ) from None
