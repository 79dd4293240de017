"""All parameters of the localizer, in small typed blocks; ROS parameters carry the same names.

A field's description and bounds are also those of the ROS parameter that the node declares for it
(`retrieval.keyframes` for `LocalizerConfiguration.retrieval.keyframes`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from dense_reloc_ros.parameter_blocks import Block, load_block


class FeaturesConfiguration(Block):
    """The features of images."""

    weights: str = Field(
        "",
        description="File of the weights that the map was built with, read when a map is loaded; "
        "empty: those that the network brings along",
    )


class RetrievalConfiguration(Block):
    """Which keyframes may be seen in the query."""

    descriptor: Literal["vlad", "gem"] = Field(
        "vlad", description="Global descriptor that finds the candidates: vlad or gem"
    )
    candidates: int = Field(
        40, ge=1, le=400, description="Keyframes that are re-ranked by local evidence"
    )
    evidence_points: int = Field(
        48, ge=1, le=400, description="Points of a candidate that are looked for in the query"
    )
    keyframes: int = Field(8, ge=1, le=40, description="Keyframes that a query is matched with")
    baseline_share: float = Field(
        0.03,
        ge=0.0,
        le=1.0,
        description="Keyframes nearer to a better one than this share of the depth are skipped",
    )
    clusters: int = Field(
        2, ge=1, le=6, description="Co-visibility clusters localized one by one at most"
    )
    common_points: int = Field(
        5, ge=1, le=1000, description="Common points that put two keyframes into one cluster"
    )


class MatchingConfiguration(Block):
    """Which points are matched, and with how much memory."""

    points: int = Field(
        700, ge=20, le=4000, description="Map points correlated with the query at most"
    )
    memory_mb: int = Field(
        256, ge=16, le=65_536, description="Memory that correlation may use besides its result"
    )


class NreConfiguration(Block):
    """The NRE pose estimator (thesis 4.4).

    At the default `least_support` no pose is lost: none of the 321 sure poses in 316 left-out map
    images (kitchen, office, rooms; also rolled, zoomed, in bad light, with few keyframes) came from
    coarse maps, and with each RE's pose had 30 cells or more. In places that an image does not show
    it has 9 to 20 (median).
    """

    least_support: int = Field(
        20,
        ge=0,
        le=1000,
        description="Coarse cells whose points agree with RE's pose, below which a place is given "
        "up before coarse maps are searched; 0: never",
    )
    samples: int = Field(384, ge=1, le=2000, description="Triplets of loss maps that P3P is run on")
    refined_samples: int = Field(
        2, ge=1, le=12, description="Cheapest distinct sampled poses that GNC refines"
    )
    refined_fine: int = Field(
        3, ge=1, le=12, description="Cheapest coarse poses refined on fine maps"
    )
    coarse_sigma: float = Field(
        2.0, gt=0.0, le=8.0, description="First smoothing of GNC on coarse maps, in cells"
    )
    fine_sigma: float = Field(
        4.0, gt=0.0, le=12.0, description="First smoothing of GNC on fine maps, in cells"
    )
    last_sigma: float = Field(
        0.6, gt=0.0, le=10.0, description="Last smoothing of GNC on both, in cells"
    )
    sigma_steps: int = Field(3, ge=1, le=10, description="Smoothings from first to last")
    iterations: int = Field(4, ge=1, le=24, description="Steps for each smoothing at most")
    window: int = Field(
        12, ge=4, le=32, description="Size of the local high-resolution maps in cells"
    )


class ReprojectionConfiguration(Block):
    """The RE baselines: argmax, PoseLib's LO-RANSAC, refinement."""

    threshold: float = Field(
        8.0, gt=0.0, le=100.0, description="Largest reprojection error of an inlier in pixels"
    )


class MatchesConfiguration(Block):
    """Which best cells of maps the methods s2dhm and s2dnet believe (thesis chapter 3)."""

    ratio: float | None = Field(
        None,
        ge=0.0,
        le=100.0,
        description="How many times as high as the correlation at rank `rank_share` the highest "
        "one of a map is at least; 0: any; unset: the method's own (s2dhm 1.11, s2dnet 0)",
    )
    rank_share: float = Field(
        0.01, gt=0.0, le=1.0, description="Share of a map's cells before that rank"
    )
    least_probability: float = Field(
        0.0, ge=0.0, le=1.0, description="Of a map's highest cell; 0: any"
    )
    cyclic_distance: float | None = Field(
        None,
        gt=0.0,
        le=1000.0,
        description="Pixels from a keypoint at most where its match leads back to; unset: any; "
        "needs a map with its keyframes' images (--store-images)",
    )


