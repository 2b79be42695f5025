"""Options of tasks as arguments: help, types, choices, ranges, and names that are taken."""

import inspect
import json
import logging
import subprocess
import sys

import pytest

import sambench
from sambench import cli
from sambench.cli import main, parser_of
from sambench.commands._arguments import Parser, add_fields, given_options
from sambench.errors import UserError
from sambench.interfaces import Task
from sambench.options import Range, hints_of, option_types, range_of
from sambench.registry import RESERVED, find, load, names

TASK = '''
"""A task of the user's own."""
from dataclasses import dataclass
from typing import Annotated, ClassVar
from sambench.interfaces import Range, Task

@dataclass(frozen=True)
class Mine(Task):
    """Mine.

    Attributes:
        {name}: 100 % of
            what is counted.
    """

    {name}: Annotated[int, Range(2, 9)] = 5
    metric: ClassVar[str] = "x"
    needs: ClassVar[frozenset[str]] = frozenset()

    def predict(self, model, embedding, sample): return None
    def score(self, prediction, truth): return {{}}
    def estimator(self, records): return lambda weights: {{}}
'''


def own_task(folder, name):
    path = folder / "mine.py"
    path.write_text(TASK.format(name=name))
    return str(path)


def help_of(capsys, *words):
    """The help that a command prints, with its words one space apart."""
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def refusal(capsys, *words):
    """What a command says that cannot be carried out, which must be one sentence."""
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    return err.removeprefix("sambench: ").strip()


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--task", "edges"),
        ("run", "--task=edges:seed=1"),
        ("score", "--task", "edges"),
        ("check", "task", "edges"),
        ("reproduce", "edges"),
        ("reproduce", "sam:table-3"),
    ],
)
def test_the_help_of_a_command_with_a_task_has_the_task_s_options(capsys, words):
    shown = help_of(capsys, *words)
    assert "options of the task edges: --points-per-side POINTS_PER_SIDE" in shown
    assert "(0 to 1; default: 0.7)" in shown
    assert "--matching {berkeley,exact} berkeley reproduces the benchmark, exact is the" in shown
    assert "--help" not in shown.partition("options of the task")[2]


@pytest.mark.parametrize("words", [("run",), ("score",), ("check",), ("reproduce",)])
def test_without_a_task_the_help_says_how_to_see_one_s_options(capsys, words):
    shown = help_of(capsys, *words)
    assert "For the options of a task: sambench" in shown
    assert "--box-nms" not in shown


def test_of_several_tasks_each_default_and_meaning_is_shown(capsys):
    shown = help_of(capsys, "run", "--task", "points,interactive")
    assert "options of the tasks points, interactive:" in shown
    assert "(default: true (points), false (interactive))" in shown
    assert "--mask {confident-then-single,confident,single} points: the mask taken" in shown


def test_the_help_of_a_task_of_one_s_own(capsys, tmp_path):
    shown = help_of(capsys, "run", "--task", own_task(tmp_path, "margin"))
    assert "--margin MARGIN 100 % of what is counted (2 to 9; default: 5)" in shown


@pytest.mark.parametrize("name", names("task"))
def test_every_option_of_a_task_is_described_and_every_number_has_a_range(name):
    cls = find("task", name)
    parser = parser_of("run", ["--task", name])
    shown = {action.dest: action.help for action in parser._actions}
    for option in option_types(cls):
        assert len(shown[f"option {option}"].partition("(default")[0]) > 5, option
    unbounded = {"min_score"} if name == "instances" else set()
    for option, hint in hints_of(cls).items():
        if option_types(cls)[option] in (int, float) and option not in unbounded:
            assert range_of(hint) is not None, option


def test_every_default_and_preset_of_a_task_is_in_its_range():
    for name in names("task"):
        cls = find("task", name)
        cls()
        for preset in cls.presets.values():
            cls(**preset)


