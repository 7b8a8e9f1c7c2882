"""Probes of stitches: does a model that stands at an anchor in one tree go on in another?

Walks, cards and fragments of a corpus tell what follows an anchor in a tree, paths tell what stands
before it there. A probe puts the beginning of one tree before the continuations in others. No
candidate stands in the prompt: it would only have to be copied. Pairs that were held out are the
corpus's own probes, where it has any: no record says both thoughts. Of a corpus without them, they
are pairs that no walk shows. A group of its own are anchors that no walk jumps at at all.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from heapq import nsmallest
from typing import Any, NamedTuple

from training.corpus import Corpus
from training.errors import CorpusError
from training.formats import as_text

SEEN, HELD_OUT, NEVER = "seen", "held out", "no walk jumps at the anchor"
DISTRACTORS = 9
CLOSE = 30
"""The distractors are drawn from so many that are lexically closest to the anchor."""
CROWD = 24
"""Of an anchor's thoughts so many are paired with each other, beside the pairs of walks."""
_PROMPT = 700
"""Characters of a prompt at most; what stands nearest to the anchor is kept."""
_THOUGHT = "thought"


class Probe(NamedTuple):
    """One question: tree X stands at an anchor; what comes?"""

    anchor: str
    source: str
    """Id of the thought of X."""
    target: str
    """Id of the thought of Y."""
    group: str
    """Whether a walk of the corpus jumps from the one to the other (`SEEN`), or at least at that
    anchor (`HELD_OUT`), or not (`NEVER`)."""
    prompt: str
    """X up to its thought, a line each."""
    request: str
    """What is said after the prompt to ask for a jump."""
    other: str
    """What follows the anchor in Y."""
    own: str | None
    """What follows it in X, or None where nothing does or it says the same."""
    others: tuple[str, ...]
    """What follows it in all trees but X."""
    distractors: tuple[str, ...]
    """What follows other anchors, lexically close to this one."""
    there: str = ""
    """Y up to `other`; empty where the corpus says nothing before it."""
    name: str = ""
    """How a request names Y, behind the marker and the anchor; empty where the corpus names no tree
    that it jumps to, or the name says `other`."""

    def asked(self, *, by_name: bool = False) -> str:
        """The prompt with the request behind it, which names Y if that is wanted and can be."""
        request, *landing = self.request.split("\n")
        named = f"{request} {self.name}" if by_name and self.name else request
        return "\n".join([self.prompt, named, *landing])


Occurrence = tuple[str, str]
"""Ids of an anchor and of a thought that carries it."""


class _Following(NamedTuple):
    """What follows an anchor, ready to be compared with another."""

    anchor: str
    text: str
    words: set[str]
    signs: set[str]