class FeatureMetricConfiguration(Block):
    """Feature-PnP, the refinement of feature_pnp and nre_feature_pnp (Xue et al.)."""

    levels: tuple[Literal["coarse", "fine"], ...] = Field(
        ("fine",), min_length=1, description="Levels refined on, one after the other"
    )
    gradient: Literal["central", "sobel", "sobel_normalized"] = Field(
        "central",
        description="Gradient of the features: central (differences), sobel or sobel_normalized",
    )
    loss: Literal["squared", "huber", "cauchy", "geman_mcclure"] = Field(
        "geman_mcclure", description="Loss of a residual: squared, huber, cauchy or geman_mcclure"
    )
    scale: float = Field(
        0.5,
        gt=0.0,
        le=10.0,
        description="Distance of descriptors from which on the loss differs from squared",
    )
    iterations: int = Field(10, ge=1, le=60, description="Steps on each level at most")
    damping: float = Field(0.01, gt=0.0, le=100.0, description="Damping of the first step")


class DsmConfiguration(Block):
    """Dense scene matching (DSM)."""

    weights: str = Field(
        "",
        description="File of the network's weights, read when a map is loaded; empty: those that "
        "it brings along",
    )
    scene_images: int = Field(10, ge=1, le=40, description="Keyframes that a query is matched with")
    threshold: float = Field(
        3.0,
        gt=0.0,
        le=100.0,
        description="Largest reprojection error of an inlier in pixels of the network's image",
    )
    cache_mb: int = Field(
        512, ge=0, le=65_536, description="Memory for what was computed of keyframes"
    )


class DevilocConfiguration(Block):
    """Semi-dense correspondences (DeViLoc)."""

    weights: str = Field(
        "",
        description="File of the network's weights, read when a map is loaded; empty: those that "
        "it brings along",
    )
    references: int = Field(10, ge=1, le=40, description="Keyframes that a query is matched with")
    cell: float = Field(
        2.0,
        gt=0.0,
        le=64.0,
        description="Size in pixels of the cells of the query whose points are joined (s): 2 "
        "indoors, 4 outdoors in the paper",
    )
    aggregation: Literal["rays", "confidence"] = Field(
        "rays",
        description="How points are joined: rays (by how sure each is across and along its ray), "
        "or confidence (the paper's mean weighted by confidence)",
    )
    least_confidence: float = Field(
        0.5, ge=0.0, le=1.0, description="Lowest confidence of a point that is used (τ)"
    )
    threshold: float = Field(
        20.0, gt=0.0, le=100.0, description="Largest reprojection error of RANSAC's inliers, pixels"
    )
    cache_mb: int = Field(
        512, ge=0, le=65_536, description="Memory for what was computed of keyframes"
    )


class NeurHalConfiguration(Block):
    """Hallucinated correspondences (NeurHal)."""

    weights: str = Field(
        "",
        description="File of the network's weights, as `dense-reloc train` writes it, read when a "
        "map is loaded; empty: those of the package, which `neurhal_compact` has",
    )
    keyframes: int = Field(
        3, ge=1, le=20, description="Keyframes of a place whose points are looked for at most"
    )
    points: int = Field(
        500, ge=8, le=1000, description="Points of a keyframe that are looked for at most"
    )


class SearchConfiguration(Block):
    """How an image is looked at again where no pose is sure."""

    budget: float = Field(
        8.0,
        ge=1.0,
        le=100.0,
        description="Work after which no further view of an image is looked for, in units of what "
        "one costs that is localized at once; counted, so that results depend on no clock. 1: "
        "little more than the first view",
    )
    last_resort: Literal["none", "neurhal_compact", "neurhal"] = Field(
        "none",
        description="What gives more starts in the end, read when a map is loaded: none, or a "
        "network that hallucinates correspondences, for maps with images (--store-images)",
    )


