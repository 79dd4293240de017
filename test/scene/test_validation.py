"""Differences of feature signatures in words."""

from __future__ import annotations

import pytest

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.features.extractor import LevelSignature
from dense_reloc_ros.scene.validation import check_signature


def test_the_same_signature_fits(scene_map):
    check_signature(scene_map, scene_map.information.signature.model_copy())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"method": "sift_pnp"}, "made for method 'nre', not 'sift_pnp'"),
        ({"network": "s2dhm"}, "those of 'net', not of 's2dhm'"),
        ({"weights_sha256": "cd" * 32}, "other weights of 'net' (sha256 abababababab…, not cdcd"),
        ({"levels": {}}, "levels ['coarse', 'fine'], not []"),
        (
            {
                "levels": {
                    "coarse": LevelSignature(stride=16, channels=8),
                    "fine": LevelSignature(stride=8, channels=6),
                }
            },
            "level 'fine' has stride 4 and 6 channels, not stride 8 and 6 channels",
        ),
    ],
)
def test_the_first_difference_is_named(scene_map, changes, reason):
    signature = scene_map.information.signature.model_copy(update=changes)
    with pytest.raises(MapError) as caught:
        check_signature(scene_map, signature)
    assert reason in str(caught.value)
    assert "build it anew" in str(caught.value)
