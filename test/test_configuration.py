"""Parameters from plain values and from YAML files."""

from __future__ import annotations

import pytest
from fuzzing import mangled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from dense_reloc_ros.configuration import (
    LocalizerConfiguration,
    block_from_mapping,
    load_configuration,
    with_settings,
)
from dense_reloc_ros.errors import ConfigurationError


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


def test_misspelt_names_are_answered_with_the_nearest_right_one(tmp_path):
    with pytest.raises(ConfigurationError, match=r"'retrieval.candidats'.*'retrieval.candidates'"):
        block_from_mapping(LocalizerConfiguration, {"retrieval": {"candidats": 3}})
    path = tmp_path / "parameters.yaml"
    path.write_text("retreival: {keyframes: 3}\nkeyframes: 3")
    with pytest.raises(ConfigurationError, match=r"'retreival': .* did you mean 'retrieval'"):
        load_configuration(path)
    path.write_text("candidates: 3")
    with pytest.raises(ConfigurationError, match=r"did you mean 'retrieval\.candidates'"):
        load_configuration(path)


def test_single_values_are_set_over_others():
    base = block_from_mapping(LocalizerConfiguration, {"nre": {"samples": 77}})
    changed = with_settings(
        base, ["retrieval.keyframes=3", "verification.largest_error_m = 0.5", "dsm.weights=a.pt"]
    )
    assert (changed.retrieval.keyframes, changed.verification.largest_error_m) == (3, 0.5)
    assert (changed.nre.samples, changed.dsm.weights) == (77, "a.pt")
    assert with_settings(base, []) == base


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("retrieval.candidats=3", "did you mean 'retrieval.candidates'?"),
        ("retreival.candidates=3", "did you mean 'retrieval.candidates'?"),
        ("candidates=3", "did you mean 'retrieval.candidates'?"),
        ("retrieval.keyframes", "is not NAME=VALUE"),
        ("=3", "is not NAME=VALUE"),
        ("retrieval.keyframes=many", "valid integer"),
        ("retrieval.keyframes=[", "not YAML"),
        ("retrieval.keyframes.x=3", "none of this name"),
        ("retrieval=3", "there is none of this name"),
    ],
)
def test_settings_that_make_no_sense_are_named(setting, reason):
    with pytest.raises(ConfigurationError) as caught:
        with_settings(LocalizerConfiguration(), [setting])
    assert reason in str(caught.value) and "\n" not in str(caught.value)


@given(st.one_of(st.binary(max_size=120), mangled("nre: {samples: 77}\nretrieval: {keyframes: 3}")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_a_configuration_or_one_line(tmp_path, content):
    path = tmp_path / "fuzzed.yaml"
    path.write_bytes(content)
    try:
        assert load_configuration(path).nre.samples > 0
    except ConfigurationError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


def test_nothing_in_a_file_is_executed_and_nothing_endless_read(tmp_path):
    path, witness = tmp_path / "parameters.yaml", tmp_path / "witness"
    for content in (
        f"nre: !!python/object/apply:os.system ['touch {witness}']",
        "[" * 5000,
        "a: &a [x]\nb: 2024-13-45",
    ):
        path.write_text(content)
        with pytest.raises(ConfigurationError):
            load_configuration(path)
    assert not witness.exists()
