"""Values from YAML and NAME=VALUE: taken, or refused by name."""

from __future__ import annotations

import pytest
from fuzzing import mangled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dense_reloc_ros.configuration import LocalizerConfiguration, load_configuration
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.parameter_blocks import block_from_mapping, with_settings


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
