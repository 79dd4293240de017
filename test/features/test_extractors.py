"""Networks by name."""

from __future__ import annotations

import pytest
import torch

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractors import create_extractor

CPU = torch.device("cpu")


def test_unknown_networks_are_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match="unknown network 'magic'") as error:
        create_extractor("magic", CPU)
    assert all(name in str(error.value) for name in ("effnet_lite0", "s2dhm", "dense_sift"))


def test_dense_sift_is_a_network():
    assert create_extractor("dense_sift", CPU).signature.network == "dense_sift"
