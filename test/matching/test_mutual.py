"""Mutual nearest neighbours against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matching.random_levels import random_descriptors

from dense_reloc_ros.matching.mutual import mutual_matches


@pytest.mark.parametrize("ratio", [0.6, 0.8, 1.0])
def test_pairs_prefer_each_other_clearly(ratio):
    reference = random_descriptors(60, seed=1)
    shown = reference[torch.arange(0, 60, 2)] + 0.15 * random_descriptors(30, seed=2)
    query = torch.nn.functional.normalize(torch.cat([shown, random_descriptors(20, seed=3)]), dim=1)
    distances = np.linalg.norm(query[:, None].numpy() - reference[None].numpy(), axis=-1)
    expected = []
    for one, row in enumerate(distances):
        other = int(row.argmin())
        first, second = np.sort(row)[:2]
        if distances[:, other].argmin() == one and first < ratio * second:
            expected.append([one, other])
    found = mutual_matches(query, reference, ratio)
    assert found.tolist() == expected
    assert len(expected) > 5


def test_images_without_descriptors_have_no_matches():
    some, none = random_descriptors(5), torch.empty(0, 6)
    for query, reference in ((some, none), (none, some), (none, none)):
        assert mutual_matches(query, reference, 0.8).shape == (0, 2)


def test_a_single_descriptor_has_no_second_choice():
    assert mutual_matches(random_descriptors(5), random_descriptors(1), 0.8).shape == (1, 2)
