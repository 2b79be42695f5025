"""Names of models in plots: none leaves its figure, and all can be told apart."""

import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sambench.metrics.statistics import Estimate
from sambench.report.pages import plots
from sambench.report.pages.names import in_full, shorten, shortened, wrapped
from sambench.report.pages.plots import Dot
from sambench.shown import Curve, Metric

LONG = [f"{i}_a_model_whose_name_has_sixty_letters_and_is_written_in_full_{i}" for i in range(9)]


@pytest.fixture
def figure(monkeypatch):
    """The figure of a plot, as it is drawn."""
    drawn = []

    def draw(name, caption, paint, size=plots.SIZE):
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


def test_names_of_bars_and_what_is_below_them_stay_inside(figure):
    label = f"mIoU, %: {LONG[0]} over {LONG[1]} in words that go on for more than a line"
    drawn, caption = figure("bars", dict.fromkeys(LONG, 4.0), label, "Gains.")
    assert not leaving(drawn)
    assert all(name in caption for name in LONG)


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