BAD = {
    "run --task points --points 0": "--points 0 is too small; give 1 or more.",
    "run --task points --points 2.5": "--points 2.5 is not a whole number; give one.",
    "run --task points --points": "--points expected one argument; see sambench run --help.",
    "run --task points --seed -1": "--seed -1 is too small; give 0 or more.",
    "run --task points --feedback maybe":
        "--feedback maybe is neither true nor false; give one of them.",
    "run --task points --mask singel": "--mask singel is not known; did you mean single?",
    "run --task points --preset edgsam": "--preset edgsam is not known; did you mean edgesam or",
    "run --task points --point 3": "sambench run has no option --point; did you mean --points?",
    "run --task points --out x": "sambench run has no option --out; did you mean --output?",
    "run --task points --first bogus": "--first bogus is not known; did you mean box? Known are "
        "annotated, box, center, random.",
    "run --task points --min_error 3":
        "sambench run has no option --min_error; did you mean --min-error?",
    "run --task points --limt 3": "sambench run has no option --limt; did you mean --limit?",
    "run --task points --modle x": "sambench run has no option --modle; did you mean --model?",
    "run --taks points": "sambench run has no option --taks; did you mean --task?",
    "run --task points,edges --seed x": "--seed x is not a whole number; give one.",
    "run --task points --box_nms_thresh 1": "sambench run has no option --box_nms_thresh",
    "predict x.jpg --side 16": "predict has no option --side; did you mean --points-per-side?",
    "predict x.jpg --crop-layers 1": "did you mean --crop-n-layers?",
    "predict x.jpg --min-region=9": "no option --min-region; did you mean --min-mask-region-area?",
    "run --task edges --side 4": "run has no option --side; did you mean --points-per-side?",
    "run --task edges --min-iou .5": "run has no option --min-iou; see sambench run --help.",
    "run --task proposals --min-iou .5": "no option --min-iou; did you mean --pred-iou-thresh?",
    "run --task proposals --nms .5": "run has no option --nms; did you mean --box-nms-thresh?",
    "report --side 64": "report has no option --side; did you mean --image-size?",
    "run --task points 3": "'3' belongs to no option; see sambench run --help.",
    "run --task poimts --points 0": "there is no task named 'poimts'; did you mean points?",
    "run --task interactive --clicks 0": "--clicks 0 is too small; give 1 or more.",
    "run --task edges --points-per-side 0": "--points-per-side 0 is too small; give 1 or more.",
    "run --task edges:points_per_side=0":
        "edges:points_per_side=0 is too small; give 1 or more.",
    "run --task edges --box-nms-thresh 5": "--box-nms-thresh 5 is too large; give 0 to 1.",
    "run --task edges --box-nms-thresh nan": "--box-nms-thresh nan is not finite; give a number.",
    "run --task proposals --max-proposals 0": "--max-proposals 0 is too small; give 1 or more.",
    "run --task text --negatives -2": "--negatives -2 is too small; give -1 or more.",
    "run --task points --limit -1": "--limit -1 is too small; give 0 or more.",
    "run --task points --resamples -1": "--resamples -1 is too small; give 0 to 1,000,000.",
    "run --task points --workers -1": "--workers -1 is too small; give 0 to 1,024.",
    "run --task points --workers 9999": "--workers 9999 is too large; give 0 to 1,024.",
    "run --task points --batch -1": "--batch -1 is too small; give 0 to 1,000,000.",
    "run --task points --actors 0": "--actors 0 is too small; give 1 to 100,000.",
    "run --task points --gpus -1": "--gpus -1 is too small; give 0 to 1,024.",
    "run --task points --patience 0": "--patience 0 is too small; give above 0",
    "run --task points --engine spark": "--engine spark is not known; known are local, ray.",
    "run --task points --cache-size huge --embedding-cache x": "'huge' is not a size",
    "run --task points --shard 3/2": "--shard 3/2 is not a part",
    "score --task edges --smooth -1 --dataset mini --predictions x": "--smooth -1 is too small",
    "check task points --points 0": "--points 0 is too small; give 1 or more.",
    "check task points --images 1": "--images 1 is too small; give 2 to 1,000,000.",
    "check model minisam --limit 3": "--limit is not for sambench check model; leave it out.",
    "check dataset mini --images 3": "--images is not for sambench check dataset; leave it out.",
    "check modle minisam": "kind modle is not known; did you mean model?",
    "reproduce edges --points-per-side 0": "--points-per-side 0 is too small; give 1 or more.",
    "reproduce edge": "nothing was published for 'edge'",
    "predict x.jpg --points-per-side 0": "--points-per-side 0 is too small; give 1 or more.",
    "predict x.jpg --box-nms-thresh 2": "--box-nms-thresh 2 is too large; give 0 to 1.",
    "predict x.jpg --page -1": "--page -1 is too small; give 0 or more.",
    "merge x --resamples -1": "--resamples -1 is too small",
    "compare a b --images -1": "--images -1 is too small; give 0 or more.",
    "report --image-size 4": "--image-size 4 is too small; give 16 or more.",
    "train --dataset scenes --output x": "required: --steps; see sambench train --help.",
}  # fmt: skip


