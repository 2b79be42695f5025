"""Following objects as a task: prompts, files of both formats, what counts."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from sambench.cli import main
from sambench.errors import UserError
from sambench.interfaces import Sample
from sambench.masks.rle import decode, encode
from sambench.registry import load
from sambench.tasks._tracking import palette, read_tracks, write_apart, write_tracks
from sambench.video.interfaces import BOXES, MASKS, POINTS
from sambench.video.tracks import Tracks
from tests.clip_runs import CLIPS, bytes_of, run
from tests.parts.clips import PATHS, SIZE, Drawn, square, tracks


def predict(spec, paths, model="still"):
    task, follower = load("task", spec), load("model", model)
    sample = Sample("clip", Drawn(paths), tracks(paths))
    [state] = follower.embed([sample.image])
    return task, task.predict(follower, state, sample), sample.truth


def test_each_object_is_told_of_where_it_appears_and_followed_from_there():
    _, found, truth = predict("video_object", PATHS["two"])
    assert found.frames == truth.frames
    areas = {id: [int(decode([rle]).sum()) for rle in own] for id, own in found.masks.items()}
    assert areas[2] == [0, 0, 81, 81, 81]
    assert areas[1] == [49] * 5


def test_what_overlaps_is_of_the_first_object_unless_masks_may_overlap():
    paths = {1: [(2, 2, 8)] * 3, 2: [(6, 2, 8)] * 3}
    for spec, own in (("video_object", 64 - 32), ("video_object:exclusive=false", 64)):
        _, found, _ = predict(spec, paths)
        assert [int(decode([rle]).sum()) for rle in found.masks[2]] == [own] * 3


def test_kinds_of_prompt_are_asked_of_the_model():
    needs = {p: load("task", f"video_object:prompt={p}").needs for p in ("mask", "box", "3-click")}
    assert needs == {"mask": {MASKS}, "box": {BOXES}, "3-click": {POINTS}}


class Clicked:
    """Notes clicks and answers with the object less a pixel."""

    def __init__(self, answer):
        self.answer, self.clicks = answer, []

    def add(self, state, frame, id, prompt):
        self.clicks = prompt.points.tolist(), prompt.labels.tolist()
        return self.answer


@pytest.mark.parametrize("count", [1, 3, 5])
def test_clicks_go_to_the_centre_and_then_to_the_larger_error(count):
    from sambench.tasks._tracking import Target, click_on

    mask = square((4, 4, 9))
    answer = mask.copy()
    answer[4:7, 4:7] = False
    model = Clicked(answer)
    clicks = click_on(model, None, Target(0, 1, mask), count)
    assert clicks[0] == (8, 8, True)
    assert all(click.positive and click.x < 7 and click.y < 7 for click in clicks[1:])
    assert len(model.clicks[0]) == count
    right = Clicked(mask)
    assert len(click_on(right, None, Target(0, 1, mask), count)) == 1


def test_scores_leave_out_the_first_and_the_last_annotated_frame():
    task, found, truth = predict("video_object", PATHS["one"])
    record = json.loads(json.dumps(task.score(found, truth)))
    j = record["objects"]["1"]["j"]
    moved = [8 * (8 - 2 * t) / (128 - 8 * (8 - 2 * t)) for t in range(1, 4)]
    assert j == [None, *map(pytest.approx, [*moved, 0.0]), None]
    measured = task.estimator([record])(np.ones(1))
    assert measured["J"] == pytest.approx(sum(moved) / 4)
    assert measured["J&F"] == pytest.approx((measured["J"] + measured["F"]) / 2)
    assert measured["J-recall"] == pytest.approx(1 / 4)
    assert [curve.name for curve in task.curves([record])] == [
        "J-time", "F-time", "J&F of objects"
    ]  # fmt: skip


def test_an_object_that_comes_later_counts_by_the_rule_of_sav_alone():
    _, found, truth = predict("video_object", PATHS["two"])
    counted = {
        rule: list(load("task", f"video_object:rule={rule}").score(found, truth)["objects"])
        for rule in ("davis", "sav")
    }
    assert counted == {"davis": ["1"], "sav": ["1", "2"]}


def test_objects_that_do_not_count_are_told_of(tmp_path, capsys):
    """Of three objects that are scored by SA-V's rule, DAVIS's counts two; the table says so."""
    said = "1 object of 1 clip that the first annotated frame does not number count in no metric"
    for rule, objects in (("davis", 3), ("sav", 4)):
        run(tmp_path, "--workers=0", f"--rule={rule}")
        table = capsys.readouterr().out
        assert f"3 clips, {objects} objects" in table
        assert (said in table) == (rule == "davis")


@pytest.mark.parametrize("spec", ["video_object", "video_object:exclusive=false"])
def test_predictions_survive_their_files(spec, tmp_path):
    for name, paths in PATHS.items():
        task, found, truth = predict(spec, paths)
        stem = task.save(found, tmp_path / spec.partition(":")[2] / name)
        assert task.score(task.load(stem), truth) == task.score(found, truth)


def test_label_maps_have_the_colours_of_davis(tmp_path):
    paths = PATHS["two"]
    write_tracks(tracks(paths), tmp_path / "clip")
    image = Image.open(tmp_path / "clip" / "00002.png")
    assert image.mode == "P"
    assert np.unique(np.asarray(image)).tolist() == [0, 1, 2]
    assert [*palette()[:12]] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    assert bytes(image.getpalette()) == palette()
    write_apart(tracks(paths), tmp_path / "apart")
    assert sorted(path.name for path in (tmp_path / "apart").iterdir()) == ["001", "002"]
    assert read_tracks(tmp_path / "apart").masks == read_tracks(tmp_path / "clip").masks


def test_a_single_object_may_have_any_value_as_in_davis_2016(tmp_path):
    truth = tracks(PATHS["one"])
    folder = tmp_path / "one"
    folder.mkdir()
    for name, path in zip(truth.frames, PATHS["one"][1], strict=True):
        Image.fromarray(square(path).astype(np.uint8) * 255).save(folder / f"{name}.png")
    task = load("task", "video_object")
    assert set(task.score(task.load(folder), truth)["objects"]["1"]["j"]) == {None, 1.0}


def test_files_that_do_not_fit_are_refused(tmp_path):
    truth = tracks(PATHS["two"])
    task = load("task", "video_object")
    with pytest.raises(UserError, match="is not there"):
        task.load(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no PNG"):
        task.load(tmp_path / "empty")
    stem = task.save(truth, tmp_path / "clip")
    (stem / "00003.png").unlink()
    with pytest.raises(UserError, match="nothing is predicted for object 1 in frame 00003"):
        task.score(task.load(stem), truth)
    Image.fromarray(np.full(SIZE, 7, dtype=np.uint8)).save(stem / "00003.png")
    with pytest.raises(UserError, match="object 7 is predicted, and its objects are 1, 2"):
        task.score(task.load(stem), truth)
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(stem / "00003.png")
    with pytest.raises(UserError, match="a clip has one"):
        task.load(stem)
    small = Tracks(truth.frames, (4, 4), {1: (encode(np.zeros((1, 4, 4), bool))[0],) * 5})
    with pytest.raises(UserError, match="save them at the size"):
        task.score(small, truth)
    large = Tracks(truth.frames, SIZE, {300: truth.masks[1]})
    with pytest.raises(UserError, match="give --exclusive false"):
        task.save(large, tmp_path / "large")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder, "--workers=0") == 0
    return bytes_of(folder)


def test_workers_batches_and_shards_move_nothing(tmp_path, whole):
    assert run(tmp_path / "a", "--workers=1", "--batch=2") == 0
    assert bytes_of(tmp_path / "a") == whole
    for number in (2, 1):
        run(tmp_path / "b", "--workers=0", f"--shard={number}/2")
    assert main(["merge", str(tmp_path / "b"), f"--output={tmp_path / 'c'}", "--resamples=0"]) == 0
    assert bytes_of(tmp_path / "c") == whole


def test_saved_predictions_score_the_same_and_so_do_foreign_ones(tmp_path, whole, capsys):
    run(tmp_path / "run", "--workers=0")
    [own] = (path for path in tmp_path.rglob("*.predictions") if path.is_dir())
    score = ["score", "--task=video_object", f"--dataset={CLIPS}", "--resamples=0", "--workers=0"]
    assert main([*score, f"--predictions={own}", f"--output={tmp_path / 'own'}"]) == 0
    foreign = tmp_path / "foreign"
    for name in PATHS:
        (foreign / name).mkdir(parents=True)
        for file in (own / name).iterdir():
            (foreign / name / file.name).write_bytes(file.read_bytes())
    assert main([*score, f"--predictions={foreign}", f"--output={tmp_path / 'other'}"]) == 0
    records = [
        [
            json.loads(line)["record"]
            for line in path.read_bytes().splitlines()
            if b'"record"' in line
        ]
        for folder in ("run", "own", "other")
        for path in (tmp_path / folder).rglob("*.records.jsonl")
    ]
    assert records[0] == records[1] == records[2]
    capsys.readouterr()


def test_frames_a_second_are_told(tmp_path, capsys):
    run(tmp_path, "--workers=0")
    assert "frames/s for the model" in capsys.readouterr().out
    [result] = (path for path in tmp_path.rglob("*.json") if "predictions" not in str(path))
    timing = json.loads(result.read_text())["timing"]
    assert timing["latency"]["median"] > 0
    assert timing["frames_per_second"] > timing["images_per_second"]


def test_an_image_model_is_told_how_to_follow_and_a_follower_does_no_images(tmp_path, capsys):
    assert run(tmp_path, model="box_mask") == 2
    assert "give --model propagate:model=NAME" in capsys.readouterr().err
    words = ["run", "--task=points", "--model=still", "--dataset=mini", f"--output={tmp_path}"]
    assert main(words) == 2
    assert "prompts with points, which model still does not take" in capsys.readouterr().err
    assert run(tmp_path, f"--embedding-cache={tmp_path / 'cache'}") == 2
    assert "leave out --embedding-cache" in capsys.readouterr().err


def test_a_site_has_the_frames_of_clips_with_truth_and_prediction(tmp_path, capsys):
    run(tmp_path / "runs", "--workers=0")
    assert main(["view", str(tmp_path / "runs"), f"--dataset={CLIPS}", "--images=20"]) == 0
    capsys.readouterr()
    [page] = (tmp_path / "runs").rglob("images-*.html")
    text = page.read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    data = json.loads(found[1])
    clips = {clip["id"]: clip for clip in data["clips"]}
    assert clips.keys() == PATHS.keys()
    assert sum("photos" in clip for clip in clips.values()) == 2  # a clip for each ten images
    drawn = next(clip for clip in clips.values() if "photos" in clip)
    for address in [*drawn["photos"], *drawn["truth"], *drawn["predicted"][0]]:
        assert (page.parent / address).is_file()
    one = clips["one"]["runs"][0]["1"]
    assert one["j"] == [None, 0.6, 0.333, 0.143, 0.0, None]


@pytest.mark.parametrize("task", ["video_object", "video_interactive"])
def test_the_tasks_keep_their_contract_on_clips(task, capsys):
    words = ["check", "task", task, "--model=still:model=superpixel", f"--dataset={CLIPS}"]
    assert main(words) == 0, capsys.readouterr()
    assert main(["check", "model", "still"]) == 2
    assert "check model knows images" in capsys.readouterr().err


def test_what_is_said_of_clips_calls_them_clips(tmp_path, capsys):
    """In tables, comparisons, boards and pages; names of options and files stay."""
    given = ["--task=video_object", f"--dataset={CLIPS}", f"--output={tmp_path}", "--limit=2"]
    for model in ("still", "still:model=superpixel"):
        assert main(["run", *given, f"--model={model}", "--device=cpu", "--workers=0"]) == 0
    first, second = (p for p in tmp_path.rglob("*.json") if ".predictions" not in str(p))
    assert main(["compare", str(first), str(second)]) == 0
    assert main(["report", str(tmp_path)]) == 0
    assert main(["view", str(tmp_path), f"--dataset={CLIPS}"]) == 0
    said = capsys.readouterr()
    pages = "".join(page.read_text() for page in (tmp_path / "site").glob("*.html"))
    shown = re.sub(r"<(style|script).*?</\1>|<[^>]+>", "", pages, flags=re.DOTALL)
    for text in (said.out, said.err, shown):
        assert re.findall(r".*(?<![-./])\bimages?\b(?![-./]).*", text) == []
    assert "fewer than 5 clips" in said.out
    for words in ("2 clips", "frames/s", "Look at the clips"):
        assert words in shown
