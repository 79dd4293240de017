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
from dense_reloc_ros.localization.method import Method, Stored
from dense_reloc_ros.localization.methods import DEFAULT_METHOD, find_method
from dense_reloc_ros.mapping.coordinate_maps import with_coordinates
from dense_reloc_ros.mapping.describing import KeyframeDescriber
from dense_reloc_ros.mapping.local_origin import from_origin
from dense_reloc_ros.mapping.map_of_source import MapSource, describer_for, image_of, make_map
from dense_reloc_ros.scene.map_target import claimed
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.writer import write_to

KEY_FILE = "built_of.json"
"""Beside the maps: what each was built of."""
PLAIN: Stored = "points"


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

    def of(self, scene: Scene, progress: Progress = silent, stored: Stored = PLAIN) -> list[Path]:
        """The folders of the maps of a scene, named by scene and network.

        Maps that hold more than points are made of those that do not, and lie beside them.

        Raises:
            InputError: an image that cannot be read, or no depth where coordinates are asked for.
            MapError: a folder that cannot be written.
        """
        paths = []
        for describer in self._describers:
            path = self._folder / f"{scene.name}_{describer.signature.network}"
            key = _key(scene, describer)
            if self._is_missing(path, key):
                made = make_map(scene.source, scene.source.frames, describer, progress=progress)
                self._write(path, key, made)
            paths.append(path if stored == PLAIN else self._with_more(scene, path, key, stored))
        return paths

    def _with_more(self, scene: Scene, plain: Path, key: str, stored: Stored) -> Path:
        """A map beside a plain one that holds images, or images and coordinates, as well."""
        path = plain.with_name(f"{plain.name}_{stored}")
        if self._is_missing(path, key):
            made = load_map(plain)
            frames = from_origin(scene.source.frames, made.origin)
            if stored == "coordinates":
                made = with_coordinates(made, frames)
            self._write(path, key, replace(made, images=image_of(made, frames)))
        return path

    def _is_missing(self, path: Path, key: str) -> bool:
        return self._rebuild or self._keys().get(path.name) != key or not path.is_dir()

    def _write(self, path: Path, key: str, made: SceneMap) -> None:
        with claimed(path) as target:
            write_to(target, made, made.images)
        content = json.dumps({**self._keys(), path.name: key}, indent=2)
        (self._folder / KEY_FILE).write_text(content + "\n")

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
