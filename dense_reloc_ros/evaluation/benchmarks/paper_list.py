"""Which systems of the papers are compared, and in which scenes: two YAML files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.evaluation.benchmarks.scene_list import SceneEntry, chosen_scenes
from dense_reloc_ros.localization.methods import METHODS
from dense_reloc_ros.parameter_blocks import Block, load_block

WEIGHTS = Path(__file__).parents[2] / "weights"
"""Files of weights that ship, each with a JSON file that says how it was trained."""
IMAGENET_PARAMETERS = 692_688
"""Of the trunk down to the last block that hypercolumns read, batch norms folded."""


class PaperSystem(Block):
    """A system that a paper describes, and how it runs here."""

    published: str = Field(description="Name in its paper")
    method: str = Field(description="Of this package")
    network: str | None = Field(None, description="Dense features; unset: the method's own")
    trained: tuple[str, ...] = Field((), description="Weights that it runs with, by their files")
    begun_with: tuple[str, ...] = Field(
        (), description="Weights whose training went before, and which are no part of it any more"
    )
    variant: str = Field("", description="What is not as in the paper")
    paper: str = Field("", description="What the paper says of something comparable")

    @field_validator("method")
    @classmethod
    def _known(cls, method: str) -> str:
        if method not in METHODS:
            raise ValueError(f"unknown method '{method}' (known: {', '.join(METHODS)})")
        return method

    @property
    def name(self) -> str:
        """For tables: a method, and its network where it is not the method's own."""
        return f"{self.method}, {self.network}" if self.network else self.method


class PaperScene(SceneEntry):
    """A scene, and under which conditions it is queried."""

    degradations: tuple[str, ...] = Field(("clean",), min_length=1)
    every: int = Field(1, ge=1, description="Take every so many queries")


class PaperList(Block):
    """The content of a file of systems."""

    systems: tuple[PaperSystem, ...] = Field(min_length=1)


class PaperScenes(Block):
    """The content of a file of scenes."""

    scenes: tuple[PaperScene, ...] = Field(min_length=1)


class Training(Block):
    """Where the weights of a system come from."""

    weights: str
    """Names of the files, for people."""
    parameters: int | None
    """None where nothing is learned."""
    data: str
    hours: float | None
    """Of the training runs here, one after the other; None without any."""


def load_systems(path: Path, methods: Sequence[str] | None = None) -> list[PaperSystem]:
    """The systems in a file, or those of some methods.

    Raises:
        ConfigurationError: a file that cannot be read or is not valid, or no system of a method.
    """
    systems = load_block(PaperList, path).systems
    known = [system.method for system in systems]
    for method in methods or ():
        if method not in known:
            raise ConfigurationError(f"no system of method '{method}' (known: {', '.join(known)})")
    return [system for system in systems if methods is None or system.method in methods]


def load_paper_scenes(path: Path, names: Sequence[str] | None = None) -> list[PaperScene]:
    """The scenes in a file, or those of some names.

    Raises:
        ConfigurationError: a file that cannot be read or is not valid, or no scene of a name.
    """
    scenes = load_block(PaperScenes, path).scenes
    chosen = {scene.name for scene in chosen_scenes(scenes, names)}
    return [scene for scene in scenes if scene.name in chosen]


def training_of(system: PaperSystem, folder: Path = WEIGHTS) -> Training:
    """What the files beside its weights say; of EfficientNet-Lite0's of ImageNet, that.

    Raises:
        ConfigurationError: a file is missing or damaged.
    """
    if not system.trained:
        learned = METHODS[system.method].network == "effnet_lite0"
        return Training(
            weights="EfficientNet-Lite0" if learned else "none",
            parameters=IMAGENET_PARAMETERS if learned else None,
            data="ImageNet" if learned else "nothing is learned",
            hours=None,
        )
    described = [_description(folder / f"{name}.json") for name in system.trained]
    before = [_description(folder / f"{name}.json") for name in system.begun_with]
    kinds = [entry["source"]["kind"] for one in before + described for entry in one["data"]]
    return Training(
        weights=", ".join(system.trained),
        parameters=sum(one["parameters"] for one in described),
        data=", ".join(dict.fromkeys(kinds)),
        hours=sum(one["minutes"] for one in before + described) / 60,
    )


def _description(path: Path) -> Mapping[str, Any]:
    try:
        described: Mapping[str, Any] = json.loads(path.read_text())
        return described
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: does not describe weights ({error})") from None
