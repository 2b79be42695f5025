"""SAM 2's and EdgeTAM's video models of transformers: hf_video:facebook/sam2.1-hiera-large."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sambench.errors import UserError
from sambench.interfaces import ModelCard
from sambench.video.interfaces import FramePrompt

from ._by_object import ByObject, Session
from ._framed import digest, require
from ._frames import Stretched
from ._given import choose_device
from ._hub import EXTRA, card_name, read_network, read_part, stated_preprocessing

KINDS = {
    "sam2_video": ("Sam2Video", "Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024"),
    "edgetam_video": (
        "EdgeTamVideo",
        "Zhou et al., EdgeTAM: On-Device Track Anything Model, CVPR 2025",
    ),
}
"""By model_type of a config: how its classes' names begin, and the paper."""
CORNERS = (2, 3)
"""Labels of a box's first and second corner among points."""


class HuggingFaceVideo(ByObject):
    """SAM 2, SAM 2.1 and EdgeTAM with their memory, recognised by their config; float32.

    Each object has a session of its own, as the authors' package follows them since it lets objects
    come later. A frame that was followed and is then clicked on is remembered like the first one;
    its mask is decoded from the clicks and the memory, without its earlier logits, as the library
    does. Memory of the network grows with the frames of a clip, its frames do not stay.

    Args:
        checkpoint: name on the Hub, or folder that `save_pretrained` wrote.
        device: cpu, cuda, cuda:1 and so on.
        revision: commit, tag or branch on the Hub.

    Raises:
        UserError: transformers is not installed, or the checkpoint cannot be used.
    """

    requires = "pip install 'sambench[hf]'; a checkpoint of the Hub is downloaded at first use"

    def __init__(self, checkpoint: str, device: str = "cpu", revision: str = "main") -> None:
        transformers = require("transformers", EXTRA)
        self.device, place = choose_device(device, "float32"), {"revision": revision}
        config = read_part(checkpoint, transformers.AutoConfig.from_pretrained, place)
        if config.model_type not in KINDS:
            raise UserError(
                f"{checkpoint} is a {config.model_type} model; hf_video takes {', '.join(KINDS)}."
            )
        kind, citation = KINDS[config.model_type]
        self._session = getattr(transformers, f"{kind}InferenceSession")
        self.net = read_network(checkpoint, getattr(transformers, f"{kind}Model"), place)
        self.net = self.net.to(self.device)
        stated = stated_preprocessing(checkpoint, place)
        usual = Stretched(self.net.image_size)
        mean, std = stated.get("image_mean") or usual.mean, stated.get("image_std") or usual.std
        self.frame = Stretched(self.net.image_size, tuple(mean), tuple(std))
        self.card = ModelCard(
            name=card_name(checkpoint) + "_video",
            weights_sha256=digest(self.net.state_dict()),
            preprocessing=f"{self.frame.words}; {kind}Model of transformers "
            f"{version('transformers')}",
            parameters=sum(parameter.numel() for parameter in self.net.parameters()),
            licence="as the checkpoint's",
            citation=citation,
            family="SAM 2",
        )

    def prepare(self, image: NDArray[np.uint8]) -> Tensor:
        """A frame (H, W, 3) uint8 RGB as the network takes it."""
        return self.frame.pixels(image)

    @torch.inference_mode()
    def add(self, state: Session, frame: int, id: int, prompt: FramePrompt) -> NDArray[Any]:
        """Tell of an object; the logits (H, W) of its mask on the frame."""
        session = self._of(state, id)
        index = session.obj_id_to_idx(id)
        if prompt.mask is not None:
            session.add_mask_inputs(index, frame, self._mask(prompt.mask))
            session.remove_point_inputs(index, frame)
        else:
            session.add_point_inputs(index, frame, self._points(prompt, state.clip.size))
            session.remove_mask_inputs(index, frame)
        session.obj_with_new_inputs = [id]
        answer = self.net(session, frame_idx=frame)
        outputs = session.output_dict_per_obj[index]
        corrected = outputs["non_cond_frame_outputs"].pop(frame, None)
        if corrected is not None and frame not in outputs["cond_frame_outputs"]:
            outputs["cond_frame_outputs"][frame] = corrected
        state.told.setdefault(id, set()).add(frame)
        return self._logits(answer.pred_masks, state.clip.size)

    @torch.inference_mode()
    def follow(self, state: Session, id: int, frame: int, *, reverse: bool) -> NDArray[Any]:
        """The logits (H, W) of an object on a frame, which is remembered."""
        answer = self.net(state.objects[id], frame_idx=frame, reverse=reverse)
        return self._logits(answer.pred_masks, state.clip.size)

    def _of(self, state: Session, id: int) -> Any:
        """Transformers' session of an object, new at first; all share the last frame's features."""
        if id not in state.objects:
            height, width = state.clip.size
            session = self._session(
                video_height=height, video_width=width, inference_device=self.device,
                inference_state_device=self.device, dtype=torch.float32,
            )  # fmt: skip
            session.processed_frames = state.frames
            for other in state.objects.values():
                session.cache = other.cache
            state.objects[id] = session
        return state.objects[id]

    def _mask(self, mask: NDArray[np.bool_]) -> Tensor:
        """A mask (H, W) as the network takes it, (1, 1, side, side), 0 or 1."""
        whole = torch.from_numpy(mask)[None, None].float()
        side = self.frame.side
        square = F.interpolate(whole, (side, side), mode="bilinear", antialias=True)
        return (square >= 0.5).float().to(self.device)

    def _points(self, prompt: FramePrompt, size: tuple[int, int]) -> dict[str, Tensor]:
        """Clicks, behind the corners of a box, in pixels of the network's input."""
        places, labels = np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
        if prompt.box is not None:
            places, labels = np.reshape(prompt.box, (2, 2)), np.array(CORNERS)
        if prompt.points is not None and prompt.labels is not None:
            places = np.concatenate([places, prompt.points])
            labels = np.concatenate([labels, prompt.labels])
        scaled = torch.from_numpy(self.frame.points(places, size)).float()
        return {
            "point_coords": scaled[None, None],
            "point_labels": torch.from_numpy(labels).to(torch.int32)[None, None],
        }

    def _logits(self, low: Tensor, size: tuple[int, int]) -> NDArray[Any]:
        """Low-resolution logits (1, 1, h, w) -> (H, W)."""
        full = F.interpolate(low.float(), size, mode="bilinear", align_corners=False)
        logits: NDArray[Any] = full[0, 0].cpu().numpy()
        return logits
