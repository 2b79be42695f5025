"""A number belongs to its inputs: one thing is changed, and the same command is given again.

Whatever changed, the second command prints what a fresh run prints, or refuses. What moves no
number costs no records. All of it happens through the command line, in processes of their own, on
a copy of the package, whose code is among the things that change.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
MODEL = '''"""A model of the user's own: a disc around the centre of each box."""

import torch

from helper import RADIUS
from sambench.interfaces import Masks, Model, ModelCard


class Disc(Model):
    """A disc whose radius depends on how bright the image is.

    Args:
        radius: part of the box's longer side.
        checkpoint: file whose first number scales it.
        device: cpu.
    """

    prompts = frozenset({"boxes"})

    def __init__(
        self, radius: float = 0.5, checkpoint: str = "", device: str = "cpu"
    ) -> None:
        self.card = ModelCard(name="disc")
        self.radius = radius * RADIUS  # a helper's
        if checkpoint:
            with open(checkpoint) as file:
                self.radius *= float(file.read().split()[0])

    def embed(self, images):
        return [(image.shape[:2], float(image.mean()) / 255) for image in images]

    def predict(self, embedding, prompts, *, multimask):
        (height, width), bright = embedding
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        found = []
        for x0, y0, x1, y1 in prompts.boxes.tolist():
            r = self.radius * bright * max(x1 - x0, y1 - y0)
            found.append(r - torch.hypot(x - (x0 + x1) / 2, y - (y0 + y1) / 2))
        logits = torch.stack(found)[:, None].float()
        return Masks(logits, torch.ones(len(found), 1), (height, width), lambda masks: masks)
'''
TASK = '''"""Mean IoU of boxes' masks, by a metric of the user's own."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from measure import overlap

from sambench.interfaces import Prompts, Task
from sambench.truths import Instances


@dataclass(frozen=True)
class Overlap(Task):
    """IoU, or Dice.

    Attributes:
        shrink: pixels by which boxes are made smaller on each side.
        power: of the overlap.
    """

    shrink: float = 0.0
    power: float = 1.0

    truth: ClassVar[type] = Instances
    metric: ClassVar[str] = "overlap"
    needs: ClassVar[frozenset[str]] = frozenset({"boxes"})
    paper: ClassVar[str] = "none"
    scoring: ClassVar[frozenset[str]] = frozenset({"power"})

    def predict(self, model, embedding, sample):
        boxes = sample.truth.boxes + self.shrink * np.array([1, 1, -1, -1])
        return model.predict(embedding, Prompts(boxes=boxes), multimask=False).binary()[:, 0]

    def score(self, prediction, truth):
        pairs = zip(prediction, truth.masks(), strict=True)
        values = [overlap(first, second) ** self.power for first, second in pairs]
        return {"values": values, "categories": truth.categories.tolist()}

    def estimator(self, records):
        means = np.array([np.mean(record["values"]) for record in records])
        return lambda counts: {"overlap": float(means @ counts / counts.sum())}
'''
DATASET = '''"""Images and boxes in the simplest of formats."""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from sambench.interfaces import Dataset, DatasetCard
from sambench.truths import Instances


class Boxes(Dataset):
    """Boxes drawn by hand.

    Args:
        root: folder of annotations.json and images/.
        images: another folder of images.
    """

    truths = (Instances,)
    card = DatasetCard(name="boxes", title="boxes", licence="none", citation="none")
    neutral = frozenset({"root"})

    def __init__(self, root: str = "", images: str = "") -> None:
        self.root = Path(root)
        self.images = Path(images) if images else self.root / "images"
        self.file = self.root / "annotations.json"
        self.content = json.loads(self.file.read_text())

    @property
    def ids(self):
        return tuple(self.content["images"])

    def image_path(self, id):
        return self.images / f"{id}.png"

    def read_image(self, id):
        return np.asarray(Image.open(self.image_path(id)))

    def read_truth(self, id, kind):
        boxes = np.array(self.content["images"][id], dtype=float)
        masks = np.zeros((32, 48, len(boxes)), np.uint8, order="F")
        for i, (x0, y0, x1, y1) in enumerate(boxes.astype(int)):
            masks[y0:y1, x0:x1, i] = 1
        return Instances(
            (32, 48), tuple(coco_mask.encode(masks)), tuple(range(len(boxes))),
            np.ones(len(boxes), int), boxes, masks.sum(axis=(0, 1)).astype(float),
            np.zeros(len(boxes), bool),
        )

    @property
    def fingerprint(self):
        return hashlib.sha256(self.file.read_bytes()).hexdigest()
'''
FILES = {
    "plugins/disc.py": MODEL,
    "plugins/helper.py": '"""Beside the model."""\n\nRADIUS = 1.0\n',
    "plugins/overlap.py": TASK,
    "plugins/measure.py": (
        '"""A metric."""\n\n\ndef overlap(first, second):\n    """IoU of two masks."""\n'
        "    return float((first & second).sum() / (first | second).sum())\n"
    ),
    "plugins/boxes.py": DATASET,
    "plugins/weights.txt": "1.0\n",
}

STARTED = """
import json, os, runpy, sys
import numba, numpy, pandas, PIL.Image, pycocotools.mask, scipy.ndimage, torch, tqdm

