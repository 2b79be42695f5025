"""What runs are called, that two of anything stand side by side, and what files may not do."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sambench.cli import main
from sambench.engine.settings import read_ids
from sambench.errors import UserError
from sambench.registry import load
from sambench.report.comparable import comparability_key, protocol_fields
from sambench.store.options import constructor_options
from sambench.store.paths import file_name, file_stem, label_of
from sambench.store.run import find_runs

PARTS = Path(__file__).resolve().parents[1] / "parts"


def written(output: Path) -> list[str]:
    """All results, by their path below the output."""
    return sorted(str(run.path.relative_to(output)) for run in find_runs([output]))


def run(output: Path, *words: str, code: int = 0) -> None:
    plain = ["--workers=0", "--resamples=0", "--device=cpu", f"--output={output}"]
    assert main(["run", *words, *plain]) == code


@pytest.fixture
def coco(tmp_path: Path):
    """Writes a file of COCO's format with its image; returns its spec."""

    def write(name: str, box: tuple[int, int, int, int], images: str = "images") -> str:
        folder = tmp_path / name
        (folder / images).mkdir(parents=True)
        Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(folder / images / "a.png")
        x, y, w, h = box
        outline = [x, y, x + w, y, x + w, y + h, x, y + h]
        content = {
            "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 30}],
            "annotations": [
                {
                    "id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0,
                    "segmentation": [outline], "bbox": list(box), "area": w * h,
                }
            ],
            "categories": [{"id": 1, "name": "box"}],
        }  # fmt: skip
        (folder / "ann.json").write_text(json.dumps(content))
        return f"coco:annotations={folder}/ann.json,images={folder}/{images}"

    return write


class TestModels:
    def test_options_that_differ_stand_in_the_name(self, tmp_path):
        run(
            tmp_path, "--task=points", "--limit=1",
            "--model=superpixel:segments=40,superpixel:segments=80,superpixel,sobel:sigma=2.0",
            "--dataset=mini", code=2,
        )  # fmt: skip  # sobel takes no points
        assert written(tmp_path) == [
            "points/mini/superpixel-segments=40.json",
            "points/mini/superpixel-segments=80.json",
            "points/mini/superpixel.json",
        ]

    def test_the_user_may_say_what_to_call_it(self, tmp_path, capsys):
        model = "superpixel:segments=40,name=coarse,superpixel:segments=80,name=fine"
        run(tmp_path, "--task=points", "--limit=1", f"--model={model}", "--dataset=mini")
        assert written(tmp_path) == ["points/mini/coarse.json", "points/mini/fine.json"]
        assert "points on mini with coarse" in capsys.readouterr().out

    def test_checkpoints_are_called_by_file_and_content(self, tmp_path):
        from sambench.model.minisam import WEIGHTS

        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "best.safetensors").write_bytes(WEIGHTS.read_bytes())
        labels = [
            label_of(load("model", f"sam:checkpoint={tmp_path}/{folder}/best.safetensors"))
            for folder in ("a", "b")
        ]
        assert labels == ["sam-best-e6150f"] * 2  # the same weights, wherever they lie

    @pytest.mark.parametrize(
        ("spec", "label"),
        [
            ("minisam", "minisam"),
            ("minisam:device=cpu", "minisam"),
            ("minisam:precision=bfloat16", "minisam-precision=bfloat16"),
            ("superpixel:segments=60", "superpixel"),
            ("superpixel:segments=60,compactness=5", "superpixel-compactness=5.0"),
        ],
    )
    def test_only_what_is_not_the_default_and_moves_a_number_is_named(self, spec, label):
        assert label_of(load("model", spec)) == label


