"""`bench scenes` as users type it, on a small rendered scene with a COLMAP model."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
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
    every = results(tmp_path)
    assert [(result["queries"], result["method"]) for result in every] == [
        ("room", DEFAULT_METHOD),
        ("room", "sift_pnp"),
        ("all", DEFAULT_METHOD),
        ("all", "sift_pnp"),
    ]
    for result in every:
        assert (result["frames"], result["keyframes"]) == (4, 5)
        assert (result["recall"]["5cm_5deg"], result["wrong"]) == (1.0, 0)
        assert result["median_rotation_deg"] < 0.5
    frames = table(tmp_path / "numbers/scenes.csv")
    assert {frame["name"] for frame in frames} == {"01.png", "03.png", "05.png", "07.png"}
    assert len(frames) == 8
    errors = [float(f["rotation_deg"]) for f in frames if f["method"] == "sift_pnp"]
    assert np.median(errors) == pytest.approx(every[1]["median_rotation_deg"])
    maps = {path.name for path in (tmp_path / "numbers/maps").iterdir() if path.is_dir()}
    assert maps == {"room_compact", "room_root_sift"}
    shown = capsys.readouterr().out
    assert f"{DEFAULT_METHOD} on cpu" in shown
    assert f"{every[0]['median_rotation_deg']:.2f}°" in shown


def test_maps_are_built_once_for_the_same_frames(tmp_path):
    write_scenes(tmp_path)
    chosen = ["--methods", "sift_pnp", "--every", "4"]
    revisions = []
    information = tmp_path / "numbers/maps/room_root_sift/map.json"
    for option in ([], [], ["--rebuild"]):
        results(tmp_path, *chosen, *option)
        revisions.append(information.stat().st_mtime_ns)
    assert revisions[0] == revisions[1] < revisions[2]
    write_scenes(tmp_path / "other", images=5)
    for file in ("images", "sparse"):
        shutil.rmtree(tmp_path / "room" / file)
        (tmp_path / "other/room" / file).rename(tmp_path / "room" / file)
    (result, _) = results(tmp_path, *chosen)
    assert result["keyframes"] == 3


def test_maps_hold_images_where_the_last_resort_needs_them(tmp_path):
    write_scenes(tmp_path)
    chosen = ["--methods", DEFAULT_METHOD, "--every", "4"]
    (plain, _) = results(tmp_path, *chosen)
    (result, _) = results(tmp_path, *chosen, "--set", "search.last_resort=neurhal_compact")
    maps = {path.name for path in (tmp_path / "numbers/maps").iterdir() if path.is_dir()}
    assert maps == {"room_compact", "room_compact_images"}
    # Where poses are sure nothing changes.
    assert result["median_rotation_deg"] == plain["median_rotation_deg"]


def test_queries_find_nothing_in_maps_of_other_places(tmp_path, capsys):
    """Of one scene twice: what counts as another place is for the list to say."""
    write_scenes(tmp_path)
    map_of_room = "map: {colmap: room/sparse, images: room/images}"
    entries = [("here", "here"), ("there", "there"), ("same", "here")]
    lines = [f"- {{name: {name}, {map_of_room}, place: {place}}}" for name, place in entries]
    (tmp_path / "list.yaml").write_text("\n".join(["scenes:", *lines]))
    words = ["--scene-list", tmp_path / "list.yaml", "--data", tmp_path, "--cross"]
    words += ["--methods", "sift_pnp", "--output", tmp_path / "numbers", "--device", "cpu"]
    assert main(["bench", "scenes", *map(str, words)]) == 0
    pairs = json.loads((tmp_path / "numbers/cross.json").read_text())
    assert [(pair["map"], pair["queries"]) for pair in pairs] == [
        ("here_root_sift", "there"),
        ("there_root_sift", "here"),
        ("there_root_sift", "same"),
        ("same_root_sift", "there"),
    ]
    # It is the same room, so that all are published.
    for pair in pairs:
        assert (pair["attempts"], pair["published"]) == (4, 4)
        assert 0.3 < pair["highest_score"] <= 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "16 of 16 published in maps of other places, at most 100% with 95% confidence" in shown
    highest = max(pair["highest_confidence"] for pair in pairs)
    assert f"highest confidence {highest:.3f}" in shown


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a table of frames."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_photographed_arch_is_found(tmp_path):
    if not MULTIVIEW.is_dir():
        pytest.skip(f"no scenes here: {MULTIVIEW}")
    options = ["--split", "train", "--scenes", "cyprus_arch", "--output", str(tmp_path)]
    assert bench(MULTIVIEW, *options, "--device", "cpu") == 0
    for result in json.loads((tmp_path / "scenes.json").read_text()):
        assert (result["frames"], result["recall"]["5cm_5deg"], result["wrong"]) == (5, 1.0, 0)
        assert result["median_rotation_deg"] < 0.2


@pytest.mark.parametrize("unit", [0.01, 100.0])
def test_the_unit_of_length_does_not_matter(unit, tmp_path):
    outcomes = []
    for folder, length in ((tmp_path / "metres", 1.0), (tmp_path / "others", unit)):
        write_scenes(folder, length)
        assert results(folder, "--methods", "nre", "--every", "2")[0]["localized"] == 2
        outcomes.append(table(folder / "numbers/scenes.csv"))
    for metres, others in zip(*outcomes, strict=True):
        assert metres["name"] == others["name"]
        for name, largest in (("rotation_deg", 0.02), ("translation_m", 1e-3)):
            assert float(others[name]) == pytest.approx(float(metres[name]), abs=largest)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scenes", "elsewhere"], "no scene 'elsewhere' (known: room)"),
        (["--split", "train"], "no such folder"),
        (["--network", "vgg"], "unknown network 'vgg'"),
        (["--degradations", "noon"], "unknown level 'noon'"),
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
