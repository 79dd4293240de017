"""What RootSIFT gives a keyframe."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scene.wall import wall_frame

from dense_reloc_ros.features.root_sift import LEVEL, detect_root_sift
from dense_reloc_ros.features.vlad import vlad
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.describing import Vocabulary
from dense_reloc_ros.mapping.sparse_describer import RootSiftDescriber
from dense_reloc_ros.scene.validation import check_signature

IMAGE = wall_frame(0, (0.0, 0.0, 0.0)).load_image()


@pytest.fixture
def vocabulary() -> Vocabulary:
    return RootSiftDescriber().train_vocabulary([IMAGE, IMAGE[::-1]])


def test_keypoints_are_taken_where_they_may(vocabulary):
    usable = np.zeros(IMAGE.shape[:2], bool)
    usable[:, 80:] = True
    description = RootSiftDescriber().describe(IMAGE, usable, vocabulary)
    everything = detect_root_sift(IMAGE)
    expected = everything.pixels[np.rint(everything.pixels[:, 0]) >= 80]
    assert 20 < len(expected) < len(everything.pixels)
    np.testing.assert_array_equal(description.pixels, expected)
    chosen = torch.from_numpy(np.rint(everything.pixels[:, 0]) >= 80)
    torch.testing.assert_close(description.descriptors[LEVEL], everything.descriptors[chosen])
    # Retrieval looks at the whole image.
    whole = vlad(everything.descriptors, vocabulary["vlad"])
    torch.testing.assert_close(description.retrieval["vlad"], whole)


def test_known_points_take_the_keypoint_next_to_them(vocabulary):
    features = detect_root_sift(IMAGE)
    places, first = np.unique(features.pixels, axis=0, return_index=True)
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(apart, np.inf)
    lonely = first[apart.min(1) > 6][:5]
    assert len(lonely) == 5
    shift = np.array([[0.3, 0.0], [0.0, -1.0], [1.9, 0.0], [0.0, 2.2], [0.0, 0.0]], np.float32)
    known = features.pixels[lonely] + shift
    # A second known point near the last keypoint, further away than the first one.
    known = np.vstack([known, features.pixels[lonely[4]] + np.float32([1.0, 0.0])])
    described, description = RootSiftDescriber().describe_at(IMAGE, known, vocabulary)
    # The fourth is too far from its keypoint, the sixth finds its keypoint taken, unless that
    # keypoint has a second orientation.
    assert [i for i in described.tolist() if i != 5] == [0, 1, 2, 4]
    np.testing.assert_array_equal(description.pixels, known[described])
    similarity = description.descriptors[LEVEL] @ features.descriptors.T
    nearest = features.pixels[similarity.argmax(1)]
    assert (np.linalg.norm(nearest - description.pixels, axis=1) <= 2.0).all()


def test_an_image_without_anything_has_nothing(vocabulary):
    flat = np.full((120, 160, 3), 90, np.uint8)
    known = np.array([[20.0, 20.0]], np.float32)
    described, description = RootSiftDescriber().describe_at(flat, known, vocabulary)
    assert len(described) == len(description.pixels) == 0
    usable = np.ones((120, 160), bool)
    assert len(RootSiftDescriber().describe(flat, usable, vocabulary).pixels) == 0


def test_the_map_says_what_it_is_made_of():
    frames = [wall_frame(k, (0.3 * k, 0.0, 0.0)) for k in range(2)]
    scene_map = build_from_depth(frames, RootSiftDescriber())
    check_signature(scene_map, RootSiftDescriber().signature)
    assert scene_map.information.signature.method == "sparse_to_sparse"
    assert scene_map.retrieval["vlad"].shape[0] == 2
