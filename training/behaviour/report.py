"""What an evaluation says, in words: the verdict, the numbers as text, the report in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from training.behaviour.intervals import ENOUGH, FEW, side
from training.behaviour.jumps import ANY, ASSOCIATION
from training.masks import BASE
from training.probes import HELD_OUT

Report = Mapping[str, Any]
Section = Mapping[str, Any]
_TITLE = "Do the masks jump?"
_HEADLINES = (
    ("jumps", HELD_OUT, ANY),
    ("jumps", HELD_OUT, ASSOCIATION),
    ("scenes", "", "found"),
    ("unseen", "", "found"),
    ("style", "", "style, other topics"),
    ("plain", "", "bits a byte"),
    ("repetition", "", "repeated"),
)
"""What the first table shows: section, group ("" for all together), measure."""


class Verdict(NamedTuple):
    """Whether one mask jumps, compared with the controls or, without any, with the base."""

    mask: str
    holds: bool | None
    """Whether it does; None where the probes do not tell."""
    text: str


def title(report: Report) -> str:
    """The report's title."""
    return _TITLE if report["masks"] else "Does the base jump?"


def verdicts(report: Report) -> list[Verdict]:
    """The answer for each mask that is no control. Empty where jumps were not measured.

    It is given by the emission, which is what a user sees; where no sample of any voice says a
    continuation, by the association with the marker, and that is said.
    """
    jumps = section_of(report, "jumps")
    if jumps is None or "groups" not in jumps:
        return []
    group = _group(jumps, HELD_OUT) or jumps["groups"][0]
    emitted = group["scores"].get(ANY, {}).values()
    what = ANY if any(score["mean"] for score in emitted) else ASSOCIATION
    return [
        _verdict(name, what, group, report["controls"] or [BASE])
        for name in report["masks"]
        if name not in report["controls"]
    ]


def _verdict(mask: str, what: str, group: Mapping[str, Any], others: Sequence[str]) -> Verdict:
    scores, less = group["scores"][what], group["differences"][what][mask]
    does = "goes on in another tree" if what == ANY else "prefers another tree's continuation"
    if what != ANY and ANY in group["scores"]:
        does = f"says no continuation in full, nor does any other voice, but {does}"
    elif what != ANY:
        does = f"(nothing was sampled: what it would say is not asked) {does}"
    told = [
        f"{percent(scores[other])} by {other}, a difference of {points(less[other])} points"
        for other in others
    ]
    sides = [side(less[other]) for other in others]
    holds: bool | None = None
    if all(one > 0 for one in sides):
        holds, word = True, "more often than"
    elif any(one < 0 for one in sides):
        holds, word = False, "less often than"
    else:
        word = "not measurably more often than"
    few = min(less[other]["clusters"] for other in others)
    too_few = (
        ""
        if few >= ENOUGH
        else (f" So few as {few} drawn independently show no difference; {ENOUGH} can.")
    )
    return Verdict(
        mask,
        holds,
        f"{does} {word} {' and '.join(others)}: {percent(scores[mask])} of "
        f"{scores[mask]['n']} probes ({group['name']}), against {'; '.join(told)}.{too_few}",
    )


def headlines(report: Report) -> Iterator[tuple[str, str, bool, Mapping[str, Any]]]:
    """Of each section its main number: name, what it asks, whether it is a share, by voice."""
    for key, name, what in _HEADLINES:
        section = section_of(report, key)
        if section is None or "groups" not in section:
            continue
        group = _group(section, name) if name else section["overall"]
        if group and what in group["scores"]:
            scale = section["scales"][what]
            where = f"{section['title']}: {what}" + (f", {name}" if name else "")
            yield where, scale["asks"], scale["share"], group["scores"][what]


def section_of(report: Report, key: str) -> Section | None:
    """The section of a measure, if it was asked."""
    return next((one for one in report["sections"] if one["key"] == key), None)


def _group(section: Section, name: str) -> Mapping[str, Any] | None:
    return next((one for one in section["groups"] if one["name"] == name), None)


# --- numbers --------------------------------------------------------------------------------------


def cell(score: Mapping[str, float] | None, share: bool = True, of: int | None = None) -> str:
    """A mean with its interval: ``71 (64–78)``, in per cent if it is a share.

    :param of: how many questions there are: who was asked fewer of them is told so.

    >>> cell({"mean": 0.71, "low": 0.64, "high": 0.78, "clusters": 41, "n": 45}, of=60)
    '71 (64–78; 45 asked)'
    """
    if score is None:
        return "–"
    mean, low, high = (_number(score[edge], share) for edge in ("mean", "low", "high"))
    told = "one alone: no interval" if score["clusters"] < 2 else f"{low}–{high}"
    asked = "" if of is None or score["n"] == of else f"; {score['n']} asked"
    return f"{mean} ({told}{asked})"


def percent(score: Mapping[str, float]) -> str:
    """A share as it stands in a sentence: ``71% (64–78)``; without an interval if it is fixed."""
    mean, _, rest = cell(score).partition(" ")
    return f"{mean}%" if score["low"] == score["high"] else f"{mean}% {rest}"


def points(less: Mapping[str, float] | None, share: bool = True) -> str:
    """A difference with its interval: ``+60 (+52 to +68)``, in points of a per cent."""
    if less is None:
        return "–"
    mean, low, high = (_signed(less[edge], share) for edge in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})" if less["clusters"] > 1 else f"{mean} (no interval)"


def _number(value: float, share: bool) -> str:
    return f"{100 * value:.0f}" if share else f"{value:.3f}"


def _signed(value: float, share: bool) -> str:
    told = f"{100 * value:+.0f}" if share else f"{value:+.3f}"
    return told.replace("-", "\u2212") if float(told) else told[1:]


