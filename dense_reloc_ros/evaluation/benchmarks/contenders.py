"""Which methods a benchmark compares, and on which maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.methods import find_method
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import SceneMap


@dataclass(frozen=True)
class Contender:
    """A method on a map and a device, ready to localize."""

    localizer: Localizer
    map: Path

    @property
    def method(self) -> str:
        return self.localizer.method

    @property
    def keyframes(self) -> int:
        """Of its map."""
        return self.localizer.scene_map.keyframe_count

    @property
    def device(self) -> str:
        return str(self.localizer.device)


def open_contenders(
    maps: Sequence[Path],
    methods: Sequence[str] | None,
    configuration: LocalizerConfiguration,
    device: torch.device,
) -> list[Contender]:
    """Each method on every map that is made for its kind; None is each map's own method.

    Raises:
        MapError: a map that cannot be used.
        ConfigurationError: an unknown method, or one that none of the maps is made for.
    """
    loaded = [(path, load_map(path)) for path in maps]
    pairs: list[tuple[str | None, Path, SceneMap]] = []
    if methods is None:
        pairs = [(None, path, scene_map) for path, scene_map in loaded]
    for method in map(find_method, methods or ()):
        fitting = [(method.name, *item) for item in loaded if is_made_for(item[1], method)]
        if not fitting:
            raise ConfigurationError(
                f"none of the maps is made for method '{method.name}': build one with "
                f"map build --method {method.name}, and add it with another --map"
            )
        pairs += fitting
    return [
        Contender(localizer_for(scene_map, configuration, name, device), path)
        for name, path, scene_map in pairs
    ]


def is_made_for(scene_map: SceneMap, method: Method) -> bool:
    """Whether a map holds what a method of this kind needs; its network is the map's."""
    return scene_map.information.signature.method == method.kind
