"""The model: a tree of thoughts, and the axes it is bound to.

A tree is kept in *reading order* (preorder): a list of thoughts, each with its level. The parent
of a thought is the last thought before it that stands one level higher. This is the outline form
of the owner's own format; it says the whole structure, needs no recursion, and a chain of 100,000
levels is a list of 100,000 thoughts.

What a thought is, and the anchors that it carries, is in `forest.thoughts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    field_validator,
    model_validator,
)

from forest.errors import InvalidInput, InvalidTree, NotFound
from forest.fields import (
    FileName,
    Language,
    Lines,
    Name,
    in_plain_words,
    in_words,
    is_blank,
    kind_of,
)
from forest.identity import free_id
from forest.in_file import InFile
from forest.phrases import phrase_key, tree_id_from
from forest.shell import command_line
from forest.thoughts import (
    AUTHORED,
    Anchor,
    AnchorKind,
    AnchorLink,
    Thought,
    anchor_id,
    as_links,
    check_levels,
    name_thoughts,
    relevel,
    trusted_link,
    trusted_thought,
    trusted_thoughts,
)
from forest.weights import axis_name, axis_weights

__all__ = [
    "AUTHORED",
    "ORIGINS",
    "Anchor",
    "AnchorKind",
    "AnchorLink",
    "Axis",
    "Occurrence",
    "Thought",
    "Tree",
    "TreeInfo",
    "anchor_id",
    "check_levels",
    "relevel",
    "trusted_link",
    "trusted_thought",
    "trusted_thoughts",
]

ORIGINS = "origins"
"""In a tree's ``meta``: where the texts of some thoughts come from, by their ids."""


