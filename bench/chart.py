"""A plot as SVG: bars on a logarithmic scale, since the contenders are hundreds of times apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 860, 30, 250, 90, 56
_COLOURS = {"limit": "#8a94a6", "retinue": "#1f6feb", "peer": "#c4603c"}


@dataclass(frozen=True)
class Bar:
    """A value above 0, what it is of, and its kind: limit, retinue or peer."""

    name: str
    value: float
    kind: str


def bars(title: str, values: list[Bar]) -> str:
    """Return a plot of ``values`` in their order, with decades as lines."""
    least = min(each.value for each in values)
    most = max(each.value for each in values)
    low = 10.0 ** math.floor(math.log10(least))
    decades = max(math.ceil(math.log10(most / low)), 1)
    height = _TOP + _ROW * len(values) + 30
    span = _WIDTH - _LEFT - _RIGHT

    def place(value: float) -> float:
        return _LEFT + span * math.log10(value / low) / decades

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="16" fill="#1b1f24">{escape(title)} '
        "(logarithmic; less is better)</text>",
    ]
    bottom = height - 26
    for decade in range(decades + 1):
        x, value = place(low * 10**decade), low * 10**decade
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 10}" x2="{x:.1f}" y2="{bottom}" stroke="#d8dee4"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{height - 10}" text-anchor="middle" fill="#57606a">{value:g}</text>'
        )
    for number, each in enumerate(values):
        y = _TOP + _ROW * number
        width = max(place(each.value) - _LEFT, 2)
        colour = _COLOURS[each.kind]
        parts.append(
            f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end" fill="#1b1f24">{escape(each.name)}</text>'
        )
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="20" rx="3" fill="{colour}"/>')
        parts.append(
            f'<text x="{_LEFT + width + 8:.1f}" y="{y + 15}" fill="#1b1f24">{each.value:,.1f}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
