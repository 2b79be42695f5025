"""The names that sambench exports, as a notebook uses them."""

import inspect
import re
from dataclasses import fields, replace

import numpy as np
import pytest

import sambench
from sambench.engine.settings import Settings
from sambench.errors import UserError
from sambench.metrics.statistics import Estimate
from sambench.registry import find, load
from sambench.store.display import html_table
from sambench.store.kept import parse_keep

NAN = Estimate(np.nan, np.nan, np.nan)


def measure(model, folder, **more):
    settings = {"limit": 3, "output": folder, "progress": False, "resamples": 50, **more}
    return sambench.evaluate("points", model=model, dataset="mini", **settings)


def one(model, folder, **more):
    """`measure` where the numbers do not matter."""
    return measure(model, folder, limit=1, **more)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    return [measure(f"superpixel:segments={n}", folder, points=1) for n in (20, 80)]


def test_what_is_exported_is_listed_and_there():
    assert set(sambench.__all__) <= set(dir(sambench))
    assert [name for name in sambench.__all__ if not callable(getattr(sambench, name))] == []
    assert [name for name in dir(sambench) if not hasattr(sambench, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        _ = sambench.evaluat


def test_evaluate_spells_out_the_settings_with_their_defaults():
    given = inspect.signature(sambench.evaluate).parameters
    for field in fields(Settings):
        if field.name == "predictions":
            assert parse_keep(given[field.name].default) == field.default
        # A folder may be text, fresh follows the parts.
        elif field.name not in {"output", "fresh"}:
            assert given[field.name].default == field.default, field.name
    assert set(given) - {f.name for f in fields(Settings)} == {
        "task",
        "model",
        "dataset",
        "device",
        "options",
    }
    words = inspect.getdoc(sambench.evaluate)
    assert [name for name in given if f"\n    {name}: " not in words] == []


def test_options_of_the_task_are_keywords(tmp_path, pair):
    assert pair[0].protocol["task"]["points"] == 1
    three = one("superpixel", tmp_path / "three", points="3", feedback=False)
    assert three.protocol["task"]["points"] == 3
    preset = one("superpixel", tmp_path / "preset", preset="efficientvit").protocol["task"]
    assert {**preset, **find("task", "points").presets["efficientvit"]} == preset
    task = load("task", "points:points=5")
    made = sambench.evaluate(
        task, model="superpixel", dataset="mini", limit=1, output=tmp_path, progress=False,
        points=1, resamples=0,
    )  # fmt: skip
    assert made.protocol["task"]["points"] == 1
    assert task.points == 5


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("points", {"limt": 2}, "evaluate nor task points takes 'limt'; did you mean limit?"),
        ("points", {"point": 2}, "task points takes 'point'; did you mean points"),
        ("edges", {"side": 4}, "task edges takes 'side'; did you mean points_per_side"),
        ("points", {"points": 0}, "points:points=0 is too small; give 1 or more."),
        ("points", {"points": "many"}, "points:points=many is not a whole number"),
        ("points", {"preset": "efficientvi"}, "no preset 'efficientvi'; did you mean efficientvit"),
        (load("task", "points"), {"point": 1}, "neither evaluate nor task points takes 'point'"),
        (load("task", "points"), {"points": 0}, "points=0 is too small; give 1 or more."),
    ],
)  # fmt: skip
def test_an_unknown_argument_is_refused_with_the_nearest(task, options, said, tmp_path):
    with pytest.raises(UserError, match=re.escape(said)):
        sambench.evaluate(task, model="superpixel", dataset="mini", output=tmp_path, **options)


