"""Probes: held-out stitches as questions to a model, with right and wrong answers.

A probe says tree X up to a thought that carries an anchor, and asks what follows the anchor in
another tree Y. No answer stands in the prompt, where it would only have to be copied. A pair of
thoughts is held out only where its question is new by its words too (`new_by_words`): an answer
that a third tree says as well would be trained, whatever is held out. Wrong answers follow other
anchors and share letters with this one: else the words alone would tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from exporters.destinations import gives_away, name_of
from exporters.draw import draw
from exporters.folder import PROBES, Listing, make_folders
from exporters.held import Stitch
from exporters.kinds import Plan
from exporters.manifest import ProbeReport
from exporters.scratch import Occurrence, Scratch
from exporters.splits import TRAIN

POOL = 5_000
"""Wrong answers are chosen from so many continuations."""
CLOSE = 30
"""Of these, from so many that share most letters with the anchor."""
FIRST = 256
"""So many are put in order before all of them are."""
AHEAD = 4
"""Thoughts after an anchor that count as what follows it."""
FEW = "too few wrong answers"
NONE = "no pair of thoughts at an anchor could be spared and asked for, or none was drawn"
_WORDS = re.compile(r"\w+")


class Answer(NamedTuple):
    """A thought that follows an anchor."""

    text: str
    key: str
    """Its words alone, to compare it by."""
    anchor: str
    tree: str
    thought: str
    anchors: tuple[str, ...] = ()

    def told(self, *names: str) -> dict[str, str]:
        """It as a probe says it."""
        return {name: getattr(self, name) for name in ("text", *names, "tree", "thought")}


class Question(NamedTuple):
    """A held-out stitch as its words ask it."""

    stitch: Stitch
    prompt: list[str]
    """What is said before the jump, the thought that is jumped from last."""
    words: str
    """The words of the prompt."""
    said: set[str]
    """What is no answer: the words of the thought that is jumped from, and of the phrase."""
    answer: Answer


class Way(NamedTuple):
    """What an anchor leads to at one of its thoughts."""

    place: int
    tree: str
    phrase: str
    ahead: list[Answer]
    """The thought that carries the anchor, and what follows it."""


class Probes:
    """Hears the rings of a forest, and writes the probes of its held-out stitches."""

    def __init__(self, plan: Plan, scratch: Scratch, stitches: Sequence[Stitch]) -> None:
        self._plan, self._scratch, self._stitches = plan, scratch, stitches
        self._ways: dict[str, list[Way]] = {stitch.anchor: [] for stitch in stitches}
        self._known: dict[str, set[str]] = {stitch.anchor: set() for stitch in stitches}
        self._tree = lru_cache(maxsize=4096)(scratch.tree)

    def hear(self, ring: Sequence[Occurrence]) -> None:
        """Keep what follows an anchor, where one of its pairs is held out."""
        anchor = ring[0].anchor
        if anchor in self._ways:
            ways = [self._way(at) for at in ring]
            self._known[anchor] |= {answer.key for way in ways for answer in way.ahead}
            if ring[0].split == TRAIN:
                self._ways[anchor] += ways

    def write(self, corpus: Path) -> ProbeReport:
        """Write the probes, unless there are none; when all rings were heard, all records made."""
        report = ProbeReport(held_out=len(self._stitches))
        if not self._stitches:
            report.left_out[NONE] = 1
            return report
        pool, left_out = _Pool(self._answers()), Counter[str]()
        probes = []
        for stitch in self._stitches:
            probe = self._probe(stitch, pool)
            if isinstance(probe, str):
                left_out[probe] += 1
            else:
                probes.append(probe)
        report.left_out = dict(left_out)
        report.probes = len(probes)
        report.unsaid = sum(self._scratch.is_silent(_asked(probe)) for probe in probes)
        if probes:
            make_folders(corpus, PROBES)
            with Listing(corpus / PROBES) as file:
                for probe in probes:
                    file.add(probe)
            report.path, report.bytes, report.sha256 = PROBES, file.bytes, file.sha256
        return report

    # --- one probe -----------------------------------------------------------------------------

    def _probe(self, stitch: Stitch, pool: _Pool) -> dict[str, Any] | str:
        """A probe, or why there is none."""
        ways = {way.place: way for way in self._ways[stitch.anchor]}
        source, target = ways[stitch.source.place], ways[stitch.target.place]
        question = _question(self._scratch, stitch)
        assert question is not None  # it was asked when the pair was held out
        _, prompt, told, said, answer = question
        answer, own = answer._replace(tree=target.tree), _following(source.ahead, said)
        others = {
            one.key: one
            for way in ways.values()
            if way.tree != source.tree
            for one in [_following(way.ahead, said)]
            if one and one.key != answer.key and one.key not in told
        }
        if own and (own.key in others or own.key in told):
            own = None
        id_ = f"{draw(stitch.anchor, source.ahead[0].thought, target.ahead[0].thought):016x}"
        wrong = pool.distractors(
            id_, stitch.anchor, target.phrase, self._known[stitch.anchor], told
        )
        count, settings = self._plan.recipe.probes.distractors, self._plan.recipe.walks
        if len(wrong) < count:
            return FEW
        return {
            "id": id_,
            "anchor": stitch.anchor,
            "phrase": target.phrase,
            "source": _side(source, stitch.sources, ways),
            "target": _side(target, stitch.targets, ways),
            "prompt": "\n".join(prompt),
            "marker": settings.marker,
            "request": f"{settings.marker} {target.phrase}"
            if settings.restate
            else settings.marker,
            "destination": self._destination(stitch, answer),
            "answer": answer.told(),
            "others": [one.told() for one in others.values()],
            "own": own.told() if own else None,
            "distractors": [one.told("anchor") for one in wrong[:count]],
        }

    def _destination(self, stitch: Stitch, answer: Answer) -> str | None:
        """How a walk would name the tree that is asked for, unless its title says the answer."""
        title = self._tree(stitch.target.tree).title
        named = self._plan.recipe.walks.named and not gives_away(title, answer.text)
        return name_of(title) if named else None

    def _way(self, at: Occurrence) -> Way:
        return Way(at.place, self._tree(at.tree).id, at.phrase, list(self._ahead(at)))

    def _ahead(self, at: Occurrence) -> Iterator[Answer]:
        tree = self._tree(at.tree).id
        return (answer._replace(tree=tree) for answer in _ahead(self._scratch, at))

    def _answers(self) -> Iterator[Answer]:
        """What follows anchors in the training split: of so many thoughts, chosen by hash."""
        for at in self._scratch.occurrences(TRAIN, POOL):
            if answer := _following(self._ahead(at), {key_of(at.phrase)}):
                yield answer


def _asked(probe: Mapping[str, Any]) -> list[str]:
    """The thoughts without which a probe cannot be answered."""
    return [probe[of]["thought"] for of in ("source", "target", "answer")]


def new_by_words(
    scratch: Scratch, ring: Iterable[Occurrence], stitches: Iterable[Stitch]
) -> list[Stitch]:
    """Those of an anchor's stitches that no training record can answer by the same words.

    There is an answer, and it does not stand in the prompt; no other thought at the anchor, that
    which is jumped from included, is followed by it, and none comes after the same prompt.

    :param ring: all occurrences of the anchor in the training split.
    :returns: with their answers.
    """
    open_ = [asked for stitch in stitches if (asked := _question(scratch, stitch))]
    for at in ring:
        if not open_:
            break
        place = scratch.place(at.place)
        before, after = (packed.decode().lower() for packed in place)
        open_ = [
            asked
            for asked in open_
            if not (_may_follow(asked, at, after) or _may_precede(asked, at, before))
            or not _is_answered(asked, at, *map(_keys, place))
        ]
    return [asked.stitch._replace(answer=asked.answer.thought) for asked in open_]


def _may_follow(asked: Question, at: Occurrence, after: str) -> bool:
    """Whether the answer may be said after an occurrence: all its words are there."""
    return at.place != asked.stitch.target.place and _has_all(after, asked.answer.key)


def _may_precede(asked: Question, at: Occurrence, before: str) -> bool:
    """Whether the prompt may be said before an occurrence."""
    return at.place != asked.stitch.source.place and _has_all(before, asked.words)


def _has_all(told: str, words: str) -> bool:
    return all(word in told for word in reversed(words.split()))


def _is_answered(asked: Question, at: Occurrence, before: set[str], after: set[str]) -> bool:
    source, target = asked.stitch.source.place, asked.stitch.target.place
    if at.place != target and asked.answer.key in after:
        return True
    return at.place != source and before.issuperset(map(key_of, asked.prompt))


def _question(scratch: Scratch, stitch: Stitch) -> Question | None:
    """A stitch as its words ask it; None where they do not: nothing new follows, or it was said.

    Nor is it asked where the answer has an anchor in common with the thought that is jumped from,
    and so may have a jump to it.
    """
    before = orjson.loads(scratch.place(stitch.source.place)[0])
    prompt, carried = [text for text, *_ in before], before[-1][2]
    words = key_of("\n".join(prompt))
    said = {key_of(prompt[-1]), key_of(stitch.target.phrase)}
    target, *_ = ahead = list(_ahead(scratch, stitch.target))
    answer = _following(ahead, said)
    if answer is None or answer.key in words:
        return None
    if answer != target and not set(answer.anchors).isdisjoint(carried):
        return None
    return Question(stitch, prompt, words, said, answer)


def _ahead(scratch: Scratch, at: Occurrence) -> Iterator[Answer]:
    """The thought that carries the anchor, and what follows it; the tree is not told."""
    for text, thought, anchors in orjson.loads(scratch.place(at.place)[1])[:AHEAD]:
        yield Answer(text, key_of(text), at.anchor, "", thought, tuple(anchors))


def _side(way: Way, all_: Iterable[Occurrence], ways: Mapping[int, Way]) -> dict[str, Any]:
    """A side of a stitch; ``all`` are the thoughts of its tree that carry the anchor."""
    thoughts = [ways[at.place].ahead[0].thought for at in all_]
    return {"tree": way.tree, "thought": way.ahead[0].thought, "all": thoughts}


def _keys(packed: bytes) -> set[str]:
    return {key_of(text) for text, *_ in orjson.loads(packed)}


def key_of(text: str) -> str:
    """The words of a text, lower case, a space around each."""
    return f" {' '.join(_WORDS.findall(text.lower()))} "


def _following(ahead: Iterable[Answer], said: set[str]) -> Answer | None:
    """The first thought from the anchor on that says something new."""
    return next((one for one in ahead if one.key not in said and one.key.strip()), None)


# --- wrong answers --------------------------------------------------------------------------------


class _Pool:
    """Continuations by their trigrams of letters, which also meet where a word is inflected."""

    def __init__(self, answers: Iterator[Answer]) -> None:
        self._answers = list({one.key: one for one in answers}.values())
        self._runs, self._owners = _trigrams([one.key for one in self._answers])
        self._sizes = np.bincount(self._owners, minlength=len(self._answers))

    def distractors(
        self, id_: str, anchor: str, phrase: str, known: set[str], prompt: str
    ) -> list[Answer]:
        """Wrong answers to a probe, in an order of chance: of the closest to the anchor's phrase.

        :param known: what follows the anchor anywhere, which would not be wrong.
        """
        close: list[Answer] = []
        for n in self._nearest(key_of(phrase)):
            one = self._answers[n]
            if anchor in (one.anchor, *one.anchors) or one.key in known or one.key in prompt:
                continue
            close.append(one)
            if len(close) == CLOSE:
                break
        return sorted(close, key=lambda one: draw("distractor", id_, one.key))

    def _nearest(self, key: str) -> Iterator[int]:
        """All answers, those with the most trigrams in common first (Dice)."""
        asked, _ = _trigrams([key])
        begins, ends = (np.searchsorted(self._runs, asked, side) for side in ("left", "right"))
        met = [self._owners[begin:end] for begin, end in zip(begins, ends, strict=True)]
        shared = np.bincount(np.concatenate([*met, self._owners[:0]]), minlength=len(self._sizes))
        far = np.arange(len(shared)) * 1e-9 - 2 * shared / (self._sizes + len(asked))
        first = np.argpartition(far, FIRST)[:FIRST] if len(far) > FIRST else np.arange(len(far))
        yield from first[np.argsort(far[first])].tolist()
        if len(far) > FIRST:
            yield from np.argsort(far)[FIRST:].tolist()


def _trigrams(keys: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """The runs of three signs of some texts, in order, and beside each the place of its text.

    A run that stands in a text more often is there once.
    """
    signs = np.frombuffer("".join(keys).encode("utf-32-le", "surrogatepass"), np.uint32)
    owners = np.repeat(np.arange(len(keys)), [len(key) for key in keys])
    whole = owners[2:] == owners[:-2]
    wide = signs.astype(np.uint64)
    runs = (wide[:-2] << np.uint64(42) | wide[1:-1] << np.uint64(21) | wide[2:])[whole]
    owners = owners[2:][whole]
    order = np.lexsort((owners, runs))
    runs, owners = runs[order], owners[order]
    first = np.ones(len(runs), bool)
    first[1:] = (runs[1:] != runs[:-1]) | (owners[1:] != owners[:-1])
    return runs[first], owners[first]
