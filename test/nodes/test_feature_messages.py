"""Results with their features, over the wire and back."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from nodes.fake_fusion import with_features
from nodes.fake_localizer import FakeLocalizer, localized, rejected
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization.result import FeatureView, Localization, Status

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.frame_results import make_result
from rclpy.serialization import deserialize_message, serialize_message

from dense_reloc_ros.msg import LocalizedFrame
from dense_reloc_ros.nodes.feature_messages import localized_frame_message, result_from_message

pytestmark = pytest.mark.ros

T_MAP_CAMERA = rigid(Rotation.from_euler("xyz", [1, 2, 3]).as_matrix(), np.array([1.0, 2.0, 3.0]))
LOCALIZED = with_features(localized(T_MAP_CAMERA), seed=4)
NO_MATCH = with_features(Localization(Status.NO_CANDIDATES, "too little of the map matches"))
BAD_IMAGE = Localization(Status.INVALID_INPUT, "image is empty")


def over_the_wire(localization: Localization) -> LocalizedFrame:
    message = localized_frame_message(make_result(12.5, localization))
    return deserialize_message(serialize_message(message), LocalizedFrame)


@pytest.mark.parametrize(
    "localization",
    [LOCALIZED, with_features(rejected()), NO_MATCH, BAD_IMAGE],
    ids=lambda localization: localization.status.name,
)
def test_comes_back_as_it_was(localization: Localization) -> None:
    localizer = FakeLocalizer(lambda image: localization)
    result = result_from_message(over_the_wire(localization), localizer)
    returned = result.localization
    assert (returned.status, returned.reason) == (localization.status, localization.reason)
    assert returned.stage_milliseconds == localization.stage_milliseconds
    assert (result.header.stamp, result.header.frame_id) == (12_500_000_000, "camera_optical_frame")
    assert result.localizer is localizer
    assert result.image is None
    expected, estimate = localization.estimate, returned.estimate
    assert (estimate is None) == (expected is None)
    if expected is not None and estimate is not None:  # also of rejected frames
        np.testing.assert_allclose(estimate.T_map_camera, expected.T_map_camera, atol=1e-12)
        np.testing.assert_array_equal(estimate.covariance, expected.covariance)
        np.testing.assert_array_equal(estimate.supporting_points, expected.supporting_points)
        assert (estimate.score, estimate.keyframes) == (0.75, expected.keyframes)


def test_the_view_of_the_features_comes_along() -> None:
    sent = FeatureView(
        Camera(30, 40, 35.0, 36.0, 14.5, 20.0),
        rigid(Rotation.from_euler("z", 90, degrees=True).as_matrix(), np.zeros(3)),
    )
    message = over_the_wire(replace(LOCALIZED, view=sent))
    received = result_from_message(message, None).localization.view
    assert received is not None
    assert received.camera == sent.camera
    np.testing.assert_allclose(received.T_camera_view, sent.T_camera_view, atol=1e-12)
    assert result_from_message(over_the_wire(LOCALIZED), None).localization.view is None


def test_features_come_in_half_precision() -> None:
    result = result_from_message(over_the_wire(LOCALIZED), None)
    sent, received = LOCALIZED.features, result.localization.features
    assert sent is not None
    assert received is not None
    assert list(received.levels) == ["coarse", "fine"]
    for name, level in sent.levels.items():
        other = received.levels[name]
        assert (other.stride, other.offset) == (level.stride, level.offset)
        assert other.values.shape == level.values.shape
        np.testing.assert_array_equal(other.values, level.values.half().float())
    np.testing.assert_array_equal(received.global_descriptor, sent.global_descriptor)
    assert result.camera == make_result(12.5, LOCALIZED).camera


def test_latency_goes_on_from_that_of_the_relocalizer() -> None:
    message = over_the_wire(LOCALIZED)
    message.result.latency_milliseconds = 60_000.0
    result = result_from_message(message, None)
    assert time.monotonic() - result.header.received >= 60.0


def test_contradicting_messages_are_refused() -> None:
    message = over_the_wire(LOCALIZED)
    message.levels[1].width += 1
    with pytest.raises(InputError, match="level 'fine' has 768 bytes, but 816"):
        result_from_message(message, None)


def test_methods_without_dense_features_send_none() -> None:
    bare = over_the_wire(replace(LOCALIZED, features=None))
    assert not bare.levels
    result = result_from_message(bare, None)
    assert result.localization.features is None
    assert result.localization.is_localized
    assert result.camera == make_result(12.5, LOCALIZED).camera


def test_intrinsics_of_images_that_cannot_be_used_are_not_read() -> None:
    message = over_the_wire(BAD_IMAGE)
    message.camera_info.distortion_model = "fancy"
    assert result_from_message(message, None).camera is None