def size(group: Mapping[str, Any]) -> str:
    """How much was asked: ``150 questions in 41 clusters``."""
    asked, clusters = group["questions"], group["clusters"]
    told = f"{asked} question{'' if asked == 1 else 's'}"
    return told if clusters == asked else f"{told}, {clusters} drawn independently"


def about(report: Report) -> Iterator[tuple[str, str]]:
    """What a reader has to know of the base and each mask, by name."""
    told = f"{report['base']['source']}, {report['base']['hash'][:12]}"
    if torn := report["base"]["torn"]:
        told += f"; it has no single token for {', '.join(torn)}, which the corpus uses: what is "
        told += "asked of them says little"
    yield BASE, told
    for name, mask in report["masks"].items():
        told = (
            f"records of kind {', '.join(mask['kinds'])}, {mask['steps']} steps, "
            f"{mask['tokens']} tokens, "
            + ("merged" if mask["seed"] is None else f"seed {mask['seed']}")
            + f", {mask['sha256'][:12]}"
        )
        if not mask["trained_on_this_corpus"]:
            told += "; trained on another corpus: what is held out here it may have seen"
        yield name, ("control: " if name in report["controls"] else "") + told


def settings(report: Report) -> str:
    """How it was asked."""
    asked, when = report["asked"], ""
    if report.get("command"):
        when = f"{report['command']}, {report['date']}. "
    return when + (
        f"Seed {asked['seed']}; at most {asked['most']} probes of each group; {asked['samples']} "
        f"samples of each prompt, at temperature 1 from all tokens, {asked['length']} tokens at "
        f"most; corpus {report['corpus']['hash'][:12]}. Numbers are means with 95% intervals over "
        f"what was drawn independently: of shares Gaffke's, with room for what was missed; of "
        f"differences and of scales without ends a bootstrap, of fewer than {FEW} Student's t. "
        "They hold for one training each: repeat it with other seeds before you trust a "
        "difference between trainings."
    )


# --- Markdown -------------------------------------------------------------------------------------


def markdown(report: Report, *, whole: bool = True) -> str:
    """The report for reading; pictures lie in ``pictures/`` beside it.

    :param whole: with pictures, methods and the worst examples.
    """
    lines = [f"# {title(report)}", ""]
    lines += [f"- **{_mark(told.holds)}** {told.mask} {told.text}" for told in verdicts(report)]
    lines += ["", *_headline_table(report), ""]
    lines += [f"- **{_safe(name)}**: {_safe(told)}" for name, told in about(report)]
    lines += ["", _safe(settings(report))]
    for section in report["sections"]:
        lines += ["", *_section(section, report, whole)]
    return "\n".join(lines) + "\n"


def _mark(holds: bool | None) -> str:
    return {True: "Yes.", False: "No.", None: "Not shown."}[holds]


def _headline_table(report: Report) -> Iterator[str]:
    voices = [BASE, *report["masks"]]
    yield from _head(["", *(_named(voice, report) for voice in voices)])
    for name, asks, share, scores in headlines(report):
        cells = (cell(scores.get(voice), share) for voice in voices)
        yield _row([f"{name} ({asks}{', %' if share else ''})", *cells])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(_safe(cell) for cell in cells)} |"


def _safe(text: str) -> str:
    """Words that Markdown takes as they are."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _head(cells: Sequence[str]) -> Iterator[str]:
    yield _row(cells)
    yield "|---" * len(cells) + "|"


def _named(voice: str, report: Report) -> str:
    return f"{voice} (control)" if voice in report["controls"] else voice


def _section(section: Section, report: Report, whole: bool) -> Iterator[str]:
    yield f"## {section['title']}"
    if "not_measured" in section:
        yield ""
        yield f"Not measured: {_safe(section['not_measured'])}"
        return
    if whole:
        yield ""
        yield section["method"]
        yield ""
        yield f"![{section['title']}](pictures/{section['key']}.svg)"
    for group in section["groups"]:
        yield ""
        yield f"### {group['name']}: {size(group)}"
        yield ""
        yield from _table(section, group, report)
    if whole:
        yield from _worst(section)


def _table(section: Section, group: Mapping[str, Any], report: Report) -> Iterator[str]:
    voices = [BASE, *report["masks"]]
    pairs = [
        (mask, other)
        for mask in report["masks"]
        if mask not in report["controls"]
        for other in (BASE, *report["controls"])
    ]
    named = [_named(voice, report) for voice in voices]
    yield from _head(["", *named, *(f"{mask} − {other}" for mask, other in pairs)])
    for what, scores in group["scores"].items():
        share = section["scales"][what]["share"]
        less = group["differences"][what]
        cells = [cell(scores.get(voice), share, group["questions"]) for voice in voices]
        cells += [points(less.get(mask, {}).get(other), share) for mask, other in pairs]
        yield _row([f"{what}{', %' if share else ''}", *cells])
    if group["given"]:
        yield ""
        told = (f"{what} {percent(score)}" for what, score in group["given"].items())
        yield f"Whatever voice is asked: {'; '.join(told)}."


def _worst(section: Section) -> Iterator[str]:
    for voice, examples in section["worst"].items():
        shown = [one for one in examples if one["said"]]
        if shown and voice != BASE:
            yield ""
            yield f"### Where {voice} fails most"
        for one in shown if voice != BASE else ():
            yield ""
            yield from (f"> {_safe(line)}  " for line in one["asked"].split("\n"))
            yield ""
            yield from (f"- it said: {_line(text)}" for text in one["said"])
            yield from (f"- expected: {_line(text)}" for text in one["expected"])


def _line(text: str) -> str:
    return " ⏎ ".join(_safe(text).split("\n")) or "(nothing)"
