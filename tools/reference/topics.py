"""What the nodes publish, hear and serve; a test compares it with the running nodes."""

from __future__ import annotations

from tools.reference.bridge_interfaces import OF_BRIDGES
from tools.reference.interface_entry import Interface, both
from tools.reference.services import SERVICES

TOPICS = (
    Interface(
        "relocalizer",
        "subscribed",
        "image",
        "sensor_msgs/Image",
        "The camera's images with `image_transport: raw`: RGB, BGR, mono or Bayer of 8 or 16 "
        "bit, YUV 4:2:2, NV12 or NV21. Sensor-data QoS.",
    ),
    Interface(
        "relocalizer",
        "subscribed",
        "image/compressed",
        "sensor_msgs/CompressedImage",
        "The camera's images with `image_transport: compressed`: JPEG or PNG. Sensor-data QoS.",
    ),
    Interface(
        "relocalizer",
        "subscribed",
        "camera_info",
        "sensor_msgs/CameraInfo",
        "The intrinsics, with distortion model `plumb_bob`, `rational_polynomial` or "
        "`equidistant`, or the names `none`, `pinhole`, `radtan` and `fisheye`; K, D and R for raw "
        "images, P for rectified ones (parameter `rectified`); region of interest and binning "
        "count. Sensor-data QoS, and also transient local: it may be sent once.",
    ),
    *both("subscribed", "/tf", "tf2_msgs/TFMessage", "The odometry and the moving joints."),
    *both(
        "published",
        "bond",
        "bond/Status",
        "The heartbeat of an active node, as a lifecycle manager of Nav2 wants it, for 10 s or as "
        "long as there is one (parameter `bond_heartbeat_period`).",
    ),
    *both("subscribed", "bond", "bond/Status", "The manager's heartbeat."),
    *both("subscribed", "/tf_static", "tf2_msgs/TFMessage", "Where the camera is on the robot."),
    Interface(
        "relocalizer",
        "subscribed",
        "initialpose",
        "geometry_msgs/PoseWithCovarianceStamped",
        'Where the base is thought to be, in the frame of the map, as RViz\'s "2D Pose Estimate" '
        "says it: the robot is looked for there (used by the methods `nre…`, `re…`). Variances of "
        "zero count as unknown. With `mode: once` the search begins anew.",
    ),
    Interface(
        "relocalizer",
        "subscribed",
        "temporal_fusion/state",
        "dense_reloc_ros/LocalizationState",
        "Whether a fusion has found the robot, which ends the search of `mode: once`.",
    ),
    Interface(
        "relocalizer",
        "published",
        "~/pose",
        "geometry_msgs/PoseWithCovarianceStamped",
        "The pose of `base_frame` in the map, stamped as the image. Published for localized frames "
        "whose `base_frame` TF connects to the camera.",
    ),
    Interface(
        "relocalizer",
        "published",
        "~/result",
        "dense_reloc_ros/RelocResult",
        "Status, reason, poses, score, keyframes and the time of each stage, for every image that "
        "was worked on.",
    ),
    *both(
        "published",
        "~/loop_closure",
        "dense_reloc_ros/LoopClosure",
        "For every published pose whose odometry is on TF: the constraint between the odometry "
        "pose at the image's time and the map, and to the nearest keyframe (see [Loop closure]"
        "(../guides/loop_closure.md)). Made only while somebody subscribes.",
    ),
    *both(
        "published",
        "~/state",
        "dense_reloc_ros/LocalizationState",
        "Whether the robot knows where it is: `LOST`, `UNSURE` or `TRACKING`, since when and why, "
        "and the events `RELOCALIZED`, `KIDNAPPED` and `BECAME_LOST` (see [Lost and found]"
        "(../guides/robot.md#lost-and-found)). Published when it changes; transient local.",
    ),
    *both(
        "published",
        "~/markers",
        "visualization_msgs/MarkerArray",
        "For RViz and Foxglove: the camera's frustum at the last pose that is believed, and the "
        "state in words above it, in green (`TRACKING`), amber (`UNSURE`) or red (`LOST`: where it "
        "was believed to be). Transient local; made only while somebody subscribes.",
    ),
    *both(
        "published",
        "~/path",
        "nav_msgs/Path",
        "The last 1000 poses of the base that were believed, at least 5 cm or 5° apart, since the "
        "robot was found. Transient local; made only while somebody subscribes.",
    ),
    Interface(
        "relocalizer",
        "published",
        "~/debug_image",
        "sensor_msgs/Image",
        "The image, and beside it the keyframe of those it was localized against that saw most of "
        "what supports the pose (its points in colour where the map stores no images). The map's "
        "points are circled where the pose puts them and where the keyframe saw them, by their NRE "
        "loss from yellow (the image agrees) to violet (an outlier). Below the decision with its "
        "confidence and reason, green where the pose is published, amber where it is doubted, red "
        "without one. Drawn only while somebody subscribes.",
    ),
    Interface(
        "relocalizer",
        "published",
        "~/map_points",
        "sensor_msgs/PointCloud2",
        "The map's points (x, y, z in single precision, and rgb) in the frame of the map, on "
        "activation and when the map is exchanged. Who subscribes later gets it, too, with the "
        "durability transient local.",
    ),
    Interface(
        "relocalizer",
        "published",
        "~/map_keyframes",
        "geometry_msgs/PoseArray",
        "The poses of the map's keyframes (optical frames), as `~/map_points`.",
    ),
    Interface(
        "relocalizer",
        "published",
        "~/localized_frame",
        "dense_reloc_ros/LocalizedFrame",
        "Result, intrinsics and dense features (2.8 MB at 640×480) for a `temporal_fusion` in "
        "another process; only while somebody subscribes.",
    ),
    Interface(
        "temporal_fusion",
        "subscribed",
        "relocalizer/localized_frame",
        "dense_reloc_ros/LocalizedFrame",
        "The frames of a relocalizer in another process (`fusion_process:=separate`).",
    ),
    Interface(
        "temporal_fusion",
        "published",
        "~/pose",
        "geometry_msgs/PoseWithCovarianceStamped",
        "The pose to act on: `base_frame` in the map, fused with earlier frames and filtered. "
        "Published for frames whose pose the filter accepts.",
    ),
    Interface(
        "temporal_fusion",
        "published",
        "~/predicted_pose",
        "geometry_msgs/PoseWithCovarianceStamped",
        "The last believed pose, carried on by each transform of the odometry, with a covariance "
        "that grows by `filter.drift` and `filter.heading_drift`; ends where the robot is lost. It "
        "holds no more images than `~/pose`: give a filter one of both. Made only while somebody "
        "subscribes.",
    ),
    Interface(
        "temporal_fusion",
        "published",
        "~/raw_pose",
        "geometry_msgs/PoseWithCovarianceStamped",
        "The fused pose before the filter, also where the filter rejects it.",
    ),
    Interface(
        "temporal_fusion",
        "published",
        "~/result",
        "dense_reloc_ros/RelocResult",
        "As the relocalizer's, with the filtered pose; for every frame.",
    ),
    Interface(
        "temporal_fusion",
        "published",
        "~/debug_image",
        "sensor_msgs/Image",
        "As the relocalizer's; has images only in the relocalizer's process.",
    ),
    *both(
        "published",
        "/tf",
        "tf2_msgs/TFMessage",
        "`map → odom` (see [Frames and covariances](../concepts/frames.md)); only with "
        "`publish_tf`.",
    ),
    *both(
        "published",
        "/diagnostics",
        "diagnostic_msgs/DiagnosticArray",
        "Once a second: state, counts, rate, latency of each stage, the last rejection.",
    ),
)

INTERFACES = (*TOPICS, *SERVICES, *OF_BRIDGES)
