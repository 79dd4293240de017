"""Parameters that only some of the methods have, a typed block for each step or system."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dense_reloc_ros.parameter_blocks import Block


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
