"""What light, lens and sensor may do to a photograph: from a bright day to a blurred night.

A photograph becomes an exposure of a random camera in this order: things in front of it (boxes),
motion blur and defocus, its tone as linear light (gamma), light that is uneven, shadows with hard
edges and spots of light, exposure and white balance, photon and read noise, 8 bits, JPEG.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field, field_validator

from dense_reloc_ros.geometry.arrays import Float32Array, Mask, RgbImage
from dense_reloc_ros.parameter_blocks import Block

STRENGTHS = ((0.0, 0.25), (0.25, 0.6), (0.6, 1.0))
"""What mild, medium and strong mean."""
SHORT_LINE = 10.0
"""Pixels of motion up to which a blur kernel is small enough for OpenCV's direct filter."""


class PhotometricConfiguration(Block):
    """How often images are changed how much, and the most that strength 1 may do.

    A strength is drawn for each image. Each effect takes part with the probability
    0.2 + 0.7 * strength, its severity between 0 and the strength, more often near the latter.
    """

    source: tuple[float, float, float] = Field(
        (0.9, 0.1, 0.0), description="Weights of mild, medium and strong for source images"
    )
    target: tuple[float, float, float] = Field(
        (0.25, 0.3, 0.45), description="Weights of mild, medium and strong for target images"
    )
    gamma: float = Field(3.0, ge=1, description="Largest exponent of the tone curve")
    gain: float = Field(0.05, gt=0, le=1, description="Smallest exposure")
    overexposure: float = Field(4.0, ge=1, description="Largest exposure")
    mean: float = Field(0.008, ge=0, le=0.5, description="Mean brightness that exposure leaves")
    motion: float = Field(20.0, ge=0, description="Longest motion blur in pixels")
    defocus: float = Field(3.0, ge=0, description="Largest standard deviation of defocus in pixels")
    uneven: float = Field(0.95, ge=0, lt=1, description="Largest share that uneven light takes")
    covered: float = Field(0.45, ge=0, lt=1, description="Largest share of target images covered")
    colour: float = Field(0.5, ge=0, lt=1, description="Largest share that a colour cast takes")
    photons: float = Field(60.0, gt=0, description="Fewest photons of a pixel just white")
    read_noise: float = Field(0.035, ge=0, description="Largest read noise, relative to white")
    jpeg_quality: int = Field(20, ge=1, le=95, description="Lowest JPEG quality")

    @field_validator("source", "target")
    @classmethod
    def _weights(cls, weights: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(weights) < 0 or sum(weights) <= 0:
            raise ValueError("weights are not negative and not all zero")
        return weights


@dataclass(frozen=True)
class Exposure:
    """An image as a random camera took it."""

    image: RgbImage
    """(H, W, 3)."""
    covered: Mask
    """(H, W): where something that is not in the photograph hides it."""


class RandomCamera:
    """Changes images at random; the same generator state gives the same image."""

    def __init__(self, configuration: PhotometricConfiguration) -> None:
        self._most = configuration

    def expose_source(self, image: RgbImage, rng: Generator) -> RgbImage:
        """A source image (H, W, 3), as maps are made: in mostly good light, nothing covered."""
        strength = _strength(self._most.source, rng)
        return self._expose(image, strength, rng)

    def expose_target(self, image: RgbImage, rng: Generator) -> Exposure:
        """A target image (H, W, 3), taken under any conditions."""
        strength = _strength(self._most.target, rng)
        covered = np.zeros(image.shape[:2], dtype=np.bool_)
        share = self._most.covered * _severity(strength, rng)
        if share > 0:
            image, covered = cover(image, share, rng)
        return Exposure(self._expose(image, strength, rng), covered)

    def _expose(self, image: RgbImage, strength: float, rng: Generator) -> RgbImage:
        most = self._most
        defocus = most.defocus * _severity(strength, rng)
        if defocus > 0.2:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), defocus), dtype=np.uint8)
        image = motion_blur(image, most.motion * _severity(strength, rng), rng.uniform(0, np.pi))
        light = _linear_light(image, most.gamma ** _severity(strength, rng))
        uneven = most.uneven * _severity(strength, rng)
        if uneven > 0:
            light *= uneven_light(image.shape[0], image.shape[1], uneven, rng)[..., None]
        light *= self._exposure(light, strength, rng)
        light = self._sensed(light, strength, rng)
        image = np.asarray(cv2.convertScaleAbs(np.maximum(light, 0), alpha=255.0), dtype=np.uint8)
        quality = 95 - (95 - most.jpeg_quality) * _severity(strength, rng)
        return image if quality == 95 else compressed(image, round(quality))

    def _exposure(self, light: Float32Array, strength: float, rng: Generator) -> Float32Array:
        """The gain of the three channels."""
        most = self._most
        brightest = rng.random() < 0.2
        gain = (most.overexposure if brightest else most.gain) ** _severity(strength, rng)
        gain = max(gain, most.mean / max(float(light.mean()), 1e-6)) if gain < 1 else gain
        cast = 1 - most.colour * _severity(strength, rng) * rng.random(3)
        return np.asarray(gain * cast, dtype=np.float32)

    def _sensed(self, light: Float32Array, strength: float, rng: Generator) -> Float32Array:
        """Light with the noise of photons (a normal distribution for Poisson's) and read-out."""
        severity = _severity(strength, rng)
        if severity == 0:
            return light
        photons = self._most.photons / severity**3
        read_noise = self._most.read_noise * severity
        variance = light / photons + read_noise**2
        noise: Float32Array = np.asarray(cv2.sqrt(variance), dtype=np.float32)
        noise *= rng.standard_normal(light.shape, dtype=np.float32)
        noise += light
        return noise


