"""The forest as an author uses it: open it, write trees, read them, see how they are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

from forest.arguments import (
    again_and_again,
    check_text,
    check_trees,
    id_of_thought,
    id_of_tree,
    list_of_texts,
    name_of,
)
from forest.copying import copy, new_file
from forest.errors import Conflict, InvalidTree, NotATree, NotFound, UsageError
from forest.fields import in_plain_words, kind_of
from forest.identity import finished, with_free_ids
from forest.marks import without_lost_marks
from forest.model import (
    Anchor,
    AnchorLink,
    Axis,
    Occurrence,
    Thought,
    Tree,
    TreeInfo,
    anchor_id,
)
from forest.phrases import phrase_key
from forest.revision import forest_revision
from forest.settings import Settings
from forest.spelling import check_axes
from forest.stores.base import (
    Finding,
    Rows,
    Skip,
    Store,
    Written,
    missing_file,
    no_such_tree,
    open_part,
    open_store,
)
from forest.weights import axis_weights

if TYPE_CHECKING:
    from forest.graph import Graph
    from forest.importing import ImportReport

T = TypeVar("T")

AXES = (
    Axis(name="причинность", description="Что из чего следует: причина, следствие, условие."),
    Axis(name="эмпатия", description="Чужое переживание, понятое изнутри: боль, забота, утешение."),
    Axis(
        name="выводы из неопределённости",
        description="Рассуждение из неполного знания: вероятность, догадка, риск, граница знания.",
    ),
    Axis(
        name="парадоксальность",
        description="Противоречие, которое держит мысль: обе стороны верны, ни одну не отбросить.",
    ),
    Axis(
        name="переход между мирами",
        description="Переход между системами смысла: онтология, религия, симуляция, сон, текст.",
    ),
)
"""The five axes of thinking of seed 1 (section 3)."""


class Forest:
    """A forest of reasoning trees, kept in a store.

    >>> with Forest.open("memory:") as forest:
    ...     tree = Tree("Justice", axes=["causality"])
    ...     root = tree.add("Justice is a fit between deeds and norms.")
    ...     written = forest.add(tree)
    ...     step = forest.add_thought("justice", "But norms differ.", under=root.id)
    ...     len(forest.get("justice"))
    2
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def open(cls, url: str | None = None, *, create: bool = True, half_copy: bool = False) -> Self:
        """Open the forest at a URL: ``sqlite:///PATH``, ``neo4j://HOST:PORT`` or ``memory:``.

        Without a URL it is FOREST_STORE, else ``store`` in forest.toml, else sqlite:///forest.db.
        Credentials for Neo4j come from the environment or forest.toml: see docs/configuration.md.

        :param create: make a SQLite file that is not there; otherwise that is an error.
        :param half_copy: open also what a copy into it that was broken off has left (`copy_to`).
        :raises TypeError: ``url`` is no text.
        :raises UsageError: the URL or a setting is wrong.
        :raises StoreError: the store cannot be opened; `StoreUnavailable` if it may be later.
        """
        if url is not None:
            check_text(url, "a URL such as 'sqlite:///forest.db'")
        settings = Settings.load()
        url = settings.store if url is None else url
        store = open_store(
            url,
            create=create,
            half_copy=half_copy,
            username=settings.neo4j_username,
            password=settings.password_for(url),
        )
        return cls(store)

    @classmethod
    @contextmanager
    def open_for_copy(cls, url: str) -> Iterator[Self]:
        """Open the forest that a copy is made into (`copy_to`), for the time of a block.

        A file that is not there yet is written beside its place, and put there when the block ends
        without an error: nobody sees half of it.

        :raises Conflict: a file came there meanwhile; it stays as it is.
        """
        if path := missing_file(url):
            with new_file(path) as part, cls(open_part(part, path)) as made:
                yield made
            return
        with cls.open(url, half_copy=True) as there:
            yield there

    @classmethod
    def act_in(cls, url: str | None, act: Callable[[Self], T]) -> T:
        """Do something in the forest at a URL (see `open`), and make the forest if need be.

        A file that is not there yet is written beside its place, and put there when all is done:
        an act that fails leaves none. Where another process put one there meanwhile, the act is
        done again, in that one.
        """
        url = Settings.load().store if url is None else url
        check_text(url, "a URL such as 'sqlite:///forest.db'")
        if path := missing_file(url):
            try:
                with new_file(path) as part, cls(open_part(part, path)) as made:
                    return act(made)
            except Conflict:
                if missing_file(url):  # nobody made it: it is the act's own
                    raise
        with cls.open(url) as forest:
            return act(forest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back files and connections."""
        self.store.close()

    @property
    def url(self) -> str:
        """The store's address, without any password."""
        return self.store.url

    # --- trees ---------------------------------------------------------------------------------

    def add(self, *trees: Tree) -> Written:
        """Add trees, all or none.

        They are stored with the ids and languages that their author left out, which are part of
        their revision; the trees given stay as they are (`get` gives the stored ones).

        :raises Conflict: the forest has one of that id.
        :raises InvalidInput: an axis of theirs is not there, but one of nearly that name (`bind`).
        :raises TypeError: one of them is no Tree.
        """
        check_trees(trees)
        self._check_axes(*trees)

        def merge(old: Tree | None, new: Tree, taken: frozenset[str]) -> Tree:
            if old is not None:
                raise Conflict(
                    f"the forest already has a tree {new.id!r} ({old.title!r})",
                    hint="Give the new one another id, or change or remove the one that is there.",
                )
            return _next(new, None, taken)

        return self._write(trees, merge)

    def replace(self, *trees: Tree) -> Written:
        """Put trees in the place of those with the same ids; add those that are new.

        Thoughts without ids keep those of the thoughts they correspond to (`identity.finished`).
        They win over what anybody stored meanwhile; `editing` notices that, and refuses.
        Raises TypeError where one of them is no Tree; InvalidInput as `add`.
        """
        check_trees(trees)
        self._check_axes(*trees)

        def merge(old: Tree | None, new: Tree, taken: frozenset[str]) -> Tree | None:
            tree = _next(new, old, taken)
            return None if old is not None and tree.revision == old.revision else tree

        return self._write(trees, merge)

    def _write(
        self,
        trees: Sequence[Tree],
        merge: Callable[[Tree | None, Tree, frozenset[str]], Tree | None],
    ) -> Written:
        return with_free_ids(
            self.store,
            lambda taken: self.store.write(trees, lambda old, new: merge(old, new, taken)),
        )

    def get(self, tree_id: str | Tree) -> Tree:
        """One tree as the forest has it now. Raises NotFound."""
        return self.store.get(id_of_tree(tree_id))

    def find(self, prefix: str) -> str:
        """The id of the tree of that id or title, or of the only one whose id or title begins so.

        Of which letters are capital makes no difference, unless there is a tree of exactly that id.
        Also of one that an author wrote with Cypher and that is none: `get` says what is wrong.
        Raises NotFound; where several begin so, it names them.
        """
        check_text(prefix, "the beginning of an id or a title")
        if not prefix:
            raise NotFound("no tree has an empty id", hint="Name one: `forest list` shows them.")
        with suppress(NotFound):
            return self.store.get(prefix).id
        start = prefix.casefold()
        matches, exact = list[str](), list[str]()
        for id_, title in self._titles():
            names = (id_.casefold(), title.casefold())
            if start in names:
                exact.append(id_)
            if any(name.startswith(start) for name in names):
                matches.append(id_)
        for found in (exact, matches):
            if len(found) == 1:
                return found[0]
        if matches:
            more = f" and {len(matches) - 8} more" if len(matches) > 8 else ""
            raise NotFound(f"several trees begin with {prefix!r}: {', '.join(matches[:8])}{more}")
        raise no_such_tree(prefix)

    def _titles(self) -> Iterator[tuple[str, str]]:
        """(id, title) of all trees, then of what is none."""
        broken: list[NotATree | InvalidTree] = []
        for info in self.infos(skip=broken.append):
            yield info.id, info.title
        yield from (error.named for error in broken if error.named)

    def remove(self, *trees: str | Tree) -> Written:
        """Remove trees, all or none, also those that are broken. Raises NotFound."""
        return self.store.remove([id_of_tree(tree) for tree in trees])

    def __iter__(self) -> Iterator[Tree]:
        """All trees in the order of their ids, one in memory at a time."""
        return self.store.trees()

    def __len__(self) -> int:
        """How many trees there are."""
        return sum(1 for _ in self.store.revisions())

    def __bool__(self) -> bool:
        """True, for an empty forest too."""
        return True

    def __contains__(self, tree_id: object) -> bool:
        """Whether there is such a tree. Raises TypeError for anything but a tree or its id."""
        with suppress(NotFound):
            self.store.get(id_of_tree(tree_id))
            return True
        return False

    def infos(self, skip: Skip | None = None) -> Iterator[TreeInfo]:
        """All trees without their thoughts, in the order of their ids.

        What somebody wrote with Cypher and is no tree raises NotATree or InvalidTree; with ``skip``
        it is left out, and ``skip`` gets the error; and one for what stands in no tree.
        """
        return self.store.infos(skip)

    @contextmanager
    def editing(self, tree_id: str | Tree) -> Iterator[Tree]:
        """Change a tree with its own methods; stored when the block ends without an error.

        Raises Conflict at the end if somebody else changed the tree meanwhile; InvalidInput as
        `bind`.
        """
        tree_id = id_of_tree(tree_id)
        tree = self.get(tree_id)
        before = tree.revision
        yield tree
        self._check_axes(tree)

        def change(old: dict[str, Tree | None], taken: frozenset[str]) -> dict[str, Tree | None]:
            now = old[tree_id]
            if now is None or now.revision != before:
                raise Conflict(
                    f"tree {tree_id!r} was changed by somebody else meanwhile",
                    hint="Nothing was stored. Read it again and repeat your change.",
                )
            return {tree_id: _next(tree.model_copy(), now, taken)}

        self._change([tree_id], change)

    def _change(
        self,
        tree_ids: Sequence[str],
        change: Callable[
            [dict[str, Tree | None], frozenset[str]],
            Mapping[str, Tree | None],
        ],
    ) -> None:
        with_free_ids(
            self.store,
            lambda taken: self.store.change(tree_ids, lambda old: change(old, taken)),
        )

    # --- thoughts ------------------------------------------------------------------------------

    # A tree or a thought may be named by its id or be given itself: it is the one of that id.

    def add_thought(
        self,
        tree_id: str | Tree,
        text: str,
        *,
        under: Thought | str | None = None,
        at: int | None = None,
        kind: str | None = None,
        lang: str | None = None,
        anchors: Iterable[str | Anchor | AnchorLink] = (),
    ) -> Thought:
        """Add a thought below ``under`` (or after the last thought); returns it. See `Tree.add`."""
        links = again_and_again(anchors)
        return self._in_tree(
            tree_id,
            lambda tree: tree.add(text, under=under, at=at, kind=kind, lang=lang, anchors=links),
        )

    def add_steps(  # noqa: PLR0913  (what a new tree and what a new thought may have)
        self,
        tree_id: str | Tree,
        texts: Sequence[str],
        *,
        title: str | None = None,
        axes: Any = None,
        under: Thought | str | None = None,
        at: int | None = None,
        kind: str | None = None,
        anchors: Iterable[str | Anchor | AnchorLink] = (),
        origin: str = "",
    ) -> list[Thought]:
        """Add a chain of thoughts, each below the one before it; returns them.

        ``origin`` says where their texts come from, if not from an author: it is kept in the tree's
        ``meta``, under ``origins`` and the id of each thought.

        With ``title`` the tree is new, and may be bound to ``axes``. Raises Conflict if there is
        one of that id already, NotFound if there is none and no title is given.
        """
        texts = list_of_texts(texts)
        tree_id = id_of_tree(tree_id)
        links = again_and_again(anchors)

        def add_to(tree: Tree) -> list[Thought]:
            added: list[Thought] = []
            for text in texts:
                first = not added
                added.append(
                    tree.add(
                        text,
                        under=(under if first else added[-1]) if tree.thoughts else None,
                        at=at if first else None,
                        kind=kind,
                        anchors=links,
                    )
                )
            if origin:
                tree.put_origins(dict.fromkeys((t.id for t in added), origin))
            return added

        if title is None:
            return self._in_tree(tree_id, add_to)
        tree = Tree(title, id=tree_id, axes=axes or {})
        added = add_to(tree)
        self.add(tree)
        return added

    def edit_thought(self, thought: Thought | str, **changes: Any) -> Thought:
        """Change ``text``, ``kind``, ``lang`` or ``anchors`` of a thought; returns it."""
        thought_id = id_of_thought(thought)
        tree_id = self.store.tree_of(thought_id)
        return self._in_tree(tree_id, lambda tree: tree.edit(thought_id, **changes))

    def move_thought(
        self, thought: Thought | str, *, under: Thought | str, at: int | None = None
    ) -> Thought:
        """Move a thought with all below it; to another tree as well, where it keeps its ids."""
        thought_id, under = id_of_thought(thought), id_of_thought(under)
        here, there = self.store.tree_of(thought_id), self.store.tree_of(under)
        if here == there:
            return self._in_tree(here, lambda tree: tree.move(thought_id, under=under, at=at))

        def change(old: dict[str, Tree | None]) -> dict[str, Tree | None]:
            source, target = _present(old, here), _present(old, there)
            branch = _copy(source).prune(thought_id)
            rest, grown = _copy(source), _copy(target)
            rest.prune(thought_id)
            grown.graft(branch, under=under, at=at)
            return {here: _next(rest, source), there: _next(grown, target)}

        self.store.change([here, there], change)
        return self.get(there)[thought_id]

    def graft(self, branch: Tree, *, under: Thought | str, at: int | None = None) -> Thought:
        """Put a copy of a tree's thoughts below a thought of the forest; returns its first.

        Thoughts get new ids where the forest already has theirs. Raises InvalidTree where the
        branch has no thoughts.
        """
        check_trees([branch])
        under = id_of_thought(under)
        tree_id = self.store.tree_of(under)

        def put(tree: Tree) -> Thought:
            return tree.graft(branch, under=under, at=at, new_ids=True)

        return self._in_tree(tree_id, put)

    def prune(self, thought: Thought | str) -> Tree:
        """Cut a thought with all below it; returns the branch as a tree. See `Tree.prune`."""
        thought_id = id_of_thought(thought)
        tree_id = self.store.tree_of(thought_id)
        return self._in_tree(tree_id, lambda tree: tree.prune(thought_id))

    def _in_tree(self, tree: Tree | str, act: Callable[[Tree], T]) -> T:
        results: list[T] = []
        tree_id = id_of_tree(tree)

        def change(old: dict[str, Tree | None], taken: frozenset[str]) -> dict[str, Tree | None]:
            before = _present(old, tree_id)
            after = _copy(before)
            after.avoid(taken)
            results.append(act(after))
            return {tree_id: _next(after, before, taken)}

        self._change([tree_id], change)
        return results[-1]

    # --- meaning -------------------------------------------------------------------------------

    def bind(self, tree_id: str | Tree, axes: Mapping[str, Any] | list[str]) -> dict[str, float]:
        """Bind a tree to axes: ``{"причинность": "80%", "эмпатия": 0.2}`` or a list of names.

        An axis that is not there is added, but where its name is a slip of one that is (a letter
        too many, missing, another or swapped, another ending): `add_axis` adds that one.

        Returns the weights as fractions. Raises InvalidTree unless they sum to 1 (or 100%);
        InvalidInput where an axis is not there, but one of nearly that name.
        """
        tree_id = id_of_tree(tree_id)
        try:
            weights = axis_weights(axes)
        except ValueError as error:
            raise InvalidTree(f"tree {tree_id!r}: {error}") from None
        check_axes(weights, self.axes())

        def act(tree: Tree) -> dict[str, float]:
            tree.axes = weights
            return weights

        return self._in_tree(tree_id, act)

    def _check_axes(self, *trees: Tree) -> None:
        """Raise InvalidInput as `bind`."""
        if names := [name for tree in trees for name in tree.axes]:
            check_axes(names, self.axes())

    def axes(self) -> list[Axis]:
        """All axes, in the order of their ids."""
        return self.store.axes()

    def add_axis(self, name: str, description: str | None = None) -> Axis:
        """Add an axis, or describe the one of that name anew; returns it as it is then.

        One that is there keeps its name as it was written first, and without a ``description``
        also the one it has. Raises InvalidInput for what is no name.
        """
        check_text(name, "the name of an axis")
        new = Axis(name, description=description or "")
        there = next((axis for axis in self.axes() if axis.id == new.id), None)
        if there is not None:
            told = there.description if description is None else description
            new = there.model_copy(update={"description": told})
        if new != there:
            self.store.put_axes([new])
        return new

    def remove_axis(self, name: str | Axis) -> None:
        """Remove an axis that no tree is bound to. Raises NotFound or Conflict."""
        self.store.remove_axis(phrase_key(name_of(name, Axis, "the name of an axis")))

    def anchors(self) -> Iterator[Anchor]:
        """All anchors with how many trees and thoughts carry them, in the order of their ids."""
        return self.store.anchors()

    def thoughts_at(self, anchor: str | Anchor) -> list[Occurrence]:
        """The thoughts of all trees that carry an anchor, named by its id or by a spelling.

        One that spells it twice comes twice.
        `anchors.registry.thoughts_at` gives those of all its variants.
        """
        anchor = name_of(anchor, Anchor, "an anchor or its phrase")
        found = list(self.store.occurrences(anchor))
        return found or list(self.store.occurrences(anchor_id(anchor)))

    # --- the whole -----------------------------------------------------------------------------

    @property
    def revision(self) -> str:
        """SHA-256 (hex) of the whole forest: equal content, equal revision, on every store."""
        store = self.store
        return forest_revision(store.revisions(), store.axes(), store.all_nodes())

    def to_networkx(self) -> Graph:
        """The forest as a graph: nodes ``(label, id)``, edges with ``type``. See `forest.graph`."""
        from forest.graph import to_networkx

        return to_networkx(self.store.trees(), self.store.axes(), self.store.all_nodes())

    def plant_axes(self) -> None:
        """Add those of the five axes of thinking that the forest does not have, or not described.

        What was written about an axis stays.
        """
        known = {axis.id: axis for axis in self.axes()}
        for axis in AXES:
            if axis.id not in known or not known[axis.id].description:
                self.add_axis(axis.name, axis.description)

    def plant_sample(self) -> ImportReport:
        """Import the sample forest that comes with the package."""
        from forest.formats import SourceFile
        from forest.sample import sample_folder

        with sample_folder() as folder:
            files = sorted(folder.glob("*.yaml"))
            return self.import_files(SourceFile(path, f"sample/{path.name}") for path in files)

    def import_files(self, paths: Any, **options: Any) -> ImportReport:
        """Import the trees of a file or folder, or several: see `forest.importing.import_files`.

        `anchors.importing.import_files` also takes the formulas of notes, as `forest import` does.
        """
        from forest.importing import import_files

        return import_files(self, paths, **options)

    def copy_to(
        self, other: Forest | str, progress: Callable[[int], None] | None = None
    ) -> Written:
        """Copy everything into another forest, which must be empty. The revision stays equal.

        Axes that only the other forest has are removed there: it becomes the same forest. A copy
        that is broken off leaves it empty, and no file where there was none; a Neo4j, where a copy
        is many transactions, refuses to be opened until the same copy is made again, which then
        finishes it.

        :param other: an opened forest, or the URL of one, which is opened for the copy.
        :param progress: is told of each tree how many thoughts it has.
        :raises Conflict: the other forest holds something.
        :raises NotATree: this one holds what is no tree, or stands in none: it would be lost.
        :raises UsageError: it is the same one, or the URL is wrong.
        """
        if isinstance(other, str):
            with Forest.open_for_copy(other) as opened:
                return self.copy_to(opened, progress)
        if not isinstance(other, Forest):
            raise TypeError(f"expected a Forest or the URL of one, got {kind_of(other)}")
        if self.store.is_same(other.store):
            raise UsageError(f"{self.url} cannot be copied into itself", hint="Name another TO.")
        return copy(self.store, other.store, progress)

    def check(self, *, fix: bool = False) -> list[Finding]:
        """What is wrong or missing; with ``fix``, put right what can be without guessing."""
        return list(self.store.check(fix=fix))

    def cypher(self, query: str, /, **parameters: Any) -> Rows:
        """Rows of a Cypher query. Raises NoCypher on a store that does not speak it."""
        return self.store.cypher(query, parameters)

    def cypher_script(self, script: str, /, **parameters: Any) -> Iterator[Rows]:
        """Rows of each statement of a script in turn; each is stored before the next one runs.

        Statements end with ``;``. An error names the statement and its line.

        :raises NoCypher: the store does not speak it.
        :raises UsageError: Neo4j refuses a statement; or the script holds a command of Neo4j's
            shell, such as ``:param``, and then nothing was run.
        """
        return self.store.cypher_script(script, parameters)


def checked(tree: Tree) -> Tree:
    """A copy of the tree, all of it checked again: callers may have edited its lists and dicts.

    Raises InvalidTree.
    """
    with in_plain_words(f"tree {tree.id!r}"):
        return Tree.model_validate(tree.__dict__)


def _next(tree: Tree, old: Tree | None, taken: frozenset[str] = frozenset()) -> Tree:
    """What is stored of a tree in the place of an old one; new thoughts get none of these ids."""
    if old is not None and tree.id != old.id:
        raise InvalidTree(f"the id of tree {old.id!r} cannot be changed to {tree.id!r}")
    made = checked(tree)
    made.avoid(taken)
    if old is None:
        return stamped(finished(made), None)
    return stamped(without_lost_marks(finished(made, old), old), old)


def _copy(tree: Tree) -> Tree:
    """A copy whose list of thoughts is its own; the thoughts are immutable and shared."""
    return tree.model_copy(update={"thoughts": list(tree.thoughts)})


def _present(trees: Mapping[str, Tree | None], tree_id: str) -> Tree:
    tree = trees[tree_id]
    if tree is None:
        raise no_such_tree(tree_id)
    return tree


def stamped(tree: Tree, old: Tree | None) -> Tree:
    """The tree with its times: created once, updated when its content changes."""
    now = datetime.now(UTC)
    tree.created_at = (old.created_at if old else tree.created_at) or now
    tree.updated_at = now
    return tree
