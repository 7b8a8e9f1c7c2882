"""Kinds of record that are made of one tree."""

from __future__ import annotations

from collections.abc import Iterator

from exporters.destinations import is_drawn, request
from exporters.kinds import Plan
from exporters.linearize import (
    ANCHOR,
    BREADCRUMB,
    THOUGHT,
    Outline,
    Piece,
    Told,
    dropped,
    fitted,
    mentions,
    says,
    tell,
    tell_columns,
)
from exporters.records import PATH, Axes, Record
from exporters.templates import marker_met
from forest.model import Tree
from forest.phrases import phrase_key


class TreeRecords:
    """The records of trees, one tree at a time.

    :param shared: the anchors that two or more trees carry.
    """

    def __init__(self, plan: Plan, shared: frozenset[str]) -> None:
        self._plan, self._shared = plan, shared
        self._accepted = frozenset(plan.recipe.marks.accepted)
        self._refuted = frozenset(plan.recipe.marks.refuted)

    def of(self, outline: Outline, split: str, axes: Axes) -> Iterator[Record]:
        """All records of a tree.

        :raises ExportError: a breadcrumb contains the jump marker.
        """
        recipe, wants = self._plan.recipe, self._plan.mix.wants
        marked = wants("stepwise", "preference") and self._is_marked(outline.tree)
        if wants(PATH, "reverse") or (marked and wants("stepwise")):
            windows = list(outline.windows(recipe.window, recipe.paths.overlap))
            if wants(PATH):
                yield from self._paths(outline, windows, split, axes)
            if wants("reverse"):
                yield from self._reverse(outline, windows, split, axes)
            if marked and wants("stepwise"):
                yield from self._stepwise(outline, windows, split, axes)
        if wants("fragment"):
            yield from self._fragments(outline, split, axes)
        if marked and wants("preference"):
            yield from self._preferences(outline, split, axes)

    # --- along paths ---------------------------------------------------------------------------

    def _paths(
        self, outline: Outline, windows: list[list[Piece]], split: str, axes: Axes
    ) -> Iterator[Record]:
        marker, keeps = self._plan.recipe.walks.marker, self._plan.mix.keeps
        for pieces in windows:
            if pieces[0].role == BREADCRUMB and marker in pieces[0].text:
                tree = outline.tree
                raise marker_met(marker, f"the breadcrumb of tree {tree.id!r} ({tree.title!r})")
            if keeps(PATH, axes, pieces[-1].thought, len(pieces)):
                yield Record(PATH, split, tell(pieces), axes)

    def _reverse(
        self, outline: Outline, windows: list[list[Piece]], split: str, axes: Axes
    ) -> Iterator[Record]:
        """Each window from its last thought back to its first."""
        for pieces in windows:
            said = [piece for piece in reversed(pieces) if piece.role == THOUGHT]
            if len(said) > 1 and self._plan.mix.keeps(
                "reverse", axes, said[0].thought, said[-1].thought
            ):
                laid = self._lay("reverse", outline, thoughts=said)
                yield Record("reverse", split, tell(laid), axes)

    def _stepwise(
        self, outline: Outline, windows: list[list[Piece]], split: str, axes: Axes
    ) -> Iterator[Record]:
        """Windows with a marked thought, up to the first that is refuted.

        What hangs below a refuted thought is no reasoning that holds, so it is not said.
        """
        tree = outline.tree
        kinds = {thought.id: thought.kind for thought in tree.thoughts}
        fallen = self._below_refuted(tree)
        seen: set[tuple[str, str]] = set()
        for pieces in windows:
            crumb = [piece for piece in pieces if piece.role == BREADCRUMB]
            said = pieces[len(crumb) :]
            wrong = (n for n, p in enumerate(said, 1) if kinds[p.thought] in self._refuted)
            steps = said[1 : next(wrong, None)]
            ends = said[0].thought, said[len(steps)].thought
            marks = [kinds[step.thought] for step in steps]
            if (
                ends in seen
                or said[0].thought in fallen
                or kinds[said[0].thought] in self._refuted
                or not (self._accepted | self._refuted).intersection(marks)
                or not self._plan.mix.keeps("stepwise", axes, *ends)
            ):
                continue
            seen.add(ends)
            told = _asked([*crumb, said[0]], completions=[[step] for step in steps])
            told.columns["labels"] = [mark not in self._refuted for mark in marks]
            yield Record("stepwise", split, told, axes)

    def _is_marked(self, tree: Tree) -> bool:
        marks = self._accepted | self._refuted
        return any(thought.kind in marks for thought in tree.thoughts)

    def _below_refuted(self, tree: Tree) -> set[str]:
        fallen: set[str] = set()
        for thought, parent in tree.walk():
            if parent and (parent.id in fallen or parent.kind in self._refuted):
                fallen.add(thought.id)
        return fallen

    # --- around thoughts -----------------------------------------------------------------------

    def _fragments(self, outline: Outline, split: str, axes: Axes) -> Iterator[Record]:
        """What follows each shared anchor, behind its phrase where the thought does not say it.

        A share of them are said again behind the words by which a walk would ask for them by name.
        """
        settings, recipe = self._plan.recipe.fragments, self._plan.recipe
        most = max(recipe.window - settings.premises, 0)
        for place in outline.carrying(self._shared):
            id_ = outline.pieces[place].thought
            for anchor, phrase, opening in self._openings(outline, place):
                if not self._plan.mix.keeps("fragment", axes, id_, anchor):
                    continue
                after = outline.after(place, settings.continuation, recipe.seed, most)
                premises = outline.premises(place, settings.premises)
                if not opening and not premises and len(after) == 1:
                    continue
                laid = self._lay(
                    "fragment",
                    outline,
                    least=2,
                    anchor=Piece(opening, outline.tree.id, role=ANCHOR) if opening else None,
                    premises=[outline.pieces[n] for n in premises],
                    thoughts=[outline.pieces[n] for n in after],
                )
                yield Record("fragment", split, tell(laid), axes, anchor=anchor)
                if is_drawn(settings.named, recipe.seed, anchor, id_):
                    laid = self._asked_for(outline, place, phrase, after)
                    yield Record("fragment", split, tell(laid), axes, anchor=anchor)

    def _openings(self, outline: Outline, place: int) -> list[tuple[str, str, str]]:
        """(anchor, its phrase, that or "" where the thought says it) for records that differ."""
        openings: dict[str, tuple[str, str, str]] = {}
        for anchor, phrase in outline.links(place, self._shared):
            opening = "" if mentions(outline.pieces[place], phrase) else phrase
            openings.setdefault(phrase_key(opening), (anchor, phrase, opening))
        return list(openings.values())

    def _asked_for(
        self, outline: Outline, place: int, phrase: str, after: list[int]
    ) -> list[Piece]:
        """A fragment as it is asked for by name: all up to the name is read without loss.

        A random tail of what comes before the thought in its own tree stands there, without what
        answers: a name is obeyed also where it is that of the tree one is in. Where nothing is left
        of it, the thought is not said either, and the request comes from nowhere. What is over the
        window goes, but for the first thought that answers.
        """
        recipe, tree = self._plan.recipe, outline.tree
        answer = [outline.pieces[n] for n in after]
        way = (n for n in outline.before(place, recipe.walks.prefix) if n not in after[1:])
        before = dropped([outline.pieces[n] for n in way], "tail", recipe.seed)
        silent = [piece._replace(loss=False) for piece in before if len(before) > 1]
        if len(answer) > 1 and (silent or says(answer[0], phrase)):
            del answer[0]
        asks = request(tree.id, tree.title, phrase, recipe.walks.marker)
        laid = [*silent, *asks, *answer]
        return fitted(laid, recipe.window + 1, len(silent) + 4, self._plan.measure)

    def _preferences(self, outline: Outline, split: str, axes: Axes) -> Iterator[Record]:
        for good, bad in outline.pairs(self._accepted, self._refuted):
            chosen, rejected = outline.pieces[good], outline.pieces[bad]
            if self._plan.mix.keeps("preference", axes, chosen.thought, rejected.thought):
                longest = max(self._plan.measure(p.text) for p in (chosen, rejected))
                room = self._plan.recipe.window - longest - 1
                prompt = outline.above(good, room)
                told = _asked(prompt, chosen=[chosen], rejected=[rejected])
                yield Record("preference", split, told, axes)

    def _lay(
        self, kind: str, outline: Outline, least: int = 1, **said: list[Piece] | Piece | None
    ) -> list[Piece]:
        tree = outline.tree
        return self._plan.templates.lay(
            kind, tree.lang, self._plan.recipe.window, least, title=tree.title, **said
        )


def _asked(prompt: list[Piece], **answers: list[Piece] | list[list[Piece]]) -> Told:
    """A prompt with the line break at its end: trainers join it to what answers it by nothing."""
    told = tell_columns({"prompt": prompt, **answers})
    told.columns["prompt"] += "\n"
    return told


def refuse_marker(tree: Tree, marker: str) -> None:
    """Raise ExportError where a thought or an anchor's phrase contains the jump marker."""
    for thought in tree.thoughts:
        if marker in thought.text:
            raise marker_met(marker, f"thought {thought.id!r}")
        for link in thought.anchors:
            if marker in link.phrase:
                raise marker_met(marker, f"the anchor {link.phrase!r} at thought {thought.id!r}")
