"""The numbers of photographed scenes, of errors that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluation.fake_contender import contender

from dense_reloc_ros.evaluation.benchmarks.contenders import Contender
from dense_reloc_ros.evaluation.benchmarks.scene_accuracy import SceneResult, scene_result, totals
from dense_reloc_ros.evaluation.benchmarks.scenes import PhotographedScene
from dense_reloc_ros.mapping.map_of_source import MapSource

EXTENT = 20.0


@pytest.fixture
def result(make_record):
    """Makes the result of queries with errors of metres and degrees; None is no pose."""

    def make(
        errors: list[tuple[float, float] | None], scene: str = "yard", method: str = "nre"
    ) -> SceneResult:
        records = [
            make_record(k, *(error or (0, 0)), localized=error is not None, latency_milliseconds=k)
            for k, error in enumerate(errors)
        ]
        photographed = PhotographedScene(scene, MapSource([], ""), [], EXTENT)
        return scene_result(photographed, with_network(method), records)

    return make


def with_network(method: str) -> Contender:
    made = contender(method, [0.0])
    signature = type("Signature", (), {"network": "sift"})
    made.localizer.scene_map.information.signature = signature
    return Contender(made.localizer, Path("maps/yard"))


def test_errors_of_position_are_shares_of_the_extent(result):
    found = result([(0.5, 1.0), (1.5, 2.0), (0.9, 3.0)])
    assert found.median_translation_share == pytest.approx(0.9 / EXTENT)
    assert found.median_rotation_deg == pytest.approx(2.0)
    assert found.errors["frame 0"].translation_share == pytest.approx(0.5 / EXTENT)
    # 1.5 of 20 is more than 5 %.
    assert (found.within, found.outside, found.localized) == (pytest.approx(2 / 3), 1, 3)
    assert (found.extent, found.median_ms, found.network) == (EXTENT, 1.0, "sift")


def test_rotation_alone_can_be_outside(result):
    assert result([(0.0, 5.1), (0.0, 4.9)]).within == 0.5


def test_queries_without_a_pose_are_infinitely_far_off(result):
    assert result([(0.1, 1.0), (0.1, 3.0), None]).median_rotation_deg == pytest.approx(3.0)
    lost = result([(0.1, 1.0), None, None])
    assert (lost.median_rotation_deg, lost.median_translation_share) == (None, None)
    assert (lost.queries, lost.localized, lost.outside) == (3, 1, 0)
    assert lost.within == pytest.approx(1 / 3)
    assert lost.errors["frame 1"] is None
    assert result([(0.1, 1.0), None]).median_rotation_deg is None


def test_totals_count_every_query_the_same(result):
    found = totals(
        [
            result([(0.1, 1.0)] * 3, "yard"),
            result([None, None], "yard", "sift_pnp"),
            result([(0.1, 2.0), (9.0, 9.0), None, None, None, None], "street"),
            result([(0.1, 1.0)] * 2, "street", "sift_pnp"),
        ]
    )
    nre, sift = found
    assert (nre.scene, nre.method, nre.queries, nre.localized, nre.outside) == (
        "all",
        "nre",
        9,
        5,
        1,
    )
    assert nre.within == pytest.approx(4 / 9)
    assert nre.median_rotation_deg == pytest.approx(9.0)
    assert (nre.keyframes, nre.extent) == (14, None)
    assert set(nre.errors) == {f"yard/frame {k}" for k in range(3)} | {
        f"street/frame {k}" for k in range(6)
    }
    assert (sift.within, sift.median_rotation_deg) == (0.5, None)
    assert np.isfinite(sift.errors["street/frame 1"].translation_share)
