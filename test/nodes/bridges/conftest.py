"""Bridges to talk to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def start_bridge(ros_domain: int) -> Iterator[Any]:
    """Starts a `BridgeHarness` of a kind of node, with parameters."""
    from nodes.bridges.bridge_harness import harnesses

    yield from harnesses(ros_domain)