class TestDatasets:
    def test_two_files_of_cocos_format_stand_side_by_side(self, coco, tmp_path):
        both = f"--dataset={coco('one', (2, 2, 8, 8))},{coco('two', (9, 9, 8, 8))}"
        run(tmp_path / "out", "--task=points", "--model=whole_image", both)
        names = written(tmp_path / "out")
        assert len(names) == 2
        assert all(name.startswith("points/ann-") for name in names)

    def test_a_file_that_is_not_coco_is_never_called_so(self, coco, tmp_path, capsys):
        spec, out = coco("mine", (2, 2, 8, 8)), tmp_path / "out"
        run(out, "--task=points", "--model=whole_image", f"--dataset={spec}")
        (result,) = (found.path for found in find_runs([out]))
        words = ["report", str(out), "-o", str(tmp_path / "site"), "--no-published"]
        assert main(words) == 0
        pages = "".join(path.read_text() for path in (tmp_path / "site").glob("*.html"))
        said = capsys.readouterr().out + pages + str(result.relative_to(out))
        for harmless in ("COCO format", "pycocotools", str(tmp_path)):
            said = said.replace(harmless, "")
        assert "coco" not in said.lower()
        assert main(["reproduce", "points", "sam_vit_h", f"--result={result}"]) == 0
        verdicts = [line for line in capsys.readouterr().out.splitlines() if "verdict" in line]
        assert all("different" in line for line in verdicts)

    def test_nor_is_a_folder_laid_out_as_cocos(self, coco, tmp_path):
        folder = tmp_path / "mine"
        coco("mine", (2, 2, 8, 8), images="val2017")
        (folder / "annotations").mkdir()
        (folder / "ann.json").rename(folder / "annotations" / "instances_val2017.json")
        assert label_of(load("dataset", f"coco:root={folder}")).startswith("mine-")

    def test_nor_is_a_folder_of_that_name(self, tmp_path):
        for name in ("coco", "masks"):
            (tmp_path / name).mkdir()
            image = np.full((20, 30), 1, np.uint8)
            Image.fromarray(image).save(tmp_path / name / "a.png")
        spec = f"folder:images={tmp_path}/coco,masks={tmp_path}/masks"
        run(tmp_path / "out", "--task=points", "--model=whole_image", f"--dataset={spec}")
        (result,) = (found.path for found in find_runs([tmp_path / "out"]))
        assert result.parent.name.startswith("own-coco-")
        protocol = json.loads(result.read_text())["protocol"]["dataset"]
        assert (protocol["name"], protocol["own"]) == (result.parent.name, True)

    def test_coco_itself_keeps_its_name(self, shared):
        spec = f"coco:root={shared}/data/coco,split=train2017"
        assert label_of(load("dataset", spec)) == "coco-split=train2017"

    def test_two_folders_of_one_name_stand_side_by_side(self, tmp_path):
        for place in ("x", "y"):
            for name in ("images", "masks"):
                (tmp_path / place / name).mkdir(parents=True)
            Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(
                tmp_path / place / "images/a.png"
            )
            mask = np.zeros((20, 30), np.uint8)
            mask[2 : 9 if place == "x" else 12, 3:9] = 1
            Image.fromarray(mask).save(tmp_path / place / "masks/a.png")
        specs = [f"folder:images={tmp_path}/{p}/images,masks={tmp_path}/{p}/masks" for p in "xy"]
        run(
            tmp_path / "out", "--task=points", "--model=whole_image", f"--dataset={','.join(specs)}"
        )
        assert len(written(tmp_path / "out")) == 2

    def test_other_photographs_with_the_same_truth_and_names_are_something_else(
        self, tmp_path, capsys
    ):
        """Clear and foggy ones, say: neither takes the place of the other's records."""
        out, words = tmp_path / "out", ["--task=points", "--model=whole_image"]
        specs = []
        for place, grey in (("clear", 90), ("foggy", 200)):
            specs.append(images(tmp_path / place, "a", "b", grey=grey))
        run(out, *words, specs[0])
        before = {path: path.read_bytes() for path in out.rglob("*.jsonl")}
        run(out, *words, specs[1], code=2)
        assert (
            "another plan (all 2 images of these names differ and lie elsewhere)"
            in capsys.readouterr().err
        )
        assert {path: path.read_bytes() for path in out.rglob("*.jsonl")} == before
        run(out, *words, specs[1] + ",name=foggy")
        assert len(written(out)) == 2
        (tmp_path / "clear").rename(tmp_path / "moved")  # the same ones, elsewhere
        run(out, *words, specs[0].replace("/clear/", "/moved/"))
        assert "changed" not in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["published", "x.predictions"])
    def test_no_name_hides_a_result_from_the_report(self, tmp_path, name):
        spec = images(tmp_path, "a") + f",name={name}"
        run(tmp_path / "out", "--task=points", "--model=whole_image", spec)
        (found,) = find_runs([tmp_path / "out"])
        assert found.result.dataset == name


class TestFileNames:
    @pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a\\b", "a\0b"])
    def test_no_text_leaves_its_folder(self, text):
        name = file_name(text)
        assert name not in {"", ".", ".."}
        assert not set(name) & set("/\\\0")

    def test_long_names_are_shortened_and_stay_apart(self):
        first, second = "\u56fe" * 31 + "1", "\u56fe" * 31 + "2"
        assert file_stem(first) != file_stem(second)
        assert len(file_stem(first).encode()) <= 200
        assert file_stem("short") == "short"


