"""VLAD against its definition in loops."""

from __future__ import annotations

import numpy as np
import torch

from dense_reloc_ros.features.vlad import train_vocabulary, vlad


def random(count: int, channels: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, generator=generator, dtype=torch.float64)


def test_it_is_the_sum_of_normalized_residuals_of_each_word():
    descriptors, vocabulary = random(200, 6, 0), random(5, 6, 1)
    words = [np.zeros(6) for _ in vocabulary]
    for descriptor in descriptors.numpy():
        distances = [np.linalg.norm(descriptor - word) for word in vocabulary.numpy()]
        nearest = int(np.argmin(distances))
        words[nearest] += descriptor - vocabulary[nearest].numpy()
    flat = np.concatenate([word / np.linalg.norm(word) for word in words])
    np.testing.assert_allclose(vlad(descriptors, vocabulary), flat / np.linalg.norm(flat))


def test_words_that_an_image_does_not_have_stay_empty():
    vocabulary = torch.tensor([[0.0, 0.0], [100.0, 100.0]])
    described = vlad(torch.tensor([[1.0, 0.0], [2.0, 0.0]]), vocabulary)
    torch.testing.assert_close(described, torch.tensor([1.0, 0.0, 0.0, 0.0]))
    assert not vlad(torch.empty(0, 2), vocabulary).any()


def test_the_vocabulary_finds_what_is_typical():
    centres = torch.tensor([[0.0, 0.0, 5.0], [5.0, 0.0, 0.0], [0.0, 5.0, 0.0]]).double()
    samples = centres.repeat_interleave(50, dim=0) + 0.1 * random(150, 3, 2)
    vocabulary = train_vocabulary(samples, 3)
    distances = torch.cdist(centres, vocabulary)
    assert (distances.amin(1) < 0.1).all()
    assert sorted(distances.argmin(1).tolist()) == [0, 1, 2]


def test_the_vocabulary_is_the_same_every_time_and_never_larger_than_the_samples():
    samples = random(40, 3, 3).float()
    torch.testing.assert_close(train_vocabulary(samples, 8), train_vocabulary(samples, 8))
    assert train_vocabulary(samples[:5], 8).shape == (5, 3)
    assert train_vocabulary(samples, 8).dtype == torch.float32
