"""The 23 readers on small data in the layout that each dataset ships, and one on real files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from sambench.checks.dataset import problems_of
from sambench.data.sources import status
from sambench.data.suites import SUITES
from sambench.datasets._subsample import subsample
from sambench.datasets.ade20k import Ade20k
from sambench.datasets.bbbc038v1 import Bbbc038v1
from sambench.datasets.cityscapes import Cityscapes
from sambench.datasets.doors import Doors
from sambench.datasets.dram import Dram
from sambench.datasets.egohos import Egohos
from sambench.datasets.gtea import Gtea
from sambench.datasets.hypersim import Hypersim
from sambench.datasets.ibd import Ibd
from sambench.datasets.ishape import Ishape
from sambench.datasets.lvis_v05 import LvisV05
from sambench.datasets.ndd20 import Ndd20
from sambench.datasets.ndispark import Ndispark
from sambench.datasets.ovis import Ovis
from sambench.datasets.pidray import Pidray
from sambench.datasets.plittersdorf import Plittersdorf
from sambench.datasets.ppdls import Ppdls
from sambench.datasets.streets import Streets
from sambench.datasets.timberseg import Timberseg
from sambench.datasets.trashcan import Trashcan
from sambench.datasets.visor import Visor
from sambench.datasets.woodscape import Woodscape
from sambench.datasets.zerowaste_f import ZerowasteF
from sambench.errors import UserError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
H, W = 4, 6
LABELS = np.zeros((H, W), dtype=np.uint8)
LABELS[1:3, 2:5], LABELS[3, 0] = 1, 2
SQUARE, DOT = LABELS == 1, LABELS == 2
CORNERS = [(2, 1), (5, 1), (5, 3), (2, 3)]
"""Outline of the square, in pixels."""
DEGENERATE = [(0, 0), (1, 1)]


def save(path, values, dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, dtype=dtype)).save(path)
    return path


def photograph(path):
    return save(path, np.arange(H * W * 3).reshape(H, W, 3))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def flat(corners):
    return [value for corner in corners for value in corner]


def coco(names, segmentation=None, **image):
    """A COCO file of images that have the square each, and an annotation without an outline."""
    segmentation = segmentation or [flat(CORNERS)]
    numbered = list(enumerate(names, start=1))
    return {
        "images": [{"id": i, "file_name": n, "height": H, "width": W} | image for i, n in numbered],
        "annotations": [
            {"id": 10 * i + j, "image_id": i, "category_id": 1, "segmentation": outline}
            for i, _ in numbered
            for j, outline in enumerate([segmentation, [flat(DEGENERATE)]])
        ],
        "categories": [{"id": 1, "name": "thing", "frequency": "f"}],
    }


def via(filename, regions):
    shapes = [
        {"shape_attributes": {"name": "polyline", "all_points_x": xs, "all_points_y": ys}}
        for xs, ys in ([list(part) for part in zip(*ring, strict=True)] for ring in regions)
    ]
    return {f"{filename}123": {"filename": filename, "size": 123, "regions": shapes}}


def ppdls(root):
    plant = root / "Plant_Phenotyping_Datasets" / "Plant"
    photograph(plant / "Ara2012" / "ara2012_plant001_rgb.png")
    save(plant / "Ara2012" / "ara2012_plant001_label.png", LABELS)
    colours = np.zeros((H, W, 3))
    colours[SQUARE], colours[DOT] = (0, 0, 1), (0, 0, 2)
    photograph(plant / "Tobacco" / "tobacco_plant001_rgb.png")
    save(plant / "Tobacco" / "tobacco_plant001_label.png", colours)
    return Ppdls(str(root)), ("ara2012_plant001", "tobacco_plant001"), [SQUARE, DOT]


def bbbc038v1(root):
    folder = root / "stage1_train" / "abc"
    photograph(folder / "images" / "abc.png")
    save(folder / "masks" / "1.png", SQUARE * 255)
    save(folder / "masks" / "2.png", DOT * 255)
    return Bbbc038v1(str(root)), ("abc",), [SQUARE, DOT]


def doors(root):
    folder = root / "Segmentation" / "DS1" / "DS"
    for name in ("1.png", "2.png"):
        photograph(folder / "img" / name)
        save(folder / "mask" / name, np.where(SQUARE, 255, 7))
    write(folder / "Te1.txt", "1.png\n")
    write(folder / "Te2.txt", "2.png\n")
    return Doors(str(root)), ("1", "2"), [SQUARE]


def timberseg(root):
    folder = root / "y5npsm3gkj-2" / "prescaled"
    photograph(folder / "images" / "a.png")
    write(folder / "coco_annotation.json", coco(["images/a.png"]))
    return Timberseg(str(root)), ("1",), [SQUARE]


def ndd20(root):
    for part in ("ABOVE", "BELOW"):
        photograph(root / "NDD20" / part / "1.jpg")
        write(root / "NDD20" / f"{part}_LABELS.json", via("1.jpg", [CORNERS, DEGENERATE]))
    return Ndd20(str(root)), ("ABOVE-1", "BELOW-1"), [SQUARE]


def lvis_v05(root):
    address = "http://images.cocodataset.org/val2017/1.jpg"
    federated = {"neg_category_ids": [], "not_exhaustive_category_ids": []}
    photograph(root / "val2017" / "1.jpg")
    content = coco(["COCO_val2014_1.jpg"], coco_url=address, **federated)
    del content["annotations"][1]
    write(root / "lvis_v0.5_val.json", content)
    return LvisV05(str(root)), ("1",), [SQUARE]


def streets(root):
    base = root / "vehicleannotations"
    photograph(base / "images" / "a-1.jpg")
    content = via("a-1.jpg", [CORNERS, DEGENERATE])
    entry = next(iter(content.values()))
    entry["regions"] = {str(i): region for i, region in enumerate(entry["regions"])}
    write(base / "annotations" / "vehicle-annotations.json", content)
    return Streets(str(root)), ("a-1",), [SQUARE]


def zerowaste_f(root):
    folder = root / "zerowaste-f-final" / "splits_final_deblurred" / "train"
    photograph(folder / "data" / "01.PNG")
    save(folder / "sem_seg" / "01.PNG", LABELS)
    return ZerowasteF(str(root)), ("01",), [SQUARE, DOT]


def ishape(root):
    for part in ("antenna", "branch", "fence", "hanger", "log", "wire"):
        folder = root / "ishape_dataset" / part / "val"
        (folder / "instance_map").mkdir(parents=True)
        if part == "wire":
            photograph(folder / "image" / "7.jpg")
            save(folder / "instance_map" / "7.png", LABELS.astype(np.uint16) * 1000, np.uint16)
        (folder / "image").mkdir(exist_ok=True)
    return Ishape(str(root)), ("wire-7",), [SQUARE, DOT]


def ade20k(root):
    folder = root / "ADE20K_2021_17_01" / "images" / "ADE" / "validation" / "urban" / "street"
    photograph(folder / "ADE_val_00000001.jpg")
    objects, parts = np.zeros((2, H, W, 3))
    objects[..., 0], parts[..., 1] = 10, 77  # classes do not matter
    objects[SQUARE | DOT, 2], parts[DOT, 2] = 51, 255
    save(folder / "ADE_val_00000001_seg.png", objects)
    save(folder / "ADE_val_00000001_parts_1.png", parts)
    return Ade20k(str(root)), ("ADE_val_00000001",), [SQUARE | DOT, DOT]


def ovis(root):
    rles = [coco_mask.encode(np.asfortranarray(m, dtype=np.uint8)) for m in (SQUARE, DOT, DOT & 0)]
    rles = [rle | {"counts": rle["counts"].decode()} for rle in rles]
    names = ["v1/img_0000001.jpg", "v1/img_0000002.jpg"]
    photograph(root / "train" / names[0])
    tracks = [
        {"id": i, "video_id": 3, "category_id": i, "segmentations": [rle, None]}
        for i, rle in enumerate(rles)
    ]
    video = {"id": 3, "height": H, "width": W, "file_names": names}
    write(root / "annotations_train.json", {"videos": [video], "annotations": tracks})
    return Ovis(str(root)), ("v1-img_0000001",), [SQUARE, DOT]


def hypersim(root):
    h5py = pytest.importorskip("h5py", reason="the extra hypersim is not installed")
    for scene in ("ai_001_002", "ai_020_001"):
        folder = root / scene / "images"
        photograph(folder / "scene_cam_00_final_preview" / "frame.0003.tonemap.jpg")
        path = folder / "scene_cam_00_geometry_hdf5" / "frame.0003.semantic_instance.hdf5"
        path.parent.mkdir()
        with h5py.File(path, "w") as file:
            file["dataset"] = LABELS.astype(np.int16) - 1
    dataset = Hypersim(str(root))
    return dataset, ("ai_001_002-cam_00-0003",), [SQUARE, DOT]


def ndispark(root):
    photograph(root / "ndis_park" / "train" / "imgs" / "a.jpg")
    write(root / "ndis_park" / "train" / "train_coco_annotations.json", coco(["a.jpg"]))
    return Ndispark(str(root)), ("1",), [SQUARE]


def visor(root):
    base, name = root / "GroundTruth-SparseAnnotations", "P01_107_frame_0000000140.jpg"
    photograph(base / "rgb_frames" / "val" / "P01" / "P01_107" / name)
    annotations = [{"id": "a", "segments": [CORNERS]}, {"id": "b", "segments": [DEGENERATE]}]
    entry = {"image": {"name": name, "video": "P01_107"}, "annotations": annotations}
    write(base / "annotations" / "val" / "P01_107.json", {"video_annotations": [entry]})
    return Visor(str(root)), (Path(name).stem,), [SQUARE]


def plittersdorf(root):
    folder = root / "plittersdorf_instance_segmentation_coco"
    for part in ("train", "val", "test"):
        photograph(folder / "images" / f"{part}.jpg")
        write(folder / f"{part}.json", coco([f"{part}.jpg"]))
    return Plittersdorf(str(root)), ("train-1", "val-1", "test-1"), [SQUARE]


def egohos(root):
    for name in ("ego4d_a", "epic_b", "thu_c"):
        photograph(root / "train" / "image" / f"{name}.jpg")
        save(root / "train" / "label" / f"{name}.png", LABELS)
    return Egohos(str(root)), ("ego4d_a", "thu_c"), [SQUARE, DOT]


def ibd(root):
    photograph(root / "images" / "a.png")
    write(root / "train.json", coco(["a.png"]))
    return Ibd(str(root / "train.json"), str(root / "images")), ("1",), [SQUARE]


def woodscape(root):
    photograph(root / "rgb_images" / "rgb_images" / "00000_FV.png")
    photograph(root / "rgb_images" / "rgb_images" / "00001_RV.png")
    for name, outline in (("00000_FV", CORNERS), ("00001_RV", [CORNERS])):
        annotations = [
            {"tags": ["car"], "segmentation": outline},
            {"tags": ["curb"], "segmentation": DEGENERATE},
        ]
        entry = {"image_height": H, "image_width": W, "annotation": annotations}
        write(root / "instance_annotations" / f"{name}.json", {f"{name}.json": entry})
    return Woodscape(str(root)), ("00000_FV", "00001_RV"), [SQUARE]


def cityscapes(root):
    name, labels = "lindau_000000_000019", np.full((H, W), 4)
    labels[SQUARE], labels[DOT], labels[0, 0], labels[0, 1] = 7, 26001, 26, 1
    photograph(root / "leftImg8bit" / "val" / "lindau" / f"{name}_leftImg8bit.png")
    path = root / "gtFine" / "val" / "lindau" / f"{name}_gtFine_instanceIds.png"
    save(path, labels, np.uint16)
    return Cityscapes(str(root)), (name,), [SQUARE, DOT]


def pidray(root):
    photograph(root / "pidray" / "hard" / "xray_hard00001.png")
    write(root / "pidray" / "annotations" / "xray_test_hard.json", coco(["xray_hard00001.png"]))
    return Pidray(str(root)), ("1",), [SQUARE]


def dram(root):
    labels = np.where(LABELS == 0, 0, LABELS + 10)
    labels[0, 0] = 255
    photograph(root / "DRAM_processed" / "test" / "realism" / "ilya-repin" / "5.jpg")
    save(root / "DRAM_processed" / "labels" / "realism" / "ilya-repin" / "5.png", labels)
    return Dram(str(root)), ("realism-ilya-repin-5",), [SQUARE, DOT]


def trashcan(root):
    folder = root / "dataset" / "instance_version"
    photograph(folder / "train" / "vid_1_frame1.jpg")
    write(folder / "instances_train_trashcan.json", coco(["vid_1_frame1.jpg"]))
    return Trashcan(str(root)), ("1",), [SQUARE]


def gtea(root):
    photograph(root / "hand2K_dataset" / "GTEA" / "Images" / "s1.jpg")
    save(root / "hand2K_dataset" / "GTEA" / "Masks" / "s1.png", LABELS * 100)
    return Gtea(str(root)), ("s1",), [SQUARE, DOT]


MINIATURES = {
    build.__name__: build
    for build in (
        *(ppdls, bbbc038v1, doors, timberseg, ndd20, lvis_v05, streets, zerowaste_f, ishape),
        *(ade20k, ovis, hypersim, ndispark, visor, plittersdorf, egohos, ibd, woodscape),
        *(cityscapes, pidray, dram, trashcan, gtea),
    )
}


def test_the_suite_has_the_23_of_the_paper_in_its_order():
    assert SUITES["sa23"] == tuple(MINIATURES)
    assert len(SUITES["sa23"]) == 23


@pytest.mark.parametrize("name", SUITES["sa23"])
def test_miniature_in_the_original_layout(name, tmp_path):
    dataset, ids, masks = MINIATURES[name](tmp_path)
    assert dataset.card.name == name
    assert dataset.ids == ids
    for id in ids:
        sample = dataset[id]
        assert sample.image.shape == (H, W, 3)
        assert (sample.truth.masks() == masks).all()
        assert len(sample.truth.ids) == len(masks)
    counts = {"images", "images with masks", "masks"} & dataset.card.expected.keys()
    assert len(problems_of(dataset)) == len(counts)  # fewer, and nothing else is wrong
    assert len(dataset.fingerprint) == 64


@pytest.mark.parametrize("name", SUITES["sa23"])
def test_missing_files_say_what_to_do(name, tmp_path):
    if name == "hypersim":
        pytest.importorskip("h5py", reason="the extra hypersim is not installed")
    cls = type(MINIATURES[name](tmp_path / "there")[0])
    assert status(cls, "" if name == "ibd" else str(tmp_path / "nowhere")) == "missing, by hand"
    with pytest.raises(UserError, match=r"root=|ibd:annotations"):
        cls() if name == "ibd" else cls(str(tmp_path / "nowhere"))
    assert cls.card.steps
    assert cls.card.citation
    assert cls.card.homepage.startswith("http")


def test_two_roots_have_one_fingerprint_and_another_truth_another(tmp_path):
    for name, build in MINIATURES.items():
        first, second = build(tmp_path / name / "1")[0], build(tmp_path / name / "2")[0]
        if name != "hypersim":  # HDF5 files hold the time they were written
            assert first.fingerprint == second.fingerprint, name
    save(first.truth_paths("s1")[0], LABELS)
    assert (
        gtea(tmp_path / "3")[0].fingerprint != type(first)(str(tmp_path / name / "1")).fingerprint
    )


def test_cityscapes_leaves_groups_out_and_keeps_classes(tmp_path):
    truth = cityscapes(tmp_path)[0]["lindau_000000_000019"].truth
    assert truth.ids == (7, 26001)
    assert truth.categories.tolist() == [7, 26]


def test_ade20k_tells_parts_from_objects(tmp_path):
    assert ade20k(tmp_path)[0]["ADE_val_00000001"].truth.categories.tolist() == [1, 2]


def test_dram_does_not_count_void(tmp_path):
    assert dram(tmp_path)[0]["realism-ilya-repin-5"].truth.ignore.sum() == 1


def test_damage_is_one_sentence(tmp_path):
    dataset = ovis(tmp_path / "ovis")[0]
    write(dataset.source, {"videos": [{"id": 1}], "annotations": []})
    with pytest.raises(UserError, match=r'videos\[0\] \(id 1\) has no "height"'):
        len(Ovis(str(tmp_path / "ovis")))
    dataset = streets(tmp_path / "streets")[0]
    write(dataset.source, {"a": {"filename": "a.jpg", "regions": [{}]}})
    with pytest.raises(UserError, match=r'a.regions\[0\] has no "shape_attributes"'):
        len(Streets(str(tmp_path / "streets")))
    dataset = woodscape(tmp_path / "woodscape")[0]
    write(dataset.truth_paths("00000_FV")[0], {})
    with pytest.raises(UserError, match=r'has no "00000_FV\.json"'):
        dataset.read_truth("00000_FV", dataset.truths[0])
    dataset = bbbc038v1(tmp_path / "bbbc")[0]
    for path in dataset.truth_paths("abc"):
        path.unlink()
    with pytest.raises(UserError, match="has no masks"):
        dataset["abc"]
    with pytest.raises(UserError, match="sample=some is unknown"):
        Bbbc038v1(str(tmp_path / "bbbc"), sample="some")


def test_bbbc038v1_on_real_data():
    if not (DATA / "bbbc038v1").is_dir():
        pytest.skip("real data of bbbc038v1 is not on this machine")
    dataset = Bbbc038v1(str(DATA / "bbbc038v1"))
    assert len(dataset) == 39  # fewer masks than the sample asks for: all images
    assert sum(dataset.count(id) for id in dataset) == 2148
    id = dataset.ids[0]
    files = sorted((DATA / "bbbc038v1" / "stage1_train" / id / "masks").iterdir())
    truth = dataset[id].truth
    assert len(truth) == dataset.count(id) == len(files)
    for index, path in enumerate(files):
        assert (truth.mask(index) == (np.asarray(Image.open(path)) > 0)).all()


# The rule of sampling


def test_sample_is_of_whole_images_until_there_are_enough_masks():
    ids = [f"image{n}" for n in range(1000)]
    counts = {id: n % 7 for n, id in enumerate(ids)}
    taken = subsample(ids, counts.__getitem__, masks=500)
    total = sum(counts[id] for id in taken)
    assert 500 <= total < 500 + 6
    assert all(counts[id] for id in taken)
    assert list(taken) == [id for id in ids if id in set(taken)]


def test_sample_is_the_same_for_everybody():
    ids = [str(n) for n in range(100)]
    taken = subsample(ids, lambda id: 1, masks=5)
    assert taken == subsample(ids[::-1], lambda id: 1, masks=5)[::-1]
    assert taken == ("15", "44", "46", "87", "99")
    assert taken != subsample(ids, lambda id: 1, masks=5, seed=1)
    assert set(subsample(ids, lambda id: 1, masks=4)) < set(taken)


def test_sample_takes_all_where_there_are_too_few_and_reads_no_more_than_it_needs():
    ids = [str(n) for n in range(50)]
    assert subsample(ids, lambda id: 1) == tuple(ids)
    asked = []
    subsample(ids, lambda id: asked.append(id) or 1, masks=10)
    assert len(asked) == 10
