"""The definitions beside tools/tf2_msgs are those that others have published.

They were compared with rtabmap_ros at aec4f91f (0.22.1) and autoware_internal_msgs at 1856e5b2,
navigation2 at bfa9184a (its action at f4108e5, jazzy) and bond_core at e6d0fc2.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

TOOLS = Path(__file__).parents[2] / "tools"
PUBLISHED = {
    "rtabmap_msgs/msg/Link": "int32 from_id|int32 to_id|int32 type|"
    "geometry_msgs/Transform transform|float64[36] information",
    "rtabmap_msgs/msg/LandmarkDetection": "std_msgs/Header header|string landmark_frame_id|"
    "int32 id|float32 size|geometry_msgs/PoseWithCovariance pose",
    "rtabmap_msgs/msg/MapGraph": "std_msgs/Header header|geometry_msgs/Transform map_to_odom|"
    "int32[] poses_id|geometry_msgs/Pose[] poses|Link[] links",
    "rtabmap_msgs/msg/Info": "std_msgs/Header header|int32 ref_id|int32 loop_closure_id|"
    "int32 proximity_detection_id|int32 landmark_id|"
    "geometry_msgs/Transform loop_closure_transform|int32[] wm_state|int32[] posterior_keys|"
    "float32[] posterior_values|int32[] likelihood_keys|float32[] likelihood_values|"
    "int32[] raw_likelihood_keys|float32[] raw_likelihood_values|int32[] weights_keys|"
    "int32[] weights_values|int32[] labels_keys|string[] labels_values|string[] stats_keys|"
    "float32[] stats_values|int32[] local_path|int32 current_goal_id|MapGraph odom_cache",
    "bond/msg/Status": "std_msgs/Header header|string id|string instance_id|bool active|"
    "float32 heartbeat_timeout|float32 heartbeat_period",
    "nav2_msgs/action/Wait": "builtin_interfaces/Duration time|---|"
    "builtin_interfaces/Duration total_elapsed_time|uint16 error_code|string error_msg|---|"
    "builtin_interfaces/Duration time_left",
    "nav2_msgs/srv/SetInitialPose": "geometry_msgs/PoseWithCovarianceStamped pose|---",
    "rtabmap_msgs/srv/AddLink": "Link link|---",
    "autoware_internal_localization_msgs/srv/PoseWithCovarianceStamped": "geometry_msgs/"
    "PoseWithCovarianceStamped pose_with_covariance|---|bool success|bool reliable|"
    "geometry_msgs/PoseWithCovarianceStamped pose_with_covariance",
}
MESSAGES = [name for name in PUBLISHED if "/msg/" in name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_fields_are_the_published_ones(name: str) -> None:
    package, kind, _ = name.split("/")
    lines = (TOOLS / package / kind / f"{name.split('/')[-1]}.{kind}").read_text().splitlines()
    assert "|".join(lines) == PUBLISHED[name]


def test_nothing_else_is_defined() -> None:
    packages = {name.split("/")[0] for name in PUBLISHED}
    files = [path for package in packages for path in (TOOLS / package).glob("*/*.*")]
    found = {f"{path.parts[-3]}/{path.parts[-2]}/{path.stem}" for path in files}
    assert found == set(PUBLISHED)


@pytest.mark.ros
@pytest.mark.parametrize("name", MESSAGES)
def test_types_on_the_wire_are_the_published_ones(name: str) -> None:
    """By the hash that rosbags computes of the published fields (REP 2016)."""
    package, _, kind = name.split("/")
    pytest.importorskip(f"{package}.msg", reason="not built: source install/setup.bash")
    from ament_index_python import get_package_share_directory

    store = get_typestore(Stores.ROS2_JAZZY)
    for other in MESSAGES:
        store.register(get_types_from_msg(PUBLISHED[other].replace("|", "\n"), other))
    path = Path(get_package_share_directory(package), "msg", f"{kind}.json")
    hashes = json.loads(path.read_text())["type_hashes"]
    assert {"type_name": name, "hash_string": store.hash_rihs01(name)} in hashes
