"""Parameters from plain values and from YAML files."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from dense_reloc_ros.configuration import LocalizerConfiguration, load_configuration
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.parameter_blocks import block_from_mapping


def test_nothing_given_means_the_defaults(tmp_path):
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing\n")
    assert block_from_mapping(LocalizerConfiguration, {}) == LocalizerConfiguration()
    assert load_configuration(empty) == LocalizerConfiguration()


def test_given_values_are_taken_and_the_others_stay(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("nre:\n  samples: 77\nverification: {score_threshold: 0.25}\n")
    changed = load_configuration(path)
    assert changed.nre.samples == 77
    assert changed.verification.score_threshold == 0.25
    default = LocalizerConfiguration()
    assert changed.nre.model_copy(update={"samples": default.nre.samples}) == default.nre
    assert changed.retrieval == default.retrieval


def test_a_configuration_survives_being_written_down():
    changed = block_from_mapping(
        LocalizerConfiguration, {"retrieval": {"descriptor": "gem", "keyframes": 3}}
    )
    assert block_from_mapping(LocalizerConfiguration, changed.model_dump()) == changed


def test_configurations_do_not_change():
    with pytest.raises(ValidationError):
        LocalizerConfiguration().nre.samples = 3


@pytest.mark.parametrize(
    ("values", "name", "reason"),
    [
        ({"nre": {"sampels": 3}}, "nre.sampels", "not permitted"),
        ({"nre": {"samples": 0}}, "nre.samples", "greater than or equal to 1"),
        ({"nre": {"samples": "many"}}, "nre.samples", "valid integer"),
        ({"nre": 3}, "nre", "dictionary"),
        ({"retrieval": {"descriptor": "bow"}}, "retrieval.descriptor", "'vlad' or 'gem'"),
        ({"verification": {"score_threshold": 1.5}}, "verification.score_threshold", "less than"),
        ({"nre": {"last_sigma": 0}}, "nre.last_sigma", "greater than 0"),
    ],
)
def test_wrong_values_are_named(values, name, reason):
    with pytest.raises(ConfigurationError, match=f"parameter '{name}': .*{reason}"):
        block_from_mapping(LocalizerConfiguration, values)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"nre: {samples: -1}", "parameter 'nre.samples'"),
        (b"nre: [", "not YAML"),
        (b"- 1\n- 2\n", "dictionary"),
        (b"\xff\xfe\x00\x81", "not YAML"),
    ],
)
def test_files_that_are_not_valid_are_named_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        load_configuration(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent\.yaml.*No such file"):
        load_configuration(tmp_path / "absent.yaml")


def test_every_parameter_is_described_and_bounded():
    """The node declares them as ROS parameters, for people who set them by name."""
    for block_name, block in LocalizerConfiguration.model_fields.items():
        assert issubclass(block.annotation, BaseModel), block_name
        for name, field in block.annotation.model_fields.items():
            assert field.description, f"{block_name}.{name}"
            if field.annotation in (int, float):
                bounds = [bound for bound in field.metadata if hasattr(bound, "le")]
                assert bounds, f"{block_name}.{name}"


def test_parameters_that_each_are_legal_may_be_too_much_together():
    """Each may be six times its default; the window counts by its square."""
    block_from_mapping(LocalizerConfiguration, {"nre": {"window": 29}})
    with pytest.raises(ConfigurationError) as caught:
        block_from_mapping(LocalizerConfiguration, {"nre": {"window": 30}})
    assert str(caught.value) == (
        "nre.refined_fine, nre.window, matching.points, retrieval.clusters together give a frame "
        "6.2 times the work of the defaults, at most 6 times are allowed: lower one of them"
    )
    more = {"nre": {"window": 30, "refined_fine": 2}}
    assert block_from_mapping(LocalizerConfiguration, more).nre.window == 30
