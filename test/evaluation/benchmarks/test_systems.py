"""Methods find the maps that are made for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from evaluation.fake_system import frames, system
from scene.small_map import make_map

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.evaluation.benchmarks import systems
from dense_reloc_ros.evaluation.benchmarks.systems import best_poses, open_systems
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.scene.writer import write_map

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def unopened(monkeypatch) -> None:
    """Gives the method's name for a localizer, so that no network is loaded."""
    monkeypatch.setattr(systems, "localizer_for", lambda scene_map, c, method, device: method)


def write(path: Path, kind: str) -> Path:
    """A small map for methods of a kind."""
    scene_map = make_map()
    signature = scene_map.information.signature.model_copy(update={"method": kind})
    information = scene_map.information.model_copy(update={"signature": signature})
    write_map(path, replace(scene_map, information=information))
    return path


def opened(*arguments) -> list[tuple[str | None, str]]:
    """The method and map of each system."""
    found = open_systems(*arguments, LocalizerConfiguration(), CPU)
    return [(system.localizer, system.map.name) for system in found]


def test_each_method_meets_all_maps_of_its_kind(tmp_path):
    dense = [write(tmp_path / name, "sparse_to_dense") for name in ("hundred", "twenty")]
    sparse = write(tmp_path / "sift", "sparse_to_sparse")
    assert opened([*dense, sparse], ["sift_pnp", "nre"]) == [
        ("sift_pnp", "sift"),
        ("nre", "hundred"),
        ("nre", "twenty"),
    ]


def test_without_methods_each_map_takes_its_own(tmp_path):
    maps = [write(tmp_path / kind, kind) for kind in ("sparse_to_dense", "sparse_to_sparse")]
    assert opened(maps, None) == [(None, "sparse_to_dense"), (None, "sparse_to_sparse")]


def test_a_method_without_a_map_is_refused(tmp_path):
    dense = write(tmp_path / "dense", "sparse_to_dense")
    with pytest.raises(ConfigurationError, match="map build --method sift_pnp"):
        opened([dense], ["nre", "sift_pnp"])


def test_unknown_methods_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="unknown method 'teleport'"):
        opened([write(tmp_path / "dense", "sparse_to_dense")], ["teleport"])


def test_poses_count_whether_they_are_published_or_not():
    (query,) = frames(1)
    for metres, status in ((0.01, Status.LOCALIZED), (0.2, Status.LOCALIZED)):
        trial = best_poses(system("nre", [metres]).localizer)
        (localization,) = trial.localize(query.load_image(), query)
        assert localization.status is status
        assert localization.T_map_camera[0, 3] == metres
    (lost,) = best_poses(system("nre", [None]).localizer).localize(query.load_image(), query)
    assert lost.T_map_camera is None
