"""The model: a tree of thoughts, the anchors its thoughts carry, the axes it is bound to.

A tree is kept in *reading order* (preorder): a list of thoughts, each with its level. The parent
of a thought is the last thought before it that stands one level higher. This is the outline form
of the owner's own format; it says the whole structure, needs no recursion, and a chain of 100,000
levels is a list of 100,000 thoughts.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import repeat
from operator import le
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from forest.errors import InvalidInput, InvalidTree, NotFound
from forest.fields import FileName, Key, Name, OptionalName, Text, kind_of, plain_words
from forest.identity import free_id
from forest.phrases import phrase_key, tree_id_from
from forest.weights import axis_name, axis_weights

AnchorKind = Literal["phrase", "link", "tag"]
AUTHORED = "authored"
"""The origin of an anchor that an author wrote at its thought."""


def anchor_id(phrase: str, kind: str = "phrase") -> str:
    """The id of the anchor that a written phrase belongs to, unless an author said otherwise.

    It is the phrase's key (`forest.phrases.phrase_key`); a link's stands in ``[[ ]]`` and a tag's
    after ``#``, so that the three kinds never meet by accident.
    """
    key = phrase_key(phrase)
    return {"link": f"[[{key}]]", "tag": f"#{key}"}.get(kind, key)


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


def _as_links(value: Any) -> Any:
    """Let an author write plain phrases where anchors are expected."""
    if value is None:
        return ()
    if isinstance(value, str | Mapping):
        raise ValueError("anchors are a list of phrases: put it into [ ]")
    if not isinstance(value, Iterable):
        return value
    return tuple({"phrase": v} if isinstance(v, str) else v for v in value)


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Thought:
    """One step of reasoning. Immutable: `Tree.edit` puts another in its place.

    Only an empty ``id`` is filled in later, once, when its tree is finished.
    """

    text: Annotated[Text, Field(description="what the thought says, verbatim")]
    level: Annotated[
        int, Field(ge=0, strict=True, description="steps from the root, which has 0")
    ] = 0
    id: Annotated[OptionalName, Field(description="unique in the forest")] = ""
    kind: Annotated[
        Name | None, Field(description="premise, transition, consequence, question, … free")
    ] = None
    lang: Annotated[Name | None, Field(description="BCP 47, where it is not the tree's")] = None
    anchors: Annotated[tuple[AnchorLink, ...], BeforeValidator(_as_links)] = ()


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


class Axis(BaseModel):
    """A meaning axis that trees are bound to: causality, empathy, paradox and so on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field("", description="key of the name")
    name: Name = Field(description="as its author wrote it")
    description: str = Field("", description="what the axis means")

    @model_validator(mode="after")
    def _derive_id(self) -> Self:
        key = phrase_key(axis_name(self.name))
        if self.id and phrase_key(self.id) != key:
            raise ValueError(
                f"the axis {self.name!r} has the id {self.id!r}: expected {key!r}, the key of its "
                "name; leave the id out"
            )
        self.__dict__["id"] = key
        return self


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Anchor:
    """A phrase that thoughts of different trees share."""

    id: Annotated[str, Field(description="key of the phrase")]
    phrase: Annotated[str, Field(description="the spelling that its authors use most often")]
    kind: Annotated[AnchorKind, Field(description="phrase, link (wikilink) or tag")] = "phrase"
    lang: Annotated[str, Field(description="BCP 47, guessed from the phrase")] = "und"
    trees: Annotated[int, Field(description="how many trees carry it")] = 0
    thoughts: Annotated[int, Field(description="how many thoughts carry it")] = 0
    authored: Annotated[int, Field(description="in how many trees an author wrote it")] = 0


class Occurrence(BaseModel):
    """A thought at which an anchor stands, with the tree it is in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tree: str
    title: str
    thought: str
    text: str
    phrase: str
    level: int


class TreeInfo(BaseModel):
    """A tree without its thoughts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    lang: str
    axes: dict[str, float]
    source: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    size: int = Field(description="number of thoughts")
    depth: int = Field(description="deepest level, the root's is 0")
    revision: str


