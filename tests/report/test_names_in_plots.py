"""Names of models in plots: none leaves its figure, and all can be told apart."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

from sambench.metrics.statistics import Estimate
from sambench.report.pages import plots
from sambench.report.pages.bars import HEIGHT, WIDTH, bars, histogram, round_numbers
from sambench.report.pages.names import in_full, shorten, shortened, wrapped
from sambench.report.pages.plots import Dot
from sambench.shown import Curve, Histogram, Metric

LONG = [f"{i}_a_model_whose_name_has_sixty_letters_and_is_written_in_full_{i}" for i in range(9)]


@pytest.fixture
def figure(monkeypatch):
    """The figure of a plot, as it is drawn."""
    drawn = []

    def draw(name, caption, paint, size=plots.SIZE, png=None):
        with rc_context(plots.STYLE):
            own = Figure(figsize=size, layout="constrained")
            FigureCanvasAgg(own)
            paint(own.subplots())
            own.canvas.draw()
        drawn.append(own)
        return caption

    monkeypatch.setattr(plots, "_draw", draw)

    def made(plot, *arguments, **options):
        caption = getattr(plots, plot)("p", *arguments, **options)
        return drawn[-1], caption

    return made


def leaving(figure):
    """The texts that leave the figure."""
    axes = figure.axes[0]
    labels = [text for legend in figure.legends for text in legend.get_texts()]
    low, high = axes.get_ylim()
    ticks = [text for text in axes.get_yticklabels() if low <= text.get_position()[1] <= high]
    ticks += [axes.xaxis.label, axes.yaxis.label]
    own = axes.get_legend()
    inside = own.get_texts() if own else []
    boxes = {
        text.get_text(): text.get_window_extent()
        for text in [*axes.texts, *labels, *ticks, *inside]
    }
    edge = figure.bbox
    return [
        text
        for text, box in boxes.items()
        if text and (box.x0 < edge.x0 or box.x1 > edge.x1 or box.y0 < edge.y0 or box.y1 > edge.y1)
    ]


@pytest.mark.parametrize("cost", [[1, 2, 3], [1, 50, 900], [5, 5, 5]])
def test_names_beside_dots_stay_inside_the_axes(figure, cost):
    dots = [
        Dot(name, c, Estimate(50 + i, 45, 60), "cpu")
        for i, (name, c) in enumerate(zip(LONG[:3], cost, strict=True))
    ]
    drawn, caption = figure("pareto", dots, Metric("ODS", ""), "images/s", more_is_better=True)
    axes = drawn.axes[0]
    for text in axes.texts:
        box, frame = text.get_window_extent(), axes.get_window_extent()
        assert box.x0 > frame.x0
        assert box.x1 < frame.x1 + 4
    assert not leaving(drawn)
    assert all(name in caption for name in LONG[:3])


@pytest.mark.parametrize("names", [LONG[:2], LONG, ["sobel", "canny"]])
def test_legends_stay_inside_the_figure(figure, names):
    curves = {name: Curve("c", (0.1, 0.9), (0.2, 0.7), equal_f=True) for name in names}
    drawn, caption = figure("curves_plot", curves)
    assert not leaving(drawn)
    assert all(name in caption for name in names if len(name) > 56)
    axes = drawn.axes[0]
    assert axes.get_window_extent().height > 200  # a legend takes no room from the lines


def placed(svg):
    """Each text of bars with its box, as the page's widest font has it: x0, x1."""
    font = FT2Font(findfont("DejaVu Sans"))
    boxes = []
    for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        size = float(re.search(r"font: ([\d.]+)px", text.get("style"))[1])
        font.set_size(size, 72)
        font.set_text(text.text)
        width = font.get_width_height()[0] / 64
        shift = {"start": 0, "middle": 0.5, "end": 1}[
            re.search(r"text-anchor: (\w+)", text.get("style"))[1]
        ]
        along = float(text.get("y" if text.get("transform") else "x"))
        boxes.append((text.text, along - shift * width, along + (1 - shift) * width))
    return boxes


def test_names_of_bars_and_what_is_below_them_stay_inside():
    label = f"mIoU, %: {LONG[0]} over {LONG[1]} in words that go on for more than a line"
    for value in (4.0, -4.0, 0.0):
        plot = bars("p", {**dict.fromkeys(LONG, value), "W" * 28: 100}, label, "Gains.")
        assert not [text for text, low, high in placed(plot.svg) if low < 0 or high > WIDTH]
        assert all(name in plot.caption for name in LONG)


def test_names_of_a_histogram_stay_inside():
    counted = Histogram(LONG[0] * 2, (0.0, 0.5, 1.0), (1234567, 2), y_label="objects " * 9)
    plot = histogram("p", counted)
    upright = [box for box in placed(plot.svg) if "objects" not in box[0]]
    assert not [text for text, low, high in upright if low < 0 or high > WIDTH]
    beside = [box for box in placed(plot.svg) if "objects" in box[0]]
    assert not [text for text, low, high in beside if low < 0 or high > HEIGHT]


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0, 1, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-2.5, 4.25, False, [-2, 0, 2, 4]),
        (0, 1122, True, [0, 200, 400, 600, 800, 1000]),
        (0, 2.1, True, [0, 1, 2]),
        (0, 94.3, False, [0, 20, 40, 60, 80]),
    ],
)
def test_numbers_of_an_axis_are_round(low, high, whole, expected):
    assert round_numbers(low, high, whole=whole) == expected


def test_bars_are_as_long_as_their_values():
    """From zero on, those below it to the left; a histogram's are as high as its counts."""
    svg = bars("p", {"a": 4.0, "b": -1.0, "c": 0.0}, "x", "c").svg
    long, below, none = rectangles(svg)
    assert long["width"] == pytest.approx(4 * below["width"], abs=0.05)
    assert below["x"] + below["width"] == pytest.approx(long["x"], abs=0.02)
    assert none["width"] == 0
    one, two = rectangles(histogram("p", Histogram("IoU", (0, 1, 3), (1, 3))).svg)
    assert two["height"] == pytest.approx(3 * one["height"], abs=0.05)
    assert two["width"] == pytest.approx(2 * one["width"], abs=0.05)


def rectangles(svg):
    found = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect")
    sizes = ("x", "y", "width", "height")
    return [{name: float(each.get(name)) for name in sizes} for each in found]


def test_the_middle_is_left_out_and_no_two_are_written_alike():
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghijk", 10) == "abcde…hijk"
    names = [f"same beginning {i} same end" for i in range(3)]
    written = shortened(names, 16)
    assert len({*written.values()}) == 3
    assert all(len(text) <= 16 for text in written.values())
    assert wrapped("word " * 99, 20).count("\n") == 2  # a label does not take the axes' place
    assert in_full({"a": "a"}) == ""
    assert in_full({"abc": "a…c"}) == "a…c is abc."


def test_the_line_of_equal_x_and_y_is_drawn_and_said(figure):
    curve = Curve("reliability", (0.2, 0.9), (0.4, 0.7), diagonal=True)
    drawn, caption = figure("curves_plot", {"a": curve})
    axes = drawn.axes[0]
    lines = [[*line.get_xdata(), *line.get_ydata()] for line in axes.lines]
    assert [0, 1, 0, 1] in lines
    assert axes.get_xlim() == (0, 1)
    assert "both are equal" in caption
    _, plain = figure("curves_plot", {"a": Curve("c", (0.2, 0.9), (0.4, 0.7))})
    assert "both are equal" not in plain
