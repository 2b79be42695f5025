"""Small, real inputs of every format, and the commands that read them.

A seed is a folder of files and the words that are typed in it. What it holds is right: as it is,
each command ends with 0.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from sambench.cli import main

WIDTH, HEIGHT = 40, 30
BOXES = {"a": [(3, 4, 20, 22), (24, 5, 37, 25)], "b": [(6, 2, 30, 27)]}
"""Objects of each image, XYXY."""
QUICK = ["--workers=0", "--resamples=0", "--output=out", "--json"]
RUN = ["run", "--model=box_mask", "--task=instances", "--device=cpu", *QUICK]


@dataclass(frozen=True)
class Seed:
    """A folder to mutate.

    Attributes:
        name: what format it is.
        write: fills a folder.
        commands: what is typed there; one of them is drawn.
        whole: each command ends with 0 as it is.
    """

    name: str
    write: Callable[[Path], None]
    commands: tuple[list[str], ...]
    whole: bool = True


def reading(name: str, write: Callable[[Path], None], spec: str) -> Seed:
    """The seed of a dataset's format: it is run and checked."""
    dataset = f"--dataset={spec}"
    return Seed(
        name,
        write,
        ([*RUN, dataset], [*RUN, dataset], ["check", "dataset", spec], ["data", "check", spec]),
    )


