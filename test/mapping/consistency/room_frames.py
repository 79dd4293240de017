"""Frames with poses and depth from inside the patterned room."""

from __future__ import annotations

from functools import cache

import numpy as np
from patterned_room import CAMERA, camera_pose, patterned_room

from dense_reloc_ros.geometry.se3 import exp
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame


@cache
def room_frames(count: int = 12, turning_only: bool = False) -> tuple[SourceFrame, ...]:
    """A walk through the room with the camera tilting and rolling a little."""
    import torch

    raycaster = patterned_room()
    frames = []
    for k in range(count):
        place = (0.0, 0.0) if turning_only else (-1 + 0.15 * k, -0.5 + 0.1 * (k % 3))
        turn = torch.tensor([0.0, 0, 0, 0.1 * np.sin(k), 0.06 * np.cos(2 * k), 0.15 * np.cos(k)])
        pose = camera_pose(*place, 0.5 + 0.07 * k) @ exp(turn.double()).numpy()
        view = raycaster.render(CAMERA, pose)
        frames.append(
            SourceFrame(
                f"frame-{k:06d}",
                k / 30,
                CAMERA,
                pose,
                lambda image=view.image: image,
                lambda depth=view.depth: depth.astype(np.float32),
            )
        )
    return tuple(frames)