class Ways:
    """The trees of a corpus, as far as its paths say them."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._parents: dict[str, str] = {}
        self._children: dict[str, list[str]] = {}

    def listen(self, record: dict[str, Any]) -> None:
        """Take over a path: each thought leads to the next."""
        above = ""
        for span, thought, words in _thoughts(record):
            if span["role"] != _THOUGHT:
                continue
            self.texts[thought] = words
            if above and thought not in self._parents:
                self._parents[thought] = above
                self._children.setdefault(above, []).append(thought)
            above = thought

    def before(self, thought: str, following: str | None = None) -> list[str]:
        """What stands before a thought in reading order, and the thought itself last.

        A leaf with leaves beside it is a premise: the other premises come first. Any other thought
        comes after the path from the root. A proof is one path: what it says between the thought
        and that which follows from it are the other premises, and come first. Empty where no path
        says it.
        """
        if thought not in self.texts:
            return []
        between = self._between(thought, following)
        if between:
            return [*self.before(thought)[:-1], *between, self.texts[thought]]
        beside = self._children.get(self._parents.get(thought, ""), ())
        leaves = [one for one in beside if one not in self._children]
        if thought in leaves and len(leaves) > 1:
            return [*(self.texts[one] for one in leaves if one != thought), self.texts[thought]]
        up = [self.texts[thought]]
        while above := self._parents.get(thought):
            up.append(self.texts[above])
            thought = above
        return up[::-1]

    def _between(self, thought: str, following: str | None) -> list[str]:
        """What the only path through a thought says before it comes to a text; else nothing."""
        said: list[str] = []
        while len(children := self._children.get(thought, [])) == 1:
            (thought,) = children
            if self.texts[thought] == following:
                return said
            said.append(self.texts[thought])
        return []


@dataclass
class _Told:
    """What the records of a corpus tell of occurrences."""

    before: dict[Occurrence, list[str]] = field(default_factory=dict)
    """By walks: what is said before a jump; the thought itself last."""
    after: dict[Occurrence, list[str]] = field(default_factory=dict)
    """By walks, cards, fragments: the thought itself, and what follows it."""
    trees: dict[Occurrence, str] = field(default_factory=dict)
    phrases: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """How walks name the trees that they jump to."""
    jumps: set[tuple[str, str, str]] = field(default_factory=set)
    stitched: set[str] = field(default_factory=set)
    """Anchors that a walk jumps at."""
    ways: Ways = field(default_factory=Ways)
    marker: str = ""
    restated: bool = False

    @cached_property
    def pool(self) -> list[_Following]:
        """What follows anchors, when all records were heard."""
        return [
            _Following(anchor, text, bag(text), trigrams(text))
            for (anchor, _), after in self.after.items()
            for text in (_landing(after, {_key(self.phrases.get(anchor, anchor))})[1],)
            if text
        ]

    def group(self, anchor: str, source: str, target: str) -> str:
        """The group of a pair."""
        if (anchor, source, target) in self.jumps:
            return SEEN
        return HELD_OUT if anchor in self.stitched or not self.stitched else NEVER

    def context(self, at: Occurrence) -> list[str]:
        """What stands before a thought in its tree, and the thought itself last."""
        text = _key(self.ways.texts.get(at[1], ""))
        following = _landing(self.after.get(at, []), {text})[1]
        return self.ways.before(at[1], following) or self.before.get(at, [])


def probes(corpus: Corpus, most: int = 150, *, seed: int = 7) -> list[Probe]:
    """Up to ``most`` probes of each group, chosen by the seed.

    Raises CorpusError where the corpus has neither probes nor walks, or too few to ask anything.
    """
    told = _told(corpus)
    known = [_held_out(probe, told) for probe in corpus.probes()]
    if not told.jumps and not known:
        raise CorpusError(
            f"the corpus {corpus.path} has no walks, so there is no stitch to probe",
            hint="Give the corpus with walks, also for a mask that was trained on paths alone.",
        )
    draw = random.Random(seed)
    found: dict[str, list[Probe]] = {HELD_OUT: [], NEVER: [], SEEN: []}
    for one in draw.sample(known, len(known)):
        if len(found[one.group]) < most:
            found[one.group].append(one)
    for anchor, source, target in _pairs(told, draw):
        group = told.group(anchor, source, target)
        if len(found[group]) < most and not (known and group == HELD_OUT):
            probe = _probe(told, anchor, source, target, group, draw)
            found[group] += [probe] if probe else []
    if not any(found.values()):
        raise CorpusError(
            f"the walks of {corpus.path} are too few for a probe",
            hint="Expected an anchor in three trees or more, and other anchors to distract with.",
        )
    return [probe for group in found.values() for probe in group]


def _held_out(probe: dict[str, Any], told: _Told) -> Probe:
    """A probe as the corpus tells it."""
    anchor, source, target = probe["anchor"], *(probe[x]["thought"] for x in ("source", "target"))
    return Probe(
        anchor,
        source,
        target,
        told.group(anchor, source, target),
        probe["prompt"],
        probe["request"],
        probe["answer"]["text"],
        probe["own"]["text"] if probe["own"] else None,
        tuple(sorted({one["text"] for one in [probe["answer"], *probe["others"]]})),
        tuple(one["text"] for one in probe["distractors"]),
        _there(told, anchor, target, probe["answer"]["text"]),
        probe.get("destination") or "",
    )


def _there(told: _Told, anchor: str, target: str, answer: str) -> str:
    """Y up to the answer, which is the thought with the anchor, or follows it."""
    before = told.context((anchor, target))
    if answer in before:
        before = before[: before.index(answer)]
    prompt = _prompt(before) if before else ""
    return "" if answer in prompt else prompt


# --- what records tell ----------------------------------------------------------------------------


def _told(corpus: Corpus) -> _Told:
    told, beside = _Told(), _Told()
    recipe = corpus.manifest.get("recipe", {})
    # With premises a fragment does not say which of its thoughts carries the anchor; its card does.
    premises = recipe.get("fragments", {}).get("premises", 0)
    for record in corpus.records("train"):
        kind = record.get("meta", {}).get("kind")
        if kind == "walk":
            _listen(told, record)
        elif kind == "path":
            told.ways.listen(record)
        elif kind == "card" or (kind == "fragment" and not premises):
            _overhear(beside, record)
    for at, after in beside.after.items():
        told.after.setdefault(at, after)
        told.trees.setdefault(at, beside.trees[at])
        if at[0] in beside.phrases:
            told.phrases.setdefault(at[0], beside.phrases[at[0]])
    told.marker = told.marker or corpus.marker or ""
    if not told.jumps:
        told.restated = bool(recipe.get("walks", {}).get("restate"))
    return told


def _thoughts(record: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """The spans of a record with the id of each one's thought, and its words."""
    told = as_text(record)
    if told is None:
        return
    ids = told["meta"]["thoughts"]
    for span in told["meta"]["spans"]:
        thought = ids[span["thought"]] if span["thought"] >= 0 else ""
        yield span, thought, told["text"][span["start"] : span["end"]]


