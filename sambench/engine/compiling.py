"""Says that kernels are compiled, when it happens: a first run takes longer than those after it."""

import contextlib
from collections.abc import Iterator

import numpy as np

from sambench.engine.progress import say
from sambench.truths import Instances

COMPILING = "compiling kernels once, about 20 s"


@contextlib.contextmanager
def compiling_announced(*, show: bool) -> Iterator[None]:
    """Say it when kernels are compiled in here, which they are where no cache has them.

    Those that only scoring processes use are compiled there, unheard.
    """
    if not show:
        yield
        return
    from numba.core import event  # not above: a finished run needs no kernel

    class Once(event.Listener):
        """Hears that numba compiles, and says so once."""

        said = False

        def on_start(self, event: object) -> None:
            """Compiling begins."""
            if not self.said:
                self.said = True
                say(COMPILING)

        def on_end(self, event: object) -> None:
            """It is done."""

    with event.install_listener("numba:compile", Once()):
        yield


def compile_all() -> None:
    """Have every kernel compiled and kept, by computing something small with it."""
    import torch

    from sambench.masks.rle import boxes, decode, encode
    from sambench.masks.upsampling import Upsampling, upsample
    from sambench.metrics.detection.coco import Detections, average_precision, image_record
    from sambench.metrics.edges.boundaries import compile_ahead, edge_counts

    compile_ahead()
    masks = np.eye(8, dtype=bool)[None]
    edge_counts(masks[0].astype(float), list(masks))
    size = (8, 8)
    upsample(Upsampling(size, ((size, size), (size, size))), torch.ones(1, 8, 8), 1.0)
    rles = tuple(encode(masks))
    decode(rles)
    one = np.ones(1, dtype=np.int64)
    truth = Instances(size, rles, (1,), one, boxes(rles), np.full(1, 8.0), np.zeros(1, dtype=bool))
    record = image_record(Detections(rles, np.ones(1), one), truth)
    average_precision([record])(np.ones(1))
