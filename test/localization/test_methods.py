"""Methods and networks by name."""

from __future__ import annotations

import pytest
import torch

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.root_sift import SIGNATURE
from dense_reloc_ros.localization.methods import (
    DEFAULT_METHOD,
    METHODS,
    create_extractor,
    find_method,
)

CPU = torch.device("cpu")


def test_methods_are_found_by_their_names():
    assert DEFAULT_METHOD in METHODS
    for name in METHODS:
        assert find_method(name).name == name
    with pytest.raises(ConfigurationError, match="unknown method 'magic'") as error:
        find_method("magic")
    assert all(name in str(error.value) for name in METHODS)


def test_the_networks_of_all_methods_exist():
    for method in METHODS.values():
        if method.kind == "sparse_to_sparse":
            assert method.network == SIGNATURE.network
        else:
            signature = create_extractor(method.network, CPU).signature
            assert (signature.network, signature.method) == (method.network, method.kind)


def test_unknown_networks_are_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match="unknown network 'magic'") as error:
        create_extractor("magic", CPU)
    assert all(name in str(error.value) for name in ("effnet_lite0", "s2dhm", "dense_sift"))


def test_dense_sift_is_a_network():
    assert create_extractor("dense_sift", CPU).signature.network == "dense_sift"
