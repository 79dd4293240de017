"""When a robot is found, tracked, unsure, carried away and lost: the table of what it is told."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.temporal.belief import Belief, Event, Fix, State
from dense_reloc_ros.temporal.fusion_configuration import BeliefConfiguration, MotionConfiguration

DEVIATIONS = np.array([0.01, 0.01, 0.01, *np.radians([0.3, 0.3, 0.3])])
LOST, UNSURE, TRACKING = State.LOST, State.UNSURE, State.TRACKING


@pytest.fixture
def belief() -> Belief:
    return Belief(BeliefConfiguration(), MotionConfiguration())


def at(x: float, y: float = 0.0) -> FloatArray:
    return rigid(np.eye(3), np.array([x, y, 0.0]))


def fix(x: float, y: float = 0.0, confidence: float = 0.96) -> Fix:
    return Fix(at(x, y), np.diag(DEVIATIONS**2), confidence)


def nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def states(belief: Belief, frames: Iterable[tuple[float, Fix | None, float]]) -> list[State]:
    """After each frame: seconds, fix, and x by odometry."""
    return [belief.observe(nanoseconds(t), found, at(x)).state for t, found, x in frames]


def tracked(belief: Belief) -> Belief:
    """After two poses at the origin, one and 1.2 seconds from the beginning of time."""
    belief.observe(nanoseconds(1.0), fix(0.0), at(0.0))
    assert belief.observe(nanoseconds(1.2), fix(0.0), at(0.0)).state is TRACKING
    return belief


def test_nothing_is_known_before_the_first_pose(belief: Belief) -> None:
    standing = belief.observe(nanoseconds(1.0), None, at(0.0))
    assert (standing.state, standing.event, standing.reason) == (LOST, Event.NONE, "no pose yet")
    assert belief.predict(nanoseconds(1.1), at(0.0)) is None


def test_two_poses_that_agree_find_a_robot(belief: Belief) -> None:
    first = belief.observe(nanoseconds(1.0), fix(3.0), at(0.0))
    second = belief.observe(nanoseconds(1.5), fix(4.0), at(1.0))
    assert (first.state, first.event) == (LOST, Event.NONE)
    assert (second.state, second.event) == (TRACKING, Event.RELOCALIZED)
    assert second.since == nanoseconds(1.5)


def test_two_poses_that_do_not_agree_do_not(belief: Belief) -> None:
    found = [(1.0, fix(3.0), 0.0), (1.5, fix(5.0), 1.0), (2.0, fix(7.0), 1.0)]
    assert states(belief, found) == [LOST, LOST, LOST]
    assert belief.observe(nanoseconds(2.5), fix(7.0), at(1.0)).event is Event.RELOCALIZED


def test_one_pose_that_is_sure_finds_a_robot(belief: Belief) -> None:
    standing = belief.observe(nanoseconds(1.0), fix(3.0, confidence=0.995), at(0.0))
    assert (standing.state, standing.event) == (TRACKING, Event.RELOCALIZED)


def test_an_event_is_said_once(belief: Belief) -> None:
    tracked(belief)
    assert belief.observe(nanoseconds(1.4), fix(0.0), at(0.0)).event is Event.NONE


def test_in_the_dark_it_becomes_unsure_and_then_lost(belief: Belief) -> None:
    tracked(belief)
    dark = [(seconds, None, 0.0) for seconds in (2.0, 2.3, 31.0, 31.3)]
    assert states(belief, dark) == [TRACKING, UNSURE, UNSURE, LOST]
    assert (belief.standing.event, belief.standing.reason) == (Event.LOST, "no pose for 30.1 s")
    assert belief.standing.since == nanoseconds(31.3)


def test_the_covariance_grows_with_the_way_in_the_dark(belief: Belief) -> None:
    tracked(belief)
    expected = belief.predict(nanoseconds(2.0), at(5.0))
    assert expected is not None
    np.testing.assert_allclose(expected.T_map_body, at(5.0), atol=1e-12)
    along = DEVIATIONS[0] ** 2 + (0.03 * 5.0) ** 2
    across = along + (5.0 * DEVIATIONS[5]) ** 2
    turned = DEVIATIONS[5] ** 2 + (0.005 * 5.0) ** 2
    np.testing.assert_allclose(
        np.diag(expected.pose_covariance), [along, across, across, turned, turned, turned]
    )


def test_a_long_way_in_the_dark_leaves_it_lost(belief: Belief) -> None:
    tracked(belief)
    way = [(1.2 + x / 10, None, x) for x in (5.0, 10.0, 20.0, 30.0, 40.0)]
    assert states(belief, way) == [TRACKING, UNSURE, UNSURE, UNSURE, LOST]
    assert belief.standing.reason.startswith("odometry may have drifted too far")


def test_standing_still_in_the_dark_keeps_the_covariance(belief: Belief) -> None:
    tracked(belief)
    expected = belief.predict(nanoseconds(20.0), at(0.0))
    assert expected is not None
    np.testing.assert_allclose(expected.pose_covariance, np.diag(DEVIATIONS**2), atol=1e-15)


def test_one_contradiction_makes_it_unsure_and_moves_nothing(belief: Belief) -> None:
    tracked(belief)
    assert states(belief, [(1.4, fix(8.0), 0.0)]) == [UNSURE]
    expected = belief.predict(nanoseconds(1.5), at(0.0))
    assert expected is not None
    np.testing.assert_allclose(expected.T_map_body, at(0.0), atol=1e-12)
    assert states(belief, [(1.6, fix(0.0), 0.0)]) == [TRACKING]


def test_contradictions_that_agree_mean_that_it_was_carried_away(belief: Belief) -> None:
    tracked(belief)
    frames = [(1.4, fix(8.0), 0.0), (1.6, fix(8.2), 0.2), (1.8, fix(8.4), 0.4)]
    assert states(belief, frames) == [UNSURE, UNSURE, TRACKING]
    assert belief.standing.event is Event.KIDNAPPED
    expected = belief.predict(nanoseconds(1.9), at(0.5))
    assert expected is not None
    np.testing.assert_allclose(expected.T_map_body, at(8.5), atol=1e-12)


def test_contradictions_that_do_not_agree_leave_it_lost(belief: Belief) -> None:
    tracked(belief)
    frames = [(1.4, fix(8.0), 0.0), (1.6, fix(-8.0), 0.0), (1.8, fix(0.0, 8.0), 0.0)]
    assert states(belief, frames) == [UNSURE, UNSURE, LOST]
    assert belief.standing.event is Event.LOST
    assert belief.standing.reason == "3 poses contradict the believed one and each other"


def test_dark_frames_contradict_nothing(belief: Belief) -> None:
    tracked(belief)
    frames = [(1.4, fix(8.0), 0.0), (1.6, None, 0.0), (1.8, None, 0.0), (2.0, fix(0.0), 0.0)]
    assert states(belief, frames) == [UNSURE, UNSURE, UNSURE, TRACKING]


def test_poses_side_by_side_agree_however_sure_they_are(belief: Belief) -> None:
    tracked(belief)
    near = Fix(at(0.09), np.diag(DEVIATIONS**2) * 1e-4, 0.99)
    assert belief.observe(nanoseconds(1.4), near, at(0.0)).state is TRACKING


def test_another_map_leaves_it_lost_at_once(belief: Belief) -> None:
    standing = tracked(belief).forget(nanoseconds(1.4), "another map")
    assert (standing.state, standing.event, standing.reason) == (LOST, Event.LOST, "another map")
    assert states(belief, [(1.6, fix(0.0), 0.0), (1.8, fix(0.0), 0.0)]) == [LOST, TRACKING]


def test_a_jump_back_in_time_begins_anew(belief: Belief) -> None:
    tracked(belief)
    for seconds in (40.0, 40.2):
        belief.observe(nanoseconds(seconds), fix(0.0), at(0.0))
    standing = belief.observe(nanoseconds(2.0), fix(0.0), at(0.0))
    assert (standing.event, standing.reason) == (Event.LOST, "time jumped back")
    assert states(belief, [(2.2, fix(0.0), 0.0)]) == [TRACKING]


def test_odometry_far_ahead_of_a_slow_image_is_no_jump(belief: Belief) -> None:
    tracked(belief)
    for seconds in (2.0, 3.0, 4.0):
        belief.predict(nanoseconds(seconds), at(0.0))
    assert states(belief, [(1.4, fix(0.0), 0.0)]) == [TRACKING]


def test_a_late_frame_counts_at_its_own_time(belief: Belief) -> None:
    tracked(belief)
    for x in (0.5, 1.0):
        belief.predict(nanoseconds(1.2 + x), at(x))
    late = belief.observe(nanoseconds(1.7), fix(0.5), at(0.5))
    assert (late.state, late.event) == (TRACKING, Event.NONE)
    expected = belief.predict(nanoseconds(2.2), at(1.0))
    assert expected is not None
    np.testing.assert_allclose(expected.T_map_body, at(1.0), atol=1e-12)
    assert expected.pose_covariance[0, 0] == pytest.approx(DEVIATIONS[0] ** 2 + 0.015**2)


def test_without_odometry_it_is_lost_five_seconds_after_the_last_pose(belief: Belief) -> None:
    found = [fix(0.0), fix(0.4), None, None, None]
    seconds = [1.0, 1.5, 2.4, 6.4, 6.6]
    said = [
        belief.observe(nanoseconds(t), one, None).state
        for t, one in zip(seconds, found, strict=True)
    ]
    assert said == [LOST, TRACKING, TRACKING, UNSURE, LOST]


def test_a_pose_that_is_kept_is_believed_however_old_and_far_away_it_is() -> None:
    kept = tracked(Belief(BeliefConfiguration(), MotionConfiguration(), is_kept=True))
    way = [(2.0 * x, None, x) for x in (5.0, 50.0, 500.0)]
    assert states(kept, way) == [UNSURE] * 3
    assert kept.standing.reason == "the last pose is 998.8 s old"
    expected = kept.predict(nanoseconds(2000.0), None)
    assert expected is not None
    # Three that contradict it and each other still do end it, and so does another map.
    elsewhere = [(2001.0 + y / 1e3, fix(0.0, y), 500.0) for y in (1000.0, 2000.0, 3000.0)]
    assert states(kept, elsewhere) == [UNSURE, UNSURE, LOST]
    kept = tracked(Belief(BeliefConfiguration(), MotionConfiguration(), is_kept=True))
    assert kept.forget(nanoseconds(2.0), "the map was exchanged").state is LOST


def test_without_odometry_a_jump_further_than_it_can_go_is_a_contradiction(
    belief: Belief,
) -> None:
    for seconds, x in ((1.0, 0.0), (1.1, 0.1)):
        belief.observe(nanoseconds(seconds), fix(x), None)
    jumped = [belief.observe(nanoseconds(1.1 + t), fix(9.0), None) for t in (0.1, 0.2, 0.3)]
    assert [one.state for one in jumped] == [UNSURE, UNSURE, TRACKING]
    assert jumped[-1].event is Event.KIDNAPPED
