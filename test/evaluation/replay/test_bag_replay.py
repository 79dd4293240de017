"""What the nodes are told before a bag is played into them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.evaluation.replay.bag_replay import ReplayOptions, node_parameters

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
