"""A thought, the anchors it carries, and thoughts in reading order.

In *reading order* (preorder) the parent of a thought is the last thought before it that stands one
level higher.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from operator import le
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from forest.fields import Key, Language, Name, OptionalName, Text, in_words
from forest.phrases import phrase_key

AnchorKind = Literal["phrase", "link", "tag"]
AUTHORED = "authored"
"""The origin of an anchor that an author wrote at its thought."""


def anchor_id(phrase: str, kind: str = "phrase") -> str:
    """The id of the anchor that a written phrase belongs to, unless an author said otherwise.

    It is the phrase's key (`forest.phrases.phrase_key`); a link's stands in ``[[ ]]`` and a tag's
    after ``#``, so that the three kinds never meet by accident.
    """
    return _in_signs(phrase_key(phrase), kind)


def with_signs(phrase: str, kind: str) -> str:
    """A phrase as it is shown: a link in ``[[ ]]``, a tag after ``#``.

    What has the signs already, as data says it, where nothing else tells the kind, gets no others.

    >>> with_signs("Память", "link"), with_signs("Память", "tag"), with_signs("Память", "phrase")
    ('[[Память]]', '#Память', 'Память')
    >>> with_signs("[[Память]]", "link"), with_signs("#Память", "tag"), with_signs("#1", "link")
    ('[[Память]]', '#Память', '[[#1]]')
    """
    has_them = phrase.startswith(_in_signs("", kind)[:2])
    return phrase if has_them else _in_signs(phrase, kind)


def _in_signs(phrase: str, kind: str) -> str:
    return {"link": f"[[{phrase}]]", "tag": f"#{phrase}"}.get(kind, phrase)


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class AnchorLink:
    """That a thought carries an anchor (relationship ANCHORED_BY)."""

    phrase: Annotated[Name, Field(description="the phrase as written at this thought")]
    kind: Annotated[AnchorKind, Field(description="phrase, link (wikilink) or tag")] = "phrase"
    anchor: Annotated[Key, Field(description="id of the anchor")] = ""
    origin: Annotated[Name, Field(description="authored, discovered, …")] = AUTHORED
    score: Annotated[
        float | None, Field(ge=0, le=1, description="certainty of a discovered one, 0 to 1")
    ] = None

    def __post_init__(self) -> None:
        if not self.anchor:
            object.__setattr__(self, "anchor", anchor_id(self.phrase, self.kind))
        if not phrase_key(self.phrase):
            raise ValueError(f"the anchor {self.phrase!r} has no letter to be matched by")


_set_link = tuple(AnchorLink.__dict__[name].__set__ for name in AnchorLink.__slots__)


def trusted_link(
    phrase: str, kind: AnchorKind, anchor: str, origin: str, score: float | None
) -> AnchorLink:
    """A link whose fields were validated before, as a store's are: no second validation."""
    link: AnchorLink = object.__new__(AnchorLink)
    for put, value in zip(_set_link, (phrase, kind, anchor, origin, score), strict=True):
        put(link, value)
    return link


def as_links(value: Any) -> Any:
    """Let an author write plain phrases where anchors are expected."""
    if value is None:
        return ()
    if isinstance(value, str | Mapping | Anchor | AnchorLink):
        raise ValueError("anchors are a list of phrases: put it into [ ]")
    if not isinstance(value, Iterable):
        return value
    return tuple(map(_as_link, value))


def _as_link(value: Any) -> Any:
    if isinstance(value, str):
        return {"phrase": value}
    if isinstance(value, Anchor):
        return AnchorLink(phrase=value.phrase, kind=value.kind, anchor=value.id)
    return value


@in_words
@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Thought:
    """One step of reasoning. Immutable: `Tree.edit` puts another in its place.

    Raises InvalidTree for what no thought can be. Only an empty ``id`` is filled in later, once,
    when its tree is finished.
    """

    text: Annotated[Text, Field(description="what the thought says, verbatim")]
    level: Annotated[
        int, Field(ge=0, strict=True, description="steps from the root, which has 0")
    ] = 0
    id: Annotated[OptionalName, Field(description="unique in the forest")] = ""
    kind: Annotated[
        Name | None, Field(description="premise, transition, consequence, question, … free")
    ] = None
    lang: Annotated[Language | None, Field(description="BCP 47, where it is not the tree's")] = None
    anchors: Annotated[tuple[AnchorLink, ...], BeforeValidator(as_links)] = ()


