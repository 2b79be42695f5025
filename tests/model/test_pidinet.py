"""PiDiNet: its convolutions by hand and folded, its checkpoints, its answers with real weights."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sambench.errors import UserError
from sambench.files import sha256
from sambench.interfaces import Prompts
from sambench.model import pidinet
from sambench.model.nn.pidinet import CLOCKWISE, SQUARE, DifferenceConv, kernel
from sambench.registry import load
from sambench.store.paths import label_of

SHARED = Path(__file__).resolve().parents[3] / "shared"
REAL = SHARED / "weights" / "table5_pidinet-tiny-l.pth"
BSDS = SHARED / "data" / "bsds500"


def answer(kind, place, image):
    """A convolution in which a single weight is 1, of one image (H, W), away from its border."""
    conv = DifferenceConv(kind, 1, 1)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight.view(-1)[place] = 1
        return conv(torch.as_tensor(image)[None, None])[0, 0, 2:-2, 2:-2].numpy()


@pytest.mark.parametrize("place", range(9))
def test_a_weight_is_of_the_difference_that_the_paper_draws(place):
    image = np.random.default_rng(0).random((9, 11)).astype(np.float32)
    y, x = SQUARE[place]

    def at(down, right):
        return np.roll(image, (-down, -right), (0, 1))[2:-2, 2:-2]

    np.testing.assert_array_equal(answer("cv", place, image), at(y, x))
    np.testing.assert_array_equal(answer("cd", place, image), at(y, x) - at(0, 0))
    if (y, x) == (0, 0):
        assert not answer("ad", place, image).any()
    else:
        after = CLOCKWISE[(CLOCKWISE.index((y, x)) + 1) % 8]
        np.testing.assert_array_equal(answer("ad", place, image), at(y, x) - at(*after))
    # The radial one has eight differences and nine weights, of which the first is not used.
    if place == 0:
        assert not answer("rd", place, image).any()
    else:
        y, x = [offset for offset in SQUARE if offset != (0, 0)][place - 1]
        np.testing.assert_array_equal(answer("rd", place, image), at(2 * y, 2 * x) - at(y, x))


def test_clockwise_is_as_on_a_clock():
    angles = [np.arctan2(x, -y) % (2 * np.pi) for y, x in CLOCKWISE]  # from noon; y points down
    turned = np.diff([*angles, angles[0]]) % (2 * np.pi)
    np.testing.assert_allclose(turned, np.pi / 4)


@pytest.mark.parametrize("kind", ["cd", "ad", "rd"])
def test_the_kernel_of_differences_takes_nothing_from_a_flat_image(kind):
    weight = torch.randn(4, 2, 3, 3, dtype=torch.float64)
    assert kernel(kind, weight).sum(dim=(2, 3)).abs().max() < 1e-12


@pytest.mark.parametrize("variant", pidinet.PUBLISHED)
def test_folded_it_gives_the_same(variant):
    torch.manual_seed(0)
    net = pidinet.PUBLISHED[variant].network().double().eval()
    images = torch.randn(1, 3, 27, 34, dtype=torch.float64)
    with torch.no_grad():
        wanted = net(images)
        found = copy.deepcopy(net).folded()(images)
    assert wanted.shape == (1, 1, 27, 34)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_sizes_are_those_that_are_published():
    sizes = {
        variant: sum(p.numel() for p in known.network().parameters())
        for variant, known in pidinet.PUBLISHED.items()
    }
    assert sizes == {
        "pidinet": 710149, "l": 611289, "small": 183763, "small-l": 158949, "tiny": 84477,
        "tiny-l": 73369, "baseline": 710149, "nyud": 710149, "multicue": 710149,
    }  # fmt: skip


def test_addresses_and_digests_are_those_that_are_published():
    known = pidinet.PUBLISHED.values()
    assert {each.url.split("/raw/")[0] for each in known} == {
        "https://github.com/hellozhuo/pidinet"
    }
    assert {len(each.sha256) for each in known} == {64}
    assert len({each.sha256 for each in known}) == len({each.file for each in known}) == 9


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A checkpoint of random weights in the authors' form, taken for the published one."""
    torch.manual_seed(1)
    known = pidinet.PUBLISHED["tiny-l"]
    state = {f"module.{k}": v for k, v in known.network().state_dict().items()}
    path = tmp_path / known.file
    torch.save({"epoch": 19, "state_dict": state}, path)
    digest = sha256(path)
    monkeypatch.setitem(pidinet.PUBLISHED, "tiny-l", replace(known, sha256=digest))
    return path


