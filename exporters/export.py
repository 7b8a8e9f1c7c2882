"""From a forest to a corpus folder: read each tree once, then join what meets at anchors."""

from __future__ import annotations

import hashlib
import shutil
from array import array
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from anchors.arguments import check_store
from anchors.formulas.book import Book
from exporters.card import card
from exporters.families import Families
from exporters.files import require
from exporters.folder import MANIFEST, PARTS, TOKENS, replaced_whole, write_synced
from exporters.kinds.formulas import FormulaRecords, tokens
from exporters.making import THOUGHTS, Making, Progress
from exporters.manifest import Manifest, TokenFile
from exporters.recipe import Recipe
from exporters.reuse import Kept, Made, Parts, Spoiled, state_of
from exporters.scratch import Scratch
from exporters.splits import TRAIN, VALIDATION
from exporters.work import Crew, Workers, batched, crew_of, plan_of
from exporters.writing import Writing
from forest.collector import fewer_collections
from forest.errors import ExportError
from forest.fields import kind_of
from forest.model import TreeInfo
from forest.revision import forest_revision
from forest.stores.base import Store


def export_corpus(
    store: Store,
    out: Path | str,
    recipe: Recipe | Path | str | None = None,
    *,
    seed: int | None = None,
    workers: Workers | int = 1,
    earlier: Path | str | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write a forest as a training corpus into the folder ``out``, in the place of an earlier one.

    The same forest, recipe and seed give the same bytes, on any store. Memory does not grow with
    the forest: one tree is held at a time. The folder is replaced whole or not at all.

    :param store: an opened one, such as ``forest.store``.
    :param recipe: or the path of its file, or the name of a shipped one (`Recipe.find`); the
        shipped default where none is given.
    :param seed: in place of the recipe's own.
    :param workers: how many processes make records: 1 is this one; with more, start Python from a
        module that may be imported again (`if __name__ == "__main__"`). Or `Workers` on Ray.
    :param earlier: the corpus from which what did not change is taken over, in place of that in
        ``out``.
    :param progress: called with ("thoughts" or "jumps", done, all).
    :returns: what was written; also in ``out/manifest.json``.
    :raises TypeError: ``store`` is no store, or ``recipe`` none of these.
    :raises UsageError: the seed or the recipe is wrong, there is no such recipe, or it prefers an
        axis that the forest has not.
    :raises MissingExtra: the recipe asks for files or a measure whose package is not installed, or
        Ray is not.
    :raises ClusterUnavailable: there is no Ray cluster at the address, or it has no room.
    :raises InvalidInput: a formula or a scene, typed with Cypher, is none.
    :raises ExportError: the forest is empty or the recipe leaves nothing of it, a text contains the
        jump marker, ``out`` is something else than a corpus, another export is writing it, there
        is no room, or a worker process died.
    """
    check_store(store)
    recipe = _recipe(recipe).with_seed(seed)
    require(recipe.corpus.file)
    target, source = Path(out).resolve(), Path(earlier or out).resolve()
    job = _Job(store, target, source, recipe, workers, progress)
    try:
        return _export(job, again=False)
    except Spoiled:
        return _export(job, again=True)


def _recipe(given: object) -> Recipe:
    if given is None:
        return Recipe.default()
    if isinstance(given, str | Path):
        return Recipe.find(str(given))
    if not isinstance(given, Recipe):
        hint = "; Recipe.read makes one of settings" if isinstance(given, dict) else ""
        expected = "a Recipe, the path of its file, or the name of a shipped one"
        raise TypeError(f"expected {expected}, got {kind_of(given)}{hint}")
    return given


class _Job(NamedTuple):
    store: Store
    out: Path
    earlier: Path
    recipe: Recipe
    workers: Workers | int
    progress: Progress | None


def _export(job: _Job, *, again: bool) -> Manifest:
    """Write a corpus; ``again`` if nothing of an earlier one can be taken over."""
    recipe = job.recipe
    with (
        replaced_whole(job.out) as (corpus, room),
        job.store.snapshot(room) as forest,
        fewer_collections(),
        crew_of(forest, room, recipe, job.workers) as crew,
        Parts(room / PARTS, None if again else job.earlier, recipe) as parts,
    ):
        state = state_of(forest) if parts.keeps else ""
        if same := parts.whole(state, corpus):
            manifest, text = Manifest.model_validate(same[0] | {"recipe": recipe}), same[1]
        else:
            _empty(corpus)
            manifest = _write_records(forest, crew, corpus, room, parts, job)
            text = card(manifest)
        write_synced(corpus / "README.md", text.encode())
        write_synced(corpus / MANIFEST, manifest.to_json())
        parts.finish(state, manifest.to_json(), text)
    return manifest


def _empty(folder: Path) -> None:
    """Remove what was linked from a corpus that turned out not to be whole."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _write_records(
    forest: Store, crew: Crew, corpus: Path, room: Path, parts: Parts, job: _Job
) -> Manifest:
    recipe, progress = job.recipe, job.progress
    plan = plan_of(recipe, forest)
    sides, near = _sides(forest, crew, room, parts, job)
    book = Book.of(forest)
    with Scratch(room) as scratch, Writing(corpus, room, plan, scratch) as writing:
        making = Making(room, plan, scratch, crew, parts, writing)
        making.trees(forest, sides, progress)
        writing.all(writing.finishing.all(FormulaRecords(plan, book)))
        asked = making.joined(progress)
        writing.finish()
        probes = asked.write(corpus)
        left_out = writing.left_out()
        alike = [(scratch.tree(a + 1).id, scratch.tree(b + 1).id) for a, b in near]
        outside = list(scratch.trees_of(VALIDATION))
        revision = forest_revision(scratch.revisions(), forest.axes(), forest.all_nodes())
    if not writing.files():
        raise ExportError(
            "the recipe leaves no record of this forest",
            hint="Give weight to other kinds, under [kinds], or to other axes, under [axes]; or a"
            " larger budget.",
        )
    writing.leaks.check(corpus, writing.files(), alike, outside)
    return Manifest(
        forest_revision=revision,
        recipe=recipe,
        recipe_hash=recipe.hash,
        seed=recipe.seed,
        united_anchors=making.united,
        splits=writing.reports(),
        tokens=_write_tokens(corpus, book),
        probes=probes,
        left_out=left_out,
        files=writing.files(),
    )