_new = object.__new__
_set_text, _set_level, _set_id, _set_kind, _set_lang, _set_anchors = (
    Thought.__dict__[name].__set__ for name in Thought.__slots__
)


def trusted_thought(
    text: str,
    level: int,
    id_: str,
    kind: str | None,
    lang: str | None,
    anchors: tuple[AnchorLink, ...],
) -> Thought:
    """A thought whose fields were validated before, as a store's are: no second validation."""
    thought: Thought = _new(Thought)
    _set_text(thought, text)
    _set_level(thought, level)
    _set_id(thought, id_)
    _set_kind(thought, kind)
    _set_lang(thought, lang)
    _set_anchors(thought, anchors)
    return thought


_drain = deque[None](maxlen=0).extend


def name_thoughts(thoughts: Iterable[Thought], ids: Iterable[str]) -> None:
    """Give thoughts these ids, for good: only where nobody else holds the thoughts."""
    _drain(map(_set_id, thoughts, ids))


def trusted_thoughts(
    texts: Sequence[str],
    levels: Iterable[int],
    ids: Iterable[str],
    anchors: Iterable[tuple[AnchorLink, ...]],
    kinds: Iterable[str | None] = repeat(None),
    langs: Iterable[str | None] = repeat(None),
) -> list[Thought]:
    """As `trusted_thought`, for many: column by column, which takes half the time."""
    thoughts: list[Thought] = list(map(_new, repeat(Thought, len(texts))))
    _drain(map(_set_text, thoughts, texts))
    _drain(map(_set_level, thoughts, levels))
    _drain(map(_set_id, thoughts, ids))
    _drain(map(_set_kind, thoughts, kinds))
    _drain(map(_set_lang, thoughts, langs))
    _drain(map(_set_anchors, thoughts, anchors))
    return thoughts


@in_words
@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Anchor:
    """A phrase that thoughts of different trees share.

    Of id and phrase one may be left out: the id is the phrase's key. Raises InvalidTree where both
    are, and for what no anchor can be.
    """

    id: Annotated[
        str,
        Field(
            description="key of the phrase; a phrase that is written anew leaves it as it is, so "
            "that what was bound to it stays bound: remove it then, and let `forest check --fix` "
            "make it again"
        ),
    ] = ""
    phrase: Annotated[str, Field(description="the spelling that its authors use most often")] = ""
    kind: Annotated[AnchorKind, Field(description="phrase, link (wikilink) or tag")] = "phrase"
    lang: Annotated[str, Field(description="BCP 47, guessed from the phrase")] = "und"
    trees: Annotated[int, Field(description="how many trees carry it")] = 0
    thoughts: Annotated[int, Field(description="how many thoughts carry it")] = 0
    authored: Annotated[int, Field(description="in how many trees an author wrote it")] = 0

    def __post_init__(self) -> None:
        if not self.phrase:
            object.__setattr__(self, "phrase", self.id)
        if not self.id:
            if not phrase_key(self.phrase):
                raise ValueError(f"the anchor {self.phrase!r} has no letter to be matched by")
            object.__setattr__(self, "id", anchor_id(self.phrase, self.kind))


def relevel(branch: Sequence[Thought], level: int) -> list[Thought]:
    """The branch with its first thought at ``level`` and all others as far below as before."""
    shift = level - branch[0].level
    if not shift:
        return list(branch)
    return [
        trusted_thought(t.text, t.level + shift, t.id, t.kind, t.lang, t.anchors) for t in branch
    ]


def check_levels(thoughts: Sequence[Thought]) -> None:
    """Raise ValueError unless levels begin at 0, hold one root and never jump down by two."""
    levels = [thought.level for thought in thoughts]
    if levels[:1] == [0] and all(levels[1:]) and all(map(le, levels[1:], map((1).__add__, levels))):
        return
    expected = -1
    for number, thought in enumerate(thoughts, 1):
        level = thought.level
        if not number - 1:
            if level:
                raise ValueError(f"thought 1 has level {level}: the first one is the root, level 0")
        elif not level:
            raise ValueError(
                f"thought {number} has level 0 ({thought.text[:40]!r}): a tree has one root; "
                "give it level 1 or more, or make it a tree of its own"
            )
        elif level > expected + 1:
            raise ValueError(
                f"thought {number} jumps from level {expected} to {level} ({thought.text[:40]!r}): "
                f"expected at most {expected + 1}"
            )
        expected = level
