"""What speaks for a pose in a place."""

from __future__ import annotations

import numpy as np
import torch
from gallery import CAMERA, looking

from dense_reloc_ros.features.extractor import (
    image_to_tensor,
)
from dense_reloc_ros.pose.problem import fine_maps_of

TRUTH = looking(20, distance=0.45, height=1.25, pitch=4.0)


def test_a_pose_that_sees_nothing_has_a_finite_covariance_and_is_not_believed(gallery, localizer):
    features = localizer.extractor(image_to_tensor(gallery.render(TRUTH).image))
    keyframes = localizer.retrieve(features)[0]
    points, problem = localizer.match(features, keyframes, CAMERA)
    T_camera_map = torch.from_numpy(np.linalg.inv(TRUTH)).float()
    T_camera_map[2, 3] -= 100.0  # so that everything lies behind the camera
    found = fine_maps_of(problem, T_camera_map, 12)
    estimate = localizer.verified(problem, found, points, keyframes, CAMERA)
    assert estimate.depth == 0
    assert np.isfinite(estimate.covariance).all()
    assert localizer.judged(estimate).confidence < 0.01
