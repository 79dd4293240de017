"""Points of posed frames without depth: SIFT matched and triangulated by COLMAP, poses fixed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pycolmap
from PIL import Image

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.mapping.sources.colmap import PIXEL_SHIFT, known_points
from dense_reloc_ros.mapping.sources.known_points import KnownPoints
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.progress import Progress, silent

NEIGHBOURS = 20
"""Frames that each frame is matched with at most."""
MAXIMUM_TURN = np.deg2rad(60.0)
"""Frames whose optical axes differ by more are not matched."""


def triangulate(frames: Sequence[SourceFrame], progress: Progress = silent) -> KnownPoints:
    """The points that frames with known poses see in common, where each sees them.

    Works in a temporary folder with lossless copies of the undistorted images.

    Raises:
        InputError: an image that cannot be read, or no point that two frames agree on.
    """
    pycolmap.logging.minloglevel = pycolmap.logging.ERROR.value
    try:
        with tempfile.TemporaryDirectory(prefix="dense-reloc-") as name:
            folder = Path(name)
            names = _write_images(folder / "images", frames, progress)
            reconstruction = _reconstruct(folder, names, progress)
    except OSError as error:
        reason = f"the images cannot be copied to a temporary folder ({error.strerror})"
        raise InputError(f"{tempfile.gettempdir()}: {reason}") from None
    if reconstruction is None or not reconstruction.points3D:
        raise InputError("no two frames agree on a point, so none can be triangulated")
    pinholes = {name: frame.camera.pinhole() for name, frame in names.items()}
    found = known_points(reconstruction, pinholes)
    return KnownPoints(
        found.positions,
        {frame.name: found.pixels[name] for name, frame in names.items()},
        {frame.name: found.indices[name] for name, frame in names.items()},
    )


def _write_images(
    folder: Path, frames: Sequence[SourceFrame], progress: Progress
) -> dict[str, SourceFrame]:
    """Writes the undistorted images and says which file shows which frame."""
    folder.mkdir()
    names = {f"{index:06d}.png": frame for index, frame in enumerate(frames)}
    for name in progress(list(names), "undistorting images"):
        frame = names[name]
        Image.fromarray(frame.load_undistorted()).save(folder / name, compress_level=1)
    return names


def _reconstruct(
    folder: Path, names: dict[str, SourceFrame], progress: Progress
) -> pycolmap.Reconstruction | None:
    """Points seen from the frames' own poses; None where no two frames may see the same."""
    pairs = _pairs(list(names.values()))
    if not pairs:
        return None
    database, model = folder / "database.db", folder / "model"
    _extract(folder, database, names, progress)
    _match(folder, database, list(names), pairs, progress)
    model.mkdir()
    posed = _posed(database, names)
    return pycolmap.triangulate_points(posed, database, folder / "images", model)


def _extract(
    folder: Path, database: Path, names: dict[str, SourceFrame], progress: Progress
) -> None:
    """SIFT of all images, and their intrinsics, into the database."""
    options = pycolmap.FeatureExtractionOptions()
    # A keypoint of two orientations would become two points at the same place.
    options.sift.max_num_orientations = 1
    for name in progress(list(names), "extracting keypoints"):
        pycolmap.extract_features(
            database,
            folder / "images",
            image_names=[name],
            camera_mode=pycolmap.CameraMode.PER_IMAGE,
            extraction_options=options,
            device=pycolmap.Device.cpu,
        )
    with pycolmap.Database.open(database) as content:
        for image in content.read_all_images():
            content.update_camera(_camera(names[image.name], image.camera_id))


def _match(
    folder: Path,
    database: Path,
    files: list[str],
    pairs: Mapping[int, list[int]],
    progress: Progress,
) -> None:
    """Matches of pairs of images into the database."""
    pairing = pycolmap.ImportedPairingOptions(match_list_path=folder / "pairs.txt")
    for first in progress(list(pairs), "matching keypoints"):
        lines = [f"{files[first]} {files[second]}\n" for second in pairs[first]]
        (folder / "pairs.txt").write_text("".join(lines))
        pycolmap.match_image_pairs(database, pairing_options=pairing, device=pycolmap.Device.cpu)


def _pairs(frames: Sequence[SourceFrame]) -> dict[int, list[int]]:
    """The frames that each frame is matched with, every pair once.

    They are the nearest ones that look in a similar direction.
    """
    poses = np.stack([frame.known_pose() for frame in frames])
    centres, axes = poses[:, :3, 3], poses[:, :3, 2]
    pairs: set[tuple[int, int]] = set()
    for i in range(len(frames)):
        distances = np.linalg.norm(centres - centres[i], axis=1)
        distances[axes @ axes[i] < np.cos(MAXIMUM_TURN)] = np.inf
        distances[i] = np.inf
        nearest = np.argsort(distances)[:NEIGHBOURS]
        pairs |= {(min(i, j), max(i, j)) for j in nearest[np.isfinite(distances[nearest])].tolist()}
    grouped: dict[int, list[int]] = {}
    for first, second in sorted(pairs):
        grouped.setdefault(first, []).append(second)
    return grouped


def _posed(database: Path, names: dict[str, SourceFrame]) -> pycolmap.Reconstruction:
    """A reconstruction without points, of the database's images at their known poses."""
    reconstruction = pycolmap.Reconstruction()
    with pycolmap.Database.open(database) as content:
        for image in content.read_all_images():
            frame = names[image.name]
            T_camera_map = inverse(frame.known_pose())
            rotation = pycolmap.Rotation3d(T_camera_map[:3, :3])
            reconstruction.add_camera_with_trivial_rig(_camera(frame, image.camera_id))
            reconstruction.add_image_with_trivial_frame(
                pycolmap.Image(name=image.name, camera_id=image.camera_id, image_id=image.image_id),
                pycolmap.Rigid3d(rotation, T_camera_map[:3, 3]),
            )
    return reconstruction


def _camera(frame: SourceFrame, camera_id: int) -> pycolmap.Camera:
    camera = frame.camera
    centre = [camera.cx + PIXEL_SHIFT, camera.cy + PIXEL_SHIFT]
    return pycolmap.Camera(
        camera_id=camera_id,
        model="PINHOLE",
        width=camera.width,
        height=camera.height,
        params=[camera.fx, camera.fy, *centre],
        has_prior_focal_length=True,
    )
