"""No image waits for a compiler."""

from __future__ import annotations

from pose.synthetic import random_view, with_outliers

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.localization.estimators import ESTIMATORS
from dense_reloc_ros.pose import (
    compiled_best_pixels,
    compiled_feature_metric,
    compiled_fine_maps,
    compiled_gains,
    compiled_gnc,
)
from dense_reloc_ros.pose.compilation import compile_steps
from dense_reloc_ros.pose.covariance import pose_covariance

MODULES = (
    compiled_best_pixels,
    compiled_feature_metric,
    compiled_fine_maps,
    compiled_gains,
    compiled_gnc,
)


def versions() -> dict[str, int]:
    """For how many kinds of arguments each function has been compiled."""
    return {
        f"{module.__name__}.{name}": len(function.signatures)
        for module in MODULES
        for name, function in vars(module).items()
        if hasattr(function, "signatures")
    }


def test_the_first_pose_needs_nothing_that_was_not_compiled_before():
    compile_steps()
    before = versions()
    entries = [name for name, count in before.items() if count]
    # Best pixels, fine maps, gains, GNC, Feature-PnP and the covariance; what they call may be
    # part of them.
    assert len(entries) >= 6
    options = LocalizerConfiguration()
    problem = with_outliers(random_view(250, 0), 0.5, "uniform", 0)
    found = ESTIMATORS["nre_feature_pnp"](problem, options, None)
    assert found is not None
    points = problem.points[found.points]
    pose_covariance(
        found.T_camera_map, points, problem.intrinsics, found.fine_maps, options.nre.last_sigma
    )
    assert versions() == before
