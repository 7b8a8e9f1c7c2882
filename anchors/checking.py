"""What is wrong or missing in a forest, also in the nodes that only `anchors` can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import networkx as nx

from anchors.deciding import finish, say_meanings, unsaid_meanings
from anchors.decisions import decision_of, decisions
from anchors.formulas.book import Book, formula_of, scene_of
from anchors.formulas.errors import Cycle
from anchors.formulas.expansion import expand
from anchors.proposals import proposal_of
from forest.errors import InvalidInput, NotATree, StoreError, StoreUnavailable
from forest.forest import Forest
from forest.language import is_language, no_language
from forest.nodes import Node
from forest.render import plural
from forest.schema import DECISION, FORMULA, PROPOSAL, SCENE
from forest.stores.base import Finding

READERS: dict[str, Callable[[Node], object]] = {
    FORMULA.label: formula_of,
    SCENE.label: scene_of,
    DECISION.label: decision_of,
    PROPOSAL.label: proposal_of,
}


def check(forest: Forest, *, fix: bool = False) -> list[Finding]:
    """What `forest check` says: of trees, anchors and axes, then of the nodes beside the trees.

    With ``fix`` what can be is put right without guessing; see `Forest.check`.

    :raises StoreUnavailable: the store does not answer.
    """
    found = [*forest.check(fix=fix), *_begun(forest, fix=fix)]
    return [*found, *_unsaid(forest, fix=fix), *_beside(forest)]


def _begun(forest: Forest, *, fix: bool) -> Iterator[Finding]:
    """Decisions that a killed process left before the thoughts said them."""
    begun = _begun_in(forest)
    if not begun:
        return
    problem = (
        f"{plural(len(begun), 'decision')} of `forest anchors history`, from {min(begun)} on: "
        "interrupted, so thoughts may not say yet what was decided"
    )
    fixed = fix and bool(finish(forest.store)) and not _begun_in(forest)
    yield Finding("the forest", problem, fixable=True, fixed=fixed)


def _begun_in(forest: Forest) -> list[int]:
    """The numbers of the decisions that have begun; none where the history cannot be read."""
    try:
        return [d.no for d in decisions(forest.store) if d.begun]
    except StoreUnavailable:
        raise
    except (StoreError, InvalidInput):
        return []  # told by `_beside`


def _unsaid(forest: Forest, *, fix: bool) -> Iterator[Finding]:
    """Words that mean another anchor in a place, in thoughts that were written there later."""
    if _begun_in(forest):
        return  # they say it when they are done
    try:
        unsaid = (say_meanings if fix else unsaid_meanings)(forest.store)
    except StoreUnavailable:
        raise
    except (StoreError, InvalidInput, NotATree):
        return  # told by `_beside`, or of the tree
    for one in unsaid:
        problem = f"a thought carries «{one.anchor}», which was decided to be «{one.means}» there"
        yield Finding(one.place, problem, fixable=True, fixed=fix)


def _beside(forest: Forest) -> Iterator[Finding]:
    codes: set[str] | None = None
    for label, reader in READERS.items():
        try:
            nodes = list(forest.store.nodes(label))
        except StoreUnavailable:
            raise
        except StoreError as error:
            problem = f"its {label} nodes cannot be read: {error.message}"
            yield Finding("the forest", problem, fixable=False)
            continue
        for node in nodes:
            for problem in _wrong(node, reader):
                yield Finding(f"{label} {node.key!r}", problem, fixable=False)
        if label == FORMULA.label:
            yield from _circles(nodes)
            codes = {node.key for node in nodes}
        if label == SCENE.label and codes is not None:
            yield from _without_formula(nodes, codes)


def _wrong(node: Node, reader: Callable[[Node], object]) -> Iterator[str]:
    try:
        reader(node)
    except InvalidInput as error:
        yield "; ".join(filter(None, (error.message, error.hint)))
    else:
        if node.label == SCENE.label and not node.links:
            yield "it voices no formula: lead VOICES to one, or remove it with Cypher"
        lang = node.properties.get("lang")
        if isinstance(lang, str) and lang and not is_language(lang):
            yield f"its {no_language(lang)}"


def _without_formula(scenes: list[Node], codes: set[str]) -> Iterator[Finding]:
    """The codes that scenes voice and nobody defined."""
    voiced = Counter(link.target for node in scenes for link in node.links)
    for code, count in voiced.items():
        if code not in codes:
            problem = (
                f"nobody defined it, and {plural(count, 'scene')} "
                f'{"voices" if count == 1 else "voice"} it: `forest formulas add "{code} = (…)"`'
            )
            yield Finding(f"{FORMULA.label} {code!r}", problem, fixable=False)


def _circles(nodes: list[Node]) -> Iterator[Finding]:
    """Formulas that are parts of themselves; of those that hang together the first."""
    formulas = Book.from_nodes(nodes, lambda _: None).formulas
    parts = nx.DiGraph([(f.code, part) for f in formulas.values() for part in f.parts])
    told: set[str] = set()
    for code in formulas:
        try:
            if code not in told:
                expand(formulas, code)
        except Cycle as error:
            told |= nx.descendants(parts, code)
            problem = "; ".join(filter(None, (error.message, error.hint)))
            yield Finding(f"{FORMULA.label} {code!r}", problem, fixable=False)
