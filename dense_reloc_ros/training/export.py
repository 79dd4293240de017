"""Trained weights as files to ship, with all that says where they come from."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save
from torch import Tensor

from dense_reloc_ros.errors import TrainingError
from dense_reloc_ros.training.run_progress import CurvePoint, curve_as_csv


@dataclass(frozen=True)
class TrainedNetwork:
    """The outcome of a run."""

    network: str
    state: Mapping[str, Tensor]
    configuration: str
    """The text of its configuration file."""
    steps: int
    """That these weights have seen."""
    minutes: float
    device: str
    revision: str
    """Of the source code when the run began."""
    curve: Sequence[CurvePoint]
    validation: Mapping[str, float]
    """Of these weights; empty where there was none."""


def export(trained: TrainedNetwork, folder: Path, half: bool = False) -> Path:
    """Writes <network>.safetensors, .yaml, .csv and .json into a folder; returns the first.

    `half` stores convolutions and matrices in float16; vectors (biases, norms and their
    statistics), which are small, stay float32.

    Raises:
        TrainingError: weights that are not finite, also after they became float16, or a folder
            that cannot be written to.
    """
    tensors = {name: _stored(name, value, half) for name, value in trained.state.items()}
    content = save(tensors, {"network": trained.network})
    path = folder / f"{trained.network}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.with_suffix(".yaml").write_text(trained.configuration)
        path.with_suffix(".csv").write_text(curve_as_csv(trained.curve))
        path.with_suffix(".json").write_text(_description(trained, content) + "\n")
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be written to: {error}") from None
    return path


def _stored(name: str, value: Tensor, half: bool) -> Tensor:
    stored = value.detach().cpu().contiguous()
    if half and stored.dtype == torch.float32 and stored.ndim > 1:
        stored = stored.half()
    if not torch.isfinite(stored).all():
        raise TrainingError(f"{name}: not finite{' as float16' if half else ''}; nothing exported")
    return stored


def _description(trained: TrainedNetwork, content: bytes) -> str:
    description: dict[str, Any] = {
        "network": trained.network,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "parameters": sum(value.numel() for value in trained.state.values()),
        "steps": trained.steps,
        "minutes": round(trained.minutes, 1),
        "device": trained.device,
        "git_revision": trained.revision,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "validation": {name: round(value, 6) for name, value in trained.validation.items()},
        "data": yaml.safe_load(trained.configuration)["data"],
    }
    return json.dumps(description, indent=2)


def git_revision() -> str:
    """The revision of this source code, with -dirty where it was changed; unknown without git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        run = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run.stdout.strip()
