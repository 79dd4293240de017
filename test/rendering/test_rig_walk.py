"""Walks of a body with several cameras: in the light of the room, and half covered in the dark."""

from __future__ import annotations

import numpy as np
import pytest
from gallery import CAMERA, Gallery

from dense_reloc_ros.configuration import RigConfiguration
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.rendering.rig_walk import RigQuery, loosened, rig_walk
from dense_reloc_ros.rendering.room import Walkway

SMALL = CAMERA.scaled(64, 48)


def moments(gallery: Gallery, level: str | None) -> list[RigQuery]:
    walkway = Walkway((0.8, 0.6), (1.2, 1.0))
    return list(rig_walk(gallery._raycaster, walkway, SMALL, 2, level, seed=1, drift=0.02))


@pytest.mark.parametrize("level", [None, "harsh"])
def test_cameras_around_a_body_are_those_of_every_rig(gallery: Gallery, level: str | None) -> None:
    for moment in moments(gallery, level):
        assert [len(images) for images in moment.rigs.values()] == [1, 2, 4, 5]
        one, two = moment.rigs["one camera"], moment.rigs["two cameras"]
        assert one[0] is two[0]
        turn = pose_error(two[0].T_body_camera, two[1].T_body_camera).rotation
        assert turn == pytest.approx(np.pi, abs=1e-6)
        assert all(image.odometry_covariance is None for image in moment.rigs["four cameras"])


def test_without_a_level_nothing_is_covered_or_dark(gallery: Gallery) -> None:
    """Half of an image that is covered has hardly any contrast."""
    for clear, covered in zip(moments(gallery, None), moments(gallery, "harsh"), strict=True):
        np.testing.assert_array_equal(clear.T_map_camera, covered.T_map_camera)
        for seen, dark in zip(
            clear.rigs["four cameras"], covered.rigs["four cameras"], strict=True
        ):
            assert seen.image.mean() > 2 * dark.image.mean()


def test_cameras_hang_as_far_off_their_extrinsics_as_is_said(gallery: Gallery) -> None:
    first, _ = moments(gallery, None)
    rng, options = np.random.default_rng(0), RigConfiguration()
    errors = []
    for _ in range(200):
        loose = loosened(first.rigs, options, rng)
        exact, off = first.rigs["four cameras"], loose["four cameras"]
        np.testing.assert_array_equal(loose["two cameras"][1].T_body_camera, off[1].T_body_camera)
        np.testing.assert_array_equal(off[0].T_body_camera, exact[0].T_body_camera)
        errors += [
            pose_error(a.T_body_camera, b.T_body_camera)
            for a, b in zip(exact[1:], off[1:], strict=True)
        ]
    metres, radians = np.sqrt(np.mean(np.square(errors), axis=0) / 3)
    assert metres == pytest.approx(options.extrinsics_error_m, rel=0.1)
    assert np.degrees(radians) == pytest.approx(options.extrinsics_error_deg, rel=0.1)
