"""Whole maps of a wall whose every point is known."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scene.wall import (
    CAMERA,
    PIXELS_PER_METRE,
    WALL_DEPTH,
    PixelDescriber,
    wall_frame,
    wall_texture,
)

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import undistortion_maps
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.mapping.builder import (
    VOCABULARY_KEYFRAMES,
    build_from_depth,
    build_from_points,
)
from dense_reloc_ros.mapping.sources.known_points import KnownPoints
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.layout import stored_tensors
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.validation import check_tensors


def frames() -> list[SourceFrame]:
    return [wall_frame(k, (0.12 * k - 0.2, 0.05 * k, 0.1 * k), -4.0 * k) for k in range(4)]


def reprojection_errors(scene_map: SceneMap) -> np.ndarray:
    """Pixels between every observation and its point, from the stored tensors alone."""
    errors = []
    for keyframe, camera in enumerate(scene_map.cameras):
        seen = scene_map.observations(keyframe)
        points = scene_map.points[scene_map.observation_points[seen]].double().numpy()
        T_camera_map = inverse(scene_map.keyframe_poses[keyframe].numpy())
        local = points @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
        projected = local @ camera.matrix.T
        pixels = scene_map.observation_pixels[seen].numpy()
        errors.append(np.linalg.norm(projected[:, :2] / projected[:, 2:] - pixels, axis=1))
    return np.concatenate(errors)


def test_points_of_depth_frames_lie_on_the_wall_and_are_shared():
    scene_map = build_from_depth(frames(), PixelDescriber(), frame_id="hall", source="a wall")
    check_tensors(scene_map.information, stored_tensors(scene_map))
    assert (scene_map.information.frame_id, scene_map.information.source) == ("hall", "a wall")
    assert scene_map.information.keyframe_names == [f"frame-{k:06d}" for k in range(4)]
    assert (scene_map.points[:, 2] - WALL_DEPTH).abs().max() < 0.02
    assert np.percentile(reprojection_errors(scene_map), 95) < 2.0
    assert len(scene_map.points) < 0.75 * len(scene_map.observation_points)


def test_descriptors_are_those_of_the_observed_pixels():
    scene_map = build_from_depth(frames(), PixelDescriber())
    for keyframe, frame in enumerate(frames()):
        seen = scene_map.observations(keyframe)
        columns, rows = scene_map.observation_pixels[seen].round().long().numpy().T
        colours = torch.from_numpy(frame.load_image()[rows, columns].astype(np.float32))
        stored = scene_map.descriptors["colour"][seen]
        assert stored.dtype == torch.float16
        expected = torch.nn.functional.normalize(colours, dim=-1)
        torch.testing.assert_close(stored.float(), expected, atol=1e-3, rtol=0)


def test_retrieval_holds_one_row_a_keyframe_and_the_vocabulary():
    scene_map = build_from_depth(frames(), PixelDescriber())
    means = np.array([frame.load_image().mean() for frame in frames()])
    retrieval = scene_map.retrieval
    assert set(retrieval) == {"brightness", "vocabulary.mean"}
    np.testing.assert_allclose(retrieval["vocabulary.mean"], [means.mean()], rtol=1e-5)
    np.testing.assert_allclose(retrieval["brightness"][:, 0], means - means.mean(), atol=1e-3)


def test_the_vocabulary_is_learned_from_a_bounded_spread_of_keyframes():
    one = wall_frame(0, (0, 0, 0))
    many = [replace(one, name=str(k)) for k in range(VOCABULARY_KEYFRAMES + 40)]
    shown: dict[str, int] = {}

    def progress(items: Sequence[SourceFrame], label: str) -> Iterable[SourceFrame]:
        shown[label] = len(items)
        assert items[0].name == "0"
        assert items[-1].name == many[-1].name
        return items

    describer = PixelDescriber(keypoints=3)
    build_from_depth(many, describer, progress=progress)
    assert len(describer.trained_on) == VOCABULARY_KEYFRAMES
    assert list(shown.values()) == [VOCABULARY_KEYFRAMES, len(many)]


def test_images_and_depth_of_distorted_cameras_are_undistorted():
    camera = replace(CAMERA, distortion=(-0.25, 0.08, 0.0, 0.0, 0.0))
    # The distorted image: every pixel shows what the straight image shows where its ray goes.
    columns, rows = np.meshgrid(np.arange(160.0), np.arange(120.0))
    distorted = np.stack([columns.ravel(), rows.ravel()], axis=1)[:, None]
    straight = cv2.undistortPoints(
        distorted, camera.matrix, np.array(camera.distortion), P=camera.matrix
    )
    map_x, map_y = straight.reshape(120, 160, 2).astype(np.float32).transpose(2, 0, 1)

    def bend(frame: SourceFrame) -> SourceFrame:
        image = cv2.remap(frame.load_image(), map_x, map_y, cv2.INTER_LINEAR)
        depth = cv2.remap(frame.load_depth(), map_x, map_y, cv2.INTER_NEAREST)
        return replace(frame, camera=camera, read_image=lambda: image, read_depth=lambda: depth)

    assert np.abs(undistortion_maps(camera)[0] - columns).max() > 3.0
    scene_map = build_from_depth([bend(frame) for frame in frames()], PixelDescriber())
    assert scene_map.cameras == (CAMERA,) * 4
    texture = wall_texture().astype(int)
    columns, rows = (scene_map.points[:, :2].numpy() * PIXELS_PER_METRE + 300).round().T
    # Corners of squares differ from a neighbourhood's mean colour; a shifted map would not.
    spread = [
        np.ptp(texture[row - 4 : row + 5, column - 4 : column + 5].reshape(-1, 3), axis=0).max()
        for column, row in zip(columns.astype(int), rows.astype(int), strict=True)
        if 4 <= column < 595 and 4 <= row < 595
    ]
    assert np.mean(np.array(spread) > 10) > 0.95


def known_wall_points() -> KnownPoints:
    rng = np.random.default_rng(2)
    positions = np.column_stack([rng.uniform(-0.5, 0.5, (30, 2)), np.full(30, WALL_DEPTH)])
    pixels, indices = {}, {}
    for frame in frames():
        T_camera_map = inverse(frame.T_map_camera)
        local = positions @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
        projected = (local / local[:, 2:] @ CAMERA.matrix.T)[:, :2]
        # Nobody sees point 7.
        inside = (projected > 0).all(1) & (projected < [159, 119]).all(1) & (np.arange(30) != 7)
        pixels[frame.name] = projected[inside].astype(np.float32)
        indices[frame.name] = np.flatnonzero(inside)
    return KnownPoints(positions, pixels, indices)


def test_known_points_are_used_as_they_are():
    known = known_wall_points()
    positions, pixels, indices = known.positions, known.pixels, known.indices
    scene_map = build_from_points(frames()[1:], known, PixelDescriber())
    check_tensors(scene_map.information, stored_tensors(scene_map))
    seen = np.unique(np.concatenate([indices[frame.name] for frame in frames()[1:]]))
    assert 7 not in seen
    np.testing.assert_allclose(scene_map.points, positions[seen], atol=1e-6)
    assert reprojection_errors(scene_map).max() < 1e-3
    total = sum(len(pixels[frame.name]) for frame in frames()[1:])
    assert len(scene_map.observation_points) == total


def test_frames_without_usable_points_are_left_out_with_a_warning(caplog):
    blind = replace(frames()[1], read_depth=lambda: np.zeros((120, 160), np.float32))
    with caplog.at_level(logging.WARNING):
        scene_map = build_from_depth([frames()[0], blind, frames()[2]], PixelDescriber())
    assert scene_map.information.keyframe_names == ["frame-000000", "frame-000002"]
    assert scene_map.keyframe_count == len(scene_map.retrieval["brightness"]) == 2
    assert "frame-000001 is left out" in caplog.text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"read_depth": None}, "frame-000001: its depth is missing"),
        ({"T_map_camera": None}, "frame-000001: its pose is unknown"),
        ({"read_depth": lambda: np.ones((60, 80), np.float32)}, "depth of 80x60 does not fit"),
        ({"read_image": lambda: np.ones((60, 80, 3), np.uint8)}, "image of 80x60 does not fit"),
    ],
)
def test_unusable_frames_are_named(changes, reason):
    broken = replace(frames()[1], **changes)
    with pytest.raises(InputError, match=reason):
        build_from_depth([frames()[0], broken], PixelDescriber())


def test_no_usable_frame_at_all_is_an_error():
    blind = replace(frames()[0], read_depth=lambda: np.zeros((120, 160), np.float32))
    with pytest.raises(InputError, match="no frame has anything"):
        build_from_depth([blind], PixelDescriber())
    nothing = KnownPoints(
        np.empty((0, 3)),
        {blind.name: np.empty((0, 2), np.float32)},
        {blind.name: np.empty(0, np.int64)},
    )
    with pytest.raises(InputError, match="no frame has anything"):
        build_from_points([blind], nothing, PixelDescriber())


@pytest.mark.parametrize("with_depth", [True, False])
def test_points_have_the_colours_of_the_pixels_that_show_them(with_depth: bool):
    """By the describer's descriptors, which are the colours of unit length."""
    if with_depth:
        scene_map = build_from_depth(frames(), PixelDescriber())
    else:
        scene_map = build_from_points(frames()[:1], known_wall_points(), PixelDescriber())
    assert scene_map.colours is not None
    once = torch.bincount(scene_map.observation_points) == 1
    is_alone = once[scene_map.observation_points]
    assert is_alone.any()
    found = scene_map.colours[scene_map.observation_points[is_alone]].float()
    expected = scene_map.descriptors["colour"][is_alone].float()
    torch.testing.assert_close(
        torch.nn.functional.normalize(found, dim=-1), expected, atol=2e-3, rtol=0
    )
