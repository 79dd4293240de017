"""What must hold for the content of a map, checked before it is written and after it is read."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.features.extractor import FeatureSignature
from dense_reloc_ros.scene.layout import (
    COLOURS,
    RETRIEVAL,
    VOCABULARY,
    expected_tensors,
    in_memory,
)
from dense_reloc_ros.scene.scene_map import MapInformation, SceneMap
from dense_reloc_ros.scene.tensor_file import Rows

PIXEL_MARGIN = 0.5
"""Pixel (0, 0) is the centre of a pixel, so images begin half a pixel before it."""
BOX_TOLERANCE = 1e-3
"""Metres, on top of what float32 loses far from the origin."""


def check_tensors(information: MapInformation, stored: Mapping[str, Rows]) -> None:
    """Checks everything but the values of descriptors, which would read most of the file.

    Raises:
        MapError: says which tensor is wrong and why.
    """
    _check_shapes(information, stored)
    tensors = in_memory(stored)
    _check_keyframes(tensors["keyframe_poses"], tensors["keyframe_intrinsics"])
    _check_points(information, tensors["points"])
    _check_observations(tensors)


def check_signature(scene_map: SceneMap, signature: FeatureSignature) -> None:
    """Checks that features of `signature` may be compared with the map's.

    Raises:
        MapError: names the first difference and what to do.
    """
    difference = _signature_difference(scene_map.information.signature, signature)
    if difference:
        raise MapError(f"the map does not fit: {difference}; build it anew for this method")


def _signature_difference(of_map: FeatureSignature, wanted: FeatureSignature) -> str:
    if of_map.method != wanted.method:
        return f"it was made for method '{of_map.method}', not '{wanted.method}'"
    if of_map.network != wanted.network:
        return f"its features are those of '{of_map.network}', not of '{wanted.network}'"
    if of_map.weights_sha256 != wanted.weights_sha256:
        return (
            f"its features come from other weights of '{of_map.network}' "
            f"(sha256 {of_map.weights_sha256[:12]}…, not {wanted.weights_sha256[:12]}…)"
        )
    if set(of_map.levels) != set(wanted.levels):
        return f"it has the levels {sorted(of_map.levels)}, not {sorted(wanted.levels)}"
    for name, level in of_map.levels.items():
        other = wanted.levels[name]
        if level != other:
            return (
                f"level '{name}' has stride {level.stride} and {level.channels} channels, "
                f"not stride {other.stride} and {other.channels} channels"
            )
    return ""


def _check_shapes(information: MapInformation, tensors: Mapping[str, Rows]) -> None:
    expected = expected_tensors(information)
    for name, (shape, dtype) in expected.items():
        if name not in tensors:
            if name == COLOURS:
                continue
            raise MapError(f"'{name}' is missing")
        if tuple(tensors[name].shape) != shape or tensors[name].dtype != dtype:
            raise MapError(
                f"'{name}' is {tuple(tensors[name].shape)} {tensors[name].dtype}, "
                f"but map.json says {shape} {dtype}"
            )
    keyframes = len(information.keyframe_names)
    for name in tensors.keys() - expected.keys():
        if not name.startswith(RETRIEVAL):
            raise MapError(f"'{name}' does not belong into a map")
        for_each_keyframe = not name.startswith(RETRIEVAL + VOCABULARY)
        if for_each_keyframe and tensors[name].shape[:1] != (keyframes,):
            raise MapError(
                f"'{name}' is {tuple(tensors[name].shape)}, "
                f"but map.json names {keyframes} keyframes"
            )


def _check_keyframes(poses: Tensor, intrinsics: Tensor) -> None:
    if not len(poses):
        raise MapError("there are no keyframes")
    _check_finite("keyframe_poses", poses)
    rotations = poses[:, :3, :3]
    identity = torch.eye(4, dtype=poses.dtype)
    is_rotation = torch.isclose(
        rotations @ rotations.mT, identity[:3, :3], rtol=0.0, atol=1e-6
    ).all() and bool((torch.linalg.det(rotations) > 0).all())
    if not is_rotation or not torch.equal(poses[:, 3], identity[3].expand(len(poses), 4)):
        raise MapError("'keyframe_poses' has a pose that is not a rigid motion")
    _check_finite("keyframe_intrinsics", intrinsics)
    sizes = intrinsics[:, :2]
    if (intrinsics[:, :4] <= 0).any() or (sizes != sizes.round()).any():
        raise MapError("'keyframe_intrinsics' has a size or focal length that is not positive")


def _check_points(information: MapInformation, points: Tensor) -> None:
    if not len(points):
        raise MapError("there are no points")
    _check_finite("points", points)
    corners = torch.stack(points.aminmax(dim=0)).double()
    stated = torch.tensor(information.bounding_box, dtype=torch.float64)
    if not torch.allclose(corners, stated, rtol=1e-6, atol=BOX_TOLERANCE):
        raise MapError("'points' do not fill the bounding box that map.json states")


def _check_observations(tensors: Mapping[str, Tensor]) -> None:
    offsets, indices = tensors["observation_offsets"], tensors["observation_points"]
    if offsets[0] != 0 or offsets[-1] != len(indices) or (offsets.diff() < 0).any():
        raise MapError(f"'observation_offsets' do not rise from 0 to {len(indices)}")
    if len(indices) and (indices.min() < 0 or indices.max() >= len(tensors["points"])):
        raise MapError("'observation_points' has an index outside the points")
    pixels = tensors["observation_pixels"]
    _check_finite("observation_pixels", pixels)
    sizes = tensors["keyframe_intrinsics"][:, :2].repeat_interleave(offsets.diff(), dim=0)
    if (pixels < -PIXEL_MARGIN).any() or (pixels > sizes - PIXEL_MARGIN).any():
        raise MapError("'observation_pixels' has a pixel outside its image")


def _check_finite(name: str, tensor: Tensor) -> None:
    if not torch.isfinite(tensor).all():
        raise MapError(f"'{name}' has values that are not finite")
