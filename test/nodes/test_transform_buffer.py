"""The transform history against matrix algebra; no ROS needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nodes.poses import pose
from nodes.tf_cases import TfCase, cases
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.nodes.transform_buffer import TransformError, TransformHistory

SECOND = 1_000_000_000


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


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_answers_as_tf2_does(case: TfCase) -> None:
    history = TransformHistory()
    for parent, child, seconds, T_parent_child in case.said:
        if seconds is None:
            history.insert_static(parent, child, T_parent_child)
        else:
            history.insert(parent, child, round(seconds * SECOND), T_parent_child)
    stamp = round(case.seconds * SECOND)
    if case.expected is None:
        with pytest.raises(TransformError):
            history.lookup(case.target, case.source, stamp)
    else:
        found = history.lookup(case.target, case.source, stamp)
        np.testing.assert_allclose(found, case.expected, atol=1e-12)


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


def test_a_new_parent_replaces_the_old_one() -> None:
    history = TransformHistory()
    history.insert("odom", "base", SECOND, pose(1))
    history.insert("wheels", "base", SECOND, pose(2))
    np.testing.assert_allclose(history.lookup("wheels", "base", SECOND), pose(2), atol=1e-12)
    with pytest.raises(TransformError):
        history.lookup("odom", "base", SECOND)
