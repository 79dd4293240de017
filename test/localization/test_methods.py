"""Methods by name."""

from __future__ import annotations

import pytest
import torch

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.features.root_sift import SIGNATURE
from dense_reloc_ros.localization.methods import (
    DEFAULT_METHOD,
    METHODS,
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
