"""The transform history against matrix algebra; no ROS needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.nodes.transform_buffer import TransformError, TransformHistory

SECOND = 1_000_000_000


def pose(seed: int) -> FloatArray:
    generator = np.random.default_rng(seed)
    return rigid(Rotation.random(rng=generator).as_matrix(), generator.normal(size=3))


def turned(angle: float, x: float) -> FloatArray:
    return rigid(Rotation.from_euler("z", angle).as_matrix(), np.array([x, 0.0, 0.0]))


@given(share=st.floats(0, 1), angle=st.floats(-3.1, 3.1))
def test_interpolates_turns_and_translations_evenly(share: float, angle: float) -> None:
    history = TransformHistory()
    history.insert("odom", "base", 5 * SECOND, turned(0.0, 1.0))
    history.insert("odom", "base", 6 * SECOND, turned(angle, 3.0))
    stamp = 5 * SECOND + round(share * SECOND)
    np.testing.assert_allclose(
        history.lookup("odom", "base", stamp),
        turned(share * angle, 1.0 + 2.0 * share),
        atol=1e-7,
    )


def test_samples_may_come_in_any_order() -> None:
    history = TransformHistory()
    for second in (7, 5, 8, 6):
        history.insert("odom", "base", second * SECOND, turned(0.0, float(second)))
    for second in (5.0, 5.5, 6.25, 7.75, 8.0):
        found = history.lookup("odom", "base", round(second * SECOND))
        assert found[0, 3] == pytest.approx(second)


def test_later_sample_of_the_same_time_replaces_the_first() -> None:
    history = TransformHistory()
    for x in (1.0, 2.0):
        history.insert("odom", "base", SECOND, turned(0.0, x))
    assert history.lookup("odom", "base", SECOND)[0, 3] == 2.0


def test_chains_run_over_the_common_ancestor() -> None:
    history = TransformHistory()
    history.insert("odom", "base", SECOND, pose(1))
    history.insert_static("base", "camera", pose(2))
    history.insert_static("base", "arm", pose(3))
    history.insert_static("arm", "hand", pose(4))
    T_camera_hand = inverse(pose(2)) @ pose(3) @ pose(4)
    np.testing.assert_allclose(history.lookup("camera", "hand", 0), T_camera_hand, atol=1e-12)
    # What moves above the common ancestor does not matter, at whatever time.
    np.testing.assert_allclose(history.lookup("camera", "hand", 99), T_camera_hand, atol=1e-12)
    T_odom_camera = pose(1) @ pose(2)
    np.testing.assert_allclose(history.lookup("odom", "camera", SECOND), T_odom_camera, atol=1e-12)
    np.testing.assert_allclose(
        history.lookup("camera", "odom", SECOND), inverse(T_odom_camera), atol=1e-12
    )


def test_time_zero_is_the_newest_that_all_have() -> None:
    history = TransformHistory()
    for second in (1, 2, 3):
        history.insert("odom", "base", second * SECOND, turned(0.0, float(second)))
    for second in (1, 2):
        history.insert("base", "head", second * SECOND, turned(0.0, 10.0 * second))
    assert history.lookup("odom", "head", 0)[0, 3] == pytest.approx(22.0)


@pytest.mark.parametrize(
    ("target", "source", "stamp", "why"),
    [
        ("odom", "base", SECOND - 1, "only known from 1.000 to 2.000"),
        ("odom", "base", 2 * SECOND + 1, "only known from 1.000 to 2.000"),
        ("odom", "nobody", SECOND, "'nobody' is not known"),
        ("nobody", "odom", SECOND, "'nobody' is not known"),
        ("map", "base", SECOND, "not connected"),
    ],
)
def test_says_what_it_does_not_know(target: str, source: str, stamp: int, why: str) -> None:
    history = TransformHistory()
    history.insert("odom", "base", SECOND, pose(1))
    history.insert("odom", "base", 2 * SECOND, pose(2))
    history.insert_static("map", "door", pose(3))
    with pytest.raises(TransformError, match=why):
        history.lookup(target, source, stamp)


def test_loops_are_refused() -> None:
    history = TransformHistory()
    history.insert_static("a", "b", pose(1))
    history.insert_static("b", "a", pose(2))
    with pytest.raises(TransformError, match="own ancestor"):
        history.lookup("a", "c", 0)


def test_forgets_the_moving_but_not_the_static() -> None:
    history = TransformHistory()
    history.insert("odom", "base", SECOND, pose(1))
    history.insert_static("base", "camera", pose(2))
    history.clear()
    np.testing.assert_array_equal(history.lookup("base", "camera", SECOND), pose(2))
    with pytest.raises(TransformError, match="not known yet"):
        history.lookup("odom", "camera", SECOND)


def test_keeps_ten_seconds() -> None:
    history = TransformHistory()
    for second in range(1, 31):
        history.insert("odom", "base", second * SECOND, turned(0.0, float(second)))
    assert history.lookup("odom", "base", 20 * SECOND)[0, 3] == 20.0
    with pytest.raises(TransformError, match=r"from 20\.000 to 30\.000"):
        history.lookup("odom", "base", 19 * SECOND)
    history.insert("odom", "base", 5 * SECOND, turned(0.0, 5.0))
    with pytest.raises(TransformError):
        history.lookup("odom", "base", 5 * SECOND)


def test_a_new_parent_replaces_the_old_one() -> None:
    history = TransformHistory()
    history.insert("odom", "base", SECOND, pose(1))
    history.insert("wheels", "base", SECOND, pose(2))
    np.testing.assert_allclose(history.lookup("wheels", "base", SECOND), pose(2), atol=1e-12)
    with pytest.raises(TransformError):
        history.lookup("odom", "base", SECOND)