class Tree(BaseModel):
    """A tree of thoughts, in reading order.

    >>> tree = Tree("Justice", axes={"causality": "80%", "empathy": "20%"})
    >>> root = tree.add("Justice is a fit between deeds and norms.", anchors=["cause → effect"])
    >>> step = tree.add("But norms differ.", under=root)
    >>> tree.depth, len(tree.thoughts)
    (1, 2)
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    id: Name = Field(description="unique in the forest; from the title where none is given")
    title: Name = Field(description="what the tree is about")
    lang: Name = Field("und", description="BCP 47; guessed from the texts where none is given")
    axes: dict[str, float] = Field(
        default_factory=dict, description="weights of meaning axes; they sum to 1"
    )
    meta: dict[str, JsonValue] = Field(
        default_factory=dict, description="anything else its author or importer keeps with it"
    )
    source: FileName | None = Field(None, description="file it was imported from")
    source_revision: str | None = Field(None, description="its revision when it was imported")
    created_at: datetime | None = None
    updated_at: datetime | None = None
    thoughts: list[Thought] = Field(default_factory=list, description="in reading order")

    _ids: dict[str, None] | None = PrivateAttr(None)
    _sealed: str | None = PrivateAttr(None)
    """The revision, where whoever made the tree knows it and will not change the tree again."""
    _said: dict[str, int] = PrivateAttr(default_factory=dict)
    _avoided: frozenset[str] = PrivateAttr(frozenset())

    def __init__(self, title: str | None = None, /, **data: Any) -> None:
        if title is not None:
            data["title"] = title
        if not data.get("id") and isinstance(data.get("title"), str):
            data["id"] = tree_id_from(data["title"])
        super().__init__(**data)

    @field_validator("lang", mode="before")
    @classmethod
    def _no_lang(cls, value: Any) -> Any:
        return value or "und"

    @field_validator("axes", mode="before")
    @classmethod
    def _weights(cls, value: Any) -> Any:
        return axis_weights(value) if value else {}

    @field_validator("meta", mode="after")
    @classmethod
    def _is_json(cls, meta: dict[str, JsonValue]) -> dict[str, JsonValue]:
        try:
            kept = orjson.loads(orjson.dumps(meta))
        except (TypeError, ValueError) as error:  # beyond 64 bits, a lone surrogate, too deep
            raise ValueError(f"it cannot be kept as JSON: {error}") from None
        if kept != meta:
            raise ValueError("it cannot be kept as JSON: NaN and infinity are no JSON numbers")
        return meta

    @field_validator("thoughts", mode="after")
    @classmethod
    def _one_tree(cls, thoughts: list[Thought]) -> list[Thought]:
        check_levels(thoughts)
        return thoughts

    def __eq__(self, other: object) -> bool:
        """Whether all fields are equal."""
        return isinstance(other, Tree) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        """Number of thoughts."""
        return len(self.thoughts)

    @property
    def root(self) -> Thought:
        """The first thought. Raises InvalidTree in an empty tree."""
        if not self.thoughts:
            raise InvalidTree(f"tree {self.id!r} has no thoughts", hint="Add one with tree.add().")
        return self.thoughts[0]

    @property
    def depth(self) -> int:
        """Deepest level; the root's is 0, an empty tree's is -1."""
        return max([t.level for t in self.thoughts], default=-1)

    @property
    def revision(self) -> str:
        """SHA-256 of all that a reader sees of the tree, in hex.

        Equal content has equal revision on every store. Left out: where the tree came from and
        when it was written (``source``, ``source_revision``, ``created_at``, ``updated_at``).
        """
        if self._sealed:
            return self._sealed
        head = [
            self.id,
            self.title,
            self.lang,
            sorted((phrase_key(name), weight) for name, weight in self.axes.items()),
            self.meta,
        ]
        thoughts = self.thoughts
        marks = (
            [t.level for t in thoughts],
            [(i, t.kind) for i, t in enumerate(thoughts) if t.kind],
            [(i, t.lang) for i, t in enumerate(thoughts) if t.lang],
            [(i, t.anchors) for i, t in enumerate(thoughts) if t.anchors],
        )
        digest = hashlib.sha256(orjson.dumps((head, marks), option=orjson.OPT_SORT_KEYS))
        # No text and no id holds a NUL, so joined they stay apart; and joining is fast.
        digest.update("\0".join([t.text for t in thoughts]).encode())
        digest.update(b"\0")
        digest.update("\0".join([t.id for t in thoughts]).encode())
        return digest.hexdigest()

    # --- reading -------------------------------------------------------------------------------

    def index(self, thought: Thought | str) -> int:
        """Place of a thought in reading order, from 0. Raises NotFound; TypeError if it is none."""
        if not isinstance(thought, Thought | str):
            raise TypeError(f"expected a thought or its id, got {kind_of(thought)}")
        wanted = thought if isinstance(thought, str) else thought.id
        ids = (wanted, f"{self.id}/{wanted}") if wanted else ()
        for i in range(len(self.thoughts) - 1, -1, -1):  # authors work at the end
            if self.thoughts[i].id in ids or self.thoughts[i] is thought:
                return i
        raise NotFound(
            f"tree {self.id!r} has no thought {wanted!r}",
            hint=f"`forest show {self.id} --ids` lists its thoughts with their ids.",
        )

    def __getitem__(self, thought_id: str) -> Thought:
        """The thought of that id; the tree's own id and slash in front may be left out."""
        return self.thoughts[self.index(thought_id)]

    def end(self, index: int) -> int:
        """Place after the last thought of the subtree that begins at ``index``."""
        level = self.thoughts[index].level
        for i in range(index + 1, len(self.thoughts)):
            if self.thoughts[i].level <= level:
                return i
        return len(self.thoughts)

    def parents(self) -> list[int]:
        """For each thought the place of its parent, -1 for the root. Shape: (len(tree),)."""
        path: list[int] = []
        parents = []
        for i, thought in enumerate(self.thoughts):
            del path[thought.level :]
            parents.append(path[-1] if path else -1)
            path.append(i)
        return parents

    def children(self, thought: Thought | str) -> list[Thought]:
        """The thoughts one level below, in order."""
        i = self.index(thought)
        below = self.thoughts[i + 1 : self.end(i)]
        return [t for t in below if t.level == self.thoughts[i].level + 1]

    def path(self, thought: Thought | str) -> list[Thought]:
        """From the root down to the thought."""
        i = self.index(thought)
        path = [self.thoughts[i]]
        for t in reversed(self.thoughts[:i]):
            if t.level < path[-1].level:
                path.append(t)
        return path[::-1]

    def walk(self) -> Iterator[tuple[Thought, Thought | None]]:
        """Each thought with its parent, in reading order."""
        for thought, parent in zip(self.thoughts, self.parents(), strict=True):
            yield thought, self.thoughts[parent] if parent >= 0 else None

    # --- writing -------------------------------------------------------------------------------

    def add(
        self,
        text: str,
        *,
        under: Thought | str | None = None,
        at: int | None = None,
        id: str = "",
        kind: str | None = None,
        lang: str | None = None,
        anchors: Iterable[str | AnchorLink] = (),
    ) -> Thought:
        """Add a thought and return it.

        It goes below ``under``, as the last child or as child number ``at`` (from 0); without
        ``under`` it continues the last thought, so that a chain is a loop of `add`.

        Raises NotFound for an unknown ``under``, InvalidTree for a bad text or anchor and for an
        id already taken.
        """
        if not self.thoughts and under is not None:
            raise NotFound(f"tree {self.id!r} is empty: there is no thought to go below")
        place, level = self._place(under, at) if self.thoughts else (0, 0)
        if id and "/" not in id:
            id = f"{self.id}/{id}"
        with in_plain_words(f"tree {self.id!r}"):
            thought = Thought(
                text=text, level=level, id=id, kind=kind, lang=lang, anchors=_as_links(anchors)
            )
        if not id:
            _set_id(thought, self.fresh_id(thought.text))
        known = self._known()
        if thought.id in known:
            raise InvalidTree(f"tree {self.id!r} already has a thought {thought.id!r}")
        self.thoughts.insert(place, thought)
        known[thought.id] = None
        return thought

    def edit(self, thought: Thought | str, **changes: Any) -> Thought:
        """Change ``text``, ``kind``, ``lang`` or ``anchors`` of a thought and return it."""
        i = self.index(thought)
        old = self.thoughts[i]
        if unknown := changes.keys() - {"text", "kind", "lang", "anchors"}:
            raise InvalidTree(f"a thought has no {', '.join(sorted(unknown))} to edit")
        fields = {"text": old.text, "kind": old.kind, "lang": old.lang, "anchors": old.anchors}
        with in_plain_words(f"thought {old.id!r}"):
            new = Thought(level=old.level, id=old.id, **(fields | changes))
        self.thoughts[i] = new
        return new

    def move(
        self, thought: Thought | str, *, under: Thought | str, at: int | None = None
    ) -> Thought:
        """Move a thought with all below it to another place of this tree."""
        i = self.index(thought)
        end = self.end(i)
        target = self.index(under)
        if i <= target < end:
            raise InvalidTree(
                f"thought {self.thoughts[i].id!r} cannot move below itself: that would be a cycle"
            )
        if i == 0:
            raise InvalidTree(f"{self.thoughts[0].id!r} is the root: it cannot move in its tree")
        branch = self.thoughts[i:end]
        parent = self.thoughts[target]
        del self.thoughts[i:end]
        try:
            return self._insert(branch, parent, at)
        except InvalidTree:  # no such place: all stays where it was
            self.thoughts[i:i] = branch
            raise

    def prune(self, thought: Thought | str) -> Tree:
        """Cut a thought with all below it; the branch comes back as a tree, with its ids.

        Raises InvalidTree for the root: remove the tree instead.
        """
        i = self.index(thought)
        if i == 0:
            raise InvalidTree(
                f"{self.thoughts[0].id!r} is the root of tree {self.id!r}",
                hint=f"To remove the whole tree: `forest remove {self.id}`.",
            )
        end = self.end(i)
        thoughts = relevel(self.thoughts[i:end], 0)
        title = " ".join(thoughts[0].text.strip().splitlines()[0].split())[:80]
        branch = Tree(id=thoughts[0].id, title=title, lang=self.lang, thoughts=thoughts)
        del self.thoughts[i:end]
        self._ids = None
        return branch

    def graft(
        self, branch: Tree, *, under: Thought | str | None = None, at: int | None = None
    ) -> Thought:
        """Put the thoughts of another tree below a thought of this one (the last by default).

        Thoughts keep their ids, except where this tree already has one of that id. Raises
        InvalidTree where one of the two has no thoughts.
        """
        if not isinstance(branch, Tree):
            raise TypeError(f"expected a Tree, got {kind_of(branch)}")
        for tree in (self, branch):
            tree.root  # noqa: B018  (raises where there is none)
        parent = self.thoughts[self.index(under)] if under is not None else self.thoughts[-1]
        known, said = dict(self._known()), dict[str, int]()
        thoughts = []
        for t in branch.thoughts:
            taken = not t.id or t.id in known
            id_ = free_id(self.id, t.text, known, said, self._avoided) if taken else t.id
            known[id_] = None
            thoughts.append(trusted_thought(t.text, t.level, id_, t.kind, t.lang, t.anchors))
        return self._insert(thoughts, parent, at)

    def fresh_id(self, text: str) -> str:
        """An id for a new thought: the tree's, a slash, and 8 hex digits of the text's checksum."""
        return free_id(self.id, text, self._known(), self._said, self._avoided)

    @property
    def avoided(self) -> frozenset[str]:
        """Ids that no new thought gets, see `avoid`."""
        return self._avoided

    def avoid(self, ids: Iterable[str]) -> None:
        """Give these ids to no new thought: other trees of the forest have them."""
        self._avoided = frozenset(ids)

    def set_ids(self, ids: Sequence[str], *, own: bool = False) -> None:
        """Give the thoughts these ids, in reading order.

        Thoughts that other trees may share stay as they are: those that get another id are new
        ones. ``own`` says that nobody else holds the thoughts, which saves the copies.
        """
        if own:
            _drain(map(_set_id, self.thoughts, ids))
        else:
            self.__dict__["thoughts"] = [
                t
                if t.id == id_
                else trusted_thought(t.text, t.level, id_, t.kind, t.lang, t.anchors)
                for t, id_ in zip(self.thoughts, ids, strict=True)
            ]  # checked already: an assignment would check again
        self._ids = None

    def _known(self) -> dict[str, None]:
        if self._ids is None or len(self._ids) != len(self.thoughts):
            self._ids = {t.id: None for t in self.thoughts}
            self._said = {}
        return self._ids

    def _place(self, under: Thought | str | None, at: int | None) -> tuple[int, int]:
        """Where a new child of ``under`` is inserted, and at which level."""
        i = len(self.thoughts) - 1 if under is None else self.index(under)
        level = self.thoughts[i].level + 1
        end = self.end(i)
        if at is None:
            return end, level
        if type(at) is not int:
            raise TypeError(f"at: expected a whole number from 0, got {kind_of(at)}")
        starts = [j for j in range(i + 1, end) if self.thoughts[j].level == level]
        if not 0 <= at <= len(starts):
            raise InvalidTree(
                f"thought {self.thoughts[i].id!r} has {len(starts)} children: "
                f"a new one can be number 0 to {len(starts)}, not {at}"
            )
        return [*starts, end][at], level

    def _insert(self, branch: list[Thought], under: Thought, at: int | None) -> Thought:
        place, level = self._place(under, at)
        self.thoughts[place:place] = relevel(branch, level)
        self._ids = None
        return self.thoughts[place]

    # --- showing -------------------------------------------------------------------------------

    def _repr_html_(self) -> str:
        from forest.render import tree_html

        return tree_html(self)

    def __repr__(self) -> str:
        return f"<Tree {self.id!r}: {len(self)} thoughts, depth {self.depth}>"

    __str__ = __repr__


@contextmanager
def in_plain_words(where: str, kind: type[InvalidInput] = InvalidTree) -> Iterator[None]:
    """Turn what pydantic finds into one error that says where and what."""
    try:
        yield
    except ValidationError as error:
        raise kind(f"{where}: {plain_words(error)}") from None
    except ValueError as error:
        raise kind(f"{where}: {error}") from None


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
