"""Batches by their number, prepared ahead by other processes and in the same order always."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import count
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.training.examples import Example
from dense_reloc_ros.training.interruption import ignore_interruption

NUMBERS_OF_A_SEED = 1 << 32
"""More pairs than a run can see: those of two seeds have no number in common."""
LARGEST_SEED = 4095
_VALIDATION_START = NUMBERS_OF_A_SEED * (LARGEST_SEED + 1)
"""Beyond the numbers of all seeds: generated pairs are never trained and validated on."""


class Source(Protocol):
    """Endless examples, each a function of its number alone: what makes runs repeat and resume.

    Those of features are pairs (`TrainingPair`), of DSM `SceneQuery`, of DeViLoc `DepthPixels`.
    """

    def pair(self, number: int) -> Example:
        """The example of a number from 0 up, always the same for the same number."""
        ...


def training_numbers(seed: int, batch: int, size: int) -> list[int]:
    """The pairs of a batch from 0 up: a function of nothing else, so that runs resume exactly."""
    first = seed * NUMBERS_OF_A_SEED + batch * size
    return list(range(first, first + size))


def training_batches(
    source: Source, seed: int, first: int, size: int, workers: int
) -> Generator[tuple[list[int], Any], None, None]:
    """Batches without end from batch `first` on, each with the numbers of its pairs.

    Raises:
        RelocError: what the source raises, from a worker too.
    """
    numbers = (training_numbers(seed, batch, size) for batch in count(first))
    yield from _load(source, numbers, workers)


def validation_batches(source: Source, pairs: int, size: int, workers: int) -> Iterator[Any]:
    """The same pairs in every call and run, `size` at a time."""
    last = _VALIDATION_START + pairs
    starts = range(_VALIDATION_START, last, size)
    numbers = (list(range(start, min(start + size, last))) for start in starts)
    for _, batch in _load(source, numbers, workers):
        yield batch


class _Batches(Dataset["tuple[list[int], Any]"]):
    """Batches by the numbers of their pairs."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getitem__(self, numbers: Sequence[int]) -> tuple[list[int], Any]:
        try:
            pairs = [self._source.pair(number) for number in numbers]
        except RelocError as error:
            # Raised through a worker, its message would become a page of traceback.
            return list(numbers), error
        return list(numbers), Example.batch(pairs)


def _load(
    source: Source, numbers: Iterator[list[int]], workers: int
) -> Iterator[tuple[list[int], Any]]:
    loader = DataLoader(
        _Batches(source),
        sampler=numbers,
        batch_size=None,
        num_workers=workers,
        worker_init_fn=ignore_interruption,
        # Without its own it would draw a seed from the generator that dropout uses.
        generator=torch.Generator(),
    )
    for batch_numbers, batch in loader:
        if isinstance(batch, RelocError):
            raise batch
        yield batch_numbers, batch
