"""What is not a number is never scored: the image fails, and says why."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sambench.cli import main
from sambench.registry import load

MODEL = '''"""minisam, one of whose answers is not a number."""

from dataclasses import replace
from pathlib import Path

import torch

from sambench.model.minisam import MiniSam
from sambench.model.nn.sam import input_size
from sambench.model.sam import SamEmbedding

FEATURES = Path(__file__).with_name("features.pt")


class Broken(MiniSam):
    """Spoils what it answers.

    Args:
        part: logits or iou.
        value: nan, inf or -inf.
    """

    def __init__(self, part: str = "logits", value: str = "nan") -> None:
        super().__init__()
        self.part, self.value = part, float(value)

    def embed(self, images):
        """What is known: it is the answer that is spoilt."""
        features = torch.load(FEATURES)
        sizes = [image.shape[:2] for image in images]
        return [SamEmbedding(features, size, input_size(*size)) for size in sizes]

    def _predict(self, *arguments):
        answer = super()._predict(*arguments)
        spoilt = getattr(answer, self.part).clone()
        spoilt.flatten()[-1] = self.value
        return replace(answer, **{self.part: spoilt})

    def boundaries(self, image):
        edges = image.mean(axis=2).astype("float32") / 255
        edges[0, 0] = self.value
        return edges
'''
SCENE = "scenes:images=1,width=64,height=64"
SPOILT = [
    ("points", "logits", "nan"), ("points", "logits", "-inf"), ("points", "iou", "nan"),
    ("points", "iou", "inf"), ("instances", "logits", "nan"),
    ("proposals:points_per_side=2", "iou", "nan"), ("panoptic", "logits", "inf"),
]  # fmt: skip


@pytest.fixture(scope="module")
def broken(minisam, tmp_path_factory):
    """The model, with what minisam makes of the scene below."""
    path = tmp_path_factory.mktemp("model") / "broken.py"
    dataset = load("dataset", SCENE)
    (embedding,) = minisam.embed([dataset.read_image(dataset.ids[0])])
    torch.save(embedding.features, path.with_name("features.pt"))
    path.write_text(MODEL)
    return path


@pytest.mark.parametrize(("task", "part", "value"), SPOILT)
def test_the_image_fails_with_the_reason(broken, tmp_path, capsys, task, part, value):
    words = [
        "run", f"--task={task}", f"--dataset={SCENE}",
        f"--model={broken}:part={part},value={value}", "--workers=0", "--device=cpu",
        f"--output={tmp_path / 'out'}",
    ]  # fmt: skip
    assert main(words) == 2
    said = capsys.readouterr()
    assert "not finite numbers; check its weights" in said.err
    assert said.out == ""


def test_so_does_an_image_of_which_a_model_makes_the_prediction_itself(broken, tmp_path, capsys):
    words = [
        "run", "--task=edges", f"--dataset={SCENE}",
        f"--model={broken}", "--workers=0", "--device=cpu", f"--output={tmp_path / 'out'}",
    ]  # fmt: skip
    assert main(words) == 2
    assert "not finite numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    "prompt", [["--point=20,20"], ["--box=2,2,30,30"], ["--points-per-side=2"]]
)
def test_predict_refuses(broken, tmp_path, capsys, prompt):
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    assert main(["predict", str(tmp_path / "a.png"), f"--model={broken}", *prompt]) == 2
    assert "not finite numbers" in capsys.readouterr().err
    assert not (tmp_path / "a.sambench.png").exists()


def test_an_embedding_that_is_not_finite_fails_at_its_answer(minisam, tmp_path):
    from sambench.engine.timed_model import is_finite
    from sambench.interfaces import Prompts

    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    (embedding,) = minisam.embed([image])
    prompts = Prompts(points=np.array([[[20.0, 20.0]]]), labels=np.array([[1]]))
    assert is_finite(minisam.predict(embedding, prompts, multimask=True))
    spoilt = replace(embedding, features=embedding.features * torch.nan, prepared={})
    assert not is_finite(minisam.predict(spoilt, prompts, multimask=True))