def photograph(seed: int) -> np.ndarray:
    """(H, W, 3) uint8, smooth noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def labels(id: str) -> np.ndarray:
    """(H, W) uint8: 0, and 1, 2, ... in the objects."""
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(BOXES[id], start=1):
        found[y0:y1, x0:x1] = number
    return found


def outline(box: tuple[int, ...]) -> list[float]:
    """The polygon of a box, flat x, y."""
    x0, y0, x1, y1 = box
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def run_lengths(id: str, number: int) -> dict[str, object]:
    """One object of an image as COCO's compressed run lengths."""
    rle = coco_mask.encode(np.asfortranarray(labels(id) == number))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def photographs(folder: Path, ending: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, id in enumerate(BOXES):
        Image.fromarray(photograph(number)).save(folder / (id + ending))


def dump(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def folder_of_labels(folder: Path) -> None:
    photographs(folder / "images")
    (folder / "masks").mkdir()
    for id in BOXES:
        Image.fromarray(labels(id)).save(folder / "masks" / f"{id}.png")


def folder_of_masks(folder: Path) -> None:
    photographs(folder / "images", ".jpg")
    (folder / "masks").mkdir()
    for id, boxes in BOXES.items():
        for number in range(len(boxes)):
            mask = (labels(id) == number + 1).astype(np.uint8) * 255
            Image.fromarray(mask).save(folder / "masks" / f"{id}_{number}.png")


def folder_of_arrays(folder: Path) -> None:
    photographs(folder / "images", ".tif")
    (folder / "masks").mkdir()
    for id in BOXES:
        np.save(folder / "masks" / f"{id}.npy", labels(id).astype(np.int32))


def annotations() -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for image, (id, boxes) in enumerate(BOXES.items(), start=1):
        for number, box in enumerate(boxes, start=1):
            x0, y0, x1, y1 = box
            found.append(
                {
                    "id": len(found) + 1, "image_id": image, "category_id": number, "iscrowd": 0,
                    "segmentation": [outline(box)] if number == 1 else run_lengths(id, 2),
                    "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0),
                }
            )  # fmt: skip
    return found


def image_entries() -> list[dict[str, object]]:
    return [
        {"id": number, "file_name": f"{id}.png", "width": WIDTH, "height": HEIGHT}
        for number, id in enumerate(BOXES, start=1)
    ]


def coco(folder: Path) -> None:
    photographs(folder / "images")
    categories = [{"id": 1, "name": "crate"}, {"id": 2, "name": "fish"}]
    content = {"images": image_entries(), "annotations": annotations(), "categories": categories}
    dump(folder / "ann.json", content)


def detections(folder: Path) -> None:
    coco(folder)
    found = [
        {
            "image_id": a["image_id"],
            "category_id": a["category_id"],
            "bbox": a["bbox"],
            "score": 0.9,
        }
        for a in annotations()
    ]
    dump(folder / "boxes.json", found)


def results_file(folder: Path) -> None:
    coco(folder)
    found = [
        {
            "image_id": image, "category_id": number, "score": 0.8,
            "segmentation": run_lengths(id, number),
        }
        for image, (id, boxes) in enumerate(BOXES.items(), start=1)
        for number in range(1, len(boxes) + 1)
    ]  # fmt: skip
    dump(folder / "all.json", found)


def lvis(folder: Path) -> None:
    photographs(folder / "images")
    images = [
        {
            **entry,
            "neg_category_ids": [],
            "not_exhaustive_category_ids": [],
            "coco_url": f"http://images.example/images/{entry['file_name']}",
        }
        for entry in image_entries()
    ]
    frequencies = [{"id": 1, "name": "crate"}, {"id": 2, "name": "fish"}]
    categories = [{**entry, "frequency": "f"} for entry in frequencies]
    found = [
        {**a, "segmentation": [outline(BOXES["ab"[a["image_id"] - 1]][a["category_id"] - 1])]}  # type: ignore[operator, index]
        for a in annotations()
    ]
    dump(folder / "ann.json", {"images": images, "annotations": found, "categories": categories})


def panoptic(folder: Path) -> None:
    photographs(folder / "val2017", ".jpg")
    entries, listed = [], []
    (folder / "annotations" / "panoptic_val2017").mkdir(parents=True)
    for number, id in enumerate(BOXES, start=1):
        colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        colours[..., 0] = labels(id) + 1
        path = folder / "annotations" / "panoptic_val2017" / f"{id}.png"
        Image.fromarray(colours).save(path)
        entries.append({"id": number, "file_name": f"{id}.jpg", "width": WIDTH, "height": HEIGHT})
        segments = [
            {"id": int(value), "category_id": 1 if value > 1 else 2, "iscrowd": 0, "area": 1}
            for value in np.unique(colours[..., 0])
        ]
        listed.append({"image_id": number, "file_name": f"{id}.png", "segments_info": segments})
    categories = [
        {"id": 1, "name": "crate", "isthing": 1}, {"id": 2, "name": "floor", "isthing": 0},
    ]  # fmt: skip
    content = {"images": entries, "annotations": listed, "categories": categories}
    dump(folder / "annotations" / "panoptic_val2017.json", content)


def sa1b(folder: Path) -> None:
    photographs(folder, ".jpg")
    for number, (id, boxes) in enumerate(BOXES.items(), start=1):
        image = {"image_id": number, "width": WIDTH, "height": HEIGHT, "file_name": f"{id}.jpg"}
        found = []
        for index, (x0, y0, x1, y1) in enumerate(boxes):
            found.append(
                {
                    "id": 10 * number + index, "bbox": [x0, y0, x1 - x0, y1 - y0], "area": 99,
                    "segmentation": run_lengths(id, index + 1),
                    "predicted_iou": 0.9, "stability_score": 0.95, "crop_box": [0, 0, 9, 9],
                    "point_coords": [[x0 + 1, y0 + 1]],
                }
            )  # fmt: skip
        dump(folder / f"{id}.json", {"image": image, "annotations": found})


def sbd(folder: Path) -> None:
    from scipy.io import savemat

    folder = folder / "benchmark_RELEASE" / "dataset"
    photographs(folder / "img", ".jpg")
    for name in ("inst", "cls"):
        (folder / name).mkdir()
    for id in BOXES:
        content = {
            "Boundaries": np.zeros((HEIGHT, WIDTH), np.uint8), "Segmentation": labels(id),
            "Categories": np.ones((len(BOXES[id]), 1), np.uint8),
        }  # fmt: skip
        for key, name in (("GTinst", "inst"), ("GTcls", "cls")):
            savemat(folder / name / f"{id}.mat", {key: content})
    (folder / "val.txt").write_text("".join(f"{id}\n" for id in BOXES))


def bsds(folder: Path, *, maps: str = ".png") -> None:
    from scipy.io import savemat

    photographs(folder / "images" / "val", ".jpg")
    truth = folder / "groundTruth" / "val"
    truth.mkdir(parents=True)
    (folder / "maps").mkdir()
    for id in BOXES:
        regions = labels(id).astype(np.uint16) + 1
        edges = np.zeros((HEIGHT, WIDTH), np.uint8)
        edges[:, 1:] = regions[:, 1:] != regions[:, :-1]
        cell = np.empty((1, 1), object)
        cell[0, 0] = {"Segmentation": regions, "Boundaries": edges}
        savemat(truth / f"{id}.mat", {"groundTruth": cell})
        values = edges.astype(np.float32) * 0.9
        if maps == ".png":
            Image.fromarray((values * 255).astype(np.uint8)).save(folder / "maps" / f"{id}.png")
        elif maps == ".npy":
            np.save(folder / "maps" / f"{id}.npy", values)
        else:
            savemat(folder / "maps" / f"{id}.mat", {"edges": values.astype(np.float64)})


def png_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def labelme(folder: Path) -> None:
    photographs(folder)
    for number, (id, boxes) in enumerate(BOXES.items()):
        shapes = [
            {
                "label": "crate", "points": np.reshape(outline(box), (-1, 2)).tolist(),
                "group_id": None, "shape_type": "polygon", "flags": {},
            }
            for box in boxes
        ]  # fmt: skip
        content = {
            "version": "5.2.1", "flags": {}, "shapes": shapes, "imagePath": f"{id}.png",
            "imageData": base64.b64encode(png_bytes(photograph(number))).decode(),
            "imageHeight": HEIGHT, "imageWidth": WIDTH,
        }  # fmt: skip
        dump(folder / f"{id}.json", content)


def yolo(folder: Path) -> None:
    photographs(folder / "images")
    (folder / "labels").mkdir()
    for id, boxes in BOXES.items():
        rows = []
        for number, box in enumerate(boxes):
            points = np.reshape(outline(box), (-1, 2)) / [WIDTH, HEIGHT]
            rows.append(" ".join([str(number), *(f"{value:.6f}" for value in points.ravel())]))
        (folder / "labels" / f"{id}.txt").write_text("\n".join(rows) + "\n")
    (folder / "classes.txt").write_text("crate\nfish\n")


def cvat(folder: Path) -> None:
    photographs(folder / "images")
    rows = []
    for number, (id, boxes) in enumerate(BOXES.items()):
        rows.append(f'<image id="{number}" name="{id}.png" width="{WIDTH}" height="{HEIGHT}">')
        for box in boxes:
            points = ";".join(f"{x},{y}" for x, y in np.reshape(outline(box), (-1, 2)))
            rows.append(f'<polygon label="crate" occluded="0" points="{points}" z_order="0"/>')
        rows.append("</image>")
    text = "\n".join(['<?xml version="1.0" encoding="utf-8"?>', "<annotations>",
                      "<version>1.1</version>", *rows, "</annotations>"])  # fmt: skip
    (folder / "annotations.xml").write_text(text)


def via(folder: Path) -> None:
    photographs(folder / "images")
    content = {}
    for id, boxes in BOXES.items():
        regions = [
            {
                "shape_attributes": {
                    "name": "polygon", "all_points_x": outline(box)[0::2],
                    "all_points_y": outline(box)[1::2],
                },
                "region_attributes": {"name": "crate"},
            }
            for box in boxes
        ]  # fmt: skip
        size = (folder / "images" / f"{id}.png").stat().st_size
        content[f"{id}.png{size}"] = {
            "filename": f"{id}.png", "size": size, "regions": regions, "file_attributes": {},
        }  # fmt: skip
    dump(folder / "via.json", content)


def label_studio(folder: Path) -> None:
    photographs(folder / "images")
    tasks = []
    for number, (id, boxes) in enumerate(BOXES.items()):
        result = [
            {
                "id": f"r{index}", "type": "polygonlabels",
                "from_name": "label", "to_name": "image",
                "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0,
                "value": {
                    "points": (np.reshape(outline(box), (-1, 2)) / [WIDTH, HEIGHT] * 100).tolist(),
                    "polygonlabels": ["crate"], "closed": True,
                },
            }
            for index, box in enumerate(boxes)
        ]  # fmt: skip
        annotation = {"id": number, "was_cancelled": False, "result": result}
        data = {"image": f"/data/upload/1/1a2b3c4d-{id}.png"}
        tasks.append({"id": number, "data": data, "annotations": [annotation]})
    dump(folder / "export.json", tasks)


def finished_run(folder: Path) -> None:
    """What a run leaves: records, a result, predictions."""
    folder_of_labels(folder)
    words = [*RUN, "--predictions=all", "--dataset=folder:images=images,masks=masks"]
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        assert main(words) == 0
    (folder / "out").rename(folder / "runs")
    (predictions,) = (folder / "runs").rglob("*.predictions")
    shutil.copytree(predictions, folder / "predictions")


def one_photograph(folder: Path) -> None:
    Image.fromarray(photograph(0)).save(folder / "photo.jpg", quality=90)


def safetensors_file(folder: Path) -> None:
    one_photograph(folder)
    header = json.dumps(
        {"image_encoder.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    ).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(24)
    (folder / "weights.safetensors").write_bytes(content)


def torch_file(folder: Path) -> None:
    import torch

    one_photograph(folder)
    torch.save({"model": {"image_encoder.weight": torch.zeros(2, 3)}}, folder / "weights.pth")


FOLDER = "folder:images=images,masks=masks"
COCO = "coco:annotations=ann.json,images=images"
SCORE = ["score", f"--dataset={COCO}", *QUICK]
EDGES = [
    "score",
    "--task=edges",
    "--dataset=bsds500:root=.,split=val",
    "--predictions=maps",
    *QUICK,
]
PREDICT = ["predict", "photo.jpg", "--point=9,9", "--json", "-o", "o.png", "--device=cpu"]
REPORTS = (
    ["merge", "runs", "--output=merged", "--resamples=0"],
    ["compare", "runs", "runs", "--resamples=10"],
    ["report", "runs", "--no-published"],
    ["score", "--task=instances", f"--dataset={FOLDER}", "--predictions=predictions", *QUICK],
)
SEEDS = (
    reading("folder, labels", folder_of_labels, FOLDER),
    reading("folder, masks", folder_of_masks, FOLDER),
    reading("folder, arrays", folder_of_arrays, FOLDER),
    reading("coco", coco, COCO),
    reading("lvis", lvis, "lvis:annotations=ann.json,images=."),
    Seed("panoptic", panoptic, (
        ["run", "--task=panoptic", "--model=box_mask", "--device=cpu",
         "--dataset=coco_panoptic:root=.", *QUICK],
    )),
    reading("sa1b", sa1b, "sa1b:root=."),
    Seed("sbd", sbd, ([*RUN, "--dataset=sbd:root=."],)),
    reading("labelme", labelme, "labelme:root=."),
    reading("yolo", yolo, "yolo:root=."),
    reading("cvat", cvat, "cvat:annotations=annotations.xml,images=images"),
    reading("via", via, "via:annotations=via.json,images=images"),
    reading("label studio", label_studio, "label_studio:annotations=export.json,images=images"),
    Seed("detections", detections, ([*RUN, f"--dataset={COCO}", "--detections=boxes.json"],)),
    Seed("results file", results_file, (
        [*SCORE, "--task=instances", "--predictions=all.json"],
        [*SCORE, "--task=proposals", "--predictions=all.json"],
    )),
    Seed("edges, png", bsds, (EDGES,)),
    Seed("edges, npy", lambda folder: bsds(folder, maps=".npy"), (EDGES,)),
    Seed("edges, mat", lambda folder: bsds(folder, maps=".mat"), (EDGES,)),
    Seed("a finished run", finished_run, REPORTS),
    Seed("photograph", one_photograph, (["predict", "photo.jpg", "--box=3,3,20,20",
         "--model=box_mask", "-o", "o.png", "--device=cpu"],)),
    Seed("safetensors", safetensors_file, (
        [*PREDICT, "--model=sam:checkpoint=weights.safetensors"],
    ), whole=False),
    Seed("torch file", torch_file, (
        [*PREDICT, "--model=sam:checkpoint=weights.pth"],
    ), whole=False),
)  # fmt: skip
