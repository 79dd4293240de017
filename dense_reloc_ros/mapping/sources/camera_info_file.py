"""Camera intrinsics from YAML files: ROS's calibration, `ros2 topic echo`, OpenCV and Kalibr."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError, field_validator, model_validator

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.camera_info import camera_from_info, is_calibrated

SPELLINGS = {
    "width": ("image_width", "imagewidth", "width"),
    "height": ("image_height", "imageheight", "height"),
    "k": ("camera_matrix", "cameramatrix", "k"),
    "d": (
        "distortion_coefficients",
        "distortion_coeffs",
        "dist_coeffs",
        "distcoeffs",
        "dist_coefs",
        "d",
    ),
    "r": ("rectification_matrix", "r"),
    "p": ("projection_matrix", "p"),
    "distortion_model": ("distortion_model",),
    "binning_x": ("binning_x",),
    "binning_y": ("binning_y",),
    "roi": ("roi",),
}
"""The fields of CameraInfo, and how files spell them, in small letters; ROS's calibration first."""


class _Region(BaseModel):
    x_offset: int = 0
    y_offset: int = 0
    width: int = 0
    height: int = 0


class _CameraInfoFile(BaseModel):
    """A camera_info as a message has it."""

    width: int
    height: int
    k: list[float]
    d: list[float] = []
    r: list[float] = []
    p: list[float] = []
    distortion_model: str = ""
    binning_x: int = 0
    binning_y: int = 0
    roi: _Region = _Region()

    @model_validator(mode="before")
    @classmethod
    def _spelled_as_in_messages(cls, values: object) -> object:
        return _by_field(values) if isinstance(values, Mapping) else values

    @field_validator("k", "d", "r", "p", mode="before")
    @classmethod
    def _flat(cls, value: object) -> object:
        """The numbers of a matrix: a list, a list of rows, or `data` beside `rows` and `cols`."""
        if isinstance(value, Mapping) and "data" in value:
            value = value["data"]
        if value is None:
            return []
        if isinstance(value, list):
            return [n for row in value for n in (row if isinstance(row, list) else [row])]
        return value

    @field_validator("distortion_model", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return "" if value is None else value


class _Loader(yaml.SafeLoader):
    """Plain values, and OpenCV's matrices as mappings."""


def _matrix(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


for _name in ("opencv-matrix", "opencv-nd-matrix"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _matrix)


def load_camera_info(path: Path, rectified: bool = False) -> Camera:
    """The camera of a file of intrinsics: of raw images (K, D and R), or of rectified ones (P).

    Read are the YAML files of ROS's calibration, what `ros2 topic echo` prints, OpenCV's and
    Kalibr's; of several cameras or messages the first that is calibrated.

    Raises:
        InputError: a file that is missing, is not such YAML, or describes no usable camera.
    """
    documents = _documents(path)
    if not all(isinstance(values, Mapping) for values in documents):
        raise InputError(f"{path}: not a camera_info file: there are no named values in it")
    try:
        cameras = [_CameraInfoFile.model_validate(values) for values in documents]
        calibrated = [camera for camera in cameras if is_calibrated(camera)]
        return camera_from_info((calibrated or cameras)[0], rectified)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "file"
        raise InputError(
            f"{path}: not a camera_info file: {SPELLINGS.get(name, (name,))[0]}: {first['msg']}"
        ) from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _documents(path: Path) -> list[Any]:
    """The cameras in a file, each as the values that stand there."""
    try:
        # OpenCV begins its files with a directive that is not quite YAML.
        text = path.read_text(encoding="utf-8-sig").replace("%YAML:", "# YAML ", 1)
        documents = [value for value in yaml.load_all(text, _Loader) if value is not None]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    is_kalibr = [isinstance(value, Mapping) and "cam0" in value for value in documents]
    return [
        value["cam0"] if has_cameras else value
        for value, has_cameras in zip(documents, is_kalibr, strict=True)
    ] or [None]


def _by_field(values: Mapping[Any, Any]) -> dict[str, Any]:
    """The values of a file by the names that the message has for them."""
    lower = {str(name).lower(): value for name, value in values.items()}
    found: dict[str, Any] = {
        field: next(lower[name] for name in names if name in lower)
        for field, names in SPELLINGS.items()
        if any(name in lower for name in names)
    }
    for name in ("resolution", "image_size"):
        if isinstance(size := lower.get(name), list) and len(size) == 2:
            found.setdefault("width", size[0])
            found.setdefault("height", size[1])
    focal_and_centre = lower.get("intrinsics")
    if isinstance(focal_and_centre, list) and len(focal_and_centre) == 4:
        fx, fy, cx, cy = focal_and_centre
        found.setdefault("k", [fx, 0, cx, 0, fy, cy, 0, 0, 1])
    if lower.get("fisheye_model") in (1, True):
        found["distortion_model"] = "equidistant"
    return found