def _sides(
    forest: Store, crew: Crew, room: Path, parts: Parts, job: _Job
) -> tuple[Iterator[str], list[tuple[int, int]]]:
    """The split of each tree in turn, and near-identical trees by their numbers from 0.

    All trees are read and compared, unless all are for training. A few trees that are all drawn
    for validation train all the same.
    """
    validation, progress = job.recipe.corpus.validation, job.progress
    if not validation:
        return repeat(TRAIN), []
    families = Families(room)
    everything = sum(info.size for info in forest.infos()) if progress else 0
    done = 0
    kept = parts.kept("signatures")
    known = array("q", (_signed(kept, info) for info in forest.infos()))
    missing = (i for i, at in zip(forest.infos(), known, strict=True) if at < 0)
    batches = batched(missing, THOUGHTS, lambda info: info.size)
    found = crew.do("signatures", ([info.id for info in batch] for batch in batches))
    for info, at in zip(forest.infos(), known, strict=True):
        signature = next(found) if at < 0 else np.frombuffer(kept.take(at)[2], np.uint32)
        kept.add(info.id, info.revision, Made(), Made().packed(signature.tobytes()))
        families.add(signature, info.id, info.created_at)
        done += info.size
        if progress:
            progress("thoughts compared", done, everything)
    sides = list(families.sides(validation))
    return (iter(sides), families.near) if TRAIN in sides else (repeat(TRAIN), [])


def _signed(kept: Kept, info: TreeInfo) -> int:
    return kept.find(info.id, lambda revision: bool(revision == info.revision))


def _write_tokens(corpus: Path, book: Book) -> TokenFile:
    listed = tokens(book)
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    told = orjson.dumps({"tokens": listed}, option=options)
    write_synced(corpus / TOKENS, told)
    return TokenFile(
        path=TOKENS,
        tokens=[entry["token"] for entry in listed],
        bytes=len(told),
        sha256=hashlib.sha256(told).hexdigest(),
    )
