"""Weights of networks in files: this project's own, and those that others have published."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.checkpoint_format import CheckpointFormat, State
from dense_reloc_ros.features.network import TrainableNetwork

FOLDER_FILES = ("coarse.pth", "fine.pth")
"""Of a folder with one file for each level; their tensors are told apart by a prefix."""
WRAPPER = "state_dict"
"""Under which training programs keep the tensors, beside other things."""
COUNTER = "num_batches_tracked"
"""Of batch norms: older files do not have it, and nothing here depends on it."""


@dataclass(frozen=True)
class LoadedWeights:
    """What a network got from a file."""

    sha256: str
    is_trained: bool
    """Whether they are all the network's; else its trunk alone has weights, from another task."""


@dataclass(frozen=True)
class _File:
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, object]


def load_weights(network: TrainableNetwork, path: Path) -> LoadedWeights:
    """Gives a network the weights in a file (or in a folder with `coarse.pth` and `fine.pth`).

    Reads safetensors as `dense-reloc train` exports them, and with `torch.load`, tensors only, what
    others have published for this network: see its `checkpoint_formats`.

    Raises:
        ConfigurationError: the file cannot be read, or its tensors are not all those of this
            network: names the first that is missing, unexpected or of another shape.
    """
    path = path.expanduser()
    file, sha256 = _read_folder(path) if path.is_dir() else _read(path)
    own = CheckpointFormat(network.name, {key: key for key in network.state_dict()})
    kind = max(
        (own, *network.checkpoint_formats),
        key=lambda one: (
            file.metadata.get("network") == one.name,
            len(file.tensors.keys() & one.keys.values()),
        ),
    )
    try:
        _check_metadata(file, kind)
        _check_names(file.tensors.keys(), kind)
        state = kind.convert(
            {mine: file.tensors[name] for mine, name in kind.keys.items() if name in file.tensors}
        )
        _check_tensors(state, kind, network.state_dict())
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    network.load_state_dict(state, strict=False)
    return LoadedWeights(sha256, kind.is_trained)


def _read_folder(path: Path) -> tuple[_File, str]:
    tensors: dict[str, Tensor] = {}
    hashes = []
    for name in FOLDER_FILES:
        file, sha256 = _read(path / name)
        hashes.append(sha256)
        tensors |= {f"{Path(name).stem}.{key}": value for key, value in file.tensors.items()}
    return _File(tensors, {}), hashlib.sha256("".join(hashes).encode()).hexdigest()


def _read(path: Path) -> tuple[_File, str]:
    """The tensors in a file, on the CPU, and its sha256."""
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path), sha256
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpicklers raise anything when they are given any bytes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(
            f"{path}: not a file of weights, or damaged, or with more in it than tensors ({reason})"
        ) from None
    metadata: dict[str, object] = {}
    if isinstance(content, Mapping) and WRAPPER in content:
        metadata = {key: value for key, value in content.items() if key != WRAPPER}
        content = content[WRAPPER]
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise ConfigurationError(f"{path}: not tensors by name, as weights of a network are")
    return _File(content, metadata), sha256


def _read_safetensors(path: Path) -> _File:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _File(tensors, file.metadata() or {})


def _check_metadata(file: _File, kind: CheckpointFormat) -> None:
    expected = {"network": kind.name, **kind.metadata}
    for name, value in expected.items():
        if name in file.metadata and file.metadata[name] != value:
            raise ConfigurationError(
                f"its {name.replace('_', ' ')}: {file.metadata[name]}, expected {value}"
            )


def _check_names(names: Collection[str], kind: CheckpointFormat) -> None:
    wanted = list(dict.fromkeys(kind.keys.values()))
    missing = [name for name in wanted if name not in names and not name.endswith(COUNTER)]
    unexpected = sorted(
        name for name in set(names) - set(wanted) if not name.startswith(kind.ignored)
    )
    parts = [
        f"{label} '{first}'" + (f" and {len(found) - 1} more" if len(found) > 1 else "")
        for label, found in (("missing", missing), ("unexpected", unexpected))
        for first in found[:1]
    ]
    if parts:
        raise ConfigurationError(f"these are not the weights of {kind.name}: {', '.join(parts)}")


def _check_tensors(state: State, kind: CheckpointFormat, wanted: State) -> None:
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise ConfigurationError(
                f"these are not the weights of {kind.name}: '{kind.keys[name]}' is "
                f"{tuple(tensor.shape)}, expected {tuple(wanted[name].shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise ConfigurationError(f"'{kind.keys[name]}' has values that are not finite")
