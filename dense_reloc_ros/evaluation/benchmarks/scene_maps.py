"""The maps of the scenes of a benchmark, built once and kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import torch

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.scene_list import Scene
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.methods import DEFAULT_METHOD, find_method
from dense_reloc_ros.mapping.coordinate_maps import with_coordinates
from dense_reloc_ros.mapping.describing import KeyframeDescriber
from dense_reloc_ros.mapping.map_of_source import MapSource, describer_for, image_of, make_map
from dense_reloc_ros.scene.map_target import claimed
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.writer import write_to

KEY_FILE = "built_of.json"
"""Beside the maps: what each was built of."""


class SceneMaps:
    """Builds the maps of scenes that some methods need, in a folder, one for each kind.

    The network (None: the methods' own) and the configuration's weights are those of dense
    features. A map that is there already, built of the same frames with the same features, is used
    again unless `rebuild` is set; a change of the code that builds maps is not noticed.

    Raises:
        ConfigurationError: a network that is unknown, or whose weights are missing or wrong.
    """

    def __init__(
        self,
        methods: Sequence[Method],
        network: str | None,
        configuration: LocalizerConfiguration,
        folder: Path,
        device: torch.device,
        rebuild: bool = False,
    ) -> None:
        weights = configuration.features.weights
        dense = (network, device, Path(weights) if weights else None)
        first = {method.kind: method for method in reversed(methods)}
        self._describers = [
            describer_for(method, *(dense if kind == "sparse_to_dense" else (None, device)))
            for kind, method in first.items()
        ]
        self._folder = folder
        self._rebuild = rebuild

    def of(self, scene: Scene, progress: Progress = silent) -> list[Path]:
        """The folders of the maps of a scene, named by scene and network.

        Raises:
            InputError: an image that cannot be read.
            MapError: a folder that cannot be written.
        """
        paths = []
        for describer in self._describers:
            path = self._folder / f"{scene.name}_{describer.signature.network}"
            key, keys = _key(scene, describer), self._keys()
            if self._rebuild or keys.get(path.name) != key or not path.is_dir():
                source = scene.source
                with claimed(path) as target:
                    made = make_map(source, source.frames, describer, progress=progress)
                    write_to(target, made)
                content = json.dumps({**keys, path.name: key}, indent=2)
                (self._folder / KEY_FILE).write_text(content + "\n")
            paths.append(path)
        return paths

    def _keys(self) -> dict[str, str]:
        path = self._folder / KEY_FILE
        try:
            return dict(json.loads(path.read_text())) if path.exists() else {}
        except ValueError:
            raise InputError(f"{path}: not what this command writes; delete it") from None


def map_with_coordinates(
    source: MapSource, every: int, device: torch.device, progress: Progress = silent
) -> SceneMap:
    """The map of every so many frames of a source, with what DSM needs, in memory.

    Raises:
        InputError: frames that cannot be used, or a keyframe without depth.
    """
    frames = source.frames[::every]
    describer = describer_for(find_method(DEFAULT_METHOD), None, device)
    scene_map = make_map(source, frames, describer, progress=progress)
    scene_map = with_coordinates(scene_map, frames, progress=progress)
    return replace(scene_map, images=image_of(scene_map, frames))


def _key(scene: Scene, describer: KeyframeDescriber) -> str:
    """Of the frames, by their names, poses and cameras, and of the features."""
    digest = sha256(describer.signature.model_dump_json().encode())
    digest.update(scene.entry.map.model_dump_json().encode())
    for frame in scene.source.frames:
        digest.update(f"{frame.name} {frame.camera}".encode())
        digest.update(frame.known_pose().tobytes())
    return digest.hexdigest()[:16]
