"""The registry of methods, and the features that they name."""

from __future__ import annotations

import pytest
import torch

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.methods import DEFAULT_METHOD, METHODS, create_extractor, find_method

CPU = torch.device("cpu")


def test_every_method_is_found_by_its_name():
    assert set(METHODS) >= {"nre", "re", "re_smoothed", "sift_pnp"}
    for name, method in METHODS.items():
        assert find_method(name) is method
        assert method.name == name
        assert method.description
    assert DEFAULT_METHOD == "nre"


def test_unknown_methods_are_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"unknown method 'orb'.*nre, re.*sift_pnp"):
        find_method("orb")


def test_the_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        METHODS["orb"] = METHODS["nre"]


def test_the_default_network_is_there_out_of_the_box():
    extractor = create_extractor(find_method(DEFAULT_METHOD).network, CPU)
    assert extractor.device == CPU
    assert extractor.signature.method == find_method(DEFAULT_METHOD).kind
    assert extractor.signature.network == find_method(DEFAULT_METHOD).network
    assert set(extractor.signature.levels) == {"coarse", "fine"}


def test_unknown_networks_are_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"unknown network 'alexnet'.*effnet_lite0"):
        create_extractor("alexnet", CPU)
