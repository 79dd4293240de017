"""Checkpoints of a training run: the last, to go on from, and the best, to use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from dense_reloc_ros.errors import InputError, TrainingError

FORMAT = 1


class Checkpoints:
    """`last.pt` and `best.pt` in a folder, each either whole or as it was before.

    They hold tensors and plain values only and are read as such: a file from a stranger cannot
    run code.
    """

    def __init__(self, folder: Path) -> None:
        self.last = folder / "last.pt"
        self.best = folder / "best.pt"

    def save_last(self, state: dict[str, Any]) -> None:
        """Replaces the last checkpoint.

        Raises:
            TrainingError: it cannot be written; the one before is still there.
        """
        _write(self.last, state)

    def save_best(self, state: dict[str, Any]) -> None:
        """Replaces the best checkpoint.

        Raises:
            TrainingError: it cannot be written; the one before is still there.
        """
        _write(self.best, state)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What was saved, on the CPU.

    Raises:
        InputError: there is no such file, or it is not a checkpoint of this version.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # What a damaged pickle raises is anything.
    except Exception as error:
        raise InputError(f"{path}: not a readable checkpoint ({_first_line(error)})") from None
    if not isinstance(state, dict) or "format" not in state:
        raise InputError(f"{path}: not a checkpoint of `dense-reloc train`")
    if state["format"] != FORMAT:
        raise InputError(f"{path}: of format {state['format']}, this version reads {FORMAT}")
    return state


def _write(path: Path, state: dict[str, Any]) -> None:
    temporary = path.with_suffix(".writing")
    try:
        with temporary.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    # torch.save makes a RuntimeError of a disk that is full.
    except (OSError, RuntimeError) as error:
        raise TrainingError(f"{path}: cannot be written ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
