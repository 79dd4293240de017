"""All parameters of the localizer, in small typed blocks; ROS parameters carry the same names.

A field's description and bounds are also those of the ROS parameter that the node declares for it
(`retrieval.keyframes` for `LocalizerConfiguration.retrieval.keyframes`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from dense_reloc_ros.method_configuration import (
    DevilocConfiguration,
    DsmConfiguration,
    FeatureMetricConfiguration,
    MatchesConfiguration,
    NeurHalConfiguration,
    NreConfiguration,
    ReprojectionConfiguration,
)
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
