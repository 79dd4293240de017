"""ROS for the tests, apart from whatever else runs on this machine."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> int:
    """A domain of this process's own, on this machine only; also for child processes."""
    domain = os.getpid() % 100 + 1
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return domain
