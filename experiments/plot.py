"""The plot of a report: bars with intervals as SVG, without any library."""

from __future__ import annotations

from html import escape
from typing import Any

_BARS = (("emission, any", "#2a6f97"), ("association, marker", "#89b0c4"), ("leaving", "#c98b3c"))
_LEFT, _WIDTH, _BAR, _GAP, _TOP = 110, 560, 12, 16, 64


def plot(report: dict[str, Any]) -> str:
    """Bars of each arm for held-out pairs: emission, association and leaving, in percent."""
    arms = list(report["arms"].items())
    row = _BAR * len(_BARS) + _GAP
    width, height = _LEFT + _WIDTH + 60, _TOP + row * len(arms) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img"',
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12">',
        "<title>Held-out pairs by arm</title>",
        '<text x="0" y="16" font-size="14">Held-out pairs, % (lines: 95% over anchors)</text>',
    ]
    for n, (measure, colour) in enumerate(_BARS):
        parts.append(f'<rect x="{n * 170}" y="28" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{n * 170 + 18}" y="38">{escape(measure)}</text>')
    for share in range(0, 101, 20):
        x = _LEFT + _WIDTH * share / 100
        parts.append(f'<path d="M{x:.0f} {_TOP - 8}V{height - 20}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.0f}" y="{height - 6}" text-anchor="middle">{share}</text>')
    for n, (name, arm) in enumerate(arms):
        top = _TOP + n * row
        parts.append(f'<text x="0" y="{top + 20}">{escape(name)}</text>')
        for k, (measure, colour) in enumerate(_BARS):
            if score := arm["best"].get(measure):
                parts.append(_bar(top + k * _BAR, score, colour))
    return "\n".join([*parts, "</svg>"])


def _bar(top: int, score: dict[str, Any], colour: str) -> str:
    width, low, high = (_WIDTH * score[key] for key in ("mean", "low", "high"))
    middle = top + _BAR / 2 - 1
    return (
        f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR - 2}" fill="{colour}"/>'
        f'<path d="M{_LEFT + low:.1f} {middle}H{_LEFT + high:.1f}" stroke="#222"/>'
        f'<text x="{_LEFT + max(width, high) + 5:.0f}" y="{top + 10}" font-size="10">'
        f"{100 * score['mean']:.0f}</text>"
    )
