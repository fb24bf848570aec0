"""Small pieces of HTML and SVG that the pages are made of. Everything that is not a number goes through `safe`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

import numpy as np


def safe(text: object) -> str:
    """Text for HTML, also inside attributes."""
    return html.escape(str(text), quote=True)


def breakable(name: str) -> str:
    """A name in CamelCase or with underscores, which may break between its words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=_)", "<wbr>", safe(name))


def number(value: float | None, digits: int = 1) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def page(title: str, body: str, *, up: str = "") -> str:
    """A whole page. `up`: path to the folder of the report, such as "../"."""
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{safe(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="{up}report.css"></head>\n<body>\n{body}\n'
        f'<script src="{up}report.js"></script>\n</body></html>\n'
    )


def table(
    columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, name: str = "", sortable: bool = False
) -> str:
    """A table of cells that are HTML already.

    Args:
        columns: heading (text) and CSS classes of each column: "n" for numbers, "wide" for what a phone leaves out.
            A cell may start with `@value@`: what its column is sorted by.
    """
    heads = "".join(f'<th class="{kind}" scope="col">{safe(title)}</th>' for title, kind in columns)
    lines = []
    for row in rows:
        cells = []
        for (_, kind), cell in zip(columns, row, strict=True):
            key = ""
            if cell.startswith("@"):
                _, value, cell = cell.split("@", 2)
                key = f' data-sort="{safe(value)}"'
            cells.append(f'<td class="{kind}"{key}>{cell}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    kind = ' class="sortable"' if sortable else ""
    given = f' id="{name}"' if name else ""
    body = "\n".join(lines)
    head = f"<thead><tr>{heads}</tr></thead>"
    return f'<div class="scroll"><table{given}{kind}>{head}\n<tbody>{body}</tbody></table></div>'


def share(value: float) -> str:
    """A share 0..1 as an SVG coordinate in percent."""
    return f"{100.0 * min(max(value, 0.0), 1.0):.2f}%"


def bar(value: float, top: float = 100.0, kind: str = "") -> str:
    """A bar of a value 0..top, as an SVG that fills its cell."""
    width = share(value / top if top > 0 else 0.0)
    return (
        f'<svg class="bar {kind}" width="100%" height="10" role="img" aria-label="{value:.1f}">'
        f'<rect class="track" width="100%" height="10"/><rect class="fill" width="{width}" height="10"/></svg>'
    )


def whisker(value: float, low: float, high: float, bottom: float, top: float) -> str:
    """A value with its interval on a scale, as an SVG that fills its cell; a line marks 0 where it is inside."""

    def at(x: float) -> str:
        return share((x - bottom) / (top - bottom))

    zero = f'<line class="zero" x1="{at(0.0)}" x2="{at(0.0)}" y1="0" y2="18"/>' if bottom < 0.0 < top else ""
    label = f"{value:.2f}, 95 percent interval {low:.2f} to {high:.2f}"
    return (
        f'<svg class="whisker" width="100%" height="18" role="img" aria-label="{label}">'
        f'<line class="axis" x1="0" x2="100%" y1="9" y2="9"/>{zero}'
        f'<line class="range" x1="{at(low)}" x2="{at(high)}" y1="9" y2="9"/>'
        f'<circle class="dot" cx="{at(value)}" cy="9" r="4.5"/></svg>'
    )


def strip(values: Sequence[float], mean: float) -> str:
    """Scores 0..100 of several routes as dots, their mean as a bar behind them."""
    dots = "".join(f'<circle class="dot" cx="{share(v / 100 * 0.98 + 0.01)}" cy="8" r="3.5"/>' for v in sorted(values))
    return (
        f'<svg class="strip" width="100%" height="16" role="img" aria-label="mean {mean:.1f}">'
        f'<rect class="track" y="4" width="100%" height="8"/><rect class="fill" y="4" width="{share(mean / 100)}" '
        f'height="8"/>{dots}</svg>'
    )


def dumbbell(values: Sequence[float | None]) -> str:
    """Scores 0..100 of several runs on one line; the first run is the ring."""
    known = [value for value in values if value is not None]

    def at(value: float) -> str:
        return share(value / 100 * 0.98 + 0.01)

    dots = "".join(
        f'<circle class="{"ring" if k == 0 else "dot"}" cx="{at(value)}" cy="9" r="4"/>'
        for k, value in enumerate(values)
        if value is not None
    )
    return (
        '<svg class="whisker" width="100%" height="18" aria-hidden="true"><line class="axis" x1="0" x2="100%" y1="9" '
        f'y2="9"/><line class="range" x1="{at(min(known))}" x2="{at(max(known))}" y1="9" y2="9"/>{dots}</svg>'
    )


def histogram(values: Sequence[float], title: str) -> str:
    """How many scores 0..100 fall into each tenth, as an SVG of fixed height."""
    counts, _ = np.histogram(np.clip(values, 0.0, 100.0), bins=10, range=(0.0, 100.0))
    most = max(int(counts.max(initial=0)), 1)
    bars = []
    for k, count in enumerate(counts.tolist()):
        tall = 84.0 * count / most
        place = f'x="{10 * k + 0.6:.1f}%" width="8.8%" y="{104 - tall:.1f}" height="{tall:.1f}"'
        bars.append(f'<rect class="fill" {place}/>')
        if count:
            bars.append(f'<text x="{10 * k + 5}%" y="{99 - tall:.1f}" text-anchor="middle">{count}</text>')
    ticks = "".join(
        f'<text class="soft" x="{x}%" y="120" text-anchor="{anchor}">{x}</text>'
        for x, anchor in ((0, "start"), (20, "middle"), (40, "middle"), (60, "middle"), (80, "middle"), (100, "end"))
    )
    return (
        f'<svg class="histogram" width="100%" height="124" role="img" aria-label="{safe(title)}">'
        f'{"".join(bars)}<line class="axis" x1="0" x2="100%" y1="104.5" y2="104.5"/>{ticks}</svg>'
    )
