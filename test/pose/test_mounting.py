"""A camera that hangs elsewhere than said shows in what it sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pose.synthetic_rig import surround_rig
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.method_configuration import NreConfiguration
from dense_reloc_ros.pose.mounting import mounting_error
from dense_reloc_ros.pose.nre import estimate_nre
from dense_reloc_ros.pose.rig_problem import joined

DEFAULT = NreConfiguration()


@pytest.mark.parametrize("cameras", [2, 3])
def test_the_error_of_a_mount_is_measured(cameras):
    rig = surround_rig(cameras, 120, 3)
    turn, step = np.radians([0.0, 1.2, 0.0]), np.array([0.03, 0.0, 0.0])
    wrong = torch.from_numpy(rigid(Rotation.from_rotvec(turn).as_matrix(), step)).float()
    mounting = rig.T_camera_body.clone()
    mounting[1] = mounting[1] @ wrong
    problem = joined(rig.problems(0.2, "wrong"), mounting)
    found = estimate_nre(problem, DEFAULT)
    error = mounting_error(problem, found, 1, DEFAULT)
    # The camera's points have the body at exp(-error) of the truth.
    np.testing.assert_allclose(-error[3:], turn, atol=np.radians(0.2))
    np.testing.assert_allclose(-error[:3], step, atol=0.015)


def test_exact_mounts_have_no_error():
    rig = surround_rig(2, 120, 4)
    problem = rig.problem(0.2)
    error = mounting_error(problem, estimate_nre(problem, DEFAULT), 0, DEFAULT)
    assert np.degrees(np.linalg.norm(error[3:])) < 0.2
    assert np.linalg.norm(error[:3]) < 0.01


def test_a_camera_without_points_tells_nothing():
    rig = surround_rig(2, 60, 5)
    first, second = rig.problems(0.0, "wrong")
    nothing = replace(second, log_coarse=torch.full_like(second.log_coarse, -20.0))
    problem = joined([first, nothing], rig.T_camera_body)
    found = estimate_nre(problem, DEFAULT)
    assert mounting_error(problem, found, 1, DEFAULT) is None
