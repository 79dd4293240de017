"""Nothing grows, however long the node runs and however often it is configured.

CI looks for seconds. By hand for an hour, and 500 transitions, in a sourced shell:

    SOAK_SECONDS=3600 TRANSITIONS=500 python -m pytest test/nodes/test_endurance.py
"""

from __future__ import annotations

import gc
import os
import random
import resource
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.harness import Harness, Start
from nodes.observer import wait_for
from nodes.robot import CAMERA_FRAME, camera_info

pytestmark = pytest.mark.ros
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "10"))
TRANSITIONS = int(os.environ.get("TRANSITIONS", "60"))
RATE = 60.0
WIDTH, HEIGHT = 320, 240
MEGABYTES = 8.0
"""What the memory of the process may differ by; an image each second would be more in a minute."""


@pytest.fixture
def harness(start: Start) -> Harness:
    localizer = FakeLocalizer(lambda image: localized(np.eye(4)))
    # What the fake remembers would be the first thing that grows.
    localizer.images = localizer.cameras = localizer.priors = Forgetful()
    return start(FakeMaps(kitchen=localizer), map="kitchen")


class Forgetful(list[object]):
    """Remembers nothing."""

    def append(self, _: object) -> None:
        pass


def memory() -> float:
    """Megabytes that the process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def held(harness: Harness) -> dict[str, int]:
    """How much of what a node can leave behind there is."""
    node = harness.relocalizer
    kinds = ("services", "subscriptions", "publishers", "timers", "guards", "clients", "waitables")
    counts = {kind: len(list(getattr(node, kind))) for kind in kinds}
    nodes = len(harness.robot.get_node_names())
    # The executor's pool has as many as the most callbacks at once so far, up to its limit.
    threads = [t for t in threading.enumerate() if not t.name.startswith("ThreadPoolExecutor")]
    return counts | {"threads": len(threads), "nodes": nodes}


def forget_what_was_said(harness: Harness) -> None:
    for messages in (harness.results, harness.poses, harness.diagnostics, harness.transforms):
        messages.clear()


def play(harness: Harness, seconds: float) -> None:
    """Images at 60 Hz with odometry at 200 Hz."""
    image = np.full((HEIGHT, WIDTH, 3), 100, dtype=np.uint8)
    info = camera_info(width=WIDTH, height=HEIGHT)
    begin = time.monotonic()
    frames = 0
    while (now := time.monotonic()) < begin + seconds:
        stamp = time.time()
        for step in range(3):
            harness.move("odom", "base_link", stamp + 0.005 * step, np.eye(4))
        harness.show(stamp, image, info)
        frames += 1
        if frames % 60 == 0:
            forget_what_was_said(harness)
        time.sleep(max(0.0, begin + frames / RATE - now))


def test_images_for_long(harness: Harness) -> None:
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, np.eye(4))
    play(harness, max(3.0, 0.1 * SOAK_SECONDS))
    before, held_before = memory(), held(harness)
    play(harness, SOAK_SECONDS)
    harness.show_and_wait(time.time() + 1.0, np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8), info())
    assert memory() - before < MEGABYTES
    # Less is right: the bond ends when no manager has joined it.
    assert [kind for kind, count in held(harness).items() if count > held_before[kind]] == []


def info() -> object:
    return camera_info(width=WIDTH, height=HEIGHT)


def test_random_transitions(harness: Harness) -> None:
    rng = random.Random(5)

    def wander(count: int) -> None:
        for index in range(count):
            request = ChangeState.Request(transition=Transition(id=rng.randint(0, 4)))
            harness.call(ChangeState, "relocalizer/change_state", request)
            if index % 7 == 0 and harness.relocalizer.state == "active":
                harness.show(time.time())
        for name in ("deactivate", "cleanup"):
            request = ChangeState.Request(transition=Transition(label=name))
            harness.call(ChangeState, "relocalizer/change_state", request)
        assert harness.relocalizer.state == "unconfigured"
        wait_for(lambda: "_relocalizer_tf" not in harness.robot.get_node_names(), "its node to go")
        forget_what_was_said(harness)

    wander(30)
    before, held_before = memory(), held(harness)
    wander(TRANSITIONS)
    assert held(harness) == held_before
    assert memory() - before < MEGABYTES
