"""What speaks for the pose of a rig in all of its images together, and how exact it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.rig import PointCameras
from dense_reloc_ros.localization.place_localizer import losses_of, pose_of
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.rig_images import SeenImage
from dense_reloc_ros.localization.rig_matching import RigMatches
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.pose.covariance import inflation, shares_of_cameras
from dense_reloc_ros.pose.mounting import mounting_error
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem
from dense_reloc_ros.pose.verification import Verification, verify

OWN_SHARE = 1 / 12
"""Of an image's cells, that it alone must show supported, to count as an image of its own."""
MOUNT_POINTS = 30
"""Of one camera, and of the others: with fewer its mount is not checked."""


class RigVerifier:
    """Judges poses of rigs as a localizer of single images does its own."""

    def __init__(self, localizer: SparseToDenseLocalizer) -> None:
        self._localizer = localizer
        self._turns = count()

    def verified(self, matches: RigMatches, found: FoundPose) -> PoseEstimate:
        """The pose with its covariance and what speaks for it in all images together."""
        localizer, problem, images = self._localizer, matches.problem, matches.images
        sizes = [(image.camera.width, image.camera.height) for image in images]
        verification = verify(problem, found, sizes)
        shares = _shares(problem, verification, len(images))
        T_map_body = pose_of(found)
        changes = [
            localizer.view_change(
                T_map_body @ image.T_body_view, of_image, verification.median_depth
            )
            for image, of_image in zip(images, matches.keyframes, strict=True)
        ]
        inflations = _inflations(problem, verification, changes)
        estimate = localizer.supported(
            problem,
            found,
            verification,
            matches.point_indices,
            matches.all_keyframes,
            float(np.dot(shares, changes)),
            inflations,
        )
        supporting = int((verification.spread_shares(len(images)) >= OWN_SHARE).sum())
        estimate = _of_several(estimate, supporting)
        off = _drift(T_map_body, images, shares) + self._extrinsics_errors(
            matches, found, inflations
        )
        estimate = replace(estimate, covariance=estimate.covariance + off)
        in_first = verification.inside & (problem.images == 0)
        return replace(
            estimate,
            mounting_errors=self._mounting_errors(matches, found, verification, estimate),
            first_share=float(shares[0]),
            losses=losses_of(replace(verification, inside=in_first), matches.point_indices),
        )

    def _extrinsics_errors(
        self, matches: RigMatches, found: FoundPose, inflations: Tensor
    ) -> FloatArray:
        """What the covariance (6, 6) of T_map_body is larger by as extrinsics err.

        Those of each camera for themselves, each with what the pose has of that camera.
        """
        total, images = np.zeros((6, 6)), matches.images
        if all(image.extrinsics_covariance is None for image in images):
            return total
        problem, turn = matches.problem, np.kron(np.eye(2), pose_of(found)[:3, :3])
        cameras = problem.intrinsics
        assert isinstance(cameras, PointCameras)
        shares = shares_of_cameras(
            found.T_camera_map,
            problem.points[found.points],
            cameras.select(found.points),
            found.fine_maps,
            self._localizer.configuration.nre.last_sigma,
            inflations[found.points],
        )
        for image, share in zip(images, shares.numpy(force=True), strict=True):
            if image.extrinsics_covariance is not None:
                total += share @ turn @ image.extrinsics_covariance @ turn.T @ share.T
        return total

    def _mounting_errors(
        self,
        matches: RigMatches,
        found: FoundPose,
        verification: Verification,
        estimate: PoseEstimate,
    ) -> dict[str, FloatArray]:
        """Of one camera, each time of the next one, where the pose is sure and it supports it."""
        problem, images = matches.problem, matches.images
        camera = next(self._turns) % len(images)
        assert problem.images is not None
        supporting = problem.images[verification.supporting]
        fewest = min(int((supporting == camera).sum()), int((supporting != camera).sum()))
        is_mounted = all(image.odometry_covariance is None for image in images)
        if fewest < MOUNT_POINTS or not is_mounted or not self._localizer.is_sure(estimate):
            return {}
        error = mounting_error(problem, found, camera, self._localizer.configuration.nre)
        return {} if error is None else {images[camera].name: error}


def _shares(problem: PoseProblem, verification: Verification, images: int) -> FloatArray:
    """The share (C,) of the points that support a pose which each image has; even without any."""
    assert problem.images is not None
    counts = torch.bincount(problem.images[verification.supporting], minlength=images)
    total = max(int(counts.sum()), 1)
    shares: FloatArray = counts.double().cpu().numpy() / total
    return shares if counts.any() else np.full(images, 1 / images)


def _inflations(
    problem: PoseProblem, verification: Verification, changes: Sequence[float]
) -> Tensor:
    """The inflation (M,) of each point's information by its own image.

    Images add up, each with what it shows that those before it do not: the points of one err
    alike, and so do points that two show.
    """
    spreads = verification.spread_shares(len(changes))
    of_images = [inflation(*one) for one in zip(spreads.tolist(), changes, strict=True)]
    assert problem.images is not None
    return problem.points.new_tensor(of_images)[problem.images]


def _of_several(estimate: PoseEstimate, images: int) -> PoseEstimate:
    """The estimate with evidence of so many images that support it.

    Points that do so in several of them are no more than one each: they err alike in all.
    """
    evidence = estimate.evidence
    if evidence is None:
        return estimate
    points = np.unique(estimate.supporting_points)
    times = max(len(estimate.supporting_points), 1) / max(len(points), 1)
    evidence = replace(
        evidence, supporting=len(points), visible=round(evidence.visible / times), images=images
    )
    return replace(estimate, supporting_points=points, evidence=evidence)


def _drift(T_map_body: FloatArray, images: Sequence[SeenImage], shares: FloatArray) -> FloatArray:
    """What the covariance (6, 6) of T_map_body is larger by as odometry errs.

    A pose by one image of before would be as far off as the odometry since; all images together
    err by the mean, as odometry errs in one direction, each by its share of the support.
    """
    turn = np.kron(np.eye(2), T_map_body[:3, :3])
    total = np.zeros((6, 6))
    for image, share in zip(images, shares, strict=True):
        if image.odometry_covariance is not None:
            total += share * turn @ image.odometry_covariance @ turn.T
    return total
