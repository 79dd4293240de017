"""Which cameras are complained about, by errors of many images."""

from __future__ import annotations

import numpy as np

from dense_reloc_ros.localization.mounting_monitor import LEAST_IMAGES, MountingMonitor


def errors(count: int, offset: np.ndarray, seed: int = 0) -> np.ndarray:
    """As single images have them: some centimetres and tenths of degrees off."""
    noise = np.random.default_rng(seed).normal(size=(count, 6))
    return offset + noise * np.repeat([0.01, np.radians(0.3)], 3)


def test_a_camera_that_is_off_in_most_images_is_named_with_its_error():
    monitor = MountingMonitor()
    for front, rear in zip(
        errors(30, np.zeros(6)), errors(30, np.radians([0, 0, 0, 0, 2, 0]), 1), strict=True
    ):
        assert monitor.complaint == "" or "'rear'" in monitor.complaint
        monitor.add({"front": front})
        monitor.add({"rear": rear})
    assert "camera 'rear'" in monitor.complaint
    assert "2.0 degrees" in monitor.complaint
    monitor.clear()
    assert monitor.complaint == ""


def test_nothing_is_said_after_few_images():
    monitor = MountingMonitor()
    for error in errors(LEAST_IMAGES - 1, np.radians([0, 0, 0, 0, 2, 0])):
        monitor.add({"rear": error})
    assert monitor.complaint == ""


def test_errors_of_single_images_are_no_complaint():
    monitor = MountingMonitor()
    for error in errors(40, np.zeros(6), 2):
        monitor.add({"rear": error})
    monitor.add({"rear": np.full(6, 0.3)})
    assert monitor.complaint == ""
