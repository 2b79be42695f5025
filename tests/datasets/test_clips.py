"""Readers of clips: layouts of others in small, and what is refused in which words."""

import json
import pickle
import shutil
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sambench.errors import UserError
from sambench.masks.rle import encode
from sambench.registry import find, load
from sambench.video import Tracks

SIZE = (6, 8)


def frames(folder, names, size=SIZE):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.fromarray(np.full((*size, 3), 10 * i, np.uint8)).save(folder / name)


def palette(path, labels, size=SIZE):
    """A palette PNG: label -> (row, column) of its pixels."""
    values = np.zeros(size, np.uint8)
    for value, pixels in labels.items():
        for pixel in pixels:
            values[pixel] = value
    image = Image.fromarray(values)
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    assert image.mode == "P"


A, B, C = [(1, 2), (1, 3)], [(4, 5)], [(0, 0)]
FIVE = [f"{i:05}.jpg" for i in range(5)]


def seen(truth):
    """Object -> pixels in each frame, None where nobody looked."""
    drawn = {id: [truth.mask(id, i) for i in range(len(truth.frames))] for id in truth.ids}
    return {
        id: [None if mask is None else list(map(tuple, np.argwhere(mask).tolist())) for mask in own]
        for id, own in drawn.items()
    }


def truth_of(spec, id):
    dataset = load("dataset", spec)
    truth = dataset.read_truth(id, Tracks)
    clip = dataset.clip(id)
    assert list(truth.problems(clip.size)) == []
    assert truth.frames == clip.names
    assert dataset.read_image(id).shape == (*SIZE, 3)
    assert dataset.image_path(id).is_file()
    return truth


def davis(root, year):
    frames(root / "JPEGImages/480p/bear", FIVE)
    frames(root / "JPEGImages/480p/cows", FIVE[:2])
    (root / f"ImageSets/{year}").mkdir(parents=True)
    (root / f"ImageSets/{year}/val.txt").write_text("cows\nbear\n")
    for i in range(5):
        labels = {1: A, 2: B, 255: C} if i < 4 else {2: B}
        palette(root / f"Annotations/480p/bear/{i:05}.png", labels)
    for i in range(2):
        palette(root / f"Annotations/480p/cows/{i:05}.png", {3: A})
    return root


def test_davis_2017_takes_values_as_objects_and_keeps_void_apart(tmp_path):
    root = davis(tmp_path, 2017)
    dataset = load("dataset", f"davis2017:root={root}")
    assert dataset.ids == ("cows", "bear")
    assert load("dataset", f"davis2017:root={root},split=all").ids == ("bear", "cows")
    truth = truth_of(f"davis2017:root={root}", "bear")
    assert seen(truth) == {1: [A] * 4 + [[]], 2: [B] * 5}
    assert [rle is None for rle in truth.void] == [False] * 4 + [True]
    assert truth_of(f"davis2017:root={root}", "cows").void == ()


def test_davis_2016_takes_all_objects_as_one(tmp_path):
    root = davis(tmp_path, 2016)
    truth = truth_of(f"davis2016:root={root}", "bear")
    assert seen(truth) == {1: [sorted(A + B + C)] * 4 + [B]}
    assert truth.void == ()
    shutil.rmtree(root / "ImageSets")
    (root / "ImageSets/480p").mkdir(parents=True)
    pair = "/JPEGImages/480p/bear/{0}.jpg /Annotations/480p/bear/{0}.png\n"
    lines = "".join(pair.format(f"{i:05}") for i in range(5))
    (root / "ImageSets/480p/val.txt").write_text(lines)
    assert load("dataset", f"davis2016:root={root}").ids == ("bear",)
    for text in ("bear/\n", "480p/bear\r\n", "\ufeffbear\n", "/480p/bear/00000.JPG\n"):
        (root / "ImageSets/480p/val.txt").write_text(text, encoding="utf-8", newline="")
        assert load("dataset", f"davis2016:root={root}").ids == ("bear",)


def test_a_list_or_split_that_is_not_there(tmp_path):
    root = davis(tmp_path, 2016)
    with pytest.raises(UserError, match=r"2017.val\.txt.*split=all"):
        _ = load("dataset", f"davis2017:root={root}").ids
    with pytest.raises(UserError, match="split=test is unknown; give val, train, trainval or all"):
        load("dataset", f"davis2017:root={root},split=test")
    (root / "ImageSets/2016/val.txt").write_text("\n")
    with pytest.raises(UserError, match="names no clip"):
        _ = load("dataset", f"davis2016:root={root}").ids


