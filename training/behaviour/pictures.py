"""Means with their intervals as a picture: SVG that opens anywhere, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import ceil
from typing import Any

from training.masks import BASE

_WIDTH, _LEFT, _RIGHT = 760, 250, 24
_VOICE, _GAP = 15, 14
_LIGHT = ("#6b6b6b", "#0072b2", "#c0500c", "#00795a", "#a0508a", "#8a6d00", "#444fc4", "#b0203a")
_DARK = ("#a8a8a8", "#5cb3ea", "#ff9a52", "#3fd0a3", "#e29acb", "#e8cb4a", "#9aa2ff", "#ff7d8f")


def colours() -> str:
    """The rules of style that pictures and pages share: a colour for each voice."""
    light = "".join(f".v{n}{{--v:{c}}}" for n, c in enumerate(_LIGHT))
    dark = "".join(f".v{n}{{--v:{c}}}" for n, c in enumerate(_DARK))
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"


def colour(place: int) -> str:
    """The class of the voice at a place, the base first."""
    return f"v{place % len(_LIGHT)}"


def picture(section: Mapping[str, Any], voices: Sequence[str], controls: Sequence[str]) -> str:
    """A section as SVG: a row for each group and score, in it a mark for each voice.

    The base has a ring, a control a square, a mask a dot; the line is the 95% interval.
    """
    rows = [
        (what, group["name"], scores, _chance(group, what))
        for group in section["groups"]
        for what, scores in group["scores"].items()
    ]
    share = all(scale["share"] for scale in section["scales"].values())
    most = 1.0 if share else _most(rows)
    legend, top = _legend(voices, controls)
    end = top + sum(_height(scores) for _, _, scores, _ in rows) + _room(rows)
    height = end + 26
    body = "".join([*_axis(top, end, most, share), *_body(rows, voices, controls, most, top)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'width="{_WIDTH}" height="{height}"><title>{escape(section["title"])}</title>'
        f"<style>{_STYLE}{colours()}</style>{legend}{body}</svg>\n"
    )


_STYLE = (
    "svg{font:12px system-ui,sans-serif}.ink{fill:#222}.faint{fill:#666}.axis{stroke:#ccc}"
    ".chance{stroke:#888;stroke-dasharray:3 3}"
    "@media(prefers-color-scheme:dark){.ink{fill:#e8e8e8}.faint{fill:#a0a0a0}.axis{stroke:#444}}"
    ".bar{stroke:var(--v);stroke-width:2}.dot{fill:var(--v)}"
    ".ring{fill:none;stroke:var(--v);stroke-width:2}"
)
_Row = tuple[str, str, Mapping[str, Mapping[str, float]], float | None]


def _most(rows: Sequence[_Row]) -> float:
    highest = max((one["high"] for _, _, scores, _ in rows for one in scores.values()), default=1)
    return float(ceil(highest)) or 1.0


def _height(scores: Mapping[str, Any]) -> int:
    return _VOICE * len(scores) + _GAP


def _room(rows: Sequence[_Row]) -> int:
    """The height of the names of groups."""
    return 24 * len({name for _, name, _, _ in rows})


def _chance(group: Mapping[str, Any], what: str) -> float | None:
    for name in (f"{what}, by chance", "by chance"):
        if name in group["given"] and what != "unfolds":
            return float(group["given"][name]["mean"])
    return None


def _x(value: float, most: float) -> float:
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * value / most, 1)


def _legend(voices: Sequence[str], controls: Sequence[str]) -> tuple[str, int]:
    """The names of the voices, and how high they stand."""
    x, y, parts = 8.0, 16, []
    for n, voice in enumerate(voices):
        named = _short(f"{voice} (control)" if voice in controls else voice, 34)
        width = 30 + 7.2 * len(named)
        if x > 8 and x + width > _WIDTH:
            x, y = 8.0, y + 18
        parts.append(f'<g class="{colour(n)}">{_mark(voice, controls, x + 5, y - 4)}</g>')
        parts.append(f'<text class="ink" x="{x + 14}" y="{y}">{escape(named)}</text>')
        x += width
    return "".join(parts), y + 18


def _mark(voice: str, controls: Sequence[str], x: float, y: float) -> str:
    if voice == BASE:
        return f'<circle class="ring" cx="{x}" cy="{y}" r="4"/>'
    if voice in controls:
        return f'<rect class="dot" x="{x - 4}" y="{y - 4}" width="8" height="8"/>'
    return f'<circle class="dot" cx="{x}" cy="{y}" r="5"/>'


def _axis(top: int, end: int, most: float, share: bool) -> Iterator[str]:
    for n in range(5):
        x, told = _x(most * n / 4, most), most * n / 4
        label = f"{100 * told:.0f}%" if share else f"{told:.2f}"
        yield f'<line class="axis" x1="{x}" x2="{x}" y1="{top}" y2="{end}"/>'
        yield f'<text class="faint" x="{x}" y="{end + 16}" text-anchor="middle">{label}</text>'


def _body(
    rows: Sequence[_Row], voices: Sequence[str], controls: Sequence[str], most: float, y: int
) -> Iterator[str]:
    named = ""
    for what, group, scores, chance in rows:
        if group != named:
            named = group
            bold = f'font-weight="bold" x="8" y="{y + 16}"'
            yield f'<text class="ink" {bold}>{escape(_short(group, 80))}</text>'
            y += 24
        high = _height(scores)
        yield f'<text class="ink" x="8" y="{y + high / 2}">{escape(_short(what, 40))}</text>'
        if chance is not None:
            x = _x(chance, most)
            yield f'<line class="chance" x1="{x}" x2="{x}" y1="{y + 2}" y2="{y + high - 6}"/>'
        for n, (voice, score) in enumerate(scores.items()):
            at = y + _VOICE * n + 9
            low, high_, mean = (_x(max(0.0, score[k]), most) for k in ("low", "high", "mean"))
            yield f'<g class="{colour(voices.index(voice))}">'
            yield f'<line class="bar" x1="{low}" x2="{high_}" y1="{at}" y2="{at}"/>'
            yield f"{_mark(voice, controls, mean, at)}</g>"
        y += high


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
