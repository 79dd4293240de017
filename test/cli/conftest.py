"""Recordings of a wall, and maps that need no network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli.wall_recording import frames, write_camera_info
from PIL import Image
from scene.wall import CAMERA, PixelDescriber

from dense_reloc_ros.mapping import map_of_source


@pytest.fixture
def pixel_describer(monkeypatch) -> None:
    """Builds maps in no time, without a network."""
    monkeypatch.setattr(map_of_source, "describer_for", lambda *arguments: PixelDescriber())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording of the wall in the layout of 7-Scenes with its intrinsics."""
    folder = tmp_path / "recording"
    folder.mkdir()
    for frame in frames():
        Image.fromarray(frame.load_image()).save(folder / f"{frame.name}.color.png")
        millimetres = np.rint(frame.load_depth() * 1000).astype(np.uint16)
        Image.fromarray(millimetres).save(folder / f"{frame.name}.depth.png")
        np.savetxt(folder / f"{frame.name}.pose.txt", frame.T_map_camera)
    write_camera_info(folder, CAMERA.width)
    return folder