def youtube(root, split):
    frames(root / split / "JPEGImages/0a", FIVE)
    palette(root / split / "Annotations/0a/00001.png", {2: A})
    palette(root / split / "Annotations/0a/00003.png", {2: B, 1: C})
    return root


def test_frames_that_nobody_annotated_are_not_those_where_an_object_is_gone(tmp_path):
    root = youtube(tmp_path, "train")
    truth = truth_of(f"youtube_vos:root={root},split=train", "0a")
    assert seen(truth) == {1: [None, [], None, C, None], 2: [None, A, None, B, None]}


def test_of_a_split_of_prompts_each_object_is_known_where_it_comes(tmp_path):
    root = youtube(tmp_path, "valid")
    dataset = load("dataset", f"youtube_vos:root={root}")
    assert "its server scores" in dataset.card.note
    truth = truth_of(f"youtube_vos:root={root}", "0a")
    assert seen(truth) == {1: [None, None, None, C, None], 2: [None, A, None, None, None]}


def test_mose_needs_a_mask_of_the_first_frame_and_lvos_does_not(tmp_path):
    root = youtube(tmp_path, "train")
    with pytest.raises(UserError, match=r"0a has no mask of the first frame, 00000; add it"):
        load("dataset", f"mose:root={root},split=train").read_truth("0a", Tracks)
    palette(root / "train/Annotations/0a/00001.png", {2: A, 255: C})
    truth = truth_of(f"lvos:root={root},split=train", "0a")
    assert truth.ids == (1, 2)
    assert truth.void[1] is not None
    palette(root / "train/Annotations/0a/00000.png", {})
    assert seen(truth_of(f"mose:root={root},split=train", "0a"))[255][:2] == [[], C]


def sav(root):
    base = root / "sav_val"
    frames(base / "JPEGImages_24fps/sav_1", FIVE)
    (base / "sav_val.txt").write_text("sav_1\n")
    for number, i, pixels in ((0, 0, A), (0, 4, []), (12, 0, []), (12, 4, A + B)):
        values = np.zeros(SIZE, np.uint8)
        for pixel in pixels:
            values[pixel] = 255
        folder = base / f"Annotations_6fps/sav_1/{number:03}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).convert("1").save(folder / f"{i:05}.png")
    return base


def test_sav_has_a_folder_for_each_object(tmp_path):
    base = sav(tmp_path)
    truth = truth_of(f"sav:root={tmp_path}", "sav_1")
    assert seen(truth) == {0: [A, None, None, None, []], 12: [[], None, None, None, sorted(A + B)]}
    (base / "Annotations_6fps/sav_1/x").mkdir()
    with pytest.raises(UserError, match="has the folder x, which numbers no object"):
        load("dataset", f"sav:root={tmp_path}").read_truth("sav_1", Tracks)


def test_an_objects_own_folder_is_of_that_object_alone(tmp_path):
    """Label maps, smooth outlines and a second folder of the number would be taken for it."""
    folder = sav(tmp_path) / "Annotations_6fps/sav_1"
    shutil.copytree(folder / "012", folder / "12")
    with pytest.raises(UserError, match="sav_1 has 012 and 12, both of one object; keep one"):
        load("dataset", f"sav:root={tmp_path}").read_truth("sav_1", Tracks)
    shutil.rmtree(folder / "12")
    palette(folder / "012/00004.png", {1: A, 2: B})
    with pytest.raises(UserError, match=r"012.00004\.png has 2 values beside 0"):
        load("dataset", f"sav:root={tmp_path}").read_truth("sav_1", Tracks)


def runs(*pixels):
    mask = np.zeros((1, *SIZE), bool)
    for pixel in pixels:
        mask[(0, *pixel)] = True
    rle = encode(mask)[0]
    return {"size": list(SIZE), "counts": rle["counts"].decode()}


def sav_json(**more):
    rows = [[runs(*A), runs()], [runs(), runs(*B)]]
    return {
        "video_height": 6.0, "video_width": 8.0, "masklet_id": [4, 0], "masklet": rows, **more,
    }  # fmt: skip