def test_a_result_is_read_from_its_file_its_records_or_its_folder(pair):
    first, second = pair
    assert first.path.is_file()
    records = first.path.with_name(first.path.stem + ".records.jsonl")
    for path in (first.path, str(first.path), records):
        read = sambench.load_result(path)
        assert read.to_json() == first.to_json()
        assert read.path == first.path
    assert "path" not in first.to_json()
    with pytest.raises(UserError, match=rf"holds 2 results; name one, such as {first.path.parent}"):
        sambench.load_result(first.path.parent)
    with pytest.raises(UserError, match="does not exist"):
        sambench.load_result(first.path.with_name("none.json"))
    assert second != first


def test_a_comparison_takes_results_and_paths(pair):
    first, second = pair
    found = sambench.compare(first, str(second.path), resamples=50)
    row = found.metrics["mIoU"]
    assert (row.first, row.second) == tuple(r.metrics["mIoU"].value for r in pair)
    frame = found.to_pandas()
    assert frame.loc["mIoU", "difference"] == row.second - row.first
    assert list(frame.columns) == ["first", "second", "difference", "low", "high", "p"]
    html = found._repr_html_()
    assert f"<td>{100 * row.first:.1f}</td><td>{100 * row.second:.1f}</td>" in html
    assert f"<td>{100 * (row.second - row.first):+.1f}</td>" in html
    with pytest.raises(UserError, match="is in no file, so it has no records; give the path"):
        sambench.compare(replace(first, path=None), second)


def test_images_are_rows_of_a_table(pair):
    frame = sambench.to_pandas(pair[0], per_image=True)
    assert list(frame.index) == list(load("dataset", "mini").ids[:3])
    assert frame.index.name == "image"
    assert {"mIoU", "seconds_embed"} <= set(frame.columns)
    single = one("superpixel:segments=20", pair[0].path.parents[2] / "one", points=1)
    assert frame["mIoU"].iloc[0] == single.metrics["mIoU"].value
    metrics = sambench.to_pandas(pair[0].path)
    assert metrics.loc["mIoU", "value"] == pair[0].metrics["mIoU"].value
    assert metrics.equals(pair[0].to_pandas())


def test_a_result_is_a_table_with_a_legend(pair):
    result = pair[0]
    html, value = result._repr_html_(), result.metrics["mIoU"]
    assert "points on mini with superpixel-segments=20: 3 images" in html
    assert f"<td>mIoU</td><td>%</td><td>{100 * value.value:.1f}</td><td></td>" in html
    assert f": {value.withheld}</p>" in html
    known = replace(value, low=0.125, high=0.5, withheld="")
    html = replace(result, metrics={**result.metrics, "mIoU": known})._repr_html_()
    assert f"<td>{100 * value.value:.1f}</td><td>12.5 to 50.0</td>" in html
    assert "<td>mean IoU over objects after the first prompt</td>" in html
    assert f"<p>{result.note}</p>" in html
    failed = replace(result, failed={"a<b>": "x & y"}, metrics={**result.metrics, "mIoU": NAN})
    html = failed._repr_html_()
    assert "<p>Image a&lt;b&gt; failed: x &amp; y</p>" in html
    assert "<td>mIoU</td><td>%</td><td>\N{EN DASH}</td><td></td>" in html
    assert "These images have nothing that mIoU measures." in html


def test_every_text_of_a_table_is_escaped():
    html = html_table("<t>", ["<h>"], [["<c>"]], ["<n>"])
    assert re.findall(r"&lt;(\w)&gt;", html) == ["t", "h", "c", "n"]
    assert "<t>" not in html


def test_the_card_names_the_preset_and_what_was_given_otherwise(tmp_path):
    card = one("superpixel", tmp_path / "preset", preset="efficientvit").protocol
    assert card["preset"] == "efficientvit"
    other = one("superpixel", tmp_path / "other", preset="efficientvit", points=2).protocol
    assert other["preset"] == "efficientvit, but for points"
    assert "preset" not in one("superpixel", tmp_path / "none").protocol
    left_open = one("superpixel", tmp_path / "open", preset="efficientsam").protocol
    assert left_open["preset"] == "efficientsam; its paper leaves open crowd, seed"
