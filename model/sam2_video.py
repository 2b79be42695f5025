"""SAM 2 and 2.1 with their memory, as the package sam2 computes them: its video predictor."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sambench.files import sha256
from sambench.interfaces import JSON, ModelCard
from sambench.video.interfaces import Answers, FramePrompt

from ._by_object import ByObject, Session
from ._given import choose_device
from .nn.precision import arithmetic
from .sam2 import built

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of RGB in 0 to 1, as the package normalises frames."""
OF_OBJECTS = (
    "point_inputs_per_obj", "mask_inputs_per_obj", "output_dict_per_obj",
    "temp_output_dict_per_obj", "frames_tracked_per_obj",
)  # fmt: skip
"""What the package's state of a clip holds of its objects."""
OVERRIDES = ("++model.add_all_frames_to_correct_as_cond=true",)
"""A frame that is clicked on later is remembered as the first is; else its clicks are forgotten."""


class Sam2Video(ByObject):
    """The authors' own package; its video predictor, as its script for benchmarks calls it.

    That is without its clean-up of small holes, and each object is followed by itself from the
    frame where it is told of. A frame that was followed and is then clicked on is remembered like
    the first one. Memory of the network grows with the frames of a clip, its frames do not stay.

    Args:
        checkpoint: a .pt file, such as sam2.1_hiera_large.pt.
        config: of the package, such as configs/sam2.1/sam2.1_hiera_l.yaml.
        device: cpu, cuda, cuda:1 and so on.
        precision: float32 is exact; bfloat16 is what the authors' script computes in.

    Raises:
        UserError: the package is not installed, or the checkpoint or config cannot be used.
    """

    requires = "pip install 'sambench[sam2]'; a checkpoint of its authors"

    def __init__(
        self,
        checkpoint: Path,
        config: str = "configs/sam2.1/sam2.1_hiera_l.yaml",
        device: str = "cpu",
        precision: str = "float32",
    ) -> None:
        self.device, self.precision = choose_device(device, precision), precision
        extra = {"hydra_overrides_extra": [*OVERRIDES], "apply_postprocessing": False}
        net = built("build_sam2_video_predictor", checkpoint, config, **extra)
        self.net = net.to(self.device)
        side = self.net.image_size
        self.card = ModelCard(
            name=Path(config).stem + "_video",
            weights_sha256=sha256(checkpoint),
            preprocessing=f"stretched to {side} x {side} (Pillow, bicubic), RGB in 0 to 1 "
            f"normalised by mean {', '.join(map(str, MEAN))} and deviation "
            f"{', '.join(map(str, STD))}; video predictor of the package sam2, no holes filled",
            precision=precision,
            parameters=sum(parameter.numel() for parameter in self.net.parameters()),
            licence="Apache-2.0",
            citation="Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024",
            family="SAM 2",
        )

    def prepare(self, image: NDArray[np.uint8]) -> Tensor:
        """A frame (H, W, 3) uint8 RGB as the package's loader prepares it."""
        side = self.net.image_size
        square = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.asarray(square) / 255).permute(2, 0, 1).float()
        mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
        return (pixels - mean) / std

    def add(self, state: Session, frame: int, id: int, prompt: FramePrompt) -> NDArray[Any]:
        """Tell of an object; the logits (H, W) of its mask on the frame."""
        own = self._of(state, id)
        with arithmetic(self.device, self.precision):
            if prompt.mask is not None:
                _, _, masks = self.net.add_new_mask(own, frame, id, prompt.mask)
            else:
                _, _, masks = self.net.add_new_points_or_box(
                    own, frame, id, prompt.points, prompt.labels, box=prompt.box
                )
        self._share(state, own)
        state.told.setdefault(id, set()).add(frame)
        return _logits(masks)

    def propagate(
        self, state: Session, start: int, *, reverse: bool = False
    ) -> Iterator[tuple[int, Answers]]:
        """Follow all objects, a frame at a time: the package's own loop, stopped at each frame."""
        for own in state.objects.values():
            with arithmetic(self.device, self.precision):
                self.net.propagate_in_video_preflight(own)
            self._share(state, own)
        yield from super().propagate(state, start, reverse=reverse)

    @torch.inference_mode()
    def follow(self, state: Session, id: int, frame: int, *, reverse: bool) -> NDArray[Any]:
        """The logits (H, W) of an object on a frame, which is remembered."""
        own = state.objects[id]
        outputs = own["output_dict_per_obj"][0]
        found = outputs["cond_frame_outputs"].get(frame)
        with arithmetic(self.device, self.precision):
            if found is None:
                found, _ = self.net._run_single_frame_inference(
                    inference_state=own, output_dict=outputs, frame_idx=frame, batch_size=1,
                    is_init_cond_frame=False, point_inputs=None, mask_inputs=None,
                    reverse=reverse, run_mem_encoder=True,
                )  # fmt: skip
                outputs["non_cond_frame_outputs"][frame] = found
            own["frames_tracked_per_obj"][0][frame] = {"reverse": reverse}
            _, masks = self.net._get_orig_video_res_output(own, found["pred_masks"])
        self._share(state, own)
        return _logits(masks)

    def _of(self, state: Session, id: int) -> JSON:
        """The package's state for an object, which is new at first: as its `init_state` makes it.

        That one would read all frames at once, from a folder of JPEG files.
        """
        if id not in state.objects:
            (height, width), device = state.clip.size, torch.device(self.device)
            seen: JSON = next((own["cached_features"] for own in state.objects.values()), {})
            state.objects[id] = {
                "images": state.frames, "num_frames": len(state.clip),
                "video_height": height, "video_width": width,
                "device": device, "storage_device": device,
                "offload_video_to_cpu": True, "offload_state_to_cpu": False,
                "cached_features": seen, "constants": state.constants,
                "obj_id_to_idx": OrderedDict(), "obj_idx_to_id": OrderedDict(), "obj_ids": [],
                **{name: {} for name in OF_OBJECTS},
            }  # fmt: skip
        own: JSON = state.objects[id]
        return own

    @staticmethod
    def _share(state: Session, own: JSON) -> None:
        """Give all objects the features of the frame that one has seen last."""
        for other in state.objects.values():
            other["cached_features"] = own["cached_features"]


def _logits(masks: Tensor) -> NDArray[Any]:
    """The package's masks (1, 1, H, W) of a single object -> (H, W)."""
    logits: NDArray[Any] = masks[0, 0].float().cpu().numpy()
    return logits
