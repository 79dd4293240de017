"""Points triangulated on a wall whose place is known."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scene.wall import CAMERA, WALL_DEPTH, wall_frame

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.mapping.sources.triangulation import triangulate


def frames() -> list[SourceFrame]:
    return [wall_frame(k, (0.12 * k - 0.2, 0.05 * k, 0.1 * k), -4.0 * k) for k in range(4)]


def test_points_lie_on_the_wall_where_the_frames_see_them(capfd):
    known = triangulate(frames())
    assert len(known.positions) > 60
    assert np.median(np.abs(known.positions[:, 2] - WALL_DEPTH)) < 0.01
    for frame in frames():
        seen = known.positions[known.indices[frame.name]]
        T_camera_map = inverse(frame.T_map_camera)
        local = seen @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
        projected = local @ CAMERA.matrix.T
        errors = projected[:, :2] / projected[:, 2:] - known.pixels[frame.name]
        assert np.median(np.linalg.norm(errors, axis=1)) < 0.7
        # A wrong half pixel would show as a common shift.
        assert np.abs(np.median(errors, axis=0)).max() < 0.2
    assert capfd.readouterr() == ("", "")


def test_no_place_is_a_point_twice():
    positions = triangulate(frames()).positions
    gaps = np.linalg.norm(positions[:, None] - positions, axis=2)
    assert (gaps[~np.eye(len(positions), dtype=bool)] > 1e-6).all()


def test_frames_that_share_nothing_give_an_error():
    plain = np.full((120, 160, 3), 128, np.uint8)
    blank = [replace(frame, read_image=lambda: plain) for frame in frames()]
    with pytest.raises(InputError, match="no two frames agree on a point"):
        triangulate(blank)
    with pytest.raises(InputError, match="no two frames agree on a point"):
        triangulate(frames()[:1])


def test_a_full_disk_is_one_line(monkeypatch):
    def full(self: Image.Image, path: Path, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(InputError, match="temporary folder \\(No space left on device\\)"):
        triangulate(frames())


def test_unusable_frames_are_named():
    with pytest.raises(InputError, match="frame-000000: its pose is unknown"):
        triangulate([replace(frames()[0], T_map_camera=None), frames()[1]])
    small = replace(frames()[0], read_image=lambda: np.zeros((60, 80, 3), np.uint8))
    with pytest.raises(InputError, match="frame-000000: an image of 80x60 does not fit"):
        triangulate([small, frames()[1]])
