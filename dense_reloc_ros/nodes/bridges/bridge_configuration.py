"""The parameters of the nodes that hand localizations on to other systems."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dense_reloc_ros.parameter_blocks import Block


class BridgeConfiguration(Block):
    """What all of them have."""

    least_confidence: float = Field(
        0.0, ge=0, le=1, description="Poses of a lower confidence are not handed on"
    )


class RtabmapConfiguration(BridgeConfiguration):
    """Of rtabmap_bridge."""

    link: Literal["landmark_detection", "add_link"] = Field(
        "landmark_detection",
        description="landmark_detection: the nearest keyframe as a landmark; add_link: a link to "
        "the node that the keyframe's name ends with the number of",
    )
    first_landmark: int = Field(
        100000,
        ge=1,
        le=1_000_000_000,
        description="Id of keyframe 0 as a landmark; the others follow. Other landmarks, as tags, "
        "must have lower ones",
    )
    stamp_tolerance: float = Field(
        0.005,
        ge=0,
        le=1,
        description="Seconds by which RTAB-Map's node and the image may be apart (add_link)",
    )


class InitialPoseConfiguration(BridgeConfiguration):
    """Of initial_pose_bridge."""

    map_frame: str = Field("map", description="The other localizer's frame of the map on TF")
    base_frame: str = Field("base_link", description="The robot's frame on TF")
    largest_distance: float = Field(
        0.5, gt=0, le=100, description="Metres that the other localizer may be off"
    )
    largest_angle: float = Field(
        20.0, gt=0, le=180, description="Degrees that the other localizer may be off"
    )
    frames: int = Field(
        3, ge=1, le=1000, description="Poses in a row that must agree that it is lost"
    )


class RobotLocalizationConfiguration(BridgeConfiguration):
    """Of robot_localization_bridge."""

    least_deviation: float = Field(
        0.01,
        gt=0,
        le=10,
        description="Metres and radians that each direction is uncertain by at least: the filter "
        "inverts the covariance, and trusts nothing else beside a tiny one",
    )


class AutowareConfiguration(BridgeConfiguration):
    """Of autoware_bridge."""

    reliable_confidence: float = Field(
        0.9, ge=0, le=1, description="From this confidence on the answer is called reliable"
    )
    timeout: float = Field(
        10.0, gt=0, le=600, description="Seconds to wait for the relocalizer's answer"
    )
