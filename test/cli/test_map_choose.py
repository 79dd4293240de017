"""`map choose` as users type it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cli.wall_recording import write_camera_info
from PIL import Image
from scene.wall import CAMERA

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.localization import factory
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status

GREYS = {"hall": 60, "cellar": 120}
"""What images of each place look like."""


class Place:
    """The localizer of a place."""

    def __init__(self, name: str) -> None:
        self._grey = GREYS[name]
        self.scene_map = SimpleNamespace(information=SimpleNamespace(revision=name))

    def localize(self, image: np.ndarray, camera: object, **_: object) -> Localization:
        if image.mean() != self._grey:
            return Localization(Status.NO_CANDIDATES, "too little of the map matches the image")
        pose = PoseEstimate(np.eye(4), np.eye(6), 0.5, np.arange(3), (0,), confidence=0.999)
        return Localization(Status.LOCALIZED, "", pose)


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "maps"
    for name in (*GREYS, "ruin"):
        (folder / name).mkdir(parents=True)
        (folder / name / "map.json").touch()

    def open_place(path: Path, *_: object) -> Place:
        if path.name not in GREYS:
            raise MapError(f"{path}: no map here")
        return Place(path.name)

    monkeypatch.setattr(factory, "open_localizer", open_place)
    return folder


def choose(maps: Path, grey: int) -> int:
    """With nine images of a place."""
    folder = maps.parent / "images"
    folder.mkdir()
    for number in range(9):
        Image.fromarray(np.full((CAMERA.height, CAMERA.width, 3), grey, np.uint8)).save(
            folder / f"{number}.png"
        )
    write_camera_info(folder, CAMERA.width)
    camera_info = str(folder / "camera.yaml")
    command = ["map", "choose", str(maps), "--images", str(folder), "--camera-info", camera_info]
    return main([*command, "--count", "3"])


def test_the_map_that_fits(maps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert choose(maps, GREYS["hall"]) == 0
    heading, *rows, answer = capsys.readouterr().out.splitlines()
    assert heading.split() == ["confidence", "localized", "map"]
    assert [row.split() for row in rows] == [
        ["0.000", "0", "of", "3", str(maps / "cellar")],
        ["0.999", "3", "of", "3", str(maps / "hall")],
        ["-", "-", f"{maps / 'ruin'}:", "no", "map", "here"],
    ]
    assert answer == str(maps / "hall")


def test_no_map_fits(maps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert choose(maps, 7) == 1
    answer = capsys.readouterr().out.splitlines()[-1]
    assert answer == "no map fits: none of 3 images has a pose in any of 2 maps"
