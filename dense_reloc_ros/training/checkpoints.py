"""Checkpoints of a training run: the last, to go on from, and the best, to use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from dense_reloc_ros.errors import InputError, TrainingError

FORMAT = 1


class Checkpoints:
    """The files `last.pt` and `best.pt` in the folder of a run."""

    def __init__(self, folder: Path) -> None:
        self.last = folder / "last.pt"
        self.best = folder / "best.pt"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What was saved, on the CPU: tensors and plain values, so that no file can run code.

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


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Saves tensors and plain values to a file that is whole, or as it was before.

    Raises:
        TrainingError: it cannot be written; the one before is still there.
    """
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