def _overhear(told: _Told, record: dict[str, Any]) -> None:
    """What follows an anchor by a card or a fragment: each of its ways, from the thought on."""
    anchor, trees = record["meta"]["anchor"], record["meta"]["trees"]
    if any(span["role"] == "marker" for span in record["meta"]["spans"]):
        return  # a fragment that is asked for by name says other thoughts first, or not the one
    speaks, way = "", list[str]()
    for span, thought, words in _thoughts(record):
        if span["role"] != _THOUGHT:
            speaks = ""
            if span["role"] == "anchor":
                told.phrases.setdefault(anchor, words)
            continue
        if trees[span["tree"]] != speaks:
            speaks, way = trees[span["tree"]], []
            if (anchor, thought) not in told.after:
                told.after[anchor, thought], told.trees[anchor, thought] = way, speaks
        way.append(words)


def _listen(told: _Told, record: dict[str, Any]) -> None:
    """Take over the jumps of a walk, and the texts on either side of each."""
    told_as_text = as_text(record)
    if told_as_text is None:
        return
    text, meta = told_as_text["text"], told_as_text["meta"]
    jumps = iter(meta["jumps"])
    jump: dict[str, str] | None = None
    segment: list[str] = []

    def landed() -> None:
        if jump is not None:
            told.after.setdefault((jump["anchor"], jump["to"]), segment)

    for span in meta["spans"]:
        words = text[span["start"] : span["end"]]
        if span["role"] == "marker":
            landed()
            jump = next(jumps)
            anchor = jump["anchor"]
            told.jumps.add((anchor, jump["from"], jump["to"]))
            told.stitched.add(anchor)
            told.before.setdefault((anchor, jump["from"]), segment)
            told.trees[anchor, jump["from"]] = jump["from_tree"]
            told.trees[anchor, jump["to"]] = jump["to_tree"]
            told.phrases.setdefault(anchor, anchor)
            told.marker, segment = words, []
        elif span["role"] == "anchor" and jump is not None:
            told.phrases[jump["anchor"]] = words
            told.restated = True
        elif span["role"] == "destination" and jump is not None:
            told.names[jump["to_tree"]] = words
        else:
            segment.append(words)
    landed()


def _pairs(told: _Told, draw: random.Random) -> list[tuple[str, str, str]]:
    """Pairs of occurrences of an anchor in two trees, in an order of chance."""
    by_anchor: dict[str, list[str]] = {}
    for anchor, thought in sorted(told.trees):
        by_anchor.setdefault(anchor, []).append(thought)
    pairs = sorted(told.jumps)
    for anchor, thoughts in by_anchor.items():
        some = draw.sample(thoughts, min(CROWD, len(thoughts)))
        pairs += [
            (anchor, x, y)
            for x in some
            for y in some
            if told.trees[anchor, x] != told.trees[anchor, y] and (anchor, x, y) not in told.jumps
        ]
    draw.shuffle(pairs)
    return pairs