def motion_blur(image: RgbImage, length: float, angle: float) -> RgbImage:
    """An image (H, W, 3) averaged along lines of `length` pixels at `angle` radians."""
    if length < 1:
        return image
    step = np.array([np.cos(angle), np.sin(angle)])
    while length > SHORT_LINE:
        # A long line is two copies of one half as long.
        there, back = (_shifted(image, sign * step * length / 4) for sign in (1, -1))
        image = np.asarray(cv2.addWeighted(there, 0.5, back, 0.5, 0), dtype=np.uint8)
        length /= 2
    return np.asarray(cv2.filter2D(image, -1, _line(length, step)), dtype=np.uint8)


def uneven_light(height: int, width: int, depth: float, rng: Generator) -> Float32Array:
    """Light (H, W) from 1 - `depth` to about 1: smooth, and often with shadows and lamps' spots."""
    cells = (int(rng.integers(2, 6)), int(rng.integers(2, 7)))
    coarse = rng.uniform(1 - depth, 1, cells).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    light: Float32Array = np.asarray(smooth, dtype=np.float32)
    for _ in range(rng.integers(0, 3)):
        shade = np.ones((height, width), dtype=np.float32)
        corners = _polygon((-0.2, 1.2), (width, height), rng)
        cv2.fillPoly(shade, [corners], 1 - depth * rng.uniform(0.3, 1))
        if rng.random() < 0.5:
            shade = np.asarray(cv2.blur(shade, (5, 5)), dtype=np.float32)
        light *= shade
    for _ in range(rng.integers(0, 3)):
        x, y = rng.uniform(0, 1, 2) * (width, height)
        radius = rng.uniform(0.05, 0.4) * width
        column = np.exp(-(((np.arange(height) - y) / radius) ** 2))
        row = np.exp(-(((np.arange(width) - x) / radius) ** 2))
        light += (rng.uniform(0, 2) * depth * np.outer(column, row)).astype(np.float32)
    return np.maximum(light, 1 - depth)


def cover(image: RgbImage, share: float, rng: Generator) -> tuple[RgbImage, Mask]:
    """An image (H, W, 3) with boxes before it, and where they are; together about `share` of it.

    A box is a plain colour, or another part of the same image.
    """
    height, width = image.shape[:2]
    image, covered = image.copy(), np.zeros((height, width), dtype=np.bool_)
    boxes = int(rng.integers(1, 6))
    for _ in range(boxes):
        side, stretch = np.sqrt(share / boxes), rng.uniform(0.6, 1.6)
        columns = int(np.clip(width * side * stretch, 1, width))
        rows = int(np.clip(height * side / stretch, 1, height))
        here, there = (
            (slice(y, y + rows), slice(x, x + columns))
            for y, x in rng.integers(0, (height - rows + 1, width - columns + 1), (2, 2))
        )
        if rng.random() < 0.5:
            grey = rng.uniform(0, 200)
            image[here] = np.clip(grey + rng.uniform(-60, 60, 3), 0, 255)
        else:
            image[here] = image[there][:, ::-1].copy()
        covered[here] = True
    return image, covered


def compressed(image: RgbImage, quality: int) -> RgbImage:
    """An image (H, W, 3) after a JPEG file of a quality from 1 to 100."""
    _, file = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), dtype=np.uint8)


def _strength(weights: tuple[float, float, float], rng: Generator) -> float:
    level = rng.choice(len(STRENGTHS), p=np.array(weights) / sum(weights))
    return float(rng.uniform(*STRENGTHS[level]))


def _severity(strength: float, rng: Generator) -> float:
    takes_part, severity = rng.random(2)
    return float(strength * np.sqrt(severity)) if takes_part < 0.2 + 0.7 * strength else 0.0


def _linear_light(image: RgbImage, exponent: float) -> Float32Array:
    tones = np.linspace(0, 1, 256, dtype=np.float32) ** exponent
    return np.asarray(cv2.LUT(image, tones.astype(np.float32)), dtype=np.float32)


def _shifted(image: RgbImage, offset: NDArray[np.float64]) -> RgbImage:
    matrix = np.hstack([np.eye(2), offset[:, None]])
    size = image.shape[1::-1]
    shifted = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shifted, dtype=np.uint8)


def _line(length: float, step: NDArray[np.float64]) -> Float32Array:
    """A kernel that is 1 / length along a centred line, drawn by bilinear weights."""
    radius = int(np.ceil(length / 2))
    kernel = np.zeros((2 * radius + 3,) * 2, dtype=np.float32)
    along = (np.arange(8 * radius) + 0.5) / (8 * radius) - 0.5
    x, y = radius + 1 + length * along * step[:, None]
    columns, rows = np.floor(x).astype(int), np.floor(y).astype(int)
    for right in (0, 1):
        for down in (0, 1):
            weight = np.abs(1 - right - (x - columns)) * np.abs(1 - down - (y - rows))
            np.add.at(kernel, (rows + down, columns + right), weight)
    return np.asarray(kernel[1:-1, 1:-1] / kernel.sum(), dtype=np.float32)


def _polygon(
    reach: tuple[float, float], size: tuple[int, int], rng: Generator
) -> NDArray[np.int32]:
    """The corners (N, 2) of a random convex polygon with three to five corners."""
    corners = rng.uniform(*reach, (int(rng.integers(3, 6)), 2)) * size
    return np.asarray(cv2.convexHull(corners.astype(np.int32)), dtype=np.int32)
