"""What a formula is: terms and parts under a code, and the scenes it stands for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from anchors.formulas.codes import Code
from forest.fields import Key, Name, OptionalName, Text
from forest.model import anchor_id
from forest.phrases import phrase_key
from forest.spelling import meant

Join = Literal["+", "·", "→", ","]
"""Side by side, fused, one after the other, a list."""

ROLES = {
    "object": ("объект", "образ"),
    "tension": ("напряжение", "внутренняя динамика"),
    "transition": ("переход", "точка изменения"),
    "archetype": ("архетип",),
    "medium": ("среда",),
    "emotional edge": ("эмоциональная граница",),
}
"""The roles of terms, each with how else authors write it."""
BY_POSITION = ("object", "tension", "transition")
"""The roles of the first terms, where their author gave none."""
REGISTERS = {
    "logical": ("логически", "logically"),
    "poetic": ("поэтически", "poetically"),
    "bodily": ("телесно",),
    "emoji": ("эмодзи",),
}
"""The registers of scenes, each with how else authors write it. Others are free."""
_STEMS = {
    **dict.fromkeys(("logic", "логик", "логическ", "логичн"), "logical"),
    **dict.fromkeys(("poetic", "poetri", "поэз", "поэтик", "поэтическ", "поэтичн"), "poetic"),
    **dict.fromkeys(("bodili", "bodi", "тел", "телесн"), "bodily"),
    **dict.fromkeys(("emoji", "эмодз", "эмоджи", "эмодж"), "emoji"),
}
"""The stems (Snowball's) of all words that name one of them."""
_CYRILLIC = re.compile("[а-я]")
_ENDS = " .!?…,;:'"


def _one_line(value: str) -> str:
    line = value.strip()
    if line.splitlines() != [line]:
        raise ValueError("it has several lines, expected one")
    return line


def _matchable(value: str) -> str:
    if not phrase_key(value):
        raise ValueError(f"{value!r} has no letter to be matched by")
    return value


Line = Annotated[Text, AfterValidator(_one_line)]
Phrase = Annotated[Name, AfterValidator(_matchable)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Term:
    """The phrase of an anchor, as a part of a formula (relationship TERM)."""

    phrase: Annotated[Phrase, Field(description="as written")]
    role: Annotated[OptionalName, Field(description="as written; where empty, by position")] = ""
    anchor: Annotated[Key, Field(description="id of the anchor")] = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.anchor:
            object.__setattr__(self, "anchor", anchor_id(self.phrase))


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Scene:
    """A text that voices a formula."""

    text: Annotated[Text, Field(description="what is said, verbatim")]
    register: Annotated[OptionalName, Field(description="logical, poetic, bodily, … free")] = ""
    lang: Annotated[Name, Field(description="BCP 47")] = "und"
    origin: Annotated[Name, Field(description="authored, a file, or the mask that said it")] = (
        field(default="authored", compare=False)
    )


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Formula:
    """Terms, or other formulas, under one code. `anchors.formulas.syntax.text_of` prints it.

    Its body, which operator and label belong to, are the terms, and without any the parts.
    Formulas are equal if they say the same, however it was written.
    """

    code: Annotated[Code, Field(description="Δ12, Λ1, ⟁: unique in the forest")]
    terms: Annotated[tuple[Term, ...], Field(description="anchors that it joins")] = ()
    join: Annotated[Join, Field(description="how the terms are joined")] = "+"
    parts: Annotated[tuple[Code, ...], Field(description="codes of formulas it is made of")] = ()
    parts_join: Annotated[Join, Field(description="how the parts are joined")] = "+"
    operator: Annotated[OptionalName, Field(description="what is done to the body: порог")] = ""
    label: Annotated[OptionalName, Field(description="what holds the body together: гармония")] = ""
    name: Annotated[OptionalName, Field(description="its title, in quotes: «Пробуждение»")] = ""
    scenes: Annotated[tuple[Line, ...], Field(description="scenes it is set equal to")] = ()
    phrases: Annotated[tuple[Line, ...], Field(description="what is said from inside it")] = ()
    source: Annotated[str, Field(description="text as written")] = field(default="", compare=False)
    origin: Annotated[str, Field(description="where it was written: files, a model")] = field(
        default="", compare=False
    )
    imported: Annotated[str, Field(description="what its files said, when last imported")] = field(
        default="", compare=False
    )
    imported_scenes: Annotated[str, Field(description="the scenes its files said then")] = field(
        default="", compare=False
    )

    def __post_init__(self) -> None:
        if not self.terms and not self.parts:
            raise ValueError(f"{self.code} has neither terms nor parts: it needs one at least")
        if self.code[0] in "ΛΩ" and not self.parts:
            raise ValueError(
                f"{self.code} is a formula of formulas, but none of its parts is one: "
                "give it codes as parts, or a Δ code"
            )
        if self.code in self.parts:
            raise ValueError(f"{self.code} is a part of itself")
        phrases = {term.anchor: term.phrase for term in self.terms}
        for keys, join, what in (
            ([term.anchor for term in self.terms], self.join, "term"),
            (list(self.parts), self.parts_join, "part"),
        ):
            twice = [key for key, times in Counter(keys).items() if times > 1 and join != "→"]
            if twice:
                raise ValueError(
                    f"{self.code} has the {what} {phrases.get(twice[0], twice[0])} twice"
                )
        for items, name in ((self.terms, "join"), (self.parts, "parts_join")):
            if len(items) < 2:
                object.__setattr__(self, name, "+")


def roles(formula: Formula) -> tuple[str, ...]:
    """The role of each term: the written one under its name in `ROLES`, else by position."""
    first = dict(enumerate(BY_POSITION))
    return tuple(
        standard(term.role, ROLES) or first.get(place, "")
        for place, term in enumerate(formula.terms)
    )


def nearest_role(word: str) -> str:
    """The role, as authors write it, for which a word is a slip of the pen; "" for others.

    >>> nearest_role("Объкт"), nearest_role("tenson"), nearest_role("объект"), nearest_role("цена")
    ('объект', 'tension', '', '')
    """
    return meant(
        phrase_key(word), (word for name, words in ROLES.items() for word in (name, *words))
    )


def register_name(word: str) -> str:
    """The name in `REGISTERS` that a word in any form stands for, else the word itself.

    >>> register_name("Логика"), register_name("поэтический"), register_name("сонно")
    ('logical', 'poetic', 'сонно')
    """
    key = register_key(word)
    return key if key in REGISTERS else word


@lru_cache(maxsize=4096)
def register_key(word: str) -> str:
    """By what registers are told apart: a name in `REGISTERS`, else a stem: «сонно» is «сонный»."""
    import snowballstemmer

    key = phrase_key(word)
    language = "russian" if _CYRILLIC.search(key) else "english"
    stem = str(snowballstemmer.stemmer(language).stemWord(key))
    return _STEMS.get(stem, stem)


def text_key(text: str) -> str:
    """By what texts are told apart: not by case, quotes, spaces or the signs at their ends."""
    key = phrase_key(text)
    return " ".join(key.replace('"', "").split()).strip(_ENDS) or key


def standard(word: str, names: Mapping[str, tuple[str, ...]]) -> str:
    """The name in `ROLES` or `REGISTERS` that is written so, else the word itself."""
    key = phrase_key(word)
    return next((name for name, others in names.items() if key in (name, *others)), word)
