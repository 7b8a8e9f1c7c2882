"""The report for reading: Markdown, and HTML with the plot."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from experiments.report import SHOWN, Report
from training.behaviour.report import cell

_SHORT = {
    "association, marker": "association, marker",
    "association": "association",
    "leaving": "leaving",
    "request": "request",
    "coherence": "coherence",
    "emission, any": "emission any",
    "emission, rate": "emission rate",
    "emission without marker, any": "any, no marker",
    "emission without marker, rate": "rate, no marker",
    "recall": "recall",
    "emission, any where known": "any where known",
    "request, named": "request, named",
    "destination": "destination",
    "emission, named": "emission, named",
    "leaving, guided": "leaving, guided",
    "emission, guided": "emission, guided",
}
_MEANING = (
    "association: Y's continuation is likelier than 9 that follow other anchors and look alike",
    "leaving: with the marker, the best continuation in another tree is likelier than X's own",
    "request: with the marker, Y's is likelier than X's own and 8 distractors",
    "coherence: without the marker, X's own is likelier than Y's and 8 distractors",
    "emission: any, or the share, of the samples that say (F1 0.8) what follows in another tree",
    "recall: in Y's own context, Y's continuation is likelier than 9 distractors",
    "any where known: emission over the questions that recall knows",
    "request, named: the request names Y, and Y's is likelier than X's own and 8 distractors",
    "destination: the same, and likelier than what follows in every other tree",
    "emission, named: one of the samples after such a request says Y's continuation",
    "guided: the same as leaving, and as emission any, of a voice for which the marker counts more",
)
Table = tuple[list[str], list[list[str]]]


def table(report: Report, group: str) -> Table:
    """Head and rows of the table of a group: an arm a row."""
    arms, of = report["arms"], report["groups"][group]["questions"]
    shown = [m for m in SHOWN if any(m in arm["scores"].get(group, {}) for arm in arms.values())]
    rows = [
        [name, *(_cell(arm["scores"].get(group, {}).get(measure), of) for measure in shown)]
        for name, arm in arms.items()
    ]
    return ["arm", *(_SHORT[measure] for measure in shown)], rows


def _cell(score: dict[str, Any] | None, of: int) -> str:
    seeds = [100 * one for one in score["by_seed"]] if score else []
    told = cell(score, of=of)
    return told if len(seeds) < 2 else f"{told}, {min(seeds):.0f}…{max(seeds):.0f}"


def arms_table(report: Report) -> Table:
    """Head and rows of the table that says what the arms are."""
    head = ["arm", "what", "samples", "seeds", "tokens", "steps", "loss", "minutes", "corpora"]
    rows = [
        [
            name, arm["about"], _shares(arm["shares"]), str(len(arm["seeds"])),
            f"{arm['tokens']:,}", str(arm["steps"]),
            ", ".join("–" if one is None else f"{one:.2f}" for one in arm["loss"]),
            f"{sum(arm['seconds']) / len(arm['seconds']) / 60:.1f}",
            ", ".join(one[:8] for one in arm["corpora"]),
        ]
        for name, arm in report["arms"].items()
    ]  # fmt: skip
    return head, rows


def _shares(shares: dict[str, float]) -> str:
    return (
        ", ".join(f"{kind} {100 * share:.0f}%" for kind, share in shares.items()) or "as exported"
    )


def verdict(one: dict[str, Any]) -> str:
    """What became of a threshold, in a line."""
    if "reached" not in one:
        return f"not run: {one['said']}"
    reached = f"{one['reached']:+.1f}" if one["over"] else f"{one['reached']:.1f}"
    told = f"{reached} ({one['low']:.1f} to {one['high']:.1f})"
    if one["met"] is None:
        return f"too few anchors ({one['anchors']}): {one['said']}; reached {told}"
    return f"{'met' if one['met'] else 'NOT met'}: {one['said']}; reached {told}"


def _facts(report: Report) -> Iterator[str]:
    settings, size = report["settings"], report["settings"]["size"]
    if report["command"]:
        yield f"Command: `{report['command']}`"
    yield f"Date and machine: {report['date']}, {report['machine']}"
    yield "Versions: " + ", ".join(f"{n} {v}" for n, v in report["versions"].items())
    yield (
        f"Forest: {report['trees']} trees, revision {report['forest'][:12]}; mode "
        f"{settings['mode']}, {settings['exports']} exports of each recipe"
    )
    yield (
        f"Each arm: {size['steps']} steps of {size['rows']} rows of {size['row']} tokens"
        + (f", base {report['base']}" if report["base"] else f", {_weights(report)} weights")
    )
    if settings["samples"]:
        drawn = max(settings["samples"], settings.get("draws", 0))
        yield (
            f"Sampled: {drawn} answers to each question, at temperature 1 from all tokens; “any”: "
            f"how often one of {settings['samples']} of them is right"
        )
    for group, told in report["groups"].items():
        yield (
            f"Questions {group}: {told['questions']}; association by chance "
            f"{100 * told['chance']:.0f}%, by shared words alone {100 * told['lexical']:.0f}%"
            + _by_name(told)
        )


def _by_name(told: dict[str, float]) -> str:
    return f", named requests by the name's words {100 * told['named']:.0f}%" * ("named" in told)


def _weights(report: Report) -> str:
    found = {arm.get("weights") for arm in report["arms"].values()} - {None}
    return " or ".join(f"{one:,}" for one in sorted(found)) or "?"


_NOTE = (
    "Percent; in brackets 95% over anchors, with room for what so few can have missed (Gaffke), "
    "and, where not all questions were asked, how many; then the least and the greatest seed."
)


# --- Markdown -------------------------------------------------------------------------------------


def markdown(report: Report) -> str:
    """The report as Markdown."""
    lines = ["# Does stitching teach a model to jump?", ""]
    lines += [f"- {fact}" for fact in _facts(report)]
    lines += ["", "## Thresholds, declared before the run", ""]
    lines += [f"- {verdict(one)}" for one in report["thresholds"]]
    lines += ["", "## Arms", "", *_lines(arms_table(report))]
    for group in report["groups"]:
        lines += ["", f"## Pairs {group}", "", _NOTE, "", *_lines(table(report, group))]
    lines += ["", *(f"- {meaning}." for meaning in _MEANING)]
    for name, examples in report["worst"].items():
        lines += ["", f"## Where {name} fails most"]
        for one in examples:
            lines += ["", *_example(one)]
    return "\n".join(lines) + "\n"


def _lines(told: Table) -> Iterator[str]:
    head, rows = told
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _example(one: dict[str, Any]) -> Iterator[str]:
    yield from (f"> {line}  " for line in f"{one['prompt']}\n{one['request']}".split("\n"))
    yield ""
    yield from (f"- follows in another tree: {text}" for text in one["others"][:3])
    yield f"- follows in its own tree: {one['own'] or '–'}"
    yield from (f"- said: {text or '(nothing)'}" for text in one["said"][:3])


# --- HTML -----------------------------------------------------------------------------------------

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0 }
td, th { border: 1px solid #ccc; padding: .25rem .5rem; text-align: left }
td + td { font-variant-numeric: tabular-nums }
.met { color: #176b2c } .not { color: #a11 } blockquote { border-left: 3px solid #ccc;
margin: 1rem 0; padding-left: 1rem; color: #444 } .wide { overflow-x: auto }
"""