# --- one probe ------------------------------------------------------------------------------------


def _probe(
    told: _Told, anchor: str, source: str, target: str, group: str, draw: random.Random
) -> Probe | None:
    """The probe of a pair; None where something is missing or stands in the prompt."""
    before = told.context((anchor, source))
    if not before or anchor not in told.phrases:
        return None
    phrase, prompt = told.phrases[anchor], _prompt(before)
    said = {_key(before[-1]), _key(phrase)}
    landing, other = _landing(told.after.get((anchor, target), []), said)
    own = _landing(told.after.get((anchor, source), []), said)[1]
    others = {
        following
        for (one, thought), after in told.after.items()
        if one == anchor and told.trees[one, thought] != told.trees[anchor, source]
        for following in (_landing(after, said)[1],)
        if following and following not in prompt
    }
    distractors = _distractors(told, anchor, others | {own or ""}, prompt, draw)
    if other not in others or len(distractors) < DISTRACTORS:
        return None
    asked = f"{told.marker} {phrase}" if told.restated else told.marker
    return Probe(
        anchor,
        source,
        target,
        group,
        prompt,
        "\n".join([asked, *landing]),
        other,
        own if own and own not in prompt and own not in others else None,
        tuple(sorted(others)),
        distractors,
        _there(told, anchor, target, other),
        _name(told, told.trees[anchor, target], other),
    )


def _name(told: _Told, tree: str, answer: str) -> str:
    """How a walk names a tree, unless that says the answer: a tree may be called as it begins."""
    name = told.names.get(tree, "")
    words, said = _key(name), _key(answer)
    cut = name.endswith("…") and said.startswith(words)
    return "" if said in words or cut else name


def _prompt(before: list[str]) -> str:
    kept = [before[-1]]
    for text in reversed(before[:-1]):
        if sum(map(len, kept)) + len(text) > _PROMPT:
            break
        kept.append(text)
    return "\n".join(reversed(kept))


def _landing(after: list[str], said: set[str]) -> tuple[list[str], str | None]:
    """What a landing says again, and the first thing that it says anew."""
    for n, text in enumerate(after):
        if _key(text) not in said:
            return after[:n], text
    return after, None


def _distractors(
    told: _Told, anchor: str, right: set[str], prompt: str, draw: random.Random
) -> tuple[str, ...]:
    """Continuations of other anchors that share most words with this one, or parts of words.

    Parts, because in an inflected language two texts about one thing may share no word.
    """
    phrase = told.phrases[anchor]
    words, signs = bag(phrase), trigrams(phrase)
    near = {
        one.text: (-len(one.words & words) / max(1, len(one.words)), -len(signs & one.signs))
        for one in told.pool
        if one.anchor != anchor and one.text not in right and one.text not in prompt
    }
    closest = nsmallest(CLOSE, near, key=lambda text: (near[text], text))
    return tuple(draw.sample(closest, min(DISTRACTORS, len(closest))))


def words_of(text: str) -> list[str]:
    """The words of a text, lower case."""
    return re.findall(r"\w+", text.lower())


def bag(text: str) -> set[str]:
    """The words of a text, each once."""
    return set(words_of(text))


def trigrams(text: str) -> set[str]:
    """All runs of three signs of a text."""
    told = _key(text)
    return {told[n : n + 3] for n in range(len(told) - 2)}


def overlap(words: Iterable[str], text: str) -> float:
    """The share of a text's words that are among some words."""
    found = bag(text)
    return len(found.intersection(words)) / len(found) if found else 0.0


def _key(text: str) -> str:
    return " ".join(words_of(text))


def by_group(found: Iterable[Probe]) -> Iterator[tuple[str, list[Probe]]]:
    """The probes of each group that has any."""
    groups: dict[str, list[Probe]] = {}
    for probe in found:
        groups.setdefault(probe.group, []).append(probe)
    yield from groups.items()
