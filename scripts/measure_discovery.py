"""Precision and recall of the rules of discovery on labelled pairs.

    python scripts/measure_discovery.py [--sets NAME...] [--embedder NAME]
                                        [--wrong RULE THRESHOLD]

The pairs are in tests/data/pairs, labelled by hand; docs/discovery.md says what each set is for. By
`ru`, `en` and `en-found` rules and thresholds were chosen; by `ru-held` and `en-held` nothing was.
A rule says that two texts are the same where it finds them with the threshold; for `lemma` that is
the score of the proposal, 0.5 where forms are guessed. `joined` is what the registry of anchors
joins without a review.
"""

from __future__ import annotations

import argparse
import sys

from anchors.discovery.near import compatible, likeness
from anchors.discovery.sureness import sureness
from anchors.discovery.words import whole
from anchors.embedding import open_embedder
from anchors.forms import form_key
from forest.errors import ForestError
from forest.phrases import phrase_key
from scripts.labelled_pairs import FOLDER, Pair, labelled

STEPS = {
    "joined": (1.0,),
    "exact": (1.0,),
    "lemma": (0.5, 1.0),
    "near": (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0),
    "meaning": (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99),
}


def scores(pairs: list[Pair], embedder: str) -> dict[str, list[float]]:
    """The score of each pair by each rule."""
    model = open_embedder(embedder)
    one = model.embed([pair.one for pair in pairs])
    other = model.embed([pair.other for pair in pairs])
    return {
        "joined": [float(form_key(p.one) == form_key(p.other)) for p in pairs],
        "exact": [float(phrase_key(p.one) == phrase_key(p.other)) for p in pairs],
        "lemma": [
            sureness(p.one, p.other) if whole(p.one) == whole(p.other) else 0.0 for p in pairs
        ],
        "near": [likeness(p.one, p.other) * _may_be_one(p) for p in pairs],
        "meaning": [
            float(cosine) * compatible(p.one, p.other) * _may_be_one(p)
            for p, cosine in zip(pairs, (one * other).sum(axis=1), strict=True)
        ],
    }


def _may_be_one(pair: Pair) -> bool:
    return sureness(pair.one, pair.other) > 0


def measured(pairs: list[Pair], found: list[float], threshold: float) -> tuple[float, float, int]:
    """(precision, recall, number of pairs that the rule calls the same)."""
    said = [pair for pair, score in zip(pairs, found, strict=True) if score >= threshold]
    right = sum(pair.same for pair in said)
    return right / len(said) if said else 1.0, right / sum(p.same for p in pairs), len(said)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--embedder", default="hashed", help="as for discovery")
    parser.add_argument(
        "--wrong", nargs=2, metavar=("RULE", "THRESHOLD"), help="list what is wrong"
    )
    parser.add_argument(
        "--sets",
        nargs="+",
        default=["ru", "en", "en-found"],
        metavar="NAME",
        choices=sorted(file.stem for file in FOLDER.glob("*.tsv")),
        help="which pairs: %(choices)s",
    )
    options = parser.parse_args()
    wrong = _rule_and_threshold(parser, options.wrong)
    try:
        _print(options.sets, options.embedder, wrong)
    except (FileNotFoundError, ForestError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def _rule_and_threshold(
    parser: argparse.ArgumentParser, said: list[str] | None
) -> tuple[str, float] | None:
    if said is None:
        return None
    rule, threshold = said
    if rule not in STEPS:
        parser.error(f"there is no rule {rule!r}: expected one of {', '.join(STEPS)}")
    try:
        return rule, float(threshold)
    except ValueError:
        parser.error(f"the threshold {threshold!r} is no number")


def _print(names: list[str], embedder: str, wrong: tuple[str, float] | None) -> None:
    sets = {name: labelled(name) for name in names}
    sets["all"] = [pair for some in list(sets.values()) for pair in some]
    found = {name: scores(pairs, embedder) for name, pairs in sets.items()}
    if wrong:
        rule, threshold = wrong
        for pair, score in zip(sets["all"], found["all"][rule], strict=True):
            if score >= threshold and not pair.same:
                sys.stdout.write(f"{score:.3f}\t{pair.one}\t{pair.other}\n")
        return
    counts = ", ".join(
        f"{name} {len(p)} ({sum(x.same for x in p)} same)" for name, p in sets.items()
    )
    sys.stdout.write(f"pairs: {counts}; embedder: {embedder}\n\n")
    heads = " | ".join(f"{name}: P | R" for name in sets)
    sys.stdout.write(f"| rule | threshold | {heads} | pairs |\n")
    sys.stdout.write("|---" * (2 * len(sets) + 3) + "|\n")
    for rule, steps in STEPS.items():
        for step in steps:
            cells = [measured(pairs, found[name][rule], step) for name, pairs in sets.items()]
            numbers = " | ".join(f"{p:.3f} | {r:.3f}" for p, r, _ in cells)
            sys.stdout.write(f"| {rule} | {step} | {numbers} | {cells[-1][2]} |\n")


if __name__ == "__main__":
    main()
