"""The corpora of the arms: exports of one forest, and what an arm's samples are made of.

Every arm's recipe is exported by the real exporter from the same forest, several times with seeds
from 0 on. The pairs that are held out are drawn whatever the seed and the recipe, so all arms lack
the same ones; `held_out` makes sure of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anchors.registry import Registry
from experiments.settings import Arm, Settings, recipe_of
from exporters.draw import RANGE, draw
from exporters.export import export_corpus
from exporters.recipe import Recipe
from forest.errors import UsageError
from forest.stores.base import Store
from forest.stores.memory import MemoryStore
from training.corpus import Corpus
from training.errors import CorpusError
from training.examples import Example, encode
from training.probes import HELD_OUT, Probe, probes

ASKED = "asked"
"""The recipe that questions come from: the whole prefix, the anchor said again, names of trees."""
MOST_TREES = 8
"""Of an anchor that a part of a forest is drawn around: hubs join everything anyway."""
NO_SHARED = "no two trees of the forest share an anchor that could be asked for"
Record = dict[str, Any]
Progress = Callable[[str, int, int], None]


# --- the forest -----------------------------------------------------------------------------------


def carriers(store: Store) -> dict[str, set[str]]:
    """The trees that carry each anchor, of those that two or more carry."""
    registry = Registry.of(store)
    shared, head = registry.shared(store), registry.head
    found: dict[str, set[str]] = {}
    for tree in store.trees():
        for thought in tree.thoughts:
            for link in thought.anchors:
                if (anchor := head(link.anchor)) in shared:
                    found.setdefault(anchor, set()).add(tree.id)
    return found


def texts_of(store: Store) -> Iterator[str]:
    """All that the trees of a forest say: titles, thoughts, anchors as they are written."""
    for tree in store.trees():
        yield tree.title
        for thought in tree.thoughts:
            yield thought.text
            yield from (link.phrase for link in thought.anchors)


def part_of(store: Store, most: int) -> Store:
    """The forest, or so many of its trees: those around anchors drawn by hash; 0: all."""
    if not most or sum(1 for _ in store.infos()) <= most:
        return store
    by_anchor = carriers(store)
    around = [a for a, trees in by_anchor.items() if len(trees) <= MOST_TREES]
    chosen: dict[str, None] = {}
    for anchor in sorted(around, key=lambda a: draw("part", a)):
        new = by_anchor[anchor] - chosen.keys()
        if len(chosen) + len(new) <= most:
            chosen |= dict.fromkeys(sorted(new))
    part = MemoryStore()
    part.write((tree for tree in store.trees() if tree.id in chosen), lambda _, new: new)
    return part


# --- exports --------------------------------------------------------------------------------------


class Export(NamedTuple):
    """A corpus to write."""

    name: str
    recipe: Recipe
    seed: int

    def path(self, out: Path) -> Path:
        """Where it lies in the folder of an experiment."""
        return out / "corpora" / f"{Path(self.name).stem}-{self.seed}"


def exports_of(settings: Settings, name: str) -> list[Export]:
    """The exports of a recipe."""
    common = settings.common()
    if name == ASKED:
        walks = {"prefix_dropout": "none", "restate": True, "named": 1.0}
        return [Export(ASKED, recipe_of("default", {**common, "walks": walks}), 0)]
    return [Export(name, recipe_of(name, common), seed) for seed in range(settings.exports)]


def export_all(store: Store, settings: Settings, out: Path, progress: Progress) -> None:
    """Write what is not there yet: the corpora of all arms and the one that is asked from.

    Raises what the exporter raises, and UsageError where no two trees share an anchor.
    """
    names = dict.fromkeys([ASKED, *(arm.recipe for arm in settings.arms.values())])
    wanted = [export for name in names for export in exports_of(settings, name)]
    if not carriers(store):
        raise UsageError(NO_SHARED, hint="`forest stats` says how trees are joined.")
    for done, export in enumerate(wanted):
        progress("corpora", done, len(wanted))
        if not _is_there(export, out):
            export_corpus(store, export.path(out), export.recipe, seed=export.seed)
    progress("corpora", len(wanted), len(wanted))


def _is_there(export: Export, out: Path) -> bool:
    try:
        there = Corpus.open(export.path(out))
    except CorpusError:
        return False
    return bool(there.manifest["recipe_hash"] == export.recipe.with_seed(export.seed).hash)


def opened(settings: Settings, name: str, out: Path) -> list[Corpus]:
    """The corpora of a recipe. Raises CorpusError."""
    return [Corpus.open(export.path(out)) for export in exports_of(settings, name)]


# --- questions ------------------------------------------------------------------------------------


def unstitched(anchors: Sequence[str], share: float) -> set[str]:
    """The anchors that no walk shall jump at, drawn by hash."""
    return {a for a in anchors if draw("unstitched", a) < share * RANGE}


def held_out(settings: Settings, out: Path) -> set[str]:
    """Ids of the probes that every export of every arm holds out."""
    recipes = dict.fromkeys([ASKED, *(arm.recipe for arm in settings.arms.values())])
    told = [
        {probe["id"] for probe in corpus.probes()}
        for name in recipes
        for corpus in opened(settings, name, out)
    ]
    return set.intersection(*told)


def all_probes(settings: Settings, out: Path) -> list[Probe]:
    """What can be asked of the forest: held-out pairs and seen ones.

    Raises UsageError where there is nothing to ask.
    """
    (corpus,) = opened(settings, ASKED, out)
    known = held_out(settings, out)
    pairs = {_pair(probe) for probe in corpus.probes() if probe["id"] in known}
    try:
        found = probes(corpus, 1 << 30)
    except CorpusError as error:
        raise UsageError(
            f"{NO_SHARED}: {error.message}",
            hint="Take a larger forest, or one whose trees share more anchors.",
        ) from None
    return [p for p in found if p.group != HELD_OUT or (p.anchor, p.source, p.target) in pairs]


def require_held_out(settings: Settings, out: Path, asked: set[tuple[str, str, str]]) -> None:
    """Raise UsageError where the recipe of an arm does not hold out the pairs that are asked.

    :param asked: anchor, source and target of each.
    """
    for name, arm in settings.arms.items():
        for corpus in opened(settings, arm.recipe, out):
            if more := asked - {_pair(probe) for probe in corpus.probes()}:
                raise UsageError(
                    f"the recipe {arm.recipe} of the arm {name} does not hold out {len(more)} of "
                    f"the {len(asked)} pairs that are asked in this folder",
                    hint="Name a new folder for this arm, or leave out what its recipe says of "
                    "walks and probes.",
                )


def _pair(probe: Mapping[str, Any]) -> tuple[str, str, str]:
    return probe["anchor"], probe["source"]["thought"], probe["target"]["thought"]


# --- samples of an arm ----------------------------------------------------------------------------


def samples_of(
    corpora: Sequence[Corpus],
    arm: Arm,
    apart: set[str],
    trees: Mapping[str, set[str]],
    tokenizer: Any,
) -> dict[str, list[Example]]:
    """The samples of an arm by kind of record.

    :param apart: anchors that nothing of the arm joins trees at.
    :param trees: the trees that carry each anchor.

    Raises UsageError where the corpora have no record of a kind that the arm asks for.
    """
    found: dict[str, list[Example]] = {}
    known: dict[str, Example | None] = {}
    for record in records_of(corpora, arm, apart, trees):
        text = record["text"]
        if text not in known:
            known[text] = encode(record, tokenizer, no_loss=("breadcrumb",))
        if example := known[text]:
            found.setdefault(record["meta"]["kind"], []).append(example)
    if missing := arm.shares.keys() - found.keys():
        raise UsageError(
            f"the corpora of the recipe {arm.recipe} have no record of kind {min(missing)}, of "
            f"which the arm wants a share"
        )
    return found


def records_of(
    corpora: Sequence[Corpus], arm: Arm, apart: set[str], trees: Mapping[str, set[str]]
) -> Iterator[Record]:
    """The records that an arm trains on."""
    for number, corpus in enumerate(corpora):
        some = [r for r in corpus.records() if _is_wanted(r, arm, apart)]
        yield from shuffled_walks(some, trees, number) if arm.shuffled else some


def _is_wanted(record: Record, arm: Arm, apart: set[str]) -> bool:
    meta = record["meta"]
    if arm.shares and meta["kind"] not in arm.shares:
        return False
    joins = {jump["anchor"] for jump in meta["jumps"]}
    if len(meta["trees"]) > 1 and meta["anchor"]:
        joins.add(meta["anchor"])
    return apart.isdisjoint(joins)


def stream(
    found: Mapping[str, Sequence[Example]], shares: Mapping[str, float], seed: int
) -> Iterator[Example]:
    """Samples without end: the kind by its share, then the next of that kind in an order of chance.

    Each kind is gone through whole before any of its samples comes again. Without shares all
    samples are alike.
    """
    if not shares:
        found, shares = {"": [e for some in found.values() for e in some]}, {"": 1.0}
    kinds, chance = sorted(shares), random.Random(f"{seed}/kinds")
    weights = [shares[kind] for kind in kinds]
    lines = {kind: _again_and_again(found[kind], f"{seed}/{kind}") for kind in kinds}
    while True:
        yield next(lines[chance.choices(kinds, weights)[0]])


def _again_and_again(some: Sequence[Example], seed: str) -> Iterator[Example]:
    epoch = 0
    while True:
        order = list(range(len(some)))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        yield from (some[n] for n in order)
        epoch += 1


# --- the control ----------------------------------------------------------------------------------


class _Segment(NamedTuple):
    """A marker and what is said up to the next one."""

    lines: str
    trees: frozenset[str]
    jump: dict[str, str]


def shuffled_walks(
    records: Sequence[Record], trees: Mapping[str, set[str]], seed: int
) -> Iterator[Record]:
    """The same records, but each jump lands as another one does, in a tree without its anchor.

    A landing is taken over with its words; an anchor that is said again stays the one that was
    jumped at. Where every other landing is in such a tree, the walk is left out.
    """
    walks = [r for r in records if r["meta"]["kind"] == "walk"]
    landings = [segment for walk in walks for segment in _segments(walk)[1]]
    order = random.Random(f"shuffled/{seed}")
    for record in records:
        if record["meta"]["kind"] != "walk":
            yield record
        elif (other := _landing_elsewhere(record, landings, trees, order)) is not None:
            yield other


def _landing_elsewhere(
    walk: Record, landings: Sequence[_Segment], trees: Mapping[str, set[str]], order: random.Random
) -> Record | None:
    text, segments = _segments(walk)
    jumps = []
    for segment in segments:
        carry = trees[segment.jump["anchor"]] | {segment.jump["from_tree"]}
        landing = _other(landings, carry, order)
        if landing is None:
            return None
        text += _said_again(walk, segment) + landing.lines
        to = {"to_tree": landing.jump["to_tree"], "to": landing.jump["to"]}
        jumps.append(segment.jump | to)
    return {"text": text, "meta": {**walk["meta"], "spans": [], "no_loss": [], "jumps": jumps}}


def _other(landings: Sequence[_Segment], carry: set[str], order: random.Random) -> _Segment | None:
    """A landing none of whose trees is among some: by chance, else the first."""
    for _ in range(50):
        landing = order.choice(landings)
        if landing.trees.isdisjoint(carry):
            return landing
    return next((some for some in landings if some.trees.isdisjoint(carry)), None)


def _segments(walk: Record) -> tuple[str, list[_Segment]]:
    """What a walk says before its first marker, and after each: what it landed on, line by line."""
    text, meta = walk["text"], walk["meta"]
    jumps, spans = iter(meta["jumps"]), meta["spans"]
    marks = [n for n, span in enumerate(spans) if span["role"] == "marker"]
    parts = []
    for at, end in zip(marks, [*marks[1:], len(spans)], strict=True):
        said = [s for s in spans[at + 1 : end] if s["role"] == "thought"]
        lines = "".join("\n" + text[s["start"] : s["end"]] for s in said)
        of = frozenset(meta["trees"][s["tree"]] for s in said)
        parts.append(_Segment(lines, of, next(jumps)))
    return text[: spans[marks[0] - 1]["end"]], parts


def _said_again(walk: Record, segment: _Segment) -> str:
    """The marker of a jump, with the anchor and the name behind it that the walk says there."""
    meta, spans = walk["meta"], walk["meta"]["spans"]
    text: str = walk["text"]
    number = meta["jumps"].index(segment.jump)
    at = [n for n, span in enumerate(spans) if span["role"] == "marker"][number]
    end = at
    while end + 1 < len(spans) and spans[end + 1]["role"] in ("anchor", "destination"):
        end += 1
    return "\n" + text[spans[at]["start"] : spans[end]["end"]]
