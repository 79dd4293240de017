"""The weights that ship, in a room that they have not seen and that no number is reported of."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from dense_reloc_ros.deviloc.lifting import inferred_in_groups
from dense_reloc_ros.deviloc.point_inference import WEIGHTS, MapImagePixels
from dense_reloc_ros.deviloc.reference_views import image_features
from dense_reloc_ros.deviloc.weights import open_point_inference
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.keypoints import detect_corners, reliable_depth
from dense_reloc_ros.rendering.paths import mapping_motion
from dense_reloc_ros.rendering.random_room import random_room
from dense_reloc_ros.rendering.raycaster import Raycaster

CPU = torch.device("cpu")
CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)
INTRINSICS = torch.from_numpy(CAMERA.intrinsics).float()
SEED = 2300


def test_the_description_is_of_these_weights():
    description = json.loads(WEIGHTS.with_suffix(".json").read_text())
    content = WEIGHTS.read_bytes()
    assert description["weights_sha256"] == hashlib.sha256(content).hexdigest()
    assert description["network"] == "deviloc"


def test_they_were_trained_with_the_features_that_ship():
    signature = create_extractor("compact", CPU).signature
    assert open_point_inference(signature, CPU).knows(signature)


@pytest.fixture(scope="module")
def errors() -> dict[str, np.ndarray]:
    """Relative errors of depths, by the network and by interpolation, and confidences.

    Of all corners of some images of the room, by 20 of them whose depth has 3 % of noise.
    """
    room = random_room(SEED)
    raycaster = Raycaster(room)
    extractor = create_extractor("compact", CPU)
    network = open_point_inference(extractor.signature, CPU)
    rng = np.random.default_rng(0)
    found: dict[str, list[np.ndarray]] = {"network": [], "interpolation": [], "confidence": []}
    for pose in mapping_motion(room.walkway, 40, SEED).T_map_camera[::8]:
        view = raycaster.render(CAMERA, pose)
        corners = detect_corners(view.image, reliable_depth(view.depth), 300)
        columns, rows = np.rint(corners).astype(int).T
        depths = torch.from_numpy(view.depth[rows, columns]).float()
        with torch.inference_mode():
            features = extractor(image_to_tensor(view.image))
            pixels = torch.from_numpy(corners)
            positions = (pixels - INTRINSICS[2:]) / INTRINSICS[:2]
            described = image_features(features, pixels)
            few = torch.from_numpy(rng.permutation(len(corners))[:20])
            noisy = depths[few] * torch.from_numpy(np.exp(rng.normal(0, 0.03, 20))).float()
            observed = MapImagePixels(positions[few][None], described[few][None], noisy[None])
            unknown = MapImagePixels(positions, described)
            inferred = inferred_in_groups(network, observed, unknown)
        weights = (torch.cdist(positions, positions[few]) + 1e-2).pow(-2)
        interpolated = ((weights * noisy.log()).sum(1) / weights.sum(1)).exp()
        found["network"].append(((inferred.depths - depths).abs() / depths).numpy())
        found["interpolation"].append(((interpolated - depths).abs() / depths).numpy())
        found["confidence"].append(inferred.confidence.numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def test_depths_are_better_than_interpolated_ones(errors):
    assert np.median(errors["network"]) < 0.9 * np.median(errors["interpolation"])
    assert np.median(errors["network"]) < 0.06


def test_confidences_are_about_as_often_right_as_they_say(errors):
    near = errors["network"] < 0.05
    assert np.mean(near) == pytest.approx(np.mean(errors["confidence"]), abs=0.12)
    surer = errors["confidence"] > np.median(errors["confidence"])
    assert np.mean(near[surer]) > np.mean(near[~surer]) + 0.05
