from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.replay.offline import (
    Trial,
    localize_frames,
    localize_in_turns,
    localize_together,
    single_images,
    whole_video,
)
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.localization.result import Localization, PoseEstimate, SceneCoordinates, Status
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

CAMERA = Camera(4, 4, 5.0, 5.0, 2.0, 2.0)


def pose(x: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 3] = x
    return matrix


class ReadsPositionFromPixels:
    """Localizes an image at x = its brightness; black ones not at all."""

    def localize(self, image: np.ndarray, camera: Camera) -> Localization:
        assert camera == CAMERA
        x = float(image[0, 0, 0])
        if x == 0:
            return Localization(Status.NO_CANDIDATES, "too dark")
        estimate = PoseEstimate(pose(x), np.eye(6), 0.5, np.arange(3), (1,))
        return Localization(Status.LOCALIZED, "", estimate)


def frame(index: int, brightness: int, size: int = 4) -> SourceFrame:
    image = np.full((size, size, 3), brightness, np.uint8)
    return SourceFrame(f"frame {index}", index / 10, CAMERA, pose(10.0 * index), lambda: image)


def test_every_frame_gets_its_record():
    records = localize_frames(
        single_images(ReadsPositionFromPixels()), [frame(0, 3), frame(1, 0), frame(2, 20)]
    )
    assert [record.stamp for record in records] == [0, 100_000_000, 200_000_000]
    assert [record.is_localized for record in records] == [True, False, True]
    assert [record.reason for record in records] == ["", "too dark", ""]
    assert records[0].error.translation == pytest.approx(3.0)
    assert records[2].error.translation == pytest.approx(0.0)
    assert all(record.latency_milliseconds > 0 for record in records)


def test_a_given_ground_truth_is_taken_by_time():
    truth = Trajectory.from_poses([1_000_000, 203_000_000], [pose(1.0), pose(2.0)])
    records = localize_frames(
        single_images(ReadsPositionFromPixels()), [frame(0, 3), frame(1, 4), frame(2, 5)], truth
    )
    assert records[0].error.translation == pytest.approx(2.0)
    assert records[1].ground_truth is None
    assert records[2].error.translation == pytest.approx(3.0)


def test_an_image_that_does_not_fit_is_a_frame_without_pose():
    records = localize_frames(
        single_images(ReadsPositionFromPixels()), [frame(0, 3), frame(1, 4, size=8)]
    )
    assert [record.is_localized for record in records] == [True, False]
    assert "8x8 does not fit" in records[1].reason


def test_images_of_which_none_fits_are_an_error():
    with pytest.raises(InputError, match="frame 0: an image of 8x8"):
        localize_frames(
            single_images(ReadsPositionFromPixels()), [frame(0, 3, size=8), frame(1, 4, size=8)]
        )


def test_every_frame_goes_to_all_trials_and_through_all_their_ways_before_the_next():
    log: list[str] = []

    def trial(name: str, *ways: str) -> Trial:
        def localize(image: np.ndarray, frame: SourceFrame) -> Iterator[Localization]:
            for way in ways:
                log.append(f"{frame.name} {name} {way}")
                yield Localization(Status.NO_CANDIDATES, way)

        return Trial(ways, localize)

    trials = [trial("a", "alone", "fused"), trial("b", "alone")]
    found = localize_in_turns(trials, [frame(0, 1), frame(1, 1, size=8), frame(2, 1)])
    turns = ["a alone", "a fused", "b alone"]
    assert log == [f"frame {index} {turn}" for index in (0, 2) for turn in turns]
    assert [(one.trial, one.way) for one in found] == 3 * [(0, "alone"), (0, "fused"), (1, "alone")]
    assert [one.record.reason for one in found[:3]] == ["alone", "fused", "alone"]
    assert all("8x8 does not fit" in one.record.reason for one in found[3:6])
    alone, fused, _ = (one.record.latency_milliseconds for one in found[:3])
    assert 0 < alone < fused


class Together(ReadsPositionFromPixels):
    """Takes three images at once."""

    images_at_once = 3

    def localize_many(self, images: Iterable[tuple[np.ndarray, Camera]]) -> Iterator[Localization]:
        rest = iter(images)
        while batch := list(islice(rest, 3)):
            for one in batch:
                yield replace(self.localize(*one), stage_milliseconds={"features": 12, "pose": 3})


def test_frames_that_are_localized_together_have_the_records_of_each_alone():
    given = [frame(0, 3), frame(1, 0), frame(2, 20, size=8), frame(3, 20), frame(4, 7)]
    together = localize_together(Together(), given)
    alone = localize_frames(single_images(ReadsPositionFromPixels()), given)
    for one, other in zip(together, alone, strict=True):
        assert (one.name, one.stamp, one.reason) == (other.name, other.stamp, other.reason)
        assert (one.error is None) == (other.error is None)
        if one.error is not None:
            assert one.error.translation == other.error.translation
    assert [record.latency_milliseconds for record in together] == [15, 15, None, 15, 15]
    with pytest.raises(InputError, match="frame 2: an image of 8x8"):
        localize_together(Together(), given[2:3])


class CountsNanoseconds:
    """Localizes an image at x = the time it is told."""

    def localize(self, image: np.ndarray, camera: Camera, stamp: int) -> Localization:
        estimate = PoseEstimate(pose(float(stamp)), np.eye(6), 0.5, np.arange(3), (1,))
        return Localization(Status.LOCALIZED, "", estimate)


def test_frames_of_a_video_are_localized_with_their_time():
    records = localize_frames(whole_video(CountsNanoseconds()), [frame(3, 1), frame(1, 1)])
    assert [record.T_map_camera[0, 3] for record in records] == [3e8, 1e8]
    assert [record.stamp for record in records] == [300_000_000, 100_000_000]


class SeesAPlane:
    """Says of every cell that it is 2 m away."""

    def localize(self, image: np.ndarray, camera: Camera) -> Localization:
        points = np.zeros((2, 2, 3), np.float32)
        points[..., :2] = (np.stack(np.meshgrid([0.5, 2.5], [0.5, 2.5]), -1) - 2.0) / 5.0 * 2.0
        points[..., 2] = 2.0
        coordinates = SceneCoordinates(points, np.ones((2, 2), np.float32), points[None])
        estimate = PoseEstimate(
            np.eye(4), np.eye(6), 0.1, np.arange(3), (1,), coordinates=coordinates
        )
        return Localization(Status.REJECTED, "unsure", estimate)


def test_scene_coordinates_are_compared_with_depth_where_all_is_known():
    depth = np.full((4, 4), 2.5, np.float32)
    known = replace(frame(0, 3), read_depth=lambda: depth)
    unposed = replace(known, T_map_camera=None)
    records = localize_frames(single_images(SeesAPlane()), [known, frame(0, 3), unposed])
    # Seen along rays 0.3 and 0.1 to each side per metre: a point is 0.5 m too near, and inwards.
    ray = np.array([[0.3, 0.3, 1], [0.1, 0.3, 1], [0.3, 0.1, 1], [0.1, 0.1, 1]])
    expected = 0.5 * np.linalg.norm(ray, axis=1)
    np.testing.assert_allclose(records[0].coordinate_errors.points, expected, rtol=1e-5)
    assert records[1].coordinate_errors is None
    assert records[2].coordinate_errors is None
