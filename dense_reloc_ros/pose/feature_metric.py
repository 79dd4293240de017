"""Feature-PnP: poses refined until points look as their descriptors say (paper 003, 3.2)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from dense_reloc_ros.configuration import FeatureMetricConfiguration
from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.geometry.projection import project, projection_jacobian
from dense_reloc_ros.pose.feature_gradients import FeatureGradients, FeatureSamples
from dense_reloc_ros.pose.levenberg_marquardt import QuadraticModel, minimize
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem
from dense_reloc_ros.pose.robust_losses import ROBUST_LOSSES, RobustLoss

UNRELATED = 2.0
"""Squared distance of unit vectors without anything in common: the residual of unseen points."""
TOLERANCE = 1e-4
"""Share of the cost from which on a step is worth another one."""


def refine_by_features(
    problem: PoseProblem, found: FoundPose, configuration: FeatureMetricConfiguration
) -> FoundPose:
    """A found pose after Feature-PnP, level by level.

    As in the paper, only inliers take part: points that are likelier where the pose found puts
    them than they are outliers.
    """
    inliers = found.gains(problem) > 0
    poses = found.T_camera_map[None]
    levels = {
        "coarse": (problem.coarse_level, problem.coarse_descriptors),
        "fine": (problem.fine_level, problem.fine_descriptors),
    }
    for level, descriptors in (levels[name] for name in configuration.levels):
        poses = refine(
            poses,
            problem.points[inliers],
            problem.intrinsics,
            descriptors[inliers],
            level,
            configuration,
        )
    return replace(found, T_camera_map=poses[0])


def refine(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    descriptors: Tensor,
    level: FeatureLevel,
    configuration: FeatureMetricConfiguration,
) -> Tensor:
    """Poses (B, 4, 4) that minimize the feature-metric cost on one level, each from its start.

    Args:
        T_camera_map: (B, 4, 4).
        points: (M, 3), metres in the map frame.
        intrinsics: (4,) fx, fy, cx, cy of the query's camera, not of the map's (appendix .2).
        descriptors: (M, C) of the points, L2-normalized.
        level: the features of one image, the query.
        configuration: loss, kernel of the gradient, and how many steps.
    """
    cost = partial(
        feature_metric_cost,
        points=points,
        intrinsics=intrinsics,
        descriptors=descriptors,
        features=FeatureGradients.of(level, configuration.gradient),
        loss=ROBUST_LOSSES[configuration.loss],
        scale=configuration.scale,
    )
    return minimize(T_camera_map, cost, configuration.iterations, configuration.damping, TOLERANCE)


def feature_metric_cost(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    descriptors: Tensor,
    features: FeatureGradients,
    loss: RobustLoss,
    scale: float,
) -> QuadraticModel:
    """The cost of eqs. 1 and 2 at poses (B, 4, 4), and its quadratic model by the chain of eq. 3.

    ρ(|F(p) - f|² / scale²) summed over the points (M, 3), with f (M, C) the descriptor of a point
    and F(p) the feature where the pose puts it.
    """
    pixels, in_camera = project(T_camera_map, points, intrinsics)
    samples = _normalized(features.sample(pixels))
    residuals = samples.values - descriptors
    squares = torch.where(samples.inside, residuals.square().sum(-1), UNRELATED)
    robust = loss(squares / scale**2)
    weights = robust.weight * (2 / scale**2)
    jacobian = projection_jacobian(in_camera, intrinsics)
    jacobian = torch.where(samples.inside[..., None, None], jacobian, 0.0)
    # The features' gradients meet per point, in two dimensions, before the pose comes in.
    moments = (samples.gradients @ residuals[..., None])[..., 0]
    curvatures = samples.gradients @ samples.gradients.mT
    return QuadraticModel(
        cost=robust.loss.sum(-1),
        gradient=torch.einsum("bm,bmij,bmi->bj", weights, jacobian, moments),
        hessian=torch.einsum(
            "bmij,bmik,bmkl->bjl", jacobian, weights[..., None, None] * curvatures, jacobian
        ),
    )


def _normalized(samples: FeatureSamples) -> FeatureSamples:
    """Samples scaled to unit length, as the descriptors of the map were.

    Interpolated features are shorter between cells, which would draw points to the cells.
    """
    length = torch.linalg.vector_norm(samples.values, dim=-1, keepdim=True).clamp(min=1e-6)
    values = samples.values / length
    gradients = samples.gradients / length[..., None]
    along = gradients @ values[..., None]
    return FeatureSamples(values, gradients - along * values[..., None, :], samples.inside)