class Axis(BaseModel):
    """A meaning axis that trees are bound to: causality, empathy, paradox and so on.

    >>> Axis("causality", description="What follows from what.").id
    'causality'

    Raises InvalidInput for what no axis can be; its cause is pydantic's error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field("", description="key of the name")
    name: Name = Field(description="as its author wrote it")
    description: Lines = Field("", description="what the axis means")

    def __init__(self, name: str | None = None, /, **data: Any) -> None:
        if name is not None:
            data["name"] = name
        called = f"axis {data['name']!r}" if "name" in data else "axis"
        with in_plain_words(called, InvalidInput):
            super().__init__(**data)

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


@in_words
class Tree(BaseModel):
    """A tree of thoughts, in reading order.

    Raises InvalidTree for what no tree can be, when it is made and when a field is assigned; its
    cause is pydantic's error, with all that is wrong.

    >>> tree = Tree("Justice", axes={"causality": "80%", "empathy": "20%"})
    >>> root = tree.add("Justice is a fit between deeds and norms.", anchors=["cause → effect"])
    >>> step = tree.add("But norms differ.", under=root)
    >>> tree.depth, len(tree.thoughts)
    (1, 2)
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    id: Name = Field(description="unique in the forest; from the title where none is given")
    title: Name = Field(description="what the tree is about")
    lang: Language = Field("und", description="BCP 47; guessed from the texts where none is given")
    axes: dict[str, float] = Field(
        default_factory=dict,
        description="weights of meaning axes, the greatest first; their sum is 1",
    )
    meta: dict[str, JsonValue] = Field(
        default_factory=dict, description="anything else its author or importer keeps with it"
    )
    source: FileName | None = Field(None, description="file it was imported from")
    source_revision: str | None = Field(
        None, description="its revision when it was imported, see `forest.file_versions`"
    )
    created_at: datetime | None = None
    updated_at: datetime | None = None
    thoughts: list[Thought] = Field(default_factory=list, description="in reading order")

    _ids: dict[str, None] | None = PrivateAttr(None)
    _sealed: str | None = PrivateAttr(None)
    """The revision, where whoever made the tree knows it and will not change the tree again."""
    _said: dict[str, int] = PrivateAttr(default_factory=dict)
    _avoided: frozenset[str] = PrivateAttr(frozenset())
    _in_file: InFile = PrivateAttr(InFile())
    _at: int = PrivateAttr(0)
    """Where a thought was found last."""

    def __init__(self, title: str | None = None, /, **data: Any) -> None:
        if title is not None:
            data["title"] = title
        if not data.get("id"):
            named = data.get("title")
            # Without a title the id would be refused too, and before it.
            data["id"] = (tree_id_from(named) if isinstance(named, str) else "") or "untitled"
        super().__init__(**data)

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign a field, if the tree is one with it."""
        with in_plain_words(f"tree {self.id!r}"):
            super().__setattr__(name, value)

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

    def __iter__(self) -> Iterator[Thought]:  # type: ignore[override]
        """The thoughts, in reading order."""
        return iter(self.thoughts)

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
        if self._at < len(self.thoughts):  # children are added to one thought, often
            last = self.thoughts[self._at]
            if last is thought or (wanted and last.id == wanted):
                return self._at
        ids = (wanted, f"{self.id}/{wanted}") if wanted else ()
        for i in range(len(self.thoughts) - 1, -1, -1):  # authors work at the end
            if self.thoughts[i].id in ids or self.thoughts[i] is thought:
                self._at = i
                return i
        raise NotFound(
            f"tree {self.id!r} has no thought {wanted!r}",
            hint=f"`{command_line('show', self.id, '--ids')}` lists its thoughts with their ids.",
        )

    def __getitem__(self, thought_id: str) -> Thought:
        """The thought of that id; the tree's own id and slash in front may be left out."""
        return self.thoughts[self.index(thought_id)]

    def end(self, index: int) -> int:
        """Place after the last thought of the subtree that begins at ``index``."""
        if index == 0:
            return len(self.thoughts)
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
        anchors: Iterable[str | Anchor | AnchorLink] = (),
    ) -> Thought:
        """Add a thought and return it.

        It goes below ``under``, as the last child or as child number ``at`` (from 0); without
        ``under`` it continues the last thought, so that a chain is a loop of `add`.

        Raises NotFound for an unknown ``under``, InvalidTree for a bad text, language or anchor and
        for an id already taken.
        """
        if not self.thoughts and under is not None:
            raise NotFound(f"tree {self.id!r} is empty: there is no thought to go below")
        place, level = self._place(under, at) if self.thoughts else (0, 0)
        if id and "/" not in id:
            id = f"{self.id}/{id}"
        with in_plain_words(f"tree {self.id!r}"):
            thought = Thought(
                text=text, level=level, id=id, kind=kind, lang=lang, anchors=as_links(anchors)
            )
        if not id:
            name_thoughts([thought], [self.fresh_id(thought.text)])
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
                hint=f"To remove the whole tree: `{command_line('remove', self.id)}`.",
            )
        end = self.end(i)
        thoughts = relevel(self.thoughts[i:end], 0)
        lines = (" ".join(line.split())[:80] for line in thoughts[0].text.splitlines())
        title = next((line for line in lines if not is_blank(line)), self.title)
        branch = Tree(id=thoughts[0].id, title=title, thoughts=thoughts)
        branch.keep_lang(self.lang)
        gone = {t.id for t in thoughts}
        branch.put_origins({i: o for i, o in self.origins.items() if i in gone})
        self.put_origins(dict.fromkeys(gone))
        del self.thoughts[i:end]
        self._ids = None
        return branch

    def graft(
        self,
        branch: Tree,
        *,
        under: Thought | str | None = None,
        at: int | None = None,
        new_ids: bool = False,
    ) -> Thought:
        """Put the thoughts of another tree below a thought of this one (the last by default).

        Thoughts keep their ids, except with ``new_ids`` and where this tree already has one of that
        id; and they keep where their texts come from (`origins`). Raises InvalidTree where one of
        the two has no thoughts.
        """
        if not isinstance(branch, Tree):
            raise TypeError(f"expected a Tree, got {kind_of(branch)}")
        for tree in (self, branch):
            tree.root  # noqa: B018  (raises where there is none)
        parent = self.thoughts[self.index(under)] if under is not None else self.thoughts[-1]
        known, said = dict(self._known()), dict[str, int]()
        thoughts, origins = [], branch.origins
        told: dict[str, JsonValue] = {}
        for t in branch.thoughts:
            taken = new_ids or not t.id or t.id in known
            id_ = free_id(self.id, t.text, known, said, self._avoided) if taken else t.id
            known[id_] = None
            if t.id in origins:
                told[id_] = origins[t.id]
            thoughts.append(trusted_thought(t.text, t.level, id_, t.kind, t.lang, t.anchors))
        first = self._insert(thoughts, parent, at)
        self.put_origins(told)
        return first

    @property
    def origins(self) -> dict[str, JsonValue]:
        """Where the texts of some thoughts come from, by their ids; kept in ``meta``."""
        told = self.meta.get(ORIGINS)
        return dict(told) if isinstance(told, dict) else {}

    def put_origins(self, new: Mapping[str, JsonValue]) -> None:
        """Say where the texts of some thoughts come from; None says that nothing is known.

        Raises InvalidTree where an author keeps something else under that name.
        """
        told = self.meta.get(ORIGINS, {})
        if not isinstance(told, dict):
            if any(new.values()):
                raise InvalidTree(
                    f"tree {self.id!r}: its meta has {ORIGINS!r} of its own: where thoughts come "
                    "from cannot be kept there",
                    hint="Give what stands there another name, such as in `forest edit`.",
                )
            return
        both: dict[str, JsonValue] = {**told, **new}
        both = {id_: origin for id_, origin in both.items() if origin}
        if both != told:
            rest = {key: value for key, value in self.meta.items() if key != ORIGINS}
            self.meta = {**rest, ORIGINS: both} if both else rest

    def keep_lang(self, lang: str) -> None:
        """Have the language that a store holds: somebody may have written with Cypher what is none.

        It can be read then, and `forest check` names it.
        """
        self.__dict__["lang"] = lang

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

    @property
    def in_file(self) -> InFile:
        """How it stands in the file that it was just read from."""
        return self._in_file

    def stands(self, **facts: Any) -> None:
        """Say how it stands in its file, by fields of `InFile`."""
        self._in_file = self._in_file._replace(**facts)

    def set_ids(self, ids: Sequence[str], *, own: bool = False) -> None:
        """Give the thoughts these ids, in reading order.

        Thoughts that other trees may share stay as they are: those that get another id are new
        ones. ``own`` says that nobody else holds the thoughts, which saves the copies.
        """
        if own:
            name_thoughts(self.thoughts, ids)
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
