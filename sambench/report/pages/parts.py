"""Pieces that all pages are made of: the frame, tables, figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import sambench
from sambench.report.pages.markup import Child, Markup, join, tag
from sambench.report.pages.plots import Plot, inline_svg

POLICY = (
    "default-src 'none'; img-src 'self' data: file:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)
"""A page may show its own pictures and run its own scripts; it fetches nothing."""
FILTERED = 6
"""A shorter table needs no filter."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        content: text or markup.
        value: what to sort by, if not the text.
        kind: CSS class: n for numbers, note for long text.
    """

    content: Child
    value: float | str | None = None
    kind: str = ""


@cache
def asset(name: str) -> str:
    """A file of the folder assets/."""
    return (files("sambench.report.pages") / "assets" / name).read_text(encoding="utf-8")


def page(
    title: str, body: Sequence[Child], links: Sequence[tuple[str, str]], here: str, *scripts: str
) -> str:
    """A whole page.

    Args:
        title: of the page.
        body: its content.
        links: navigation, (address, text).
        here: address of this page.
        scripts: names of scripts in assets/ beside page.js.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"{title} · sambench"),
        tag("style", Markup(asset("style.css"))),
    )
    content = tag(
        "body",
        tag("a", "Skip to content", class_="skip", href="#content"),
        _header(links, here),
        tag("main", *body, id="content"),
        tag(
            "footer",
            tag("p", f"Made by sambench {sambench.__version__}. Intervals are 95 %."),
            class_="site",
        ),
        *(tag("script", Markup(asset(name))) for name in ("page.js", *scripts)),
    )
    return f"<!doctype html>\n{tag('html', head, content, lang='en')}\n"


def _header(links: Sequence[tuple[str, str]], here: str) -> Markup:
    items = [
        tag("a", text, href=address, aria_current="page" if address == here else None)
        for address, text in links
    ]
    themes = [tag("option", f"{word} theme", value=word) for word in ("system", "light", "dark")]
    chooser = tag("select", themes, id="theme", aria_label="colour theme")
    name = tag("a", "sambench", class_="name", href="index.html")
    return tag(
        "header", tag("div", name, tag("nav", items, aria_label="pages"), chooser), class_="site"
    )


def table(
    id: str,
    head: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Cell]],
    caption: str,
    *,
    down: frozenset[int] = frozenset(),
) -> Markup:
    """A table that sorts, filters and turns pages.

    Args:
        id: unique on the page.
        head: text and kind (n for numbers) of each column.
        rows: cells; the first of each row is its head.
        caption: what the table is, for those who cannot see where it stands.
        down: columns that a first click sorts descending, as where more is better.
    """
    heads = [
        tag(
            "th",
            tag("button", text, type="button"),
            scope="col",
            class_=kind or None,
            aria_sort="none",
            data_first="descending" if i in down else None,
        )
        for i, (text, kind) in enumerate(head)
    ]
    body = [tag("tr", [_cell(cell, first=i == 0) for i, cell in enumerate(row)]) for row in rows]
    grid = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", heads)),
        tag("tbody", body),
        id=id,
        class_="sortable",
    )
    return join(
        [
            _tools(id) if len(rows) >= FILTERED else None,
            tag("div", grid, class_="scroll", tabindex="0", role="region", aria_label=caption),
        ]
    )


def _cell(cell: Cell, *, first: bool) -> Markup:
    return tag(
        "th" if first else "td",
        cell.content,
        class_=cell.kind or None,
        data_value=cell.value,
        scope="row" if first else None,
    )


def _tools(id: str) -> Markup:
    search = tag("input", type="search", aria_controls=id, placeholder="filter rows")
    return tag(
        "div",
        tag("label", "Filter ", search),
        tag("span", role="status", aria_live="polite"),
        tag("button", "Previous", type="button", hidden=True),
        tag("button", "Next", type="button", hidden=True),
        id=f"{id}-tools",
        class_="tools",
    )


def plain_table(head: Sequence[str], rows: Sequence[Sequence[Child]], caption: str) -> Markup:
    """A small table that stands as it is."""
    heads = tag("tr", [tag("th", text, scope="col") for text in head])
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            [tag("td", cell, class_="wrap") for cell in row[1:]],
        )
        for row in rows
    ]
    grid = tag("table", tag("caption", caption), tag("thead", heads), tag("tbody", body))
    return tag("div", grid, class_="scroll", tabindex="0", role="region", aria_label=caption)


def facts_table(facts: dict[str, Any], caption: str) -> Markup:
    """Names and values, one below the other."""
    body = [
        tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in facts.items()
    ]
    grid = tag("table", tag("caption", caption), tag("tbody", body), class_="facts")
    return tag("div", grid, class_="scroll", tabindex="0", role="region", aria_label=caption)


def figure(plot: Plot) -> Markup:
    """A plot with its caption and its files."""
    files_ = [
        Markup(" "),
        tag("a", "SVG", href=f"plots/{plot.name}.svg"),
        Markup(" "),
        tag("a", "PNG", href=f"plots/{plot.name}.png"),
    ]
    return tag("figure", inline_svg(plot), tag("figcaption", plot.caption, files_))


def figures(plots: Sequence[Plot], *, uneven: bool = False) -> Markup:
    """Plots side by side where there is room, or column by column where heights are uneven."""
    kind = "plots uneven" if uneven else "plots"
    return tag("div", [figure(plot) for plot in plots], class_=kind) if plots else Markup()
