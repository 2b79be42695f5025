"""A plot as SVG: its colours, and how a page takes it in.

Colours are those of the site's light theme; in a page `inline_svg` turns them into its variables,
so that the plots follow the dark theme. A page's script makes PNG of a plot if asked.
"""

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

INK, MUTED, LINE = "#1c2024", "#5f6670", "#e2e4e8"
SERIES = (
    "#2f6db3", "#d9730d", "#0f8a6d", "#8a4f9e", "#a67c00", "#c0392b", "#5b6770", "#3aa0c9",
)  # fmt: skip
THEME = {INK: "ink", MUTED: "muted", LINE: "line", **{c: f"s{i}" for i, c in enumerate(SERIES, 1)}}
"""Colour of the light theme -> name of the page's variable."""
WIDE, HIGH = 56, 36
"""Letters of a line of an axis' label, below the axes and beside them."""


@dataclass(frozen=True)
class Plot:
    """A drawn figure.

    Attributes:
        name: file name without ending.
        caption: one sentence.
        svg: SVG of the light theme, without background.
    """

    name: str
    caption: str
    svg: str


def inline_svg(plot: Plot) -> Markup:
    """The plot as an element of a page: its colours follow the theme, its ids are its own."""
    body = plot.svg[plot.svg.index("<svg") :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{plot.name}-", body)
    for colour, name in THEME.items():
        body = body.replace(f": {colour}", f": var(--{name})")
    body = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*pt"', r"\1", body, count=1)
    body = re.sub(r'(<svg[^>]*?) height="[^"]*pt"', r"\1", body, count=1)
    body = re.sub(r'(<svg[^>]*?) width="[^"]*pt"', r"\1", body, count=1)
    title = f"<title>{escape(plot.caption)}</title>"
    body = re.sub(r"<svg([^>]*)>", lambda m: f'<svg role="img"{m[1]}>{title}', body, count=1)
    # Markup: what drew it has escaped what it wrote, and the caption is escaped here.
    return Markup(body)  # noqa: S704
