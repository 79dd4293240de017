"""Frames of a wall, and the command that makes a map of them."""

from __future__ import annotations

from pathlib import Path

import yaml
from scene.wall import CAMERA, wall_frame

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame


def frames() -> list[SourceFrame]:
    return [wall_frame(k, (0.12 * k - 0.2, 0.05 * k, 0.1 * k), -4.0 * k) for k in range(4)]


def write_camera_info(folder: Path, width: int) -> None:
    content = {
        "image_width": width,
        "image_height": CAMERA.height,
        "camera_matrix": {"rows": 3, "cols": 3, "data": CAMERA.matrix.ravel().tolist()},
    }
    (folder / "camera.yaml").write_text(yaml.safe_dump(content))


def build(folder: Path, *options: str) -> int:
    source = ["--seven-scenes", str(folder), "--camera-info", str(folder / "camera.yaml")]
    return main(["map", "build", *source, "--output", str(folder.parent / "map"), *options])


def error_line(err: str) -> str:
    """The message of the one error line, which is the last line on stderr."""
    lines = err.replace("\r", "\n").splitlines()
    prefix = "dense-reloc: error: "
    assert [line.startswith(prefix) for line in lines].count(True) == 1
    assert lines[-1].startswith(prefix)
    assert "Traceback" not in err
    return lines[-1].removeprefix(prefix)