numba.njit(lambda x: x)(1)  # what it begins with takes a third of a second
sys.dont_write_bytecode = False  # whatever the variable says: beside the copies of the sources
for line in sys.stdin:
    given = json.loads(line)
    child = os.fork()
    if not child:
        for number, file in ((1, given["out"]), (2, given["err"])):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
        os.chdir(given["folder"])
        sys.path[:1] = [given["folder"], given["package"]]
        os.environ["PYTHONPATH"] = given["package"]
        sys.argv = ["sambench", *given["words"]]
        runpy.run_module("sambench", run_name="__main__", alter_sys=True)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Started:
    """A process that has imported the packages of others, and the copies of it that it makes.

    Nothing of sambench is in it. Each copy is a process of its own that runs the command, and is
    spared the two seconds that these imports take.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.numbers = folder, itertools.count()
        self.process = subprocess.Popen(
            [sys.executable, "-c", STARTED], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )  # fmt: skip

    def run(self, place: "Place", words: list[str]) -> subprocess.CompletedProcess[str]:
        number = next(self.numbers)
        out, err = (self.folder / f"{number}.{name}" for name in ("out", "err"))
        given = {"folder": place.folder, "package": place.package, "out": out, "err": err}
        line = {name: str(path) for name, path in given.items()} | {"words": words}
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())

    def end(self) -> None:
        self.process.communicate()


@dataclass
class Place:
    """A folder with a copy of the package, plug-ins and data, and how the command is typed there.

    Attributes:
        folder: of all that.
        package: folder that holds the package's folders.
        started: what the command is run by, unless the process is to have variables of its own.
    """

    folder: Path
    package: Path
    started: Started
    model: str = "plugins/disc.py:checkpoint=plugins/weights.txt"
    task: str = "plugins/overlap.py"
    dataset: str = "plugins/boxes.py:root=data"
    more: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    output: str = "runs"

    def run(self, output: str = "") -> subprocess.CompletedProcess[str]:
        words = [
            "run", f"--model={self.model}", f"--task={self.task}", f"--dataset={self.dataset}",
            "--workers=0", "--resamples=0", "--json", f"--output={output or self.output}",
            "--device=cpu",
        ]  # fmt: skip
        words += self.more
        if not self.environment:
            return self.started.run(self, words)
        environment = {**os.environ, "PYTHONPATH": str(self.package), **dict(self.environment)}
        return subprocess.run(
            [sys.executable, "-m", "sambench", *words],
            cwd=self.folder, env=environment, text=True, capture_output=True, check=False,
        )  # fmt: skip

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new, 1))

    def records(self) -> dict[Path, bytes]:
        """All files of records below the folder of the runs."""
        found = (self.folder / self.output).rglob("*.records.jsonl")
        return {path.relative_to(self.folder): path.read_bytes() for path in found}


def numbers(done: subprocess.CompletedProcess[str]) -> dict[str, float]:
    metrics = json.loads(done.stdout)["metrics"]
    return {name: metric["value"] for name, metric in metrics.items()}


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    process = Started(tmp_path_factory.mktemp("said"))
    yield process
    process.end()


@pytest.fixture(scope="module")
def begun(started, tmp_path_factory) -> Place:
    """A folder in which a run has been completed."""
    folder = tmp_path_factory.mktemp("identity")
    for name in ("sambench", "model", "tasks", "datasets"):
        ignore = shutil.ignore_patterns("weights", "__pycache__")
        shutil.copytree(ROOT / name, folder / "package" / name, ignore=ignore)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    rng = np.random.default_rng(0)
    boxes = {}
    (folder / "data" / "images").mkdir(parents=True)
    for id in ("a", "b", "c"):
        image = rng.integers(80, 256, (32, 48, 3)).astype(np.uint8)
        Image.fromarray(image).save(folder / "data" / "images" / f"{id}.png")
        boxes[id] = [[2, 3, 20, 28], [int(rng.integers(20, 30)), 5, 45, 25]]
    content = {"images": boxes, "categories": {"1": "box"}}
    (folder / "data" / "annotations.json").write_text(json.dumps(content))
    shutil.copytree(folder / "data" / "images", folder / "other")
    for path in (folder / "other").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    place = Place(folder, folder / "package", started)
    done = place.run()
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def place(begun, tmp_path) -> Place:
    """A copy of it, times of files included, but for what was compiled of files that may change."""

    def compiled(folder: str, names: list[str]) -> list[str]:
        return ["__pycache__"] if folder.endswith("plugins") and "__pycache__" in names else []

    shutil.copytree(begun.folder, tmp_path / "place", ignore=compiled)
    return replace(begun, folder=tmp_path / "place", package=tmp_path / "place" / "package")


def brighten(place: Place, *names: str) -> None:
    for name in names:
        path = place.folder / "data" / "images" / f"{name}.png"
        image = np.asarray(Image.open(path))
        Image.fromarray((image // 2 + 127).astype(np.uint8)).save(path)


def plugin_option(place):
    place.model += ",radius=0.4"


def default_of_an_option(place):
    place.edit("plugins/disc.py", "radius: float = 0.5", "radius: float = 0.45")


def helper_of_the_model(place):
    place.edit("plugins/helper.py", "RADIUS = 1.0", "RADIUS = 0.7")


def weights(place):
    (place.folder / "plugins/weights.txt").write_text("0.8\n")


def pixels_of_one_image(place):
    brighten(place, "b")


def pixels_with_size_and_time_of_before(place):
    """The quick test must not be all there is: times of change cannot be set back."""
    path = place.folder / "data" / "images" / "b.png"
    before = path.stat()
    image = np.asarray(Image.open(path)).copy()
    content = path.read_bytes()
    Image.fromarray(255 - image).save(path)
    path.write_bytes(path.read_bytes()[: len(content)].ljust(len(content), b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def all_pixels(place):
    brighten(place, "a", "b", "c")


def folder_of_images(place):
    place.dataset += ",images=other"


def one_annotation(place):
    place.edit("data/annotations.json", "[2, 3, 20, 28]", "[2, 3, 24, 28]")


def name_of_a_category(place):
    place.edit("data/annotations.json", '"box"', '"crate"')


def option_of_the_task(place):
    place.more = ("--shrink=2",)


def option_that_only_scores(place):
    place.more = ("--power=2",)


def code_of_the_metric(place):
    place.edit("plugins/measure.py", "(first | second).sum()", "(first.sum() + second.sum()) * 2")


def code_of_the_task(place):
    place.edit("plugins/overlap.py", "np.mean(record", "np.median(record")


def code_of_the_dataset(place):
    place.edit("plugins/boxes.py", "masks[y0:y1, x0:x1, i]", "masks[y0 : y1 - 2, x0:x1, i]")


def code_of_the_package(place):
    path = place.package / "sambench" / "interfaces.py"
    path.write_text(path.read_text() + "\n\nOTHER = 1\n")


NOTICED = [
    plugin_option, default_of_an_option, helper_of_the_model, weights, pixels_of_one_image,
    pixels_with_size_and_time_of_before, all_pixels, folder_of_images, one_annotation,
    name_of_a_category, option_of_the_task, option_that_only_scores, code_of_the_metric,
    code_of_the_task, code_of_the_dataset, code_of_the_package,
]  # fmt: skip


def nothing(place):
    pass


def device(place):
    place.model += ",device=cpu"


def batch(place):
    place.more = ("--batch=3",)


def workers(place):
    place.more = ("--workers=1",)


def order(place):
    path = place.folder / "ids.txt"
    path.write_text("c\na\nb\n")
    place.more = (f"--ids={path}",)


def docstrings(place):
    place.edit("plugins/disc.py", "A disc whose radius", "Some disc whose radius")
    place.edit("plugins/helper.py", "Beside the model.", "Next to it.")
    place.edit("package/sambench/errors.py", '"""', '"""Reworded: ')


def comments(place):
    place.edit("plugins/disc.py", "# a helper's", "# of a helper")


def annotations_of_types(place):
    place.edit(
        "plugins/disc.py", "def embed(self, images):", "def embed(self, images: list) -> list:"
    )


def words_of_an_error(place):
    errors = next((place.package / "sambench").rglob("masks/rle.py"))
    text = errors.read_text()
    assert re.search(r"raise \w+\(", text)
    errors.write_text(re.sub(r'(raise \w+\(\s*f?")', r"\1Sorry: ", text, count=1))


def spelling_of_paths(place):
    place.model = f"./plugins/disc.py:checkpoint={place.folder}/plugins/../plugins/weights.txt"
    place.task = str(place.folder / "plugins/overlap.py")
    place.dataset = f"{place.folder}/plugins/./boxes.py:root=./data/"


def option_that_is_the_default(place):
    place.model += ",radius=0.5"


def locale(place):
    place.environment = (("LC_ALL", "C"), ("TZ", "Asia/Tokyo"), ("PYTHONHASHSEED", "7"))


def times_of_files(place):
    for path in place.folder.rglob("*.png"):
        os.utime(path)


def checkout_moved(place):
    moved = place.folder.with_name("moved")
    place.folder.rename(moved)
    place.folder, place.package = moved, moved / "package"


def a_module_renamed(place):
    """The metric's module has another name; the task imports it by that."""
    (place.folder / "plugins/measure.py").rename(place.folder / "plugins/metric.py")
    place.edit("plugins/overlap.py", "from measure import", "from metric import")


