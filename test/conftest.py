"""ROS apart from whatever else runs on this machine, and a rendered room."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

import pytest
import torch
from gallery import Gallery

from dense_reloc_ros.evaluation.replay import ros_processes
from dense_reloc_ros.evaluation.replay.ros_processes import isolated_environment
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.notices import NOTICES
from dense_reloc_ros.scene.scene_map import SceneMap


def pytest_configure() -> None:
    """Lets child processes hear Ctrl-C even where a shell runs the tests in the background, and
    keeps processes of tests from hearing each other.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Each process of pytest-xdist has domains of its own, which no other one can choose meanwhile.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ros_processes.DOMAINS = ros_processes.DOMAINS[worker % 4 :: 4]


@pytest.fixture(autouse=True)
def levels_of_notices() -> None:
    """No test hears how much an earlier one, or a fixture of a whole module, wanted to be logged:
    commands that run in this process say so for all of it.
    """
    for name in NOTICES:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """A domain of the test's own, on this machine only; also for child processes."""
    environment = isolated_environment(tmp_path, largest_message=0)
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        monkeypatch.setenv(name, environment[name])
    return int(environment["ROS_DOMAIN_ID"])


@pytest.fixture(scope="session")
def gallery() -> Gallery:
    """A rendered room with pictures on its walls."""
    return Gallery()


@pytest.fixture(scope="session")
def gallery_map(gallery: Gallery) -> SceneMap:
    """Of that room, by the features of `compact`, not calibrated."""
    describer = DenseDescriber(create_extractor("compact", torch.device("cpu")), 200)
    return build_from_depth(gallery.keyframes(), describer)
