"""What each constant of the pose solver is worth: every frame with each of them changed in turn.

    python tools/ablate_solver.py --scene-list config/bench/choosing.yaml --data DIR --output CSV

Frames are localized with all variants one after the other, and come from the same features, so that
poses and processor times are of the same image and of the same moment. A scene and level that the
file CSV has already is not run again, with whatever variants: called again, it prints the table of
what is there.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from tqdm import tqdm

from dense_reloc_ros.cli.bench.result_table import print_results
from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.benchmarks.degraded_frames import degraded
from dense_reloc_ros.evaluation.benchmarks.scene_list import (
    Scene,
    chosen_scenes,
    load_scenes,
    open_scene,
)
from dense_reloc_ros.evaluation.benchmarks.scene_maps import SceneMaps
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.localization.localizer import Localizer, PreparedImage
from dense_reloc_ros.localization.methods import DEFAULT_METHOD, find_method
from dense_reloc_ros.parameter_blocks import with_settings
from dense_reloc_ros.pose import nre

DEFAULT = "default"
WITHOUT_RE = "nre without RE's pose"
"""Neither first on fine maps nor among the coarse poses: sampled poses alone, as in the thesis."""
VALUES: Mapping[str, Sequence[float]] = {
    "nre.least_support": (0, 1000),
    "nre.window": (8, 16, 24),
    "nre.samples": (96,),
    "nre.refined_samples": (1, 4),
    "nre.refined_fine": (1, 6),
    "nre.coarse_sigma": (1.0, 4.0),
    "nre.fine_sigma": (2.0, 6.0),
    "nre.last_sigma": (0.4, 0.8),
    "nre.sigma_steps": (2, 4),
    "nre.iterations": (2, 8),
    "feature_metric.iterations": (3, 5, 20),
    "feature_metric.scale": (0.25, 0.35, 0.7),
}
ALL = "all"
LARGE = 0.25
"""Metres, and with 10 degrees: a pose that is further off is wrong."""


@dataclass(frozen=True)
class Row:
    """A frame localized by a variant."""

    place: str
    scene: str
    level: str
    frame: str
    variant: str
    published: bool
    metres: float
    """Of the best pose, published or not; inf without any."""
    degrees: float
    seconds: float
    """Of a processor, with the network, which all variants share."""

    @property
    def image(self) -> tuple[str, str, str]:
        """Which all variants are compared on."""
        return self.scene, self.level, self.frame

    def is_within(self, metres: float, degrees: float = 5.0) -> bool:
        return self.metres <= metres and self.degrees <= degrees


def main() -> None:
    """Localizes, keeps and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scene-list", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path())
    parser.add_argument("--maps", type=Path, default=Path("output/maps"), help="which are kept")
    parser.add_argument("--scenes", nargs="+", help="only these")
    parser.add_argument("--levels", nargs="+", default=["clean", "harsh"])
    parser.add_argument("--every", type=int, default=1, help="take every Nth frame")
    parser.add_argument("--variants", nargs="+", help="as nre.window=8; all, if not given")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    every_variant = [WITHOUT_RE, *(f"{k}={v}" for k, values in VALUES.items() for v in values)]
    variants = [DEFAULT, *(arguments.variants or every_variant)]
    rows = read(arguments.output)
    known = {(row.scene, row.level) for row in rows}
    arguments.maps.mkdir(parents=True, exist_ok=True)
    for entry in chosen_scenes(load_scenes(arguments.scene_list), arguments.scenes):
        levels = [level for level in arguments.levels if (entry.name, level) not in known]
        if levels:
            scene = open_scene(entry, arguments.data, arguments.every)
            localizer = localizer_of(scene, arguments.maps)
            for level in levels:
                rows += localized(localizer, scene, level, variants)
                write(arguments.output, rows)
    show(rows)


def localizer_of(scene: Scene, folder: Path) -> Localizer:
    """The default method on the scene's map, built if it is not there."""
    device = torch.device("cpu")
    configuration = LocalizerConfiguration()
    maps = SceneMaps([find_method(DEFAULT_METHOD)], None, configuration, folder, device)
    return open_localizer(maps.of(scene)[0], configuration, device="cpu")


