"""The parameters of the relocalizer node besides those of the localizer itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dense_reloc_ros.configuration import Block


class NodeConfiguration(Block):
    """How the node takes images and says where it is."""

    map: str = Field("", description="Folder of the map; empty: wait for ~/load_map")
    method: str = Field("", description="Method of localization; empty: the map's own")
    device: str = Field("auto", description="Where to compute: auto, cpu, cuda or cuda:N")
    image_transport: Literal["raw", "compressed"] = Field(
        "raw", description="Whether to take images from `image` or from `image/compressed`"
    )
    max_rate: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="Images localized per second at most, by their stamps; 0: as many as possible",
    )
    map_frame: str = Field("", description="Frame of the map; empty: the one the map names")
    base_frame: str = Field(
        "base_link", description="Frame whose pose is published; empty: the camera's own"
    )
    odom_frame: str = Field(
        "odom",
        description="Frame of the odometry, for map -> odom; empty: no odometry, the transform is "
        "map -> base_frame, or map -> camera where base_frame is empty",
    )
    publish_tf: bool = Field(True, description="Whether to publish the transform")
    transform_tolerance: float = Field(
        1.0,
        ge=0,
        le=60,
        description="Seconds by which the transform is dated after its image: it is valid so long",
    )
    transform_timeout: float = Field(
        0.5, ge=0, le=10, description="Seconds to wait for a transform at the time of an image"
    )
    autostart: bool = Field(
        False, description="Whether the node configures and activates itself when it starts"
    )


NEEDS_CONFIGURE = frozenset({"map", "method", "device", "image_transport"})
"""Parameters that are read when the node is configured, and change only while it is not."""
