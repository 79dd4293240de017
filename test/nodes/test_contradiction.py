"""When another localizer counts as lost."""

from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.geometry.se3 import rigid

pytest.importorskip("rclpy")
from dense_reloc_ros.nodes.bridges.contradiction import Contradiction

HERE = np.eye(4)
NEAR, FAR = (rigid(np.eye(3), np.array([x, 0.0, 0.0])) for x in (0.4, 0.6))
TURNED = rigid(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))


def sent(believed: list[np.ndarray | None]) -> list[int]:
    """After which frames something is said, where three in a row must contradict."""
    contradiction, when = Contradiction(), []
    for index, pose in enumerate(believed):
        if contradiction.is_to_be_said(HERE, pose, 0.5, 0.3, frames=3):
            contradiction.said()
            when.append(index)
    return when


def test_is_said_once_and_again_after_an_agreement() -> None:
    assert sent([FAR] * 10) == [2]
    assert sent([FAR] * 4 + [NEAR] + [TURNED] * 4) == [2, 7]


def test_takes_several_frames_in_a_row() -> None:
    assert sent([FAR, FAR, NEAR, FAR, FAR, HERE]) == []


def test_a_localizer_that_believes_nothing_is_lost() -> None:
    assert sent([None] * 5) == [2]


def test_stays_due_until_it_was_said() -> None:
    contradiction = Contradiction()
    due = [contradiction.is_to_be_said(HERE, None, 0.5, 0.3, frames=2) for _ in range(4)]
    assert due == [False, True, True, True]
