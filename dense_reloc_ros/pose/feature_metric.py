"""Feature-PnP: poses refined until points look as their descriptors say (Xue et al., 3.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.geometry.projection import project, projection_jacobian
from dense_reloc_ros.geometry.rig import Cameras, cameras_by_point, cameras_of
from dense_reloc_ros.method_configuration import FeatureMetricConfiguration
from dense_reloc_ros.pose.compiled_feature_metric import align_features
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
    images = problem.images
    for level, descriptors in (levels[name] for name in configuration.levels):
        poses = refine(
            poses,
            problem.points[inliers],
            cameras_of(inliers, problem.intrinsics),
            descriptors[inliers],
            level,
            configuration,
            None if images is None else images[inliers],
        )
    return replace(found, T_camera_map=poses[0])


def refine(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Cameras,
    descriptors: Tensor,
    level: FeatureLevel,
    configuration: FeatureMetricConfiguration,
    images: Tensor | None = None,
) -> Tensor:
    """Poses (B, 4, 4) that minimize the feature-metric cost on one level, each from its start.

    Args:
        T_camera_map: (B, 4, 4).
        points: (M, 3), metres in the map frame.
        intrinsics: (4,) fx, fy, cx, cy of the query's camera, not of the map's (appendix .2).
        descriptors: (M, C) of the points, L2-normalized.
        level: the features of one image, the query, or of all images of a rig.
        configuration: loss, kernel of the gradient, and how many steps.
        images: (M,) of a rig, in which of them each point is.
    """
    if T_camera_map.device.type == "cpu":
        return align_features(
            T_camera_map,
            points,
            *cameras_by_point(intrinsics),
            level.stride,
            level.offset,
            descriptors,
            level.channels_last(images).to(descriptors),
            level.sizes_of_all(images),
            configuration.gradient,
            configuration.loss,
            configuration.scale,
            UNRELATED,
            configuration.iterations,
            configuration.damping,
            TOLERANCE,
        )
    return refine_by_tensors(
        T_camera_map, points, intrinsics, descriptors, level, configuration, images
    )


def refine_by_tensors(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Cameras,
    descriptors: Tensor,
    level: FeatureLevel,
    configuration: FeatureMetricConfiguration,
    images: Tensor | None = None,
) -> Tensor:
    """`refine` on any device, by tensors alone."""
    cost = partial(
        feature_metric_cost,
        points=points,
        intrinsics=intrinsics,
        descriptors=descriptors,
        features=FeatureGradients.of(level, configuration.gradient, images),
        loss=ROBUST_LOSSES[configuration.loss],
        scale=configuration.scale,
    )
    return minimize(T_camera_map, cost, configuration.iterations, configuration.damping, TOLERANCE)


def feature_metric_cost(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Cameras,
    descriptors: Tensor,
    features: FeatureGradients,
    loss: RobustLoss,
    scale: float,
) -> QuadraticModel:
    """The cost of eqs. 1 and 2 at poses (B, 4, 4), and its quadratic model by the chain of eq. 3.

    It sums ρ(|F(p) - f|² / scale²) over the points (M, 3), with f (M, C) the descriptor of a point
    and F(p) the feature where the pose puts it. F is scaled to unit length, as f is: interpolated
    features are shorter between cells, which would draw the points to the cells.
    """
    pixels, in_camera = project(T_camera_map, points, intrinsics)
    residuals = _squared_residuals(features.sample(pixels), descriptors)
    robust = loss(residuals.squares / scale**2)
    weights = robust.weight / scale**2
    jacobian = projection_jacobian(in_camera, intrinsics)
    jacobian = torch.where(residuals.seen[..., None, None], jacobian, 0.0)
    by_pixel = weights[..., None] * residuals.gradients
    turned = weights[..., None, None] * residuals.hessians @ jacobian
    jacobian, turned = jacobian.flatten(1, 2), turned.flatten(1, 2)
    return QuadraticModel(
        cost=robust.loss.sum(-1),
        gradient=(jacobian.mT @ by_pixel.flatten(1)[..., None])[..., 0],
        hessian=jacobian.mT @ turned,
    )


@dataclass(frozen=True)
class _SquaredResiduals:
    """Squared residuals (B, M) and their quadratic models in the two coordinates of a pixel."""

    squares: Tensor
    gradients: Tensor
    """(B, M, 2)."""
    hessians: Tensor
    """(B, M, 2, 2), of Gauss and Newton."""
    seen: Tensor
    """(B, M) bool: whether the point is in the image; if not, it is `UNRELATED` to it."""


def _squared_residuals(samples: FeatureSamples, descriptors: Tensor) -> _SquaredResiduals:
    """|r|² with r = F / |F| - f of unit vectors f (M, C), and by D = d(F / |F|) / dp: 2 Dr, 2 DD'.

    With n = F / |F| and G = dF / dp that is D = (G - Gn n') / |F|, so that products of F, G and f
    are all that the channels are needed for.
    """
    values, gradients = samples.values, samples.gradients
    length = torch.linalg.vector_norm(values, dim=-1).clamp(min=1e-6)
    likeness = (values * descriptors).sum(-1) / length
    along = (gradients @ values[..., None])[..., 0] / length[..., None]
    towards = (gradients @ descriptors[..., None])[..., 0]
    across = gradients @ gradients.mT - along[..., :, None] * along[..., None, :]
    return _SquaredResiduals(
        squares=torch.where(samples.inside, 2 - 2 * likeness, UNRELATED).clamp(min=0),
        gradients=2 * (likeness[..., None] * along - towards) / length[..., None],
        hessians=2 * across / length.square()[..., None, None],
        seen=samples.inside,
    )
