"""The topics and frames of the bags that this package writes."""

from __future__ import annotations

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

IMAGE_TOPIC = "/camera/image_raw"
COMPRESSED_SUFFIX = "/compressed"
"""What image_transport adds to a topic for its compressed copy."""
COMPRESSED_TOPIC = IMAGE_TOPIC + COMPRESSED_SUFFIX
CAMERA_INFO_TOPIC = "/camera/camera_info"
DEPTH_TOPIC = "/camera/depth/image_raw"
GROUND_TRUTH_TOPIC = "/ground_truth/pose"
TF_TOPIC = "/tf"
TF_STATIC_TOPIC = "/tf_static"

MAP_FRAME = "map"
ODOMETRY_FRAME = "odom"
BASE_FRAME = "base_link"
CAMERA_FRAME = "camera_optical_frame"

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
