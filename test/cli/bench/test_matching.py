"""`bench matching` as users type it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dense_reloc_ros.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture of squares of several sizes."""
    rng = np.random.default_rng(0)
    octaves = [rng.uniform(0, 255, (3 * n, 4 * n, 3)) for n in (6, 20, 40)]
    sized = [cv2.resize(octave, (640, 480), interpolation=cv2.INTER_CUBIC) for octave in octaves]
    Image.fromarray(np.clip(np.mean(sized, axis=0), 0, 255).astype(np.uint8)).save(
        tmp_path / "squares.png"
    )
    return tmp_path


def bench(folder: Path, *options: str) -> int:
    words = ["bench", "matching", "--photographs", str(folder), "--device", "cpu"]
    return main([*words, "--homographies", "2", *options])


def test_matches_are_counted_in_every_light_with_and_without_the_check(folder, tmp_path, capsys):
    output = str(tmp_path / "numbers")
    levels = ["--levels", "clean", "night"]
    assert bench(folder, "--networks", "dense_sift", "--output", output, *levels) == 0
    every = json.loads((tmp_path / "numbers/matching.json").read_text())
    assert [(result["level"], result["cyclic"]) for result in every] == [
        ("clean", False),
        ("clean", True),
        ("night", False),
        ("night", True),
    ]
    for result in every:
        assert (result["network"], result["pairs"]) == ("dense_sift", 2)
        assert result["accuracy"]["1px"] <= result["accuracy"]["3px"] <= result["accuracy"]["5px"]
    assert every[1]["accuracy"]["5px"] > every[0]["accuracy"]["5px"] > every[2]["accuracy"]["5px"]
    assert every[0]["keypoints"] == every[2]["keypoints"]
    shown = capsys.readouterr().out
    assert f"{every[1]['accuracy']['3px']:.3f}" in shown
    assert "1 photographs of" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--levels", "noon"], "unknown level 'noon'"),
        (["--networks", "magic"], "unknown network 'magic'"),
        (["--photographs", "/nowhere"], "no images"),
    ],
)
def test_mistakes_are_one_clear_line(options, message, folder, capsys):
    assert bench(folder, *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("dense-reloc: error: ")
    assert message in error
    assert error.count("\n") == 1
