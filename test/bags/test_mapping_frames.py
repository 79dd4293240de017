"""Maps of bags: which images are complete, and that their map is that of the frames themselves."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from scene.wall import CAMERA, PixelDescriber, wall_frame

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.frames import read_mapping_frames
from dense_reloc_ros.bags.topics import DEPTH_TOPIC, GROUND_TRUTH_TOPIC
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

STEP = 33_333_333


def frames() -> list[SourceFrame]:
    return [wall_frame(k, (0.12 * k - 0.2, 0.05 * k, 0.1 * k), -4.0 * k) for k in range(4)]


def write_bag(path: Path, posed: list[int], with_depth: list[int]) -> Path:
    with BagWriter(path, CAMERA) as writer:
        writer.write_static_tf(STEP)
        for index, frame in enumerate(frames()):
            stamp = (index + 1) * STEP
            if index in posed:
                writer.write_ground_truth(stamp, frame.T_map_camera)
            writer.write_image(stamp, frame.load_image())
            if index in with_depth:
                writer.write_depth(stamp, frame.load_depth())
    return path


def test_the_map_of_a_bag_is_that_of_its_frames(tmp_path):
    path = write_bag(tmp_path / "bag", posed=[0, 1, 2, 3], with_depth=[0, 1, 2, 3])
    expected = build_from_depth(frames(), PixelDescriber())
    with BagReader(path) as bag:
        read = read_mapping_frames(bag, GROUND_TRUTH_TOPIC, DEPTH_TOPIC).frames
        scene_map = build_from_depth(read, PixelDescriber())
    torch.testing.assert_close(scene_map.keyframe_poses, expected.keyframe_poses)
    assert torch.equal(scene_map.observation_pixels, expected.observation_pixels)
    # The bag holds whole millimetres of depth.
    assert abs(len(scene_map.points) - len(expected.points)) <= 2
    gaps = torch.cdist(expected.points, scene_map.points).amin(dim=1)
    assert gaps.median() < 0.001


def test_incomplete_images_are_left_out_and_counted(tmp_path, caplog):
    path = write_bag(tmp_path / "bag", posed=[1, 2, 3], with_depth=[0, 1, 3])
    with BagReader(path) as bag, caplog.at_level(logging.WARNING):
        read = read_mapping_frames(bag, GROUND_TRUTH_TOPIC, DEPTH_TOPIC).frames
        without_depth = read_mapping_frames(bag, GROUND_TRUTH_TOPIC).frames
    np.testing.assert_allclose(
        [frame.T_map_camera for frame in read],
        [frames()[index].T_map_camera for index in (1, 3)],
        atol=1e-9,
    )
    assert len(without_depth) == 3
    assert "1 of 4 images are left out: no pose of /ground_truth/pose before" in caplog.text
    assert "1 of 4 images are left out: no depth within 5 ms" in caplog.text


@pytest.mark.parametrize(
    ("posed", "with_depth", "reason"),
    [
        ([], [0], "/ground_truth/pose has no messages"),
        ([0], [], "/camera/depth/image_raw has no messages"),
        ([0], [3], "no depth on /camera/depth/image_raw belongs to any of the 1 images"),
    ],
)
def test_bags_without_a_complete_image_are_refused(tmp_path, posed, with_depth, reason):
    path = write_bag(tmp_path / "bag", posed, with_depth)
    with BagReader(path) as bag, pytest.raises(InputError, match=reason):
        read_mapping_frames(bag, GROUND_TRUTH_TOPIC, DEPTH_TOPIC)


def test_poses_of_another_time_are_refused(tmp_path):
    with BagWriter(tmp_path / "bag", CAMERA) as writer:
        writer.write_static_tf(STEP)
        writer.write_ground_truth(100 * STEP, np.eye(4))
        writer.write_image(STEP, frames()[0].load_image())
    with BagReader(tmp_path / "bag") as bag:
        reason = "no pose on /ground_truth/pose belongs to any of the 1 images"
        with pytest.raises(InputError, match=reason):
            read_mapping_frames(bag, GROUND_TRUTH_TOPIC)


@pytest.mark.parametrize("gap_ms", [6, 16])
def test_depth_that_comes_late_is_told_with_the_gap_the_limit_and_the_option(tmp_path, gap_ms):
    with BagWriter(tmp_path / "bag", CAMERA) as writer:
        writer.write_static_tf(STEP)
        for index, frame in enumerate(frames(), start=1):
            writer.write_ground_truth(index * STEP, frame.T_map_camera)
            writer.write_image(index * STEP, frame.load_image())
            writer.write_depth(index * STEP + gap_ms * 10**6, frame.load_depth())
    with BagReader(tmp_path / "bag") as bag:
        reason = rf"the nearest is {gap_ms}\.0 ms away, more than the 5 ms of --depth-tolerance"
        with pytest.raises(InputError, match=reason):
            read_mapping_frames(bag, GROUND_TRUTH_TOPIC, DEPTH_TOPIC)
        tolerance = (gap_ms + 1) * 10**6
        read = read_mapping_frames(
            bag, GROUND_TRUTH_TOPIC, DEPTH_TOPIC, depth_tolerance=tolerance
        ).frames
        assert len(read) == len(frames())
        for frame, expected in zip(read, frames(), strict=True):
            np.testing.assert_allclose(frame.load_depth(), expected.load_depth(), atol=1e-3)
