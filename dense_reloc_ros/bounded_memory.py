"""What is read again and again, kept up to an amount of memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedMemory(Generic[Value]):
    """Values by key; those not used for longest are forgotten above `megabytes`."""

    def __init__(self, megabytes: int, size: Callable[[Value], int]) -> None:
        self._limit, self._size = megabytes * 2**20, size
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made where it is not remembered."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = make()
        self._values[key] = value
        self._bytes += self._size(value)
        while self._bytes > self._limit and len(self._values) > 1:
            self._bytes -= self._size(self._values.popitem(last=False)[1])
        return value
