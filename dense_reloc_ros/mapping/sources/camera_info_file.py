"""Camera intrinsics from the YAML files of ROS's camera calibration (`camera_info_manager`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError

from dense_reloc_ros.configuration import read_yaml
from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.geometry.camera import Camera


class _Matrix(BaseModel):
    data: list[float]


class _CameraInfoFile(BaseModel):
    image_width: int
    image_height: int
    camera_matrix: _Matrix
    distortion_model: str = "plumb_bob"
    distortion_coefficients: _Matrix = _Matrix(data=[])


def load_camera_info(path: Path) -> Camera:
    """The camera of a camera_info YAML file: K and D, which describe the raw images.

    Raises:
        InputError: a file that is missing, is not such YAML, or describes no usable camera.
    """
    try:
        info = _CameraInfoFile.model_validate(read_yaml(path))
        return Camera.from_matrix(
            info.image_width,
            info.image_height,
            info.camera_matrix.data,
            info.distortion_model,
            info.distortion_coefficients.data,
        )
    except ConfigurationError as error:
        raise InputError(str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "file"
        raise InputError(f"{path}: not a camera_info file: {name}: {first['msg']}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
