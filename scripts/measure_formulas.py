"""How many scenes find their own formula: recall at 1 of `anchors.formulas.vectors`.

Each scene is held out.

The sample forest has no formulas, and the owner's notes have six scenes. So beside the notes two
larger sets stand in for formulas, on which nothing was chosen by hand: the shared anchors of the
sample, each a formula of one term with the thoughts that carry it as its scenes; and proofs of
EntailmentBank, each a formula of its hypothesis with the other sentences as its scenes.

    python scripts/measure_formulas.py [--notes FOLDER] [--proofs train.jsonl] [--embedder NAME]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from anchors.embedding import Embedder
from anchors.embedding.opening import open_embedder
from anchors.formulas import vectors
from anchors.formulas.book import Book
from anchors.formulas.importing import import_formulas
from anchors.formulas.model import Formula, Scene, Term
from anchors.registry import Registry
from forest import Forest
from forest.sample import sample_folder
from forest.stores.base import Store

Group = tuple[str, list[str]]
"""What stands for a formula's term, and its scenes."""


def anchors_of(store: Store) -> Iterator[Group]:
    """The anchors that two trees or more carry."""
    for group in Registry.of(store).groups():
        places = [place for anchor in group.anchors for place in store.occurrences(anchor.id)]
        if group.anchors[0].kind == "phrase" and len({place.tree for place in places}) > 1:
            yield group.phrase, list(dict.fromkeys(place.text for place in places))


def proofs_of(path: Path) -> Iterator[Group]:
    """Proofs with three sentences or more below the hypothesis."""
    with Forest.open("memory:") as forest:
        forest.import_files([path], format="entailment-bank")
        for tree in forest.store.trees():
            root, *others = (thought.text for thought in tree.thoughts)
            if len(others) > 2:
                yield root, list(dict.fromkeys(others))


def book_of(groups: Iterable[Group]) -> Book:
    """Up to a hundred groups as formulas."""
    book = Book()
    for number, (term, scenes) in zip(range(100), groups, strict=False):
        code = f"Δ{number:02}"
        book.formulas[code] = Formula(code, (Term(term),))
        book.scenes[code] = {f"{code}/{n}": Scene(text) for n, text in enumerate(scenes)}
    return book


def tell(name: str, book: Book, embedder: Embedder) -> None:
    """Print recall with and without the weights."""
    chosen, said = vectors.PRIOR, [f"{name}: {len(book.formulas)} formulas"]
    # So many texts alike that all places count the same.
    for prior, what in ((chosen, "weighed"), (10**12, "with equal weights")):
        vectors.PRIOR = prior
        held_out = vectors.Space(book, embedder).held_out()
        found = sum(one.found for one in held_out)
        said.append(f"{what} {found} of {len(held_out)} ({found / len(held_out):.0%})")
    vectors.PRIOR = chosen
    print("; ".join(said))


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=Path)
    parser.add_argument("--proofs", type=Path)
    parser.add_argument("--embedder", default="hashed")
    asked = parser.parse_args()
    embedder = open_embedder(asked.embedder)
    with Forest.open("memory:") as forest, sample_folder() as sample:
        forest.import_files([sample])
        tell("anchors of the sample", book_of(anchors_of(forest.store)), embedder)
    if asked.proofs:
        tell("proofs", book_of(proofs_of(asked.proofs)), embedder)
    if asked.notes:
        with Forest.open("memory:") as forest:
            import_formulas(forest.store, [asked.notes])
            tell("formulas of the notes", Book.of(forest.store), embedder)


if __name__ == "__main__":
    main()
