"""Where a rig may be, by what each of its images looks like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from gallery import CAMERA, looking

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.localization.rig_images import SeenImage
from dense_reloc_ros.localization.rig_places import rig_places
from dense_reloc_ros.retrieval.nearest_poses import view_distances
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes

TURNED = rigid(np.diag([-1.0, 1.0, -1.0]), np.zeros(3))
"""T_body_camera of a camera that looks back."""


def test_what_all_images_look_like_comes_before_what_each_looks_like_most(scene_map):
    """The keyframes of the right place are in no image's first cluster."""
    truth = looking(30, distance=0.3, height=1.3, pitch=0.0)
    images = []
    for mount, wrong in ((np.eye(4), 150.0), (TURNED, 90.0)):
        poses = [looking(wrong, 0.3, 1.3, 0.0), truth @ mount]
        chosen = torch.tensor([keyframe_at(scene_map, pose) for pose in poses])
        nothing = RankedKeyframes.none()
        ranked = replace(nothing, keyframes=chosen, evidence=torch.tensor([0.5, 0.375]))
        images.append(SeenImage(CAMERA, mount, DenseFeatures({}, torch.zeros(0)), ranked))
    first = rig_places(images, scene_map, RetrievalConfiguration(clusters=1))[0]
    assert np.degrees(pose_error(first.T_map_body, truth).rotation) < 20
    assert first.evidence == 0.75


def keyframe_at(scene_map, T_map_camera: np.ndarray) -> int:
    distances = view_distances(scene_map.keyframe_poses, torch.from_numpy(T_map_camera), 1.5)
    return int(distances.argmin())
