"""Slices of volumes: how they lie, what becomes grey, what is refused."""

import gzip

import numpy as np
import pytest

from sambench.errors import UserError
from sambench.registry import load
from sambench.truths import Instances

nibabel = pytest.importorskip("nibabel", reason="the extra nifti is not installed")
SHAPE = (5, 7, 4)
AFFINE = np.diag([0.5, 0.8, 3.0, 1])
VALUES = np.arange(140, dtype=np.int16).reshape(SHAPE) - 50
LABELS = np.zeros(SHAPE, dtype=np.uint8)
LABELS[1:3, 2:6, 1] = 3
LABELS[4, 0, 1] = 1
LABELS[0, 0, 3] = 3


COLOURS = np.zeros(SHAPE, dtype=[(letter, "u1") for letter in "RGB"])


def stretch(root):
    """Other sides of voxels in the header than in the affine, as some programs leave them."""
    volume = nibabel.Nifti1Image(LABELS, AFFINE)
    content = bytearray(volume.to_bytes())
    content[80:92] = np.full(3, 9, dtype="<f4").tobytes()
    (root / "masks" / "case.nii.gz").write_bytes(gzip.compress(bytes(content)))


def write(path, values, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "images" / "case_0000.nii.gz", VALUES)
    write(tmp_path / "masks" / "case.nii.gz", LABELS)
    return tmp_path


def opened(folder, options="", intensity="-50..205"):
    where = f"images={folder / 'images'},masks={folder / 'masks'}"
    return load("dataset", f"nifti:{where},intensity={intensity}{options}")


def test_slices_with_labels_lie_as_simpleitk_reads_them(folder):
    data = opened(folder)
    assert data.ids == ("case-001", "case-003")
    image = data.read_image("case-001")
    assert (image.shape, image.dtype) == ((7, 5, 3), np.uint8)
    assert np.array_equal(image[..., 1], VALUES[:, :, 1].T + 50)  # the window is a grey a unit
    truth = data.read_truth("case-001", Instances)
    assert truth.ids == (1, 3)
    assert truth.categories.tolist() == [1, 3]
    assert truth.areas.tolist() == [1, 8]
    assert truth.boxes.tolist() == [[4, 0, 5, 1], [1, 2, 3, 6]]
    assert truth.extra["spacing"] == pytest.approx((0.8, 0.5))
    assert not list(truth.problems(truth.size))


def test_all_slices_of_another_axis(folder):
    data = opened(folder, ",axis=0,slices=all")
    assert data.ids == tuple(f"case-{place:03}" for place in range(5))
    assert np.array_equal(data.read_image("case-002")[..., 0], VALUES[2].T + 50)
    truth = data.read_truth("case-002", Instances)
    assert truth.areas.tolist() == [4]
    assert truth.extra["spacing"] == pytest.approx((3.0, 0.8))
    assert len(data.read_truth("case-003", Instances)) == 0


def test_values_are_scaled_by_the_header_and_clipped_to_the_window(folder):
    scaled = nibabel.Nifti1Image(VALUES, AFFINE)
    scaled.header.set_slope_inter(2, 10)
    nibabel.save(scaled, folder / "images" / "case_0000.nii.gz")
    image = opened(folder).read_image("case-001")[..., 0]
    expected = np.clip(
        np.asarray(nibabel.load(folder / "images" / "case_0000.nii.gz").dataobj), -50, 205
    )
    assert np.array_equal(image, np.rint(expected[:, :, 1].T + 50))


def test_each_option_makes_another_dataset(folder):
    found = {
        opened(folder, *options).fingerprint
        for options in ((), (",axis=1",), (",slices=all",), ("", "minmax"))
    }
    write(folder / "masks" / "case.nii.gz", LABELS * 2)
    assert len(found | {opened(folder).fingerprint}) == 5
    before = opened(folder).stamp("case-001")
    write(folder / "images" / "case_0000.nii.gz", VALUES + 1)
    assert opened(folder).stamp("case-001") != before


def test_contours_are_measured_in_the_unit_of_the_header(folder):
    task, truth = (
        load("task", "instances:surface=1"),
        opened(folder).read_truth("case-001", Instances),
    )
    from sambench.tasks._surface import object_scores

    moved = [truth.rles[0], *opened(folder).read_truth("case-003", Instances).rles]
    [[_, same], [_, far]] = object_scores(truth, [0, 0], moved, task.surface)["surface"]
    assert same == 0
    assert far == pytest.approx(4 * 0.5)  # four columns of half a millimetre


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda root: write(root / "masks" / "case.nii.gz", LABELS[:, :, :3]), "resample"),
        (lambda root: write(root / "masks" / "case.nii.gz", LABELS, np.eye(4)), "resample"),
        (lambda root: write(root / "masks" / "case.nii.gz", LABELS * np.float32(0.5)), "whole"),
        (lambda root: write(root / "masks" / "case.nii", LABELS), "the same name"),
        (lambda root: (root / "masks" / "case.nii.gz").unlink(), "has no labels"),
        (lambda root: (root / "masks" / "case.nii.gz").write_bytes(b"no"), "no NIfTI volume"),
        (lambda root: write(root / "images" / "case_0000.nii.gz", VALUES[..., None]), "dimensions"),
        (lambda root: write(root / "images" / "case_0000.nii.gz", COLOURS), "holds colours"),
        (lambda root: write(root / "images" / "case_0000.nii.gz", VALUES * 1j), "type complex128"),
        (lambda root: write(root / "masks" / "case.nii.gz", -LABELS.astype(np.int16)), "label -3"),
        (lambda root: write(root / "masks" / "case.nii.gz", LABELS * 0), "no volume with a label"),
        (lambda root: write(root / "masks" / "b.nii.gz", LABELS), "belongs to no image"),
        (lambda root: stretch(root), r"of 9 x 9 x 9 by pixdim and of 0.5 x 0.8 x 3 by its affine"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(folder, spoil, says):
    spoil(folder)

    def read():
        data = opened(folder)
        data.read_image(data.ids[0])
        data.read_truth(data.ids[0], Instances)

    with pytest.raises(UserError, match=says):
        read()


def test_a_file_that_ends_early_is_refused(folder):
    path = folder / "images" / "case_0000.nii.gz"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(UserError, match=r"ends early|no NIfTI volume"):
        opened(folder).read_image("case-001")


@pytest.mark.parametrize(
    "options", ["", ",intensity=full", ",intensity=bright", ",axis=3,intensity=minmax",
                ",slices=some,intensity=minmax"],
)  # fmt: skip
def test_options_that_are_unknown_are_refused(folder, options):
    where = f"images={folder / 'images'},masks={folder / 'masks'}"
    with pytest.raises(UserError):
        load("dataset", f"nifti:{where}{options}")
