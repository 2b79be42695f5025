"""Pages from the templates in templates/: whatever is data is escaped, always."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

import sambench
from sambench.report.leaderboard import show_ranks
from sambench.report.pages.cells import number_cell, word
from sambench.report.pages.links import board_address, browser_address, safe_link, task_address
from sambench.report.pages.svg import Plot, inline_svg

HERE = Path(__file__).parent
FILTERS = (
    board_address, browser_address, inline_svg, number_cell, safe_link, show_ranks, task_address,
    word,
)  # fmt: skip


@dataclass(frozen=True)
class Page:
    """A page before it is written.

    Attributes:
        address: its file.
        template: its template in templates/.
        title: its title.
        data: what the template shows, by name.
        plots: its plots, whose files are written beside it.
    """

    address: str
    template: str
    title: str
    data: Mapping[str, Any]
    plots: Sequence[Plot] = ()


@cache
def environment() -> Environment:
    """The templates with the filters that they use; a name that is not given is an error."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {shown.__name__: shown for shown in FILTERS}
    found.globals |= {"asset": asset, "version": sambench.__version__}
    found.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return found


@cache
def asset(name: str) -> Markup:
    """A file of assets/, put in as it is: a style or a script of our own, never data."""
    return Markup((HERE / "assets" / name).read_text(encoding="utf-8"))  # noqa: S704


def render(page: Page, links: Sequence[tuple[str, str]] = ()) -> str:
    """The HTML of a page.

    Args:
        page: the page.
        links: navigation, (address, text).
    """
    template = environment().get_template(page.template)
    return template.render(page.data, title=page.title, here=page.address, links=links)
