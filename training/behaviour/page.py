"""The report as one page that opens offline: no script, nothing fetched, all words escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from training.behaviour.intervals import side
from training.behaviour.pictures import colour, colours, picture
from training.behaviour.report import (
    about,
    cell,
    headlines,
    percent,
    points,
    section_of,
    settings,
    size,
    title,
    verdicts,
)
from training.masks import BASE

Report = Mapping[str, Any]


def page(report: Report) -> str:
    """The report as HTML."""
    body = "\n".join([*_first_screen(report), *_sections(report)])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title(report))}</title><style>{_STYLE}{colours()}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _voices(report: Report) -> list[str]:
    return [BASE, *report["masks"]]


# --- the first screen -----------------------------------------------------------------------------


def _first_screen(report: Report) -> Iterator[str]:
    yield f"<h1>{escape(title(report))}</h1>"
    told = verdicts(report)
    for verdict in told:
        word, kind = {
            True: ("Yes", "yes"),
            False: ("No", "no"),
            None: ("Not shown", "unsure"),
        }[verdict.holds]
        yield (
            f'<p class="verdict {kind}"><strong>{word}.</strong> <b>{escape(verdict.mask)}</b> '
            f"{escape(verdict.text)}</p>"
        )
    if not told and (jumps := section_of(report, "jumps")) and "not_measured" in jumps:
        yield f'<p class="verdict unsure">Jumps were not measured: {escape(_why(jumps))}</p>'
    if told and not report["controls"]:
        yield (
            '<p class="faint">No control was named (<code>--control MASK</code>): a mask of the '
            "same steps, trained on paths and fragments alone, is the honest one.</p>"
        )
    rows = [
        [f"{escape(name)}<br><small>{escape(asks)}</small>"]
        + [_number(cell(scores.get(v), share), "%" if share else "") for v in _voices(report)]
        for name, asks, share, scores in headlines(report)
    ]
    if rows:
        yield _table(["", *_heads(report)], rows)
    yield "<dl>"
    for n, (name, what) in enumerate(about(report)):
        yield f'<dt class="{colour(n)}"><i></i>{escape(name)}</dt><dd>{escape(what)}</dd>'
    yield "</dl>"
    yield f'<p class="faint">{escape(settings(report))}</p>'


def _heads(report: Report) -> list[str]:
    return [
        f'<span class="{colour(n)}"><i></i>{escape(voice)}'
        f"{'<br><small>control</small>' if voice in report['controls'] else ''}</span>"
        for n, voice in enumerate(_voices(report))
    ]


# --- sections -------------------------------------------------------------------------------------


def _sections(report: Report) -> Iterator[str]:
    for section in report["sections"]:
        yield f"<section><h2>{escape(section['title'])}</h2>"
        if "not_measured" in section:
            yield f"<p>Not measured: {escape(_why(section))}</p></section>"
            continue
        yield f'<p class="faint">{escape(section["method"])}</p>'
        yield f'<div class="wide">{picture(section, _voices(report), report["controls"])}</div>'
        for group in section["groups"]:
            yield f"<h3>{escape(group['name'])} <small>{escape(size(group))}</small></h3>"
            yield from _group(section, group, report)
        yield from _worst(section)
        yield "</section>"


def _why(section: Mapping[str, Any]) -> str:
    return str(section["not_measured"])


def _group(section: Mapping[str, Any], group: Mapping[str, Any], report: Report) -> Iterator[str]:
    pairs = [
        (mask, other)
        for mask in report["masks"]
        if mask not in report["controls"]
        for other in (BASE, *report["controls"])
    ]
    heads = ["", *_heads(report), *(f"{escape(m)} − {escape(o)}" for m, o in pairs)]
    rows = []
    for what, scores in group["scores"].items():
        scale, less = section["scales"][what], group["differences"][what]
        unit = "%" if scale["share"] else ""
        row = [f"{escape(what)}<br><small>{escape(scale['asks'])}</small>"]
        row += [
            _number(cell(scores.get(v), scale["share"], group["questions"]), unit)
            for v in _voices(report)
        ]
        row += [_difference(less.get(m, {}).get(o), scale) for m, o in pairs]
        rows.append(row)
    yield _table(heads, rows)
    if group["given"]:
        told = (f"{what} {percent(score)}" for what, score in group["given"].items())
        yield f'<p class="faint">Whatever voice is asked: {escape("; ".join(told))}.</p>'


def _number(told: str, unit: str) -> str:
    mean, _, rest = told.partition(" ")
    unit = unit if mean != "–" else ""
    return f"<b>{escape(mean)}{unit}</b> <small>{escape(rest)}</small>"


def _difference(less: Mapping[str, float] | None, scale: Mapping[str, Any]) -> str:
    """Coloured where the interval is on one side of 0."""
    told = _number(points(less, scale["share"]), "")
    if less is None or scale["more"] is None or not (shown := side(less)):
        return told
    return f'<span class="{"good" if (shown > 0) == scale["more"] else "bad"}">{told}</span>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{one}</th>" for one in heads)
    body = "".join(
        f"<tr><th>{row[0]}</th>{''.join(f'<td>{one}</td>' for one in row[1:])}</tr>" for row in rows
    )
    rows_ = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table>{rows_}</table></div>'


def _worst(section: Mapping[str, Any]) -> Iterator[str]:
    for voice, examples in section["worst"].items():
        if not examples:
            continue
        yield f"<details><summary>Where {escape(voice)} fails most</summary>"
        for one in examples:
            yield f'<div class="example"><p class="faint">{escape(one["group"])}</p>'
            yield f"<pre>{escape(one['asked'])}</pre>"
            yield from _texts("it said", one["said"])
            yield from _texts("expected", one["expected"])
            scores = ", ".join(f"{name} {score:g}" for name, score in one["scores"].items())
            yield f'<p class="faint">{escape(scores)}</p></div>'
        yield "</details>"


def _texts(what: str, texts: Sequence[str]) -> Iterator[str]:
    if texts:
        yield f"<p>{what}:</p><ul>"
        yield from (f"<li>{escape(text) or '<em>(nothing)</em>'}</li>" for text in texts)
        yield "</ul>"


_STYLE = """
:root{color-scheme:light dark;--ink:#1d1d1f;--paper:#fff;--faint:#63636b;--line:#dcdce0;
--soft:#f5f5f7;--good:#0a6b3d;--bad:#a32020;--unsure:#7a5a00}
@media(prefers-color-scheme:dark){:root{--ink:#ececf0;--paper:#151518;--faint:#a2a2ac;
--line:#37373d;--soft:#1f1f24;--good:#58d08f;--bad:#ff8b85;--unsure:#e6c35a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1060px;margin:0 auto;padding:24px 20px 64px}
h1{font-size:28px;margin:0 0 12px}h2{margin:40px 0 8px;border-top:1px solid var(--line);
padding-top:24px}h3{margin:24px 0 6px}h3 small{font-weight:normal;color:var(--faint)}
.verdict{font-size:18px;padding:12px 16px;border-left:5px solid var(--c);background:var(--soft);
margin:8px 0}.yes{--c:var(--good)}.no{--c:var(--bad)}.unsure{--c:var(--unsure)}
.verdict strong{color:var(--c)}.faint,small{color:var(--faint)}.good b{color:var(--good)}
.bad b{color:var(--bad)}.wide{overflow-x:auto}
table{border-collapse:collapse;margin:10px 0;font-variant-numeric:tabular-nums}
th,td{padding:5px 12px 5px 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--line)}
tbody th{font-weight:normal;min-width:200px}td{white-space:nowrap}
i{display:inline-block;width:10px;height:10px;border-radius:5px;background:var(--v);
margin-right:6px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px}dt{font-weight:600}dd{margin:0}
pre,li{white-space:pre-wrap;overflow-wrap:anywhere}pre{background:var(--soft);padding:10px 12px;
font:inherit;margin:6px 0}.example{border-left:3px solid var(--line);padding-left:12px;
margin:14px 0}.example p{margin:6px 0}summary{cursor:pointer;margin:10px 0}
svg{max-width:100%;height:auto}
"""