class VerificationConfiguration(Block):
    """Whether a pose is published.

    At the default `least_confidence` none of the 330 poses that would have been published of 674
    held-out views of nine scenes was wrong, each scene judged by what was fitted on the others:
    with 95% confidence at most 0.9% of published poses of such hard views are wrong, and 92% of the
    right ones are published (`tools/fit_confidence.py` prints this for other values).
    """

    least_confidence: float = Field(
        0.95,
        ge=0.0,
        le=1.0,
        description="Lowest probability that a published pose is right: within 0.25 m (14% of the "
        "distance of what is seen) and 10 degrees",
    )
    largest_error_m: float | None = Field(
        None,
        gt=0.0,
        description="Largest expected error of a published position in metres; unset: 7% of the "
        "distance of what is seen, which suits maps in any unit",
    )
    largest_error_deg: float = Field(
        5.0,
        gt=0.0,
        le=180.0,
        description="Largest expected error of a published rotation in degrees",
    )
    score_threshold: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Lowest score of a published pose; unset: none, or the method's own where its "
        "poses have no other evidence",
    )


class RigConfiguration(Block):
    """Several cameras that localize together."""

    extrinsics_error_m: float = Field(
        0.005,
        ge=0.0,
        le=1.0,
        description="Standard deviation of where a camera hangs on the robot by its extrinsics, "
        "in metres in each direction",
    )
    extrinsics_error_deg: float = Field(
        0.2,
        ge=0.0,
        le=20.0,
        description="Standard deviation of how it is turned by them, degrees about each axis",
    )


class LocalizerConfiguration(Block):
    """The parameters of one localizer; all of them can change between two frames."""

    features: FeaturesConfiguration = FeaturesConfiguration()
    retrieval: RetrievalConfiguration = RetrievalConfiguration()
    matching: MatchingConfiguration = MatchingConfiguration()
    nre: NreConfiguration = NreConfiguration()
    reprojection: ReprojectionConfiguration = ReprojectionConfiguration()
    matches: MatchesConfiguration = MatchesConfiguration()
    feature_metric: FeatureMetricConfiguration = FeatureMetricConfiguration()
    dsm: DsmConfiguration = DsmConfiguration()
    deviloc: DevilocConfiguration = DevilocConfiguration()
    neurhal: NeurHalConfiguration = NeurHalConfiguration()
    search: SearchConfiguration = SearchConfiguration()
    rig: RigConfiguration = RigConfiguration()
    verification: VerificationConfiguration = VerificationConfiguration()

    @property
    def work(self) -> dict[str, float]:
        """How much the parameters give each step of a frame to do, in numbers of like operations.

        The names are those of the parameters that the number is made of.
        """
        retrieval, nre, align = self.retrieval, self.nre, self.feature_metric
        points = self.matching.points * retrieval.clusters
        steps = nre.sigma_steps * nre.iterations
        every = "matching.points, retrieval.clusters"
        return {
            "retrieval.candidates, retrieval.evidence_points": retrieval.candidates
            * retrieval.evidence_points,
            every: points,
            f"nre.samples, {every}": nre.samples * points,
            f"nre.refined_samples, nre.sigma_steps, nre.iterations, {every}": nre.refined_samples
            * steps
            * points,
            f"nre.refined_fine, nre.window, {every}": nre.refined_fine * nre.window**2 * points,
            f"nre.refined_fine, nre.sigma_steps, nre.iterations, {every}": nre.refined_fine
            * steps
            * points,
            f"feature_metric.levels, feature_metric.iterations, {every}": len(align.levels)
            * align.iterations
            * points,
        }

    @model_validator(mode="after")
    def _bounded(self) -> LocalizerConfiguration:
        for names, work in self.work.items():
            usual = USUAL_WORK[names]
            if work > LARGEST_WORK * usual:
                raise ValueError(
                    f"{names} together give a frame {work / usual:.1f} times the work of the "
                    f"defaults, at most {LARGEST_WORK} times are allowed: lower one of them"
                )
        return self


LARGEST_WORK = 6
"""By which a step may take longer than with the defaults: a frame stays about below a second."""
USUAL_WORK = LocalizerConfiguration.model_construct().work


def load_configuration(path: Path) -> LocalizerConfiguration:
    """The configuration in a YAML file.

    Raises:
        ConfigurationError: a file that cannot be read or is not valid; names the file.
    """
    return load_block(LocalizerConfiguration, path)
