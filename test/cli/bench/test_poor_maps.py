"""`bench poor-maps` as users type it, on a few frames of the gallery."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from gallery import CAMERA, Gallery, looking

from dense_reloc_ros.cli.main import main


@pytest.fixture(scope="module")
def scene(gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six keyframes and two queries between them."""
    folder = tmp_path_factory.mktemp("gallery")
    parts = {
        "map": [looking(yaw, distance) for distance in (0.3, 0.7) for yaw in (0, 20, 40)],
        "query": [looking(yaw, 0.5, 1.3) for yaw in (12, 28)],
    }
    for name, poses in parts.items():
        (folder / name).mkdir()
        for number, pose in enumerate(poses):
            view = gallery.render(pose)
            stem = str(folder / name / f"frame-{number:06d}")
            cv2.imwrite(f"{stem}.color.png", view.image[..., ::-1])
            cv2.imwrite(f"{stem}.depth.png", np.rint(view.depth * 1000).astype(np.uint16))
            np.savetxt(f"{stem}.pose.txt", pose)
    matrix = {"rows": 3, "cols": 3, "data": CAMERA.matrix.ravel().tolist()}
    content = {"image_width": 320, "image_height": 240, "camera_matrix": matrix}
    (folder / "camera_info.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_methods_are_compared_on_maps_with_fewer_points(scene, tmp_path, capsys):
    command = ["bench", "poor-maps", str(scene), "--device", "cpu", "--output", str(tmp_path)]
    assert main([*command, "--points", "all", "5%"]) == 0
    results = json.loads((tmp_path / "poor_maps.json").read_text())
    methods = ["deviloc", "nre_feature_pnp", "sift_pnp"]
    assert [(r["map"], r["method"], r["way"]) for r in results] == [
        (points, method, way)
        for points in ("all", "5%")
        for method in methods
        for way in ("single", "best pose")
    ]
    assert all(r["frames"] == 2 for r in results)
    for result in results:
        if result["method"] == "deviloc":
            assert result["recall"]["5cm_5deg"] == 1.0
    shown = capsys.readouterr().out
    assert "5%" in shown and "deviloc" in shown


def test_points_that_there_are_none_of_are_named(scene, capsys):
    assert main(["bench", "poor-maps", str(scene), "--points", "7%"]) == 2
    assert "no kind of points '7%' (known: all; 5%; 1%; noisy" in capsys.readouterr().err
