"""The parameters of the nodes besides those of the localizer and of the fusion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.localization.floor import FloorConfiguration
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.temporal.fusion_configuration import (
    BeliefConfiguration,
    MotionConfiguration,
    TemporalConfiguration,
)

FrameName = Annotated[str, AfterValidator(lambda name: name.lstrip("/"))]
"""Names of frames lost their leading slash with tf2; configurations from before have them still."""


class NodeConfiguration(Block):
    """How a node says where it is."""

    base_frame: FrameName = Field(
        "base_link", description="Frame whose pose is published; empty: the camera's own"
    )
    odom_frame: FrameName = Field(
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
    smoothing: float = Field(
        0.0,
        ge=0,
        le=60,
        description="Seconds over which a correction of map -> odom is spread; 0: it jumps. Where "
        "the robot was found anew it always does",
    )
    transform_timeout: float = Field(
        0.5, ge=0, le=10, description="Seconds to wait for a transform at the time of an image"
    )
    bond_heartbeat_period: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Seconds between two heartbeats of the bond with a lifecycle manager, from the "
        "next activation on; 0: no bond",
    )
    autostart: bool = Field(
        False, description="Whether the node configures and activates itself when it starts"
    )
    mode: Literal["continuous", "once"] = Field(
        "continuous",
        description="Whether the robot is localized all the time, or once after the start and on "
        "request, with map -> odom kept as it is: the same for both nodes",
    )
    planar: bool = Field(
        False,
        description="Whether the robot moves on a floor, so that only x, y and yaw of its base are "
        "looked for. z of the map must point up",
    )
    floor: FloorConfiguration = FloorConfiguration()
    belief: BeliefConfiguration = BeliefConfiguration()

    @model_validator(mode="after")
    def _has_a_base_on_the_floor(self) -> NodeConfiguration:
        if self.planar and not self.base_frame:
            raise ValueError("planar needs base_frame: the camera itself stands on no floor")
        return self


class MapConfiguration(Block):
    """Which map is opened, and how."""

    map: str = Field(
        "",
        description="Folder of the map, also as ~/…, file://… or package://NAME/…; empty: wait for "
        "~/load_map",
    )
    method: str = Field("", description="Method of localization; empty: the map's own")
    device: str = Field("auto", description="Where to compute: auto, cpu, cuda or cuda:N")
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Threads that compute on the processor; 0: one for each. OMP_NUM_THREADS in "
        "the environment wins",
    )


class RelocalizerConfiguration(NodeConfiguration, MapConfiguration):
    """What the node relocalizer has besides: how it takes images."""

    image_transport: Literal["raw", "compressed"] = Field(
        "raw", description="Whether to take images from `image` or from `image/compressed`"
    )
    maps_folder: str = Field(
        "",
        description="Folder of maps (floors, buildings) from which ~/choose_map chooses, also as "
        "`map` may be given",
    )
    # rclpy takes an empty list for one of bytes.
    other_cameras: tuple[str, ...] = Field(
        ("",),
        max_length=5,
        description="Topics of the images of further cameras on the robot, whose images are "
        "localized together with those of `image`; camera_info is taken from beside each. An empty "
        "name is none",
    )
    camera_tolerance: float = Field(
        0.05,
        gt=0.0,
        le=1.0,
        description="Seconds by which images of several cameras may be apart to count as one "
        "moment; what odometry knows of the motion between them is made up for",
    )
    max_rate: float = Field(
        3.0,
        ge=0,
        le=1000,
        description="Images localized per second at most, by their stamps; 0: as many as possible",
    )
    rectified: bool | Literal["auto"] = Field(
        "auto",
        description="Whether the images are rectified, so that P of the camera_info describes them "
        "instead of K, D and R: true, false, or auto (by the name of their topic, as image_rect)",
    )
    max_frame_seconds: float = Field(
        10.0,
        ge=0,
        le=600,
        description="Seconds after which an image is given up, so that others get their turn; "
        "0: never",
    )
    max_age: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="Seconds since it came from which on ~/relocalize does not answer with the "
        "camera's newest image; 0: any age",
    )
    map_frame: FrameName = Field("", description="Frame of the map; empty: the one the map names")
    filter: MotionConfiguration = MotionConfiguration()


class FusionConfiguration(NodeConfiguration):
    """What the node temporal_fusion has."""

    transform_tolerance: float = Field(
        0.1,
        ge=0,
        le=60,
        description="Seconds by which the transform is dated after the odometry that it comes "
        "with, or after its image where there is no odometry: it is valid so long",
    )


ALL_MODELS = (
    RelocalizerConfiguration,
    FusionConfiguration,
    LocalizerConfiguration,
    TemporalConfiguration,
)
"""What any node of this package declares."""
NEEDS_CONFIGURE = frozenset({*MapConfiguration.model_fields, "image_transport", "other_cameras"})
"""Parameters that are read when a node is configured, and change only while it is not."""