def test_a_checkpoint_in_the_authors_form_is_read(own):
    model = load("model", f"pidinet:variant=tiny-l,checkpoint={own}")
    assert (model.card.parameters, model.card.weights_sha256) == (73369, sha256(own))
    image = np.random.default_rng(0).integers(0, 256, (21, 30, 3), dtype=np.uint8)
    edges = model.boundaries(image)
    assert (edges.shape, edges.dtype) == ((21, 30), np.float32)
    assert 0 < edges.min() < edges.max() < 1
    # What is folded and normalised here, the network as defined says too.
    net = pidinet.PUBLISHED["tiny-l"].network().eval()
    state = torch.load(own, weights_only=True)["state_dict"]
    net.load_state_dict({k.removeprefix("module."): v for k, v in state.items()})
    mean, deviation = np.array(pidinet.MEAN), np.array(pidinet.DEVIATION)
    pixels = torch.as_tensor((image / 255 - mean) / deviation).float().permute(2, 0, 1)[None]
    with torch.no_grad():
        wanted = net(pixels).sigmoid()[0, 0].numpy()
    np.testing.assert_allclose(edges, wanted, atol=1e-5)


def test_a_file_that_was_downloaded_once_is_found_again(own, tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / own.name).write_bytes(own.read_bytes())
    monkeypatch.setenv("SAMBENCH_CACHE", str(folder.parent))
    monkeypatch.setattr("sambench.data.download._stream", None)  # nothing is fetched
    model = load("model", "pidinet:tiny-l")
    assert model.card.weights_sha256 == sha256(own)
    assert label_of(model) == "pidinet-variant=tiny-l"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("variant=tiny-l,checkpoint=nowhere.pth", r"nowhere\.pth does not exist; give table5"),
        ("variant=small,checkpoint={own}", "has SHA-256 .*; give variant=tiny-l"),
        ("variant=tinier", "tiny"),
    ],
)
def test_another_file_is_refused(own, words, said):
    with pytest.raises(UserError, match=said):
        load("model", "pidinet:" + words.format(own=own))


def test_an_image_too_small_and_a_prompt_are_refused(own):
    model = load("model", f"pidinet:variant=tiny-l,checkpoint={own}")
    with pytest.raises(UserError, match="need 8 pixels; this one is 20 x 7"):
        model.embed([np.zeros((7, 20, 3), np.uint8)])
    (seen,) = model.embed([np.zeros((8, 20, 3), np.uint8)])
    points = Prompts(points=np.zeros((1, 1, 2)), labels=np.ones((1, 1), int))
    with pytest.raises(UserError, match="pidinet takes"):
        model.predict(seen, points, multimask=False)


@pytest.mark.skipif(not REAL.is_file() or not BSDS.is_dir(), reason=f"{REAL} or {BSDS} is not here")
def test_real_weights_find_what_people_drew():
    model = load("model", f"pidinet:variant=tiny-l,checkpoint={REAL}")
    dataset = load("dataset", f"bsds500:root={BSDS},split=val")
    task = load("task", "edges:smooth=0.7,normalise=false")
    sample = dataset.sample("101085", task.truth)
    edges = task.predict(model, None, sample)
    scores = task.estimator([task.score(edges, sample.truth)])(np.ones(1))
    assert edges.max() < 1  # it is not stretched
    assert scores["ODS"] > 0.7
