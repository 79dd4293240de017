from __future__ import annotations

from pathlib import Path

import pytest

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.training.training_configuration import (
    PLACEHOLDER,
    TrainingConfiguration,
    load_training_configuration,
)

SHIPPED = sorted((Path(__file__).parents[2] / "config/training").glob("*.yaml"))
MINIMAL = """
network: compact
image_size: [64, 96]
data: [{source: {kind: warps, folders: ["${PHOTOGRAPHS}/train"]}}]
losses: [{loss: {name: nre}}]
run: {steps: 10}
"""


def load(tmp_path: Path, text: str, **paths: str) -> TrainingConfiguration:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load_training_configuration(path, paths)


def test_placeholders_are_filled(tmp_path, monkeypatch):
    monkeypatch.setenv("PHOTOGRAPHS", "/from/environment")
    source = load(tmp_path, MINIMAL).data[0].source
    assert source.folders == (Path("/from/environment/train"),)
    source = load(tmp_path, MINIMAL, PHOTOGRAPHS="/given").data[0].source
    assert source.folders == (Path("/given/train"),)


def test_placeholders_for_nothing_are_an_error(tmp_path, monkeypatch):
    monkeypatch.delenv("PHOTOGRAPHS", raising=False)
    with pytest.raises(
        ConfigurationError,
        match=r"mine.yaml: \$\{PHOTOGRAPHS\} stands for nothing; give --path PHOTOGRAPHS=PATH",
    ):
        load(tmp_path, MINIMAL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("steps: 10", "steps: 0"), r"parameter 'run.steps': .*greater than or equal to 1"),
        (("steps: 10", "strides: 10"), r"parameter 'run.st"),
        (("kind: warps", "kind: dreams"), r"parameter 'data.0.source"),
        (("name: nre", "name: l2"), r"parameter 'losses.0.loss"),
        (("[64, 96]", "[64, 31]"), r"parameter 'image_size.1'"),
        (("network: compact", "schedule: {name: cosine, follow: time}\nnetwork: a"), "run.minutes"),
        (("network: compact", "network: [compact"), "not YAML"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    with pytest.raises(ConfigurationError, match=rf"mine.yaml: .*{message}") as caught:
        load(tmp_path, MINIMAL.replace(*change), PHOTOGRAPHS="/given")
    assert "\n" not in str(caught.value)


def test_missing_and_empty_files_are_errors(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none.yaml: No such file"):
        load_training_configuration(tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match=r"mine.yaml: "):
        load(tmp_path, "")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_configurations_that_ship_are_valid_and_name_no_machine(path):
    text = path.read_text()
    names = set(PLACEHOLDER.findall(text))
    configuration = load_training_configuration(path, dict.fromkeys(names, "/somewhere"))
    assert configuration.network
    assert "/home" not in text and "/work" not in text
