"""Opens a map folder: validated, its tensors memory-mapped, so that opening costs little."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dense_reloc_ros.errors import InputError, MapError
from dense_reloc_ros.scene.layout import (
    INFORMATION_FILE,
    TENSOR_FILE,
    assemble,
    content_revision,
)
from dense_reloc_ros.scene.scene_map import FORMAT_VERSION, MapInformation, SceneMap
from dense_reloc_ros.scene.validation import check_tensors


def load_map(path: Path, verify_content: bool = False) -> SceneMap:
    """Opens the map in a folder.

    Sizes, types, indices, poses and points are always checked. Changed bytes elsewhere (in
    descriptors, say) show only with `verify_content`, which reads the whole file once.

    Raises:
        MapError: says which file is wrong and why.
    """
    information = read_information(path)
    tensor_file = path / TENSOR_FILE
    try:
        tensors = _open_tensors(tensor_file)
        check_tensors(information, tensors)
        if verify_content and (found := content_revision(tensor_file)) != information.revision:
            raise MapError(
                f"altered: its revision is {found}, but map.json says {information.revision}"
            )
        return assemble(information, tensors)
    except (MapError, InputError) as error:
        raise MapError(f"{tensor_file}: {error}") from None


def read_information(path: Path) -> MapInformation:
    """The content of a map's `map.json`.

    Raises:
        MapError: no such folder, no map in it, another format version, or altered content.
    """
    file = path / INFORMATION_FILE
    if not path.is_dir():
        raise MapError(f"{path}: {'not a folder' if path.exists() else 'no such map'}")
    if not file.is_file():
        raise MapError(f"{path}: not a map, {INFORMATION_FILE} is missing")
    try:
        text = file.read_text(encoding="utf-8")
        version = json.loads(text)["format_version"]
        if version != FORMAT_VERSION:
            raise MapError(
                f"{file}: format version {version}, but this software reads {FORMAT_VERSION}; "
                "build the map anew"
            )
        return MapInformation.model_validate_json(text)
    except OSError as error:
        raise MapError(f"{file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise MapError(f"{file}: {name}: {first['msg']}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MapError(f"{file}: not the description of a map") from None


def _open_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors by name, memory-mapped: pages are read when they are used."""
    try:
        with safe_open(file, framework="pt", device="cpu") as content:
            return {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except OSError as error:
        raise MapError(error.strerror or "no such file") from None
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise MapError(f"truncated or altered ({' '.join(str(error).split())})") from None
