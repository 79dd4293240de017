"""The topics and frames of the bags that this package writes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

from dense_reloc_ros.geometry.se3 import rigid

COMPRESSED_SUFFIX = "/compressed"
"""What image_transport adds to a topic for its compressed copy."""


@dataclass(frozen=True)
class CameraTopics:
    """Where a bag has what a camera of a name records."""

    camera: str

    @property
    def image(self) -> str:
        return f"/{self.camera}/image_raw"

    @property
    def compressed(self) -> str:
        return self.image + COMPRESSED_SUFFIX

    @property
    def info(self) -> str:
        return f"/{self.camera}/camera_info"

    @property
    def depth(self) -> str:
        return f"/{self.camera}/depth/image_raw"

    @property
    def frame(self) -> str:
        """Its optical frame."""
        return f"{self.camera}_optical_frame"


MAIN_CAMERA = "camera"
"""The only one, or that whose poses the others are related to."""
_MAIN = CameraTopics(MAIN_CAMERA)
IMAGE_TOPIC, COMPRESSED_TOPIC, CAMERA_INFO_TOPIC = _MAIN.image, _MAIN.compressed, _MAIN.info
DEPTH_TOPIC, CAMERA_FRAME = _MAIN.depth, _MAIN.frame
GROUND_TRUTH_TOPIC = "/ground_truth/pose"
TF_TOPIC = "/tf"
TF_STATIC_TOPIC = "/tf_static"

MAP_FRAME = "map"
ODOMETRY_FRAME = "odom"
BASE_FRAME = "base_link"

T_BODY_OPTICAL = rigid(np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), np.zeros(3))
"""The optical frame (z forward, x right) in a body frame (x forward, z up) at the same place."""

_FOREVER = QosTime(sec=9223372036, nsec=854775807)
LATCHED = Qos(
    history=QosHistory.KEEP_LAST,
    depth=1,
    reliability=QosReliability.RELIABLE,
    durability=QosDurability.TRANSIENT_LOCAL,
    deadline=_FOREVER,
    lifespan=_FOREVER,
    liveliness=QosLiveliness.AUTOMATIC,
    liveliness_lease_duration=_FOREVER,
    avoid_ros_namespace_conventions=False,
)
"""How /tf_static is offered: late subscribers get it too."""
