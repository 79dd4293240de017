"""Perspective-three-point for many triplets at once.

The three law-of-cosines equations in the depths are two homogeneous quadrics and a scale. A member
of the quadrics' pencil that is a pair of planes turns the problem into two quadratic equations; the
idea is that of Lambda Twist (Persson and Nordberg, ECCV 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor

NEWTON_STEPS = 3


def p3p(bearings: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Camera poses that map three points onto three viewing rays each (thesis eq. 4.8).

    Args:
        bearings: unit viewing directions in the camera frame, (N, 3, 3), one row a point, float64.
        points: points in the map frame, (N, 3, 3), metres, float64.

    Returns:
        T_camera_map (N, 4, 4, 4), up to four solutions a triplet, and which of them exist (N, 4).
        Degenerate triplets (points on a line, equal rays) give none.
    """
    depths, exists = _depths(bearings, points)
    in_camera = depths[..., None] * bearings[:, None]
    T_camera_map = _align(points[:, None].expand_as(in_camera), in_camera)
    exists &= torch.isfinite(T_camera_map).all(-1).all(-1)
    identity = torch.eye(4).to(points)
    return torch.where(exists[..., None, None], T_camera_map, identity), exists


def _depths(bearings: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Distances (N, 4, 3) of the points from the camera and which are solutions (N, 4)."""
    first, second = [0, 0, 1], [1, 2, 2]
    squared = (points[:, first] - points[:, second]).square().sum(-1)
    scale = squared.sum(-1, keepdim=True)
    quadrics = _cosine_quadrics((bearings[:, first] * bearings[:, second]).sum(-1))
    a12, a13, a23 = (squared / scale)[..., None, None].unbind(1)
    one = quadrics[:, 0] * a23 - quadrics[:, 2] * a12
    two = quadrics[:, 1] * a23 - quadrics[:, 2] * a13
    gamma = _pencil_root(one, two)
    values, vectors = torch.linalg.eigh(_finite(one + gamma[:, None, None] * two))
    slope = torch.sqrt((-values[:, 0] / values[:, 2]).clamp(min=0))[:, None]
    low, high = vectors[:, :, 0], vectors[:, :, 2]
    planes = torch.stack([high - slope * low, high + slope * low], dim=1)
    directions, real = _plane_quadric(planes, two[:, None])
    lengths = torch.einsum("nsi,nkij,nsj->ns", directions, quadrics, directions)
    sign = torch.where(directions.sum(-1) < 0, -1.0, 1.0)
    depths = directions * (sign / lengths.sqrt())[..., None]
    depths = _polish(depths, quadrics, squared / scale)
    residual = _residuals(depths, quadrics, squared / scale).abs().amax(-1)
    exists = real & (depths > 0).all(-1) & (residual < 1e-8)
    return depths * scale.sqrt()[..., None], exists


def _cosine_quadrics(cosines: Tensor) -> Tensor:
    """Matrices (N, 3, 3, 3) of d_i^2 + d_j^2 - 2 d_i d_j cos_ij for the pairs 12, 13, 23."""
    quadrics = cosines.new_zeros(cosines.shape[0], 3, 3, 3)
    for pair, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        quadrics[:, pair, i, i] = quadrics[:, pair, j, j] = 1.0
        quadrics[:, pair, i, j] = quadrics[:, pair, j, i] = -cosines[:, pair]
    return quadrics


def _pencil_root(one: Tensor, two: Tensor) -> Tensor:
    """The best conditioned real root (N,) of det(one + gamma * two) = 0."""
    c0, c3 = torch.linalg.det(one), torch.linalg.det(two)
    c1 = (_adjugate(one) * two.mT).sum((-1, -2))
    c2 = (_adjugate(two) * one.mT).sum((-1, -2))
    a, b, c = c2 / c3, c1 / c3, c0 / c3
    p, q = b - a * a / 3, 2 * a**3 / 27 - a * b / 3 + c
    discriminant = q * q / 4 + p**3 / 27
    root = discriminant.clamp(min=0).sqrt()
    u = -q / 2 - torch.where(q < 0, -root, root)
    u = u.sign() * u.abs().pow(1 / 3)
    single = u - torch.where(u == 0, torch.zeros_like(u), p / (3 * u))
    radius = 2 * (-p / 3).clamp(min=0).sqrt()
    angle = torch.arccos((3 * q / (p * radius)).clamp(-1, 1).nan_to_num()) / 3
    thirds = torch.arange(3).to(one) * (2 * torch.pi / 3)
    three = radius[:, None] * torch.cos(angle[:, None] - thirds)
    roots = torch.where(discriminant[:, None] > 0, single[:, None], three) - a[:, None] / 3
    c0, c1, c2, c3 = (x[:, None] for x in (c0, c1, c2, c3))
    for _ in range(NEWTON_STEPS):
        slope = (3 * c3 * roots + 2 * c2) * roots + c1
        step = (((c3 * roots + c2) * roots + c1) * roots + c0) / slope
        roots = roots - torch.where(torch.isfinite(step), step, torch.zeros_like(step))
    slope = ((3 * c3 * roots + 2 * c2) * roots + c1) / (1 + roots.square())
    best = slope.abs().nan_to_num().argmax(-1, keepdim=True)
    return roots.gather(-1, best)[:, 0]


def _adjugate(m: Tensor) -> Tensor:
    """The adjugate (..., 3, 3): cofactors transposed."""
    r0, r1, r2 = m.unbind(-2)
    cross = torch.linalg.cross
    return torch.stack([cross(r1, r2), cross(r2, r0), cross(r0, r1)], dim=-1)


def _plane_quadric(planes: Tensor, quadric: Tensor) -> tuple[Tensor, Tensor]:
    """Directions (N, 4, 3) on a quadric (N, 1, 3, 3) in two planes (N, 2, 3); which are real."""
    axis = torch.nn.functional.one_hot(planes.abs().argmin(-1), 3).to(planes)
    first = torch.nn.functional.normalize(torch.linalg.cross(planes, axis), dim=-1)
    second = torch.nn.functional.normalize(torch.linalg.cross(planes, first), dim=-1)
    a = torch.einsum("npi,npij,npj->np", first, quadric.expand(-1, 2, 3, 3), first)
    b = 2 * torch.einsum("npi,npij,npj->np", first, quadric.expand(-1, 2, 3, 3), second)
    c = torch.einsum("npi,npij,npj->np", second, quadric.expand(-1, 2, 3, 3), second)
    discriminant = b * b - 4 * a * c
    # Two equal roots come out slightly complex; the residual check decides on those.
    real = discriminant > -1e-9 * (b * b + a * a + c * c)
    q = -(b + torch.where(b < 0, -1.0, 1.0) * discriminant.clamp(min=0).sqrt()) / 2
    one = q[..., None] * first + a[..., None] * second
    two = c[..., None] * first + q[..., None] * second
    directions = torch.nn.functional.normalize(torch.cat([one, two], dim=1), dim=-1)
    return directions, torch.cat([real, real], dim=1)


def _residuals(depths: Tensor, quadrics: Tensor, squared: Tensor) -> Tensor:
    """How far depths (N, 4, 3) miss the three squared distances (N, 3): (N, 4, 3)."""
    return torch.einsum("nsi,nkij,nsj->nsk", depths, quadrics, depths) - squared[:, None]


def _polish(depths: Tensor, quadrics: Tensor, squared: Tensor) -> Tensor:
    """Newton steps on the three equations; a step that does not lower the residual is not taken."""
    residuals = _residuals(depths, quadrics, squared)
    for _ in range(NEWTON_STEPS):
        jacobian = 2 * torch.einsum("nkij,nsj->nski", quadrics, depths)
        inverse = _adjugate(jacobian) / torch.linalg.det(jacobian)[..., None, None]
        moved = depths - (inverse @ residuals[..., None])[..., 0]
        moved_residuals = _residuals(moved, quadrics, squared)
        better = moved_residuals.abs().sum(-1) < residuals.abs().sum(-1)
        depths = torch.where(better[..., None], moved, depths)
        residuals = torch.where(better[..., None], moved_residuals, residuals)
    return depths


def _align(source: Tensor, target: Tensor) -> Tensor:
    """The rigid motions (..., 4, 4) of congruent triangles (..., 3 points, 3)."""
    rotation = _triangle_frame(target) @ _triangle_frame(source).mT
    translation = target[..., 0, :] - (rotation @ source[..., 0, :, None])[..., 0]
    top = torch.cat([rotation, translation[..., None]], dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*top.shape[:-2], 1, 4)
    return torch.cat([top, bottom], dim=-2)


def _triangle_frame(triangle: Tensor) -> Tensor:
    """An orthonormal frame (..., 3, 3), columns; nan for points on a line."""
    edge = triangle[..., 1, :] - triangle[..., 0, :]
    normal = torch.linalg.cross(edge, triangle[..., 2, :] - triangle[..., 0, :])
    x = edge / edge.norm(dim=-1, keepdim=True)
    thin = normal.norm(dim=-1, keepdim=True) < 1e-9 * edge.square().sum(-1, keepdim=True)
    z = torch.where(thin, torch.nan, normal / normal.norm(dim=-1, keepdim=True))
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=-1)


def _finite(matrices: Tensor) -> Tensor:
    """Matrices with non-finite ones replaced by identities (eigh refuses them)."""
    bad = ~torch.isfinite(matrices).all(-1).all(-1)
    identity = torch.eye(3).to(matrices)
    return torch.where(bad[..., None, None], identity, matrices)