def images(folder: Path, *names: str, grey: int = 90) -> str:
    """A folder of images whose masks are their left halves; returns its spec."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for name in names:
        mask = np.zeros((20, 30), np.uint8)
        mask[:, :15] = 1
        Image.fromarray(np.full((20, 30, 3), grey, np.uint8)).save(folder / f"images/{name}.png")
        Image.fromarray(mask).save(folder / f"masks/{name}.png")
    return f"--dataset=folder:images={folder}/images,masks={folder}/masks"


@pytest.mark.parametrize("name", ["sambench", "manifest@sambench", "\u56fe" * 31, "a b", "x.y"])
def test_predictions_of_an_image_of_any_name_are_kept_and_scored_again(tmp_path, capsys, name):
    dataset, out = images(tmp_path, name, "b"), tmp_path / "out"
    run(out, "--task=instances", "--model=box_mask", "--predictions=all", dataset)
    (folder,) = out.rglob("*.predictions")
    (result,) = out.rglob("box_mask.json")
    before = json.loads(result.read_text())["metrics"]
    words = ["score", "--task=instances", dataset, f"--predictions={folder}"]
    assert main([*words, f"--output={tmp_path}/again", "--resamples=0"]) == 0
    (again,) = (found.path for found in find_runs([tmp_path / "again"]))
    assert json.loads(again.read_text())["metrics"] == before


def test_a_saved_prediction_that_lost_a_mask_counts_as_no_better_one(tmp_path, capsys):
    dataset, out = images(tmp_path, "a", "b"), tmp_path / "out"
    run(out, "--task=instances", "--model=box_mask", "--predictions=all", dataset)
    (folder,) = out.rglob("*.predictions")
    (folder / "b.json").write_text("[]")
    words = ["score", "--task=instances", dataset, f"--predictions={folder}", f"--output={out}"]
    assert main([*words, "--resamples=0"]) == 1
    assert "has 0 masks, for 0 of the 1 objects" in capsys.readouterr().err
    (result,) = out.rglob("box_mask.json")
    assert list(json.loads(result.read_text())["failed"]) == ["b"]


TASK = '''"""A task whose records have keys that a file of records uses itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sambench.interfaces import Task
from sambench.truths import Instances

Path(__file__).with_suffix(".imported").touch()


@dataclass(frozen=True)
class Keys(Task):
    truth: ClassVar[type] = Instances
    metric: ClassVar[str] = "failed"
    needs: ClassVar[frozenset[str]] = frozenset()
    paper: ClassVar[str] = "none"

    def predict(self, model, embedding, sample):
        return {"n": len(sample.truth)}

    def score(self, prediction, truth):
        return {
            "failed": prediction["n"], "id": 7, "image": 1, "session": {}, "seconds": 2.5,
            "record": None, "stamp": 3, "tasks": [], "warmup": "x", "plan": {}, "changed": ["b"],
        }

    def estimator(self, records):
        return lambda counts: {"failed": float(sum(r["failed"] for r in records))}
