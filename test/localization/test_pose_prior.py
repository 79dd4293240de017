"""What a prior has room for, and which keyframes it leaves out."""

from __future__ import annotations

import numpy as np
import pytest
from keyframes_in_a_row import wall_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization.pose_prior import PosePrior, keyframes_out_of_reach

ORIGIN = np.zeros(3)


def prior_of(deviations: list[float]) -> PosePrior:
    return PosePrior.checked(np.eye(4), np.diag(np.square(deviations)), ORIGIN)


def moved(x: float = 0.0, degrees: float = 0.0) -> np.ndarray:
    return rigid(Rotation.from_euler("z", degrees, degrees=True).as_matrix(), np.array([x, 0, 0]))


def test_room_is_what_99_percent_of_the_right_poses_take():
    """4.10 standard deviations in one of six directions (tables of chi squared: 16.81)."""
    prior = prior_of([0.5] * 3 + [0.2] * 3)
    x, turn = 4.10 * np.hypot(0.5, 0.1), np.degrees(4.10 * np.hypot(0.2, 0.05))
    assert prior.allows(moved(0.99 * x)) and not prior.allows(moved(1.01 * x))
    assert prior.allows(moved(degrees=0.99 * turn)) and not prior.allows(moved(degrees=1.01 * turn))


def test_a_guess_without_covariance_has_room_for_everything():
    guess = PosePrior.checked(np.eye(4), None, ORIGIN)
    assert guess.allows(moved(1e3, 180.0))
    assert keyframes_out_of_reach(wall_map(40), guess) == frozenset()


def test_keyframes_are_left_out_that_stand_further_away_than_the_depth():
    """They stand 0.1 apart, and all points are 2 away: sqrt(11.34) * hypot(0.6, 0.1) = 2.05."""
    exact = prior_of([0.0] * 6)
    assert keyframes_out_of_reach(wall_map(40), exact) == frozenset(range(21, 40))
    assert keyframes_out_of_reach(wall_map(40), prior_of([1.0] * 6)) == frozenset(range(40, 40))


@pytest.mark.parametrize(
    "covariance", [-np.eye(6), np.full((6, 6), np.nan), np.eye(3)], ids=["negative", "nan", "3x3"]
)
def test_what_is_no_covariance_is_refused(covariance):
    with pytest.raises(InputError, match=r"covariance of .* prior pose"):
        PosePrior.checked(np.eye(4), covariance, ORIGIN)
