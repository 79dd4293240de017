"""The lists of `bench papers`, and what they say about weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.evaluation.benchmarks.paper_list import (
    IMAGENET_PARAMETERS,
    PaperSystem,
    load_paper_scenes,
    load_systems,
    training_of,
)
from dense_reloc_ros.features.compact import Compact
from dense_reloc_ros.features.effnet_lite0 import COARSE_BLOCKS
from dense_reloc_ros.features.s2dnet_lite import S2dNetLite
from dense_reloc_ros.features.trunk import EfficientNetLite0Trunk

CONFIGURATION = Path(__file__).parents[3] / "config/bench"


def test_every_system_of_the_list_has_weights_that_ship():
    systems = load_systems(CONFIGURATION / "papers.yaml")
    assert len({system.name for system in systems}) == len(systems)
    for system in systems:
        training = training_of(system)
        assert (training.hours is None) == (not system.trained)


def test_parameters_are_those_of_the_networks():
    compact = training_of(PaperSystem(published="NRE", method="nre", trained=("compact",)))
    assert compact.parameters == sum(p.numel() for p in Compact().parameters())
    assert compact.hours == pytest.approx(70 / 60, abs=0.5)
    assert compact.data == "warps, colmap, rooms"
    trunk = EfficientNetLite0Trunk(depth=max(COARSE_BLOCKS) + 1)
    assert sum(p.numel() for p in trunk.parameters()) == IMAGENET_PARAMETERS
    hypercolumns = training_of(PaperSystem(published="S2DHM", method="s2dhm"))
    assert (hypercolumns.parameters, hypercolumns.hours) == (IMAGENET_PARAMETERS, None)
    assert training_of(PaperSystem(published="SIFT", method="sift_pnp")).parameters is None


def test_the_weights_of_several_runs_count_together():
    both = PaperSystem(published="", method="dsm_compact", trained=("compact", "dsm_compact"))
    alone = [
        training_of(PaperSystem(published="", method="dsm_compact", trained=(name,)))
        for name in both.trained
    ]
    together = training_of(both)
    assert together.hours == pytest.approx(sum(one.hours for one in alone))
    assert together.parameters == sum(one.parameters for one in alone)
    assert together.data == "warps, colmap, rooms, room_scenes"


def test_weights_that_another_network_began_with_count_as_its_training_alone():
    lite = PaperSystem(
        published="", method="s2dnet", trained=("s2dnet_lite",), begun_with=("compact",)
    )
    compact = training_of(PaperSystem(published="", method="nre", trained=("compact",)))
    alone = training_of(lite.model_copy(update={"begun_with": ()}))
    training = training_of(lite)
    # Statistics of batch norms count there as well.
    assert training.parameters == sum(value.numel() for value in S2dNetLite().state_dict().values())
    assert training.hours == pytest.approx(alone.hours + compact.hours)
    assert training.weights == "s2dnet_lite"


def test_what_is_not_there_is_named(tmp_path):
    path = CONFIGURATION / "papers.yaml"
    assert [s.method for s in load_systems(path, ["nre"])] == ["nre"]
    with pytest.raises(ConfigurationError, match=r"no system of method 'magic' \(known: sift_pnp"):
        load_systems(path, ["magic"])
    with pytest.raises(ConfigurationError, match="no scene 'moon'"):
        load_paper_scenes(CONFIGURATION / "papers_scenes.yaml", ["moon"])
    (tmp_path / "systems.yaml").write_text("systems: [{published: Magic, method: magic}]")
    with pytest.raises(ConfigurationError, match="unknown method 'magic'"):
        load_systems(tmp_path / "systems.yaml")
    with pytest.raises(ConfigurationError, match="does not describe weights"):
        training_of(PaperSystem(published="", method="nre", trained=("compact",)), tmp_path)