def test_sav_train_has_run_lengths(tmp_path):
    (tmp_path / "sav_2_manual.json").write_text(json.dumps(sav_json()))
    (tmp_path / "sav_2_auto.json").write_text(json.dumps(sav_json(masklet_id=[7, 8])))
    dataset = load("dataset", f"sav:root={tmp_path},split=train")
    assert dataset.ids == ("sav_2",)
    truth = dataset.read_truth("sav_2", Tracks)
    assert (truth.frames, truth.size) == (("00000", "00004"), SIZE)
    assert seen(truth) == {4: [A, []], 0: [[], B]}
    automatic = load("dataset", f"sav:root={tmp_path},split=train,by=auto")
    assert automatic.read_truth("sav_2", Tracks).ids == (7, 8)
    assert automatic.fingerprint != dataset.fingerprint
    (tmp_path / "sav_3_manual.json").write_text(json.dumps(sav_json(video_frame_count=5.0)))
    assert load("dataset", f"sav:root={tmp_path},split=train").read_truth("sav_3", Tracks)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"masklet": [[runs(*A)]]}, r"masklet\[0\] has 1 masks for the 2 objects"),
        ({"masklet_id": [4, 4]}, "masklet_id names an object twice"),
        (
            {"video_frame_count": 9.0},
            "masklet has masks of 2 frames, where the video has 9, every 4th of which",
        ),
        (
            {"masklet": [[runs(), {"size": [6, 8], "counts": "11"}]]},
            r"masklet\[0\]\[1\]\.counts.*damaged run lengths",
        ),
        ({"video_height": 5}, r"is a mask of size \[6, 8\] in an image of \[5, 8\]"),
    ],
)
def test_broken_run_lengths_are_named_with_their_place(change, words, tmp_path):
    (tmp_path / "sav_2_manual.json").write_text(json.dumps(sav_json(**change)))
    with pytest.raises(UserError, match=words):
        load("dataset", f"sav:root={tmp_path},split=train").read_truth("sav_2", Tracks)


def own(root, names=FIVE):
    """Five frames, of which the first and the third have masks."""
    frames(root / "images/a", names)
    palette(root / "masks/a/00000.png", {1: A, 9: B})
    palette(root / "masks/a/00002.png", {})
    return f"frames:images={root}/images,masks={root}/masks"


def test_your_own_clips(tmp_path):
    spec = own(tmp_path)
    assert seen(truth_of(spec, "a")) == {
        1: [A, None, [], None, None],
        9: [B, None, [], None, None],
    }
    assert seen(truth_of(f"{spec},void=9", "a")) == {1: [A, None, [], None, None]}
    assert seen(truth_of(f"{spec},merged=true", "a")) == {1: [sorted(A + B), None, [], None, None]}
    with pytest.raises(UserError, match="exclude each other"):
        load("dataset", f"{spec},merged=true,void=9")
    with pytest.raises(UserError, match=r"step=2 is for video files, and \S+images has folders of"):
        _ = load("dataset", f"{spec},step=2").ids


