"""The map in memory: keyframes, the points they see, and the descriptors of what they saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureSignature
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.scene.tensor_file import Rows
from dense_reloc_ros.scene.verdict import MapVerdict

FORMAT_VERSION = 1


RETIRED = ("covariance_scale", "confidence")
"""Of the calibration of older maps, for other forms of confidence and covariance."""


class MapCalibration(BaseModel):
    """What was fitted on the map's own images when the map was built, never on queries."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperatures: dict[str, float] = {}
    """Softmax temperature of each level's correspondence maps."""
    score_threshold: float | None = None
    """What images of other places rarely score; not used where poses have a confidence."""
    confidence_offset: float = Field(0.0, allow_inf_nan=False)
    """Added to the logit of a pose's confidence: below 0 where poses are less often right than on
    other maps with the same evidence."""
    covariance_factor: float = Field(1.0, gt=0.0, allow_inf_nan=False)
    """On the covariances: above 1 where errors are larger than on other maps."""
    held_out_views: int = 0
    """Views that were localized without the keyframes near them."""
    held_out_right: int = 0
    """Those of them whose pose was right."""

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, values: object) -> object:
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if name not in RETIRED}
        return values


class MapInformation(BaseModel):
    """The content of `map.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int
    revision: str
    """Hex digits that change with the content: the first 16 of the sha256 of the tensor file."""
    frame_id: str
    keyframe_names: list[str]
    point_count: int
    observation_count: int
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the map's own coordinates begin in the map frame, metres. It is 0 but for maps far from
    the origin of their frame (UTM): single precision would lose millimetres there."""
    bounding_box: tuple[tuple[float, float, float], tuple[float, float, float]]
    """Lowest and highest corner of the points in metres, from `origin`."""
    signature: FeatureSignature
    calibration: MapCalibration
    created: str
    """UTC, ISO 8601."""
    source: str
    """What the map was made from, for people."""
    left_out: dict[str, int] = {}
    """Reasons why frames of the source are not in the map, and how many each left out."""
    verdict: MapVerdict | None = None
    """What the build found out about its source; None in older maps."""


@dataclass(frozen=True)
class MapArrays:
    """What a map knows without descriptors, as arrays that share its memory.

    Small numbers of keyframes and points are looked at one by one, which tensors are slow at.
    """

    poses: FloatArray
    """(K, 4, 4)."""
    points: NDArray[np.float32]
    """(P, 3)."""
    offsets: NDArray[np.int64]
    """(K + 1,)."""
    observation_points: NDArray[np.int64]
    """(O,)."""

    def seen(self, keyframe: int) -> NDArray[np.int64]:
        """The indices (N,) of the points that a keyframe sees."""
        return self.observation_points[self.offsets[keyframe] : self.offsets[keyframe + 1]]

    def counts(self, keyframes: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """How many points each of some keyframes sees."""
        chosen = np.asarray(keyframes, dtype=np.int64)
        return self.offsets[chosen + 1] - self.offsets[chosen]

    def seen_by_all(self, keyframes: Sequence[int]) -> NDArray[np.int64]:
        """The points of some keyframes, keyframe by keyframe."""
        seen = [self.seen(keyframe) for keyframe in keyframes]
        return np.concatenate(seen) if seen else np.zeros(0, np.int64)


@dataclass(frozen=True)
class SceneMap:
    """K keyframes, P points, O observations (a keyframe sees a point at a pixel).

    Observations lie keyframe by keyframe: those of keyframe k are
    `observation_offsets[k] : observation_offsets[k + 1]`. Descriptors belong to observations, so
    that a point matches with how the retrieved keyframe saw it. Images of distorted cameras are
    undistorted before anything is computed from them: all pixels are those of pinhole cameras.

    All coordinates here are counted from `origin`; localizers give their poses in the map frame.
    """

    information: MapInformation
    cameras: tuple[Camera, ...]
    """The pinhole camera of each keyframe."""
    keyframe_poses: Tensor
    """(K, 4, 4) float64, T_map_camera, positions from `origin`."""
    points: Tensor
    """(P, 3) float32, metres from `origin`."""
    observation_offsets: Tensor
    """(K + 1,) int64."""
    observation_points: Tensor
    """(O,) int64, indices into points."""
    observation_pixels: Tensor
    """(O, 2) float32."""
    descriptors: Mapping[str, Rows]
    """Level name to (O, C) float16, L2-normalized; those of a map on disk stay there and are read
    by rows."""
    retrieval: Mapping[str, Tensor]
    """What `retrieval/` stored to find keyframes: global descriptors (K, D) and vocabulary."""
    colours: Tensor | None = None
    """(P, 3) uint8 RGB of the points, for people; None in maps of 0.1.0."""
    coordinates: Tensor | None = None
    """(K, h, w, 3) float32, metres from `origin`: the point at the centre of each cell of a grid
    over each keyframe's image, nan where it is unknown; None where the map has none."""
    images: Callable[[int], NDArray[np.uint8]] | None = None
    """Reads the undistorted image (H, W, 3) RGB of a keyframe; None where the map has none.

    Raises MapError where the image cannot be read.
    """

    @property
    def origin(self) -> NDArray[np.float64]:
        """(3,) metres in the map frame: what is added to all coordinates of the map."""
        return np.array(self.information.origin)

    @cached_property
    def keyframe_pixels(self) -> tuple[int, int]:
        """The pixels of the smallest keyframe, and of the largest."""
        sizes = [camera.width * camera.height for camera in self.cameras]
        return min(sizes), max(sizes)

    @cached_property
    def least_field_of_view(self) -> float:
        """That of the keyframe that sees the least, in steradians."""
        return min(camera.field_of_view for camera in self.cameras)

    @cached_property
    def focal_lengths(self) -> tuple[float, float]:
        """The shortest one that a keyframe has, and the longest."""
        lengths = [camera.focal_length for camera in self.cameras]
        return min(lengths), max(lengths)

    @property
    def keyframe_count(self) -> int:
        return self.keyframe_poses.shape[0]

    @cached_property
    def arrays(self) -> MapArrays:
        """The same for the processor."""
        return MapArrays(
            self.keyframe_poses.numpy(),
            self.points.numpy(),
            self.observation_offsets.numpy(),
            self.observation_points.numpy(),
        )

    def observations(self, keyframe: int) -> slice:
        """Where the observations of one keyframe lie."""
        begin, end = self.arrays.offsets[keyframe : keyframe + 2].tolist()
        return slice(begin, end)
