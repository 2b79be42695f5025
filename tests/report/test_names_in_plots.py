"""Names of models in plots: none leaves its figure, and all can be told apart."""

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

from sambench.metrics.statistics import Estimate
from sambench.report.pages.axes import Axis, round_numbers, round_powers
from sambench.report.pages.bars import bars, histogram
from sambench.report.pages.drawing import HEIGHT, WIDTH
from sambench.report.pages.names import in_full, shorten, shortened, wrapped
from sambench.report.pages.pareto import Dot, pareto
from sambench.report.pages.plots import curves_plot
from sambench.report.pages.svg import LINE, SERIES
from sambench.shown import Curve, Histogram, Metric

LONG = [f"{i}_a_model_whose_name_has_sixty_letters_and_is_written_in_full_{i}" for i in range(9)]


def leaving(plot):
    """The texts that leave the figure, as the page's widest font has them."""
    width, height = map(float, ElementTree.fromstring(plot.svg).get("viewBox").split()[2:])
    return [
        text
        for text, low, high, across, turned in placed(plot.svg)
        if low < 0
        or high > (height if turned else width)
        or not 4 < across < (width if turned else height) - 4
    ]


def ways(plot):
    """The lines of a plot: the colour and the points of each."""
    found = []
    for path in ElementTree.fromstring(plot.svg).iter("{http://www.w3.org/2000/svg}path"):
        colour = re.search(r"stroke: (#\w+)", path.get("style"))[1]
        if not re.search("[a-z]", path.get("d")):  # markers have curves
            pairs = re.findall(r"[ML]([\d.]+) ([\d.]+)", path.get("d"))
            found.append((colour, [(float(x), float(y)) for x, y in pairs]))
    return found


@pytest.mark.parametrize("cost", [[1, 2, 3], [1, 50, 900], [5, 5, 5]])
def test_names_beside_dots_stay_inside(cost):
    dots = [
        Dot(name, c, Estimate(50 + i, 45, 60), "cpu")
        for i, (name, c) in enumerate(zip(LONG[:3], cost, strict=True))
    ]
    plot = pareto("p", dots, Metric("ODS", ""), "images/s", more_is_better=True)
    assert not leaving(plot)
    assert all(name in plot.caption for name in LONG[:3])
    names = [box for box in placed(plot.svg) if "…" in box[0]]
    assert len(names) == 3
    assert all(
        a[2] < b[1] or b[2] < a[1] or abs(a[3] - b[3]) > 7 for a, b in combinations(names, 2)
    )


@pytest.mark.parametrize("names", [LONG[:2], LONG, ["sobel", "canny"]])
def test_legends_stay_inside_the_figure(names):
    curves = {name: Curve("c", (0.1, 0.9), (0.2, 0.7), equal_f=True) for name in names}
    plot = curves_plot("p", curves)
    assert not leaving(plot)
    assert all(name in plot.caption for name in names if len(name) > 56)
    heights = [abs(way[0][1] - way[1][1]) for _, way in ways(plot) if way[0][0] == way[1][0]]
    assert max(heights) > 200  # a legend takes no room from the lines


def test_a_legend_is_where_it_covers_no_line():
    rising = curves_plot("p", {"a": Curve("c", (0.0, 1.0), (0.0, 1.0))})
    falling = curves_plot("p", {"a": Curve("c", (0.0, 1.0), (1.0, 0.0))})
    (left,), (right,) = (
        [box for box in placed(plot.svg) if box[0] == "a"] for plot in (rising, falling)
    )
    assert (left[1] < WIDTH / 2 < right[1], left[3] < HEIGHT / 2, right[3] < HEIGHT / 2) == (
        True, True, True,
    )  # fmt: skip


def test_points_of_a_curve_stand_where_their_values_are():
    """Equal factors are equally far apart on a logarithmic axis; what is undefined is a gap."""
    nan = float("nan")
    curve = Curve(
        "c", (1, 10, 100, 150, 1000), (0.0, 0.25, 1.0, nan, 0.5), log=True, unit="percent"
    )
    plot = curves_plot("p", {"a": curve})
    (_, way), *_ = [found for found in ways(plot) if found[0] == SERIES[0]]
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = way
    assert [x2 - x1, x3 - x2] == pytest.approx([x1 - x0] * 2, abs=0.11)
    assert [y0 - y1, y0 - y3] == pytest.approx([(y0 - y2) / 4, (y0 - y2) / 2], abs=0.11)
    (line,) = re.findall(r'd="([^"a-z]+)"[^>]*stroke-width: 1.6', plot.svg)[:1]
    assert re.sub(r"[\d. ]", "", line) == "MLLM"
    assert {text for text, *_ in placed(plot.svg)} >= {"1", "10", "100", "1000", "50", "c %", "a"}


def placed(svg):
    """Each text with its ends along it, its middle across, and whether it is turned."""
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
        turned = text.get("transform") is not None
        along, across = (float(text.get(side)) for side in ("yx" if turned else "xy"))
        low, high = along - shift * width, along + (1 - shift) * width
        boxes.append((text.text, low, high, across, turned))
    return boxes


def test_names_of_bars_and_what_is_below_them_stay_inside():
    label = f"mIoU, %: {LONG[0]} over {LONG[1]} in words that go on for more than a line"
    for value in (4.0, -4.0, 0.0):
        plot = bars("p", {**dict.fromkeys(LONG, value), "W" * 28: 100}, label, "Gains.")
        assert not leaving(plot)
        assert all(name in plot.caption for name in LONG)


def test_names_of_a_histogram_stay_inside():
    counted = Histogram(LONG[0] * 2, (0.0, 0.5, 1.0), (1234567, 2), y_label="objects " * 9)
    plot = histogram("p", counted)
    assert not leaving(plot)
    assert sum(turned for *_, turned in placed(plot.svg)) == 3


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


def test_the_line_of_equal_x_and_y_is_drawn_and_said():
    plot = curves_plot("p", {"a": Curve("c", (0.0, 1.0), (1.0, 0.0), diagonal=True)})
    (((left, top), (right, bottom)),) = [way for colour, way in ways(plot) if colour == SERIES[0]][
        :1
    ]
    assert (LINE, [(left, bottom), (right, top)]) in ways(plot)
    assert "both are equal" in plot.caption
    plain = curves_plot("p", {"a": Curve("c", (0.2, 0.9), (0.4, 0.7))})
    assert "both are equal" not in plain.caption


def test_lines_of_equal_f_end_where_precision_and_recall_are_1():
    plot = curves_plot("p", {"a": Curve("c", (0.0, 1.0), (1.0, 0.0), equal_f=True)})
    (((left, top), (right, bottom)),) = [way for colour, way in ways(plot) if colour == SERIES[0]][
        :1
    ]
    grey = [way for colour, way in ways(plot) if colour == LINE]
    assert len(grey) == 9
    for f, way in zip(range(1, 10), grey, strict=True):
        least = f / (20 - f)
        assert way[0] == pytest.approx((left + least * (right - left), top), abs=0.11)
        assert way[-1] == pytest.approx((right, bottom - least * (bottom - top)), abs=0.11)


def test_numbers_of_a_logarithmic_axis():
    assert round_powers(0.8, 120) == [1, 2, 5, 10, 20, 50, 100]
    assert round_powers(0.003, 4000) == [0.01, 0.1, 1, 10, 100, 1000]
    assert list(Axis(6, 9, 0, 1, log=True).ticks()) == [6, 6.5, 7, 7.5, 8, 8.5, 9]
