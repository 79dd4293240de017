"""The nodes as config/nav2/nav2.yaml has them, started as Nav2's lifecycle manager does it.

It configures its nodes one after another, then activates them one after
another, and waits for the bond of each for half of `bond_timeout`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from lifecycle_msgs.msg import Transition
from nodes.fusion_harness import PairHarness
from nodes.manager_side import ManagerSide
from nodes.observer import wait_for
from nodes.robot import CAMERA_FRAME, overrides

pytestmark = pytest.mark.ros
FILE = Path(__file__).parents[2] / "config" / "nav2" / "nav2.yaml"


def test_a_manager_brings_them_up_with_the_parameters_for_nav2(run: Any) -> None:
    blocks = yaml.safe_load(FILE.read_text())
    names = ("relocalizer", "temporal_fusion")
    wanted = {name: blocks[f"/**/{name}"]["ros__parameters"] for name in names}
    manager = blocks["/**/lifecycle_manager_localization"]["ros__parameters"]
    maps = FakeMaps(kitchen=FakeLocalizer(lambda image: localized(np.eye(4))))
    harness = run(PairHarness, maps, **wanted["temporal_fusion"])
    harness.relocalizer.set_parameters(overrides(wanted["relocalizer"]))
    ours = [name for name in manager["node_names"] if name in wanted]
    for name in ours:
        assert harness.change_state(Transition.TRANSITION_CONFIGURE, name)
    sides = []
    for name in ours:
        assert harness.change_state(Transition.TRANSITION_ACTIVATE, name)
        sides.append(ManagerSide(harness.robot, "bond", name, manager["bond_timeout"]))
        wait_for(lambda: sides[-1].is_formed, f"the bond of {name}")
    harness.wait_for_connections()
    harness.mount("base_link", CAMERA_FRAME, np.eye(4))
    harness.move("odom", "base_link", 1.0, np.eye(4))
    harness.show(1.0)
    # The transform that the costmaps wait for: map -> odom, dated ahead of the odometry.
    assert harness.wait_for_transform(1.1).child_frame_id == "odom"
    assert not any(side.is_broken for side in sides)
    for side in sides:
        side.die()
