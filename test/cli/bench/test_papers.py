"""`bench papers` as users type it, on a small rendered scene with a COLMAP model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from photographed_room import write_scenes

from dense_reloc_ros.cli.main import main

SYSTEMS = """
systems:
  - {published: SIFT, method: sift_pnp}
  - {published: RE, method: re, trained: [compact], paper: MegaDepth 0.54}
  - {published: DSM, method: dsm_compact, trained: [dsm_compact]}
"""
SCENES = """
scenes:
  - {name: room, map: {colmap: room/sparse, images: room/images}, degradations: [clean, dim]}
"""


def bench(folder: Path, *options: str | Path) -> int:
    words = [folder / "systems.yaml", "--scene-list", folder / "scenes.yaml", "--data", folder]
    words += ["--output", folder / "numbers", "--device", "cpu", *options]
    return main(["bench", "papers", *map(str, words)])


@pytest.fixture
def folder(tmp_path) -> Path:
    write_scenes(tmp_path, images=5)
    (tmp_path / "systems.yaml").write_text(SYSTEMS)
    (tmp_path / "scenes.yaml").write_text(SCENES)
    return tmp_path


def test_every_system_that_can_localizes_in_every_scene(folder, capsys):
    assert bench(folder) == 0
    rows = json.loads((folder / "numbers/papers.json").read_text())
    # Without depth there are no scene coordinates for DSM.
    systems = ("sift_pnp", "re")
    assert [(row["level"], row["system"]) for row in rows] == [
        (level, system) for level in ("clean", "dim") for system in systems
    ]
    for row in rows:
        assert (row["scene"], row["queries"], row["wrong"]) == ("room", 2, 0)
        assert row["memory_mb"] > 100
    clean = {row["system"]: row for row in rows if row["level"] == "clean"}
    for system in ("sift_pnp", "re"):
        assert clean[system]["recall"]["5cm_5deg"] == 1.0
    assert clean["re"]["map_mb"] != clean["sift_pnp"]["map_mb"]
    maps = {path.name for path in (folder / "numbers/maps").iterdir() if path.is_dir()}
    assert maps == {"room_compact", "room_root_sift"}
    written = (folder / "numbers/papers.md").read_text().splitlines()
    assert len(written) == 2 + len(rows)
    assert written[2].startswith("| room | clean | sift_pnp | ")
    shown = capsys.readouterr().out
    assert "MegaDepth 0.54" in shown


def test_some_systems_can_be_chosen(folder):
    assert bench(folder, "--methods", "sift_pnp") == 0
    rows = json.loads((folder / "numbers/papers.json").read_text())
    assert {row["system"] for row in rows} == {"sift_pnp"}
