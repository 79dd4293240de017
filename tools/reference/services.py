"""What the relocalizer and temporal_fusion serve."""

from __future__ import annotations

from tools.reference.interface_entry import Interface, both

SERVICES = (
    Interface(
        "relocalizer",
        "served",
        "~/relocalize",
        "dense_reloc_ros/Relocalize",
        "Localizes the given image or the newest one, with the given intrinsics or the newest "
        "ones and optionally a prior pose (used by the methods `nre…`), and returns the result. "
        "Works while the node is inactive, too.",
    ),
    Interface(
        "relocalizer",
        "served",
        "~/relocalize_batch",
        "dense_reloc_ros/RelocalizeBatch",
        "Localizes the images of a SLAM's keyframes and answers with constraints for its pose "
        "graph; those that agree with each other are marked. Works while the node is inactive, "
        "too.",
    ),
    Interface(
        "relocalizer",
        "served",
        "~/set_initial_pose",
        "nav2_msgs/SetInitialPose",
        "The same as a pose on `initialpose`.",
    ),
    Interface(
        "relocalizer",
        "served",
        "~/reinitialize_global_localization",
        "std_srvs/Empty",
        "Forgets the initial pose: the robot is looked for everywhere, with `mode: once` until it "
        "is found again.",
    ),
    *both(
        "served",
        "~/load_map",
        "dense_reloc_ros/LoadMap",
        "Exchanges the map; the old one stays in use if the new one cannot be loaded. Of "
        "`temporal_fusion` only in a process of its own.",
    ),
    Interface(
        "relocalizer",
        "served",
        "~/choose_map",
        "dense_reloc_ros/ChooseMap",
        "Finds the map of a folder (parameter `maps_folder`) that the camera's last images, or "
        "those given, belong to, and loads it as `~/load_map` does; where none fits, the map in "
        "use stays. See [Which map](../guides/robot.md#which-map).",
    ),
    *both(
        "action",
        "~/wait_localized",
        "dense_reloc_ros/WaitLocalized",
        "Waits until the robot is localized, for behaviour trees (see [In a behaviour tree]"
        "(../guides/robot.md#in-a-behaviour-tree)). Ask the node whose poses you use. Any number "
        "of goals wait at once; a node that is not active rejects them, and aborts them when it is "
        "deactivated.",
    ),
    *both(
        "action",
        "~/nav2_wait_localized",
        "nav2_msgs/Wait",
        "The same in the type of Nav2's behaviour `wait`, so that the node `Wait` of any Nav2 tree "
        "can call it: succeeds when the robot is localized, is aborted when `time` has passed.",
    ),
)
