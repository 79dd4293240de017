"""`map info` as users type it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scene.small_map import make_map

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.scene.scene_map import MapCalibration
from dense_reloc_ros.scene.writer import write_map


@pytest.fixture
def map_path(tmp_path: Path) -> Path:
    write_map(tmp_path / "map", make_map())
    return tmp_path / "map"


def test_info_as_json(map_path, capsys):
    assert main(["map", "info", str(map_path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    size = sum(file.stat().st_size for file in map_path.iterdir()) / 1e6
    observations = int(make_map().observation_offsets[-1])
    assert content["keyframes"] == 3
    assert (content["points"], content["observations"]) == (20, observations)
    assert content["observations_per_point"] == observations / 20
    assert content["size_mb"] == pytest.approx(size)
    assert content["size_mb_per_keyframe"] == pytest.approx(size / 3)
    assert content["images_mb"] == 0
    assert content["signature"]["levels"]["fine"] == {"stride": 4, "channels": 6}
    low, high = make_map().points.aminmax(dim=0)
    np.testing.assert_allclose(content["bounding_box"], [low, high])


def test_info_for_people(tmp_path, capsys):
    image = np.zeros((48, 64, 3), np.uint8)
    information = write_map(tmp_path / "map", make_map(), lambda keyframe: image)
    assert main(["map", "info", str(tmp_path / "map")]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line[:14].strip(): line[14:] for line in lines}
    assert information.revision in rows["revision"]
    assert rows["keyframes"] == "3"
    assert rows["levels"] == "fine (stride 4, 6 channels), coarse (stride 16, 8 channels)"
    assert rows["temperatures"] == "fine 20"
    assert rows["threshold"] == "not fitted"
    assert rows["confidence"] == "logit +0.00"
    assert rows["covariance"] == "factor 1"
    assert "MB of images" in rows["size"]


def test_info_tells_what_the_map_says_of_its_poses(tmp_path, capsys):
    scene_map = make_map()
    calibration = MapCalibration(confidence_offset=-0.5, covariance_factor=3.25)
    information = scene_map.information.model_copy(update={"calibration": calibration})
    write_map(tmp_path / "map", replace(scene_map, information=information))
    assert main(["map", "info", str(tmp_path / "map")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "confidence    logit -0.50" in lines
    assert "covariance    factor 3.25" in lines


def test_info_notices_a_changed_descriptor(map_path, capsys):
    file = map_path / "tensors.safetensors"
    content = bytearray(file.read_bytes())
    begin = content.index(make_map().descriptors["fine"].numpy().tobytes()[:16])
    content[begin] ^= 1
    file.write_bytes(content)
    assert main(["map", "info", str(map_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"dense-reloc: error: {file}: altered: its revision is ")
    assert err.count("\n") == 1


def test_info_on_a_path_that_is_no_map(tmp_path, capsys):
    assert main(["map", "info", str(tmp_path)]) == 2
    error = f"dense-reloc: error: {tmp_path}: not a map, map.json is missing\n"
    assert capsys.readouterr().err == error


def test_a_reader_that_goes_away_is_no_error(map_path):
    """As in `dense-reloc map info MAP | head -0`."""
    command = [sys.executable, "-m", "dense_reloc_ros.cli.main", "map", "info", str(map_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141
