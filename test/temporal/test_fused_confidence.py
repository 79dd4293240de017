"""Two witnesses of a pose: the frame before, and the image."""

from __future__ import annotations

import pytest

from dense_reloc_ros.temporal.fused_confidence import confidence_after


@pytest.mark.parametrize(
    ("previous", "image", "together"),
    [
        (0.9, 0.5, 0.9),  # the image says nothing
        (0.5, 0.8, 0.8),  # nothing was known
        (0.9, 0.9, 81 / 82),
        (0.9, 0.1, 0.5),  # they contradict each other
        (0.99, 0.25, 33 / 34),
    ],
)
def test_odds_multiply(previous, image, together):
    assert confidence_after(previous, image) == pytest.approx(together)


def test_no_frame_before_makes_up_for_an_image_that_speaks_against_the_pose():
    assert confidence_after(1.0, 0.01) < 0.92
    assert confidence_after(0.0, 0.99) < 0.001


def test_doubts_add_up_over_frames_that_say_little():
    confidence, frames = 0.999, 0
    while confidence >= 0.95:
        confidence, frames = confidence_after(confidence, 0.3), frames + 1
    assert frames == 5  # 999 (3 / 7)^5 = 14.4 < 19
