"""A SAM small enough to train in a test; as a script, a training that is killed time and again.

python tiny.py lives DIR STEPS | python tiny.py pair FILE BATCH
"""

import itertools
import os
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from sambench.datasets.scenes import Scenes
from sambench.engine.embedding_cache import CacheOptions
from sambench.interfaces import Masks, ModelCard
from sambench.model.nn.image_encoder import ImageEncoder
from sambench.model.nn.layers import Neck
from sambench.model.nn.mask_decoder import MaskDecoder
from sambench.model.nn.prompt_encoder import PromptEncoder
from sambench.model.nn.sam import SamNet, input_size, preprocess, upsampling
from sambench.model.sam import Sam, SamEmbedding
from sambench.model.training import state
from sambench.model.training.distributed import team
from sambench.model.training.recipe import Recipe
from sambench.model.training.trainer import Trainer
from sambench.model.training.training import Training

SIDE, CHANNELS = 64, 32
SCENES = {"images": 6, "seed": 3, "width": 64, "height": 64, "objects": 4}


def tiny_net(seed=0):
    """SAM for images of 64 x 64 pixels: features of 4 x 4, masks of 16 x 16."""
    torch.manual_seed(seed)
    encoder = ImageEncoder(32, 2, 2, global_blocks=(1,), window=3, image_size=SIDE)
    net = SamNet(encoder)
    net.image_encoder.neck = Neck(32, CHANNELS)
    net.prompt_encoder, net.mask_decoder = PromptEncoder(CHANNELS, SIDE), MaskDecoder(CHANNELS)
    return net.requires_grad_(False).eval()


class TinySam(Sam):
    """That network as a model."""

    def __init__(self, seed=0):
        self.device, self.precision, self.compiled = "cpu", "float32", False
        self.net = tiny_net(seed)
        self.card = ModelCard("tiny", weights_sha256=str(seed))

    def embed(self, images):
        found = []
        with torch.no_grad():
            for image in images:
                features = self.net.image_encoder(preprocess(image, SIDE)[None])
                size = image.shape[:2]
                found.append(SamEmbedding(features, size, input_size(*size, SIDE)))
        return found


def recipe(steps, **changes):
    return Recipe(**{"steps": steps, "batch": 2, "masks": 2, "clicks": 1, "warmup": 1, **changes})


def train(folder, steps):
    """A training whose folder's name says whether the encoder learns, or its features are kept."""
    dataset, folder = Scenes(**SCENES), Path(folder)
    cache = CacheOptions(folder / "cache") if "cached" in folder.name else None
    choice = recipe(steps, whole="whole" in folder.name)
    Training(choice, dataset, dataset.ids, folder, save_every=1, cache=cache).train(TinySam())


KINDS = ("cached", "whole")


def ready_to_fork():
    """Import and compile what a training takes, so that no fork of this process has to.

    It computes no gradient, as PyTorch could not do so in a fork after that.
    """
    dataset, model = Scenes(**SCENES), TinySam()
    Trainer(TinySam(), dataset, dataset.ids, recipe(3))
    (embedding,) = model.embed([dataset.read_image(dataset.ids[0])])
    resize = upsampling(embedding.input_size, embedding.size, 16, SIDE)
    Masks(torch.zeros(1, 1, 16, 16), torch.ones(1, 1), embedding.size, resize).binary()


def lives(folder, steps):
    """A training of each kind, in processes each killed at another moment, until one ends."""
    ready_to_fork()
    kills = [live(Path(folder) / kind, steps) for kind in KINDS]
    print(*kills)  # noqa: T201


def live(folder, steps):
    """Train in one process after another; returns how many were killed."""
    life, status = -1, signal.SIGKILL
    while status == signal.SIGKILL:
        life += 1
        child = os.fork()
        if not child:
            kill_at(1 + life % 5)
            train(folder, steps)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
    assert status == 0
    return life


def kill_at(moment):
    """Have this process killed at its first, second, ... moment, of which a step has four.

    Model and state are written one after the other; before each, and when it is half-written, there
    is a moment. The first is also when the step is in the log and nowhere else, the third when the
    model is a step ahead of the state.
    """
    write, moments = state.save_file, itertools.count(1)

    def maybe():
        if next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def writing(tensors, path, about):
        maybe()
        path.write_bytes(b"half-written")
        maybe()
        write(tensors, path, about)

    state.save_file = writing


def gradient(file, batch):
    """Write the gradient of the first step, of all processes together."""
    dataset = Scenes(**SCENES)
    with team("cpu") as processes:
        trainer = Trainer(
            TinySam(), dataset, dataset.ids, recipe(9, whole=True, batch=batch), processes
        )
        sums = trainer.accumulate()
        if processes.first:
            grads = {name: p.grad for name, p in trainer.parameters.items()}
            save_file({**grads, "loss": torch.tensor(sums["loss"])}, file)


def pair(file, batch):
    """`gradient` in two processes: this one, and a fork of it."""
    ready_to_fork()
    child = os.fork()
    os.environ["RANK"] = "0" if child else "1"
    gradient(file, batch)
    if child and os.waitpid(child, 0)[1]:
        sys.exit("the other process failed")


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"lives": lives, "pair": pair}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
