"""DSM: the scene coordinates of every pixel of a query, from views of the scene (paper 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from dense_reloc_ros.dsm.confidence_network import ConfidenceNetwork
from dense_reloc_ros.dsm.coordinate_network import (
    CandidateNetwork,
    CoordinateNetwork,
    NormalizedVolume,
)
from dense_reloc_ros.dsm.coordinate_pyramid import LocalFrame
from dense_reloc_ros.dsm.cost_volume import (
    CostVolume,
    LevelViews,
    TemporalCorrelation,
    correlate_in_windows,
    correlate_with_all,
)
from dense_reloc_ros.dsm.pyramid import CompactPyramid, ResNetPyramid
from dense_reloc_ros.dsm.scene_views import LevelPrediction, PreviousFrame, Pyramid, SceneViews
from dense_reloc_ros.dsm.variants import VARIANTS
from dense_reloc_ros.dsm.variants import Variant as Variant
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.network import TrainableNetwork

CANDIDATES = 16
"""K."""


class SceneMatcher(TrainableNetwork):
    """Feature pyramid, cost volumes, Net_coords and Net_conf of all levels."""

    def __init__(
        self,
        name: str,
        image_size: tuple[int, int],
        features: ResNetPyramid | CompactPyramid,
        levels: Sequence[Level],
    ) -> None:
        super().__init__()
        self.name = name
        self.image_size = image_size
        """Height and width that it is trained with; others are multiples of the first stride."""
        self.strides = features.strides
        """Of the levels, from the coarsest to the finest."""
        self.features = features
        self.levels = nn.ModuleList(levels)

    @property
    def checkpoint_formats(self) -> Sequence[CheckpointFormat]:
        return [self.features.pretrained("features.")]

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        return self.features.trunk_parameters()

    def pyramid(self, images: Tensor) -> Pyramid:
        """Features (B, C, h, w) of images (B, 3, H, W), RGB in [0, 1], L2-normalized along C."""
        pyramid: Pyramid = self.features(images)
        return pyramid

    def match(
        self,
        query: Pyramid,
        views: SceneViews,
        previous: PreviousFrame | None = None,
        confidence: Tensor | None = None,
    ) -> list[LevelPrediction]:
        """Scene coordinates of queries, from the coarsest to the finest level.

        With a previous frame its correlation is fused on all levels (3.3.1, in testing only):
        Corr = alpha Corr_s + (1 - alpha) Corr_t with alpha = min(s + 0.4, 1), where s is the
        `confidence` (B,) of what `match` gave without it.

        Raises:
            ValueError: a previous frame without a confidence.
        """
        if previous is not None and confidence is None:
            raise ValueError("a previous frame needs the confidence of the single frame")
        frame = LocalFrame.of_views(views.coordinates[-1], views.T_camera_map)
        predictions: list[LevelPrediction] = []
        initial = None
        for number, level in enumerate(self.levels):
            stride = self.strides[number]
            scene = LevelViews(
                views.features[number],
                views.coordinates[number],
                views.T_camera_map,
                views.intrinsics,
                stride,
            )
            temporal = None
            if previous is not None and confidence is not None:
                temporal = TemporalCorrelation.of(previous, number, stride, confidence)
            prediction = level(query[number], scene, frame, initial, temporal)
            predictions.append(prediction)
            initial = interpolate(prediction.coordinates, scale_factor=2, mode="bilinear")
        return predictions


class Level(nn.Module):
    """The DSM module of one level (Fig. 2): cost volume, coordinates, certainty."""

    def __init__(
        self,
        window: int | None,
        coordinates: CoordinateNetwork | CandidateNetwork,
        confidence: ConfidenceNetwork,
    ) -> None:
        super().__init__()
        self.window = window
        """Side d of the windows; None for all scene points."""
        self.coordinates = coordinates
        self.confidence = confidence

    def forward(
        self,
        query: Tensor,
        views: LevelViews,
        frame: LocalFrame,
        initial: Tensor | None,
        previous: TemporalCorrelation | None,
    ) -> LevelPrediction:
        """Of query features (B, C, h, w) and initial coordinates (B, 3, h, w) in the map frame."""
        if self.window is None or initial is None:
            volume = correlate_with_all(query, views, CANDIDATES, previous)
        else:
            centres = initial.detach()
            volume = correlate_in_windows(query, centres, views, self.window, CANDIDATES, previous)
        local = None if initial is None else frame.normalized(initial)
        predicted = self.coordinates(_normalized(volume, frame), query, local)
        # The certainty judges the coordinates; it is not for them to please it.
        extra = volume.correlations.detach() if self.confidence.extra else None
        return LevelPrediction(
            views.stride,
            frame.restored(predicted),
            self.confidence(predicted.detach(), extra),
            volume.coordinates,
            volume.correlations,
        )


def create_scene_matcher(variant: Variant) -> SceneMatcher:
    """The network of a variant before training: weights are loaded by `features.weights`.

    Raises:
        ConfigurationError: there is none of this name; lists those that are.
    """
    if variant not in VARIANTS:
        known = ", ".join(VARIANTS)
        raise ConfigurationError(f"unknown variant of DSM '{variant}' (known: {known})")
    return _dsm() if variant == "dsm" else _dsm_compact()


def _dsm() -> SceneMatcher:
    """As in the paper; the side d of the windows is not said there."""
    features = ResNetPyramid()
    levels = [
        Level(
            None if number == 0 else 5,
            CoordinateNetwork(CANDIDATES, channels, number > 0, growth=64, layers=4),
            ConfidenceNetwork(),
        )
        for number, channels in enumerate(features.channels)
    ]
    return SceneMatcher("dsm", (384, 512), features, levels)


def _dsm_compact() -> SceneMatcher:
    """Small enough to be trained and used on a CPU."""
    features = CompactPyramid()
    coarse, fine = features.channels
    levels = [
        Level(
            None,
            CandidateNetwork(CANDIDATES, coarse, growth=32, layers=3, temperature=0.03, scale=1.0),
            ConfidenceNetwork(CANDIDATES),
        ),
        Level(
            5,
            CandidateNetwork(CANDIDATES, fine, growth=32, layers=3, temperature=0.05, scale=10.0),
            ConfidenceNetwork(CANDIDATES),
        ),
    ]
    return SceneMatcher("dsm_compact", (192, 256), features, levels)


def _normalized(volume: CostVolume, frame: LocalFrame) -> NormalizedVolume:
    exists = volume.coordinates.isfinite().all(2)
    coordinates = frame.normalized(volume.coordinates).nan_to_num(0.0)
    return NormalizedVolume(volume.correlations, coordinates, exists)
