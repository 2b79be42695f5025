"""Which pixels of a mask are its boundary, and how strong, on masks small enough to draw."""

import pytest
import torch

from sambench.metrics.edges.maps import edge_map, on_boundary, sobel

SQUARE = """
.......
.......
..###..
..###..
..###..
.......
......."""
BOUNDARIES = {
    "outer": """
.......
.#####.
.#...#.
.#...#.
.#...#.
.#####.
.......""",
    "inner": """
.......
.......
..###..
..#.#..
..###..
.......
.......""",
    "both": """
.......
.#####.
.#####.
.##.##.
.#####.
.#####.
.......""",
    # Sobel's kernel sees the same neighbours, and cancels in the middle alone.
    "sobel": """
.......
.#####.
.#####.
.##.##.
.#####.
.#####.
.......""",
    "all": "\n" + "\n".join(["#######"] * 7),
}


def drawn(text):
    return torch.tensor([[c == "#" for c in line] for line in text.split()])[None]


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_boundary_pixels(boundary):
    assert (on_boundary(drawn(SQUARE), boundary) == drawn(BOUNDARIES[boundary])).all()


@pytest.mark.parametrize("boundary", ["outer", "inner", "both", "sobel"])
def test_the_border_of_the_image_is_none(boundary):
    assert not on_boundary(torch.ones((1, 5, 6), dtype=torch.bool), boundary).any()


def test_sobel_of_a_step_and_of_a_ramp():
    step = torch.zeros((1, 4, 6))
    step[..., 3:] = 1
    assert sobel(step)[0].tolist() == [[0, 0, 4, 4, 0, 0]] * 4
    assert sobel(step.mT)[0].tolist() == [[0] * 4, [0] * 4, [4] * 4, [4] * 4, [0] * 4, [0] * 4]
    ramp = torch.arange(6.0).expand(1, 4, 6)
    assert sobel(ramp)[0].tolist() == [[4, 8, 8, 8, 8, 4]] * 4
    both = ramp + torch.arange(4.0)[:, None]
    assert sobel(both)[0, 1, 1].item() == pytest.approx((8**2 + 8**2) ** 0.5)


def test_the_map_is_the_strongest_of_all_masks():
    strong, weak = torch.full((1, 3, 6), -50.0), torch.full((1, 3, 6), -1.0)
    strong[..., 3:], weak[..., 1:] = 50.0, 1.0
    found = edge_map([weak, strong], (3, 6), "sobel")
    low = 4 * (torch.sigmoid(torch.tensor(1.0)) - torch.sigmoid(torch.tensor(-1.0))).item()
    assert found[0].tolist() == pytest.approx([low, low, 4, 4, 0, 0])
    assert edge_map([], (3, 6), "sobel").tolist() == torch.zeros(3, 6).tolist()
