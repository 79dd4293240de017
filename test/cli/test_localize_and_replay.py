"""The same bag offline and through the real nodes, against a map of real images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from shared_data import KITCHEN

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.geometry.trajectory import read_tum

pytestmark = [pytest.mark.slow, pytest.mark.ros]

KEYFRAME_STEP = 5
QUERY_STEP = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map of 20 keyframes, and a bag of 10 queries."""
    pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
    if not KITCHEN.exists():
        pytest.skip("the folder `shared` with the kitchen's images is not beside the checkout")
    folder = tmp_path_factory.mktemp("kitchen")
    for part, step in (("map", KEYFRAME_STEP), ("query", QUERY_STEP)):
        (folder / part).mkdir()
        for image in sorted((KITCHEN / part).glob("*.color.jpg"))[::step]:
            name = image.name.removesuffix("color.jpg")
            for kind in ("color.jpg", "depth.png", "pose.txt"):
                (folder / part / f"{name}{kind}").symlink_to(KITCHEN / part / f"{name}{kind}")
    info = ["--camera-info", str(KITCHEN / "camera_info.yaml")]
    mapping, query = str(folder / "map"), str(folder / "query")
    built = str(folder / "built")
    assert main(["map", "build", "--seven-scenes", mapping, *info, "--output", built]) == 0
    bag = ["--output", str(folder / "bag"), "--compressed"]
    assert main(["bag", "create", "--seven-scenes", query, *info, *bag]) == 0
    return folder


def test_the_nodes_publish_what_the_library_finds(folder: Path) -> None:
    given = ["--map", str(folder / "built"), "--bag", str(folder / "bag"), "--output"]
    assert main(["localize", *given, str(folder / "offline")]) == 0
    assert main(["replay", "--lockstep", "--timeout", "120", *given, str(folder / "online")]) == 0
    offline, online = (
        json.loads((folder / run / "report.json").read_text()) for run in ("offline", "online")
    )
    assert offline["frames"] == online["frames"] == 10
    assert offline["recall"]["5cm_5deg"] >= 0.9
    assert offline["median_translation_m"] <= 0.01
    assert offline["median_rotation_deg"] <= 0.4
    assert 0.1 <= offline["nees_over_6_median"] <= 10.0
    assert offline["wrong"] == online["wrong"] == 0
    assert offline["map_revision"] == online["map_revision"]
    assert offline["method"] == online["method"]
    offline_poses, online_poses = (
        read_tum(folder / run / "poses.tum") for run in ("offline", "online")
    )
    np.testing.assert_array_equal(offline_poses.stamps, online_poses.stamps)
    np.testing.assert_allclose(offline_poses.poses, online_poses.poses, atol=1e-3)


def test_night_is_localized_and_nothing_is_wrong_in_hard_light(folder: Path) -> None:
    given = ["--map", str(folder / "built"), "--seven-scenes", str(folder / "query")]
    options = ["--levels", "night", "harsh", "--methods", "nre", "--output", str(folder / "hard")]
    info = ["--camera-info", str(KITCHEN / "camera_info.yaml")]
    assert main(["bench", "robustness", *given, *info, *options]) == 0
    night, harsh = json.loads((folder / "hard" / "robustness.json").read_text())
    assert (night["level"], harsh["level"]) == ("night", "harsh")
    assert night["recall"]["5cm_5deg"] >= 0.9
    assert harsh["recall"]["5cm_5deg"] >= 0.5
    assert night["wrong"] == harsh["wrong"] == 0
