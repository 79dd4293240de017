"""Addresses of maps."""

from __future__ import annotations

from pathlib import Path

import pytest
from scene.small_map import make_map

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.map_path import local_path
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.writer import write_map


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/maps/hall", "/maps/hall"),
        ("maps/hall", "maps/hall"),
        ("~/maps/hall", "/home/someone/maps/hall"),
        ("file:///maps/hall", "/maps/hall"),
        ("file://localhost/maps/hall", "/maps/hall"),
        ("file:///maps/the%20hall", "/maps/the hall"),
        ("package://our_maps/maps/hall", "/opt/two/share/our_maps/maps/hall"),
        ("package://our_maps", "/opt/two/share/our_maps"),
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_addresses_are_places(address, expected, kind, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/someone")
    (tmp_path / "two/share/our_maps").mkdir(parents=True)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}/one:{tmp_path}/two")
    found = local_path(kind(address))
    assert str(found) == expected.replace("/opt", str(tmp_path))


def test_packages_that_are_not_there_are_named(monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    with pytest.raises(MapError, match="package 'our_maps' is not found through AMENT_PREFIX"):
        local_path("package://our_maps/hall")


def test_a_map_is_opened_by_its_address(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_map(tmp_path / "hall", make_map())
    for address in (f"file://{tmp_path}/hall", "~/hall"):
        assert load_map(Path(address)).keyframe_count == 3
