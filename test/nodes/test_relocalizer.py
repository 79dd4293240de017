"""The relocalizer as the robot sees it: topics, transforms and services over DDS."""

from __future__ import annotations

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

pytestmark = pytest.mark.ros


def test_publishes(start):
    T = np.eye(4)
    maps = FakeMaps(kitchen=FakeLocalizer(lambda image: localized(T)))
    harness = start(maps, map="/maps/kitchen", base_frame="", odom_frame="")
    harness.activate()
    result = harness.show_and_wait(1.0)
    print(result)
    print(harness.poses, harness.transforms)
