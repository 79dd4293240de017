"""What the bridges to other systems publish, hear and serve."""

from __future__ import annotations

from tools.reference.interface_entry import Interface

OF_BRIDGES = (
    Interface(
        "rtabmap_bridge",
        "subscribed",
        "loop_closure",
        "dense_reloc_ros/LoopClosure",
        "Of the node whose poses are to act on; the launch file remaps it.",
    ),
    Interface(
        "rtabmap_bridge",
        "subscribed",
        "info",
        "rtabmap_msgs/Info",
        "Which of RTAB-Map's nodes is of which time; only with `link: add_link`.",
    ),
    Interface(
        "rtabmap_bridge",
        "published",
        "landmark_detection",
        "rtabmap_msgs/LandmarkDetection",
        "The nearest keyframe, seen from the base; only with `link: landmark_detection`. The "
        "node also calls RTAB-Map's service `add_link` with `link: add_link`.",
    ),
    Interface(
        "initial_pose_bridge",
        "subscribed",
        "result",
        "dense_reloc_ros/RelocResult",
        "Of the node whose poses are to act on.",
    ),
    Interface(
        "initial_pose_bridge",
        "subscribed",
        "/tf",
        "tf2_msgs/TFMessage",
        "Where the other localizer has the robot.",
    ),
    Interface("initial_pose_bridge", "subscribed", "/tf_static", "tf2_msgs/TFMessage", "The same."),
    Interface(
        "initial_pose_bridge",
        "published",
        "initialpose",
        "geometry_msgs/PoseWithCovarianceStamped",
        "Once for each loss of the other localizer, in whose namespace the bridge must be.",
    ),
    Interface(
        "robot_localization_bridge",
        "subscribed",
        "result",
        "dense_reloc_ros/RelocResult",
        "Of the node whose poses are to act on.",
    ),
    Interface(
        "robot_localization_bridge",
        "published",
        "pose0",
        "geometry_msgs/PoseWithCovarianceStamped",
        "The base in the map, with a covariance that can be inverted.",
    ),
    Interface(
        "autoware_bridge",
        "served",
        "yabloc_align",
        "autoware_internal_localization_msgs/PoseWithCovarianceStamped",
        "Localizes the newest image, with the guess as a prior. The node calls the relocalizer's "
        "`~/relocalize` for that, as `relocalize`.",
    ),
)
