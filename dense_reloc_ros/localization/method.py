"""What a method is: a name, the maps it works on, and what makes its localizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.scene.scene_map import SceneMap

MapKind = Literal["sparse_to_dense", "sparse_to_sparse"]
Stored = Literal["points", "images", "coordinates"]
"""What of its keyframes a map holds; coordinates come with images."""
CreateLocalizer = Callable[[SceneMap, LocalizerConfiguration, torch.device], Localizer]


@dataclass(frozen=True)
class Method:
    """One way to localize. Methods of one kind of map can share a map."""

    name: str
    kind: MapKind
    network: str
    """The features that maps for it are built with unless another network is named."""
    description: str
    create: CreateLocalizer
    """Makes its localizer on a loaded map of its kind."""
    stored: Stored = "points"
    """What it needs of a map."""
