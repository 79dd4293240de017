"""Is one of several equal doors taken for another? In rendered corridors, half of the images dark.

    python tools/equal_doors.py --seeds 61 84

builds a map of each corridor, of two to six doors with one to three of them in sight, and localizes
images from along it. It prints how many poses are published, and how many of them are wrong (0.25
m), and for images with another pose about as good elsewhere how often the likelier one is right, by
how much the log-odds of the two differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.decision import STRONG_RIVAL
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.pose.confidence import EVEN
from dense_reloc_ros.rendering.corridor import SECTION, corridor_of_doors, facing_doors
from dense_reloc_ros.rendering.raycaster import Raycaster

DOORS = (3, 4, 6, 2)
FOCAL_LENGTHS = (260.0, 160.0)
"""Pixels, of images 320 wide."""
SPACING, MARGIN = 0.3, 0.6
"""Metres from a keyframe to the next, and from the first and the last one to the ends."""
GAIN, NOISE = 0.25, 0.02
"""Of dark images, as a share of full scale."""
LARGE = 0.25
"""Metres from which on a pose is wrong."""
EDGES = (0.0, EVEN, 3.0, 4.0, 5.0, 6.0, 8.0, np.inf)


@dataclass(frozen=True)
class Outcome:
    """An image of a corridor, localized."""

    published: bool
    right: bool
    has_rival: bool
    difference: float
    """By which the log-odds of the best pose are higher than those of the others together; 0 where
    they are about even."""


def main() -> None:
    """Renders, maps, localizes and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs=2, default=(61, 84), help="first and last")
    parser.add_argument("--images", type=int, default=16, help="of each corridor")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    first, last = arguments.seeds
    by_corridor = {
        seed: list(outcomes(seed, arguments.images)) for seed in tqdm(range(first, last + 1))
    }
    table = Table("corridor", "doors", "focal length", "images", "published", "wrong")
    for seed, found in by_corridor.items():
        table.add_row(str(seed), str(doors_of(seed)), f"{focal_length_of(seed):g}", *counts(found))
    every = [outcome for found in by_corridor.values() for outcome in found]
    table.add_row("all", "", "", *counts(every))
    differences = Table("difference of log-odds", "images with a rival", "likelier pose right")
    for low, high in pairwise(EDGES):
        chosen = [one for one in every if one.has_rival and low <= one.difference < high]
        differences.add_row(
            f"{low:g} to {high:g}", str(len(chosen)), str(sum(one.right for one in chosen))
        )
    Console().print(table, differences)


def counts(found: list[Outcome]) -> tuple[str, str, str]:
    """Of images, published poses and wrong ones among these."""
    published = [outcome for outcome in found if outcome.published]
    wrong = sum(not outcome.right for outcome in published)
    return str(len(found)), str(len(published)), str(wrong)


def doors_of(seed: int) -> int:
    """Of a corridor."""
    return DOORS[seed % len(DOORS)]


def focal_length_of(seed: int) -> float:
    """Of the camera in a corridor."""
    return FOCAL_LENGTHS[seed // len(DOORS) % len(FOCAL_LENGTHS)]


def outcomes(seed: int, images: int) -> Iterator[Outcome]:
    """Of images from along a corridor, every other one dark."""
    raycaster = Raycaster(corridor_of_doors(seed, doors_of(seed)))
    focal_length = focal_length_of(seed)
    camera = Camera(320, 240, focal_length, focal_length, 159.5, 119.5)
    half = doors_of(seed) * SECTION / 2
    walk = facing_doors(np.arange(-half + MARGIN, half - MARGIN + 0.01, SPACING), seed)
    localizer = localizer_of(raycaster, camera, walk)
    rng = np.random.default_rng(seed)
    visits = facing_doors(rng.uniform(-half + 0.8, half - 0.8, images), seed + 100)
    for number, truth in enumerate(visits):
        image = raycaster.render(camera, truth).image
        localization = localizer.localize(darkened(image, rng) if number % 2 else image, camera)
        found = localization.estimate
        if found is None or found.evidence is None:
            yield Outcome(False, False, False, 0.0)
            continue
        right = pose_error(truth, found.T_map_camera).translation < LARGE
        equals, has_rival = found.evidence.equals, found.evidence.rival >= STRONG_RIVAL
        difference = EVEN - np.log(equals) if 0 < equals < 1 else 0.0
        yield Outcome(localization.is_localized, right, has_rival, difference)


def localizer_of(raycaster: Raycaster, camera: Camera, walk: FloatArray) -> Localizer:
    """The default method on a map, which is not calibrated, from poses (N, 4, 4)."""
    frames = []
    for number, T_map_camera in enumerate(walk):
        view = raycaster.render(camera, T_map_camera)
        frames.append(
            SourceFrame(
                f"{number}",
                float(number),
                camera,
                T_map_camera,
                read_image=lambda view=view: view.image,
                read_depth=lambda view=view: view.depth,
            )
        )
    device = torch.device("cpu")
    describer = DenseDescriber(create_extractor("compact", device), 200)
    scene_map = build_from_depth(frames, describer)
    return localizer_for(scene_map, LocalizerConfiguration(), None, device)


def darkened(image: RgbImage, rng: np.random.Generator) -> RgbImage:
    """The image with a quarter of the light, and noise."""
    dark = image / 255.0 * GAIN + rng.normal(0, NOISE, image.shape)
    return (dark.clip(0, 1) * 255).astype(np.uint8)


if __name__ == "__main__":
    main()