def grey(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


READERS = {
    "frames": "frames:images={0}/JPEGImages/480p,masks={0}/Annotations/480p",
    "frames of one object": "frames:images={0}/JPEGImages/480p,masks={0}/Annotations/480p,"
    "merged=true",
    "davis2016": "davis2016:root={0},split=all",
    "davis2017": "davis2017:root={0},split=all",
    "lvos": "lvos:root={0}/lvos",
}


@pytest.mark.parametrize("spec", READERS.values(), ids=READERS)
def test_grey_levels_of_outlines_are_no_objects(tmp_path, spec):
    """A mask that was made smaller and larger again: each level would be an object."""
    small = np.zeros((12, 16), np.uint8)
    small[3:9, 4:12] = 255
    smooth = np.asarray(Image.fromarray(small).resize((32, 24), Image.Resampling.BILINEAR))
    for base, clip in ((tmp_path, "480p/a"), (tmp_path / "lvos/val", "a")):
        frames(base / f"JPEGImages/{clip}", FIVE[:1], smooth.shape)
        grey(base / f"Annotations/{clip}/00000.png", smooth)
    with pytest.raises(UserError, match=r"a.00000\.png has .*as the grey levels of smooth"):
        load("dataset", spec.format(tmp_path)).read_truth("a", Tracks)
    for base, clip in ((tmp_path, "480p/a"), (tmp_path / "lvos/val", "a")):
        grey(base / f"Annotations/{clip}/00000.png", (smooth > 127) * 200)
    assert load("dataset", spec.format(tmp_path)).read_truth("a", Tracks)


def test_the_grey_of_an_objects_colour_is_not_its_number(tmp_path):
    """What a program makes of a palette image that it opens as grey; void would be an object."""
    spec = f"frames:images={tmp_path}/images,masks={tmp_path}/masks"
    frames(tmp_path / "images/a", FIVE[:2])
    mask = np.zeros(SIZE)
    mask[:2], mask[2:4] = 38, 75
    grey(tmp_path / "masks/a/00000.png", mask)
    words = "a has masks with the values 38 and 75, which colours of objects become in grey"
    with pytest.raises(UserError, match=words):
        load("dataset", spec).read_truth("a", Tracks)
    grey(tmp_path / "masks/a/00001.png", mask == 38)  # a 1 is no grey of a colour
    assert load("dataset", spec).read_truth("a", Tracks).ids == (1, 38, 75)
    grey(tmp_path / "masks/a/00001.png", mask == 0)
    grey(tmp_path / "masks/a/00000.png", np.where(mask == 38, 38, 220 * (mask > 0)))
    (tmp_path / "masks/a/00001.png").unlink()
    with pytest.raises(UserError, match="the values 38 and 220, which colours of objects become"):
        load("dataset", spec).read_truth("a", Tracks)


def test_what_does_not_belong_together_is_refused(tmp_path):
    spec = own(tmp_path)

    def refused(words):
        with pytest.raises(UserError, match=words):
            load("dataset", spec)[load("dataset", spec).ids[0]]

    palette(tmp_path / "masks/a/00009.png", {1: A})
    refused(r"00009\.png is the mask of no frame of its clip; add the image 00009")
    (tmp_path / "masks/a/00009.png").unlink()
    palette(tmp_path / "masks/a/00001.png", {1: A}, (8, 6))
    refused(r"00001\.png has size \(8, 6\), but its frame has \(6, 8\)")
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / "masks/a/00001.png")
    refused(r"00001\.png has 3 channels; a label image has one: give the palette or grey image")
    Image.fromarray(np.full(SIZE, 256, np.uint16)).save(tmp_path / "masks/a/00001.png")
    refused(r"00001\.png has an object numbered 256; number objects from 1 to 255")
    (tmp_path / "masks/a/00001.png").unlink()
    (tmp_path / "masks/b").mkdir()
    refused(r"masks.b has no folder .*images.b; add it, or take it away")
    (tmp_path / "images/b").mkdir()
    (tmp_path / "masks/a/00000.png").unlink()
    refused("no mask of the first frame, 00000")
    (tmp_path / "masks/a/00002.png").unlink()
    refused("a has no masks")
    with pytest.raises(UserError, match="b has no frames"):
        load("dataset", spec).clip("b")
    with pytest.raises(UserError, match="frames needs two folders"):
        load("dataset", "frames:images=x")


def test_frames_are_in_the_order_of_their_numbers_or_refused(tmp_path):
    spec = own(tmp_path, ["0.png", "2.png", "10.png"])
    shutil.rmtree(tmp_path / "masks/a")
    palette(tmp_path / "masks/a/0.png", {1: A})
    assert load("dataset", spec).clip("a").names == ("0", "2", "10")
    frames(tmp_path / "images/a", ["x2.png", "x10.png"])
    with pytest.raises(UserError, match="give all numbers as many digits"):
        load("dataset", spec).clip("a")


def test_a_fingerprint_is_of_the_annotations_and_the_names_of_frames(tmp_path):
    spec = own(tmp_path)
    first = load("dataset", spec).fingerprint
    frames(tmp_path / "images/a", FIVE[:1], (6, 8))
    assert load("dataset", spec).fingerprint == first
    assert load("dataset", f"{spec},merged=true").fingerprint != first
    frames(tmp_path / "images/a", ["00005.jpg"])
    longer = load("dataset", spec).fingerprint
    palette(tmp_path / "masks/a/00002.png", {1: A})
    assert len({first, longer, load("dataset", spec).fingerprint}) == 3


class Pretended:
    """What PyAV is asked for: a container of frames of one grey each.

    Args:
        greys: of the frames that can be decoded.
        stated: how many the file says it has, and two more that it says are not shown.
        turned: by how many degrees the frames are.
        corrupt: the grey of a frame that the decoder made up in part.
    """

    def __init__(self, greys, stated, turned=0, corrupt=None):
        self.greys, self.stated, self.turned, self.corrupt = greys, stated, turned, corrupt
        self.decoded, self.streams = [], SimpleNamespace(video=[self])
        self.height, self.width = SIZE

    def open(self, path):
        return nullcontext(self)

    def demux(self, stream):
        stored = [(9, True)] * 2 + [(9, False)] * self.stated + [(0, False)]
        return (SimpleNamespace(size=size, is_discard=left) for size, left in stored)

    def decode(self, stream):
        for grey in self.greys:
            self.decoded.append(grey)
            image = np.full((*SIZE, 3), grey, np.uint8)
            yield SimpleNamespace(
                height=SIZE[0], width=SIZE[1], rotation=self.turned,
                is_corrupt=grey == self.corrupt,
                to_ndarray=lambda image=image, **_: image,
            )  # fmt: skip


