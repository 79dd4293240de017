"""Images that gain less than those before: their poses are less exact than they say."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from nodes.fake_localizer import localized

from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.pose.evidence import PoseEvidence
from dense_reloc_ros.temporal.usual_gain import LARGEST_DOUBT, UsualGain

SECOND = 1_000_000_000
EVIDENCE = PoseEvidence(
    mean_gain=0.6,
    supporting=300,
    visible=400,
    agreement=0.8,
    spread=0.8,
    depth_spread=0.3,
    translation_deviation=0.01,
    rotation_deviation=0.01,
    view_change=0.3,
)


def gaining(mean_gain: float) -> PoseEstimate:
    estimate = localized(np.eye(4)).estimate
    assert estimate is not None
    return replace(estimate, evidence=replace(EVIDENCE, mean_gain=mean_gain))


def doubts(*images: tuple[float, float]) -> list[float]:
    """Of images at times in seconds with their gains."""
    usual = UsualGain()
    return [usual.doubt(round(at * SECOND), gaining(gain)) for at, gain in images]


def test_images_that_gain_about_as_much_as_those_before_are_believed():
    assert doubts((0, 0.6), (0.1, 0.7), (0.2, 0.65), (0.3, 0.66)) == [1.0] * 4


def test_the_less_an_image_gains_the_less_exact_it_is():
    _, more, less, nothing = doubts((0, 0.6), (0.1, 0.35), (0.2, 0.2), (0.3, 0.0))
    assert 10 < more < 50 < less < nothing == LARGEST_DOUBT


def test_a_place_that_stays_dark_becomes_usual():
    dark = doubts((0, 0.6), *((second, 0.3) for second in range(1, 12)))
    assert dark[1] > 20
    assert all(later < before for before, later in pairwise(dark[1:7]))
    assert dark[-1] == 1.0


def test_what_was_usual_can_be_forgotten():
    usual = UsualGain()
    usual.doubt(0, gaining(0.6))
    usual.clear()
    assert usual.doubt(SECOND, gaining(0.2)) == 1.0


@pytest.mark.parametrize("estimate", [None, localized(np.eye(4)).estimate])
def test_of_images_without_evidence_nothing_is_known(estimate):
    usual = UsualGain()
    usual.doubt(0, gaining(0.6))
    assert usual.doubt(SECOND, estimate) == 1.0
