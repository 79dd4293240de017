import numpy as np

from dense_reloc_ros.bounded_memory import BoundedMemory

HALF_MEGABYTE = 2**19


def test_values_are_made_once_and_forgotten_longest_unused_first():
    made = []

    def make(key: int) -> np.ndarray:
        made.append(key)
        return np.full(HALF_MEGABYTE, key, dtype=np.uint8)

    memory: BoundedMemory[np.ndarray] = BoundedMemory(1, lambda value: value.nbytes)
    # Two fit: 1 is used again before 3 comes, so that 2 has to go.
    values = [memory.get(key, lambda key=key: make(key)) for key in (1, 2, 1, 3, 1, 2)]
    assert [int(value[0]) for value in values] == [1, 2, 1, 3, 1, 2]
    assert made == [1, 2, 3, 2]


def test_a_value_larger_than_the_memory_is_still_given():
    memory: BoundedMemory[np.ndarray] = BoundedMemory(1, lambda value: value.nbytes)
    large = memory.get(0, lambda: np.ones(3 * 2**20, dtype=np.uint8))
    assert memory.get(0, lambda: np.zeros(1, dtype=np.uint8)) is large
