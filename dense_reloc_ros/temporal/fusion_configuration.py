"""The parameters of the fusion over time; ROS parameters carry the same names."""

from __future__ import annotations

from pydantic import Field

from dense_reloc_ros.parameter_blocks import Block


class MotionConfiguration(Block):
    """What is assumed of odometry and of the robot, and which poses fit together by that."""

    gate: float = Field(
        0.9999,
        ge=0.5,
        lt=1.0,
        description="Share of right poses that are taken to fit those before; others are outliers",
    )
    restart_after: int = Field(
        3,
        ge=1,
        le=100,
        description="Outliers in a row that agree with each other from which on they are believed, "
        "and not the poses before",
    )
    drift: float = Field(
        0.03,
        gt=0.0,
        le=1.0,
        description="Share of its way and of its turns by which odometry may be off",
    )
    heading_drift: float = Field(
        0.005,
        ge=0.0,
        le=1.0,
        description="Radians for each metre of way by which odometry may turn",
    )
    speed: float = Field(
        1.0, gt=0.0, le=100.0, description="Usual speed of the robot without odometry, m/s"
    )
    turn_rate: float = Field(
        1.0, gt=0.0, le=100.0, description="Usual turn rate of the robot without odometry, rad/s"
    )
    acceleration: float = Field(
        0.3,
        gt=0.0,
        le=100.0,
        description="By how much the speed usually changes in a second without odometry, m/s",
    )
    turn_acceleration: float = Field(
        0.3,
        gt=0.0,
        le=100.0,
        description="By how much the turn rate usually changes in a second without odometry, rad/s",
    )


class FilterConfiguration(MotionConfiguration):
    """The filter of poses: what it assumes of measurements besides."""

    # On rendered rooms, errors of poses half a metre and 18 degrees apart correlate by 0.3 to 0.4.
    common_share: float = Field(
        0.7,
        ge=0.0,
        le=0.99,
        description="Share of a pose's variance that the next poses have in common with it, so "
        "that it cannot be averaged out while the robot stands still",
    )
    common_distance: float = Field(
        1.0, gt=0.0, le=100.0, description="Metres in which the common error falls to 37%"
    )
    common_angle: float = Field(
        1.0, gt=0.0, le=10.0, description="Radians of turn in which the common error falls to 37%"
    )


class BeliefConfiguration(Block):
    """When a robot is found, is tracked, and counts as lost."""

    sure: float = Field(
        0.99,
        ge=0.0,
        le=1.0,
        description="Confidence from which on one pose is enough to find a lost robot; others need "
        "a second one that agrees",
    )
    unsure_after: float = Field(
        1.0, gt=0.0, le=600.0, description="Seconds without a pose from which on it is unsure"
    )
    max_age: float = Field(
        30.0,
        gt=0.0,
        le=3600.0,
        description="Seconds without a pose from which on it is lost; without odometry at most 5",
    )
    lost_error_m: float = Field(
        1.0,
        gt=0.0,
        le=1000.0,
        description="Metres by which the expected error may have grown with the odometry's drift "
        "since the last pose; beyond it is lost, and from a quarter on unsure",
    )
    lost_error_deg: float = Field(
        20.0, gt=0.0, le=180.0, description="The same of the rotation, degrees"
    )


class TogetherConfiguration(Block):
    """The last images that are localized together, as those of a rig, where odometry is there."""

    frames: int = Field(
        5,
        ge=1,
        le=12,
        description="Images that are localized together where odometry is there and the last one "
        "alone is unsure; 1: none are",
    )
    spacing: float = Field(
        0.1, ge=0.0, le=100.0, description="Metres of way from one of these images to the next"
    )
    spacing_turn: float = Field(
        0.1, ge=0.0, le=3.2, description="Radians of turn that do instead of the way"
    )
    largest_way: float = Field(
        3.0,
        gt=0.0,
        le=1000.0,
        description="Metres of way, after which odometry has drifted too far for an image to help",
    )


class TemporalConfiguration(Block):
    """Correlation with the previous frame (DSM 3.3), and images that are localized together."""

    max_age: float = Field(
        0.5, gt=0.0, le=10.0, description="Seconds for which a localized frame helps later ones"
    )
    earlier_frames: int = Field(
        3,
        ge=1,
        le=12,
        description="Localized frames whose correlation is used together, as far as they are not "
        "older than that",
    )
    sure: float = Field(
        0.9,
        ge=0.0,
        le=1.0,
        description="Confidence from which on the published pose of a single frame needs no help",
    )
    largest_step: float = Field(
        0.07,
        gt=0.0,
        le=10.0,
        description="How far a pose may be from the predicted one, as a share of the depth",
    )
    largest_turn: float = Field(
        0.09,
        gt=0.0,
        le=3.2,
        description="How far a pose may be turned from the predicted one, radians",
    )
    least_map_score: float = Field(
        0.6,
        ge=0.0,
        le=1.0,
        description="Score that a predicted pose needs by the map alone, as a share of the "
        "threshold of single frames",
    )
    together: TogetherConfiguration = TogetherConfiguration()
    filter: FilterConfiguration = FilterConfiguration()
