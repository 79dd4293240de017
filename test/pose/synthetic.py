"""Views of random points, and features that say where in the image they are.

A cell's feature is a random Fourier code of its position (Rahimi and Recht, NIPS 2007): the dot
product of two codes falls with their distance like a Gaussian, so the correspondence map of the
code of any pixel has its one peak exactly there, also between the cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.geometry.se3 import PoseError, inverse, pose_error, rigid
from dense_reloc_ros.matching.correlation import match_all
from dense_reloc_ros.pose.problem import PoseProblem

WIDTH, HEIGHT = 320, 240
INTRINSICS = torch.tensor([300.0, 295.0, 161.0, 118.0])
COARSE_LENGTH, COARSE_TEMPERATURE = 20.0, 0.08
FINE_LENGTH, FINE_TEMPERATURE = 8.0, 0.12
"""Pixels over which codes lose their likeness; with it the peaks are 0.7 cells wide."""


@dataclass(frozen=True)
class View:
    """M random points and the camera that sees them all."""

    points: Tensor
    """(M, 3), metres in the map frame."""
    pixels: Tensor
    """(M, 2), where the camera sees them."""
    T_camera_map: Tensor
    """(4, 4), the truth."""

    def error(self, T_camera_map: Tensor) -> PoseError:
        """How far a pose (4, 4) is from the truth."""
        return pose_error(
            inverse(T_camera_map.double().numpy()), inverse(self.T_camera_map.double().numpy())
        )

    def moved(self, metres: float, degrees: float, seed: int = 0) -> Tensor:
        """A pose (4, 4) off by this much in a random direction."""
        rng = np.random.default_rng(seed)
        step, axis = rng.normal(size=(2, 3))
        turn = Rotation.from_rotvec(np.radians(degrees) * axis / np.linalg.norm(axis))
        offset = rigid(turn.as_matrix(), metres * step / np.linalg.norm(step))
        return torch.from_numpy(offset).to(self.T_camera_map) @ self.T_camera_map


def random_view(count: int, seed: int, dtype: torch.dtype = torch.float32) -> View:
    rng = np.random.default_rng(seed)
    pixels = rng.uniform([4, 4], [WIDTH - 5, HEIGHT - 5], (count, 2))
    rays = np.column_stack(
        [(pixels - INTRINSICS[2:].numpy()) / INTRINSICS[:2].numpy(), [1] * count]
    )
    in_camera = rays * rng.uniform(1.5, 5.0, (count, 1))
    T_map_camera = rigid(Rotation.random(random_state=rng).as_matrix(), rng.normal(0, 3, 3))
    points = in_camera @ T_map_camera[:3, :3].T + T_map_camera[:3, 3]
    arrays = (points, pixels, inverse(T_map_camera))
    return View(*(torch.from_numpy(array).to(dtype) for array in arrays))


def position_code(positions: Tensor, length: float, channels: int = 256) -> Tensor:
    """Unit vectors (..., channels) whose likeness falls with the distance of positions (..., D)."""
    rng = np.random.default_rng(0)
    waves = rng.normal(0, 1 / length, (positions.shape[-1], channels // 2))
    phases = positions @ torch.from_numpy(waves).to(positions)
    return torch.cat([phases.cos(), phases.sin()], dim=-1) / (channels // 2) ** 0.5


def code_level(stride: int, length: float) -> FeatureLevel:
    """The codes of all cells of the image."""
    offset = (stride - 1) / 2
    rows = torch.arange(HEIGHT // stride) * stride + offset
    columns = torch.arange(WIDTH // stride) * stride + offset
    centres = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    return FeatureLevel(stride, offset, position_code(centres, length).permute(2, 0, 1)[None])


def problem_of(points: Tensor, *modes: tuple[Tensor, float | Tensor]) -> PoseProblem:
    """Points (M, 3) whose maps have modes: pixels (M, 2) and the correlation (M,) there.

    Where a map's modes are all nan it is uniform.
    """

    def descriptors(length: float) -> Tensor:
        return sum(
            torch.as_tensor(strength).expand(len(points))[:, None]
            * position_code(pixels, length).nan_to_num(0.0)
            for pixels, strength in modes
        )

    coarse, fine = code_level(8, COARSE_LENGTH), code_level(4, FINE_LENGTH)
    coarse_descriptors = descriptors(COARSE_LENGTH)
    return PoseProblem(
        points=points,
        intrinsics=INTRINSICS,
        log_coarse=match_all(coarse_descriptors, coarse, COARSE_TEMPERATURE),
        coarse_descriptors=coarse_descriptors,
        coarse_level=coarse,
        fine_descriptors=descriptors(FINE_LENGTH),
        fine_level=fine,
        fine_temperature=FINE_TEMPERATURE,
    )


def random_pixels(count: int, seed: int) -> Tensor:
    """Anywhere in the image, (N, 2)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 2, generator=generator) * torch.tensor([WIDTH - 1.0, HEIGHT - 1.0])


def with_outliers(view: View, share: float, kind: str, seed: int) -> PoseProblem:
    """The maps of a view, a share of which are `uniform` or peak at a `wrong` place."""
    count = len(view.points)
    wrong = random_pixels(count, seed + 1000)
    if kind == "uniform":
        wrong = torch.full_like(wrong, torch.nan)
    generator = torch.Generator().manual_seed(seed)
    is_outlier = torch.randperm(count, generator=generator) < round(share * count)
    return problem_of(view.points, (torch.where(is_outlier[:, None], wrong, view.pixels), 1.0))