def movie(tmp_path, monkeypatch, av, **options):
    own(tmp_path)
    shutil.rmtree(tmp_path / "images/a")
    (tmp_path / "images/a.MP4").touch()
    monkeypatch.setitem(sys.modules, "av", av)
    cls = find("dataset", "frames")
    return cls(images=str(tmp_path / "images"), masks=str(tmp_path / "masks"), **options)


def test_a_video_file_is_decoded_once_where_frames_are_read_in_order(tmp_path, monkeypatch):
    av = Pretended([10, 11, 12, 13, 14], 5)
    dataset = movie(tmp_path, monkeypatch, av, step=2)
    clip = dataset.clip("a")
    assert (clip.names, clip.size) == (("00000", "00002", "00004"), SIZE)
    assert [int(frame[0, 0, 0]) for frame in clip] == [10, 12, 14]
    assert av.decoded == [10, 11, 12, 13, 14]
    assert clip.frame(1)[0, 0, 0] == clip.frame(1)[0, 0, 0] == 12  # from the beginning, twice
    assert av.decoded[5:] == [10, 11, 12] * 2
    assert pickle.loads(pickle.dumps(clip)).frame(2)[0, 0, 0] == 14
    assert clip.stamp() == dataset.stamp("a") is not None
    with pytest.raises(IndexError):
        clip.frame(3)
    assert dataset.read_truth("a", Tracks).annotated(1) == (0, 1)


def test_a_video_file_that_is_damaged_or_turned_is_refused(tmp_path, monkeypatch):
    clip = movie(tmp_path, monkeypatch, Pretended([10, 11], 5)).clip("a")
    assert clip.frame(1)[0, 0, 0] == 11
    with pytest.raises(UserError, match="ends before frame 00002, although it says that it has 5"):
        clip.frame(2)
    shutil.rmtree(tmp_path / "images")
    clip = movie(tmp_path, monkeypatch, Pretended([10], 1, turned=90)).clip("a")
    with pytest.raises(UserError, match=r"^\S+a\.MP4 is turned by 90 degrees.*save it upright\.$"):
        clip.frame(0)
    shutil.rmtree(tmp_path / "images")
    skipped = Pretended([10, 11, 12], 3, corrupt=11)
    clip = movie(tmp_path, monkeypatch, skipped, step=2).clip("a")
    assert clip.frame(0)[0, 0, 0] == 10
    with pytest.raises(UserError, match=r"a\.MP4 is damaged at frame 1.*fetch it again\.$"):
        clip.frame(1)
    shutil.rmtree(tmp_path / "images")
    sound = Pretended([], 0)
    sound.streams.video.clear()
    with pytest.raises(UserError, match=r"a\.MP4 has no video in it"):
        movie(tmp_path, monkeypatch, sound).clip("a")
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(UserError, match="has no frames"):
        movie(tmp_path, monkeypatch, Pretended([], 0)).clip("a")


def test_without_pyav_a_video_file_is_refused(tmp_path, monkeypatch):
    dataset = movie(tmp_path, monkeypatch, None)
    with pytest.raises(UserError, match=r"needs PyAV: pip install 'sambench\[video\]'"):
        dataset.clip("a")


def test_video_files_are_clips_too(tmp_path):
    av = pytest.importorskip("av", reason="the extra sambench[video] is not installed")
    spec = own(tmp_path, FIVE)
    shutil.rmtree(tmp_path / "images/a")
    with av.open(str(tmp_path / "images/a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=24)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for i in range(9):
            grey = np.full((32, 48, 3), 25 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    for path in (tmp_path / "masks/a").iterdir():
        path.unlink()
    palette(tmp_path / "masks/a/00004.png", {1: A}, (32, 48))
    palette(tmp_path / "masks/a/00000.png", {1: A}, (32, 48))
    dataset = load("dataset", f"{spec},step=4")
    clip = dataset.clip("a")
    assert (clip.names, clip.size) == (("00000", "00004", "00008"), (32, 48))
    assert [round(int(frame.mean()) / 25) for frame in clip] == [0, 4, 8]
    assert round(clip.frame(1).mean() / 25) == 4
    assert dataset.read_truth("a", Tracks).annotated(1) == (0, 1)
    assert dataset.image_path("a").name == "a.mp4"
    (tmp_path / "images/a.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"a\.mp4 cannot be read as a video"):
        load("dataset", spec).clip("a")
