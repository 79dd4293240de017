"""Safetensors files that are read by rows: nothing is memory-mapped.

A memory-mapped file ends the process (SIGBUS) when somebody else cuts it short. Here what is asked
for is copied into memory, and a file that was changed since it was opened is an error.
"""

from __future__ import annotations

import json
import math
import os
import weakref
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.errors import MapError

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
LARGEST_HEADER = 100_000_000
"""Bytes, as in safetensors."""
MERGED_BYTES = 32 * 1024
"""Rows nearer to each other than this are read at once: a copy is cheaper than a call."""


class Rows(Protocol):
    """A tensor (N, ...), in memory or in a file, that is taken by rows."""

    @property
    def shape(self) -> torch.Size: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Tensor | slice, /) -> Tensor: ...


class TensorFile:
    """An open safetensors file; it stays the same file when another one takes its place.

    Raises:
        MapError: a file that is missing or damaged; does not name it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            raise MapError("no such file" if missing else str(error.strerror)) from None
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._state = self._present_state()
        self._begin = 0
        self.metadata: dict[str, str] = {}
        self._entries = self._read_header()

    @property
    def names(self) -> list[str]:
        """Of the tensors in it."""
        return list(self._entries)

    def tensor(self, name: str) -> Tensor:
        """A tensor as a whole, in memory."""
        rows = self.rows(name)
        return rows[:] if rows.shape else rows.scalar()

    def rows(self, name: str) -> FileRows:
        """A tensor that stays in the file, to be taken by rows."""
        dtype, shape, begin = self._entries[name]
        return FileRows(self, dtype, shape, begin)

    def read(self, begin: int, count: int) -> NDArray[np.uint8]:
        """Bytes from the data of the file.

        Raises:
            MapError: the file was changed since it was opened; names it.
        """
        content, done = bytearray(count), 0
        try:
            while done < count:
                rest, place = memoryview(content)[done:], self._begin + begin + done
                got = os.preadv(self._descriptor, [rest], place)
                if got == 0:
                    break
                done += got
        except OSError as error:
            raise MapError(f"{self.path}: cannot be read ({error.strerror})") from None
        if done < count or self._present_state() != self._state:
            raise MapError(f"{self.path}: was changed while the map was open; load the map again")
        return np.frombuffer(content, dtype=np.uint8)

    def _present_state(self) -> tuple[int, int]:
        """What changes when somebody writes to the file."""
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns

    def _read_header(self) -> dict[str, tuple[torch.dtype, torch.Size, int]]:
        size = self._state[0]
        try:
            length = int.from_bytes(self.read(0, 8).tobytes(), "little")
            if not 2 <= length <= min(size - 8, LARGEST_HEADER):
                raise MapError("its header does not fit into it")
            header = json.loads(self.read(8, length).tobytes())
            self.metadata = {str(k): str(v) for k, v in header.pop("__metadata__", {}).items()}
            entries, end = {}, 0
            for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
                dtype, shape = DTYPES[entry["dtype"]], torch.Size(entry["shape"])
                begin, after = entry["data_offsets"]
                if min(shape, default=0) < 0 or begin != end:
                    raise MapError(f"'{name}' is not where it should be")
                end = begin + math.prod(shape) * dtype.itemsize
                if after != end:
                    raise MapError(f"'{name}' has another size than its shape")
                entries[name] = (dtype, shape, begin)
            if 8 + length + end != size:
                raise MapError(f"{size} bytes instead of {8 + length + end}")
        except MapError as error:
            raise MapError(f"truncated or altered ({error})") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RuntimeError):
            raise MapError("truncated or altered (its header cannot be read)") from None
        self._begin = 8 + length
        return entries


class FileRows:
    """A tensor (N, ...) in a file; rows are copied into memory when they are asked for."""

    def __init__(self, file: TensorFile, dtype: torch.dtype, shape: torch.Size, begin: int) -> None:
        self.dtype = dtype
        self.shape = shape
        self._file = file
        self._begin = begin
        self._row_bytes = math.prod(shape[1:]) * dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """The rows of a slice, or those (M,) of some indices.

        Raises:
            MapError: the file was changed since it was opened; names it.
        """
        if isinstance(rows, slice):
            begin, end, step = rows.indices(len(self))
            return self._shaped(self._block(begin, max(begin, end)))[::step]
        wanted, positions = np.unique(rows.cpu().numpy(), return_inverse=True)
        apart = np.flatnonzero(np.diff(wanted) * self._row_bytes > MERGED_BYTES) + 1
        blocks = [
            self._block(int(part[0]), int(part[-1]) + 1)[part - part[0]]
            for part in np.split(wanted, apart)
            if len(part)
        ]
        taken = np.concatenate(blocks) if blocks else np.empty((0, self._row_bytes), np.uint8)
        return self._shaped(taken[positions])

    def scalar(self) -> Tensor:
        """The value of a tensor without dimensions."""
        content = self._file.read(self._begin, self.dtype.itemsize)
        return torch.from_numpy(content).view(self.dtype).reshape(())

    def _block(self, begin: int, end: int) -> NDArray[np.uint8]:
        """The bytes (rows, bytes of a row) of consecutive rows."""
        first, count = self._begin + begin * self._row_bytes, (end - begin) * self._row_bytes
        return self._file.read(first, count).reshape(end - begin, self._row_bytes)

    def _shaped(self, content: NDArray[np.uint8]) -> Tensor:
        rows = torch.from_numpy(content)
        if not rows.numel():
            return torch.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        return rows.view(self.dtype).reshape(len(rows), *self.shape[1:])