UNNOTICED = [
    nothing, device, batch, workers, order, docstrings, comments, annotations_of_types,
    words_of_an_error, spelling_of_paths, option_that_is_the_default, locale, times_of_files,
    checkout_moved, a_module_renamed,
]  # fmt: skip


@pytest.mark.parametrize("change", NOTICED, ids=lambda change: change.__name__)
def test_what_moves_a_number_is_noticed(place, change):
    before = place.records()
    change(place)
    again, fresh = place.run(), place.run("fresh")
    assert fresh.returncode in (0, 1), fresh.stderr
    assert "Traceback" not in again.stderr
    if again.returncode == 2:
        assert "another plan" in again.stderr
        assert again.stdout == ""
        assert place.records() == before
    else:
        assert again.returncode == fresh.returncode, again.stderr
        assert numbers(again) == numbers(fresh)
        assert place.records() != before


@pytest.mark.parametrize("change", UNNOTICED, ids=lambda change: change.__name__)
def test_what_moves_no_number_costs_no_records(place, change):
    before = place.records()
    change(place)
    again = place.run()
    assert again.returncode == 0, again.stderr
    after = place.records()
    assert after.keys() == before.keys()
    for path, content in before.items():
        added = [json.loads(line) for line in after[path].removeprefix(content).splitlines()]
        assert after[path].startswith(content)
        assert all(line.keys() == {"stamps"} for line in added)


def test_changed_images_are_counted(place):
    brighten(place, "b")
    assert "1 of 3 images changed since they were scored (first b)" in place.run().stderr


def test_the_module_that_changed_is_named(place):
    helper_of_the_model(place)
    assert "changed code: helper" in place.run().stderr


def test_a_killed_run_whose_image_is_overwritten_mixes_nothing(place):
    shutil.rmtree(place.folder / "runs")
    place.more = ("--limit=2",)
    assert place.run().returncode == 0
    brighten(place, "a", "b", "c")
    place.more = ()
    again, fresh = place.run(), place.run("fresh")
    assert numbers(again) == numbers(fresh)
    assert "2 of 2 images changed" in again.stderr
