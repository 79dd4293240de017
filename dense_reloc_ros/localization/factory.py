"""Makes the localizer of a method."""

from __future__ import annotations

from pathlib import Path

import torch

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.devices import find_device
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.methods import DEFAULT_METHOD, find_method
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import SceneMap


def open_localizer(
    map_path: Path,
    configuration: LocalizerConfiguration,
    method: str | None = None,
    device: str = "auto",
) -> Localizer:
    """Reads a map folder and makes the localizer for it.

    `method` None is the one the map was made for; `device` is auto, cpu, cuda or cuda:N.

    Raises:
        MapError: a map that cannot be used, or not with this method.
        ConfigurationError: an unknown method or a device that is not there.
    """
    scene_map = load_map(map_path)
    return localizer_for(scene_map, configuration, method, find_device(device))


def localizer_for(
    scene_map: SceneMap,
    configuration: LocalizerConfiguration,
    method: str | None,
    device: torch.device,
) -> Localizer:
    """The localizer of a method (by default the one the map was made for) on a loaded map.

    Raises:
        MapError: the map's features are not those of the method.
        ConfigurationError: an unknown method, or one that the map is not made for.
    """
    kind = scene_map.information.signature.method
    name = method or ("sift_pnp" if kind == "sparse_to_sparse" else DEFAULT_METHOD)
    chosen = find_method(name)
    if chosen.kind != kind:
        raise ConfigurationError(f"method '{name}' needs a {chosen.kind} map; this one is {kind}")
    return chosen.create(scene_map, configuration, device)
