"""A synthetic forest of any size, the same bytes for the same arguments.

    python benchmarks/generate.py forest.jsonl --thoughts 1000000 --trees 1000 --anchors 20000
    python benchmarks/generate.py forest.jsonl --recurring 0.1 …    a tenth recurs, nearly the same

Each tree branches, is some dozens of levels deep, and carries anchors from a common stock, each of
which stands in several trees. Texts are made of Russian words. Of thoughts that recur, on average
four say the same, a third of them word for word.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

WORDS = (
    "справедливость память выбор страдание намерение время причина следствие граница порог "
    "мир знание вера логика мораль хаос порядок свобода необходимость наблюдатель имя вещь "
    "молчание ответ вопрос мера перемена вода весна неясность тело голос тень свет сон путь"
).split()
VERBS = "ведёт меняет держит открывает закрывает объясняет скрывает требует продолжает".split()
SYLLABLES = "ба ве го ду жи за ки лю мо ну пе ра со ты фо ха це чу ше ща".split()
ANCHORED_SHARE = 0.1


def synthetic_trees(
    thoughts: int, trees: int, anchors: int, seed: int = 0, recurring: float = 0
) -> Iterator[dict[str, Any]]:
    """Trees in the owner's format, ``thoughts / trees`` thoughts each."""
    sayings = int(thoughts * recurring / 4)
    per_tree = thoughts // trees
    for number in range(trees):
        rng = random.Random(f"{seed}/{number}")
        yield {
            "id": f"tree-{number:06}",
            "tree": f"Дерево {number}: {rng.choice(WORDS)} и {rng.choice(WORDS)}",
            "axes": {"причинность": 0.8, "эмпатия": 0.2},
            "nodes": [
                {"level": i, "text": _again(rng, sayings)}
                if recurring and rng.random() < recurring
                else _node(rng, i, anchors)
                for i in _levels(rng, per_tree)
            ],
        }


def _again(rng: random.Random, sayings: int) -> str:
    """One of the sayings, word for word or with another word at its end or its beginning."""
    said = random.Random(rng.randrange(max(sayings, 1)))
    words = [_word(said) for _ in range(24)]
    place = rng.choice([None, 0, -1])
    if place is not None:
        words[place] = _word(rng)
    return " ".join(words)


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(SYLLABLES) for _ in range(3))


def _levels(rng: random.Random, count: int) -> Iterator[int]:
    level = 0
    for number in range(count):
        yield level if number else 0
        level = level + 1 if rng.random() < 0.75 else rng.randint(1, level + 1)


def _node(rng: random.Random, level: int, anchors: int) -> dict[str, Any]:
    a, b, c, d, e = rng.choices(WORDS, k=5)
    text = f"{a.capitalize()} {rng.choice(VERBS)} {b}, если {c} и {d} не {e} {rng.random():.9f}"
    node: dict[str, Any] = {"level": level, "text": text}
    if rng.random() < ANCHORED_SHARE:
        node["anchors"] = [anchor_phrase(rng.randrange(anchors))]
    return node


def anchor_phrase(number: int) -> str:
    """The phrase of anchor ``number``; different numbers, different phrases."""
    first, second = WORDS[number % len(WORDS)], WORDS[number // len(WORDS) % len(WORDS)]
    return f"{first} → {second} {number}"


def main(arguments: list[str] | None = None) -> None:
    """Write a forest as JSONL."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--thoughts", type=int, default=1_000_000)
    parser.add_argument("--trees", type=int, default=1_000)
    parser.add_argument("--anchors", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recurring", type=float, default=0, help="share of thoughts, 0 to 1")
    options = parser.parse_args(arguments)
    with options.out.open("wb") as file:
        for tree in synthetic_trees(
            options.thoughts, options.trees, options.anchors, options.seed, options.recurring
        ):
            file.write(orjson.dumps(tree, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main()