def localized(
    localizer: Localizer, scene: Scene, level: str, variants: Sequence[str]
) -> Iterator[Row]:
    """The rows of a scene's queries at a level."""
    for number, one in enumerate(tqdm(degraded(scene.queries.frames, level), scene.name)):
        frame = one.frame
        prepared = localizer.prepared(frame.load_image(), frame.camera)
        seconds, _ = timed(localizer, prepared, DEFAULT)
        # In another order each time, so that no variant always finds the caches warm.
        order = [*variants[number % len(variants) :], *variants[: number % len(variants)]]
        found = {variant: timed(localizer, prepared, variant) for variant in order}
        network = seconds - found[DEFAULT][0]
        for variant in variants:
            own_seconds, localization = found[variant]
            metres = degrees = np.inf
            if localization.estimate is not None:
                error = pose_error(frame.known_pose(), localization.estimate.T_map_camera)
                metres = error.translation / scene.queries.metre
                degrees = np.degrees(error.rotation)
            published, seconds = localization.is_localized, network + own_seconds
            yield Row(
                "photographs" if scene.entry.unit == "relative" else scene.place,
                *(scene.name, level, frame.name, variant, published, metres, degrees, seconds),
            )


def timed(localizer: Localizer, prepared: PreparedImage, variant: str):  # type: ignore[no-untyped-def]
    """Seconds of the processor, and the result, by the features of the image known already."""
    without_re: AbstractContextManager[object] = nullcontext()
    settings = [] if variant == DEFAULT else [variant]
    if variant == WITHOUT_RE:
        # Without support nothing would follow.
        settings = ["nre.least_support=0"]
        without_re = patch.object(nre, "_guess", lambda *_: None)
    localizer.configuration = with_settings(LocalizerConfiguration(), settings)
    with without_re:
        start = time.process_time()
        localization = localizer.localized(prepared)
        return time.process_time() - start, localization


def read(path: Path) -> list[Row]:
    """The rows of a file; none where there is none."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Row(
                *(row[name] for name in ("place", "scene", "level", "frame", "variant")),
                row["published"] == "True",
                *(float(row[name]) for name in ("metres", "degrees", "seconds")),
            )
            for row in csv.DictReader(file)
        ]


def write(path: Path, rows: Sequence[Row]) -> None:
    """Replaces a file by rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


@dataclass(frozen=True)
class Comparison:
    """The frames of a place by a variant, beside the same by default."""

    place: str
    variant: str
    rows: Sequence[Row]
    defaults: Sequence[Row]
    """Of the same images, in the same order."""

    def share(self, metres: float, *, published: bool) -> str:
        """Of all frames: whose pose is within some metres and 5 degrees."""
        within = [row.is_within(metres) and (row.published or not published) for row in self.rows]
        return f"{np.mean(within):.3f}"

    @property
    def median(self) -> str:
        """Of the best poses, in centimetres."""
        return f"{100 * np.median([row.metres for row in self.rows]):.2f}"

    @property
    def error_ratio(self) -> str:
        """The geometric mean of the errors' ratios, where both are right, and its deviation."""
        pairs = zip(self.rows, self.defaults, strict=True)
        logs = [
            np.log(own.metres / default.metres)
            for own, default in pairs
            if own.is_within(LARGE) and default.is_within(LARGE)
        ]
        deviation = np.std(logs) / np.sqrt(max(len(logs), 1))
        return f"{np.exp(np.mean(logs)):.3f} ± {deviation:.3f}"

    @property
    def wrong(self) -> str:
        published = [row for row in self.rows if row.published]
        return f"{sum(not row.is_within(LARGE, 10.0) for row in published)} of {len(published)}"

    @property
    def time_ratio(self) -> str:
        own, default = (sum(row.seconds for row in rows) for rows in (self.rows, self.defaults))
        return f"{own / default:.2f}"


def show(rows: Sequence[Row]) -> None:
    """Prints a table for each place, and one for all of them."""
    comparisons = []
    for place in dict.fromkeys([*(row.place for row in rows), ALL]):
        own = [row for row in rows if place in (row.place, ALL)]
        by_default = {row.image: row for row in own if row.variant == DEFAULT}
        for variant in dict.fromkeys(row.variant for row in own):
            of_variant = [row for row in own if row.variant == variant]
            defaults = [by_default[row.image] for row in of_variant]
            comparisons.append(Comparison(place, variant, of_variant, defaults))
    columns = {
        "place": lambda c: c.place,
        "variant": lambda c: c.variant,
        "frames": lambda c: str(len(c.rows)),
        "within 5 cm": lambda c: c.share(0.05, published=True),
        "best pose": lambda c: c.share(0.05, published=False),
        "within 25 cm": lambda c: c.share(0.25, published=True),
        "best pose ": lambda c: c.share(0.25, published=False),
        "median cm": lambda c: c.median,
        "error": lambda c: c.error_ratio,
        "wrong": lambda c: c.wrong,
        "time": lambda c: c.time_ratio,
    }
    print_results(
        comparisons,
        columns,
        "variants of the solver: share of all frames within …",
        lambda c: c.place,
        names=2,
        caption="best pose: published or not; error: the variant's over the default's, geometric "
        "mean and its deviation; time: of a processor, over the default's",
    )


if __name__ == "__main__":
    main()