@pytest.mark.parametrize("words", BAD)
def test_a_bad_argument_is_refused_before_anything_is_loaded(words, capsys, monkeypatch):
    for place in ("sambench.data.suites.load", "sambench.engine.models.construct"):
        monkeypatch.setattr(place, lambda *given: pytest.fail("loaded"))
    assert BAD[words] in refusal(capsys, *words.split())


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("superpixel:segments=0", "superpixel:segments=0 is too small; give 1 or more."),
        ("canny:sigma=-1", "canny:sigma=-1.0 is too small; give 0 or more."),
        ("clip_rank:pred_iou_thresh=2", "clip_rank:pred_iou_thresh=2.0 is too large; give 0 to 1."),
    ],
)
def test_so_is_a_bad_option_of_a_model(spec, expected, capsys, tmp_path):
    assert refusal(capsys, "run", "--task=points", f"--model={spec}", "--limit=1") == expected


@pytest.mark.parametrize("words", [["run", "--task", "edges"], ["score", "--task", "points"]])
def test_reading_arguments_needs_no_torch(words):
    code = (
        "import sys; from sambench.cli import parser_of; "
        f"parser_of({words[0]!r}, {words[1:]!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_values_of_arguments_reach_the_tasks_that_have_them(capsys, tmp_path):
    words = ["run", "--task", "points:points=2,interactive", "--clicks", "2", "--feedback=false",
             "--repeat", "--stop", "2", "--model", "superpixel", "--limit", "1", "--workers", "0",
             "--output", str(tmp_path), "--json", "--resamples", "0"]  # fmt: skip
    assert main(words) == 0
    points, interactive = (r["protocol"]["task"] for r in json.loads(capsys.readouterr().out))
    assert (points["points"], points["feedback"], points["repeat"]) == (2, False, True)
    assert (interactive["clicks"], interactive["stop"]) == (2, 2.0)
    assert (interactive["feedback"], interactive["repeat"]) == (False, True)


def test_an_argument_outdoes_the_option_after_the_name(capsys, tmp_path):
    words = ["run", "--task", "points:points=2,min_error=7", "--points", "1", "--model", "center",
             "--output", str(tmp_path)]  # fmt: skip
    main(words)  # center takes no clicks
    capsys.readouterr()
    words[words.index("center")] = "superpixel"
    assert main([*words, "--limit", "1", "--workers", "0", "--json"]) == 0
    options = json.loads(capsys.readouterr().out)["protocol"]["task"]
    assert (options["points"], options["min_error"]) == (1, 7)


def test_a_task_made_in_python_is_checked_too():
    with pytest.raises(UserError, match=r"^points=0 is too small; give 1 or more\.$"):
        find("task", "points")(points=0)
    with pytest.raises(UserError, match=r"^max_boxes=-1 is too small; give 0 or more\.$"):
        find("task", "instances")(max_boxes=-1)


def test_predict_takes_the_options_of_the_grid():
    words = ["x.jpg", "--points-per-side", "4", "--pred-iou-thresh", "0.5"]
    words += ["--stability-score-thresh", "0", "--min-mask-region-area", "9"]
    given = given_options(parser_of("predict").read(words))
    assert given == {
        "points_per_side": 4, "pred_iou_thresh": 0.5, "stability_score_thresh": 0.0,
        "min_mask_region_area": 9,
    }  # fmt: skip


def test_predict_with_a_prompt_refuses_the_options_of_the_grid(capsys, tmp_path):
    from PIL import Image

    photo = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(photo)
    said = refusal(capsys, "predict", str(photo), "--point", "4,4", "--crop-n-layers", "1")
    assert (
        said
        == "--crop-n-layers is only for segmenting everything; leave out either it or the prompts."
    )


@pytest.mark.parametrize("name", names("task"))
def test_no_built_in_task_has_an_option_of_the_commands(name):
    assert not RESERVED & option_types(find("task", name)).keys()


def test_the_reserved_names_are_those_of_what_takes_tasks():
    taken = {"preset"}.union(*(parser_of(name).flags() for name in cli.WITH_TASKS))
    taken |= inspect.signature(sambench.evaluate).parameters.keys()
    assert taken == RESERVED


@pytest.mark.parametrize("name", ["limit", "predictions", "preset", "only"])
def test_a_task_whose_option_is_one_of_the_commands_is_refused(name, tmp_path, capsys):
    path = own_task(tmp_path, name)
    flag = name.replace("_", "-")
    sentence = (
        f"{path} has an option '{name}', but that is the name of an argument of sambench's "
        "commands or of sambench.evaluate; rename the field."
    )
    with pytest.raises(UserError) as caught:
        load("task", path)
    assert str(caught.value) == sentence
    assert refusal(capsys, "run", "--task", path, f"--{flag}", "3") == sentence


def test_abbreviations_are_not_taken():
    parser = Parser("it", None)
    add_fields(parser, find("task", "edges"))
    with pytest.raises(UserError, match=r"it has no option --bound; did you mean --boundary\?"):
        parser.read(["--bound", "outer"])
    assert given_options(parser.read(["--boundary", "outer"])) == {"boundary": "outer"}
    assert issubclass(find("task", "edges"), Task)


@pytest.mark.parametrize(
    ("bounds", "text", "good", "bad"),
    [
        (Range(1), "1 or more", (1, 10**9), (0, float("nan"))),
        (Range(0, 1), "0 to 1", (0, 0.5, 1), (-0.1, 1.1, float("nan"))),
        (Range(0, below=1), "0 or more and below 1", (0, 0.9), (-1, 1)),
        (Range(above=0), "above 0", (1e-9,), (0, -1)),
        (Range(most=2000), "2,000 or less", (-5, 2000), (2001,)),
    ],
)
def test_ranges(bounds, text, good, bad):
    assert str(bounds) == text
    for value in good:
        bounds.check(value, f"x={value}")
    for value in bad:
        with pytest.raises(UserError, match=rf"^x={value} is too (small|large); give {text}\.$"):
            bounds.check(value, f"x={value}")


@pytest.mark.parametrize("words", [["-v", "list", "tasks"], ["list", "tasks", "-v"],
                                   ["--verbose", "-q", "list", "tasks"]])  # fmt: skip
def test_how_much_is_said_may_stand_before_and_after_the_command(words, capsys):
    assert main(words) == 0
    assert "edges" in capsys.readouterr().out


def test_verbose_shows_where_an_error_was_raised_and_no_other_library(capsys):
    assert main(["list", "edgesx", "-v"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("sambench: nothing is called 'edgesx'; did you mean ")
    assert not logging.getLogger("matplotlib").isEnabledFor(logging.DEBUG)
    assert logging.getLogger("sambench.model").isEnabledFor(logging.DEBUG)
    assert main(["list", "edgesx"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("place", [0, 1])
def test_quiet_shows_results_and_no_progress(place, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "")
    words = ["run", "--task", "points", "--model", "superpixel", "--limit", "1", "--workers", "0",
             "--resamples", "0", "--output", str(tmp_path)]  # fmt: skip
    assert main([*words[:place], "--quiet", *words[place:]]) == 0
    out, err = capsys.readouterr()
    assert "mIoU" in out
    assert not err
    assert main([*words, "--fresh"]) == 0
    assert "1/1 images" in capsys.readouterr().err
