"""`bench scenes` as users type it, on a small rendered scene with a COLMAP model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from photographed_room import write_scenes
from shared_data import MULTIVIEW

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.localization.methods import DEFAULT_METHOD


def bench(folder: Path, *options: str | Path) -> int:
    return main(["bench", "scenes", "--multiview", str(folder), *map(str, options)])


def results(folder: Path, *options: str | Path) -> list[dict]:
    """What the command writes."""
    assert bench(folder, "--output", folder / "numbers", "--device", "cpu", *options) == 0
    return json.loads((folder / "numbers/scenes.json").read_text())


def test_half_of_the_images_find_their_place_among_the_others(tmp_path, capsys):
    write_scenes(tmp_path)
    every = results(tmp_path, "--maps", tmp_path / "maps")
    assert [(result["scene"], result["method"]) for result in every] == [
        ("room", DEFAULT_METHOD),
        ("room", "sift_pnp"),
        ("all", DEFAULT_METHOD),
        ("all", "sift_pnp"),
    ]
    for result in every:
        assert (result["queries"], result["keyframes"]) == (4, 5)
        assert (result["within"], result["outside"]) == (1.0, 0)
        assert result["median_rotation_deg"] < 0.5
    assert set(every[0]["errors"]) == {"01.png", "03.png", "05.png", "07.png"}
    assert set(every[2]["errors"]) == {f"room/0{k}.png" for k in (1, 3, 5, 7)}
    maps = {path.name for path in (tmp_path / "maps").iterdir()}
    assert maps == {"room_compact", "room_root_sift"}
    shown = capsys.readouterr().out
    assert "test scenes of" in shown
    assert f"{every[0]['median_rotation_deg']:.2f}°" in shown


@pytest.mark.slow
def test_a_photographed_arch_is_found(tmp_path):
    if not MULTIVIEW.is_dir():
        pytest.skip(f"no scenes here: {MULTIVIEW}")
    options = ["--split", "train", "--scenes", "cyprus_arch", "--output", str(tmp_path)]
    assert bench(MULTIVIEW, *options, "--device", "cpu") == 0
    for result in json.loads((tmp_path / "scenes.json").read_text()):
        assert (result["queries"], result["within"], result["outside"]) == (5, 1.0, 0)
        assert result["median_rotation_deg"] < 0.2


@pytest.mark.parametrize("unit", [0.01, 100.0])
def test_the_unit_of_length_does_not_matter(unit, tmp_path):
    outcomes = []
    for folder, length in ((tmp_path / "metres", 1.0), (tmp_path / "others", unit)):
        write_scenes(folder, length)
        outcomes.append(results(folder, "--methods", "nre", "--every", "2")[0])
    metres, others = outcomes
    assert others["extent"] == pytest.approx(unit * metres["extent"], rel=1e-3)
    assert (others["localized"], others["queries"]) == (2, 2)
    for name, error in metres["errors"].items():
        same = others["errors"][name]
        assert same["rotation_deg"] == pytest.approx(error["rotation_deg"], abs=0.02)
        assert same["translation_share"] == pytest.approx(error["translation_share"], abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scenes", "elsewhere"], "no scene 'elsewhere' in the split 'test' (known: room)"),
        (["--split", "train"], "no such folder"),
        (["--network", "vgg"], "unknown network 'vgg'"),
    ],
)
def test_mistakes_are_one_clear_line(options, message, tmp_path, capsys):
    write_scenes(tmp_path, images=4)
    assert bench(tmp_path, *options) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("dense-reloc: error: ")
    assert message in last


def test_a_folder_without_scenes_is_refused(tmp_path, capsys):
    assert bench(tmp_path) == 2
    assert "scenes.json" in capsys.readouterr().err
