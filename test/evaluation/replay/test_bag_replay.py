"""What the nodes are told before a bag is played into them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.evaluation.replay.bag_replay import (
    ReplayOptions,
    node_parameters,
    topics_of_others,
)
from dense_reloc_ros.geometry.camera import Camera

CAMERA = Camera(4, 4, 5.0, 5.0, 1.5, 1.5)
TOPICS = {"/tf", "/tf_static", "/camera/image_raw"}


def told(*settings: str, map_path: str = "/maps/hall") -> dict[str, dict]:
    options = ReplayOptions(map=Path(map_path), bag=Path("bag"), settings=settings)
    files = node_parameters(options, "raw", TOPICS)
    return {node.rsplit("/", 1)[1]: values["ros__parameters"] for node, values in files.items()}


def test_single_parameters_go_to_the_node_that_has_them():
    values = told("retrieval.keyframes=3", "filter.gate=0.99", "publish_tf=false")
    assert values["relocalizer"]["retrieval.keyframes"] == 3
    assert values["relocalizer"]["publish_tf"] is False
    assert values["temporal_fusion"] == {"mode": "continuous", "filter.gate": 0.99}


def test_both_nodes_are_told_of_the_same_robot():
    for values in told("planar=true", "floor.height=0.2", "base_frame=base_footprint").values():
        assert (values["planar"], values["floor.height"]) == (True, 0.2)
        assert values["base_frame"] == "base_footprint"


def test_every_image_of_a_bag_is_taken():
    values = told()
    assert values["relocalizer"]["max_rate"] == values["relocalizer"]["max_frame_seconds"] == 0.0
    assert {one["mode"] for one in values.values()} == {"continuous"}


def test_settings_of_another_form_are_refused():
    with pytest.raises(ConfigurationError, match=r"'retrieval\.keyframes' is not NAME=VALUE"):
        told("retrieval.keyframes")


def test_the_node_gets_the_place_of_the_map(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert told(map_path="~/hall")["relocalizer"]["map"] == "/home/someone/hall"
    assert told(map_path="file:///maps/hall")["relocalizer"]["map"] == "/maps/hall"


def test_the_node_is_told_of_further_cameras():
    cameras = ("/rear/image_raw", "/left/image_raw/compressed")
    options = ReplayOptions(map=Path("/maps/hall"), bag=Path("bag"), other_cameras=cameras)
    (values,) = (v for k, v in node_parameters(options, "raw", TOPICS).items() if "reloc" in k)
    told = values["ros__parameters"]["other_cameras"]
    assert told == ["/rear/image_raw", "/left/image_raw"]


def test_further_cameras_are_checked_in_the_bag(tmp_path: Path):
    image = np.zeros((4, 4, 3), np.uint8)
    with BagWriter(tmp_path / "bag", CAMERA, {"rear": CAMERA}) as writer:
        writer.write_image(1, image)
        writer.write_image(1, image, "rear")
    with BagReader(tmp_path / "bag") as bag:
        topics = topics_of_others(bag, ["/rear/image_raw"], "raw")
        assert topics == ["/rear/image_raw", "/rear/camera_info"]
        with pytest.raises(InputError, match="/left/image_raw has no messages"):
            topics_of_others(bag, ["/left/image_raw"], "raw")
        with pytest.raises(InputError, match="images of all cameras must be compressed ones"):
            topics_of_others(bag, ["/rear/image_raw"], "compressed")