def html(report: Report, picture: str) -> str:
    """The report as one HTML file, the plot in it; nothing is loaded from elsewhere."""
    parts = ["<h1>Does stitching teach a model to jump?</h1>", picture]
    parts += [_list(map(escape, _facts(report))), "<h2>Thresholds, declared before the run</h2>"]
    parts.append(
        _list(
            f'<span class="{_class(o)}">{escape(verdict(o))}</span>' for o in report["thresholds"]
        )
    )
    parts += ["<h2>Arms</h2>", _html_table(arms_table(report))]
    for group in report["groups"]:
        parts += [f"<h2>Pairs {escape(group)}</h2>", f"<p>{_NOTE}</p>"]
        parts.append(_html_table(table(report, group)))
    parts.append(_list(map(escape, _MEANING)))
    for name, examples in report["worst"].items():
        parts.append(f"<h2>Where {escape(name)} fails most</h2>")
        parts += map(_html_example, examples)
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f"<title>Stitching</title><style>{_STYLE}</style>\n<body>\n{body}\n</body></html>\n"
    )


def _class(one: dict[str, Any]) -> str:
    return {True: "met", False: "not", None: ""}[one["met"]]


def _list(items: Any) -> str:
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _html_table(told: Table) -> str:
    head, rows = told
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return f'<div class="wide"><table>{"".join(f"<tr>{line}</tr>" for line in lines)}</table></div>'


def _html_example(one: dict[str, Any]) -> str:
    said = escape(f"{one['prompt']}\n{one['request']}").replace("\n", "<br>")
    items = [f"follows in another tree: {escape(text)}" for text in one["others"][:3]]
    items.append(f"follows in its own tree: {escape(one['own'] or '–')}")
    items += [f"said: {escape(text or '(nothing)')}" for text in one["said"][:3]]
    return f"<blockquote>{said}</blockquote>{_list(items)}"
