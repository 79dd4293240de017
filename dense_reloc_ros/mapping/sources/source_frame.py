"""One image of a recording with what is known about it, read from disk only when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import DepthImage, FloatArray, RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.stamps import NANOSECONDS


@dataclass(frozen=True)
class SourceFrame:
    """An image of `camera` (may be distorted), its time, and its pose and depth where known."""

    name: str
    """Unique in its recording; for people and for `map.json`."""
    timestamp: float
    """Seconds."""
    camera: Camera
    T_map_camera: FloatArray | None
    read_image: Callable[[], RgbImage]
    """Gives the image (H, W, 3) RGB; called by `load_image`, which checks what it gives."""
    read_depth: Callable[[], DepthImage] | None = None
    """Gives the depth, which `load_depth` checks; None where there is none."""
    exact_stamp: int | None = None
    """Nanoseconds, where they are known: seconds as floats lose digits."""

    @property
    def stamp(self) -> int:
        """When it was taken, in nanoseconds."""
        if self.exact_stamp is not None:
            return self.exact_stamp
        return round(self.timestamp * NANOSECONDS)

    def known_pose(self) -> FloatArray:
        """The pose T_map_camera (4, 4).

        Raises:
            InputError: it is unknown.
        """
        if self.T_map_camera is None:
            raise InputError(f"{self.name}: its pose is unknown, so it cannot be in a map")
        return self.T_map_camera

    def load_image(self) -> RgbImage:
        """The image (H, W, 3) RGB.

        Raises:
            InputError: an image that cannot be read or is not of the camera's size.
        """
        image = self.read_image()
        try:
            self.camera.check_image(image)
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None
        return image

    def load_undistorted(self) -> RgbImage:
        """The image (H, W, 3) RGB of `camera.pinhole()`.

        Raises:
            InputError: as `load_image`.
        """
        return self.camera.undistort(self.load_image())

    def load_depth(self) -> DepthImage | None:
        """Depth (H, W) along the optical axis in metres, 0 = unknown, or None if there is none.

        It is registered to the image: of the same camera and, like it, not undistorted.

        Raises:
            InputError: depth that cannot be read or is of another size than the camera's images.
        """
        if self.read_depth is None:
            return None
        depth = self.read_depth()
        if depth.shape != (self.camera.height, self.camera.width):
            raise InputError(
                f"{self.name}: depth of {depth.shape[1]}x{depth.shape[0]} does not fit "
                f"images of {self.camera.width}x{self.camera.height}"
            )
        return depth

    def known_depth(self) -> DepthImage:
        """As `load_depth`.

        Raises:
            InputError: as `load_depth`, or there is none.
        """
        depth = self.load_depth()
        if depth is None:
            raise InputError(f"{self.name}: its depth is missing, so points cannot be placed")
        return depth
