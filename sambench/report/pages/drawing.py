"""Marks of a plot as SVG: axes, lines, letters. Lengths are points, y points down.

Text is written by hand; that takes a thousandth of the time that a plotting library does.
"""

from collections.abc import Sequence

from markupsafe import escape

from sambench.report.pages.svg import SERIES

WIDTH, HEIGHT = 360.0, 245.0
"""Of a figure; bars are as high as there are many."""
SMALL, TEXT = 8.0, 9.5
"""Sizes of the letters of names and values, and of an axis."""
LEADING = 12.0
GAP = 4.0
MARKERS = (
    "m-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0z",  # a disc
    "m-2.4 -2.4h4.8v4.8h-4.8z",  # a square
    "m0 -3.3l3.3 3.3l-3.3 3.3l-3.3 -3.3z",  # one on its corner
    "m0 -3l2.9 5.4h-5.8z",  # triangles
    "m0 3l2.9 -5.4h-5.8z",
    "m-1 -2.9h2v1.9h1.9v2h-1.9v1.9h-2v-1.9h-1.9v-2h1.9z",  # a cross
    "m0 -1.4l1.5 -1.5l1.4 1.4l-1.5 1.5l1.5 1.5l-1.4 1.4l-1.5 -1.5l-1.5 1.5l-1.4 -1.4l1.5 -1.5"
    "l-1.5 -1.5l1.4 -1.4z",  # a turned one
    "m0 -3l2.6 1.5v3l-2.6 1.5l-2.6 -1.5v-3z",  # a hexagon
)
"""Of the series in turn: the outline of each, from its middle."""
DASHES = ("", "; stroke-dasharray: 6 2.5", "; stroke-dasharray: 1.6 2.2")
"""Of the first eight series, of the next, and of those after them."""
Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
FONT = "'DejaVu Sans', Verdana, sans-serif"


def text_width(text: str, size: float = TEXT) -> float:
    """About how wide a text is in the widest of the fonts that it may be written in."""
    return size * sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if letter in "ijlI.,:;|'!()[]/ ":
        return 0.4
    if letter in "mwMW%@…+=" or ord(letter) > 0x2E80:  # from there on scripts are as wide as high
        return 1.0
    return 0.78 if letter.isupper() else 0.66


def figure(height: float, drawn: Sequence[str]) -> str:
    """A figure of that height with what is drawn in it."""
    size = f'width="{WIDTH:g}pt" height="{height:g}pt" viewBox="0 0 {WIDTH:g} {height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{"".join(drawn)}</svg>\n'


def segment(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    """A thin line."""
    style = f"fill: none; stroke: {colour}; stroke-width: 0.8"
    return f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" style="{style}"/>\n'


def rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    """A filled rectangle."""
    size = f'width="{width:.2f}" height="{height:.2f}"'
    at = f'x="{x:.2f}" y="{y:.2f}" {size}'
    return f'<rect {at} style="fill: {colour}; shape-rendering: crispEdges"/>\n'


def words(
    x: float, y: float, text: str, colour: str, size: float = TEXT, anchor: str = "middle",
    *, upwards: bool = False,
) -> str:  # fmt: skip
    """A text whose letters' middle lies at y."""
    style = f"font: {size:g}px {FONT}; text-anchor: {anchor}; fill: {colour}"
    turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upwards else ""
    at = f'x="{x:.1f}" y="{y:.1f}" dy="{0.36 * size:.1f}"'
    return f'<text {at} style="{style}"{turned}>{escape(text)}</text>\n'


def path(i: int, points: Sequence[Point | None], width: float = 1.6, opacity: float = 1) -> str:
    """The line of the i-th series, with gaps where a point is None."""
    steps = zip([None, *points], points, strict=False)
    way = "".join(f"{'L' if last else 'M'}{p[0]:.1f} {p[1]:.1f}" for last, p in steps if p)
    style = f"fill: none; stroke: {SERIES[i % len(SERIES)]}; stroke-width: {width:g}"
    dashes = DASHES[i // len(SERIES) % len(DASHES)]
    faint = f"; stroke-opacity: {opacity:g}" if opacity < 1 else ""
    return f'<path d="{way}" style="{style}; stroke-linejoin: round{dashes}{faint}"/>\n'


def markers(i: int, points: Sequence[Point | None]) -> str:
    """The markers of the i-th series."""
    marker = MARKERS[i % len(MARKERS)]
    shapes = "".join(f"M{p[0]:.1f} {p[1]:.1f}{marker}" for p in points if p)
    colour = SERIES[i % len(SERIES)]
    return f'<path d="{shapes}" style="fill: {colour}; stroke: {colour}"/>\n'