'''


class TestOwnTasks:
    @pytest.fixture
    def ran(self, tmp_path):
        path = tmp_path / "keys.py"
        path.write_text(TASK)
        dataset, out = images(tmp_path, "a", "b", "c"), tmp_path / "out"
        run(out, f"--task={path}", "--model=whole_image", dataset, "--limit=2")
        run(out, f"--task={path}", "--model=whole_image", dataset)
        path.with_suffix(".imported").unlink()
        return tmp_path

    def test_keys_of_a_record_never_meet_those_of_the_file(self, ran, capsys):
        out, own = ran / "out", f"--task={ran}/keys.py"
        capsys.readouterr()
        assert main(["merge", str(out), f"--output={ran}/merged", own, "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert found["metrics"]["failed"]["value"] == 3.0
        (result,) = (found.path for found in find_runs([out]))
        assert main(["compare", str(result), str(result), own]) == 0
        assert main(["report", str(out), "-o", f"{ran}/site", own]) == 0
        assert (ran / "site" / "index.html").is_file()

    @pytest.mark.parametrize("command", ["merge", "compare", "report"])
    def test_files_import_nothing(self, ran, capsys, command):
        """Not even where they name the path of the task's file."""
        out = ran / "out"
        (result,) = (found.path for found in find_runs([out]))
        (records,) = out.rglob("*.records.jsonl")
        for name in ("keys", str(ran / "keys.py")):
            for path in (result, records):
                text = path.read_text()
                for old in ('"task":"keys"', '"task": "keys"'):
                    text = text.replace(old, f'"task":"{name}"')
                path.write_text(text)
            words = {
                "merge": ["merge", str(out), f"--output={ran}/merged"],
                "compare": ["compare", str(result), str(result)],
                "report": ["report", str(out), "-o", f"{ran}/site", "--no-published"],
            }
            capsys.readouterr()
            code = main(words[command])
            said = capsys.readouterr().err
            assert code == (0 if command == "report" else 2)
            assert "--task keys.py" in said
            assert "Traceback" not in said
        assert not (ran / "keys.imported").exists()

    def test_a_file_called_like_a_task_of_ours_is_not_taken_for_it(self, tmp_path, capsys):
        path = tmp_path / "points.py"
        path.write_text(TASK)
        run(tmp_path / "out", f"--task={path}", "--model=whole_image", images(tmp_path, "a"))
        capsys.readouterr()
        assert main(["merge", str(tmp_path / "out"), f"--output={tmp_path}/merged"]) == 2
        assert "--task points.py" in capsys.readouterr().err


def test_a_leaderboard_tells_metrics_apart_by_what_they_compute(tmp_path, process):
    """Not by comments, and not by what the task's file is called."""
    keys = []
    edits = ("", "# a comment\n", "\n\ndef other():\n    return 1\n")
    for edit, model in zip(edits, ("whole_image", "box_mask", "center"), strict=True):
        folder = tmp_path / model
        folder.mkdir()
        (folder / "keys.py").write_text("import measure\n" + TASK)
        (folder / "measure.py").write_text(edit)
        with process():
            spec = images(folder / "data", "a")
            run(tmp_path / "out", f"--task={folder}/keys.py", f"--model={model}", spec)
    for found in sorted(find_runs([tmp_path / "out"]), key=lambda run: run.result.model):
        keys.append(comparability_key(protocol_fields(found.result)))
    assert keys[0] == keys[2] != keys[1]


def test_a_model_of_parts_counts_by_them_however_they_were_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "my.py").write_text(DATASET)
    found = [load("model", f"oracle:dataset={path}:root=.") for path in ("my.py", "./my.py")]
    assert constructor_options(found[0]) == constructor_options(found[1])
    assert [label_of(model) for model in found] == ["oracle-dataset=boxes"] * 2
    other = load("model", "oracle:dataset=my.py:shrink=2")
    assert constructor_options(other) != constructor_options(found[0])


DATASET = """
from sambench.interfaces import Dataset, DatasetCard
from sambench.truths import Instances


class Boxes(Dataset):
    truths = (Instances,)
    card = DatasetCard(name="boxes", title="boxes", licence="none", citation="none")
    fingerprint = "1"
    ids = ("a",)

    def __init__(self, root: str = "", shrink: int = 0) -> None:
        pass

    def read_image(self, id):
        raise OSError

    def read_truth(self, id, kind):
        raise OSError
"""


class TestListsOfImages:
    def test_records_of_other_images_are_not_shown_for_a_result(self, tmp_path, capsys):
        words = ["--task=points", "--model=whole_image", images(tmp_path, "a", "b", "c")]
        (tmp_path / "ids.txt").write_text("c\n")
        for name, more in (("all", []), ("first", ["--limit=2"])):
            run(tmp_path / name, *words)
            run(tmp_path / name, *words, *more)
        run(tmp_path / "all", *words, f"--ids={tmp_path}/ids.txt")
        run(tmp_path / "alone", *words, f"--ids={tmp_path}/ids.txt")
        ids = {}
        for name in ("all", "first", "alone"):
            (found,) = find_runs([tmp_path / name])
            ids[name] = [line["id"] for line in found.lines()]
        assert ids == {"all": [], "first": ["a", "b"], "alone": ["c"]}
        assert "covers other images than the records next to it" in capsys.readouterr().err


class TestLists:
    @pytest.mark.parametrize(
        ("content", "ids"),
        [
            (b"\xef\xbb\xbf1\n2\n", ("1", "2")),
            (b"1\r\n2\r\n", ("1", "2")),
            ("\ufeff1\n2\n".encode("utf-16-le"), ("1", "2")),
            (b"1\n1\n2\n", ("1", "2")),
            (b"\n 1 \n\n2", ("1", "2")),
        ],
    )
    def test_lists_of_ids_are_read_as_programs_write_them(self, tmp_path, content, ids):
        (tmp_path / "ids.txt").write_bytes(content)
        assert read_ids(tmp_path / "ids.txt") == ids

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"a\0b\n", b"\xff\xfa\n"])
    def test_what_is_no_list_is_refused_by_name(self, tmp_path, content):
        (tmp_path / "ids.txt").write_bytes(content)
        with pytest.raises(UserError, match=r"ids\.txt"):
            read_ids(tmp_path / "ids.txt")

    def test_ids_of_another_form_are_told_with_an_example(self, tmp_path, capsys):
        (tmp_path / "ids.txt").write_text("a.png\n")
        dataset = images(tmp_path / "data", "a")
        words = ["run", "--task=points", "--model=whole_image", dataset]
        assert main([*words, f"--ids={tmp_path}/ids.txt", f"--output={tmp_path}/out"]) == 2
        assert "first a.png; give ids of this dataset, such as a" in capsys.readouterr().err
